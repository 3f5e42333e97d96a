// SPDX-License-Identifier: Apache-2.0
// The distributor of a guest's GICv2 over GICv2 list registers, in any order, by vCPUs that come and go.
#include "devices.h"

static const struct device_target target = {
        .kind = MACHINE_GICV2,
        .devices = {"GICv2"},
        .other = machine_raise,
};
