// SPDX-License-Identifier: Apache-2.0
// From the board's RAM ranges to an allocator that works. Runs once, on the boot CPU. Order: memory
// for tables is found and mapped, then all RAM is mapped, then the page array, then what boot needs
// is claimed and the rest is free.
#include "base/bits.h"
#include "base/log.h"
#include "main/boot.h"
#include "mem/el2map.h"
#include "mem/pages.h"

#define MAX_FREE (BOARD_MAX_RAM + 4)

extern char image_start[], image_end[], el3_start[], el3_end[], boot_stack_guard[];

struct free_ranges {
	unsigned count;
	struct board_range range[MAX_FREE];
};

// Takes [base, base+size), widened to pages, out of the list.
static void cut(struct free_ranges *list, uint64_t base, uint64_t size)
{
	uint64_t start = align_down(base, PAGE_SIZE), end = align_up(base + size, PAGE_SIZE);
	if (size == 0)
		return;
	for (unsigned i = 0; i < list->count; i++) {
		struct board_range *r = &list->range[i];
		uint64_t last = r->base + r->size;
		if (!ranges_overlap(r->base, r->size, start, end - start))
			continue;
		if (start > r->base && end < last && list->count < MAX_FREE)
			list->range[list->count++] = (struct board_range){end, last - end};
		if (start > r->base)
			r->size = start - r->base;
		else
			*r = (struct board_range){end < last ? end : last,
			                          end < last ? last - end : 0};
	}
}

// Memory for page array and tables, in whole blocks so that mapping it needs few tables itself.
static uint64_t array_room(const struct board *board)
{
	uint64_t room = MIB(1); // tables, the ends of ranges
	for (uint32_t i = 0; i < board->nr_ram; i++)
		room += (board->ram[i].size + 2 * BLOCK_SIZE) / PAGE_SIZE * sizeof(struct page) +
		        KIB(32);
	room += room / 256; // the tables that map the array
	return align_up(room, BLOCK_SIZE);
}

// The end of the largest free range gives it.
static struct board_range take_array_room(struct free_ranges *list, uint64_t room)
{
	struct board_range *best = &list->range[0];
	for (unsigned i = 1; i < list->count; i++)
		if (list->range[i].size > best->size)
			best = &list->range[i];
	uint64_t base = align_down(best->base + best->size, BLOCK_SIZE);
	if (base < room || base - room < best->base)
		return (struct board_range){0, 0};
	struct board_range taken = {base - room, room};
	cut(list, taken.base, taken.size);
	return taken;
}

// All of a range but what has to stay out of EL2's reach: EL3's own memory, which it uses uncached (a
// cached line of it, written back, would destroy what EL3 wrote), and the guard page of the boot stack.
static int map_range(struct board_range range)
{
	const uint64_t holes[][2] = {
	        // start and end, ascending, as the image has them
	        {(uintptr_t)el3_start, (uintptr_t)el3_end},
	        {(uintptr_t)boot_stack_guard, (uintptr_t)boot_stack_guard + PAGE_SIZE},
	};
	uint64_t at = range.base, end = range.base + range.size;
	int error = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(holes) && error == 0; i++) {
		if (!range_contains(at, end - at, holes[i][0], holes[i][1] - holes[i][0]))
			continue;
		error = el2map_memory(PA(at), holes[i][0] - at, false);
		at = holes[i][1];
	}
	return error != 0 ? error : el2map_memory(PA(at), end - at, false);
}

static int map_everything(const struct board *board)
{
	int error = 0;
	for (uint32_t i = 0; i < board->nr_ram && error == 0; i++)
		error = map_range(board->ram[i]);
	if (error == 0 && board->initrd.size != 0) // it may lie outside of what is called RAM
		error = el2map_memory(PA(board->initrd.base), board->initrd.size, true);
	for (uint32_t i = 0; i < board->nr_ram && error == 0; i++)
		error = el2map_page_array(PA(board->ram[i].base), board->ram[i].size);
	return error;
}

// Boot's own pages within RAM: they have an owner from the start.
static void claim(const struct board *board, uint64_t base, uint64_t size, uint16_t owner)
{
	uint64_t end = align_up(base + size, PAGE_SIZE);
	base = align_down(base, PAGE_SIZE);
	for (uint32_t i = 0; i < board->nr_ram; i++)
		if (range_contains(board->ram[i].base, board->ram[i].size, base, end - base))
			pages_claim(PA(base), end - base, owner, PAGE_BOOT);
}

int ram_init(const struct board *board)
{
	static struct free_ranges list; // too large for the boot stack
	uint64_t image = (uintptr_t)image_start, image_size = (uintptr_t)image_end - image;
	for (uint32_t i = 0; i < board->nr_ram; i++)
		list.range[list.count++] = board->ram[i];
	cut(&list, image, image_size);
	cut(&list, board->tree.base, board->tree.size);
	cut(&list, board->initrd.base, board->initrd.size);
	struct board_range room = take_array_room(&list, array_room(board));
	if (room.size == 0 || el2map_memory(PA(room.base), room.size, false) != 0) {
		log_line("memory: %lu MiB in one piece are needed to keep account of %lu MiB, and "
		         "there are none",
		         array_room(board) >> 20, board->ram_declared >> 20);
		return ERR_NO_MEMORY;
	}
	el2map_give(PA(room.base), room.size);
	if (map_everything(board) != 0) {
		log_line("memory: the tables for EL2's own map do not fit in %lu KiB",
		         room.size >> 10);
		return ERR_NO_MEMORY;
	}
	pages_init((struct page *)EL2MAP_PAGES);
	for (unsigned i = 0; i < list.count; i++)
		if (list.range[i].size != 0)
			pages_add(PA(list.range[i].base), list.range[i].size);
	claim(board, image, image_size, OWNER_EL2);
	claim(board, board->tree.base, board->tree.size, OWNER_EL2);
	claim(board, board->initrd.base, board->initrd.size, OWNER_BUNDLE);
	claim(board, room.base, room.size, OWNER_EL2);
	el2map_use_pages();
	log_line("memory: %lu MiB free of %lu MiB; the page array takes %lu KiB",
	         pages_counts().free >> 8, board->ram_declared >> 20, room.size >> 10);
	return 0;
}
