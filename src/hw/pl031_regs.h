// SPDX-License-Identifier: Apache-2.0
// Registers of the PL031 real time clock.
// Source: Arm PrimeCell Real Time Clock (PL031) Technical Reference Manual, "Programmer's Model".
#ifndef HW_PL031_REGS_H
#define HW_PL031_REGS_H

#include "base/bits.h"

// Offsets in bytes.
enum pl031_reg {
	PL031_DR = 0x000, // seconds
	PL031_MR = 0x004, // the alarm
	PL031_LR = 0x008, // sets the seconds
	PL031_CR = 0x00c,
	PL031_IMSC = 0x010,
	PL031_RIS = 0x014,
	PL031_MIS = 0x018,
	PL031_ICR = 0x01c,
	PL031_PERIPH_ID0 = 0xfe0, // four registers of 8 bits, then four of PCELL_ID
};

#define PL031_CR_START BIT_U32(0)
#define PL031_INT      BIT_U32(0)

#endif
