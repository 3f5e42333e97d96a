// SPDX-License-Identifier: Apache-2.0
// The framed link against a host that sends anything: frames with any numbers in them, damaged ones, garbage, and
// one that goes away and comes back. Whatever it does, Mezzo sends correct frames alone, stays within what it was
// allowed, does a bounded amount of work, and guests' bytes come in order.
#include "test_link_host.h"

#define STEPS 60000

// What the host knows of its link. An open channel has been answered by CREDIT.
static struct known {
	bool open;
	uint32_t limit, position; // of Mezzo's bytes
	uint64_t lost;
} known[UINT16_MAX + 1];

static uint16_t channels[8];
static uint32_t next_sequence;

static void forget_all(void)
{
	memset(known, 0, sizeof known);
}

static void check_data(const struct got *frame, size_t head)
{
	struct known *k = &known[frame->channel];
	uint32_t at = frame_get32(frame->payload + head - 4), n = (uint32_t)(frame->length - head);

	assert_true(k->open);
	assert_int_equal(at, k->position);
	assert_true(n <= 256);
	if (n > 0) // an answer's end needs no credit
		assert_true(k->limit - k->position <= INT32_MAX && n <= k->limit - k->position);
	k->position += n;
}

static void check_received(void)
{
	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].type == FRAME_WELCOME)
			next_sequence = 0;
		assert_int_equal(got[i].sequence, next_sequence & UINT16_MAX);
		next_sequence++;
		if (got[i].type == FRAME_DATA)
			check_data(&got[i], FRAME_DATA_SIZE);
		if (got[i].type == FRAME_ANSWER)
			check_data(&got[i], FRAME_ANSWER_SIZE);
		if (got[i].type == FRAME_DIRECTORY) {
			struct entry entry;
			for (unsigned k = 0; entry_at(k, &entry); k++)
				channels[(unsigned)random() % ARRAY_SIZE(channels)] = entry.channel;
		}
	}
}

static void check_frames(void)
{
	receive_frames();
	check_received();
}

static uint32_t any_number(void)
{
	static const uint32_t likely[] = {0, 1, 255, 256, 257, 4096, INT32_MAX, UINT32_MAX};

	return random() % 2 ? likely[(unsigned)random() % ARRAY_SIZE(likely)] : (uint32_t)random();
}

static uint16_t any_channel(void)
{
	return random() % 8 ? channels[(unsigned)random() % ARRAY_SIZE(channels)]
	                    : (uint16_t)random();
}

// A frame that the host itself would take for good. It keeps its own books only for OPEN and CREDIT.
static void send_good(void)
{
	uint16_t channel = any_channel();
	uint32_t number = any_number() % 5000;

	switch (random() % 4) {
	case 0:
		if (known[channel].open || channel == 0)
			break;
		check_frames();
		send_open(channel, number, (uint8_t)random() % 2);
		receive_frames();
		if (find(FRAME_ERROR, channel) == NULL && link_framed() &&
		    find(FRAME_CREDIT, channel) != NULL)
			known[channel] = (struct known){.open = true, .limit = number};
		check_received();
		break;
	case 1:
		if (known[channel].open) {
			known[channel].limit = known[channel].position + number;
			send_credit(channel, known[channel].limit);
		}
		break;
	case 2:
		send(FRAME_CLOSE, channel, NULL, 0);
		known[channel].open = false;
		break;
	default: send(FRAME_PING, 0, "x", 1);
	}
}

static void greet_again(void)
{
	check_frames();
	forget_all();
	greet();
	next_sequence = got_count;
	channels[0] = shell;
	channels[1] = logs;
	channels[2] = linux_vm;
	channels[3] = rtos_vm;
}

// Frames of any type, with any payload; those that move what the host's books say are left out.
static void send_any(void)
{
	static uint8_t payload[FRAME_PAYLOAD_MAX];
	uint8_t type = (uint8_t)(random() % 17);
	size_t n = (size_t)random() % (random() % 32 ? 32 : sizeof payload);

	if (type == FRAME_OPEN || type == FRAME_CLOSE || type == FRAME_CREDIT ||
	    type == FRAME_HELLO || type == FRAME_BYE)
		return;
	for (size_t i = 0; i < n; i++)
		payload[i] = (uint8_t)random();
	if (n >= 4)
		frame_put32(payload, any_number());
	send(type, any_channel(), payload, n);
}

static void send_garbage(void)
{
	uint8_t bytes[FRAME_WIRE_MAX(64)];
	size_t n = make_frame(bytes, (uint8_t)(random() % 16), any_channel(), stream, 20);

	switch (random() % 3) {
	case 0:
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(random() % 4 ? random() : 0xc0 + random() % 2);
		break;
	case 1: bytes[1 + (size_t)random() % (n - 1)] ^= (uint8_t)(1 << random() % 8); break;
	default: n = (size_t)random() % n;
	}
	type_bytes((const char *)bytes, n);
}

static void let_guests_speak(void)
{
	unsigned i = (unsigned)random() % 2;

	for (long n = random() % 300; n > 0; n--)
		if (guest_put(i, (char)random()) == VCONS_FULL) {
			fetch_add(&vms[i]->con.lost, vcons_out_drop(&vms[i]->con, 5000));
			bitset_add(&vcons_waiting, i);
		}
	uint8_t byte;
	for (long n = random() % 100; n > 0 && vcons_in_get(&vms[i]->con, &byte); n--)
		if (vcons_in_tell(&vms[i]->con)) {
			vcons_mark(&vms[i]->con);
			cpu_post_local(CPU_WORK_CONSOLE);
		}
	if (random() % 4 == 0)
		log_line("something happened %ld times", random() % 100);
	if (random() % 8 == 0) {
		vms[i]->state = random() % 2 ? VM_RUNNING : VM_OFF;
		console_vms_changed();
	}
	if (shell_busy && random() % 2)
		answer_complete = true;
	else if (shell_busy && !answer_complete && ring_room(&answer) > 100)
		for (long n = random() % 100; n > 0; n--)
			(void)ring_put(&answer, 'j');
	if (answer_complete && ring_fill(&answer) == 0)
		shell_busy = false;
	shell_typed_count = 0;
	settle();
}

static void test_a_host_that_does_anything(void **state)
{
	(void)state;
	srandom(11);
	greet_again();
	for (unsigned i = 0; i < STEPS; i++) {
		fake_log_count = 0;
		if (!link_framed()) { // it was silent for too long
			receive_frames();
			greet_again();
		}
		switch (random() % 8) {
		case 0:
		case 1:
		case 2: send_good(); break;
		case 3:
		case 4: send_any(); break;
		case 5: send_garbage(); break;
		case 6: let_guests_speak(); break;
		default: wait_ms((unsigned)random() % 20);
		}
		check_frames();
		if (random() % 500 == 0) {
			if (random() % 2)
				send(FRAME_BYE, 0, NULL, 0);
			greet_again();
		}
	}
}

// The same without a look at what comes back, on a line that may be stuck: no call does much.
static void test_work_is_bounded(void **state)
{
	(void)state;
	srandom(12);
	for (unsigned i = 0; i < STEPS; i++) {
		fake_log_count = 0;
		uint8_t bytes[512];
		uart_room = (size_t)random() % 600;
		for (size_t k = 0; k < sizeof bytes; k++)
			bytes[k] = (uint8_t)(random() % 2 ? random() : 0xc0);
		size_t n = random() % 3 ? make_frame(bytes, (uint8_t)(random() % 16), any_channel(),
		                                     stream, (size_t)random() % 200)
		                        : sizeof bytes;
		for (size_t k = 0; k < n; k++)
			keys[keys_head++ % sizeof keys] = (char)bytes[k];
		size_t before = wire_count, typed = keys_tail;
		console_interrupt();
		assert_in_range(wire_count - before, 0, 2 * CONSOLE_BUDGET);
		assert_in_range(keys_tail - typed, 0, 512);
		if (random() % 16 == 0)
			let_guests_speak();
		if (random() % 64 == 0)
			send_hello(i);
		keys_tail = keys_head;
		if (wire_count > 100000)
			wire_count = 0;
		shell_typed_count = 0;
	}
	frame_decoder_init(&host);
	wire_count = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        FRAMED(test_a_host_that_does_anything),
	        FRAMED(test_work_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
