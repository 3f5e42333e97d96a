/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to the firmware that are wrong: sizes that cannot be, tags longer than their message, memory that is not
 * there, framebuffers larger than it. None is answered with success, and a good one is understood after each.
 */
#include "pi.h"

#define WORDS        64U
#define TAG_REVISION 0x10002U
#define TAG_ALLOCATE 0x40001U
#define TAG_RELEASE  0x48001U
#define TAG_SIZE     0x48003U
#define TAG_VIRTUAL  0x48004U
#define TAG_DEPTH    0x48005U
#define ALIAS        0xc0000000U
#define TRIES        20000U

static volatile u32 message[WORDS] __attribute__((aligned(16)));

/* Sends what may lie anywhere, and takes what comes back, if something does. */
static void send(u32 bus)
{
	barrier();
	write32(MBOX_WRITE, (bus & ~15U) | MBOX_PROPERTY);
	for (u32 i = 0; i < TRIES; i++) {
		if (!(read32(MBOX_STATUS) & MBOX_EMPTY)) {
			(void)read32(MBOX_READ);
			break;
		}
	}
	barrier();
}

static void still_good(const char *name)
{
	u32 revision = 0;

	check(mbox_tag(TAG_REVISION, &revision, 1) == 4 && revision != 0, name);
}

static void sized(u32 size, u32 tag_bytes, const char *name)
{
	message[0] = size;
	message[1] = 0;
	message[2] = TAG_REVISION;
	message[3] = tag_bytes;
	message[4] = 0;
	message[5] = 0;
	message[6] = 0;
	send((u32)(uintptr_t)message | ALIAS);
	still_good(name);
}

static void placed(u32 bus, const char *name)
{
	send(bus);
	still_good(name);
}

/* A screen of so many pixels each way. What was given, in bytes. */
static u32 screen(u32 width, u32 height, u32 depth)
{
	static const u32 tags[] = {TAG_SIZE, TAG_VIRTUAL, TAG_DEPTH, TAG_ALLOCATE};
	u32 at = 2;

	for (u32 i = 0; i < sizeof tags / sizeof tags[0]; i++) {
		message[at] = tags[i];
		message[at + 1] = tags[i] == TAG_DEPTH ? 4 : 8;
		message[at + 2] = 0;
		message[at + 3] = tags[i] == TAG_DEPTH      ? depth
		                  : tags[i] == TAG_ALLOCATE ? 16
		                                            : width;
		message[at + 4] = tags[i] == TAG_DEPTH ? 0 : tags[i] == TAG_ALLOCATE ? 0 : height;
		at += tags[i] == TAG_DEPTH ? 4 : 5;
	}
	message[at] = 0;
	message[0] = 4 * (at + 1);
	message[1] = 0;
	(void)mbox_call(message);
	return message[at - 1];
}

void program(u64 tree)
{
	u32 vc[2] = {0, 0};

	(void)tree;
	sized(0, 4, "after a message of no bytes");
	sized(8, 4, "after one that ends before its first tag");
	sized(13, 4, "after one of an odd size");
	sized(0xffffffffU, 4, "after one of 4 GiB");
	sized(28, 0xfffffffcU, "after a tag of 4 GiB");
	sized(28, 4096, "after a tag that is longer than its message");
	placed(ALIAS | 0x3f000000U, "after one in the peripherals");
	placed(ALIAS | 0x3bfffff0U, "after one that no memory may be under");
	placed(0x7e00b880U, "after one in the mailbox itself");

	check(mbox_tag(0x10006U, vc, 2) == 8, "VideoCore's memory");
	placed((vc[0] + vc[1] - 16) | ALIAS, "after one at the end of memory");
	check(screen(65535, 65535, 32) <= vc[1], "a screen of 16 GiB is not given");
	check(screen(0xffffffffU, 0xffffffffU, 32) <= vc[1], "nor one whose size wraps round");
	check(screen(0, 0, 0) <= vc[1], "nor more than there is for one of nothing");
	check(mbox_tag(TAG_RELEASE, vc, 0) >= 0, "it is released");
	still_good("after all that");
}
