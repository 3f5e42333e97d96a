// SPDX-License-Identifier: Apache-2.0
// Every request for memory is refused once: the n-th one alone, for every n that there is, while a machine boots its
// VMs, makes one more, starts it, maps memory and devices, and takes pages for a card. Each time there is an error or a
// sentence, nothing panics, and what every owner had before it has again.
// The linker leads pages_alloc, pages_alloc_zeroed and pages_commit here (Makefile: WRAP).
#include "config_bench.h"

#include "vdev/model.h"

static unsigned requests, refuse_at; // so many were made; this one is refused, 0: none
static bool lasting;                 // and all after it

static bool is_refused(void)
{
	requests++;
	return refuse_at != 0 && (requests == refuse_at || (lasting && requests > refuse_at));
}

pa_t __real_pages_alloc(unsigned order, uint16_t owner, enum page_state state,
                        struct page_list *list);
pa_t __wrap_pages_alloc(unsigned order, uint16_t owner, enum page_state state,
                        struct page_list *list);
pa_t __wrap_pages_alloc(unsigned order, uint16_t owner, enum page_state state,
                        struct page_list *list)
{
	return is_refused() ? PA(0) : __real_pages_alloc(order, owner, state, list);
}

pa_t __real_pages_alloc_zeroed(uint16_t owner, enum page_state state, struct page_list *list);
pa_t __wrap_pages_alloc_zeroed(uint16_t owner, enum page_state state, struct page_list *list);
pa_t __wrap_pages_alloc_zeroed(uint16_t owner, enum page_state state, struct page_list *list)
{
	return is_refused() ? PA(0) : __real_pages_alloc_zeroed(owner, state, list);
}

int __real_pages_commit(uint64_t pages);
int __wrap_pages_commit(uint64_t pages);
int __wrap_pages_commit(uint64_t pages)
{
	return is_refused() ? ERR_NO_MEMORY : __real_pages_commit(pages);
}

// ---- totals by owner ----

static struct pages_usage usage[8];

static void note_totals(void)
{
	before = pages_counts();
	for (uint16_t owner = 0; owner < ARRAY_SIZE(usage); owner++)
		usage[owner] = pages_usage(owner);
}

static void assert_totals(unsigned n)
{
	struct pages_count now = pages_counts();
	if (now.free != before.free || now.committed != before.committed)
		fail_msg("request %u: free %lu -> %lu, committed %lu -> %lu", n,
		         (unsigned long)before.free, (unsigned long)now.free,
		         (unsigned long)before.committed, (unsigned long)now.committed);
	for (uint16_t owner = 0; owner < ARRAY_SIZE(usage); owner++) {
		struct pages_usage u = pages_usage(owner);
		if (u.data != usage[owner].data || u.table != usage[owner].table ||
		    u.guest != usage[owner].guest || u.boot != usage[owner].boot)
			fail_msg("request %u: owner %u has other pages than before", n, owner);
	}
}

// Does `what` with the n-th request refused, for every n, once alone and once with all that follow. `what` says
// whether it succeeded, and undoes what it did.
static void sweep(bool (*what)(void), unsigned least)
{
	for (unsigned all = 0; all < 2; all++) {
		lasting = all != 0;
		refuse_at = 0;
		requests = 0;
		note_totals();
		assert_true(what());
		assert_totals(0);
		unsigned there = requests;
		if (there < least)
			fail_msg("only %u requests", there);
		for (unsigned n = 1; n <= there; n++) {
			requests = 0;
			refuse_at = n;
			said[0] = 0;
			(void)what();
			refuse_at = 0;
			assert_totals(n);
		}
		print_message("# %u requests, each refused %s\n", there,
		              lasting ? "with all that follow" : "alone");
	}
}

static bool no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

static void prepare(const char *vms)
{
	begin_with(MIB(256));
	fake_event_hook = no_log;
	fake_set_sysreg("ctr_el0", UINT64_C(9) << 16);
	fake_set_sysreg("dczid_el0", 9);
	add_kernel("Image", 9000);
	add_file("kernel8.img", 6000)->bytes[0] = 0xd5;
	add_file("card", 65536);
	pack(vms);
	uint8_t *exact = NULL;
	assert_int_equal(posix_memalign((void **)&exact, 4096, archive_size), 0);
	memcpy(exact, archive, archive_size);
	__lsan_ignore_object(exact);
	board.initrd = (struct board_range){(uintptr_t)exact, archive_size};
}

#define DISKS      "disks = \"cow:card\", \"keep:card\", \"ro:card\";"
#define SOCKETS    "vsock = <7>; vsock-group = \"fleet\"; manage;"
#define NET        " net@0 { reg = <0>; compatible = \"mezzo,net\"; net-name = \"lan0\"; };"
#define NICS       "nets = \"lan0\", \"lan0\";"
// All that a machine can have, but for firmware, an entropy device, and interfaces: a net, once made, stays.
#define VIRT(more) VM(0, MEMORY(16) "autostart = <0>; virtio-console; balloon;" SOCKETS DISKS more)
#define PI                                                                                      \
	" vm@1 { reg = <1>; compatible = \"mezzo,vm\"; vm-name = \"pi\"; machine = \"raspi3\";" \
	" cpus = <4>; kernel = \"kernel8.img\"; sdcard = \"card\"; sdcard-mode = \"keep\";"     \
	" autostart = <0>; memory = /bits/ 64 <0x4000000>; };"

// ---- boot: all VMs of a description ----

static bool boot(void)
{
	config_build(&board, NULL);
	uint32_t count = vm_count();
	if (count < 2 && said[0] == 0)
		fail_msg("%u VMs, and not a word", count);
	if (count < 2 && strstr(said, ": no ") == NULL && strstr(said, "only ") == NULL)
		fail_msg("nobody said what there was none of, but: %s", said);
	take_down();
	return count == 2;
}

static void test_boot(void **state)
{
	(void)state;
	prepare(VIRT("") PI);
	sweep(boot, 10);
}

// ---- one more ----

static const char *template;

static bool create(void)
{
	struct vm *made = NULL;
	const char *why = config_create("more", template, &made);
	assert_true((why == NULL) == (made != NULL));
	if (why != NULL) {
		assert_true(strlen(why) > 10);
		return false;
	}
	vm_withdraw(made);
	sched_dismiss(made);
	model_destroy(made);
	vm_discard(made);
	return true;
}

static void test_create(void **state)
{
	(void)state;
	prepare(NET VIRT(NICS) PI);
	config_build(&board, NULL);
	assert_int_equal(vm_count(), 2);
	template = "vm0";
	sweep(create, 4);
	template = "pi";
	sweep(create, 4);
}

// ---- start, and its memory ----

static struct vm *starts;

static void end_life(void)
{
	while (stage2_destroy_some(&starts->stage2))
		;
	while (vm_give_scratch(starts))
		;
}

// As life_begin furnishes it, and touches of memory at both ends and in the middle.
static bool start(void)
{
	static const uint64_t places[] = {0, MIB(2) - 1, MIB(2), MIB(5), MIB(16) - 1};
	bool whole = stage2_create(&starts->stage2, (uint16_t)starts->id, starts->ram_base,
	                           starts->ram_size) == 0 &&
	             model_reset(starts) == 0;
	for (unsigned i = 0; i < ARRAY_SIZE(places) && whole; i++) {
		int error = stage2_fault(&starts->stage2, IPA(starts->ram_base + places[i]));
		assert_true(error == 0 || error == ERR_NO_MEMORY);
		whole = error == 0;
	}
	if (whole) {
		int error = stage2_map_device(&starts->stage2, 0x38000000, PA(0x1000), KIB(8));
		assert_true(error == 0 || error == ERR_NO_MEMORY);
		whole = error == 0;
	}
	end_life();
	return whole;
}

static void test_start(void **state)
{
	(void)state;
	prepare(NET VIRT(NICS) PI);
	config_build(&board, NULL);
	starts = vm_by_name("vm0");
	sweep(start, 6);
	starts = vm_by_name("pi");
	sweep(start, 6);
}

// Memory that a device reaches, and pages that it takes.
static bool reach(void)
{
	uint8_t bytes[8192] = {1, 2, 3};
	bool whole = stage2_create(&starts->stage2, (uint16_t)starts->id, starts->ram_base,
	                           starts->ram_size) == 0 &&
	             model_reset(starts) == 0;
	if (whole) {
		ipa_t at = IPA(starts->ram_base + MIB(4) - 4096);
		whole = vm_dma_write(starts, at, bytes, sizeof bytes) == 0 &&
		        vm_dma_read(starts, at, bytes, sizeof bytes) == 0;
	}
	for (unsigned i = 0; i < 3 && whole; i++)
		whole = vm_take_page(starts, false).v != 0;
	end_life();
	return whole;
}

static void test_reach(void **state)
{
	(void)state;
	prepare(NET VIRT(NICS) PI);
	config_build(&board, NULL);
	starts = vm_by_name("pi");
	sweep(reach, 8);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_boot),
	        cmocka_unit_test(test_create),
	        cmocka_unit_test(test_start),
	        cmocka_unit_test(test_reach),
	};
	return own_process_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
