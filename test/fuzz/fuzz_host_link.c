// SPDX-License-Identifier: Apache-2.0
// The host's end of the framed wire (host/link.c) with a board that sends anything: raw bytes, or frames whose numbers and
// lengths come out of the input. What waits to be sent stays bounded.
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/frame.h"
#include "link.h"

static struct link board_link;

static void text(void *who, const uint8_t *bytes, size_t size)
{
	(void)who;
	FUZZ_CHECK(bytes != NULL || size == 0);
}
static void sentence(void *who, const char *why)
{
	(void)who;
	FUZZ_CHECK(why != NULL);
}
static void channel(void *who, struct channel *c)
{
	(void)who;
	FUZZ_CHECK(strlen(c->name) <= CHANNEL_NAME_MAX);
}
static void complete(void *who)
{
	(void)who;
}
static void data_came(void *who, struct channel *c, const uint8_t *bytes, size_t size,
                      uint32_t missing)
{
	(void)who;
	(void)missing;
	FUZZ_CHECK(size <= FRAME_PAYLOAD_MAX && (bytes != NULL || size == 0));
	link_grant(&board_link, c);
}
static void lost(void *who, struct channel *c, uint64_t count)
{
	(void)who;
	(void)c;
	(void)count;
}
static void answer(void *who, uint32_t number, const uint8_t *bytes, size_t size, bool last,
                   uint32_t missing)
{
	(void)who;
	(void)number;
	(void)last;
	(void)missing;
	FUZZ_CHECK(size <= FRAME_PAYLOAD_MAX && (bytes != NULL || size == 0));
}
static void ended(void *who, struct channel *c, const char *why)
{
	(void)who;
	(void)c;
	(void)why;
}
static void refused(void *who, uint8_t type, const char *why)
{
	(void)who;
	(void)type;
	FUZZ_CHECK(why != NULL);
}
static const struct link_ops ops = {text,     sentence,  sentence, channel, channel, channel,
                                    complete, data_came, lost,     answer,  ended,   refused};

void fuzz_setup(void)
{
}

static void send_any(struct fuzz_in *in, int64_t now)
{
	static uint16_t sequence;
	uint8_t payload[300], wire[FRAME_WIRE_MAX(300)];
	uint8_t type = fuzz_u8(in) % 17, where = fuzz_u8(in);
	struct fuzz_in bytes = fuzz_rest(in, fuzz_u8(in));
	struct frame_encoder encoder;
	memcpy(payload, bytes.at, bytes.left);
	if (type == FRAME_WELCOME && where < 200 && bytes.left >= FRAME_WELCOME_SIZE)
		frame_put64(payload + 8, board_link.nonce);
	frame_encode(&encoder, type, where < 240 ? where % 8 : fuzz_u16(in), sequence++, payload,
	             bytes.left);
	size_t n = frame_encode_some(&encoder, wire, sizeof wire);
	link_take(&board_link, wire, n, now);
}

static void step(struct fuzz_in *in, int64_t *now)
{
	uint8_t what = fuzz_u8(in);
	if (what < 150) {
		send_any(in, *now);
	} else if (what < 180) {
		struct fuzz_in bytes = fuzz_rest(in, fuzz_u8(in));
		link_take(&board_link, bytes.at, bytes.left, *now);
	} else if (what < 200) {
		link_greet(&board_link, *now, 5000);
	} else if (what < 230 && board_link.channel_count != 0) {
		struct channel *c = board_link.channels[fuzz_u8(in) % board_link.channel_count];
		if (what < 210 && board_link.state == LINK_FRAMED && !c->open)
			link_open(&board_link, c, what & 1, *now);
		else if (what < 220 && c->open)
			(void)link_send(&board_link, c, "typed", 5);
		else if (c->open)
			link_close(&board_link, c);
	} else {
		*now += (int64_t)fuzz_u8(in) * 20;
		link_tick(&board_link, *now);
	}
	FUZZ_CHECK(buffer_size(&board_link.out) <= 1 << 20);
	if (what & 1)
		buffer_drop(&board_link.out, buffer_size(&board_link.out));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	int64_t now = 1000;
	link_init(&board_link, &ops, NULL);
	link_greet(&board_link, now, 5000);
	for (unsigned i = 0; i < 200 && fuzz_more(&in); i++)
		step(&in, &now);
	for (size_t i = 0; i < board_link.channel_count; i++) {
		free(board_link.channels[i]->out.bytes);
		free(board_link.channels[i]);
	}
	free(board_link.channels);
	free(board_link.out.bytes);
	memset(&board_link, 0, sizeof board_link);
}
