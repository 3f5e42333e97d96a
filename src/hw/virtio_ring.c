// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio split ring. Owns a ring's memory, the shared part and its own; called by the drivers
// of hw/ with the device's lock held.
// Invariant: a chain is the device's from virtio_ring_publish until its answer is taken, and its descriptors are
// not used for anything else before. Nothing that the device writes is believed: an answer names a chain that it
// has, and no more bytes than it was given.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Split Virtqueues"; "Legacy Interfaces: A Note on Virtqueue Layout".
#include "hw/virtio_ring.h"

#include "arm/barrier.h"
#include "base/atomic.h"

#define LEGACY_ALIGN PAGE_SIZE
#define EVENT_SIZE   sizeof(uint16_t) // the field behind each half's ring, which nobody uses here

static uint64_t used_offset(unsigned size)
{
	uint64_t first = sizeof(struct virtio_desc) * size + sizeof(struct virtio_avail) +
	                 sizeof(uint16_t) * size + EVENT_SIZE;
	return align_up(first, LEGACY_ALIGN);
}

uint64_t virtio_ring_bytes(unsigned size)
{
	return align_up(used_offset(size) + sizeof(struct virtio_used) +
	                        sizeof(struct virtio_used_entry) * size + EVENT_SIZE,
	                LEGACY_ALIGN);
}

void virtio_ring_init(struct virtio_ring *ring, uint16_t index, unsigned size, void *memory)
{
	char *at = memory;
	ring->index = index;
	ring->size = (uint16_t)size;
	ring->desc = memory;
	ring->avail = (void *)(at + sizeof(struct virtio_desc) * size);
	ring->used = (void *)(at + used_offset(size));
	ring->free = 0;
	ring->nr_free = (uint16_t)size;
	ring->nr_out = ring->avail_index = ring->used_index = 0;
	for (unsigned i = 0; i < size; i++)
		ring->slot[i] = (struct virtio_slot){.next = (uint16_t)(i + 1)};
}

int virtio_ring_next(const struct virtio_ring *ring, unsigned descriptors)
{
	return descriptors != 0 && descriptors <= ring->nr_free ? ring->free : ERR_BUSY;
}

int virtio_ring_put(struct virtio_ring *ring, const struct virtio_part *parts, unsigned nr_parts,
                    void *owner, uint64_t now)
{
	unsigned total = 0, left;
	uint32_t writable = 0;
	for (unsigned i = 0; i < nr_parts; i++)
		total += parts[i].count;
	int head = virtio_ring_next(ring, total);
	if (head < 0)
		return head;
	left = total;
	for (unsigned i = 0; i < nr_parts; i++) {
		for (unsigned n = 0; n < parts[i].count; n++) {
			const struct segment *segment = &parts[i].segments[n];
			uint16_t next = ring->slot[ring->free].next;
			left--;
			ring->desc[ring->free] = (struct virtio_desc){
			        .address = segment->pa.v,
			        .length = segment->bytes,
			        .flags = (uint16_t)((parts[i].device_writes ? VIRTIO_DESC_WRITE
			                                                    : 0) |
			                            (left != 0 ? VIRTIO_DESC_NEXT : 0)),
			        .next = left != 0 ? next : 0,
			};
			writable += parts[i].device_writes ? segment->bytes : 0;
			ring->free = next;
		}
	}
	struct virtio_slot *slot = &ring->slot[head];
	slot->owner = owner;
	slot->since = now;
	slot->writable = writable;
	slot->count = (uint16_t)total;
	ring->nr_free = (uint16_t)(ring->nr_free - total);
	ring->nr_out++;
	ring->avail->ring[ring->avail_index++ % ring->size] = (uint16_t)head;
	return head;
}

bool virtio_ring_publish(struct virtio_ring *ring)
{
	dmb(osh); // the descriptors before the index that shows them
	store_relaxed(&ring->avail->index, ring->avail_index);
	dmb(osh); // the index before the flags are read, and before the doorbell
	return (load_relaxed(&ring->used->flags) & VIRTIO_USED_NO_NOTIFY) == 0;
}

bool virtio_ring_interrupts(struct virtio_ring *ring, bool wanted)
{
	store_relaxed(&ring->avail->flags, (uint16_t)(wanted ? 0 : VIRTIO_AVAIL_NO_INTERRUPT));
	dmb(osh); // what was asked for, before the look at the device's index
	return wanted && load_relaxed(&ring->used->index) != ring->used_index;
}

// Gives the chain's descriptors back.
static void release(struct virtio_ring *ring, uint32_t head)
{
	struct virtio_slot *slot = &ring->slot[head];
	uint32_t last = head;
	for (unsigned i = 1; i < slot->count; i++)
		last = ring->slot[last].next;
	ring->slot[last].next = ring->free;
	ring->free = (uint16_t)head;
	ring->nr_free = (uint16_t)(ring->nr_free + slot->count);
	ring->nr_out--;
	slot->owner = NULL;
	slot->count = 0;
}

int virtio_ring_take(struct virtio_ring *ring, struct virtio_answer *answer, const char **why)
{
	uint16_t ready = (uint16_t)(load_relaxed(&ring->used->index) - ring->used_index);
	if (ready == 0)
		return 0;
	dmb(osh); // the index before what it shows
	const struct virtio_used_entry *entry = &ring->used->ring[ring->used_index % ring->size];
	uint32_t chain = load_relaxed(&entry->id), bytes = load_relaxed(&entry->length);
	if (ready > ring->nr_out)
		*why = "it answers more than it was asked";
	else if (chain >= ring->size || ring->slot[chain].owner == NULL)
		*why = "it answers what it was not asked";
	else if (bytes > ring->slot[chain].writable)
		*why = "it says that it wrote more than it may";
	else
		*why = NULL;
	if (*why != NULL)
		return ERR_IO;
	*answer = (struct virtio_answer){ring->slot[chain].owner, chain, bytes};
	ring->used_index++;
	release(ring, chain);
	return 1;
}

bool virtio_ring_abandon(struct virtio_ring *ring, struct virtio_answer *answer)
{
	for (uint32_t i = 0; ring->nr_out != 0 && i < ring->size; i++) {
		if (ring->slot[i].owner != NULL) {
			*answer = (struct virtio_answer){ring->slot[i].owner, i, 0};
			release(ring, i);
			return true;
		}
	}
	return false;
}

uint64_t virtio_ring_oldest(const struct virtio_ring *ring)
{
	uint64_t oldest = UINT64_MAX;
	for (uint32_t i = 0; ring->nr_out != 0 && i < ring->size; i++)
		if (ring->slot[i].owner != NULL && ring->slot[i].since < oldest)
			oldest = ring->slot[i].since;
	return oldest;
}
