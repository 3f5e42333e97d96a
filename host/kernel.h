// SPDX-License-Identifier: Apache-2.0
// Kernel files: unpacking. What a kernel is and where it goes in a guest's memory says vm/image.h,
// to the host as to EL2.
#ifndef HOST_KERNEL_H
#define HOST_KERNEL_H

#include "diag.h"
#include "util.h"

struct kernel {
	struct blob data;    // as EL2 gets it
	const char *packing; // what it was packed in ("gzip"); NULL: nothing
};

// Reads and unpacks `path`. False: a mistake went to `diags` at `at`.
bool kernel_read(const char *path, struct kernel *kernel, struct place at, struct diags *diags);

// Bytes of memory that an arm64 Image takes, what follows its file included; 0 if it has no such header.
uint64_t kernel_room(struct blob file);

#endif
