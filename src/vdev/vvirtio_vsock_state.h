// SPDX-License-Identifier: Apache-2.0
// What the files of the socket device share. Only for vvirtio_vsock*.c.
#ifndef VDEV_VVIRTIO_VSOCK_STATE_H
#define VDEV_VVIRTIO_VSOCK_STATE_H

#include "vdev/vvirtio.h"
#include "vdev/vvirtio_vsock.h"

#define VSOCK_LINKS 256 // connections of a VM to others

// What became of a packet.
enum vsock_outcome {
	VSOCK_DONE,
	VSOCK_MORE,    // the purse is empty: to be tried again
	VSOCK_WAIT,    // there is no receive buffer
	VSOCK_REFUSED, // there is nobody who takes it
	VSOCK_NO_MEMORY,
};

// A connection to another VM, as far as the switch has to know of it: to say so when its other end is gone.
struct vsock_link {
	uint8_t state; // enum vsock_link_state
	uint32_t local_port, peer_port, peer_cid;
	uint64_t peer_life; // that of the other device when the connection was asked for
};
enum vsock_link_state { VSOCK_FREE, VSOCK_ASKED, VSOCK_OPEN };

struct vsock {
	struct vvirtio dev; // first
	// Fixed after start.
	uint64_t config; // its context, as the driver reads it
	uint32_t cid, group;
	bool manages;
	int alarm;

	// Atomically.
	uint64_t
	        life; // of its driver, never used again; 0: others cannot reach it; written under `port`
	uint32_t look; // others have ended: `link` is to be gone through

	// Under the device's lock.
	struct {
		bool has;       // `header` is that of what the transmit queue has in hand
		bool reply;     // and RST is the answer to it
		uint32_t life;  // of the queue when it was read
		uint32_t left;  // bytes of its data that have not gone
		uint64_t since; // ticks: since when its receiver takes nothing; 0: it does
		uint64_t tried; // ticks: when it was last tried then
		uint32_t tries; // for which the purse was not enough
		struct virtio_vsock_header header;
		struct vvirtio_place place; // of the next byte of its data
	} tx;
	struct vsock
	        *told;   // has got something and was not interrupted yet; only while work is done
	bool complained; // about a context that is not its own
	bool left;       // what a closed port asks for is done

	// Under `port`. While it is open nobody else touches the receive queue.
	struct spinlock port; // LOCK_PORT
	bool open;
	bool cut; // it took nothing for too long: its driver is to hear so before it is open again
	const char *why; // what nonsense was found in the receive queue; NULL: none
	uint32_t nr_links, next_victim;
	struct vsock_link link[VSOCK_LINKS];

	struct vvirtio_queue queue[VIRTIO_VSOCK_QUEUES];
};

// Data that is to go behind a header: in the sender's chain, or in memory of Mezzo's.
struct vsock_data {
	struct vsock *from; // NULL: `bytes`
	struct vvirtio_place place;
	const uint8_t *bytes;
	uint32_t size;
	uint32_t done; // how many have gone
};

// ---- vvirtio_vsock_rx.c ----

// Puts a packet into the next receive buffer, with as much of the data as it has room for. Under the port's lock, while it
// is open.
enum vsock_outcome vsock_put(struct vsock *to, const struct virtio_vsock_header *header,
                             struct vsock_data *data, struct vvirtio_work *work);
// The same for another VM's device, and what both sides have to remember of it. Under the sender's device lock.
enum vsock_outcome vsock_send(struct vsock *from, struct vsock *to,
                              const struct virtio_vsock_header *header, struct vsock_data *data,
                              struct vvirtio_work *work);
// Puts a packet into the device's own receive queue. Under its device lock.
enum vsock_outcome vsock_reply(struct vsock *self, const struct virtio_vsock_header *header,
                               struct vsock_data *data, struct vvirtio_work *work);
// Interrupts who was sent to by vsock_send. Under the sender's device lock.
void vsock_tell(struct vsock *self);
// The context belongs to the VM of this number from now on, or no longer.
void vsock_claim(uint32_t cid, uint32_t vm_id);
void vsock_yield(uint32_t cid, uint32_t vm_id);
// The device of a context, NULL: there is none. Outside of fast exits, and only for this stay at EL2.
struct vsock *vsock_find(uint64_t cid);
// It took nothing for too long: nobody reaches it until its driver has heard that all its connections are gone.
void vsock_cut(struct vsock *to);
// Nobody reaches the device any more. Under its device lock.
void vsock_close(struct vsock *self);
// Its connections are gone: those at their other ends will hear of it. Under its device lock, while its port is closed.
void vsock_leave(struct vsock *self);
// Others may reach it. Under its device lock.
void vsock_open(struct vsock *self);
// Tells the driver of connections whose other end is gone. VSOCK_DONE: that was all.
enum vsock_outcome vsock_look(struct vsock *self, struct vvirtio_work *work);

// ---- vvirtio_vsock_service.c ----

// A packet for context 2. VSOCK_DONE or VSOCK_REFUSED. Under the device's lock, as what follows.
enum vsock_outcome vsock_serve(struct vsock *from, const struct virtio_vsock_header *header,
                               const struct vvirtqueue_chain *chain, struct vvirtio_place place,
                               struct vvirtio_work *work);
// Sends what the service has for the device. VSOCK_DONE: that was all for now.
enum vsock_outcome vsock_served(struct vsock *self, struct vvirtio_work *work);
// All of the device's connections to the service are gone.
void vsock_drop(struct vsock *self);

#endif
