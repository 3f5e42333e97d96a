// SPDX-License-Identifier: Apache-2.0
//
// Ties the link to those who use it. Owns link, view, pseudo-terminals and files; hub_keys.c has the
// keyboard. Called by cmd_console.c and qemu.c, which own the wire and the terminal.
// Invariant: a channel is granted more only while all who take from it have room, so what waits here
// is bounded, and a slow one holds up nobody but its own channel.
#include "hub_state.h"
#include "record.h"
#include "term.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCREEN_ENOUGH 65536 // bytes that wait for standard output

// In milliseconds.
#define PATIENCE    3000  // until a wire is taken for plain
#define BREATH      500   // from the end of a link to the next greeting
#define GREET_AGAIN 10000 // at most so often because a plain wire speaks as Mezzo does

#define LOG_NAME "mezzo"

static const char own_prefix[] = "[mezzo] ";

// --- notes ---------------------------------------------------------------------------------------

void hub_note(struct hub *hub, const char *text)
{
	if (hub->answers == NULL)
		view_note(hub->view, "%s", text);
}

// What has become of a file. A program gets its answers by themselves, and this elsewhere.
static void tell_file(struct hub *hub, char *text)
{
	if (text != NULL && hub->answers != NULL)
		fprintf(stderr, "%s: %s\n", hub->options->who, text);
	else if (text != NULL)
		view_note(hub->view, "%s", text);
	free(text);
}

// --- the view ------------------------------------------------------------------------------------

void hub_show(struct hub *hub, struct source *source, const char *title)
{
	if (source != NULL && source->kind == FRAME_KIND_CONSOLE)
		hub->focus = source;
	view_show(hub->view, source, title);
}

// --- what the link tells -------------------------------------------------------------------------

// Whether a line of text begins as Mezzo's do.
static bool hears_mezzo(struct hub *hub, uint8_t byte)
{
	if (byte == '\n' || byte == '\r') {
		hub->heard = 0;
		hub->elsewhere = false;
		return false;
	}
	hub->elsewhere = hub->elsewhere || byte != (uint8_t)own_prefix[hub->heard];
	if (hub->elsewhere || ++hub->heard < sizeof(own_prefix) - 1)
		return false;
	hub->elsewhere = true;
	return true;
}

static void on_text(void *who, const uint8_t *bytes, size_t size)
{
	struct hub *hub = who;
	bool mezzo = false;

	for (size_t i = 0; i < size; i++)
		mezzo = hears_mezzo(hub, bytes[i]) || mezzo;
	if (hub->answers == NULL)
		view_text(hub->view, bytes, size);
	if (hub->text_record >= 0)
		util_write(hub->text_record, bytes, size);
	int64_t now = term_now();
	if (mezzo && hub->link.state == LINK_PLAIN && !hub->options->plain && hub->greet == 0 &&
	    (hub->tried == 0 || now - hub->tried >= GREET_AGAIN)) {
		hub->greet = now;
		hub->quiet = hub->tried != 0 || !hub->options->patient;
		hub->tried = now;
	}
}

static void on_up(void *who, const char *version)
{
	struct hub *hub = who;

	if (strncmp(version, "Mezzo ", 6) == 0)
		version += 6;
	if (hub->met)
		view_note(hub->view, "Mezzo answers again");
	else if (!hub->options->patient && hub->answers == NULL)
		view_note(hub->view,
		          "attached to Mezzo %s; Ctrl-] q leaves, Ctrl-] ? lists the other keys",
		          version);
	view_greeted(hub->view, term_now());
	hub->greet = 0;
	hub->up = true;
}

static void on_down(void *who, const char *why)
{
	struct hub *hub = who;
	bool was_up = hub->up;

	hub->up = false;
	tell_file(hub, file_end(&hub->file, NULL, why));
	if (hub->answers != NULL) {
		answers_fail(hub->answers, hub->options->who, why);
		return;
	}
	if (was_up) {
		hub->settled = false;
		hub->why = why; // told then: if QEMU is about to end there is nothing to tell
		hub->greet = term_now() + BREATH;
		hub->quiet = false;
	} else if (!hub->quiet) {
		view_note(hub->view, "%s: this is a plain terminal; Ctrl-] q leaves", why);
	}
}

// Opens what it is to be fed from.
static void on_came(void *who, struct channel *channel)
{
	struct hub *hub = who;
	bool is_log = channel->kind == FRAME_KIND_LOG;
	struct feed *feed;
	struct source *source;
	bool is_new; // else its past was told before the link was lost

	if (channel->kind == FRAME_KIND_FILE) {
		tell_file(hub, file_begin(&hub->file, channel, hub->options->log));
		if (file_is(&hub->file, channel))
			link_open(&hub->link, channel, false, term_now());
		return;
	}
	if (channel->kind < FRAME_KIND_SHELL || channel->kind > FRAME_KIND_LOG ||
	    (hub->answers != NULL && channel->kind != FRAME_KIND_SHELL))
		return;
	source = view_source(hub->view, channel->kind, channel->id,
	                     is_log ? LOG_NAME : channel->name);
	feed = source->owner;
	is_new = feed == NULL;
	if (is_new) {
		feed = util_alloc(sizeof(*feed));
		feed->source = source;
		feed->record = is_log ? hub->text_record : -1;
		if (hub->options->log != NULL && channel->kind == FRAME_KIND_CONSOLE)
			feed->record = record_open(hub->options->log, source->name);
		if (hub->options->log != NULL && feed->record < 0 &&
		    channel->kind != FRAME_KIND_SHELL)
			view_note(hub->view, "no file can be made for %s: %s", source->name,
			          strerror(errno));
		source->owner = feed;
	}
	source->there = true;
	feed->channel = channel;
	channel->owner = feed;
	for (size_t i = 0; i < hub->options->pty_count; i++)
		if (channel->kind == FRAME_KIND_CONSOLE &&
		    strcmp(hub->ptys[i].name, source->name) == 0)
			hub->ptys[i].channel = channel;
	link_open(&hub->link, channel, is_new, term_now());
}

static void on_changed(void *who, struct channel *channel)
{
	struct hub *hub = who;

	if (!channel->open && channel->owner != NULL)
		link_open(&hub->link, channel, false, term_now());
}

static void on_gone(void *who, struct channel *channel)
{
	struct hub *hub = who;
	struct feed *feed = channel->owner;

	tell_file(hub, file_end(&hub->file, channel, "it was cut off"));
	if (feed == NULL)
		return;
	feed->channel = NULL;
	feed->source->there = false;
	for (size_t i = 0; i < hub->options->pty_count; i++)
		if (hub->ptys[i].channel == channel)
			hub->ptys[i].channel = NULL;
}

static void choose_first_view(struct hub *hub)
{
	const char *name = hub->options->view;
	struct source *vm = NULL;

	for (size_t i = 0; i < hub->link.channel_count && name != NULL; i++) {
		struct channel *channel = hub->link.channels[i];
		bool is_shell = channel->kind == FRAME_KIND_SHELL && strcmp(name, "shell") == 0;

		if (channel->owner != NULL && (is_shell || (channel->kind == FRAME_KIND_CONSOLE &&
		                                            strcmp(channel->name, name) == 0)))
			vm = ((struct feed *)channel->owner)->source;
	}
	if (vm != NULL)
		hub_show(hub, vm, NULL);
	for (size_t i = 0; i < hub->options->pty_count; i++)
		if (hub->ptys[i].channel == NULL)
			view_note(hub->view, "no VM is called `%s` now", hub->ptys[i].name);
}

static void on_complete(void *who)
{
	struct hub *hub = who;
	struct source *shown = view_shown(hub->view);

	if (hub->answers != NULL && !hub->settled)
		answers_start(hub->answers, &hub->link, hub->options->who, term_now());
	else if (!hub->settled && !hub->met)
		choose_first_view(hub);
	hub->settled = hub->met = true;
	if (shown != NULL && !shown->there) {
		char *title = util_format("%s is gone", shown->name);

		view_show(hub->view, NULL, title);
		free(title);
	}
	if (hub->focus != NULL && !hub->focus->there)
		hub->focus = NULL;
}

// Says that bytes of a source are missing, and why.
static void mark(struct hub *hub, const struct feed *feed, uint64_t count, const char *why)
{
	view_note(hub->view, "%s: %llu bytes %s", feed->source->name, (unsigned long long)count,
	          why);
	if (feed->record >= 0) {
		char *line = util_format("\n<%llu bytes %s>\n", (unsigned long long)count, why);

		util_write(feed->record, line, strlen(line));
	}
}

static void on_data(void *who, struct channel *channel, const uint8_t *bytes, size_t size,
                    uint32_t missing)
{
	struct hub *hub = who;
	struct feed *feed = channel->owner;

	if (file_is(&hub->file, channel)) {
		file_put(&hub->file, bytes, size, missing);
		if (hub->answers != NULL)
			answers_alive(hub->answers);
		return;
	}
	if (feed == NULL || hub->answers != NULL)
		return;
	if (missing != 0)
		mark(hub, feed, missing, "were lost on the wire");
	view_put(hub->view, feed->source, bytes, size, term_now());
	if (feed->record >= 0)
		util_write(feed->record, bytes, size);
	for (size_t i = 0; i < hub->options->pty_count; i++)
		if (hub->ptys[i].channel == channel)
			pty_put(&hub->ptys[i], bytes, size);
}

static void on_lost(void *who, struct channel *channel, uint64_t count)
{
	struct hub *hub = who;

	if (channel->owner != NULL && hub->answers == NULL)
		mark(hub, channel->owner, count, "of older output are gone");
}

static void on_answer(void *who, uint32_t number, const uint8_t *bytes, size_t size, bool last,
                      uint32_t missing)
{
	struct hub *hub = who;

	if (hub->answers != NULL)
		answers_take(hub->answers, &hub->link, number, bytes, size, last, missing);
}

static void on_ended(void *who, struct channel *channel, const char *why)
{
	struct hub *hub = who;

	tell_file(hub, file_end(&hub->file, channel, why));
}

static void on_refused(void *who, uint8_t type, const char *why)
{
	struct hub *hub = who;

	if (hub->answers == NULL)
		view_note(hub->view, "Mezzo refused what was sent: %s", why);
	else if (type == FRAME_COMMAND)
		answers_refused(hub->answers, &hub->link, why);
}

static const struct link_ops ops = {
        .text = on_text,
        .up = on_up,
        .down = on_down,
        .came = on_came,
        .changed = on_changed,
        .gone = on_gone,
        .complete = on_complete,
        .data = on_data,
        .lost = on_lost,
        .answer = on_answer,
        .ended = on_ended,
        .refused = on_refused,
};

// --- for whoever owns the wire -------------------------------------------------------------------

struct hub *hub_new(const struct hub_options *options, int64_t now)
{
	struct hub *hub = util_alloc(sizeof(*hub));
	const char *why;

	hub->options = options;
	hub->view = view_new(options->terminal);
	hub->text_record = -1;
	link_init(&hub->link, &ops, hub);
	if (options->command_count > 0)
		hub->answers = answers_new(options->commands, options->command_count);
	if (options->log != NULL) {
		why = record_begin(options->log);
		if (why == NULL) {
			hub->text_record = record_open(options->log, LOG_NAME);
			why = hub->text_record < 0 ? "no file can be made there" : NULL;
		}
		if (why != NULL) {
			fprintf(stderr, "%s: --log %s: %s\n", options->who, options->log, why);
			return NULL;
		}
	}
	hub->ptys = util_alloc(options->pty_count * sizeof(*hub->ptys));
	for (size_t i = 0; i < options->pty_count; i++) {
		why = pty_open(&hub->ptys[i], options->ptys[i]);
		if (why != NULL) {
			fprintf(stderr, "%s: no pseudo-terminal can be made: %s\n", options->who,
			        why);
			return NULL;
		}
		view_note(hub->view, "%s: %s", options->ptys[i], hub->ptys[i].path);
	}
	if (!options->plain && !options->patient)
		hub->greet = now;
	return hub;
}

void hub_take(struct hub *hub, const uint8_t *bytes, size_t size, int64_t now)
{
	link_take(&hub->link, bytes, size, now);
}

struct buffer *hub_wire(struct hub *hub)
{
	return &hub->link.out;
}

struct buffer *hub_screen(struct hub *hub)
{
	return view_screen(hub->view);
}

// Framed, credit bounds what comes.
bool hub_hungry(const struct hub *hub)
{
	return hub->link.state == LINK_FRAMED ||
	       buffer_size(view_screen(hub->view)) < SCREEN_ENOUGH;
}

void hub_wish(const struct hub *hub, struct pollfd *fds)
{
	for (size_t i = 0; i < hub->options->pty_count; i++) {
		const struct channel *channel = hub->ptys[i].channel;
		bool room = channel != NULL && channel->open &&
		            buffer_size(&channel->out) < CHANNEL_ROOM;

		fds[i] = pty_wish(&hub->ptys[i], room);
	}
}

void hub_serve(struct hub *hub, const struct pollfd *fds, int64_t now)
{
	uint8_t bytes[CHANNEL_ROOM];

	for (size_t i = 0; i < hub->options->pty_count; i++) {
		struct channel *channel = hub->ptys[i].channel;
		size_t room = channel != NULL ? CHANNEL_ROOM - buffer_size(&channel->out) : 0;
		size_t n = pty_serve(&hub->ptys[i], fds[i].revents, bytes, room, now);

		if (n > 0 && channel != NULL)
			link_send(&hub->link, channel, bytes, n);
	}
}

// Lets Mezzo send on, on channels whose takers have room.
static void grant(struct hub *hub)
{
	bool screen = buffer_size(view_screen(hub->view)) < SCREEN_ENOUGH;

	for (size_t i = 0; i < hub->link.channel_count && screen; i++) {
		struct channel *channel = hub->link.channels[i];
		bool full = false;

		for (size_t j = 0; j < hub->options->pty_count; j++)
			full = full ||
			       (hub->ptys[j].channel == channel && pty_is_full(&hub->ptys[j]));
		if (!full)
			link_grant(&hub->link, channel);
	}
}

void hub_tick(struct hub *hub, int64_t now)
{
	if (hub->greet != 0 && now >= hub->greet) {
		hub->greet = 0;
		if (hub->why != NULL)
			view_note(hub->view, "%s; greeting it again", hub->why);
		hub->why = NULL;
		link_greet(&hub->link, now, PATIENCE);
	}
	link_tick(&hub->link, now);
	view_tick(hub->view, now);
	if (hub->answers != NULL)
		answers_tick(hub->answers, hub->options->who, now);
	if (hub->link.state == LINK_FRAMED)
		grant(hub);
}

int64_t hub_due(const struct hub *hub)
{
	int64_t times[] = {hub->greet, link_due(&hub->link), view_due(hub->view),
	                   hub->answers != NULL ? answers_due(hub->answers) : 0};
	int64_t due = 0;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (times[i] != 0 && (due == 0 || times[i] < due))
			due = times[i];
	for (size_t i = 0; i < hub->options->pty_count; i++) {
		int64_t look = pty_due(&hub->ptys[i]);

		if (look != 0 && (due == 0 || look < due))
			due = look;
	}
	return due;
}

int hub_status(const struct hub *hub)
{
	return hub->answers != NULL ? answers_status(hub->answers) : -1;
}

void hub_leave(struct hub *hub)
{
	char *text = file_end(&hub->file, NULL, "nobody waited for its end");

	if (hub->answers == NULL)
		tell_file(hub, text);
	link_leave(&hub->link);
	hub->greet = 0;
	view_tick(hub->view, INT64_MAX);
}
