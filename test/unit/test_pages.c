// SPDX-License-Identifier: Apache-2.0
// The page allocator from inside: after each step the free lists are walked and held against what the
// header of pages.c promises, and against a model that knows who has which page.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake.h"
#include "ram_arena.h"

#include "../../src/mem/pages.c" // NOLINT(bugprone-suspicious-include): its lists are looked at

#define FRAMES     (UINT64_C(1) << 16) // 256 MiB from address 0 on
#define TOP        (UINT64_C(1) << PAGES_MAX_ORDER)
#define ARENA_SIZE MIB(16)

static struct page *array;
static jmp_buf halted;

void cpu_halt(void)
{
	panicking = false;
	longjmp(halted, 1);
}

void console_write(const char *text, size_t length)
{
	(void)text;
	(void)length;
}

// A board without RAM, as at the start of a program.
static int start(void **state)
{
	(void)state;
	fake_reset();
	lock = (struct spinlock)SPINLOCK_INIT(LOCK_PAGES);
	memset(free_list, 0, sizeof free_list);
	zeroed_list = zeroed_count = preparing = 0;
	prepare_pa = prepare_done = highest = 0;
	counts = (struct pages_count){.committed = BIT_U64(PAGES_MAX_ORDER)};
	memset(usage, 0, sizeof usage);
	nr_extents = 0;
	array = calloc(FRAMES, sizeof *array);
	pages_init(array);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	free(array);
	return 0;
}

static void audit_chunk(uint32_t frame, unsigned order, enum page_state state)
{
	assert_true(frame != 0 && frame + BIT_U64(order) <= highest);
	assert_true(is_aligned(frame, BIT_U64(order)));
	assert_int_equal(map[frame].state, state);
	assert_int_equal(map[frame].order, order);
	assert_int_equal(map[frame].owner, OWNER_NONE);
	for (uint32_t i = 1; i < BIT_U64(order); i++) // none can be taken for a chunk of its own
		assert_true(map[frame + i].state == PAGE_ABSENT ||
		            map[frame + i].order == ORDER_TAIL);
	if (map[frame].next != 0)
		assert_int_equal(map[map[frame].next].prev, frame);
}

// What pages.c promises of its lists at any time.
static void audit(void)
{
	uint64_t nr_free = 0, nr_zeroed = 0;
	for (unsigned order = 0; order <= PAGES_MAX_ORDER; order++) {
		for (uint32_t f = free_list[order]; f != 0; f = map[f].next) {
			uint32_t buddy = f ^ (uint32_t)BIT_U64(order);
			audit_chunk(f, order, PAGE_FREE);
			if (order < PAGES_MAX_ORDER)
				assert_false(buddy < highest && map[buddy].state == PAGE_FREE &&
				             map[buddy].order == order);
			nr_free += BIT_U64(order);
		}
	}
	for (uint32_t f = zeroed_list; f != 0; f = map[f].next) {
		audit_chunk(f, PAGES_MAX_ORDER, PAGE_ZEROED);
		nr_zeroed += TOP;
	}
	assert_int_equal(zeroed_count * TOP, nr_zeroed);
	assert_int_equal(pages_counts().free, nr_free + nr_zeroed);
	assert_int_equal(pages_counts().zeroed, nr_zeroed);
	assert_int_equal(lock.next, lock.serving);
}

static unsigned chunks_of(unsigned order)
{
	unsigned n = 0;
	for (uint32_t f = free_list[order]; f != 0; f = map[f].next)
		n++;
	return n;
}

static void test_ranges_become_the_largest_chunks(void **state)
{
	(void)state;
	// 3..1027: 1 + 4 + 8 + ... up to the first 2 MiB boundary, one block, then 2 + 1.
	pages_add(PA(3 * PAGE_SIZE), 1024 * PAGE_SIZE);
	audit();
	assert_int_equal(pages_counts().total, 1024);
	assert_int_equal(pages_counts().free, 1024);
	static const unsigned expected[] = {2, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	for (unsigned order = 0; order <= PAGES_MAX_ORDER; order++)
		assert_int_equal(chunks_of(order), expected[order]);
}

static void test_neighbours_join(void **state)
{
	(void)state;
	pages_add(PA(BLOCK_SIZE), KIB(4));
	pages_add(PA(BLOCK_SIZE + KIB(4)), KIB(4));
	audit();
	assert_int_equal(chunks_of(1), 1);
	assert_int_equal(chunks_of(0), 0);
	// A gap stays a gap: what was never added has no state.
	pages_add(PA(BLOCK_SIZE + KIB(12)), KIB(4));
	audit();
	assert_int_equal(chunks_of(0), 1);
	assert_int_equal(chunks_of(1), 1);
	pages_add(PA(BLOCK_SIZE + KIB(8)), KIB(4));
	audit();
	assert_int_equal(chunks_of(2), 1);
}

// Behind the last page there is no entry to look at: the sanitizer watches the array's end.
static void test_the_array_ends_with_the_ram(void **state)
{
	(void)state;
	for (unsigned pages = 1; pages < 64; pages++) {
		finish(state);
		start(state);
		free(array);
		array = calloc(TOP + pages, sizeof *array);
		pages_init(array);
		pages_add(PA(BLOCK_SIZE), pages * PAGE_SIZE);
		audit();
		for (unsigned i = 0; i < pages; i++)
			assert_true(pages_alloc(0, 1, PAGE_DATA, NULL).v != 0);
		for (unsigned i = 0; i < pages; i++)
			pages_free(PA(BLOCK_SIZE + i * PAGE_SIZE), NULL);
		audit();
	}
}

static void test_page_0_is_nobodys(void **state)
{
	(void)state;
	pages_add(PA(0), KIB(64));
	audit();
	assert_int_equal(pages_counts().total, 15);
	for (unsigned i = 0; i < 15; i++)
		assert_true(pages_alloc(0, 1, PAGE_DATA, NULL).v != 0);
	assert_int_equal(pages_alloc(0, 1, PAGE_DATA, NULL).v, 0);
	assert_int_equal(pages_counts().free, 0);
}

static void test_ram_beyond_32_bits_of_pages_is_left_out(void **state)
{
	(void)state;
	const uint64_t end = UINT64_C(1) << 44;
	pages_add(PA(end), MIB(2));
	pages_add(PA(UINT64_C(1) << 46), GIB(1));
	assert_int_equal(pages_counts().total, 0);
	pages_claim(PA(end), MIB(2), OWNER_EL2, PAGE_BOOT);
	assert_int_equal(array[0].state, PAGE_ABSENT);
	assert_null(pages_entry(PA(end)));
}

static void test_entries_say_who_has_what(void **state)
{
	struct page_list list = {0};
	(void)state;
	pages_add(PA(BLOCK_SIZE), 2 * BLOCK_SIZE);
	for (unsigned order = 0; order <= PAGES_MAX_ORDER; order++) {
		pa_t chunk = pages_alloc(order, (uint16_t)(7 + order), PAGE_GUEST, &list);
		assert_true(chunk.v != 0 && is_aligned(chunk.v, PAGE_SIZE << order));
		struct page *page = pages_entry(chunk);
		assert_int_equal(list.first, chunk.v >> PAGE_SHIFT);
		for (uint32_t i = 0; i < BIT_U64(order); i++) {
			assert_int_equal(page[i].owner, 7 + order);
			assert_int_equal(page[i].state, PAGE_GUEST);
			assert_int_equal(page[i].order, i == 0 ? order : ORDER_TAIL);
			assert_int_equal(page[i].refs, 0);
		}
		page->refs = 99;
		audit();
		pages_free(chunk, &list);
		assert_int_equal(list.first, 0);
		audit();
	}
	assert_int_equal(chunks_of(PAGES_MAX_ORDER), 2);
	assert_null(pages_entry(PA(3 * BLOCK_SIZE)));
	assert_non_null(pages_entry(PA(3 * BLOCK_SIZE - 1)));
}

static void test_what_boot_claims_is_not_given(void **state)
{
	(void)state;
	pages_add(PA(BLOCK_SIZE), KIB(64));
	pages_claim(PA(BLOCK_SIZE + KIB(64)), KIB(64), OWNER_BUNDLE, PAGE_BOOT);
	pages_add(PA(BLOCK_SIZE + KIB(128)), KIB(128));
	audit();
	for (uint64_t at = KIB(64); at < KIB(128); at += KIB(4)) {
		assert_int_equal(pages_entry(PA(BLOCK_SIZE + at))->owner, OWNER_BUNDLE);
		assert_int_equal(pages_entry(PA(BLOCK_SIZE + at))->state, PAGE_BOOT);
	}
	pa_t chunk;
	while ((chunk = pages_alloc(0, 1, PAGE_GUEST, NULL)).v != 0)
		assert_false(range_contains(BLOCK_SIZE + KIB(64), KIB(64), chunk.v, KIB(4)));
	assert_int_equal(pages_counts().free, 0);
}

static void test_double_free_is_a_bug_of_ours(void **state)
{
	(void)state;
	pages_add(PA(BLOCK_SIZE), BLOCK_SIZE);
	pa_t chunk = pages_alloc(2, 1, PAGE_GUEST, NULL);
	pages_free(chunk, NULL);
	if (setjmp(halted) == 0) {
		pages_free(chunk, NULL);
		fail_msg("a chunk was freed twice");
	}
}

static void test_a_tail_is_not_a_chunk(void **state)
{
	(void)state;
	pages_add(PA(BLOCK_SIZE), BLOCK_SIZE);
	pa_t chunk = pages_alloc(2, 1, PAGE_GUEST, NULL);
	if (setjmp(halted) == 0) {
		pages_free(PA(chunk.v + PAGE_SIZE), NULL);
		fail_msg("the middle of a chunk was freed");
	}
}

// ---- promises ----

static void test_promises_add_up(void **state)
{
	(void)state;
	pages_add(PA(BLOCK_SIZE), 4 * BLOCK_SIZE);
	uint64_t room = pages_counts().total - pages_counts().committed;
	assert_int_equal(pages_commit(room + 1), ERR_NO_MEMORY);
	assert_int_equal(pages_commit(UINT64_MAX), ERR_NO_MEMORY);
	assert_int_equal(pages_commit(UINT64_MAX - room), ERR_NO_MEMORY);
	assert_int_equal(pages_commit(0), 0);
	assert_int_equal(pages_commit(room - 10), 0);
	assert_int_equal(pages_commit(11), ERR_NO_MEMORY);
	assert_int_equal(pages_commit(UINT64_MAX - (room - 10) + 1), ERR_NO_MEMORY); // wraps to 0
	assert_int_equal(pages_commit(10), 0);
	assert_int_equal(pages_commit(1), ERR_NO_MEMORY);
	pages_uncommit(room);
	assert_int_equal(pages_commit(room), 0);
	pages_uncommit(room);
}

// What EL2 takes for itself can be nobody else's: a VM that is admitted gets all it was promised.
static void test_promises_leave_out_what_el2_has(void **state)
{
	(void)state;
	pages_add(PA(BLOCK_SIZE), 4 * BLOCK_SIZE);
	uint64_t room = pages_counts().total - pages_counts().committed;
	pa_t own = pages_alloc(3, OWNER_EL2, PAGE_DATA, NULL);
	pa_t tree = pages_alloc(2, OWNER_BUNDLE, PAGE_BOOT, NULL);
	assert_int_equal(pages_commit(room - 11), ERR_NO_MEMORY);
	assert_int_equal(pages_commit(room - 12), 0);
	assert_true(pages_alloc(0, 1, PAGE_GUEST, NULL).v != 0); // that one was promised
	assert_int_equal(pages_commit(1), ERR_NO_MEMORY);
	pages_free(own, NULL);
	pages_free(tree, NULL);
	assert_int_equal(pages_commit(12), 0);
	assert_int_equal(pages_commit(1), ERR_NO_MEMORY);
}

static void arena(void);

static void test_promises_are_kept_while_a_block_is_prepared(void **state)
{
	(void)state;
	arena();
	uint64_t promised = pages_counts().total - pages_counts().committed;
	assert_int_equal(pages_commit(promised), 0);
	assert_true(pages_prepare()); // and no CPU is idle from here on
	for (uint64_t i = 0; i < promised; i++)
		assert_true(pages_alloc(0, 1, PAGE_GUEST, NULL).v != 0);
}

// ---- the pool of zeroed blocks ----

static void arena(void)
{
	static bool mapped;
	if (!mapped)
		ram_arena_map(RAM_ARENA_BASE, ARENA_SIZE);
	mapped = true;
	memset((void *)RAM_ARENA_BASE, 0xa5, ARENA_SIZE);
	free(array);
	array = calloc((RAM_ARENA_BASE + ARENA_SIZE) >> PAGE_SHIFT, sizeof *array);
	pages_init(array);
	pages_add(PA(RAM_ARENA_BASE), ARENA_SIZE);
}

static bool all_zero(uint64_t from, uint64_t size)
{
	const uint64_t *word = (const uint64_t *)from;
	for (uint64_t i = 0; from != 0 && i < size / 8; i++)
		if (word[i] != 0)
			return false;
	return from != 0;
}

// Every line of the range was zeroed, then cleaned, then waited for.
static void assert_cleaned(uint64_t from, uint64_t size)
{
	unsigned zeroed = 0, cleaned = 0;
	bool waited = false;
	for (size_t i = 0; i < fake_log_count; i++) {
		const struct fake_event *e = &fake_log[i];
		if (e->kind == FAKE_BARRIER && strcmp(e->name, "dsb sy") == 0)
			waited = cleaned == size / 64;
		if (e->kind != FAKE_OTHER || e->address < from || e->address >= from + size)
			continue;
		if (strcmp(e->name, "dc zva") == 0) {
			assert_int_equal(cleaned, 0);
			zeroed++;
		}
		if (strcmp(e->name, "dc civac") == 0)
			cleaned++;
	}
	assert_int_equal(zeroed, size / 64);
	assert_int_equal(cleaned, size / 64);
	assert_true(waited);
}

// Bytes that were zeroed since the log was empty: all of them cleaned after, and waited for.
static uint64_t zeroed_bytes(void)
{
	uint64_t zeroed = 0, cleaned = 0, waited = 0;
	for (size_t i = 0; i < fake_log_count; i++) {
		const struct fake_event *e = &fake_log[i];
		zeroed += e->name != NULL && strcmp(e->name, "dc zva") == 0 ? 64 : 0;
		cleaned += e->name != NULL && strcmp(e->name, "dc civac") == 0 ? 64 : 0;
		if (e->kind == FAKE_BARRIER && strcmp(e->name, "dsb sy") == 0)
			waited = cleaned;
	}
	assert_int_equal(cleaned, zeroed);
	assert_int_equal(waited, zeroed);
	return zeroed;
}

static void test_lists_are_scrubbed_in_pieces(void **state)
{
	struct page_list list = {0};
	static pa_t chunk[100];
	static unsigned order[100];
	uint64_t all = 0, done = 0;
	bool more = true;
	(void)state;
	arena();
	srand(2);
	for (unsigned i = 0; i < 100; i++) {
		order[i] = i % 25 == 0 ? PAGES_MAX_ORDER : (unsigned)rand() % 6;
		chunk[i] = pages_alloc(order[i], 3, PAGE_GUEST, &list);
		assert_true(chunk[i].v != 0);
		all += PAGE_SIZE << order[i];
	}
	uint64_t before = pages_counts().free;
	while (more) {
		fake_log_count = 0;
		more = pages_scrub_some(&list);
		uint64_t bytes = zeroed_bytes();
		assert_true(bytes <= KIB(64) && (bytes == KIB(64) || !more));
		done += bytes;
		// Given back is at most what was zeroed; a block comes at its end.
		assert_true((pages_counts().free - before) * PAGE_SIZE <= done);
		audit();
	}
	assert_int_equal(done, all);
	assert_false(pages_scrub_some(&list));
	assert_int_equal(list.first, 0);
	assert_int_equal(list.scrubbed, 0);
	assert_int_equal(pages_counts().free, pages_counts().total);
	for (unsigned i = 0; i < 100; i++)
		assert_true(all_zero(chunk[i].v, PAGE_SIZE << order[i]));
}

// What VMs leave is ready for the next ones, however much it is, and idle time has nothing to do.
static void test_scrubbed_blocks_are_ready(void **state)
{
	struct page_list list = {0};
	(void)state;
	arena();
	while (pages_alloc(PAGES_MAX_ORDER, 3, PAGE_GUEST, &list).v != 0)
		;
	memset((void *)RAM_ARENA_BASE, 0x77, ARENA_SIZE);
	zeroed_count = POOL_BLOCKS;
	unsigned calls = 1;
	for (fake_log_count = 0; pages_scrub_some(&list); calls++)
		fake_log_count = 0;
	assert_int_equal(calls, ARENA_SIZE / KIB(64));
	assert_int_equal(zeroed_count, POOL_BLOCKS + ARENA_SIZE / BLOCK_SIZE);
	zeroed_count -= POOL_BLOCKS;
	audit();
	assert_int_equal(pages_counts().zeroed, pages_counts().total);
	assert_false(pages_prepare());
	for (unsigned i = 0; i < ARENA_SIZE / BLOCK_SIZE; i++) {
		pa_t block = pages_alloc_zeroed(5, PAGE_GUEST, NULL);
		assert_true(block.v != 0 && all_zero(block.v, BLOCK_SIZE));
		for (uint64_t o = 0; o < BLOCK_SIZE; o += PAGE_SIZE)
			assert_int_equal(pages_entry(PA(block.v + o))->owner, 5);
	}
	assert_int_equal(pages_alloc_zeroed(5, PAGE_GUEST, NULL).v, 0);
}

static void test_a_scrubbed_chunk_joins_its_neighbours(void **state)
{
	struct page_list list = {0};
	(void)state;
	arena();
	unsigned blocks = chunks_of(PAGES_MAX_ORDER);
	for (uint64_t i = 0; i < TOP; i++)
		assert_true(pages_alloc(0, 3, PAGE_TABLE, &list).v != 0);
	assert_int_equal(chunks_of(PAGES_MAX_ORDER), blocks - 1);
	while (pages_scrub_some(&list))
		fake_log_count = 0;
	audit();
	assert_int_equal(chunks_of(PAGES_MAX_ORDER), blocks);
	assert_int_equal(pages_counts().zeroed, 0);
}

// How far it came is known of the first chunk alone: if another one is that, it begins anew.
static void test_scrubbing_begins_again_with_another_chunk(void **state)
{
	struct page_list list = {0};
	(void)state;
	arena();
	pa_t block = pages_alloc(PAGES_MAX_ORDER, 3, PAGE_GUEST, &list);
	for (unsigned i = 0; i < 3; i++)
		assert_true(pages_scrub_some(&list));
	assert_int_equal(list.scrubbed, 3 * 16);
	pa_t page = pages_alloc(6, 3, PAGE_GUEST, &list);
	memset((void *)page.v, 0x44, PAGE_SIZE << 6);
	assert_true(pages_scrub_some(&list));
	pages_free(pages_alloc(0, 3, PAGE_GUEST, NULL), NULL); // not of the list
	pa_t lone = pages_alloc(6, 3, PAGE_GUEST, &list);
	memset((void *)lone.v, 0x44, PAGE_SIZE << 6);
	pages_free(page, &list);
	while (pages_scrub_some(&list))
		fake_log_count = 0;
	assert_true(all_zero(block.v, BLOCK_SIZE));
	assert_true(all_zero(lone.v, PAGE_SIZE << 6));
	audit();
	assert_int_equal(pages_counts().free, pages_counts().total);
}

static void test_one_small_chunk_is_scrubbed(void **state)
{
	struct page_list list = {0};
	(void)state;
	arena();
	for (unsigned order = 0; order <= 4; order++) {
		pa_t chunk = pages_alloc(order, 3, PAGE_TABLE, &list);
		fake_log_count = 0;
		pages_scrub(chunk, &list);
		assert_cleaned(chunk.v, PAGE_SIZE << order);
		assert_true(all_zero(chunk.v, PAGE_SIZE << order));
		audit();
	}
	assert_int_equal(pages_counts().free, pages_counts().total);
}

static void test_a_large_chunk_is_not_scrubbed_at_once(void **state)
{
	(void)state;
	arena();
	pa_t chunk = pages_alloc(5, 3, PAGE_GUEST, NULL);
	if (setjmp(halted) == 0) {
		pages_scrub(chunk, NULL);
		fail_msg("128 KiB were zeroed in one step");
	}
}

static void test_idle_time_zeroes_blocks_in_pieces(void **state)
{
	(void)state;
	arena();
	unsigned steps = 0, blocks = 0;
	for (;; steps++) {
		fake_log_count = 0;
		uint64_t zeroed = pages_counts().zeroed;
		if (!pages_prepare())
			break;
		const struct fake_event *first = &fake_log[fake_find(0, FAKE_OTHER, "dc zva")];
		assert_true(is_aligned(first->address, KIB(64)));
		assert_cleaned(first->address, KIB(64)); // no more, no less
		blocks += pages_counts().zeroed != zeroed;
		audit();
	}
	assert_int_equal(blocks, ARENA_SIZE / BLOCK_SIZE);
	assert_int_equal(steps, ARENA_SIZE / KIB(64));
	assert_int_equal(pages_counts().free, pages_counts().total);
	for (unsigned i = 0; i < blocks; i++) {
		pa_t block = pages_alloc_zeroed(5, PAGE_GUEST, NULL);
		assert_true(block.v != 0 && is_aligned(block.v, BLOCK_SIZE));
		assert_true(all_zero(block.v, BLOCK_SIZE));
		assert_int_equal(pages_entry(block)->owner, 5);
		assert_int_equal(pages_entry(PA(block.v + BLOCK_SIZE - 1))->state, PAGE_GUEST);
		audit();
	}
	assert_int_equal(pages_alloc_zeroed(5, PAGE_GUEST, NULL).v, 0);
	assert_int_equal(pages_counts().free, 0);
}

static void test_the_pool_is_the_last_reserve(void **state)
{
	(void)state;
	arena();
	for (unsigned i = 0; i < 3 * 32; i++) // three of the eight blocks
		assert_true(pages_prepare());
	assert_int_equal(pages_counts().zeroed, 3 * TOP);
	for (uint64_t i = 0; i < 5 * TOP; i++) {
		assert_true(pages_alloc(0, 1, PAGE_GUEST, NULL).v != 0);
		assert_int_equal(pages_counts().zeroed, 3 * TOP);
	}
	assert_true(pages_alloc(0, 1, PAGE_GUEST, NULL).v != 0);
	assert_int_equal(pages_counts().zeroed, 2 * TOP);
	audit();
	assert_true(pages_alloc(PAGES_MAX_ORDER, 1, PAGE_GUEST, NULL).v != 0);
	assert_int_equal(pages_counts().zeroed, TOP);
	audit();
}

static void test_one_cpu_prepares_at_a_time(void **state)
{
	(void)state;
	arena();
	preparing = 1;
	assert_false(pages_prepare());
	assert_int_equal(fake_log_count, 0);
	preparing = 0;
	assert_true(pages_prepare());
	assert_int_equal(preparing, 0);
}

static void test_the_pool_has_an_end(void **state)
{
	(void)state;
	arena();
	zeroed_count = POOL_BLOCKS;
	assert_false(pages_prepare());
	zeroed_count = POOL_BLOCKS - 1;
	assert_true(pages_prepare());
	zeroed_count = 0;
}

// ---- against a model ----

#define SLOTS 200

static uint16_t model[FRAMES]; // owner of each page as the model sees it
static struct {
	pa_t pa;
	unsigned order;
	uint16_t owner;
} slot[SLOTS];

static void model_take(unsigned i, pa_t pa, unsigned order, uint16_t owner)
{
	slot[i].pa = pa;
	slot[i].order = order;
	slot[i].owner = owner;
	for (uint64_t f = pa.v >> PAGE_SHIFT; f < (pa.v >> PAGE_SHIFT) + BIT_U64(order); f++) {
		assert_int_equal(model[f], OWNER_NONE);
		model[f] = owner;
	}
}

static void model_give(unsigned i, struct page_list lists[4])
{
	uint64_t first = slot[i].pa.v >> PAGE_SHIFT;
	for (uint64_t f = first; f < first + BIT_U64(slot[i].order); f++) {
		assert_int_equal(model[f], slot[i].owner);
		assert_int_equal(map[f].owner, slot[i].owner);
		model[f] = OWNER_NONE;
	}
	pages_free(slot[i].pa, &lists[slot[i].owner - 1]);
	slot[i].order = 0;
	slot[i].pa.v = 0;
}

static void test_random_use_against_a_model(void **state)
{
	static const struct {
		uint64_t first, pages;
	} regions[] = {{1, 2999}, {3001, 7}, {4096, 2048}, {8000, 1333}, {20480, 5000}};
	struct page_list lists[4] = {0};
	unsigned initial[PAGES_MAX_ORDER + 1];
	(void)state;
	srand(1);
	memset(slot, 0, sizeof slot);
	for (uint64_t f = 0; f < FRAMES; f++)
		model[f] = OWNER_EL2;
	for (unsigned r = 0; r < ARRAY_SIZE(regions); r++) {
		pages_add(PA(regions[r].first * PAGE_SIZE), regions[r].pages * PAGE_SIZE);
		for (uint64_t f = 0; f < regions[r].pages; f++)
			model[regions[r].first + f] = OWNER_NONE;
	}
	for (unsigned order = 0; order <= PAGES_MAX_ORDER; order++)
		initial[order] = chunks_of(order);
	unsigned refused = 0;
	for (unsigned step = 0; step < 60000; step++) {
		unsigned i = (unsigned)rand() % SLOTS;
		if (slot[i].pa.v != 0) {
			model_give(i, lists);
		} else {
			unsigned order = (unsigned)rand() % (PAGES_MAX_ORDER + 1);
			uint16_t owner = (uint16_t)(1 + rand() % 4);
			pa_t pa = pages_alloc(order, owner, PAGE_GUEST, &lists[owner - 1]);
			refused += pa.v == 0;
			if (pa.v != 0)
				model_take(i, pa, order, owner);
			else // a refusal is honest: no chunk of that size or above is there
				for (unsigned o = order; o <= PAGES_MAX_ORDER; o++)
					assert_int_equal(free_list[o], 0);
		}
		if (step % 64 == 0)
			audit();
	}
	assert_true(refused > 100);
	for (unsigned i = 0; i < SLOTS; i++)
		if (slot[i].pa.v != 0)
			model_give(i, lists);
	audit();
	assert_int_equal(pages_counts().free, pages_counts().total);
	for (unsigned order = 0; order <= PAGES_MAX_ORDER; order++)
		assert_int_equal(chunks_of(order), initial[order]);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(lists[i].first, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)

// ---- who has what ----

static void assert_usage(uint16_t owner, uint32_t data, uint32_t table, uint32_t guest,
                         uint32_t boot)
{
	struct pages_usage now = pages_usage(owner);
	assert_int_equal(now.data, data);
	assert_int_equal(now.table, table);
	assert_int_equal(now.guest, guest);
	assert_int_equal(now.boot, boot);
}

static void test_each_owners_pages_are_counted(void **state)
{
	(void)state;
	struct page_list list = {0};
	arena();
	pages_claim(PA(BLOCK_SIZE), KIB(64), OWNER_EL2, PAGE_BOOT);
	assert_usage(OWNER_EL2, 0, 0, 0, 16);
	pages_claim(PA(BLOCK_SIZE + KIB(60)), KIB(8), OWNER_BUNDLE, PAGE_BOOT); // a page is shared
	assert_usage(OWNER_EL2, 0, 0, 0, 15);
	assert_usage(OWNER_BUNDLE, 0, 0, 0, 2);
	assert_int_equal(pages_counts().claimed, 17);
	assert_usage(1, 0, 0, 0, 0);
	(void)pages_alloc(9, 1, PAGE_GUEST, &list);
	(void)pages_alloc(0, 1, PAGE_TABLE, &list);
	(void)pages_alloc(3, 1, PAGE_DATA, &list);
	pa_t other = pages_alloc(4, OWNER_VM_MAX, PAGE_GUEST, NULL);
	assert_usage(1, 8, 1, 512, 0);
	assert_usage(OWNER_VM_MAX, 0, 0, 16, 0);
	uint32_t changes = pages_usage(1).changes, all = pages_usage(OWNER_NONE).changes;
	pages_free(other, NULL);
	assert_int_equal(pages_usage(1).changes, changes);
	assert_int_not_equal(pages_usage(OWNER_NONE).changes, all);
	while (pages_scrub_some(&list))
		;
	assert_int_not_equal(pages_usage(1).changes, changes);
	assert_usage(1, 0, 0, 0, 0);
	assert_usage(OWNER_VM_MAX, 0, 0, 0, 0);
	while (pages_prepare()) // the block that is being zeroed is EL2's for the time
		assert_true(pages_usage(OWNER_EL2).data % TOP == 0);
	assert_usage(OWNER_EL2, 0, 0, 0, 15);
	assert_usage(OWNER_VM_MAX + 1, 0, 0, 0, 0);
	assert_usage(0xfffd, 0, 0, 0, 0);
}

static void assert_regions(unsigned count, const uint64_t (*wanted)[2])
{
	uint64_t first, end;
	for (unsigned i = 0; i < count; i++) {
		assert_true(pages_region(i, &first, &end));
		assert_int_equal(first, wanted[i][0]);
		assert_int_equal(end, wanted[i][1]);
	}
	assert_false(pages_region(count, &first, &end));
}

static void test_regions_join(void **state)
{
	(void)state;
	uint64_t first, end;
	assert_false(pages_region(0, &first, &end));
	pages_add(PA(0x10000), 0x4000);
	pages_add(PA(0x30000), 0x4000);
	pages_add(PA(0x20000), 0x4000);
	assert_regions(3, (const uint64_t[][2]){{0x10, 0x14}, {0x20, 0x24}, {0x30, 0x34}});
	pages_claim(PA(0x14000), 0x1000, OWNER_EL2, PAGE_BOOT);
	pages_claim(PA(0x1f000), 0x1000, OWNER_EL2, PAGE_BOOT);
	assert_regions(3, (const uint64_t[][2]){{0x10, 0x15}, {0x1f, 0x24}, {0x30, 0x34}});
	pages_claim(PA(0x24000), 0xc000, OWNER_EL2, PAGE_BOOT); // closes the gap
	assert_regions(2, (const uint64_t[][2]){{0x10, 0x15}, {0x1f, 0x34}});
	pages_claim(PA(0x12000), 0x20000, OWNER_BUNDLE, PAGE_BOOT); // over all of them
	assert_regions(1, (const uint64_t[][2]){{0x10, 0x34}});
	pages_add(PA(0), 0x2000); // page 0 is nobody's
	assert_regions(2, (const uint64_t[][2]){{1, 2}, {0x10, 0x34}});
	for (uint64_t i = 0; i < 2 * PAGES_MAX_REGIONS; i++)
		pages_add(PA(0x100000 + i * 0x10000), 0x1000);
	assert_true(pages_region(PAGES_MAX_REGIONS - 1, &first, &end));
	assert_false(pages_region(PAGES_MAX_REGIONS, &first, &end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_ranges_become_the_largest_chunks),
	        TEST(test_neighbours_join),
	        TEST(test_the_array_ends_with_the_ram),
	        TEST(test_page_0_is_nobodys),
	        TEST(test_ram_beyond_32_bits_of_pages_is_left_out),
	        TEST(test_entries_say_who_has_what),
	        TEST(test_what_boot_claims_is_not_given),
	        TEST(test_each_owners_pages_are_counted),
	        TEST(test_regions_join),
	        TEST(test_double_free_is_a_bug_of_ours),
	        TEST(test_a_tail_is_not_a_chunk),
	        TEST(test_lists_are_scrubbed_in_pieces),
	        TEST(test_scrubbed_blocks_are_ready),
	        TEST(test_a_scrubbed_chunk_joins_its_neighbours),
	        TEST(test_scrubbing_begins_again_with_another_chunk),
	        TEST(test_one_small_chunk_is_scrubbed),
	        TEST(test_a_large_chunk_is_not_scrubbed_at_once),
	        TEST(test_promises_add_up),
	        TEST(test_promises_leave_out_what_el2_has),
	        TEST(test_promises_are_kept_while_a_block_is_prepared),
	        TEST(test_idle_time_zeroes_blocks_in_pieces),
	        TEST(test_the_pool_is_the_last_reserve),
	        TEST(test_one_cpu_prepares_at_a_time),
	        TEST(test_the_pool_has_an_end),
	        TEST(test_random_use_against_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
