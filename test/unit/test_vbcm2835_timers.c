// SPDX-License-Identifier: Apache-2.0
// The imagined system timer and Arm timer: the count, matches in time and in the past, interrupts, and that no
// value that a guest writes makes either of them work without end.
#define PI_LINES
#include "pi_bench.h"

#include "vdev/vbcm2835_armtimer.h"
#include "vdev/vbcm2835_systimer.h"

#define SYS RASPI3_SYSTIMER_BASE
#define ARM RASPI3_ARMTIMER_BASE

static int setup(void **state)
{
	(void)state;
	pi_setup();
	assert_int_equal(vbcm2835_systimer_create(vm), 0);
	assert_int_equal(vbcm2835_armtimer_create(vm), 0);
	vbcm2835_systimer_reset(vm);
	vbcm2835_armtimer_reset(vm);
	return 0;
}

static void test_counts_microseconds(void **state)
{
	(void)state;
	assert_int_equal(get(SYS + 4), 0);
	pass_us(12345);
	assert_int_equal(get(SYS + 4), 12345);
	assert_int_equal(pi_access(0, SYS + 5, 1, false, 0), 12345 >> 8);
	pass_us((UINT64_C(5) << 32) - 12345 + 7);
	assert_int_equal(get(SYS + 4), 7);
	assert_int_equal(get(SYS + 8), 5);
	set(SYS + 4, 99); // read-only
	assert_int_equal(get(SYS + 4), 7);
}

static void test_compare(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 4; n++) {
		set(SYS + 0xc + 4 * n, get(SYS + 4) + 1000);
		assert_int_equal(get(SYS + 0xc + 4 * n), get(SYS + 4) + 1000);
		pass_us(999);
		assert_false(pi_line[n]);
		pass_us(1);
		assert_true(pi_line[n]);
		assert_int_equal(get(SYS), 1U << n);
		set(SYS, ~(1U << n)); // of others
		assert_true(pi_line[n]);
		set(SYS, 1U << n);
		assert_false(pi_line[n]);
		assert_int_equal(get(SYS), 0);
	}
}

// A value that has passed matches when the count has gone round, not at once, and not again and again.
static void test_the_past(void **state)
{
	(void)state;
	pass_us(5000);
	set(SYS + 0x10, 4999);
	set(SYS + 0x18, 5000); // the present has passed as well
	pass_us(1000000);
	assert_false(pi_line[1] || pi_line[3]);
	pass_us((UINT64_C(1) << 32) - 1000002);
	assert_false(pi_line[1]);
	pass_us(1);
	assert_true(pi_line[1]);
	assert_false(pi_line[3]);
	pass_us(1);
	assert_true(pi_line[3]);
	uint64_t quiet =
	        alarm_first(vm); // the other two comparators, when the count comes past 0 again
	assert_true(quiet > pi_now + PI_HZ);
	set(SYS, 10);
	set(SYS + 0x10, get(SYS + 4) + 1); // and one that is always just ahead costs one alarm each
	pass_us(1);
	assert_true(pi_line[1]);
	assert_true(alarm_first(vm) > pi_now + PI_HZ);
}

// What is left to wait for while the VM was paused has not become less.
static void test_a_pause(void **state)
{
	(void)state;
	set(SYS + 0x10, 1000);
	uint64_t due = alarm_first(vm);
	pi_now += PI_HZ;
	vm->cntvoff += PI_HZ; // a second in which the guest did not live
	assert_true(due <= pi_now);
	alarm_expire(vm);
	assert_false(pi_line[1]);
	pass_us(1000);
	assert_true(pi_line[1]);
}

static void test_a_reset(void **state)
{
	(void)state;
	set(SYS + 0x10, 10);
	pass_us(10);
	assert_true(pi_line[1]);
	vbcm2835_systimer_reset(vm);
	assert_false(pi_line[1]);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
	assert_int_equal(get(SYS + 0x10), 0);
}

static void test_arm_timer(void **state)
{
	(void)state;
	assert_int_equal(get(ARM + 0xc), 0x544d5241);
	assert_int_equal(get(ARM + 0x1c), 0x7d);
	set(ARM + 0x1c, 249); // one count a microsecond
	set(ARM + 8, 0x2 | 0x20 | 0x80);
	set(ARM, 999);
	assert_int_equal(get(ARM + 4), 999);
	pass_us(400);
	assert_int_equal(get(ARM + 4), 599);
	pass_us(599);
	assert_false(pi_line[64]);
	pass_us(2);
	assert_true(pi_line[64]);
	assert_int_equal(get(ARM + 0x10), 1);
	assert_int_equal(get(ARM + 0x14), 1);
	assert_in_range(get(ARM + 4), 997, 999); // loaded again
	assert_int_equal(alarm_first(vm),
	                 TIMER_NEVER); // nothing more can happen before it is cleared
	set(ARM + 0xc, 1);
	assert_false(pi_line[64]);
	pass_us(1000);
	assert_true(pi_line[64]);
	set(ARM + 8, 0x2 | 0x80); // interrupt off: still raw
	assert_false(pi_line[64]);
	assert_int_equal(get(ARM + 0x10), 1);
	assert_int_equal(get(ARM + 0x14), 0);
	set(ARM + 0xc, 1);
	set(ARM + 0x18, 99); // for the next round
	assert_in_range(get(ARM + 4), 900, 999);
	pass_us(1000);
	assert_in_range(get(ARM + 4), 0, 99);
	assert_int_equal(get(ARM + 0x10), 1);
	set(ARM + 8, 0); // stopped
	uint32_t value = get(ARM + 4);
	pass_us(1000);
	assert_int_equal(get(ARM + 4), value);
}

static void test_arm_timer_16_bits_and_prescaler(void **state)
{
	(void)state;
	set(ARM + 0x1c, 249);
	set(ARM + 8, 0x80 | 1 << 2); // by 16
	set(ARM, 0x50063);
	assert_int_equal(get(ARM + 4), 0x63);
	pass_us(16 * 50);
	assert_in_range(get(ARM + 4), 0x63 - 50, 0x63 - 49);
	set(ARM + 8, 0x200 | 249 << 16); // the free running one
	uint32_t at = get(ARM + 0x20);
	pass_us(500);
	assert_int_equal(get(ARM + 0x20) - at, 500);
	set(ARM + 8, 0);
	at = get(ARM + 0x20);
	pass_us(500);
	assert_int_equal(get(ARM + 0x20), at);
}

// The shortest period there is: one interrupt for each that the guest clears.
static void test_a_storm(void **state)
{
	(void)state;
	set(ARM + 0x1c, 0);
	set(ARM + 8, 0x2 | 0x20 | 0x80);
	set(ARM, 0);
	for (unsigned i = 0; i < 100; i++) {
		pass_us(10);
		assert_true(pi_line[64]);
		assert_int_equal(alarm_first(vm), TIMER_NEVER);
		set(ARM + 0xc, 0);
	}
}

static void test_anything(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 20; seed++) {
		pi_random_accesses(seed, SYS, 0x1000, 300);
		pi_random_accesses(seed, SYS, 0x20, 1000);
		pi_random_accesses(seed, ARM, 0x24, 1000);
	}
}

static void test_state_is_described(void **state)
{
	(void)state;
	assert_string_equal(vbcm2835_systimer_state.device, "bcm2835-systimer");
	assert_int_equal(vbcm2835_systimer_state.nr_fields, 4);
	assert_int_equal(vbcm2835_armtimer_state.nr_fields, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, pi_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_counts_microseconds),
	        TEST(test_compare),
	        TEST(test_the_past),
	        TEST(test_a_pause),
	        TEST(test_a_reset),
	        TEST(test_arm_timer),
	        TEST(test_arm_timer_16_bits_and_prescaler),
	        TEST(test_a_storm),
	        TEST(test_anything),
	        TEST(test_state_is_described),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
