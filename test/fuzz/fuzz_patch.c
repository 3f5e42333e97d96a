// SPDX-License-Identifier: Apache-2.0
// What is put into a device tree that came along (fdt/guest_patch.c): any tree, any numbers, any room. The result is a
// sound tree within its room, or there is a reason.
#include "fuzz.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "fdt/guest_patch.h"
#include "fdt/tree.h"

enum { ROOM = 1 << 17, HEAD = 32 };
static uint8_t *room;

void fuzz_setup(void)
{
	room = aligned_alloc(64, ROOM);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static const uint8_t seed[GUEST_PATCH_RNG_SIZE] = {1, 2, 3};
	struct fuzz_in in = {data, size};
	static char bootargs[64];
	uint8_t what = fuzz_u8(&in);
	uint64_t kaslr = fuzz_u32(&in);
	for (unsigned i = 0; i < sizeof bootargs - 1; i++)
		bootargs[i] = (char)('a' + (what + i) % 26);
	bootargs[fuzz_below(&in, sizeof bootargs)] = 0;
	struct guest_patch patch = {
	        .ram_base = what & 1 ? 0 : 0x40000000,
	        .ram_size = fuzz_number(&in),
	        .bootargs = what & 2 ? bootargs : NULL,
	        .initrd_start = fuzz_u32(&in),
	        .initrd_size = what & 4 ? fuzz_u16(&in) : 0,
	        .rng_seed = what & 8 ? seed : NULL,
	        .kaslr_seed = what & 16 ? &kaslr : NULL,
	        .nr_cpus = fuzz_below(&in, 6),
	        .spin_table = what & 32 ? 0xd8 : 0,
	        .reserved_size = what & 64 ? PAGE_SIZE : 0,
	};
	size_t spare = fuzz_u16(&in) % 8192;
	if (in.left > ROOM / 2 - 8192)
		return;
	size_t space = align_down(in.left * 2 + spare, 8);
	bool unaligned = (what & 128) != 0;
	const uint8_t *tree = fuzz_guarded(in.at, in.left, unaligned ? 1 : 8);
	ASAN_POISON_MEMORY_REGION(room + space, ROOM - space);
	int result = guest_patch(room, space, tree, in.left, &patch);
	if (result > 0) {
		FUZZ_CHECK((size_t)result <= space);
		FUZZ_CHECK(tree_check(room, (size_t)result) == TREE_OK);
		// Once more, in place: it is a tree like any other.
		int again = guest_patch(room, space, room, (size_t)result, &patch);
		FUZZ_CHECK(again == ERR_NO_MEMORY || again > 0);
		if (again > 0)
			FUZZ_CHECK(tree_check(room, (size_t)again) == TREE_OK);
	} else {
		FUZZ_CHECK(result == ERR_INVALID || result == ERR_NO_MEMORY);
	}
	ASAN_UNPOISON_MEMORY_REGION(room, ROOM);
}
