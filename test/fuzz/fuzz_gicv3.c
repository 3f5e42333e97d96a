// SPDX-License-Identifier: Apache-2.0
// The registers of a guest's GICv3, distributor and redistributors, in any order, by vCPUs that come and go.
#include "devices.h"
#include "vdev/vgicv3.h"

static void sgi_or_line(struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	if (what < 200)
		vgicv3_sgi(vcpu, fuzz_u64(in) & (what & 1 ? UINT64_MAX : 0x0f00000f),
		           (enum vgicv3_sgi)(what % 3));
	else
		machine_raise(in);
}

static const struct device_target target = {
        .kind = MACHINE_GICV3,
        .devices = {"GICv3"},
        .other = sgi_or_line,
};
