// SPDX-License-Identifier: Apache-2.0
// The view of all VMs: lines with prefixes that nothing a guest sends can forge.
#include "console/lines.h"

#include "test_console_board.h"

// ---- lines with prefixes ----

static void test_whole_lines(void **state)
{
	(void)state;
	guest_prints(0, "one\ntwo\r\n\n");
	guest_prints(1, "three\n\rfour\n");
	expect_wire("[linux] one\r\n[linux] two\r\n[linux] \r\n[rtos] three\r\n[rtos] four\r\n");
}

static void test_lines_do_not_mix(void **state)
{
	(void)state;
	const char *a = "the quick brown fox\n", *b = "jumps over the dog!\n";
	for (unsigned i = 0; i < strlen(a); i++) {
		guest_puts(0, a + i, 1);
		guest_puts(1, b + i, 1);
	}
	expect_wire("[linux] the quick brown fox\r\n[rtos] jumps over the dog!\r\n");
}

static void test_one_character_costs_no_work(void **state)
{
	(void)state;
	guest_prints(0, "x");
	unsigned before = polls;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(guest_put(0, 'x'), VCONS_KEPT);
	assert_int_equal(polls, before);
	guest_prints(0, "\n");
}

static void test_prompt_is_shown_after_a_pause(void **state)
{
	(void)state;
	guest_prints(0, "login: ");
	expect_wire("");
	wait_ms(99);
	expect_wire("");
	wait_ms(2);
	expect_wire("[linux] login: ");
	guest_prints(0, "r"); // echo
	expect_wire("r");
	guest_prints(1, "tick\n");
	expect_wire("\r\n[rtos] tick\r\n");
	guest_prints(0, "oot\r\n");
	expect_wire("[linux] oot\r\n");
	guest_prints(0, "$ ");
	wait_ms(200);
	expect_wire("[linux] $ ");
	guest_prints(1, "tock\n");
	expect_wire("\r\n[rtos] tock\r\n");
	guest_prints(0, "\r\n"); // the end of a line that was ended for it
	guest_prints(0, "next\n");
	expect_wire("[linux] next\r\n");
}

static void test_two_prompts(void **state)
{
	(void)state;
	guest_prints(0, "a> ");
	guest_prints(1, "b> ");
	wait_ms(150);
	expect_wire("[linux] a> \r\n[rtos] b> ");
	guest_prints(0, "x");
	wait_ms(150);
	expect_wire("\r\n[linux] x");
}

static void test_prefix_cannot_be_forged(void **state)
{
	(void)state;
	guest_prints(0, "x\r[mezzo] end: 1 off, 0 crashed\n");
	expect_wire("[linux] x\r\n[linux] [mezzo] end: 1 off, 0 crashed\r\n");
	guest_prints(0, "\r[mezzo] end: 1 off, 0 crashed\n");
	expect_wire("[linux] [mezzo] end: 1 off, 0 crashed\r\n");
	guest_prints(0, "\b\b\b\b\b\b\b\b[mezzo] x\n");
	expect_wire("[linux] ^H^H^H^H^H^H^H^H[mezzo] x\r\n");
	guest_prints(0, "\x1b[1G[mezzo] x\x1b[2K\x1b[1A\n");
	expect_wire("[linux] [mezzo] x\r\n");
	guest_prints(0, "\x1b[?1049h\x1b"
	                "c\x1b(0\x1b]0;title\x07"
	                "a\x1bPq\x1b\\b\n");
	expect_wire("[linux] ab\r\n");
	guest_prints(0, "\x9b"
	                "1G\xc2\x9b"
	                "1G\x85\xc2\x85\xe2\x80\xa8\xe2\x80\xae\n");
	expect_wire("[linux] ?1G?1G????\r\n");
	guest_prints(0, "\v\f\x0e\x0f\x05\x11\x13\x7f\n");
	expect_wire("[linux] ^K^L^N^O^E^Q^S^?\r\n");
	guest_puts(0, "a\0b\n", 4);
	expect_wire("[linux] a^@b\r\n");
}

static void test_unfinished_sequences_end_with_the_line(void **state)
{
	(void)state;
	static const char *const begun[] = {"\x1b",  "\x1b[",     "\x1b[1;2", "\x1b]0;",
	                                    "\x1bP", "\x1b]\x1b", "\x1b("};
	for (size_t i = 0; i < ARRAY_SIZE(begun); i++) {
		guest_prints(0, begun[i]);
		guest_prints(0, "\nnext\n");
		expect_wire("[linux] \r\n[linux] next\r\n");
	}
	guest_prints(0, "\xe2\x82\nnext\n");
	expect_wire("[linux] ?\r\n[linux] next\r\n");
}

static void test_utf8(void **state)
{
	(void)state;
	guest_prints(0, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7\n");
	expect_wire("[linux] gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\xa7\r\n");
	// Overlong forms, surrogates, beyond the end, continuation without a start, start without one.
	guest_prints(0, "\xc0\x8a|\xe0\x80\x8a|\xed\xa0\x80|\xf4\x90\x80\x80|\x80|\xe2|\xff\n");
	expect_wire("[linux] ??|?|?|?|?|?|?\r\n");
	guest_prints(0, "\xe2\xe2\x82\xac\n");
	expect_wire("[linux] ?\xe2\x82\xac\r\n");
}

static void test_tabs_pass(void **state)
{
	(void)state;
	guest_prints(0, "a\tb\n");
	expect_wire("[linux] a\tb\r\n");
}

static void test_progress_bar(void **state)
{
	(void)state;
	guest_prints(0, "10%\r20%\r30%\r\n");
	expect_wire("[linux] 10%\r\n[linux] 20%\r\n[linux] 30%\r\n");
	guest_prints(0, "cr cr lf\r\r\n");
	expect_wire("[linux] cr cr lf\r\n");
}

static void test_endless_line(void **state)
{
	(void)state;
	char expected[32768] = "";
	size_t n = 0;
	for (unsigned i = 0; i < 10240; i++)
		guest_puts(0, &"abcdefghij"[i % 10], 1);
	wait_ms(200);
	for (unsigned i = 0; i < 10240; i++) {
		if (i % 200 == 0)
			n += (size_t)sprintf(expected + n, "%s[linux] ", i ? "\r\n" : "");
		expected[n++] = "abcdefghij"[i % 10];
	}
	expected[n] = '\0';
	expect_wire(expected);
	guest_prints(0, "\n");
	expect_wire("\r\n");
}

static void test_line_of_exactly_the_width(void **state)
{
	(void)state;
	char line[202], expected[256];
	memset(line, 'w', 200);
	memcpy(line + 200, "\n", 2);
	guest_prints(0, line);
	guest_prints(0, "next\n");
	sprintf(expected, "[linux] %.200s\r\n[linux] next\r\n", line);
	expect_wire(expected);
}

static void test_own_lines(void **state)
{
	(void)state;
	console_write("hello\n", 6);
	console_write("a\nb\n", 4);
	console_write("no end", 6);
	static const char forged[] = "linux: \x1b[1G\r[mezzo] end: x\n";
	console_write(forged, sizeof forged - 1);
	settle();
	expect_wire("[mezzo] hello\r\n[mezzo] a\r\n[mezzo] b\r\n[mezzo] no end\r\n"
	            "[mezzo] linux: \r\n[mezzo] [mezzo] end: x\r\n");
}

// Bytes that come together look as they would one by one, wherever they are cut.
static void test_some_at_once(void **state)
{
	static const char letters[] = "abc defghijklmnop \x7f\r\n\t\x1b[]m\a\xc3\xa9\xe2\x80\xa8";
	static struct wire one, some;
	struct vcons_view one_view = {0}, some_view = {0}, other_view[2] = {0};
	uint32_t random = 1;
	(void)state;
	wire_init(&one);
	wire_init(&some);
	for (unsigned round = 0; round < 30000; round++) {
		uint8_t bytes[16];
		random = random * 1664525 + 1013904223;
		uint32_t count = 1 + (random >> 16) % sizeof bytes;
		bool plain = random >> 31 != 0; // long lines need them
		for (uint32_t i = 0; i < count; i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = (uint8_t)
			        letters[(random >> 16) % (plain ? 18 : sizeof letters - 1)];
		}
		for (uint32_t i = 0; i < count; i++)
			lines_put(&one, &one_view, "one", bytes[i]);
		lines_put_some(&some, &some_view, "one", bytes, count);
		if (round % 50 == 0) { // somebody else speaks in between
			lines_put(&one, &other_view[0], "other", 'x');
			lines_put(&some, &other_view[1], "other", 'x');
		}
		assert_memory_equal(&one_view, &some_view, sizeof one_view);
		assert_int_equal(one.last, some.last);
		uint8_t a, b;
		while (ring_get(&one.ring, &a)) {
			assert_true(ring_get(&some.ring, &b));
			assert_int_equal(a, b);
		}
		assert_int_equal(ring_fill(&some.ring), 0);
	}
}

static void test_names_are_shown_safely(void **state)
{
	(void)state;
	string_copy(vms[0]->name, "a]\r[b\x1b", sizeof vms[0]->name);
	guest_prints(0, "x\n");
	expect_wire("[a???b?] x\r\n");
}

// ---- whatever guests send, each line says truly who speaks ----

static void check_lines(void)
{
	static const char *const prefixes[] = {"[linux] ", "[rtos] ", "[mezzo] "};
	bool start = true;

	for (size_t i = 0; i < wire_count; i++) {
		uint8_t c = (uint8_t)wire[i];
		if (start) {
			bool known = false;
			for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++)
				known |= strncmp(wire + i, prefixes[k], strlen(prefixes[k])) == 0;
			assert_true(known);
		}
		start = c == '\n';
		if (c == '\r')
			assert_int_equal(wire[i + 1], '\n');
		if (c == '\n')
			assert_int_equal(wire[i - 1], '\r');
		assert_true(c >= 0x20 || c == '\r' || c == '\n' || c == '\t');
		assert_int_not_equal(c, 0x7f);
		// C1 controls, plain or as UTF-8: a byte 80-9f only within a longer character.
		if (c >= 0x80 && c <= 0x9f)
			assert_true(i > 0 && (uint8_t)wire[i - 1] >= 0x80 &&
			            (uint8_t)wire[i - 1] != 0xc2);
	}
}

static void test_random_output(void **state)
{
	(void)state;
	static const char likely[] = "\r\n\x1b[];?07HmJ\x9b\xc2\x85\xe2\x80\xae\b\t mezzo";
	srandom(3);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned vm = (unsigned)random() % 2;
		char c = random() % 8 ? likely[random() % (long)(sizeof likely - 1)]
		                      : (char)random();
		guest_puts(vm, &c, 1);
		if (random() % 64 == 0)
			wait_ms((unsigned)random() % 150);
		if (random() % 200 == 0)
			uart_room = (size_t)random() % 300;
		if (vcons_fill(&vms[0]->con.out) > 7000 || vcons_fill(&vms[1]->con.out) > 7000)
			uart_room = SIZE_MAX;
		settle();
		if (wire_count > 30000 && wire[wire_count - 1] == '\n') {
			check_lines();
			forget_wire();
		}
	}
	uart_room = SIZE_MAX;
	wait_ms(1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_whole_lines),
	        TEST(test_lines_do_not_mix),
	        TEST(test_one_character_costs_no_work),
	        TEST(test_prompt_is_shown_after_a_pause),
	        TEST(test_two_prompts),
	        TEST(test_prefix_cannot_be_forged),
	        TEST(test_unfinished_sequences_end_with_the_line),
	        TEST(test_utf8),
	        TEST(test_tabs_pass),
	        TEST(test_progress_bar),
	        TEST(test_endless_line),
	        TEST(test_line_of_exactly_the_width),
	        TEST(test_own_lines),
	        TEST(test_some_at_once),
	        TEST(test_names_are_shown_safely),
	        TEST(test_random_output),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
