// SPDX-License-Identifier: Apache-2.0
// The plain console: any bytes from the terminal, views that change, guests that print any bytes meanwhile, a UART that is
// full now and then.
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

static void prints(struct fuzz_in *in, unsigned guest)
{
	struct fuzz_in bytes = fuzz_rest(in, fuzz_u8(in));
	for (size_t i = 0; i < bytes.left; i++)
		if (guest_put(guest, (char)bytes.at[i]) == VCONS_FULL)
			break;
	settle();
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static const char *const views[] = {"\x1d",
	                                    "\x1d"
	                                    "0",
	                                    "\x1d"
	                                    "1",
	                                    "\x1d"
	                                    "2",
	                                    "\x1d"
	                                    "a",
	                                    "\x1d?"};
	struct fuzz_in in = {data, size};
	setup_shell(NULL);
	fake_event_hook = no_log;
	for (unsigned i = 0; i < 200 && fuzz_more(&in); i++) {
		uint8_t what = fuzz_u8(&in);
		if (what < 80) {
			struct fuzz_in bytes = fuzz_rest(&in, what % 32);
			type_bytes(fuzz_typed(bytes), bytes.left);
		} else if (what < 140) {
			prints(&in, what % NR_VMS);
		} else if (what < 180) {
			type_keys(views[what % ARRAY_SIZE(views)]);
		} else if (what < 200) {
			uint8_t byte;
			while (vcons_in_get(&vms[what % NR_VMS]->con, &byte))
				;
		} else if (what < 220) {
			uart_room = fuzz_u8(&in);
		} else if (what < 230) {
			vms[what % NR_VMS]->state = what & 2 ? VM_RUNNING : VM_OFF;
			console_vms_changed();
		} else {
			uart_room = SIZE_MAX;
			wait_ms(what - 200);
		}
		if (wire_count > sizeof wire / 2)
			wire_count = 0;
	}
	uart_room = SIZE_MAX;
	settle();
	// The shell outlives a life: see fuzz_shell.c.
	type_keys("\x1d"
	          "0\x03");
	type_keys("\x1d"
	          "0\x03");
	wait_ms(50);
	teardown(NULL);
}
