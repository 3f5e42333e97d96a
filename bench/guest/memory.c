// SPDX-License-Identifier: Apache-2.0
/*
 * Rows of memory that nobody has touched yet: the first store to a 2 MiB block, to each 4 KiB page one after the other
 * (where a hypervisor maps more than a page at once, few of these cost anything: the least and the median say which), and
 * one store to each page of 256 MiB in order and in a random order. Where the device tree lies is left out.
 */
#include "bench.h"

#define BLOCKS_AT   (64 * MIB) /* from the start of RAM */
#define BLOCKS      32u
#define PAGES_AT    (192 * MIB)
#define PAGES       1000u
#define SEQUENCE_AT (256 * MIB)
#define RANDOM_AT   (512 * MIB)
#define AREA        (256 * MIB)
#define AREA_PAGES  (AREA / PAGE_BYTES)
#define TREE_BYTES  (2 * MIB)
/* x -> 25173 x + 13849 runs through all numbers below a power of two before it repeats. */
#define MULTIPLIER  25173ul
#define INCREMENT   13849ul

static u64 next_at;

static bool holds_tree(u64 at, u64 bytes)
{
	return at < platform.tree + TREE_BYTES && platform.tree < at + bytes;
}

static const char *begin_at(u64 offset, u64 bytes)
{
	next_at = platform.ram_base + offset;
	return platform.ram_bytes >= offset + bytes ? NULL : "too little memory";
}

static const char *blocks_prepare(void)
{
	return begin_at(BLOCKS_AT, (BLOCKS + 1) * 2 * MIB);
}

static const char *pages_prepare(void)
{
	return begin_at(PAGES_AT, PAGES * PAGE_BYTES);
}

static const char *sequence_prepare(void)
{
	return begin_at(SEQUENCE_AT, AREA);
}

static const char *random_prepare(void)
{
	return begin_at(RANDOM_AT, AREA);
}

static u64 touch(u64 step)
{
	u64 at = next_at;

	while (holds_tree(at, step))
		at += step;
	next_at = at + step;
	return TIMED("str xzr, [%[at]]", [at] "r"(at) : "memory");
}

static u64 touch_block(void)
{
	return touch(2 * MIB);
}

static u64 touch_page(void)
{
	return touch(PAGE_BYTES);
}

static u64 touch_sequence(void)
{
	u64 ticks;

	if (holds_tree(next_at, AREA))
		return SAMPLE_FAILED;
	ticks = TIMED(
	        "mov x9, %[at]\n\tmov x10, %[n]\n"
	        "1:\n\tstr xzr, [x9]\n\tadd x9, x9, #1, lsl #12\n\tsubs x10, x10, #1\n\tb.ne 1b",
	        [at] "r"(next_at), [n] "r"(AREA_PAGES)
	        : "x9", "x10", "cc", "memory");
	return ticks;
}

static u64 touch_random(void)
{
	u64 ticks;

	if (holds_tree(next_at, AREA))
		return SAMPLE_FAILED;
	ticks = TIMED("mov x9, #0\n\tmov x10, %[n]\n"
	              "1:\n\tmadd x9, x9, %[m], %[inc]\n\tand x9, x9, %[mask]\n\tadd x11, %[at], "
	              "x9, lsl #12\n\t"
	              "str xzr, [x11]\n\tsubs x10, x10, #1\n\tb.ne 1b",
	              [at] "r"(next_at), [n] "r"(AREA_PAGES), [m] "r"(MULTIPLIER),
	              [inc] "r"(INCREMENT), [mask] "r"(AREA_PAGES - 1)
	              : "x9", "x10", "x11", "cc", "memory");
	return ticks;
}

const struct row rows_memory[] = {
        {.name = "touch_2m", .prepare = blocks_prepare, .once = touch_block, .most = BLOCKS},
        {.name = "touch_4k", .prepare = pages_prepare, .once = touch_page, .most = PAGES},
        {.name = "touch_256m", .prepare = sequence_prepare, .once = touch_sequence, .most = 1},
        {.name = "touch_256m_random", .prepare = random_prepare, .once = touch_random, .most = 1},
        {0},
};
