// SPDX-License-Identifier: Apache-2.0
// The other end of the framed link, and a shell of a few lines in the place of the real one: what the tests of the
// link share. Each test program includes this once.
#ifndef TEST_LINK_HOST_H
#define TEST_LINK_HOST_H

#include "base/frame.h"
#include "console/link.h"
#include "console/shell.h"
#include "test_console_board.h"

#define FRAMES_MAX 8192

// ---- a shell that answers what the test says ----

static uint8_t shell_out_bytes[4096], answer_bytes[4096];
static struct ring shell_out = {.bytes = shell_out_bytes, .size = sizeof shell_out_bytes};
static struct ring answer = {.bytes = answer_bytes, .size = sizeof answer_bytes};
static bool answer_complete, shell_busy;
static unsigned shell_aborts;
static char shell_typed[8192], shell_line[FRAME_PAYLOAD_MAX + 1];
static size_t shell_typed_count, shell_room;

bool shell_input(uint8_t byte)
{
	if (shell_room == 0)
		return false;
	shell_room--;
	assert_true(shell_typed_count < sizeof shell_typed - 1);
	shell_typed[shell_typed_count++] = (char)byte;
	return true;
}
void shell_redraw(void)
{
}
struct ring *shell_output(void)
{
	return &shell_out;
}
bool shell_call(unsigned caller, const char *line, size_t length)
{
	(void)caller;
	if (shell_busy)
		return false;
	shell_busy = true;
	answer_complete = false;
	memcpy(shell_line, line, length);
	shell_line[length] = '\0';
	return true;
}
void shell_call_abort(unsigned caller)
{
	(void)caller;
	shell_aborts++;
	answer.tail = answer.head;
	answer_complete = true;
}
struct ring *shell_answer(unsigned caller)
{
	(void)caller;
	return &answer;
}
bool shell_answer_complete(unsigned caller)
{
	(void)caller;
	return answer_complete;
}
bool shell_has_work(void)
{
	return false;
}
void shell_poll(void)
{
}
static UNUSED void shell_says(struct ring *ring, const char *text)
{
	for (; *text != '\0'; text++)
		assert_true(ring_put(ring, (uint8_t)*text));
	cpu_post_local(CPU_WORK_CONSOLE);
	settle();
}

// ---- frames to Mezzo ----

static uint16_t host_sequence;

static UNUSED size_t make_frame(uint8_t *bytes, uint8_t type, uint16_t channel, const void *payload,
                                size_t length)
{
	struct frame_encoder encoder;

	frame_encode(&encoder, type, channel, host_sequence++, payload, length);
	return frame_encode_some(&encoder, bytes, FRAME_WIRE_MAX(length));
}

static UNUSED void send(uint8_t type, uint16_t channel, const void *payload, size_t length)
{
	static uint8_t bytes[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
	size_t n = make_frame(bytes, type, channel, payload, length);

	for (size_t at = 0; at < n; at += 1024)
		type_bytes((const char *)bytes + at, n - at < 1024 ? n - at : 1024);
}

static UNUSED void send_hello(uint64_t nonce)
{
	uint8_t payload[FRAME_HELLO_SIZE] = {1, 1};

	frame_put32(payload + 4, UINT32_MAX);
	frame_put64(payload + 8, nonce);
	host_sequence = 0;
	send(FRAME_HELLO, 0, payload, sizeof payload);
}

static UNUSED void send_open(uint16_t channel, uint32_t credit, uint8_t flags)
{
	uint8_t payload[FRAME_OPEN_SIZE];

	frame_put32(payload, credit);
	payload[4] = flags;
	send(FRAME_OPEN, channel, payload, sizeof payload);
}

static UNUSED void send_credit(uint16_t channel, uint32_t limit)
{
	uint8_t payload[FRAME_CREDIT_SIZE];

	frame_put32(payload, limit);
	send(FRAME_CREDIT, channel, payload, sizeof payload);
}

// DATA, and COMMAND with its number.
static UNUSED void send_numbered(uint8_t type, uint16_t channel, uint32_t number, const char *text)
{
	static uint8_t payload[FRAME_PAYLOAD_MAX];

	frame_put32(payload, number);
	memcpy(payload + 4, text, strlen(text));
	send(type, channel, payload, 4 + strlen(text));
}

static UNUSED void fill_text(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(' ' + i % 90);
	text[n] = '\0';
}

// ---- frames from Mezzo ----

static struct got {
	uint8_t type;
	uint16_t channel, sequence;
	size_t length;
	uint8_t payload[FRAME_PAYLOAD_MAX];
} * got;
static unsigned got_count;
static char plain[1 << 16]; // what was no frame
static size_t plain_count;
static struct frame_decoder host;

// Takes what is on the wire apart.
static UNUSED void receive_frames(void)
{
	got_count = 0;
	plain_count = 0;
	for (size_t i = 0; i < wire_count; i++) {
		switch (frame_decode(&host, (uint8_t)wire[i])) {
		case FRAME_GOT_NOISE:
			if (plain_count < sizeof plain - 1)
				plain[plain_count++] = wire[i];
			break;
		case FRAME_GOT_WHOLE:
			assert_true(got_count < FRAMES_MAX);
			got[got_count].type = host.header.type;
			got[got_count].channel = host.header.channel;
			got[got_count].sequence = host.header.sequence;
			got[got_count].length = host.header.length;
			memcpy(got[got_count].payload, host.payload, host.header.length);
			got_count++;
			break;
		case FRAME_GOT_BAD: fail_msg("Mezzo sent a frame that is none"); break;
		case FRAME_GOT_PART: break;
		}
	}
	plain[plain_count] = '\0';
	wire_count = 0;
	wire[0] = '\0';
}

// The first frame of this type since the last receive_frames, or NULL.
static UNUSED const struct got *find(uint8_t type, uint16_t channel)
{
	for (unsigned i = 0; i < got_count; i++)
		if (got[i].type == type && got[i].channel == channel)
			return &got[i];
	return NULL;
}

static UNUSED void expect_error(uint8_t type, uint16_t channel, const char *part)
{
	receive_frames();
	const struct got *error = find(FRAME_ERROR, channel);
	assert_non_null(error);
	assert_int_equal(error->payload[0], type);
	assert_non_null(memmem(error->payload + 1, error->length - 1, part, strlen(part)));
}

// What came on a channel as DATA; positions have to fit together. `from` is that of the first byte.
static char stream[1 << 20];
static UNUSED size_t gather(uint16_t channel, uint32_t from)
{
	size_t n = 0;

	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].type != FRAME_DATA || got[i].channel != channel)
			continue;
		assert_int_equal(frame_get32(got[i].payload), from + n);
		assert_in_range(got[i].length, FRAME_DATA_SIZE + 1, FRAME_DATA_SIZE + 256);
		memcpy(stream + n, got[i].payload + FRAME_DATA_SIZE,
		       got[i].length - FRAME_DATA_SIZE);
		n += got[i].length - FRAME_DATA_SIZE;
	}
	stream[n] = '\0';
	return n;
}

static UNUSED void expect_data(uint16_t channel, uint32_t from, const char *text)
{
	wait_ms(20);
	receive_frames();
	gather(channel, from);
	assert_string_equal(stream, text);
}

static UNUSED uint32_t credit_of(uint16_t channel)
{
	uint32_t limit = UINT32_MAX;

	for (unsigned i = 0; i < got_count; i++)
		if (got[i].type == FRAME_CREDIT && got[i].channel == channel)
			limit = frame_get32(got[i].payload);
	return limit;
}

// ---- the directory ----

struct entry {
	uint16_t channel;
	uint8_t kind, state;
	uint32_t id;
	char name[256];
};

// Entry number `index` of all that came; false: there are less.
static UNUSED bool entry_at(unsigned index, struct entry *entry)
{
	for (unsigned i = 0; i < got_count; i++) {
		if (got[i].type != FRAME_DIRECTORY)
			continue;
		for (size_t at = FRAME_DIRECTORY_SIZE; at < got[i].length;) {
			const uint8_t *p = got[i].payload + at;
			*entry = (struct entry){
			        .channel = frame_get16(p), .kind = p[2], .state = p[3]};
			entry->id = frame_get32(p + 4);
			memcpy(entry->name, p + FRAME_ENTRY_SIZE, p[8]);
			at += FRAME_ENTRY_SIZE + p[8];
			assert_true(at <= got[i].length);
			if (index-- == 0)
				return true;
		}
	}
	return false;
}

static UNUSED uint16_t channel_of(const char *name)
{
	struct entry entry;
	uint16_t found = 0;

	for (unsigned i = 0; entry_at(i, &entry); i++)
		if (strcmp(entry.name, name) == 0)
			found = entry.channel;
	return found;
}

// ---- tests begin plain, or in the middle of a link ----

static uint16_t shell, logs, linux_vm, rtos_vm; // channels

static UNUSED int setup_plain(void **state)
{
	(void)setup(state);
	if (got == NULL)
		got = calloc(FRAMES_MAX, sizeof *got);
	frame_decoder_init(&host);
	shell_out.tail = shell_out.head;
	answer.tail = answer.head;
	answer_complete = true;
	shell_busy = false;
	shell_typed_count = 0;
	shell_room = SIZE_MAX;
	host_sequence = 0;
	return 0;
}

static UNUSED void greet(void)
{
	send_hello(0x1122334455667788);
	receive_frames();
	shell = channel_of("shell");
	logs = channel_of("log");
	linux_vm = channel_of("linux");
	rtos_vm = channel_of("rtos");
}

static UNUSED int setup_framed(void **state)
{
	(void)setup_plain(state);
	greet();
	return 0;
}

static UNUSED int teardown_link(void **state)
{
	uart_room = SIZE_MAX;
	if (link_framed())
		send(FRAME_BYE, 0, NULL, 0);
	answer_complete = true;
	return teardown(state);
}

#define PLAIN(f)  cmocka_unit_test_setup_teardown(f, setup_plain, teardown_link)
#define FRAMED(f) cmocka_unit_test_setup_teardown(f, setup_framed, teardown_link)

#endif
