// SPDX-License-Identifier: Apache-2.0
// A VM as a whole: what its structures cost and give back, how it ends, what of it reaches the log, and
// how its memory is read.
#include <stdio.h>

#include "hw/timer.h"
#include "ram_arena.h"
#include "vcpu_bench.h"

static struct pages_count before;

static int open_arena(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(MIB(32));
	return 0;
}

static int setup(void **state)
{
	bench_setup(state);
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	features_probe(true);
	stage2_init();
	fake_set_sysreg("cntfrq_el0", 1000);
	timer_init(0);
	before = pages_counts();
	return 0;
}

static void assert_all_back(void)
{
	assert_int_equal(pages_counts().free, before.free);
	assert_int_equal(pages_counts().committed, before.committed);
}

// ---- building ----

static void test_a_new_vm(void **state)
{
	(void)state;
	fake_set_sysreg("midr_el1", 0x410fd034);
	struct vm *made = vm_create("linux", 4, MIB(64));
	assert_non_null(made);
	assert_string_equal(made->name, "linux");
	assert_int_equal(made->nr_vcpus, 4);
	assert_int_equal(made->ram_size, MIB(64));
	assert_int_equal(made->state, VM_CREATED);
	assert_int_equal(vm_count(), 0); // nobody sees it yet
	for (uint32_t i = 0; i < 4; i++) {
		assert_ptr_equal(made->vcpu[i]->vm, made);
		assert_int_equal(made->vcpu[i]->id, i);
		assert_int_equal(made->vcpu[i]->vmpidr, UINT64_C(0x80000000) + i);
		assert_int_equal(made->vcpu[i]->vpidr, 0x410fd034);
		assert_true(is_aligned((uintptr_t)made->vcpu[i], 64));
	}
	vm_discard(made);
	assert_all_back();
}

static void test_how_many_vcpus(void **state)
{
	(void)state;
	assert_null(vm_create("none", 0, MIB(64)));
	assert_null(vm_create("many", VM_MAX_VCPUS + 1, MIB(64)));
	assert_null(vm_create("many", UINT32_MAX, MIB(64)));
	struct vm *made =
	        vm_create("a name that is longer than what a name may be", VM_MAX_VCPUS, 0);
	assert_int_equal(strlen(made->name), VM_NAME_SIZE - 1);
	vm_discard(made);
	assert_all_back();
}

static void test_no_memory_at_any_point(void **state)
{
	(void)state;
	bool done = false;
	for (uint64_t left = 0; !done; left++) {
		struct page_list taken = {0};
		ram_arena_exhaust(&taken, left);
		struct vm *made = vm_create("vm", VM_MAX_VCPUS, MIB(64));
		done = made != NULL;
		if (done)
			vm_discard(made);
		assert_int_equal(pages_counts().free, left);
		ram_arena_release(&taken);
		assert_true(left < 200);
	}
	assert_all_back();
}

// What a device takes while the guest runs is promised as it is taken, and goes back with a reset or with the VM.
static void test_pages_for_a_device(void **state)
{
	(void)state;
	for (unsigned promised = 0; promised < 2; promised++) {
		struct vm *made = vm_create("vm", 1, MIB(16));
		struct page_list taken = {0};
		uint64_t own = pages_counts().free;
		assert_int_equal(pages_commit(promised * 10), 0);
		made->committed = promised * 10;
		for (unsigned i = 0; i < 40; i++)
			assert_int_not_equal(vm_take_page(made, i % 4 == 0).v, 0);
		assert_int_equal(pages_counts().free, own - 40);
		assert_int_equal(made->committed, promised * 50);
		assert_int_equal(pages_counts().committed, before.committed + promised * 50);
		while (vm_give_scratch(made))
			;
		assert_int_equal(pages_counts().free, own - 10);
		assert_int_equal(made->committed, promised * 20);
		assert_int_equal(pages_counts().committed, before.committed + promised * 20);
		assert_int_not_equal(vm_take_page(made, false).v, 0);
		ram_arena_exhaust(&taken, 0);
		assert_int_equal(vm_take_page(made, false).v, 0);
		assert_int_equal(made->committed, promised * 21);
		ram_arena_release(&taken);
		if (promised != 0) { // all that is left was promised to others
			uint64_t rest = pages_counts().total - pages_counts().committed;
			assert_int_equal(pages_commit(rest), 0);
			assert_int_equal(vm_take_page(made, false).v, 0);
			pages_uncommit(rest);
		}
		vm_discard(made);
		assert_all_back();
	}
}

static void test_memory_for_structures(void **state)
{
	static const size_t sizes[] = {1,    63,   64,    65,    100,   4095,
	                               4096, 4097, 10000, 65536, 70000, 300};
	struct {
		uint8_t *at;
		size_t size;
	} got[200];
	(void)state;
	struct vm *made = vm_create("vm", 1, MIB(64));
	for (unsigned i = 0; i < ARRAY_SIZE(got); i++) {
		got[i].size = sizes[i % ARRAY_SIZE(sizes)];
		got[i].at = vm_alloc(made, got[i].size);
		assert_non_null(got[i].at);
		assert_true(is_aligned((uintptr_t)got[i].at, 64));
		for (size_t b = 0; b < got[i].size; b++)
			assert_int_equal(got[i].at[b], 0);
		memset(got[i].at, (int)(1 + i), got[i].size);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(got); i++) // and none lies in another
		for (size_t b = 0; b < got[i].size; b++)
			assert_int_equal(got[i].at[b], (uint8_t)(1 + i));
	assert_null(vm_alloc(made, MIB(2) + 1));
	assert_null(vm_alloc(made, (size_t)1 << 40));
	assert_null(vm_alloc(made, SIZE_MAX));
	assert_null(vm_alloc(made, SIZE_MAX - 62));
	assert_non_null(vm_alloc(made, MIB(2)));
	for (uint32_t f = made->pages.first; f != 0;) {
		struct page *page = pages_entry(PA((uint64_t)f << PAGE_SHIFT));
		assert_int_equal(page->owner, made->id);
		f = page->next;
	}
	vm_discard(made);
	assert_all_back();
}

static void test_a_promise_goes_with_the_vm(void **state)
{
	(void)state;
	struct vm *made = vm_create("vm", 1, MIB(64));
	assert_int_equal(pages_commit(100), 0);
	made->committed = 100;
	vm_discard(made);
	assert_all_back();
}

// ---- ending ----

static void test_only_a_vm_that_runs_ends(void **state)
{
	static const enum vm_state others[] = {VM_CREATED, VM_ENDING, VM_CLEANING,
	                                       VM_PAUSED,  VM_OFF,    VM_CRASHED};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		vm.state = others[i];
		vm_end(&vm, VM_END_OFF);
		vm_crash(vcpu, "%s", "no");
		assert_int_equal(vm.state, others[i]);
		assert_string_equal(vm.crash_text, "");
		for (unsigned v = 0; v < BENCH_VCPUS; v++)
			assert_int_equal(vcpus[v].request, 0);
	}
}

static void test_a_crash_has_a_reason(void **state)
{
	char longer[300];
	(void)state;
	vm_crash(&vcpus[2], "at %#lx", 0x1234UL);
	assert_string_equal(vm.crash_text, "at 0x1234");
	assert_ptr_equal(vm.crashed, &vcpus[2]);
	assert_int_equal(vm.end, VM_END_CRASH);
	for (unsigned v = 0; v < BENCH_VCPUS; v++)
		assert_int_equal(vcpus[v].request, VCPU_REQ_STOP);
	vm_end(&vm, VM_END_OFF); // too late
	vm_crash(&vcpus[1], "again");
	assert_int_equal(vm.end, VM_END_CRASH);
	assert_ptr_equal(vm.crashed, &vcpus[2]);
	assert_string_equal(vm.crash_text, "at 0x1234");
	bench_reset();
	memset(longer, 'z', sizeof longer - 1);
	longer[sizeof longer - 1] = 0;
	vm_crash(vcpu, "%s", longer);
	assert_int_equal(strlen(vm.crash_text), VM_CRASH_TEXT - 1);
}

// ---- the log ----

static unsigned lines(void)
{
	unsigned n = 0;
	for (const char *c = said; *c != 0; c++)
		n += *c == '\n';
	return n;
}

static void test_ten_lines_a_second(void **state)
{
	(void)state;
	fake_set_sysreg("cntpct_el0", 10000);
	for (unsigned i = 0; i < 10; i++)
		vm_log(&vm, "line %u", i);
	assert_int_equal(lines(), 10);
	for (unsigned i = 0; i < 1000; i++)
		vm_log(&vm, "one of too many");
	assert_int_equal(lines(), 10);
	struct vm other = {.name = "other", .log_lock = SPINLOCK_INIT(LOCK_LOG_LIMIT)};
	vm_log(&other, "has its own share");
	assert_int_equal(lines(), 11);
	fake_set_sysreg("cntpct_el0", 10999);
	vm_log(&vm, "still the same second");
	assert_int_equal(lines(), 11);
	said[0] = 0;
	fake_set_sysreg("cntpct_el0", 11000);
	vm_log(&vm, "the next");
	assert_string_equal(
	        said,
	        "guest: 1001 more lines were left out: 10 a second are shown\nguest: the next\n");
}

static void test_lines_have_an_end(void **state)
{
	char text[400];
	(void)state;
	memset(text, 'q', sizeof text - 1);
	text[sizeof text - 1] = 0;
	vm_log(&vm, "%s", text);
	assert_int_equal(lines(), 1);
	assert_in_range(strlen(said), 200, 256);
	said[0] = 0;
	vm_log(&vm, "%s", "%s%s%n%d"); // what a guest sends is never a format
	assert_string_equal(said, "guest: %s%s%n%d\n");
}

// ---- memory ----

static void test_reading_memory(void **state)
{
	static uint8_t image[MIB(1)], read[MIB(1)];
	(void)state;
	vm.ram_size = MIB(4) + KIB(12);
	assert_int_equal(stage2_create(&vm.stage2, 3, vm.ram_base, vm.ram_size), 0);
	for (unsigned i = 0; i < sizeof image; i++)
		image[i] = (uint8_t)(i * 31 >> 4);
	uint64_t at = vm.ram_base + MIB(2) - 1000;
	assert_int_equal(stage2_add_source(&vm.stage2, at, image, sizeof image), 0);
	assert_false(vm_dma_is_touched(&vm, IPA(at)));
	static const size_t sizes[] = {0, 1, 8, 4095, 4096, 4097, 100000, sizeof image};
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(read, 0xcc, sizeof read);
		assert_int_equal(vm_read_memory(&vm, IPA(at), read, sizes[i]), 0);
		assert_memory_equal(read, image, sizes[i]);
		if (sizes[i] < sizeof read)
			assert_int_equal(read[sizes[i]], 0xcc);
	}
	uint64_t end = vm.ram_base + vm.ram_size;
	const struct {
		uint64_t ipa;
		size_t size;
	} bad[] = {{vm.ram_base - 1, 2},
	           {end - 1, 2},
	           {end, 1},
	           {0, 1},
	           {UINT64_MAX, 2},
	           {end - 100, sizeof read},
	           {at, SIZE_MAX},
	           {at, SIZE_MAX - at + 1}};
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(vm_read_memory(&vm, IPA(bad[i].ipa), read, bad[i].size),
		                 ERR_FAULT);
	assert_true(vm_dma_is_touched(&vm, IPA(at)));
	assert_true(vm_dma_is_touched(&vm, IPA(at + sizeof image - 1)));
	assert_int_equal(vm_read_memory(&vm, IPA(end - 4), read, 4), 0);
	assert_true(vm_dma_is_touched(&vm, IPA(end - 1)));
	while (stage2_destroy_some(&vm.stage2))
		;
	assert_all_back();
}

static void test_states_have_names(void **state)
{
	(void)state;
	for (uint32_t s = VM_CREATED; s <= VM_CRASHED; s++) {
		vm.state = s;
		assert_true(strlen(vm_state_name(&vm)) > 2);
	}
}

// Numbers are the owners of pages: never 0, never EL2's, and never two VMs' at once.
static void test_the_table(void **state)
{
	(void)state;
	struct vm *made[70];
	assert_null(vm_after(0));
	assert_null(vm_before(VM_MAX + 1));
	for (uint32_t i = 0; i < ARRAY_SIZE(made); i++) {
		char name[16];
		snprintf(name, sizeof name, "vm%u", i);
		made[i] = vm_create(name, 1, MIB(16));
		assert_non_null(made[i]);
		assert_int_equal(made[i]->id, i + 1);
		assert_null(vm_by_id(i + 1)); // not before it is complete
		assert_int_equal(vm_publish(made[i]), 0);
		assert_int_equal(vm_count(), i + 1);
		assert_ptr_equal(vm_by_id(i + 1), made[i]);
		assert_ptr_equal(vm_by_name(name), made[i]);
		assert_ptr_equal(vm_after(i), made[i]);
		assert_ptr_equal(vm_before(VM_MAX + 1), made[i]);
	}
	assert_null(vm_by_id(0));
	assert_null(vm_by_id(VM_MAX));
	assert_null(vm_by_id(VM_MAX + 1));
	assert_null(vm_by_id(UINT32_MAX));
	assert_null(vm_by_name("nobody"));
	assert_null(vm_before(1));

	// A second one of a name is not let in.
	struct vm *twice = vm_create("vm3", 1, MIB(16));
	assert_int_equal(vm_publish(twice), ERR_BUSY);
	assert_ptr_equal(vm_by_name("vm3"), made[3]);
	vm_discard(twice);

	// Out of sight, and its number free only when it is gone.
	vm_withdraw(made[64]);
	vm_withdraw(made[2]);
	assert_int_equal(vm_count(), ARRAY_SIZE(made) - 2);
	assert_ptr_equal(vm_after(2), made[3]);
	assert_ptr_equal(vm_after(64), made[65]);
	assert_ptr_equal(vm_before(4), made[1]);
	assert_ptr_equal(vm_before(66), made[63]);
	struct vm *next = vm_create("next", 1, MIB(16));
	assert_int_equal(next->id, ARRAY_SIZE(made) + 1);
	uint64_t serial = made[2]->serial;
	vm_discard(made[2]);
	struct vm *again = vm_create("again", 1, MIB(16));
	assert_int_equal(again->id, 3);
	assert_true(again->serial > serial && again->serial > next->serial);
	vm_discard(again);
	vm_discard(next);
	vm_discard(made[64]);
	for (uint32_t i = 0; i < ARRAY_SIZE(made); i++) {
		if (i == 2 || i == 64)
			continue;
		vm_withdraw(made[i]);
		vm_discard(made[i]);
	}
	assert_int_equal(vm_count(), 0);
}

// As many as there are numbers, and then no more.
static void test_too_many(void **state)
{
	(void)state;
	static struct vm *made[VM_MAX];
	uint64_t free = pages_counts().free;
	uint32_t n = 0;
	while (n < VM_MAX && (made[n] = vm_create("vm", 1, MIB(16))) != NULL)
		n++;
	assert_true(n == VM_MAX || pages_counts().free < 64);
	assert_null(vm_create("one too many", 1, MIB(16)));
	while (n > 0)
		vm_discard(made[--n]);
	assert_int_equal(pages_counts().free, free);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_a_new_vm),
	        TEST(test_how_many_vcpus),
	        TEST(test_no_memory_at_any_point),
	        TEST(test_pages_for_a_device),
	        TEST(test_memory_for_structures),
	        TEST(test_a_promise_goes_with_the_vm),
	        TEST(test_only_a_vm_that_runs_ends),
	        TEST(test_a_crash_has_a_reason),
	        TEST(test_ten_lines_a_second),
	        TEST(test_lines_have_an_end),
	        TEST(test_reading_memory),
	        TEST(test_states_have_names),
	        TEST(test_the_table),
	        TEST(test_too_many),
	};
	return cmocka_run_group_tests(tests, open_arena, NULL);
}
