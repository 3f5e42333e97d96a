// SPDX-License-Identifier: Apache-2.0
// Frames of the wire (base/frame.c): any bytes into the decoder, and what was decoded through the encoder and back.
#include "fuzz.h"

#include <string.h>

#include "base/frame.h"

static struct frame_decoder decoder, back;

void fuzz_setup(void)
{
}

// A frame that was taken is the same when it has gone over the wire once more, in pieces of `piece` bytes.
static void round_trip(size_t piece)
{
	static uint8_t wire[FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX)];
	struct frame_encoder encoder;
	size_t n = 0, got;
	frame_encode(&encoder, decoder.header.type, decoder.header.channel, decoder.header.sequence,
	             decoder.payload, decoder.header.length);
	do {
		size_t room = sizeof wire - n < piece ? sizeof wire - n : piece;
		got = frame_encode_some(&encoder, wire + n, room);
		FUZZ_CHECK(got <= room);
		n += got;
	} while (got == piece);
	FUZZ_CHECK(frame_encode_done(&encoder) && n <= FRAME_WIRE_MAX(decoder.header.length));
	frame_decoder_init(&back);
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(frame_decode(&back, wire[i]) ==
		           (i + 1 < n ? FRAME_GOT_PART : FRAME_GOT_WHOLE));
	FUZZ_CHECK(memcmp(&back.header, &decoder.header, sizeof back.header) == 0);
	FUZZ_CHECK(memcmp(back.payload, decoder.payload, back.header.length) == 0);
}

// The input as the payload of a frame of its own.
static void encode(const uint8_t *data, size_t size)
{
	frame_decoder_init(&decoder);
	decoder.header.version = FRAME_VERSION;
	decoder.header.type = data[0];
	decoder.header.channel = data[1];
	decoder.header.length = (uint16_t)(size < FRAME_PAYLOAD_MAX ? size : FRAME_PAYLOAD_MAX);
	memcpy(decoder.payload, data, decoder.header.length);
	round_trip(1 + data[0] % 64u);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	if (size < 2)
		return;
	frame_decoder_init(&decoder);
	for (size_t i = 1; i < size; i++) {
		uint32_t dropped = decoder.dropped;
		enum frame_got got = frame_decode(&decoder, data[i]);
		FUZZ_CHECK(decoder.dropped == dropped + (got == FRAME_GOT_BAD));
		if (got == FRAME_GOT_WHOLE) {
			FUZZ_CHECK(decoder.header.length <= FRAME_PAYLOAD_MAX);
			if (decoder.header.version == FRAME_VERSION)
				round_trip(1 + data[0]);
		}
		if (data[0] == 0xff && data[i] == 0x7f)
			frame_decoder_drop(&decoder);
	}
	encode(data, size);
}
