// SPDX-License-Identifier: Apache-2.0
// The rings between a VM's UART and the console. Owned by struct vm; called by the UART device on one
// side and by console/ on the other.
// Invariant: 0 <= head - tail <= size. A head is moved by its one writer; out.tail by compare and
// exchange, since the device may give up old output while the console takes it.
#include "vm/vcons.h"

#define TAKE_TRIES 4 // how often one side tries again after the other has moved something

struct bitset vcons_marked, vcons_waiting;
uint32_t vcons_watch = VCONS_WATCH_ALL;
uint32_t vcons_session;

void vcons_init(struct vcons *con, uint32_t number, uint8_t *bytes)
{
	con->number = number;
	con->out_bytes = bytes;
}

void vcons_forget(struct vcons *con)
{
	bitset_remove(&vcons_marked, con->number - 1);
	bitset_remove(&vcons_waiting, con->number - 1);
}

bool vcons_watched(const struct vcons *con)
{
	uint32_t watch = load_acquire(&vcons_watch);

	if (watch == VCONS_WATCH_LINK)
		return load_relaxed(&con->channel.open) != 0 &&
		       load_relaxed(&con->channel.open) == load_relaxed(&vcons_session);
	return watch == VCONS_WATCH_ALL || watch == con->number;
}

// A driver has been told that there is room, and does not ask again before it uses it, hence the slack. Until the
// device sees the new tail it may overwrite more, so the oldest byte is looked for again.
uint64_t vcons_out_attach(struct vcons *con, uint64_t from)
{
	uint64_t head = load_acquire(&con->out.head), at = 0;

	for (unsigned i = 0; i < TAKE_TRIES; i++) {
		uint64_t oldest = head > VCONS_PAST_SIZE ? head - VCONS_PAST_SIZE : 0;
		at = from < oldest ? oldest : from < head ? from : head;
		store_ordered(&con->out.tail, at);
		head = load_ordered(&con->out.head);
		if (head - at <= VCONS_PAST_SIZE)
			return at;
	}
	store_ordered(&con->out.tail, head); // a guest that is faster than this has no past
	return head;
}

uint64_t vcons_out_next(const struct vcons *con, uint64_t at)
{
	uint64_t tail = load_acquire(&con->out.tail);

	return at < tail ? tail : at;
}

uint32_t vcons_out_read(struct vcons *con, uint64_t *at, uint8_t *bytes, uint32_t max)
{
	uint64_t next = vcons_out_next(con, *at);
	uint64_t fill = load_ordered(&con->out.head) - next;
	uint32_t n = fill < max ? (uint32_t)fill : max;

	if (next != *at || n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = load_relaxed(&con->out_bytes[(next + i) % VCONS_OUT_BYTES]);
	if (!compare_exchange(&con->out.tail, &next, next + n))
		return 0; // the device gave some of it up
	*at = next + n;
	return n;
}

uint32_t vcons_out_find(const struct vcons *con, uint64_t at, uint8_t wanted, uint32_t max)
{
	for (uint32_t i = 0; i < max; i++)
		if (load_relaxed(&con->out_bytes[(at + i) % VCONS_OUT_BYTES]) == wanted)
			return i;
	return max;
}

uint32_t vcons_out_drop(struct vcons *con, uint32_t count)
{
	for (unsigned i = 0; i < TAKE_TRIES; i++) {
		uint64_t tail = load_acquire(&con->out.tail);
		uint64_t fill = load_acquire(&con->out.head) - tail;
		uint64_t n = count < fill ? count : fill;
		if (compare_exchange(&con->out.tail, &tail, tail + n))
			return (uint32_t)n;
	}
	return 0; // the other side is taking bytes: there is room now
}

bool vcons_in_put(struct vcons *con, uint8_t byte)
{
	uint64_t head = con->in.head;

	if (head - load_acquire(&con->in.tail) >= VCONS_IN_SIZE)
		return false;
	con->in_bytes[head % VCONS_IN_SIZE] = byte;
	store_release(&con->in.head, head + 1);
	return true;
}

// First the wish, then the look: a guest that takes bytes meanwhile sees the one, or is seen by the other.
uint32_t vcons_in_room(struct vcons *con)
{
	store_ordered(&con->in_wanted, 1);
	uint32_t fill = (uint32_t)(con->in.head - load_ordered(&con->in.tail));
	if (fill == 0)
		store_relaxed(&con->in_wanted, 0);
	return VCONS_IN_SIZE - fill;
}

bool vcons_in_get(struct vcons *con, uint8_t *byte)
{
	uint64_t tail = con->in.tail;

	if (load_acquire(&con->in.head) == tail)
		return false;
	*byte = con->in_bytes[tail % VCONS_IN_SIZE];
	store_ordered(&con->in.tail, tail + 1);
	return true;
}

bool vcons_in_tell(const struct vcons *con)
{
	uint64_t tail = con->in.tail;

	return load_ordered(&con->in_wanted) != 0 &&
	       (tail % VCONS_IN_PIECE == 0 || load_acquire(&con->in.head) == tail);
}
