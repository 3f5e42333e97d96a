// SPDX-License-Identifier: Apache-2.0
// Pictures of one VM's screen, one after the other, over a wire to Mezzo. It moves no bytes itself.
#ifndef HOST_SHOT_H
#define HOST_SHOT_H

#include "buffer.h"
#include "http.h"
#include "link.h"

struct shot {
	// What was seen last: exactly one of the two, once `serial` is not 0.
	struct http_body *picture; // a PNG
	char *text;                // why there is none
	uint64_t serial;           // counts changes of these
	int64_t seen;              // when the look that showed this was begun

	// Its own.
	const char *vm;
	struct link link;
	int64_t greet, next;  // when to greet, and when to look, at the earliest; greet 0: no need
	bool ready;           // the shell can be asked
	bool asked;           // it is being asked,
	int64_t begun, heard; // since then, and something came last
	uint32_t number;      // of the command
	struct buffer answer; // so far
	struct channel *file; // that the picture comes on; NULL: none yet, or it is over
	struct buffer bytes;  // of the picture so far
	const char *broken;   // why it cannot become whole
	bool whole;
};

// `vm`: its name or number.
void shot_init(struct shot *shot, const char *vm, int64_t now);

// Bytes from the wire; shot->link.out has bytes for it.
void shot_take(struct shot *shot, const uint8_t *bytes, size_t size, int64_t now);

// What is due by the clock, and a new look if one is wanted; shot_due: when there is something to do, 0: never.
void shot_tick(struct shot *shot, bool wanted, int64_t now);
int64_t shot_due(const struct shot *shot, bool wanted);

// The end: BYE.
void shot_leave(struct shot *shot);

#endif
