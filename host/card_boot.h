// SPDX-License-Identifier: Apache-2.0
// From the folder of an SD card to QEMU's command, by way of its config.txt.
#ifndef HOST_CARD_BOOT_H
#define HOST_CARD_BOOT_H

#include "boards.h"
#include "command.h"
#include "config_txt.h"
#include "util.h"

// What the firmware would start from a card.
struct card_boot {
	const struct board_model *board;
	struct config_txt config;
	struct blob kernel, initrd, tree, stub;
	bool runs_stub; // else `stub` is none, or left out
	// Behind a stub: where each lies in memory.
	uint64_t kernel_base, initrd_base, tree_base;
	const char *directory; // of the run's own files; NULL: it has none
};

// Reads `dir`/config.txt and the files that it names. Mistakes go to `diags`. What QEMU does in another way than
// the board is said on standard error after `who`.
bool card_boot_read(const struct board_model *board, const char *dir, struct card_boot *boot,
                    const char *who, struct diags *diags);

// QEMU's command, with `extra` words (NULL-terminated, or NULL) at its end. A stub is first written to a directory
// of its own as the firmware leaves it in memory. NULL, or what went wrong.
const char *card_boot_command(struct card_boot *boot, char *const *extra, struct command *command);

// Removes what card_boot_command wrote.
void card_boot_close(const struct card_boot *boot);

#endif
