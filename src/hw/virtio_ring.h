// SPDX-License-Identifier: Apache-2.0
// The driver's side of a virtio split ring.
#ifndef HW_VIRTIO_RING_H
#define HW_VIRTIO_RING_H

#include "base/types.h"
#include "hw/segment.h"
#include "hw/virtio_regs.h"

#define VIRTIO_RING_MAX 256 // descriptors; a power of two

// What the driver remembers of a descriptor, so that nothing is ever read back from where a device might have
// written. By the number of the chain's first descriptor, but for `next`.
struct virtio_slot {
	void *owner;       // NULL: not with the device
	uint64_t since;    // ticks of timer_now()
	uint32_t writable; // bytes of the chain that the device may write
	uint16_t next;     // the chain's next descriptor, or the next free one
	uint16_t count;    // descriptors of the chain
};

// All of it under the device's lock once the device runs.
struct virtio_ring {
	uint16_t index;     // which queue of the device
	uint16_t size;      // descriptors, a power of two; 0: there is no ring
	bool patient;       // what it holds need not be answered soon: buffers for what may come
	uintptr_t doorbell; // virtio-pci: where to write to notify the device

	// Shared with the device.
	struct virtio_desc *desc;
	struct virtio_avail *avail;
	struct virtio_used *used;

	uint16_t free, nr_free;
	uint16_t nr_out;      // chains with the device
	uint16_t avail_index; // of the next chain to give
	uint16_t used_index;  // of the next answer to take
	uint64_t answered;    // when the last answer was taken: ticks of timer_now(); 0: none was
	struct virtio_slot slot[VIRTIO_RING_MAX];
};

// A part of a chain: segments that the device all reads, or all writes.
struct virtio_part {
	const struct segment *segments;
	unsigned count;
	bool device_writes;
};

// Bytes that the shared memory of a ring takes, in the layout of legacy devices, which suits the others as well.
uint64_t virtio_ring_bytes(unsigned size);
// Makes an empty ring of `size` descriptors in zeroed memory of so many bytes, aligned to 4 KiB.
void virtio_ring_init(struct virtio_ring *ring, uint16_t index, unsigned size, void *memory);

// Puts a chain of all segments of all parts into the ring; what the device reads comes first. `owner`, not NULL, comes
// back when the device has answered. The number of the chain, or ERR_BUSY: not so many descriptors are free. The
// device sees nothing before virtio_ring_publish.
int virtio_ring_put(struct virtio_ring *ring, const struct virtio_part *parts, unsigned nr_parts,
                    void *owner, uint64_t now);
// What the next virtio_ring_put would return, so that memory can be chosen by it; ERR_BUSY.
int virtio_ring_next(const struct virtio_ring *ring, unsigned descriptors);
// Shows the device what was put. Whether it wants to be notified.
bool virtio_ring_publish(struct virtio_ring *ring);

// Asks for an interrupt for each answer, or for none. After asking for them: whether there is an answer by now, for which
// none may come.
bool virtio_ring_interrupts(struct virtio_ring *ring, bool wanted);

struct virtio_answer {
	void *owner;
	uint32_t chain;
	uint32_t bytes; // that the device wrote, at most what it was given
};
// Takes an answer. 1; 0: there is none; ERR_IO: the device broke the rules, `*why` says which in a clause.
int virtio_ring_take(struct virtio_ring *ring, struct virtio_answer *answer, const char **why);
// Takes back a chain that the device did not answer and, being reset, never will. False: there is none.
bool virtio_ring_abandon(struct virtio_ring *ring, struct virtio_answer *answer);
// When the oldest chain was given; UINT64_MAX: there is none. Looks at each descriptor.
uint64_t virtio_ring_oldest(const struct virtio_ring *ring);

#endif
