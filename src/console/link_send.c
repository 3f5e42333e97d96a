// SPDX-License-Identifier: Apache-2.0
// What Mezzo sends on the framed link: about the link itself first, then a frame of each open channel in turn.
// Called by console.c under LOCK_CONSOLE.
//
// A channel's bytes stay in their source (a VM's ring, the log, the shell's ring) until the host has given credit
// for them, so nothing is copied and nothing grows.
// Invariant: a frame is put into the wire whole, or not at all.
#include "base/log.h"
#include "base/string.h"
#include "console/link.h"
#include "console/link_state.h"
#include "console/message.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "version.h"

#define SILENCE_MS   5000 // a host that is not heard for so long is gone
#define GATHER_MS    5    // a part of a line waits so long for more
#define FRAME_EFFORT 16   // of a frame without payload

STATIC_ASSERT(sizeof MEZZO_VERSION < 64, "WELCOME fits");
STATIC_ASSERT(WIRE_SIZE - WIRE_GOAL >= FRAME_WIRE_MAX(LINK_FRAME_BYTES + FRAME_ANSWER_SIZE),
              "when the wire wants more there is room for a frame");

void link_put(struct wire *wire, uint8_t type, uint16_t channel, const void *payload, size_t length,
              uint32_t *effort)
{
	struct frame_encoder encoder;
	uint8_t piece[64];
	uint32_t cost = FRAME_EFFORT + (uint32_t)length;
	size_t n;

	if (ring_room(&wire->ring) < FRAME_WIRE_MAX(length))
		return;
	frame_encode(&encoder, type, channel, link_state.sequence, payload, length);
	if (link_state.framed)
		link_state.sequence++;
	while ((n = frame_encode_some(&encoder, piece, sizeof piece)) > 0)
		ring_put_all(&wire->ring, piece, (uint32_t)n);
	*effort -= *effort < cost ? *effort : cost;
}

uint32_t link_credit(const struct vcons_channel *channel)
{
	uint32_t credit = channel->limit - channel->sent;

	return credit <= INT32_MAX ? credit : 0; // a limit behind the position is none
}

// ---- what the host may send ----

// A VM that is off takes everything and gives it to nobody.
bool link_takes_input(const struct vm *vm)
{
	switch (load_acquire(&vm->state)) {
	case VM_RUNNING:
	case VM_ENDING:
	case VM_PAUSED: return true;
	default: return false;
	}
}

uint32_t link_allowance(const struct link_channel *channel)
{
	uint32_t received = channel->state->received;

	switch (channel->kind) {
	case FRAME_KIND_CONSOLE:
		return received + (link_takes_input(channel->vm) ? vcons_in_room(&channel->vm->con)
		                                                 : VCONS_IN_SIZE);
	case FRAME_KIND_SHELL: return received + ring_room(&link_state.keys);
	default: return received;
	}
}

bool link_send_credit(struct wire *wire, const struct link_channel *channel, uint32_t *effort)
{
	struct vcons_channel *state = channel->state;
	uint32_t limit = link_allowance(channel), more = limit - state->granted;
	uint8_t payload[FRAME_CREDIT_SIZE];

	// Not for each byte; but when all room is free again the host knows of all.
	if (!state->credit_due &&
	    (more == 0 || more > INT32_MAX ||
	     (more < VCONS_IN_PIECE && limit - state->received < VCONS_IN_SIZE)))
		return false;
	state->credit_due = false;
	state->granted = limit;
	frame_put32(payload, limit);
	link_put(wire, FRAME_CREDIT, state->number, payload, sizeof payload, effort);
	return true;
}

// ---- about the link ----

static void send_welcome(struct wire *wire, uint32_t *effort)
{
	static const char version[] = "Mezzo " MEZZO_VERSION;
	uint8_t *payload = link_state.payload;

	frame_put32(payload, FRAME_VERSION); // and reserved
	frame_put32(payload + 4, link_state.features);
	frame_put64(payload + 8, link_state.nonce);
	memcpy(payload + FRAME_WELCOME_SIZE, version, sizeof version - 1);
	link_put(wire, FRAME_WELCOME, 0, payload, FRAME_WELCOME_SIZE + sizeof version - 1, effort);
}

static void send_error(struct wire *wire, uint32_t *effort)
{
	uint8_t *payload = link_state.payload;
	size_t n = strlen(link_state.error_text);

	if (n > LINK_FRAME_BYTES)
		n = LINK_FRAME_BYTES;
	payload[0] = link_state.error_type;
	memcpy(payload + FRAME_ERROR_SIZE, link_state.error_text, n);
	link_state.error_due = false;
	link_put(wire, FRAME_ERROR, link_state.error_channel, payload, FRAME_ERROR_SIZE + n,
	         effort);
}

// True: a frame was put.
static bool send_own(struct wire *wire, uint32_t *effort)
{
	struct link_state *l = &link_state;

	if (l->welcome_due) {
		l->welcome_due = false;
		send_welcome(wire, effort);
	} else if (l->error_due) {
		send_error(wire, effort);
	} else if (l->pong_due) {
		l->pong_due = false;
		link_put(wire, FRAME_PONG, 0, l->pong, l->pong_size, effort);
	} else {
		return link_directory_send(wire, effort);
	}
	return true;
}

// ---- channels: each puts one frame, or returns false ----

static bool send_lost(struct wire *wire, struct vcons_channel *channel, uint64_t lost,
                      uint32_t *effort)
{
	uint8_t payload[FRAME_LOST_SIZE];

	if (lost == channel->lost_told)
		return false;
	channel->lost_told = lost;
	frame_put64(payload, lost);
	link_put(wire, FRAME_LOST, channel->number, payload, sizeof payload, effort);
	return true;
}

void link_send_data(struct wire *wire, struct vcons_channel *channel, uint8_t *payload, uint32_t n,
                    uint32_t *effort)
{
	frame_put32(payload, channel->sent);
	channel->sent += n;
	link_put(wire, FRAME_DATA, channel->number, payload, FRAME_DATA_SIZE + n, effort);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static bool send_answer(struct wire *wire, struct vcons_channel *channel, uint32_t *effort)
{
	uint8_t *payload = link_state.payload;
	bool complete = shell_answer_complete(SHELL_LINK); // before the look at what there is
	struct ring *from = shell_answer(SHELL_LINK);
	uint32_t n = ring_get_some(from, payload + FRAME_ANSWER_SIZE,
	                           least(link_credit(channel), LINK_FRAME_BYTES));
	bool last = complete && ring_fill(from) == 0;

	if (n == 0 && !last)
		return false;
	frame_put32(payload, link_state.answer_number);
	payload[4] = last ? FRAME_ANSWER_LAST : 0;
	frame_put32(payload + 5, channel->sent);
	channel->sent += n;
	link_put(wire, FRAME_ANSWER, channel->number, payload, FRAME_ANSWER_SIZE + n, effort);
	if (last)
		link_state.answering = false;
	return true;
}

static bool send_shell(struct wire *wire, uint64_t now UNUSED, bool flush UNUSED,
                       uint64_t *deadline UNUSED, uint32_t *effort)
{
	struct vcons_channel *channel = &link_state.own[LINK_SHELL];
	const struct link_channel self = {FRAME_KIND_SHELL, channel, NULL};
	uint8_t *payload = link_state.payload, key;

	if (!link_is_open(channel))
		return false;
	while (ring_fill(&link_state.keys) > 0 &&
	       shell_input(link_state.key_bytes[link_state.keys.tail % VCONS_IN_SIZE]))
		(void)ring_get(&link_state.keys, &key);
	if (link_send_credit(wire, &self, effort))
		return true;
	if (link_state.answering && send_answer(wire, channel, effort))
		return true;
	uint32_t n = ring_get_some(shell_output(), payload + FRAME_DATA_SIZE,
	                           least(link_credit(channel), LINK_FRAME_BYTES));
	if (n == 0)
		return false;
	link_send_data(wire, channel, payload, n, effort);
	return true;
}

// What goes out here is not news for plain mode.
static void drop_messages(uint32_t *effort)
{
	char line[MESSAGE_MAX];
	int length;

	(void)message_lost();
	while (*effort > 0 && (length = message_get(line)) >= 0)
		*effort -= least(*effort, (uint32_t)length + 1);
}

static bool send_log(struct wire *wire, uint64_t now UNUSED, bool flush UNUSED,
                     uint64_t *deadline UNUSED, uint32_t *effort)
{
	struct vcons_channel *channel = &link_state.own[LINK_LOG];
	const struct link_channel self = {FRAME_KIND_LOG, channel, NULL};
	uint8_t *payload = link_state.payload;
	uint64_t at = channel->at;

	if (!link_is_open(channel))
		return false;
	drop_messages(effort);
	if (link_send_credit(wire, &self, effort))
		return true;
	uint32_t most = least(link_credit(channel), LINK_FRAME_BYTES);
	if (most == 0)
		return false;
	uint32_t n = (uint32_t)log_read_from(&at, (char *)payload + FRAME_DATA_SIZE, most);
	channel->lost += at - n - channel->at;
	if (send_lost(wire, channel, channel->lost, effort)) {
		channel->at = at - n; // and the line next time
		return true;
	}
	channel->at = at;
	if (n == 0)
		return false;
	link_send_data(wire, channel, payload, n, effort);
	return true;
}

// Whether the VM's bytes are worth a frame. A guest that prints its lines a byte at a time makes one of each line.
static bool is_enough(struct vcons *con, uint32_t wait, uint64_t now, uint64_t *deadline)
{
	struct vcons_channel *channel = &con->channel;

	if (wait >= VCONS_PIECE || vcons_out_find(con, channel->at, '\n', wait) < wait)
		return true;
	if (channel->since == 0)
		channel->since = now;
	uint64_t until = channel->since + timer_from_ms(GATHER_MS);
	if (now >= until)
		return true;
	if (until < *deadline)
		*deadline = until;
	store_relaxed(&con->wish, VCONS_WISH_LINES);
	return false;
}

// Nothing can be sent for the VM before it, or the host, says so. False: meanwhile something can.
static bool rest(struct vcons *con)
{
	const struct vcons_channel *channel = &con->channel;
	bool blocked = link_credit(channel) == 0; // then CREDIT marks it

	store_ordered(&con->wish, blocked ? VCONS_WISH_FEW : VCONS_WISH_ALL);
	bitset_remove(&vcons_marked, con->number - 1);
	if (blocked || load_ordered(&con->out.head) == vcons_out_next(con, channel->at))
		return true;
	vcons_mark(con);
	return false;
}

static void send_output(struct wire *wire, struct vcons *con, uint32_t most, uint64_t now,
                        uint32_t *effort)
{
	uint8_t *payload = link_state.payload;
	struct vcons_channel *channel = &con->channel;
	uint32_t n = vcons_out_read(con, &channel->at, payload + FRAME_DATA_SIZE, most);

	channel->since = 0;
	if (n == 0) // the device gave them up
		return;
	if (con->view.shown < channel->at)
		con->view.shown = channel->at;
	store_relaxed(&con->progress_time, now);
	link_send_data(wire, channel, payload, n, effort);
}

// VM number n + 1, which is marked. True: look again, a frame was put or can be.
static bool send_vm(struct wire *wire, uint32_t n, uint64_t now, bool flush, uint64_t *deadline,
                    uint32_t *effort)
{
	struct vm *vm = vm_by_id(n + 1);

	if (vm == NULL) {
		bitset_remove(&vcons_marked, n);
		return false;
	}
	struct vcons *con = &vm->con;
	struct vcons_channel *channel = &con->channel;
	const struct link_channel self = {FRAME_KIND_CONSOLE, channel, vm};
	if (!link_is_open(channel)) {
		output_quiet(vm);
		return false;
	}
	if (link_send_credit(wire, &self, effort))
		return true;
	channel->at = vcons_out_next(con, channel->at);
	uint64_t lost = channel->lost + load_relaxed(&con->lost) - channel->lost_before;
	if (send_lost(wire, channel, lost, effort))
		return true;
	uint32_t wait = (uint32_t)(load_ordered(&con->out.head) - channel->at);
	uint32_t most = least(least(link_credit(channel), wait), LINK_FRAME_BYTES);
	if (most == 0)
		return !rest(con);
	if (!flush && !is_enough(con, most, now, deadline))
		return false;
	send_output(wire, con, most, now, effort);
	return true;
}

// One frame of one VM: of each that has something in turn.
static bool send_vms(struct wire *wire, uint64_t now, bool flush, uint64_t *deadline,
                     uint32_t *effort)
{
	struct link_state *l = &link_state;
	uint32_t from = l->next_vm;
	bool around = false;

	for (;;) {
		uint32_t n = bitset_next(&vcons_marked, from);
		if (n == BITSET_NONE && !around) {
			around = true;
			from = 0;
			continue;
		}
		if (n == BITSET_NONE || (around && n >= l->next_vm))
			return false;
		if (*effort < LINK_LOOK_EFFORT) {
			*effort = 0;
			return true;
		}
		*effort -= LINK_LOOK_EFFORT;
		from = n + 1;
		if (send_vm(wire, n, now, flush, deadline, effort)) {
			l->next_vm = n + 1;
			return true;
		}
	}
}

static bool send_file(struct wire *wire, uint64_t now UNUSED, bool flush UNUSED,
                      uint64_t *deadline UNUSED, uint32_t *effort)
{
	return link_file_send(wire, effort);
}

// A frame of whoever's turn it is.
static bool send_next(struct wire *wire, uint64_t now, bool flush, uint64_t *deadline,
                      uint32_t *effort)
{
	static bool (*const senders[])(struct wire * wire, uint64_t now, bool flush,
	                               uint64_t *deadline, uint32_t *effort) = {
	        send_shell, send_log, send_vms, send_file};

	if (send_own(wire, effort))
		return true;
	for (uint32_t i = 0; i < ARRAY_SIZE(senders); i++) {
		uint32_t turn = link_state.turn++ % ARRAY_SIZE(senders);
		if (senders[turn](wire, now, flush, deadline, effort))
			return true;
	}
	return false;
}

bool link_fill(struct output *out, uint64_t now, bool flush, uint32_t *effort)
{
	uint64_t silent = link_state.heard + timer_from_ms(SILENCE_MS);

	if (now >= silent) {
		link_end(out, NULL, 0);
		return true;
	}
	out->deadline = silent;
	while (wire_wants(&out->wire)) {
		if (*effort < LINK_LOOK_EFFORT) {
			*effort = 0;
			return true;
		}
		*effort -= 1; // whatever comes: no round is free
		if (!send_next(&out->wire, now, flush, &out->deadline, effort))
			return false;
	}
	return true;
}

void link_fill_plain(struct output *out, uint32_t *effort)
{
	if (link_state.error_due && wire_wants(&out->wire))
		send_error(&out->wire, effort);
}
