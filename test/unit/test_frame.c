// SPDX-License-Identifier: Apache-2.0
// The codec of the one wire's frames: what goes in comes out, and nothing else ever does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/frame.h"

static struct frame_decoder decoder;
static uint8_t wire[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];

static int setup(void **state)
{
	(void)state;
	frame_decoder_init(&decoder);
	srandom(7);
	return 0;
}

static size_t encode(uint8_t type, uint16_t channel, uint16_t sequence, const void *payload,
                     size_t length)
{
	struct frame_encoder encoder;

	frame_encode(&encoder, type, channel, sequence, payload, length);
	size_t n = frame_encode_some(&encoder, wire, sizeof wire);
	assert_true(frame_encode_done(&encoder));
	return n;
}

// Feeds bytes; returns how many whole frames were in them.
static unsigned feed(const uint8_t *bytes, size_t n)
{
	unsigned whole = 0;

	for (size_t i = 0; i < n; i++)
		whole += frame_decode(&decoder, bytes[i]) == FRAME_GOT_WHOLE;
	return whole;
}

static void expect(uint8_t type, uint16_t channel, uint16_t sequence, const void *payload,
                   size_t length)
{
	assert_int_equal(decoder.header.type, type);
	assert_int_equal(decoder.header.channel, channel);
	assert_int_equal(decoder.header.sequence, sequence);
	assert_int_equal(decoder.header.length, length);
	if (length > 0)
		assert_memory_equal(decoder.payload, payload, length);
}

// Byte by byte what docs/wire.md says, with zlib's sum.
static void test_layout(void **state)
{
	(void)state;
	static const uint8_t before_crc[] = {1, 9, 0x34, 0x12, 0x78, 0x56, 3, 0, 'a', 0xc0, 'b'};
	uint32_t crc = (uint32_t)crc32(0, before_crc, sizeof before_crc);
	uint8_t expected[64] = {0xc0, 1, 9, 0x34, 0x12, 0x78, 0x56, 3, 0, 'a', 0xc1, 0xe0, 'b'};
	size_t n = 13;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t byte = (uint8_t)(crc >> (8 * i));
		if (byte == 0xc0 || byte == 0xc1 || byte == 0x11 || byte == 0x13) {
			expected[n++] = 0xc1;
			byte ^= 0x20;
		}
		expected[n++] = byte;
	}
	assert_int_equal(encode(FRAME_DATA, 0x1234, 0x5678,
	                        "a\xc0"
	                        "b",
	                        3),
	                 n);
	assert_memory_equal(wire, expected, n);
}

static void test_round_trips(void **state)
{
	(void)state;
	static uint8_t payload[FRAME_PAYLOAD_MAX];

	for (unsigned i = 0; i < 2000; i++) {
		size_t length = (size_t)random() % (i % 50 == 0 ? FRAME_PAYLOAD_MAX + 1 : 64);
		for (size_t k = 0; k < length; k++)
			payload[k] = (uint8_t)(random() % 3 ? random() : 0xc0 + random() % 2);
		uint8_t type = (uint8_t)random();
		uint16_t channel = (uint16_t)random(), sequence = (uint16_t)random();
		size_t n = encode(type, channel, sequence, payload, length);
		assert_true(n <= FRAME_WIRE_MAX(length));
		for (size_t k = 0; k < n - 1; k++)
			assert_int_equal(frame_decode(&decoder, wire[k]), FRAME_GOT_PART);
		assert_int_equal(frame_decode(&decoder, wire[n - 1]), FRAME_GOT_WHOLE);
		expect(type, channel, sequence, payload, length);
	}
	assert_int_equal(decoder.dropped, 0);
}

static void test_every_byte(void **state)
{
	(void)state;
	for (unsigned b = 0; b < 256; b++) {
		uint8_t payload[3] = {(uint8_t)b, (uint8_t)b, (uint8_t)~b};
		size_t n = encode((uint8_t)b, (uint16_t)(b << 8 | b), (uint16_t)~b, payload, 3);
		for (size_t k = 1; k < n; k++) {
			assert_int_not_equal(wire[k], FRAME_START);
			assert_int_not_equal(wire[k], FRAME_XON);
			assert_int_not_equal(wire[k], FRAME_XOFF);
		}
		assert_int_equal(feed(wire, n), 1);
		expect((uint8_t)b, (uint16_t)(b << 8 | b), (uint16_t)~b, payload, 3);
	}
}

static void test_longest(void **state)
{
	(void)state;
	static uint8_t payload[FRAME_PAYLOAD_MAX];

	memset(payload, FRAME_START, sizeof payload);
	size_t n = encode(FRAME_COMMAND, 1, 2, payload, sizeof payload);
	assert_true(n > 2 * FRAME_PAYLOAD_MAX);
	assert_int_equal(feed(wire, n), 1);
	expect(FRAME_COMMAND, 1, 2, payload, sizeof payload);
}

static void test_nothing_in_it(void **state)
{
	(void)state;
	assert_int_equal(feed(wire, encode(FRAME_BYE, 0, 0, NULL, 0)), 1);
	expect(FRAME_BYE, 0, 0, NULL, 0);
}

static void test_pieces_of_any_size(void **state)
{
	(void)state;
	static uint8_t payload[300], pieces[FRAME_WIRE_MAX(sizeof payload)];

	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7);
	size_t n = encode(FRAME_DATA, 3, 4, payload, sizeof payload);
	for (size_t piece = 1; piece < 40; piece++) {
		struct frame_encoder encoder;
		size_t at = 0, got;
		frame_encode(&encoder, FRAME_DATA, 3, 4, payload, sizeof payload);
		assert_int_equal(frame_encode_some(&encoder, pieces, 0), 0);
		do {
			got = frame_encode_some(&encoder, pieces + at, piece);
			at += got;
		} while (got == piece);
		assert_true(frame_encode_done(&encoder));
		assert_int_equal(frame_encode_some(&encoder, pieces + at, piece), 0);
		assert_int_equal(at, n);
		assert_memory_equal(pieces, wire, n);
	}
}

// A START that a flip makes within a frame leaves a frame of its own open, which the next one ends.
static void test_every_flipped_bit(void **state)
{
	(void)state;
	static const uint8_t payload[] = "some\x11text\x13with\xc0 all\xc1 of it\xe0\xe1\x31\x33";
	uint8_t good[256];
	size_t n = encode(FRAME_DATA, 5, 6, payload, sizeof payload);

	memcpy(good, wire, n);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		memcpy(wire, good, n);
		wire[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(feed(wire, n), 0);
		assert_int_equal(feed(good, n), 1);
		expect(FRAME_DATA, 5, 6, payload, sizeof payload);
	}
}

static void test_truncated(void **state)
{
	(void)state;
	uint8_t good[64];
	size_t n = encode(FRAME_DATA, 5, 6, "\xc0 text", 6);

	memcpy(good, wire, n);
	for (size_t cut = 1; cut < n; cut++) {
		uint32_t dropped = decoder.dropped;
		assert_int_equal(feed(good, cut), 0);
		assert_int_equal(frame_decode(&decoder, good[0]), FRAME_GOT_BAD);
		assert_int_equal(decoder.dropped, dropped + 1);
		assert_int_equal(feed(good + 1, n - 1), 1); // that START was a good one
		expect(FRAME_DATA, 5, 6, "\xc0 text", 6);
	}
}

static void test_bytes_left_out_and_put_in(void **state)
{
	(void)state;
	uint8_t good[64], other[65];
	size_t n = encode(FRAME_PING, 0, 6, "0123456789", 10);

	memcpy(good, wire, n);
	for (size_t i = 1; i < n; i++) {
		memcpy(other, good, i);
		memcpy(other + i, good + i + 1, n - i - 1);
		assert_int_equal(feed(other, n - 1), 0);
		assert_int_equal(feed(good, n), 1);
		other[i] = 'x';
		memcpy(other + i + 1, good + i, n - i);
		(void)feed(other, n + 1);
		assert_int_equal(feed(good, n), 1);
	}
}

static void test_what_a_driver_puts_in(void **state)
{
	(void)state;
	uint8_t other[128];
	size_t n = encode(FRAME_PING, 0, 6, "\xc0\xc1\x11\x13", 4), m = 0;

	for (size_t i = 0; i < n; i++) {
		other[m++] = wire[i];
		if (i < n - 1)
			other[m++] = i % 2 ? FRAME_XON : FRAME_XOFF;
	}
	assert_int_equal(feed(other, m), 1);
	expect(FRAME_PING, 0, 6, "\xc0\xc1\x11\x13", 4);
}

static void test_text_between_frames(void **state)
{
	(void)state;
	static const char text[] = "[mezzo] text \xc1 \xc3\xa9\r\n";

	for (size_t i = 0; i < sizeof text; i++)
		assert_int_equal(frame_decode(&decoder, (uint8_t)text[i]), FRAME_GOT_NOISE);
	assert_int_equal(decoder.dropped, 0);
	assert_int_equal(feed(wire, encode(FRAME_PING, 0, 0, NULL, 0)), 1);
	assert_int_equal(frame_decode(&decoder, 'x'), FRAME_GOT_NOISE);
}

static void test_bad_headers(void **state)
{
	(void)state;
	static const uint8_t version[] = {0xc0, 2}, too_long[] = {0xc0, 1, 9, 0, 0, 0, 0, 1, 16},
	                     escape[] = {0xc0, 1, 0xc1, 'x'}, twice[] = {0xc0, 1, 0xc1, 0xc1};
	static const struct {
		const uint8_t *bytes;
		size_t size;
	} bad[] = {{version, sizeof version},
	           {too_long, sizeof too_long},
	           {escape, sizeof escape},
	           {twice, sizeof twice}};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		for (size_t k = 0; k < bad[i].size - 1; k++)
			assert_int_equal(frame_decode(&decoder, bad[i].bytes[k]), FRAME_GOT_PART);
		assert_int_equal(frame_decode(&decoder, bad[i].bytes[bad[i].size - 1]),
		                 FRAME_GOT_BAD);
		assert_int_equal(frame_decode(&decoder, 'x'), FRAME_GOT_NOISE);
	}
}

static void test_given_up(void **state)
{
	(void)state;
	assert_int_equal(frame_decode(&decoder, FRAME_START), FRAME_GOT_PART);
	frame_decoder_drop(&decoder);
	frame_decoder_drop(&decoder);
	assert_int_equal(decoder.dropped, 1);
	assert_int_equal(frame_decode(&decoder, 1), FRAME_GOT_NOISE);
}

// After any noise the first whole frame that begins with a START is found, unless the noise is itself
// the beginning of one, which then takes the START's place once.
static void test_resynchronises(void **state)
{
	(void)state;
	static uint8_t noise[3000];

	for (unsigned i = 0; i < 3000; i++) {
		size_t n = (size_t)random() % (i % 20 ? 40 : sizeof noise);
		for (size_t k = 0; k < n; k++)
			noise[k] = (uint8_t)(random() % 4 ? random()
			                                  : "\xc0\xc1\x01\x00"[random() % 4]);
		assert_int_equal(feed(noise, n), 0);
		uint8_t payload[8] = {(uint8_t)i, (uint8_t)random(), 0xc0};
		n = encode(FRAME_DATA, 1, (uint16_t)i, payload, sizeof payload);
		assert_int_equal(feed(wire, n), 1);
		expect(FRAME_DATA, 1, (uint16_t)i, payload, sizeof payload);
	}
}

static void test_numbers(void **state)
{
	(void)state;
	uint8_t b[9];

	frame_put16(b + 1, 0x89ab);
	assert_memory_equal(b + 1, "\xab\x89", 2);
	assert_int_equal(frame_get16(b + 1), 0x89ab);
	frame_put32(b + 1, 0x89abcdef);
	assert_memory_equal(b + 1, "\xef\xcd\xab\x89", 4);
	assert_int_equal(frame_get32(b + 1), 0x89abcdef);
	frame_put64(b + 1, 0x8123456789abcdef);
	assert_memory_equal(b + 1, "\xef\xcd\xab\x89\x67\x45\x23\x81", 8);
	assert_int_equal(frame_get64(b + 1), 0x8123456789abcdef);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_layout, setup),
	        cmocka_unit_test_setup(test_round_trips, setup),
	        cmocka_unit_test_setup(test_every_byte, setup),
	        cmocka_unit_test_setup(test_longest, setup),
	        cmocka_unit_test_setup(test_nothing_in_it, setup),
	        cmocka_unit_test_setup(test_pieces_of_any_size, setup),
	        cmocka_unit_test_setup(test_every_flipped_bit, setup),
	        cmocka_unit_test_setup(test_truncated, setup),
	        cmocka_unit_test_setup(test_bytes_left_out_and_put_in, setup),
	        cmocka_unit_test_setup(test_what_a_driver_puts_in, setup),
	        cmocka_unit_test_setup(test_text_between_frames, setup),
	        cmocka_unit_test_setup(test_bad_headers, setup),
	        cmocka_unit_test_setup(test_given_up, setup),
	        cmocka_unit_test_setup(test_resynchronises, setup),
	        cmocka_unit_test_setup(test_numbers, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
