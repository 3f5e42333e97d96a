// SPDX-License-Identifier: Apache-2.0
// Reads what base/png.c writes, strictly, with zlib for all that is hard: every chunk's order, sum and length.
#ifndef TEST_PNG_READ_H
#define TEST_PNG_READ_H

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/types.h"

static uint32_t png_read32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// The pixels of a picture of this size, 3 bytes each, or NULL: it is not exactly that. The caller frees them.
static UNUSED uint8_t *png_read(const uint8_t *bytes, size_t size, uint32_t width, uint32_t height)
{
	const size_t line = 1 + 3 * (size_t)width, raw = line * height;
	uint8_t *lines = malloc(raw + 1), *pixels = malloc(raw);
	z_stream stream = {.next_out = lines, .avail_out = (uInt)raw + 1};
	bool good = size > 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0, ended = false;
	int status = inflateInit(&stream);
	unsigned chunks = 0;

	for (size_t at = 8, length; good && at < size; at += 12 + length, chunks++) {
		length = size - at < 12 ? SIZE_MAX : png_read32(bytes + at);
		good = !ended && length <= size - at - 12 &&
		       png_read32(bytes + at + 8 + length) ==
		               crc32(0, bytes + at + 4, (uInt)length + 4);
		if (!good)
			break;
		const uint8_t *type = bytes + at + 4, *data = type + 4;
		if (chunks == 0) {
			good = memcmp(type, "IHDR", 4) == 0 && length == 13 &&
			       png_read32(data) == width && png_read32(data + 4) == height &&
			       memcmp(data + 8, "\x08\x02\0\0\0", 5) == 0;
		} else if (memcmp(type, "IEND", 4) == 0) {
			ended = length == 0;
			good = ended && at + 12 == size;
		} else {
			good = memcmp(type, "IDAT", 4) == 0 && length > 0 && status == Z_OK;
			stream.next_in = (Bytef *)(uintptr_t)data;
			stream.avail_in = (uInt)length;
			status = good ? inflate(&stream, Z_NO_FLUSH) : status;
			good = good && stream.avail_in == 0;
		}
	}
	good = good && ended && status == Z_STREAM_END && stream.total_out == raw;
	inflateEnd(&stream);
	for (uint32_t y = 0; good && y < height; y++) {
		good = lines[y * line] == 0;
		memcpy(pixels + y * (line - 1), lines + y * line + 1, line - 1);
	}
	free(lines);
	if (!good) {
		free(pixels);
		return NULL;
	}
	return pixels;
}

#endif
