// SPDX-License-Identifier: Apache-2.0
/*
 * Pictures to be looked at: waits for a letter, shows what it stands for and says `ready LETTER`. Not one of the
 * programs that check themselves: test/boot/test_screen.py knows what each picture must look like.
 *
 *   a to f  a mode of the table below      g  other lines in it, one after the other, without end
 *   r       gives the framebuffer up       q  ends
 */
#include "pi.h"

#define TAG_RELEASE    0x48001U
#define TAG_ALLOCATE   0x40001U
#define TAG_PITCH      0x40008U
#define TAG_SET_SIZE   0x48003U
#define TAG_SET_VSIZE  0x48004U
#define TAG_SET_DEPTH  0x48005U
#define TAG_SET_ORDER  0x48006U
#define TAG_SET_OFFSET 0x48009U
#define TAG_PALETTE    0x4800bU
#define BUS_MASK       0x3fffffffU
#define COLOURS        256U
#define AT_ONCE        8U
#define AUX_MU_LSR_RX  1U

static const struct mode {
	u32 width, height, virtual_height, y, depth, rgb;
} modes[] = {
        {1024, 768, 768, 0, 32, 1}, {320, 240, 240, 0, 32, 0}, {200, 120, 120, 0, 24, 1},
        {321, 200, 200, 0, 16, 1},  {256, 100, 100, 0, 8, 1},  {160, 120, 240, 120, 32, 1},
};

static u64 base;
static u32 pitch;

/* Above, eight bars; below, a pattern that is different everywhere. Red, green, blue from the lowest byte on. */
static u32 colour(u32 x, u32 y, const struct mode *m)
{
	if (y < m->height / 2) {
		u32 bar = x * 8 / m->width;
		return (bar & 1 ? 0xffU : 0) | (bar & 2 ? 0xff00U : 0) | (bar & 4 ? 0xff0000U : 0);
	}
	return (x & 0xffU) | (y & 0xffU) << 8 | ((x ^ y) & 0xffU) << 16;
}

static void write8(u64 addr, u32 value)
{
	__asm__ volatile("strb %w0, [%1]" : : "rZ"(value), "r"(addr) : "memory");
}

static void write16(u64 addr, u32 value)
{
	__asm__ volatile("strh %w0, [%1]" : : "rZ"(value), "r"(addr) : "memory");
}

static void put_pixel(u64 at, const struct mode *m, u32 rgb)
{
	u32 red = rgb & 0xffU, green = rgb >> 8 & 0xffU, blue = rgb >> 16;
	u32 swapped = blue | green << 8 | red << 16;
	switch (m->depth) {
	case 32: write32(at, (m->rgb ? rgb : swapped) | 0x5a000000U); break;
	case 24:
		write8(at, red);
		write8(at + 1, green);
		write8(at + 2, blue);
		break;
	case 16: write16(at, red >> 3 << 11 | green >> 2 << 5 | blue >> 3); break;
	default: write8(at, red); /* the palette makes a colour of it */
	}
}

static void draw(const struct mode *m)
{
	for (u32 y = 0; y < m->height; y++)
		for (u32 x = 0; x < m->width; x++)
			put_pixel(base + (u64)(m->y + y) * pitch + x * (m->depth / 8), m,
			          colour(x, y, m));
}

/* Number n is n, 255 - n, n * 7. */
static void set_palette(void)
{
	for (u32 first = 0; first < COLOURS; first += AT_ONCE) {
		u32 words[2 + AT_ONCE] = {first, AT_ONCE};
		for (u32 i = 0; i < AT_ONCE; i++) {
			u32 n = first + i;
			words[2 + i] = n | (255 - n) << 8 | (n * 7 & 0xffU) << 16;
		}
		mbox_tag(TAG_PALETTE, words, 2 + AT_ONCE);
	}
}

static bool set_mode(const struct mode *m)
{
	static volatile u32 message[40] __attribute__((aligned(16)));
	const u32 words[] = {sizeof message,
	                     0,
	                     TAG_SET_SIZE,
	                     8,
	                     0,
	                     m->width,
	                     m->height,
	                     TAG_SET_VSIZE,
	                     8,
	                     0,
	                     m->width,
	                     m->virtual_height,
	                     TAG_SET_DEPTH,
	                     4,
	                     0,
	                     m->depth,
	                     TAG_SET_ORDER,
	                     4,
	                     0,
	                     m->rgb,
	                     TAG_SET_OFFSET,
	                     8,
	                     0,
	                     0,
	                     m->y,
	                     TAG_ALLOCATE,
	                     8,
	                     0,
	                     4096,
	                     0,
	                     TAG_PITCH,
	                     4,
	                     0,
	                     0,
	                     0};
	for (u32 i = 0; i < sizeof words / sizeof words[0]; i++)
		message[i] = words[i];
	if (!mbox_call(message))
		return false;
	base = message[28] & BUS_MASK;
	pitch = message[33];
	if (m->depth == 8)
		set_palette();
	return base != 0;
}

static char get_char(void)
{
	while (!(read32(AUX_MU_LSR) & AUX_MU_LSR_RX))
		;
	return (char)read32(AUX_MU_IO);
}

/* Draws without end, until the next letter. */
static void animate(const struct mode *m)
{
	for (u32 shift = 1; !(read32(AUX_MU_LSR) & AUX_MU_LSR_RX); shift++)
		for (u32 x = 0; x < m->width; x++)
			put_pixel(base + (u64)(m->y + shift % m->height) * pitch +
			                  x * (m->depth / 8),
			          m, (shift * 0x10101U + x) & 0xffffffU);
}

void program(u64 tree)
{
	const struct mode *m = NULL;
	(void)tree;
	print("waits\n");
	for (;;) {
		char key = get_char();
		u32 index = (u32)(key - 'a');
		if (key == 'q')
			return;
		if (key == 'r') {
			u32 none[1] = {0};
			mbox_tag(TAG_RELEASE, none, 0);
		} else if (key != 'g' && index < sizeof modes / sizeof modes[0]) {
			m = &modes[index];
			if (!set_mode(m)) {
				print("no framebuffer\n");
				continue;
			}
			draw(m);
		}
		print("ready %c\n", key);
		if (key == 'g' && m != NULL)
			animate(m);
	}
}
