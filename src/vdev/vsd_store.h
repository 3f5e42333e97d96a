// SPDX-License-Identifier: Apache-2.0
// What an SD card holds: the blocks of an image, and what a guest has written over them.
// No lock of its own: the card's is held at every call, and the VM is not being built or taken away.
#ifndef VDEV_VSD_STORE_H
#define VDEV_VSD_STORE_H

#include "base/types.h"

struct vm;
struct vsd_store;

#define VSD_BLOCK     512                          // bytes
#define VSD_STORE_MAX (UINT64_C(512) * 0x40000000) // bytes of an image: 512 GiB

// Made for the image in vm->card, while the VM is built. ERR_NO_MEMORY; ERR_RANGE: larger than VSD_STORE_MAX.
int vsd_store_create(struct vm *vm, struct vsd_store **store);

// The VM begins anew, and what it took until it was reset was given back: what was written is forgotten, unless
// the image is one that keeps it.
void vsd_store_reset(struct vsd_store *store);

// How many blocks there are: the image's, and blocks of zeroes up to a multiple of 512 KiB, which is how a card
// tells its size. 0: there is no image.
uint64_t vsd_store_blocks(const struct vsd_store *store);
bool vsd_store_read_only(const struct vsd_store *store);

// One block, below vsd_store_blocks.
void vsd_store_read(const struct vsd_store *store, uint64_t block, void *to);
// The same; nothing of it is written on ERR_NO_MEMORY and ERR_UNSUPPORTED (read-only).
int vsd_store_write(struct vsd_store *store, uint64_t block, const void *from);

// Makes zeroes of blocks from *block on, as many as a call may take time for, and moves *block on. `end` is at most
// vsd_store_blocks. Errors as above, with *block at the one that could not be erased.
int vsd_store_erase(struct vsd_store *store, uint64_t *block, uint64_t end);

#endif
