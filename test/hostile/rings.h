/* SPDX-License-Identifier: Apache-2.0 */
/* What cases about virtio devices share: a device that is begun anew, and memory that has to keep what it holds. */
#ifndef HOSTILE_RINGS_H
#define HOSTILE_RINGS_H

#include "hostile.h"
#include "virtio.h"

#define QUEUE_NOTIFY 0x050
#define INTERRUPTS   0x060
#define STATUS       0x070

#define ANSWER_US 3000000ul
#define USED_AT   PAGE_BYTES /* of a queue's memory */

/* Pages of case_memory: canaries lie between those that descriptors name. */
#define CANARY1 (case_memory + PAGE_BYTES)
#define DATA    (case_memory + 2 * PAGE_BYTES)
#define CANARY2 (case_memory + 3 * PAGE_BYTES)
#define MORE    (case_memory + 4 * PAGE_BYTES)

#define RESET_IT "The device needs a reset, does nothing else, and is good after it."

/* The disk. Every case has the same one: it keeps the memory of its ring. */
extern struct virtio rings_disk;

/* Resets the n-th device of a kind, agrees on features, and makes the queues of the mask. No such device: the case is
   absent. */
void rings_begin(struct virtio *dev, u32 id, unsigned n, u64 features, u32 queues);
/* Its status says that it needs a reset. */
bool rings_broken(const struct virtio *dev);
/* Fills memory with a pattern; it is to be there still. */
void rings_fill(u8 *at, u32 bytes);
void rings_want_whole(const u8 *at, u32 bytes, const char *what);

#endif
