// SPDX-License-Identifier: Apache-2.0
// The imagined PL031 and the empty virtio slots.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/string.h"
#include "fake.h"
#include "hw/pl031_regs.h"
#include "hw/timer.h"
#include "vdev/vpl031.h"
#include "vm/vm.h"

#define HZ 1000000

static struct vm *vm;
static struct vpl031 *rtc;
static const struct mmio_ops *ops;
static void *dev;
static uint64_t base;
static bool line;
static unsigned posts; // to the first vCPU
static uint64_t now;

void *vm_alloc(struct vm *v, size_t size)
{
	(void)v;
	return test_calloc(1, size);
}

int mmio_add(struct mmio_map *map, uint64_t b, uint64_t size, const struct mmio_ops *o, void *d)
{
	(void)map;
	(void)size;
	base = b;
	ops = o;
	dev = d;
	return 0;
}

void virq_set(struct vm *v, struct vcpu *vcpu, uint32_t intid, bool level)
{
	assert_ptr_equal(v, vm);
	assert_null(vcpu);
	assert_int_equal(intid, VPL031_INTID);
	assert_int_not_equal(level, line);
	line = level;
}

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

static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_sysreg_hook = counter;
	fake_set_sysreg("cntfrq_el0", HZ);
	now = 5 * HZ + HZ / 2;
	line = false;
	timer_init(0);
	timer_init_cpu();
	vpl031_set_clock(1700000000);
	vm = test_calloc(1, sizeof *vm);
	vm->vcpu[0] = test_calloc(1, sizeof *vm->vcpu[0]);
	cpu_this()->vcpu = vm->vcpu[0];
	posts = 0;
	assert_int_equal(vpl031_create(vm, &rtc), 0);
	assert_int_equal(base, VPL031_BASE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cpu_this()->vcpu = NULL;
	test_free(rtc);
	test_free(vm->vcpu[0]);
	test_free(vm);
	return 0;
}

static uint32_t get(uint32_t offset)
{
	uint64_t value = ~0ull;
	assert_true(ops->read(dev, NULL, offset, 4, &value));
	assert_int_equal(value >> 32, 0);
	return (uint32_t)value;
}

static void set(uint32_t offset, uint32_t value)
{
	assert_true(ops->write(dev, NULL, offset, 4, value));
}

// Lets the timer do its work as time passes.
static void pass(uint64_t ticks)
{
	now += ticks;
	if (fake_get_sysreg("cnthp_ctl_el2") == 1 && fake_get_sysreg("cnthp_cval_el2") <= now &&
	    (timer_expire() & (1 << TIMER_VM)) != 0)
		alarm_expire(vm);
}

static void test_clock(void **state)
{
	(void)state;
	assert_int_equal(get(PL031_DR), 1700000000);
	pass(HZ / 2 - 1);
	assert_int_equal(get(PL031_DR), 1700000000);
	pass(1);
	assert_int_equal(get(PL031_DR), 1700000001);
	pass(86400ull * HZ);
	assert_int_equal(get(PL031_DR), 1700086401);
	set(PL031_LR, 42);
	assert_int_equal(get(PL031_DR), 42);
	assert_int_equal(get(PL031_LR), 42);
	pass(2 * HZ);
	assert_int_equal(get(PL031_DR), 44);
	set(PL031_DR, 7); // read-only
	assert_int_equal(get(PL031_DR), 44);
}

static void test_registers(void **state)
{
	(void)state;
	static const uint8_t id[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
	uint64_t value;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(get(PL031_PERIPH_ID0 + 4 * i), id[i]);
	assert_int_equal(get(PL031_CR), 1);
	set(PL031_CR, 0);
	assert_int_equal(get(PL031_CR), 1);
	set(PL031_IMSC, 0xffffffff);
	assert_int_equal(get(PL031_IMSC), 1);
	set(PL031_MR, 0xffffffff);
	assert_int_equal(get(PL031_MR), 0xffffffff);
	assert_int_equal(get(PL031_ICR), 0);
	assert_int_equal(get(0x20), 0);
	assert_false(ops->read(dev, NULL, 0, 8, &value));
	assert_false(ops->write(dev, NULL, 0, 8, 0));
	assert_false(ops->read(dev, NULL, 1, 2, &value));
	assert_true(ops->read(dev, NULL, PL031_PERIPH_ID0, 1, &value));
	assert_int_equal(value, 0x31);
}

static void test_alarm(void **state)
{
	(void)state;
	uint32_t start = get(PL031_DR);
	set(PL031_IMSC, 1);
	set(PL031_MR, start + 3);
	assert_int_equal(alarm_first(vm), 8 * HZ);
	pass(2 * HZ);
	assert_false(line);
	pass(HZ / 2);
	assert_true(line);
	assert_int_equal(get(PL031_RIS), 1);
	assert_int_equal(get(PL031_MIS), 1);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
	set(PL031_ICR, 1);
	assert_false(line);
	pass(10 * HZ);
	assert_false(line);
	set(PL031_MR, get(PL031_DR)); // now
	assert_true(line);
	set(PL031_IMSC, 0);
	assert_false(line);
	assert_int_equal(get(PL031_RIS), 1);
	set(PL031_ICR, 1);
	set(PL031_MR, get(PL031_DR) - 1); // in a hundred years
	assert_int_equal(get(PL031_RIS), 0);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
}

static void test_setting_the_clock_moves_the_alarm(void **state)
{
	(void)state;
	set(PL031_IMSC, 1);
	set(PL031_LR, 100);
	set(PL031_MR, 200);
	set(PL031_LR, 190);
	assert_int_equal(get(PL031_DR), 190);
	pass(9 * HZ);
	assert_false(line);
	pass(HZ);
	assert_true(line);
}

static void test_late_tick(void **state)
{
	(void)state;
	set(PL031_IMSC, 1);
	set(PL031_MR, get(PL031_DR) + 1);
	now += 1000ull * HZ;
	alarm_expire(vm);
	assert_true(line);
}

static void test_stale_tick(void **state)
{
	(void)state;
	set(PL031_IMSC, 1);
	set(PL031_MR, get(PL031_DR) + 10);
	alarm_expire(vm); // its time has not come
	vm->alarms.ops[0]->due(rtc);
	assert_false(line);
	assert_int_equal(alarm_first(vm), 15 * HZ);
}

static void test_reset(void **state)
{
	(void)state;
	set(PL031_IMSC, 1);
	set(PL031_LR, 5);
	set(PL031_MR, 5);
	assert_true(line);
	vpl031_reset(rtc);
	assert_false(line);
	assert_int_equal(get(PL031_DR), 1700000000);
	assert_int_equal(get(PL031_MR), 0);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
}

static void test_random(void **state)
{
	(void)state;
	static const uint8_t sizes[] = {1, 2, 4, 8};
	uint64_t value;
	srandom(4);
	for (unsigned i = 0; i < 100000; i++) {
		unsigned size = sizes[random() % 4];
		uint32_t offset = (uint32_t)random() % (random() % 4 ? 0x20 : 0xff8);
		uint64_t data = (uint64_t)random() << (random() % 33);
		if (random() % 2)
			ops->read(dev, NULL, offset, size, &value);
		else
			ops->write(dev, NULL, offset, size, data);
		if (random() % 8 == 0)
			pass((uint64_t)random() >> (random() % 31));
		assert_int_equal(line, get(PL031_MIS));
		fake_log_count = 0;
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_clock),     TEST(test_registers),
	        TEST(test_alarm),     TEST(test_setting_the_clock_moves_the_alarm),
	        TEST(test_late_tick), TEST(test_stale_tick),
	        TEST(test_reset),     TEST(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
