// SPDX-License-Identifier: Apache-2.0
// The board that QEMU plays, and the command that starts it.
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H

#include "boards.h"
#include "check.h"
#include "command.h"
#include "disk.h"

struct machine {
	const struct board_model *board;
	uint32_t gic, smp;  // 0: chosen by machine_complete
	uint64_t ram;       // bytes; 0: chosen by machine_fit
	const char *cpu;    // NULL: chosen by machine_complete
	const char *tree;   // of a fixed board: its device tree, found by boards_find_tree
	bool el3;           // start at EL3, with no firmware
	const char *socket; // where the UART is to be found; NULL: standard input and output
	const char *image;  // mezzo.img, found by machine_find_image
	struct board_disk disks[DESC_MAX_DISKS]; // only of a board that is not fixed
	size_t disk_count;
	unsigned int nics;  // interfaces of the board, each with a network of QEMU's own behind it
	char *const *extra; // for QEMU, NULL-terminated
};

// Chooses the CPUs and the GIC that the user left open, so that `system` fits: a CPU for each vCPU,
// up to four, and as many as its pins ask for. A fixed board has what it has.
void machine_complete(struct machine *machine, const struct system *system);

// What a system has to fit on a completed machine.
struct limits machine_limits(const struct machine *machine);

// Chooses the memory if the user left it open. Returns NULL, or what does not fit.
const char *machine_fit(struct machine *machine, const struct system *system, uint64_t bundle_size);

// Finds mezzo.img where `given` says, else $MEZZO_IMG, else beside this program or where it is
// installed, and checks that it is one. NULL after a message from `who`.
const char *machine_find_image(const char *given, const char *who);

// The beginning of QEMU's command, the board itself: what the tree that QEMU makes depends on.
struct command machine_board_command(const struct machine *machine);

// QEMU's command that boots the file `bundle`; at EL3 with the file `tree` that machine_write_tree
// makes.
struct command machine_command(const struct machine *machine, const char *bundle, const char *tree);

// Takes a fixed board's tree, or asks QEMU for that of exactly this machine, adds where the bundle will be, writes it to
// `tree`. Returns NULL or what went wrong.
const char *machine_write_tree(const struct machine *machine, uint64_t bundle_size,
                               const char *tree);

#endif
