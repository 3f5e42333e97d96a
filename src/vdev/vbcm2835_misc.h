// SPDX-License-Identifier: Apache-2.0
// The small chips of a Raspberry Pi that are a few registers each: thermal sensor and random numbers.
#ifndef VDEV_VBCM2835_MISC_H
#define VDEV_VBCM2835_MISC_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_misc;

// Builds it into the VM: vm->raspi3->misc, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add and
// alarm_add.
int vbcm2835_misc_create(struct vm *vm);

// As the firmware leaves it. No vCPU of the VM runs.
void vbcm2835_misc_reset(struct vm *vm);

extern const struct vstate vbcm2835_misc_state;

#endif
