// SPDX-License-Identifier: Apache-2.0
//
// Asks for pictures of a VM's screen: `screenshot` at Mezzo's shell, the file that comes of it, the answer. Owns the link
// and what came last. Called by cmd_screen.c.
// Invariants: one command is under way at most; a picture counts when the file and the answer say that it is whole.
#include "shot.h"

#include "answer.h"
#include "term.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define PICTURE_MAX (64u << 20) // bytes: the largest screen, not compressed, takes 50 MB
#define ANSWER_MAX  4096

// In milliseconds.
#define PATIENCE   3000  // for an answer to the greeting
#define BREATH     500   // until the next one
#define SILENCE    30000 // nothing comes of a command
#define PAUSE      100   // from one picture to the next
#define PAUSE_LONG 1000  // the same where there was none

// --- what was seen -------------------------------------------------------------------------------

static void end_look(struct shot *s)
{
	s->seen = s->begun;
	s->asked = false;
	s->file = NULL;
	buffer_drop(&s->bytes, buffer_size(&s->bytes));
}

static void see_text(struct shot *s, const char *text)
{
	if (s->text == NULL || strcmp(s->text, text) != 0) {
		char *copy = util_format("%s", text);

		free(s->text);
		http_body_drop(s->picture);
		s->picture = NULL;
		s->text = copy;
		s->serial++;
	}
	end_look(s);
	s->next = term_now() + PAUSE_LONG;
}

// The same picture as before is nothing new.
static void see_picture(struct shot *s)
{
	size_t size = buffer_size(&s->bytes);

	if (s->picture == NULL || s->picture->size != size ||
	    memcmp(s->picture->bytes, buffer_data(&s->bytes), size) != 0) {
		free(s->text);
		s->text = NULL;
		http_body_drop(s->picture);
		s->picture = http_body_new(buffer_data(&s->bytes), size);
		s->serial++;
	}
	end_look(s);
	s->next = term_now() + PAUSE;
}

static void look(struct shot *s, int64_t now)
{
	char *line = util_format("screenshot %s", s->vm);

	s->asked = true;
	s->begun = s->heard = now;
	s->whole = false;
	s->broken = NULL;
	buffer_drop(&s->answer, buffer_size(&s->answer));
	link_command(&s->link, link_find(&s->link, FRAME_KIND_SHELL), ++s->number, line);
	free(line);
}

// --- what the link tells -------------------------------------------------------------------------

static void on_text(void *who, const uint8_t *bytes, size_t size)
{
	(void)who;
	(void)bytes;
	(void)size;
}

static void on_up(void *who, const char *version)
{
	struct shot *s = who;

	(void)version;
	s->greet = 0;
}

static void on_down(void *who, const char *why)
{
	struct shot *s = who;
	// A socket or device that another program has is silent in the same way.
	char *text = util_format("Mezzo does not answer: %s%s", why,
	                         s->ready ? ""
	                                  : "; has another program, like mezzo console, "
	                                    "this wire?");

	s->ready = false;
	s->begun = term_now();
	see_text(s, text);
	s->greet = s->begun + BREATH;
	free(text);
}

static void on_came(void *who, struct channel *channel)
{
	struct shot *s = who;

	if (channel->kind == FRAME_KIND_SHELL)
		link_open(&s->link, channel, false, term_now());
	if (channel->kind != FRAME_KIND_FILE || !s->asked || s->file != NULL)
		return;
	s->file = channel;
	link_open(&s->link, channel, false, term_now());
}

static void on_changed(void *who, struct channel *channel)
{
	struct shot *s = who;

	if (channel->kind == FRAME_KIND_SHELL && !channel->open)
		link_open(&s->link, channel, false, term_now());
}

static void on_gone(void *who, struct channel *channel)
{
	struct shot *s = who;

	if (channel == s->file) {
		s->file = NULL;
		if (!s->whole && s->broken == NULL)
			s->broken = "it was cut off";
	}
	if (channel->kind == FRAME_KIND_SHELL)
		s->ready = false;
}

static void on_complete(void *who)
{
	struct shot *s = who;

	s->ready = link_find(&s->link, FRAME_KIND_SHELL) != NULL;
	if (!s->ready)
		see_text(s, "This Mezzo offers no shell.");
}

static void on_data(void *who, struct channel *channel, const uint8_t *bytes, size_t size,
                    uint32_t missing)
{
	struct shot *s = who;

	if (channel != s->file)
		return;
	s->heard = term_now();
	if (missing != 0)
		s->broken = "some of it was lost on the wire";
	else if (buffer_size(&s->bytes) + size > PICTURE_MAX)
		s->broken = "it is larger than any screen";
	if (s->broken == NULL)
		buffer_add(&s->bytes, bytes, size);
}

static void on_lost(void *who, struct channel *channel, uint64_t count)
{
	(void)who;
	(void)channel;
	(void)count;
}

static void on_ended(void *who, struct channel *channel, const char *why)
{
	struct shot *s = who;

	if (channel != s->file)
		return;
	s->whole = why == NULL && s->broken == NULL;
	if (why != NULL && s->broken == NULL)
		s->broken = "it is not whole"; // the answer tells more
}

static void on_answer(void *who, uint32_t number, const uint8_t *bytes, size_t size, bool last,
                      uint32_t missing)
{
	struct shot *s = who;
	char why[256];

	if (!s->asked || number != s->number)
		return;
	s->heard = term_now();
	if (missing == 0 && buffer_size(&s->answer) + size <= ANSWER_MAX)
		buffer_add(&s->answer, bytes, size);
	else
		s->broken = "some of the answer was lost on the wire";
	if (!last)
		return;
	if (answer_is_error(buffer_data(&s->answer), buffer_size(&s->answer), why, sizeof(why))) {
		see_text(s, why);
	} else if (s->whole && s->broken == NULL) {
		see_picture(s);
	} else {
		char *text = util_format("%s: the picture did not arrive: %s", s->vm,
		                         s->broken != NULL ? s->broken : "it has no end");

		see_text(s, text);
		free(text);
	}
}

static void on_refused(void *who, uint8_t type, const char *why)
{
	struct shot *s = who;

	if (type == FRAME_COMMAND && s->asked)
		see_text(s, why);
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

void shot_init(struct shot *shot, const char *vm, int64_t now)
{
	*shot = (struct shot){.vm = vm, .greet = now};
	link_init(&shot->link, &ops, shot);
}

void shot_take(struct shot *shot, const uint8_t *bytes, size_t size, int64_t now)
{
	link_take(&shot->link, bytes, size, now);
}

void shot_tick(struct shot *shot, bool wanted, int64_t now)
{
	if (shot->greet != 0 && now >= shot->greet) {
		shot->greet = 0;
		link_greet(&shot->link, now, PATIENCE);
	}
	link_tick(&shot->link, now);
	if (shot->link.state != LINK_FRAMED)
		return;
	if (shot->asked && now - shot->heard >= SILENCE)
		see_text(shot, "Mezzo has been silent for 30 s.");
	for (size_t i = 0; i < shot->link.channel_count; i++)
		link_grant(&shot->link, shot->link.channels[i]);
	if (shot->ready && !shot->asked && wanted && now >= shot->next)
		look(shot, now);
}

int64_t shot_due(const struct shot *shot, bool wanted)
{
	int64_t times[] = {shot->greet, link_due(&shot->link),
	                   shot->asked ? shot->heard + SILENCE : 0,
	                   wanted && shot->ready && !shot->asked ? shot->next : 0};
	int64_t due = 0;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (times[i] != 0 && (due == 0 || times[i] < due))
			due = times[i];
	return due;
}

void shot_leave(struct shot *shot)
{
	link_leave(&shot->link);
	shot->greet = 0;
}
