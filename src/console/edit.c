// SPDX-License-Identifier: Apache-2.0
// The line editor. Owns nothing: the line is the shell's, which calls it on the CPU that works for the
// shell. Knows what every terminal does: printing moves right, BS moves left, and a space wipes.
// Invariant: at <= length < SHELL_LINE, and the terminal's cursor stands where `at` says.
#include "console/edit.h"

#include "base/string.h"

#define KEY_TAB       0x09
#define KEY_BACKSPACE 0x08
#define KEY_DELETE    0x7f
#define KEY_ESC       0x1b
#define KEY_CTRL(c)   ((c)&0x1f)
#define PARAMETER_MAX 100

void edit_put(struct edit *e, const char *text)
{
	for (; *text != '\0'; text++)
		(void)ring_put(e->to, (uint8_t)*text);
}

static void put_many(struct edit *e, char c, uint32_t n)
{
	for (; n > 0; n--)
		(void)ring_put(e->to, (uint8_t)c);
}

static void put_range(struct edit *e, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		(void)ring_put(e->to, (uint8_t)e->line[from]);
}

void edit_draw(struct edit *e)
{
	edit_put(e, "mezzo> ");
	put_range(e, 0, e->length);
	put_many(e, '\b', e->length - e->at);
}

void edit_next(struct edit *e)
{
	e->length = e->at = 0;
	e->line[0] = '\0';
}

// ---- changing the line ----

static void move_to(struct edit *e, uint32_t to)
{
	if (to < e->at)
		put_many(e, '\b', e->at - to);
	else
		put_range(e, e->at, to);
	e->at = to;
}

void edit_insert(struct edit *e, const char *text, size_t n)
{
	uint32_t room = SHELL_LINE - 1 - e->length;
	uint32_t count = n < room ? (uint32_t)n : room;

	memmove(e->line + e->at + count, e->line + e->at, e->length - e->at);
	memcpy(e->line + e->at, text, count);
	e->length += count;
	e->line[e->length] = '\0';
	put_range(e, e->at, e->length);
	e->at += count;
	put_many(e, '\b', e->length - e->at);
}

// Takes away `count` characters from the cursor on.
static void cut(struct edit *e, uint32_t count)
{
	memmove(e->line + e->at, e->line + e->at + count, e->length - e->at - count);
	e->length -= count;
	e->line[e->length] = '\0';
	put_range(e, e->at, e->length);
	put_many(e, ' ', count);
	put_many(e, '\b', e->length - e->at + count);
}

// Takes away `count` characters before the cursor.
static void erase(struct edit *e, uint32_t count)
{
	if (count > e->at)
		count = e->at;
	if (e->at == e->length) { // the usual case, and the shortest way
		e->at = e->length -= count;
		e->line[e->length] = '\0';
		for (; count > 0; count--)
			edit_put(e, "\b \b");
		return;
	}
	move_to(e, e->at - count);
	cut(e, count);
}

static void erase_word(struct edit *e)
{
	uint32_t from = e->at;

	while (from > 0 && e->line[from - 1] == ' ')
		from--;
	while (from > 0 && e->line[from - 1] != ' ')
		from--;
	erase(e, e->at - from);
}

// ---- history ----

static void recall(struct edit *e, bool older)
{
	uint32_t kept = e->history_next < EDIT_HISTORY ? e->history_next : EDIT_HISTORY;

	if (older ? e->history_back == kept : e->history_back == 0)
		return;
	e->history_back += older ? 1 : -1u;
	move_to(e, e->length);
	erase(e, e->length);
	if (e->history_back > 0) {
		uint32_t index = (e->history_next - e->history_back) % EDIT_HISTORY;
		edit_insert(e, e->history[index], strlen(e->history[index]));
	}
}

static void remember(struct edit *e)
{
	uint32_t last = (e->history_next - 1) % EDIT_HISTORY;

	e->history_back = 0;
	if (e->length == 0 || (e->history_next > 0 && strcmp(e->history[last], e->line) == 0))
		return;
	memcpy(e->history[e->history_next++ % EDIT_HISTORY], e->line, SHELL_LINE);
}

// ---- keys ----

static void delete_here(struct edit *e)
{
	if (e->at < e->length)
		cut(e, 1);
}

// The end of a sequence ESC [ number letter, as terminals send them for keys without a character.
static void special_key(struct edit *e, uint8_t key)
{
	switch (key) {
	case 'A':
	case 'B': recall(e, key == 'A'); break;
	case 'C': move_to(e, e->at < e->length ? e->at + 1 : e->at); break;
	case 'D': move_to(e, e->at > 0 ? e->at - 1 : 0); break;
	case 'H': move_to(e, 0); break;
	case 'F': move_to(e, e->length); break;
	case '~':
		if (e->parameter == 1 || e->parameter == 7)
			move_to(e, 0);
		else if (e->parameter == 4 || e->parameter == 8)
			move_to(e, e->length);
		else if (e->parameter == 3)
			delete_here(e);
		break;
	default: break;
	}
}

// Returns whether the key was part of such a sequence.
static bool handle_sequence(struct edit *e, uint8_t key)
{
	if (key == KEY_ESC) {
		e->escape = 1;
		return true;
	}
	if (e->escape == 1 && (key == '[' || key == 'O')) {
		e->escape = 2;
		e->parameter = 0;
		return true;
	}
	if (e->escape == 2 && key >= ' ') { // a control character ends it, and counts
		if (key >= '0' && key <= '9' && e->parameter < PARAMETER_MAX)
			e->parameter = e->parameter * 10 + key - (uint32_t)'0';
		if (key >= '@') {
			e->escape = 0;
			special_key(e, key);
		}
		return true;
	}
	e->escape = 0;
	return false;
}

static void interrupt(struct edit *e)
{
	edit_put(e, "^C\r\n");
	e->history_back = 0;
	edit_next(e);
	edit_draw(e);
}

enum edit_event edit_key(struct edit *e, uint8_t key)
{
	if (handle_sequence(e, key))
		return EDIT_NOTHING;
	switch (key) {
	case '\r':
	case '\n':
		move_to(e, e->length);
		edit_put(e, "\r\n");
		remember(e);
		return EDIT_ENTER;
	case KEY_TAB: return EDIT_COMPLETE;
	case KEY_BACKSPACE:
	case KEY_DELETE: erase(e, 1); break;
	case KEY_CTRL('a'): move_to(e, 0); break;
	case KEY_CTRL('b'): move_to(e, e->at > 0 ? e->at - 1 : 0); break;
	case KEY_CTRL('c'): interrupt(e); break;
	case KEY_CTRL('d'): delete_here(e); break;
	case KEY_CTRL('e'): move_to(e, e->length); break;
	case KEY_CTRL('f'): move_to(e, e->at < e->length ? e->at + 1 : e->at); break;
	case KEY_CTRL('k'): cut(e, e->length - e->at); break;
	case KEY_CTRL('n'):
	case KEY_CTRL('p'): recall(e, key == KEY_CTRL('p')); break;
	case KEY_CTRL('u'): erase(e, e->at); break;
	case KEY_CTRL('w'): erase_word(e); break;
	default:
		if (key >= ' ' && key < KEY_DELETE) {
			const char c = (char)key;
			edit_insert(e, &c, 1);
		}
	}
	return EDIT_NOTHING;
}
