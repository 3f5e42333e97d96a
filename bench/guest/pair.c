// SPDX-License-Identifier: Apache-2.0
/*
 * Rows of two CPUs: CPU_ON, and SGIs from CPU 0 to CPU 1 and back, both spinning (with YIELD) or both in WFI. Under icount
 * vCPUs take turns by one clock: the figure is what all of them executed together until it was seen, hypervisor and guest.
 *
 * CPU 1 runs answer() and says in `ready` how often it has begun to wait; CPU 0 gives it time to be really there.
 */
#include "bench.h"

#include "frame.h"

#define SGI_ASK     1
#define SGI_TELL    2
#define LIMIT_US    100000ul
#define SETTLE_US   30u
/* How long a doorbell may be on its way. */
#define DOORBELL_US 1000u

static struct {
	u32 ready;      /* CPU 1: so many times it waits */
	u32 stop;       /* CPU 0: the next SGI is the last */
	u64 seen;       /* CPU 1: the counter in its handler */
	bool asleep;    /* they wait in WFI */
	bool both_ways; /* CPU 1 answers */
} duo;

static u32 rounds;
static u64 vectors_before;
static u64 started; /* by the CPU that was switched on */

extern u8 cpu_stacks[MAX_CPUS][STACK_BYTES];
extern char bench_cpu_entry[];

/* Waits with interrupts on until the handler has noted the counter in x9; masked before and after. */
static u64 wait_for_note(bool asleep)
{
	u64 noted;

	if (asleep)
		__asm__ volatile(
		        "mov x9, xzr\n\tmsr daifclr, #2\n1:\n\twfi\n\tcbz x9, 1b\n\tmov %0, x9"
		        : "=r"(noted)::"x9", "x10", "memory");
	else
		__asm__ volatile(
		        "mov x9, xzr\n\tmsr daifclr, #2\n1:\n\tyield\n\tcbz x9, 1b\n\tmov %0, x9"
		        : "=r"(noted)::"x9", "x10", "memory");
	return noted;
}

/* On CPU 1. The doorbell that called it may still ring, and some GICs cannot shut off an SGI: it is taken first. */
static void answer(u64 arg)
{
	u64 tell = sgi_value(SGI_TELL, 0), before;

	(void)arg;
	if (WAIT_FOR(end_interrupt() == SMP_DOORBELL, DOORBELL_US))
		(void)smp_answer_doorbell();
	gic_enable(SGI_ASK);
	before = take_vectors(duo.both_ways ? bench_note : bench_note_end);
	for (u32 round = 1;; round++) {
		u64 noted;

		__atomic_store_n(&duo.ready, round, __ATOMIC_RELEASE);
		noted = wait_for_note(duo.asleep);
		if (__atomic_load_n(&duo.stop, __ATOMIC_ACQUIRE) != 0)
			break;
		if (duo.both_ways)
			sgi_send(tell);
		__atomic_store_n(&duo.seen, noted, __ATOMIC_RELEASE);
		(void)end_interrupt();
	}
	(void)end_interrupt();
	write_sysreg(vbar_el1, before);
	isb();
}

static const char *pair_prepare(bool asleep, bool both_ways)
{
	static bool up;

	if (platform.cpu_count < 2)
		return "one CPU";
	if (!up && !smp_start(1))
		return "CPU 1 does not start";
	up = true;
	duo.ready = duo.stop = 0;
	duo.asleep = asleep;
	duo.both_ways = both_ways;
	rounds = 0;
	gic_enable(SGI_TELL);
	smp_post(1, answer, 0);
	vectors_before = take_vectors(both_ways ? bench_note_end : bench_note);
	return NULL;
}

static const char *spin_one_way(void)
{
	return pair_prepare(false, false);
}

static const char *sleep_one_way(void)
{
	return pair_prepare(true, false);
}

static const char *spin_both_ways(void)
{
	return pair_prepare(false, true);
}

static const char *sleep_both_ways(void)
{
	return pair_prepare(true, true);
}

static bool other_waits(void)
{
	rounds++;
	if (!WAIT_FOR(__atomic_load_n(&duo.ready, __ATOMIC_ACQUIRE) == rounds, LIMIT_US))
		return false;
	timer_delay(SETTLE_US);
	return true;
}

static u64 ask(void)
{
	u64 value = sgi_value(SGI_ASK, 1), from;

	if (platform.gic_version == 3)
		__asm__ volatile(MARK_BEGIN
		                 "mrs %0, cntvct_el0\n\tmsr " STR(ICC_SGI1R_EL1) ", %1\n\tisb"
		                 : "=&r"(from)
		                 : "r"(value)
		                 : "memory");
	else
		__asm__ volatile(MARK_BEGIN "mrs %0, cntvct_el0\n\tstr %w1, [%2]"
		                 : "=&r"(from)
		                 : "r"(value), "r"(platform.gicd + GICD_SGIR)
		                 : "memory");
	return from;
}

static u64 one_way(void)
{
	u64 from;

	if (!other_waits())
		return SAMPLE_FAILED;
	duo.seen = 0;
	from = ask();
	if (!WAIT_FOR(__atomic_load_n(&duo.seen, __ATOMIC_ACQUIRE) != 0, LIMIT_US))
		return SAMPLE_FAILED;
	return duo.seen - from - bench_read_cost;
}

static u64 round_trip(void)
{
	u64 from, noted;

	if (!other_waits())
		return SAMPLE_FAILED;
	from = ask();
	noted = wait_for_note(duo.asleep);
	(void)end_interrupt();
	return noted - from - bench_read_cost;
}

static void pair_finish(void)
{
	(void)other_waits();
	__atomic_store_n(&duo.stop, 1, __ATOMIC_RELEASE);
	(void)ask();
	(void)smp_wait(1, LIMIT_US);
	give_vectors(vectors_before);
}

/* ---- CPU_ON ---- */

static const char *on_prepare(void)
{
	if (platform.cpu_count < 2)
		return "one CPU";
	return psci_call(PSCI_AFFINITY_INFO64, platform.mpidr[1], 0, 0) == PSCI_AFFINITY_OFF
	               ? NULL
	               : "CPU 1 is on";
}

void pair_started(void);
void pair_started(void)
{
	__asm__ volatile("mrs %0, cntvct_el0\n\t" MARK_END : "=r"(started)::"memory");
	dsb(ish);
	psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

static u64 cpu_on(void)
{
	u64 from, result;
	register u64 x0 __asm__("x0") = PSCI_CPU_ON64;
	register u64 x1 __asm__("x1") = platform.mpidr[1];
	register u64 x2 __asm__("x2") = (u64)bench_cpu_entry;
	register u64 x3 __asm__("x3") = (u64)cpu_stacks[2];

	started = 0;
	dsb(ish);
	if (platform.psci_smc)
		__asm__ volatile(MARK_BEGIN "mrs %1, cntvct_el0\n\tsmc #0"
		                 : "+r"(x0), "=&r"(from), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
	else
		__asm__ volatile(MARK_BEGIN "mrs %1, cntvct_el0\n\thvc #0"
		                 : "+r"(x0), "=&r"(from), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
	result = x0;
	if (result != PSCI_SUCCESS || !WAIT_FOR(*(volatile u64 *)&started != 0, LIMIT_US))
		return SAMPLE_FAILED;
	if (!WAIT_FOR(psci_call(PSCI_AFFINITY_INFO64, platform.mpidr[1], 0, 0) == PSCI_AFFINITY_OFF,
	              LIMIT_US))
		return SAMPLE_FAILED;
	return started - from - bench_read_cost;
}

const struct row rows_pair[] = {
        {.name = "cpu_on", .prepare = on_prepare, .once = cpu_on, .most = 50, .warm = 5},
        {.name = "sgi_spin", .prepare = spin_one_way, .once = one_way, .finish = pair_finish},
        {.name = "sgi_wfi", .prepare = sleep_one_way, .once = one_way, .finish = pair_finish},
        {.name = "sgi_back_spin",
         .prepare = spin_both_ways,
         .once = round_trip,
         .finish = pair_finish},
        {.name = "sgi_back_wfi",
         .prepare = sleep_both_ways,
         .once = round_trip,
         .finish = pair_finish},
        {0},
};
