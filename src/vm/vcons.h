// SPDX-License-Identifier: Apache-2.0
// The two rings between a VM's UART and the console: bytes the guest sent, bytes typed for it.
// Each ring has one writer, so neither takes a lock:
//   out: written under the UART device's lock, read by the holder of LOCK_CONSOLE
//   in:  written by the holder of LOCK_CONSOLE, read under the UART device's lock
//
// `out` keeps what was read: it holds the newest bytes there were, and a reader has a position of its own, counted
// from the VM's first byte. `out.tail` only says what must not be overwritten yet for the reader's sake: the
// reader moves it on as it reads, and the device does so when the reader is too slow, or nobody is one.
#ifndef VM_VCONS_H
#define VM_VCONS_H

#include "base/atomic.h"
#include "base/bitset.h"
#include "base/types.h"

#define VCONS_OUT_BYTES 32768                 // a power of two
#define VCONS_OUT_SIZE  (VCONS_OUT_BYTES - 1) // kept: never the place that is written next
#define VCONS_PAST_SIZE (VCONS_OUT_SIZE - 64) // of these, what a new reader finds at most
#define VCONS_IN_SIZE   256                   // bytes, a power of two
#define VCONS_IN_PIECE  64                    // the console is told about room in such pieces
#define VCONS_PIECE     128                   // and about output at least once in so many bytes

// Free-running indices: head - tail is the fill.
struct vcons_ring {
	uint64_t head; // the writer's
	uint64_t tail; // the reader's
};

// What plain mode remembers about this VM's output; see console/lines.h.
struct vcons_view {
	uint32_t epoch;     // the view it belongs to (console/output.c); in another one it is stale
	uint32_t piece;     // bytes from `at` on that are to be shown without a pause
	uint64_t at;        // position of the next byte to be shown
	uint64_t shown;     // none from here on was ever shown
	uint64_t gone;      // bytes before `at` that are not there any more, not told yet
	uint64_t since;     // ticks: when the unfinished line at `at` was first seen
	uint64_t lost_told; // of `lost`, how many were named on the wire
	uint32_t scanned;   // bytes from `at` on that are known to hold no line feed
	uint32_t column;    // of the line on the wire
	uint8_t escape;     // state of the escape sequence filter
	uint8_t utf8_missing; // bytes of a character that are still to come
	uint8_t utf8_count;   // bytes in utf8
	uint8_t utf8[4];
	bool carriage_return; // the last byte was one
	bool broken;          // another source ended its line on the wire before it did
};

// A channel of the framed link (console/link.c), a VM's or another.
struct vcons_channel {
	uint32_t session; // the greeting it belongs to; of another one all of this is stale
	uint32_t open;    // the same number while it is open; also read by the device, atomically
	uint16_t number;  // 0: it has none
	uint8_t told;     // its state as the directory last said
	bool credit_due;  // the host is to hear what it may send
	uint32_t sent, limit; // positions of Mezzo's bytes: the next one, the first not allowed
	uint32_t received, granted; // of the host's
	uint64_t at;                // position in the source of the next byte to be sent
	uint64_t since; // ticks: when the bytes that wait for more to come were first seen
	uint64_t lost, lost_told; // bytes since it was opened
	uint64_t lost_before;     // what the source had lost then
};

// For which bytes the console wants to be told; in any case for the last of each VCONS_PIECE.
enum vcons_wish {
	VCONS_WISH_ALL,
	VCONS_WISH_LINES, // it comes by itself for an unfinished line
	VCONS_WISH_FEW,   // it shows something else
};

struct vcons {
	// Fixed once vcons_init is done.
	uint32_t number;    // the VM's
	uint8_t *out_bytes; // VCONS_OUT_BYTES

	struct vcons_ring out, in;

	// Written by the console, read by the device.
	uint32_t wish;          // enum vcons_wish
	uint32_t in_wanted;     // 1: it is told when the guest takes typed bytes
	uint64_t progress_time; // ticks: when the reader last took something from `out`

	uint64_t
	        lost; // bytes of output that were refused, or given up before they were read; atomic

	// Under LOCK_CONSOLE.
	struct vcons_view view;
	struct vcons_channel channel;

	uint8_t in_bytes[VCONS_IN_SIZE];
};

// Sets of VMs, by number less 1.
extern struct bitset vcons_marked;  // the console has to look at them
extern struct bitset vcons_waiting; // their guests wait for room in `out`

// Whose output is read now. Written under LOCK_CONSOLE, read by devices that have no room.
#define VCONS_WATCH_NONE 0
#define VCONS_WATCH_ALL  UINT32_MAX
#define VCONS_WATCH_LINK (UINT32_MAX - 1) // the VMs whose channel is open
extern uint32_t vcons_watch;              // one of these, or a VM's number
extern uint32_t vcons_session;            // of the link: what `open` holds if it is

// `bytes`: VCONS_OUT_BYTES of memory that lives as long as the VM. Before anybody else knows of it.
void vcons_init(struct vcons *con, uint32_t number, uint8_t *bytes);
// Nobody will look at this VM again.
void vcons_forget(struct vcons *con);

enum vcons_put {
	VCONS_FULL, // no room: not stored
	VCONS_KEPT,
	VCONS_TELL, // stored, and the console must be told: vcons_mark, and work for it
};

static inline uint32_t vcons_fill(const struct vcons_ring *ring)
{
	uint64_t tail = load_acquire(&ring->tail); // first: it never passes the head

	return (uint32_t)(load_ordered(&ring->head) - tail);
}

// Appends a byte of guest output if more than `reserve` bytes of room are left. Under the device's lock.
static inline enum vcons_put vcons_out_put(struct vcons *con, uint8_t byte, uint32_t reserve)
{
	uint64_t head = con->out.head;

	if (UNLIKELY(head - load_acquire(&con->out.tail) >= VCONS_OUT_SIZE - reserve))
		return VCONS_FULL;
	con->out_bytes[head % VCONS_OUT_BYTES] = byte;
	store_ordered(&con->out.head, head + 1);
	uint32_t wish = load_ordered(&con->wish);
	if (wish == VCONS_WISH_ALL || (byte == '\n' && wish == VCONS_WISH_LINES) ||
	    head % VCONS_PIECE == VCONS_PIECE - 1)
		return VCONS_TELL;
	return VCONS_KEPT;
}

// Bytes of guest output that are kept, read or not.
static inline uint64_t vcons_kept(const struct vcons *con)
{
	uint64_t ever = load_relaxed(&con->out.head);
	return ever < VCONS_OUT_SIZE ? ever : VCONS_OUT_SIZE;
}

// Bytes of guest output that may still be put.
static inline uint32_t vcons_out_room(const struct vcons *con)
{
	uint32_t fill = vcons_fill(&con->out);

	return fill < VCONS_OUT_SIZE ? VCONS_OUT_SIZE - fill : 0;
}

static inline void vcons_mark(const struct vcons *con)
{
	bitset_add(&vcons_marked, con->number - 1);
}

// Whether anybody reads this VM's output. Any CPU; out of date at once.
bool vcons_watched(const struct vcons *con);

// ---- reading `out`: only under LOCK_CONSOLE ----

// Begins to read at position `from`, or at the oldest byte that is kept; returns which. From there on nothing
// is overwritten but by vcons_out_drop.
uint64_t vcons_out_attach(struct vcons *con, uint64_t from);
// Where a reader at `at` finds the next byte: there, or later if the device gave some up.
uint64_t vcons_out_next(const struct vcons *con, uint64_t at);
// Takes at most `max` bytes from *at on and moves on; returns how many. 0: there is none, or not any more.
uint32_t vcons_out_read(struct vcons *con, uint64_t *at, uint8_t *bytes, uint32_t max);
// How far from `at` the first `wanted` is, or `max` if it is not among so many bytes, all of them written.
uint32_t vcons_out_find(const struct vcons *con, uint64_t at, uint8_t wanted, uint32_t max);

// Gives up the oldest `count` unread bytes of output, as far as they are there; returns how many. Under the
// device's lock.
uint32_t vcons_out_drop(struct vcons *con, uint32_t count);

// ---- typed bytes ----

// Typed input for the guest; false when the ring is full. Only under LOCK_CONSOLE.
bool vcons_in_put(struct vcons *con, uint8_t byte);
// Bytes that may still be put; later ones make the device tell when the guest has taken some.
uint32_t vcons_in_room(struct vcons *con);
// Takes a byte of input; false when there is none. Under the device's lock.
bool vcons_in_get(struct vcons *con, uint8_t *byte);
// Whether the console wants to know, after some were taken. Under the device's lock.
bool vcons_in_tell(const struct vcons *con);

#endif
