// SPDX-License-Identifier: Apache-2.0
// The timer at EL2: conversions without overflow, deadlines of several users; and the client of the
// firmware's PSCI.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/string.h"
#include "fake.h"
#include "fdt/board.h"
#include "hw/psci_client.h"
#include "hw/timer.h"

static uint64_t now;

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
	now = 1000;
	return 0;
}

static void test_frequency(void **state)
{
	(void)state;
	assert_int_equal(timer_init(0), ERR_UNSUPPORTED);
	assert_int_not_equal(timer_hz(), 0);
	fake_set_sysreg("cntfrq_el0", 62500000);
	assert_int_equal(timer_init(0), 0);
	assert_int_equal(timer_hz(), 62500000);
	assert_int_equal(timer_init(19200000), 0); // the tree knows better
	assert_int_equal(timer_hz(), 19200000);
}

static void test_conversions(void **state)
{
	(void)state;
	static const uint32_t hz[] = {1,        999,      32768,      1000000,   19200000,
	                              54000000, 62500000, 1000000000, UINT32_MAX};
	srandom(5);
	for (size_t i = 0; i < ARRAY_SIZE(hz); i++) {
		assert_int_equal(timer_init(hz[i]), 0);
		for (unsigned n = 0; n < 10000; n++) {
			uint64_t count = (((uint64_t)random() << 33) ^ (uint64_t)random()) >>
			                 (random() % 64);
			__extension__ typedef unsigned __int128 wide;
			wide exact = (wide)count * hz[i] / 1000;
			assert_int_equal(timer_from_ms(count),
			                 exact > UINT64_MAX ? UINT64_MAX : (uint64_t)exact);
			exact = (wide)count * 1000000 / hz[i];
			assert_int_equal(timer_to_us(count),
			                 exact > UINT64_MAX ? UINT64_MAX : (uint64_t)exact);
		}
	}
}

static void expect_timer(bool on, uint64_t at)
{
	assert_int_equal(fake_get_sysreg("cnthp_ctl_el2"), on ? 1 : 0);
	if (on)
		assert_int_equal(fake_get_sysreg("cnthp_cval_el2"), at);
}

static void test_deadlines(void **state)
{
	(void)state;
	timer_init(1000000);
	timer_init_cpu();
	expect_timer(false, 0);
	assert_int_equal(timer_expire(), 0);
	timer_set(TIMER_CONSOLE, 5000);
	expect_timer(true, 5000);
	timer_set(TIMER_VCPU, 3000);
	expect_timer(true, 3000);
	timer_set(TIMER_VM, 9000);
	expect_timer(true, 3000);
	timer_set(TIMER_VCPU, TIMER_NEVER);
	expect_timer(true, 5000);
	now = 4999;
	assert_int_equal(timer_expire(), 0);
	expect_timer(true, 5000);
	now = 5000;
	assert_int_equal(timer_expire(), 1 << TIMER_CONSOLE);
	expect_timer(true, 9000);
	timer_set(TIMER_VCPU, 100); // long gone: at once
	expect_timer(true, 100);
	now = 10000;
	assert_int_equal(timer_expire(), 1 << TIMER_VCPU | 1 << TIMER_VM);
	expect_timer(false, 0);
	timer_set(TIMER_VCPU, 0);
	expect_timer(true, 0);
}

static void test_cpus_have_their_own(void **state)
{
	(void)state;
	timer_init_cpu();
	timer_set(TIMER_VCPU, 5000);
	fake_run_on(3);
	timer_init_cpu();
	now = 6000;
	assert_int_equal(timer_expire(), 0);
	fake_run_on(0);
	assert_int_equal(timer_expire(), 1 << TIMER_VCPU);
}

static void test_new_value_before_it_is_enabled(void **state)
{
	(void)state;
	timer_init_cpu();
	size_t from = fake_log_count;
	timer_set(TIMER_VCPU, 5000);
	long value = fake_find(from, FAKE_WRITE_SYSREG, "cnthp_cval_el2");
	long control = fake_find(from, FAKE_WRITE_SYSREG, "cnthp_ctl_el2");
	assert_true(value >= 0 && control > value);
	assert_true(fake_find((size_t)control, FAKE_BARRIER, "isb") > control);
	from = fake_log_count;
	timer_set(TIMER_VCPU, 5000); // the same again costs nothing
	assert_int_equal(fake_log_count, from);
	(void)timer_now();
	assert_true(fake_find(from, FAKE_BARRIER, "isb") <
	            fake_find(from, FAKE_READ_SYSREG, "cntpct_el0"));
}

// ---- PSCI ----

static uint64_t last[4];
static bool last_hvc;
static uint64_t answer;

static uint64_t firmware(bool hvc, const uint64_t in[8])
{
	last_hvc = hvc;
	for (unsigned i = 0; i < 4; i++)
		last[i] = in[i];
	return answer;
}

static void test_psci(void **state)
{
	(void)state;
	static struct board board;
	fake_smccc_hook = firmware;
	board = (struct board){.psci = {.conduit = BOARD_PSCI_HVC, .standard = true}};
	answer = 0x10001;
	assert_int_equal(psci_client_init(&board), 0);
	assert_true(last_hvc);
	assert_int_equal(last[0], 0x84000000);
	assert_int_equal(psci_client_version(), 0x10001);

	answer = 0;
	assert_int_equal(psci_client_cpu_on(0xc0000302, PA(0x40200000), 7), PSCI_SUCCESS);
	assert_int_equal(last[0], 0xc4000003);
	assert_int_equal(last[1], 0x302);
	assert_int_equal(last[2], 0x40200000);
	assert_int_equal(last[3], 7);
	assert_int_equal(psci_client_cpu_on(0x12c1030201, PA(0), 0), 0);
	assert_int_equal(last[1], 0x1200030201);
	answer = 0xfffffffe; // 32-bit results are signed
	assert_int_equal(psci_client_cpu_on(1, PA(0), 0), PSCI_INVALID_PARAMETERS);
	answer = UINT64_MAX - 3;
	assert_int_equal(psci_client_cpu_on(1, PA(0), 0), PSCI_ALREADY_ON);
	answer = 0;
	psci_client_system_off();
	assert_int_equal(last[0], 0x84000008);
	psci_client_system_reset();
	assert_int_equal(last[0], 0x84000009);
}

static void test_psci_of_other_ages(void **state)
{
	(void)state;
	static struct board board;
	fake_smccc_hook = firmware;
	board = (struct board){
	        .psci = {.conduit = BOARD_PSCI_SMC, .standard = false, .cpu_on = 0x95c10002}};
	answer = 0;
	assert_int_equal(psci_client_init(&board), 0);
	assert_int_equal(psci_client_version(), 1);
	assert_int_equal(psci_client_cpu_on(1, PA(0x1000), 0), 0);
	assert_false(last_hvc);
	assert_int_equal(last[0], 0x95c10002);
	last[0] = 0;
	psci_client_system_off(); // version 0.1 has no such call
	assert_int_equal(last[0], 0);

	board.psci.cpu_on = 0;
	assert_int_equal(psci_client_init(&board), 0);
	assert_int_equal(psci_client_cpu_on(1, PA(0x1000), 0), PSCI_NOT_SUPPORTED);

	board = (struct board){0};
	assert_int_equal(psci_client_init(&board), ERR_UNSUPPORTED);
	assert_int_equal(psci_client_version(), 0);
	assert_int_equal(psci_client_cpu_on(1, PA(0x1000), 0), PSCI_NOT_SUPPORTED);
	const uint64_t in[8] = {1};
	uint64_t out[4] = {0};
	assert_int_equal(psci_client_call(in, out), ERR_UNSUPPORTED);
	assert_int_equal(out[0], UINT64_MAX);
}

static void test_psci_words(void **state)
{
	(void)state;
	for (int i = -20; i < 5; i++)
		assert_true(strlen(psci_client_text(i)) > 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        TEST(test_frequency),
	        TEST(test_conversions),
	        TEST(test_deadlines),
	        TEST(test_cpus_have_their_own),
	        TEST(test_new_value_before_it_is_enabled),
	        TEST(test_psci),
	        TEST(test_psci_of_other_ages),
	        TEST(test_psci_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
