// SPDX-License-Identifier: Apache-2.0
// The framed link: greeting, and what the host sends. Owns link_state; called by console.c under LOCK_CONSOLE.
//
// Nothing that the host sends is trusted. Whatever it is, taking a byte is a bounded step, and a frame at most fills
// rings that exist anyway; what it asks to be told is noted, once, and sent by link_send.c when the wire has room.
// Invariant: vcons_session is the greeting's number while framed, and 0 while plain.
// Source: docs/wire.md.
#include "console/link.h"

#include "base/log.h"
#include "base/string.h"
#include "console/link_state.h"
#include "console/shell.h"
#include "hw/timer.h"

#define HELLO_MAX    64   // bytes of payload: more may come in later versions
#define ATTEMPT_MS   1000 // plain mode: what has not become a HELLO by then is none
#define WHOLE_EFFORT 1024

struct link_state link_state;

// A correct frame.
struct incoming {
	uint8_t type;
	uint16_t number; // of the channel
	const uint8_t *payload;
	uint32_t length;
	struct link_channel channel; // only of types that are about one
	struct output *out;
	struct typed *typed;
};

bool link_framed(void)
{
	return link_state.framed;
}

// Only the newest one is told: a host that makes nothing but mistakes learns of one at a time.
static void refuse(const struct incoming *in, const char *why)
{
	link_state.error_due = true;
	link_state.error_type = in->type;
	link_state.error_channel = in->number;
	link_state.error_text = why;
}

// ---- the link ----

// Whoever waited for an answer is gone.
static void drop_answer(void)
{
	if (link_state.answering)
		shell_call_abort(SHELL_LINK);
	link_state.answering = false;
}

static void leave(struct output *out)
{
	uint32_t effort = WHOLE_EFFORT;

	if (!link_state.framed)
		return;
	link_put(&out->wire, FRAME_BYE, 0, NULL, 0, &effort);
	link_state.framed = false;
	link_state.welcome_due = link_state.error_due = link_state.pong_due = false;
	drop_answer();
	link_file_drop();
	store_release(&vcons_session, 0);
	output_set_framed(out, false);
}

static void take_hello(struct incoming *in)
{
	static uint32_t sessions;
	struct link_state *l = &link_state;

	if (in->payload[0] > FRAME_VERSION || in->payload[1] < FRAME_VERSION) {
		refuse(in, "this Mezzo speaks version 1 of the protocol alone");
		return;
	}
	l->features = frame_get32(in->payload + 4) & (FRAME_FEATURE_COMMANDS | FRAME_FEATURE_FILES);
	l->nonce = frame_get64(in->payload + 8);
	l->welcome_due = true;
	l->error_due = l->pong_due = false;
	l->sequence = 0;
	drop_answer();
	link_file_drop();
	l->keys = (struct ring){.bytes = l->key_bytes, .size = VCONS_IN_SIZE};
	if (++sessions == 0)
		sessions = 1;
	store_release(&vcons_session, sessions);
	link_directory_begin();
	if (!l->framed) {
		l->framed = true;
		output_set_framed(in->out, true);
	}
}

static void take_bye(struct incoming *in)
{
	leave(in->out);
}

static void take_ping(struct incoming *in)
{
	link_state.pong_due = true;
	link_state.pong_size = in->length;
	memcpy(link_state.pong, in->payload, in->length);
}

// ---- channels ----

static void open_console(struct vcons *con, bool past)
{
	struct vcons_channel *channel = &con->channel;

	channel->at = vcons_out_attach(con, past ? 0 : UINT64_MAX);
	channel->lost = past ? channel->at : 0; // of the past
	channel->lost_before = load_relaxed(&con->lost);
}

static void open_shell(void)
{
	struct ring *from = shell_output();

	store_release(&from->tail, load_acquire(&from->head)); // said to somebody else
	link_state.keys.tail = link_state.keys.head;
	shell_redraw();
}

static void take_open(struct incoming *in)
{
	struct vcons_channel *channel = in->channel.state;
	bool past = (in->payload[4] & FRAME_OPEN_PAST) != 0;

	if (in->channel.kind == FRAME_KIND_FILE && channel->sent > 0) {
		refuse(in, "a file is sent once, and some of this one was");
		return;
	}
	channel->limit = frame_get32(in->payload);
	channel->sent = channel->received = channel->granted = 0;
	channel->since = channel->lost = channel->lost_told = channel->lost_before = 0;
	channel->credit_due = true;
	switch (in->channel.kind) {
	case FRAME_KIND_CONSOLE: open_console(&in->channel.vm->con, past); break;
	case FRAME_KIND_FILE: store_release(&link_state.file.opened, 1); break;
	case FRAME_KIND_LOG: channel->at = past ? 0 : log_end(); break;
	default: open_shell();
	}
	store_release(&channel->open, vcons_session);
	if (in->channel.vm != NULL)
		vcons_mark(&in->channel.vm->con);
}

static void take_close(struct incoming *in)
{
	store_release(&in->channel.state->open, 0);
	if (in->channel.kind == FRAME_KIND_FILE) {
		link_directory_gone(in->number);
		link_file_drop();
	}
	if (in->channel.vm != NULL)
		output_quiet(in->channel.vm);
}

static void take_credit(struct incoming *in)
{
	in->channel.state->limit = frame_get32(in->payload);
	if (in->channel.vm != NULL)
		vcons_mark(&in->channel.vm->con);
}

static void put_console(struct incoming *in, const uint8_t *bytes, uint32_t n, bool some_lost)
{
	struct vm *vm = in->channel.vm;

	vcons_mark(&vm->con); // its credit may have changed
	if (!link_takes_input(vm))
		return;
	in->typed->vm = vm;
	in->typed->lost = some_lost;
	for (uint32_t i = 0; i < n; i++)
		if (!vcons_in_put(&vm->con, bytes[i]))
			in->typed->lost = true;
}

static void take_data(struct incoming *in)
{
	struct vcons_channel *channel = in->channel.state;
	const uint8_t *bytes = in->payload + FRAME_DATA_SIZE;
	uint32_t at = frame_get32(in->payload), n = in->length - FRAME_DATA_SIZE;
	uint32_t missing = at - channel->received, room = channel->granted - channel->received;

	if (missing > INT32_MAX) {
		refuse(in, "these bytes have come before");
		return;
	}
	if (missing > room || n > room - missing) {
		refuse(in, "more than the credit allows");
		return;
	}
	channel->received = at + n;
	if (in->channel.kind == FRAME_KIND_CONSOLE)
		put_console(in, bytes, n, missing > 0);
	for (uint32_t i = 0; in->channel.kind == FRAME_KIND_SHELL && i < n; i++)
		(void)ring_put(&link_state.keys, bytes[i]);
}

static void take_command(struct incoming *in)
{
	struct link_state *l = &link_state;

	if (in->channel.kind != FRAME_KIND_SHELL)
		refuse(in, "commands go to the shell's channel");
	else if (l->answering)
		refuse(in, "another command is being answered");
	else if (!shell_call(SHELL_LINK, (const char *)in->payload + FRAME_COMMAND_SIZE,
	                     in->length - FRAME_COMMAND_SIZE))
		refuse(in, "the shell does not take this command now");
	else {
		l->answering = true;
		l->answer_number = frame_get32(in->payload);
	}
}

// ---- frames ----

enum about { LINK, CHANNEL, OPEN_CHANNEL };

static const struct {
	void (*take)(struct incoming *in);
	enum about about;
	uint32_t least, most; // bytes of payload
} types[] = {
        [FRAME_HELLO] = {take_hello, LINK, FRAME_HELLO_SIZE, HELLO_MAX},
        [FRAME_BYE] = {take_bye, LINK, 0, FRAME_PAYLOAD_MAX},
        [FRAME_PING] = {take_ping, LINK, 0, FRAME_PING_MAX},
        [FRAME_OPEN] = {take_open, CHANNEL, FRAME_OPEN_SIZE, FRAME_PAYLOAD_MAX},
        [FRAME_CLOSE] = {take_close, CHANNEL, 0, FRAME_PAYLOAD_MAX},
        [FRAME_DATA] = {take_data, OPEN_CHANNEL, FRAME_DATA_SIZE, FRAME_PAYLOAD_MAX},
        [FRAME_CREDIT] = {take_credit, OPEN_CHANNEL, FRAME_CREDIT_SIZE, FRAME_PAYLOAD_MAX},
        [FRAME_COMMAND] = {take_command, OPEN_CHANNEL, FRAME_COMMAND_SIZE, FRAME_PAYLOAD_MAX},
};

// A file ends by itself, so what the host says about its channel may come too late without a fault.
static bool has_crossed(const struct incoming *in)
{
	return in->number == link_state.file.before &&
	       (in->type == FRAME_CREDIT || in->type == FRAME_CLOSE);
}

static void take_frame(struct incoming *in)
{
	if (in->type >= ARRAY_SIZE(types) || types[in->type].take == NULL)
		return; // of a later version
	if (in->length < types[in->type].least || in->length > types[in->type].most) {
		refuse(in, "its payload is too short or too long");
		return;
	}
	if (types[in->type].about == LINK) {
		if (in->number == 0)
			types[in->type].take(in);
		else
			refuse(in, "this belongs on channel 0");
		return;
	}
	if (!link_find(in->number, &in->channel)) {
		if (!has_crossed(in))
			refuse(in, "there is no such channel");
	} else if (types[in->type].about == OPEN_CHANNEL && !link_is_open(in->channel.state))
		refuse(in, "the channel is not open");
	else
		types[in->type].take(in);
}

// In plain mode only a HELLO counts, and what cannot become one is given up early: a person may be typing.
static bool may_be_hello(const struct frame_decoder *decoder)
{
	return decoder->count < FRAME_HEADER_SIZE ||
	       (decoder->header.type == FRAME_HELLO && decoder->header.channel == 0 &&
	        decoder->header.length >= FRAME_HELLO_SIZE && decoder->header.length <= HELLO_MAX);
}

bool link_take(struct output *out, uint8_t byte, uint64_t now, struct typed *typed)
{
	struct link_state *l = &link_state;

	if (!l->framed && l->decoder.inside && now - l->begun > timer_from_ms(ATTEMPT_MS))
		frame_decoder_drop(&l->decoder);
	enum frame_got got = frame_decode(&l->decoder, byte);
	if (got == FRAME_GOT_NOISE)
		return l->framed;
	if (byte == FRAME_START)
		l->begun = now;
	if (!l->framed && !may_be_hello(&l->decoder)) {
		frame_decoder_drop(&l->decoder);
		return true;
	}
	if (got != FRAME_GOT_WHOLE)
		return true;
	l->heard = now;
	struct incoming in = {.type = l->decoder.header.type,
	                      .number = l->decoder.header.channel,
	                      .payload = l->decoder.payload,
	                      .length = l->decoder.header.length,
	                      .out = out,
	                      .typed = typed};
	take_frame(&in);
	return true;
}

// ---- the end ----

void link_end(struct output *out, const char *line, size_t length)
{
	struct vcons_channel *log = &link_state.own[LINK_LOG];
	uint8_t *payload = link_state.payload;
	uint32_t effort = WHOLE_EFFORT;

	if (line != NULL && link_state.framed && link_is_open(log) && length < LINK_FRAME_BYTES &&
	    link_credit(log) > length) {
		frame_put32(payload, log->sent);
		memcpy(payload + FRAME_DATA_SIZE, line, length);
		payload[FRAME_DATA_SIZE + length] = '\n';
		link_put(&out->wire, FRAME_DATA, log->number, payload, FRAME_DATA_SIZE + length + 1,
		         &effort);
	}
	leave(out);
}

size_t link_panic(uint8_t *bytes)
{
	struct frame_encoder encoder;

	if (!link_state.framed)
		return 0;
	frame_encode(&encoder, FRAME_BYE, 0, link_state.sequence, NULL, 0);
	return frame_encode_some(&encoder, bytes, LINK_PANIC_SIZE);
}
