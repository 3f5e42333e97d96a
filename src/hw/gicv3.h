// SPDX-License-Identifier: Apache-2.0
// The steps of hw/gicv3.c that every interrupt takes, where an indirect call would cost as much as they do.
#ifndef HW_GICV3_H
#define HW_GICV3_H

#include "arm/barrier.h"
#include "arm/sysreg.h"
#include "hw/gic_regs.h"
#include "hw/intc.h"

// See intc_acknowledge, intc_eoi, intc_deactivate. The first gives special INTIDs as they are.
static inline uint32_t gicv3_acknowledge(void)
{
	uint32_t intid = (uint32_t)(read_sysreg(ICC_IAR1_EL1) & ICC_IAR_INTID);
	dsb(sy); // the acknowledgement is done before anything that could acknowledge again
	return intid;
}

static inline void gicv3_eoi(uint32_t intid)
{
	write_sysreg(intid, ICC_EOIR1_EL1);
}

static inline void gicv3_deactivate(uint32_t intid)
{
	write_sysreg(intid, ICC_DIR_EL1);
}

#endif
