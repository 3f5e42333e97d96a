// SPDX-License-Identifier: Apache-2.0
// The framed protocol on the board's UART: docs/wire.md. All of it under LOCK_CONSOLE but for
// link_vms_changed.
#ifndef CONSOLE_LINK_H
#define CONSOLE_LINK_H

#include "console/output.h"

// What received bytes bring along once the lock is free.
struct typed {
	struct vm *vm; // got bytes: vuart_input
	bool lost;     // and some that it could not take: vuart_overrun
};

// Whether the wire carries frames. Then the plain views show nothing.
bool link_framed(void);

// A byte from the wire. False: it is text for plain mode. `now` is in ticks. When typed->vm is set the caller
// lets go of the lock before the next one. May begin or end framed mode, and tells `out`.
bool link_take(struct output *out, uint8_t byte, uint64_t now, struct typed *typed);

// Moves what is to be sent into the wire, as output_fill does, and sets out->deadline. While framed.
bool link_fill(struct output *out, uint64_t now, bool flush, uint32_t *effort);
// The little that the link has to do in plain mode. Before output_fill.
void link_fill_plain(struct output *out, uint32_t *effort);

// VMs have come, or changed their state: the directory is to say so. Any CPU.
void link_vms_changed(void);
// The VM is going away, and its channel with it.
void link_forget(struct vm *vm);

// ---- a file for the host; console.h says how it comes to be ----

// Offers one of this name; `id` goes into its entry of the directory. Returns its channel's number, or 0, with a
// sentence why not.
uint16_t link_file_begin(const char *name, uint32_t id, const char **why);
// All of it is in the ring, or it ends here because of `why`, which lives for ever. Harmless when it is gone.
void link_file_end(uint16_t number, const char *why);
// Its ring. Bytes are put without the lock, by one CPU at a time, while the file is not gone.
struct ring *link_file_ring(void);
// Whether nobody takes it any more: all was sent, or the host does not want it. Without the lock.
bool link_file_gone(uint16_t number);
// Whether the host has asked for it. Without the lock.
bool link_file_opened(void);

// The end: `line` goes to the log channel, then BYE; plain mode from here on. Harmless while plain.
void link_end(struct output *out, const char *line, size_t length);
// The same on a panic, without a lock: writes what says so to the host, at most LINK_PANIC_SIZE bytes; returns
// how many. 0: the wire is plain.
#define LINK_PANIC_SIZE 32
size_t link_panic(uint8_t *bytes);

#endif
