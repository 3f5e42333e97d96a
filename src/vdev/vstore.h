// SPDX-License-Identifier: Apache-2.0
// What a disk or a card that came in the bundle holds: the bytes of an image, and what a guest has written over them.
// No lock of its own: its device's is held at every call, and the VM is not being built or taken away.
#ifndef VDEV_VSTORE_H
#define VDEV_VSTORE_H

#include "base/types.h"

struct vm;
struct vm_image;
struct vstore;

#define VSTORE_BLOCK 512                          // bytes; an image has whole ones
#define VSTORE_MAX   (UINT64_C(512) * 0x40000000) // bytes of an image: 512 GiB

// Made for an image, while the VM is built; bytes of zeroes follow it up to a multiple of `unit`, a power of two.
// ERR_NO_MEMORY; ERR_RANGE: larger than VSTORE_MAX.
int vstore_create(struct vm *vm, const struct vm_image *image, uint64_t unit,
                  struct vstore **store);

// The VM begins anew, and what it took until it was reset was given back: what was written is forgotten, unless
// the image is one that keeps it.
void vstore_reset(struct vstore *store);

// Bytes that there are, with the zeroes behind the image. 0: there is no image.
uint64_t vstore_size(const struct vstore *store);
bool vstore_read_only(const struct vstore *store);

// Where the bytes at `at`, below vstore_size, are for the moment: *bytes of them in one piece, at most `most`. NULL:
// they are zeroes.
const void *vstore_find(const struct vstore *store, uint64_t at, uint64_t most, uint64_t *bytes);
// Copies them.
void vstore_read(const struct vstore *store, uint64_t at, void *to, size_t size);
// Writes bytes that all lie in one page of 4 KiB; nothing of it is written on ERR_NO_MEMORY and ERR_UNSUPPORTED
// (read-only).
int vstore_write(struct vstore *store, uint64_t at, const void *from, size_t size);

// Makes zeroes of what lies from *at up to `end`, both at multiples of VSTORE_BLOCK, as much as a call may take time for,
// and moves *at on. Errors as above, with *at where it could not go on.
int vstore_erase(struct vstore *store, uint64_t *at, uint64_t end);

#endif
