// SPDX-License-Identifier: Apache-2.0
// Power management of a Raspberry Pi: the watchdog that resets and halts it, power domains, and the bridges to them (ASB).
#ifndef VDEV_VBCM2835_PM_H
#define VDEV_VBCM2835_PM_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_pm;

// Builds it into the VM: vm->raspi3->pm, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add and
// alarm_add.
int vbcm2835_pm_create(struct vm *vm);

// As the firmware leaves it. No vCPU of the VM runs.
void vbcm2835_pm_reset(struct vm *vm);

extern const struct vstate vbcm2835_pm_state;

#endif
