// SPDX-License-Identifier: Apache-2.0
// The interrupt controller of the VideoCore side ("ARMCTRL"): 64 interrupts of its peripherals and 8 of the Arm
// side's, brought together to one IRQ and one FIQ.
#ifndef VDEV_VBCM2835_INTC_H
#define VDEV_VBCM2835_INTC_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2836;
struct vbcm2835_intc;

// Builds it into the VM, its outputs to `local`. ERR_NO_MEMORY, or mmio_add's errors.
int vbcm2835_intc_create(struct vm *vm, struct vbcm2836 *local, struct vbcm2835_intc **out);

// Both with the local controller's lock held: as after power-on, but for the lines, which are the devices';
// and line `n` (0 to RASPI3_NR_IRQS - 1; others are ignored).
void vbcm2835_intc_reset_locked(struct vbcm2835_intc *intc);
void vbcm2835_intc_set_locked(struct vbcm2835_intc *intc, uint32_t n, bool level);

extern const struct vstate vbcm2835_intc_state;

#endif
