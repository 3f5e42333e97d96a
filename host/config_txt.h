// SPDX-License-Identifier: Apache-2.0
// config.txt, by which a Raspberry Pi's firmware knows what to start from its SD card.
#ifndef HOST_CONFIG_TXT_H
#define HOST_CONFIG_TXT_H

#include "diag.h"

// A line that counts; `value` is NULL if there is none.
struct config_line {
	const char *value;
	struct place at;
};

// What config.txt makes the firmware do. Files are paths, and those that a line names are not known to be there.
struct config_txt {
	const char *dir;           // of the card, with its last slash, or ""
	struct place file;         // config.txt as a whole
	struct config_line kernel; // always set: kernel8.img without a line
	struct config_line initramfs;
	struct config_line
	        tree; // NULL: none. `at.line` is 0 for the one that the firmware takes by itself
	struct config_line armstub;        // what runs at EL3 before the kernel
	struct config_line cmdline;        // the command line itself
	struct config_line kernel_address; // set if `load` counts
	uint64_t load;
	struct config_line initramfs_address; // set if `ramfs` counts; else it follows the kernel
	uint64_t ramfs;
};

// Reads `path`, which `from` names, as a board of this model does. `model` is the digit of the Raspberry Pi: '3' or
// '4'. What is wrong goes to `diags`; false: nothing is known.
bool config_txt_read(const char *path, struct place from, char model, struct config_txt *config,
                     struct diags *diags);

#endif
