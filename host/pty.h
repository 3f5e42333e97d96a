// SPDX-License-Identifier: Apache-2.0
// A pseudo-terminal for a VM's console: programs open it as if it were the VM's serial port.
#ifndef HOST_PTY_H
#define HOST_PTY_H

#include "buffer.h"

#include <poll.h>

struct channel;

struct pty {
	const char *name;        // of the VM
	const char *path;        // what programs open
	struct channel *channel; // NULL: there is no such VM now
	int fd;
	bool used;         // some program has it open
	int64_t look;      // when to look again whether one has
	struct buffer out; // for that program
};

// Makes one. Returns NULL, or the reason why that failed.
const char *pty_open(struct pty *pty, const char *name);

// Bytes of the VM for the program, if there is one: nobody hears what is said before it comes.
void pty_put(struct pty *pty, const void *bytes, size_t size);

// Whether the program is too slow for more.
bool pty_is_full(const struct pty *pty);

// What to wait for; `room`: its bytes can go somewhere.
struct pollfd pty_wish(const struct pty *pty, bool room);

// What came of it. Returns how many bytes of `bytes` the program has sent.
size_t pty_serve(struct pty *pty, short events, void *bytes, size_t room, int64_t now);

// When to call pty_serve without an event; 0: never.
int64_t pty_due(const struct pty *pty);

#endif
