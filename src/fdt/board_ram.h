// SPDX-License-Identifier: Apache-2.0
// The set of RAM ranges while a board is read: add, take out, keep the best. Internal to fdt/board.
#ifndef FDT_BOARD_RAM_H
#define FDT_BOARD_RAM_H

#include "fdt/board.h"

#define BOARD_RAM_WORK 64 // ranges while reading, before the largest BOARD_MAX_RAM are chosen

// Ascending, apart from each other, none empty.
struct board_ram {
	uint32_t count;
	uint64_t dropped; // bytes of ranges that found no room
	struct board_range range[BOARD_RAM_WORK];
};

// Adds base..+size, joined with what it touches. Sizes that wrap and memory above 2^48 are cut off.
void board_ram_add(struct board_ram *ram, uint64_t base, uint64_t size);
// Takes base..+size out, with every page it touches.
void board_ram_remove(struct board_ram *ram, uint64_t base, uint64_t size);
// The same, but leaves the pages of the `count` ranges in `keep` as they are.
void board_ram_remove_except(struct board_ram *ram, uint64_t base, uint64_t size,
                             const struct board_range *keep, unsigned count);
// Whole pages, the largest ranges, into board->ram.
void board_ram_finish(struct board_ram *ram, struct board *board);

#endif
