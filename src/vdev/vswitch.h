// SPDX-License-Identifier: Apache-2.0
// The switches between VMs, one for each net of the description; docs/network.md has the why.
//
// A port is what a device has at a switch. The structures of ports stay where they are for ever, so that a CPU that sends may
// look at any of them; what a port leads to is only used under its lock, and while it is open.
#ifndef VDEV_VSWITCH_H
#define VDEV_VSWITCH_H

#include "base/spinlock.h"
#include "fdt/desc.h"
#include "vdev/vframe.h"

#define VSWITCH_PORTS   64 // of a net
#define VSWITCH_LEARNED 256
#define VSWITCH_NAME    40 // "VM.net0"

struct vswitch;

// What became of a frame at a port.
enum vswitch_outcome {
	VSWITCH_DONE,
	VSWITCH_MORE, // its purse is empty: to be called again with the same progress
	VSWITCH_NOT_WANTED,
	// Lost.
	VSWITCH_NO_BUFFER,
	VSWITCH_TOO_SMALL, // the buffers
	VSWITCH_NO_MEMORY,
	VSWITCH_MALFORMED,
	VSWITCH_SPOOFED,
	VSWITCH_TOO_LONG,
	VSWITCH_OUTCOMES,
};

// How far a frame has come at one port: it may take several pieces of work.
struct vswitch_progress {
	bool begun;
	uint32_t done;  // bytes of its payload
	uint32_t tries; // for the next ones
	struct vframe_place place;
};

struct vswitch_port_ops {
	// Hands a frame to what is behind the port. The port's lock is held, and it is open. What was handed over is
	// announced by `tell`. On the sender's CPU; its purse pays.
	enum vswitch_outcome (*deliver)(void *owner, struct vframe *frame,
	                                struct vswitch_progress *progress,
	                                struct vvirtio_work *work);
	// Interrupts whoever is behind the port, if it wants that. Under the port's lock.
	void (*tell)(void *owner);
};

struct vswitch_count { // each written by one CPU at a time, read by any
	uint64_t sent, sent_bytes, got, got_bytes;
	uint64_t lost[VSWITCH_OUTCOMES]; // by reason
};

struct vswitch_port {
	// Fixed while it is attached.
	struct vswitch *net;
	uint8_t number;
	bool is_uplink; // many are behind it
	char name[VSWITCH_NAME];
	const struct vswitch_port_ops *ops;
	void *owner;

	uint64_t mac;    // its own address, which is nobody else's; 0: it has none; atomically
	uint32_t in_use; // atomically

	// Under the lock of who sends from it.
	uint64_t free_at; // ticks: when what it sent would be gone if it went at the limit's rate
	struct vswitch_count count; // `got` and some of `lost` are under the lock

	struct spinlock lock; // LOCK_PORT
	bool open;            // under the lock
};

// A frame on its way from one port to others: kept by who sends, from piece to piece of the work.
struct vswitch_journey {
	bool begun;
	uint64_t left; // ports that it has to go to
	struct vswitch_progress progress;
	uint64_t tell; // ports that have something to be told of
};

// Makes the net `number` of the description. Once each, at boot. ERR_NO_MEMORY.
int vswitch_create(uint32_t number, const struct desc_net *from);

// Connects a device to a net. `mac` is its address, 0: it has none. The port is closed. NULL: there is no such net, or it
// has no port left, or the address is taken. Any CPU.
struct vswitch_port *vswitch_attach(uint32_t net, const char *name, uint64_t mac, bool is_uplink,
                                    const struct vswitch_port_ops *ops, void *owner);
// Gives the port back. From the return on nobody uses the owner. Any CPU.
void vswitch_detach(struct vswitch_port *port);

// From the return of close on nobody is in `deliver` or `tell` of the port. Take LOCK_PORT.
void vswitch_open(struct vswitch_port *port);
void vswitch_close(struct vswitch_port *port);

// Whether a frame of `size` bytes may be sent from the port now; else *when is a time, in ticks, at which it may. If it
// may, it counts as sent. Under the lock of who sends.
bool vswitch_may_send(struct vswitch_port *port, uint32_t size, uint64_t *when);

// Moves a frame on its way as far as there is time. False: not everywhere yet. Under the lock of who sends; takes the
// locks of other ports, one at a time.
bool vswitch_send(struct vswitch_port *from, struct vframe *frame, struct vswitch_journey *journey,
                  struct vvirtio_work *work);
// Tells the ports that got something. At the end of each piece of work.
void vswitch_tell(struct vswitch_port *from, struct vswitch_journey *journey);
// Whether its net keeps each VM to the address that it was given.
bool vswitch_is_strict(const struct vswitch_port *port);
// Counts a frame that went nowhere.
void vswitch_lost(struct vswitch_port *port, enum vswitch_outcome why);

// ---- for the shell ----

// The n-th net, NULL: there are not so many.
const char *vswitch_name(uint32_t net);
struct vswitch_info {
	bool anti_spoof;
	uint64_t limit;     // bytes a second; 0: none
	const char *uplink; // NULL: none
	uint32_t learned;   // addresses
};
bool vswitch_info(uint32_t net, struct vswitch_info *info);
// The port with the next number from `number` on; NULL: none. What it says may be old.
const struct vswitch_port *vswitch_port_from(uint32_t net, uint32_t number);
// The port of this name, NULL: none.
const struct vswitch_port *vswitch_find_port(const char *name);
bool vswitch_port_is_open(const struct vswitch_port *port);

#endif
