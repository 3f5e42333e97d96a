// SPDX-License-Identifier: Apache-2.0
// The deadlines of a VM's devices.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/string.h"
#include "fake.h"
#include "hw/timer.h"
#include "vm/alarm.h"
#include "vm/vm.h"

static struct vm *vm;
static unsigned posts; // to the first vCPU
static uint64_t now;
static struct device {
	int number;
	unsigned calls;
	uint64_t again; // what it asks for when it is called; 0: nothing
} devices[ALARM_MAX];

void vcpu_post(struct vcpu *vcpu, uint32_t request)
{
	assert_ptr_equal(vcpu, vm->vcpu[0]);
	assert_int_equal(request, VCPU_REQ_TIMER);
	posts++;
}

static bool counter(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = now;
	return true;
}

static void due(void *dev)
{
	struct device *device = dev;
	device->calls++;
	if (device->again != 0)
		alarm_set(vm, device->number, device->again);
}

static const struct alarm_ops ops = {.due = due};

static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_sysreg_hook = counter;
	fake_set_sysreg("cntfrq_el0", 1000000);
	now = 1000;
	timer_init(0);
	timer_init_cpu();
	vm = test_calloc(1, sizeof *vm);
	vm->vcpu[0] = test_calloc(1, sizeof *vm->vcpu[0]);
	cpu_this()->vcpu = vm->vcpu[0];
	posts = 0;
	memset(devices, 0, sizeof devices);
	for (int i = 0; i < ALARM_MAX; i++)
		devices[i].number = alarm_add(vm, &ops, &devices[i]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cpu_this()->vcpu = NULL;
	test_free(vm->vcpu[0]);
	test_free(vm);
	return 0;
}

// For when this CPU's timer is set; TIMER_NEVER: it is off.
static uint64_t programmed(void)
{
	return fake_get_sysreg("cnthp_ctl_el2") == 1 ? fake_get_sysreg("cnthp_cval_el2")
	                                             : TIMER_NEVER;
}

static void test_room(void **state)
{
	(void)state;
	for (int i = 0; i < ALARM_MAX; i++)
		assert_int_equal(devices[i].number, i);
	assert_int_equal(alarm_add(vm, &ops, NULL), ERR_NO_MEMORY);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
}

static void test_the_first_counts(void **state)
{
	(void)state;
	alarm_set(vm, 2, 5000);
	assert_int_equal(programmed(), 5000);
	alarm_set(vm, 3, 4000);
	assert_int_equal(programmed(), 4000);
	alarm_set(vm, 3, TIMER_NEVER);
	assert_int_equal(programmed(), 5000);
	assert_int_equal(alarm_first(vm), 5000);
	assert_int_equal(posts, 0);
}

static void test_only_those_whose_time_has_come(void **state)
{
	(void)state;
	alarm_set(vm, 0, 2000);
	alarm_set(vm, 1, 3000);
	alarm_set(vm, 2, 3001);
	now = 3000;
	alarm_expire(vm);
	assert_int_equal(devices[0].calls, 1);
	assert_int_equal(devices[1].calls, 1);
	assert_int_equal(devices[2].calls, 0);
	assert_int_equal(programmed(), 3001);
	alarm_expire(vm);
	assert_int_equal(devices[0].calls, 1);
}

// A device that asks for the present again and again gets one call each time, so that the loop it is called
// from comes round.
static void test_pieces_of_a_long_job(void **state)
{
	(void)state;
	devices[1].again = 900;
	alarm_set(vm, 1, 900);
	alarm_expire(vm);
	assert_int_equal(devices[1].calls, 1);
	assert_int_equal(programmed(), 900);
	alarm_expire(vm);
	assert_int_equal(devices[1].calls, 2);
}

static void test_set_elsewhere(void **state)
{
	(void)state;
	cpu_this()->vcpu = NULL;
	alarm_set(vm, 0, 5000);
	assert_int_equal(posts, 1);
	assert_int_equal(programmed(), TIMER_NEVER);
	alarm_set(vm, 0, 6000); // later: the first vCPU wakes up once for nothing
	assert_int_equal(posts, 1);
	alarm_set(vm, 0, TIMER_NEVER);
	assert_int_equal(posts, 1);
	now = 7000;
	alarm_set(vm, 0, 6500);
	assert_int_equal(posts, 2);
	alarm_expire(vm); // by a CPU that runs another vCPU
	assert_int_equal(devices[0].calls, 1);
	assert_int_equal(programmed(), TIMER_NEVER);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_room),
	        TEST(test_the_first_counts),
	        TEST(test_only_those_whose_time_has_come),
	        TEST(test_pieces_of_a_long_job),
	        TEST(test_set_elsewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
