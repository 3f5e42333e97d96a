// SPDX-License-Identifier: Apache-2.0
//
// --command. Called by hub.c; writes to standard output itself.
// Invariant: one command is under way at most, since Mezzo refuses a second one; what answers another
// number is not printed.
#include "answer.h"

#include "term.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX  (1 << 24) // bytes: more is no answer of a shell
#define ANSWER_WAIT 30000     // ms without a piece of it

struct answers {
	char **commands;
	size_t count, next; // next: the one that is under way
	bool begun;
	int status;          // so far
	int64_t since;       // when something came of it last
	struct buffer piece; // of the answer, so far
	bool broken;         // some of it was lost
};

struct answers *answers_new(char **commands, size_t count)
{
	struct answers *answers = util_alloc(sizeof(*answers));

	answers->commands = commands;
	answers->count = count;
	return answers;
}

static void give_up(struct answers *answers)
{
	answers->status = STATUS_FAILED;
	answers->next = answers->count;
}

static void send_next(struct answers *answers, struct link *link)
{
	struct channel *shell = link_find(link, FRAME_KIND_SHELL);

	buffer_drop(&answers->piece, buffer_size(&answers->piece));
	answers->broken = false;
	answers->since = term_now();
	if (answers->next < answers->count && shell != NULL)
		link_command(link, shell, (uint32_t)answers->next,
		             answers->commands[answers->next]);
}

void answers_start(struct answers *answers, struct link *link, const char *who, int64_t now)
{
	answers->begun = true;
	answers->since = now;
	if (link_find(link, FRAME_KIND_SHELL) == NULL) {
		fprintf(stderr, "%s: this Mezzo offers no shell\n", who);
		give_up(answers);
	}
	send_next(answers, link);
}

// Reads the string at `*at`, behind its quote, as far as it has room, and goes behind it.
static void read_string(const uint8_t *text, size_t size, size_t *at, char *to, size_t room)
{
	size_t n = 0;

	for (; *at < size && text[*at] != '"'; ++*at) {
		if (text[*at] == '\\' && *at + 1 < size)
			++*at;
		if (n + 1 < room)
			to[n++] = text[*at] < ' ' || text[*at] > '~' ? '?' : (char)text[*at];
	}
	to[n] = '\0';
	++*at;
}

static size_t skip_blanks(const uint8_t *text, size_t size, size_t at)
{
	while (at < size && text[at] <= ' ')
		at++;
	return at;
}

bool answer_is_error(const uint8_t *text, size_t size, char *why, size_t room)
{
	unsigned depth = 0;
	char word[8];

	for (size_t at = 0; at < size;) {
		uint8_t c = text[at++];
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		if (c != '"')
			continue;
		read_string(text, size, &at, word, sizeof(word));
		size_t colon = skip_blanks(text, size, at);
		if (depth != 1 || strcmp(word, "error") != 0 || colon >= size || text[colon] != ':')
			continue;
		at = skip_blanks(text, size, colon + 1) + 1;
		read_string(text, size, &at, why, room);
		return true;
	}
	return false;
}

// The value on one line: breaks between its words go, and the blanks behind them.
static void print(const uint8_t *text, size_t size)
{
	bool broke = true; // at the start of a line

	for (size_t i = 0; i < size; i++) {
		if (text[i] < ' ') // no string in JSON holds one
			broke = true;
		else if (!broke || text[i] != ' ')
			broke = putchar(text[i]) == EOF;
	}
	putchar('\n');
	fflush(stdout);
}

static void print_error(const char *why)
{
	printf("{\"error\": \"");
	for (; *why != '\0'; why++)
		putchar(*why == '"' || *why == '\\' ? '\'' : *why);
	printf("\"}\n");
	fflush(stdout);
}

static void end_command(struct answers *answers, struct link *link)
{
	answers->next++;
	send_next(answers, link);
}

void answers_take(struct answers *answers, struct link *link, uint32_t number, const uint8_t *bytes,
                  size_t size, bool last, uint32_t missing)
{
	char why[8];

	if (!answers->begun || answers->next == answers->count || number != answers->next)
		return;
	answers->since = term_now();
	answers->broken =
	        answers->broken || missing != 0 || buffer_size(&answers->piece) + size > ANSWER_MAX;
	if (!answers->broken)
		buffer_add(&answers->piece, bytes, size);
	if (!last)
		return;
	if (answers->broken) {
		answers_refused(answers, link, "a part of the answer was lost on the wire");
		return;
	}
	if (answer_is_error(buffer_data(&answers->piece), buffer_size(&answers->piece), why,
	                    sizeof(why)))
		answers->status = STATUS_FAILED;
	print(buffer_data(&answers->piece), buffer_size(&answers->piece));
	end_command(answers, link);
}

void answers_refused(struct answers *answers, struct link *link, const char *why)
{
	if (!answers->begun || answers->next == answers->count)
		return;
	print_error(why);
	answers->status = STATUS_FAILED;
	end_command(answers, link);
}

void answers_fail(struct answers *answers, const char *who, const char *why)
{
	if (answers->next == answers->count)
		return;
	fprintf(stderr, "%s: %s; `%s` has no answer\n", who, why, answers->commands[answers->next]);
	give_up(answers);
}

void answers_alive(struct answers *answers)
{
	answers->since = term_now();
}

void answers_tick(struct answers *answers, const char *who, int64_t now)
{
	if (answers->begun && now - answers->since >= ANSWER_WAIT)
		answers_fail(answers, who, "Mezzo has been silent for 30 s");
}

int64_t answers_due(const struct answers *answers)
{
	return answers->begun && answers->next < answers->count ? answers->since + ANSWER_WAIT : 0;
}

int answers_status(const struct answers *answers)
{
	return answers->next == answers->count ? answers->status : -1;
}
