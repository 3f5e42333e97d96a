// SPDX-License-Identifier: Apache-2.0
// The shell's commands that look inside.
#ifndef DEBUG_COMMANDS_DEBUG_H
#define DEBUG_COMMANDS_DEBUG_H

#include "console/shell.h"

extern const struct shell_command commands_debug[];

#endif
