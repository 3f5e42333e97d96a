// SPDX-License-Identifier: Apache-2.0
// A ring of bytes with one writer and one reader at a time; the indices run freely.
#ifndef CONSOLE_RING_H
#define CONSOLE_RING_H

#include "base/atomic.h"
#include "base/types.h"

struct ring {
	uint8_t *bytes;
	uint32_t size; // a power of two
	uint32_t head; // the writer's
	uint32_t tail; // the reader's
};

static inline uint32_t ring_fill(const struct ring *ring)
{
	return load_acquire(&ring->head) - load_acquire(&ring->tail);
}

static inline uint32_t ring_room(const struct ring *ring)
{
	return ring->size - ring_fill(ring);
}

// False when the ring is full.
static inline bool ring_put(struct ring *ring, uint8_t byte)
{
	if (ring_room(ring) == 0)
		return false;
	ring->bytes[ring->head & (ring->size - 1)] = byte;
	store_release(&ring->head, ring->head + 1);
	return true;
}

// False when the ring is empty.
static inline bool ring_get(struct ring *ring, uint8_t *byte)
{
	if (ring_fill(ring) == 0)
		return false;
	*byte = ring->bytes[ring->tail & (ring->size - 1)];
	store_release(&ring->tail, ring->tail + 1);
	return true;
}

#endif
