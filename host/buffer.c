// SPDX-License-Identifier: Apache-2.0
//
// A queue of bytes in one piece of memory. Called by all that stand between a wire and a person.
// Invariant: start <= end <= room.
#include "buffer.h"

#include "util.h"

#include <string.h>

#define ROOM_LEAST 1024

void buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
	size_t waiting = buffer_size(buffer);

	if (size == 0)
		return;
	if (buffer->room - buffer->end < size && buffer->start > 0) {
		memmove(buffer->bytes, buffer_data(buffer), waiting);
		buffer->start = 0;
		buffer->end = waiting;
	}
	if (buffer->room - buffer->end < size) {
		buffer->room = 2 * buffer->room + size + ROOM_LEAST;
		buffer->bytes = util_grow(buffer->bytes, buffer->room, 1);
	}
	memcpy(buffer->bytes + buffer->end, bytes, size);
	buffer->end += size;
}

void buffer_drop(struct buffer *buffer, size_t size)
{
	buffer->start += size;
	if (buffer->start == buffer->end)
		buffer->start = buffer->end = 0;
}
