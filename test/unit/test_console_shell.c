// SPDX-License-Identifier: Apache-2.0
// The shell: line editing, completion, commands, output that is never lost.
#include "test_console_board.h"

// ---- the shell ----

static void enter_shell(void)
{
	type_keys("\x1d"
	          "0");
	assert_string_equal(wire + wire_count - 8, "\rmezzo> ");
	forget_wire();
}

static void test_shell_line_editing(void **state)
{
	(void)state;
	enter_shell();
	type_keys("uptimx\x7f"
	          "e");
	expect_wire("uptimx\b \be");
	type_keys("\r");
	assert_non_null(strstr(wire, "\r\nthe board's counter has run for 0:0"));
	assert_string_equal(wire + wire_count - 7, "mezzo> ");
	forget_wire();
	type_keys("xx\x15");
	expect_wire("xx\b \b\b \b");
	type_keys("\x1b[A");
	expect_wire("uptime");
	type_keys("\x1b[B");
	expect_wire("\b \b\b \b\b \b\b \b\b \b\b \b");
	type_keys("abc\x03");
	expect_wire("abc^C\r\nmezzo> ");
	type_keys("two words\x17");
	expect_wire("two words\b \b\b \b\b \b\b \b\b \b");
	type_keys("\x15");
	forget_wire();
	type_keys("\r");
	expect_wire("\r\nmezzo> ");
}

static void test_shell_suggests(void **state)
{
	(void)state;
	enter_shell();
	type_keys("inof\r");
	expect_wire("inof\r\ninof: no such command; did you mean info?\r\nmezzo> ");
	type_keys("frobnicate\r");
	expect_wire("frobnicate\r\nfrobnicate: no such command; help lists them\r\nmezzo> ");
	type_keys("info nobody\r");
	expect_wire("info nobody\r\nnobody: there is no VM of this name; vm lists them\r\nmezzo> ");
	type_keys("info\r");
	expect_wire("info\r\nusage: info NAME\r\nmezzo> ");
}

static void test_shell_completes(void **state)
{
	(void)state;
	enter_shell();
	type_keys("upt\t");
	expect_wire("uptime ");
	type_keys("\x15"
	          "inf\tli\t");
	assert_non_null(strstr(wire, "info linux "));
	forget_wire();
	type_keys("\x15"
	          "e\t");
	assert_non_null(strstr(wire, "exits "));
	type_keys("\x15");
	forget_wire();
	type_keys("zz\t");
	expect_wire("zz");
	type_keys("\x15");
}

static void test_shell_commands(void **state)
{
	(void)state;
	vcpus[0]->exits = 1234;
	vcpus[0]->exits_by_class[0x24] = 1000;
	vcpus[0]->exits_by_class[63] = 234;
	vms[1]->restarts = 3;
	enter_shell();
	type_keys("vm\r");
	wait_ms(10);
	assert_non_null(strstr(wire, " ID NAME"));
	assert_non_null(strstr(wire, "  1 linux        running      1  64M (0M) "));
	assert_non_null(strstr(wire, "  2 rtos         running      1  128M (0M) "));
	forget_wire();
	type_keys("info 2\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "rtos (number 2) is running since 00:00:0"));
	assert_non_null(strstr(wire, "3 restarts"));
	assert_non_null(strstr(wire, "vCPU 0"));
	assert_non_null(strstr(wire, "at 0x40081234"));
	forget_wire();
	type_keys("exits linux\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "memory or device access (stage 2)            1000\r\n"));
	assert_non_null(strstr(wire, "interrupt                                     234\r\n"));
	assert_non_null(strstr(wire, "all                                          1234\r\n"));
	forget_wire();
	type_keys("mem\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "  total         2048 MiB\r\n"));
	forget_wire();
	type_keys("help\r");
	wait_ms(10);
	assert_non_null(strstr(wire, "  info NAME      what a VM is doing\r\n"));
	assert_non_null(strstr(wire, "Ctrl-] ?"));
	forget_wire();
	type_keys("reboot\r");
	assert_non_null(strstr(wire, "`reboot now`"));
	assert_int_equal(resets, 0);
	type_keys("reboot now\r");
	assert_int_equal(resets, 1);
	forget_wire();
	type_keys("con linux\r");
	assert_non_null(strstr(wire, "linux: attached"));
	forget_wire();
}

static void test_shell_output_is_never_lost(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char line[64];
		sprintf(line, "message number %u", i);
		log_line("%s", line);
	}
	forget_wire();
	enter_shell();
	forget_wire();
	uart_room = 100;
	type_keys("log\r");
	for (unsigned i = 0; i < 1000; i++) {
		uart_room = 100;
		settle();
	}
	uart_room = SIZE_MAX;
	settle();
	const char *at = wire;
	for (unsigned i = 0; i < 300; i++) {
		char line[64];
		sprintf(line, "\r\nmessage number %u\r", i);
		const char *found = strstr(at, line);
		assert_true(found != NULL || i < 150); // the copy holds the newest 4 KiB
		if (found)
			at = found;
	}
	assert_string_equal(wire + wire_count - 7, "mezzo> ");
	forget_wire();
}

static void test_shell_prompt_comes_back(void **state)
{
	(void)state;
	enter_shell();
	type_keys("hel");
	forget_wire();
	console_write("linux: crashed\n", 15);
	settle();
	expect_wire("\r\n[mezzo] linux: crashed\r\n\rmezzo> hel");
	type_keys("\x15");
}

static void test_shell_type_ahead(void **state)
{
	(void)state;
	enter_shell();
	type_keys("exits linux\rmem\rupt\time\r");
	wait_ms(50);
	assert_non_null(strstr(wire, "REASON"));
	assert_non_null(strstr(wire, "promised"));
	forget_wire();
}

static void test_shell_random_keys(void **state)
{
	(void)state;
	srandom(2);
	enter_shell();
	for (unsigned i = 0; i < 20000; i++) {
		static const char likely[] = "vminfoxts \t\r\x7f\x03\x15\x1b[AB\x17";
		char c = likely[random() % (long)(sizeof likely - 1)];
		if (random() % 20 == 0)
			c = (char)random();
		if (c == 0x1d)
			continue;
		type_bytes(&c, 1);
		if (wire_count > sizeof wire / 2)
			forget_wire();
	}
	type_keys("\x03\x1d"
	          "0");
	forget_wire();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_shell_line_editing),
	        TEST(test_shell_suggests),
	        TEST(test_shell_completes),
	        TEST(test_shell_commands),
	        TEST(test_shell_output_is_never_lost),
	        TEST(test_shell_prompt_comes_back),
	        TEST(test_shell_type_ahead),
	        TEST(test_shell_random_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
