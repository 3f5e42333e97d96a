// SPDX-License-Identifier: Apache-2.0
// What a browser, or anybody, sends to `mezzo screen` (host/http.c), in pieces. An answer is a whole head of HTTP with one
// of the statuses that there are, and only own names get one that is not an error. The connection is memory: a pair of
// sockets would cost more than all that http.c does.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

static struct fuzz_in coming; // what was sent and is not read yet
static char answer[4096];
static size_t answer_size;

static ssize_t socket_read(void *to, size_t size)
{
	struct fuzz_in bytes = fuzz_rest(&coming, size);
	memcpy(to, bytes.at, bytes.left);
	errno = EAGAIN;
	return bytes.left != 0 ? (ssize_t)bytes.left : -1;
}

static ssize_t socket_send(const void *from, size_t size)
{
	FUZZ_CHECK(size < sizeof answer - answer_size);
	memcpy(answer + answer_size, from, size);
	answer_size += size;
	return (ssize_t)size;
}

#define read(fd, to, size)          socket_read(to, size)
#define send(fd, from, size, flags) socket_send(from, size)
#define shutdown(fd, how)           ((void)(fd))
#define close(fd)                   ((void)(fd))
#include "../../host/http.c"

static bool get(void *who, const struct http_request *request, struct http_reply *r)
{
	(void)who;
	FUZZ_CHECK(request->path[0] == '/' && request->query != NULL);
	r->status = strcmp(request->path, "/") == 0 ? 200 : 404;
	r->type = "text/html";
	if (strcmp(request->path, "/wait") == 0 && !request->last)
		return false;
	if (r->status == 200)
		r->body = http_body_new("page", 4);
	return true;
}

static const struct http_ops ops = {get};
static struct http server = {.ops = &ops, .fd = -1, .port = 8080};

void fuzz_setup(void)
{
}

// What came back, if anything did.
static void check_answer(void)
{
	char *bytes = answer;
	if (answer_size == 0)
		return;
	bytes[answer_size] = 0;
	FUZZ_CHECK(strncmp(bytes, "HTTP/1.1 ", 9) == 0 && strstr(bytes, "\r\n\r\n") != NULL);
	FUZZ_CHECK(strstr(bytes, "Cross-Origin-Resource-Policy: same-origin\r\n") != NULL);
	long status = strtol(bytes + 9, NULL, 10);
	bool known = false;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		known |= reasons[i].status == status;
	FUZZ_CHECK(known);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct pollfd fds[HTTP_FDS];
	int64_t now = 1000;
	answer_size = 0;
	struct client *c = place(&server);
	*c = (struct client){.state = READS, .fd = 3, .since = now, .end = now + HEAD_WAIT};
	while (fuzz_more(&in) && c->state == READS) {
		coming = fuzz_rest(&in, 1 + fuzz_u8(&in) * 4u);
		if (coming.left == 0)
			break;
		http_wish(&server, fds);
		for (size_t i = 1; i < HTTP_FDS; i++)
			fds[i].revents = fds[i].fd >= 0 ? fds[i].events : 0;
		http_serve(&server, fds, now++);
	}
	for (unsigned i = 0; i < 4; i++) { // long after
		now += SEND_WAIT;
		http_wish(&server, fds);
		for (size_t k = 1; k < HTTP_FDS; k++)
			fds[k].revents = fds[k].fd >= 0 && c->state == SENDS ? POLLOUT : 0;
		http_serve(&server, fds, now);
	}
	check_answer();
	if (c->state != FREE)
		forget(c);
}
