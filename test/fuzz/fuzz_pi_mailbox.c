// SPDX-License-Identifier: Apache-2.0
// The mailboxes of a Raspberry Pi 3 and the properties that its firmware knows: messages anywhere in memory.
#include "devices.h"

static const struct device_target target = {
        .kind = MACHINE_RASPI3,
        .devices = {"mailboxes"},
        .other = machine_store,
};
