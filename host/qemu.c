// SPDX-License-Identifier: Apache-2.0
//
// QEMU as a child process: it gets the user's input and gives the user its output through two
// pipes that this file stands between, so that it can always be left, and its last line read.
//
// Owns the child, the terminal's settings and the process's signals while qemu_run runs. Called by
// cmd_run.c. Single-threaded: one poll loop, and signals arrive as a descriptor in it.
// Invariants: the child is killed before qemu_run returns, whatever happens, and dies with this
// process; the terminal has its old settings back at each exit. No read or write waits while the
// loop could be asked to stop: input that QEMU does not take is dropped (terminal) or waits
// (pipe), and output is taken from QEMU as fast as the user's end takes it.
#include "qemu.h"

#include "report.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 1024 // bytes moved at once; a ready pipe takes as many without waiting

#define KEY_ESCAPE 0x1d // Ctrl-]
#define KEY_QUIT   'q'

// In milliseconds.
#define END_GRACE   5000 // from Mezzo's end line until QEMU has to be gone
#define PANIC_GRACE 2000 // from Mezzo's panic line: the dump that follows it is worth having
#define KILL_GRACE  2000 // from SIGTERM to SIGKILL

enum stop { STOP_NOT, STOP_TIMEOUT, STOP_SIGNAL, STOP_QUIT, STOP_END, STOP_PANIC, STOP_NO_OUTPUT };

struct wire {
	const struct session *session;
	pid_t child;
	int to_child, from_child, signals;
	bool input_open; // standard input has not ended
	bool child_open; // the child may still write
	bool escape;     // the last key was KEY_ESCAPE
	uint8_t in[CHUNK];
	size_t in_size; // bytes of `in` that the child has not taken yet
	char out[REPORT_GROWTH * (CHUNK + REPORT_HELD)];
	size_t out_start, out_end; // bytes of `out` that standard output has not taken yet
	struct report report;
	enum stop stop;    // why the child is being ended
	int signal;        // STOP_SIGNAL: which
	bool told, killed; // SIGTERM, SIGKILL has been sent
	// Times on now()'s clock; 0: never.
	int64_t deadline; // --timeout
	int64_t grace;    // when the child has to be gone for another reason
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// --- the terminal --------------------------------------------------------------------------------

static struct termios saved;
static bool is_raw;

static void restore_terminal(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	is_raw = false;
}

// Keys pass one by one and unchanged, Ctrl-C too. Output keeps its processing, for programs that
// end lines with \n alone.
static void make_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved) != 0)
		return;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_oflag = saved.c_oflag;
	atexit(restore_terminal);
	is_raw = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

// --- the child -----------------------------------------------------------------------------------

static NORETURN void become_qemu(char *const *argv, const int in[2], const int out[2],
                                 const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0); // Ctrl-C reaches this process alone, which then ends the child in order
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr,
	        "mezzo run: %s cannot be started: %s; it comes with the package qemu-system-arm\n",
	        argv[0], strerror(errno));
	_exit(127); // as a shell says that a command was not found
}

static bool start(struct wire *w)
{
	int in[2], out[2];
	sigset_t ours, before;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGQUIT);
	sigprocmask(SIG_BLOCK, &ours, &before);
	signal(SIGPIPE, SIG_IGN);
	w->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signals < 0 || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		return false;
	w->child = fork();
	if (w->child == 0)
		become_qemu(w->session->argv, in, out, &before);
	if (w->child < 0)
		return false;
	close(in[0]);
	close(out[1]);
	w->to_child = in[1];
	w->from_child = out[0];
	fcntl(w->to_child, F_SETFL, O_NONBLOCK);
	w->child_open = true;
	return true;
}

// Begins to end the child; the first reason stands.
static void stop(struct wire *w, enum stop why)
{
	if (w->stop == STOP_NOT)
		w->stop = why;
	w->grace = now();
}

// When act() is due.
static int64_t due(const struct wire *w)
{
	bool deadline = !w->told && w->deadline != 0 && (w->grace == 0 || w->deadline < w->grace);

	return deadline ? w->deadline : w->grace;
}

// Time is up: SIGTERM first, SIGKILL next.
static void act(struct wire *w)
{
	if (w->stop == STOP_NOT && due(w) == w->deadline)
		w->stop = STOP_TIMEOUT;
	else if (w->stop == STOP_NOT)
		w->stop = w->report.panicked ? STOP_PANIC : STOP_END;
	kill(w->child, w->told ? SIGKILL : SIGTERM);
	w->killed = w->told;
	w->told = true;
	w->grace = now() + KILL_GRACE;
}

// Waits for a child that has closed its output or been killed.
static int reap(struct wire *w)
{
	const struct timespec step = {.tv_nsec = 10 * 1000000};
	int64_t patience = now() + KILL_GRACE;
	int status = 0;

	while (waitpid(w->child, &status, WNOHANG) == 0) {
		if (now() >= patience)
			kill(w->child, SIGKILL);
		nanosleep(&step, NULL);
	}
	return status;
}

// --- what moves ----------------------------------------------------------------------------------

static void take_signal(struct wire *w)
{
	struct signalfd_siginfo info;

	if (read(w->signals, &info, sizeof(info)) != sizeof(info))
		return;
	w->signal = (int)info.ssi_signo;
	stop(w, STOP_SIGNAL);
}

// Ctrl-] and what follows pass to Mezzo, but for Ctrl-] q.
static void take_key(struct wire *w, uint8_t key)
{
	if (w->escape && key == KEY_QUIT) {
		fputs("\r\n", stderr); // QEMU's parting words get a line of their own
		stop(w, STOP_QUIT);
	}
	w->escape = !w->escape && key == KEY_ESCAPE;
	if (w->in_size < sizeof(w->in))
		w->in[w->in_size++] = key;
}

static void take_input(struct wire *w)
{
	uint8_t bytes[CHUNK];
	size_t room = w->session->terminal ? sizeof(bytes) : sizeof(w->in) - w->in_size;
	ssize_t n;

	// A background job that reads its terminal is stopped: such a one has no input.
	if (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp()) {
		w->input_open = false;
		return;
	}
	n = read(STDIN_FILENO, bytes, room);
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		w->input_open =
		        false; // the child's end stays open: its serial port is not unplugged
	for (ssize_t i = 0; i < n; i++) {
		if (w->session->terminal)
			take_key(w, bytes[i]);
		else
			w->in[w->in_size++] = bytes[i];
	}
}

static void give_input(struct wire *w)
{
	ssize_t n = write(w->to_child, w->in, w->in_size);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		n = (ssize_t)w->in_size; // it is gone
	if (n <= 0)
		return;
	w->in_size -= (size_t)n;
	memmove(w->in, w->in + n, w->in_size);
}

static void take_output(struct wire *w)
{
	bool ended = w->report.ended, panicked = w->report.panicked;
	uint8_t bytes[CHUNK];
	ssize_t n = read(w->from_child, bytes, sizeof(bytes));

	if (n <= 0) {
		w->child_open = n < 0 && (errno == EINTR || errno == EAGAIN);
		return;
	}
	w->out_start = 0;
	if (w->session->terminal) {
		memcpy(w->out, bytes, (size_t)n);
		w->out_end = (size_t)n;
		return;
	}
	w->out_end = report_take(&w->report, bytes, (size_t)n, w->out);
	if (w->stop != STOP_NOT)
		return;
	if (w->report.panicked && !panicked)
		w->grace = now() + PANIC_GRACE;
	else if (!w->report.panicked && w->report.ended != ended)
		w->grace = w->report.ended ? now() + END_GRACE : 0; // 0: it was not the last line
}

static void give_output(struct wire *w)
{
	size_t size = w->out_end - w->out_start;
	ssize_t n = write(STDOUT_FILENO, w->out + w->out_start, size < CHUNK ? size : CHUNK);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		stop(w, STOP_NO_OUTPUT); // nobody reads any more
		n = (ssize_t)size;
	}
	w->out_start += n > 0 ? (size_t)n : 0;
}

static void turn(struct wire *w)
{
	bool full = w->in_size == sizeof(w->in), empty = w->out_start == w->out_end;
	// A terminal is read even if QEMU takes nothing: Ctrl-] q has to work.
	bool want_input = w->input_open && (w->session->terminal || !full);
	struct pollfd fds[] = {
	        {w->signals, POLLIN, 0},
	        {want_input ? STDIN_FILENO : -1, POLLIN, 0},
	        {w->in_size != 0 ? w->to_child : -1, POLLOUT, 0},
	        {w->child_open && empty ? w->from_child : -1, POLLIN, 0},
	        {empty ? -1 : STDOUT_FILENO, POLLOUT, 0},
	};
	static void (*const take[])(struct wire *) = {take_signal, take_input, give_input,
	                                              take_output, give_output};
	int64_t wait = due(w) != 0 ? due(w) - now() : -1;

	if (due(w) != 0 && wait <= 0) {
		act(w);
		return;
	}
	if (poll(fds, ARRAY_SIZE(fds), wait > INT32_MAX ? INT32_MAX : (int)wait) <= 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i].revents != 0)
			take[i](w);
}

// --- the end -------------------------------------------------------------------------------------

static int verdict(const struct wire *w, int status)
{
	const char *who = w->session->who;

	switch (w->stop) {
	case STOP_TIMEOUT:
		fprintf(stderr, "%s: ended after %u s, as --timeout says\n", who,
		        w->session->seconds);
		return STATUS_TIMEOUT;
	case STOP_SIGNAL: return 128 + w->signal;
	case STOP_QUIT: return STATUS_OK;
	case STOP_PANIC:
		fprintf(stderr, "%s: Mezzo cannot go on; its last lines say why\n", who);
		break;
	case STOP_NO_OUTPUT: break;
	case STOP_END: fprintf(stderr, "%s: QEMU did not switch off; ended it\n", who); break;
	case STOP_NOT: break;
	}
	if (w->session->terminal)
		return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? STATUS_OK : STATUS_FAILED;
	if (w->report.panicked || w->stop == STOP_NO_OUTPUT)
		return STATUS_FAILED;
	if (w->report.ended)
		return w->report.crashed == 0 ? STATUS_OK : STATUS_FAILED;
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: signal %d ended QEMU before Mezzo's last word\n", who,
		        WTERMSIG(status));
	else
		fprintf(stderr, "%s: QEMU ended (status %d) without Mezzo's last word\n", who,
		        WEXITSTATUS(status));
	return STATUS_FAILED;
}

int qemu_run(const struct session *session)
{
	struct wire *w = util_alloc(sizeof(*w));
	int status;

	w->session = session;
	w->input_open = true;
	w->deadline = session->seconds != 0 ? now() + (int64_t)session->seconds * 1000 : 0;
	if (!start(w)) {
		fprintf(stderr, "%s: cannot start QEMU: %s\n", session->who, strerror(errno));
		return STATUS_FAILED;
	}
	if (session->terminal && isatty(STDIN_FILENO))
		make_raw();
	while (!w->killed && (w->child_open || (w->out_start < w->out_end && w->stop == STOP_NOT)))
		turn(w);
	report_close(&w->report);
	status = reap(w);
	restore_terminal();
	return verdict(w, status);
}
