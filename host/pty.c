// SPDX-License-Identifier: Apache-2.0
//
// Pseudo-terminals. Called by hub.c. Nothing here waits.
// Invariant: bytes wait only for a program that has the terminal open, and only PTY_ENOUGH and one
// window of the channel.
// Source: pty(7); POLLHUP says that nobody has the other end open, and stays, so it is not waited for.
#include "pty.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PTY_ENOUGH 4096
#define LOOK_EACH  100 // ms

// No echo and nothing changed on the way, until the program asks for it.
static void make_raw(const char *path)
{
	struct termios settings;
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (tcgetattr(fd, &settings) == 0) {
		cfmakeraw(&settings);
		tcsetattr(fd, TCSANOW, &settings);
	}
	close(fd);
}

const char *pty_open(struct pty *pty, const char *name)
{
	char path[64];

	*pty = (struct pty){.name = name, .look = 1};
	pty->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pty->fd < 0 || grantpt(pty->fd) != 0 || unlockpt(pty->fd) != 0 ||
	    ptsname_r(pty->fd, path, sizeof(path)) != 0)
		return strerror(errno);
	fcntl(pty->fd, F_SETFL, O_NONBLOCK);
	make_raw(path);
	pty->path = util_format("%s", path);
	return NULL;
}

static bool look(const struct pty *pty)
{
	struct pollfd fd = {.fd = pty->fd};

	return poll(&fd, 1, 0) <= 0 || (fd.revents & POLLHUP) == 0;
}

void pty_put(struct pty *pty, const void *bytes, size_t size)
{
	if (!pty->used)
		pty->used = look(pty);
	if (pty->used)
		buffer_add(&pty->out, bytes, size);
}

bool pty_is_full(const struct pty *pty)
{
	return buffer_size(&pty->out) > PTY_ENOUGH;
}

struct pollfd pty_wish(const struct pty *pty, bool room)
{
	short events = (short)((room ? POLLIN : 0) | (buffer_size(&pty->out) > 0 ? POLLOUT : 0));

	return (struct pollfd){pty->used ? pty->fd : -1, events, 0};
}

static void give(struct pty *pty)
{
	ssize_t n = write(pty->fd, buffer_data(&pty->out), buffer_size(&pty->out));

	if (n > 0)
		buffer_drop(&pty->out, (size_t)n);
}

size_t pty_serve(struct pty *pty, short events, void *bytes, size_t room, int64_t now)
{
	ssize_t n = 0;

	if (!pty->used && now >= pty->look) {
		pty->used = look(pty);
		pty->look = now + LOOK_EACH;
	}
	if ((events & POLLOUT) != 0)
		give(pty);
	if ((events & POLLIN) != 0)
		n = read(pty->fd, bytes, room);
	if ((events & POLLHUP) != 0 && n <= 0) {
		pty->used = false;
		pty->look = now + LOOK_EACH;
		buffer_drop(&pty->out, buffer_size(&pty->out));
	}
	return n > 0 ? (size_t)n : 0;
}

int64_t pty_due(const struct pty *pty)
{
	return pty->used ? 0 : pty->look;
}
