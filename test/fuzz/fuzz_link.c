// SPDX-License-Identifier: Apache-2.0
// Mezzo's end of the framed wire (console/link*.c) with a host that sends anything: raw bytes, or frames whose numbers
// and lengths come out of the input. Whatever comes, all that Mezzo sends is correct frames.
#include "unit_test.h"

#include "../unit/test_link_host.h"

static bool no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

void fuzz_setup(void)
{
	fuzz_asserts_abort();
}

static void send_any(struct fuzz_in *in)
{
	static const uint8_t sizes[] = {0, FRAME_HELLO_SIZE, FRAME_OPEN_SIZE, FRAME_DATA_SIZE};
	uint8_t type = fuzz_u8(in) % 17, how = fuzz_u8(in);
	uint16_t channel = how < 240 ? how % 8 : fuzz_u16(in);
	uint8_t payload[300] = {0};
	struct fuzz_in bytes = fuzz_rest(in, how & 8 ? sizes[how & 3] : fuzz_u8(in));
	memcpy(payload, bytes.at, bytes.left);
	send(type, channel, payload, bytes.left);
}

static void step(struct fuzz_in *in)
{
	static char text[64];
	uint8_t what = fuzz_u8(in);
	if (what < 140) {
		send_any(in);
	} else if (what < 170) {
		struct fuzz_in bytes = fuzz_rest(in, fuzz_u8(in));
		type_bytes((const char *)bytes.at, bytes.left);
	} else if (what < 190) {
		fill_text(text, what % 60);
		guest_prints(what % 2, text);
	} else if (what < 200) {
		send_hello(what);
	} else if (what < 210) {
		send_open(what % 8, fuzz_u8(in), what % 2);
	} else if (what < 220) {
		uart_room = fuzz_u8(in);
	} else if (what < 230) {
		fill_text(text, what % 60);
		if (shell_busy)
			shell_says(&answer, text);
		answer_complete = shell_busy && what % 2;
		shell_busy = !answer_complete && shell_busy;
	} else {
		wait_ms(what);
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	bool framed = (fuzz_u8(&in) & 1) != 0;
	setup_plain(NULL);
	fake_event_hook = no_log;
	if (framed)
		greet();
	for (unsigned i = 0; i < 200 && fuzz_more(&in); i++) {
		step(&in);
		if (wire_count > sizeof wire / 2)
			receive_frames();
	}
	uart_room = SIZE_MAX;
	settle();
	receive_frames();
	teardown_link(NULL);
}
