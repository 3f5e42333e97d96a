// SPDX-License-Identifier: Apache-2.0
/*
 * Class H33: a balloon that is given what no driver gives. Under Mezzo the machine has one (suite.py), whose pages are free
 * for other machines in whole blocks of 2 MiB, so the cases give away one in which nothing is.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Traditional Memory Balloon Device".
 */
#include "rings.h"

#define F_REPORTING BIT(5)
#define INFLATE     0u
#define REPORTING   2u
#define SPARE_PAGES (SPARE_BYTES / PAGE_BYTES)
#define ROOM        (SPARE + SPARE_BYTES) /* for what does not fit elsewhere */

static struct virtio other;

static void balloon_of_others(void)
{
	const u64 pages[] = {0,
	                     platform.gicd >> 12,
	                     (platform.ram_base >> 12) - 1,
	                     ram_end() >> 12,
	                     0x60000,
	                     0x7fffffff,
	                     0xffffffff};
	u32 written;

	for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
		const struct virtio_segment part = {DATA, 4, false};

		rings_begin(&rings_balloon, VIRTIO_ID_BALLOON, 0, 0, 1);
		write32((u64)DATA, (u32)pages[i]);
		virtio_put(&rings_balloon, 0, &part, 1);
		virtio_notify(&rings_balloon, 0);
		want_true(WAIT_FOR(rings_broken(&rings_balloon), ANSWER_US), "page 0x%lx",
		          pages[i]);
	}
	rings_begin(&rings_balloon, VIRTIO_ID_BALLOON, 0, 0, 1);
	want_true(rings_one_back(&rings_balloon, 0, DATA, 3, false, &written),
	          "less than a number");
	want_true(!rings_broken(&rings_balloon), "goes on");
	write32(rings_balloon.base + STATUS, 0);
}

/* The numbers of so many pages from `at` on. */
static u32 put_numbers(const u8 *at, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		write32((u64)ROOM + i * 4, (u32)((u64)at / PAGE_BYTES + i));
	return count * 4;
}

/* It is there, each page with what it held or with zeros and nobody else's bytes, and can be written. */
static void want_spare(const char *what)
{
	for (unsigned i = 0; i < SPARE_PAGES; i++) {
		u8 *page = SPARE + i * PAGE_BYTES;
		u8 first = *page;
		unsigned same = 1;

		while (same < PAGE_BYTES && page[same] == first)
			same++;
		want_true(first == FILL || first == 0, "page %u of %s begins with 0x%x", i, what,
		          first);
		want_eq(same, PAGE_BYTES, "bytes alike of page %u of %s", i, what);
		*page = (u8)i;
		want_eq(*(volatile u8 *)page, (u8)i, "page %u written after %s", i, what);
	}
}

static void begin_balloon(void)
{
	rings_place(&rings_balloon, VIRTIO_ID_BALLOON, 0, REPORTING, ROOM + 4 * PAGE_BYTES);
	rings_begin(&rings_balloon, VIRTIO_ID_BALLOON, 0, F_REPORTING,
	            BIT(INFLATE) | BIT(REPORTING));
	rings_fill(SPARE, SPARE_BYTES);
}

static void given_thrice(void)
{
	u32 written, bytes;

	begin_balloon();
	for (unsigned i = 0; i < 3; i++)
		write32((u64)ROOM + i * 4, (u32)((u64)SPARE / PAGE_BYTES));
	for (unsigned i = 0; i < 3; i++)
		want_true(rings_one_back(&rings_balloon, INFLATE, ROOM, 12, false, &written),
		          "one page thrice");
	want_spare("a page given thrice");
	for (unsigned i = 0; i < 3; i++) {
		rings_fill(SPARE, SPARE_BYTES);
		bytes = put_numbers(SPARE, SPARE_PAGES);
		want_true(rings_one_back(&rings_balloon, INFLATE, ROOM, bytes, false, &written),
		          "a whole block");
		want_true(rings_one_back(&rings_balloon, INFLATE, ROOM, bytes, false, &written),
		          "the same block");
		want_spare("a block given twice");
	}
	want_true(!rings_broken(&rings_balloon), "goes on");
	write32(rings_balloon.base + STATUS, 0);
}

/* Another device's ring lies in the block: it would go on there, whoever has the block next. */
static void ring_in_it(void)
{
	const struct virtio_segment report = {SPARE, SPARE_BYTES, true};
	const struct virtio_segment numbers = {ROOM, SPARE_PAGES * 4, false};

	for (unsigned queue = INFLATE; queue <= REPORTING; queue += REPORTING) {
		begin_balloon();
		rings_place(&other, VIRTIO_ID_BLOCK, 0, 0, SPARE + 8 * PAGE_BYTES);
		rings_begin(&other, VIRTIO_ID_BLOCK, 0, 0, 1);
		put_numbers(SPARE, SPARE_PAGES);
		virtio_put(&rings_balloon, queue, queue == INFLATE ? &numbers : &report, 1);
		virtio_notify(&rings_balloon, queue);
		want_true(WAIT_FOR(rings_broken(&rings_balloon), ANSWER_US), "queue %u", queue);
		want_true(!rings_broken(&other), "the other device does not");
		write32(other.base + STATUS, 0);
		write32(rings_balloon.base + STATUS, 0);
		want_true(WAIT_FOR(read32(rings_balloon.base + STATUS) == 0, ANSWER_US),
		          "it is reset");
		__builtin_memset((void *)other.queue[0].memory, 0, 2 * PAGE_BYTES);
		want_spare("a block with a ring in it");
	}
}

static void bad_reports(void)
{
	static const struct {
		u64 offset;
		u32 bytes;
		bool write;
	} none[] = {{0, 1, true}, {5, 4095, true}, {1, 4096, true}, {0, SPARE_BYTES, false}};
	const struct virtio_segment last = {(const void *)(ram_end() - 1), 2, true};
	u32 written;

	begin_balloon();
	for (unsigned i = 0; i < ARRAY_LEN(none); i++) {
		want_true(rings_one_back(&rings_balloon, REPORTING, SPARE + none[i].offset,
		                         none[i].bytes, none[i].write, &written),
		          "report %u", i);
		rings_want_whole(SPARE, SPARE_BYTES, "a report of nothing");
	}
	for (unsigned i = 0; i < 3; i++)
		want_true(rings_one_back(&rings_balloon, REPORTING, SPARE, SPARE_BYTES, true,
		                         &written),
		          "one block thrice");
	want_spare("a block reported thrice");
	want_true(!rings_broken(&rings_balloon), "goes on");
	virtio_put(&rings_balloon, REPORTING, &last, 1);
	virtio_notify(&rings_balloon, REPORTING);
	want_true(WAIT_FOR(rings_broken(&rings_balloon), ANSWER_US),
	          "two bytes at the last of RAM");
}

CASES(rows) = {
        {"H33.16", "A balloon is given pages that are not the guest's.", RESET_IT,
         balloon_of_others, NEEDS_MEZZO, 0},
        {"H33.22", "One page, and one block of 2 MiB, given to the balloon again and again.",
         "Each comes back; what is touched is there, as it was or zero.", given_thrice, NEEDS_MEZZO,
         0},
        {"H33.23", "A block is given to the balloon in which the ring of a device is in use.",
         "The balloon needs a reset, the other device does not.", ring_in_it, NEEDS_MEZZO, 0},
        {"H33.24",
         "Reports of free memory that is no page, not to be written, not RAM, free before.",
         "Nothing happens to what is no whole page; one not in RAM needs a reset.", bad_reports,
         NEEDS_MEZZO, 0},
};
