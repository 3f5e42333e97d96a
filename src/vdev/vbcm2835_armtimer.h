// SPDX-License-Identifier: Apache-2.0
// The Arm side's timer of a Raspberry Pi: a counter down with an interrupt, and one that runs freely.
#ifndef VDEV_VBCM2835_ARMTIMER_H
#define VDEV_VBCM2835_ARMTIMER_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_armtimer;

// Builds it into the VM: vm->raspi3->armtimer, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add and
// alarm_add.
int vbcm2835_armtimer_create(struct vm *vm);

// As the firmware leaves it. No vCPU of the VM runs.
void vbcm2835_armtimer_reset(struct vm *vm);

extern const struct vstate vbcm2835_armtimer_state;

#endif
