// SPDX-License-Identifier: Apache-2.0
// The page-table walker, for every shape of table that the boards can have: what was mapped is found,
// by an independent walk that follows the architecture's words, and nothing else is.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "fake.h"
#include "mem/pgtable.h"

#define ATTRIBUTES (PTE_AF | PTE_SH_INNER | PTE_S2_READ | PTE_S2_WRITE | PTE_S2_NORMAL | PTE_S2_XN)
#define MAX_TABLES 4096

struct pool {
	struct pgtable table; // first
	void *pages[MAX_TABLES];
	unsigned count, limit;
	void *root;
};

static uint64_t *take_page(struct pgtable *table)
{
	struct pool *pool = (struct pool *)table;
	if (pool->count == pool->limit)
		return NULL;
	void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	memset(page, 0, PAGE_SIZE);
	pool->pages[pool->count++] = page;
	return page;
}

static const struct pgtable_ops ops = {.alloc = take_page};

// Every shape of table: 4 KiB granule, starting at level 0, 1 or 2, the root 1..16 tables long.
static const struct {
	unsigned level, bits;
} shapes[] = {{0, 48}, {0, 44}, {1, 43}, {1, 42}, {1, 40},
              {1, 39}, {1, 36}, {1, 32}, {2, 34}, {2, 30}};

static struct pool *pool_new(unsigned level, unsigned bits)
{
	struct pool *pool = calloc(1, sizeof *pool);
	unsigned entries_log2 = bits - (39 - 9 * level);
	size_t size = entries_log2 > 9 ? sizeof(uint64_t) << entries_log2 : PAGE_SIZE;
	pool->root = aligned_alloc(size, size);
	memset(pool->root, 0, size);
	pool->limit = MAX_TABLES;
	pool->table = (struct pgtable){&ops, pool->root, level, bits};
	fake_reset();
	return pool;
}

static void pool_free(struct pool *pool)
{
	for (unsigned i = 0; i < pool->count; i++)
		free(pool->pages[i]);
	free(pool->root);
	free(pool);
}

// The translation of `address` as the manual tells it, bit by bit; false: none. *size: what the entry
// that decides covers.
static bool walk(const struct pool *pool, uint64_t address, uint64_t *pa, uint64_t *attributes,
                 uint64_t *size)
{
	const uint64_t *at = pool->root;
	for (unsigned level = pool->table.start_level;; level++) {
		unsigned low = 12 + 9 * (3 - level);
		unsigned high = level == pool->table.start_level ? pool->table.bits - 1 : low + 8;
		uint64_t entry = at[(address & GENMASK_U64(high, low)) >> low];
		*size = UINT64_C(1) << low;
		if ((entry & 1) == 0)
			return false;
		if (level == 3) {
			assert_int_equal(entry & 3, 3); // 0b01 is reserved at level 3
		} else if ((entry & 2) != 0) {
			assert_int_equal(entry & ~(PTE_ADDRESS | 3), 0);
			at = (const uint64_t *)(uintptr_t)(entry & GENMASK_U64(47, 12));
			continue;
		}
		assert_true(level != 0); // no blocks there
		assert_int_equal(entry & GENMASK_U64(low - 1, 12) & ~GENMASK_U64(11, 0), 0);
		*attributes = entry & ~(GENMASK_U64(47, low) | 3);
		*pa = (entry & GENMASK_U64(47, low)) + (address & (*size - 1));
		return true;
	}
}

static void assert_maps(const struct pool *pool, uint64_t address, uint64_t pa, uint64_t size)
{
	uint64_t got, attributes, span;
	assert_true(walk(pool, address, &got, &attributes, &span));
	assert_int_equal(got, pa);
	assert_int_equal(attributes, ATTRIBUTES);
	assert_int_equal(span, size);
}

static void assert_nothing(const struct pool *pool, uint64_t address)
{
	uint64_t pa, attributes, span;
	assert_false(walk(pool, address, &pa, &attributes, &span));
}

static void test_a_page_anywhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct pool *pool = pool_new(shapes[i].level, shapes[i].bits);
		uint64_t top = UINT64_C(1) << shapes[i].bits;
		const uint64_t at[] = {0,       PAGE_SIZE,           BLOCK_SIZE - PAGE_SIZE, MIB(6),
		                       top / 2, top / 2 - PAGE_SIZE, top - PAGE_SIZE};
		for (unsigned n = 0; n < ARRAY_SIZE(at); n++)
			assert_int_equal(pgtable_map(&pool->table, at[n],
			                             PA(MIB(5) + n * PAGE_SIZE), PAGE_SIZE,
			                             ATTRIBUTES),
			                 0);
		for (unsigned n = 0; n < ARRAY_SIZE(at); n++) {
			unsigned level;
			assert_maps(pool, at[n], MIB(5) + n * PAGE_SIZE, PAGE_SIZE);
			uint64_t *entry = pgtable_find(&pool->table, at[n] + 0x123, &level);
			assert_int_equal(level, 3);
			assert_int_equal(*entry & PTE_ADDRESS, MIB(5) + n * PAGE_SIZE);
			assert_ptr_equal(pgtable_make(&pool->table, at[n], 3), entry);
		}
		assert_nothing(pool, PAGE_SIZE * 2);
		assert_nothing(pool, top / 2 + PAGE_SIZE);
		pool_free(pool);
	}
}

static void test_blocks_where_they_fit(void **state)
{
	(void)state;
	struct pool *pool = pool_new(0, 48);
	// From 4 KiB below a 2 MiB border to 4 KiB above a border behind a whole GiB.
	uint64_t start = GIB(3) - BLOCK_SIZE - PAGE_SIZE,
	         size = 2 * PAGE_SIZE + 2 * BLOCK_SIZE + GIB(1);
	uint64_t pa = GIB(8) - BLOCK_SIZE - PAGE_SIZE;
	assert_int_equal(pgtable_map(&pool->table, start, PA(pa), size, ATTRIBUTES), 0);
	assert_maps(pool, start, pa, PAGE_SIZE);
	assert_maps(pool, start + PAGE_SIZE, pa + PAGE_SIZE, BLOCK_SIZE);
	assert_maps(pool, GIB(3), GIB(8), GIB(1));
	assert_maps(pool, GIB(4) - 8, GIB(9) - 8, GIB(1));
	assert_maps(pool, GIB(4), GIB(9), BLOCK_SIZE);
	assert_maps(pool, GIB(4) + BLOCK_SIZE, GIB(9) + BLOCK_SIZE, PAGE_SIZE);
	assert_nothing(pool, start - PAGE_SIZE);
	assert_nothing(pool, start + size);
	// 512 GiB at once: level 0 has no blocks, so 512 of level 1.
	assert_int_equal(pgtable_map(&pool->table, GIB(512), PA(GIB(512)), GIB(512), ATTRIBUTES),
	                 0);
	assert_maps(pool, GIB(512), GIB(512), GIB(1));
	assert_maps(pool, GIB(1024) - 1, GIB(1024) - 1, GIB(1));
	pool_free(pool);
}

static void test_no_block_where_addresses_disagree(void **state)
{
	(void)state;
	struct pool *pool = pool_new(1, 39);
	assert_int_equal(pgtable_map(&pool->table, GIB(1), PA(MIB(3)), MIB(4), ATTRIBUTES), 0);
	for (uint64_t at = 0; at < MIB(4); at += PAGE_SIZE)
		assert_maps(pool, GIB(1) + at, MIB(3) + at, PAGE_SIZE);
	assert_int_equal(pgtable_map(&pool->table, GIB(2), PA(MIB(2)), GIB(1), ATTRIBUTES), 0);
	assert_maps(pool, GIB(2), MIB(2), BLOCK_SIZE);
	assert_maps(pool, GIB(3) - 1, MIB(2) + GIB(1) - 1, BLOCK_SIZE);
	pool_free(pool);
}

static void test_a_block_at_the_start_level(void **state)
{
	(void)state;
	struct pool *pool = pool_new(2, 34);
	assert_int_equal(pgtable_map(&pool->table, 0, PA(0), GIB(16), ATTRIBUTES), 0);
	assert_maps(pool, GIB(16) - 1, GIB(16) - 1, BLOCK_SIZE);
	assert_int_equal(pool->count, 0); // all 8192 entries are the root's own
	pool_free(pool);
}

static void test_outside(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct pool *pool = pool_new(shapes[i].level, shapes[i].bits);
		uint64_t top = UINT64_C(1) << shapes[i].bits;
		const struct {
			uint64_t at, size;
		} bad[] = {{top, PAGE_SIZE},
		           {top - PAGE_SIZE, 2 * PAGE_SIZE},
		           {0, top + PAGE_SIZE},
		           {UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE},
		           {UINT64_MAX - PAGE_SIZE + 1, 2 * PAGE_SIZE}, // wraps
		           {PAGE_SIZE, UINT64_MAX - PAGE_SIZE + 1}};
		for (unsigned n = 0; n < ARRAY_SIZE(bad); n++)
			assert_int_equal(pgtable_map(&pool->table, bad[n].at, PA(0), bad[n].size,
			                             ATTRIBUTES),
			                 ERR_RANGE);
		assert_int_equal(pool->count, 0);
		assert_int_equal(fake_find(0, FAKE_OTHER, "pte on"), -1);
		assert_int_equal(pgtable_map(&pool->table, 0, PA(0), 0, ATTRIBUTES), 0);
		assert_int_equal(pool->count, 0);
		pool_free(pool);
	}
}

static void test_nothing_is_mapped_twice(void **state)
{
	static const struct {
		uint64_t at, size;
	} there[] = {{GIB(1), PAGE_SIZE}, {GIB(2), BLOCK_SIZE}, {GIB(4), GIB(1)}};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(there); i++) {
		struct pool *pool = pool_new(0, 48);
		uint64_t base = align_down(there[i].at, GIB(1));
		assert_int_equal(pgtable_map(&pool->table, there[i].at, PA(there[i].at),
		                             there[i].size, ATTRIBUTES),
		                 0);
		uint64_t last = there[i].at + there[i].size - PAGE_SIZE;
		// A page, the block around it, the GiB around that: each meets what is there.
		for (uint64_t size = PAGE_SIZE; size <= GIB(1); size <<= 9) {
			uint64_t at = align_down(last, size);
			assert_int_equal(
			        pgtable_map(&pool->table, at, PA(at + GIB(64)), size, ATTRIBUTES),
			        ERR_BUSY);
		}
		assert_maps(pool, last, last, there[i].size);
		assert_int_equal(
		        pgtable_map(&pool->table, base - PAGE_SIZE, PA(0), PAGE_SIZE, ATTRIBUTES),
		        0);
		pool_free(pool);
	}
}

// Where an entry of a table is valid, a new table is never put in its place.
static void test_make_stops_at_a_block(void **state)
{
	(void)state;
	struct pool *pool = pool_new(1, 40);
	unsigned level;
	assert_int_equal(pgtable_map(&pool->table, GIB(5), PA(GIB(5)), GIB(1), ATTRIBUTES), 0);
	assert_null(pgtable_make(&pool->table, GIB(5) + 5, 2));
	assert_null(pgtable_make(&pool->table, GIB(5) + 5, 3));
	uint64_t *entry = pgtable_make(&pool->table, GIB(5), 1);
	assert_ptr_equal(pgtable_find(&pool->table, GIB(6) - 1, &level), entry);
	assert_int_equal(level, 1);
	pool_free(pool);
}

// A table's zeroes are visible before the entry that leads to it.
static void test_tables_are_linked_in_order(void **state)
{
	(void)state;
	struct pool *pool = pool_new(0, 48);
	pgtable_make(&pool->table, GIB(1), 3);
	assert_int_equal(pool->count, 3);
	unsigned links = 0;
	for (size_t i = 0; i < fake_log_count; i++) {
		if (fake_log[i].kind != FAKE_OTHER)
			continue;
		assert_string_equal(fake_log[i].name, "pte on");
		assert_true(i > 0 && fake_log[i - 1].kind == FAKE_BARRIER);
		assert_string_equal(fake_log[i - 1].name, "dmb ishst");
		links++;
	}
	assert_int_equal(links, 3);
	pool_free(pool);
}

// The n-th table cannot be had: an error, a table that still walks, and a second try that succeeds.
static void test_no_memory_at_any_point(void **state)
{
	(void)state;
	const uint64_t at = GIB(512) - BLOCK_SIZE - PAGE_SIZE,
	               size = 2 * BLOCK_SIZE + 2 * PAGE_SIZE;
	unsigned needed = 0;
	for (unsigned limit = 0;; limit++) {
		struct pool *pool = pool_new(0, 48);
		pool->limit = limit;
		int error = pgtable_map(&pool->table, at, PA(at), size, ATTRIBUTES);
		if (error == 0) {
			needed = limit;
			pool_free(pool);
			break;
		}
		assert_int_equal(error, ERR_NO_MEMORY);
		for (uint64_t a = at; a < at + size; a += PAGE_SIZE) {
			uint64_t pa, attributes, span;
			if (walk(pool, a, &pa, &attributes, &span))
				assert_int_equal(pa, a);
		}
		pool_free(pool);
	}
	assert_int_equal(needed, 6); // levels 1, 2, 3 on each side of the 512 GiB border
}

static void test_random_maps_against_a_model(void **state)
{
	enum { PAGES = 4096, BLOCKS = PAGES / 512 };
	(void)state;
	srand(2);
	for (unsigned round = 0; round < 40; round++) {
		unsigned shape = (unsigned)rand() % ARRAY_SIZE(shapes);
		struct pool *pool = pool_new(shapes[shape].level, shapes[shape].bits);
		uint64_t base = (UINT64_C(1) << shapes[shape].bits) - PAGES * PAGE_SIZE;
		static uint64_t model[PAGES];
		memset(model, 0, sizeof model);
		for (unsigned n = 0; n < 60; n++) {
			unsigned first = (unsigned)rand() % PAGES, count = 1u << rand() % 11;
			uint64_t pa =
			        GIB(1) + (rand() % 2 ? first : (unsigned)rand() % 100) * PAGE_SIZE;
			bool fits = first + count <= PAGES, busy = false;
			for (unsigned i = 0; i < count && fits; i++)
				busy |= model[first + i] != 0;
			if (busy)
				continue; // how much of it is mapped then is not promised
			int error = pgtable_map(&pool->table, base + first * PAGE_SIZE, PA(pa),
			                        count * PAGE_SIZE, ATTRIBUTES);
			assert_int_equal(error, fits ? 0 : ERR_RANGE);
			for (unsigned i = 0; i < count && fits; i++)
				model[first + i] = pa + i * PAGE_SIZE;
		}
		for (unsigned i = 0; i < PAGES; i++) {
			uint64_t pa, attributes, span;
			bool mapped = walk(pool, base + i * PAGE_SIZE, &pa, &attributes, &span);
			assert_int_equal(mapped, model[i] != 0);
			if (mapped)
				assert_int_equal(pa, model[i]);
		}
		pool_free(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_page_anywhere),
	        cmocka_unit_test(test_blocks_where_they_fit),
	        cmocka_unit_test(test_no_block_where_addresses_disagree),
	        cmocka_unit_test(test_a_block_at_the_start_level),
	        cmocka_unit_test(test_outside),
	        cmocka_unit_test(test_nothing_is_mapped_twice),
	        cmocka_unit_test(test_make_stops_at_a_block),
	        cmocka_unit_test(test_tables_are_linked_in_order),
	        cmocka_unit_test(test_no_memory_at_any_point),
	        cmocka_unit_test(test_random_maps_against_a_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
