// SPDX-License-Identifier: Apache-2.0
// A device tree as source text, a piece at a time.
#ifndef FDT_TREE_TEXT_H
#define FDT_TREE_TEXT_H

#include "base/types.h"

#define TREE_TEXT_PIECE 240 // bytes that a piece needs room for, with the NUL

struct tree_text {
	const uint8_t *fdt;
	uint32_t at, end;           // in the structure block, from the tree's start
	uint32_t strings, nr_bytes; // the string block
	uint32_t left;              // bytes of the property that are not shown yet
	uint32_t depth;
	uint8_t state;
	bool begun; // something of the value was shown
};

// Begins. Nothing of the tree is trusted: `max_size` bytes may be read. False: it is none.
bool tree_text_begin(struct tree_text *t, const void *fdt, size_t max_size);
// The next piece, ended by NUL; some 1,000 instructions, or 15,000 for one that begins a long property.
// False: that was the last one (it may still hold text). A tree that is damaged ends in a comment that says so.
bool tree_text_next(struct tree_text *t, char *piece);

#endif
