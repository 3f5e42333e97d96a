// SPDX-License-Identifier: Apache-2.0
//
// `mezzo console`: a serial device or a socket, and a hub between it and the user. Owns both
// descriptors while it runs; one poll loop.
// Invariants: no read or write waits; the terminal has its old settings back and Mezzo has been told
// BYE at each exit that is not the wire's own end.
#include "hub.h"
#include "opts.h"
#include "term.h"
#include "util.h"
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char console_help[] =
        "usage: mezzo console PATH [OPTION...]\n"
        "\n"
        "Attaches to a running Mezzo: PATH is a serial device, or a socket as `mezzo run "
        "--socket`\n"
        "makes it. On a terminal, Ctrl-] q leaves and Ctrl-] ? lists the other keys. Otherwise "
        "the\n"
        "lines of all VMs are printed, each behind its VM's name. If nobody answers within 3 s, "
        "PATH\n"
        "is a plain terminal.\n"
        "\n"
        "  --plain          a plain terminal at once\n"
        "  --pty VM         also make a pseudo-terminal for this VM's console (again: for others)\n"
        "  --log DIR        also add what each console says to DIR/VM.log, and Mezzo to "
        "DIR/mezzo.log\n"
        "  --command LINE   run a line of Mezzo's shell, print the answer as JSON, and leave; can "
        "be\n"
        "                   given again; status 1 if an answer is an error\n"
        "  --baud N         speed of a serial device (115200)\n"
        "\n"
        "Examples:\n"
        "  mezzo console /dev/ttyUSB0\n"
        "  mezzo console board.sock --command vm --command 'stop linux'\n"
        "  mezzo console board.sock --pty linux --log logs > all.log\n";

enum { OPT_PLAIN = OPT_LONG, OPT_PTY, OPT_LOG, OPT_COMMAND, OPT_BAUD };

static const struct option options[] = {
        {"plain", no_argument, NULL, OPT_PLAIN},
        {"pty", required_argument, NULL, OPT_PTY},
        {"log", required_argument, NULL, OPT_LOG},
        {"command", required_argument, NULL, OPT_COMMAND},
        {"baud", required_argument, NULL, OPT_BAUD},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char who[] = "mezzo console";

#define CHUNK      1024 // bytes moved at once
#define LAST_WORDS 1000 // ms for BYE, and for what is still to be shown

struct request {
	const char *path;
	unsigned int baud;
	struct hub_options hub;
};

struct desk {
	struct hub *hub;
	int wire, signals;
	bool commands;   // nothing is typed or shown
	bool input_open; // standard input has not ended
	int status;      // -1: it goes on
	bool wire_gone;
	struct pollfd *fds; // signals, input, wire, output, then the pseudo-terminals
	size_t ptys;
};

enum { FD_SIGNALS, FD_INPUT, FD_WIRE, FD_OUTPUT, FD_PTYS };

// --- options -------------------------------------------------------------------------------------

static void add(char ***list, size_t *count, char *word)
{
	*list = util_grow(*list, *count + 1, sizeof(char *));
	(*list)[(*count)++] = word;
}

static int take_options(int argc, char **argv, struct request *r)
{
	int index, opt;

	while ((opt = opts_next(argc, argv, ":h", options, who, console_help, &index)) != -1) {
		switch (opt) {
		case OPT_PLAIN: r->hub.plain = true; break;
		case OPT_PTY: add(&r->hub.ptys, &r->hub.pty_count, optarg); break;
		case OPT_LOG: r->hub.log = optarg; break;
		case OPT_COMMAND: add(&r->hub.commands, &r->hub.command_count, optarg); break;
		default: r->baud = (unsigned int)opts_number(who, "--baud", 9600, 3000000);
		}
	}
	if (argc - optind != 1)
		return opts_usage(who, argc == optind ? "give a serial device or a socket"
		                                      : "one serial device or socket at a time");
	if (r->hub.plain && (r->hub.pty_count > 0 || r->hub.command_count > 0))
		return opts_usage(who, "--pty and --command need frames, and --plain sends none");
	if (r->hub.command_count > 0 && (r->hub.pty_count > 0 || r->hub.log != NULL))
		return opts_usage(who,
		                  "--command leaves when it is answered; --pty and --log stay");
	r->path = argv[optind];
	return STATUS_OK;
}

// --- what moves ----------------------------------------------------------------------------------

static bool is_passing(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void take_input(struct desk *d)
{
	uint8_t bytes[CHUNK];
	size_t room = hub_room(d->hub);
	ssize_t n;

	if (term_is_background()) {
		d->input_open = false;
		return;
	}
	n = read(STDIN_FILENO, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
	if (n == 0 || (n < 0 && !is_passing(n)))
		d->input_open = false;
	if (n > 0 && !hub_keys(d->hub, bytes, (size_t)n))
		d->status = STATUS_OK;
}

static void take_wire(struct desk *d)
{
	uint8_t bytes[4 * CHUNK];
	ssize_t n = read(d->wire, bytes, sizeof(bytes));

	if (n > 0)
		hub_take(d->hub, bytes, (size_t)n, term_now());
	else if (!is_passing(n))
		d->wire_gone = true;
}

static void give_wire(struct desk *d)
{
	struct buffer *out = hub_wire(d->hub);
	ssize_t n = write(d->wire, buffer_data(out), buffer_size(out));

	if (n < 0 && !is_passing(n))
		n = (ssize_t)buffer_size(out); // it is gone; what it said last can still be read
	if (n > 0)
		buffer_drop(out, (size_t)n);
}

// A ready pipe or terminal takes CHUNK bytes without waiting.
static void give_output(struct desk *d)
{
	struct buffer *out = hub_screen(d->hub);
	size_t size = buffer_size(out);
	ssize_t n = write(STDOUT_FILENO, buffer_data(out), size < CHUNK ? size : CHUNK);

	if (n > 0)
		buffer_drop(out, (size_t)n);
	else if (!is_passing(n))
		d->status = STATUS_FAILED; // nobody reads any more
}

static void wish(struct desk *d)
{
	size_t room = hub_room(d->hub), to_wire = buffer_size(hub_wire(d->hub));
	short wire = (short)((hub_hungry(d->hub) ? POLLIN : 0) | (to_wire > 0 ? POLLOUT : 0));
	bool screen = buffer_size(hub_screen(d->hub)) > 0;

	d->fds[FD_SIGNALS] = (struct pollfd){d->signals, POLLIN, 0};
	d->fds[FD_INPUT] = (struct pollfd){
	        d->input_open && room > 0 && !d->commands ? STDIN_FILENO : -1, POLLIN, 0};
	d->fds[FD_WIRE] = (struct pollfd){wire != 0 ? d->wire : -1, wire, 0};
	d->fds[FD_OUTPUT] = (struct pollfd){screen ? STDOUT_FILENO : -1, POLLOUT, 0};
	hub_wish(d->hub, d->fds + FD_PTYS);
}

static void turn(struct desk *d)
{
	int64_t due, now = term_now(), wait = -1;

	hub_tick(d->hub, now);
	d->status = hub_status(d->hub);
	if (d->status >= 0)
		return;
	due = hub_due(d->hub);
	if (due != 0)
		wait = due > now ? due - now : 0;
	wish(d);
	if (poll(d->fds, FD_PTYS + d->ptys, wait > INT32_MAX ? INT32_MAX : (int)wait) < 0)
		return;
	if (d->fds[FD_SIGNALS].revents != 0)
		d->status = 128 + term_signal(d->signals);
	if (d->fds[FD_INPUT].revents != 0)
		take_input(d);
	if ((d->fds[FD_WIRE].revents & POLLOUT) != 0)
		give_wire(d);
	if ((d->fds[FD_WIRE].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		take_wire(d);
	if (d->fds[FD_OUTPUT].revents != 0)
		give_output(d);
	hub_serve(d->hub, d->fds + FD_PTYS, term_now());
}

// What is left for the wire and the screen, for a while.
static void finish(struct desk *d)
{
	int64_t end = term_now() + LAST_WORDS;

	d->status = -1;
	while (d->status < 0 && term_now() < end) {
		size_t wire = d->wire_gone ? 0 : buffer_size(hub_wire(d->hub));
		size_t screen = buffer_size(hub_screen(d->hub));
		struct pollfd fds[] = {{wire > 0 ? d->wire : -1, POLLOUT, 0},
		                       {screen > 0 ? STDOUT_FILENO : -1, POLLOUT, 0}};

		if (wire + screen == 0 || poll(fds, ARRAY_SIZE(fds), LAST_WORDS) <= 0)
			break;
		if (fds[0].revents != 0)
			give_wire(d);
		if (fds[1].revents != 0)
			give_output(d);
	}
}

static int attend(struct request *r, struct desk *d)
{
	const char *why = wire_open(r->path, r->baud, &d->wire);

	if (why != NULL) {
		fprintf(stderr, "%s: cannot open `%s`: %s\n", who, r->path, why);
		return STATUS_FAILED;
	}
	d->signals = term_take_signals(NULL);
	d->hub = hub_new(&r->hub, term_now());
	if (d->hub == NULL)
		return STATUS_FAILED;
	if (r->hub.plain)
		hub_note(d->hub, "a plain terminal; Ctrl-] q leaves");
	if (r->hub.terminal && !d->commands)
		term_make_raw();
	while (d->status < 0 && !d->wire_gone)
		turn(d);
	hub_leave(d->hub);
	int status = d->status;
	finish(d);
	term_restore();
	if (r->hub.terminal && !d->commands)
		fputs("\r\n", stderr);
	if (status >= 0)
		return status;
	fprintf(stderr, "%s: the other end of `%s` is gone\n", who, r->path);
	return STATUS_FAILED;
}

int verb_console(int argc, char **argv)
{
	struct request r = {.baud = WIRE_BAUD};
	struct desk d = {.input_open = true, .status = -1};
	int status = take_options(argc, argv, &r);

	if (status != STATUS_OK || r.path == NULL)
		return status;
	r.hub.who = who;
	r.hub.terminal = isatty(STDOUT_FILENO) != 0;
	d.commands = r.hub.command_count > 0;
	d.ptys = r.hub.pty_count;
	d.fds = util_alloc((FD_PTYS + d.ptys) * sizeof(*d.fds));
	return attend(&r, &d);
}
