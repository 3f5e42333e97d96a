// SPDX-License-Identifier: Apache-2.0
// What is promised to VMs: budgets, pins, exclusive CPUs; each refusal is a sentence and changes
// nothing; exclusive CPUs stay clean.
#include "test_sched_board.h"

#define ANY SCHED_ANY_CPU

static char why[200];

static int setup(void **state)
{
	(void)state;
	board(4, MS(1));
	return 0;
}

// Whatever a test left behind.
static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < nr_vms; i++)
		sched_dismiss(&board_vms[i]);
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		assert_int_equal(sched_cpu_info(cpu).reserved, 0);
		assert_null(sched_cpu_info(cpu).exclusive);
		assert_false(sched_set_has(&sched_owned, cpu));
	}
	return 0;
}

static struct vm *plan(unsigned vcpus, uint64_t budget, uint64_t period, bool exclusive)
{
	struct vm *vm = make_vm(vcpus)->vcpu.vm;
	vm->sched.budget = budget;
	vm->sched.period = period;
	vm->sched.exclusive = exclusive;
	return vm;
}

static struct vm *pinned(struct vm *vm, uint32_t first)
{
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		vm->vcpu[i]->sched.pin = first + i;
	return vm;
}

static void accept(struct vm *vm)
{
	if (sched_admit(vm, why, sizeof why) != 0)
		fail_msg("%s", why);
}

static void refuse(struct vm *vm, int error, const char *sentence)
{
	uint32_t reserved[4];
	const struct vm *owner[4];
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		reserved[cpu] = sched_cpu_info(cpu).reserved;
		owner[cpu] = sched_cpu_info(cpu).exclusive;
	}
	assert_int_equal(sched_admit(vm, why, sizeof why), error);
	assert_string_equal(why, sentence);
	for (uint32_t cpu = 0; cpu < 4; cpu++) {
		assert_int_equal(sched_cpu_info(cpu).reserved, reserved[cpu]);
		assert_ptr_equal(sched_cpu_info(cpu).exclusive, owner[cpu]);
	}
}

static void test_no_such_cpu(void **state)
{
	(void)state;
	refuse(pinned(plan(2, 0, 0, false), 3), ERR_NOT_FOUND,
	       "pin: there is no CPU 4 on this board: its 4 CPUs are 0 to 3");
	nr_cpus = 1;
	refuse(pinned(plan(1, 0, 0, false), 1), ERR_NOT_FOUND,
	       "pin: there is no CPU 1 on this board: it has CPU 0 alone");
	refuse(pinned(plan(1, 0, 0, false), ANY - 1), ERR_NOT_FOUND,
	       "pin: there is no CPU 4294967294 on this board: it has CPU 0 alone");
}

static void test_numbers(void **state)
{
	(void)state;
	struct vm *vm = plan(1, 0, 0, false);
	vm->sched.weight = 0;
	refuse(vm, ERR_RANGE, "weight: 0 is not one of 1 to 10000");
	vm->sched.weight = 10001;
	refuse(vm, ERR_RANGE, "weight: 10001 is not one of 1 to 10000");
	vm->sched.weight = 1;
	vm->sched.priority = 8;
	refuse(vm, ERR_RANGE, "priority: 8 is not one of 0 to 7");
	refuse(plan(1, US(10), US(99), false), ERR_RANGE,
	       "budget: its period is below 100 us: make both numbers greater");
	refuse(plan(1, MS(11), MS(10), false), ERR_RANGE,
	       "budget: it is longer than its period: write BUDGET/PERIOD");
	refuse(plan(1, UINT64_MAX / 2, UINT64_MAX, false), ERR_RANGE,
	       "budget: it is too long: make both numbers smaller");
	refuse(plan(1, UINT64_MAX / 9999, UINT64_MAX, false), ERR_RANGE,
	       "budget: it is too long: make both numbers smaller");
	refuse(plan(1, MS(1), 0, false), ERR_RANGE,
	       "budget: its period is below 100 us: make both numbers greater");
}

static void test_budgets_add_up(void **state)
{
	(void)state;
	accept(pinned(plan(1, MS(5), MS(10), false), 2));
	accept(pinned(plan(1, MS(3), MS(10), false), 2));
	assert_int_equal(sched_cpu_info(2).reserved, 8000);
	refuse(pinned(plan(1, MS(1) + 1, MS(10), false), 2), ERR_RANGE,
	       "budget: CPU 2 can promise no more than 10.00 % of its time, and each vCPU asks for "
	       "10.01 %: lower `budget =`, or pin it to another one");
	struct vm *last = pinned(plan(1, MS(1), MS(10), false), 2);
	accept(last);
	assert_int_equal(sched_cpu_info(2).reserved, 9000);
	sched_dismiss(last);
	sched_dismiss(last); // once is enough
	assert_int_equal(sched_cpu_info(2).reserved, 8000);
	// Two vCPUs of which only the first fits: all or nothing.
	struct vm *both = plan(2, MS(1), MS(10), false);
	both->vcpu[0]->sched.pin = both->vcpu[1]->sched.pin = 2;
	refuse(both, ERR_RANGE,
	       "budget: CPU 2 can promise no more than 0.00 % of its time, and each vCPU asks for "
	       "10.00 %: lower `budget =`, or pin it to another one");
}

static void test_budgets_without_a_pin(void **state)
{
	(void)state;
	accept(pinned(plan(1, MS(5), MS(10), false), 0));
	struct vm *vm = plan(4, MS(4), MS(10), false);
	accept(vm); // where most is left: 1, 2, 3, then 0, 1, 2 or 3
	assert_int_equal(vm->vcpu[0]->cpu->id, 1);
	assert_int_equal(vm->vcpu[1]->cpu->id, 2);
	assert_int_equal(vm->vcpu[2]->cpu->id, 3);
	assert_int_equal(vm->vcpu[3]->cpu->id, 1);
	refuse(plan(1, MS(51), MS(100), false), ERR_RANGE,
	       "budget: no CPU can promise more than 50.00 % of its time (CPU 2 can), and each "
	       "vCPU "
	       "asks for 51.00 %: lower `budget =` or `cpus =`");
	// They stay there, however idle the others are.
	for (unsigned i = 0; i < 4; i++)
		sched_enter(vm->vcpu[i]);
	leave_guest();
	for (unsigned i = 0; i < 100; i++) {
		run_for(MS(1));
		assert_int_equal(vm->vcpu[3]->cpu->id, 1);
		assert_int_equal(vm->vcpu[0]->cpu->id, 1);
	}
	assert_int_equal(sched_ran(vm->vcpu[0]), MS(40));
	assert_int_equal(sched_ran(vm->vcpu[3]), MS(40));
}

static void test_exclusive_refusals(void **state)
{
	(void)state;
	refuse(plan(2, 0, 0, true), ERR_NOT_FOUND,
	       "exclusive: it does not say which CPUs it wants: add `pin =` with 2 of them");
	struct vm *twice = pinned(plan(2, 0, 0, true), 1);
	twice->vcpu[1]->sched.pin = 1;
	refuse(twice, ERR_BUSY, "exclusive: CPU 1 is named twice: give each vCPU one of its own");
	accept(pinned(plan(1, 0, 0, true), 3)); // d: the third
	refuse(pinned(plan(1, 0, 0, false), 3), ERR_BUSY,
	       "pin: CPU 3 belongs to c: pin it to another one");
	refuse(pinned(plan(1, 0, 0, true), 3), ERR_BUSY,
	       "pin: CPU 3 belongs to c: pin it to another one");
	accept(pinned(plan(1, 0, 0, false), 2)); // f
	refuse(pinned(plan(1, 0, 0, true), 2), ERR_BUSY,
	       "exclusive: CPU 2 was promised to f as well: pin one of the two to another one");
	accept(plan(1, MS(1), MS(10), false)); // h: a budget on CPU 0
	refuse(pinned(plan(2, 0, 0, true), 0), ERR_BUSY,
	       "exclusive: CPU 0 was promised to h as well: pin one of the two to another one");
}

static void test_the_last_cpu_is_nobodys_own(void **state)
{
	(void)state;
	struct vm *homeless = plan(1, 0, 0, false);
	accept(homeless);
	accept(pinned(plan(2, 0, 0, true), 0));
	refuse(pinned(plan(2, 0, 0, true), 2), ERR_BUSY,
	       "exclusive: CPU 3 is the last one for virtual machines without `pin =`: pin it to "
	       "fewer CPUs, or pin the others");
	sched_dismiss(homeless);
	accept(pinned(plan(2, 0, 0, true), 2));
	refuse(plan(1, 0, 0, false), ERR_BUSY,
	       "pin: every CPU belongs to a virtual machine with `exclusive = true`: take it from "
	       "one of them");
	refuse(plan(1, MS(1), MS(10), false), ERR_BUSY,
	       "pin: every CPU belongs to a virtual machine with `exclusive = true`: take it from "
	       "one of them");
}

// Nothing but its own vCPU is ever on an exclusive CPU, however crowded the others are.
static void test_exclusive_cpus_stay_clean(void **state)
{
	(void)state;
	struct guest *own = make_vm(1);
	own->vcpu.sched.pin = 1;
	own->vcpu.vm->sched.exclusive = true;
	own->run = US(100);
	own->sleep = US(400);
	begin(own);
	for (unsigned i = 0; i < 12; i++)
		i % 2 ? busy(100, i / 3, ANY) : sleeper(US(100), US(100), ANY);
	for (unsigned i = 0; i < 20000; i++) {
		run_for(US(13));
		assert_true(cpu_get(1)->vcpu == NULL || cpu_get(1)->vcpu == &own->vcpu);
		for (unsigned g = 1; g < nr_guests; g++)
			assert_int_not_equal(guests[g].vcpu.cpu->id, 1);
	}
	assert_int_equal(own->late, 0);
}

static void expect_clean(uint32_t cpu, unsigned from)
{
	for (unsigned g = from; g < nr_guests; g++)
		if (guests[g].vcpu.vm->sched.exclusive == false &&
		    guests[g].vcpu.sched.state != SCHED_BLOCKED)
			assert_int_not_equal(guests[g].vcpu.cpu->id, cpu);
	assert_int_equal(sched_queues[cpu].leaving, 0);
}

// Others' vCPUs were there first: those that wait, the one that runs, those that sleep.
static void test_a_cpu_becomes_exclusive(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 20; n++) {
		board(4, MS(1));
		for (unsigned i = 0; i < 40; i++)
			i % 3 ? busy(100, i % 2, ANY) : sleeper(US(100), US(170), ANY);
		run_for(MS(10) + n * US(371));
		struct vm *vm = pinned(plan(1, 0, 0, true), n % 4);
		leave_guest();
		accept(vm); // not started yet: nobody of its own pushes the others out
		run_for(MS(1));
		expect_clean(n % 4, 0);
		assert_null(cpu_get(n % 4)->current);
		for (unsigned i = 0; i < 100; i++) {
			run_for(US(100));
			assert_null(cpu_get(n % 4)->current);
		}
		begin(guest_of(vm->vcpu[0]));
		run_for(MS(10));
		assert_int_equal(guests[nr_guests - 1].got, MS(10));
		uint64_t got[40];
		for (unsigned i = 0; i < 40; i++)
			got[i] = guests[i].got;
		run_for(MS(3000));
		for (unsigned i = 0; i < 40; i++)
			if (i % 2 && i % 3) // of priority 1
				assert_true(guests[i].got > got[i]);
		// It ends, and the CPU is everybody's again.
		post(vm->vcpu[0], VCPU_REQ_STOP);
		settle();
		sched_dismiss(vm);
		run_for(MS(100));
		assert_non_null(cpu_get(n % 4)->current);
		for (unsigned i = 0; i < nr_vms; i++)
			sched_dismiss(&board_vms[i]);
	}
}

// One that sleeps on an idle CPU, its registers still in there, wakes after the CPU was given away.
static void test_a_sleeper_leaves_an_exclusive_cpu(void **state)
{
	(void)state;
	struct guest *guest = sleeper(US(10), MS(5), ANY);
	run_for(MS(1));
	uint32_t cpu = guest->vcpu.cpu->id;
	assert_int_equal(guest->vcpu.sched.loaded, 1);
	leave_guest();
	accept(pinned(plan(1, 0, 0, true), cpu));
	run_for(MS(5));
	assert_int_equal(guest->wakes, 1);
	assert_int_equal(guest->got, US(20));
	assert_int_not_equal(guest->vcpu.cpu->id, cpu);
}

static void test_pins_are_honoured(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		busy(100, 0, i % 2);
	for (unsigned i = 0; i < 4; i++)
		sleeper(US(100), US(100), 1);
	for (unsigned i = 0; i < 1000; i++) {
		run_for(US(100));
		for (unsigned g = 0; g < nr_guests; g++)
			assert_int_equal(guests[g].vcpu.cpu->id, guests[g].vcpu.sched.pin);
	}
	for (unsigned g = 0; g < nr_guests; g++)
		assert_int_equal(guests[g].vcpu.sched.migrations, 0);
}

// What budgets take from a CPU is missing there for the others.
static void test_budgets_count_as_load(void **state)
{
	(void)state;
	nr_cpus = 2;
	for (unsigned i = 0; i < 3; i++)
		budgeted(MS(3), MS(10), 0);
	for (unsigned i = 0; i < 11; i++)
		busy(100, 0, ANY);
	run_for(MS(2000));
	unsigned there = 0;
	for (unsigned i = 3; i < nr_guests; i++)
		there += guests[i].vcpu.cpu->id == 0;
	assert_int_equal(there, 1); // a tenth of a CPU beside a whole one
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(guests[i].vcpu.sched.missed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_no_such_cpu, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_budgets_add_up, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_budgets_without_a_pin, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_exclusive_refusals, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_the_last_cpu_is_nobodys_own, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_exclusive_cpus_stay_clean, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_cpu_becomes_exclusive, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_sleeper_leaves_an_exclusive_cpu, setup,
	                                        teardown),
	        cmocka_unit_test_setup_teardown(test_pins_are_honoured, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_budgets_count_as_load, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
