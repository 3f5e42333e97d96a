// SPDX-License-Identifier: Apache-2.0
// Everything that can be known to be wrong before boot.
#ifndef HOST_CHECK_H
#define HOST_CHECK_H

#include "system.h"

// What the system has to fit. 0: not known, so not checked.
struct limits {
	uint32_t cpus, gic;
	bool no_gic;   // the board has none
	uint64_t ram;  // bytes that Mezzo and its VMs can have
	bool no_disks; // nor one that Mezzo can drive
	bool no_nets;  // nor a network interface that Mezzo can drive
	bool fixed;    // it is a real board: no option makes it bigger
};

// Opens the files that `system` names, plans each VM's memory and holds all of it against
// `limits`. Mistakes go to `diags`; without any, each VM's plan and files are filled in.
void check_system(struct system *system, const struct limits *limits, struct diags *diags);

// The limits that the board of the device tree `path` sets.
struct limits check_board_tree(const char *path, struct diags *diags);

#endif
