// SPDX-License-Identifier: Apache-2.0
// GICv3 as a guest sees it: what the trap layer hands over. The other ICC registers of EL1 are the
// hardware's own virtual CPU interface and do not trap.
#ifndef VDEV_VGICV3_H
#define VDEV_VGICV3_H

#include "base/types.h"

struct vcpu;

// The three registers that send SGIs.
enum vgicv3_sgi {
	VGICV3_SGI1R,  // ICC_SGI1R_EL1: group 1
	VGICV3_ASGI1R, // ICC_ASGI1R_EL1: the other security state's group 1, which is group 0 here
	VGICV3_SGI0R,  // ICC_SGI0R_EL1: group 0
};

// The vCPU that runs on this CPU wrote `value` to one of them (trapped by HCR_EL2.IMO and FMO).
// No lock held. The VM must have a GICv3; with another the write is ignored.
void vgicv3_sgi(struct vcpu *vcpu, uint64_t value, enum vgicv3_sgi which);

// It wrote `value` to ICC_DIR_EL1 (trapped by ICH_HCR_EL2.TDIR while there are more active interrupts
// than list registers).
void vgicv3_dir(struct vcpu *vcpu, uint64_t value);

#endif
