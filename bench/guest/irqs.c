// SPDX-License-Identifier: Apache-2.0
/*
 * Rows of interrupts on one CPU: an SGI to itself, the virtual and the physical timer while it is busy and out of WFI,
 * acknowledge and end. What is timed ends at the first instruction of the handler (vectors.S), or, for `sgi_self_eoi`,
 * when the handler has acknowledged and ended it and has returned.
 */
#include "bench.h"

#define SGI_ME       1
#define AHEAD_US     20u /* how far away a timer is set */
#define SGIR_TARGETS BITS(23, 16)
#define SGI1R_ID     BITS(27, 24)
#define SGI1R_AFF1   BITS(23, 16)
#define SGI1R_AFF2   BITS(39, 32)
#define SGI1R_AFF3   BITS(55, 48)
#define SGI1R_RS     BITS(47, 44)

u64 bench_gicc; /* for vectors.S */

static u64 vectors_before, sgi;

/* What sends SGI `intid` to a CPU: GICv3 ICC_SGI1R_EL1, GICv2 GICD_SGIR. */
u64 sgi_value(u32 intid, unsigned cpu)
{
	u64 mpidr = platform.mpidr[cpu], aff0 = mpidr & 0xff;

	if (platform.gic_version != 3)
		return FIELD(SGIR_TARGETS, BIT(cpu)) | intid;
	return FIELD(SGI1R_ID, intid) | FIELD(SGI1R_AFF1, mpidr >> 8 & 0xff) |
	       FIELD(SGI1R_AFF2, mpidr >> 16 & 0xff) | FIELD(SGI1R_AFF3, mpidr >> 32 & 0xff) |
	       FIELD(SGI1R_RS, aff0 / 16) | BIT(aff0 % 16);
}

static const char *sgi_prepare(const char *vectors)
{
	gic_enable(SGI_ME);
	sgi = sgi_value(SGI_ME, 0);
	vectors_before = take_vectors(vectors);
	return NULL;
}

static const char *self_prepare(void)
{
	return sgi_prepare(bench_note_end);
}

static const char *self_whole_prepare(void)
{
	bench_gicc = platform.gicc;
	return sgi_prepare(platform.gic_version == 3 ? bench_whole_v3 : bench_whole_v2);
}

static void sgi_finish(void)
{
	irq_disable();
	while (end_interrupt() < GIC_SPECIAL)
		;
	give_vectors(vectors_before);
}

/*
 * Sends the SGI with interrupts on and spins until the handler has said in x9 that it was there. Returns what it said;
 * *sent and *after: the counter before the SGI and after the loop.
 */
static u64 send_and_spin(u64 *sent, u64 *after)
{
	u64 from, to, noted;

	if (platform.gic_version == 3) {
		__asm__ volatile("mov x9, xzr\n\tmsr daifclr, #2\n\t" MARK_BEGIN
		                 "mrs %0, cntvct_el0\n\t"
		                 "msr " STR(ICC_SGI1R_EL1) ", %3\n\t"
		                                           "isb\n"
		                                           "1: cbz x9, 1b\n\t"
		                                           "mrs %1, cntvct_el0\n\t" MARK_END
		                                           "msr daifset, #2\n\tmov %2, x9"
		                 : "=&r"(from), "=&r"(to), "=&r"(noted)
		                 : "r"(sgi)
		                 : "x9", "x10", "memory");
	} else {
		__asm__ volatile("mov x9, xzr\n\tmsr daifclr, #2\n\t" MARK_BEGIN
		                 "mrs %0, cntvct_el0\n\t"
		                 "str %w3, [%4]\n"
		                 "1: cbz x9, 1b\n\t"
		                 "mrs %1, cntvct_el0\n\t" MARK_END "msr daifset, #2\n\tmov %2, x9"
		                 : "=&r"(from), "=&r"(to), "=&r"(noted)
		                 : "r"(sgi), "r"(platform.gicd + GICD_SGIR)
		                 : "x9", "x10", "memory");
	}
	*sent = from;
	*after = to;
	return noted;
}

static u64 self(void)
{
	u64 sent, after, noted = send_and_spin(&sent, &after);

	(void)end_interrupt();
	return noted - sent - bench_read_cost;
}

static u64 self_whole(void)
{
	u64 sent, after;

	(void)send_and_spin(&sent, &after);
	return after - sent - bench_read_cost;
}

/* ---- acknowledge and end, of an SGI that is pending and masked ---- */

static u64 acknowledge(void)
{
	u64 ticks;

	sgi_send(sgi);
	if (platform.gic_version == 3)
		ticks = TIMED("mrs x9, " STR(ICC_IAR1_EL1), : "x9", "memory");
	else
		ticks = TIMED("ldr w9, [%[at]]", [at] "r"(platform.gicc + GICC_IAR)
		              : "x9", "memory");
	gic_eoi(SGI_ME);
	return ticks;
}

static u64 end(void)
{
	u64 iar;

	sgi_send(sgi);
	iar = gic_ack();
	if (platform.gic_version == 3)
		return TIMED("msr " STR(ICC_EOIR1_EL1) ", %[v]", [v] "r"(iar) : "memory");
	return TIMED("str %w[v], [%[at]]", [v] "r"(iar), [at] "r"(platform.gicc + GICC_EOIR)
	             : "memory");
}

/* ---- timers ---- */

static const char *timer_prepare(void)
{
	gic_enable(INTID_VTIMER);
	vectors_before = take_vectors(bench_note_end);
	return NULL;
}

static const char *physical_prepare(void)
{
	struct exc_record r = EXC_OF(write_sysreg(cntp_ctl_el0, 0));

	if (r.count != 0)
		return "the physical timer ends in an exception";
	gic_enable(INTID_PTIMER);
	vectors_before = take_vectors(bench_note_end);
	return NULL;
}

/* Waits with interrupts on until the handler has noted the counter in x9. */
static u64 wait_busy(void)
{
	u64 noted;

	__asm__ volatile("mov x9, xzr\n\tmsr daifclr, #2\n\t" MARK_BEGIN "1: cbz x9, 1b\n\t"
	                 "mov %0, x9"
	                 : "=r"(noted)::"x9", "x10", "memory");
	return noted;
}

static u64 wait_asleep(void)
{
	u64 noted;

	__asm__ volatile("mov x9, xzr\n\tmsr daifclr, #2\n\t" MARK_BEGIN "1: wfi\n\tcbz x9, 1b\n\t"
	                 "mov %0, x9"
	                 : "=r"(noted)::"x9", "x10", "memory");
	return noted;
}

static u64 virtual_timer(u64 (*wait)(void))
{
	u64 due = timer_count() + timer_ticks(AHEAD_US), noted;

	write_sysreg(cntv_cval_el0, due);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	noted = wait();
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	(void)end_interrupt();
	return noted - due;
}

static u64 virtual_busy(void)
{
	return virtual_timer(wait_busy);
}

static u64 virtual_asleep(void)
{
	return virtual_timer(wait_asleep);
}

/* The handler reads the virtual counter: what it is ahead of the physical one is taken off. */
static u64 physical_busy(void)
{
	u64 due = read_sysreg(cntpct_el0), ahead = read_sysreg(cntvct_el0) - bench_read_cost - due,
	    noted;

	due += timer_ticks(AHEAD_US);
	write_sysreg(cntp_cval_el0, due);
	write_sysreg(cntp_ctl_el0, CNT_ENABLE);
	isb();
	noted = wait_busy();
	write_sysreg(cntp_ctl_el0, 0);
	isb();
	(void)end_interrupt();
	return noted - ahead - due;
}

const struct row rows_irq[] = {
        {.name = "sgi_self", .prepare = self_prepare, .once = self, .finish = sgi_finish},
        {.name = "sgi_self_eoi",
         .prepare = self_whole_prepare,
         .once = self_whole,
         .finish = sgi_finish},
        {.name = "acknowledge", .prepare = self_prepare, .once = acknowledge, .finish = sgi_finish},
        {.name = "eoi", .prepare = self_prepare, .once = end, .finish = sgi_finish},
        {.name = "timer_busy",
         .prepare = timer_prepare,
         .once = virtual_busy,
         .finish = sgi_finish},
        {.name = "timer_wfi",
         .prepare = timer_prepare,
         .once = virtual_asleep,
         .finish = sgi_finish},
        {.name = "cntp_busy",
         .prepare = physical_prepare,
         .once = physical_busy,
         .finish = sgi_finish},
        {0},
};
