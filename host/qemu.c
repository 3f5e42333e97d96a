// SPDX-License-Identifier: Apache-2.0
//
// QEMU as a child process: it gets the user's input and gives the user its output through two
// pipes that this file stands between, so that it can always be left, and its last line read. For a
// person the pipes are a wire that speaks frames (hub.h); otherwise they stay plain (report.h).
//
// Owns the child while qemu_run runs. Called by launch.c. Single-threaded: one poll loop, and signals
// arrive as a descriptor in it.
// Invariants: the child is killed before qemu_run returns, whatever happens, and dies with this
// process. No read or write waits while the loop could be asked to stop: input that QEMU does not
// take is dropped (terminal) or waits (pipe), and output is taken from QEMU as fast as the user's end
// takes it.
#include "qemu.h"

#include "hub.h"
#include "report.h"
#include "term.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 1024 // bytes moved at once; a ready pipe takes as many without waiting

// In milliseconds.
#define END_GRACE   5000 // from Mezzo's end line until QEMU has to be gone
#define PANIC_GRACE 2000 // from Mezzo's panic line: the dump that follows it is worth having
#define KILL_GRACE  2000 // from SIGTERM to SIGKILL

static const char ask_all[] = "\035a"; // Ctrl-] a

enum stop { STOP_NOT, STOP_TIMEOUT, STOP_SIGNAL, STOP_QUIT, STOP_END, STOP_PANIC, STOP_NO_OUTPUT };

struct wire {
	const struct session *session;
	pid_t child;
	int to_child, from_child, signals;
	bool input_open;         // standard input has not ended
	bool child_open;         // the child may still write
	struct hub *hub;         // NULL: nobody looks on
	struct buffer *in, *out; // what the child, and standard output, has not taken yet
	struct buffer plain_in, plain_out;
	struct report report;
	enum stop stop;    // why the child is being ended
	int signal;        // STOP_SIGNAL: which
	bool told, killed; // SIGTERM, SIGKILL has been sent
	// Times on term_now()'s clock; 0: never.
	int64_t deadline; // --timeout
	int64_t grace;    // when the child has to be gone for another reason
};

// --- the child -----------------------------------------------------------------------------------

static NORETURN void become_qemu(const struct session *session, const int in[2], const int out[2],
                                 const sigset_t *mask)
{
	char *const *argv = session->argv;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0); // Ctrl-C reaches this process alone, which then ends the child in order
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "%s: %s cannot be started: %s; it comes with the package qemu-system-arm\n",
	        session->who, argv[0], strerror(errno));
	_exit(127); // as a shell says that a command was not found
}

static bool start(struct wire *w)
{
	int in[2], out[2];
	sigset_t before;

	w->signals = term_take_signals(&before);
	if (w->signals < 0 || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		return false;
	w->child = fork();
	if (w->child == 0)
		become_qemu(w->session, in, out, &before);
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
	w->grace = term_now();
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
	w->grace = term_now() + KILL_GRACE;
}

// Waits for a child that has closed its output or been killed.
static int reap(struct wire *w)
{
	const struct timespec step = {.tv_nsec = 10 * 1000000};
	int64_t patience = term_now() + KILL_GRACE;
	int status = 0;

	while (waitpid(w->child, &status, WNOHANG) == 0) {
		if (term_now() >= patience)
			kill(w->child, SIGKILL);
		nanosleep(&step, NULL);
	}
	return status;
}

// --- what moves ----------------------------------------------------------------------------------

static void take_signal(struct wire *w)
{
	w->signal = term_signal(w->signals);
	if (w->signal != 0)
		stop(w, STOP_SIGNAL);
}

static void take_input(struct wire *w)
{
	uint8_t bytes[CHUNK];
	size_t room = w->hub != NULL ? sizeof(bytes) : CHUNK - buffer_size(w->in);
	ssize_t n;

	// A background job that reads its terminal is stopped: such a one has no input.
	if (term_is_background()) {
		w->input_open = false;
		return;
	}
	n = read(STDIN_FILENO, bytes, room);
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		w->input_open =
		        false; // the child's end stays open: its serial port is not unplugged
	if (n <= 0)
		return;
	if (w->hub == NULL) {
		w->report.hide_prompts = false; // whoever types may mean Mezzo's shell
		buffer_add(w->in, bytes, (size_t)n);
	} else if (!hub_keys(w->hub, bytes, (size_t)n)) {
		fputs("\r\n", stderr); // QEMU's parting words get a line of their own
		stop(w, STOP_QUIT);
	}
}

static void give_input(struct wire *w)
{
	size_t size = buffer_size(w->in);
	ssize_t n = write(w->to_child, buffer_data(w->in), size);

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		n = (ssize_t)size; // it is gone
	if (n > 0)
		buffer_drop(w->in, (size_t)n);
}

static void take_report(struct wire *w, const uint8_t *bytes, size_t size)
{
	bool ended = w->report.ended, panicked = w->report.panicked;
	bool prompted = w->report.prompted;
	char out[REPORT_GROWTH * (CHUNK + REPORT_HELD)];

	buffer_add(w->out, out, report_take(&w->report, bytes, size, out));
	if (w->report.prompted && !prompted)
		buffer_add(w->in, ask_all, sizeof(ask_all) - 1);
	if (w->stop != STOP_NOT || w->session->socket != NULL)
		return;
	if (w->report.panicked && !panicked)
		w->grace = term_now() + PANIC_GRACE;
	else if (!w->report.panicked && w->report.ended != ended)
		w->grace =
		        w->report.ended ? term_now() + END_GRACE : 0; // 0: it was not the last line
}

static void take_output(struct wire *w)
{
	uint8_t bytes[CHUNK];
	ssize_t n = read(w->from_child, bytes, sizeof(bytes));

	if (n <= 0)
		w->child_open = n < 0 && (errno == EINTR || errno == EAGAIN);
	else if (w->hub != NULL)
		hub_take(w->hub, bytes, (size_t)n, term_now());
	else
		take_report(w, bytes, (size_t)n);
	if (!w->child_open && w->hub != NULL)
		hub_leave(w->hub);
}

static void give_output(struct wire *w)
{
	size_t size = buffer_size(w->out);
	ssize_t n = write(STDOUT_FILENO, buffer_data(w->out), size < CHUNK ? size : CHUNK);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		stop(w, STOP_NO_OUTPUT); // nobody reads any more
		n = (ssize_t)size;
	}
	if (n > 0)
		buffer_drop(w->out, (size_t)n);
}

// When the loop has to turn again by itself; 0: never.
static int64_t next_turn(const struct wire *w)
{
	int64_t own = due(w), hub = w->hub != NULL ? hub_due(w->hub) : 0;

	return own == 0 || (hub != 0 && hub < own) ? hub : own;
}

static void turn(struct wire *w)
{
	bool empty = buffer_size(w->out) == 0;
	// A terminal is read even if QEMU takes nothing: Ctrl-] q has to work.
	bool want_input = w->input_open && (w->hub != NULL || buffer_size(w->in) < CHUNK);
	bool want_output = w->child_open && (w->hub != NULL ? hub_hungry(w->hub) : empty);
	struct pollfd fds[] = {
	        {w->signals, POLLIN, 0},
	        {want_input ? STDIN_FILENO : -1, POLLIN, 0},
	        {buffer_size(w->in) != 0 ? w->to_child : -1, POLLOUT, 0},
	        {want_output ? w->from_child : -1, POLLIN, 0},
	        {empty ? -1 : STDOUT_FILENO, POLLOUT, 0},
	};
	static void (*const take[])(struct wire *) = {take_signal, take_input, give_input,
	                                              take_output, give_output};
	int64_t next = next_turn(w), wait = next != 0 ? next - term_now() : -1;

	if (due(w) != 0 && due(w) <= term_now()) {
		act(w);
		return;
	}
	if (next != 0 && wait < 0)
		wait = 0;
	if (poll(fds, ARRAY_SIZE(fds), wait > INT32_MAX ? INT32_MAX : (int)wait) > 0)
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			if (fds[i].revents != 0)
				take[i](w);
	if (w->hub != NULL)
		hub_tick(w->hub, term_now());
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
	if (w->session->terminal || w->session->socket != NULL)
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
	const struct hub_options hub = {
	        .who = session->who, .terminal = true, .patient = true, .view = session->view};
	struct wire *w = util_alloc(sizeof(*w));
	int status;

	w->session = session;
	w->input_open = session->socket == NULL;
	w->deadline = session->seconds != 0 ? term_now() + (int64_t)session->seconds * 1000 : 0;
	w->hub = session->terminal && session->socket == NULL ? hub_new(&hub, term_now()) : NULL;
	w->report.hide_prompts = session->ask_all;
	w->in = w->hub != NULL ? hub_wire(w->hub) : &w->plain_in;
	w->out = w->hub != NULL ? hub_screen(w->hub) : &w->plain_out;
	if (!start(w)) {
		fprintf(stderr, "%s: cannot start QEMU: %s\n", session->who, strerror(errno));
		return STATUS_FAILED;
	}
	if (w->hub != NULL)
		term_make_raw();
	while (!w->killed && (w->child_open || (buffer_size(w->out) > 0 && w->stop == STOP_NOT)))
		turn(w);
	report_close(&w->report);
	status = reap(w);
	term_restore();
	return verdict(w, status);
}
