// SPDX-License-Identifier: Apache-2.0
// The RAM of a board for unit tests: memory at a fixed low address, because EL2 takes physical addresses
// for pointers and numbers pages in 32 bits, and a page array that ends where the RAM ends.
// For tests that link the real page allocator; its state lives as long as the program.
#ifndef UNIT_RAM_ARENA_H
#define UNIT_RAM_ARENA_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/types.h"
#include "mem/pages.h"

#define RAM_ARENA_BASE \
	UINT64_C(0x20000000) // a guest's RAM lies elsewhere: mixing them up is noticed

// Memory at `base` whose bytes are not zero: nobody may rely on that.
UNUSED static void *ram_arena_map(uint64_t base, uint64_t size)
{
	void *at = mmap((void *)base, size, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (at != (void *)base)
		abort();
	return at;
}

// `size` bytes of RAM, handed to the allocator; dirty. Once in a program.
UNUSED static void ram_arena_init(uint64_t size)
{
	static struct page *array;
	memset(ram_arena_map(RAM_ARENA_BASE, size), 0xa5, size);
	array = calloc((RAM_ARENA_BASE + size) >> PAGE_SHIFT, sizeof *array);
	if (array == NULL)
		abort();
	pages_init(array);
	pages_add(PA(RAM_ARENA_BASE), size);
}

// Takes free pages away, one by one, until `left` are left; they come back with ram_arena_release.
UNUSED static void ram_arena_exhaust(struct page_list *taken, uint64_t left)
{
	unsigned order = PAGES_MAX_ORDER;
	for (;;) {
		uint64_t free = pages_counts().free;
		while (order > 0 && (UINT64_C(1) << order) + left > free)
			order--;
		if (free <= left)
			return;
		pa_t chunk = pages_alloc(order, OWNER_EL2, PAGE_DATA, taken);
		if (chunk.v == 0 && order == 0)
			abort();
		if (chunk.v == 0)
			order--;
	}
}

UNUSED static void ram_arena_release(struct page_list *taken)
{
	while (taken->first != 0)
		pages_free(PA((uint64_t)taken->first << PAGE_SHIFT), taken);
}

#endif
