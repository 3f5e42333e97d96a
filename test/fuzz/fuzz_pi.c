// SPDX-License-Identifier: Apache-2.0
// The chips of a Raspberry Pi 3 that move no data by themselves: interrupt controllers, timers, UARTs, GPIO, clocks, power,
// random numbers, USB; and a person who types.
#include "devices.h"

static const struct device_target target = {
        .kind = MACHINE_RASPI3,
        .devices = {"system timer", "Arm timer", "auxiliaries", "clock manager", "GPIO",
                    "interrupt controller", "random numbers", "thermal", "power management",
                    "bridges", "local controller", "DWC2", "PL011"},
        .other = machine_type,
};
