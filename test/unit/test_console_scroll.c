// SPDX-License-Identifier: Apache-2.0
// The past of each VM's output: kept from its first byte, shown to whoever attaches, once to who reads all.
#include "test_console_board.h"

#define ATTACHED(name) "[mezzo] " name ": attached (running); Ctrl-] ? for help\r\n"

static void attach(const char *key)
{
	char keys_typed[3] = {0x1d, key[0], '\0'};
	type_keys(keys_typed);
	wait_ms(100);
}

static void test_past_comes_first(void **state)
{
	(void)state;
	guest_prints(1, "booting\r\n");
	guest_prints(1, "\x1b[1mready\x1b[0m> ");
	wait_ms(200);
	expect_wire("[rtos] booting\r\n[rtos] ready> ");
	attach("2");
	expect_wire("\r\n" ATTACHED("rtos") "booting\r\n\x1b[1mready\x1b[0m> ");
	guest_prints(1, "x");
	expect_wire("x");
	attach("2"); // again: all of it again
	expect_wire("\r\n" ATTACHED("rtos") "booting\r\n\x1b[1mready\x1b[0m> x");
}

static void test_all_shows_only_what_is_new(void **state)
{
	(void)state;
	guest_prints(0, "one\n");
	attach("1");
	guest_prints(0, "two\n");
	guest_prints(1, "unseen\n");
	forget_wire();
	attach("a");
	expect_wire("[rtos] unseen\r\n");
	attach("0");
	forget_wire();
	guest_prints(0, "three\n");
	guest_prints(1, "four\n");
	expect_wire("");
	attach("a");
	assert_non_null(strstr(wire, "[linux] three\r\n[rtos] four\r\n"));
	assert_null(strstr(wire, "two"));
	forget_wire();
}

// In the middle of a replay the view changes: what was shown before is not news for that.
static void test_replay_that_is_cut_short(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		guest_prints(0, "a line that was shown\n");
	forget_wire();
	uart_room = 200;
	attach("1");
	attach("a");
	uart_room = SIZE_MAX;
	forget_wire();
	guest_prints(0, "news\n");
	expect_wire("[linux] news\r\n");
}

static void print_numbers(unsigned vm, unsigned from, unsigned to)
{
	char line[32];
	for (unsigned i = from; i < to; i++) {
		int n = sprintf(line, "line %u\n", i);
		for (int k = 0; k < n; k++)
			if (guest_put(vm, line[k]) == VCONS_FULL) { // as the device does it
				assert_false(vcons_watched(&vms[vm]->con));
				vcons_out_drop(&vms[vm]->con, VCONS_OUT_SIZE);
				k--;
			}
		settle();
	}
}

static void test_older_bytes_are_gone(void **state)
{
	(void)state;
	attach("2");
	forget_wire();
	print_numbers(0, 0, 10000);
	expect_wire("");
	assert_int_equal(vms[0]->con.lost, 0);
	attach("1");
	assert_non_null(strstr(wire, "[mezzo] linux: 6"));
	assert_non_null(strstr(wire, " bytes of older output are gone\r\n"));
	assert_non_null(strstr(wire, "line 9999\n"));
	assert_non_null(strstr(wire, "line 7000\n"));
	assert_null(strstr(wire, "line 6000\n"));
	assert_in_range(wire_count, VCONS_OUT_SIZE - 100, VCONS_OUT_SIZE + 200);
	forget_wire();
	guest_prints(0, "on it goes\n");
	expect_wire("on it goes\n");
}

static void test_first_byte_is_kept(void **state)
{
	(void)state;
	attach("2");
	print_numbers(0, 0, 3000);
	forget_wire();
	attach("1");
	assert_null(strstr(wire, "gone"));
	assert_non_null(strstr(wire, "\nline 0\nline 1\n"));
	forget_wire();
}

static void test_what_the_device_gave_up(void **state)
{
	(void)state;
	attach("1");
	forget_wire();
	uart_room = 0;
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++)
		(void)guest_put(0, "0123456789"[i % 10]);
	assert_int_equal(guest_put(0, 'x'), VCONS_FULL);
	fetch_add(&vms[0]->con.lost, vcons_out_drop(&vms[0]->con, 4000));
	uart_room = SIZE_MAX;
	wait_ms(50);
	// What was ready for the wire is not lost; then the mark; then the rest.
	assert_non_null(strstr(wire, "[mezzo] linux: 4000 bytes of older output are gone\r\n"));
	assert_in_range(wire_count, VCONS_OUT_SIZE - 4000 + 50, VCONS_OUT_SIZE - 4000 + 80);
	forget_wire();
}

static void test_a_vm_that_goes_away(void **state)
{
	(void)state;
	attach("2");
	guest_prints(1, "half a li");
	forget_wire();
	nr_vms = 1;
	console_forget(vms[1]);
	settle();
	assert_non_null(strstr(wire, "mezzo> ")); // nobody is left in front of nothing
	attach("a");
	forget_wire();
	guest_prints(0, "still here\n");
	expect_wire("[linux] still here\r\n");

	// The same with an open line in the view of all.
	nr_vms = NR_VMS;
	guest_prints(1, "half a li");
	wait_ms(150);
	forget_wire();
	nr_vms = 1;
	console_forget(vms[1]);
	guest_prints(0, "x\n");
	expect_wire("\r\n[linux] x\r\n");
	nr_vms = NR_VMS;
}

// Whoever has nothing to say is not looked at, however many there are.
static void test_silent_vms_cost_nothing(void **state)
{
	(void)state;
	attach("a");
	assert_int_equal(bitset_next(&vcons_marked, 0), BITSET_NONE);
	guest_prints(1, "x\n");
	assert_int_equal(bitset_next(&vcons_marked, 0), BITSET_NONE);
	guest_prints(1, "prompt> "); // looked at until it is shown
	assert_int_equal(bitset_next(&vcons_marked, 0), 1);
	wait_ms(150);
	assert_int_equal(bitset_next(&vcons_marked, 0), BITSET_NONE);
	attach("1");
	guest_prints(1, "x\ny\nz\n");
	assert_int_equal(bitset_next(&vcons_marked, 0), BITSET_NONE);
	assert_int_equal(vms[1]->con.wish, VCONS_WISH_FEW);
	forget_wire();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_past_comes_first),         TEST(test_all_shows_only_what_is_new),
	        TEST(test_replay_that_is_cut_short), TEST(test_older_bytes_are_gone),
	        TEST(test_first_byte_is_kept),       TEST(test_what_the_device_gave_up),
	        TEST(test_a_vm_that_goes_away),      TEST(test_silent_vms_cost_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
