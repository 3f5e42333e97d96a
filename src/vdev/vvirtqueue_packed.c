// SPDX-License-Identifier: Apache-2.0
// Packed rings: one ring of descriptors, in which both sides write. Owns nothing; called by vvirtqueue.c.
// A descriptor is available if its AVAIL flag is the driver's wrap counter and its USED flag is not; the counters begin
// as 1 and turn over each time round. Invariant: next_avail and next_used are below the ring's size.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Packed Virtqueues".
#include "arm/barrier.h"
#include "vdev/vvirtqueue_ring.h"

#define DESC_BYTES 16U
#define DESC_LEN   8U // offsets in a descriptor
#define DESC_ID    12U
#define DESC_FLAGS 14U
#define DESC_AVAIL BIT_U32(7)
#define DESC_USED  BIT_U32(15)

// What either side wants to hear of: two half-words.
#define EVENT_WHERE   0U
#define EVENT_FLAGS   2U
#define EVENT_BYTES   4U
#define WHERE_OFFSET  GENMASK_U32(14, 0)
#define WHERE_WRAP    BIT_U32(15)
#define FLAGS_MASK    GENMASK_U32(1, 0)
#define FLAGS_ENABLE  0U
#define FLAGS_DISABLE 1U
#define FLAGS_DESC    2U

struct vvirtqueue_layout vvirtqueue_packed_layout(uint32_t size)
{
	return (struct vvirtqueue_layout){
	        .desc = size * DESC_BYTES,
	        .driver = EVENT_BYTES,
	        .device = EVENT_BYTES,
	        .driver_align = 4,
	};
}

static bool is_available(uint16_t flags, bool wrap)
{
	return ((flags & DESC_AVAIL) != 0) == wrap && ((flags & DESC_USED) != 0) != wrap;
}

static uint16_t load_flags(const struct vvirtqueue *queue, uint16_t slot)
{
	return load_acquire(vvirtqueue_at16(&queue->part_desc, slot * DESC_BYTES + DESC_FLAGS));
}

// Below the ring's size; `by` is at most that.
static uint16_t step(const struct vvirtqueue *queue, uint16_t slot, uint16_t by, bool *wrap)
{
	uint32_t next = (uint32_t)slot + by;
	if (next < queue->size)
		return (uint16_t)next;
	*wrap = !*wrap;
	return (uint16_t)(next - queue->size);
}

static struct vvirtqueue_desc get_desc(const struct vvirtqueue *queue, uint16_t slot)
{
	uint64_t *from = vvirtqueue_at(&queue->part_desc, slot * DESC_BYTES);
	const uint64_t words[2] = {load_relaxed(&from[0]), load_relaxed(&from[1])};
	return vvirtqueue_desc_of(words, true);
}

// All entries of a table follow one another.
static const char *take_table(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                              const struct vvirtqueue_desc *head)
{
	struct vvirtqueue_table table;
	const char *why = vvirtqueue_table_begin(queue, head, &table);

	for (uint32_t n = 0; why == NULL && n < table.count; n++) {
		struct vvirtqueue_desc desc;
		why = vvirtqueue_table_add(queue, chain, &table, n, &desc);
	}
	return why;
}

bool vvirtqueue_packed_waits(const struct vvirtqueue *queue)
{
	return is_available(load_flags(queue, queue->next_avail), queue->avail_wrap);
}

// The driver makes the first descriptor of a chain available last: the others are there already.
int vvirtqueue_packed_take(struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                           const char **why)
{
	uint16_t slot = queue->next_avail;
	bool wrap = queue->avail_wrap;
	struct vvirtqueue_desc desc;

	if (!vvirtqueue_packed_waits(queue))
		return 0;
	*why = NULL;
	chain->slots = 0;
	do {
		if (chain->slots == queue->size) {
			*why = "has a chain that goes in a circle";
			return ERR_INVALID;
		}
		desc = get_desc(queue, slot);
		slot = step(queue, slot, 1, &wrap);
		chain->slots++;
		if ((desc.flags & DESC_INDIRECT) == 0) {
			*why = vvirtqueue_add(queue, chain, &desc);
		} else if ((desc.flags & DESC_NEXT) != 0 || chain->slots > 1) {
			*why = "has a chain that goes on beside a table of descriptors";
		} else {
			*why = take_table(queue, chain, &desc);
		}
		if (*why != NULL)
			return ERR_INVALID;
	} while ((desc.flags & DESC_NEXT) != 0);
	chain->id = desc.next;
	queue->next_avail = slot;
	queue->avail_wrap = wrap;
	return 1;
}

// The driver looks at what comes back in order, so the flags of the first are written last.
void vvirtqueue_packed_give(struct vvirtqueue *queue, const struct vvirtqueue_used *used,
                            unsigned count)
{
	uint16_t *first = NULL, first_flags = 0;

	for (unsigned i = 0; i < count; i++) {
		uint32_t at = queue->next_used * DESC_BYTES;
		uint32_t flags = queue->used_wrap ? DESC_AVAIL | DESC_USED : 0;
		uint16_t *where = vvirtqueue_at16(&queue->part_desc, at + DESC_FLAGS);
		if (used[i].written != 0)
			flags |= DESC_WRITE;
		store_relaxed(vvirtqueue_at32(&queue->part_desc, at + DESC_LEN), used[i].written);
		store_relaxed(vvirtqueue_at16(&queue->part_desc, at + DESC_ID), used[i].id);
		if (i == 0) {
			first = where;
			first_flags = (uint16_t)flags;
		} else {
			store_release(where, (uint16_t)flags);
		}
		queue->next_used = step(queue, queue->next_used, used[i].slots, &queue->used_wrap);
	}
	store_release(first, first_flags);
}

bool vvirtqueue_packed_tell(struct vvirtqueue *queue)
{
	uint16_t before = queue->told, now = queue->next_used;
	bool turned = queue->told_wrap != queue->used_wrap;

	if (before == now && !turned)
		return false;
	queue->told = now;
	queue->told_wrap = queue->used_wrap;
	dmb(ish); // the flags that the driver will see, before what the driver asked for
	uint32_t event = load_relaxed(vvirtqueue_at32(&queue->part_driver, 0));
	uint32_t flags = (event >> 16) & FLAGS_MASK;
	if (flags != FLAGS_DESC || (queue->features & VVIRTQUEUE_EVENT) == 0)
		return flags != FLAGS_DISABLE;
	// Distances forwards from where the driver was last told.
	uint32_t size = queue->size, where = (uint32_t)field_get(WHERE_OFFSET, event);
	bool wrap = (event & WHERE_WRAP) != 0;
	uint32_t passed = now + (turned ? size : 0) - before;
	uint32_t distance = where + (wrap != (queue->used_wrap != turned) ? size : 0) - before;
	return distance < passed;
}

void vvirtqueue_packed_listen(struct vvirtqueue *queue)
{
	uint32_t event = FLAGS_ENABLE << 16;

	if ((queue->features & VVIRTQUEUE_EVENT) != 0)
		event = FLAGS_DESC << 16 | (queue->avail_wrap ? WHERE_WRAP : 0) | queue->next_avail;
	store_relaxed(vvirtqueue_at32(&queue->part_device, 0), event);
	dmb(ish); // what was asked for, before the look at the ring
}

void vvirtqueue_packed_ignore(struct vvirtqueue *queue)
{
	store_relaxed(vvirtqueue_at32(&queue->part_device, 0), FLAGS_DISABLE << 16);
}
