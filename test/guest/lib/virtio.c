/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver's side of virtio-mmio. Rings are in memory of this file, which is mapped cacheable at its own address.
 * Source: Virtual I/O Device (VIRTIO) specification, "Split Virtqueues", "Virtio Over MMIO", "Legacy interface".
 */
#include "virtio.h"

#include "io.h"
#include "platform.h"
#include "sysreg.h"
#include "timer.h"

#define MAGIC          0x000
#define VERSION        0x004
#define DEVICE_ID      0x008
#define FEATURES       0x010
#define FEATURES_SEL   0x014
#define ACCEPTED       0x020
#define ACCEPTED_SEL   0x024
#define PAGE_SIZE      0x028 /* legacy */
#define QUEUE_SEL      0x030
#define QUEUE_MAX      0x034
#define QUEUE_NUM      0x038
#define QUEUE_ALIGN    0x03c /* legacy */
#define QUEUE_PFN      0x040 /* legacy */
#define QUEUE_READY    0x044
#define QUEUE_NOTIFY   0x050
#define INTERRUPTS     0x060
#define ACKNOWLEDGE    0x064
#define STATUS         0x070
#define QUEUE_DESC     0x080
#define QUEUE_DRIVER   0x090
#define QUEUE_DEVICE   0x0a0
#define CONFIG         0x100
#define MAGIC_VALUE    0x74726976u
#define FOUND          1u
#define DRIVER         2u
#define DRIVER_OK      4u
#define FEATURES_OK    8u
#define FAILED_OR_LOST 0xc0u
#define F_VERSION_1    BIT(32)
#define DESC_NEXT      1u
#define DESC_WRITE     2u
#define DESC_INDIRECT  4u
#define NO_INTERRUPT   1u
#define NO_NOTIFY      1u
#define SLOT_BYTES     0x200u
#define FIRST_SLOT     0x0a000000ul
#define FIRST_INTID    48u

#define AVAIL_AT (VIRTIO_RING_MAX * 16u)
#define USED_AT  PAGE_BYTES

/* Each ring has two pages: the device's part begins at the second, as version 1 wants it. */
static u8 rings[VIRTIO_RINGS][2 * PAGE_BYTES] __attribute__((aligned(4096)));
static unsigned rings_used;

bool virtio_find(u32 id, unsigned n, struct virtio *dev)
{
	for (u64 at = FIRST_SLOT; at < FIRST_SLOT + platform.virtio_count * SLOT_BYTES;
	     at += SLOT_BYTES) {
		if (read32(at + MAGIC) != MAGIC_VALUE || read32(at + DEVICE_ID) != id || n-- != 0)
			continue;
		*dev = (struct virtio){.base = at,
		                       .intid = FIRST_INTID + (u32)((at - FIRST_SLOT) / SLOT_BYTES),
		                       .legacy = read32(at + VERSION) == 1};
		return true;
	}
	return false;
}

u64 virtio_offered(const struct virtio *dev)
{
	u64 features = 0;
	for (u32 half = 0; half < 2; half++) {
		write32(dev->base + FEATURES_SEL, half);
		features |= (u64)read32(dev->base + FEATURES) << (32 * half);
	}
	return features;
}

bool virtio_begin(struct virtio *dev, u64 wanted)
{
	u64 base = dev->base;

	write32(base + STATUS, 0);
	while (read32(base + STATUS) != 0) {
	}
	write32(base + STATUS, FOUND);
	write32(base + STATUS, FOUND | DRIVER);
	dev->features = virtio_offered(dev) & (wanted | (dev->legacy ? 0 : F_VERSION_1));
	for (u32 half = 0; half < 2; half++) {
		write32(base + ACCEPTED_SEL, half);
		write32(base + ACCEPTED, (u32)(dev->features >> (32 * half)));
	}
	if (dev->legacy) {
		write32(base + PAGE_SIZE, PAGE_BYTES);
		return true;
	}
	write32(base + STATUS, FOUND | DRIVER | FEATURES_OK);
	return (read32(base + STATUS) & FEATURES_OK) != 0;
}

static void write_address(u64 reg, u64 value)
{
	write32(reg, (u32)value);
	write32(reg + 4, (u32)(value >> 32));
}

bool virtio_add_queue(struct virtio *dev, unsigned n)
{
	struct virtio_queue *queue = &dev->queue[n];
	u64 base = dev->base;

	write32(base + QUEUE_SEL, n);
	u32 most = read32(base + QUEUE_MAX);
	if (most == 0 || (queue->memory == 0 && rings_used == VIRTIO_RINGS))
		return false;
	u8 *memory = queue->memory != 0 ? (u8 *)queue->memory : rings[rings_used++];
	for (unsigned i = 0; i < 2 * PAGE_BYTES; i++)
		memory[i] = 0;
	*queue = (struct virtio_queue){
	        .size = (u16)(most < VIRTIO_RING_MAX ? most : VIRTIO_RING_MAX),
	        .memory = (u64)memory,
	};
	write32(base + QUEUE_NUM, queue->size);
	if (dev->legacy) { /* the driver's part follows the descriptors: there are as many as that */
		write32(base + QUEUE_ALIGN, PAGE_BYTES);
		write32(base + QUEUE_PFN, (u32)(queue->memory / PAGE_BYTES));
		return queue->size == VIRTIO_RING_MAX;
	}
	write_address(base + QUEUE_DESC, queue->memory);
	write_address(base + QUEUE_DRIVER, queue->memory + AVAIL_AT);
	write_address(base + QUEUE_DEVICE, queue->memory + USED_AT);
	write32(base + QUEUE_READY, 1);
	return true;
}

void virtio_go(struct virtio *dev)
{
	write32(dev->base + STATUS, FOUND | DRIVER | DRIVER_OK | (dev->legacy ? 0 : FEATURES_OK));
}

static void put_desc(u64 at, u64 memory, u32 bytes, u32 flags, u16 next)
{
	write64(at, memory);
	write32(at + 8, bytes);
	write16(at + 12, (u16)flags);
	write16(at + 14, next);
}

static u32 flags_of(const struct virtio_segment *segments, unsigned i, unsigned count)
{
	return (i + 1 < count ? DESC_NEXT : 0) | (segments[i].write ? DESC_WRITE : 0);
}

static void show(struct virtio_queue *queue, u16 head)
{
	u16 shown = read16(queue->memory + AVAIL_AT + 2);

	write16(queue->memory + AVAIL_AT + 4 + shown % queue->size * 2u, head);
	dmb(ish);
	write16(queue->memory + AVAIL_AT + 2, (u16)(shown + 1));
}

u16 virtio_put(struct virtio *dev, unsigned n, const struct virtio_segment *segments,
               unsigned count)
{
	struct virtio_queue *queue = &dev->queue[n];
	u16 head = queue->free;

	for (unsigned i = 0; i < count; i++) {
		u64 desc = queue->memory + queue->free * 16u;
		queue->free = (u16)((queue->free + 1) % queue->size);
		put_desc(desc, (u64)segments[i].at, segments[i].bytes, flags_of(segments, i, count),
		         queue->free);
	}
	show(queue, head);
	return head;
}

void virtio_put_table(struct virtio *dev, unsigned n, u16 head, void *table,
                      const struct virtio_segment *segments, unsigned count)
{
	struct virtio_queue *queue = &dev->queue[n];

	for (unsigned i = 0; i < count; i++)
		put_desc((u64)table + i * 16u, (u64)segments[i].at, segments[i].bytes,
		         flags_of(segments, i, count), (u16)(i + 1));
	put_desc(queue->memory + head * 16u, (u64)table, count * 16u, DESC_INDIRECT, 0);
	show(queue, head);
}

void virtio_notify(struct virtio *dev, unsigned n)
{
	dsb(sy);
	write32(dev->base + QUEUE_NOTIFY, n);
}

bool virtio_take(struct virtio *dev, unsigned n, u16 *id, u32 *bytes)
{
	struct virtio_queue *queue = &dev->queue[n];
	u64 used = queue->memory + USED_AT, entry = used + 4 + queue->seen % queue->size * 8u;

	if (read16(used + 2) == queue->seen)
		return false;
	dmb(ish);
	*id = (u16)read32(entry);
	*bytes = read32(entry + 4);
	queue->seen++;
	return true;
}

bool virtio_wait(struct virtio *dev, unsigned n, u16 *id, u32 *bytes, u64 us)
{
	return WAIT_FOR(virtio_take(dev, n, id, bytes), us);
}

bool virtio_wants(struct virtio *dev, unsigned n)
{
	struct virtio_queue *queue = &dev->queue[n];
	u16 shown, before = queue->asked;

	dmb(ish);
	if ((dev->features & VIRTIO_F_EVENT_IDX) == 0)
		return (read16(queue->memory + USED_AT) & NO_NOTIFY) == 0;
	queue->asked = shown = read16(queue->memory + AVAIL_AT + 2);
	return (u16)(shown - read16(queue->memory + USED_AT + 4 + queue->size * 8u) - 1) <
	       (u16)(shown - before);
}

/* With EVENT_IDX: but for once in 65,536 buffers. */
void virtio_be_quiet(struct virtio *dev, unsigned n)
{
	const struct virtio_queue *queue = &dev->queue[n];

	write16(queue->memory + AVAIL_AT, NO_INTERRUPT);
	write16(queue->memory + AVAIL_AT + 4 + queue->size * 2u, 0xffff);
}

void virtio_spoil(struct virtio *dev, unsigned n)
{
	for (u32 i = 0; i < dev->queue[n].size; i++)
		write16(dev->queue[n].memory + AVAIL_AT + 4 + i * 2, 0xffff);
}

u64 virtio_config(const struct virtio *dev, u32 offset, unsigned bytes)
{
	u64 at = dev->base + CONFIG + offset;
	switch (bytes) {
	case 1: return read8(at);
	case 2: return read16(at);
	case 4: return read32(at);
	default: return read32(at) | (u64)read32(at + 4) << 32;
	}
}

u32 virtio_interrupts(struct virtio *dev)
{
	u32 why = read32(dev->base + INTERRUPTS);
	write32(dev->base + ACKNOWLEDGE, why);
	return why;
}

u32 virtio_status(const struct virtio *dev)
{
	return read32(dev->base + STATUS);
}
