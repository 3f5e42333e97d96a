// SPDX-License-Identifier: Apache-2.0
// The virtio-mmio slots of QEMU's board virt: the registers through which a driver reaches a device, and empty slots.
#ifndef VDEV_VVIRTIO_MMIO_H
#define VDEV_VVIRTIO_MMIO_H

#include "base/types.h"

struct vm;

#define VVIRTIO_BASE        UINT64_C(0x0a000000) // IPA
#define VVIRTIO_SLOT_SIZE   UINT64_C(0x200)
#define VVIRTIO_FIRST_INTID 48 // slot n has INTID 48 + n

// Adds all slots to the VM's map as one region. The VM has its bus, and does not run yet. mmio_add's errors.
int vvirtio_mmio_create(struct vm *vm);

#endif
