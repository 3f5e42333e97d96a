// SPDX-License-Identifier: Apache-2.0
// The DMA channels of a Raspberry Pi 3: control blocks anywhere in memory, from and to anything.
#include "devices.h"

static const struct device_target target = {
        .kind = MACHINE_RASPI3,
        .devices = {"BCM2835 DMA", "BCM2835 DMA channel 15"},
        .other = machine_store,
};
