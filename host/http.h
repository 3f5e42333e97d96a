// SPDX-License-Identifier: Apache-2.0
// A very small HTTP server for this machine alone: GET of a few pages, on 127.0.0.1, for programs that have a poll loop
// of their own. An answer may be waited for.
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include "base/types.h"

#include <poll.h>

#define HTTP_CLIENTS 24
#define HTTP_FDS     (1 + HTTP_CLIENTS)

// What is sent to clients; several may be at it. Freed with the last user.
struct http_body {
	unsigned users;
	size_t size;
	uint8_t bytes[];
};
struct http_body *http_body_new(const void *bytes, size_t size); // one user: the caller
void http_body_drop(struct http_body *body);                     // NULL is fine

struct http_request {
	const char *path, *query; // query: behind the `?`, or ""
	int64_t since;            // when it came, on term_now()'s clock
	bool last;                // there must be an answer now
};

struct http_reply {
	int status;       // 200, 204, 404, 503
	const char *type; // of the body
	struct http_body *
	        body; // the reply is one more user of it; NULL: nothing, or a line that tells the status
	uint64_t serial; // told as X-Mezzo-Serial; 0: not told
};

struct http_ops {
	// False: not yet, ask again at the next http_serve.
	bool (*get)(void *who, const struct http_request *request, struct http_reply *reply);
};

struct http;

// Listens on `port` of 127.0.0.1, or on a free one (0). NULL, with *why, if that cannot be.
struct http *http_new(uint16_t port, const struct http_ops *ops, void *who, const char **why);
uint16_t http_port(const struct http *http);

// Fills in HTTP_FDS descriptors, and serves them: one bounded read or write for each.
void http_wish(const struct http *http, struct pollfd *fds);
void http_serve(struct http *http, const struct pollfd *fds, int64_t now);
// When http_serve has something to do by the clock; 0: never.
int64_t http_due(const struct http *http);

// Whether somebody waits for an answer.
bool http_waits(const struct http *http);

#endif
