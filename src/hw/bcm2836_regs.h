// SPDX-License-Identifier: Apache-2.0
// Registers and bits of the two interrupt controllers of a Raspberry Pi 3: the BCM2836's local one, with
// something for each core, and the BCM2835's, which gathers the peripherals.
// Source: Broadcom "ARM Quad A7 core" (QA7 rev 3.4), "Registers"; BCM2835 ARM Peripherals, "Interrupts".
#ifndef HW_BCM2836_REGS_H
#define HW_BCM2836_REGS_H

#include "base/bits.h"

// Offsets in bytes. Where a register exists for each core: that of core 0; BCM2836_CORE to the next.
enum bcm2836_reg {
	BCM2836_CONTROL = 0x00,
	BCM2836_PRESCALER = 0x08,
	BCM2836_GPU_ROUTING = 0x0c,
	BCM2836_PMU_ROUTING_SET = 0x10,
	BCM2836_PMU_ROUTING_CLEAR = 0x14,
	BCM2836_LOCAL_ROUTING = 0x24,
	BCM2836_AXI_IRQ = 0x30,
	BCM2836_LOCAL_TIMER = 0x34,
	BCM2836_LOCAL_TIMER_RELOAD = 0x38,
	BCM2836_TIMER_IRQ = 0x40,   // 4 for each core
	BCM2836_MAILBOX_IRQ = 0x50, // 4 for each core
	BCM2836_IRQ_SOURCE = 0x60,  // 4 for each core
	BCM2836_FIQ_SOURCE = 0x70,  // 4 for each core
	BCM2836_MAILBOX_SET = 0x80, // 16 for each core: its mailboxes 0 to 3
	BCM2836_MAILBOX_CLEAR = 0xc0,
};

#define BCM2836_NR_CORES     4
#define BCM2836_CORE         4
#define BCM2836_CORE_MAILBOX 16

// CONTROL: 0: the counter runs from the crystal and counts by one. PRESCALER: its rate is crystal *
// prescaler / 2^31.
#define BCM2836_PRESCALER_ONE BIT_U32(31)

// GPU_ROUTING: which core.
#define BCM2836_GPU_IRQ GENMASK_U32(1, 0)
#define BCM2836_GPU_FIQ GENMASK_U32(3, 2)

// TIMER_IRQ and the lowest bits of IRQ_SOURCE; TIMER_IRQ has the same for FIQ from bit 4 on.
#define BCM2836_CNTPS  BIT_U32(0)
#define BCM2836_CNTP   BIT_U32(1)
#define BCM2836_CNTHP  BIT_U32(2)
#define BCM2836_CNTV   BIT_U32(3)
#define BCM2836_TIMERS GENMASK_U32(3, 0)

// IRQ_SOURCE and FIQ_SOURCE
#define BCM2836_MAILBOX0  BIT_U32(4)
#define BCM2836_MAILBOXES GENMASK_U32(7, 4)
#define BCM2836_GPU       BIT_U32(8)
#define BCM2836_PMU       BIT_U32(9)

// BCM2835. The peripherals' interrupts are 0 to 63 in banks 1 and 2; the ARM's own are the basic bank's
// lowest bits.
enum bcm2835_ic_reg {
	BCM2835_IC_PENDING_BASIC = 0x00,
	BCM2835_IC_PENDING_1 = 0x04,
	BCM2835_IC_PENDING_2 = 0x08,
	BCM2835_IC_FIQ = 0x0c,
	BCM2835_IC_ENABLE_1 = 0x10,
	BCM2835_IC_ENABLE_2 = 0x14,
	BCM2835_IC_ENABLE_BASIC = 0x18,
	BCM2835_IC_DISABLE_1 = 0x1c,
	BCM2835_IC_DISABLE_2 = 0x20,
	BCM2835_IC_DISABLE_BASIC = 0x24,
};

#define BCM2835_NR_IRQS  72 // 64 of the peripherals, then the ARM's own
#define BCM2835_NR_BANKS 3  // of 32, in that order
#define BCM2835_IC_BASIC GENMASK_U32(7, 0)
#define BCM2835_FIQ_OFF  0

#endif
