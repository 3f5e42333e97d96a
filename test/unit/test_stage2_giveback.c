// SPDX-License-Identifier: Apache-2.0
// What a guest gives back of its memory while it runs: pages of a block, whole blocks, what comes when it touches them
// again, and promises. Under the oracle of order.h.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cache.h"
#include "stage2_bench.h"

static struct page_list given;
static uint64_t unpromised[4], returned;

static void begin(uint64_t ram)
{
	bench_vm(ram);
	given = (struct page_list){0};
	memset(unpromised, 0, sizeof unpromised);
	s2.unpromised = unpromised;
	s2.returned = &returned;
	returned = 512;
}

static bool give(uint64_t ipa, uint64_t size, bool unpromise)
{
	return stage2_give_up(&s2, ipa, size, &given, unpromise);
}

static void free_given(void)
{
	while (pages_scrub_some(&given))
		;
}

static void touch(uint64_t ipa, uint64_t size)
{
	for (uint64_t at = ipa; at < ipa + size; at += PAGE_SIZE)
		assert_int_equal(stage2_fault(&s2, IPA(at)), 0);
}

// A mark of its own in each page.
static void mark(uint64_t ipa, uint64_t size)
{
	for (uint64_t at = ipa; at < ipa + size; at += PAGE_SIZE)
		*(uint64_t *)bench_pa(at) = at;
}
static bool is_marked(uint64_t ipa)
{
	return bench_pa(ipa) != 0 && *(uint64_t *)bench_pa(ipa) == ipa;
}

// Single pages go and come back as zeroes; their neighbours keep what they have.
static void test_single_pages(void **state)
{
	(void)state;
	const uint64_t block = RAM_BASE + MIB(2);
	for (unsigned ready = 0; ready < 2; ready++) {
		begin(MIB(8));
		touch(block, BLOCK_SIZE);
		mark(block, BLOCK_SIZE);
		uint64_t pa = bench_pa(block), mapped = s2.mapped;
		for (unsigned page = 3; page < 512; page += 7)
			assert_false(give(block + page * PAGE_SIZE, PAGE_SIZE, true));
		assert_int_equal(given.first, 0);
		assert_int_equal(s2.mapped, mapped - 73 * PAGE_SIZE);
		for (unsigned page = 0; page < 512; page++) {
			const uint64_t at = block + page * PAGE_SIZE;
			if (page >= 3 && (page - 3) % 7 == 0)
				assert_int_equal(bench_pa(at), 0);
			else
				assert_true(is_marked(at));
		}
		assert_false(give(block + 3 * PAGE_SIZE, PAGE_SIZE, true)); // once more: nothing
		touch(block, BLOCK_SIZE);
		for (unsigned page = 0; page < 512; page++) {
			const uint64_t at = block + page * PAGE_SIZE;
			assert_int_equal(bench_pa(at), pa + page * PAGE_SIZE); // the same block
			if (page >= 3 && (page - 3) % 7 == 0)
				assert_true(bench_zero(at, PAGE_SIZE));
			else
				assert_true(is_marked(at));
		}
		unsigned level;
		(void)pgtable_find(&s2.table, block, &level);
		assert_int_equal(level, 2); // full again
		assert_int_equal(s2.mapped, mapped);
		bench_end(); // leaves a ready block for the second round
	}
}

// The last page of a block takes the block along, in whatever order they go.
static void test_a_block_page_by_page(void **state)
{
	(void)state;
	const uint64_t block = RAM_BASE + MIB(2);
	begin(MIB(8));
	touch(RAM_BASE, MIB(4));
	mark(RAM_BASE, BLOCK_SIZE);
	uint64_t tables = bench_tables(), free = pages_counts().free;
	for (unsigned i = 0; i < 512; i++) {
		unsigned page = i * 5 % 512 == 0 && i != 0 ? 0 : i * 5 % 512;
		assert_int_equal(give(block + page * PAGE_SIZE, PAGE_SIZE, true), i == 511);
	}
	assert_int_equal(bench_tables(), tables); // the one that it needed meanwhile is back
	assert_int_equal(pages_counts().free, free);
	free_given();
	assert_int_equal(pages_counts().free, free + 512);
	assert_int_equal(s2.mapped, BLOCK_SIZE);
	for (unsigned page = 0; page < 512; page++)
		assert_true(is_marked(RAM_BASE + page * PAGE_SIZE));
	assert_int_equal(unpromised[0], 2);
	touch(block, BLOCK_SIZE);
	assert_int_equal(returned, 0);
	assert_int_equal(unpromised[0], 0);
	assert_true(bench_zero(block, BLOCK_SIZE));
	pages_uncommit(512);
	bench_end();
}

static void test_a_whole_block(void **state)
{
	(void)state;
	const uint64_t block = RAM_BASE + MIB(4);
	begin(MIB(8));
	touch(block, BLOCK_SIZE);
	assert_true(give(block, BLOCK_SIZE, false));
	assert_int_equal(s2.mapped, 0);
	assert_int_equal(unpromised[0], 0); // its promise stays
	assert_int_equal(pages_entry(PA((uint64_t)given.first << PAGE_SHIFT))->state, PAGE_DATA);
	assert_false(give(block, BLOCK_SIZE, false));
	free_given();
	touch(block, BLOCK_SIZE);
	assert_int_equal(returned, 512);
	bench_end();
}

// A table whose pages are of a block, of which some were never touched.
static void test_a_half_touched_block(void **state)
{
	(void)state;
	begin(MIB(8));
	bench_empty_pool();
	touch(RAM_BASE, KIB(128));
	for (unsigned page = 0; page < 31; page++)
		assert_false(give(RAM_BASE + page * PAGE_SIZE, PAGE_SIZE, true));
	assert_true(give(RAM_BASE + 31 * PAGE_SIZE, PAGE_SIZE, true));
	free_given();
	assert_int_equal(s2.mapped, 0);
	bench_end();
	begin(MIB(8)); // and all of it at once
	bench_empty_pool();
	touch(RAM_BASE + KIB(512), KIB(64));
	assert_true(give(RAM_BASE, BLOCK_SIZE, true));
	free_given();
	bench_end();
}

// What is in no block stays: 64 KiB here and there are not worth a table.
static void test_pieces_stay(void **state)
{
	(void)state;
	begin(MIB(3)); // the last MiB has no block
	touch(RAM_BASE + MIB(2), MIB(1));
	mark(RAM_BASE + MIB(2), MIB(1));
	for (unsigned page = 0; page < 256; page++)
		assert_false(give(RAM_BASE + MIB(2) + page * PAGE_SIZE, PAGE_SIZE, true));
	for (unsigned page = 0; page < 256; page++)
		assert_true(is_marked(RAM_BASE + MIB(2) + page * PAGE_SIZE));
	assert_int_equal(given.first, 0);
	assert_false(give(RAM_BASE, BLOCK_SIZE, true)); // never touched
	bench_end();
}

// Others were promised the memory meanwhile: the guest does not get it back behind their backs.
static void test_promised_to_others(void **state)
{
	(void)state;
	begin(MIB(8));
	touch(RAM_BASE, BLOCK_SIZE);
	assert_true(give(RAM_BASE, BLOCK_SIZE, true));
	free_given();
	struct pages_count count = pages_counts();
	uint64_t rest = count.total - count.committed;
	assert_int_equal(pages_commit(rest - 511), 0);
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + 5)), ERR_NO_MEMORY);
	assert_int_equal(s2.mapped, 0);
	pages_uncommit(1);
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + 5)), 0);
	assert_int_equal(returned, 0);
	pages_uncommit(rest - 512);
	pages_uncommit(512);
	bench_end();
	begin(MIB(8)); // where nothing is promised, nothing has to be
	s2.returned = NULL;
	touch(RAM_BASE, BLOCK_SIZE);
	assert_true(give(RAM_BASE, BLOCK_SIZE, true));
	free_given();
	touch(RAM_BASE, BLOCK_SIZE);
	bench_end();
}

// No memory for the table that a block would need: it stays.
static void test_no_memory_to_split(void **state)
{
	(void)state;
	struct page_list taken = {0};
	begin(MIB(8));
	touch(RAM_BASE, BLOCK_SIZE);
	mark(RAM_BASE, BLOCK_SIZE);
	ram_arena_exhaust(&taken, 0);
	assert_false(give(RAM_BASE, PAGE_SIZE, true));
	assert_true(is_marked(RAM_BASE));
	ram_arena_release(&taken);
	bench_end();
}

static void test_image_comes_back(void **state)
{
	(void)state;
	static const uint8_t image[] = "an image";
	begin(MIB(8));
	assert_int_equal(stage2_add_source(&s2, RAM_BASE + 8, image, sizeof image), 0);
	touch(RAM_BASE, KIB(64));
	memset((void *)bench_pa(RAM_BASE), 0xff, 64);
	assert_false(give(RAM_BASE, PAGE_SIZE, true));
	touch(RAM_BASE, PAGE_SIZE);
	assert_true(bench_zero(RAM_BASE, 8));
	assert_true(bench_equal(RAM_BASE + 8, image, sizeof image));
	bench_end();
}

static void test_random(void **state)
{
	(void)state;
	static bool there[2048];
	srand(3);
	for (unsigned round = 0; round < 6; round++) {
		begin(MIB(8));
		memset(there, 0, sizeof there);
		for (unsigned i = 0; i < 6000; i++) {
			unsigned page = (unsigned)rand() % 2048;
			const uint64_t at = RAM_BASE + page * PAGE_SIZE;
			if (rand() % 3 == 0) {
				touch(at, PAGE_SIZE);
				if (there[page])
					assert_true(is_marked(at));
				mark(at, PAGE_SIZE);
				there[page] = true;
			} else if (rand() % 50 == 0) {
				(void)give(align_down(at, BLOCK_SIZE), BLOCK_SIZE, false);
				for (unsigned n = page / 512 * 512; n < page / 512 * 512 + 512; n++)
					there[n] = false;
			} else {
				(void)give(at, PAGE_SIZE, false);
				there[page] = false;
			}
			if (rand() % 20 == 0)
				free_given();
		}
		free_given();
		bench_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_single_pages),
	        TEST(test_a_block_page_by_page),
	        TEST(test_a_whole_block),
	        TEST(test_a_half_touched_block),
	        TEST(test_pieces_stay),
	        TEST(test_promised_to_others),
	        TEST(test_no_memory_to_split),
	        TEST(test_image_comes_back),
	        TEST(test_random),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
