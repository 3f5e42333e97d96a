// SPDX-License-Identifier: Apache-2.0
// The USB controller of a Raspberry Pi (DesignWare USB 2.0 OTG, "DWC2") with nothing plugged in.
#ifndef VDEV_VDWC2_H
#define VDEV_VDWC2_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;

// Builds it into the VM: vm->raspi3->usb, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add.
int vdwc2_create(struct vm *vm);

// As after power-on. No vCPU of the VM runs.
void vdwc2_reset(struct vm *vm);

extern const struct vstate vdwc2_state;

#endif
