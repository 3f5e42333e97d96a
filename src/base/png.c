// SPDX-License-Identifier: Apache-2.0
// PNG, compressed for screens: large areas of one colour, and rows like the one above.
//
// One deflate block with fixed codes. The only matches are with the pixel before and with the row above, so
// nothing is searched for: a byte either goes on with what matches so far or ends it. The stream is cut into IDAT
// chunks, each of which is a piece for the caller.
//
// Owns nothing. Called by console/commands_screen.c.
// Invariant: between calls `run` bytes are in neither stream nor `piece`, and each of them matches at one same
// distance at least.
// Source: RFC 1950 (zlib), RFC 1951 (deflate), "Compression with fixed Huffman codes"; W3C, Portable Network
// Graphics, "Datastream structure", "Filter types for filter method 0".
#include "base/png.h"

#include "base/bits.h"
#include "base/crc32.h"
#include "base/string.h"

#define CHUNK_HEAD   8 // length, type
#define CHUNK_CRC    4
#define COLOUR_DEPTH 8
#define COLOUR_RGB   2

#define BLOCK_LAST    1 // one bit: no block follows
#define BLOCK_FIXED   1 // two bits: fixed codes
#define BLOCK_END     256
#define LENGTH_LEAST  3
#define LENGTH_MOST   258
#define PIXEL         3 // bytes
#define PIXEL_SYMBOL  2 // distance 3
#define ADLER_MODULUS 65521
#define CODE_BITS     12 // of a code in png->codes; above them stands how many there are
#define CODE_MASK     0xfffu
#define ODD_WORK      3      // more than for another byte
#define ZLIB_HEADER   0x0178 // deflate, window of 32 KiB, as it lies in memory

STATIC_ASSERT(1 + PIXEL * PNG_SIDE_MAX <= 32768, "the row above is in the window");

// ---- chunks ----

static void put32(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 24);
	to[1] = (uint8_t)(value >> 16);
	to[2] = (uint8_t)(value >> 8);
	to[3] = (uint8_t)value;
}

// Closes a chunk whose `length` bytes are in place; returns its size.
static size_t seal(uint8_t *chunk, const char *type, uint32_t length)
{
	put32(chunk, length);
	memcpy(chunk + 4, type, 4);
	put32(chunk + CHUNK_HEAD + length, crc32_update(0, chunk + 4, 4 + length));
	return CHUNK_HEAD + length + CHUNK_CRC;
}

static size_t seal_piece(struct png *png)
{
	uint32_t length = png->fill;

	png->fill = 0;
	return seal(png->piece, "IDAT", length);
}

// ---- the compressed stream ----

// Codes stand in the stream from their highest bit on, all else from the lowest.
static uint32_t turn(uint32_t code, uint32_t count)
{
	static const uint8_t turned[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
	uint32_t nine = (uint32_t)turned[code & 15] << 5 | (uint32_t)turned[code >> 4 & 15] << 1 |
	                code >> 8;

	return nine >> (9 - count);
}

static void put_bits(struct png *png, uint32_t value, uint32_t count)
{
	png->bits |= value << png->nr_bits;
	png->nr_bits += count;
	for (; png->nr_bits >= 8; png->nr_bits -= 8) {
		png->piece[CHUNK_HEAD + png->fill++] = (uint8_t)png->bits;
		png->bits >>= 8;
	}
}

// A byte is one of these; kept with the bits' order turned, and its length in the bits above.
static void make_codes(struct png *png)
{
	for (uint32_t byte = 0; byte < ARRAY_SIZE(png->codes); byte++) {
		bool shorter = byte < 144;
		uint32_t code = shorter ? turn(0x30 + byte, 8) : turn(0x190 + byte - 144, 9);
		png->codes[byte] = (uint16_t)(code | (shorter ? 8u : 9u) << CODE_BITS);
	}
}

static void put_literal(struct png *png, uint8_t byte)
{
	put_bits(png, png->codes[byte] & CODE_MASK, png->codes[byte] >> CODE_BITS);
}

// The end, or a length.
static void put_symbol(struct png *png, uint32_t symbol)
{
	if (symbol < 280)
		put_bits(png, turn(symbol - 256, 7), 7);
	else
		put_bits(png, turn(0xc0 + symbol - 280, 8), 8);
}

// Symbol 257 stands for length 3. From the ninth on, four symbols share a number of extra bits, which grows.
static void put_length(struct png *png, uint32_t length)
{
	uint32_t n = length - LENGTH_LEAST, extra = 0;

	if (length == LENGTH_MOST) {
		put_symbol(png, 285);
		return;
	}
	while (n >> extra >= 8)
		extra++;
	put_symbol(png, 257 + 4 * extra + (n >> extra));
	put_bits(png, n & (BIT_U32(extra) - 1), extra);
}

// Symbol 0 stands for distance 1. From the fifth on, two symbols share a number of extra bits.
static void choose_distance(struct png *png, uint32_t distance)
{
	uint32_t n = distance - 1, extra = 0;

	while (n >> extra >= 4)
		extra++;
	png->row_symbol = turn(2 * extra + (n >> extra), 5);
	png->row_extra = n & (BIT_U32(extra) - 1);
	png->row_extra_bits = extra;
}

// Puts what matches so far into the stream.
static void end_run(struct png *png)
{
	if (png->run < LENGTH_LEAST) {
		for (uint32_t i = 0; i < png->run; i++)
			put_literal(png, png->head[i]);
	} else {
		put_length(png, png->run);
		put_bits(png, png->as_pixel ? turn(PIXEL_SYMBOL, 5) : png->row_symbol, 5);
		if (!png->as_pixel)
			put_bits(png, png->row_extra, png->row_extra_bits);
	}
	png->run = 0;
}

static void put_byte(struct png *png, uint8_t byte, bool as_pixel, bool as_row)
{
	if (png->run > 0) {
		bool pixel = png->as_pixel && as_pixel, row = png->as_row && as_row;
		if ((pixel || row) && png->run < LENGTH_MOST) {
			png->as_pixel = pixel;
			png->as_row = row;
			if (png->run < ARRAY_SIZE(png->head))
				png->head[png->run] = byte;
			png->run++;
			return;
		}
		end_run(png);
	}
	if (!as_pixel && !as_row) {
		put_literal(png, byte);
		return;
	}
	png->as_pixel = as_pixel;
	png->as_row = as_row;
	png->head[0] = byte;
	png->run = 1;
}

// The next bytes as long as each goes on with what matches already; returns how many. What is in a row that matches
// stays in place.
static uint32_t extend(struct png *png, const uint8_t *rgb, uint32_t size)
{
	uint8_t *last = png->last + png->column;
	uint32_t most = LENGTH_MOST - png->run, n = 0;

	if (png->run < ARRAY_SIZE(png->head))
		return 0;
	if (most > size)
		most = size;
	if (png->as_row) {
		while (n < most && last[n] == rgb[n])
			n++;
		png->as_pixel = png->as_pixel && n == 0;
	} else if (png->column >= PIXEL) {
		const uint8_t *before = last - PIXEL;
		for (; n < most && rgb[n] == before[n]; n++)
			last[n] = rgb[n];
	}
	png->run += n;
	return n;
}

// The next bytes as long as none matches; returns how many. Nothing does before them.
static uint32_t put_literals(struct png *png, const uint8_t *rgb, uint32_t size)
{
	uint8_t *last = png->last + png->column, *out = png->piece + CHUNK_HEAD + png->fill;
	uint32_t bits = png->bits, nr_bits = png->nr_bits, n = 0;
	bool top = png->row == 0;

	for (; n < size; n++) {
		if ((!top && last[n] == rgb[n]) ||
		    (png->column + n >= PIXEL && last[(int)n - PIXEL] == rgb[n]))
			break;
		last[n] = rgb[n];
		uint32_t code = png->codes[rgb[n]];
		bits |= (code & CODE_MASK) << nr_bits;
		nr_bits += code >> CODE_BITS;
		for (; nr_bits >= 8; nr_bits -= 8, bits >>= 8)
			*out++ = (uint8_t)bits;
	}
	png->bits = bits;
	png->nr_bits = nr_bits;
	png->fill = (uint32_t)(out - png->piece) - CHUNK_HEAD;
	return n;
}

// A byte where a match begins or ends, or is too short to count.
static void put_odd(struct png *png, uint8_t byte)
{
	uint8_t *last = png->last + png->column;
	bool as_pixel = png->column >= PIXEL && last[-PIXEL] == byte;
	bool as_row = png->row > 0 && *last == byte;

	*last = byte;
	put_byte(png, byte, as_pixel, as_row);
	png->work += ODD_WORK;
}

static void add_sums(struct png *png, const uint8_t *bytes, uint32_t size)
{
	uint32_t sum = png->sum, sums = png->sums;

	for (uint32_t i = 0; i < size; i++) {
		sum += bytes[i];
		sums += sum;
	}
	png->sum = sum % ADLER_MODULUS;
	png->sums = sums % ADLER_MODULUS;
}

// ---- pictures ----

void png_begin(struct png *png, uint32_t width, uint32_t height)
{
	static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	uint8_t *chunk = png->piece + sizeof signature;
	uint8_t *data = chunk + CHUNK_HEAD;

	memset(png, 0, sizeof *png);
	png->width = width;
	png->height = height;
	png->sum = 1;
	make_codes(png);
	choose_distance(png, 1 + PIXEL * width);
	memcpy(png->piece, signature, sizeof signature);
	put32(data, width);
	put32(data + 4, height);
	data[8] = COLOUR_DEPTH;
	data[9] = COLOUR_RGB;
	data[10] = data[11] = data[12] = 0; // deflate, filters by row, all rows in one go
	(void)seal(chunk, "IHDR", 13);
}

size_t png_pixels(struct png *png, const uint8_t *rgb, uint32_t count)
{
	uint32_t size = PIXEL * count;

	if (png->row == 0 && png->column == 0) {
		put_bits(png, ZLIB_HEADER, 16);
		put_bits(png, BLOCK_LAST | BLOCK_FIXED << 1, 3);
	}
	if (png->column == 0) { // the row's filter: none
		png->sums += png->sum;
		put_byte(png, 0, false, png->row > 0);
	}
	add_sums(png, rgb, size);
	for (uint32_t done = 0, n; done < size; done += n) {
		n = png->run == 0 ? put_literals(png, rgb + done, size - done)
		                  : extend(png, rgb + done, size - done);
		if (n == 0) {
			put_odd(png, rgb[done]);
			n = 1;
		}
		png->column += n;
	}
	png->work += size;
	if (png->column == PIXEL * png->width) {
		png->column = 0;
		png->row++;
	}
	if (png->fill < PNG_ENOUGH)
		return 0;
	png->work += png->fill;
	return seal_piece(png);
}

size_t png_end(struct png *png)
{
	end_run(png);
	put_symbol(png, BLOCK_END);
	put_bits(png, 0, -png->nr_bits & 7);
	put32(png->piece + CHUNK_HEAD + png->fill, png->sums << 16 | png->sum);
	png->fill += 4;
	size_t size = seal_piece(png);
	return size + seal(png->piece + size, "IEND", 0);
}
