// SPDX-License-Identifier: Apache-2.0
// Which disks a VM gets.
#ifndef MAIN_DISKS_H
#define MAIN_DISKS_H

#include "base/cpio.h"
#include "fdt/desc.h"

struct vm;

// Fills in vm->disk as the description says: images of the bundle, whose files were found and checked before, and disks of
// the board, which are the VM's from then on. False: one of these is not there or somebody else's, and `why`, of `size`
// bytes, is a sentence about it.
bool disks_give(struct vm *vm, const struct desc *desc, const struct desc_vm *from,
                const struct cpio *bundle, char *why, size_t size);

#endif
