// SPDX-License-Identifier: Apache-2.0
/*
 * Shared peripheral interrupts, made pending by software: delivery, routing to each CPU, disable
 * and enable, edge and level, active state by hand, and far more at once than any list-register
 * file holds: all arrive, once each, in order of priority.
 * Source: GICv2 and GICv3 Architecture Specification, "Programmers' Model".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define FIRST     64u /* on QEMU virt only idle virtio slots (48-79) are wired from here on */
#define MANY      40u
#define ONE       100u
#define ARRIVE_US 1000000ul
#define SETTLE_US 2000ul
#define ROUNDS    5u
#define LEVELS    8u
#define STEP      0x10u
#define IDLE_PRIO 0xff

static unsigned cpus;

static void open_irqs(u64 arg)
{
	(void)arg;
	irq_enable();
}

static void prepare(u32 intid)
{
	gic_set_edge(intid, true);
	gic_set_priority(intid, GIC_PRIORITY);
	gic_route(intid, 0);
	gic_enable(intid);
}

static void test_basic(void)
{
	prepare(ONE);
	group_begin("spi-basic");
	irq_reset();
	gic_set_pending(ONE);
	group_eq(WAIT_FOR(irq_count(0, ONE) == 1, ARRIVE_US), true, "arrives");
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, ONE), 1, "once");
	group_eq(gic_is_pending(ONE), false, "no longer pending");
	group_eq(gic_is_active(ONE), false, "no longer active");

	gic_disable(ONE);
	gic_set_pending(ONE);
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, ONE), 1, "not while disabled");
	group_eq(gic_is_pending(ONE), true, "but pending");
	group_eq(gic_get_bit(ONE, GICD_ISENABLER), false, "reads as disabled");
	group_eq(gic_get_bit(ONE, GICD_ICPENDR), true, "ICPENDR shows it as well");
	gic_enable(ONE);
	group_eq(WAIT_FOR(irq_count(0, ONE) == 2, ARRIVE_US), true, "when enabled");

	irq_disable();
	gic_set_pending(ONE);
	group_eq(gic_is_pending(ONE), true, "pending while the CPU masks it");
	group_eq(gic_highest_pending() & GIC_INTID, ONE, "the highest pending one");
	gic_clear_pending(ONE);
	group_eq(gic_is_pending(ONE), false, "withdrawn");
	group_eq(gic_highest_pending() & GIC_INTID, INTID_NONE, "none pending");
	irq_enable();
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, ONE), 2, "a withdrawn one does not arrive");
	group_end();
}

/* By hand: acknowledge, look, end. */
static void test_states(void)
{
	u32 iar;

	group_begin("spi-states");
	irq_disable();
	gic_set_pending(ONE);
	iar = gic_ack();
	group_eq(iar & GIC_INTID, ONE, "acknowledged");
	group_eq(gic_is_pending(ONE), false, "acknowledge takes pending away");
	group_eq(gic_is_active(ONE), true, "active");
	group_eq(gic_get_bit(ONE, GICD_ICACTIVER), true, "ICACTIVER shows it as well");
	group_eq(gic_running(), GIC_PRIORITY, "running priority");
	gic_set_pending(ONE);
	group_eq(gic_is_pending(ONE), true, "active and pending");
	group_eq(gic_ack() & GIC_INTID, INTID_NONE, "does not preempt itself");
	gic_eoi(iar);
	group_eq(gic_running(), IDLE_PRIO, "idle after the end");
	group_eq(gic_is_active(ONE), false, "not active after the end");
	iar = gic_ack();
	group_eq(iar & GIC_INTID, ONE, "the second one follows");
	gic_eoi(iar);
	group_eq(gic_ack() & GIC_INTID, INTID_NONE, "nothing follows");

	/* Made active by hand it does not signal, even if pending. */
	gic_set_active(ONE);
	group_eq(gic_is_active(ONE), true, "set active");
	gic_set_pending(ONE);
	group_eq(gic_ack() & GIC_INTID, INTID_NONE, "active by hand: not signalled");
	gic_clear_active(ONE);
	group_eq(gic_is_active(ONE), false, "cleared");
	iar = gic_ack();
	group_eq(iar & GIC_INTID, ONE, "signalled when no longer active");
	gic_eoi(iar);
	group_end();
	irq_enable();
}

/* Level: software pending on a low line stays until cleared or acknowledged. */
static void test_level(void)
{
	group_begin("spi-level");
	irq_reset();
	gic_set_edge(ONE, false);
	gic_set_pending(ONE);
	group_eq(WAIT_FOR(irq_count(0, ONE) == 1, ARRIVE_US), true, "software pending arrives");
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, ONE), 1, "once");
	irq_disable();
	gic_set_pending(ONE);
	gic_clear_pending(ONE);
	group_eq(gic_is_pending(ONE), false, "withdrawn");
	irq_enable();
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, ONE), 1, "not taken");
	gic_set_edge(ONE, true);
	group_end();
}

static void test_routing(void)
{
	group_begin("spi-routing");
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			irq_reset();
			gic_route(ONE, cpu);
			gic_set_pending(ONE);
			group_eq(WAIT_FOR(irq_count(cpu, ONE) == 1, ARRIVE_US), true, "to CPU %u",
			         cpu);
			for (unsigned other = 0; other < cpus; other++)
				group_eq(irq_total(other), other == cpu, "count of CPU %u", other);
		}
	}
	gic_route(ONE, 0);
	group_end();
}

static void mask_here(u64 arg)
{
	(void)arg;
	irq_disable();
}

/* Pending for a CPU that does not listen; then sent elsewhere: taken there, and only there. */
static void test_reroute(void)
{
	unsigned last = cpus - 1;

	group_begin("spi-reroute-pending");
	irq_reset();
	smp_call(last, mask_here, 0);
	gic_route(ONE, last);
	gic_set_pending(ONE);
	timer_delay(SETTLE_US);
	group_eq(irq_total(last), 0, "waits");
	gic_route(ONE, 0);
	group_eq(WAIT_FOR(irq_count(0, ONE) == 1, ARRIVE_US), true, "taken at its new target");
	smp_call(last, open_irqs, 0);
	timer_delay(SETTLE_US);
	group_eq(irq_total(last), 0, "not at the old one");
	group_eq(irq_total(0), 1, "once");
	group_end();
}

/* GICv2: several targets, one of them takes it. GICv3: the same by IRM. */
static void test_any_cpu(void)
{
	u32 taken = 0;

	if (platform.gic_version == 3 && (read32(platform.gicd + GICD_TYPER) & TYPER_NO1N) != 0) {
		test_skip("this controller has no 1 of N", "spi-one-of-many");
		return;
	}
	group_strict("spi-one-of-many"); /* QEMU's GICv2 lets several take it */
	for (unsigned round = 0; round < 20; round++) {
		irq_reset();
		if (platform.gic_version == 3)
			write64(platform.gicd + GICD_IROUTER + 8ul * ONE, BIT(31));
		else
			write8(platform.gicd + GICD_ITARGETSR + ONE, (u8)(BIT(cpus) - 1));
		gic_set_pending(ONE);
		WAIT_FOR(({
			         taken = 0;
			         for (unsigned cpu = 0; cpu < cpus; cpu++)
				         taken += irq_total(cpu);
			         taken != 0;
		         }),
		         ARRIVE_US);
		timer_delay(SETTLE_US / 4);
		taken = 0;
		for (unsigned cpu = 0; cpu < cpus; cpu++)
			taken += irq_count(cpu, ONE);
		group_eq(taken, 1, "round %u", round);
	}
	gic_route(ONE, 0);
	group_end();
}

static u8 priority_of(u32 i)
{
	return (u8)(STEP * ((i * 5 + 3) % LEVELS) + 0x40);
}

static void test_many(void)
{
	group_begin("spi-many-pending");
	for (unsigned round = 0; round < ROUNDS; round++) {
		u8 last = 0;
		bool in_order = true;

		irq_disable();
		irq_reset();
		for (u32 i = 0; i < MANY; i++) {
			prepare(FIRST + i);
			gic_set_priority(FIRST + i, priority_of(i));
		}
		for (u32 i = 0; i < MANY; i++)
			gic_set_pending(FIRST + i);
		irq_enable();
		WAIT_FOR(irq_total(0) >= MANY, ARRIVE_US);
		timer_delay(SETTLE_US);
		irq_disable();
		group_eq(irq_total(0), MANY, "all of them and no more");
		for (u32 i = 0; i < MANY; i++)
			group_eq(irq_count(0, FIRST + i), 1, "INTID %u once", FIRST + i);
		for (u32 n = 0; n < irq_total(0) && n < IRQ_LOG; n++) {
			u8 priority = priority_of((irq_logged(0, n) & (u32)GIC_INTID) - FIRST);

			in_order = in_order && priority >= last;
			last = priority;
		}
		group_eq(in_order, true, "in order of priority");
	}
	for (u32 i = 0; i < MANY; i++)
		gic_disable(FIRST + i);
	irq_enable();
	group_end();
}

/* More active at once than any file of list registers: acknowledge all, then end all. */
static void test_many_active(void)
{
	u32 iars[MANY];

	group_begin("spi-many-active");
	irq_disable();
	gic_set_eoi_mode(true);
	for (u32 i = 0; i < MANY; i++) {
		prepare(FIRST + i);
		gic_set_pending(FIRST + i);
	}
	for (u32 i = 0; i < MANY; i++) {
		iars[i] = gic_ack();
		group_eq((iars[i] & GIC_INTID) < GIC_SPECIAL, true, "acknowledge %u", i);
		gic_eoi(iars[i]);
	}
	group_eq(gic_ack() & GIC_INTID, INTID_NONE, "no more");
	for (u32 i = 0; i < MANY; i++)
		group_eq(gic_is_active(FIRST + i), true, "INTID %u is active", FIRST + i);
	for (u32 i = MANY; i-- > 0;)
		gic_deactivate(iars[i]);
	for (u32 i = 0; i < MANY; i++)
		group_eq(gic_is_active(FIRST + i), false, "INTID %u is no longer", FIRST + i);
	gic_set_eoi_mode(false);
	for (u32 i = 0; i < MANY; i++) {
		gic_set_pending(FIRST + i);
		group_eq(gic_ack() & GIC_INTID, FIRST + i, "INTID %u lives on", FIRST + i);
		gic_eoi(FIRST + i);
		gic_disable(FIRST + i);
	}
	irq_enable();
	group_end();
}

static void pend_many(u64 round)
{
	for (u32 i = 0; i < MANY; i++)
		gic_set_pending(FIRST + (i + (u32)round) % MANY);
}

/*
 * All CPUs make the same interrupts pending while CPU 0 takes them: never more than were asked
 * for.
 */
static void test_pend_from_all(void)
{
	group_begin("spi-pended-by-all");
	irq_reset();
	for (u32 i = 0; i < MANY; i++)
		prepare(FIRST + i);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		smp_post(cpu, pend_many, cpu);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		group_eq(smp_wait(cpu, 5 * ARRIVE_US), true, "CPU %u", cpu);
	timer_delay(SETTLE_US);
	for (u32 i = 0; i < MANY; i++) {
		u32 n = irq_count(0, FIRST + i);

		group_eq(n >= 1 && n <= cpus - 1, true, "INTID %u taken %u times", FIRST + i, n);
		group_eq(gic_is_pending(FIRST + i), false, "INTID %u not left pending", FIRST + i);
		gic_disable(FIRST + i);
	}
	group_end();
}

void test_main(void)
{
	cpus = smp_start_all();
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		smp_call(cpu, open_irqs, 0);
	test_basic();
	test_states();
	test_level();
	test_routing();
	if (cpus > 1)
		test_reroute();
	test_any_cpu();
	test_many();
	test_many_active();
	if (cpus > 1)
		test_pend_from_all();
}
