// SPDX-License-Identifier: Apache-2.0
/*
 * Class H33: rings of virtio devices that no driver would make. These are about queues, with a disk for an
 * example, which suite.py gives the machine; what each kind of device does with its buffers is in cases_virtio.c and cases_balloon.c.
 * What is nonsense ends in DEVICE_NEEDS_RESET, what can be answered in a used entry; pages that no descriptor names keep
 * what they held, and after a reset the device does a good request.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Split Virtqueues", "Packed Virtqueues", "Virtio Over MMIO", "Block Device".
 */
#include "rings.h"

#define ACCEPTED     0x020
#define ACCEPTED_SEL 0x024
#define QUEUE_SEL    0x030
#define QUEUE_MAX    0x034
#define QUEUE_NUM    0x038
#define QUEUE_READY  0x044
#define QUEUE_DESC   0x080
#define QUEUE_DRIVER 0x090
#define QUEUE_DEVICE 0x0a0

#define NEEDS_RESET  0x40u
#define F_INDIRECT   BIT(28)
#define F_PACKED     BIT(34)
#define NEXT         1u
#define WRITE        2u
#define INDIRECT     4u
#define PACKED_AVAIL BIT(7)
#define PACKED_USED  BIT(15)

#define QUIET_US 2000ul
#define MEET_US  20000000ul /* where two CPUs share one core, they may long miss each other */
#define SECTOR   512u
#define DESC     16u
#define AVAIL_AT (VIRTIO_RING_MAX * DESC)

/* In the first page of case_memory. */
#define HEADER  (case_memory)
#define STATUSB (case_memory + 64)
#define TABLE   (case_memory + 256)

struct header {
	u32 type, reserved;
	u64 sector;
};

struct virtio rings_disk, rings_balloon;

/* ---- a disk, and one request ---- */

static void find(struct virtio *dev, u32 id, unsigned n)
{
	if (dev->base == 0 && !virtio_find(id, n, dev))
		absent("no such device");
}

void rings_place(struct virtio *dev, u32 id, unsigned n, unsigned queue, u8 *memory)
{
	find(dev, id, n);
	dev->queue[queue].memory = (u64)memory;
}

void rings_begin(struct virtio *dev, u32 id, unsigned n, u64 features, u32 queues)
{
	find(dev, id, n);
	want_true(virtio_begin(dev, features), "features are agreed on");
	for (unsigned queue = 0; queue < VIRTIO_QUEUES_MAX; queue++) {
		if ((queues & BIT(queue)) != 0)
			want_true(virtio_add_queue(dev, queue), "queue %u", queue);
	}
	virtio_go(dev);
}

void rings_fill(u8 *at, u32 bytes)
{
	for (u32 i = 0; i < bytes; i++)
		at[i] = FILL;
}

void rings_want_whole(const u8 *at, u32 bytes, const char *what)
{
	for (u32 i = 0; i < bytes; i++) {
		if (at[i] != FILL) {
			want_eq(at[i], FILL, "byte %u behind: %s", i, what);
			return;
		}
	}
}

bool rings_one_back(struct virtio *dev, unsigned queue, const void *at, u32 bytes, bool write,
                    u32 *written)
{
	const struct virtio_segment part = {at, bytes, write};
	u16 id;

	virtio_put(dev, queue, &part, 1);
	virtio_notify(dev, queue);
	return virtio_wait(dev, queue, &id, written, ANSWER_US);
}

static void begin_disk(u64 features)
{
	rings_begin(&rings_disk, VIRTIO_ID_BLOCK, 0, features, 1);
	rings_fill(CANARY1, PAGE_BYTES);
	rings_fill(CANARY2, PAGE_BYTES);
}

static void want_canaries(const char *what)
{
	rings_want_whole(CANARY1, PAGE_BYTES, what);
	rings_want_whole(CANARY2, PAGE_BYTES, what);
}

static void put_desc(u64 table, unsigned n, u64 at, u32 bytes, u32 flags, u32 next)
{
	write64(table + n * DESC, at);
	write32(table + n * DESC + 8, bytes);
	write16(table + n * DESC + 12, (u16)flags);
	write16(table + n * DESC + 14, (u16)next);
}

/* Header, a sector and the status in three descriptors from the first on. */
static void put_request(u64 table, u32 type, u64 sector)
{
	*(struct header *)(void *)HEADER = (struct header){type, 0, sector};
	*(volatile u8 *)STATUSB = 0xff;
	put_desc(table, 0, (u64)HEADER, sizeof(struct header), NEXT, 1);
	put_desc(table, 1, (u64)DATA, SECTOR, NEXT | WRITE, 2);
	put_desc(table, 2, (u64)STATUSB, 1, WRITE, 0);
}

/* The chain that begins at `head` is available, and whatever the driver's index has moved on by. */
static void show(u16 head, u16 by)
{
	u64 avail = rings_disk.queue[0].memory + AVAIL_AT;
	u16 index = read16(avail + 2);

	write16(avail + 4 + index % rings_disk.queue[0].size * 2u, head);
	dmb(ish);
	write16(avail + 2, (u16)(index + by));
	virtio_notify(&rings_disk, 0);
}

bool rings_broken(const struct virtio *dev)
{
	return (virtio_status(dev) & NEEDS_RESET) != 0;
}

static bool came_back(void)
{
	u16 id;
	u32 bytes;

	if ((rings_disk.features & F_PACKED) != 0)
		return (read16(rings_disk.queue[0].memory + 14) & PACKED_USED) != 0;
	return virtio_take(&rings_disk, 0, &id, &bytes);
}

/* It does what it should, by a new beginning if it has to. */
static void want_good(const char *what)
{
	if (rings_broken(&rings_disk))
		begin_disk(0);
	put_request(rings_disk.queue[0].memory, 0, 0);
	show(0, 1);
	want_true(WAIT_FOR(came_back(), ANSWER_US), "a good request comes back after: %s", what);
	want_eq(*(volatile u8 *)STATUSB, 0, "status of a good request after: %s", what);
}

static void want_broken(const char *what)
{
	want_true(WAIT_FOR(rings_broken(&rings_disk), ANSWER_US), "needs a reset: %s", what);
	want_true(!came_back(), "nothing comes back: %s", what);
	want_canaries(what);
}

/* ---- descriptors ---- */

enum where { IN_DATA, LAST_BYTE, RAM_END, NOWHERE, A_DEVICE, THE_TOP, A_TABLE };

static u64 address(enum where where)
{
	switch (where) {
	case LAST_BYTE: return ram_end() - 1;
	case RAM_END: return ram_end();
	case NOWHERE: return 0;
	case A_DEVICE: return platform.gicd;
	case THE_TOP: return ~0ul - 255;
	case A_TABLE: return (u64)TABLE;
	default: return (u64)DATA;
	}
}

/* One descriptor of a good request is changed. */
struct twist {
	const char *name;
	u32 bytes, flags, next;
	enum where where;
	u8 desc;
};

static void twist_all(const struct twist *twists, unsigned count, u64 features, bool in_table)
{
	for (unsigned i = 0; i < count; i++) {
		const struct twist *t = &twists[i];
		u64 table;

		begin_disk(features);
		table = in_table ? (u64)TABLE : rings_disk.queue[0].memory;
		rings_fill(DATA, PAGE_BYTES);
		put_request(table, 0, 0);
		put_desc(table, t->desc, address(t->where), t->bytes, t->flags, t->next);
		if (in_table)
			put_desc(rings_disk.queue[0].memory, 0, table, 3 * DESC, INDIRECT, 0);
		show(0, 1);
		want_broken(t->name);
		rings_want_whole(DATA, PAGE_BYTES, t->name);
	}
	want_good("all of them");
}

static const struct twist chains[] = {
        {"a next descriptor that is the size", SECTOR, NEXT | WRITE, VIRTIO_RING_MAX, IN_DATA, 1},
        {"a next descriptor far away", SECTOR, NEXT | WRITE, 0xffff, IN_DATA, 1},
        {"a circle of one", SECTOR, NEXT | WRITE, 1, IN_DATA, 1},
        {"a circle of three", 1, NEXT | WRITE, 1, IN_DATA, 2},
        {"something to read behind something to write", 1, 0, 0, IN_DATA, 2},
};

static void bad_chains(void)
{
	twist_all(chains, ARRAY_LEN(chains), 0, false);
}

static const struct twist places[] = {
        {"two bytes at the last of RAM", 2, NEXT | WRITE, 2, LAST_BYTE, 1},
        {"behind RAM", SECTOR, NEXT | WRITE, 2, RAM_END, 1},
        {"address 0", SECTOR, NEXT | WRITE, 2, NOWHERE, 1},
        {"the interrupt controller", SECTOR, NEXT | WRITE, 2, A_DEVICE, 1},
        {"the end of all addresses", SECTOR, NEXT | WRITE, 2, THE_TOP, 1},
        {"a length of 2^32 - 1", 0xffffffff, NEXT | WRITE, 2, IN_DATA, 1},
        {"a header that is a device", sizeof(struct header), NEXT, 1, A_DEVICE, 0},
        {"a status behind RAM", 1, WRITE, 0, RAM_END, 2},
};

static void bad_places(void)
{
	twist_all(places, ARRAY_LEN(places), 0, false);
}

static const struct twist heads[] = {
        {"a table of no bytes", 0, INDIRECT, 0, A_TABLE, 0},
        {"a table of half a descriptor", DESC / 2, INDIRECT, 0, A_TABLE, 0},
        {"a table of 2^32 - 1 bytes", 0xffffffff, INDIRECT, 0, A_TABLE, 0},
        {"a table of 2^32 - 16 bytes", 0xfffffff0, INDIRECT, 0, A_TABLE, 0},
        {"a table behind RAM", 3 * DESC, INDIRECT, 0, RAM_END, 0},
        {"a table at the last byte of RAM", DESC, INDIRECT, 0, LAST_BYTE, 0},
        {"a table in a device", 3 * DESC, INDIRECT, 0, A_DEVICE, 0},
        {"a table with more behind it", 3 * DESC, INDIRECT | NEXT, 1, A_TABLE, 0},
};

static const struct twist in_tables[] = {
        {"a table in a table", 3 * DESC, INDIRECT, 0, A_TABLE, 0},
        {"a table in the middle of a table", 3 * DESC, INDIRECT | NEXT, 2, A_TABLE, 1},
        {"a chain that leaves its table", SECTOR, NEXT | WRITE, 3, IN_DATA, 1},
        {"a circle in a table", SECTOR, NEXT | WRITE, 1, IN_DATA, 1},
        {"two bytes at the last of RAM, in a table", 2, NEXT | WRITE, 2, LAST_BYTE, 1},
};

static void bad_tables(void)
{
	twist_all(heads, ARRAY_LEN(heads), F_INDIRECT, false);
	twist_all(in_tables, ARRAY_LEN(in_tables), F_INDIRECT, true);
}

static void bad_indices(void)
{
	static const u16 bad[] = {VIRTIO_RING_MAX, 0x8000, 0xffff};

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		begin_disk(0);
		put_request(rings_disk.queue[0].memory, 0, 0);
		show(bad[i], 1);
		want_broken("a chain whose first descriptor there is not");
	}
	for (unsigned i = 0; i < 2; i++) {
		begin_disk(0);
		put_request(rings_disk.queue[0].memory, 0, 0);
		show(0, i == 0 ? VIRTIO_RING_MAX + 1 : 0xffff);
		want_broken("more entries than the ring has");
	}
	want_good("indices");
}

/* The same chain in every entry, again and again: each costs what one costs, and each comes back. */
static void the_same_chain(void)
{
	u64 avail;

	begin_disk(0);
	avail = rings_disk.queue[0].memory + AVAIL_AT;
	put_request(rings_disk.queue[0].memory, 0, 0);
	for (unsigned i = 0; i < VIRTIO_RING_MAX; i++)
		write16(avail + 4 + i * 2, 0);
	for (unsigned round = 0; round < 10; round++) {
		show(0, VIRTIO_RING_MAX);
		for (unsigned i = 0; i < VIRTIO_RING_MAX; i++)
			want_true(WAIT_FOR(came_back(), ANSWER_US), "round %u, answer %u", round,
			          i);
	}
	want_canaries("the same chain");
	want_good("the same chain");
}

/* ---- what a disk is asked ---- */

static const struct {
	const char *name;
	u64 sector;
	u32 type, header, data;
	u8 status; /* 0: it needs a reset */
} requests[] = {
        {"half a header", 0, 0, 8, SECTOR, 0},
        {"a sector behind the end", 1ul << 40, 0, 16, SECTOR, 1},
        {"the last sector of all", ~0ul, 0, 16, SECTOR, 1},
        {"sectors that wrap in bytes", 1ul << 55, 0, 16, SECTOR, 1},
        {"a part of a sector", 0, 0, 16, 100, 1},
        {"something that there is not", 0, 77, 16, SECTOR, 2},
        {"something else that there is not", 0, 0xffffffff, 16, SECTOR, 2},
};

static void bad_requests(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(requests); i++) {
		const char *name = requests[i].name;
		u64 table;

		begin_disk(0);
		table = rings_disk.queue[0].memory;
		put_request(table, requests[i].type, requests[i].sector);
		put_desc(table, 0, (u64)HEADER, requests[i].header, NEXT, 1);
		put_desc(table, 1, (u64)DATA, requests[i].data, NEXT | WRITE, 2);
		rings_fill(DATA, PAGE_BYTES);
		show(0, 1);
		if (requests[i].status == 0) {
			want_broken(name);
		} else {
			want_true(WAIT_FOR(came_back(), ANSWER_US), "comes back: %s", name);
			want_eq(*(volatile u8 *)STATUSB, requests[i].status, "status: %s", name);
		}
		rings_want_whole(DATA, PAGE_BYTES, name);
		want_canaries(name);
	}
	begin_disk(0);
	put_request(rings_disk.queue[0].memory, 0, 0);
	put_desc(rings_disk.queue[0].memory, 0, (u64)HEADER, sizeof(struct header), 0, 0);
	show(0, 1);
	want_broken("no room for a status");
	want_good("requests");
}

/* ---- registers of queues ---- */

static void write_address(u64 reg, u64 value)
{
	write32(rings_disk.base + reg, (u32)value);
	write32(rings_disk.base + reg + 4, (u32)(value >> 32));
}

static void bad_sizes(void)
{
	static const u32 sizes[] = {0, 3, 257, 65535, 0x10000, 0xffffffff};

	begin_disk(0);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		want_true(virtio_begin(&rings_disk, 0), "begins");
		write32(rings_disk.base + QUEUE_SEL, 0);
		write32(rings_disk.base + QUEUE_NUM, sizes[i]);
		write_address(QUEUE_DESC, rings_disk.queue[0].memory);
		write_address(QUEUE_DRIVER, rings_disk.queue[0].memory + AVAIL_AT);
		write_address(QUEUE_DEVICE, rings_disk.queue[0].memory + USED_AT);
		write32(rings_disk.base + QUEUE_READY, 1);
		want_eq(read32(rings_disk.base + QUEUE_READY), 0, "a queue of %u", sizes[i]);
		want_true(rings_broken(&rings_disk), "needs a reset: a queue of %u", sizes[i]);
	}
	want_good("sizes");
}

static void bad_rings(void)
{
	static const u64 parts[] = {QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE};
	static const enum where where[] = {LAST_BYTE, RAM_END, NOWHERE, A_DEVICE, THE_TOP};

	begin_disk(0);
	for (unsigned i = 0; i < ARRAY_LEN(parts) * ARRAY_LEN(where); i++) {
		want_true(virtio_begin(&rings_disk, 0), "begins");
		write32(rings_disk.base + QUEUE_SEL, 0);
		write32(rings_disk.base + QUEUE_NUM, VIRTIO_RING_MAX);
		write_address(QUEUE_DESC, rings_disk.queue[0].memory);
		write_address(QUEUE_DRIVER, rings_disk.queue[0].memory + AVAIL_AT);
		write_address(QUEUE_DEVICE, rings_disk.queue[0].memory + USED_AT);
		write_address(parts[i % ARRAY_LEN(parts)], address(where[i / ARRAY_LEN(parts)]));
		write32(rings_disk.base + QUEUE_READY, 1);
		want_eq(read32(rings_disk.base + QUEUE_READY), 0, "ring %u", i);
		want_true(rings_broken(&rings_disk), "needs a reset: ring %u", i);
	}
	want_good("rings");
}

/* What was agreed on stays, whatever is written afterwards. */
static void changed_later(void)
{
	static const u32 sizes[] = {0, 3, 1, 256, 65535};

	begin_disk(0);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		write32(rings_disk.base + QUEUE_SEL, 0);
		write32(rings_disk.base + QUEUE_NUM, sizes[i]);
		write_address(QUEUE_DESC, ram_end() - 16);
		write_address(QUEUE_DRIVER, 0);
		write_address(QUEUE_DEVICE, platform.gicd);
		write32(rings_disk.base + QUEUE_READY, 1);
		for (unsigned round = 0; round < VIRTIO_RING_MAX; round++)
			want_good("another size");
		want_true(!rings_broken(&rings_disk), "goes on after size %u", sizes[i]);
	}
	for (u32 half = 0; half < 2; half++) {
		write32(rings_disk.base + ACCEPTED_SEL, half);
		write32(rings_disk.base + ACCEPTED, 0xffffffff);
	}
	want_good("other features");
	put_request((u64)TABLE, 0, 0);
	put_desc(rings_disk.queue[0].memory, 0, (u64)TABLE, 3 * DESC, INDIRECT, 0);
	show(0, 1);
	want_broken("a table that was not agreed on");
	want_good("a table");
}

static void no_such_queue(void)
{
	static const u32 numbers[] = {VIRTIO_QUEUES_MAX, 31, 32, 255, 0xffff, 0xffffffff};

	begin_disk(0);
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		write32(rings_disk.base + QUEUE_SEL, numbers[i]);
		want_eq(read32(rings_disk.base + QUEUE_MAX), 0, "size of queue %u", numbers[i]);
		write32(rings_disk.base + QUEUE_NUM, 16);
		write_address(QUEUE_DESC, (u64)DATA);
		write32(rings_disk.base + QUEUE_READY, 1);
		want_eq(read32(rings_disk.base + QUEUE_READY), 0, "queue %u", numbers[i]);
		write32(rings_disk.base + QUEUE_NOTIFY, numbers[i]);
		want_true(!rings_broken(&rings_disk), "goes on after queue %u", numbers[i]);
	}
	want_good("queues that there are not");
}

/* ---- two CPUs ---- */

static volatile bool mutator_stops;
static volatile u32 mutations;

static void mutator(u64 seed)
{
	/* None that is good reaches a canary from where a good descriptor begins. */
	static const u32 lengths[] = {1, 16, SECTOR, 2 * SECTOR, 0xffffffff, 0};
	static const u32 flags[] = {0, NEXT, WRITE, NEXT | WRITE, INDIRECT, INDIRECT | NEXT};
	u64 ring = rings_disk.queue[0].memory;

	while (!mutator_stops) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		u32 r = (u32)(seed >> 33), n = r % 3, what = (r >> 4) % 6;

		switch ((r >> 8) % 7) {
		case 0: write64(ring + n * DESC, address((enum where)(what))); break;
		case 1: write32(ring + n * DESC + 8, lengths[what]); break;
		case 2: write16(ring + n * DESC + 12, (u16)flags[what]); break;
		case 3: write16(ring + n * DESC + 14, (u16)(what < 4 ? what : r)); break;
		case 4:
			write16(ring + AVAIL_AT + 4 + (r >> 16) % VIRTIO_RING_MAX * 2, (u16)what);
			break;
		case 5: write64((u64)HEADER + 8, what == 0 ? seed : what); break;
		default: write32((u64)HEADER, what); break;
		}
		mutations++;
	}
}

static void mutated(void)
{
	u32 resets = 0;
	u64 start;

	begin_disk(F_INDIRECT);
	mutator_stops = false;
	mutations = 0;
	smp_post(1, mutator, 1);
	want_true(WAIT_FOR(mutations > 0, ANSWER_US), "the other CPU changes things");
	start = timer_count();
	for (u32 round = 0;
	     round < 1000 || (resets < 10 && timer_count() - start < timer_ticks(MEET_US));
	     round++) {
		put_request(rings_disk.queue[0].memory, round % 2, round % 64);
		show(0, 1);
		(void)came_back();
		if (rings_broken(&rings_disk)) {
			rings_begin(&rings_disk, VIRTIO_ID_BLOCK, 0, F_INDIRECT,
			            1); /* canaries as they are */
			resets++;
		}
	}
	mutator_stops = true;
	want_true(smp_wait(1, ANSWER_US), "the other CPU ends");
	want_true(resets > 0, "some of it was nonsense");
	want_canaries("mutations");
	begin_disk(0);
	want_good("mutations");
}

/* ---- packed rings ---- */

static void put_packed(unsigned n, u64 at, u32 bytes, u32 flags)
{
	put_desc(rings_disk.queue[0].memory, n, at, bytes, 0xbeef, flags | PACKED_AVAIL);
}

static void begin_packed(void)
{
	begin_disk(F_PACKED);
	if ((rings_disk.features & F_PACKED) == 0)
		absent("no packed rings");
	*(struct header *)(void *)HEADER = (struct header){0, 0, 0};
	put_packed(1, (u64)DATA, SECTOR, NEXT | WRITE);
	put_packed(2, (u64)STATUSB, 1, WRITE);
}

static void show_packed(u32 flags)
{
	dmb(ish);
	put_packed(0, (u64)HEADER, sizeof(struct header), flags);
	virtio_notify(&rings_disk, 0);
}

static void packed(void)
{
	begin_packed();
	show_packed(NEXT);
	want_true(WAIT_FOR(came_back(), ANSWER_US), "a good request comes back");
	want_eq(read16(rings_disk.queue[0].memory + 12), 0xbeef, "its name");
	begin_packed();
	for (unsigned i = 1; i < VIRTIO_RING_MAX; i++)
		put_packed(i, (u64)HEADER, 1, NEXT);
	show_packed(NEXT);
	want_broken("a circle of packed descriptors");
	begin_packed();
	put_packed(1, ram_end() - 1, 2, NEXT | WRITE);
	show_packed(NEXT);
	want_broken("two bytes at the last of RAM");
	begin_packed();
	put_packed(1, (u64)DATA, 0xffffffff, NEXT | WRITE);
	show_packed(NEXT);
	want_broken("a length of 2^32 - 1");
	begin_packed();
	put_packed(2, (u64)STATUSB, 1, 0);
	show_packed(NEXT);
	want_broken("something to read behind something to write");
	begin_packed();
	show_packed(NEXT | INDIRECT);
	want_broken("a table that was not agreed on");
	want_good("packed rings");
}

CASES(rows) = {
        {"H33.1",
         "Available entries of chains that there are not, and more than there is room for.",
         RESET_IT, bad_indices, 0, 0},
        {"H33.2", "Chains that leave the table, go in circles, are in the wrong order.", RESET_IT,
         bad_chains, 0, 0},
        {"H33.3", "Buffers at the last byte of RAM, behind it, in devices, of 2^32 - 1 bytes.",
         RESET_IT, bad_places, NEEDS_MEZZO, 0},
        {"H33.4", "Tables of descriptors of no size, nowhere, in tables, with more behind them.",
         RESET_IT, bad_tables, NEEDS_MEZZO, 0},
        {"H33.5", "One chain in every entry of a ring, ten times.", "Each comes back.",
         the_same_chain, 0, 0},
        {"H33.6", "Requests of a disk without a header or status, or of what it has not.",
         "An error in the status, or a reset is needed; no byte of the data is written.",
         bad_requests, 0, 0},
        {"H33.7", "Queues of 0, 3, 257, 65535 entries and more.", RESET_IT, bad_sizes, NEEDS_MEZZO,
         0},
        {"H33.8", "Rings at the end of RAM, behind it, in devices, where addresses wrap.", RESET_IT,
         bad_rings, NEEDS_MEZZO, 0},
        {"H33.9", "Sizes, addresses, features that change while the device works.",
         "What was agreed on stays.", changed_later, NEEDS_MEZZO, 0},
        {"H33.10", "Selecting, making and notifying queues that there are not.", "Nothing.",
         no_such_queue, NEEDS_MEZZO, 0},
        {"H33.12", "Another CPU changes descriptors, entries and headers while this one notifies.",
         "An answer or a device that needs a reset; nothing beside the buffers changes.", mutated,
         NEEDS_MEZZO | NEEDS_SMP, 0},
        {"H33.13", "Packed rings: circles, buffers not in RAM, wrong orders.", RESET_IT, packed,
         NEEDS_MEZZO, 0},
};
