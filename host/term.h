// SPDX-License-Identifier: Apache-2.0
// The user's terminal, signals and clock, for programs that run until somebody leaves.
#ifndef HOST_TERM_H
#define HOST_TERM_H

#include "base/types.h"

#include <signal.h>

#define KEY_ESCAPE 0x1d // Ctrl-]
#define KEY_QUIT   'q'

// Milliseconds on a clock that only goes on.
int64_t term_now(void);

// Keys of standard input pass one by one and unchanged from here on, Ctrl-C too. Nothing happens if
// it is no terminal. It has its old settings back after term_restore, at the latest when the process
// exits.
void term_make_raw(void);
void term_restore(void);

// Whether reading standard input would stop this process: it is the terminal of a background job.
bool term_is_background(void);

// SIGINT, SIGTERM, SIGHUP and SIGQUIT arrive at the descriptor that is returned, SIGPIPE nowhere.
// *before, if not NULL, gets the mask that a child process should have. -1 (with errno) if it failed.
int term_take_signals(sigset_t *before);

// The signal that waits at that descriptor; 0: none.
int term_signal(int fd);

#endif
