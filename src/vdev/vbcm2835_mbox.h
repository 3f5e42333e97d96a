// SPDX-License-Identifier: Apache-2.0
// The mailboxes between a Raspberry Pi's Arm cores and its video processor.
#ifndef VDEV_VBCM2835_MBOX_H
#define VDEV_VBCM2835_MBOX_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_mbox;

// Builds it into the VM: vm->raspi3->mbox, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add.
int vbcm2835_mbox_create(struct vm *vm);
// Empty. No vCPU of the VM runs.
void vbcm2835_mbox_reset(struct vm *vm);

extern const struct vstate vbcm2835_mbox_state;

#endif
