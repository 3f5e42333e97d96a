// SPDX-License-Identifier: Apache-2.0
// Makes a PNG of a picture that is handed over pixel by pixel, without a buffer for all of it. Freestanding and pure:
// what it needs to remember is in struct png, which holds one row.
//
//	png_begin(&png, width, height);
//	write png.piece                           the first piece: all of them lie there
//	for each row, from the top: for each part of it
//		if ((n = png_pixels(&png, rgb, count)) > 0) write the n bytes of png.piece
//	n = png_end(&png)                         the last one
#ifndef BASE_PNG_H
#define BASE_PNG_H

#include "base/types.h"

#define PNG_SIDE_MAX   4096 // pixels
#define PNG_PIXELS_MAX 64   // in one call

#define PNG_BEGIN_SIZE 33  // bytes of the first piece
#define PNG_ENOUGH     320 // a piece holds so many compressed bytes, and what one more call makes
#define PNG_ROOM       (PNG_ENOUGH + PNG_PIXELS_MAX * 27 / 8 + 64)
#define PNG_PIECE_MAX  (8 + PNG_ROOM + 4 + 12) // with what stands around them

struct png {
	uint32_t width, height;
	uint32_t row, column; // of the next byte; column in bytes, 3 a pixel
	uint32_t sum, sums;   // Adler-32
	uint32_t work;        // that it took so far, in units of about 25 instructions; it may wrap
	uint32_t bits;        // of the compressed stream that make no byte yet, from the lowest
	uint32_t nr_bits;
	uint32_t row_symbol, row_extra,
	        row_extra_bits; // the distance of a row as the stream has it

	// The newest bytes, not in the stream yet: as many before them are the same...
	uint32_t run;
	bool as_pixel, as_row; // ... at the distance of a pixel, of a row
	uint8_t head[2];       // the first of them

	uint16_t codes[256]; // of each byte
	uint32_t fill;       // compressed bytes in `piece`, after the 8 of its head
	uint8_t piece[PNG_PIECE_MAX];
	uint8_t last[3 * PNG_SIDE_MAX]; // up to the column this row, from there on the one before
};

// Begins a picture of 1 to PNG_SIDE_MAX pixels a side; PNG_BEGIN_SIZE bytes of it are in png->piece.
void png_begin(struct png *png, uint32_t width, uint32_t height);

// Takes the next `count` pixels, at most PNG_PIXELS_MAX and all of one row: red, green, blue a byte each. Returns
// how many bytes are in png->piece now, at most PNG_PIECE_MAX; 0: none yet. About 25 instructions a byte, 100 at most.
size_t png_pixels(struct png *png, const uint8_t *rgb, uint32_t count);

// All rows were handed over: returns how many bytes the last piece has.
size_t png_end(struct png *png);

#endif
