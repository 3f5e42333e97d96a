// SPDX-License-Identifier: Apache-2.0
// The host's end of the framed protocol (docs/wire.md): greeting, directory, channels, credit.
// It moves no bytes itself: it is given what comes from the wire, and `out` is what goes there.
#ifndef HOST_LINK_H
#define HOST_LINK_H

#include "base/frame.h"
#include "buffer.h"

#define CHANNEL_NAME_MAX 255
#define CHANNEL_ROOM     4096 // typed bytes that may wait for Mezzo's credit

struct channel {
	// From the directory.
	uint16_t number;
	uint8_t kind, state; // enum frame_kind, frame_state
	uint32_t id;
	char name[CHANNEL_NAME_MAX + 1];
	bool listed; // in the directory that is being read

	void *owner; // link_ops.came may set it; nobody else's business

	bool open, answered; // answered: Mezzo has shown that it knows
	bool past;           // OPEN asked for what is kept of the past
	int64_t opened;      // when OPEN was sent

	// Positions in the streams, modulo 2^32.
	uint32_t received, granted; // from Mezzo: the next byte, and how far it may go
	uint32_t sent, limit;       // to Mezzo
	uint64_t lost;              // as LOST has it
	struct buffer out;          // to Mezzo, not sent yet
};

enum link_state {
	LINK_PLAIN,  // bytes are text
	LINK_GREETS, // HELLO was sent, bytes are still text
	LINK_FRAMED,
};

struct link {
	enum link_state state;
	const struct link_ops *ops;
	void *who; // first argument of each of them

	bool met; // Mezzo has answered once: from then on frames are never taken for text

	// Times on term_now()'s clock, in milliseconds.
	int64_t hello, patience; // when to send the next HELLO, and when to give up
	int64_t heard, ping;     // when a frame came last, and when to send the next PING
	int64_t taken;           // when bytes came last
	uint64_t nonce;  // of the last HELLO of this greeting; the first one's was as many less
	uint32_t hellos; // of this greeting
	uint32_t pings;
	bool reading; // a whole directory is being told

	struct buffer out;            // for the wire
	uint16_t sequence;            // of the next frame that goes out
	struct frame_decoder decoder; // for what comes in

	struct channel **channels;
	size_t channel_count;
};

// What the link tells. None of them may call link_take.
struct link_ops {
	// Bytes outside frames: what Mezzo says while it is plain, or when it panics.
	void (*text)(void *who, const uint8_t *bytes, size_t size);
	// The greeting was answered: all channels are closed. `version`: Mezzo's, untrusted.
	void (*up)(void *who, const char *version);
	// Not framed any more, or the greeting had no success. `why` is a sentence.
	void (*down)(void *who, const char *why);
	// A channel of the directory that was not there, is in another state, or goes.
	void (*came)(void *who, struct channel *channel);
	void (*changed)(void *who, struct channel *channel);
	void (*gone)(void *who, struct channel *channel);
	// What has changed in the directory was told to its end.
	void (*complete)(void *who);
	// `missing` bytes of the channel were lost on the wire before these.
	void (*data)(void *who, struct channel *channel, const uint8_t *bytes, size_t size,
	             uint32_t missing);
	// So many more were lost at Mezzo because nobody took them.
	void (*lost)(void *who, struct channel *channel, uint64_t count);
	// A piece of the answer to COMMAND `number`, behind `missing` lost bytes.
	void (*answer)(void *who, uint32_t number, const uint8_t *bytes, size_t size, bool last,
	               uint32_t missing);
	// The file that comes on this channel is at its end: `why` NULL: all of it came. The channel goes next.
	void (*ended)(void *who, struct channel *channel, const char *why);
	// Mezzo refused a frame of this type.
	void (*refused)(void *who, uint8_t type, const char *why);
};

void link_init(struct link *link, const struct link_ops *ops, void *who);

// Starts to greet, whatever the state; `patience` milliseconds from `now` on it gives up.
void link_greet(struct link *link, int64_t now, int64_t patience);

// BYE if framed; plain from here on.
void link_leave(struct link *link);

// Takes bytes from the wire.
void link_take(struct link *link, const uint8_t *bytes, size_t size, int64_t now);

// What has to be done by the clock; link_due: when that is, 0: never.
void link_tick(struct link *link, int64_t now);
int64_t link_due(const struct link *link);

// Opens a channel, from what is kept of its past on or from now on.
void link_open(struct link *link, struct channel *channel, bool past, int64_t now);

// Nothing more of it is wanted.
void link_close(struct link *link, struct channel *channel);

// What came on the channel has found its place: Mezzo may send on.
void link_grant(struct link *link, struct channel *channel);

// Takes as many of the bytes as have room; they go when Mezzo allows it. Returns how many.
size_t link_send(struct link *link, struct channel *channel, const void *bytes, size_t size);

void link_command(struct link *link, struct channel *shell, uint32_t number, const char *line);

// The first channel of a kind; NULL if there is none.
struct channel *link_find(const struct link *link, uint8_t kind);

#endif
