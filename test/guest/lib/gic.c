// SPDX-License-Identifier: Apache-2.0
/*
 * Driver for GICv2 and GICv3, chosen by platform.gic_version. SPI registers belong to CPU 0 after
 * gic_init(); banked ones to each CPU.
 * Source: Arm Generic Interrupt Controller Architecture Specification, GICv2: "Programmers'
 * Model"; GICv3 and GICv4: "Programmers' Model".
 */
#include "gic.h"

#include "io.h"
#include "irq.h"
#include "smp.h"
#include "sysreg.h"
#include "timer.h"

#define WAKER_SLEEP    BIT(1)
#define WAKER_CHILDREN BIT(2)
#define SGIS           16u
#define RWP_US         100000ul
#define SGI1R_ID       BITS(27, 24)
#define SGI1R_IRM      BIT(40)
#define SGI1R_AFF1     BITS(23, 16)
#define SGI1R_AFF2     BITS(39, 32)
#define SGI1R_AFF3     BITS(55, 48)
#define SGI1R_RANGE    BITS(47, 44)
#define SGIR_FILTER    BITS(25, 24)
#define SGIR_TARGETS   BITS(23, 16)
#define AFF0           BITS(7, 0)
#define AFF1           BITS(15, 8)
#define AFF2           BITS(23, 16)
#define AFF3           BITS(39, 32)
#define ALL            0xffffffffu

static bool v3(void)
{
	return platform.gic_version == 3;
}

u32 gic_intid_count(void)
{
	return 32 * ((u32)FIELD_GET(TYPER_LINES, read32(platform.gicd + GICD_TYPER)) + 1);
}

u64 gic_redist(unsigned cpu)
{
	u64 affinity = platform.mpidr[cpu];
	u64 wanted = (affinity & BITS(23, 0)) | FIELD(BITS(31, 24), FIELD_GET(AFF3, affinity));
	u64 at = platform.gicr;

	for (;;) {
		u64 typer = read64(at + GICR_TYPER);

		if (typer >> 32 == wanted)
			return at;
		if ((typer & GICR_TYPER_LAST) != 0)
			return platform.gicr;
		at += (typer & GICR_TYPER_VLPI) != 0 ? 2 * GICR_STRIDE : GICR_STRIDE;
	}
}

u64 gic_base(u32 intid)
{
	return v3() && intid < INTID_SPI ? gic_redist(smp_cpu()) + GICR_SGI_FRAME : platform.gicd;
}

void gic_sync(void)
{
	if (v3())
		WAIT_FOR((read32(platform.gicd + GICD_CTLR) & GICD_CTLR_RWP) == 0, RWP_US);
	dsb(sy);
	isb();
}

void gic_set_bit(u32 intid, u32 set_register)
{
	write32(gic_base(intid) + set_register + intid / 32 * 4, (u32)BIT(intid % 32));
}

bool gic_get_bit(u32 intid, u32 any_register)
{
	return (read32(gic_base(intid) + any_register + intid / 32 * 4) & BIT(intid % 32)) != 0;
}

void gic_set_priority(u32 intid, u8 priority)
{
	write8(gic_base(intid) + GICD_IPRIORITYR + intid, priority);
}

u8 gic_get_priority(u32 intid)
{
	return read8(gic_base(intid) + GICD_IPRIORITYR + intid);
}

void gic_set_edge(u32 intid, bool edge)
{
	u64 reg = gic_base(intid) + GICD_ICFGR + intid / 16 * 4;
	u32 bit = (u32)(2 * BIT(intid % 16 * 2));
	u32 old = read32(reg);

	write32(reg, edge ? old | bit : old & ~bit);
}

void gic_route(u32 intid, unsigned cpu)
{
	if (v3())
		write64(platform.gicd + GICD_IROUTER + 8ul * intid, platform.mpidr[cpu]);
	else
		write8(platform.gicd + GICD_ITARGETSR + intid, (u8)BIT(cpu));
}

static void send_sgi_v3(u32 intid, unsigned cpu)
{
	u64 mpidr = platform.mpidr[cpu];
	u64 aff0 = FIELD_GET(AFF0, mpidr);
	u64 v = FIELD(SGI1R_ID, intid) | FIELD(SGI1R_AFF1, FIELD_GET(AFF1, mpidr)) |
	        FIELD(SGI1R_AFF2, FIELD_GET(AFF2, mpidr)) |
	        FIELD(SGI1R_AFF3, FIELD_GET(AFF3, mpidr)) | FIELD(SGI1R_RANGE, aff0 / 16) |
	        BIT(aff0 % 16);

	dsb(ishst);
	write_sysreg(ICC_SGI1R_EL1, v);
	isb();
}

void gic_send_sgi(u32 intid, u32 cpu_mask)
{
	if (!v3()) {
		dsb(ishst);
		write32(platform.gicd + GICD_SGIR, (u32)(FIELD(SGIR_TARGETS, cpu_mask) | intid));
		return;
	}
	for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++) {
		if ((cpu_mask & BIT(cpu)) != 0)
			send_sgi_v3(intid, cpu);
	}
}

void gic_send_sgi_others(u32 intid)
{
	dsb(ishst);
	if (v3()) {
		write_sysreg(ICC_SGI1R_EL1, FIELD(SGI1R_ID, intid) | SGI1R_IRM);
		isb();
	} else {
		write32(platform.gicd + GICD_SGIR, (u32)(FIELD(SGIR_FILTER, 1) | intid));
	}
}

void gic_withdraw_sgi(u32 intid)
{
	if (v3())
		gic_clear_pending(intid);
	else
		write8(platform.gicd + GICD_CPENDSGIR + intid, ALL & 0xff);
}

u32 gic_ack(void)
{
	u32 iar;

	if (!v3())
		return read32(platform.gicc + GICC_IAR);
	iar = (u32)read_sysreg(ICC_IAR1_EL1);
	dsb(sy);
	return iar;
}

void gic_eoi(u32 iar)
{
	if (v3()) {
		write_sysreg(ICC_EOIR1_EL1, iar);
		isb();
	} else {
		write32(platform.gicc + GICC_EOIR, iar);
	}
}

void gic_deactivate(u32 iar)
{
	if (v3()) {
		write_sysreg(ICC_DIR_EL1, iar);
		isb();
	} else {
		write32(platform.gicc + GICC_DIR, iar);
	}
}

void gic_set_mask(u8 priority)
{
	if (v3())
		write_sysreg(ICC_PMR_EL1, priority);
	else
		write32(platform.gicc + GICC_PMR, priority);
	gic_sync();
}

u8 gic_get_mask(void)
{
	return (u8)(v3() ? read_sysreg(ICC_PMR_EL1) : read32(platform.gicc + GICC_PMR));
}

u8 gic_running(void)
{
	return (u8)(v3() ? read_sysreg(ICC_RPR_EL1) : read32(platform.gicc + GICC_RPR));
}

u32 gic_highest_pending(void)
{
	return v3() ? (u32)read_sysreg(ICC_HPPIR1_EL1) : read32(platform.gicc + GICC_HPPIR);
}

void gic_set_binary_point(u8 value)
{
	if (v3())
		write_sysreg(ICC_BPR1_EL1, value);
	else
		write32(platform.gicc + GICC_BPR, value);
	gic_sync();
}

u8 gic_get_binary_point(void)
{
	return (u8)(v3() ? read_sysreg(ICC_BPR1_EL1) : read32(platform.gicc + GICC_BPR));
}

void gic_set_eoi_mode(bool split)
{
	if (v3()) {
		u64 ctlr = read_sysreg(ICC_CTLR_EL1);

		write_sysreg(ICC_CTLR_EL1, split ? ctlr | ICC_CTLR_EOI : ctlr & ~ICC_CTLR_EOI);
	} else {
		u32 ctlr = read32(platform.gicc + GICC_CTLR);

		write32(platform.gicc + GICC_CTLR,
		        (u32)(split ? ctlr | GICC_CTLR_EOI : ctlr & ~GICC_CTLR_EOI));
	}
	gic_sync();
}

/* The 32 interrupts from `first` on: disabled, idle, one priority, and group 1 on GICv3. */
static void quiet_block(u32 first)
{
	u64 base = gic_base(first);

	if (v3())
		write32(base + GICD_IGROUPR + first / 8, ALL);
	write32(base + GICD_ICENABLER + first / 8, ALL);
	write32(base + GICD_ICPENDR + first / 8, ALL);
	write32(base + GICD_ICACTIVER + first / 8, ALL);
	for (u32 i = first; i < first + 32; i++)
		gic_set_priority(i, GIC_PRIORITY);
}

void gic_init_cpu(void)
{
	if (v3()) {
		u64 redist = gic_redist(smp_cpu());

		write32(redist + GICR_WAKER, (u32)(read32(redist + GICR_WAKER) & ~WAKER_SLEEP));
		WAIT_FOR((read32(redist + GICR_WAKER) & WAKER_CHILDREN) == 0, RWP_US);
		write_sysreg(ICC_SRE_EL1, ICC_SRE_SRE);
		isb();
	}
	quiet_block(0);
	/* Xen's distributor aborts there. Nobody has sent one yet. */
	for (u32 id = 0; !v3() && !platform.xen && id < SGIS; id += 4)
		write32(platform.gicd + GICD_CPENDSGIR + id, ALL);
	gic_set_mask(ALL & 0xff);
	gic_set_binary_point(0);
	if (v3())
		write_sysreg(ICC_IGRPEN1_EL1, 1);
	else
		write32(platform.gicc + GICC_CTLR, GICC_CTLR_EN0);
	gic_sync();
}

void gic_init(void)
{
	u32 intids = gic_intid_count();

	write32(platform.gicd + GICD_CTLR, v3() ? (u32)GICD_CTLR_ARE : 0);
	gic_sync();
	for (u32 first = INTID_SPI; first < intids; first += 32)
		quiet_block(first);
	for (u32 intid = INTID_SPI; intid < intids && intid < GIC_SPECIAL; intid++)
		gic_route(intid, 0);
	write32(platform.gicd + GICD_CTLR,
	        (u32)(v3() ? GICD_CTLR_ARE | GICD_CTLR_GRP0 | GICD_CTLR_GRP1 : GICD_CTLR_GRP0));
	gic_init_cpu();
}
