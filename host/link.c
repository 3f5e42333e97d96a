// SPDX-License-Identifier: Apache-2.0
//
// The host's end of the framed protocol. Owns the list of channels and what waits to be sent.
// Called by hub.c, which it tells through link_ops.
// Invariants: no DATA goes beyond the limit that Mezzo has set, and what Mezzo sends beyond ours is
// dropped, so that all memory is bounded; text is told only while no frame is being read.
// Source: docs/wire.md.
#include "link.h"

#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WINDOW     16384 // bytes that Mezzo may send on a channel before it is allowed more
#define PIECE      256   // bytes of a channel in one frame
#define OUT_ENOUGH 1024  // bytes for the wire that wait: channels wait too

// In milliseconds.
#define HELLO_AGAIN   500
#define HELLO_SOON    50 // the first one may meet a UART that is not set up yet
#define PING_EACH     1000
#define SILENCE       5000 // Mezzo is gone
#define OPEN_AGAIN    2000
#define STALLED       500 // a frame that does not go on has been cut off
#define CREDIT_ROUNDS 5   // in so many PINGs all limits are told again, for those that were lost

void link_init(struct link *link, const struct link_ops *ops, void *who)
{
	*link = (struct link){.ops = ops, .who = who};
	frame_decoder_init(&link->decoder);
}

// --- channels ------------------------------------------------------------------------------------

static struct channel *by_number(const struct link *link, uint16_t number)
{
	for (size_t i = 0; i < link->channel_count; i++)
		if (link->channels[i]->number == number)
			return link->channels[i];
	return NULL;
}

struct channel *link_find(const struct link *link, uint8_t kind)
{
	for (size_t i = 0; i < link->channel_count; i++)
		if (link->channels[i]->kind == kind)
			return link->channels[i];
	return NULL;
}

static void forget_channel(struct link *link, struct channel *channel)
{
	size_t at = 0;

	while (link->channels[at] != channel)
		at++;
	link->ops->gone(link->who, channel);
	link->channels[at] = link->channels[--link->channel_count];
	free(channel->out.bytes);
	free(channel);
}

static void close_all(struct link *link)
{
	for (size_t i = 0; i < link->channel_count; i++) {
		link->channels[i]->open = false;
		buffer_drop(&link->channels[i]->out, buffer_size(&link->channels[i]->out));
	}
}

// --- what goes out -------------------------------------------------------------------------------

static void put_frame(struct link *link, uint8_t type, uint16_t channel, const void *payload,
                      size_t size)
{
	struct frame_encoder encoder;
	uint8_t bytes[256];

	frame_encode(&encoder, type, channel, link->sequence++, payload, size);
	while (!frame_encode_done(&encoder))
		buffer_add(&link->out, bytes, frame_encode_some(&encoder, bytes, sizeof(bytes)));
}

static void send_hello(struct link *link, int64_t now)
{
	uint8_t payload[FRAME_HELLO_SIZE] = {FRAME_VERSION, FRAME_VERSION};

	link->nonce++;
	frame_put32(payload + 4, FRAME_FEATURE_COMMANDS | FRAME_FEATURE_FILES);
	frame_put64(payload + 8, link->nonce);
	link->sequence = 0;
	put_frame(link, FRAME_HELLO, 0, payload, sizeof(payload));
	link->hello = now + (link->hellos++ == 0 ? HELLO_SOON : HELLO_AGAIN);
}

void link_greet(struct link *link, int64_t now, int64_t patience)
{
	close_all(link);
	frame_decoder_drop(&link->decoder);
	link->state = LINK_GREETS;
	link->patience = now + patience;
	link->hellos = 0;
	if (getrandom(&link->nonce, sizeof(link->nonce), 0) != sizeof(link->nonce))
		link->nonce = (uint64_t)now; // no worse than a stranger's guess
	send_hello(link, now);
}

void link_leave(struct link *link)
{
	if (link->state == LINK_FRAMED)
		put_frame(link, FRAME_BYE, 0, NULL, 0);
	close_all(link);
	link->state = LINK_PLAIN;
}

static void fall_back(struct link *link, const char *why)
{
	close_all(link);
	link->state = LINK_PLAIN;
	link->ops->down(link->who, why);
}

static void send_limit(struct link *link, const struct channel *channel)
{
	uint8_t payload[4];

	frame_put32(payload, channel->granted);
	put_frame(link, FRAME_CREDIT, channel->number, payload, sizeof(payload));
}

void link_open(struct link *link, struct channel *channel, bool past, int64_t now)
{
	uint8_t payload[5];

	channel->open = true;
	channel->answered = false;
	channel->past = past;
	channel->opened = now;
	channel->received = channel->sent = channel->limit = 0;
	channel->lost = 0;
	channel->granted = WINDOW;
	frame_put32(payload, channel->granted);
	payload[4] = past ? FRAME_OPEN_PAST : 0;
	put_frame(link, FRAME_OPEN, channel->number, payload, sizeof(payload));
}

void link_close(struct link *link, struct channel *channel)
{
	if (channel->open)
		put_frame(link, FRAME_CLOSE, channel->number, NULL, 0);
	channel->open = false;
}

void link_grant(struct link *link, struct channel *channel)
{
	if (!channel->open || channel->granted - channel->received > WINDOW / 2)
		return;
	channel->granted = channel->received + WINDOW;
	send_limit(link, channel);
}

// Sends what a channel may send.
static void pump(struct link *link, struct channel *channel)
{
	uint8_t payload[4 + PIECE];

	while (link->state == LINK_FRAMED && channel->open && channel->answered) {
		size_t size = buffer_size(&channel->out);
		uint32_t credit = channel->limit - channel->sent;

		if (size > PIECE)
			size = PIECE;
		if (size > credit)
			size = credit;
		if (size == 0 || (int32_t)credit < 0 || buffer_size(&link->out) > OUT_ENOUGH)
			return;
		frame_put32(payload, channel->sent);
		memcpy(payload + 4, buffer_data(&channel->out), size);
		put_frame(link, FRAME_DATA, channel->number, payload, 4 + size);
		buffer_drop(&channel->out, size);
		channel->sent += (uint32_t)size;
	}
}

size_t link_send(struct link *link, struct channel *channel, const void *bytes, size_t size)
{
	size_t room = CHANNEL_ROOM - buffer_size(&channel->out);

	if (!channel->open)
		return 0;
	if (size > room)
		size = room;
	buffer_add(&channel->out, bytes, size);
	pump(link, channel);
	return size;
}

void link_command(struct link *link, struct channel *shell, uint32_t number, const char *line)
{
	uint8_t payload[FRAME_PAYLOAD_MAX];
	size_t size = strnlen(line, sizeof(payload) - 4);

	frame_put32(payload, number);
	memcpy(payload + 4, line, size);
	put_frame(link, FRAME_COMMAND, shell->number, payload, 4 + size);
}

// --- what comes in -------------------------------------------------------------------------------

// Text of a frame, untrusted, up to a NUL and with nothing in it that acts on a terminal.
static void copy_text(char *to, size_t room, const uint8_t *from, size_t size)
{
	size_t i = 0;

	for (; i < size && i < room - 1 && from[i] != '\0'; i++)
		to[i] = from[i] < ' ' || from[i] > '~' ? '?' : (char)from[i];
	to[i] = '\0';
}

static void take_welcome(struct link *link, int64_t now)
{
	char version[128];

	if (link->state != LINK_GREETS || link->decoder.header.length < FRAME_WELCOME_SIZE ||
	    link->decoder.payload[0] != FRAME_VERSION)
		return;
	uint64_t younger = link->nonce - frame_get64(link->decoder.payload + 8);
	if (younger >= link->hellos)
		return; // not an answer to us
	link->heard = now;
	if (younger != 0) { // another HELLO is on its way, and would close what is opened now
		link->hello = now + HELLO_AGAIN;
		if (link->patience < link->hello + HELLO_AGAIN)
			link->patience = link->hello + HELLO_AGAIN;
		return;
	}
	link->state = LINK_FRAMED;
	link->met = true;
	link->ping = now + PING_EACH;
	link->reading = false;
	copy_text(version, sizeof(version), link->decoder.payload + FRAME_WELCOME_SIZE,
	          link->decoder.header.length - FRAME_WELCOME_SIZE);
	link->ops->up(link->who, version);
}

static void take_entry(struct link *link, const uint8_t *p, size_t name_size)
{
	struct channel *channel = by_number(link, frame_get16(p));
	struct channel fresh = {.number = frame_get16(p),
	                        .kind = p[2],
	                        .state = p[3],
	                        .id = frame_get32(p + 4),
	                        .listed = true};

	copy_text(fresh.name, sizeof(fresh.name), p + FRAME_ENTRY_SIZE, name_size);
	if (channel != NULL &&
	    (fresh.state == FRAME_STATE_GONE || channel->kind != fresh.kind ||
	     channel->id != fresh.id || strcmp(channel->name, fresh.name) != 0)) {
		forget_channel(link, channel);
		channel = NULL;
	}
	if (fresh.state == FRAME_STATE_GONE || fresh.number == 0)
		return;
	if (channel == NULL) {
		channel = util_alloc(sizeof(*channel));
		*channel = fresh;
		link->channels = util_grow(link->channels, link->channel_count + 1,
		                           sizeof(struct channel *));
		link->channels[link->channel_count++] = channel;
		link->ops->came(link->who, channel);
		return;
	}
	channel->listed = true;
	if (channel->state == fresh.state && channel->open)
		return;
	channel->state = fresh.state;
	link->ops->changed(link->who, channel);
}

// A full directory may take several frames: those that it does not name are gone at its end.
static void take_directory(struct link *link)
{
	const uint8_t *p = link->decoder.payload, *end = p + link->decoder.header.length;
	uint8_t flags = link->decoder.header.length > 0 ? *p++ : 0;

	if ((flags & FRAME_DIRECTORY_RESET) != 0) {
		link->reading = true;
		for (size_t i = 0; i < link->channel_count; i++)
			link->channels[i]->listed = false;
	}
	while (end - p >= FRAME_ENTRY_SIZE &&
	       end - p - FRAME_ENTRY_SIZE >= p[FRAME_ENTRY_SIZE - 1]) {
		size_t name_size = p[FRAME_ENTRY_SIZE - 1];

		take_entry(link, p, name_size);
		p += FRAME_ENTRY_SIZE + name_size;
	}
	if ((flags & FRAME_DIRECTORY_MORE) != 0)
		return;
	for (size_t i = link->channel_count; link->reading && i > 0; i--)
		if (!link->channels[i - 1]->listed)
			forget_channel(link, link->channels[i - 1]);
	link->reading = false;
	link->ops->complete(link->who);
}

// Where a piece of a channel's stream goes. False: nowhere. What was received already is skipped.
static bool place(struct channel *channel, const uint8_t **bytes, size_t *size, uint32_t position,
                  uint32_t *missing)
{
	int32_t ahead = (int32_t)(position - channel->received);

	if ((int32_t)(position + (uint32_t)*size - channel->granted) > 0)
		return false;
	if (ahead < 0) {
		size_t known = (size_t) - (int64_t)ahead;

		if (known > *size)
			return false;
		*bytes += known;
		*size -= known;
		ahead = 0;
	}
	*missing = (uint32_t)ahead;
	channel->received += (uint32_t)ahead + (uint32_t)*size;
	channel->answered = true;
	return true;
}

static void take_data(struct link *link, struct channel *channel)
{
	const uint8_t *bytes = link->decoder.payload + 4;
	size_t size = link->decoder.header.length - 4;
	uint32_t missing;

	if (link->decoder.header.length < 4 || !channel->open)
		return;
	if (place(channel, &bytes, &size, frame_get32(link->decoder.payload), &missing))
		link->ops->data(link->who, channel, bytes, size, missing);
}

static void take_answer(struct link *link, struct channel *channel)
{
	const uint8_t *p = link->decoder.payload, *bytes = p + 9;
	size_t size = link->decoder.header.length - 9;
	uint32_t missing;

	if (link->decoder.header.length < 9 || !channel->open)
		return;
	if (place(channel, &bytes, &size, frame_get32(p + 5), &missing))
		link->ops->answer(link->who, frame_get32(p), bytes, size,
		                  (p[4] & FRAME_ANSWER_LAST) != 0, missing);
	link_grant(link, channel);
}

static void take_credit(struct link *link, struct channel *channel)
{
	if (link->decoder.header.length < 4 || !channel->open)
		return;
	channel->answered = true;
	channel->limit = frame_get32(link->decoder.payload);
	pump(link, channel);
}

static void take_lost(struct link *link, struct channel *channel)
{
	uint64_t total;

	if (link->decoder.header.length < 8 || !channel->open)
		return;
	total = frame_get64(link->decoder.payload);
	if (total > channel->lost)
		link->ops->lost(link->who, channel, total - channel->lost);
	channel->lost = total;
}

static void take_error(struct link *link)
{
	char why[256] = "";
	uint8_t type = link->decoder.header.length > 0 ? link->decoder.payload[0] : 0;

	if (link->decoder.header.length > 1)
		copy_text(why, sizeof(why), link->decoder.payload + 1,
		          link->decoder.header.length - 1);
	if (type == FRAME_HELLO && link->state == LINK_GREETS)
		fall_back(link, why);
	else if (link->state == LINK_FRAMED)
		link->ops->refused(link->who, type, why);
}

static void take_end(struct link *link, struct channel *channel)
{
	const uint8_t *p = link->decoder.payload;
	size_t size = link->decoder.header.length;
	char why[256] = "";

	if (size < FRAME_END_SIZE || !channel->open)
		return;
	copy_text(why, sizeof(why), p + FRAME_END_SIZE, size - FRAME_END_SIZE);
	channel->open = false;
	if ((p[4] & FRAME_END_BROKEN) != 0)
		link->ops->ended(link->who, channel, why);
	else if (frame_get32(p) != channel->received)
		link->ops->ended(link->who, channel, "its end was lost on the wire");
	else
		link->ops->ended(link->who, channel, NULL);
}

static void take_channel_frame(struct link *link)
{
	struct channel *channel = by_number(link, link->decoder.header.channel);

	if (channel == NULL)
		return;
	switch (link->decoder.header.type) {
	case FRAME_DATA: take_data(link, channel); break;
	case FRAME_ANSWER: take_answer(link, channel); break;
	case FRAME_CREDIT: take_credit(link, channel); break;
	case FRAME_LOST: take_lost(link, channel); break;
	case FRAME_END: take_end(link, channel); break;
	default: break; // a later version's
	}
}

static void take_frame(struct link *link, int64_t now)
{
	if (link->decoder.header.type == FRAME_WELCOME) {
		take_welcome(link, now);
		return;
	}
	if (link->decoder.header.type == FRAME_ERROR) {
		take_error(link);
		return;
	}
	if (link->state != LINK_FRAMED)
		return;
	link->heard = now;
	if (link->decoder.header.type == FRAME_BYE)
		fall_back(link, "Mezzo has ended the framed mode");
	else if (link->decoder.header.type == FRAME_DIRECTORY)
		take_directory(link);
	else
		take_channel_frame(link);
}

void link_take(struct link *link, const uint8_t *bytes, size_t size, int64_t now)
{
	size_t text = 0; // bytes before `i` that belong to no frame

	if (link->state == LINK_PLAIN && !link->met) {
		link->ops->text(link->who, bytes, size);
		return;
	}
	if (now - link->taken >= STALLED)
		frame_decoder_drop(&link->decoder);
	link->taken = now;
	for (size_t i = 0; i < size; i++) {
		enum frame_got got = frame_decode(&link->decoder, bytes[i]);

		if (got == FRAME_GOT_NOISE) {
			text++;
			continue;
		}
		if (text > 0)
			link->ops->text(link->who, bytes + i - text, text);
		text = 0;
		if (got == FRAME_GOT_WHOLE)
			take_frame(link, now);
	}
	if (text > 0)
		link->ops->text(link->who, bytes + size - text, text);
}

// --- the clock -----------------------------------------------------------------------------------

static void ping(struct link *link, int64_t now)
{
	uint8_t payload[4];

	frame_put32(payload, link->pings++);
	put_frame(link, FRAME_PING, 0, payload, sizeof(payload));
	link->ping = now + PING_EACH;
	for (size_t i = 0; i < link->channel_count; i++) {
		struct channel *channel = link->channels[i];

		if (channel->open && !channel->answered && now - channel->opened >= OPEN_AGAIN)
			link_open(link, channel, channel->past, now);
		else if (channel->open && link->pings % CREDIT_ROUNDS == 0)
			send_limit(link, channel);
	}
}

void link_tick(struct link *link, int64_t now)
{
	if (link->state == LINK_GREETS && now >= link->patience)
		fall_back(link, "nobody answers in frames");
	else if (link->state == LINK_GREETS && now >= link->hello)
		send_hello(link, now);
	if (link->state != LINK_FRAMED)
		return;
	if (now - link->heard >= SILENCE)
		fall_back(link, "Mezzo has not answered for 5 s");
	else if (now >= link->ping)
		ping(link, now);
	for (size_t i = 0; i < link->channel_count; i++)
		pump(link, link->channels[i]);
}

int64_t link_due(const struct link *link)
{
	switch (link->state) {
	case LINK_GREETS: return link->hello < link->patience ? link->hello : link->patience;
	case LINK_FRAMED:
		return link->ping < link->heard + SILENCE ? link->ping : link->heard + SILENCE;
	default: return 0;
	}
}
