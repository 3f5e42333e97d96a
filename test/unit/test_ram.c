// SPDX-License-Identifier: Apache-2.0
// From a board's RAM to EL2's map and an allocator that works: whatever the ranges are, all of RAM is
// mapped once and rightly, every page that may be given away has an entry, and what boot put somewhere
// is given to nobody.
#include "own_process.h"

#include "base/panic.h"
#include "fake.h"
#include "mem/el2map.h"

// Where the linker's symbols are, and the page array: 47 bits are all that a host has.
#undef EL2MAP_PAGES
#define EL2MAP_PAGES     UINT64_C(0x200000000000)
#define image_start      *at_image_start
#define text_end         *at_text_end
#define rodata_end       *at_rodata_end
#define image_end        *at_image_end
#define boot_stack_guard *at_boot_stack_guard
#define el3_start        *at_el3_start
#define el3_end          *at_el3_end

#include "../../src/main/ram.c"   // NOLINT(bugprone-suspicious-include): for these symbols
#include "../../src/mem/el2map.c" // NOLINT(bugprone-suspicious-include): for these symbols
#undef PFR1_BT
#include "../../src/mem/el2audit.c" // NOLINT(bugprone-suspicious-include): for these symbols
#include "ram_arena.h"

#define RAM    RAM_ARENA_BASE
#define ARENA  MIB(256)
#define IMAGE  (RAM + MIB(4))
#define LIMIT  UINT64_C(0x40000000) // no RAM above
#define STACKS UINT64_C(0xc00000000000)

char *at_image_start[1] = {(char *)IMAGE};
char *at_text_end[1] = {(char *)(IMAGE + KIB(200))};
char *at_rodata_end[1] = {(char *)(IMAGE + KIB(260))};
char *at_el3_start[1] = {(char *)(IMAGE + KIB(280))};
char *at_el3_end[1] = {(char *)(IMAGE + KIB(300))};
char *at_boot_stack_guard[1] = {(char *)(IMAGE + KIB(480))};
char *at_image_end[1] = {(char *)(IMAGE + KIB(512))};

static char said[4096];
static struct board board;

void console_write(const char *text, size_t length)
{
	size_t used = strlen(said);
	if (used + length + 1 > sizeof said)
		used = 0;
	memcpy(said + used, text, length);
	said[used + length] = 0;
}

// EL2's translation of an address, by the manual; false: none.
static bool el2_walk(uint64_t va, uint64_t *pa, uint64_t *attributes)
{
	const uint64_t *at = (const uint64_t *)el2map_root();
	for (unsigned level = 0;; level++) {
		unsigned low = 12 + 9 * (3 - level);
		uint64_t entry = at[va >> low & 511];
		if ((entry & 1) == 0)
			return false;
		if (level == 3 || (entry & 2) == 0) {
			*pa = (entry & GENMASK_U64(47, low)) | (va & (BIT_U64(low) - 1));
			*attributes = entry & (GENMASK_U64(54, 53) | GENMASK_U64(11, 2));
			return true;
		}
		at = (const uint64_t *)(uintptr_t)(entry & GENMASK_U64(47, 12));
	}
}

#define AF_RES1 (BIT_U64(10) | BIT_U64(6))
#define NORMAL  (AF_RES1 | 3 << 8 | 1 << 2) // inner shareable, MAIR index 1
#define NEVER_X (BIT_U64(54) | BIT_U64(53))
#define RO      BIT_U64(7)

static void assert_mapped(uint64_t va, uint64_t wanted)
{
	uint64_t pa = 0, attributes = 0;
	if (!el2_walk(va, &pa, &attributes))
		fail_msg("%#lx is not mapped", (unsigned long)va);
	assert_int_equal(pa, va);
	if (attributes != wanted)
		fail_msg("%#lx: attributes %#lx, not %#lx", (unsigned long)va,
		         (unsigned long)attributes, (unsigned long)wanted);
}

static void assert_unmapped(uint64_t va)
{
	uint64_t pa = 0, attributes = 0;
	if (el2_walk(va, &pa, &attributes))
		fail_msg("%#lx is mapped", (unsigned long)va);
}

static void put_range(uint64_t base, uint64_t size)
{
	board.ram[board.nr_ram++] = (struct board_range){base, size};
	board.ram_declared += size;
}

// What boot.S does, on a board whose memory is there.
static void power_on(uint64_t fdt)
{
	fake_reset();
	ram_arena_map(RAM, ARENA);
	ram_arena_map(EL2MAP_PAGES, (LIMIT >> PAGE_SHIFT) * sizeof(struct page));
	memset((void *)EL2MAP_PAGES, 0, (LIMIT >> PAGE_SHIFT) * sizeof(struct page));
	assert_int_equal(el2map_boot(fdt), el2map_root());
}

static bool in_ram(uint64_t pa)
{
	for (uint32_t i = 0; i < board.nr_ram; i++)
		if (range_contains(board.ram[i].base, board.ram[i].size, pa, 1))
			return true;
	return false;
}

static bool is_in(uint64_t page, struct board_range range)
{
	return ranges_overlap(page, PAGE_SIZE, range.base, range.size);
}

// What image a page belongs to, as EL2 has to see it.
static uint64_t image_attributes(uint64_t page)
{
	if (page < IMAGE || page >= IMAGE + KIB(512))
		return NORMAL | NEVER_X;
	if (page < IMAGE + KIB(200))
		return NORMAL | RO; // text: the only thing that executes
	if (page < IMAGE + KIB(260))
		return NORMAL | RO | NEVER_X;
	return NORMAL | NEVER_X;
}

// What is promised of memory after ram_init.
static void assert_ready(void)
{
	const struct board_range image = {IMAGE, KIB(512)};
	uint64_t handed = 0;
	static bool met[LIMIT / PAGE_SIZE];
	pa_t chunk;
	for (uint64_t page = RAM; page < RAM + ARENA; page += PAGE_SIZE) {
		uint64_t pa = 0, attributes = 0;
		if (!in_ram(page))
			continue;
		bool el3 = page >= IMAGE + KIB(280) && page < IMAGE + KIB(300);
		if (el3 || page == IMAGE + KIB(480)) // EL3's own, and the guard of the boot stack
			continue;
		assert_mapped(page, image_attributes(page));
		uint64_t entry = EL2MAP_PAGES + (page >> PAGE_SHIFT) * sizeof(struct page);
		assert_true(el2_walk(entry, &pa, &attributes));
		assert_int_equal(attributes, NORMAL | NEVER_X);
		assert_true(in_ram(pa));
	}
	while ((chunk = pages_alloc(0, 7, PAGE_GUEST, NULL)).v != 0) {
		assert_true(in_ram(chunk.v) && !met[chunk.v >> PAGE_SHIFT]);
		met[chunk.v >> PAGE_SHIFT] = true;
		assert_false(is_in(chunk.v, image));
		assert_false(is_in(chunk.v, board.tree));
		assert_false(is_in(chunk.v, board.initrd));
		handed++;
	}
	for (uint64_t page = RAM; page < RAM + ARENA; page += PAGE_SIZE) {
		if (!in_ram(page) || met[page >> PAGE_SHIFT])
			continue;
		// Not given: boot's, which includes the page array and the tables.
		const struct page *entry = pages_entry(PA(page));
		if (entry->state != PAGE_BOOT)
			fail_msg("%#lx is nobody's (state %u)", (unsigned long)page, entry->state);
	}
	assert_int_equal(handed, pages_counts().total);
	assert_non_null(strstr(said, "MiB free of"));
}

static void *put_tree(uint64_t at, uint64_t size)
{
	uint32_t *head = (uint32_t *)at;
	board.tree = (struct board_range){at, size};
	head[0] = __builtin_bswap32(0xd00dfeed);
	head[1] = __builtin_bswap32((uint32_t)size);
	return head;
}

// ---- boards ----

static void test_a_plain_board(void **state)
{
	(void)state;
	power_on(0);
	put_range(RAM, ARENA);
	put_tree(RAM + MIB(64) + 8, 70000);
	board.initrd = (struct board_range){RAM + MIB(128) + 100, MIB(3) + 5};
	assert_int_equal(ram_init(&board), 0);
	assert_unmapped(RAM - PAGE_SIZE);
	assert_unmapped(RAM + ARENA);
	for (uint64_t page = IMAGE + KIB(280); page < IMAGE + KIB(300); page += PAGE_SIZE)
		assert_unmapped(page); // EL3 uses it uncached
	assert_unmapped(IMAGE + KIB(480));
	assert_int_equal(pages_entry(PA(board.initrd.base))->owner, OWNER_BUNDLE);
	assert_int_equal(pages_entry(PA(IMAGE))->owner, OWNER_EL2);
	assert_ready();
}

// From 512 MiB on the page array has whole blocks, so that EL2's walks and audits are short.
static void test_a_large_board(void **state)
{
	const uint64_t array = EL2MAP_PAGES + (RAM >> PAGE_SHIFT) * sizeof(struct page);
	struct el2audit result;
	unsigned level;
	(void)state;
	power_on(0);
	ram_arena_map(RAM + ARENA, LIMIT - RAM - ARENA);
	memset((void *)(LIMIT - MIB(16)), 0xa5, MIB(16));
	put_range(RAM, LIMIT - RAM);
	put_tree(RAM + MIB(64) + 8, 70000);
	assert_int_equal(ram_init(&board), 0);
	const uint64_t *entry = pgtable_find(&el2, array, &level);
	assert_int_equal(level, 2);
	assert_int_equal(*entry & (PTE_VALID | PTE_TABLE), PTE_VALID);
	const uint8_t *block = (const uint8_t *)(*entry & PTE_ADDRESS);
	assert_true(is_aligned((uintptr_t)block, BLOCK_SIZE));
	for (uint64_t i = 0; i < BLOCK_SIZE; i++)
		if (block[i] != 0)
			fail_msg("byte %lu of the array is not zero", (unsigned long)i);
	assert_ready();
	fake_set_sysreg("sctlr_el2", SCTLR_EL2_ON);
	el2audit_run(&result);
	assert_null(result.first);
}

static void test_ranges_of_all_sorts(void **state)
{
	(void)state;
	power_on(0);
	put_range(RAM + KIB(4), KIB(4));
	put_range(RAM + KIB(12), MIB(1));
	put_range(RAM + MIB(3) + KIB(8), MIB(30) + KIB(4));
	put_range(RAM + MIB(40) - KIB(4), KIB(8));
	put_range(RAM + MIB(63) + KIB(124), MIB(100) + KIB(12));
	put_range(RAM + MIB(255), MIB(1));
	put_tree(RAM + MIB(70), MIB(2));
	board.initrd = (struct board_range){RAM + MIB(63) + KIB(124), 1}; // at a range's start
	assert_int_equal(ram_init(&board), 0);
	assert_unmapped(RAM + MIB(2));
	assert_unmapped(RAM + MIB(40) + KIB(4));
	assert_ready();
}

static void test_as_many_ranges_as_there_may_be(void **state)
{
	(void)state;
	power_on(0);
	put_range(RAM + MIB(2), MIB(40));
	for (unsigned i = 1; i < BOARD_MAX_RAM; i++)
		put_range(RAM + MIB(50) + i * MIB(4) + i * KIB(4), MIB(3));
	put_tree(RAM + MIB(30), 4096);
	board.initrd = (struct board_range){RAM + MIB(20), MIB(1)};
	assert_int_equal(ram_init(&board), 0);
	assert_ready();
}

static void test_a_bundle_that_is_not_in_ram(void **state)
{
	(void)state;
	power_on(0);
	put_range(RAM, MIB(64));
	put_tree(RAM + MIB(1), 4096);
	board.initrd = (struct board_range){RAM + MIB(100) + 8, MIB(2)};
	assert_int_equal(ram_init(&board), 0);
	assert_mapped(RAM + MIB(101), NORMAL | RO | NEVER_X); // read, never written
	assert_unmapped(RAM + MIB(103));
	assert_ready();
}

static void test_too_little(void **state)
{
	(void)state;
	power_on(0);
	put_range(RAM + MIB(4), MIB(1)); // the image is in it
	put_tree(RAM + MIB(4) + KIB(600), 4096);
	assert_int_equal(ram_init(&board), ERR_NO_MEMORY);
	assert_non_null(strstr(said, "memory: "));
}

static void test_no_range_at_all(void **state)
{
	(void)state;
	power_on(0);
	assert_int_equal(ram_init(&board), ERR_NO_MEMORY);
	assert_non_null(strstr(said, "memory: "));
}

// ---- the map by itself ----

static void test_the_first_map(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_map(RAM, ARENA);
	const uint64_t tree = RAM + MIB(200) + 8;
	put_tree(tree, 70000);
	el2map_boot(tree);
	for (uint64_t page = IMAGE; page < IMAGE + KIB(512); page += PAGE_SIZE) {
		bool el3 = page >= IMAGE + KIB(280) && page < IMAGE + KIB(300);
		if (el3 || page == IMAGE + KIB(480))
			assert_unmapped(page);
		else
			assert_mapped(page, image_attributes(page));
	}
	assert_unmapped(IMAGE - 1);
	assert_unmapped(IMAGE + KIB(512));
	assert_mapped(tree, NORMAL | NEVER_X);
	assert_mapped(tree + 69999, NORMAL | NEVER_X);
	assert_unmapped(align_up(tree + 70000, PAGE_SIZE));
}

static void test_trees_that_are_none(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_map(RAM, ARENA);
	const uint64_t tree = RAM + MIB(200);
	put_tree(tree, MIB(2) + 1); // larger than a tree may be
	el2map_boot(tree);
	assert_unmapped(tree);
	put_tree(tree, 7);
	el2map_boot(tree);
	assert_unmapped(tree);
	put_tree(tree, 4096);
	el2map_boot(tree + 4); // not aligned
	assert_unmapped(tree);
	*(uint32_t *)tree = 0x12345678;
	el2map_boot(tree);
	assert_unmapped(tree);
}

static void test_devices_and_stacks(void **state)
{
	(void)state;
	power_on(0);
	put_range(RAM, ARENA);
	put_tree(RAM, 4096);
	assert_int_equal(ram_init(&board), 0);
	const uint64_t device = AF_RES1 | NEVER_X; // not shareable, MAIR index 0
	fake_log_count = 0;
	assert_int_equal(el2map_device(PA(0x9000000), 0x1000), 0);
	assert_mapped(0x9000ffc, device);
	assert_unmapped(0x9001000);
	long last = fake_find(0, FAKE_OTHER, "pte on");
	for (long next = last; next >= 0; next = fake_find((size_t)next + 1, FAKE_OTHER, "pte on"))
		last = next;
	assert_true(fake_find((size_t)last, FAKE_BARRIER, "dsb ishst") > last); // published
	assert_int_equal(fake_find(0, FAKE_OTHER, "pte off"), -1);
	assert_int_equal(el2map_device(PA(0x9000800), 0x1000), 0); // shares a page
	assert_mapped(0x9001000, device);
	assert_int_equal(el2map_device(PA(UINT64_C(1) << 44), GIB(3)), 0);
	assert_mapped((UINT64_C(1) << 44) + GIB(3) - 4, device);
	assert_int_equal(el2map_device(PA(EL2MAP_PAGES), 0x1000), ERR_RANGE);
	assert_int_equal(el2map_device(PA(EL2MAP_PAGES - 0x1000), 0x2000), ERR_RANGE);
	assert_int_equal(el2map_device(PA(UINT64_MAX - 0xfff), 0x2000), ERR_RANGE);
	assert_int_equal(el2map_memory(PA(0), UINT64_MAX, true), ERR_RANGE);
	for (uint32_t id = 0; id < 8; id++) {
		for (unsigned which = 0; which < 2; which++) {
			uint64_t pa = 0, attributes = 0, top = el2map_stack(id, which);
			assert_true(top > STACKS);
			for (uint64_t at = top - EL2MAP_STACK_SIZE; at < top; at += PAGE_SIZE) {
				assert_true(el2_walk(at, &pa, &attributes));
				assert_int_equal(attributes, NORMAL | NEVER_X);
				assert_int_equal(pages_entry(PA(pa))->owner, OWNER_EL2);
			}
			assert_unmapped(top - EL2MAP_STACK_SIZE - 1); // the guard
			assert_unmapped(top);
		}
	}
}

// ---- the self-audit ----

static uint64_t *entry_of(uint64_t va)
{
	unsigned level;
	uint64_t *entry = pgtable_find(&el2, va, &level);
	assert_int_equal(*entry & PTE_VALID, PTE_VALID);
	return entry;
}

static void assert_rule(uint64_t va, const char *rule)
{
	struct el2audit result;
	el2audit_run(&result);
	if (result.first == NULL)
		fail_msg("nothing is wrong at %#lx", (unsigned long)va);
	assert_string_equal(result.first, rule);
	assert_int_equal(result.wrong, 1);
	assert_true(result.at <= va && va - result.at < KIB(512));
}

// A board that has booted.
static void boot_up(void)
{
	power_on(0);
	put_range(RAM, ARENA);
	put_tree(RAM, 4096);
	assert_int_equal(ram_init(&board), 0);
	assert_int_equal(el2map_device(PA(0x9000000), 0x1000), 0);
	assert_non_null(el2map_elsewhere(PA(0), 0x1000));
	for (uint32_t id = 0; id < 3; id++) {
		assert_true(el2map_stack(id, 0) != 0);
		assert_true(el2map_stack(id, 1) != 0);
	}
	fake_set_sysreg("sctlr_el2", SCTLR_EL2_ON);
}

static void test_the_self_audit_agrees(void **state)
{
	struct el2audit result;
	(void)state;
	boot_up();
	el2audit_run(&result);
	assert_null(result.first);
	assert_int_equal(result.wrong, 0);
	assert_true(result.entries > 3 * 2 * 4 + KIB(512) / PAGE_SIZE - 6);
	fake_set_sysreg("sctlr_el2", SCTLR_EL2_ON & ~SCTLR_EL2_WXN);
	el2audit_run(&result);
	assert_string_equal(result.first, "SCTLR_EL2 has M, SA and WXN set");
	features_present |= BIT_U64(FEATURE_PAUTH);
	fake_set_sysreg("sctlr_el2", SCTLR_EL2_ON);
	el2audit_run(&result);
	assert_string_equal(result.first, "SCTLR_EL2 has EnIA set: return addresses are signed");
	fake_set_sysreg("sctlr_el2", SCTLR_EL2_ON | BIT_U64(SCTLR_EL2_ENIA_BIT));
	el2audit_run(&result);
	assert_null(result.first);
	features_present &= ~BIT_U64(FEATURE_PAUTH);
}

// Adds `set` to an entry and takes `clear` away.
static void plant(uint64_t va, uint64_t set, uint64_t clear, const char *rule)
{
	uint64_t *entry = entry_of(va), kept = *entry;
	*entry = (kept | set) & ~clear;
	assert_rule(va, rule);
	*entry = kept;
}

static void test_the_self_audit_finds(void **state)
{
	struct el2audit result;
	(void)state;
	boot_up();
	plant(IMAGE, 0, PTE_S1_RO, "mezzo writes or executes it");
	plant(IMAGE + KIB(400), 0, PTE_S1_XN, "mezzo writes or executes it");
	plant(IMAGE + KIB(200), 0, PTE_S1_XN, "mezzo executes its text alone");
	plant(IMAGE, PTE_S1_XN, PTE_S1_RO, "text and constants are read-only");
	plant(IMAGE + KIB(256), 0, PTE_S1_RO, "text and constants are read-only");
	plant(IMAGE + KIB(400), PAGE_SIZE, 0, "it is mapped at its own address");
	plant(IMAGE + KIB(400), 0, PTE_S1_NORMAL, "RAM is normal memory");
	plant(EL2MAP_ELSEWHERE, RAM + MIB(16), 0, "mezzo's own alone has another address");
	// A stack that leads to memory that a guest may get.
	uint64_t stack = EL2MAP_STACKS + EL2MAP_STACK_SIZE, *entry = entry_of(stack), kept = *entry;
	pa_t page = pages_alloc(0, 1, PAGE_GUEST, NULL);
	*entry = (kept & ~PTE_ADDRESS) | page.v;
	assert_rule(stack, "mezzo's own alone has another address");
	*entry = kept;
	// Guard pages, and what EL3 keeps.
	assert_int_equal(
	        pgtable_map(&el2, IMAGE + KIB(480), PA(IMAGE + KIB(480)), PAGE_SIZE, S1_DATA), 0);
	assert_rule(IMAGE + KIB(480), "a guard page is not mapped");
	*entry_of(IMAGE + KIB(480)) = 0;
	page = pages_alloc(0, OWNER_EL2, PAGE_TABLE, NULL);
	assert_int_equal(pgtable_map(&el2, stack - PAGE_SIZE, PA(page.v), PAGE_SIZE, S1_DATA), 0);
	assert_rule(stack - PAGE_SIZE, "a guard page is not mapped");
	*entry_of(stack - PAGE_SIZE) = 0;
	assert_int_equal(
	        pgtable_map(&el2, IMAGE + KIB(280), PA(IMAGE + KIB(280)), PAGE_SIZE, S1_DATA), 0);
	assert_rule(IMAGE + KIB(280), "memory of EL3 is not mapped");
	*entry_of(IMAGE + KIB(280)) = 0;
	el2audit_run(&result);
	assert_int_equal(result.wrong, 0);
}

static void test_the_self_audit_knows_bti(void **state)
{
	struct el2audit result;
	(void)state;
	boot_up();
	fake_set_sysreg("id_aa64pfr1_el1", 1); // the map was made without
	el2audit_run(&result);
	assert_string_equal(result.first, "mezzo's text is guarded (BTI)");
	assert_int_equal(result.at, IMAGE);
}

static void test_no_memory_for_a_stack(void **state)
{
	struct page_list taken = {0};
	(void)state;
	power_on(0);
	put_range(RAM, MIB(64));
	put_tree(RAM, 4096);
	assert_int_equal(ram_init(&board), 0);
	ram_arena_exhaust(&taken, 2);
	assert_int_equal(el2map_stack(3, 0), 0);
	assert_int_equal(el2map_device(PA(UINT64_C(1) << 43), 0x1000), ERR_NO_MEMORY);
	ram_arena_release(&taken);
	assert_int_equal(el2map_device(PA(UINT64_C(1) << 43), 0x1000), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_plain_board),
	        cmocka_unit_test(test_a_large_board),
	        cmocka_unit_test(test_ranges_of_all_sorts),
	        cmocka_unit_test(test_as_many_ranges_as_there_may_be),
	        cmocka_unit_test(test_a_bundle_that_is_not_in_ram),
	        cmocka_unit_test(test_too_little),
	        cmocka_unit_test(test_no_range_at_all),
	        cmocka_unit_test(test_the_first_map),
	        cmocka_unit_test(test_trees_that_are_none),
	        cmocka_unit_test(test_devices_and_stacks),
	        cmocka_unit_test(test_no_memory_for_a_stack),
	        cmocka_unit_test(test_the_self_audit_agrees),
	        cmocka_unit_test(test_the_self_audit_finds),
	        cmocka_unit_test(test_the_self_audit_knows_bti),
	};
	return own_process_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
