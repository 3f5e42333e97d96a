// SPDX-License-Identifier: Apache-2.0
// Makes lines with a prefix out of a guest's bytes. Owns no state; called by console.c under
// LOCK_CONSOLE.
//
// The prefix says who speaks, so nothing after it may move the cursor, end the line unseen or hide
// behind a terminal's features. Line feeds end a line, and so does a carriage return without one.
// Escape sequences are left out, other control characters shown as ^X, and of what looks like UTF-8
// only printable characters pass.
// Invariant: wire->open is NULL or the view whose prefix begins the line on the wire, and no other
// view's column is above 0.
// Source: ECMA-48, "Elements of control functions", for what an escape sequence is; RFC 3629 for UTF-8.
#include "console/lines.h"

#include "base/bits.h"
#include "base/string.h"

enum escape {
	ESCAPE_NONE,
	ESCAPE_START,  // after ESC
	ESCAPE_CSI,    // after ESC [
	ESCAPE_STRING, // after ESC ] and others: text until BEL or ESC backslash
};

#define BEL             0x07
#define ESC             0x1b
#define DEL             0x7f
#define FIRST_PRINTABLE 0x20
#define CARET           0x40 // ^X is X less this

// UTF-8: a character of two to four bytes begins with 110xxxxx, 1110xxxx or 11110xxx and goes on with
// 10xxxxxx.
#define UTF8_FIRST      0x80 // bytes from here on are not ASCII
#define UTF8_KIND       0xc0 // the bits that tell a continuation
#define UTF8_GOES_ON    0x80
#define UTF8_BEGINS     0xc2 // what is below could only begin an overlong form
#define UTF8_BEGINS_3   0xe0
#define UTF8_BEGINS_4   0xf0
#define UTF8_BEGINS_MAX 0xf4
#define UNICODE_MAX     0x10ffff

// Characters that pass as UTF-8 but act on the terminal: C1 controls, and what turns the direction of
// writing or ends lines.
static const struct {
	uint32_t first, last;
} unseen[] = {
        {0x0000, 0x009f}, {0x061c, 0x061c}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xd800, 0xdfff}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
};

void wire_init(struct wire *wire)
{
	*wire = (struct wire){.last = '\n'};
	wire->ring = (struct ring){.bytes = wire->bytes, .size = WIRE_SIZE};
}

void wire_put(struct wire *wire, uint8_t byte)
{
	(void)ring_put(&wire->ring, byte);
	wire->last = byte;
}

void wire_text(struct wire *wire, const char *text)
{
	for (; *text != '\0'; text++)
		wire_put(wire, (uint8_t)*text);
}

void wire_name(struct wire *wire, const char *name)
{
	for (; *name != '\0'; name++) {
		bool plain = *name > ' ' && *name <= '~' && *name != '[' && *name != ']';
		wire_put(wire, plain ? (uint8_t)*name : '?');
	}
}

// The line of a view ends here; if its source then ends it too, that is not a second line.
static void close_line(struct wire *wire)
{
	wire_text(wire, "\r\n");
	if (wire->open != NULL) {
		wire->open->column = 0;
		wire->open->broken = true;
		wire->open = NULL;
	}
}

void wire_fresh_line(struct wire *wire)
{
	if (wire->last != '\n')
		close_line(wire);
}

static void open_line(struct wire *wire, struct vcons_view *view, const char *name)
{
	if (wire->open == view)
		return;
	wire_fresh_line(wire);
	wire_put(wire, '[');
	wire_name(wire, name);
	wire_text(wire, "] ");
	wire->open = view;
	view->column = 0;
	view->broken = false;
}

static void put_character(struct wire *wire, struct vcons_view *view, const char *name,
                          const uint8_t *bytes, unsigned count, unsigned width)
{
	open_line(wire, view, name);
	for (unsigned i = 0; i < count; i++)
		wire_put(wire, bytes[i]);
	view->column += width;
	if (view->column >= LINE_MAX_WIDTH)
		close_line(wire);
}

static void put_unknown(struct wire *wire, struct vcons_view *view, const char *name)
{
	put_character(wire, view, name, (const uint8_t *)"?", 1, 1);
}

static void end_line(struct wire *wire, struct vcons_view *view, const char *name)
{
	if (view->broken) {
		view->broken = false;
		return;
	}
	open_line(wire, view, name);
	close_line(wire);
	view->broken = false;
}

// Consumes a byte that belongs to an escape sequence. False: the sequence is over and the byte is not
// part of it.
static bool skip_escape(struct vcons_view *view, uint8_t byte)
{
	switch (view->escape) {
	case ESCAPE_START:
		if (byte == '[')
			view->escape = ESCAPE_CSI;
		else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_')
			view->escape = ESCAPE_STRING;
		else if (byte < FIRST_PRINTABLE || byte > '/') // else more is to come
			view->escape = ESCAPE_NONE;
		return byte >= FIRST_PRINTABLE && byte < DEL;
	case ESCAPE_CSI:
		if (byte >= FIRST_PRINTABLE && byte <= '?')
			return true;
		view->escape = ESCAPE_NONE;
		return byte >= FIRST_PRINTABLE && byte < DEL;
	case ESCAPE_STRING:
		if (byte == BEL)
			view->escape = ESCAPE_NONE;
		else if (byte == ESC)
			view->escape =
			        ESCAPE_START; // with the backslash that follows the string ends
		return true;
	default: return false;
	}
}

static bool is_seen(uint32_t character)
{
	for (size_t i = 0; i < ARRAY_SIZE(unseen); i++)
		if (character >= unseen[i].first && character <= unseen[i].last)
			return false;
	return true;
}

// A character of more than one byte is complete: shows it if it is well-formed and can be seen.
static void put_utf8(struct wire *wire, struct vcons_view *view, const char *name)
{
	static const uint32_t first_of_length[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t count = view->utf8_count;
	uint32_t character = view->utf8[0] & GENMASK_U32(6 - count, 0);

	for (uint32_t i = 1; i < count; i++)
		character = character << 6 | (view->utf8[i] & GENMASK_U32(5, 0));
	view->utf8_count = 0;
	if (character >= first_of_length[count] && character <= UNICODE_MAX && is_seen(character))
		put_character(wire, view, name, view->utf8, count, 1);
	else
		put_unknown(wire, view, name);
}

// A byte of UTF8_FIRST and above.
static void put_high(struct wire *wire, struct vcons_view *view, const char *name, uint8_t byte)
{
	if (view->utf8_count != 0 && (byte & UTF8_KIND) == UTF8_GOES_ON) {
		view->utf8[view->utf8_count++] = byte;
		if (--view->utf8_missing == 0)
			put_utf8(wire, view, name);
		return;
	}
	if (view->utf8_count != 0) {
		view->utf8_count = 0;
		put_unknown(wire, view, name);
	}
	if (byte < UTF8_BEGINS || byte > UTF8_BEGINS_MAX) {
		put_unknown(wire, view, name);
		return;
	}
	view->utf8[0] = byte;
	view->utf8_count = 1;
	view->utf8_missing = byte >= UTF8_BEGINS_4 ? 3 : byte >= UTF8_BEGINS_3 ? 2 : 1;
}

// A byte below UTF8_FIRST that is part of no sequence.
static void put_low(struct wire *wire, struct vcons_view *view, const char *name, uint8_t byte)
{
	if (byte == ESC) {
		view->escape = ESCAPE_START;
	} else if ((byte < FIRST_PRINTABLE && byte != '\t') || byte == DEL) {
		const uint8_t shown[2] = {'^', (uint8_t)(byte ^ CARET)};
		put_character(wire, view, name, shown, 2, 2);
	} else {
		put_character(wire, view, name, &byte, 1, 1);
	}
}

void lines_put(struct wire *wire, struct vcons_view *view, const char *name, uint8_t byte)
{
	if (byte < UTF8_FIRST && view->utf8_count != 0) { // a character that never ended
		view->utf8_count = 0;
		put_unknown(wire, view, name);
	}
	if (byte == '\n') {
		view->escape = ESCAPE_NONE;
		view->carriage_return = false;
		end_line(wire, view, name);
		return;
	}
	if (view->escape != ESCAPE_NONE && skip_escape(view, byte))
		return;
	if (byte == '\r') {
		view->carriage_return = view->carriage_return || view->column > 0;
		return;
	}
	if (view->carriage_return) {
		view->carriage_return = false;
		if (view->column > 0)
			end_line(wire, view, name);
	}
	if (byte < UTF8_FIRST)
		put_low(wire, view, name, byte);
	else
		put_high(wire, view, name, byte);
}

// Puts what can go on in the line as it is, up to the first byte that needs a closer look; returns how many.
static uint32_t put_plain(struct wire *wire, struct vcons_view *view, const uint8_t *bytes,
                          uint32_t count)
{
	uint32_t left = LINE_MAX_WIDTH - 1 - view->column, n = 0;

	if (wire->open != view || view->escape != ESCAPE_NONE || view->carriage_return ||
	    view->utf8_count != 0 || view->column >= LINE_MAX_WIDTH - 1)
		return 0;
	left = left < count ? left : count;
	while (n < left && bytes[n] >= FIRST_PRINTABLE && bytes[n] < DEL)
		n++;
	if (n == 0)
		return 0;
	ring_put_all(&wire->ring, bytes, n);
	wire->last = bytes[n - 1];
	view->column += n;
	return n;
}

void lines_put_some(struct wire *wire, struct vcons_view *view, const char *name,
                    const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count;) {
		uint32_t n = put_plain(wire, view, bytes + i, count - i);
		if (n == 0) {
			lines_put(wire, view, name, bytes[i]);
			n = 1;
		}
		i += n;
	}
}

void lines_reset(struct vcons_view *view)
{
	view->escape = ESCAPE_NONE;
	view->utf8_count = 0;
	view->carriage_return = false;
}
