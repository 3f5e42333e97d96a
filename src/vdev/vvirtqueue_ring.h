// SPDX-License-Identifier: Apache-2.0
// What the two kinds of ring have in common, and what each of them does. Only for vvirtqueue*.c.
#ifndef VDEV_VVIRTQUEUE_RING_H
#define VDEV_VVIRTQUEUE_RING_H

#include "base/atomic.h"
#include "base/bits.h"
#include "vdev/vvirtqueue.h"

// Flags of a descriptor, of either kind.
#define DESC_NEXT     BIT_U32(0)
#define DESC_WRITE    BIT_U32(1)
#define DESC_INDIRECT BIT_U32(2)

struct vvirtqueue_desc {
	uint64_t ipa;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next; // split: the next of the chain; packed: the buffer's id
};

// A table of descriptors, and the run of memory of it that was looked up last.
struct vvirtqueue_table {
	uint64_t ipa;
	uint32_t count;
	uint64_t from, left;
	const uint8_t *bytes;
};

struct vvirtqueue_layout { // bytes
	uint32_t desc, driver, device, driver_align;
};

// The 16 bytes of a descriptor: both kinds have address and length in the same places, and flags in another.
static inline struct vvirtqueue_desc vvirtqueue_desc_of(const uint64_t words[2], bool packed)
{
	uint16_t low = (uint16_t)(words[1] >> 32), high = (uint16_t)(words[1] >> 48);
	return (struct vvirtqueue_desc){
	        .ipa = words[0],
	        .bytes = (uint32_t)words[1],
	        .flags = packed ? high : low,
	        .next = packed ? low : high,
	};
}

// Where a part has its byte `offset`, which is inside of it.
static inline void *vvirtqueue_at(const struct vvirtqueue_part *part, uint32_t offset)
{
	uint32_t at = part->begins + offset;
	return part->page[at / PAGE_SIZE % VVIRTQUEUE_PART] + at % PAGE_SIZE;
}
static inline uint16_t *vvirtqueue_at16(const struct vvirtqueue_part *part, uint32_t offset)
{
	return (uint16_t *)vvirtqueue_at(part, offset);
}
static inline uint32_t *vvirtqueue_at32(const struct vvirtqueue_part *part, uint32_t offset)
{
	return (uint32_t *)vvirtqueue_at(part, offset);
}

// Each of these returns NULL, or what is wrong, as the end of a sentence.
const char *vvirtqueue_add(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                           const struct vvirtqueue_desc *desc);
const char *vvirtqueue_table_begin(const struct vvirtqueue *queue,
                                   const struct vvirtqueue_desc *desc,
                                   struct vvirtqueue_table *table);
// Adds what entry `n`, below table->count, says to the chain.
const char *vvirtqueue_table_add(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                                 struct vvirtqueue_table *table, uint32_t n,
                                 struct vvirtqueue_desc *desc);

struct vvirtqueue_layout vvirtqueue_split_layout(uint32_t size);
int vvirtqueue_split_take(struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                          const char **why);
bool vvirtqueue_split_waits(const struct vvirtqueue *queue);
void vvirtqueue_split_give(struct vvirtqueue *queue, const struct vvirtqueue_used *used,
                           unsigned count);
bool vvirtqueue_split_tell(struct vvirtqueue *queue);
void vvirtqueue_split_listen(struct vvirtqueue *queue);
void vvirtqueue_split_ignore(struct vvirtqueue *queue);

struct vvirtqueue_layout vvirtqueue_packed_layout(uint32_t size);
int vvirtqueue_packed_take(struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                           const char **why);
bool vvirtqueue_packed_waits(const struct vvirtqueue *queue);
void vvirtqueue_packed_give(struct vvirtqueue *queue, const struct vvirtqueue_used *used,
                            unsigned count);
bool vvirtqueue_packed_tell(struct vvirtqueue *queue);
void vvirtqueue_packed_listen(struct vvirtqueue *queue);
void vvirtqueue_packed_ignore(struct vvirtqueue *queue);

#endif
