// SPDX-License-Identifier: Apache-2.0
// The imagined generic watchdog: registers, refreshing, both signals, pauses, and what becomes of the VM.
#include "virtio_bench.h"

#include "vdev/vgwdt.h"

#define WCS     0x000U
#define WOR     0x008U
#define WCV     0x010U
#define IIDR    0xfccU
#define REFRESH 0x1000U

static unsigned crashes, ends;

void vm_crash(struct vcpu *vcpu, const char *format, ...)
{
	assert_ptr_equal(vcpu, vm->vcpu[0]);
	assert_non_null(strstr(format, "watchdog"));
	crashes++;
}

void vm_end(struct vm *v, enum vm_end why)
{
	assert_ptr_equal(v, vm);
	assert_int_equal(why, VM_END_CRASH);
	ends++;
}

static uint64_t reg(uint32_t offset, unsigned size, bool write, uint64_t value)
{
	struct access access = {IPA(VGWDT_BASE + offset), (uint8_t)size, write, value};
	assert_true(mmio_access(&vm->mmio, vm->vcpu[0], &access));
	return access.value;
}
static uint32_t get(uint32_t offset)
{
	return (uint32_t)reg(offset, 4, false, 0);
}
static void set(uint32_t offset, uint32_t value)
{
	reg(offset, 4, true, value);
}

static bool line(void)
{
	return vb_other_line[VGWDT_INTID];
}

static int setup(void **state)
{
	vb_setup(state);
	vb_other_lines = true;
	crashes = ends = 0;
	assert_int_equal(vgwdt_create(vm), 0);
	vgwdt_reset(vm->watchdog);
	vm->cntvoff = vb_now - 500;
	return 0;
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(get(WCS), 0);
	assert_int_equal(get(IIDR), 0x0001043b);
	assert_int_equal(get(REFRESH + IIDR), 0x0001043b);
	assert_int_equal(get(REFRESH), 0); // only written
	set(WOR, 0x12345678);
	set(WOR + 4, 0xffff9abc);
	assert_int_equal(reg(WOR, 8, false, 0), 0x9abc12345678); // 48 bits
	reg(WOR, 8, true, 1000);
	assert_int_equal(get(WOR), 1000);
	reg(WCV, 8, true, 0x1122334455667788);
	assert_int_equal(get(WCV), 0x55667788);
	assert_int_equal(get(WCV + 4), 0x11223344);
	set(WCS, 6); // the signals cannot be written
	assert_int_equal(get(WCS), 0);
	struct access narrow = {IPA(VGWDT_BASE), 2, false, 0};
	assert_false(mmio_access(&vm->mmio, vm->vcpu[0], &narrow));
	struct access crooked = {IPA(VGWDT_BASE + 4), 8, false, 0};
	assert_false(mmio_access(&vm->mmio, vm->vcpu[0], &crooked));
	vb_pass_us(1000000);
	assert_int_equal(crashes + ends, 0);
}

static void test_two_signals(void **state)
{
	(void)state;
	set(WOR, 1000);
	set(WCS, 1);
	assert_int_equal(get(WCV), 1500);
	vb_pass_us(999);
	assert_int_equal(get(WCS), 1);
	vb_pass_us(1);
	assert_int_equal(get(WCS), 3);
	assert_true(line());
	assert_int_equal(get(WCV), 2500);
	vb_pass_us(999);
	assert_int_equal(crashes, 0);
	vb_pass_us(1);
	assert_int_equal(crashes, 1);
	assert_int_equal(get(WCS), 7);
	vb_pass_us(100000);
	assert_int_equal(crashes, 1);
	vgwdt_reset(vm->watchdog);
	assert_false(line());
	assert_int_equal(get(WCS), 0);
}

// Where no vCPU of the VM is loaded, it ends all the same.
static void test_without_a_vcpu(void **state)
{
	(void)state;
	set(WOR, 10);
	set(WCS, 1);
	cpu_this()->vcpu = NULL;
	vb_pass_us(100);
	assert_int_equal(crashes, 0);
	assert_int_equal(ends, 1);
	cpu_this()->vcpu = vm->vcpu[0];
}

static void test_refresh(void **state)
{
	(void)state;
	static const uint32_t ways[][2] = {{REFRESH, 0}, {WOR, 1000}, {WCS, 1}};
	set(WOR, 1000);
	set(WCS, 1);
	for (unsigned i = 0; i < 30; i++) {
		vb_pass_us(i % 2 == 0 ? 900 : 1900); // the second time after the first signal
		assert_int_equal(line(), i % 2 != 0);
		set(ways[i % 3][0], ways[i % 3][1]);
		assert_false(line());
		assert_int_equal(get(WCS), 1);
	}
	vb_pass_us(1000);
	set(WCS, 0); // off
	assert_false(line());
	vb_pass_us(100000);
	assert_int_equal(get(WCS), 0);
	assert_int_equal(crashes, 0);
}

// A paused guest's time rests.
static void test_pause(void **state)
{
	(void)state;
	set(WOR, 1000);
	set(WCS, 1);
	vb_now += 50000;
	vm->cntvoff += 50000;
	vb_pass_us(999);
	assert_false(line());
	vb_pass_us(1);
	assert_true(line());
}

static void test_extremes(void **state)
{
	(void)state;
	reg(WOR, 8, true, UINT64_MAX);
	set(WCS, 1);
	vb_pass_us(1000000);
	assert_int_equal(get(WCS), 1);
	reg(WCV, 8, true, UINT64_MAX); // beyond the counter
	vb_pass_us(1000000);
	assert_int_equal(get(WCS), 1);
	reg(WOR, 8, true, 0); // due at once, again and again: both signals, and no endless loop
	vb_pass_us(10);
	assert_int_equal(get(WCS), 7);
	assert_int_equal(crashes, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vb_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_registers), TEST(test_two_signals), TEST(test_without_a_vcpu),
	        TEST(test_refresh),   TEST(test_pause),       TEST(test_extremes),
	};
	return cmocka_run_group_tests(tests, vb_open, NULL);
}
