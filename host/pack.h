// SPDX-License-Identifier: Apache-2.0
// The bundle: all files of a system and its compiled description in one cpio archive.
// docs/bundle.md describes the format.
#ifndef HOST_PACK_H
#define HOST_PACK_H

#include "system.h"

#define PACK_TREE_NAME "mezzo.dtb" // the first member

// What is decided by how the system is started, not by its .conf file.
struct pack_options {
	const char *on_all_off; // "poweroff", "shell"; NULL: Mezzo's default
	const char *console;    // "all", a VM's name, "shell"; NULL: Mezzo's default
};

struct member {
	char *name;
	struct blob data;
	uint32_t crc32;
	uint8_t sha256[32];
};

struct bundle {
	struct member *members; // the description first
	size_t count;
	uint64_t size; // bytes of the archive
};

// Makes the bundle of a system that check_system found no fault with; the same system makes the
// same bytes. The description is read back as EL2 will read it: returns NULL, or what EL2 would
// complain of.
const char *pack_build(const struct system *system, struct pack_options options,
                       struct bundle *bundle);

// Writes the archive; false (with errno) if that failed.
bool pack_write(const struct bundle *bundle, int fd);

// Writes it to the file `path` ("-": standard output), which is replaced only when all is written.
// A failure goes to stderr, after `who`.
bool pack_save(const struct bundle *bundle, const char *path, const char *who);

#endif
