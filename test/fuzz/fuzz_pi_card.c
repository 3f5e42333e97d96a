// SPDX-License-Identifier: Apache-2.0
// The SD card of a Raspberry Pi 3 and its two controllers, with the pins that choose between them, and the DMA channels
// that move their data.
#include "devices.h"

static const struct device_target target = {
        .kind = MACHINE_RASPI3,
        .devices = {"EMMC", "SDHOST", "GPIO", "BCM2835 DMA"},
        .other = machine_store,
};
