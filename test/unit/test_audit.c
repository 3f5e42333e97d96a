// SPDX-License-Identifier: Apache-2.0
// The audit of all pages: it agrees with what the real allocator and the real stage 2 do, whatever state VMs
// are in and whatever they do meanwhile, and finds every kind of fault that is planted. All of it with
// marks for the whole board at once, and for a quarter of it at a time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arm/features.h"
#include "fake.h"
#include "ram_arena.h"

static uint64_t window; // pages
#define WINDOW window
// NOLINTBEGIN(bugprone-suspicious-include): with another window
#include "../../src/vm/audit.c"
#define image_start      *at_image_start
#define text_end         *at_text_end
#define rodata_end       *at_text_end
#define boot_stack_guard *at_guard
#define el3_start        *at_text_end
#define el3_end          *at_text_end
#include "../../src/mem/el2audit.c"
#include "../../src/vm/audit_array.c"
// NOLINTEND(bugprone-suspicious-include)

#define ARENA    MIB(64)
#define NO_RAM   (RAM_ARENA_BASE + ARENA + MIB(64))
#define RAM      VM_VIRT_RAM_BASE
#define VM_RAM   MIB(16)
#define EL2_BITS 48

#define TEXT_SIZE (MIB(2) + KIB(8))
#define STACK     (EL2MAP_STACKS + EL2MAP_STACK_SIZE)

char *at_image_start[1] = {(char *)GIB(4)};
char *at_text_end[1] = {(char *)(GIB(4) + TEXT_SIZE)};
char *at_guard[1] = {(char *)GIB(5)};

// ---- EL2's map ----

static uint64_t image[512] __attribute__((aligned(4096))); // its root lies in the image
static uint64_t *alloc_el2(struct pgtable *table)
{
	(void)table;
	pa_t page = pages_alloc(0, OWNER_EL2, PAGE_TABLE, NULL);
	memset((void *)(uintptr_t)page.v, 0, PAGE_SIZE);
	return (uint64_t *)(uintptr_t)page.v;
}
static const struct pgtable_ops el2_ops = {.alloc = alloc_el2};
static struct pgtable el2_map = {.ops = &el2_ops, .root = image, .bits = EL2_BITS};

bool el2map_is_image(pa_t pa)
{
	return pa.v == (uintptr_t)image;
}
void el2map_walk(uint64_t *address, unsigned budget, const struct pgtable_visitor *visitor,
                 void *argument)
{
	pgtable_walk(&el2_map, address, budget, visitor, argument);
}

static pa_t array_block; // mapped as a whole

static void make_el2_map(void)
{
	const uint64_t text = PTE_S1_NORMAL | PTE_S1_RO, data = PTE_S1_NORMAL | PTE_S1_XN;
	assert_int_equal(pgtable_map(&el2_map, 0, PA(0), GIB(2), data), 0);
	assert_int_equal(pgtable_map(&el2_map, GIB(4), PA(GIB(4)), TEXT_SIZE, text), 0);
	for (uint64_t i = 0; i < 4; i++) {
		pa_t page = pages_alloc(0, OWNER_EL2, PAGE_TABLE, NULL);
		assert_int_equal(
		        pgtable_map(&el2_map, STACK + i * PAGE_SIZE, page, PAGE_SIZE, data), 0);
	}
	array_block = pages_alloc(PAGES_MAX_ORDER, OWNER_EL2, PAGE_TABLE, NULL);
	assert_int_equal(pgtable_map(&el2_map, EL2MAP_PAGES, array_block, BLOCK_SIZE, data), 0);
}

// ---- the board ----

static struct vm *one, *two;
static struct audit result;
static struct pages_count before;
static unsigned steps, lines;
static void (*meanwhile)(unsigned step);

static bool no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

static struct vm *make_vm(const char *name)
{
	struct vm *made = vm_create(name, 2, VM_RAM);
	assert_non_null(made);
	assert_non_null(vm_alloc(made, 70000)); // a device
	assert_int_equal(vm_publish(made), 0);
	return made;
}

static void touch(struct vm *of, uint64_t offset)
{
	assert_int_equal(stage2_fault(&of->stage2, IPA(RAM + offset)), 0);
}

static void begin(struct vm *of)
{
	assert_int_equal(stage2_create(&of->stage2, (uint16_t)of->id, RAM, VM_RAM), 0);
	assert_int_equal(stage2_map_device(&of->stage2, 0x8010000, PA(NO_RAM), KIB(8)), 0);
}

// What an ended VM leaves is zeroed blocks; here each kind of block is to come from where the test says.
static void empty_pool(void)
{
	struct page_list list = {0};
	pa_t block;
	while ((block = pages_alloc_zeroed(OWNER_EL2, PAGE_DATA, &list)).v != 0)
		;
	while (list.first != 0)
		pages_free(PA((uint64_t)list.first << PAGE_SHIFT), &list);
}

// One VM with memory of all kinds: a ready block, a block that grew together, one that is half filled; one
// that has never run.
static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	fake_event_hook = no_log;
	features_probe(true);
	stage2_init();
	empty_pool();
	one = make_vm("linux");
	two = make_vm("rtos");
	begin(one);
	while (pages_counts().zeroed == 0)
		assert_true(pages_prepare());
	touch(one, MIB(2));
	for (uint64_t o = MIB(4); o < MIB(6); o += KIB(64))
		touch(one, o);
	touch(one, MIB(9));
	for (unsigned i = 0; i < 5; i++) // what a device of it took
		assert_int_not_equal(vm_take_page(one, i < 2).v, 0);
	meanwhile = NULL;
	before = pages_counts();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (struct vm *vm; (vm = vm_after(0)) != NULL;) {
		vm_withdraw(vm);
		vm_discard(vm);
	}
	return 0;
}

// A whole audit. The lines of VMs are counted.
static void audit(void)
{
	static struct audit a;
	enum audit_step step;
	steps = lines = 0;
	assert_int_equal(audit_begin(&a), 0);
	while ((step = audit_step(&a)) != AUDIT_DONE) {
		lines += step == AUDIT_VM ? 1 : 0;
		assert_true(steps++ < 100000);
		if (meanwhile != NULL)
			meanwhile(steps);
	}
	assert_int_equal(audit_step(&a), AUDIT_DONE);
	result = a;
	audit_end(&a);
	audit_end(&a);
}

static void assert_agrees(void)
{
	if (result.disagreements != 0)
		fail_msg("%#lx: expected %s, found %s", (unsigned long)result.found[0].page,
		         result.found[0].expected, result.found[0].found);
}

// A fault was planted: it is found, and is one of `page`. What was planted is taken back by the caller.
static void assert_finds(uint64_t page, const char *expected, const char *found)
{
	audit();
	for (unsigned i = 0; i < result.nr_found; i++)
		if (result.found[i].page == page &&
		    strstr(result.found[i].expected, expected) != NULL &&
		    strstr(result.found[i].found, found) != NULL)
			return;
	for (unsigned i = 0; i < result.nr_found; i++)
		print_error("%#lx: expected %s, found %s\n", (unsigned long)result.found[i].page,
		            result.found[i].expected, result.found[i].found);
	fail_msg("%lu disagreements, but not %s / %s of %#lx", (unsigned long)result.disagreements,
	         expected, found, (unsigned long)page);
}

static uint64_t *entry_of(struct vm *vm, uint64_t offset)
{
	unsigned level;
	return pgtable_find(&vm->stage2.table, RAM + offset, &level);
}
static uint64_t pa_of(struct vm *vm, uint64_t offset)
{
	return *entry_of(vm, offset) & PTE_ADDRESS;
}

// ---- agreement ----

static void test_all_agree(void **state)
{
	(void)state;
	audit();
	assert_agrees();
	assert_int_equal(lines, 2);
	assert_int_equal(result.sums.pages, ARENA / PAGE_SIZE);
	assert_int_equal(result.sums.moving, 0);
	assert_false(result.unsteady);
	assert_int_equal(pages_counts().free, before.free);
	assert_int_equal(pages_counts().committed, before.committed);
}

static struct audit_vm seen[8];
static unsigned nr_seen;
static void test_what_is_said_of_a_vm(void **state)
{
	(void)state;
	struct audit a;
	enum audit_step step;
	nr_seen = 0;
	assert_int_equal(audit_begin(&a), 0);
	while ((step = audit_step(&a)) != AUDIT_DONE)
		if (step == AUDIT_VM)
			seen[nr_seen++] = a.vm;
	audit_end(&a);
	assert_int_equal(nr_seen, 2);
	assert_string_equal(seen[0].name, "linux");
	assert_int_equal(seen[0].mapped, 512 + 512 + 16);
	assert_int_equal(seen[0].kept, 512 - 16);
	assert_int_equal(seen[0].devices, 2);
	assert_int_equal(seen[0].tables, pages_usage(1).table);
	assert_int_equal(seen[0].others, pages_usage(1).data);
	assert_true(seen[0].agrees && !seen[0].changed);
	assert_int_equal(seen[1].mapped + seen[1].kept + seen[1].tables, 0);
	assert_true(seen[1].others > 16 && seen[1].agrees);
}

static void test_through_a_life(void **state)
{
	(void)state;
	begin(two);
	for (uint64_t o = 0; o < VM_RAM; o += PAGE_SIZE)
		touch(two, o);
	audit();
	assert_agrees();
	stage2_retire(&two->stage2);
	while (stage2_destroy_some(&two->stage2)) { // its memory is on its way back
		audit();
		assert_agrees();
	}
	audit();
	assert_agrees();
	begin(two); // again
	touch(two, 0);
	audit();
	assert_agrees();
	vm_withdraw(two); // out of sight, its pages still there
	audit();
	assert_agrees();
	assert_true(result.sums.moving > 16);
	vm_discard(two);
	audit();
	assert_agrees();
	assert_int_equal(result.sums.moving, 0);
	assert_int_equal(lines, 1);
}

static void test_when_memory_is_short(void **state)
{
	(void)state;
	struct page_list taken = {0};
	begin(two);
	ram_arena_exhaust(&taken, 100);
	for (uint64_t o = 0; stage2_fault(&two->stage2, IPA(RAM + o)) == 0; o += PAGE_SIZE)
		; // single pages
	struct audit a;
	assert_int_equal(audit_begin(&a), ERR_NO_MEMORY);
	audit_end(&a);
	ram_arena_release(&taken);
	audit();
	assert_agrees();
	assert_int_equal(pages_counts().committed, before.committed);
}

static void test_broken_off_anywhere(void **state)
{
	(void)state;
	audit();
	for (unsigned stop = 0, all = steps; stop < all; stop++) {
		struct audit a;
		struct pages_count now = pages_counts();
		assert_int_equal(audit_begin(&a), 0);
		for (unsigned i = 0; i < stop; i++)
			(void)audit_step(&a);
		audit_end(&a);
		assert_int_equal(pages_counts().free, now.free);
	}
	audit();
	assert_agrees();
}

// ---- while guests run ----

static uint64_t next_touch;
static void touch_now_and_then(unsigned step)
{
	if (step % 40 == 3 && next_touch < VM_RAM) {
		touch(one, next_touch);
		next_touch += KIB(64);
	}
}

static void test_a_guest_touches_memory_meanwhile(void **state)
{
	(void)state;
	next_touch = MIB(6);
	meanwhile = touch_now_and_then;
	audit();
	assert_agrees();
	next_touch = 0;
	audit();
	assert_agrees();
}

static void change_always(unsigned step)
{
	(void)step;
	pa_t page = pages_alloc(0, (uint16_t)one->id, PAGE_TABLE, &one->stage2.pages);
	pages_free(page, &one->stage2.pages);
}

static void test_a_vm_that_never_rests(void **state)
{
	(void)state;
	meanwhile = change_always;
	audit();
	assert_agrees();
	assert_int_equal(lines, 2);
	assert_true(result.unsteady);
}

static unsigned take_away_at;
static void take_away(unsigned step)
{
	if (step == take_away_at && vm_by_id(2) == two) {
		vm_withdraw(two);
		vm_discard(two);
	}
	if (step == take_away_at + 2) {
		two = make_vm("again"); // of the same number
		begin(two);
		touch(two, MIB(3));
	}
}

static void test_vms_come_and_go_meanwhile(void **state)
{
	(void)state;
	audit();
	unsigned all = steps;
	for (take_away_at = 1; take_away_at < all - 2; take_away_at++) {
		meanwhile = take_away;
		audit();
		assert_agrees();
		meanwhile = NULL;
		audit();
		assert_agrees();
		assert_int_equal(result.sums.moving, 0);
	}
}

// ---- planted faults ----

static void test_a_page_of_somebody_else(void **state)
{
	(void)state;
	static const uint64_t at[] = {MIB(2) + KIB(20), MIB(5), MIB(9)};
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		unsigned level;
		uint64_t entry = *pgtable_find(&one->stage2.table, RAM + at[i], &level);
		uint64_t span = pgtable_span(level);
		uint64_t page = (entry & PTE_ADDRESS) + align_down(at[i], PAGE_SIZE) % span;
		struct page *p = pages_entry(PA(page));
		p->owner = (uint16_t)two->id;
		assert_finds(page, "memory of linux", "memory of rtos");
		p->owner = OWNER_NONE;
		assert_finds(page, "memory of linux", "memory");
		p->owner = OWNER_EL2;
		assert_finds(page, "memory of linux", "memory of mezzo");
		p->owner = (uint16_t)one->id;
		p->state = PAGE_TABLE;
		assert_finds(page, "memory of linux", "table of linux");
		p->state = PAGE_GUEST;
	}
	audit();
	assert_agrees();
}

static void test_a_page_mapped_twice(void **state)
{
	(void)state;
	uint64_t *entry = entry_of(one, MIB(9) + KIB(64)), kept = *entry;
	*entry = *entry_of(one, MIB(9));
	assert_finds(pa_of(one, MIB(9)), "memory of linux", "reached twice");
	*entry = kept;
	entry = entry_of(one, MIB(4)); // a block
	kept = *entry;
	*entry = *entry_of(one, MIB(2));
	assert_finds(pa_of(one, MIB(2)), "memory of linux", "reached twice");
	*entry = kept;
	audit();
	assert_agrees();
}

static void test_a_page_mapped_by_two_vms(void **state)
{
	(void)state;
	begin(two);
	touch(two, 0);
	uint64_t *entry = entry_of(two, 0), kept = *entry;
	*entry = *entry_of(one, MIB(9));
	assert_finds(pa_of(one, MIB(9)), "memory of rtos", "memory of linux");
	assert_finds(kept & PTE_ADDRESS, "reached by tables or lists of rtos", "memory of rtos");
	*entry = kept;
	audit();
	assert_agrees();
}

// The page of stolen time is the VM's own data, and nothing that a guest could write or execute.
static void test_stolen_time(void **state)
{
	(void)state;
	unsigned level;
	pa_t page = pages_alloc(0, (uint16_t)one->id, PAGE_DATA, &one->pages);
	assert_int_equal(stage2_map_readonly(&one->stage2, PVTIME_BASE, page), 0);
	audit();
	assert_agrees();
	uint64_t *entry = pgtable_find(&one->stage2.table, PVTIME_BASE, &level), kept = *entry;
	static const uint64_t wrong[] = {PTE_S2_WRITE, PTE_S2_XN};
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		*entry = kept ^ wrong[i];
		assert_finds(page.v, "registers of a device", "RAM, mapped at 0x90a0000 of linux");
	}
	pa_t other = pages_alloc(0, (uint16_t)two->id, PAGE_DATA, &two->pages);
	*entry = (kept & ~PTE_ADDRESS) | other.v;
	assert_finds(other.v, "registers of a device", "RAM, mapped at 0x90a0000 of linux");
	*entry = kept;
	audit();
	assert_agrees();
}

// Pages of flash are the VM's own data, any number of times, and nothing that a guest could write; only where it has some.
static void test_flash(void **state)
{
	(void)state;
	unsigned level;
	pa_t page = pages_alloc(0, (uint16_t)one->id, PAGE_DATA, &one->pages);
	one->flash = (struct vflash *)one; // it has one
	assert_int_equal(stage2_map_rom(&one->stage2, 0, page), 0);
	assert_int_equal(stage2_map_rom(&one->stage2, VFLASH_END - PAGE_SIZE, page), 0);
	audit();
	assert_agrees();
	uint64_t *entry = pgtable_find(&one->stage2.table, 0, &level), kept = *entry;
	static const uint64_t wrong[] = {PTE_S2_WRITE, PTE_S2_XN};
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		*entry = kept ^ wrong[i];
		assert_finds(page.v, "registers of a device", "RAM, mapped at 0x0 of linux");
	}
	*entry = kept;
	one->flash = NULL;
	assert_finds(page.v, "registers of a device", "RAM, mapped at 0x0 of linux");
	stage2_unmap_rom(&one->stage2, 0);
	stage2_unmap_rom(&one->stage2, VFLASH_END - BLOCK_SIZE);
	audit();
	assert_agrees();
}

static void test_mapped_where_no_memory_is(void **state)
{
	(void)state;
	uint64_t page = pa_of(one, MIB(9));
	uint64_t *entry = pgtable_make(&one->stage2.table, 0x8010000, 3);
	uint64_t kept = *entry;
	*entry = (kept & ~PTE_ADDRESS) | page;
	assert_finds(page, "registers of a device", "RAM, mapped at 0x8010000 of linux");
	*entry = kept;
	entry = entry_of(one, MIB(9));
	kept = *entry;
	*entry = (kept & ~PTE_ADDRESS) | NO_RAM;
	assert_finds(NO_RAM, "memory of linux", "no RAM");
	*entry = NO_RAM; // remembered only
	assert_finds(NO_RAM, "memory of linux", "no RAM");
	*entry = kept;
	unsigned level;
	entry = pgtable_find(&one->stage2.table, RAM, &level);
	uint64_t *upper = (uint64_t *)(uintptr_t)one->stage2.table.root + 1; // the GiB of its RAM
	kept = *upper;
	*upper = RAM_ARENA_BASE | PTE_VALID;
	assert_finds(RAM_ARENA_BASE, "at most 2 MiB", "more");
	*upper = kept;
	audit();
	assert_agrees();
}

static void test_tables(void **state)
{
	(void)state;
	unsigned level;
	uint64_t *root = one->stage2.table.root,
	         *second = (uint64_t *)(uintptr_t)(root[1] & PTE_ADDRESS);
	uint64_t *third = &second[4], kept = *third; // of MiB 8 and 9
	uint64_t page = kept & PTE_ADDRESS;
	assert_true((kept & PTE_TABLE) != 0);
	(void)pgtable_find(&one->stage2.table, RAM + MIB(9), &level);
	assert_int_equal(level, 3);
	pages_entry(PA(page))->owner = (uint16_t)two->id;
	assert_finds(page, "table of linux", "table of rtos");
	pages_entry(PA(page))->owner = (uint16_t)one->id;
	pages_entry(PA(page))->state = PAGE_GUEST;
	assert_finds(page, "table of linux", "memory of linux");
	pages_entry(PA(page))->state = PAGE_TABLE;
	second[7] = kept; // reached twice
	assert_finds(page, "table of linux", "reached twice");
	second[7] = (uintptr_t)second | PTE_VALID | PTE_TABLE; // leads to itself
	assert_finds((uintptr_t)second, "table of linux", "reached twice");
	second[7] = NO_RAM | PTE_VALID | PTE_TABLE; // is not followed
	assert_finds(NO_RAM, "table of linux", "no RAM");
	second[7] = 0;
	*third = 0; // lost, with all the memory below it
	assert_finds(0, "table of linux", "pages");
	assert_int_equal(result.disagreements, 512 + 1 + 2); // two sums are not right, either
	*third = kept;
	page = (uintptr_t)root;
	pages_entry(PA(page))->owner = OWNER_BUNDLE;
	assert_finds(page, "table of linux", "of the bundle");
	pages_entry(PA(page))->owner = (uint16_t)one->id;
	audit();
	assert_agrees();
}

static void test_pages_that_are_lost(void **state)
{
	(void)state;
	pa_t page = pages_alloc(0, (uint16_t)one->id, PAGE_GUEST, NULL); // in no table
	assert_finds(page.v, "reached by tables or lists of linux", "memory of linux");
	assert_finds(0, "memory of linux", "pages");
	pages_free(page, NULL);
	page = pages_alloc(2, (uint16_t)two->id, PAGE_DATA, NULL); // in no list
	assert_finds(page.v + PAGE_SIZE, "reached by tables or lists of rtos",
	             "structures of rtos");
	pages_free(page, NULL);
	page = pages_alloc(0, 77, PAGE_DATA, NULL); // of a VM that was never there
	assert_finds(page.v, "an owner that exists", "structures of number 77");
	pages_free(page, NULL);
	page = pages_alloc(0, OWNER_EL2, PAGE_TABLE, NULL);
	assert_finds(page.v, "a table that mezzo's map reaches", "table of mezzo");
	pages_free(page, NULL);
	page = pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL);
	pages_entry(page)->owner = 5000; // no owner can have this number
	assert_finds(page.v, "an owner that exists", "number 5000");
	pages_entry(page)->owner = OWNER_EL2;
	pages_entry(page)->state = PAGE_GUEST;
	assert_finds(page.v, "of mezzo", "memory of mezzo");
	pages_entry(page)->state = PAGE_DATA;
	pages_free(page, NULL);
	audit();
	assert_agrees();
}

static void test_lists(void **state)
{
	(void)state;
	struct page *head = pages_at(one->pages.first);
	uint32_t next = head->next, first = one->pages.first;
	head->next = one->pages.first; // in a circle
	assert_finds((uint64_t)first << PAGE_SHIFT, "structures of linux", "reached twice");
	head->next = (uint32_t)(NO_RAM >> PAGE_SHIFT);
	assert_finds(NO_RAM, "structures of linux", "no RAM");
	head->next = next;
	uint64_t home = (uintptr_t)one;
	pages_entry(PA(home))->state = PAGE_GUEST;
	assert_finds(home, "structures of linux", "memory of linux");
	pages_entry(PA(home))->state = PAGE_DATA;
	audit();
	assert_agrees();
}

// The head of a large free chunk.
static uint64_t free_frame(void)
{
	uint64_t first, end;
	assert_true(pages_region(0, &first, &end));
	for (uint64_t f = align_up(first, 512); f < end; f += 512)
		if (pages_at(f)->state == PAGE_FREE && pages_at(f)->order == PAGES_MAX_ORDER)
			return f;
	fail();
	return 0;
}

static void test_free_memory(void **state)
{
	(void)state;
	uint64_t frame = free_frame(), pa = frame << PAGE_SHIFT;
	struct page *head = pages_at(frame);
	head[100].owner = (uint16_t)one->id;
	assert_finds(pa + 100 * PAGE_SIZE, "the rest of a free chunk", "");
	head[100].owner = OWNER_NONE;
	uint8_t state_kept = head[3].state, order_kept = head[3].order;
	head[3].state = PAGE_FREE;
	head[3].order = 0;
	assert_finds(pa + 3 * PAGE_SIZE, "the rest of a free chunk", "free page");
	head[3].state = state_kept;
	head[3].order = order_kept;
	head->order = 8; // half of it is lost
	assert_finds(0, "pages", "pages");
	head->order = 12;
	assert_finds(pa, "the head of a free chunk", "free page");
	head->order = PAGES_MAX_ORDER;
	head->owner = (uint16_t)one->id;
	assert_finds(pa, "the head of a free chunk", "free page of linux");
	head->owner = OWNER_NONE;
	audit();
	assert_agrees();
}

static void test_sums(void **state)
{
	(void)state;
	pa_t page = pages_alloc(3, OWNER_BUNDLE, PAGE_BOOT, NULL);
	struct page *p = pages_entry(page);
	audit();
	assert_agrees();
	p->owner = OWNER_NONE; // nobody's, and not free
	assert_finds(page.v, "an owner", "files");
	assert_finds(0, "8 pages, files of the bundle", "7 pages");
	p->owner = OWNER_EL2;
	assert_finds(0, "files of mezzo", "pages");
	p->owner = OWNER_BUNDLE;
	pages_free(page, NULL);
	audit();
	assert_agrees();
}

static void test_el2_map(void **state)
{
	(void)state;
	unsigned level;
	uint64_t *entry = pgtable_find(&el2_map, GIB(4) + MIB(2), &level), kept = *entry;
	*entry &= ~PTE_S1_RO;
	assert_finds(kept & PTE_ADDRESS, "mezzo writes or executes it",
	             "not so, at 0x100200000 of its map");
	*entry = kept;
	entry = pgtable_find(&el2_map, STACK + PAGE_SIZE, &level);
	kept = *entry;
	*entry = (kept & ~PTE_ADDRESS) | pa_of(one, MIB(9));
	assert_finds(pa_of(one, MIB(9)), "table of mezzo", "memory of linux");
	assert_finds(kept & PTE_ADDRESS, "a table that mezzo's map reaches", "table of mezzo");
	*entry = kept;
	uint64_t table = image[0] & PTE_ADDRESS;
	pages_entry(PA(table))->owner = (uint16_t)two->id;
	assert_finds(table, "table of mezzo", "table of rtos");
	pages_entry(PA(table))->owner = OWNER_EL2;
	image[5] = image[0];
	assert_finds(table, "table of mezzo", "reached twice");
	image[5] = NO_RAM | PTE_VALID | PTE_TABLE;
	assert_finds(NO_RAM, "table of mezzo", "no RAM");
	image[5] = 0;
	// In the middle of a block.
	struct page *inside = pages_entry(PA(array_block.v + 300 * PAGE_SIZE));
	inside->owner = (uint16_t)two->id;
	assert_finds(array_block.v + 300 * PAGE_SIZE, "table of mezzo", "table of rtos");
	inside->owner = OWNER_EL2;
	entry = pgtable_find(&el2_map, EL2MAP_PAGES, &level);
	assert_int_equal(level, 2);
	kept = *entry;
	*entry = 0;
	assert_finds(array_block.v, "a table that mezzo's map reaches", "table of mezzo");
	*entry = kept;
	audit();
	assert_agrees();
}

static void test_too_many_to_tell(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		pages_entry(PA(pa_of(one, MIB(2)) + i * PAGE_SIZE))->state = PAGE_BOOT;
	audit();
	assert_true(result.disagreements > 100);
	assert_int_equal(result.nr_found, AUDIT_MAX_FOUND);
	for (unsigned i = 0; i < 100; i++)
		pages_entry(PA(pa_of(one, MIB(2)) + i * PAGE_SIZE))->state = PAGE_GUEST;
	audit();
	assert_agrees();
}

// ---- the walker ----

// What a walk in pieces sees does not depend on the size of the pieces.
static uint64_t sum, times;
static bool add_up(void *argument, const struct pgtable_visit *v, unsigned *budget)
{
	(void)argument;
	(void)budget;
	if (!v->again) {
		sum = sum * 31 + v->address + v->entry * 7 + v->level;
		times++;
	}
	return true;
}
static const struct pgtable_visitor adder = {.visit = add_up};

static void test_pieces_make_no_difference(void **state)
{
	(void)state;
	uint64_t wanted = 0, wanted_times = 0;
	for (unsigned budget = 100000; budget > 0; budget = budget * 3 / 4) {
		sum = times = 0;
		for (uint64_t at = 0; at < BIT_U64(EL2_BITS);)
			pgtable_walk(&el2_map, &at, budget, &adder, NULL);
		for (uint64_t at = 0; at < BIT_U64(one->stage2.table.bits);)
			pgtable_walk(&one->stage2.table, &at, budget, &adder, NULL);
		if (wanted == 0) {
			wanted = sum;
			wanted_times = times;
		}
		assert_int_equal(times, wanted_times);
		assert_int_equal(sum, wanted);
	}
	assert_true(wanted_times > 512 + 8);
}

static int open_whole(void **state)
{
	(void)state;
	fake_reset();
	fake_event_hook = no_log;
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	features_probe(true);
	ram_arena_init(ARENA);
	make_el2_map();
	window = MOST_MARKS;
	return 0;
}

static int open_quarters(void **state)
{
	(void)state;
	window = ARENA / PAGE_SIZE / 4;
	return 0;
}

#define TEST_HERE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST_HERE(test_all_agree),
	        TEST_HERE(test_what_is_said_of_a_vm),
	        TEST_HERE(test_through_a_life),
	        TEST_HERE(test_when_memory_is_short),
	        TEST_HERE(test_broken_off_anywhere),
	        TEST_HERE(test_a_guest_touches_memory_meanwhile),
	        TEST_HERE(test_a_vm_that_never_rests),
	        TEST_HERE(test_vms_come_and_go_meanwhile),
	        TEST_HERE(test_a_page_of_somebody_else),
	        TEST_HERE(test_a_page_mapped_twice),
	        TEST_HERE(test_a_page_mapped_by_two_vms),
	        TEST_HERE(test_stolen_time),
	        TEST_HERE(test_flash),
	        TEST_HERE(test_mapped_where_no_memory_is),
	        TEST_HERE(test_tables),
	        TEST_HERE(test_pages_that_are_lost),
	        TEST_HERE(test_lists),
	        TEST_HERE(test_free_memory),
	        TEST_HERE(test_sums),
	        TEST_HERE(test_el2_map),
	        TEST_HERE(test_too_many_to_tell),
	        TEST_HERE(test_pieces_make_no_difference),
	};
	int whole = cmocka_run_group_tests_name("whole", tests, open_whole, NULL);
	int quarters = cmocka_run_group_tests_name("quarters", tests, open_quarters, NULL);
	return whole + quarters;
}
