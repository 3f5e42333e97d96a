// SPDX-License-Identifier: Apache-2.0
// Writes answers: aligned text or JSON. Owns nothing: the state is the job's. Called by the shell and by
// its commands, on the CPU that works for the shell.
// Invariant: between two calls the JSON written so far needs only answer_end to be complete, whatever
// the command meant to say; only printable ASCII is written, and line ends.
// Source: RFC 8259, "Strings".
#include "console/answer.h"

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"

#define VALUE_SIZE 32  // characters of a number in any form
#define LINE_SIZE  256 // characters of a sentence
#define DELETE     0x7f

// ---- bytes ----

static void put(struct answer *a, const char *text, size_t n)
{
	struct ring *to = a->to;
	uint32_t head = to->head;
	size_t room = ring_room(to);

	if (n > room)
		n = room;
	for (size_t i = 0; i < n; i++)
		to->bytes[(head + i) & (to->size - 1)] = (uint8_t)text[i];
	store_release(&to->head, head + (uint32_t)n);
	a->bytes += n;
}

static void put_string(struct answer *a, const char *text)
{
	put(a, text, strlen(text));
}

// For a person: what is not printable becomes '?', a line feed a new line.
static void put_shown(struct answer *a, const char *text, size_t n)
{
	char out[64];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)text[i];
		if (byte == '\n')
			out[used++] = '\r';
		out[used++] = byte == '\n' || (byte >= ' ' && byte < DELETE) ? (char)byte : '?';
		if (used > sizeof out - 2) {
			put(a, out, used);
			used = 0;
		}
	}
	put(a, out, used);
}

static void put_spaces(struct answer *a, int n)
{
	for (; n > 0; n--)
		put(a, " ", 1);
}

// For a program: at most `max` bytes, no escape cut in two. Bytes beyond ASCII may be no UTF-8, so
// they are not passed on.
static void put_escaped(struct answer *a, const char *text, size_t n, size_t max)
{
	char out[ANSWER_TEXT_MAX];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		char one[8] = {text[i]};
		uint8_t byte = (uint8_t)text[i];
		size_t length = 1;
		if (byte == '"' || byte == '\\') {
			one[0] = '\\';
			one[1] = (char)byte;
			length = 2;
		} else if (byte == '\n') {
			memcpy(one, "\\n", length = 2);
		} else if (byte < ' ') {
			length = print_buffer(one, sizeof one, "\\u%04x", byte);
		} else if (byte >= DELETE) {
			one[0] = '?';
		}
		if (used + length > max)
			break;
		memcpy(out + used, one, length);
		used += length;
	}
	put(a, out, used);
}

static void put_quoted(struct answer *a, const char *text, size_t n)
{
	put(a, "\"", 1);
	put_escaped(a, text, n, ANSWER_TEXT_MAX);
	put(a, "\"", 1);
}

static void put_comma(struct answer *a)
{
	if (a->comma)
		put(a, ",", 1);
	a->comma = true;
}

static void put_key(struct answer *a, const char *key)
{
	put_comma(a);
	put_quoted(a, key, strlen(key));
	put(a, ":", 1);
}

// ---- values ----

static void print_size(char *text, uint64_t bytes)
{
	bool whole = is_aligned(bytes, MIB(1)) || bytes >= MIB(10);

	print_buffer(text, VALUE_SIZE, "%lu%c", (unsigned long)(whole ? bytes >> 20 : bytes >> 10),
	             whole ? 'M' : 'K');
}

static void print_clock(char *text, uint64_t ms)
{
	unsigned long s = (unsigned long)(ms / 1000);

	print_buffer(text, VALUE_SIZE, "%02lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
}

// A number as a person wants to see it.
static void print_shown(char *text, enum answer_kind kind, uint64_t n)
{
	char size[VALUE_SIZE];

	if (n == ANSWER_NONE && kind != ANSWER_HEX) {
		memcpy(text, "-", 2);
		return;
	}
	switch (kind) {
	case ANSWER_HEX: print_buffer(text, VALUE_SIZE, "%#lx", (unsigned long)n); break;
	case ANSWER_SIZE: print_size(text, n); break;
	case ANSWER_USED:
		print_size(size, n);
		print_buffer(text, VALUE_SIZE, "(%s)", size);
		break;
	case ANSWER_CLOCK: print_clock(text, n); break;
	case ANSWER_TIME:
		print_buffer(text, VALUE_SIZE, "%lu.%03lus", (unsigned long)(n / 1000000),
		             (unsigned long)(n / 1000 % 1000));
		break;
	case ANSWER_YES: print_buffer(text, VALUE_SIZE, n != 0 ? "yes" : "no"); break;
	default: print_buffer(text, VALUE_SIZE, "%lu", (unsigned long)n);
	}
}

static void put_json(struct answer *a, enum answer_kind kind, const struct answer_value *value)
{
	char text[VALUE_SIZE];

	if (kind == ANSWER_TEXT && value->text != NULL) {
		put_quoted(a, value->text, strlen(value->text));
		return;
	}
	if (kind == ANSWER_TEXT || (kind != ANSWER_HEX && value->number == ANSWER_NONE))
		print_buffer(text, sizeof text, "null");
	else if (kind == ANSWER_YES)
		print_buffer(text, sizeof text, "%s", value->number != 0 ? "true" : "false");
	else
		print_buffer(text, sizeof text, kind == ANSWER_HEX ? "\"0x%lx\"" : "%lu",
		             (unsigned long)value->number);
	put_string(a, text);
}

// The value in `text`, which has VALUE_SIZE bytes, or where it stands already.
static const char *shown(char *text, enum answer_kind kind, const struct answer_value *value)
{
	if (kind == ANSWER_TEXT)
		return value->text != NULL ? value->text : "-";
	print_shown(text, kind, value->number);
	return text;
}

// ---- the parts of an answer ----

void answer_begin(struct answer *a, struct ring *to, bool json)
{
	*a = (struct answer){.to = to, .json = json};
	if (json)
		put(a, "{", 1);
}

void answer_close(struct answer *a)
{
	static const char *const ends[] = {
	        [ANSWER_NOTHING] = "",
	        [ANSWER_TABLE] = "]",
	        [ANSWER_LIST] = "]",
	        [ANSWER_STRING] = "\"",
	};

	if (a->json)
		put_string(a, ends[a->open]);
	a->open = ANSWER_NOTHING;
	a->comma = true;
}

void answer_end(struct answer *a)
{
	if (a->open != ANSWER_NOTHING)
		answer_close(a);
	if (a->json)
		put(a, "}", 1);
}

static void begin_part(struct answer *a, const char *key, enum answer_open what, const char *begin)
{
	if (a->open != ANSWER_NOTHING)
		answer_close(a);
	if (a->json) {
		put_key(a, key);
		put_string(a, begin);
		a->comma = false;
	}
	a->open = what;
}

static void member(struct answer *a, const char *key, const char *title, enum answer_kind kind,
                   const struct answer_value *value)
{
	char text[VALUE_SIZE], label[32];

	if (a->open != ANSWER_NOTHING)
		answer_close(a);
	if (a->json) {
		put_key(a, key);
		put_json(a, kind, value);
	} else if (title != NULL) {
		put(a, label, print_buffer(label, sizeof label, "  %-14s ", title));
		const char *s = shown(text, kind, value);
		put_shown(a, s, strnlen(s, ANSWER_TEXT_MAX));
		put_shown(a, "\n", 1);
	}
}

void answer_text(struct answer *a, const char *key, const char *title, const char *text)
{
	member(a, key, title, ANSWER_TEXT, &(struct answer_value){.text = text});
}

void answer_number(struct answer *a, const char *key, const char *title, enum answer_kind kind,
                   uint64_t number)
{
	member(a, key, title, kind, &(struct answer_value){.number = number});
}

// One cell of a line, with the space before it.
static void put_cell(struct answer *a, bool first, int width, const char *text)
{
	size_t n = strnlen(text, ANSWER_TEXT_MAX);
	int pad = (width < 0 ? -width : width) - (int)n;

	if (!first)
		put(a, " ", 1);
	if (width > 0)
		put_spaces(a, pad);
	put_shown(a, text, n);
	if (width < 0)
		put_spaces(a, pad);
}

void answer_table(struct answer *a, const char *key, const struct answer_column *columns,
                  unsigned nr_columns)
{
	begin_part(a, key, ANSWER_TABLE, "[");
	a->columns = columns;
	a->nr_columns = nr_columns;
	if (a->json)
		return;
	for (unsigned i = 0; i < nr_columns; i++)
		if (columns[i].width != ANSWER_BELOW)
			put_cell(a, i == 0, columns[i].width, columns[i].title);
	put_shown(a, "\n", 1);
}

static void put_row(struct answer *a, const struct answer_value *values)
{
	char text[VALUE_SIZE];

	for (unsigned i = 0; i < a->nr_columns; i++) {
		const struct answer_column *c = &a->columns[i];
		if (c->width != ANSWER_BELOW)
			put_cell(a, i == 0, c->width, shown(text, c->kind, &values[i]));
	}
	put_shown(a, "\n", 1);
	for (unsigned i = 0; i < a->nr_columns; i++) {
		const struct answer_column *c = &a->columns[i];
		if (c->width != ANSWER_BELOW || (c->kind == ANSWER_TEXT && values[i].text == NULL))
			continue;
		put_spaces(a, 6);
		put_cell(a, true, 0, shown(text, c->kind, &values[i]));
		put_shown(a, "\n", 1);
	}
}

void answer_row(struct answer *a, const struct answer_value *values)
{
	if (!a->json) {
		put_row(a, values);
		return;
	}
	put_comma(a);
	put(a, "{", 1);
	for (unsigned i = 0; i < a->nr_columns; i++) {
		a->comma = i != 0;
		put_key(a, a->columns[i].key);
		put_json(a, a->columns[i].kind, &values[i]);
	}
	put(a, "}", 1);
	a->comma = true;
}

void answer_list(struct answer *a, const char *key)
{
	begin_part(a, key, ANSWER_LIST, "[");
}

void answer_item(struct answer *a, const char *text, size_t length)
{
	if (a->json) {
		put_comma(a);
		put_quoted(a, text, length);
	} else {
		put_shown(a, text, length < ANSWER_TEXT_MAX ? length : ANSWER_TEXT_MAX);
		put_shown(a, "\n", 1);
	}
}

void answer_long(struct answer *a, const char *key)
{
	begin_part(a, key, ANSWER_STRING, "\"");
}

void answer_piece(struct answer *a, const char *text)
{
	size_t n = strnlen(text, ANSWER_TEXT_MAX / 2);

	if (a->json)
		put_escaped(a, text, n, ANSWER_TEXT_MAX);
	else
		put_shown(a, text, n);
}

// ---- sentences ----

static void sentence(struct answer *a, const char *key, const char *format, va_list args)
{
	char line[LINE_SIZE];
	size_t n = print_vbuffer(line, sizeof line, format, args);

	if (a->json && key == NULL)
		return;
	if (a->open != ANSWER_NOTHING)
		answer_close(a);
	if (a->json) {
		put_key(a, key);
		put_quoted(a, line, n);
	} else {
		put_shown(a, line, n);
		put_shown(a, "\n", 1);
	}
}

void answer_say(struct answer *a, const char *key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	sentence(a, key, format, args);
	va_end(args);
}

void answer_error(struct answer *a, const char *format, ...)
{
	va_list args;

	if (a->failed)
		return;
	a->failed = true;
	va_start(args, format);
	sentence(a, "error", format, args);
	va_end(args);
}
