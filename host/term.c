// SPDX-License-Identifier: Apache-2.0
//
// Owns the terminal's settings and the process's signals. Called by qemu.c and cmd_console.c.
// Invariant: the terminal has its old settings back at each exit.
#include "term.h"

#include <stdlib.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct termios saved;
static bool is_raw;

int64_t term_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void term_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	is_raw = false;
}

// Output keeps its processing, for programs that end lines with \n alone.
void term_make_raw(void)
{
	struct termios raw;

	if (is_raw || tcgetattr(STDIN_FILENO, &saved) != 0)
		return;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_oflag = saved.c_oflag;
	atexit(term_restore);
	is_raw = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

bool term_is_background(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp();
}

int term_take_signals(sigset_t *before)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGQUIT);
	sigprocmask(SIG_BLOCK, &ours, before);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
}

int term_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
