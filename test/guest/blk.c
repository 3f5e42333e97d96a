/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio disk: reading, writing, flushing, its name, requests cut into many segments, many at a time, and what it says to
 * requests that cannot be. Each 8 bytes of the disk are their own number in it, at the start. `bench=N` instead prints
 * what N requests of each kind take, in ticks of the counter; `write=N` writes and flushes for ever from sector N on, and
 * says so; `ro=1`: the disk cannot be written.
 * Source: Virtual I/O Device (VIRTIO) specification, "Block Device".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"
#include "virtio.h"

#define IN           0u
#define OUT          1u
#define FLUSH        4u
#define GET_ID       8u
#define DISCARD      11u
#define WRITE_ZEROES 13u
#define S_OK         0u
#define S_IOERR      1u
#define S_UNSUPP     2u
#define F_RO         BIT(5)
#define F_FLUSH      BIT(9)
#define F_DISCARD    BIT(13)
#define F_ZEROES     BIT(14)
#define SECTOR       512u
#define DATA_BYTES   (128 * KIB)
#define ID_BYTES     20u
#define ANSWER_US    10000000ul
#define SILENT_US    60000000ul /* a disk that answers nothing is given up before */
#define MANY         16u
#define STEP         4096u

struct header {
	u32 type, reserved;
	u64 sector;
};

static struct virtio dev;
static u64 capacity;
static u8 data[DATA_BYTES] __attribute__((aligned(4096)));
static struct header headers[MANY];
static volatile u8 statuses[MANY];
static struct {
	u64 sector;
	u32 sectors, flags;
} extent;
static u64 next = 1; /* of random numbers */

static u64 random_below(u64 n)
{
	next = next * 6364136223846793005ul + 1442695040888963407ul;
	return (next >> 33) % n;
}

static u64 patience = ANSWER_US;

/* Waits for one buffer. */
static bool wait_one(u16 *id, u32 *bytes)
{
	return WAIT_FOR(virtio_take(&dev, 0, id, bytes), patience);
}

/* One request whose data are in `pieces` segments of about the same size; its status, 0xff if none comes. */
static u8 ask(u32 type, u64 sector, const void *at, u32 bytes, bool in, unsigned pieces)
{
	struct virtio_segment segment[VIRTIO_RING_MAX] = {{&headers[0], sizeof(headers[0]), false}};
	unsigned n = 1;
	u16 id;
	u32 length;

	headers[0] = (struct header){type, 0, sector};
	statuses[0] = 0xff;
	for (u32 done = 0, some; done < bytes; done += some) {
		some = n == pieces ? bytes - done : bytes / pieces;
		segment[n++] = (struct virtio_segment){(const u8 *)at + done, some, in};
	}
	segment[n++] = (struct virtio_segment){(const void *)&statuses[0], 1, true};
	virtio_put(&dev, 0, segment, n);
	virtio_notify(&dev, 0);
	return wait_one(&id, &length) ? statuses[0] : 0xff;
}

static u64 words_wrong_at(const u8 *at, u64 sector, u32 bytes)
{
	const u64 *word = (const u64 *)(const void *)at;
	u64 wrong = 0;
	for (u32 i = 0; i < bytes / 8; i++)
		wrong += word[i] != sector * (SECTOR / 8) + i;
	return wrong;
}

static u64 words_wrong(u64 sector, u32 bytes)
{
	return words_wrong_at(data, sector, bytes);
}

static void number(u64 sector, u32 bytes)
{
	u64 *word = (u64 *)(void *)data;
	for (u32 i = 0; i < bytes / 8; i++)
		word[i] = sector * (SECTOR / 8) + i;
}

static void test_reading(void)
{
	group_begin("blk-reads");
	for (u64 sector = 0; sector < capacity; sector += DATA_BYTES / SECTOR) {
		u64 left = (capacity - sector) * SECTOR;
		u32 bytes = left < DATA_BYTES ? (u32)left : DATA_BYTES;
		group_eq(ask(IN, sector, data, bytes, true, 1), S_OK, "status of sector %lu",
		         sector);
		group_eq(words_wrong(sector, bytes), 0, "words from sector %lu on", sector);
	}
	group_eq(ask(IN, capacity - 1, data, SECTOR, true, 1), S_OK, "the last sector");
	group_eq(words_wrong(capacity - 1, SECTOR), 0, "its words");
	group_end();
	group_begin("blk-cut");
	for (unsigned pieces = 1; pieces <= 60; pieces++) {
		__builtin_memset(data, 0, 8192);
		group_eq(ask(IN, pieces, data, 8192, true, pieces), S_OK, "in %u pieces", pieces);
		group_eq(words_wrong(pieces, 8192), 0, "words in %u pieces", pieces);
	}
	group_end();
}

/* All of them are under way at once, and come back in any order. */
static void test_many(void)
{
	u16 id;
	u32 bytes;

	group_begin("blk-many");
	for (unsigned i = 0; i < MANY; i++) {
		const struct virtio_segment segment[] = {
		        {&headers[i], sizeof(headers[i]), false},
		        {data + i * STEP, STEP, true},
		        {(const void *)&statuses[i], 1, true},
		};
		headers[i] = (struct header){IN, 0, i * (STEP / SECTOR)};
		statuses[i] = 0xff;
		virtio_put(&dev, 0, segment, 3);
	}
	virtio_notify(&dev, 0);
	for (unsigned i = 0; i < MANY; i++)
		group_eq(wait_one(&id, &bytes) ? bytes : 0, STEP + 1, "answer %u", i);
	for (unsigned i = 0; i < MANY; i++)
		group_eq(statuses[i], S_OK, "status %u", i);
	group_eq(words_wrong(0, MANY * STEP), 0, "words");
	group_end();
}

static void test_writing(void)
{
	u64 sector = 16;

	group_begin("blk-writes");
	for (unsigned pieces = 1; pieces < 40; pieces += 3) {
		number(sector + 1000000, 3 * SECTOR);
		group_eq(ask(OUT, sector, data, 3 * SECTOR, false, pieces), S_OK, "in %u pieces",
		         pieces);
		__builtin_memset(data, 0, 5 * SECTOR);
		group_eq(ask(IN, sector - 1, data, 5 * SECTOR, true, 1), S_OK, "read again");
		group_eq(words_wrong_at(data + SECTOR, sector + 1000000, 3 * SECTOR), 0,
		         "is there");
		number(sector, 3 * SECTOR); /* as it was */
		group_eq(ask(OUT, sector, data, 3 * SECTOR, false, 1), S_OK, "put back");
		sector += 5;
	}
	if ((dev.features & F_FLUSH) != 0)
		group_eq(ask(FLUSH, 0, data, 0, false, 1), S_OK, "flushed");
	group_end();
}

static void test_erasing(void)
{
	if ((dev.features & F_ZEROES) == 0 || (dev.features & F_DISCARD) == 0) {
		test_skip("the disk cannot", "blk-erases");
		return;
	}
	group_begin("blk-erases");
	extent.sector = 9;
	extent.sectors = 30;
	group_eq(ask(WRITE_ZEROES, 0, &extent, sizeof(extent), false, 1), S_OK, "zeroes");
	group_eq(ask(IN, 9, data, 30 * SECTOR, true, 1), S_OK, "read again");
	u64 sum = 0;
	for (u32 i = 0; i < 30 * SECTOR; i++)
		sum += data[i];
	group_eq(sum, 0, "they are zeroes");
	group_eq(ask(IN, 8, data, SECTOR, true, 1), S_OK, "the one before");
	group_eq(words_wrong(8, SECTOR), 0, "is as it was");
	group_eq(ask(DISCARD, 0, &extent, sizeof(extent), false, 1), S_OK, "discarded");
	extent.sector = capacity;
	group_eq(ask(WRITE_ZEROES, 0, &extent, sizeof(extent), false, 1), S_IOERR,
	         "beyond the end");
	number(9, 30 * SECTOR);
	group_eq(ask(OUT, 9, data, 30 * SECTOR, false, 1), S_OK, "put back");
	group_end();
}

static void test_refusals(bool read_only)
{
	group_begin("blk-refuses");
	group_eq(ask(IN, capacity, data, SECTOR, true, 1), S_IOERR, "beyond the end");
	group_eq(ask(IN, capacity - 1, data, 2 * SECTOR, true, 1), S_IOERR, "across the end");
	group_eq(ask(IN, ~0ul, data, SECTOR, true, 1), S_IOERR, "far beyond");
	group_eq(ask(IN, BIT(55), data, SECTOR, true, 1), S_IOERR, "where bytes wrap");
	group_eq(ask(OUT, capacity, data, SECTOR, false, 1), S_IOERR, "a write beyond the end");
	group_eq(ask(77, 0, data, SECTOR, true, 1), S_UNSUPP, "what there is not");
	if (read_only)
		group_eq(ask(OUT, 0, data, SECTOR, false, 1), S_IOERR, "a write");
	group_eq(ask(IN, 0, data, SECTOR, true, 1), S_OK, "goes on");
	group_eq(virtio_status(&dev) & 0xc0, 0, "nothing is broken");
	group_end();
}

static void test_interrupt(void)
{
	virtio_interrupts(&dev);
	gic_set_edge(dev.intid, false);
	check_eq(gic_is_pending(dev.intid), false, "blk-quiet");
	ask(IN, 0, data, SECTOR, true, 1);
	check_true(WAIT_FOR(gic_is_pending(dev.intid), ANSWER_US), "blk-interrupts");
	check_eq(virtio_interrupts(&dev) & 1, 1, "blk-says-why");
	check_true(WAIT_FOR(!gic_is_pending(dev.intid), ANSWER_US), "blk-acknowledged");
}

/* ---- for other tests ---- */

static void bench_one(const char *name, u64 n, u32 type, u32 bytes, bool random)
{
	u64 begin = timer_count(), sector = 0, places = capacity * SECTOR / bytes;
	for (u64 i = 0; i < n; i++) {
		sector = (random ? random_below(places) : i % places) * (bytes / SECTOR);
		if (ask(type, sector, data, bytes, type == IN, 1) != S_OK)
			print("blk: %s failed\n", name);
	}
	u64 ticks = timer_count() - begin;
	print("blk: %s %lu requests of %u bytes, %lu ticks, %lu each\n", name, n, bytes, ticks,
	      ticks / n);
}

static void bench(u64 n)
{
	bench_one("first-reads", n, IN, 4096, true);
	bench_one("random-reads", n, IN, 4096, true);
	bench_one("first-writes", n, OUT, 4096, true);
	bench_one("random-writes", n, OUT, 4096, true);
	bench_one("sequential-reads", n, IN, DATA_BYTES, false);
	bench_one("sequential-writes", n, OUT, DATA_BYTES, false);
	bench_one("flushes", n, FLUSH, 0 + SECTOR, false);
}

/* What was said to be flushed is on the medium, whenever the board is switched off. */
static void write_on(u64 sector)
{
	patience = SILENT_US;
	for (u64 round = 1;; round++) {
		number(round * 1000000, STEP);
		bool good = ask(OUT, sector + round % 8 * (STEP / SECTOR), data, STEP, false, 1) ==
		                    S_OK &&
		            ask(FLUSH, 0, data, 0, false, 1) == S_OK;
		print("blk: flushed %lu %s\n", round, good ? "good" : "bad");
	}
}

static bool begin(void)
{
	if (!check_true(virtio_find(VIRTIO_ID_BLOCK, 0, &dev), "blk-is-there") ||
	    !check_true(virtio_begin(&dev, F_RO | F_FLUSH | F_DISCARD | F_ZEROES), "blk-agrees") ||
	    !check_true(virtio_add_queue(&dev, 0), "blk-queue"))
		return false;
	virtio_go(&dev);
	capacity = virtio_config(&dev, 0, 8);
	return true;
}

void test_main(void)
{
	char id[ID_BYTES];
	bool read_only = platform_arg("ro", 0) != 0;

	if (!begin())
		return;
	if (platform_arg("bench", 0) != 0) {
		bench(platform_arg("bench", 0));
		return;
	}
	if (platform_arg("write", 0) != 0)
		write_on(platform_arg("write", 0));
	check_eq((dev.features & F_RO) != 0, read_only, "blk-read-only");
	test_reading();
	test_many();
	check_eq(ask(GET_ID, 0, id, sizeof(id), true, 1), S_OK, "blk-name");
	if (!read_only) {
		test_writing();
		test_erasing();
	}
	test_refusals(read_only);
	test_interrupt();
	check_true(begin(), "blk-again"); /* after a reset all is as it was */
	test_reading();
}
