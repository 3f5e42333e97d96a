// SPDX-License-Identifier: Apache-2.0
// The virtio entropy device.
#ifndef VDEV_VVIRTIO_RNG_H
#define VDEV_VVIRTIO_RNG_H

struct vm;

// Puts one into the VM's next slot if it is to have one (vm->wants_rng) and the board has a source of true random
// numbers; without that the log says so. The VM is being built. ERR_NO_MEMORY.
int vvirtio_rng_create(struct vm *vm);

#endif
