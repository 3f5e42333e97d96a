// SPDX-License-Identifier: Apache-2.0
// A vvirtqueue as the device sees it: where its parts are, and chains of descriptors. How entries come and go is
// vvirtqueue_split.c's and vvirtqueue_packed.c's. Owns nothing; called by devices, under their locks.
//
// What lies in the guest's memory changes under our hands: another of its vCPUs may write it at any time. So each word
// is read once, into a variable of ours, then looked at, then used. An index is used modulo the ring's size, whatever it
// is. The parts of a ring are looked up once, when the driver makes it ready: the balloon gives no page away that a ring
// lies in (vvirtio_settle).
// Source: Virtual I/O Device (VIRTIO) 1.2, "Virtqueues", "Split Virtqueues", "Packed Virtqueues".
#include "vdev/vvirtqueue.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/vvirtqueue_ring.h"
#include "vm/vm.h"

// ---- the parts of a ring ----

static const char *find_part(struct vvirtqueue *queue, uint64_t ipa, uint32_t bytes, uint32_t align,
                             struct vvirtqueue_part *part)
{
	const struct vm *vm = queue->vm;
	uint64_t left, at = align_down(ipa, PAGE_SIZE);

	if (!is_aligned(ipa, align))
		return "is not aligned as it has to be";
	if (!range_contains(vm->ram_base, vm->ram_size, ipa, bytes))
		return "is not in RAM";
	part->begins = (uint32_t)(ipa - at);
	for (unsigned i = 0; i < VVIRTQUEUE_PART; i++, at += PAGE_SIZE) {
		part->page[i] = NULL;
		if (at >= ipa + bytes)
			continue;
		part->page[i] = stage2_pointer(&queue->vm->stage2, IPA(at), &left);
		if (part->page[i] == NULL)
			return "finds no memory";
	}
	return NULL;
}

const char *vvirtqueue_start(struct vvirtqueue *queue)
{
	const struct vvirtqueue_layout layout = (queue->features & VVIRTQUEUE_PACKED) != 0
	                                                ? vvirtqueue_packed_layout(queue->size)
	                                                : vvirtqueue_split_layout(queue->size);
	const char *why;

	queue->ready = false;
	if (queue->size == 0 || queue->size > VVIRTQUEUE_MAX)
		return "has no size that it may have";
	if ((queue->features & VVIRTQUEUE_PACKED) == 0 && !is_power_of_two(queue->size))
		return "has a size that is no power of two";
	why = find_part(queue, queue->desc, layout.desc, 16, &queue->part_desc);
	if (why == NULL)
		why = find_part(queue, queue->driver, layout.driver, layout.driver_align,
		                &queue->part_driver);
	if (why == NULL)
		why = find_part(queue, queue->device, layout.device, 4, &queue->part_device);
	if (why != NULL)
		return why;
	queue->next_avail = queue->next_used = queue->told = 0;
	queue->avail_wrap = queue->used_wrap = queue->told_wrap = true;
	queue->asked_quiet = false;
	queue->ready = true;
	return NULL;
}

void vvirtqueue_stop(struct vvirtqueue *queue)
{
	struct vm *vm = queue->vm;
	uint16_t size = queue->size;

	memset(queue, 0, sizeof *queue);
	queue->vm = vm;
	queue->size = size;
}

// ---- chains ----

// Adds what a descriptor says to the chain. NULL, or what is wrong.
const char *vvirtqueue_add(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                           const struct vvirtqueue_desc *desc)
{
	const struct vm *vm = queue->vm;
	unsigned n = chain->nr_read + chain->nr_write;

	if (n == VVIRTQUEUE_MAX)
		return "has a chain of too many descriptors";
	if (!range_contains(vm->ram_base, vm->ram_size, desc->ipa, desc->bytes))
		return "has a buffer that is not in RAM";
	chain->segment[n] = (struct vvirtqueue_segment){desc->ipa, desc->bytes};
	if ((desc->flags & DESC_WRITE) != 0) {
		chain->nr_write++;
		chain->bytes_write += desc->bytes;
		return NULL;
	}
	if (chain->nr_write != 0)
		return "has a buffer to be read behind one to be written";
	chain->nr_read++;
	chain->bytes_read += desc->bytes;
	return NULL;
}

// Looks up the run of the table that begins at an IPA. False: there is no memory.
static bool table_find(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                       struct vvirtqueue_table *table, uint64_t ipa)
{
	struct stage2 *s2 = &queue->vm->stage2;

	table->from = ipa;
	table->bytes = stage2_span(s2, IPA(ipa), false, &table->left);
	if (table->bytes == NULL) {
		chain->filled++;
		table->bytes = stage2_span(s2, IPA(ipa), true, &table->left);
	}
	return table->bytes != NULL;
}

// Entry `n` of a table of descriptors in RAM; it may lie across two pages. False: there is no memory.
static bool table_read(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                       struct vvirtqueue_table *table, uint32_t n, uint64_t words[2])
{
	uint64_t ipa = table->ipa + n * sizeof(uint64_t[2]);
	uint8_t *to = (uint8_t *)words;

	for (size_t done = 0, some; done < sizeof(uint64_t[2]); done += some) {
		if ((ipa + done < table->from || ipa + done >= table->from + table->left) &&
		    !table_find(queue, chain, table, ipa + done))
			return false;
		const uint8_t *from = table->bytes + (ipa + done - table->from);
		uint64_t left = table->from + table->left - (ipa + done);
		some = left < sizeof(uint64_t[2]) - done ? (size_t)left
		                                         : sizeof(uint64_t[2]) - done;
		memcpy(to + done, from, some);
	}
	return true;
}

const char *vvirtqueue_table_begin(const struct vvirtqueue *queue,
                                   const struct vvirtqueue_desc *desc,
                                   struct vvirtqueue_table *table)
{
	const struct vm *vm = queue->vm;

	if ((queue->features & VVIRTQUEUE_INDIRECT) == 0)
		return "has a table of descriptors, which was not agreed on";
	if (desc->bytes == 0 || desc->bytes % sizeof(uint64_t[2]) != 0 ||
	    desc->bytes / sizeof(uint64_t[2]) > VVIRTQUEUE_MAX)
		return "has a table of descriptors of no size that it may have";
	if (!range_contains(vm->ram_base, vm->ram_size, desc->ipa, desc->bytes))
		return "has a table of descriptors that is not in RAM";
	*table = (struct vvirtqueue_table){
	        .ipa = desc->ipa,
	        .count = desc->bytes / (uint32_t)sizeof(uint64_t[2]),
	};
	return NULL;
}

const char *vvirtqueue_table_add(const struct vvirtqueue *queue, struct vvirtqueue_chain *chain,
                                 struct vvirtqueue_table *table, uint32_t n,
                                 struct vvirtqueue_desc *desc)
{
	uint64_t words[2];

	if (!table_read(queue, chain, table, n, words))
		return "has a table of descriptors that finds no memory";
	*desc = vvirtqueue_desc_of(words, (queue->features & VVIRTQUEUE_PACKED) != 0);
	if ((desc->flags & DESC_INDIRECT) != 0)
		return "has a table of descriptors in a table of descriptors";
	return vvirtqueue_add(queue, chain, desc);
}

// ---- both kinds ----

int vvirtqueue_take(struct vvirtqueue *queue, struct vvirtqueue_chain *chain, const char **why)
{
	chain->nr_read = chain->nr_write = 0;
	chain->bytes_read = chain->bytes_write = chain->filled = 0;
	if (!queue->ready)
		return 0;
	return (queue->features & VVIRTQUEUE_PACKED) != 0
	               ? vvirtqueue_packed_take(queue, chain, why)
	               : vvirtqueue_split_take(queue, chain, why);
}

bool vvirtqueue_waits(const struct vvirtqueue *queue)
{
	if (!queue->ready)
		return false;
	return (queue->features & VVIRTQUEUE_PACKED) != 0 ? vvirtqueue_packed_waits(queue)
	                                                  : vvirtqueue_split_waits(queue);
}

void vvirtqueue_give_all(struct vvirtqueue *queue, const struct vvirtqueue_used *used,
                         unsigned count)
{
	if (!queue->ready || count == 0)
		return;
	if ((queue->features & VVIRTQUEUE_PACKED) != 0)
		vvirtqueue_packed_give(queue, used, count);
	else
		vvirtqueue_split_give(queue, used, count);
}

void vvirtqueue_give_id(struct vvirtqueue *queue, uint16_t id, uint16_t slots, uint32_t written)
{
	const struct vvirtqueue_used used = {id, slots, written};
	vvirtqueue_give_all(queue, &used, 1);
}

void vvirtqueue_give(struct vvirtqueue *queue, const struct vvirtqueue_chain *chain,
                     uint32_t written)
{
	vvirtqueue_give_id(queue, chain->id, chain->slots, written);
}

bool vvirtqueue_tell(struct vvirtqueue *queue)
{
	if (!queue->ready)
		return false;
	return (queue->features & VVIRTQUEUE_PACKED) != 0 ? vvirtqueue_packed_tell(queue)
	                                                  : vvirtqueue_split_tell(queue);
}

bool vvirtqueue_listen(struct vvirtqueue *queue)
{
	if (!queue->ready)
		return false;
	queue->asked_quiet = false;
	if ((queue->features & VVIRTQUEUE_PACKED) != 0)
		vvirtqueue_packed_listen(queue);
	else
		vvirtqueue_split_listen(queue);
	return vvirtqueue_waits(queue);
}

void vvirtqueue_ignore(struct vvirtqueue *queue)
{
	if (!queue->ready || queue->asked_quiet)
		return;
	queue->asked_quiet = true;
	if ((queue->features & VVIRTQUEUE_PACKED) != 0)
		vvirtqueue_packed_ignore(queue);
	else
		vvirtqueue_split_ignore(queue);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vvirtqueue, size),        VSTATE_FIELD(struct vvirtqueue, desc),
        VSTATE_FIELD(struct vvirtqueue, driver),      VSTATE_FIELD(struct vvirtqueue, device),
        VSTATE_FIELD(struct vvirtqueue, features),    VSTATE_FIELD(struct vvirtqueue, ready),
        VSTATE_FIELD(struct vvirtqueue, next_avail),  VSTATE_FIELD(struct vvirtqueue, next_used),
        VSTATE_FIELD(struct vvirtqueue, avail_wrap),  VSTATE_FIELD(struct vvirtqueue, used_wrap),
        VSTATE_FIELD(struct vvirtqueue, told),        VSTATE_FIELD(struct vvirtqueue, told_wrap),
        VSTATE_FIELD(struct vvirtqueue, asked_quiet),
};

const struct vstate vvirtqueue_state = {"vvirtqueue", fields, ARRAY_SIZE(fields), NULL};
