// SPDX-License-Identifier: Apache-2.0
// The two rings between a VM's UART and the console: bytes the guest sent, bytes typed for it.
// Each ring has one writer and one reader at a time, so neither takes a lock:
//   out: written under the UART device's lock, read by the holder of LOCK_CONSOLE
//   in:  written by the holder of LOCK_CONSOLE, read under the UART device's lock
// The one exception: the device may give up the oldest output when nobody reads it, so out.tail moves
// by compare and exchange alone.
#ifndef VM_VCONS_H
#define VM_VCONS_H

#include "base/atomic.h"
#include "base/types.h"

#define VCONS_OUT_SIZE 8192 // bytes, a power of two
#define VCONS_IN_SIZE  256  // bytes, a power of two
#define VCONS_PIECE    128  // the console is told at least once in so many bytes

// Free-running indices: head - tail is the fill.
struct vcons_ring {
	uint32_t head; // the writer's
	uint32_t tail; // the reader's
};

// What the console remembers about this VM's output; see console/lines.h.
struct vcons_view {
	uint64_t since;       // ticks: when the unfinished line that waits in `out` was first seen
	uint64_t lost_told;   // of `lost`, how many were named on the wire
	uint32_t column;      // of the line on the wire
	uint32_t piece;       // bytes at the front of `out` that are to be shown without a pause
	uint8_t escape;       // state of the escape sequence filter
	uint8_t utf8_missing; // bytes of a character that are still to come
	uint8_t utf8_count;   // bytes in utf8
	uint8_t utf8[4];
	bool carriage_return; // the last byte was one
	bool broken;          // another source ended its line on the wire before it did
};

// For which bytes the console wants to be told; in any case for the last of each VCONS_PIECE.
enum vcons_wish {
	VCONS_WISH_ALL,
	VCONS_WISH_LINES, // it comes by itself for an unfinished line
	VCONS_WISH_FEW,   // it shows something else
};

struct vcons {
	struct vcons_ring out, in;

	// Written by the console, read by the device.
	uint32_t wish;          // enum vcons_wish
	uint64_t progress_time; // ticks: when the reader last took something from `out`

	// Written by the device, read and cleared by the console: the guest waits for room in `out`.
	uint32_t waiting;

	uint64_t lost;          // bytes of output that nobody will see; atomic
	struct vcons_view view; // under LOCK_CONSOLE
	uint8_t out_bytes[VCONS_OUT_SIZE];
	uint8_t in_bytes[VCONS_IN_SIZE];
};

enum vcons_put {
	VCONS_FULL, // no room: not stored
	VCONS_KEPT,
	VCONS_TELL, // stored, and the console must be told
};

static inline uint32_t vcons_fill(const struct vcons_ring *ring)
{
	return load_acquire(&ring->head) - load_acquire(&ring->tail);
}

// Appends a byte of guest output if more than `reserve` bytes of room are left. Under the device's lock.
static inline enum vcons_put vcons_out_put(struct vcons *con, uint8_t byte, uint32_t reserve)
{
	uint32_t head = con->out.head;
	uint32_t fill = head - load_acquire(&con->out.tail);

	if (UNLIKELY(fill >= VCONS_OUT_SIZE - reserve))
		return VCONS_FULL;
	con->out_bytes[head % VCONS_OUT_SIZE] = byte;
	store_release(&con->out.head, head + 1);
	uint32_t wish = load_relaxed(&con->wish);
	if (wish == VCONS_WISH_ALL || (byte == '\n' && wish == VCONS_WISH_LINES) ||
	    fill % VCONS_PIECE == VCONS_PIECE - 1)
		return VCONS_TELL;
	return VCONS_KEPT;
}

// Bytes of guest output that may still be put.
static inline uint32_t vcons_out_room(const struct vcons *con)
{
	return VCONS_OUT_SIZE - vcons_fill(&con->out);
}

// Takes a byte of guest output; false when there is none. Only under LOCK_CONSOLE.
bool vcons_out_get(struct vcons *con, uint8_t *byte);
// The position of the first `wanted` within the oldest `max` bytes of output, or what is there if it
// is not among them. Only under LOCK_CONSOLE.
uint32_t vcons_out_find(const struct vcons *con, uint8_t wanted, uint32_t max);
// Gives up the oldest `count` bytes of output, as far as they are there; returns how many. Under the
// device's lock or LOCK_CONSOLE. What is given up because nobody reads is added to `lost` by the caller.
uint32_t vcons_out_drop(struct vcons *con, uint32_t count);
// Typed input for the guest; false when the ring is full. Only under LOCK_CONSOLE.
bool vcons_in_put(struct vcons *con, uint8_t byte);
// Takes a byte of input; false when there is none. Under the device's lock.
bool vcons_in_get(struct vcons *con, uint8_t *byte);

#endif
