// SPDX-License-Identifier: Apache-2.0
/*
 * Messages to the firmware that cost it as much as a message can: full of tags, of those with the largest answers, in
 * memory nobody has touched. Each is answered or refused; a debug build of Mezzo tells the longest exit.
 */
#include "pi.h"

#define WORDS        1024U
#define ANSWERED     (1U << 31)
#define TAG_REVISION 0x10002U
#define TAG_CLOCKS   0x10007U
#define TAG_PALETTE  0x4000bU
#define TAG_SIZE     0x48003U
#define TAG_LAST     0x60001U

static volatile u32 message[WORDS] __attribute__((aligned(16)));

// A message of `tag` again and again, each with `room` words.
static void send(u32 tag, u32 room, const char *name)
{
	u32 at = 2;

	while (at + 3 + room < WORDS) {
		message[at] = tag;
		message[at + 1] = 4 * room;
		message[at + 2] = 0;
		for (u32 i = 0; i < room; i++)
			message[at + 3 + i] = 7;
		at += 3 + room;
	}
	message[at] = 0;
	message[0] = 4 * (at + 1);
	message[1] = 0;
	check(mbox_call(message) && (message[4] & ANSWERED), name);
}

void program(u64 tree)
{
	(void)tree;
	send(TAG_REVISION, 1, "revisions");
	send(TAG_REVISION, 0, "revisions without room");
	send(TAG_LAST, 1, "the last tag that is looked for");
	send(TAG_CLOCKS, 20, "lists of clocks");
	send(TAG_PALETTE, 256, "palettes");
	send(TAG_PALETTE, 0, "palettes without room");
	send(TAG_SIZE, 2, "sizes of the screen");
}
