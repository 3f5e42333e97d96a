// SPDX-License-Identifier: Apache-2.0
// Runs QEMU and stands between it and the user.
#ifndef HOST_QEMU_H
#define HOST_QEMU_H

#include "base/types.h"

struct session {
	char *const *argv;  // QEMU and its arguments
	const char *who;    // prefix of messages
	bool terminal;      // a person looks on
	const char *view;   // what the person sees first: a VM, "shell" or "all"
	const char *socket; // the board's UART is this socket, and not this program's; NULL: it is
	unsigned int seconds; // until QEMU is ended; 0: no limit
	bool ask_all; // without a terminal: if Mezzo shows its shell, ask it for all output, until somebody types
};

// Starts QEMU, passes standard input and output, and ends with it. Without a terminal the exit
// status is what Mezzo's last line says: STATUS_OK if every VM has powered off, STATUS_FAILED if
// one crashed or that line is missing. With a terminal or a socket it is STATUS_OK if QEMU ended by
// itself. STATUS_TIMEOUT after `seconds`; 128 + n when signal n ended the run.
int qemu_run(const struct session *session);

#endif
