// SPDX-License-Identifier: Apache-2.0
// A virtio device as the board would have it, in the test's own memory: registers of virtio-mmio, both kinds, rings that
// it reads and answers, and what a device may do wrong. Also a disk. Addresses are pointers, so rings are where the real
// allocator put them (ram_arena.h).
#ifndef UNIT_VIRTIO_FAKE_H
#define UNIT_VIRTIO_FAKE_H

#include <string.h>

#include "base/bits.h"
#include "base/types.h"
#include "hw/virtio_regs.h"

#define FAKE_QUEUES 4

struct fake_queue {
	uint32_t max, size, ready; // ready: legacy: the frame number
	uint64_t desc, avail, used;
	uint16_t seen; // chains taken out of the ring
};

struct fake_virtio {
	// What it is.
	uint32_t magic, version, kind;
	uint64_t offers;
	uint8_t config[64];
	// What it does wrong.
	bool disagrees, never_resets, always_changes;
	bool spoilt; // it wrote over what it was asked, and does nothing more
	// Called for each notification; NULL: it sleeps.
	void (*served)(struct fake_virtio *dev, unsigned queue);

	// Its state.
	uint32_t status, isr, generation, selected, device_sel, driver_sel, notified, resets;
	uint64_t agreed;
	struct fake_queue queue[FAKE_QUEUES];
};

UNUSED static struct fake_virtio fake_virtio_new(uint32_t version, uint32_t kind, uint64_t offers)
{
	struct fake_virtio dev = {
	        .magic = VIRTIO_MMIO_MAGIC_VALUE, .version = version, .kind = kind};
	dev.offers = offers | (version == VIRTIO_MMIO_MODERN ? VIRTIO_F_VERSION_1 : 0);
	for (unsigned i = 0; i < FAKE_QUEUES; i++)
		dev.queue[i].max = 256;
	return dev;
}

// ---- rings ----

#define FAKE_SEGMENTS 256
struct fake_chain {
	uint16_t head;
	unsigned nr_out, nr_in; // read and written by the device
	struct virtio_desc out[FAKE_SEGMENTS], in[FAKE_SEGMENTS];
};

static inline void *fake_at(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

// The next chain that the driver has shown; false: there is none. A driver's chain is finite and says its writable
// descriptors last, or the test ends.
UNUSED static bool fake_next(struct fake_virtio *dev, unsigned index, struct fake_chain *chain)
{
	struct fake_queue *q = &dev->queue[index];
	if (q->size == 0 || q->ready == 0 || dev->status == 0 || dev->spoilt)
		return false;
	const struct virtio_avail *avail = fake_at(q->avail);
	const struct virtio_desc *desc = fake_at(q->desc);
	if (q->seen == avail->index)
		return false;
	chain->head = avail->ring[q->seen++ % q->size];
	chain->nr_out = chain->nr_in = 0;
	uint16_t at = chain->head;
	for (unsigned n = 0;; n++) {
		if (n >= q->size || at >= q->size || desc[at].length == 0)
			__builtin_trap();
		if ((desc[at].flags & VIRTIO_DESC_WRITE) != 0)
			chain->in[chain->nr_in++] = desc[at];
		else if (chain->nr_in != 0)
			__builtin_trap();
		else
			chain->out[chain->nr_out++] = desc[at];
		if ((desc[at].flags & VIRTIO_DESC_NEXT) == 0)
			return true;
		at = desc[at].next;
	}
}

// Says that chain `id` is done, truthfully or not.
UNUSED static void fake_answer(struct fake_virtio *dev, unsigned index, uint32_t id, uint32_t bytes)
{
	struct fake_queue *q = &dev->queue[index];
	struct virtio_used *used = fake_at(q->used);
	used->ring[used->index % q->size] = (struct virtio_used_entry){id, bytes};
	used->index++;
	dev->isr |= VIRTIO_ISR_RING;
}

static inline void fake_virtio_reset(struct fake_virtio *dev)
{
	for (unsigned i = 0; i < FAKE_QUEUES; i++)
		dev->queue[i] = (struct fake_queue){.max = dev->queue[i].max};
	dev->status = dev->isr = 0;
	dev->agreed = 0;
	dev->resets++;
}

static inline void fake_set_status(struct fake_virtio *dev, uint32_t value)
{
	if (value == 0 && !dev->never_resets)
		fake_virtio_reset(dev);
	else if (value != 0)
		dev->status = dev->disagrees ? value & ~(uint32_t)VIRTIO_FEATURES_OK : value;
}

static inline void fake_notify(struct fake_virtio *dev, unsigned queue)
{
	dev->notified++;
	if (dev->served != NULL && queue < FAKE_QUEUES)
		dev->served(dev, queue);
}

// ---- virtio-mmio ----

UNUSED static uint64_t fake_mmio_read(struct fake_virtio *dev, uint32_t offset, unsigned size)
{
	struct fake_queue *q = &dev->queue[dev->selected % FAKE_QUEUES];
	bool there = dev->selected < FAKE_QUEUES;
	uint64_t value = 0;
	if (offset >= VIRTIO_MMIO_CONFIG) {
		dev->generation += dev->always_changes ? 1 : 0;
		dev->config[0] = (uint8_t)(dev->config[0] + (dev->always_changes ? 1 : 0));
		if (offset - VIRTIO_MMIO_CONFIG + size <= sizeof dev->config)
			memcpy(&value, &dev->config[offset - VIRTIO_MMIO_CONFIG], size);
		return value;
	}
	switch (offset) {
	case VIRTIO_MMIO_MAGIC: return dev->magic;
	case VIRTIO_MMIO_VERSION: return dev->version;
	case VIRTIO_MMIO_DEVICE_ID: return dev->kind;
	case VIRTIO_MMIO_DEVICE_FEATURES: return (uint32_t)(dev->offers >> (dev->device_sel * 32));
	case VIRTIO_MMIO_QUEUE_NUM_MAX: return there ? q->max : 0;
	case VIRTIO_MMIO_LEGACY_QUEUE_PFN:
	case VIRTIO_MMIO_QUEUE_READY: return there ? q->ready : 0;
	case VIRTIO_MMIO_INTERRUPT_STATUS: return dev->isr;
	case VIRTIO_MMIO_STATUS: return dev->status;
	case VIRTIO_MMIO_CONFIG_GENERATION: return dev->generation;
	default: return 0;
	}
}

static inline void fake_legacy_frame(struct fake_queue *q, uint32_t frame)
{
	q->ready = frame;
	q->desc = (uint64_t)frame << PAGE_SHIFT;
	q->avail = q->desc + sizeof(struct virtio_desc) * q->size;
	q->used = align_up(q->avail + 6 + 2ull * q->size, PAGE_SIZE);
}

static inline void fake_set_half(uint64_t *address, uint32_t value, bool high)
{
	unsigned shift = high ? 32 : 0;
	*address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

UNUSED static void fake_mmio_write(struct fake_virtio *dev, uint32_t offset, uint32_t value)
{
	struct fake_queue none = {0},
	                  *q = dev->selected < FAKE_QUEUES ? &dev->queue[dev->selected] : &none;
	bool high = (offset & 4) != 0;
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL: dev->device_sel = value & 1; break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: dev->driver_sel = value & 1; break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		fake_set_half(&dev->agreed, value, dev->driver_sel != 0);
		break;
	case VIRTIO_MMIO_QUEUE_SEL: dev->selected = value; break;
	case VIRTIO_MMIO_QUEUE_NUM: q->size = value; break;
	case VIRTIO_MMIO_QUEUE_READY: q->ready = value; break;
	case VIRTIO_MMIO_LEGACY_QUEUE_PFN: fake_legacy_frame(q, value); break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: fake_notify(dev, value); break;
	case VIRTIO_MMIO_INTERRUPT_ACK: dev->isr &= ~value; break;
	case VIRTIO_MMIO_STATUS: fake_set_status(dev, value); break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH: fake_set_half(&q->desc, value, high); break;
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH: fake_set_half(&q->avail, value, high); break;
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
	case VIRTIO_MMIO_QUEUE_DEVICE_HIGH: fake_set_half(&q->used, value, high); break;
	default: break;
	}
}

// ---- a disk ----

#define FAKE_DISK_BYTES 0x100000u
static uint8_t fake_disk[FAKE_DISK_BYTES];
static unsigned fake_flushes, fake_discards;

static uint8_t fake_transfer(const struct fake_chain *chain, const struct virtio_blk_header *header)
{
	uint64_t at = header->sector * 512;
	bool write = header->type == VIRTIO_BLK_OUT;
	const struct virtio_desc *data = write ? chain->out + 1 : chain->in;
	unsigned count = write ? chain->nr_out - 1 : chain->nr_in - 1;
	for (unsigned i = 0; i < count; at += data[i++].length) {
		if (at + data[i].length > FAKE_DISK_BYTES)
			return VIRTIO_BLK_S_IOERR;
		if (write)
			memcpy(fake_disk + at, fake_at(data[i].address), data[i].length);
		else
			memcpy(fake_at(data[i].address), fake_disk + at, data[i].length);
	}
	return VIRTIO_BLK_S_OK;
}

// Does what a request says; the bytes that it wrote.
UNUSED static uint32_t fake_blk_do(const struct fake_chain *chain)
{
	const struct virtio_blk_header *header = fake_at(chain->out[0].address);
	uint8_t *status = fake_at(chain->in[chain->nr_in - 1].address);
	uint32_t written = 0;
	for (unsigned i = 0; i < chain->nr_in; i++)
		written += chain->in[i].length;
	if (chain->out[0].length != sizeof *header || chain->in[chain->nr_in - 1].length != 1)
		__builtin_trap();
	switch (header->type) {
	case VIRTIO_BLK_IN:
	case VIRTIO_BLK_OUT: *status = fake_transfer(chain, header); break;
	case VIRTIO_BLK_FLUSH: fake_flushes++, *status = VIRTIO_BLK_S_OK; break;
	case VIRTIO_BLK_DISCARD: fake_discards++, *status = VIRTIO_BLK_S_OK; break;
	default: *status = VIRTIO_BLK_S_UNSUPP; break;
	}
	return written;
}

// struct fake_virtio.served of a disk that does its work at once.
UNUSED static void fake_blk_serve(struct fake_virtio *dev, unsigned queue)
{
	static struct fake_chain chain;
	while (fake_next(dev, queue, &chain))
		fake_answer(dev, queue, chain.head, fake_blk_do(&chain));
}

UNUSED static void fake_put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof value);
}

UNUSED static struct fake_virtio fake_blk_new(uint32_t version, uint64_t offers)
{
	struct fake_virtio dev = fake_virtio_new(version, VIRTIO_BLOCK, offers);
	fake_put32(dev.config + VIRTIO_BLK_CAPACITY, FAKE_DISK_BYTES / 512);
	fake_put32(dev.config + VIRTIO_BLK_SIZE_MAX, 65536);
	fake_put32(dev.config + VIRTIO_BLK_SEG_MAX, 16);
	fake_put32(dev.config + VIRTIO_BLK_BLK_SIZE, 512);
	fake_put32(dev.config + VIRTIO_BLK_DISCARD_SECTORS, 1024);
	fake_put32(dev.config + VIRTIO_BLK_DISCARD_SEGMENTS, 1);
	fake_put32(dev.config + VIRTIO_BLK_DISCARD_ALIGNMENT, 8);
	fake_put32(dev.config + VIRTIO_BLK_ZEROES_SECTORS, 512);
	fake_put32(dev.config + VIRTIO_BLK_ZEROES_SEGMENTS, 1);
	dev.served = fake_blk_serve;
	return dev;
}

#endif
