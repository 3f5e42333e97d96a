// SPDX-License-Identifier: Apache-2.0
// The framed link: greeting, directory, channels, credit, and how it ends.
#include "test_link_host.h"

// ---- greeting ----

static void test_greeting(void **state)
{
	(void)state;
	struct entry entry;
	guest_prints(0, "an open li");
	wait_ms(150);
	forget_wire();
	send_hello(0x1122334455667788);
	receive_frames();
	assert_string_equal(plain, "\r\n"); // the line that was open
	assert_int_equal(got[0].type, FRAME_WELCOME);
	for (unsigned i = 0; i < got_count; i++)
		assert_int_equal(got[i].sequence, i);
	assert_int_equal(got[0].payload[0], 1);
	assert_int_equal(frame_get32(got[0].payload + 4),
	                 FRAME_FEATURE_COMMANDS | FRAME_FEATURE_FILES);
	assert_int_equal(frame_get64(got[0].payload + 8), 0x1122334455667788);
	assert_memory_equal(got[0].payload + FRAME_WELCOME_SIZE, "Mezzo ", 6);
	static const struct entry expected[] = {{0, FRAME_KIND_SHELL, 1, 0, "shell"},
	                                        {0, FRAME_KIND_LOG, 1, 0, "log"},
	                                        {0, FRAME_KIND_CONSOLE, 1, 1, "linux"},
	                                        {0, FRAME_KIND_CONSOLE, 1, 2, "rtos"}};
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_true(entry_at(i, &entry));
		assert_int_not_equal(entry.channel, 0);
		assert_int_equal(entry.kind, expected[i].kind);
		assert_int_equal(entry.state, expected[i].state);
		assert_int_equal(entry.id, expected[i].id);
		assert_string_equal(entry.name, expected[i].name);
	}
	assert_false(entry_at(ARRAY_SIZE(expected), &entry));
	assert_int_equal(find(FRAME_DIRECTORY, 0)->payload[0], FRAME_DIRECTORY_RESET);
	guest_prints(0, "ne\n"); // nothing is open, nothing is sent
	wait_ms(50);
	receive_frames();
	assert_int_equal(got_count, 0);
	assert_int_equal(plain_count, 0);
}

static void test_no_frame_before_hello(void **state)
{
	(void)state;
	uint8_t bytes[256];
	static const uint8_t types[] = {FRAME_PING, FRAME_OPEN, FRAME_BYE, FRAME_DATA, 200};

	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		send(types[i], (uint16_t)i, "12345678", 8);
	uint8_t hello[FRAME_HELLO_SIZE] = {1, 1};
	send(FRAME_HELLO, 1, hello, sizeof hello);
	send(FRAME_HELLO, 0, hello, sizeof hello - 1);
	size_t n = make_frame(bytes, FRAME_HELLO, 0, hello, sizeof hello);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		type_bytes((const char *)bytes, n);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 1; cut < n; cut++)
		type_bytes((const char *)bytes, cut);
	type_bytes((const char *)bytes, n); // the one before is cut short by this one's START
	receive_frames();
	assert_int_equal(got[0].type, FRAME_WELCOME);
	send(FRAME_BYE, 0, NULL, 0);
	receive_frames();
	send(FRAME_PING, 0, NULL, 0);
	receive_frames();
	assert_int_equal(got_count, 0);
}

// What begins like a frame is dropped until it shows that it is none; nothing of it reaches a guest.
static void test_typing_around_a_start(void **state)
{
	(void)state;
	uint8_t byte;
	type_bytes("ab\xc0qcd", 6); // q is no version
	expect_typed(0, "abcd");
	type_bytes("\xc0\x01\x09\x00\x00\x00\x00\x01\x00x", 10); // DATA, so no HELLO
	expect_typed(0, "x");
	type_bytes("\xc1\xc2\xff", 3); // not a START
	for (unsigned i = 0; i < 3; i++)
		assert_true(vcons_in_get(&vms[0]->con, &byte));
	type_bytes("\xc0\x01\x01", 3); // and then nothing more
	type_keys("l");
	expect_typed(0, "");
	wait_ms(1100);
	type_keys("ls\r");
	expect_typed(0, "ls\r");
}

static void test_versions(void **state)
{
	(void)state;
	uint8_t payload[FRAME_HELLO_SIZE] = {2, 9};
	send(FRAME_HELLO, 0, payload, sizeof payload);
	expect_error(FRAME_HELLO, 0, "version 1");
	assert_int_equal(got_count, 1);
	guest_prints(0, "plain\n");
	expect_wire("[linux] plain\r\n");
	payload[0] = 0;
	payload[1] = 255;
	send(FRAME_HELLO, 0, payload, sizeof payload);
	receive_frames();
	assert_int_equal(got[0].type, FRAME_WELCOME);
	assert_int_equal(frame_get32(got[0].payload + 4), 0); // no features wanted
}

static void test_hello_starts_anew(void **state)
{
	(void)state;
	uint16_t old = linux_vm;
	send_open(linux_vm, 1000, 0);
	guest_prints(0, "one\n");
	expect_data(linux_vm, 0, "one\n");
	greet();
	assert_int_equal(got[0].type, FRAME_WELCOME);
	assert_int_equal(got[0].sequence, 0);
	assert_int_not_equal(linux_vm, old);
	guest_prints(0, "two\n");
	wait_ms(50);
	receive_frames();
	assert_int_equal(got_count, 0);
	send_open(old, 1000, 0);
	expect_error(FRAME_OPEN, old, "no such channel");
	send_open(linux_vm, 1000, FRAME_OPEN_PAST);
	expect_data(linux_vm, 0, "one\ntwo\n");
	for (unsigned i = 0; i < 100; i++)
		send_hello(i);
	receive_frames();
	guest_prints(0, "three\n");
	wait_ms(50);
	receive_frames();
	assert_int_equal(got_count, 0);
}

// ---- the end ----

static void test_silence(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		wait_ms(4900);
		receive_frames();
		assert_int_equal(got_count, 0);
		send(FRAME_PING, 0, "are you there", 13);
		receive_frames();
		assert_int_equal(got[0].type, FRAME_PONG);
		assert_memory_equal(got[0].payload, "are you there", 13);
	}
	wait_ms(5100);
	receive_frames();
	assert_int_equal(got_count, 1);
	assert_int_equal(got[0].type, FRAME_BYE);
	guest_prints(0, "plain again\n");
	expect_wire("[linux] plain again\r\n");
}

static void test_noise_is_no_sign_of_life(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		type_bytes("\xc0\x01\x04garbage", 10);
		wait_ms(100);
	}
	receive_frames();
	assert_int_equal(got[0].type, FRAME_BYE);
}

static void test_bye(void **state)
{
	(void)state;
	guest_prints(1, "unseen\n");
	send_open(linux_vm, 1000, 0);
	guest_prints(0, "seen\n");
	wait_ms(20);
	receive_frames();
	send(FRAME_BYE, 0, NULL, 0);
	receive_frames();
	assert_int_equal(got[0].type, FRAME_BYE);
	assert_string_equal(plain, "[rtos] unseen\r\n"); // and what the link has shown is not news
	type_keys("x");
	expect_typed(0, "x");
}

static void test_raw_view_goes_on_after_it(void **state)
{
	(void)state;
	send(FRAME_BYE, 0, NULL, 0);
	type_keys("\x1d"
	          "2");
	guest_prints(1, "before\n");
	forget_wire();
	greet();
	guest_prints(1, "meanwhile\n");
	wait_ms(20);
	send(FRAME_BYE, 0, NULL, 0);
	receive_frames();
	assert_string_equal(plain, "meanwhile\n");
}

static void test_end(void **state)
{
	(void)state;
	send_open(logs, 4096, 0);
	send_open(linux_vm, 4096, 0);
	receive_frames();
	guest_prints(0, "Power down");
	log_line("linux: off");
	console_end(1, 0);
	receive_frames();
	gather(linux_vm, 0);
	assert_string_equal(stream, "Power down");
	gather(logs, 0);
	assert_string_equal(stream, "linux: off\nend: 1 off, 0 crashed\n");
	assert_int_equal(got[got_count - 1].type, FRAME_BYE);
	assert_string_equal(plain, "[mezzo] end: 1 off, 0 crashed\r\n");
}

static void test_end_without_credit(void **state)
{
	(void)state;
	send_open(linux_vm, 4, 0);
	receive_frames();
	(void)guest_put(0, 'x');
	for (unsigned i = 0; i < 1000; i++)
		(void)guest_put(0, 'x');
	uint64_t before = now;
	console_end(1, 0);
	assert_in_range(now - before, 0, 3 * HZ);
	receive_frames();
	gather(linux_vm, 0);
	assert_string_equal(stream, "xxxx");
	assert_non_null(strstr(plain, "[mezzo] end: 1 off, 0 crashed\r\n"));
}

static void test_panic(void **state)
{
	(void)state;
	send_open(linux_vm, 4096, 0);
	receive_frames();
	uart_room = 10;
	guest_prints(0, "a line that is on its way\n");
	uart_room = SIZE_MAX;
	panicking = true;
	console_write("\n[mezzo] panic: why\n", 20);
	panicking = false;
	receive_frames();
	gather(linux_vm, 0);
	assert_string_equal(stream, "a line that is on its way\n");
	assert_int_equal(got[got_count - 1].type, FRAME_BYE);
	assert_non_null(strstr(plain, "\r\n[mezzo] panic: why\r\n"));
}

// ---- output ----

static void test_past_and_present(void **state)
{
	(void)state;
	guest_prints(0, "booted\r\n$ ");
	send_open(linux_vm, UINT32_MAX / 2, FRAME_OPEN_PAST);
	expect_data(linux_vm, 0, "booted\r\n$ ");
	guest_puts(0, "\xc0\xc1\x11\x13\0x", 6);
	wait_ms(20);
	receive_frames();
	assert_int_equal(gather(linux_vm, 10), 6);
	assert_memory_equal(stream, "\xc0\xc1\x11\x13\0x", 6);
	send(FRAME_CLOSE, linux_vm, NULL, 0);
	guest_prints(0, "unseen\n");
	wait_ms(20);
	receive_frames();
	assert_int_equal(got_count, 0);
	send_open(linux_vm, 1000, 0);
	guest_prints(0, "from here on\n");
	expect_data(linux_vm, 0, "from here on\n");
}

static void test_credit(void **state)
{
	(void)state;
	char text[1001];
	for (unsigned i = 0; i < 1000; i++)
		text[i] = (char)('a' + i % 26);
	text[1000] = '\0';
	send_open(linux_vm, 0, 0);
	guest_prints(0, text);
	wait_ms(50);
	receive_frames();
	assert_int_equal(gather(linux_vm, 0), 0);
	send_credit(linux_vm, 10);
	expect_data(linux_vm, 0, "abcdefghij");
	send_credit(linux_vm, 5); // behind: none
	send_credit(linux_vm, 10 + UINT32_C(0x80000000));
	wait_ms(50);
	receive_frames();
	assert_int_equal(gather(linux_vm, 10), 0);
	send_credit(linux_vm, 1000);
	expect_data(linux_vm, 10, text + 10);
	send_credit(linux_vm, UINT32_C(0x7fffffff));
	guest_prints(0, "\n");
	expect_data(linux_vm, 1000, "\n");
}

// A guest that prints a byte at a time makes frames of lines.
static void test_lines_are_gathered(void **state)
{
	(void)state;
	send_open(linux_vm, 100000, 0);
	receive_frames();
	guest_prints(0, "a line, printed by a driver without a buffer\n");
	receive_frames();
	assert_int_equal(got_count, 1);
	gather(linux_vm, 0);
	assert_string_equal(stream, "a line, printed by a driver without a buffer\n");
	guest_prints(0, "login: ");
	receive_frames();
	assert_int_equal(got_count, 0);
	wait_ms(6);
	receive_frames();
	assert_int_equal(got_count, 1);
}

static void test_lost(void **state)
{
	(void)state;
	send_open(linux_vm, 0, 0);
	receive_frames();
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++)
		(void)guest_put(0, "0123456789"[i % 10]);
	settle();
	fetch_add(&vms[0]->con.lost, vcons_out_drop(&vms[0]->con, 4000));
	send_credit(linux_vm, 10);
	wait_ms(20);
	receive_frames();
	assert_int_equal(got[0].type, FRAME_LOST);
	assert_int_equal(frame_get64(got[0].payload), 4000);
	gather(linux_vm, 0);
	assert_string_equal(stream, "0123456789");
	send_open(linux_vm, 10, FRAME_OPEN_PAST); // hardly anything is gone of the past
	wait_ms(20);
	receive_frames();
	assert_int_equal(frame_get64(find(FRAME_LOST, linux_vm)->payload),
	                 VCONS_OUT_SIZE - VCONS_PAST_SIZE);
	assert_int_equal(gather(linux_vm, 0), 10);
}

static void test_gone_past_is_told(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		if (guest_put(0, 'x') == VCONS_FULL) {
			assert_false(vcons_watched(&vms[0]->con));
			vcons_out_drop(&vms[0]->con, VCONS_OUT_SIZE);
			(void)guest_put(0, 'x');
		}
	send_open(linux_vm, 1000000, FRAME_OPEN_PAST);
	assert_true(vcons_watched(&vms[0]->con));
	wait_ms(20);
	receive_frames();
	const struct got *lost = find(FRAME_LOST, linux_vm);
	assert_non_null(lost);
	size_t n = gather(linux_vm, 0);
	assert_in_range(n, VCONS_OUT_SIZE - 100, VCONS_OUT_SIZE);
	assert_int_equal(frame_get64(lost->payload) + n, 100000);
}

// On a slow line everybody gets a turn.
static void test_turns(void **state)
{
	(void)state;
	uint8_t key[FRAME_DATA_SIZE + 1] = {0};
	send_open(linux_vm, 1000000, 0);
	send_open(rtos_vm, 1000000, 0);
	send_open(shell, 1000000, 0);
	receive_frames();
	uart_room = 0;
	for (unsigned i = 0; i < 20000; i++) {
		(void)guest_put(0, 'l');
		(void)guest_put(1, 'r');
	}
	uart_room = 3000;
	settle();
	shell_says(&shell_out, "what was typed");
	uart_room = 1500;
	settle();
	receive_frames();
	size_t l = gather(linux_vm, 0), r = gather(rtos_vm, 0);
	assert_in_range(l, r - 256, r + 256);
	gather(shell, 0);
	assert_string_equal(stream, "what was typed");
	(void)key;
	uart_room = SIZE_MAX;
	settle();
}

// ---- the shell, the log ----

static void test_shell(void **state)
{
	(void)state;
	send_open(shell, 1000, 0);
	receive_frames();
	assert_int_equal(credit_of(shell), VCONS_IN_SIZE);
	send_numbered(FRAME_DATA, shell, 0, "help\r");
	shell_typed[shell_typed_count] = '\0';
	assert_string_equal(shell_typed, "help\r");
	shell_says(&shell_out, "help yourself\r\nmezzo> ");
	expect_data(shell, 0, "help yourself\r\nmezzo> ");
	// A shell that takes nothing now takes it later, and the credit says so.
	shell_room = 0;
	char text[300];
	fill_text(text, VCONS_IN_SIZE);
	receive_frames();
	send_numbered(FRAME_DATA, shell, 5, text);
	receive_frames();
	send_numbered(FRAME_DATA, shell, 5 + VCONS_IN_SIZE, "x");
	expect_error(FRAME_DATA, shell, "credit");
	shell_room = SIZE_MAX;
	cpu_post_local(CPU_WORK_CONSOLE);
	settle();
	receive_frames();
	assert_int_equal(credit_of(shell), 5 + 2 * VCONS_IN_SIZE);
	assert_int_equal(shell_typed_count, 5 + VCONS_IN_SIZE);
}

static void expect_answer(uint32_t number, uint32_t from, const char *text, bool last)
{
	size_t n = 0;
	bool ended = false;

	receive_frames();
	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].type != FRAME_ANSWER)
			continue;
		assert_false(ended);
		assert_int_equal(got[i].channel, shell);
		assert_int_equal(frame_get32(got[i].payload), number);
		ended = (got[i].payload[4] & FRAME_ANSWER_LAST) != 0;
		assert_int_equal(frame_get32(got[i].payload + 5), from + n);
		memcpy(stream + n, got[i].payload + FRAME_ANSWER_SIZE,
		       got[i].length - FRAME_ANSWER_SIZE);
		n += got[i].length - FRAME_ANSWER_SIZE;
	}
	stream[n] = '\0';
	assert_string_equal(stream, text);
	assert_int_equal(ended, last);
}

static void test_commands(void **state)
{
	(void)state;
	send_numbered(FRAME_COMMAND, shell, 7, "vm");
	expect_error(FRAME_COMMAND, shell, "not open");
	send_open(linux_vm, 10, 0);
	send_numbered(FRAME_COMMAND, linux_vm, 7, "vm");
	expect_error(FRAME_COMMAND, linux_vm, "shell's channel");
	send_open(shell, 10, 0);
	send_numbered(FRAME_COMMAND, shell, 7, "vm --all");
	assert_string_equal(shell_line, "vm --all");
	shell_says(&answer, "[{\"id\": 1}");
	expect_answer(7, 0, "[{\"id\": 1}", false);
	send_numbered(FRAME_COMMAND, shell, 8, "mem");
	expect_error(FRAME_COMMAND, shell, "being answered");
	shell_says(&answer, ", 2]"); // no credit for it yet
	answer_complete = true;
	expect_answer(7, 10, "", false);
	send_credit(shell, 12);
	expect_answer(7, 10, ", ", false);
	send_credit(shell, 14);
	expect_answer(7, 12, "2]", true);
	shell_busy = false;
	// The shell's text and its answers are one stream; an end needs no credit.
	send_credit(shell, 18);
	send_numbered(FRAME_COMMAND, shell, 9, "mem");
	shell_says(&shell_out, "text");
	expect_data(shell, 14, "text");
	answer_complete = true;
	cpu_post_local(CPU_WORK_CONSOLE);
	settle();
	expect_answer(9, 18, "", true);
}

// The host goes away in the middle of an answer: the next one does not get its rest.
static void test_answer_of_another_session(void **state)
{
	(void)state;
	send_open(shell, 1000, 0);
	send_numbered(FRAME_COMMAND, shell, 7, "vm");
	shell_says(&answer, "[1, 2,");
	shell_aborts = 0;
	greet();
	assert_int_equal(shell_aborts, 1);
	send_open(shell, 1000, 0);
	send_numbered(FRAME_COMMAND, shell, 1, "mem"); // the shell is not done with it yet
	expect_error(FRAME_COMMAND, shell, "does not take this command now");
	shell_busy = false;
	send_numbered(FRAME_COMMAND, shell, 2, "mem");
	shell_says(&answer, "{}");
	answer_complete = true;
	cpu_post_local(CPU_WORK_CONSOLE);
	settle();
	expect_answer(2, 0, "{}", true);
	assert_int_equal(shell_aborts, 1);
	// A host that says good-bye does not wait for it either.
	shell_busy = false;
	send_numbered(FRAME_COMMAND, shell, 3, "mem");
	send(FRAME_BYE, 0, NULL, 0);
	assert_int_equal(shell_aborts, 2);
	receive_frames();
	assert_string_equal(plain, "");
}

static void test_log(void **state)
{
	(void)state;
	log_line("before");
	settle();
	send_open(logs, 100000, 0);
	log_line("news");
	settle();
	expect_data(logs, 0, "news\n");
	send_open(logs, 100000, FRAME_OPEN_PAST);
	wait_ms(20);
	receive_frames();
	size_t n = gather(logs, 0);
	assert_string_equal(stream + n - 12, "before\nnews\n");
	// Faster than the host allows: the oldest go, by whole lines.
	send_open(logs, 0, 0);
	for (unsigned i = 0; i < 2000; i++)
		log_line("line %04u of many", i);
	settle();
	receive_frames();
	send_credit(logs, 100000);
	wait_ms(20);
	receive_frames();
	const struct got *lost = find(FRAME_LOST, logs);
	assert_non_null(lost);
	n = gather(logs, 0);
	assert_int_equal(frame_get64(lost->payload) + n, 2000 * 18);
	assert_int_equal(n % 18, 0);
	assert_memory_equal(stream, "line ", 5);
	assert_string_equal(stream + n - 18, "line 1999 of many\n");
	send(FRAME_BYE, 0, NULL, 0); // what was seen is not said again
	receive_frames();
	assert_string_equal(plain, "");
}

static void test_log_that_nobody_reads_waits_for_plain_mode(void **state)
{
	(void)state;
	log_line("for later");
	settle();
	receive_frames();
	assert_int_equal(got_count, 0);
	send(FRAME_BYE, 0, NULL, 0);
	receive_frames();
	assert_string_equal(plain, "[mezzo] for later\r\n");
}

// ---- VMs come and go ----

static void test_states(void **state)
{
	(void)state;
	struct entry entry;
	console_vms_changed();
	settle();
	receive_frames();
	assert_int_equal(got_count, 0); // nothing has
	vms[1]->state = VM_OFF;
	console_vms_changed();
	settle();
	receive_frames();
	assert_true(entry_at(0, &entry));
	assert_int_equal(entry.channel, rtos_vm);
	assert_int_equal(entry.state, FRAME_STATE_STOPPED);
	assert_false(entry_at(1, &entry));
	assert_int_equal(find(FRAME_DIRECTORY, 0)->payload[0], 0);
}

static void replace_vm(unsigned i, const char *name)
{
	uint8_t *bytes = vms[i]->con.out_bytes;

	nr_vms = i;
	console_forget(vms[i]);
	memset(&vms[i]->con, 0, sizeof vms[i]->con);
	memset(bytes, 0, VCONS_OUT_BYTES);
	vcons_init(&vms[i]->con, i + 1, bytes);
	string_copy(vms[i]->name, name, sizeof vms[i]->name);
	nr_vms = i + 1;
	console_vms_changed();
}

static void test_come_and_go(void **state)
{
	(void)state;
	struct entry entry;
	uint16_t old = rtos_vm;
	send_open(rtos_vm, 1000, 0);
	guest_prints(1, "its last wor");
	replace_vm(1, "other");
	settle();
	receive_frames();
	assert_true(entry_at(0, &entry));
	assert_int_equal(entry.channel, old);
	assert_int_equal(entry.state, FRAME_STATE_GONE);
	assert_true(entry_at(1, &entry));
	assert_string_equal(entry.name, "other");
	assert_int_not_equal(entry.channel, old);
	send_open(old, 1000, 0);
	expect_error(FRAME_OPEN, old, "no such channel");
	guest_prints(1, "not open\n");
	wait_ms(20);
	receive_frames();
	assert_int_equal(got_count, 0);
	send_open(entry.channel, 1000, FRAME_OPEN_PAST);
	expect_data(entry.channel, 0, "not open\n");
}

// More than can be remembered one by one: all is told anew.
static void test_many_go(void **state)
{
	(void)state;
	char name[16];
	uart_room = 0;
	send_open(linux_vm, 1000, 0);
	for (unsigned i = 0; i < 100; i++) {
		if (i < 60)
			console_forget(vms[1]); // as if each had been another one
		else
			replace_vm(1, (sprintf(name, "vm%u", i), name));
		cpu_post_local(CPU_WORK_CONSOLE);
		settle();
	}
	uart_room = SIZE_MAX;
	settle();
	receive_frames();
	bool anew = false;
	for (unsigned i = 0; i < got_count; i++)
		anew |= got[i].type == FRAME_DIRECTORY &&
		        (got[i].payload[0] & FRAME_DIRECTORY_RESET) != 0;
	assert_true(anew);
	assert_int_equal(channel_of("linux"), linux_vm); // and what is open stays open
	assert_int_not_equal(channel_of("vm99"), 0);
	guest_prints(0, "still here\n");
	expect_data(linux_vm, 0, "still here\n");
}

// Numbers come back when all were used, but never one that somebody has.
static void test_numbers_go_around(void **state)
{
	(void)state;
	struct entry entry;
	uint16_t last = rtos_vm;
	bool around = false;
	for (unsigned i = 0; i < 70000; i++) {
		replace_vm(1, "x");
		fake_log_count = 0;
		settle();
		if (i % 50 == 0)
			send(FRAME_PING, 0, NULL, 0);
		receive_frames();
		uint16_t number = 0;
		for (unsigned k = 0; entry_at(k, &entry); k++)
			if (entry.state != FRAME_STATE_GONE)
				number = entry.channel;
		assert_int_not_equal(number, 0);
		assert_int_not_equal(number, shell);
		assert_int_not_equal(number, logs);
		assert_int_not_equal(number, linux_vm);
		assert_int_not_equal(number, last);
		around |= number < last;
		last = number;
	}
	assert_true(around);
}

static void test_bad_payloads(void **state)
{
	(void)state;
	send(FRAME_OPEN, linux_vm, "1234", 4);
	expect_error(FRAME_OPEN, linux_vm, "too short");
	send_open(linux_vm, 100, 0);
	send(FRAME_DATA, linux_vm, "123", 3);
	expect_error(FRAME_DATA, linux_vm, "too short");
	send(FRAME_CREDIT, linux_vm, NULL, 0);
	expect_error(FRAME_CREDIT, linux_vm, "too short");
	send(FRAME_PING, 0, stream, FRAME_PING_MAX + 1);
	expect_error(FRAME_PING, 0, "too long");
	send(FRAME_BYE, 7, NULL, 0);
	expect_error(FRAME_BYE, 7, "channel 0");
	send(FRAME_OPEN, 0, "12345", 5);
	expect_error(FRAME_OPEN, 0, "no such channel");
	send(200, 3, "of a later version", 18);
	send(FRAME_WELCOME, 0, "it is Mezzo's to say", 20);
	receive_frames();
	assert_int_equal(got_count, 0);
	send(FRAME_DATA, linux_vm, "\0\0\0", 4); // nothing is not too much
	receive_frames();
	assert_null(find(FRAME_ERROR, linux_vm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        PLAIN(test_greeting),
	        PLAIN(test_no_frame_before_hello),
	        PLAIN(test_typing_around_a_start),
	        PLAIN(test_versions),
	        FRAMED(test_hello_starts_anew),
	        FRAMED(test_silence),
	        FRAMED(test_noise_is_no_sign_of_life),
	        FRAMED(test_bye),
	        FRAMED(test_raw_view_goes_on_after_it),
	        FRAMED(test_end),
	        FRAMED(test_end_without_credit),
	        FRAMED(test_panic),
	        FRAMED(test_past_and_present),
	        FRAMED(test_credit),
	        FRAMED(test_lines_are_gathered),
	        FRAMED(test_lost),
	        FRAMED(test_gone_past_is_told),
	        FRAMED(test_turns),
	        FRAMED(test_shell),
	        FRAMED(test_commands),
	        FRAMED(test_answer_of_another_session),
	        FRAMED(test_log),
	        FRAMED(test_log_that_nobody_reads_waits_for_plain_mode),
	        FRAMED(test_states),
	        FRAMED(test_come_and_go),
	        FRAMED(test_many_go),
	        FRAMED(test_numbers_go_around),
	        FRAMED(test_bad_payloads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
