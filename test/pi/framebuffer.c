// SPDX-License-Identifier: Apache-2.0
/* A framebuffer from the mailbox, a pattern in it, and a page that scrolls by its virtual offset. */
#include "pi.h"

#define TAG_ALLOCATE   0x40001U
#define TAG_PITCH      0x40008U
#define TAG_SET_SIZE   0x48003U
#define TAG_SET_VSIZE  0x48004U
#define TAG_SET_DEPTH  0x48005U
#define TAG_SET_ORDER  0x48006U
#define TAG_SET_OFFSET 0x48009U
#define TAG_VC_MEMORY  0x10006U
#define WIDTH          320U
#define HEIGHT         240U
#define DEPTH          32U
#define ORDER_RGB      1U
#define BUS_MASK       0x3fffffffU
#define ANSWERED       (1U << 31)

/* All in one message: what is set takes effect when the buffer is allocated. */
static volatile u32 message[36] __attribute__((aligned(16))) = {sizeof(message),
                                                                0,
                                                                TAG_SET_SIZE,
                                                                8,
                                                                0,
                                                                WIDTH,
                                                                HEIGHT,
                                                                TAG_SET_VSIZE,
                                                                8,
                                                                0,
                                                                WIDTH,
                                                                HEIGHT * 2,
                                                                TAG_SET_DEPTH,
                                                                4,
                                                                0,
                                                                DEPTH,
                                                                TAG_SET_ORDER,
                                                                4,
                                                                0,
                                                                ORDER_RGB,
                                                                TAG_SET_OFFSET,
                                                                8,
                                                                0,
                                                                0,
                                                                0,
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

enum { SIZE_AT = 5, VSIZE_AT = 10, DEPTH_AT = 15, ORDER_AT = 19, BASE_AT = 28, PITCH_AT = 33 };

static u32 colour(u32 x, u32 y)
{
	return (x * 255 / WIDTH) | (y * 255 / HEIGHT) << 8 | ((x ^ y) & 0xffU) << 16;
}

void program(u64 tree)
{
	u32 vc[2] = {0, 0}, offset[2] = {0, HEIGHT}, sum = 0, expected = 0;
	(void)tree;
	check(mbox_call(message), "the message is answered");
	check(message[SIZE_AT] == WIDTH && message[SIZE_AT + 1] == HEIGHT, "size as asked for");
	check(message[VSIZE_AT] == WIDTH && message[VSIZE_AT + 1] == 2 * HEIGHT,
	      "virtual size as asked for");
	check(message[DEPTH_AT] == DEPTH, "depth as asked for");
	u64 base = message[BASE_AT] & BUS_MASK;
	u32 bytes = message[BASE_AT + 1], pitch = message[PITCH_AT];
	check(message[PITCH_AT - 1] == (4U | ANSWERED) && pitch >= WIDTH * 4,
	      "pitch covers a line");
	check(base != 0 && bytes >= pitch * HEIGHT * 2, "the buffer holds both pages");
	check(mbox_tag(TAG_VC_MEMORY, vc, 2) == 8 && base >= vc[0] &&
	              base + bytes <= (u64)vc[0] + vc[1],
	      "the buffer is in the VideoCore's memory");
	if (!base || bytes < pitch * HEIGHT * 2)
		return;
	for (u32 y = 0; y < HEIGHT; y++)
		for (u32 x = 0; x < WIDTH; x++)
			write32(base + (u64)y * pitch + x * 4, colour(x, y));
	for (u32 y = 0; y < HEIGHT; y++)
		for (u32 x = 0; x < WIDTH; x++) {
			sum = sum * 31 + read32(base + (u64)y * pitch + x * 4);
			expected = expected * 31 + colour(x, y);
		}
	check(sum == expected, "the pattern reads back");
	check(mbox_tag(TAG_SET_OFFSET, offset, 2) == 8 && offset[1] == HEIGHT,
	      "the second page is shown");
	offset[1] = 0;
	check(mbox_tag(TAG_SET_OFFSET, offset, 2) == 8 && offset[1] == 0,
	      "and the first one again");
}
