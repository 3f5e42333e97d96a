// SPDX-License-Identifier: Apache-2.0
// Pixels of a framebuffer into red, green and blue. Owns nothing; called by console/commands_screen.c.
// The guest goes on drawing meanwhile: a picture is of a moment for each piece of a line, no more.
// Source: Raspberry Pi firmware wiki, "Mailbox property interface": depth, pixel order, palette.
#include "vdev/vbcm2835_scan.h"

#include "base/bits.h"
#include "vm/vm.h"

#define RED_565   GENMASK_U32(15, 11)
#define GREEN_565 GENMASK_U32(10, 5)
#define BLUE_565  GENMASK_U32(4, 0)

// Five or six bits spread over eight, so that all ones stay all ones.
static uint8_t spread(uint64_t value, unsigned bits)
{
	return (uint8_t)(value << (8 - bits) | value >> (2 * bits - 8));
}

// Each of these gives the colours in the order that mode.rgb names.
static void pixel_8(const uint8_t *from, uint8_t *rgb, const uint32_t *palette)
{
	uint32_t colour = palette[*from];

	rgb[0] = (uint8_t)colour;
	rgb[1] = (uint8_t)(colour >> 8);
	rgb[2] = (uint8_t)(colour >> 16);
}

static void pixel_16(const uint8_t *from, uint8_t *rgb)
{
	uint32_t colour = (uint32_t)(from[0] | from[1] << 8);

	rgb[0] = spread(field_get(RED_565, colour), 5);
	rgb[1] = spread(field_get(GREEN_565, colour), 6);
	rgb[2] = spread(field_get(BLUE_565, colour), 5);
}

void vbcm2835_scan_convert(const struct vbcm2835_fb_view *view, const uint8_t *from, uint32_t count,
                           uint8_t *rgb)
{
	uint32_t bytes = view->mode.depth / 8;
	bool swap = view->mode.rgb == 0;

	for (uint32_t i = 0; i < count; i++, from += bytes, rgb += 3) {
		if (bytes == 1) {
			pixel_8(from, rgb, view->palette);
		} else if (bytes == 2) {
			pixel_16(from, rgb);
		} else { // in 32 bits the last byte says how much shows through, and nothing does
			rgb[0] = from[0];
			rgb[1] = from[1];
			rgb[2] = from[2];
		}
		if (swap) {
			uint8_t first = rgb[0];
			rgb[0] = rgb[2];
			rgb[2] = first;
		}
	}
}

int vbcm2835_scan(struct vm *vm, const struct vbcm2835_fb_view *view, uint32_t x, uint32_t y,
                  uint32_t count, uint8_t *rgb)
{
	uint8_t pixels[4 * VBCM2835_SCAN_MAX];
	uint32_t bytes = view->mode.depth / 8;
	uint64_t ipa = view->ipa + (uint64_t)y * view->pitch + x * bytes;

	if (stage2_peek(&vm->stage2, IPA(ipa), pixels, count * bytes) != 0)
		return ERR_FAULT;
	vbcm2835_scan_convert(view, pixels, count, rgb);
	return 0;
}
