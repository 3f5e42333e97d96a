// SPDX-License-Identifier: Apache-2.0
// Frames of the one wire (docs/wire.md): their numbers, and how bytes become frames and frames bytes.
// Freestanding, without memory of its own: EL2 and the host command share it.
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include "base/types.h"

#define FRAME_VERSION 1

// On the wire. START begins a frame and stands nowhere in it; the others are escaped as well.
#define FRAME_START  0xc0
#define FRAME_ESCAPE 0xc1
#define FRAME_XON    0x11
#define FRAME_XOFF   0x13
#define FRAME_FLIP   0x20 // an escaped byte is sent as this one exclusive-or it

#define FRAME_HEADER_SIZE 8
#define FRAME_CRC_SIZE    4
#define FRAME_PAYLOAD_MAX 4096
// Bytes that a frame with `n` bytes of payload may take on the wire.
#define FRAME_WIRE_MAX(n) (1 + 2 * (FRAME_HEADER_SIZE + (n) + FRAME_CRC_SIZE))

enum frame_type {
	FRAME_HELLO = 1, // host
	FRAME_WELCOME,   // Mezzo
	FRAME_BYE,       // both
	FRAME_PING,      // host
	FRAME_PONG,      // Mezzo
	FRAME_DIRECTORY, // Mezzo
	FRAME_OPEN,      // host
	FRAME_CLOSE,     // host
	FRAME_DATA,      // both
	FRAME_CREDIT,    // both
	FRAME_LOST,      // Mezzo
	FRAME_COMMAND,   // host
	FRAME_ANSWER,    // Mezzo
	FRAME_ERROR,     // Mezzo
	FRAME_END,       // Mezzo
};

// Of an entry of the directory.
enum frame_kind {
	FRAME_KIND_SHELL = 1,
	FRAME_KIND_CONSOLE, // a VM's
	FRAME_KIND_LOG,
	FRAME_KIND_GDB,   // this and what follows: set aside
	FRAME_KIND_TRACE, //
	FRAME_KIND_FILE,  // a file on its way to the host
};
enum frame_state {
	FRAME_STATE_GONE,
	FRAME_STATE_THERE,
	FRAME_STATE_STOPPED, // there, but its VM does not run
};

#define FRAME_FEATURE_COMMANDS 0x1 // HELLO, WELCOME: COMMAND and ANSWER
#define FRAME_FEATURE_FILES    0x2 // the same: channels of files, and END
#define FRAME_DIRECTORY_RESET  0x1 // forget every entry known so far
#define FRAME_DIRECTORY_MORE   0x2 // the next DIRECTORY goes on with this
#define FRAME_OPEN_PAST        0x1 // begin with what is kept of the past
#define FRAME_ANSWER_LAST      0x1 // nothing of this answer follows
#define FRAME_END_BROKEN       0x1 // the file is not whole

// Bytes of a payload before its open end, if it has one.
#define FRAME_HELLO_SIZE     16 // lowest, highest version, reserved u16, features u32, nonce u64
#define FRAME_WELCOME_SIZE   16 // version, reserved u8 and u16, features u32, nonce u64; then text
#define FRAME_PING_MAX       64
#define FRAME_DIRECTORY_SIZE 1 // flags; then entries
#define FRAME_ENTRY_SIZE     9 // channel u16, kind, state, id u32, length of name; then the name
#define FRAME_OPEN_SIZE      5 // credit u32, flags
#define FRAME_DATA_SIZE      4 // position u32; then bytes
#define FRAME_CREDIT_SIZE    4 // limit u32
#define FRAME_LOST_SIZE      8 // bytes u64
#define FRAME_COMMAND_SIZE   4 // number u32; then a line
#define FRAME_ANSWER_SIZE    9 // number u32, flags, position u32; then JSON
#define FRAME_ERROR_SIZE     1 // type of the frame that was refused; then a sentence
#define FRAME_END_SIZE       5 // position u32, flags; then a sentence

// ---- numbers in payloads: little-endian, at any address ----

static inline void frame_put16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)value;
	to[1] = (uint8_t)(value >> 8);
}
static inline void frame_put32(uint8_t *to, uint32_t value)
{
	frame_put16(to, (uint16_t)value);
	frame_put16(to + 2, (uint16_t)(value >> 16));
}
static inline void frame_put64(uint8_t *to, uint64_t value)
{
	frame_put32(to, (uint32_t)value);
	frame_put32(to + 4, (uint32_t)(value >> 32));
}
static inline uint16_t frame_get16(const uint8_t *from)
{
	return (uint16_t)(from[0] | from[1] << 8);
}
static inline uint32_t frame_get32(const uint8_t *from)
{
	return frame_get16(from) | (uint32_t)frame_get16(from + 2) << 16;
}
static inline uint64_t frame_get64(const uint8_t *from)
{
	return frame_get32(from) | (uint64_t)frame_get32(from + 4) << 32;
}

// ---- frames into bytes ----

struct frame_encoder {
	const uint8_t *payload; // the caller's; unchanged until the frame is done
	uint32_t size;          // header, payload and CRC, before stuffing
	uint32_t next;          // of these, the first that is not written yet
	uint8_t header[FRAME_HEADER_SIZE], crc[FRAME_CRC_SIZE];
	uint8_t escaped; // the second half of an escaped byte is still to be written; 0: none is
	bool started;    // START is written
};

// Begins a frame: makes its CRC, so takes time in proportion to `length`, which is at most FRAME_PAYLOAD_MAX.
// `payload` may be NULL if it is 0.
void frame_encode(struct frame_encoder *encoder, uint8_t type, uint16_t channel, uint16_t sequence,
                  const void *payload, size_t length);
// Writes the next bytes of it, at most `room`; returns how many. Less than `room`: that was all.
size_t frame_encode_some(struct frame_encoder *encoder, uint8_t *out, size_t room);
bool frame_encode_done(const struct frame_encoder *encoder);

// ---- bytes into frames ----

enum frame_got {
	FRAME_GOT_NOISE, // the byte is not part of a frame: in plain mode it is text
	FRAME_GOT_PART,  // the byte was taken, the frame goes on
	FRAME_GOT_WHOLE, // it was the last one of a correct frame: see `header` and `payload` below
	FRAME_GOT_BAD, // it showed that what was begun is no correct frame, which is dropped, and this
	               // byte with it unless it is a START
};

struct frame_decoder {
	// Of the frame that is whole; of one that is not, as far as `count` says.
	struct {
		uint8_t version, type;
		uint16_t channel, sequence, length;
	} header;
	uint32_t count;   // bytes that came after START, unstuffed
	uint32_t dropped; // frames that were begun and were not correct

	uint32_t crc;
	uint8_t raw_header[FRAME_HEADER_SIZE], raw_crc[FRAME_CRC_SIZE];
	bool inside;  // a frame has begun
	bool escaped; // the byte before was an ESCAPE
	uint8_t payload[FRAME_PAYLOAD_MAX];
};

void frame_decoder_init(struct frame_decoder *decoder);
// Takes the next byte from the wire: about 50 instructions.
enum frame_got frame_decode(struct frame_decoder *decoder, uint8_t byte);
// Gives up a frame that has begun, as if noise had ended it.
void frame_decoder_drop(struct frame_decoder *decoder);

#endif
