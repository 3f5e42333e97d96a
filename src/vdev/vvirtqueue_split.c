// SPDX-License-Identifier: Apache-2.0
// Split rings: a table of descriptors, a ring in which the driver names chains, a ring in which the device does.
// Owns nothing; called by vvirtqueue.c. Invariant: next_avail and next_used count on as the rings' own indices do, and
// an entry is theirs modulo the ring's size, a power of two.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Split Virtqueues".
#include "arm/barrier.h"
#include "vdev/vvirtqueue_ring.h"

// Both rings: flags, index, entries, and the other side's event index behind them.
#define RING_FLAGS   0U
#define RING_INDEX   2U
#define RING_ENTRIES 4U
#define AVAIL_ENTRY  2U
#define USED_ENTRY   8U // id, length

#define AVAIL_NO_INTERRUPT BIT_U32(0)
#define USED_NO_NOTIFY     BIT_U32(0)

struct vvirtqueue_layout vvirtqueue_split_layout(uint32_t size)
{
	return (struct vvirtqueue_layout){
	        .desc = size * (uint32_t)sizeof(uint64_t[2]),
	        .driver = RING_ENTRIES + size * AVAIL_ENTRY + 2,
	        .device = RING_ENTRIES + size * USED_ENTRY + 2,
	        .driver_align = 2,
	};
}

static uint16_t slot_of(const struct vvirtqueue *queue, uint16_t index)
{
	return index & (uint16_t)(queue->size - 1);
}

static uint16_t *used_event(const struct vvirtqueue *queue)
{
	return vvirtqueue_at16(&queue->part_driver, RING_ENTRIES + queue->size * AVAIL_ENTRY);
}

static uint16_t *avail_event(const struct vvirtqueue *queue)
{
	return vvirtqueue_at16(&queue->part_device, RING_ENTRIES + queue->size * USED_ENTRY);
}

// Descriptor `n`, below the ring's size.
static struct vvirtqueue_desc get_desc(const struct vvirtqueue *queue, uint16_t n)
{
	uint64_t *from = vvirtqueue_at(&queue->part_desc, n * (uint32_t)sizeof(uint64_t[2]));
	const uint64_t words[2] = {load_relaxed(&from[0]), load_relaxed(&from[1])};
	return vvirtqueue_desc_of(words, false);
}

static const char *take_table(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                              const struct vvirtqueue_desc *head)
{
	struct vvirtqueue_table table;
	const char *why = vvirtqueue_table_begin(queue, head, &table);
	struct vvirtqueue_desc desc = {.flags = DESC_NEXT};

	for (uint32_t steps = 0; why == NULL && (desc.flags & DESC_NEXT) != 0; steps++) {
		if (steps == table.count)
			return "has a chain that goes in a circle";
		if (desc.next >= table.count)
			return "has a chain that leaves its table";
		why = vvirtqueue_table_add(queue, chain, &table, desc.next, &desc);
	}
	return why;
}

static const char *take_chain(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain)
{
	struct vvirtqueue_desc desc = {.flags = DESC_NEXT, .next = chain->id};
	const char *why = NULL;

	for (uint32_t steps = 0; why == NULL && (desc.flags & DESC_NEXT) != 0; steps++) {
		if (steps == queue->size)
			return "has a chain that goes in a circle";
		if (desc.next >= queue->size)
			return "has a chain that leaves its table";
		desc = get_desc(queue, slot_of(queue, desc.next));
		if ((desc.flags & DESC_INDIRECT) == 0)
			why = vvirtqueue_add(queue, chain, &desc);
		else if ((desc.flags & DESC_NEXT) != 0)
			return "has a chain that goes on behind a table of descriptors";
		else
			why = take_table(queue, chain, &desc);
	}
	return why;
}

int vvirtqueue_split_take(struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                          const char **why)
{
	uint16_t index = load_acquire(vvirtqueue_at16(&queue->part_driver, RING_INDEX));
	uint16_t waiting = (uint16_t)(index - queue->next_avail);

	if (waiting == 0)
		return 0;
	if (waiting > queue->size) {
		*why = "has more entries than it has room for";
		return ERR_INVALID;
	}
	uint32_t entry = RING_ENTRIES + slot_of(queue, queue->next_avail) * AVAIL_ENTRY;
	chain->id = load_relaxed(vvirtqueue_at16(&queue->part_driver, entry));
	chain->slots = 1;
	*why = take_chain(queue, chain);
	if (*why != NULL)
		return ERR_INVALID;
	queue->next_avail++;
	return 1;
}

bool vvirtqueue_split_waits(const struct vvirtqueue *queue)
{
	return load_acquire(vvirtqueue_at16(&queue->part_driver, RING_INDEX)) != queue->next_avail;
}

void vvirtqueue_split_give(struct vvirtqueue *queue, const struct vvirtqueue_used *used,
                           unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint32_t entry = RING_ENTRIES + slot_of(queue, queue->next_used) * USED_ENTRY;
		store_relaxed(vvirtqueue_at32(&queue->part_device, entry), used[i].id);
		store_relaxed(vvirtqueue_at32(&queue->part_device, entry + 4), used[i].written);
		queue->next_used++;
	}
	store_release(vvirtqueue_at16(&queue->part_device, RING_INDEX), queue->next_used);
}

bool vvirtqueue_split_tell(struct vvirtqueue *queue)
{
	uint16_t before = queue->told, now = queue->next_used;

	if (before == now)
		return false;
	queue->told = now;
	dmb(ish); // the index that the driver will see, before what the driver asked for
	if ((queue->features & VVIRTQUEUE_EVENT) == 0)
		return (load_relaxed(vvirtqueue_at16(&queue->part_driver, RING_FLAGS)) &
		        AVAIL_NO_INTERRUPT) == 0;
	uint16_t event = load_relaxed(used_event(queue));
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

void vvirtqueue_split_listen(struct vvirtqueue *queue)
{
	if ((queue->features & VVIRTQUEUE_EVENT) != 0)
		store_relaxed(avail_event(queue), queue->next_avail);
	else
		store_relaxed(vvirtqueue_at16(&queue->part_device, RING_FLAGS), 0);
	dmb(ish); // what was asked for, before the look at the driver's index
}

// With event indices one that lies behind is as good as none: the driver notifies when it passes it again, 65,536
// entries later.
void vvirtqueue_split_ignore(struct vvirtqueue *queue)
{
	if ((queue->features & VVIRTQUEUE_EVENT) != 0)
		store_relaxed(avail_event(queue), (uint16_t)(queue->next_avail - 1));
	else
		store_relaxed(vvirtqueue_at16(&queue->part_device, RING_FLAGS), USED_NO_NOTIFY);
}
