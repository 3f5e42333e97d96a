// SPDX-License-Identifier: Apache-2.0
// The VMID allocator against a model of the TLBs: each CPU caches translations under the number it runs
// with, and no address space may ever run under a number for which some TLB remembers another one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/types.h"
#include "fake.h"
#include "vm/vmid.h"

#define SPACES 400

// A name for an address space, new with each life; 0: the TLBs hold nothing under this number.
static uint32_t tlb[65536]; // all CPUs' together: the operations are broadcast
static struct vmid space[SPACES];
static uint32_t name[SPACES], names;
static int running[FAKE_CPUS];
static unsigned rollovers;

static bool watch(const struct fake_event *event)
{
	static unsigned step;
	const char *const order[] = {"dsb ishst", "tlbi alle1is", "dsb ish", "isb"};
	assert_string_equal(event->name, order[step]);
	step = (step + 1) % ARRAY_SIZE(order);
	if (step != 0)
		return true;
	rollovers++;
	memset(tlb, 0, sizeof tlb);
	// Who runs goes on under its number, and fills the TLBs again.
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		if (running[cpu] >= 0)
			tlb[space[running[cpu]].number] = name[running[cpu]];
	return true;
}

static void start(bool sixteen)
{
	static bool first = true;
	fake_reset();
	for (unsigned i = 0; i < SPACES && !first; i++)
		vmid_drop(&space[i]);
	first = false;
	fake_event_hook = watch;
	memset(tlb, 0, sizeof tlb);
	memset(space, 0, sizeof space);
	for (unsigned i = 0; i < SPACES; i++)
		name[i] = ++names;
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		running[cpu] = -1;
	vmid_init(sixteen);
}

// CPU `cpu` begins to run space `i`.
static void run(unsigned cpu, unsigned i)
{
	struct vmid before = space[i];
	bool runs = false;
	for (unsigned c = 0; c < FAKE_CPUS; c++)
		runs |= running[c] == (int)i;
	fake_run_on(cpu);
	uint32_t number = vmid_get(&space[i]);
	assert_int_equal(number, space[i].number);
	assert_int_not_equal(number, 0);
	if (runs) // it cannot change under the feet of the CPUs that run it
		assert_int_equal(number, before.number);
	for (unsigned c = 0; c < FAKE_CPUS; c++)
		if (running[c] >= 0 && c != cpu && running[c] != (int)i)
			assert_int_not_equal(space[running[c]].number, number);
	running[cpu] = (int)i;
	assert_true(tlb[number] == 0 || tlb[number] == name[i]);
	tlb[number] = name[i];
}

static void drop(unsigned i)
{
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		if (running[cpu] == (int)i)
			running[cpu] = -1;
	vmid_drop(&space[i]);
	assert_int_equal(space[i].number, 0);
	name[i] = ++names; // the next life is another address space
}

static void test_a_number_is_kept(void **state)
{
	(void)state;
	start(false);
	run(0, 0);
	uint32_t number = space[0].number;
	for (unsigned i = 1; i < 100; i++) {
		run(0, i);
		run(1, 0);
		assert_int_equal(space[0].number, number);
	}
	assert_int_equal(fake_find(0, FAKE_OTHER, NULL), -1);
}

static void test_eight_bits_end_at_255(void **state)
{
	(void)state;
	start(false);
	rollovers = 0;
	for (unsigned i = 0; i < SPACES; i++) {
		run(0, i);
		assert_in_range(space[i].number, 1, 255);
	}
	assert_in_range(rollovers, 1, 2);
}

static void test_sixteen_bits_go_further(void **state)
{
	(void)state;
	start(true);
	rollovers = 0;
	uint32_t most = 0;
	for (unsigned n = 0; n < 70000; n++) {
		unsigned i = n % SPACES;
		run(n % FAKE_CPUS, i);
		most = space[i].number > most ? space[i].number : most;
		drop(i);
	}
	assert_int_equal(most, 65535);
	assert_in_range(rollovers, 1, 2);
}

// Numbers of the dead are not used again before the TLBs have forgotten them.
static void test_random_lives(void **state)
{
	(void)state;
	srand(4);
	start(false);
	rollovers = 0;
	for (unsigned n = 0; n < 200000; n++) {
		unsigned i = (unsigned)rand() % SPACES;
		if (rand() % 4 == 0)
			drop(i);
		else
			run((unsigned)rand() % FAKE_CPUS, i);
	}
	assert_true(rollovers > 100);
}

// All CPUs run a guest when the numbers end: each goes on with its own.
static void test_runners_keep_theirs(void **state)
{
	(void)state;
	start(false);
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		run(cpu, cpu);
	uint32_t kept[FAKE_CPUS];
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++)
		kept[cpu] = space[cpu].number;
	rollovers = 0;
	for (unsigned n = 0; n < 1000; n++) { // CPU 0 starts one VM after another
		unsigned i = FAKE_CPUS + n % (SPACES - FAKE_CPUS);
		run(0, i);
		drop(i);
	}
	assert_in_range(rollovers, 3, 6);
	for (unsigned cpu = 1; cpu < FAKE_CPUS; cpu++) {
		run(cpu, cpu);
		assert_int_equal(space[cpu].number, kept[cpu]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_number_is_kept),
	        cmocka_unit_test(test_eight_bits_end_at_255),
	        cmocka_unit_test(test_runners_keep_theirs),
	        cmocka_unit_test(test_random_lives),
	        cmocka_unit_test(test_sixteen_bits_go_further),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
