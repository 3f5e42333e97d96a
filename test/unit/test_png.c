// SPDX-License-Identifier: Apache-2.0
// The PNG encoder against zlib: pictures of every kind and odd sizes come back as they were, and how large they are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/png.h"
#include "png_read.h"

struct file {
	uint8_t *bytes;
	size_t size, room, pieces;
};

static void add(struct file *file, const struct png *png, size_t n)
{
	assert_true(n <= PNG_PIECE_MAX);
	if (file->size + n > file->room) {
		file->room = 2 * (file->size + n);
		file->bytes = realloc(file->bytes, file->room);
	}
	memcpy(file->bytes + file->size, png->piece, n);
	file->size += n;
	file->pieces += n > 0;
}

// Parts of 1 to `part` pixels.
static struct file encode(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t part)
{
	static struct png png;
	struct file file = {0};

	memset(&png, 0xa5, sizeof png);
	png_begin(&png, width, height);
	add(&file, &png, PNG_BEGIN_SIZE);
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0, n; x < width; x += n) {
			n = part > 1 ? 1 + (uint32_t)rand() % part : 1;
			n = n < width - x ? n : width - x;
			add(&file, &png, png_pixels(&png, pixels + 3 * (y * width + x), n));
		}
	}
	add(&file, &png, png_end(&png));
	return file;
}

// Returns how many bytes the picture takes.
static size_t check(const uint8_t *pixels, uint32_t width, uint32_t height)
{
	struct file file = encode(pixels, width, height, PNG_PIXELS_MAX);
	uint8_t *back = png_read(file.bytes, file.size, width, height);

	assert_non_null(back);
	assert_memory_equal(back, pixels, 3 * (size_t)width * height);
	free(back);
	free(file.bytes);
	return file.size;
}

static uint8_t *picture(uint32_t width, uint32_t height)
{
	return calloc(3 * (size_t)width, height);
}

// Each next byte is new, or goes on as the one before, the pixel before or the row before for a while.
static void fill(uint8_t *pixels, uint32_t width, uint32_t height)
{
	size_t row = 3 * (size_t)width, size = row * height;
	size_t back = 0;
	int left = 0;

	for (size_t i = 0; i < size; i++) {
		if (left-- == 0) {
			static const int lengths[] = {1, 2, 3, 4, 10, 257, 258, 259, 600, 5000};
			const size_t backs[] = {0, 1, 3, row};
			left = rand() % lengths[rand() % (int)ARRAY_SIZE(lengths)];
			back = backs[rand() % (int)ARRAY_SIZE(backs)];
		}
		pixels[i] = back != 0 && i >= back ? pixels[i - back] : (uint8_t)rand();
	}
}

static void test_random(void **state)
{
	(void)state;
	srand(1);
	for (unsigned i = 0; i < 600; i++) {
		uint32_t width = 1 + (uint32_t)rand() % (i % 10 == 0 ? 700 : 40);
		uint32_t height = 1 + (uint32_t)rand() % 40;
		uint8_t *pixels = picture(width, height);
		fill(pixels, width, height);
		check(pixels, width, height);
		free(pixels);
	}
}

static void test_smallest_and_widest(void **state)
{
	static const uint32_t sizes[][2] = {{1, 1},    {1, 4096}, {2, 3},
	                                    {4096, 1}, {4096, 5}, {4095, 2}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint8_t *pixels = picture(sizes[i][0], sizes[i][1]);
		check(pixels, sizes[i][0], sizes[i][1]);
		fill(pixels, sizes[i][0], sizes[i][1]);
		check(pixels, sizes[i][0], sizes[i][1]);
		free(pixels);
	}
}

// All lengths of a match, at both distances, behind and before other bytes.
static void test_lengths(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 530; n++) {
		const uint32_t width = 200;
		uint8_t *pixels = picture(width, 2);
		for (uint32_t i = 0; i < 3 * width; i++)
			pixels[i] = pixels[3 * width + i] = (uint8_t)(i * 7 + i / 3 * 50);
		for (uint32_t i = n; i < 3 * width; i++)
			pixels[3 * width + i] ^= 0x55;
		for (uint32_t i = 3; i < 3 + n % 300; i++)
			pixels[i] = pixels[i - 3];
		check(pixels, width, 2);
		free(pixels);
	}
}

// Screens are small: one colour, text-like rows that repeat, bars. And noise costs an eighth at most.
static void test_sizes(void **state)
{
	const uint32_t width = 1024, height = 768;
	uint8_t *pixels = picture(width, height);
	size_t raw = 3 * (size_t)width * height;

	(void)state;
	memset(pixels, 0x20, raw);
	assert_true(check(pixels, width, height) < raw / 80);
	for (size_t i = 0; i < raw; i++) // bars
		pixels[i] = (uint8_t)(i % (3 * width) / 3 / 128 * 31 + i % 3 * 60);
	assert_true(check(pixels, width, height) < raw / 80);
	for (size_t i = 0; i < raw; i++)
		pixels[i] = (uint8_t)rand();
	assert_true(check(pixels, width, height) < raw + raw / 10);
	free(pixels);
}

// Pieces are as large as promised, and none is tiny but the last.
static void test_pieces(void **state)
{
	const uint32_t width = 300, height = 50;
	uint8_t *pixels = picture(width, height);

	(void)state;
	for (size_t i = 0; i < 3 * width * height; i++)
		pixels[i] = (uint8_t)(144 + rand() % 112); // the long codes
	struct file file = encode(pixels, width, height, 1);
	assert_true(file.pieces <= 2 + file.size / PNG_ENOUGH);
	free(file.bytes);
	static struct png png;
	png_begin(&png, width, height);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x += 50)
			assert_true(png_pixels(&png, pixels + 3 * (y * width + x), 50) <=
			            PNG_PIECE_MAX);
	assert_true(png_end(&png) <= PNG_PIECE_MAX);
	free(pixels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_random),  cmocka_unit_test(test_smallest_and_widest),
	        cmocka_unit_test(test_lengths), cmocka_unit_test(test_sizes),
	        cmocka_unit_test(test_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
