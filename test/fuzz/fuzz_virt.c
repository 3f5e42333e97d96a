// SPDX-License-Identifier: Apache-2.0
// The devices of model virt that are no interrupt controller: PL011, PL031, PL061, watchdog, virtio slots; and a person who
// types.
#include "devices.h"

static const struct device_target target = {
        .kind = MACHINE_GICV3,
        .devices = {"PL011", "PL031", "PL061", "generic watchdog", "virtio-mmio"},
        .other = machine_type,
};
