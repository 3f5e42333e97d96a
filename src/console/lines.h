// SPDX-License-Identifier: Apache-2.0
// What goes on the wire, byte by byte: lines with the name of their source before them, or raw.
#ifndef CONSOLE_LINES_H
#define CONSOLE_LINES_H

#include "console/ring.h"
#include "vm/vcons.h"

#define WIRE_SIZE      4096
#define WIRE_GOAL      128
#define WIRE_STEP      128 // room that any one byte of a source may need
#define LINE_MAX_WIDTH 200 // characters; what is longer goes on in a new line

// Bytes on their way to the UART, ready as they are. Under LOCK_CONSOLE.
struct wire {
	struct ring ring;
	struct vcons_view *open; // whose line is unfinished on the wire; NULL: nobody's
	uint8_t last;            // the byte put last: '\n' at the start of a line
	uint8_t bytes[WIRE_SIZE];
};

void wire_init(struct wire *wire);

// Whether a source may put more: no more is made ready than the UART is given at once, so that the
// work of one call stays small. There is then room for WIRE_STEP bytes, or one of Mezzo's lines.
static inline bool wire_wants(const struct wire *wire)
{
	return ring_fill(&wire->ring) < WIRE_GOAL;
}

// Puts a byte or text as it is. There is room.
void wire_put(struct wire *wire, uint8_t byte);
void wire_text(struct wire *wire, const char *text);
// Puts text that came from elsewhere: what could move a cursor is left out. There is room.
void wire_name(struct wire *wire, const char *name);
// Ends the line that is on the wire, if it holds anything.
void wire_fresh_line(struct wire *wire);

// Puts one byte of the source `name`, whose state is *view, in lines that begin with "[name] ". Whatever
// the bytes are, nothing they do reaches back before the end of that prefix. Needs WIRE_STEP bytes of
// room.
void lines_put(struct wire *wire, struct vcons_view *view, const char *name, uint8_t byte);

// The same for some bytes; needs so much room for each of them.
void lines_put_some(struct wire *wire, struct vcons_view *view, const char *name,
                    const uint8_t *bytes, uint32_t count);

// What the source has shown of a character or sequence so far is forgotten (it starts anew).
void lines_reset(struct vcons_view *view);

#endif
