// SPDX-License-Identifier: Apache-2.0
// Stage 2: what a first touch maps, what it holds, what it costs and what it gives back. Each test runs
// under the oracle of order.h; test_stage2_order.c shows that the oracle would complain.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cache.h"
#include "base/panic.h"
#include "stage2_bench.h"

// ---- looking without touching ----

static void test_peek(void **state)
{
	(void)state;
	static uint8_t to[PAGE_SIZE];
	bench_vm(MIB(4));
	const uint64_t at = RAM_BASE + KIB(64) - 100;
	memset(to, 0xa5, sizeof to);
	assert_int_equal(stage2_peek(&s2, IPA(at), to, 200), 0);
	assert_int_equal(s2.mapped, 0);
	for (unsigned i = 0; i < sizeof to; i++)
		assert_int_equal(to[i], i < 200 ? 0 : 0xa5);
	assert_int_equal(stage2_fault(&s2, IPA(at)), 0);
	for (unsigned i = 0; i < 100; i++)
		((uint8_t *)bench_pa(at))[i] = (uint8_t)i;
	assert_int_equal(stage2_peek(&s2, IPA(at), to, 200), 0); // the second half is not mapped
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(to[i], i < 100 ? i : 0);
	static const struct {
		uint64_t at, size;
	} outside[] = {{RAM_BASE - 1, 2}, {RAM_BASE + MIB(4) - 1, 2}, {UINT64_MAX, 2}, {0, 1}};
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++)
		assert_int_equal(stage2_peek(&s2, IPA(outside[i].at), to, outside[i].size),
		                 ERR_FAULT);
	bench_end();
	assert_int_equal(stage2_peek(&s2, IPA(at), to, 200), ERR_FAULT); // its memory is gone
}

// ---- what one touch does ----

static void test_a_touch_maps_64_kib(void **state)
{
	(void)state;
	bench_vm(MIB(16));
	const uint64_t at = RAM_BASE + MIB(3) + KIB(64) * 5;
	assert_int_equal(stage2_fault(&s2, IPA(at + 0x7123)), 0);
	uint64_t first = bench_pa(at);
	assert_true(is_aligned(first, KIB(64)));
	for (uint64_t o = 0; o < KIB(64); o += PAGE_SIZE) {
		struct page *page = pages_entry(PA(first + o));
		assert_int_equal(bench_pa(at + o), first + o);
		assert_int_equal(page->owner, OWNER);
		assert_int_equal(page->state, PAGE_GUEST);
	}
	assert_true(bench_zero(at, KIB(64)));
	assert_int_equal(bench_pa(at - PAGE_SIZE), 0);
	assert_int_equal(bench_pa(at + KIB(64)), 0);
	assert_int_equal(s2.mapped, KIB(64));
	bench_end();
}

static void test_attributes(void **state)
{
	(void)state;
	for (unsigned fwb = 0; fwb <= 1; fwb++) {
		unsigned level;
		bench_cpu(&(struct bench_cpu){.pa_range = 2, .fwb = fwb});
		bench_vm(MIB(4));
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE)), 0);
		uint64_t entry = *pgtable_find(&s2.table, RAM_BASE, &level);
		assert_int_equal(level, 3);
		// Valid page, AF, inner shareable, read and write, write-back; executable.
		assert_int_equal(entry & ~PTE_ADDRESS,
		                 3 | 1 << 10 | 3 << 8 | 3 << 6 | (fwb ? 6 : 15) << 2);
		assert_int_equal(stage2_map_device(&s2, 0x8010000, PA(0x8020000), KIB(8)), 0);
		entry = *pgtable_find(&s2.table, 0x8011000, &level);
		assert_int_equal(entry & PTE_ADDRESS, 0x8021000);
		// Not inner shareable, Device-nGnRE, never executed.
		assert_int_equal(entry & ~PTE_ADDRESS,
		                 3 | 1 << 10 | 3 << 6 | 1 << 2 | UINT64_C(1) << 54);
		pa_t page = pages_alloc(0, OWNER, PAGE_DATA, &s2.pages);
		cache_zero_pages((void *)page.v, PAGE_SIZE);
		cache_clean_invalidate_poc((void *)page.v, PAGE_SIZE);
		assert_int_equal(stage2_map_readonly(&s2, 0x90a0000, page), 0);
		entry = *pgtable_find(&s2.table, 0x90a0000, &level);
		assert_int_equal(level, 3);
		assert_int_equal(entry & PTE_ADDRESS, page.v);
		// As RAM, but neither written nor executed.
		assert_int_equal(entry & ~PTE_ADDRESS, 3 | 1 << 10 | 3 << 8 | 1 << 6 |
		                                               (fwb ? 6u : 15u) << 2 |
		                                               UINT64_C(1) << 54);
		assert_int_equal(stage2_map_readonly(&s2, 0x90a0000, page), ERR_BUSY);
		assert_int_equal(stage2_map_readonly(&s2, stage2_limit(), page), ERR_RANGE);
		bench_end();
	}
}

// What a guest reads and executes and never writes: as RAM but for that, seen by EL2 as long as it is mapped.
static void test_rom(void **state)
{
	(void)state;
	for (unsigned fwb = 0; fwb < 2; fwb++) {
		bench_cpu(&(struct bench_cpu){.pa_range = 2, .fwb = fwb, .idc = fwb});
		bench_vm(MIB(4));
		pa_t page = pages_alloc(0, OWNER, PAGE_DATA, &s2.pages);
		uint32_t word = 0;
		unsigned level;
		cache_zero_pages((void *)page.v, PAGE_SIZE);
		*(uint32_t *)(page.v + 16) = 0x12345678;
		assert_int_equal(stage2_read(&s2, IPA(16), &word, 4), ERR_FAULT);
		assert_int_equal(stage2_map_rom(&s2, 0, page), 0);
		assert_int_equal(stage2_map_rom(&s2, 0, page), ERR_BUSY);
		assert_int_equal(stage2_map_rom(&s2, MIB(2) - PAGE_SIZE, page), 0); // and once more
		uint64_t entry = *pgtable_find(&s2.table, 0, &level);
		assert_int_equal(level, 3);
		assert_int_equal(entry,
		                 page.v | 3 | 1 << 10 | 3 << 8 | 1 << 6 | (fwb ? 6u : 15u) << 2);
		assert_int_equal(stage2_read(&s2, IPA(16), &word, 4), 0);
		assert_int_equal(word, 0x12345678);
		assert_int_equal(stage2_read(&s2, IPA(PAGE_SIZE - 2), &word, 4), ERR_FAULT);
		assert_int_equal(stage2_read(&s2, IPA(stage2_limit() - 2), &word, 4), ERR_FAULT);
		assert_int_equal(stage2_read(&s2, IPA(UINT64_MAX - 1), &word, 4), ERR_FAULT);
		assert_int_equal(stage2_fault(&s2, IPA(16)), ERR_RANGE);
		stage2_unmap_rom(&s2, 0);
		assert_int_equal(*pgtable_find(&s2.table, 0, &level), 0);
		assert_int_equal(*pgtable_find(&s2.table, MIB(2) - PAGE_SIZE, &level), 0);
		assert_int_equal(stage2_read(&s2, IPA(16), &word, 4), ERR_FAULT);
		stage2_unmap_rom(&s2, MIB(2)); // where nothing is
		assert_int_equal(stage2_map_rom(&s2, 0, page), 0);
		bench_end();
	}
}

static void test_a_second_touch_does_nothing(void **state)
{
	(void)state;
	bench_vm(MIB(4));
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE)), 0);
	struct pages_count before = pages_counts();
	uint64_t now = order.now;
	for (uint64_t o = 0; o < KIB(64); o += 777) // other vCPUs that faulted at the same time
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
	assert_int_equal(order.now, now);
	assert_int_equal(pages_counts().free, before.free);
	bench_end();
}

static void test_outside_of_ram(void **state)
{
	(void)state;
	bench_vm(MIB(4) + KIB(4));
	const uint64_t end = RAM_BASE + MIB(4) + KIB(4);
	uint64_t left, now = order.now;
	const uint64_t outside[] = {0,
	                            PAGE_SIZE,
	                            RAM_BASE - 1,
	                            end,
	                            end + 1,
	                            GIB(4),
	                            UINT64_C(1) << 39,
	                            (UINT64_C(1) << 40) - 1,
	                            UINT64_C(1) << 40,
	                            UINT64_C(1) << 47,
	                            UINT64_C(1) << 48,
	                            UINT64_C(1) << 52,
	                            UINT64_MAX,
	                            RAM_BASE | UINT64_C(1) << 63};
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++) {
		assert_int_equal(stage2_fault(&s2, IPA(outside[i])), ERR_RANGE);
		assert_null(stage2_pointer(&s2, IPA(outside[i]), &left));
	}
	for (unsigned bit = 31; bit < 64; bit++) {
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE | UINT64_C(1) << bit)), ERR_RANGE);
		assert_int_equal(stage2_fault(&s2, IPA(UINT64_C(1) << bit)), ERR_RANGE);
	}
	assert_int_equal(order.now, now);
	assert_int_equal(stage2_fault(&s2, IPA(end - 1)), 0);
	bench_end();
}

static void test_devices_stay_inside(void **state)
{
	(void)state;
	bench_vm(MIB(4));
	uint64_t limit = stage2_limit();
	assert_int_equal(stage2_map_device(&s2, limit, PA(0x1000), PAGE_SIZE), ERR_RANGE);
	assert_int_equal(stage2_map_device(&s2, limit - PAGE_SIZE, PA(0x1000), 2 * PAGE_SIZE),
	                 ERR_RANGE);
	assert_int_equal(stage2_map_device(&s2, limit - PAGE_SIZE, PA(0x1000), PAGE_SIZE), 0);
	assert_int_equal(stage2_map_device(&s2, limit - PAGE_SIZE, PA(0x1000), PAGE_SIZE),
	                 ERR_BUSY);
	bench_end();
}

// ---- contents ----

static void test_sources_at_any_alignment(void **state)
{
	static uint8_t bytes[KIB(256)];
	static const uint32_t at[] = {0, 1, 63, 64, 4095, 65535, 65536, 100001, MIB(2) - 5};
	static const uint32_t sizes[] = {1, 2, 63, 64, 65, 4096, 65537, 200000};
	(void)state;
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(1 + i * 7 % 251);
	for (unsigned a = 0; a < ARRAY_SIZE(at); a++) {
		for (unsigned n = 0; n < ARRAY_SIZE(sizes); n++) {
			unsigned skew = (a * 3 + n) % 9; // the source is unaligned too
			uint64_t ipa = RAM_BASE + at[a];
			bench_vm(MIB(4));
			assert_int_equal(stage2_add_source(&s2, ipa, bytes + skew, sizes[n]), 0);
			uint64_t first = align_down(ipa, KIB(64)), last = ipa + sizes[n] - 1;
			for (uint64_t p = first; p <= last; p += KIB(64))
				assert_int_equal(stage2_fault(&s2, IPA(p + 5)), 0);
			assert_true(bench_zero(first, ipa - first));
			assert_true(bench_equal(ipa, bytes + skew, sizes[n]));
			assert_true(bench_zero(last + 1, align_up(last + 1, KIB(64)) - last - 1));
			bench_end();
		}
	}
}

static unsigned nr_zeroed;

static bool count_zeroed(const struct fake_event *event)
{
	nr_zeroed += event->name != NULL && strcmp(event->name, "dc zva") == 0;
	return order_event(event);
}

// What a source covers as a whole is not zeroed before; where one byte is missing, all is.
static void test_covered_pieces_are_not_zeroed(void **state)
{
	static uint8_t bytes[KIB(64) + 2];
	static const struct {
		uint64_t at, size;
		bool covered;
	} cases[] = {{0, KIB(64), true},
	             {0, KIB(64) + 2, true},
	             {0, KIB(64) - 1, false},
	             {1, KIB(64) - 1, false},
	             {1, KIB(64), false}};
	(void)state;
	memset(bytes, 0x5a, sizeof bytes);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		bench_vm(MIB(4));
		order_guest_wrote(RAM_ARENA_BASE + ARENA_SIZE / 2, ARENA_SIZE / 2, 0xee);
		assert_int_equal(
		        stage2_add_source(&s2, RAM_BASE + cases[i].at, bytes, cases[i].size), 0);
		// The tables are there already.
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + KIB(128))), 0);
		fake_event_hook = count_zeroed;
		nr_zeroed = 0;
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE)), 0);
		assert_int_equal(nr_zeroed, cases[i].covered ? 0 : KIB(64) / 64);
		for (uint64_t o = 0; o < KIB(64); o++) {
			bool source = o - cases[i].at < cases[i].size;
			assert_int_equal(*(uint8_t *)bench_pa(RAM_BASE + o), source ? 0x5a : 0);
		}
		bench_end();
	}
}

static void test_several_sources_in_a_page(void **state)
{
	(void)state;
	bench_vm(MIB(4));
	for (unsigned i = 0; i < STAGE2_MAX_SOURCES; i++)
		assert_int_equal(
		        stage2_add_source(&s2, RAM_BASE + 100 + i * 7, "abcdefg", 1 + i % 7), 0);
	assert_int_equal(stage2_add_source(&s2, RAM_BASE, "x", 1), ERR_NO_MEMORY);
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE)), 0);
	assert_true(bench_zero(RAM_BASE, 100));
	for (unsigned i = 0; i < STAGE2_MAX_SOURCES; i++) {
		assert_true(bench_equal(RAM_BASE + 100 + i * 7, "abcdefg", 1 + i % 7));
		assert_true(bench_zero(RAM_BASE + 100 + i * 7 + 1 + i % 7, 6 - i % 7));
	}
	bench_end();
}

static void test_sources_lie_in_ram(void **state)
{
	(void)state;
	bench_vm(MIB(4));
	assert_int_equal(stage2_add_source(&s2, RAM_BASE - 1, "ab", 2), ERR_RANGE);
	assert_int_equal(stage2_add_source(&s2, RAM_BASE + MIB(4) - 1, "ab", 2), ERR_RANGE);
	assert_int_equal(stage2_add_source(&s2, RAM_BASE, "ab", UINT64_MAX), ERR_RANGE);
	assert_int_equal(stage2_add_source(&s2, UINT64_MAX, "ab", 2), ERR_RANGE);
	assert_int_equal(stage2_add_source(&s2, RAM_BASE + MIB(4) - 2, "ab", 2), 0);
	assert_int_equal(s2.nr_sources, 1);
	bench_end();
}

// The next VM never finds what the one before it left, not behind the caches either.
static void test_pages_are_scrubbed(void **state)
{
	(void)state;
	for (unsigned life = 0; life < 3; life++) {
		bench_vm(MIB(32));
		for (uint64_t o = 0; o < MIB(32); o += KIB(64)) {
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
			assert_true(bench_zero(RAM_BASE + o, KIB(64)));
			order_guest_wrote(bench_pa(RAM_BASE + o), KIB(64), 0xee);
		}
		bench_end();
	}
}

// ---- blocks ----

static void test_a_full_table_becomes_a_block(void **state)
{
	(void)state;
	bench_vm(MIB(8));
	const uint64_t at = RAM_BASE + MIB(2);
	unsigned level;
	for (unsigned piece = 0; piece < 32; piece++) { // in an order of its own
		assert_int_equal(stage2_fault(&s2, IPA(at + (piece * 13 % 32) * KIB(64))), 0);
		pgtable_find(&s2.table, at, &level);
		if (piece < 31)
			assert_int_equal(level, 3);
		assert_int_equal(s2.mapped, KIB(64) * (piece + 1));
		uint64_t free = pages_counts().free;
		if (piece == 30) { // the last one gives a table back
			assert_int_equal(stage2_fault(&s2, IPA(at + (31 * 13 % 32) * KIB(64))), 0);
			assert_int_equal(pages_counts().free, free + 1);
			break;
		}
	}
	uint64_t entry = *pgtable_find(&s2.table, at, &level);
	assert_int_equal(level, 2);
	assert_int_equal(entry & 3, 1);
	assert_true(is_aligned(entry & PTE_ADDRESS, BLOCK_SIZE));
	assert_true(bench_zero(at, BLOCK_SIZE));
	bench_end();
}

// What another CPU fills for it: the invalidation that a block needs would end some other VM's TLB entries there.
static void test_others_make_no_block(void **state)
{
	(void)state;
	bench_vm(MIB(4));
	unsigned level;
	uint64_t left;
	char byte;
	for (unsigned piece = 0; piece < 31; piece++) {
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + piece * KIB(64))), 0);
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + MIB(2) + piece * KIB(64))), 0);
	}
	assert_non_null(stage2_span(&s2, IPA(RAM_BASE + MIB(2) - 1), true, &left));
	assert_int_equal(stage2_read(&s2, IPA(RAM_BASE + MIB(4) - 1), &byte, 1), 0);
	for (uint64_t block = 0; block < MIB(4); block += BLOCK_SIZE) {
		pgtable_find(&s2.table, RAM_BASE + block, &level);
		assert_int_equal(level, 3);
	}
	assert_int_equal(s2.mapped, MIB(4));
	bench_end();
}

static void test_contents_survive_promotion(void **state)
{
	static uint8_t bytes[MIB(2) + 12345];
	(void)state;
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 11 >> 3);
	bench_vm(MIB(8));
	assert_int_equal(stage2_add_source(&s2, RAM_BASE + MIB(1) + 77, bytes, sizeof bytes), 0);
	for (uint64_t o = 0; o < MIB(8); o += KIB(64))
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
	assert_true(bench_zero(RAM_BASE, MIB(1) + 77));
	assert_true(bench_equal(RAM_BASE + MIB(1) + 77, bytes, sizeof bytes));
	assert_true(bench_zero(RAM_BASE + MIB(1) + 77 + sizeof bytes, MIB(7) - 77 - sizeof bytes));
	for (uint64_t o = 0; o < MIB(8); o += MIB(2)) {
		unsigned level;
		pgtable_find(&s2.table, RAM_BASE + o, &level);
		assert_int_equal(level, 2);
	}
	bench_end();
}

static void test_a_ready_block_is_mapped_whole(void **state)
{
	unsigned level;
	(void)state;
	for (unsigned i = 0; i < 3 * 32; i++)
		assert_true(pages_prepare());
	bench_vm(MIB(8));
	assert_int_equal(stage2_add_source(&s2, RAM_BASE + MIB(2) - 1, "!?", 2), 0);
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + MIB(5))), 0);
	uint64_t entry = *pgtable_find(&s2.table, RAM_BASE + MIB(4), &level);
	assert_int_equal(level, 2);
	assert_true((entry & 3) == 1 && s2.mapped == BLOCK_SIZE);
	assert_int_equal(pages_entry(PA(entry & PTE_ADDRESS))->owner, OWNER);
	assert_true(bench_zero(RAM_BASE + MIB(4), BLOCK_SIZE));
	// Never where an image lies: its bytes would be missing.
	for (uint64_t o = 0; o < MIB(4); o += MIB(2)) {
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o + MIB(1))), 0);
		pgtable_find(&s2.table, RAM_BASE + o, &level);
		assert_int_equal(level, 3);
	}
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + MIB(2) - 1)), 0);
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + MIB(2))), 0);
	assert_true(bench_equal(RAM_BASE + MIB(2) - 1, "!", 1));
	assert_true(bench_equal(RAM_BASE + MIB(2), "?", 1));
	bench_end();
}

static void test_ram_that_ends_within_a_block(void **state)
{
	static const uint64_t sizes[] = {KIB(4),          KIB(60),         KIB(64),         KIB(68),
	                                 MIB(2) + KIB(4), MIB(4) - KIB(4), MIB(4) + KIB(68)};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		bench_vm(sizes[i]);
		uint64_t end = RAM_BASE + sizes[i];
		for (uint64_t o = sizes[i]; o > 0; o -= PAGE_SIZE)
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o - 1)), 0);
		assert_true(bench_zero(RAM_BASE, sizes[i]));
		assert_int_equal(s2.mapped, sizes[i]);
		for (uint64_t at = end; at < align_up(end, BLOCK_SIZE); at += PAGE_SIZE)
			assert_int_equal(bench_pa(at), 0);
		assert_int_equal(bench_pa(RAM_BASE - PAGE_SIZE), 0);
		assert_true(bench_chunk_pages() <=
		            sizes[i] / PAGE_SIZE + stage2_table_pages(sizes[i]));
		bench_end();
	}
}

// All of memory in chunks of one order; every second one is free again.
static void scatter(unsigned chunk_order, struct page_list *kept)
{
	struct page_list all = {0}, given = {0};
	pa_t chunk;
	while (pages_alloc(chunk_order, OWNER_EL2, PAGE_DATA, &all).v != 0)
		;
	for (uint32_t f = all.first, next; f != 0; f = next) {
		struct page *page = pages_entry(chunk = PA((uint64_t)f << PAGE_SHIFT));
		struct page_list *to =
		        is_aligned(chunk.v, PAGE_SIZE << (chunk_order + 1)) ? &given : kept;
		next = page->next; // moved to one of two lists, as the allocator links them
		page->next = to->first;
		page->prev = 0;
		if (to->first != 0)
			pages_entry(PA((uint64_t)to->first << PAGE_SHIFT))->prev = f;
		to->first = f;
	}
	ram_arena_release(&given);
}

static void test_without_free_blocks(void **state)
{
	(void)state;
	for (unsigned chunk = 0; chunk <= PAGES_MAX_ORDER; chunk++) {
		struct page_list kept = {0};
		bench_vm(MIB(8)); // its root is two pages together
		scatter(chunk, &kept);
		for (uint64_t o = 0; o < MIB(8); o += PAGE_SIZE)
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
		assert_true(bench_zero(RAM_BASE, MIB(8)));
		assert_int_equal(s2.mapped, MIB(8));
		assert_true(bench_chunk_pages() <= MIB(8) / PAGE_SIZE + stage2_table_pages(MIB(8)));
		ram_arena_release(&kept);
		bench_end();
	}
}

// ---- no memory ----

static void test_no_memory_at_any_point(void **state)
{
	(void)state;
	for (uint64_t left = 0; left < 80; left++) {
		struct page_list taken = {0};
		ram_arena_exhaust(&taken, left);
		bench_begin();
		int error = stage2_create(&s2, OWNER, RAM_BASE, MIB(8));
		assert_int_equal(error, left < 2 ? ERR_NO_MEMORY : 0); // the root is two pages here
		uint64_t reached = 0;
		for (uint64_t o = 0; o < MIB(8) && error == 0; o += PAGE_SIZE) {
			error = stage2_fault(&s2, IPA(RAM_BASE + o));
			if (error == 0)
				reached = o + PAGE_SIZE;
		}
		assert_int_equal(error, ERR_NO_MEMORY);
		assert_true(pages_counts().free == 0 || reached == 0);
		if (reached > 0)
			assert_true(bench_zero(RAM_BASE, reached));
		// Memory comes back: the touch that failed succeeds.
		ram_arena_release(&taken);
		if (left >= 2) {
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + reached)), 0);
			assert_true(bench_zero(RAM_BASE + reached, PAGE_SIZE));
		}
		bench_end();
	}
}

// ---- cleaning ----

static uint32_t *cleaned; // how often each line of the arena was cleaned
static unsigned nr_cleaned;

static bool count_cleaning(const struct fake_event *event)
{
	if (event->name != NULL && strcmp(event->name, "dc civac") == 0) {
		assert_true(order_in_arena(event->address, 64));
		cleaned[(event->address - RAM_ARENA_BASE) / 64]++;
		nr_cleaned++;
	}
	return false;
}

static void clean_all(unsigned max_steps)
{
	uint64_t cursor = 0, before;
	unsigned steps = 0;
	bool done;
	cleaned = calloc(ARENA_SIZE / 64, sizeof *cleaned);
	fake_event_hook = count_cleaning;
	do {
		before = cursor;
		nr_cleaned = 0;
		done = stage2_clean_some(&s2, &cursor);
		assert_true(nr_cleaned <= KIB(256) / 64);
		assert_true(cursor > before);
		assert_true(++steps <= max_steps);
	} while (!done);
	fake_event_hook = order_event;
	for (uint64_t o = 0; o < s2.ram_size; o += PAGE_SIZE) {
		uint64_t pa = bench_pa(RAM_BASE + o);
		for (uint64_t line = pa; pa != 0 && line < pa + PAGE_SIZE; line += 64) {
			assert_int_equal(cleaned[(line - RAM_ARENA_BASE) / 64], 1);
			cleaned[(line - RAM_ARENA_BASE) / 64] = 0;
		}
	}
	for (uint64_t i = 0; i < ARENA_SIZE / 64; i++) // and nobody else's
		assert_int_equal(cleaned[i], 0);
	free(cleaned);
}

static void test_cleaning_is_complete_and_bounded(void **state)
{
	(void)state;
	srand(5);
	bench_vm(MIB(16) + KIB(20));
	clean_all(80); // nothing mapped
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + MIB(16) + KIB(16))), 0);
	clean_all(120);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + (uint64_t)rand() % MIB(16))), 0);
	clean_all(200);
	for (uint64_t o = 0; o < MIB(16); o += KIB(64))
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
	clean_all(66);                 // 16 MiB in steps of 256 KiB, and the rest
	uint64_t cursor = s2.ram_size; // already at the end
	assert_true(stage2_clean_some(&s2, &cursor));
	bench_end();
}

static void test_cleaning_an_empty_giant(void **state)
{
	(void)state;
	bench_vm(GIB(900));
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + GIB(800))), 0);
	uint64_t cursor = 0;
	unsigned steps = 0;
	while (!stage2_clean_some(&s2, &cursor))
		steps++;
	assert_true(steps < 60);
	bench_end();
}

// ---- the end ----

static jmp_buf halted;

void cpu_halt(void)
{
	longjmp(halted, 1);
}

void console_write(const char *text, size_t length)
{
	(void)text;
	(void)length;
}

static void test_the_end_comes_in_pieces(void **state)
{
	(void)state;
	bench_vm(MIB(32));
	for (uint64_t o = 0; o < MIB(32); o += KIB(64))
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
	uint64_t pages = bench_chunk_pages();
	bench_retire();
	fake_event_hook = count_zeroed;
	unsigned calls = 1;
	for (nr_zeroed = 0; stage2_destroy_some(&s2); nr_zeroed = 0, calls++)
		assert_int_equal(nr_zeroed, KIB(64) / 64);
	assert_true(nr_zeroed <= KIB(64) / 64);
	assert_int_equal(calls, (pages + 15) / 16);
	assert_false(stage2_destroy_some(&s2));
	assert_int_equal(pages_counts().zeroed, 16 * BLOCK_SIZE / PAGE_SIZE);
	bench_end();
}

// Whatever shape its memory had: when a VM has ended, nothing of it is in RAM, nor behind the caches.
static void test_nothing_is_left_of_it(void **state)
{
	static uint64_t chunk[4096];
	static uint64_t size[4096];
	(void)state;
	for (unsigned shape = 0; shape < 3; shape++) {
		struct page_list taken = {0};
		unsigned n = 0;
		if (shape == 2)
			ram_arena_exhaust(&taken, 500); // no block is free
		bench_vm(MIB(8) + KIB(68));
		assert_int_equal(stage2_add_source(&s2, RAM_BASE + MIB(1), "an image", 8), 0);
		for (uint64_t o = 0; o < s2.ram_size; o += shape == 0 ? KIB(64) : KIB(1100))
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
		for (uint32_t f = s2.pages.first; f != 0; n++) {
			const struct page *page = pages_entry(PA((uint64_t)f << PAGE_SHIFT));
			chunk[n] = (uint64_t)f << PAGE_SHIFT;
			size[n] = PAGE_SIZE << page->order;
			f = page->next;
		}
		bench_retire();
		for (unsigned i = 0; i < n; i++) {
			order_guest_wrote(chunk[i], size[i], 0x66); // and tables, why not
			order_spoil(chunk[i], size[i]);
		}
		while (stage2_destroy_some(&s2))
			;
		for (unsigned i = 0; i < n; i++) {
			const uint8_t *front = (const uint8_t *)chunk[i];
			const uint8_t *behind = order.memory + (chunk[i] - RAM_ARENA_BASE);
			assert_int_equal(front[0], 0);
			assert_int_equal(memcmp(front, front + 1, size[i] - 1), 0);
			assert_int_equal(memcmp(front, behind, size[i]), 0);
		}
		ram_arena_release(&taken);
		bench_end();
	}
}

// As long as it has a VMID, TLBs may lead to its pages.
static void test_not_before_it_is_retired(void **state)
{
	(void)state;
	bench_vm(MIB(4));
	assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE)), 0);
	stage2_vttbr(&s2);
	if (setjmp(halted) == 0) {
		stage2_destroy_some(&s2);
		fail_msg("pages were given back that a TLB may lead to");
	}
	bench_end();
}

static void test_tables_never_outgrow_the_promise(void **state)
{
	static const unsigned ranges[] = {0, 1, 2, 3, 4, 5};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct page_list taken = {0};
		uint64_t size = ranges[i] == 0 ? GIB(2) : GIB(20);
		bench_cpu(&(struct bench_cpu){.pa_range = ranges[i]});
		ram_arena_exhaust(&taken, 500); // no block is free
		bench_vm(size);
		assert_int_equal(stage2_map_device(&s2, 0x8010000, PA(0x1000), KIB(8)), 0);
		assert_int_equal(stage2_map_readonly(&s2, 0x90a0000, PA(0x4000)), 0);

		for (uint64_t o = 0; o < size; o += GIB(1))
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
		uint64_t tables = bench_tables();
		assert_true(tables >= size / GIB(1));
		assert_true(tables <= stage2_table_pages(size));
		bench_retire();
		while (stage2_destroy_some(&s2))
			;
		ram_arena_release(&taken);
		bench_end();
	}
	// And when each 2 MiB has a table of its own.
	bench_cpu(&(struct bench_cpu){.pa_range = 2});
	bench_vm(MIB(32));
	for (uint64_t o = 0; o < MIB(32); o += MIB(2))
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + o)), 0);
	assert_true(bench_tables() >= 16 && bench_tables() <= stage2_table_pages(MIB(32)));
	bench_end();
}

// ---- shape ----

static void test_shape_follows_the_cpu(void **state)
{
	// PARange: bits, T0SZ, SL0, PS, tables of the root (Arm ARM, "VTCR_EL2", "Concatenated tables").
	static const struct {
		unsigned range, bits, sl0, ps, root;
	} cpus[] = {{0, 32, 1, 0, 1}, {1, 36, 1, 1, 1}, {2, 40, 1, 2, 2}, {3, 42, 1, 3, 8},
	            {4, 44, 2, 4, 1}, {5, 48, 2, 5, 1}, {6, 48, 2, 5, 1}, {7, 48, 2, 5, 1}};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
		for (unsigned vmid16 = 0; vmid16 <= 1; vmid16++) {
			bench_cpu(&(struct bench_cpu){.pa_range = cpus[i].range, .vmid16 = vmid16});
			assert_int_equal(stage2_limit(), UINT64_C(1) << cpus[i].bits);
			uint64_t vtcr = stage2_vtcr();
			assert_int_equal(field_get(GENMASK_U64(5, 0), vtcr), 64 - cpus[i].bits);
			assert_int_equal(field_get(GENMASK_U64(7, 6), vtcr), cpus[i].sl0);
			assert_int_equal(field_get(GENMASK_U64(13, 8), vtcr),
			                 0x35);                                    // WB, WB, inner
			assert_int_equal(field_get(GENMASK_U64(15, 14), vtcr), 0); // 4 KiB
			assert_int_equal(field_get(GENMASK_U64(18, 16), vtcr), cpus[i].ps);
			assert_int_equal(field_get(GENMASK_U64(19, 19), vtcr), vmid16);
			assert_int_equal(vtcr >> 20, 1 << 11); // RES1, and nothing else
			bench_vm(MIB(4));
			uint64_t root = (uintptr_t)s2.table.root;
			assert_true(is_aligned(root, cpus[i].root * PAGE_SIZE));
			assert_int_equal(BIT_U64(pages_entry(PA(root))->order), cpus[i].root);
			uint64_t vttbr = stage2_vttbr(&s2);
			assert_int_equal(vttbr & GENMASK_U64(47, 0), root);
			assert_int_equal(vttbr >> 48, s2.vmid.number);
			assert_true(s2.vmid.number != 0);
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + MIB(3))), 0);
			bench_end();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_peek),
	        TEST(test_a_touch_maps_64_kib),
	        TEST(test_attributes),
	        TEST(test_rom),
	        TEST(test_a_second_touch_does_nothing),
	        TEST(test_outside_of_ram),
	        TEST(test_devices_stay_inside),
	        TEST(test_sources_at_any_alignment),
	        TEST(test_covered_pieces_are_not_zeroed),
	        TEST(test_several_sources_in_a_page),
	        TEST(test_sources_lie_in_ram),
	        TEST(test_pages_are_scrubbed),
	        TEST(test_a_full_table_becomes_a_block),
	        TEST(test_others_make_no_block),
	        TEST(test_contents_survive_promotion),
	        TEST(test_a_ready_block_is_mapped_whole),
	        TEST(test_ram_that_ends_within_a_block),
	        TEST(test_without_free_blocks),
	        TEST(test_no_memory_at_any_point),
	        TEST(test_cleaning_is_complete_and_bounded),
	        TEST(test_cleaning_an_empty_giant),
	        TEST(test_the_end_comes_in_pieces),
	        TEST(test_nothing_is_left_of_it),
	        TEST(test_not_before_it_is_retired),
	        TEST(test_tables_never_outgrow_the_promise),
	        TEST(test_shape_follows_the_cpu),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
