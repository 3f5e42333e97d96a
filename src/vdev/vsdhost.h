// SPDX-License-Identifier: Apache-2.0
// The other SD host controller of a Raspberry Pi, SDHOST, by programmed I/O and the board's DMA controller.
#ifndef VDEV_VSDHOST_H
#define VDEV_VSDHOST_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vsdhost;

// Builds it into the VM: vm->raspi3->sdhost, and its region of the map; vsd_card_create and vbcm2835_gpio_create were
// called. ERR_NO_MEMORY, or errors of mmio_add.
int vsdhost_create(struct vm *vm);

// As after power-on. No vCPU of the VM runs.
void vsdhost_reset(struct vm *vm);

extern const struct vstate vsdhost_state;

#endif
