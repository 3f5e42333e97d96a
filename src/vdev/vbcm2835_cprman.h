// SPDX-License-Identifier: Apache-2.0
// The clock manager of a Raspberry Pi (CPRMAN): PLLs and clocks, which all tick at once when they are told to.
#ifndef VDEV_VBCM2835_CPRMAN_H
#define VDEV_VBCM2835_CPRMAN_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_cprman;

// Builds it into the VM: vm->raspi3->cprman, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add and
// alarm_add.
int vbcm2835_cprman_create(struct vm *vm);

// As the firmware leaves it. No vCPU of the VM runs.
void vbcm2835_cprman_reset(struct vm *vm);

extern const struct vstate vbcm2835_cprman_state;

#endif
