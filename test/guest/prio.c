// SPDX-License-Identifier: Apache-2.0
/*
 * Priorities at the CPU interface: mask, order, preemption with the binary point, running
 * priority, nesting, and both end-of-interrupt modes. Interrupts stay masked at the CPU; the test
 * acknowledges by hand, so that every step is its own.
 * Source: GICv2 Architecture Specification, "Interrupt prioritization"; GICv3, "Interrupt
 * prioritization".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define LOW     101u
#define MID     102u
#define HIGH    103u
#define P_HIGH  0x20
#define P_MID   0x60
#define P_LOW   0xa0
#define IDLE    0xff
#define NEST    4u
#define SETTLE  2000ul
#define ARRIVE  1000000ul
#define BPR_ALL 7

static void setup(u32 intid, u8 priority)
{
	gic_disable(intid);
	gic_clear_pending(intid);
	gic_clear_active(intid);
	gic_set_edge(intid, true);
	gic_route(intid, 0);
	gic_set_priority(intid, priority);
	gic_enable(intid);
}

static void setup_all(void)
{
	gic_set_mask(0xff);
	gic_set_binary_point(0);
	setup(LOW, P_LOW);
	setup(MID, P_MID);
	setup(HIGH, P_HIGH);
}

static u32 ack(void)
{
	return gic_ack() & (u32)GIC_INTID;
}

/* Priority bits that this machine has, from the mask register: 0xf8 means five. */
static u8 priority_bits(void)
{
	u8 bits;

	gic_set_mask(0xff);
	bits = gic_get_mask();
	return bits;
}

static void test_mask(u8 bits)
{
	group_begin("prio-mask");
	setup_all();
	group_eq(bits & 0xf0, 0xf0, "at least 16 priorities");
	gic_set_mask(P_MID);
	group_eq(gic_get_mask(), P_MID, "mask reads back");
	gic_set_pending(LOW);
	gic_set_pending(MID);
	group_eq(ack(), INTID_NONE, "a priority equal to the mask is masked");
	group_eq(gic_is_pending(MID), true, "and stays pending");
	gic_set_pending(HIGH);
	group_eq(ack(), HIGH, "a higher one is not");
	gic_eoi(HIGH);
	gic_set_mask(P_LOW);
	group_eq(ack(), MID, "mask lowered: next");
	gic_eoi(MID);
	group_eq(ack(), INTID_NONE, "the lowest still masked");
	gic_set_mask(0);
	gic_set_pending(HIGH);
	group_eq(ack(), INTID_NONE, "mask 0 masks all");
	gic_set_mask(0xff);
	group_eq(ack(), HIGH, "open again");
	gic_eoi(HIGH);
	group_eq(ack(), LOW, "the last");
	gic_eoi(LOW);
	group_end();
}

static void test_order(void)
{
	group_begin("prio-order");
	setup_all();
	gic_set_pending(LOW);
	gic_set_pending(HIGH);
	gic_set_pending(MID);
	group_eq(gic_highest_pending() & GIC_INTID, HIGH, "highest pending");
	group_eq(ack(), HIGH, "first");
	group_eq(gic_running(), P_HIGH, "running priority");
	group_eq(ack(), INTID_NONE, "lower ones do not preempt");
	gic_eoi(HIGH);
	group_eq(ack(), MID, "second");
	gic_eoi(MID);
	group_eq(ack(), LOW, "third");
	gic_eoi(LOW);
	group_eq(gic_running(), IDLE, "idle");

	/* Equal priorities: in any order, but one after the other. */
	gic_set_priority(HIGH, P_MID);
	gic_set_priority(LOW, P_MID);
	gic_set_pending(HIGH);
	gic_set_pending(MID);
	gic_set_pending(LOW);
	u32 seen = 0;
	for (u32 i = 0; i < 3; i++) {
		u32 intid = ack();

		group_eq(ack(), INTID_NONE, "one at a time");
		seen |= (u32)BIT(intid - LOW);
		gic_eoi(intid);
	}
	group_eq(seen, 7, "all of equal priority");

	/* A change of priority while pending counts. */
	gic_set_pending(LOW);
	gic_set_pending(MID);
	gic_set_priority(MID, P_HIGH);
	group_eq(ack(), MID, "raised while pending");
	gic_eoi(MID);
	group_eq(ack(), LOW, "the other");
	gic_eoi(LOW);
	group_end();
}

static void test_nesting(void)
{
	group_begin("prio-nesting");
	setup_all();
	gic_set_pending(LOW);
	group_eq(ack(), LOW, "low");
	group_eq(gic_running(), P_LOW, "running low");
	gic_set_pending(MID);
	group_eq(ack(), MID, "mid preempts low");
	group_eq(gic_running(), P_MID, "running mid");
	gic_set_pending(HIGH);
	group_eq(ack(), HIGH, "high preempts mid");
	group_eq(gic_running(), P_HIGH, "running high");
	group_eq(gic_is_active(LOW) && gic_is_active(MID) && gic_is_active(HIGH), true,
	         "all active");
	gic_eoi(HIGH);
	group_eq(gic_running(), P_MID, "back to mid");
	gic_set_pending(HIGH);
	group_eq(ack(), HIGH, "high preempts mid again");
	gic_eoi(HIGH);
	gic_eoi(MID);
	group_eq(gic_running(), P_LOW, "back to low");
	gic_eoi(LOW);
	group_eq(gic_running(), IDLE, "idle");
	group_end();
}

/*
 * Group priority: with binary point b (group 1 on GICv3: b bits, group 0 on GICv2: b + 1 bits)
 * ignored.
 */
static void test_binary_point(void)
{
	u8 minimum;

	group_begin("prio-binary-point");
	setup_all();
	gic_set_binary_point(0);
	minimum = gic_get_binary_point();
	group_eq(minimum <= 3, true, "smallest binary point %u", minimum);
	gic_set_binary_point(BPR_ALL);
	group_eq(gic_get_binary_point(), BPR_ALL, "largest binary point");

	/* Nothing preempts, order still by full priority. */
	gic_set_pending(LOW);
	group_eq(ack(), LOW, "low");
	gic_set_priority(HIGH, platform.gic_version == 3 ? P_LOW - 0x10 : P_HIGH);
	gic_set_pending(HIGH);
	group_eq(ack(), INTID_NONE, "no preemption within a group");
	gic_eoi(LOW);
	gic_set_priority(MID, P_LOW);
	gic_set_pending(MID);
	group_eq(ack(), HIGH, "but order by priority");
	gic_eoi(HIGH);
	group_eq(ack(), MID, "then the other");
	gic_eoi(MID);

	/* Split at bit 6: 0x20 and 0x60 differ there, 0x40 and 0x60 do not below it. */
	setup_all();
	gic_set_binary_point(platform.gic_version == 3 ? 6 : 5);
	gic_set_priority(MID, 0x70);
	gic_set_priority(HIGH, 0x40);
	gic_set_pending(MID);
	group_eq(ack(), MID, "0x70");
	gic_set_pending(HIGH);
	group_eq(ack(), INTID_NONE, "0x40 is in the same group");
	gic_set_priority(HIGH, 0x30);
	group_eq(ack(), HIGH, "0x30 preempts");
	gic_eoi(HIGH);
	gic_eoi(MID);
	gic_set_binary_point(0);
	group_end();
}

/* EOImode 1: priority drop and deactivation apart. */
static void test_split_end(void)
{
	group_begin("prio-eoimode-1");
	setup_all();
	gic_set_eoi_mode(true);
	gic_set_pending(LOW);
	group_eq(ack(), LOW, "low");
	gic_eoi(LOW);
	group_eq(gic_running(), IDLE, "priority dropped");
	group_eq(gic_is_active(LOW), true, "still active");
	gic_set_pending(LOW);
	group_eq(ack(), INTID_NONE, "not again while active");
	gic_set_pending(MID);
	group_eq(ack(), MID, "another one");
	gic_eoi(MID);
	gic_deactivate(LOW);
	group_eq(gic_is_active(LOW), false, "deactivated out of order");
	group_eq(gic_is_active(MID), true, "the other still active");
	group_eq(ack(), LOW, "now again");
	gic_eoi(LOW);
	gic_deactivate(LOW);
	gic_deactivate(MID);
	group_eq(gic_is_active(LOW) || gic_is_active(MID), false, "all done");
	gic_set_eoi_mode(false);
	group_end();

	group_begin("prio-eoimode-0");
	gic_set_pending(LOW);
	group_eq(ack(), LOW, "low");
	gic_eoi(LOW);
	group_eq(gic_is_active(LOW), false, "one write ends it");
	group_end();
}

static volatile u32 depth, deepest;
static const u8 nest_priority[NEST] = {0xc0, 0x90, 0x60, 0x30};

/* Handler that lets itself be preempted: each level raises the next. */
static void nest(u32 iar)
{
	u32 level = (iar & (u32)GIC_INTID) - LOW;

	depth++;
	if (depth > deepest)
		deepest = depth;
	irq_enable();
	if (level + 1 < NEST) {
		gic_set_pending(LOW + level + 1);
		WAIT_FOR(irq_count(0, LOW + level + 1) != 0, ARRIVE);
	}
	irq_disable();
	depth--;
}

static bool nest_hook(struct exc_frame *frame, unsigned vector)
{
	(void)frame;
	if ((vector & VEC_KIND) != VEC_IRQ)
		return false;
	/* Nesting needs ELR and SPSR kept, which the frame in memory does. */
	irq_dispatch();
	irq_disable();
	return true;
}

static void test_real_nesting(void)
{
	setup_all();
	for (u32 i = 0; i < NEST; i++) {
		setup(LOW + i, nest_priority[i]);
		irq_set_handler(LOW + i, nest);
	}
	irq_reset();
	exc_set_hook(nest_hook);
	irq_enable();
	gic_set_pending(LOW);
	WAIT_FOR(irq_count(0, LOW) != 0, ARRIVE);
	irq_disable();
	exc_set_hook(NULL);
	check_eq(deepest, NEST, "prio-nested-handlers");
	check_eq(irq_total(0), NEST, "prio-nested-each-once");
	check_eq(gic_running(), IDLE, "prio-nested-idle-again");
	for (u32 i = 0; i < NEST; i++)
		irq_set_handler(LOW + i, NULL);
}

/* SGIs and SPIs compete by priority as well. */
static void test_sgi_and_spi(void)
{
	group_begin("prio-sgi-and-spi");
	setup_all();
	gic_enable(3);
	gic_set_priority(3, P_MID);
	gic_send_sgi(3, BIT(0));
	WAIT_FOR(gic_is_pending(3), ARRIVE);
	gic_set_pending(LOW);
	gic_set_pending(HIGH);
	group_eq(ack(), HIGH, "SPI of higher priority");
	gic_eoi(HIGH);
	group_eq(ack(), 3, "SGI between");
	gic_eoi(3);
	group_eq(ack(), LOW, "SPI of lower priority");
	gic_eoi(LOW);
	group_end();
}

void test_main(void)
{
	u8 bits = priority_bits();

	irq_disable();
	print("# priority bits 0x%x\n", bits);
	test_mask(bits);
	test_order();
	test_nesting();
	test_binary_point();
	test_split_end();
	test_sgi_and_spi();
	test_real_nesting();
	timer_delay(SETTLE);
	check_eq(ack(), INTID_NONE, "prio-nothing-left");
}
