// SPDX-License-Identifier: Apache-2.0
//
// Chooses what goes on the screen. Owns the sources and what is kept of each. Called by hub.c.
//
// Lines of the view of all are made by the same code as at EL2 (console/lines.h), so they promise the
// same. A line is shown when it is complete, when it is long, or when its source has paused in it; once
// shown in part it goes on at once.
// Invariant: in the view of all every byte of a source passes lines_put.
#include "view.h"

#include "base/frame.h"
#include "console/lines.h"
#include "early.h"
#include "report.h"
#include "util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAST_SIZE  8192 // bytes kept of each source, a power of two
#define PAUSE      100  // ms until an unfinished line is shown
#define TEXT_PIECE 256

static const char last_word[] = "end: ";

struct kept {
	struct source source; // first, so that a source is a kept
	struct vcons_view lines;

	uint64_t total; // bytes so far; the newest are in `past`
	uint64_t shown; // of them, how many were in view or passed by
	uint8_t past[PAST_SIZE];

	// The view of all: what waits for the end of its line, and since when (0: nothing does).
	uint8_t held[LINE_MAX_WIDTH];
	size_t held_size;
	int64_t since;
};

struct view {
	bool terminal;
	struct buffer screen;
	struct wire wire;
	struct report report; // of text, without a terminal
	struct kept **kept;
	size_t count;
	struct kept *shown; // NULL: all
	struct early early;
	struct kept *matching; // in view since its first byte: what the text told is skipped
};

struct view *view_new(bool terminal)
{
	struct view *view = util_alloc(sizeof(*view));

	view->terminal = terminal;
	wire_init(&view->wire);
	return view;
}

struct buffer *view_screen(struct view *view)
{
	return &view->screen;
}

struct source *view_shown(const struct view *view)
{
	return view->shown != NULL ? &view->shown->source : NULL;
}

// --- sources -------------------------------------------------------------------------------------

static struct kept *kept_of(struct source *source)
{
	return CONTAINER_OF(source, struct kept, source);
}

struct source *view_source(struct view *view, uint8_t kind, uint32_t id, const char *name)
{
	struct kept *kept;

	for (size_t i = 0; i < view->count; i++) {
		struct source *source = &view->kept[i]->source;

		if (source->kind == kind && strcmp(source->name, name) == 0) {
			source->id = id;
			return source;
		}
	}
	kept = util_alloc(sizeof(*kept));
	kept->source = (struct source){.kind = kind, .id = id, .name = util_format("%s", name)};
	view->kept = util_grow(view->kept, view->count + 1, sizeof(struct kept *));
	view->kept[view->count++] = kept;
	return &kept->source;
}

struct source *view_vm(struct view *view, uint32_t id)
{
	for (size_t i = 0; i < view->count; i++) {
		struct source *source = &view->kept[i]->source;

		if (source->kind == FRAME_KIND_CONSOLE && source->id == id && source->there)
			return source;
	}
	return NULL;
}

struct source *view_neighbour(struct view *view, uint32_t id, bool up)
{
	struct source *best = NULL;
	uint32_t nearest = UINT32_MAX;

	for (size_t i = 0; i < view->count; i++) {
		struct source *source = &view->kept[i]->source;
		uint32_t distance = (up ? source->id - id : id - source->id) - 1; // goes round

		if (source->kind == FRAME_KIND_CONSOLE && source->there &&
		    (best == NULL || distance < nearest)) {
			best = source;
			nearest = distance;
		}
	}
	return best;
}

// --- the screen ----------------------------------------------------------------------------------

static void flush(struct view *view)
{
	uint8_t byte;

	while (ring_get(&view->wire.ring, &byte))
		if (view->terminal || byte != '\r')
			buffer_add(&view->screen, &byte, 1);
}

static void put_line_byte(struct view *view, struct kept *kept, uint8_t byte)
{
	lines_put(&view->wire, &kept->lines, kept->source.name, byte);
	flush(view);
}

static void put_raw(struct view *view, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	if (view->wire.open != NULL)
		wire_fresh_line(&view->wire);
	for (size_t i = 0; i < size; i++) {
		wire_put(&view->wire, p[i]);
		flush(view);
	}
}

static void fresh_line(struct view *view)
{
	wire_fresh_line(&view->wire);
	flush(view);
}

// The bytes [from, total) of a source that are still kept, raw. What was cut off begins with a line.
static void replay(struct view *view, struct kept *kept, uint64_t from)
{
	uint64_t at = from;

	if (kept->total - at > PAST_SIZE) {
		at = kept->total - PAST_SIZE;
		while (at < kept->total && kept->past[at % PAST_SIZE] != '\n')
			at++;
		at = at < kept->total ? at + 1 : kept->total - PAST_SIZE;
	}
	for (; at < kept->total; at++)
		put_raw(view, &kept->past[at % PAST_SIZE], 1);
}

// The shell's prompt, and what has been typed behind it, once more.
static void redraw(struct view *view, struct kept *shell)
{
	uint64_t at = shell->total;

	while (at > 0 && shell->total - at < PAST_SIZE - 1 &&
	       shell->past[(at - 1) % PAST_SIZE] != '\n')
		at--;
	replay(view, shell, at);
}

// --- the lines of all ----------------------------------------------------------------------------

static void release(struct view *view, struct kept *kept)
{
	for (size_t i = 0; i < kept->held_size; i++)
		put_line_byte(view, kept, kept->held[i]);
	kept->held_size = 0;
	kept->since = 0;
}

// Whether this complete line is also said in plain text: before Mezzo was greeted, or as its last word.
static bool is_text_too(struct view *view, const struct kept *kept, int64_t now)
{
	size_t size = kept->held_size - 1, last = sizeof(last_word) - 1;

	if (kept->source.kind == FRAME_KIND_LOG && size > last &&
	    memcmp(kept->held, last_word, last) == 0)
		return true;
	return early_had_line(&view->early, kept->source.name, kept->held, size, now);
}

static void put_line(struct view *view, struct kept *kept, uint8_t byte, int64_t now)
{
	if (kept->held_size == 0 && view->wire.open == &kept->lines) {
		put_line_byte(view, kept, byte);
		return;
	}
	kept->held[kept->held_size++] = byte;
	if (byte == '\n' && is_text_too(view, kept, now)) {
		kept->held_size = 0;
		kept->since = 0;
	} else if (byte == '\n' || kept->held_size == sizeof(kept->held)) {
		release(view, kept);
	} else if (kept->since == 0) {
		kept->since = now;
	}
}

// --- what sources say ----------------------------------------------------------------------------

static void put_shown(struct view *view, struct kept *kept, const uint8_t *bytes, size_t size)
{
	struct buffer again = {.bytes = NULL};
	size_t known = 0;

	if (view->matching == kept)
		known = early_had_bytes(&view->early, bytes, size, &again);
	if (buffer_size(&again) > 0)
		fresh_line(view);
	put_raw(view, buffer_data(&again), buffer_size(&again));
	put_raw(view, bytes + known, size - known);
	free(again.bytes);
}

void view_put(struct view *view, struct source *source, const uint8_t *bytes, size_t size,
              int64_t now)
{
	struct kept *kept = kept_of(source);
	bool is_log = source->kind == FRAME_KIND_LOG;

	for (size_t i = 0; i < size; i++)
		kept->past[kept->total++ % PAST_SIZE] = bytes[i];
	if (view->shown == kept) {
		put_shown(view, kept, bytes, size);
	} else if (is_log || (view->shown == NULL && source->kind == FRAME_KIND_CONSOLE)) {
		for (size_t i = 0; i < size; i++)
			put_line(view, kept, bytes[i], now);
	} else {
		return;
	}
	flush(view);
	kept->shown = kept->total;
	if (is_log && view->shown != NULL && view->shown->source.kind == FRAME_KIND_SHELL)
		redraw(view, view->shown);
}

void view_text(struct view *view, const uint8_t *bytes, size_t size)
{
	char safe[REPORT_GROWTH * (TEXT_PIECE + REPORT_HELD)];

	early_take(&view->early, bytes, size);
	if (view->terminal)
		put_raw(view, bytes, size);
	for (size_t at = 0; !view->terminal && at < size; at += TEXT_PIECE) {
		size_t piece = size - at < TEXT_PIECE ? size - at : TEXT_PIECE;

		put_raw(view, safe, report_take(&view->report, bytes + at, piece, safe));
	}
	flush(view);
}

void view_note(struct view *view, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (text == NULL)
		return;
	if (!view->terminal) {
		fprintf(stderr, "mezzo: %s\n", text);
		free(text);
		return;
	}
	fresh_line(view);
	put_raw(view, "mezzo: ", 7);
	put_raw(view, text, strlen(text));
	fresh_line(view);
	free(text);
	if (view->shown != NULL && view->shown->source.kind == FRAME_KIND_SHELL)
		redraw(view, view->shown);
}

// --- which view ----------------------------------------------------------------------------------

// What a VM has said while another was in view, as lines.
static void catch_up(struct view *view, struct kept *kept)
{
	uint64_t at = kept->shown;

	if (kept->total - at > PAST_SIZE)
		at = kept->total - PAST_SIZE;
	for (; at < kept->total; at++)
		put_line(view, kept, kept->past[at % PAST_SIZE], 1);
	kept->shown = kept->total;
}

void view_greeted(struct view *view, int64_t now)
{
	early_end(&view->early, now);
}

void view_show(struct view *view, struct source *source, const char *title)
{
	for (size_t i = 0; i < view->count; i++) {
		struct kept *kept = view->kept[i];

		if (view->shown == NULL || kept->source.kind == FRAME_KIND_LOG)
			release(view, kept);
		kept->held_size = 0;
		lines_reset(&kept->lines);
	}
	view->matching = source != NULL && kept_of(source)->total == 0 ? kept_of(source) : NULL;
	if (view->matching == NULL || title != NULL)
		fresh_line(view);
	view->shown = NULL;
	if (title != NULL)
		view_note(view, "%s", title);
	view->shown = source != NULL ? kept_of(source) : NULL;
	for (size_t i = 0; i < view->count && source == NULL; i++)
		if (view->kept[i]->source.kind == FRAME_KIND_CONSOLE)
			catch_up(view, view->kept[i]);
	if (source == NULL)
		return;
	if (source->kind == FRAME_KIND_SHELL)
		redraw(view, view->shown);
	else
		replay(view, view->shown, 0);
	flush(view);
	view->shown->shown = view->shown->total;
}

void view_tick(struct view *view, int64_t now)
{
	for (size_t i = 0; i < view->count; i++)
		if (view->kept[i]->since != 0 && now - view->kept[i]->since >= PAUSE)
			release(view, view->kept[i]);
}

int64_t view_due(const struct view *view)
{
	int64_t due = 0;

	for (size_t i = 0; i < view->count; i++) {
		int64_t since = view->kept[i]->since;

		if (since != 0 && (due == 0 || since + PAUSE < due))
			due = since + PAUSE;
	}
	return due;
}
