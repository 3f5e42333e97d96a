// SPDX-License-Identifier: Apache-2.0
//
// Builds QEMU's command line and shows it. Owns nothing; called by machine.c, card_boot.c and launch.c.
// Invariant: `arg` ends in NULL once a word was added.
#include "command.h"

#include "util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void command_add(struct command *command, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	command->arg = util_grow(command->arg, command->count + 2, sizeof(*command->arg));
	command->arg[command->count++] = text;
	command->arg[command->count] = NULL;
}

void command_add_all(struct command *command, char *const *words)
{
	for (; words != NULL && *words != NULL; words++)
		command_add(command, "%s", *words);
}

const char *command_escape(const char *text)
{
	char *out = util_alloc(2 * strlen(text) + 1), *to = out;

	for (; *text != '\0'; text++) {
		if (*text == ',')
			*to++ = ',';
		*to++ = *text;
	}
	return out;
}

char *command_quote(const struct command *command)
{
	static const char plain[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:%@";
	char *line = util_format("%s", "");

	for (size_t i = 0; i < command->count; i++) {
		const char *arg = command->arg[i], *space = i == 0 ? "" : " ";
		char *quoted = util_alloc(4 * strlen(arg) + 3), *to = quoted;

		if (*arg != '\0' && strspn(arg, plain) == strlen(arg)) {
			line = util_format("%s%s%s", line, space, arg);
			continue;
		}
		*to++ = '\'';
		for (; *arg != '\0'; arg++) {
			if (*arg == '\'')
				to = stpcpy(to, "'\\'");
			*to++ = *arg;
		}
		*to = '\'';
		line = util_format("%s%s%s", line, space, quoted);
	}
	return line;
}
