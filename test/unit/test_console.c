// SPDX-License-Identifier: Apache-2.0
// The console as a whole: views, input, a slow UART, the phases from boot to panic.
#include "console/output.h"
#include "test_console_board.h"

// ---- a slow UART ----

static void test_slow_uart(void **state)
{
	(void)state;
	uart_room = 5;
	guest_prints(0, "a longer line\n");
	expect_wire("[linu");
	assert_true(tx_irq);
	while (strcmp(wire, "x] a longer line\r\n") != 0) {
		uart_room = 3;
		settle();
		assert_true(wire_count < 64);
	}
	uart_room = SIZE_MAX;
	settle();
	assert_false(tx_irq);
}

static void test_stuck_uart_waits_for_nobody(void **state)
{
	(void)state;
	uart_room = 0;
	for (unsigned i = 0; i < 5000; i++) {
		console_write("a line of some length to fill the ring\n", 39);
		if (i % 100 == 0) {
			fake_cpu_this->work |= CPU_WORK_CONSOLE;
			settle();
		}
	}
	assert_int_equal(wire_count, 0);
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++)
		(void)guest_put(0, 'x');
	bitset_add(&vcons_waiting, 0);
	now += HZ;
	settle();
	assert_int_not_equal(drained[0], 0); // it is told to look for itself
	uart_room = SIZE_MAX;
	wait_ms(500);
	assert_non_null(strstr(wire, "lines of Mezzo's own are lost\r\n"));
	forget_wire();
}

static void test_lost_output_is_told(void **state)
{
	(void)state;
	vms[0]->con.lost = 17;
	guest_prints(0, "x\n");
	expect_wire("[mezzo] linux: 17 bytes of older output are gone\r\n[linux] x\r\n");
	guest_prints(0, "y\n");
	expect_wire("[linux] y\r\n");
}

static void test_work_of_a_call_is_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++) {
		(void)guest_put(0, '\n');
		(void)guest_put(1, "\x1b]"[i % 2]);
	}
	for (unsigned i = 0; i < 100; i++) {
		size_t before = wire_count;
		uint32_t fill = vcons_fill(&vms[0]->con.out) + vcons_fill(&vms[1]->con.out);
		console_drain(CONSOLE_BUDGET);
		assert_in_range(wire_count - before, 0, CONSOLE_BUDGET);
		assert_in_range(fill - vcons_fill(&vms[0]->con.out) - vcons_fill(&vms[1]->con.out),
		                0, 2 * CONSOLE_BUDGET);
	}
	settle();
}

// Who drains goes round as long as there is more and something left to spend: each round must spend or
// show something, whatever little it has.
static void test_every_round_makes_progress(void **state)
{
	static struct output out;
	(void)state;
	output_init(&out);
	for (uint32_t effort = 1; effort < 40; effort++) {
		(void)guest_put(0, 'a');
		(void)guest_put(0, '\n');
		uint32_t left = effort, before;
		uint8_t byte;
		bool more;
		do {
			before = left;
			more = output_fill(&out, now, false, &left);
			while (ring_get(&out.wire.ring, &byte)) // the UART takes it all
				;
			assert_true(!more || left < before);
		} while (more && left > 0);
	}
	settle();
	forget_wire();
}

// ---- views and input ----

static void test_input_goes_to_the_first(void **state)
{
	(void)state;
	type_keys("ls\r");
	expect_typed(0, "ls\r");
	assert_int_not_equal(inputs[0], 0);
	assert_int_equal(inputs[1], 0);
}

static void test_raw_view(void **state)
{
	(void)state;
	guest_prints(1, "before\n");
	forget_wire();
	type_keys("\x1d"
	          "2");
	expect_wire("[mezzo] rtos: attached (running); Ctrl-] ? for help\r\nbefore\n");
	guest_prints(1, "\x1b[1mraw\x1b[0m\r\n$ ");
	guest_prints(0, "not shown\n");
	expect_wire("\x1b[1mraw\x1b[0m\r\n$ ");
	console_write("news\n", 5);
	settle();
	expect_wire("\r\n[mezzo] news\r\n");
	type_keys("x");
	expect_typed(1, "x");
	type_keys("\x1d]\x1d\x1d");
	expect_typed(1, "\x1d\x1d");
	type_keys("\x1d"
	          "a");
	expect_wire("[linux] not shown\r\n");
	type_keys("y");
	expect_typed(1, "y"); // it stays the one that is typed for
}

static void test_neighbours(void **state)
{
	(void)state;
	type_keys("\x1dn");
	expect_wire("[mezzo] linux: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1dn");
	expect_wire("[mezzo] rtos: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1dn");
	expect_wire("[mezzo] linux: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1dp");
	expect_wire("[mezzo] rtos: attached (running); Ctrl-] ? for help\r\n");
	type_keys("\x1d?");
	assert_non_null(strstr(wire, "Mezzo's shell"));
	forget_wire();
	type_keys("\x1d"
	          "9");
	assert_non_null(strstr(wire, "Mezzo's shell"));
	forget_wire();
	nr_vms = 0;
	type_keys("\x1dn\x1dp\x1d"
	          "1x");
	assert_non_null(strstr(wire, "[mezzo] there is no VM\r\n"));
	nr_vms = NR_VMS;
}

static void test_overrun(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VCONS_IN_SIZE; i++)
		type_keys("x");
	assert_int_equal(overruns[0], 0);
	type_keys("y");
	assert_int_equal(overruns[0], 1);
}

// A terminal at full speed gets a turn now and then, and not one after the other.
static void test_flood_of_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		keys[keys_head++ % sizeof keys] = 'x';
	console_interrupt();
	assert_in_range(keys_tail, 1, 100);
	assert_false(rx_irq);
	uint64_t before = now;
	settle();
	assert_true(keys_head == keys_tail);
	assert_true(now - before > 1000 / 100 * 200);
	assert_true(rx_irq);
	keys[keys_head++ % sizeof keys] = 'y'; // and a person's key is seen at once
	console_interrupt();
	assert_true(rx_irq);
}

static void test_typing_for_one_that_is_off(void **state)
{
	(void)state;
	vms[0]->state = VM_OFF;
	type_keys("hello\r");
	expect_typed(0, "");
	expect_wire("[mezzo] linux is off; Ctrl-] 0 leads to Mezzo's shell\r\n");
}

static void test_polled_input(void **state)
{
	(void)state;
	console_end(0, 0);
	console_start(false);
	forget_wire();
	assert_false(rx_irq);
	keys[keys_head++ % sizeof keys] = 'k';
	wait_ms(30);
	expect_typed(0, "k");
	keys[keys_head++ % sizeof keys] = 'l';
	wait_ms(30);
	expect_typed(0, "l");
}

// ---- the phases ----

static void test_early(void **state)
{
	(void)state;
	console_end(0, 0);
	wire_count = 0;
	console_write("booting\n", 8);
	console_write("two\nlines\n", 10);
	expect_wire("[mezzo] booting\r\n[mezzo] two\r\n[mezzo] lines\r\n");
	uart_room = 3;
	console_write("stuck\n", 6); // comes back all the same
	expect_wire("[me");
	uart_room = SIZE_MAX;
	console_write("x\n", 2);
	expect_wire("[mezzo] x\r\n");
}

static void test_log_before_the_console(void **state)
{
	(void)state;
	struct uart uart = {.ops = &uart_ops};
	log_line("said early");
	forget_wire();
	console_end(0, 0);
	forget_wire();
	console_early(&uart);
	assert_non_null(strstr(wire, "[mezzo] said early\r\n"));
}

static void test_end(void **state)
{
	(void)state;
	vms[0]->con.wish = VCONS_WISH_LINES;
	guest_prints(0, "reboot: Power down\n");
	guest_prints(0, "no line end");
	console_write("linux: off\n", 11);
	console_end(1, 1);
	expect_wire("[linux] reboot: Power down\r\n[mezzo] linux: off\r\n[linux] no line end\r\n"
	            "[mezzo] end: 1 off, 1 crashed\r\n");
}

static void test_end_with_much_to_say(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++) {
		(void)guest_put(0, "0123456\n"[i % 8]);
		(void)guest_put(1, "0123456\n"[i % 8]);
	}
	console_end(2, 0);
	assert_string_equal(wire + wire_count - 31, "[mezzo] end: 2 off, 0 crashed\r\n");
	assert_non_null(strstr(wire, "\n[mezzo] end: 2 off, 0 crashed\r\n"));
	assert_int_equal(vcons_fill(&vms[0]->con.out), 0);
	assert_int_equal(vcons_fill(&vms[1]->con.out), 0);
}

static void test_end_on_a_stuck_uart(void **state)
{
	(void)state;
	uart_room = 0;
	guest_prints(0, "x\n");
	uint64_t before = now;
	console_end(1, 0);
	assert_in_range(now - before, 0, 11 * HZ);
}

static void test_end_in_raw_view(void **state)
{
	(void)state;
	type_keys("\x1d"
	          "1");
	guest_prints(0, "bye");
	forget_wire();
	console_end(2, 0);
	expect_wire("\r\n[mezzo] end: 2 off, 0 crashed\r\n");
}

static void test_panic(void **state)
{
	(void)state;
	uart_room = 4;
	guest_prints(0, "abc\n");
	console_write("last words\n", 11);
	uart_room = SIZE_MAX;
	panicking = true;
	console_write("\n[mezzo] panic: ", 16);
	console_write("why\n", 4);
	expect_wire("[linux] abc\r\nlast words\r\n\r\n[mezzo] panic: why\r\n");
	panicking = false;
}

static void test_typed_during_the_boot(void **state)
{
	(void)state;
	static struct uart uart = {.ops = &uart_ops};
	console_early(&uart);
	keys[keys_head++] = 'a';
	console_start(true); // no interrupt tells of it
	assert_int_equal(keys_head, keys_tail);
}

static void test_no_uart(void **state)
{
	(void)state;
	struct uart none = {0};
	console_end(0, 0);
	console_early(&none);
	console_write("x\n", 2);
	console_start(true);
	guest_prints(0, "into the void\n");
	console_interrupt();
	settle();
	assert_int_equal(vcons_fill(&vms[0]->con.out), 0);
	console_end(1, 0);
	forget_wire();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_slow_uart),
	        TEST(test_stuck_uart_waits_for_nobody),
	        TEST(test_lost_output_is_told),
	        TEST(test_work_of_a_call_is_bounded),
	        TEST(test_every_round_makes_progress),
	        TEST(test_input_goes_to_the_first),
	        TEST(test_raw_view),
	        TEST(test_neighbours),
	        TEST(test_overrun),
	        TEST(test_flood_of_keys),
	        TEST(test_typing_for_one_that_is_off),
	        TEST(test_polled_input),
	        TEST(test_early),
	        TEST(test_log_before_the_console),
	        TEST(test_end),
	        TEST(test_end_with_much_to_say),
	        TEST(test_end_on_a_stuck_uart),
	        TEST(test_end_in_raw_view),
	        TEST(test_panic),
	        TEST(test_typed_during_the_boot),
	        TEST(test_no_uart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
