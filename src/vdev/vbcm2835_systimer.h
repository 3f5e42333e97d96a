// SPDX-License-Identifier: Apache-2.0
// The system timer of a Raspberry Pi: a 64-bit counter of microseconds and four comparators.
#ifndef VDEV_VBCM2835_SYSTIMER_H
#define VDEV_VBCM2835_SYSTIMER_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_systimer;

// Builds it into the VM: vm->raspi3->systimer, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add and
// alarm_add.
int vbcm2835_systimer_create(struct vm *vm);

// As the firmware leaves it. No vCPU of the VM runs.
void vbcm2835_systimer_reset(struct vm *vm);

extern const struct vstate vbcm2835_systimer_state;

#endif
