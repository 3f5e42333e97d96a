// SPDX-License-Identifier: Apache-2.0
// One run of QEMU, as every verb that starts it does it: its files, its command shown, its end.
#ifndef HOST_LAUNCH_H
#define HOST_LAUNCH_H

#include "command.h"
#include "qemu.h"

// A directory of a run's own, in $TMPDIR. NULL or what went wrong.
const char *launch_directory(char **directory);

// Shows the command and how to leave, and runs it as qemu_run does; `session->argv` is set here.
int launch_run(struct session *session, const struct command *command);

#endif
