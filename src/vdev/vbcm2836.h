// SPDX-License-Identifier: Apache-2.0
// BCM2836's local controller: the interrupts that belong to one core, the mailboxes between cores, and the
// way of the VideoCore's interrupts to one of them. With vbcm2835_intc.h it is the VM's interrupt controller.
#ifndef VDEV_VBCM2836_H
#define VDEV_VBCM2836_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2836;

// Builds it into the VM: vm->irqchip, vm->raspi3->local and its region of the map, and the VideoCore's
// controller. ERR_NO_MEMORY, or errors of mmio_add and alarm_add.
int vbcm2836_create(struct vm *vm);

// As after power-on. No vCPU of the VM runs.
void vbcm2836_reset(struct vm *vm);

// For the VideoCore's controller: its state is under the same lock, and its two outputs come in here, with
// the lock held. LOCK_VGIC.
void vbcm2836_lock(struct vbcm2836 *local);
void vbcm2836_unlock(struct vbcm2836 *local);
void vbcm2836_set_gpu_locked(struct vbcm2836 *local, bool irq, bool fiq);

extern const struct vstate vbcm2836_state, vbcm2836_core_state;

#endif
