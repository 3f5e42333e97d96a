// SPDX-License-Identifier: Apache-2.0
// Changes to a board's device tree that a boot loader would make.
#ifndef HOST_TREE_EDIT_H
#define HOST_TREE_EDIT_H

#include "util.h"

// A tree being changed. The first thing that fails is kept, and nothing is done after it.
struct tree_edit {
	void *fdt;
	int error; // of libfdt
};

// Whether `file` is a device tree as a whole.
bool tree_edit_sound(struct blob file);

// A copy of a sound tree with room for a few properties, 2 KiB of text among them.
struct tree_edit tree_edit_open(struct blob file);

// Where the initrd lies: /chosen, which is made if it is missing.
void tree_edit_initrd(struct tree_edit *edit, uint64_t start, uint64_t size);

// The kernel's command line.
void tree_edit_bootargs(struct tree_edit *edit, const char *text);

// The board's memory: `size` bytes from address 0.
void tree_edit_memory(struct tree_edit *edit, uint64_t size);

// Makes `serial0` the name of the UART that stdout-path names, and stdout-path use it.
void tree_edit_serial0(struct tree_edit *edit);

// The changed tree; NULL or what went wrong.
const char *tree_edit_close(struct tree_edit *edit, struct blob *out);

// Whether the tree's stdout-path, or with `serial0` the alias of that name, leads to a PL011.
bool tree_edit_has_pl011(struct blob file, bool serial0);

#endif
