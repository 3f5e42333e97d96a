// SPDX-License-Identifier: Apache-2.0
// Registers and bits of the GIC's distributor, redistributors and GICv2 CPU interface.
// Source: Arm GIC Architecture Specification v2.0 (IHI 0048), "Programmers' Model", and v3/v4
// (IHI 0069), "Programmers' Model". Non-secure view.
#ifndef HW_GIC_REGS_H
#define HW_GIC_REGS_H

#include "base/bits.h"

// Distributor; the banks from IGROUPR to NSACR are also in a redistributor's SGI frame.
enum gicd_reg {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_IIDR = 0x0008,
	GICD_IGROUPR = 0x0080,
	GICD_ISENABLER = 0x0100,
	GICD_ICENABLER = 0x0180,
	GICD_ISPENDR = 0x0200,
	GICD_ICPENDR = 0x0280,
	GICD_ISACTIVER = 0x0300,
	GICD_ICACTIVER = 0x0380,
	GICD_IPRIORITYR = 0x0400, // a byte for each INTID
	GICD_ITARGETSR = 0x0800,  // a byte for each INTID
	GICD_ICFGR = 0x0c00,      // two bits for each INTID
	GICD_SGIR = 0x0f00,       // version 2
	GICD_CPENDSGIR = 0x0f10,  // version 2
	GICD_IROUTER = 0x6000,    // version 3: 8 bytes for each INTID
	GICD_PIDR2 = 0xffe8,
};

// Version 2: enables what the non-secure side owns (group 1), or group 0 where there is no other.
#define GICD_CTLR_V2_ENABLE BIT_U32(0)
// Version 3. Bits 1 and 4 have the same meaning with one security state and with two.
#define GICD_CTLR_GRP1      BIT_U32(1)
#define GICD_CTLR_ARE       BIT_U32(4)
#define GICD_CTLR_RWP       BIT_U32(31)

#define GICD_TYPER_LINES GENMASK_U32(4, 0) // INTIDs / 32 - 1
#define GICD_TYPER_RSS   BIT_U32(26)       // SGIs reach Aff0 above 15

#define GICD_SGIR_TARGETS GENMASK_U32(23, 16)
#define GICD_ICFGR_EDGE   2 // in the INTID's two bits

// Redistributor: the first frame; the second, with the banks of the private interrupts, follows.
enum gicr_reg {
	GICR_CTLR = 0x0000,
	GICR_TYPER = 0x0008, // 64 bits
	GICR_WAKER = 0x0014,
};

#define GICR_SGI_FRAME  0x10000
#define GICR_SIZE       0x20000 // both frames
#define GICR_SIZE_VLPIS 0x40000 // with the frames for virtual LPIs

#define GICR_CTLR_RWP       BIT_U32(3)
#define GICR_TYPER_VLPIS    BIT_U64(1)
#define GICR_TYPER_LAST     BIT_U64(4)
#define GICR_TYPER_AFFINITY GENMASK_U64(63, 32)
#define GICR_WAKER_SLEEP    BIT_U32(1)
#define GICR_WAKER_CHILDREN BIT_U32(2) // the CPU interface is quiet

// Version 2 CPU interface
enum gicc_reg {
	GICC_CTLR = 0x0000,
	GICC_PMR = 0x0004,
	GICC_BPR = 0x0008,
	GICC_IAR = 0x000c,
	GICC_EOIR = 0x0010,
	GICC_DIR = 0x1000,
};

#define GICC_CTLR_ENABLE  BIT_U32(0)
#define GICC_CTLR_EOIMODE BIT_U32(9)
#define GICC_IAR_INTID    GENMASK_U32(9, 0)

// CPU interface by system registers
#define ICC_AP1R0_EL1     S3_0_C12_C9_0
#define ICC_SRE_SRE       BIT_U64(0)
#define ICC_SRE_ALL       GENMASK_U64(3, 0) // SRE, no bypass of FIQ and IRQ, EL1 may use its own
#define ICC_CTLR_EOIMODE  BIT_U64(1)
#define ICC_CTLR_RSS      BIT_U64(18)
#define ICC_IGRPEN_ENABLE BIT_U64(0)
#define ICC_IAR_INTID     GENMASK_U64(23, 0)
#define ICC_SGI1R_TARGETS GENMASK_U64(15, 0)
#define ICC_SGI1R_AFF1    GENMASK_U64(23, 16)
#define ICC_SGI1R_INTID   GENMASK_U64(27, 24)
#define ICC_SGI1R_AFF2    GENMASK_U64(39, 32)
#define ICC_SGI1R_RS      GENMASK_U64(47, 44)
#define ICC_SGI1R_AFF3    GENMASK_U64(55, 48)

// One priority for everything, and a mask that lets it through.
#define GIC_PRIORITY      0xa0
#define GIC_PRIORITY_WORD 0xa0a0a0a0
#define GIC_PRIORITY_MASK 0xf0

#endif
