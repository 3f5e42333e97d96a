// SPDX-License-Identifier: Apache-2.0
/*
 * Class H33: what kinds of virtio devices make of notifications, buffers and messages that no driver would send. Under Mezzo
 * the machine has two interfaces at one net, where the victim has a third, a second disk, which is the board's, a console, a
 * balloon and, where the board has a source, an entropy device (suite.py). Queues themselves are in cases_rings.c, the balloon
 * is in cases_balloon.c.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Network Device", "Block Device", "Console Device", "Entropy Device".
 */
#include "rings.h"

#define F_MULTIPORT BIT(1)
#define KICKS       1000u
#define QUIET_US    2000ul

/* Each keeps the memory of its rings from case to case. */
static struct virtio rng, console, nic[2], board_disk;

/* ---- every device ---- */

static void want_quiet(struct virtio *dev, u32 id, unsigned n, u32 queues)
{
	if (dev->base == 0 && !virtio_find(id, n, dev))
		return;
	rings_begin(dev, id, n, 0, queues);
	(void)virtio_interrupts(dev);
	for (unsigned queue = 0; queue < VIRTIO_QUEUES_MAX; queue++) {
		for (u32 i = 0; (queues & BIT(queue)) != 0 && i < KICKS; i++)
			write32(dev->base + QUEUE_NOTIFY, queue);
		if ((queues & BIT(queue)) != 0)
			want_eq(read16(dev->queue[queue].memory + USED_AT + 2), 0,
			        "used entries of device %u", id);
	}
	want_eq(read32(dev->base + INTERRUPTS), 0, "interrupts of device %u", id);
	want_true(!rings_broken(dev), "device %u goes on", id);
	write32(dev->base + STATUS, 0);
}

static void kicks(void)
{
	want_quiet(&rings_disk, VIRTIO_ID_BLOCK, 0, 1);
	want_quiet(&rng, VIRTIO_ID_ENTROPY, 0, 1);
	want_quiet(&nic[0], VIRTIO_ID_NET, 0, 3);
	want_quiet(&nic[1], VIRTIO_ID_NET, 1, 3);
	want_quiet(&rings_balloon, VIRTIO_ID_BALLOON, 0, 1);
	if (rings_disk.base == 0)
		absent("no such device");
}

static void entropy(void)
{
	u32 written;

	rings_begin(&rng, VIRTIO_ID_ENTROPY, 0, 0, 1);
	rings_fill(DATA, 2 * PAGE_BYTES);
	want_true(rings_one_back(&rng, 0, DATA, PAGE_BYTES, false, &written), "nothing to write");
	want_eq(written, 0, "bytes where nothing may be written");
	rings_want_whole(DATA, PAGE_BYTES, "a buffer that is to be read");
	want_true(rings_one_back(&rng, 0, DATA, 1, true, &written), "one byte");
	want_eq(written, 1, "of one byte");
	rings_want_whole(DATA + 1, PAGE_BYTES, "one byte");
	const struct virtio_segment last = {(const void *)(ram_end() - 1), 2, true};
	virtio_put(&rng, 0, &last, 1);
	virtio_notify(&rng, 0);
	want_true(WAIT_FOR(rings_broken(&rng), ANSWER_US), "two bytes at the last of RAM");
}

static void console_messages(void)
{
	u32 written;

	rings_begin(&console, VIRTIO_ID_CONSOLE, 0, F_MULTIPORT, BIT(3));
	for (u32 i = 0; i < 300; i++) {
		write64((u64)DATA, i % 3 == 0 ? case_random() : case_random() & 0x0007000f00000003);
		want_true(rings_one_back(&console, 3, DATA, i % 9, false, &written), "message %u",
		          i);
	}
	want_true(!rings_broken(&console), "goes on");
	write32(console.base + STATUS, 0);
}

/* ---- disks ---- */

/* 32 KiB from the beginning of the n-th disk to MORE. The status is behind the header. */
static void put_read(struct virtio *disk)
{
	const struct virtio_segment parts[] = {{case_memory, 16, false},
	                                       {MORE, 8 * PAGE_BYTES, true},
	                                       {case_memory + 64, 1, true}};

	virtio_put(disk, 0, parts, ARRAY_LEN(parts));
}

static void reset_in_flight(struct virtio *disk, unsigned n)
{
	const unsigned many = 20;
	u8 *used;
	u16 id;
	u32 bytes;

	for (unsigned round = 0; round < 8; round++) {
		rings_begin(disk, VIRTIO_ID_BLOCK, n, 0, 1);
		for (unsigned i = 0; i < many; i++)
			put_read(disk);
		virtio_notify(disk, 0);
		if (round % 2 != 0)
			(void)virtio_wait(disk, 0, &id, &bytes, ANSWER_US);
		write32(disk->base + STATUS, 0);
		want_true(WAIT_FOR(read32(disk->base + STATUS) == 0, ANSWER_US), "it is reset");
		used = (u8 *)disk->queue[0].memory + USED_AT;
		rings_fill(MORE, 8 * PAGE_BYTES);
		rings_fill(used, PAGE_BYTES);
		timer_delay(QUIET_US);
		rings_want_whole(MORE, 8 * PAGE_BYTES, "a reset");
		rings_want_whole(used, PAGE_BYTES, "a reset, used ring");
		want_eq(read32(disk->base + INTERRUPTS), 0, "interrupts after a reset");
	}
	rings_begin(disk, VIRTIO_ID_BLOCK, n, 0, 1);
	case_memory[64] = 0xff;
	put_read(disk);
	virtio_notify(disk, 0);
	want_true(virtio_wait(disk, 0, &id, &bytes, ANSWER_US), "a good request comes back");
	want_eq(read8((u64)case_memory + 64), 0, "its status");
	want_eq(MORE[0] | MORE[8 * PAGE_BYTES - 1], 0, "its data");
}

static void reset_image(void)
{
	reset_in_flight(&rings_disk, 0);
}

static void reset_board(void)
{
	rings_place(&board_disk, VIRTIO_ID_BLOCK, 1, 0, SPARE);
	reset_in_flight(&board_disk, 1);
	write32(board_disk.base + STATUS, 0);
}

/* ---- networks ---- */

static void begin_nets(void)
{
	rings_begin(&nic[0], VIRTIO_ID_NET, 0, 0, 3);
	rings_begin(&nic[1], VIRTIO_ID_NET, 1, 0, 3);
}

/* A frame in DATA, behind a header of 12 bytes, for the other interface or for all. */
static void make_frame(bool for_all)
{
	for (unsigned i = 0; i < 12; i++)
		DATA[i] = 0;
	for (unsigned i = 0; i < 6; i++) {
		DATA[12 + i] = for_all ? 0xff : (u8)virtio_config(&nic[1], i, 1);
		DATA[18 + i] = (u8)virtio_config(&nic[0], i, 1);
	}
	DATA[24] = 0x88;
	DATA[25] = 0xb5;
}

static void give_buffer(void)
{
	const struct virtio_segment part = {MORE, 2048, true};

	virtio_put(&nic[1], 0, &part, 1);
}

static void no_buffers(void)
{
	u32 written;

	begin_nets();
	for (u32 i = 0; i < 300; i++) {
		make_frame(i % 2 != 0);
		want_true(rings_one_back(&nic[0], 1, DATA, 12 + 1000, false, &written), "frame %u",
		          i);
	}
	want_eq(read16(nic[1].queue[0].memory + USED_AT + 2), 0, "buffers that nobody gave");
	want_true(!rings_broken(&nic[0]) && !rings_broken(&nic[1]), "both go on");
}

static void bad_receiver(void)
{
	u32 written;
	u16 id;

	begin_nets();
	give_buffer();
	virtio_spoil(&nic[1], 0);
	make_frame(false);
	want_true(rings_one_back(&nic[0], 1, DATA, 12 + 100, false, &written),
	          "the sender goes on");
	want_true(WAIT_FOR(rings_broken(&nic[1]), ANSWER_US), "the receiver needs a reset");
	want_true(!rings_broken(&nic[0]), "the sender needs none");
	begin_nets();
	rings_fill(CANARY2, PAGE_BYTES);
	rings_fill(MORE, PAGE_BYTES);
	give_buffer();
	want_true(rings_one_back(&nic[0], 1, DATA, 12 + 100, false, &written), "sends");
	want_true(virtio_wait(&nic[1], 0, &id, &written, ANSWER_US), "arrives");
	want_eq(written, 12 + 100, "bytes");
	rings_want_whole(CANARY2, PAGE_BYTES, "a frame");
	rings_want_whole(MORE + 12 + 100, PAGE_BYTES - 112, "a frame");
}

static void bad_frames(void)
{
	u32 written;

	begin_nets();
	rings_fill(CANARY2, PAGE_BYTES);
	for (u32 i = 0; i < 300; i++) {
		make_frame(i % 5 == 0);
		write64((u64)DATA, case_random());
		write16((u64)DATA + 8, (u16)case_random());
		if (i % 4 == 0)
			give_buffer();
		want_true(rings_one_back(&nic[0], 1, DATA, (u32)(case_random() % PAGE_BYTES), false,
		                         &written),
		          "frame %u", i);
		u16 id;
		while (virtio_take(&nic[1], 0, &id, &written)) {
		}
	}
	rings_want_whole(CANARY2, PAGE_BYTES, "frames");
	want_true(!rings_broken(&nic[0]) && !rings_broken(&nic[1]), "both go on");
	write32(nic[0].base + STATUS, 0);
	write32(nic[1].base + STATUS, 0);
}

CASES(rows) = {
        {"H33.11", "A reset while requests are under way.", "Nothing is written behind it.",
         reset_image, 0, 0},
        {"H33.21", "The same while the board's own disk works at them.",
         "The reset is over when it is; nothing is written behind it.", reset_board, NEEDS_MEZZO,
         0},
        {"H33.14", "1,000 notifications of each queue with nothing in it.",
         "No interrupt, no entry.", kicks, 0, 0},
        {"H33.15", "Buffers that are no good for random bytes.",
         "Nothing is written beside them; one not in RAM needs a reset.", entropy, NEEDS_MEZZO, 0},
        {"H33.17", "300 messages of random bytes to the console about its ports.",
         "Each comes back.", console_messages, NEEDS_MEZZO, 0},
        {"H33.18", "300 frames to a receiver that gives no buffers.", "The sender goes on.",
         no_buffers, NEEDS_MEZZO, 0},
        {"H33.19", "A receive ring of nonsense, to which somebody sends.",
         "The receiver needs a reset, and gets frames after it.", bad_receiver, NEEDS_MEZZO, 0},
        {"H33.20", "300 frames with headers of random bytes.",
         "Both interfaces go on; nothing beside the buffers changes.", bad_frames, NEEDS_MEZZO, 0},
};
