// SPDX-License-Identifier: Apache-2.0
/*
 * Interrupt groups: group 0 comes as FIQ and group 1 as IRQ, each is acknowledged through its own
 * register and invisible in the other's, each has its enable in the distributor and at the CPU,
 * and an SGI is sent to one group.
 * Source: GICv2 Architecture Specification, "Interrupt grouping"; GICv3, "Interrupt grouping".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define G0         110u
#define G1         111u
#define SGI0       2u
#define SGI1       3u
#define P_HIGH     0x40
#define P_LOW      0x80
#define ARRIVE_US  1000000ul
#define SETTLE_US  2000ul
#define ACK_CTL    BIT(2) /* GICC_CTLR: IAR acknowledges group 1 too */
#define FIQ_EN     BIT(3) /* GICC_CTLR: group 0 signals FIQ */
#define INTID_GRP1 1022u  /* GICv2 IAR: the highest pending is in group 1 */

static volatile u32 fiqs, irqs, fiq_intid, irq_intid;

static bool v3(void)
{
	return platform.gic_version == 3;
}

static u32 ack0(void)
{
	return v3() ? (u32)read_sysreg(ICC_IAR0_EL1) : read32(platform.gicc + GICC_IAR);
}

/* GICv2: with AckCtl the one register serves both; QEMU's has no aliased ones. */
static u32 ack1(void)
{
	return v3() ? (u32)read_sysreg(ICC_IAR1_EL1) : read32(platform.gicc + GICC_IAR);
}

static void end0(u32 iar)
{
	if (v3())
		write_sysreg(ICC_EOIR0_EL1, iar);
	else
		write32(platform.gicc + GICC_EOIR, iar);
	isb();
}

static void end1(u32 iar)
{
	if (v3())
		write_sysreg(ICC_EOIR1_EL1, iar);
	else
		write32(platform.gicc + GICC_EOIR, iar);
	isb();
}

static bool hook(struct exc_frame *frame, unsigned vector)
{
	u32 iar;

	(void)frame;
	if ((vector & VEC_KIND) == VEC_FIQ) {
		iar = ack0();
		fiqs++;
		fiq_intid = iar & (u32)GIC_INTID;
		if (fiq_intid < GIC_SPECIAL)
			end0(iar);
		return true;
	}
	if ((vector & VEC_KIND) == VEC_IRQ) {
		iar = ack1();
		irqs++;
		irq_intid = iar & (u32)GIC_INTID;
		if (irq_intid < GIC_SPECIAL)
			end1(iar);
		return true;
	}
	return false;
}

static void set_group(u32 intid, bool one)
{
	u64 reg = gic_base(intid) + GICD_IGROUPR + intid / 32 * 4;
	u32 old = read32(reg);

	write32(reg, (u32)(one ? old | BIT(intid % 32) : old & ~BIT(intid % 32)));
}

static void enable_groups(bool zero, bool one)
{
	if (v3()) {
		write_sysreg(ICC_IGRPEN0_EL1, zero);
		write_sysreg(ICC_IGRPEN1_EL1, one);
		isb();
	} else {
		write32(platform.gicc + GICC_CTLR,
		        (u32)(FIQ_EN | ACK_CTL | (zero ? GICC_CTLR_EN0 : 0) |
		              (one ? GICC_CTLR_EN1 : 0)));
	}
}

static void setup(u32 intid, bool one, u8 priority)
{
	gic_set_priority(intid, priority);
	set_group(intid, one);
	if (intid >= INTID_SPI) {
		gic_set_edge(intid, true);
		gic_route(intid, 0);
	}
	gic_enable(intid);
}

static void unmask(void)
{
	__asm__ volatile("msr daifclr, #3" ::: "memory");
}

static void mask(void)
{
	__asm__ volatile("msr daifset, #3" ::: "memory");
}

static void test_signals(void)
{
	fiqs = 0;
	irqs = 0;
	unmask();
	group_begin("groups-signals");
	gic_set_pending(G0);
	group_eq(WAIT_FOR(fiqs == 1, ARRIVE_US), true, "group 0 comes as FIQ");
	group_eq(fiq_intid, G0, "its INTID");
	group_eq(irqs, 0, "and not as IRQ");
	gic_set_pending(G1);
	group_eq(WAIT_FOR(irqs == 1, ARRIVE_US), true, "group 1 comes as IRQ");
	group_eq(irq_intid, G1, "its INTID");
	timer_delay(SETTLE_US);
	group_eq(fiqs, 1, "and not as FIQ");
	group_end();
	mask();
}

static void test_registers_v3(void)
{
	group_begin("groups-registers");
	gic_set_pending(G0);
	group_eq(read_sysreg(ICC_IAR1_EL1), INTID_NONE, "group 0 is not acknowledged as group 1");
	group_eq(read_sysreg(ICC_HPPIR1_EL1), INTID_NONE, "nor shown there");
	group_eq(read_sysreg(ICC_HPPIR0_EL1), G0, "but shown as group 0");
	group_eq(ack0(), G0, "and acknowledged");
	end0(G0);
	gic_set_pending(G1);
	group_eq(read_sysreg(ICC_IAR0_EL1), INTID_NONE, "group 1 is not acknowledged as group 0");
	group_eq(read_sysreg(ICC_HPPIR1_EL1), G1, "but shown as group 1");
	group_eq(ack1(), G1, "and acknowledged");
	end1(G1);
	group_eq(gic_is_active(G0) || gic_is_active(G1), false, "both ended");
	group_end();
}

/* Without AckCtl the register says that there is something, but not what. */
static void test_registers_v2(void)
{
	u64 ctlr = platform.gicc + GICC_CTLR;

	group_begin("groups-registers");
	write32(ctlr, (u32)(FIQ_EN | GICC_CTLR_EN0 | GICC_CTLR_EN1));
	gic_set_pending(G1);
	group_eq(ack0() & GIC_INTID, INTID_GRP1, "group 1 without AckCtl");
	group_eq(gic_is_pending(G1), true, "is not acknowledged");
	enable_groups(true, true);
	group_eq(ack1() & GIC_INTID, G1, "with AckCtl it is");
	end1(G1);
	gic_set_pending(G0);
	group_eq(ack0() & GIC_INTID, G0, "group 0");
	end0(G0);
	group_eq(gic_is_active(G0) || gic_is_active(G1), false, "both ended");
	group_end();
}

/* Group 0 is more urgent: a priority of its own, and it preempts. */
static void test_preemption(void)
{
	group_begin("groups-preemption");
	gic_set_pending(G1);
	group_eq(ack1() & GIC_INTID, G1, "group 1 runs");
	gic_set_pending(G0);
	group_eq(ack0() & GIC_INTID, G0, "group 0 of higher priority preempts it");
	group_eq(gic_running(), P_HIGH, "running priority");
	end0(G0);
	group_eq(gic_running(), P_LOW, "back to group 1");
	end1(G1);
	group_eq(gic_running(), 0xff, "idle");
	group_end();
}

static void test_enables(void)
{
	bool gone_on;

	group_begin("groups-enables");
	enable_groups(false, true);
	gic_set_pending(G0);
	fiqs = 0;
	irqs = 0;
	unmask();
	timer_delay(SETTLE_US);
	group_eq(fiqs, 0, "group 0 off at the CPU");
	gic_set_pending(G1);
	gone_on = WAIT_FOR(irqs == 1, SETTLE_US);
	enable_groups(true, true);
	group_eq(WAIT_FOR(fiqs == 1, ARRIVE_US), true, "group 0 on again");

	WAIT_FOR(irqs == 1, ARRIVE_US);
	u32 ctlr = read32(platform.gicd + GICD_CTLR), before = irqs;
	write32(platform.gicd + GICD_CTLR, (u32)(ctlr & ~GICD_CTLR_GRP1));
	gic_sync();
	gic_set_pending(G1);
	timer_delay(SETTLE_US);
	group_eq(irqs, before, "group 1 off in the distributor");
	write32(platform.gicd + GICD_CTLR, ctlr);
	gic_sync();
	group_eq(WAIT_FOR(irqs == before + 1, ARRIVE_US), true, "group 1 on again");
	mask();
	group_end();
	/* QEMU looks only at the most urgent one, be its group enabled or not; so does its GICV. */
	if (v3())
		check_strict(gone_on, true, "groups-disabled-one-hides-nothing");
	else
		print("# a disabled group %s the other\n", gone_on ? "does not hide" : "hides");
}

static void send0(u32 intid)
{
	if (v3()) {
		write_sysreg(ICC_SGI0R_EL1, (u64)intid << 24 | 1);
		isb();
	} else {
		gic_send_sgi(intid, BIT(0));
	}
}

static void test_sgis(void)
{
	setup(SGI0, false, P_HIGH);
	setup(SGI1, true, P_LOW);
	group_begin("groups-sgi");
	fiqs = 0;
	irqs = 0;
	unmask();
	send0(SGI0);
	group_eq(WAIT_FOR(fiqs == 1, ARRIVE_US), true, "SGI of group 0");
	group_eq(fiq_intid, SGI0, "its INTID");
	gic_send_sgi(SGI1, BIT(0));
	group_eq(WAIT_FOR(irqs == 1, ARRIVE_US), true, "SGI of group 1");
	group_eq(irq_intid, SGI1, "its INTID");
	if (v3()) {
		/* Sent for the other group it is not generated. */
		send0(SGI1);
		timer_delay(SETTLE_US);
		group_eq(fiqs + irqs, 2, "for the wrong group");
	}
	mask();
	group_end();
}

void test_main(void)
{
	set_group(G0, false);
	if (v3() && ((read32(platform.gicd + GICD_CTLR) & GICD_CTLR_DS) == 0 ||
	             gic_get_bit(G0, GICD_IGROUPR))) {
		test_skip("this controller shows one group", "groups");
		check_true(true, "groups-one");
		return;
	}
	if (!v3())
		write32(platform.gicd + GICD_CTLR, (u32)(GICD_CTLR_GRP0 | GICD_CTLR_GRP1));
	exc_set_hook(hook);
	setup(G0, false, P_HIGH);
	setup(G1, true, P_LOW);
	enable_groups(true, true);
	test_signals();
	if (v3())
		test_registers_v3();
	else
		test_registers_v2();
	test_preemption();
	test_enables();
	test_sgis();
	exc_set_hook(NULL);
}
