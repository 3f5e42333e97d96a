// SPDX-License-Identifier: Apache-2.0
// A guest's GICv2 whose CPU interface Mezzo is itself (vdev/vgicc.c), with its distributor, in any order.
#include "devices.h"

static const struct device_target target = {
        .kind = MACHINE_SOFT_GICV2,
        .devices = {"GICv2 distributor", "GICv2 CPU interface"},
        .other = machine_raise,
};
