// SPDX-License-Identifier: Apache-2.0
// The SD card of a Raspberry Pi: the files that its firmware starts Mezzo from.
#ifndef HOST_CARD_H
#define HOST_CARD_H

#include "boards.h"
#include "pack.h"

#define CARD_CONFIG "config.txt"

// What goes on a card. `stub` is NULL on a board whose firmware has its own.
struct card {
	const struct board_model *board;
	const char *dir;
	const char *image, *tree, *stub; // files to copy
	const struct bundle *bundle;
	bool force; // replace a config.txt that is not ours
};

// Writes the card to `dir`, which is made if it is not there. All of it or nothing: files get other names until
// each is written, and config.txt comes last. NULL, or what went wrong. A signal to end is obeyed in between.
const char *card_write(const struct card *card);

// Says on standard output what was written, and what of the firmware is still missing beside it.
void card_report(const struct card *card, size_t vm_count);

#endif
