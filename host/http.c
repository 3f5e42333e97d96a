// SPDX-License-Identifier: Apache-2.0
//
// A very small HTTP server. Owns its sockets and what clients have sent and are to get. Called by cmd_screen.c.
//
// Whoever connects may be a page of anybody's that a browser of this machine has open: so nothing is done for a request
// whose Host is not this server by one of its own names (a foreign name may have been pointed at 127.0.0.1), and no
// other site may show what is served here.
// Invariants: nothing waits for a client; each has a bounded head and a time by which it has to get on.
// Source: RFC 9110, RFC 9112 "Message", Fetch standard "Cross-Origin-Resource-Policy header".
#include "http.h"

#include "buffer.h"
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 4096  // bytes of a request
#define CHUNK    65536 // bytes written at once
#define BACKLOG  16

// In milliseconds.
#define HEAD_WAIT  10000 // for a whole request
#define REPLY_WAIT 25000 // for an answer
#define SEND_WAIT  20000 // for a client that takes nothing
#define CLOSE_WAIT 1000  // for it to close its end, so that the last bytes are not cut off

enum state { FREE, READS, WAITS, SENDS, CLOSES };

struct client {
	enum state state;
	int fd;
	int64_t since, end; // when the request came; when it is given up
	char head[HEAD_MAX + 1];
	size_t head_size;
	const char *path, *query; // in the head
	struct buffer out;        // the reply's head
	struct http_body *body;
	size_t sent; // of the body
};

struct http {
	const struct http_ops *ops;
	void *who;
	int fd;
	uint16_t port;
	struct client clients[HTTP_CLIENTS];
};

static const char headers[] =
        "Connection: close\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\n"
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'\r\n";

static const struct {
	int status;
	const char *reason, *text;
} reasons[] = {
        {200, "OK", ""},
        {204, "No Content", ""},
        {400, "Bad Request", "this is no request that is understood here"},
        {403, "Forbidden", "this server is for 127.0.0.1 and localhost alone"},
        {404, "Not Found", "there is nothing of this name"},
        {405, "Method Not Allowed", "only GET is served here"},
        {431, "Request Header Fields Too Large", "the request is too long"},
        {503, "Service Unavailable", "there is nothing to be had now"},
};

// --- bodies --------------------------------------------------------------------------------------

struct http_body *http_body_new(const void *bytes, size_t size)
{
	struct http_body *body = util_alloc(sizeof(*body) + size);

	body->users = 1;
	body->size = size;
	if (size > 0)
		memcpy(body->bytes, bytes, size);
	return body;
}

void http_body_drop(struct http_body *body)
{
	if (body != NULL && --body->users == 0)
		free(body);
}

// --- replies -------------------------------------------------------------------------------------

static void reply(struct client *c, const struct http_reply *r, int64_t now)
{
	struct http_body *body = r->body;
	const char *type = r->type;
	char serial[64] = "";
	size_t row = 0;

	while (row < ARRAY_SIZE(reasons) - 1 && reasons[row].status != r->status)
		row++;
	if (body == NULL && r->status != 204) {
		char *line = util_format("%s\n", reasons[row].text);

		body = http_body_new(line, strlen(line));
		type = "text/plain; charset=utf-8";
		free(line);
	}
	if (r->serial != 0)
		snprintf(serial, sizeof(serial), "X-Mezzo-Serial: %llu\r\n",
		         (unsigned long long)r->serial);
	char *head = util_format("HTTP/1.1 %d %s\r\n%s%s%s", r->status, reasons[row].reason,
	                         headers, serial, r->status == 405 ? "Allow: GET\r\n" : "");
	buffer_add(&c->out, head, strlen(head));
	free(head);
	if (body != NULL) {
		head = util_format("Content-Type: %s\r\nContent-Length: %zu\r\n", type, body->size);
		buffer_add(&c->out, head, strlen(head));
		free(head);
	}
	buffer_add(&c->out, "\r\n", 2);
	c->body = body;
	c->sent = 0;
	c->state = SENDS;
	c->end = now + SEND_WAIT;
}

static void refuse(struct client *c, int status, int64_t now)
{
	reply(c, &(struct http_reply){.status = status}, now);
}

// Asks for the answer, and waits if there is none yet.
static void ask(struct http *http, struct client *c, int64_t now)
{
	const struct http_request request = {c->path, c->query, c->since,
	                                     now >= c->since + REPLY_WAIT};
	struct http_reply r = {.status = 404};

	if (http->ops->get(http->who, &request, &r) || request.last)
		reply(c, &r, now);
}

// --- requests ------------------------------------------------------------------------------------

// Ends the line at `at` with a NUL and returns the next one; NULL: there is none.
static char *cut_line(char *at)
{
	char *end = strchr(at, '\n');

	if (end == NULL)
		return NULL;
	if (end > at && end[-1] == '\r')
		end[-1] = '\0';
	*end = '\0';
	return end + 1;
}

static bool is_own_name(const struct http *http, const char *host)
{
	static const char *const names[] = {"127.0.0.1", "localhost"};
	char with_port[32];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(with_port, sizeof(with_port), "%s:%u", names[i], http->port);
		if (strcasecmp(host, with_port) == 0 ||
		    (http->port == 80 && strcasecmp(host, names[i]) == 0))
			return true;
	}
	return false;
}

// The value of a header's line, without blanks around it.
static char *header_value(char *line)
{
	char *value = line + strcspn(line, ":") + 1, *end = value + strlen(value);

	while (*value == ' ' || *value == '\t')
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return value;
}

// Looks at the headers; returns a status, 200 if they will do.
static int judge_headers(const struct http *http, char *line)
{
	unsigned hosts = 0;
	bool own = true;

	for (char *next; (next = cut_line(line)) != NULL && *line != '\0'; line = next) {
		size_t name = strcspn(line, ": \t");

		if (name == 0 || line[name] != ':')
			return 400;
		if (name != 4 || strncasecmp(line, "host", 4) != 0)
			continue;
		hosts++;
		own = own && is_own_name(http, header_value(line));
	}
	if (hosts != 1)
		return 400;
	return own ? 200 : 403;
}

// Takes a whole head apart; returns a status, 200 if it will do.
static int judge(const struct http *http, struct client *c)
{
	char *line = c->head, *rest;

	if (strlen(c->head) != c->head_size)
		return 400; // a NUL
	rest = cut_line(line);
	char *target = strchr(line, ' '),
	     *version = target != NULL ? strchr(target + 1, ' ') : NULL;
	if (version == NULL)
		return 400;
	*target++ = '\0';
	*version++ = '\0';
	if ((strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) ||
	    *target != '/')
		return 400;
	for (const char *p = target; *p != '\0'; p++)
		if (*p < '!' || *p > '~')
			return 400;
	int status = judge_headers(http, rest);
	if (status != 200)
		return status;
	if (strcmp(line, "GET") != 0)
		return 405;
	c->path = target;
	c->query = "";
	char *mark = strchr(target, '?');
	if (mark != NULL) {
		*mark = '\0';
		c->query = mark + 1;
	}
	return 200;
}

static bool is_whole(const char *head)
{
	return strstr(head, "\r\n\r\n") != NULL || strstr(head, "\n\n") != NULL;
}

// --- clients -------------------------------------------------------------------------------------

static void forget(struct client *c)
{
	close(c->fd);
	free(c->out.bytes);
	http_body_drop(c->body);
	*c = (struct client){.state = FREE};
}

static bool is_passing(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void take(struct http *http, struct client *c, int64_t now)
{
	char idle[HEAD_MAX];
	bool reads = c->state == READS;
	ssize_t n = reads ? read(c->fd, c->head + c->head_size, HEAD_MAX - c->head_size)
	                  : read(c->fd, idle, sizeof(idle)); // nobody asked for more

	if (n <= 0) {
		if (!is_passing(n))
			forget(c);
		return;
	}
	if (!reads)
		return;
	c->head_size += (size_t)n;
	c->head[c->head_size] = '\0';
	if (!is_whole(c->head)) {
		if (c->head_size == HEAD_MAX)
			refuse(c, 431, now);
		else if (strlen(c->head) != c->head_size)
			refuse(c, 400, now);
		return;
	}
	int status = judge(http, c);
	c->since = now;
	if (status != 200) {
		refuse(c, status, now);
		return;
	}
	c->state = WAITS;
	c->end = now + REPLY_WAIT;
	ask(http, c, now);
}

static void give(struct client *c, int64_t now)
{
	size_t head = buffer_size(&c->out), left = c->body != NULL ? c->body->size - c->sent : 0;
	ssize_t n = 0;

	if (head > 0)
		n = send(c->fd, buffer_data(&c->out), head, MSG_NOSIGNAL);
	else if (left > 0)
		n = send(c->fd, c->body->bytes + c->sent, left < CHUNK ? left : CHUNK,
		         MSG_NOSIGNAL);
	if (n < 0) {
		if (!is_passing(n))
			forget(c);
		return;
	}
	c->end = now + SEND_WAIT;
	if (head > 0)
		buffer_drop(&c->out, (size_t)n);
	else
		c->sent += (size_t)n;
	if (buffer_size(&c->out) == 0 && (c->body == NULL || c->sent == c->body->size)) {
		shutdown(c->fd, SHUT_WR);
		c->state = CLOSES;
		c->end = now + CLOSE_WAIT;
	}
}

// A place for one more: a free one, or that of whoever would have to go first.
static struct client *place(struct http *http)
{
	struct client *first = NULL;

	for (size_t i = 0; i < HTTP_CLIENTS; i++) {
		struct client *c = &http->clients[i];

		if (c->state == FREE)
			return c;
		if (first == NULL || c->end < first->end)
			first = c;
	}
	forget(first);
	return first;
}

static void greet(struct http *http, int64_t now)
{
	int fd = accept4(http->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	struct client *c = place(http);
	*c = (struct client){.state = READS, .fd = fd, .since = now, .end = now + HEAD_WAIT};
}

// --- for whoever has the loop --------------------------------------------------------------------

struct http *http_new(uint16_t port, const struct http_ops *ops, void *who, const char **why)
{
	struct http *http = util_alloc(sizeof(*http));
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_port = htons(port),
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int on = 1;

	*http = (struct http){.ops = ops, .who = who};
	http->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (http->fd >= 0)
		setsockopt(http->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (http->fd < 0 || bind(http->fd, (struct sockaddr *)&address, size) != 0 ||
	    listen(http->fd, BACKLOG) != 0 ||
	    getsockname(http->fd, (struct sockaddr *)&address, &size) != 0) {
		*why = strerror(errno);
		return NULL;
	}
	http->port = ntohs(address.sin_port);
	return http;
}

uint16_t http_port(const struct http *http)
{
	return http->port;
}

void http_wish(const struct http *http, struct pollfd *fds)
{
	fds[0] = (struct pollfd){http->fd, POLLIN, 0};
	for (size_t i = 0; i < HTTP_CLIENTS; i++) {
		const struct client *c = &http->clients[i];

		fds[1 + i] = (struct pollfd){c->state != FREE ? c->fd : -1,
		                             c->state == SENDS ? POLLOUT : POLLIN, 0};
	}
}

void http_serve(struct http *http, const struct pollfd *fds, int64_t now)
{
	for (size_t i = 0; i < HTTP_CLIENTS; i++) {
		struct client *c = &http->clients[i];

		if (c->state != FREE && fds[1 + i].fd == c->fd && fds[1 + i].revents != 0) {
			if (c->state == SENDS)
				give(c, now);
			else
				take(http, c, now);
		}
		if (c->state == WAITS)
			ask(http, c, now);
		else if (c->state != FREE && now >= c->end)
			forget(c);
	}
	if (fds[0].revents != 0)
		greet(http, now);
}

int64_t http_due(const struct http *http)
{
	int64_t due = 0;

	for (size_t i = 0; i < HTTP_CLIENTS; i++) {
		const struct client *c = &http->clients[i];

		if (c->state != FREE && (due == 0 || c->end < due))
			due = c->end;
	}
	return due;
}

bool http_waits(const struct http *http)
{
	for (size_t i = 0; i < HTTP_CLIENTS; i++)
		if (http->clients[i].state == WAITS)
			return true;
	return false;
}
