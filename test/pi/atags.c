// SPDX-License-Identifier: Apache-2.0
/* The list of tags that firmware leaves at 0x100 for a program without device tree. */
#include "pi.h"

#define ATAGS     0x100UL
#define TAG_NONE  0U
#define TAG_CORE  0x54410001U
#define TAG_MEM   0x54410002U
#define TAGS_MAX  16U
#define WORDS_MAX 1024U
#define MIB       (1U << 20)

void program(u64 tree)
{
	u64 at = ATAGS;
	u32 cores = 0, mems = 0, words, kind = TAG_NONE, bytes = 0, start = 1;
	bool ended = false;
	(void)tree;
	for (u32 n = 0; n < TAGS_MAX && !ended; n++) {
		words = read32(at);
		kind = read32(at + 4);
		if (n == 0)
			check(kind == TAG_CORE, "the first tag is CORE");
		if (kind == TAG_NONE) {
			ended = words == 0;
			break;
		}
		cores += kind == TAG_CORE;
		if (kind == TAG_MEM) {
			mems++;
			bytes = read32(at + 8);
			start = read32(at + 12);
		}
		if (words < 2 || words > WORDS_MAX)
			break;
		at += 4UL * words;
	}
	check(ended, "the list ends with NONE");
	check(cores == 1, "one CORE");
	check(mems == 1 && start == 0 && bytes >= 64 * MIB, "one MEM, from 0");
}
