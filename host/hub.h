// SPDX-License-Identifier: Apache-2.0
// All that stands between a wire to Mezzo and those who use it: a person, pseudo-terminals, files,
// commands. It moves no bytes but those of the pseudo-terminals and files: see hub_wire, hub_screen.
#ifndef HOST_HUB_H
#define HOST_HUB_H

#include "buffer.h"

#include <poll.h>

struct hub_options {
	const char *who;  // prefix of messages
	bool terminal;    // a person looks on
	bool plain;       // never greet
	bool patient;     // greet when Mezzo has been heard, not at once
	const char *view; // what is in view first: a VM, "shell"; NULL or anything else: all

	char **ptys; // names of VMs
	size_t pty_count;
	const char *log; // directory; NULL: none
	char **commands; // with any nothing else is shown
	size_t command_count;
};

struct hub;

// NULL, with the reason on standard error, if a pseudo-terminal or directory could not be made.
struct hub *hub_new(const struct hub_options *options, int64_t now);

// Bytes from the wire; bytes for it. hub_hungry: whether more from the wire has room.
void hub_take(struct hub *hub, const uint8_t *bytes, size_t size, int64_t now);
struct buffer *hub_wire(struct hub *hub);
bool hub_hungry(const struct hub *hub);

// Typed bytes; at most hub_room of them if they come from no terminal. False: the person leaves.
bool hub_keys(struct hub *hub, const uint8_t *bytes, size_t size);
size_t hub_room(struct hub *hub);

// Bytes for standard output.
struct buffer *hub_screen(struct hub *hub);

// Pseudo-terminals: fills in as many pollfds as there are (options.pty_count), and serves them.
void hub_wish(const struct hub *hub, struct pollfd *fds);
void hub_serve(struct hub *hub, const struct pollfd *fds, int64_t now);

// What is due by the clock; hub_due: when that is, 0: never.
void hub_tick(struct hub *hub, int64_t now);
int64_t hub_due(const struct hub *hub);

// The exit status once all commands are answered, or cannot be; -1: not yet.
int hub_status(const struct hub *hub);

// The end: BYE for hub_wire, and what is unfinished for hub_screen.
void hub_leave(struct hub *hub);

// A line for the person, as view_note.
void hub_note(struct hub *hub, const char *text);

#endif
