// SPDX-License-Identifier: Apache-2.0
// The virtio-mmio slots of QEMU's board virt, with nothing in them.
#ifndef VDEV_VVIRTIO_SLOT_H
#define VDEV_VVIRTIO_SLOT_H

#include "base/types.h"

struct vm;

#define VVIRTIO_BASE        UINT64_C(0x0a000000) // IPA
#define VVIRTIO_SLOT_SIZE   UINT64_C(0x200)
#define VVIRTIO_SLOTS       32
#define VVIRTIO_FIRST_INTID 48 // slot n has INTID 48 + n

// Adds all slots to the VM's map as one region. The VM does not run yet. mmio_add's errors.
int vvirtio_slot_create(struct vm *vm);

#endif
