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
#define FILL      0xc5       /* rings_fill */
#define USED_AT   PAGE_BYTES /* of a queue's memory */

/* Pages of case_memory: canaries lie between those that descriptors name. */
#define CANARY1 (case_memory + PAGE_BYTES)
#define DATA    (case_memory + 2 * PAGE_BYTES)
#define CANARY2 (case_memory + 3 * PAGE_BYTES)
#define MORE    (case_memory + 4 * PAGE_BYTES)

/* A block of 2 MiB of RAM in which nothing is: the image is at the beginning, and there are 16 MiB at least. */
#define SPARE_BYTES (2 * MIB)
#define SPARE       ((u8 *)(ram_end() - 3 * SPARE_BYTES))

#define RESET_IT "The device needs a reset, does nothing else, and is good after it."

/* Every case has the same ones: they keep the memory of their rings. */
extern struct virtio rings_disk, rings_balloon;

/* A queue's ring is to be at `memory`, which is two pages: there are more queues than the driver has rings for. */
void rings_place(struct virtio *dev, u32 id, unsigned n, unsigned queue, u8 *memory);
/* Resets the n-th device of a kind, agrees on features, and makes the queues of the mask. No such device: the case is
   absent. */
void rings_begin(struct virtio *dev, u32 id, unsigned n, u64 features, u32 queues);
/* Its status says that it needs a reset. */
bool rings_broken(const struct virtio *dev);
/* One buffer is made available and comes back, with so many bytes written. */
bool rings_one_back(struct virtio *dev, unsigned queue, const void *at, u32 bytes, bool write,
                    u32 *written);
/* Fills memory with a pattern; it is to be there still. */
void rings_fill(u8 *at, u32 bytes);
void rings_want_whole(const u8 *at, u32 bytes, const char *what);

#endif
