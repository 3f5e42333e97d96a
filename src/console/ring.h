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

// Puts all of them; there is room.
static inline void ring_put_all(struct ring *ring, const uint8_t *bytes, uint32_t count)
{
	uint32_t head = ring->head;

	for (uint32_t i = 0; i < count; i++)
		ring->bytes[(head + i) & (ring->size - 1)] = bytes[i];
	store_release(&ring->head, head + count);
}

// Gets at most `max`; returns how many.
static inline uint32_t ring_get_some(struct ring *ring, uint8_t *bytes, uint32_t max)
{
	uint32_t tail = ring->tail, fill = ring_fill(ring);
	uint32_t count = fill < max ? fill : max;

	for (uint32_t i = 0; i < count; i++)
		bytes[i] = ring->bytes[(tail + i) & (ring->size - 1)];
	store_release(&ring->tail, tail + count);
	return count;
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
