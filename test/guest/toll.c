// SPDX-License-Identifier: Apache-2.0
/*
 * What an interrupt takes while its CPU is awake. `n=COUNT` (100) times the timer rings, or with `sgi=1` CPU 0 sends
 * an SGI to itself; then it is acknowledged and ended. Prints how far the counter came, and powers off:
 *
 *   toll: TIMER RAISE ACK END       RAISE: from when it was due to the first instruction of the handler
 *   toll: SGI RAISE ACK END         RAISE: from before it was sent to the first instruction of the handler
 *   toll: end
 *
 * What the kernel itself does in between is the same on the bare board.
 */
#include "test.h"

#include "gic.h"

#define MOST   1000
#define SGI_ME 1

static u64 samples[MOST][3];

/*
 * The first instruction of an interrupt's handler reads the counter into x9; the interrupt stays pending, and is
 * masked where it came.
 */
__asm__(".balign 2048\n"
        "toll_vectors:\n"
        ".space 0x280\n"
        "	mrs	x9, cntvct_el0\n"
        "	mrs	x10, spsr_el1\n"
        "	orr	x10, x10, #0x80\n"
        "	msr	spsr_el1, x10\n"
        "	eret\n"
        ".balign 2048\n");

/* Spins until an interrupt comes, and says when. Interrupts are masked before and after. */
static u64 spin(void)
{
	register u64 taken __asm__("x9") = 0;

	__asm__ volatile("msr daifclr, #2\n\t"
	                 "1: cbz %0, 1b"
	                 : "+r"(taken)::"x10", "memory");
	return taken;
}

static u64 raise_timer(u64 ticks)
{
	u64 due = timer_count() + ticks;

	write_sysreg(cntv_cval_el0, due);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	return due;
}

static u64 raise_sgi(void)
{
	u64 from = timer_count();

	gic_send_sgi(SGI_ME, BIT(0));
	return from;
}

static void take(u64 *sample, bool sgi, u64 ticks)
{
	u64 from = sgi ? raise_sgi() : raise_timer(ticks), taken = spin();

	write_sysreg(cntv_ctl_el0, 0);
	isb();
	u64 begin = timer_count();
	u32 iar = gic_ack();
	u64 acked = timer_count();
	gic_eoi(iar);
	u64 ended = timer_count();
	sample[0] = taken - from;
	sample[1] = acked - begin;
	sample[2] = ended - acked;
}

void tool_main(void)
{
	u64 n = platform_arg("n", 100), ticks = timer_ticks(platform_arg("us", 100));
	u64 before = read_sysreg(vbar_el1), mine;
	bool sgi = platform_arg("sgi", 0) != 0;

	n = n < MOST ? n : MOST;
	gic_enable(sgi ? SGI_ME : INTID_VTIMER);
	irq_disable();
	__asm__("adrp %0, toll_vectors\n\tadd %0, %0, :lo12:toll_vectors" : "=r"(mine));
	write_sysreg(vbar_el1, mine);
	isb();
	for (u64 i = 0; i < n; i++)
		take(samples[i], sgi, ticks);
	write_sysreg(vbar_el1, before);
	isb();
	irq_enable();
	for (u64 i = 0; i < n; i++)
		print("toll: %s %lu %lu %lu\n", sgi ? "SGI" : "TIMER", samples[i][0], samples[i][1],
		      samples[i][2]);
	print("toll: end\n");
}
