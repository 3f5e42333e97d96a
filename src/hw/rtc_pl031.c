// SPDX-License-Identifier: Apache-2.0
// Reads the board's PL031. Owns nothing; called once at boot.
// Source: Arm PrimeCell Real Time Clock (PL031) Technical Reference Manual, "Programmer's Model".
#include "hw/rtc_pl031.h"

#include "arm/io.h"
#include "hw/pl031_regs.h"

uint32_t rtc_pl031_read(uintptr_t base)
{
	if ((io_read32(base + PL031_CR) & PL031_CR_START) == 0)
		return 0;
	return io_read32(base + PL031_DR);
}
