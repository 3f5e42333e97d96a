// SPDX-License-Identifier: Apache-2.0
// Arithmetic on the set of RAM ranges.
//
// Owns nothing. Called by fdt/board alone.
// Invariant: ranges ascend, do not touch and are not empty; every step costs at most BOARD_RAM_WORK.
#include "fdt/board_ram.h"

#include "base/bits.h"
#include "base/string.h"

#define ADDRESS_LIMIT BIT_U64(48) // what EL2's own map and stage 2 can reach

static uint64_t end_of(const struct board_range *range)
{
	return range->base + range->size;
}

static void delete_at(struct board_ram *ram, uint32_t index)
{
	ram->count--;
	memmove(&ram->range[index], &ram->range[index + 1],
	        (ram->count - index) * sizeof(ram->range[0]));
}

static uint32_t smallest(const struct board_ram *ram)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < ram->count; i++) {
		if (ram->range[i].size < ram->range[best].size)
			best = i;
	}
	return best;
}

// Puts a range that touches no other where it belongs; without room the smallest of all is given up.
static void insert(struct board_ram *ram, uint64_t base, uint64_t size)
{
	uint32_t at = 0;

	if (ram->count == BOARD_RAM_WORK) {
		const uint32_t victim = smallest(ram);

		if (ram->range[victim].size >= size) {
			ram->dropped += size;
			return;
		}
		ram->dropped += ram->range[victim].size;
		delete_at(ram, victim);
	}
	while (at < ram->count && ram->range[at].base < base)
		at++;
	memmove(&ram->range[at + 1], &ram->range[at], (ram->count - at) * sizeof(ram->range[0]));
	ram->range[at] = (struct board_range){base, size};
	ram->count++;
}

void board_ram_add(struct board_ram *ram, uint64_t base, uint64_t size)
{
	if (size == 0 || base >= ADDRESS_LIMIT)
		return;
	uint64_t end = size > ADDRESS_LIMIT - base ? ADDRESS_LIMIT : base + size;

	for (uint32_t i = 0; i < ram->count;) {
		const struct board_range *other = &ram->range[i];

		if (other->base > end || end_of(other) < base) {
			i++;
			continue;
		}
		base = other->base < base ? other->base : base;
		end = end_of(other) > end ? end_of(other) : end;
		delete_at(ram, i);
	}
	insert(ram, base, end - base);
}

void board_ram_remove(struct board_ram *ram, uint64_t base, uint64_t size)
{
	if (size == 0 || base >= ADDRESS_LIMIT)
		return;
	const uint64_t last = size > ADDRESS_LIMIT - base ? ADDRESS_LIMIT : base + size;
	const uint64_t start = align_down(base, PAGE_SIZE), end = align_up(last, PAGE_SIZE);

	for (uint32_t i = 0; i < ram->count;) {
		struct board_range *range = &ram->range[i];
		const uint64_t tail = end_of(range);

		if (range->base >= end || tail <= start) {
			i++;
			continue;
		}
		if (range->base < start) {
			range->size = start - range->base;
			i++;
		} else {
			delete_at(ram, i);
		}
		if (tail > end) {
			insert(ram, end, tail - end);
			return; // nothing after it can overlap: it was one range
		}
	}
}

void board_ram_remove_except(struct board_ram *ram, uint64_t base, uint64_t size,
                             const struct board_range *keep, unsigned count)
{
	const uint64_t end = size > UINT64_MAX - base ? UINT64_MAX : base + size;

	// Each turn takes out the piece up to the nearest range to keep, then steps over that one.
	while (base < end) {
		uint64_t stop = end, resume = end;

		for (unsigned i = 0; i < count; i++) {
			const uint64_t first = align_down(keep[i].base, PAGE_SIZE);
			const uint64_t past = align_up(end_of(&keep[i]), PAGE_SIZE);

			if (keep[i].size == 0 || past <= base || first >= stop)
				continue;
			stop = first > base ? first : base;
			resume = past;
		}
		board_ram_remove(ram, base, stop - base);
		base = resume;
	}
}

void board_ram_finish(struct board_ram *ram, struct board *board)
{
	for (uint32_t i = 0; i < ram->count;) {
		struct board_range *range = &ram->range[i];
		const uint64_t start = align_up(range->base, PAGE_SIZE);
		const uint64_t end = align_down(end_of(range), PAGE_SIZE);

		if (start >= end) {
			delete_at(ram, i);
			continue;
		}
		*range = (struct board_range){start, end - start};
		i++;
	}
	while (ram->count > BOARD_MAX_RAM) {
		const uint32_t victim = smallest(ram);

		ram->dropped += ram->range[victim].size;
		delete_at(ram, victim);
	}
	board->nr_ram = ram->count;
	memcpy(board->ram, ram->range, ram->count * sizeof(ram->range[0]));
	board->ram_dropped = ram->dropped;
}
