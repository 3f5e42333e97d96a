// SPDX-License-Identifier: Apache-2.0
// Mezzo's shell: whatever a person types, with completion and history, and whatever line a program calls with. The line
// stays in its bounds, and every answer to a program is JSON that comes to its end.
#include "unit_test.h"

#define ENDLESS_STEPS 40
#include "../unit/test_console_shell.c"

static bool no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

void fuzz_setup(void)
{
	fuzz_asserts_abort();
}

static void keys_of(struct fuzz_in *in)
{
	static const char *const words[] = {
	        "vm ",    "info ", "help ", "start ", "stop ",  "log ",   "create ", "from ",
	        "linux ", "rtos ", "\t",    "\r",     "\x1b[A", "\x1b[B", "\x1b[3~", "--json "};
	uint8_t how = fuzz_u8(in);
	if (how < 160) {
		type_keys(words[how % 16]);
		return;
	}
	struct fuzz_in bytes = fuzz_rest(in, how % 32);
	type_bytes(fuzz_typed(bytes), bytes.left);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	setup_shell(NULL);
	fake_event_hook = no_log;
	enter_shell();
	for (unsigned i = 0; i < 100 && fuzz_more(&in); i++) {
		uint8_t what = fuzz_u8(&in);
		vanish = what == 255;
		if (what < 200) {
			keys_of(&in);
		} else if (what < 220) {
			wait_ms(what - 199);
		} else if (what < 240) {
			char line[SHELL_LINE];
			struct fuzz_in bytes = fuzz_rest(&in, fuzz_u8(&in) % (SHELL_LINE - 1));
			memcpy(line, bytes.at, bytes.left);
			line[bytes.left] = 0;
			type_keys("\x03");
			wait_ms(5);
			if (strlen(line) == bytes.left)
				(void)call(line);
		}
		if (wire_count > sizeof wire / 2)
			forget_wire();
	}
	// The shell outlives a life: back to it from whatever view, half an escape or a command, and to an empty line.
	type_keys("\x1d"
	          "0\x03");
	type_keys("\x1d"
	          "0\x03");
	wait_ms(50);
	teardown(NULL);
}
