// SPDX-License-Identifier: Apache-2.0
// What a hub is, for hub.c, which owns it, and hub_keys.c. Nobody else looks in.
#ifndef HOST_HUB_STATE_H
#define HOST_HUB_STATE_H

#include "answer.h"
#include "file.h"
#include "hub.h"
#include "link.h"
#include "pty.h"
#include "view.h"

#define TYPED_ENOUGH 1024 // typed bytes that wait for a plain wire

// A source and those who take from it.
struct feed {
	struct source *source;
	struct channel *channel; // NULL: it is not there
	int record;              // -1: none
};

struct hub {
	const struct hub_options *options;
	struct link link;
	struct view *view;
	struct pty *ptys;
	struct answers *answers; // NULL: no commands
	struct file file;        // that Mezzo sends

	bool escape;          // the last key was KEY_ESCAPE
	struct source *focus; // the VM that was in view last
	int text_record;      // what is said outside frames; -1: nowhere

	bool up;         // the link is framed
	bool met;        // Mezzo has answered once: its past has been told
	bool settled;    // the first view has been chosen
	bool quiet;      // this greeting is a try that nobody asked for
	size_t heard;    // bytes of own_prefix at the start of a line of text
	bool elsewhere;  // in a line of text that begins otherwise
	const char *why; // the link went down, not told yet
	int64_t greet;   // when to greet again; 0: never
	int64_t tried;   // when that was done last because of what was heard
};

// Brings a source into view, NULL: all of them, with a title or NULL.
void hub_show(struct hub *hub, struct source *source, const char *title);

#endif
