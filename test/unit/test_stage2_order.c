// SPDX-License-Identifier: Apache-2.0
// The oracle of order.h put to the test, and with it the code: in each scenario every single maintenance
// operation that stage 2 makes is overlooked once, and each time the oracle must complain. An operation
// whose absence nobody notices is either not needed or not checked.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/errata.h"
#include "stage2_bench.h"

typedef void scenario(void);

static const uint8_t image[] = "An image of no great length.";

// 64 KiB of a fresh block.
static void first_touch(void)
{
	bench_vm(MIB(4));
	stage2_add_source(&s2, RAM_BASE + 5, image, sizeof image);
	stage2_fault(&s2, IPA(RAM_BASE));
}

// The last 64 KiB of a block.
static void last_touch(void)
{
	const char *drop = order.drop;
	order.drop = NULL;
	bench_vm(MIB(4));
	for (unsigned piece = 0; piece < 31; piece++)
		stage2_fault(&s2, IPA(RAM_BASE + piece * KIB(64)));
	order.drop = drop;
	order.met = 0;
	stage2_fault(&s2, IPA(RAM_BASE + 31 * KIB(64)));
}

// A block that idle time had ready.
static void ready_block(void)
{
	while (pages_counts().zeroed == 0)
		pages_prepare();
	bench_vm(MIB(4));
	stage2_fault(&s2, IPA(RAM_BASE + MIB(1)));
}

// A block that another VM has left. `drop` is overlooked while that one ends.
static void left_block(void)
{
	const char *drop = order.drop;
	order.drop = NULL;
	bench_vm(MIB(4));
	for (unsigned piece = 0; piece < 32; piece++)
		stage2_fault(&s2, IPA(RAM_BASE + piece * KIB(64)));
	order_guest_wrote(bench_pa(RAM_BASE), BLOCK_SIZE, 0x66);
	order_spoil(bench_pa(RAM_BASE), BLOCK_SIZE); // some of it has left the caches
	bench_retire();
	order.drop = drop;
	order.met = 0;
	while (stage2_destroy_some(&s2))
		;
	order.drop = NULL;
	memset(&s2, 0, sizeof s2);
	stage2_create(&s2, OWNER, RAM_BASE, MIB(4));
	stage2_fault(&s2, IPA(RAM_BASE));
}

// A page on its own at the end of RAM.
static void lone_page(void)
{
	bench_vm(KIB(4));
	stage2_fault(&s2, IPA(RAM_BASE));
}

static void device(void)
{
	bench_vm(MIB(4));
	stage2_map_device(&s2, 0x8010000, PA(0x1000), KIB(8));
}

// Runs a scenario with the n-th operation of a name overlooked. What the oracle says of it.
static const char *run(scenario *what, const char *drop, unsigned number)
{
	static char said[sizeof order.verdict];
	order_spoil(RAM_ARENA_BASE, ARENA_SIZE);
	order_start(ARENA_SIZE, !(bench_now.fwb && bench_now.idc));
	memset(&s2, 0, sizeof s2);
	order_drop(drop, number);
	what();
	const char *verdict = order_verdict();
	snprintf(said, sizeof said, "%s", verdict != NULL ? verdict : "");
	order.verdict[0] = 0;
	order.unpublished = order.unsynchronised = 0;
	return verdict != NULL ? said : NULL;
}

static void put_away(void)
{
	order_drop(NULL, 0);
	bench_end();
}

static void test_nothing_overlooked_nothing_said(void **state)
{
	scenario *const all[] = {first_touch, last_touch, ready_block,
	                         left_block,  lone_page,  device};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		const char *verdict = run(all[i], NULL, 0);
		if (verdict != NULL)
			fail_msg("scenario %u: %s", i, verdict);
		put_away();
	}
}

struct expectation {
	scenario *what;
	const char *name;
	unsigned at_least,
	        most_checked; // how many of them there are; how many are overlooked in turn
	const char *complaint;
};

static const struct expectation expectations[] = {
        {first_touch, "dc civac", 1024, 64, "behind the caches"},
        {first_touch, "dsb sy", 1, 1, "instructions are forgotten before"},
        {first_touch, "ic ialluis", 1, 1, "instruction caches may hold"},
        {first_touch, "dmb ishst", 2, 2, "a table is linked before"},
        {lone_page, "dc civac", 64, 64, "behind the caches"},
        {lone_page, "ic ialluis", 1, 1, "instruction caches may hold"},
        {last_touch, "pte off", 1, 1, "without a break"},
        {last_touch, "tlbi vmalls12e1is", 1, 1, "TLBs may still hold"},
        {ready_block, "ic ialluis", 1, 1, "instruction caches may hold"},
        {left_block, "dc civac", BLOCK_SIZE / 64, 32, "behind the caches"},
};

static void test_each_operation_is_missed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(expectations); i++) {
		const struct expectation *e = &expectations[i];
		run(e->what, e->name, UINT32_MAX); // counts them
		unsigned there = order.met;
		put_away();
		assert_true(there >= e->at_least);
		for (unsigned n = 0; n < e->most_checked; n++) {
			unsigned number = 1 + n * there / e->most_checked;
			const char *verdict = run(e->what, e->name, number);
			assert_int_equal(order.dropped, 1);
			if (verdict == NULL || strstr(verdict, e->complaint) == NULL)
				fail_msg("'%s' no. %u of %u overlooked, and: %s", e->name, number,
				         there, verdict != NULL ? verdict : "nothing");
			put_away();
		}
	}
}

// Barriers that stand side by side cover for one another; left out together they are missed.
static void test_each_kind_of_barrier_is_missed(void **state)
{
	static const struct expectation kinds[] = {
	        {last_touch, "dsb ishst", 2, 0, "TLBs may still hold"},
	        {last_touch, "dsb ish", 2, 0, "instruction caches may hold"},
	        {lone_page, "dsb ishst", 1, 0, "walkers may not see"},
	        {device, "dsb ishst", 1, 0, "walkers may not see"},
	        {lone_page, "isb", 1, 0, "no ISB"},
	        {device, "isb", 1, 0, "no ISB"},
	        {left_block, "dsb sy", BLOCK_SIZE / KIB(64), 0, "before the new ones have"},
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *verdict = run(kinds[i].what, kinds[i].name, 0);
		assert_true(order.dropped >= kinds[i].at_least);
		if (verdict == NULL || strstr(verdict, kinds[i].complaint) == NULL)
			fail_msg("'%s' overlooked (%u), and: %s", kinds[i].name, i,
			         verdict != NULL ? verdict : "nothing");
		put_away();
	}
}

// The DSB behind the TLBI alone: the others of the same name are kept.
static void test_the_tlbi_is_waited_for(void **state)
{
	(void)state;
	run(last_touch, "dsb ish", UINT32_MAX);
	unsigned last = order.met;
	put_away();
	const char *verdict = run(last_touch, "dsb ish", last);
	assert_non_null(verdict);
	assert_non_null(strstr(verdict, "TLBs may still hold"));
	put_away();
}

// On a CPU that says too early that an invalidation is complete (arm/errata.c) there are two of them, and none may go.
static void test_the_tlbi_is_repeated(void **state)
{
	static const char *const names[] = {"tlbi vmalls12e1is", "dsb ish"};
	(void)state;
	order.rounds = 2;
	const char *verdict = run(last_touch, NULL, 0);
	assert_non_null(verdict); // one is not enough there, and the oracle knows
	assert_non_null(strstr(verdict, "TLBs may still hold"));
	put_away();
	errata_repeat_tlbi = true;
	verdict = run(last_touch, NULL, 0);
	if (verdict != NULL)
		fail_msg("%s", verdict);
	put_away();
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		run(last_touch, names[i], UINT32_MAX);
		unsigned there = order.met;
		put_away();
		for (unsigned n = there - 1; n <= there; n++) { // the two of the break
			verdict = run(last_touch, names[i], n);
			assert_int_equal(order.dropped, 1);
			if (verdict == NULL || strstr(verdict, "TLBs may still hold") == NULL)
				fail_msg("'%s' no. %u overlooked, and: %s", names[i], n,
				         verdict != NULL ? verdict : "nothing");
			put_away();
		}
	}
	errata_repeat_tlbi = false;
	order.rounds = 0;
}

// What idle time prepares is cleaned line by line too.
static void test_prepared_blocks_are_cleaned(void **state)
{
	(void)state;
	static const unsigned lines[] = {1, 1000, 16384, BLOCK_SIZE / 64};
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *verdict = run(ready_block, "dc civac", lines[i]);
		assert_int_equal(order.dropped, 1);
		assert_non_null(verdict);
		assert_non_null(strstr(verdict, "behind the caches"));
		put_away();
	}
}

static unsigned nr_dc, nr_ic;

static bool count(const struct fake_event *event)
{
	if (event->name != NULL) {
		nr_dc +=
		        strcmp(event->name, "dc civac") == 0 || strcmp(event->name, "dc cvac") == 0;
		nr_ic += strcmp(event->name, "ic ialluis") == 0;
	}
	return order_event(event);
}

// Maintenance is left out exactly where the CPU promises that it is needless.
static void test_what_the_cpu_does_by_itself(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct bench_cpu cpu = {.pa_range = 2, .fwb = (i & 1) != 0, .idc = (i & 2) != 0};
		bench_cpu(&cpu);
		bench_vm(MIB(4));
		fake_event_hook = count;
		nr_dc = nr_ic = 0;
		assert_int_equal(stage2_add_source(&s2, RAM_BASE + 99, image, sizeof image), 0);
		for (unsigned piece = 0; piece < 32; piece++)
			assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE + piece * KIB(64))), 0);
		// The table that the block replaced is scrubbed in any case.
		assert_int_equal(nr_dc,
		                 PAGE_SIZE / 64 + (cpu.fwb && cpu.idc ? 0 : BLOCK_SIZE / 64));
		assert_int_equal(nr_ic, 32);
		assert_true(bench_equal(RAM_BASE + 99, image, sizeof image));
		bench_end();
	}
}

// Lines and zeroing blocks of other sizes, and a CPU that forbids DC ZVA.
static void test_other_line_sizes(void **state)
{
	static const struct {
		unsigned line, zva; // log2 of words; zva 16: forbidden
	} cpus[] = {{4, 16}, {5, 4}, {6, 7}, {4, 2}};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cpus); i++) {
		fake_set_sysreg("ctr_el0", cpus[i].line << 16);
		fake_set_sysreg("dczid_el0", cpus[i].zva);
		bench_vm(MIB(4));
		fake_event_hook = count;
		order.needs_clean = cpus[i].line == 4; // the oracle's lines have 64 bytes
		nr_dc = 0;
		stage2_add_source(&s2, RAM_BASE + 99, image, sizeof image);
		assert_int_equal(stage2_fault(&s2, IPA(RAM_BASE)), 0);
		assert_int_equal(nr_dc, KIB(64) / (4U << cpus[i].line));
		assert_true(bench_zero(RAM_BASE, 99));
		assert_true(bench_equal(RAM_BASE + 99, image, sizeof image));
		assert_true(bench_zero(RAM_BASE + 99 + sizeof image, KIB(64) - 99 - sizeof image));
		bench_end();
	}
	fake_set_sysreg("dczid_el0", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_nothing_overlooked_nothing_said),
	        TEST(test_each_operation_is_missed),
	        TEST(test_each_kind_of_barrier_is_missed),
	        TEST(test_the_tlbi_is_waited_for),
	        TEST(test_the_tlbi_is_repeated),
	        TEST(test_prepared_blocks_are_cleaned),
	        TEST(test_what_the_cpu_does_by_itself),
	        TEST(test_other_line_sizes),
	};
	return cmocka_run_group_tests(tests, bench_open, bench_close);
}
