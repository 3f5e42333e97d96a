// SPDX-License-Identifier: Apache-2.0
// A vvirtqueue as the device sees it: buffers that a driver made available are taken out, and given back used. Split and
// packed rings behind the same calls.
#ifndef VDEV_VVIRTQUEUE_H
#define VDEV_VVIRTQUEUE_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;

#define VVIRTQUEUE_MAX  256 // entries of a ring, and segments of a chain
#define VVIRTQUEUE_PART 2   // pages that a part of a ring has bytes in, at most

// Features that change what the rings look like.
#define VVIRTQUEUE_INDIRECT BIT_U32(0)
#define VVIRTQUEUE_EVENT    BIT_U32(1) // either side says which entry it wants to hear of
#define VVIRTQUEUE_PACKED   BIT_U32(2)

struct vvirtqueue_segment {
	uint64_t ipa; // all of it is RAM
	uint32_t bytes;
};

// A buffer, as it was when it was taken: each descriptor was read once. Segments that the device reads come first.
struct vvirtqueue_chain {
	uint16_t id;    // what names it to the driver
	uint16_t slots; // of the ring that it takes
	uint16_t nr_read, nr_write;
	uint64_t bytes_read, bytes_write;
	uint32_t
	        filled; // pieces of memory that nobody had touched, to read its table of descriptors
	struct vvirtqueue_segment segment[VVIRTQUEUE_MAX];
};

// Where in memory one of the three parts of a ring is.
struct vvirtqueue_part {
	uint8_t *page[VVIRTQUEUE_PART];
	uint32_t begins; // bytes into the first page
};

// All of it under its device's lock, or that of the queue's user.
struct vvirtqueue {
	struct vm *vm; // fixed after start

	// As the driver sets it up.
	uint16_t size; // entries
	uint64_t desc, driver,
	        device;    // IPAs: descriptors, what the driver writes, what the device writes
	uint32_t features; // VVIRTQUEUE_*
	bool ready;        // it may be used: the three parts are where `part` says

	struct vvirtqueue_part part_desc, part_driver, part_device;
	uint16_t next_avail, next_used; // split: they count on; packed: slots of the ring
	bool avail_wrap, used_wrap;     // packed
	uint16_t told;                  // next_used when the driver was last interrupted
	bool told_wrap;                 // packed
	bool asked_quiet;               // the driver was told not to notify
};

// Makes a queue with the driver's settings ready: finds its parts. NULL, or what is wrong with them, as the end of a
// sentence; then it is not ready. At most six pieces of memory are filled. Any CPU that runs the VM.
const char *vvirtqueue_start(struct vvirtqueue *queue);
// Forgets everything but the size.
void vvirtqueue_stop(struct vvirtqueue *queue);

// Takes the next buffer. 1; 0: there is none; ERR_INVALID: what the driver wrote is nonsense, *why is the end of a
// sentence, and the queue is not to be used any more. Up to VVIRTQUEUE_MAX descriptors, one table of them.
int vvirtqueue_take(struct vvirtqueue *queue, struct vvirtqueue_chain *chain, const char **why);
// Whether there is one. Without looking at it.
bool vvirtqueue_waits(const struct vvirtqueue *queue);

// Gives a buffer back, of which the device wrote the first `written` bytes. Buffers may come back in any order. The
// driver is told later: vvirtqueue_tell.
void vvirtqueue_give(struct vvirtqueue *queue, const struct vvirtqueue_chain *chain,
                     uint32_t written);
void vvirtqueue_give_id(struct vvirtqueue *queue, uint16_t id, uint16_t slots, uint32_t written);

// A buffer that goes back, as the two calls above say it.
struct vvirtqueue_used {
	uint16_t id, slots;
	uint32_t written;
};
// Gives several back in one: the driver sees all of them, or none yet. At most VVIRTQUEUE_MAX.
void vvirtqueue_give_all(struct vvirtqueue *queue, const struct vvirtqueue_used *used,
                         unsigned count);

// Where the next buffer is taken from. What was taken since a mark, and not given back, is there again when the queue
// goes back to it.
struct vvirtqueue_mark {
	uint16_t next_avail;
	bool avail_wrap;
};
static inline struct vvirtqueue_mark vvirtqueue_mark(const struct vvirtqueue *queue)
{
	return (struct vvirtqueue_mark){queue->next_avail, queue->avail_wrap};
}
static inline void vvirtqueue_go_back(struct vvirtqueue *queue, struct vvirtqueue_mark mark)
{
	queue->next_avail = mark.next_avail;
	queue->avail_wrap = mark.avail_wrap;
}

// Whether the driver wants to be interrupted for what came back since it last was. Then it counts as told.
bool vvirtqueue_tell(struct vvirtqueue *queue);

// Asks the driver to notify, or not to. After asking for it the queue is to be looked at again: returns whether there
// is a buffer by now.
bool vvirtqueue_listen(struct vvirtqueue *queue);
void vvirtqueue_ignore(struct vvirtqueue *queue);

extern const struct vstate vvirtqueue_state;

#endif
