// SPDX-License-Identifier: Apache-2.0
// A command line for QEMU, word by word.
#ifndef HOST_COMMAND_H
#define HOST_COMMAND_H

#include "base/types.h"

#define COMMAND_QEMU "qemu-system-aarch64"

// A command being built: NULL-terminated arguments.
struct command {
	char **arg;
	size_t count;
};

void command_add(struct command *command, const char *format, ...) PRINTF_LIKE(2, 3);

// Each of a NULL-terminated list (NULL: none) as a word of its own.
void command_add_all(struct command *command, char *const *words);

// QEMU ends a suboption at a comma; two stand for one.
const char *command_escape(const char *text);

// The command in the shell's notation.
char *command_quote(const struct command *command);

#endif
