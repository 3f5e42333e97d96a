// SPDX-License-Identifier: Apache-2.0
// The Arasan SD host controller of a Raspberry Pi, "EMMC": SDHCI 3.0, by programmed I/O and the board's DMA controller.
#ifndef VDEV_VSDHCI_H
#define VDEV_VSDHCI_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vsdhci;

// Builds it into the VM: vm->raspi3->sdhci, and its region of the map; vsd_card_create and vbcm2835_gpio_create were
// called. ERR_NO_MEMORY, or errors of mmio_add.
int vsdhci_create(struct vm *vm);

// As after power-on. No vCPU of the VM runs.
void vsdhci_reset(struct vm *vm);

extern const struct vstate vsdhci_state;

#endif
