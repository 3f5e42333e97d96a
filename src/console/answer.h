// SPDX-License-Identifier: Apache-2.0
// What a command answers, written once and shown as text to a person or as one JSON object to a
// program. A command describes its output by fields, tables, lists and sentences; each has a key, which
// only a program sees, and a title, which only a person does.
//
// A program finds "error" among the keys if, and only if, the command failed or broke off. Numbers are
// plain (bytes, milliseconds, microseconds: the key says which); addresses and register values are
// strings "0x...", since not every reader of JSON keeps 64 bits.
#ifndef CONSOLE_ANSWER_H
#define CONSOLE_ANSWER_H

#include <stdarg.h>

#include "base/types.h"
#include "console/ring.h"

#define ANSWER_TEXT_MAX 480 // bytes of one string in JSON, escapes counted; the rest is cut off

enum answer_kind {
	ANSWER_TEXT,   // .text; NULL: nothing to say
	ANSWER_NUMBER, // .number in all the others; ANSWER_NONE: nothing to say
	ANSWER_HEX,    // an address, the value of a register
	ANSWER_SIZE,   // bytes; a person sees K or M
	ANSWER_USED,   // the same in parentheses, behind the size of which it is a part
	ANSWER_CLOCK,  // milliseconds; a person sees hours:minutes:seconds
	ANSWER_TIME,   // microseconds; a person sees seconds
	ANSWER_YES,    // 0 or 1
};

#define ANSWER_NONE UINT64_MAX

struct answer_value {
	const char *text;
	uint64_t number;
};

// A column of a table. Width in characters, negative: to the left; 0: the last column, of any width.
struct answer_column {
	const char *key, *title;
	enum answer_kind kind;
	int width;
};
#define ANSWER_BELOW \
	INT32_MAX // width: on a line of its own below the row, if there is something to say

enum answer_open { ANSWER_NOTHING, ANSWER_TABLE, ANSWER_LIST, ANSWER_STRING };

struct answer {
	struct ring *to;
	bool json;
	bool comma;  // JSON: something stands before the next member
	bool failed; // an error was answered
	enum answer_open open;
	const struct answer_column *columns;
	unsigned nr_columns;
	uint64_t bytes; // that were written, ever
};

// The caller of all these has made sure of the room: the ring takes what fits.
void answer_begin(struct answer *a, struct ring *to, bool json);
// Closes what is open. Nothing was answered: an empty object.
void answer_end(struct answer *a);

// "title value"; `title` NULL: for programs alone.
void answer_text(struct answer *a, const char *key, const char *title, const char *text);
void answer_number(struct answer *a, const char *key, const char *title, enum answer_kind kind,
                   uint64_t number);

// A table: its head, its rows of as many values as there are columns, its end (also by answer_end).
// The columns live as long as the table is open.
void answer_table(struct answer *a, const char *key, const struct answer_column *columns,
                  unsigned nr_columns);
void answer_row(struct answer *a, const struct answer_value *values);
// A list of lines.
void answer_list(struct answer *a, const char *key);
void answer_item(struct answer *a, const char *text, size_t length);
// One long text, piece by piece, with its line feeds; each piece at most ANSWER_TEXT_MAX / 2 bytes.
void answer_long(struct answer *a, const char *key);
void answer_piece(struct answer *a, const char *text);
// Ends a table, a list or a long text.
void answer_close(struct answer *a);

// A sentence, on a line of its own. `key` NULL: for a person alone.
void answer_say(struct answer *a, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);
// Why there is no answer, or no more of it. Only the first one counts.
void answer_error(struct answer *a, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
