// SPDX-License-Identifier: Apache-2.0
//
// `mezzo screen`: a VM's screen as a page in a browser, or as one file. Owns the wire, the server and the loop between
// them.
// Invariants: no read or write waits; Mezzo has been told BYE at each exit that is not the wire's own end.
#include "fdt/desc.h"
#include "http.h"
#include "opts.h"
#include "page.h"
#include "shot.h"
#include "term.h"
#include "util.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char screen_help[] = "usage: mezzo screen PATH VM [OPTION...]\n"
                           "\n"
                           "Shows the screen of a VM with machine = raspi3 in a browser, live. "
                           "PATH is a serial device,\n"
                           "or a socket as `mezzo run --socket` makes it; nobody else can be "
                           "attached to it meanwhile.\n"
                           "Prints the page's address, which only programs on this machine can "
                           "reach, and goes on until\n"
                           "Ctrl-C. Pictures are only made while somebody looks.\n"
                           "\n"
                           "  --port N         serve on this port of 127.0.0.1 (a free one)\n"
                           "  --once FILE      write one picture to FILE, a PNG, and end\n"
                           "  --baud N         speed of a serial device (115200)\n"
                           "\n"
                           "Examples:\n"
                           "  mezzo screen board.sock pi\n"
                           "  mezzo screen board.sock pi --once pi.png\n";

enum { OPT_PORT = OPT_LONG, OPT_ONCE, OPT_BAUD };

static const struct option options[] = {
        {"port", required_argument, NULL, OPT_PORT},
        {"once", required_argument, NULL, OPT_ONCE},
        {"baud", required_argument, NULL, OPT_BAUD},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char who[] = "mezzo screen";

#define CHUNK      4096 // bytes moved at once
#define LAST_WORDS 1000 // ms for BYE

struct desk {
	const char *path, *vm, *once;
	unsigned int baud;
	uint16_t port;

	int wire, signals, status; // status -1: it goes on
	bool wire_gone;
	struct shot shot;
	struct http *http; // NULL: --once
	struct http_body *page, *script, *style;
};

enum { FD_SIGNALS, FD_WIRE, FD_HTTP, FDS = FD_HTTP + HTTP_FDS };

// --- options -------------------------------------------------------------------------------------

// A VM's name or number, one word of Mezzo's shell.
static bool is_name(const char *text)
{
	if (strlen(text) > DESC_NAME_MAX)
		return false;
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return *text != '\0' && *text != '-';
}

static int take_options(int argc, char **argv, struct desk *d)
{
	int index, opt;

	while ((opt = opts_next(argc, argv, ":h", options, who, screen_help, &index)) != -1) {
		switch (opt) {
		case OPT_PORT: d->port = (uint16_t)opts_number(who, "--port", 1, 65535); break;
		case OPT_ONCE: d->once = optarg; break;
		default: d->baud = (unsigned int)opts_number(who, "--baud", 9600, 3000000);
		}
	}
	if (argc - optind != 2)
		return opts_usage(who, "give a serial device or a socket, and one VM");
	if (!is_name(argv[optind + 1]))
		return opts_usage(who, "`%s` is no VM's name", argv[optind + 1]);
	if (d->once != NULL && d->port != 0)
		return opts_usage(who, "--once serves no page, so --port has no meaning with it");
	d->path = argv[optind];
	d->vm = argv[optind + 1];
	return STATUS_OK;
}

// --- pages ---------------------------------------------------------------------------------------

// The newest picture, or why there is none: one that is newer than the one that the browser has; without that number,
// one that was looked for after the question came.
static bool get_screen(const struct desk *d, const struct http_request *request,
                       struct http_reply *r)
{
	const struct shot *s = &d->shot;
	bool after = strncmp(request->query, "after=", 6) == 0;
	bool fresh = after ? strtoull(request->query + 6, NULL, 10) != s->serial
	                   : s->seen >= request->since;

	r->serial = s->serial;
	if (s->serial == 0 || !fresh) {
		r->status = 204;
		return false;
	}
	r->status = s->picture != NULL ? 200 : 503;
	r->type = s->picture != NULL ? "image/png" : "text/plain; charset=utf-8";
	r->body = s->picture;
	if (s->picture != NULL)
		s->picture->users++;
	else
		r->body = http_body_new(s->text, strlen(s->text));
	return true;
}

static bool get(void *owner, const struct http_request *request, struct http_reply *r)
{
	struct desk *d = owner;
	const struct {
		const char *path, *type;
		struct http_body *body;
	} pages[] = {
	        {"/", "text/html; charset=utf-8", d->page},
	        {"/screen.js", "text/javascript; charset=utf-8", d->script},
	        {"/screen.css", "text/css; charset=utf-8", d->style},
	};

	if (strcmp(request->path, "/screen.png") == 0)
		return get_screen(d, request, r);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		if (strcmp(request->path, pages[i].path) != 0)
			continue;
		pages[i].body->users++;
		*r = (struct http_reply){200, pages[i].type, pages[i].body, 0};
	}
	return true;
}

static const struct http_ops http_ops = {.get = get};

static bool serve(struct desk *d)
{
	const char *why;
	char *html = page_html(d->vm);

	d->page = http_body_new(html, strlen(html));
	d->script = http_body_new(page_script, strlen(page_script));
	d->style = http_body_new(page_style, strlen(page_style));
	free(html);
	d->http = http_new(d->port, &http_ops, d, &why);
	if (d->http == NULL) {
		fprintf(stderr, "%s: port %u of 127.0.0.1 cannot be served: %s\n", who, d->port,
		        why);
		return false;
	}
	printf("http://127.0.0.1:%u/\n", http_port(d->http));
	fflush(stdout);
	return true;
}

// --- one picture ---------------------------------------------------------------------------------

static int write_once(const struct desk *d)
{
	const struct http_body *picture = d->shot.picture;

	if (picture == NULL) {
		fprintf(stderr, "%s: %s\n", who, d->shot.text);
		return STATUS_FAILED;
	}
	int fd = open(d->once, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool good = fd >= 0 && util_write(fd, picture->bytes, picture->size);
	if (fd >= 0 && close(fd) != 0)
		good = false;
	if (!good)
		fprintf(stderr, "%s: cannot write `%s`: %s\n", who, d->once, strerror(errno));
	return good ? STATUS_OK : STATUS_FAILED;
}

// --- the loop ------------------------------------------------------------------------------------

static bool is_passing(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void take_wire(struct desk *d)
{
	uint8_t bytes[CHUNK];
	ssize_t n = read(d->wire, bytes, sizeof(bytes));

	if (n > 0)
		shot_take(&d->shot, bytes, (size_t)n, term_now());
	else if (!is_passing(n))
		d->wire_gone = true;
}

static void give_wire(struct desk *d)
{
	struct buffer *out = &d->shot.link.out;
	ssize_t n = write(d->wire, buffer_data(out), buffer_size(out));

	if (n < 0 && !is_passing(n))
		n = (ssize_t)buffer_size(out); // it is gone, as reading will show
	if (n > 0)
		buffer_drop(out, (size_t)n);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void turn(struct desk *d)
{
	struct pollfd fds[FDS];
	bool wanted = d->http == NULL || http_waits(d->http);
	int64_t now = term_now(), wait = -1;

	shot_tick(&d->shot, wanted, now);
	int64_t due = earlier(shot_due(&d->shot, wanted), d->http != NULL ? http_due(d->http) : 0);
	if (due != 0)
		wait = due > now ? due - now : 0;
	fds[FD_SIGNALS] = (struct pollfd){d->signals, POLLIN, 0};
	fds[FD_WIRE] = (struct pollfd){
	        d->wire, (short)(POLLIN | (buffer_size(&d->shot.link.out) > 0 ? POLLOUT : 0)), 0};
	if (d->http != NULL)
		http_wish(d->http, fds + FD_HTTP);
	if (poll(fds, d->http != NULL ? FDS : FD_HTTP, wait > INT32_MAX ? INT32_MAX : (int)wait) <
	    0)
		return;
	if (fds[FD_SIGNALS].revents != 0)
		d->status = 128 + term_signal(d->signals);
	if ((fds[FD_WIRE].revents & POLLOUT) != 0)
		give_wire(d);
	if ((fds[FD_WIRE].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		take_wire(d);
	if (d->http != NULL)
		http_serve(d->http, fds + FD_HTTP, term_now());
	if (d->http == NULL && d->shot.serial != 0 && d->status < 0)
		d->status = write_once(d);
}

static void say_good_bye(struct desk *d)
{
	int64_t end = term_now() + LAST_WORDS;

	shot_leave(&d->shot);
	while (!d->wire_gone && buffer_size(&d->shot.link.out) > 0 && term_now() < end) {
		struct pollfd fd = {d->wire, POLLOUT, 0};

		if (poll(&fd, 1, LAST_WORDS) <= 0)
			return;
		give_wire(d);
	}
}

int verb_screen(int argc, char **argv)
{
	struct desk d = {.baud = WIRE_BAUD, .status = -1};
	int status = take_options(argc, argv, &d);

	if (status != STATUS_OK || d.path == NULL)
		return status;
	const char *why = wire_open(d.path, d.baud, &d.wire);
	if (why != NULL) {
		fprintf(stderr, "%s: cannot open `%s`: %s%s\n", who, d.path, why,
		        access(d.path, F_OK) != 0 && access(d.vm, F_OK) == 0
		                ? "; the device or socket comes first, then the VM"
		                : "");
		return STATUS_FAILED;
	}
	d.signals = term_take_signals(NULL);
	if (d.once == NULL && !serve(&d))
		return STATUS_FAILED;
	shot_init(&d.shot, d.vm, term_now());
	while (d.status < 0 && !d.wire_gone)
		turn(&d);
	say_good_bye(&d);
	if (d.status >= 0)
		return d.status;
	fprintf(stderr, "%s: the other end of `%s` is gone\n", who, d.path);
	return STATUS_FAILED;
}
