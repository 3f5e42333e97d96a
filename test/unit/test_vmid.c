// SPDX-License-Identifier: Apache-2.0
// The VMID allocator with the widths that CPUs have, against the model of vmid_model.h.
#include "vmid_model.h"

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
