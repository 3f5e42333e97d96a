// SPDX-License-Identifier: Apache-2.0
/*
 * The virtual timer (INTID 27) and the non-secure physical timer (INTID 30): the same checks on
 * both, and the counters on all CPUs.
 * Source: Arm ARM, "The Generic Timer in AArch64 state".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define ARRIVE_US  1000000ul
#define SOON_US    1000ul
#define NUDGE_US   100ul
#define SETTLE_US  3000ul
#define LATE_US    500000ul /* how late an interrupt may be on a loaded machine */
#define REPEATS    20u
#define FAR_FUTURE BIT(62)

struct timer {
	const char *name;
	u32 intid;
	u64 (*count)(void);
	u64 (*get_ctl)(void);
	void (*set_ctl)(u64 v);
	u64 (*get_cval)(void);
	void (*set_cval)(u64 v);
	u64 (*get_tval)(void);
	void (*set_tval)(u64 v);
};

#define ACCESSORS(reg)                   \
	static u64 get_##reg(void)       \
	{                                \
		isb();                   \
		return read_sysreg(reg); \
	}                                \
	static void set_##reg(u64 v)     \
	{                                \
		write_sysreg(reg, v);    \
		isb();                   \
	}

ACCESSORS(cntv_ctl_el0)
ACCESSORS(cntv_cval_el0)
ACCESSORS(cntv_tval_el0)
ACCESSORS(cntp_ctl_el0)
ACCESSORS(cntp_cval_el0)
ACCESSORS(cntp_tval_el0)

static u64 virtual_count(void)
{
	isb();
	return read_sysreg(cntvct_el0);
}

static u64 physical_count(void)
{
	isb();
	return read_sysreg(cntpct_el0);
}

static const struct timer timers[] = {
        {"virtual", INTID_VTIMER, virtual_count, get_cntv_ctl_el0, set_cntv_ctl_el0,
         get_cntv_cval_el0, set_cntv_cval_el0, get_cntv_tval_el0, set_cntv_tval_el0},
        {"physical", INTID_PTIMER, physical_count, get_cntp_ctl_el0, set_cntp_ctl_el0,
         get_cntp_cval_el0, set_cntp_cval_el0, get_cntp_tval_el0, set_cntp_tval_el0},
};

static const struct timer *under_test;
static volatile u64 fired_at;
static volatile u32 rearms;

static void on_fire(u32 iar)
{
	(void)iar;
	fired_at = under_test->count();
	under_test->set_ctl(CNT_ENABLE | CNT_IMASK);
}

static void on_fire_rearm(u32 iar)
{
	(void)iar;
	if (--rearms == 0)
		under_test->set_ctl(0);
	else
		under_test->set_tval(timer_ticks(SOON_US));
}

static void test_registers(const struct timer *t)
{
	u64 now, tval, left;

	group_begin("timer-registers");
	t->set_ctl(0);
	group_eq(t->get_ctl(), 0, "%s CTL off", t->name);
	t->set_cval(~0ul);
	group_eq(t->get_cval(), ~0ul, "%s CVAL all ones", t->name);
	t->set_cval(0);
	group_eq(t->get_cval(), 0, "%s CVAL zero", t->name);
	t->set_ctl(CNT_IMASK | CNT_ENABLE);
	group_eq(t->get_ctl(), CNT_IMASK | CNT_ENABLE | CNT_ISTATUS, "%s met condition shows",
	         t->name);
	t->set_cval(FAR_FUTURE);
	group_eq(t->get_ctl(), CNT_IMASK | CNT_ENABLE, "%s future condition does not", t->name);
	t->set_ctl(~0ul);
	group_eq(t->get_ctl(), CNT_IMASK | CNT_ENABLE, "%s status and reserved bits ignore writes",
	         t->name);
	/* TVAL is the low half of CVAL - count, sign-extended when written. */
	now = t->count();
	t->set_tval(0x10000000);
	group_eq(t->get_cval() - now - 0x10000000 < timer_ticks(LATE_US), true, "%s TVAL sets CVAL",
	         t->name);
	tval = t->get_tval();
	left = t->get_cval() - t->count();
	group_eq(tval - left < timer_ticks(LATE_US) && tval >> 32 == 0, true, "%s TVAL counts down",
	         t->name);
	now = t->count();
	t->set_tval(0xffffff00);
	group_eq(t->get_cval() - now + 0x100 < timer_ticks(LATE_US), true,
	         "%s negative TVAL is the past", t->name);
	group_eq(t->get_ctl(), CNT_IMASK | CNT_ENABLE | CNT_ISTATUS, "%s and met", t->name);
	group_eq(t->get_tval() >> 32, 0, "%s TVAL reads as 32 bits", t->name);
	group_eq(t->get_tval() >> 31, 1, "%s TVAL negative", t->name);
	t->set_ctl(0);
	group_end();
}

static void test_fires(const struct timer *t)
{
	u64 due, off_before;

	irq_set_handler(t->intid, on_fire);
	gic_enable(t->intid);

	irq_reset();
	due = t->count() + timer_ticks(SOON_US);
	t->set_cval(due);
	t->set_ctl(CNT_ENABLE);
	check_true(WAIT_FOR(irq_count(0, t->intid) == 1, ARRIVE_US), "timer-%s-fires", t->name);
	check_true(fired_at >= due, "timer-%s-not-early", t->name);
	check_true(fired_at - due < timer_ticks(LATE_US), "timer-%s-not-late", t->name);
	timer_delay(SETTLE_US);
	check_eq(irq_count(0, t->intid), 1, "timer-%s-once", t->name);

	irq_reset();
	t->set_cval(t->count() - timer_ticks(SOON_US));
	t->set_ctl(CNT_ENABLE);
	check_true(WAIT_FOR(irq_count(0, t->intid) == 1, ARRIVE_US), "timer-%s-past", t->name);

	irq_reset();
	off_before = irq_count(0, t->intid);
	t->set_ctl(CNT_ENABLE | CNT_IMASK);
	t->set_tval(0);
	timer_delay(SETTLE_US);
	check_eq(irq_count(0, t->intid), off_before, "timer-%s-imask", t->name);
	check_eq(gic_is_pending(t->intid), false, "timer-%s-imask-not-pending", t->name);
	t->set_ctl(CNT_ENABLE);
	check_true(WAIT_FOR(irq_count(0, t->intid) == 1, ARRIVE_US), "timer-%s-unmasked", t->name);

	irq_reset();
	t->set_cval(0);
	t->set_ctl(0);
	timer_delay(SETTLE_US);
	check_eq(irq_count(0, t->intid), 0, "timer-%s-disabled", t->name);

	irq_reset();
	rearms = REPEATS;
	irq_set_handler(t->intid, on_fire_rearm);
	t->set_tval(timer_ticks(SOON_US));
	t->set_ctl(CNT_ENABLE);
	check_true(WAIT_FOR(irq_count(0, t->intid) == REPEATS, ARRIVE_US), "timer-%s-periodic",
	           t->name);
	timer_delay(SETTLE_US);
	check_eq(irq_count(0, t->intid), REPEATS, "timer-%s-periodic-exact", t->name);
}

static void leave_on(u32 iar)
{
	(void)iar;
	if (--rearms == 0)
		under_test->set_ctl(0);
}

/*
 * Lets the other timer expire unseen. QEMU's GICv2 does not look at its lines again when a
 * virtual end of interrupt deactivates a physical one, only when something else happens; a real
 * one needs no nudge.
 */
static bool nudge(const struct timer *t)
{
	const struct timer *other = &timers[t == &timers[0]];

	if (platform.gic_version == 2 && other->get_ctl() != CNT_ENABLE) {
		gic_disable(other->intid);
		other->set_tval(timer_ticks(NUDGE_US));
		other->set_ctl(CNT_ENABLE);
	}
	return true;
}

/* The line is a level: it is taken again until lowered, and lowering it takes pending away. */
static void test_level(const struct timer *t)
{
	irq_set_handler(t->intid, leave_on);
	irq_reset();
	rearms = 5;
	t->set_tval(0);
	t->set_ctl(CNT_ENABLE);
	check_true(WAIT_FOR(nudge(t) && irq_count(0, t->intid) >= 5, ARRIVE_US),
	           "timer-%s-level-again", t->name);
	timers[t == &timers[0]].set_ctl(0);
	timer_delay(SETTLE_US);
	check_eq(irq_count(0, t->intid), 5, "timer-%s-level-lowered", t->name);

	irq_disable();
	t->set_tval(0);
	t->set_ctl(CNT_ENABLE);
	check_true(WAIT_FOR(gic_is_pending(t->intid), ARRIVE_US), "timer-%s-level-pending",
	           t->name);
	t->set_cval(FAR_FUTURE);
	check_true(WAIT_FOR(!gic_is_pending(t->intid), ARRIVE_US), "timer-%s-level-withdrawn",
	           t->name);
	t->set_ctl(0);
	irq_reset();
	irq_enable();
	timer_delay(SETTLE_US);
	check_eq(irq_count(0, t->intid), 0, "timer-%s-withdrawn-not-taken", t->name);

	/* Disabled in the interrupt controller: waits there. */
	irq_set_handler(t->intid, on_fire);
	gic_disable(t->intid);
	t->set_tval(0);
	t->set_ctl(CNT_ENABLE);
	check_true(WAIT_FOR(gic_is_pending(t->intid), ARRIVE_US), "timer-%s-disabled-pending",
	           t->name);
	check_eq(irq_count(0, t->intid), 0, "timer-%s-disabled-not-taken", t->name);
	gic_enable(t->intid);
	check_true(WAIT_FOR(irq_count(0, t->intid) == 1, ARRIVE_US), "timer-%s-enabled-taken",
	           t->name);
}

static void test_wfi(const struct timer *t)
{
	u64 start = t->count(), due = start + timer_ticks(10 * SOON_US);

	irq_set_handler(t->intid, on_fire);
	irq_reset();
	irq_disable();
	t->set_cval(due);
	t->set_ctl(CNT_ENABLE);
	while (t->count() < due)
		wfi();
	irq_enable();
	check_true(WAIT_FOR(irq_count(0, t->intid) == 1, ARRIVE_US), "timer-%s-wakes-wfi", t->name);
}

static volatile u64 other_count;

static void read_count(u64 arg)
{
	(void)arg;
	other_count = virtual_count();
}

/* No CPU sees a counter that is behind what another has already seen. */
static void test_counter(unsigned cpus)
{
	u64 before = virtual_count(), after, last = 0;

	group_begin("timer-counter");
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			smp_call(cpu, read_count, 0);
			after = virtual_count();
			group_eq(other_count >= before && other_count <= after, true,
			         "CPU %u agrees with CPU 0", cpu);
			before = after;
		}
	}
	for (unsigned i = 0; i < 10000; i++) {
		u64 now = virtual_count();

		if (now < last)
			group_eq(now, last, "never back");
		last = now;
	}
	group_eq(read_sysreg(cntfrq_el0) >= 1000000, true, "CNTFRQ is set");
	group_end();
	/* A new machine's clock starts near zero; ten minutes are generous. */
	if (test_under_mezzo())
		check_true(before < timer_ticks(600000000), "timer-counter-starts-near-zero");
}

static void fire_here(u64 arg)
{
	const struct timer *t = &timers[arg];

	gic_enable(t->intid);
	irq_enable();
	t->set_tval(timer_ticks(SOON_US));
	t->set_ctl(CNT_ENABLE);
}

static void test_every_cpu(unsigned cpus)
{
	group_begin("timer-every-cpu");
	for (u64 i = 0; i < ARRAY_LEN(timers); i++) {
		under_test = &timers[i];
		irq_reset();
		irq_set_handler(timers[i].intid, on_fire);
		for (unsigned cpu = 0; cpu < cpus; cpu++)
			smp_call(cpu, fire_here, i);
		for (unsigned cpu = 0; cpu < cpus; cpu++)
			group_eq(WAIT_FOR(irq_count(cpu, timers[i].intid) == 1, ARRIVE_US), true,
			         "%s on CPU %u", timers[i].name, cpu);
	}
	group_end();
}

void test_main(void)
{
	unsigned cpus = smp_start_all();

	irq_enable();
	for (unsigned i = 0; i < ARRAY_LEN(timers); i++) {
		under_test = &timers[i];
		test_registers(&timers[i]);
		test_fires(&timers[i]);
		test_level(&timers[i]);
		test_wfi(&timers[i]);
		timers[i].set_ctl(0);
	}
	test_counter(cpus);
	test_every_cpu(cpus);
	print("# %u spurious interrupts, which are allowed\n", irq_spurious(0));
}
