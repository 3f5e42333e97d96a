// SPDX-License-Identifier: Apache-2.0
// The rings between a VM's UART and the console. Owned by struct vm; called by the UART device on one
// side and by console/ on the other.
// Invariant: 0 <= head - tail <= size. A head is moved by its one writer; out.tail by compare and
// exchange, since the device may give up old output while the console takes it.
#include "vm/vcons.h"

#define TAKE_TRIES 4 // how often a reader tries again after the device has moved the tail

bool vcons_out_get(struct vcons *con, uint8_t *byte)
{
	for (unsigned i = 0; i < TAKE_TRIES; i++) {
		uint32_t tail = load_acquire(&con->out.tail);
		if (load_acquire(&con->out.head) == tail)
			return false;
		*byte = load_relaxed(&con->out_bytes[tail % VCONS_OUT_SIZE]);
		if (compare_exchange(&con->out.tail, &tail, tail + 1))
			return true;
	}
	return false;
}

uint32_t vcons_out_find(const struct vcons *con, uint8_t wanted, uint32_t max)
{
	uint32_t tail = load_acquire(&con->out.tail);
	uint32_t fill = load_acquire(&con->out.head) - tail;

	if (fill > max)
		fill = max;
	for (uint32_t i = 0; i < fill; i++)
		if (load_relaxed(&con->out_bytes[(tail + i) % VCONS_OUT_SIZE]) == wanted)
			return i;
	return fill;
}

uint32_t vcons_out_drop(struct vcons *con, uint32_t count)
{
	for (unsigned i = 0; i < TAKE_TRIES; i++) {
		uint32_t tail = load_acquire(&con->out.tail);
		uint32_t fill = load_acquire(&con->out.head) - tail;
		uint32_t n = count < fill ? count : fill;
		if (compare_exchange(&con->out.tail, &tail, tail + n))
			return n;
	}
	return 0; // the other side is taking bytes: there is room now
}

bool vcons_in_put(struct vcons *con, uint8_t byte)
{
	uint32_t head = con->in.head;

	if (head - load_acquire(&con->in.tail) >= VCONS_IN_SIZE)
		return false;
	con->in_bytes[head % VCONS_IN_SIZE] = byte;
	store_release(&con->in.head, head + 1);
	return true;
}

bool vcons_in_get(struct vcons *con, uint8_t *byte)
{
	uint32_t tail = con->in.tail;

	if (load_acquire(&con->in.head) == tail)
		return false;
	*byte = con->in_bytes[tail % VCONS_IN_SIZE];
	store_release(&con->in.tail, tail + 1);
	return true;
}
