// SPDX-License-Identifier: Apache-2.0
// Bytes that wait for somebody to take them: they are added at one end and taken at the other.
#ifndef HOST_BUFFER_H
#define HOST_BUFFER_H

#include "base/types.h"

// All zero is an empty buffer.
struct buffer {
	uint8_t *bytes;
	size_t start, end, room; // bytes[start..end) wait; room: how many fit
};

// Grows as needed: who adds sees to it that there is an end to it.
void buffer_add(struct buffer *buffer, const void *bytes, size_t size);

// The `size` oldest bytes are gone; there are as many.
void buffer_drop(struct buffer *buffer, size_t size);

static inline size_t buffer_size(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

static inline const uint8_t *buffer_data(const struct buffer *buffer)
{
	return buffer->bytes + buffer->start;
}

#endif
