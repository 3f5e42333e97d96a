// SPDX-License-Identifier: Apache-2.0
// The VMID allocator as `make VMID_BITS=2` builds it: three numbers for all VMs, so that each of them is
// taken from somebody again and again.
#define MEZZO_VMID_BITS 2
#include "vmid_model.h"

#include "../../src/vm/vmid.c" // NOLINT(bugprone-suspicious-include): built with its own width

#define VMS 16

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

static void test_three_numbers(void **state)
{
	(void)state;
	for (unsigned sixteen = 0; sixteen <= 1; sixteen++) {
		start(sixteen != 0);
		assert_int_equal(vmid_max_cpus(), 2);
		rollovers = 0;
		for (unsigned i = 0; i < VMS; i++) {
			run(0, i);
			assert_in_range(space[i].number, 1, 3);
		}
		// What ran last keeps its number, so each generation has two for others.
		assert_in_range(rollovers, (VMS - 3 + 1) / 2, VMS / 2);
	}
}

// Two CPUs take turns with 16 VMs; model and allocator agree on who may have which number.
static void test_two_cpus_share_them(void **state)
{
	(void)state;
	start(false);
	srand(5);
	rollovers = 0;
	for (unsigned n = 0; n < 100000; n++) {
		unsigned i = (unsigned)rand() % VMS;
		if (rand() % 8 == 0)
			drop(i);
		else
			run((unsigned)rand() % 2, i);
	}
	assert_true(rollovers > 10000);
}

// The other CPU's VM runs on while this one goes through all of them.
static void test_a_runner_keeps_its_number(void **state)
{
	(void)state;
	start(false);
	run(1, 0);
	uint32_t kept = space[0].number;
	for (unsigned n = 0; n < 1000; n++) {
		run(0, 1 + n % (VMS - 1));
		assert_int_equal(space[0].number, kept);
		assert_int_equal(vmid_get(&space[0]), kept); // CPU 0 runs another vCPU of it
		on_cpu[0] = 0;
	}
}

// As many CPUs as numbers is one too many, and not passed over in silence.
static void test_too_many_cpus(void **state)
{
	(void)state;
	start(false);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		run(cpu, cpu);
	if (setjmp(halted) == 0) {
		vmid_get(&space[3]);
		fail_msg("a number was given to two");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_three_numbers),
	        cmocka_unit_test(test_two_cpus_share_them),
	        cmocka_unit_test(test_a_runner_keeps_its_number),
	        cmocka_unit_test(test_too_many_cpus),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
