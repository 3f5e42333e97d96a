// SPDX-License-Identifier: Apache-2.0
// The mini UART of a Raspberry Pi, and the auxiliary block that it is part of.
#ifndef VDEV_VBCM2835_AUX_H
#define VDEV_VBCM2835_AUX_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_aux;

// Builds it into the VM: vm->raspi3->aux, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add and
// alarm_add.
int vbcm2835_aux_create(struct vm *vm);

// As the firmware leaves it. No vCPU of the VM runs.
void vbcm2835_aux_reset(struct vm *vm);

// As vuart_ops. Take LOCK_DEVICE.
void vbcm2835_aux_input(struct vbcm2835_aux *aux);
void vbcm2835_aux_overrun(struct vbcm2835_aux *aux);
void vbcm2835_aux_output_drained(struct vbcm2835_aux *aux);
// Whether the guest has switched the mini UART on. Any CPU.
bool vbcm2835_aux_enabled(const struct vbcm2835_aux *aux);

extern const struct vstate vbcm2835_aux_state;

#endif
