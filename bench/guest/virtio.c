// SPDX-License-Identifier: Apache-2.0
/*
 * Rows of virtio disks and networks: what an operation takes when so many are kept under way. The driver polls, wants no
 * interrupts, uses event indices and tables of descriptors where the device has them, and asks after each buffer whether
 * it is to notify, as a kernel does whose programs know nothing of each other. It waits with YIELD.
 *
 * A row is one sample of `virtio=OPERATIONS` operations, or an eighth of that of large ones, after as many that warm up: the figure is the counter's ticks
 * for one of them, on one CPU all instructions, waiting included; `bench: own TICKS` before it is without. The plugin counts between the same two marks, and so
 * tells what of it was EL2's, and how often it was entered.
 *
 * With `sink=1` it is the other VM of a net instead: takes what comes and gives the buffers back, until a frame says that
 * it was the last (`bench: sink FRAMES`). The disks of a machine are taken as one kind, in the order of their slots.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Block Device", "Network Device".
 */
#include "virtio.h"

#include "bench.h"

#define DEPTH      32u
#define DATA_BYTES (128 * KIB)
#define SECTOR     512u
#define WAIT_US    200000ul
#define SMALL      4096u
#define FEWER      8u /* so many times fewer operations of more bytes than that */

#define RX        0
#define TX        1
#define HEADER    12u
#define TYPE_AT   (HEADER + 12u)
#define LARGE     65000u
#define ORDINARY  1514u
#define SINK_ROOM (16 * KIB)
#define LAST_TYPE 0x88b6u /* the frame behind which no other comes; for local experiments */
#define LASTS     8u
#define LAST_US   2000u
#define F_CSUM    BIT(0)
#define F_GCSUM   BIT(1)
#define F_GTSO4   BIT(7)
#define F_HTSO4   BIT(11)
#define F_MERGE   BIT(15)
#define OFFLOADS  (F_CSUM | F_GCSUM | F_GTSO4 | F_HTSO4)

/* What a row does. */
struct load {
	u32 kind;   /* VIRTIO_ID_BLOCK or VIRTIO_ID_NET */
	unsigned n; /* which device of that kind */
	bool writes, random;
	u32 bytes, depth;
};

struct request {
	struct {
		u32 type, reserved;
		u64 sector;
	} header;
	u64 table[3][2];
	volatile u8 status;
};

static struct virtio dev;
static u64 capacity, place, random_state = 1;
static struct request request[DEPTH];
static u8 data[DEPTH][DATA_BYTES] __attribute__((aligned(4096)));
static u8 frame[HEADER + LARGE + 1];

static u64 random_below(u64 n)
{
	random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
	return (random_state >> 33) % n;
}

static void put_request(const struct load *load, u16 slot)
{
	struct request *r = &request[slot];
	u64 places = capacity * SECTOR / load->bytes;
	const struct virtio_segment segments[] = {
	        {&r->header, sizeof(r->header), false},
	        {data[slot], load->bytes, !load->writes},
	        {(const void *)&r->status, 1, true},
	};

	place = load->random ? random_below(places) : (place + 1) % places;
	r->header.type = load->writes ? 1 : 0;
	r->header.sector = place * (load->bytes / SECTOR);
	r->status = 0xff;
	virtio_put_table(&dev, 0, slot, r->table, segments, 3);
}

/* All that are under way send the same bytes. */
static void put_frame(const struct load *load, u16 slot)
{
	const struct virtio_segment segment = {frame, HEADER + load->bytes, false};

	virtio_put_table(&dev, TX, slot, request[slot].table, &segment, 1);
}

/* Ticks that `count` operations take; SAMPLE_FAILED: one did not end in time, or not well. */
static u64 run(const struct load *load, u64 count, bool marked)
{
	bool disk = load->kind == VIRTIO_ID_BLOCK;
	unsigned queue = disk ? 0 : TX, nr_free = load->depth;
	u64 put = 0, done = 0, waited = 0, begin, end;
	u16 slots[DEPTH], id;
	u32 bytes;

	for (u16 i = 0; i < load->depth; i++)
		slots[i] = i;
	if (marked)
		__asm__ volatile(MARK_BEGIN::: "memory");
	begin = timer_count();
	while (done < count) {
		while (put < count && nr_free != 0) {
			u16 slot = slots[--nr_free];

			disk ? put_request(load, slot) : put_frame(load, slot);
			put++;
			if (virtio_wants(&dev, queue))
				virtio_notify(&dev, queue);
		}
		if (!virtio_take(&dev, queue, &id, &bytes)) {
			u64 from = timer_count();

			if (!virtio_wait(&dev, queue, &id, &bytes, WAIT_US))
				return SAMPLE_FAILED;
			waited += timer_count() - from;
		}
		do {
			if (disk && request[id % DEPTH].status != 0)
				return SAMPLE_FAILED;
			slots[nr_free++] = id % DEPTH;
			done++;
		} while (virtio_take(&dev, queue, &id, &bytes));
	}
	end = timer_count();
	if (marked)
		__asm__ volatile(MARK_END::: "memory");
	if (marked)
		print("bench: own %lu\n", (end - begin - waited) / count);
	return (end - begin) / count;
}

/* A TCP segment for the sink, which is to be cut into 1,448 bytes for others, or a frame of no kind that is known. */
static void make_frame(u32 bytes)
{
	static const u8 offloads[10] = {1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0};
	u8 *at = frame + HEADER;

	for (u32 i = 0; i < HEADER + 64; i++)
		frame[i] = 0;
	for (u32 i = 0; i < 6; i++)
		at[6 + i] = (u8)virtio_config(&dev, i, 1);
	at[0] = 0x52;
	at[1] = 0x54;
	at[5] = 2;
	at[12] = 0x88;
	at[13] = 0xb5;
	if (bytes <= ORDINARY || (dev.features & F_HTSO4) == 0)
		return;
	for (u32 i = 0; i < sizeof(offloads); i++)
		frame[i] = offloads[i];
	at[12] = 8;
	at[13] = 0;
	at[14] = 0x45;
	at[14 + 9] = 6;
	at[14 + 20 + 12] = 0x50;
}

static const char *begin(const struct load *load)
{
	const u64 rings = VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX;

	const struct virtio_queue rx = dev.queue[RX], tx = dev.queue[TX];

	if (!virtio_find(load->kind, load->n, &dev))
		return "the machine has no such device";
	dev.queue[RX] = rx; /* their memory is used again */
	dev.queue[TX] = tx;
	if (!virtio_begin(&dev, rings | (load->kind == VIRTIO_ID_NET ? OFFLOADS | F_MERGE : 0)) ||
	    (dev.features & VIRTIO_F_INDIRECT) == 0)
		return "it has no tables of descriptors";
	for (unsigned queue = 0; queue <= (load->kind == VIRTIO_ID_NET ? TX : 0); queue++) {
		if (!virtio_add_queue(&dev, queue))
			return "it has not the queues of its kind";
		virtio_be_quiet(&dev, queue);
	}
	virtio_go(&dev);
	capacity = virtio_config(&dev, 0, 8);
	if (load->kind == VIRTIO_ID_NET)
		make_frame(load->bytes);
	else if (capacity < DATA_BYTES / SECTOR)
		return "the disk is too small";
	return NULL;
}

static u64 measure(const struct load *load)
{
	u64 count = platform_arg("virtio", 0) / (load->bytes > SMALL ? FEWER : 1);

	return run(load, count, false) == SAMPLE_FAILED ? SAMPLE_FAILED : run(load, count, true);
}

/* ---- the other VM ---- */

static u8 room[VIRTIO_RING_MAX][SINK_ROOM] __attribute__((aligned(4096)));

static void give(u16 id)
{
	const struct virtio_segment segment = {room[id], SINK_ROOM, true};

	virtio_put(&dev, RX, &segment, 1);
}

void sink_main(void)
{
	static const struct load load = {.kind = VIRTIO_ID_NET, .bytes = ORDINARY};
	u64 frames = 0;
	u32 bytes;
	u16 id;

	if (begin(&load) != NULL) {
		print("bench: sink none it has no network\n");
		return;
	}
	for (u16 i = 0; i < VIRTIO_RING_MAX; i++)
		give(i);
	virtio_notify(&dev, RX);
	for (bool last = false; !last;) {
		if (!virtio_take(&dev, RX, &id, &bytes)) {
			__asm__ volatile("yield");
			continue;
		}
		const u8 *at = room[id % VIRTIO_RING_MAX] + TYPE_AT;
		frames++;
		last = at[0] == LAST_TYPE >> 8 && at[1] == (LAST_TYPE & 0xff);
		give(id % VIRTIO_RING_MAX);
	}
	print("bench: sink %lu\n", frames);
}

/* Sent some times, as one may find no buffer. */
static u64 end_sink(void)
{
	static const struct load load = {.kind = VIRTIO_ID_NET, .bytes = 60, .depth = 1};

	if (begin(&load) != NULL)
		return SAMPLE_FAILED;
	frame[TYPE_AT] = LAST_TYPE >> 8;
	frame[TYPE_AT + 1] = LAST_TYPE & 0xff;
	for (unsigned i = 0; i < LASTS; i++) {
		if (run(&load, 1, false) == SAMPLE_FAILED)
			return SAMPLE_FAILED;
		timer_delay(LAST_US);
	}
	return 0;
}

/* ---- the rows ---- */

/* Name, kind, device, writes, random, bytes. What is large comes first, so that all of a disk was touched, and written. */
#define LOADS(ROW)                                                     \
	ROW(image_write_128k, VIRTIO_ID_BLOCK, 0, true, false, 131072) \
	ROW(image_read_128k, VIRTIO_ID_BLOCK, 0, false, false, 131072) \
	ROW(image_write_4k, VIRTIO_ID_BLOCK, 0, true, true, 4096)      \
	ROW(image_read_4k, VIRTIO_ID_BLOCK, 0, false, true, 4096)      \
	ROW(board_write_128k, VIRTIO_ID_BLOCK, 1, true, false, 131072) \
	ROW(board_read_128k, VIRTIO_ID_BLOCK, 1, false, false, 131072) \
	ROW(board_write_4k, VIRTIO_ID_BLOCK, 1, true, true, 4096)      \
	ROW(board_read_4k, VIRTIO_ID_BLOCK, 1, false, true, 4096)      \
	ROW(vm_1500, VIRTIO_ID_NET, 0, true, false, ORDINARY)          \
	ROW(vm_64k, VIRTIO_ID_NET, 0, true, false, LARGE)              \
	ROW(uplink_1500, VIRTIO_ID_NET, 0, true, false, ORDINARY)      \
	ROW(uplink_64k, VIRTIO_ID_NET, 0, true, false, LARGE)

#define ONCE(name, ...)                             \
	static const struct load name##_loads[] = { \
	        {__VA_ARGS__, 1},                   \
	        {__VA_ARGS__, DEPTH},               \
	};                                          \
	static const char *name##_begin(void)       \
	{                                           \
		return begin(&name##_loads[0]);     \
	}                                           \
	static u64 name##_1(void)                   \
	{                                           \
		return measure(&name##_loads[0]);   \
	}                                           \
	static u64 name##_32(void)                  \
	{                                           \
		return measure(&name##_loads[1]);   \
	}
LOADS(ONCE)

#define ROWS(name, ...)                                   \
	{#name "_1", name##_begin, name##_1, NULL, 1, 0}, \
	        {#name "_32", name##_begin, name##_32, NULL, 1, 0},

const struct row rows_virtio[] = {LOADS(ROWS){"end_sink", NULL, end_sink, NULL, 1, 0}, {0}};
