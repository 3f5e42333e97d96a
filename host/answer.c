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

// Whether the JSON value is an object that begins with the key "error".
static bool is_error(const uint8_t *text, size_t size)
{
	static const char pattern[] = "{\"error\"";
	size_t at = 0;

	for (size_t i = 0; i < size && at < sizeof(pattern) - 1; i++) {
		if (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t')
			continue;
		if (text[i] != (uint8_t)pattern[at++])
			return false;
	}
	return at == sizeof(pattern) - 1;
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
	if (is_error(buffer_data(&answers->piece), buffer_size(&answers->piece)))
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
