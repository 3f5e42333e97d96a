/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One face for GICv2 and GICv3. Everything is used as one group: group 0 on GICv2 (it signals
 * IRQ), group 1 on GICv3. SGIs and PPIs are those of the calling CPU.
 */
#ifndef GUEST_GIC_H
#define GUEST_GIC_H

#include "bits.h"

#define GIC_INTID    BITS(9, 0)
#define GIC_SPECIAL  1020u
#define GIC_SOURCE   BITS(12, 10) /* GICv2 IAR: the CPU that sent the SGI */
#define GIC_PRIORITY 0xa0         /* what gic_init gives every interrupt */

/*
 * Offsets in the distributor, and for SGIs and PPIs of a GICv3 in the redistributor's SGI frame.
 */
#define GICD_CTLR       0x000
#define GICD_TYPER      0x004
#define GICD_IIDR       0x008
#define GICD_TYPER2     0x00c
#define GICD_STATUSR    0x010
#define GICD_SETSPI_NSR 0x040
#define GICD_CLRSPI_NSR 0x048
#define GICD_IGROUPR    0x080
#define GICD_ISENABLER  0x100
#define GICD_ICENABLER  0x180
#define GICD_ISPENDR    0x200
#define GICD_ICPENDR    0x280
#define GICD_ISACTIVER  0x300
#define GICD_ICACTIVER  0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR  0x800
#define GICD_ICFGR      0xc00
#define GICD_IGRPMODR   0xd00
#define GICD_NSACR      0xe00
#define GICD_SGIR       0xf00
#define GICD_CPENDSGIR  0xf10
#define GICD_SPENDSGIR  0xf20
#define GICD_IROUTER    0x6000
#define GICD2_ICPIDR2   0xfe8
#define GICD3_PIDR2     0xffe8

#define GICC_CTLR  0x000
#define GICC_PMR   0x004
#define GICC_BPR   0x008
#define GICC_IAR   0x00c
#define GICC_EOIR  0x010
#define GICC_RPR   0x014
#define GICC_HPPIR 0x018
#define GICC_ABPR  0x01c
#define GICC_AIAR  0x020
#define GICC_APR0  0x0d0
#define GICC_IIDR  0x0fc
#define GICC_DIR   0x1000

#define GICR_CTLR       0x0000
#define GICR_IIDR       0x0004
#define GICR_TYPER      0x0008
#define GICR_STATUSR    0x0010
#define GICR_WAKER      0x0014
#define GICR_PIDR2      0xffe8
#define GICR_SGI_FRAME  0x10000
#define GICR_STRIDE     0x20000
#define GICR_TYPER_LAST BIT(4)
#define GICR_TYPER_VLPI BIT(1)

#define GICD_CTLR_GRP0 BIT(0)
#define GICD_CTLR_GRP1 BIT(1)
#define GICD_CTLR_ARE  BIT(4)
#define GICD_CTLR_DS   BIT(6)
#define GICD_CTLR_RWP  BIT(31)
#define TYPER_LINES    BITS(4, 0)
#define TYPER_CPUS     BITS(7, 5)
#define TYPER_SECURITY BIT(10)
#define TYPER_LPIS     BIT(17)
#define TYPER_NO1N     BIT(25)

#define ICC_PMR_EL1     SREG(3, 0, 4, 6, 0)
#define ICC_IAR0_EL1    SREG(3, 0, 12, 8, 0)
#define ICC_EOIR0_EL1   SREG(3, 0, 12, 8, 1)
#define ICC_HPPIR0_EL1  SREG(3, 0, 12, 8, 2)
#define ICC_BPR0_EL1    SREG(3, 0, 12, 8, 3)
#define ICC_AP0R0_EL1   SREG(3, 0, 12, 8, 4)
#define ICC_AP1R0_EL1   SREG(3, 0, 12, 9, 0)
#define ICC_DIR_EL1     SREG(3, 0, 12, 11, 1)
#define ICC_RPR_EL1     SREG(3, 0, 12, 11, 3)
#define ICC_SGI1R_EL1   SREG(3, 0, 12, 11, 5)
#define ICC_ASGI1R_EL1  SREG(3, 0, 12, 11, 6)
#define ICC_SGI0R_EL1   SREG(3, 0, 12, 11, 7)
#define ICC_IAR1_EL1    SREG(3, 0, 12, 12, 0)
#define ICC_EOIR1_EL1   SREG(3, 0, 12, 12, 1)
#define ICC_HPPIR1_EL1  SREG(3, 0, 12, 12, 2)
#define ICC_BPR1_EL1    SREG(3, 0, 12, 12, 3)
#define ICC_CTLR_EL1    SREG(3, 0, 12, 12, 4)
#define ICC_SRE_EL1     SREG(3, 0, 12, 12, 5)
#define ICC_IGRPEN0_EL1 SREG(3, 0, 12, 12, 6)
#define ICC_IGRPEN1_EL1 SREG(3, 0, 12, 12, 7)
#define ICC_SRE_SRE     BIT(0)
#define ICC_CTLR_CBPR   BIT(0)
#define ICC_CTLR_EOI    BIT(1)
#define ICC_CTLR_PRI    BITS(10, 8)
#define GICC_CTLR_EN0   BIT(0)
#define GICC_CTLR_EN1   BIT(1)
#define GICC_CTLR_EOI   BIT(9)

/*
 * Distributor and this CPU: all interrupts disabled, not pending, priority GIC_PRIORITY, SPIs to
 * CPU 0, mask open.
 */
void gic_init(void);
void gic_init_cpu(void);
u32 gic_intid_count(void);
/* Base of cpu's redistributor (GICv3). */
u64 gic_redist(unsigned cpu);
/* Base address of the registers that hold intid on this CPU. */
u64 gic_base(u32 intid);

/*
 * Register pairs and fields by interrupt. `set_register` and so on are GICD_ISENABLER,
 * GICD_ICPENDR, ...
 */
void gic_set_bit(u32 intid, u32 set_register);
bool gic_get_bit(u32 intid, u32 any_register);
static inline void gic_enable(u32 intid)
{
	gic_set_bit(intid, GICD_ISENABLER);
}
static inline void gic_disable(u32 intid)
{
	gic_set_bit(intid, GICD_ICENABLER);
}
static inline void gic_set_pending(u32 intid)
{
	gic_set_bit(intid, GICD_ISPENDR);
}
static inline void gic_clear_pending(u32 intid)
{
	gic_set_bit(intid, GICD_ICPENDR);
}
static inline bool gic_is_pending(u32 intid)
{
	return gic_get_bit(intid, GICD_ISPENDR);
}
static inline void gic_set_active(u32 intid)
{
	gic_set_bit(intid, GICD_ISACTIVER);
}
static inline void gic_clear_active(u32 intid)
{
	gic_set_bit(intid, GICD_ICACTIVER);
}
static inline bool gic_is_active(u32 intid)
{
	return gic_get_bit(intid, GICD_ISACTIVER);
}
void gic_set_priority(u32 intid, u8 priority);
u8 gic_get_priority(u32 intid);
void gic_set_edge(u32 intid, bool edge);
/* SPI to one CPU. */
void gic_route(u32 intid, unsigned cpu);
/* SGI to the CPUs in mask, which must share Aff3-1 on GICv3 if there is more than one. */
void gic_send_sgi(u32 intid, u32 cpu_mask);
void gic_send_sgi_others(u32 intid);
/* An SGI that is pending on this CPU, whoever sent it, is not any more. */
void gic_withdraw_sgi(u32 intid);

/* CPU interface. */
u32 gic_ack(void);
void gic_eoi(u32 iar);
void gic_deactivate(u32 iar);
void gic_set_mask(u8 priority);
u8 gic_get_mask(void);
u8 gic_running(void);
u32 gic_highest_pending(void);
void gic_set_binary_point(u8 value);
u8 gic_get_binary_point(void);
void gic_set_eoi_mode(bool split);
/* The registers' effect on this CPU is complete. */
void gic_sync(void);

#endif
