// SPDX-License-Identifier: Apache-2.0
// The board's PL031, read once at boot: the only thing Mezzo wants to know is what time it is.
#ifndef HW_RTC_PL031_H
#define HW_RTC_PL031_H

#include "base/types.h"

// Seconds since 1970 as the chip, mapped at `base`, counts them; 0: it stands still. Waits for nothing.
uint32_t rtc_pl031_read(uintptr_t base);

#endif
