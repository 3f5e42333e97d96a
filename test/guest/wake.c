// SPDX-License-Identifier: Apache-2.0
/*
 * How long it takes to come out of WFI. `n=COUNT` (100) times it sleeps until its timer is due `us=US` (500) later;
 * with two CPUs and `sgi=1` CPU 0 sends an SGI to CPU 1 instead, which sleeps, and sleeps until that one's answer
 * is here. Prints the counter's values at the end, and powers off:
 *
 *   wake: TIMER SLEPT DUE WOKE      last instruction before WFI; when the timer rang; first of the handler
 *   wake: SGI SENT THERE BACK       before it was sent; first instruction of the handlers on CPU 1 and CPU 0
 *   wake: end
 */
#include "test.h"

#include "gic.h"

#define MOST     1000
#define SGI_ASK  1
#define SGI_TELL 2

static u64 samples[MOST][3];
static volatile u64 there; /* when CPU 1's handler ran */

/*
 * Vectors for a CPU that sleeps in sleep(): the first instruction of an interrupt's handler reads the counter into
 * x9; the interrupt stays pending, and is masked where it came.
 */
__asm__(".balign 2048\n"
        "wake_vectors:\n"
        ".space 0x280\n"
        "	mrs	x9, cntvct_el0\n"
        "	mrs	x10, spsr_el1\n"
        "	orr	x10, x10, #0x80\n"
        "	msr	spsr_el1, x10\n"
        "	eret\n"
        ".balign 2048\n");

/* Sleeps until an interrupt comes; *slept: just before. Interrupts are masked before and after. */
static u64 sleep_at(u64 *slept)
{
	register u64 woke __asm__("x9") = 0;
	u64 before;

	__asm__ volatile("msr daifclr, #2\n\t"
	                 "mrs %1, cntvct_el0\n\t"
	                 "1: wfi\n\t"
	                 "cbz %0, 1b"
	                 : "+r"(woke), "=&r"(before)::"x10", "memory");
	*slept = before;
	return woke;
}

/* Interrupts go to the vectors above; the vectors before. */
static u64 take_vectors(void)
{
	u64 before = read_sysreg(vbar_el1), mine;

	irq_disable();
	__asm__("adrp %0, wake_vectors\n\tadd %0, %0, :lo12:wake_vectors" : "=r"(mine));
	write_sysreg(vbar_el1, mine);
	isb();
	return before;
}

static void give_vectors(u64 before)
{
	write_sysreg(vbar_el1, before);
	isb();
	irq_enable();
}

/* Which interrupt it was. */
static u32 end_interrupt(void)
{
	u32 iar = gic_ack();

	if ((iar & GIC_INTID) < GIC_SPECIAL)
		gic_eoi(iar);
	return iar & GIC_INTID;
}

static void by_timer(u64 n, u64 ticks)
{
	gic_enable(INTID_VTIMER);
	u64 before = take_vectors();
	for (u64 i = 0; i < n; i++) {
		u64 due = timer_count() + ticks;

		write_sysreg(cntv_cval_el0, due);
		write_sysreg(cntv_ctl_el0, CNT_ENABLE);
		isb();
		samples[i][1] = due;
		samples[i][2] = sleep_at(&samples[i][0]);
		write_sysreg(cntv_ctl_el0, 0);
		isb();
		(void)end_interrupt();
	}
	give_vectors(before);
}

/* On CPU 1. */
static void answer(u64 n)
{
	u64 slept;

	gic_enable(SGI_ASK);
	u64 before = take_vectors();
	for (u64 i = 0; i < n; i++) {
		do /* the doorbell that brought this function here may still ring */
			there = sleep_at(&slept);
		while (end_interrupt() != SGI_ASK);
		gic_send_sgi(SGI_TELL, BIT(0));
	}
	give_vectors(before);
}

static void by_sgi(u64 n, u64 ticks)
{
	gic_enable(SGI_TELL);
	if (!smp_start(1)) {
		print("wake: CPU 1 does not start\n");
		return;
	}
	smp_post(1, answer, n);
	u64 before = take_vectors();
	for (u64 i = 0; i < n; i++) {
		u64 from = timer_count(), slept;

		while (timer_count() - from < ticks) /* the other one sleeps again */
			;
		samples[i][0] = read_sysreg(cntvct_el0);
		gic_send_sgi(SGI_ASK, BIT(1));
		samples[i][2] = sleep_at(&slept);
		(void)end_interrupt();
		samples[i][1] = there;
	}
	give_vectors(before);
}

void tool_main(void)
{
	u64 n = platform_arg("n", 100), ticks = timer_ticks(platform_arg("us", 500));
	bool sgi = platform_arg("sgi", 0) != 0 && platform.cpu_count > 1;

	n = n < MOST ? n : MOST;
	if (sgi)
		by_sgi(n, ticks);
	else
		by_timer(n, ticks);
	for (u64 i = 0; i < n; i++)
		print("wake: %s %lu %lu %lu\n", sgi ? "SGI" : "TIMER", samples[i][0], samples[i][1],
		      samples[i][2]);
	print("wake: end\n");
}
