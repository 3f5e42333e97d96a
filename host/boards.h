// SPDX-License-Identifier: Apache-2.0
// The boards that `board =` and `--board` name.
#ifndef HOST_BOARDS_H
#define HOST_BOARDS_H

#include "base/types.h"

struct board_model {
	const char *name; // as QEMU's machine has it
	bool fixed; // it is as it is; else it is made as large as a system needs, and the rest is 0
	const char *tree; // the name of its device tree's file
	uint32_t cpus;
	uint64_t ram;       // bytes that are not the video processor's
	uint32_t gic;       // 0: it has none
	unsigned int uarts; // serial ports before the one that is Mezzo's
	char pi;            // the digit of the Raspberry Pi that it is; 0: it starts from no card
	const char *stub;   // what the card brings to run at EL3; NULL: the firmware's own
};

// The names of all boards with a card, NULL-terminated.
const char *const *boards_with_card(void);

// The board of this name; NULL: there is none.
const struct board_model *boards_find(const char *name);

// The file of the board's device tree: `given`, else beside this program or where it is installed, else where a
// Debian kernel package has it. NULL after a message from `who`.
const char *boards_find_tree(const struct board_model *board, const char *given, const char *who);

// The file of what runs at EL3 on this board, found likewise, but for Debian's package of it.
const char *boards_find_stub(const struct board_model *board, const char *given, const char *who);

#endif
