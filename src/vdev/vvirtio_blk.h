// SPDX-License-Identifier: Apache-2.0
// The virtio block device: disks of a VM.
#ifndef VDEV_VVIRTIO_BLK_H
#define VDEV_VVIRTIO_BLK_H

#include "vdev/vstate.h"

struct vm;

// Puts one for each of the VM's disks into its next slots. The VM is being built. ERR_NO_MEMORY, ERR_RANGE (an image
// or a disk that is too large).
int vvirtio_blk_create(struct vm *vm);

// The VM begins anew: what its guest wrote to copy-on-write images is forgotten. No vCPU runs.
int vvirtio_blk_begin_life(struct vm *vm);

extern const struct vstate vvirtio_blk_state;

#endif
