// SPDX-License-Identifier: Apache-2.0
// What a person sees of several consoles on one terminal (docs/console.md): one of them raw, or the
// lines of all.
#ifndef HOST_VIEW_H
#define HOST_VIEW_H

#include "buffer.h"

struct view;

// Something that speaks: a VM, the shell, Mezzo itself. It stays when its channel goes.
struct source {
	uint8_t kind; // enum frame_kind
	uint32_t id;  // the VM's number
	const char *name;
	bool there;  // whoever feeds it says so
	void *owner; // and may use this
};

// `terminal`: of a person; otherwise lines end in \n alone and hold no control characters. Begins with
// all.
struct view *view_new(bool terminal);

// The source of this kind and name, made if it is not there.
struct source *view_source(struct view *view, uint8_t kind, uint32_t id, const char *name);

// The VM with this number; or the next one above `id` (below it if not `up`), going round at the ends.
// NULL: none is there.
struct source *view_vm(struct view *view, uint32_t id);
struct source *view_neighbour(struct view *view, uint32_t id, bool up);

// Bytes that a source has sent; those that are not in view are kept, the newest ones.
void view_put(struct view *view, struct source *source, const uint8_t *bytes, size_t size,
              int64_t now);

// Bytes that belong to no source: all of them are seen, whatever is in view.
void view_text(struct view *view, const uint8_t *bytes, size_t size);

// Sources are about to tell their past, which may have been seen as text.
void view_greeted(struct view *view, int64_t now);

// A line of this program's own, behind "mezzo: "; on standard error if there is no terminal.
void view_note(struct view *view, const char *format, ...) PRINTF_LIKE(2, 3);

// Brings a source into view, with what is kept of it; NULL: the lines of all. Before that `title` is
// noted, if it is not NULL.
void view_show(struct view *view, struct source *source, const char *title);
struct source *view_shown(const struct view *view);

// Unfinished lines are shown after a while. view_due: when, 0: never.
void view_tick(struct view *view, int64_t now);
int64_t view_due(const struct view *view);

// Bytes for standard output.
struct buffer *view_screen(struct view *view);

#endif
