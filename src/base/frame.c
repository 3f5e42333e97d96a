// SPDX-License-Identifier: Apache-2.0
// The codec of the one wire's frames, a byte at a time in both directions. Owns nothing; called by
// console/link.c at EL2 and by `mezzo console` on the host.
// Invariant: whatever bytes come, a decoder writes inside its own structure and is found between
// frames, or within one that ends after at most FRAME_WIRE_MAX(FRAME_PAYLOAD_MAX) more bytes.
// Source: docs/wire.md.
#include "base/frame.h"

#include "base/crc32.h"

// Where the header's fields are.
enum { VERSION = 0, TYPE = 1, CHANNEL = 2, SEQUENCE = 4, LENGTH = 6 };

static bool is_stuffed(uint8_t byte)
{
	return byte == FRAME_START || byte == FRAME_ESCAPE || byte == FRAME_XON ||
	       byte == FRAME_XOFF;
}

// ---- frames into bytes ----

void frame_encode(struct frame_encoder *encoder, uint8_t type, uint16_t channel, uint16_t sequence,
                  const void *payload, size_t length)
{
	*encoder = (struct frame_encoder){.payload = payload};
	encoder->size = FRAME_HEADER_SIZE + (uint32_t)length + FRAME_CRC_SIZE;
	encoder->header[VERSION] = FRAME_VERSION;
	encoder->header[TYPE] = type;
	frame_put16(encoder->header + CHANNEL, channel);
	frame_put16(encoder->header + SEQUENCE, sequence);
	frame_put16(encoder->header + LENGTH, (uint16_t)length);
	uint32_t crc = crc32_update(0, encoder->header, FRAME_HEADER_SIZE);
	frame_put32(encoder->crc, crc32_update(crc, payload, length));
}

bool frame_encode_done(const struct frame_encoder *encoder)
{
	return encoder->next == encoder->size && encoder->escaped == 0;
}

// The next byte before stuffing.
static uint8_t next_byte(struct frame_encoder *encoder)
{
	uint32_t at = encoder->next++, crc_at = encoder->size - FRAME_CRC_SIZE;

	if (at >= crc_at)
		return encoder->crc[at - crc_at];
	return at < FRAME_HEADER_SIZE ? encoder->header[at]
	                              : encoder->payload[at - FRAME_HEADER_SIZE];
}

size_t frame_encode_some(struct frame_encoder *encoder, uint8_t *out, size_t room)
{
	size_t n = 0;

	if (room > 0 && !encoder->started) {
		encoder->started = true;
		out[n++] = FRAME_START;
	}
	while (n < room && !frame_encode_done(encoder)) {
		uint8_t byte = encoder->escaped;
		if (byte != 0) {
			encoder->escaped = 0;
		} else {
			byte = next_byte(encoder);
			if (is_stuffed(byte)) {
				encoder->escaped = byte ^ FRAME_FLIP;
				byte = FRAME_ESCAPE;
			}
		}
		out[n++] = byte;
	}
	return n;
}

// ---- bytes into frames ----

void frame_decoder_init(struct frame_decoder *decoder)
{
	decoder->inside = decoder->escaped = false;
	decoder->count = decoder->dropped = 0;
}

void frame_decoder_drop(struct frame_decoder *decoder)
{
	if (decoder->inside)
		decoder->dropped++;
	decoder->inside = false;
}

static enum frame_got bad(struct frame_decoder *decoder)
{
	frame_decoder_drop(decoder);
	return FRAME_GOT_BAD;
}

static enum frame_got start(struct frame_decoder *decoder)
{
	enum frame_got got = decoder->inside ? bad(decoder) : FRAME_GOT_PART;

	decoder->inside = true;
	decoder->escaped = false;
	decoder->count = 0;
	decoder->crc = 0;
	return got;
}

// A byte of the header. The version is looked at as soon as it is there, since in plain mode everything
// up to the end of this attempt is kept from the terminal's user.
static enum frame_got take_header(struct frame_decoder *decoder, uint32_t at, uint8_t byte)
{
	const uint8_t *raw = decoder->raw_header;

	decoder->raw_header[at] = byte;
	if (at == VERSION && byte != FRAME_VERSION)
		return bad(decoder);
	if (at != FRAME_HEADER_SIZE - 1)
		return FRAME_GOT_PART;
	decoder->header.version = raw[VERSION];
	decoder->header.type = raw[TYPE];
	decoder->header.channel = frame_get16(raw + CHANNEL);
	decoder->header.sequence = frame_get16(raw + SEQUENCE);
	decoder->header.length = frame_get16(raw + LENGTH);
	return decoder->header.length <= FRAME_PAYLOAD_MAX ? FRAME_GOT_PART : bad(decoder);
}

static enum frame_got take_crc(struct frame_decoder *decoder, uint32_t at, uint8_t byte)
{
	decoder->raw_crc[at] = byte;
	if (at != FRAME_CRC_SIZE - 1)
		return FRAME_GOT_PART;
	if (frame_get32(decoder->raw_crc) != decoder->crc)
		return bad(decoder);
	decoder->inside = false;
	return FRAME_GOT_WHOLE;
}

// A byte of a frame, unstuffed.
static enum frame_got take(struct frame_decoder *decoder, uint8_t byte)
{
	uint32_t at = decoder->count++;

	if (at >= FRAME_HEADER_SIZE && at - FRAME_HEADER_SIZE >= decoder->header.length)
		return take_crc(decoder, at - FRAME_HEADER_SIZE - decoder->header.length, byte);
	decoder->crc = crc32_update(decoder->crc, &byte, 1);
	if (at < FRAME_HEADER_SIZE)
		return take_header(decoder, at, byte);
	decoder->payload[at - FRAME_HEADER_SIZE] = byte;
	return FRAME_GOT_PART;
}

enum frame_got frame_decode(struct frame_decoder *decoder, uint8_t byte)
{
	if (byte == FRAME_START)
		return start(decoder);
	if (!decoder->inside)
		return FRAME_GOT_NOISE;
	if (byte == FRAME_XON || byte == FRAME_XOFF) // not from the sender but from a driver
		return FRAME_GOT_PART;
	if (!decoder->escaped) {
		decoder->escaped = byte == FRAME_ESCAPE;
		return decoder->escaped ? FRAME_GOT_PART : take(decoder, byte);
	}
	decoder->escaped = false;
	byte ^= FRAME_FLIP;
	return is_stuffed(byte) ? take(decoder, byte) : bad(decoder);
}
