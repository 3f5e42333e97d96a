// SPDX-License-Identifier: Apache-2.0
// A disk of the board that QEMU plays: a file of the user's.
#ifndef HOST_DISK_H
#define HOST_DISK_H

#include "base/types.h"

struct board_disk {
	const char *path;
	bool read_only;
};

// What `--disk` was given: "FILE" or "ro:FILE". A file that cannot be written is a disk that is read-only. NULL, or why
// it is no disk.
const char *disk_open(const char *text, struct board_disk *disk);

// What Mezzo will call the board's disk number `n`: "vda" is the first.
const char *disk_name(size_t n);

#endif
