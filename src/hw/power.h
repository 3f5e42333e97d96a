// SPDX-License-Identifier: Apache-2.0
// Switching the board off and resetting it: by the firmware's PSCI, else by a Raspberry Pi's watchdog.
#ifndef HW_POWER_H
#define HW_POWER_H

#include "base/types.h"

struct board;

// Learns what the board has, after psci_client_init. `watchdog`: where the BCM2835's power management is
// mapped; 0: there is none. Once, on the boot CPU.
void power_init(uintptr_t watchdog);

// Whether there is any way to do the two below.
bool power_exists(void);

// Switch the board off, or start it again. They return, after some milliseconds, only if nothing of the
// board can do it. Any CPU, any time.
void power_off(void);
void power_reset(void);

#endif
