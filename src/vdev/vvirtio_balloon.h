// SPDX-License-Identifier: Apache-2.0
// The virtio balloon: a guest that is asked to gives memory back while it runs.
#ifndef VDEV_VVIRTIO_BALLOON_H
#define VDEV_VVIRTIO_BALLOON_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;

// Puts one into the VM's next slot if it is to have one (vm->wants_balloon). The VM is being built. ERR_NO_MEMORY.
int vvirtio_balloon_create(struct vm *vm);

// Asks the guest to make do with `memory` bytes of its RAM, rounded up to pages; all of it: to take back what it gave.
// How much it gives, and when, is its driver's. ERR_RANGE: more than it has. Any CPU; takes LOCK_BALLOON.
int vvirtio_balloon_ask(struct vm *vm, uint64_t memory);

// Bytes that the guest is asked to make do with, and what its driver says that it does with. Any CPU.
uint64_t vvirtio_balloon_asked(const struct vm *vm);
uint64_t vvirtio_balloon_left(const struct vm *vm);

extern const struct vstate vvirtio_balloon_state;

#endif
