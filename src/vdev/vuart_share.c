// SPDX-License-Identifier: Apache-2.0
// The part of a UART that deals with the VM's console. Owns nothing; called by the UARTs, under their lock.
// Invariant: who finds too little room is among those that wait when it says so, and has looked once more.
#include "vdev/vuart_share.h"

#include "arm/barrier.h"
#include "arm/cpu.h"
#include "hw/timer.h"

#define STALL_MS    100                  // output waits so long for a reader
#define STALL_PIECE (VCONS_OUT_SIZE / 8) // and is then given up in such pieces

void vuart_out_init(struct vuart_out *out, struct vcons *con)
{
	out->con = con;
	out->stall_ticks = timer_from_ms(STALL_MS);
}

void vuart_tell(const struct vcons *con)
{
	vcons_mark(con);
	cpu_post_local(CPU_WORK_CONSOLE);
}

// Whether nobody has taken any output for too long since the ring became full.
static bool stalled(const struct vuart_out *out)
{
	uint64_t progress = load_relaxed(&out->con->progress_time);
	uint64_t since = progress > out->full_since ? progress : out->full_since;
	uint64_t now = timer_now();

	return now > since && now - since > out->stall_ticks;
}

// The ring is full. While nobody reads, the time runs on from when that began.
static void note_full(struct vuart_out *out)
{
	if (out->full_since == 0 || load_relaxed(&out->con->progress_time) >= out->full_since)
		out->full_since = timer_now();
}

uint32_t vuart_out_look(struct vuart_out *out, uint32_t wanted)
{
	uint32_t room = vcons_out_room(out->con);

	if (room < wanted && !vcons_watched(out->con)) {
		(void)vcons_out_drop(out->con, VCONS_OUT_SIZE); // all of it is the past already
		room = vcons_out_room(out->con);
	}
	if (room < wanted) {
		bitset_add(&vcons_waiting, out->con->number - 1);
		dmb(ish); // the console takes, then looks who waits: one of the two sees the other
		room = vcons_out_room(out->con);
	}
	if (room == 0) {
		note_full(out);
		if (stalled(out))
			fetch_add(&out->con->lost, vcons_out_drop(out->con, STALL_PIECE));
		room = vcons_out_room(out->con);
	}
	return room;
}
