// SPDX-License-Identifier: Apache-2.0
// All commands of the shell.
#ifndef MAIN_COMMANDS_LIFE_H
#define MAIN_COMMANDS_LIFE_H

#include "console/shell.h"

// Every table of every folder, for shell_init.
extern const struct shell_command *const commands_all[];

#endif
