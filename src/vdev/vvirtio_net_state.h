// SPDX-License-Identifier: Apache-2.0
// What the files of the network device share. Only for vvirtio_net*.c.
#ifndef VDEV_VVIRTIO_NET_STATE_H
#define VDEV_VVIRTIO_NET_STATE_H

#include "vdev/vframe.h"
#include "vdev/vswitch.h"
#include "vdev/vvirtio.h"

#define NET_PAIRS     4 // of queues
#define NET_QUEUES    (2 * NET_PAIRS + 1)
#define NET_UNICAST   16 // addresses that are let in beside its own
#define NET_MULTICAST 64
#define NET_VLANS     4096

// Queues: receive 0, transmit 0, receive 1, ... and behind the last pair that was agreed on, control.
#define NET_RX(pair) (2 * (pair))
#define NET_TX(pair) (2 * (pair) + 1)

// Which frames the driver wants.
struct net_filter {
	bool mode[VIRTIO_NET_RX_MODES];
	bool by_vlan;
	bool too_many_unicast, too_many_multicast; // addresses for the lists below
	uint32_t nr_unicast, nr_multicast;
	uint64_t mac;
	uint64_t unicast[NET_UNICAST], multicast[NET_MULTICAST];
	uint64_t vlan[NET_VLANS / 64];
};

// One that sends.
struct net_tx {
	bool has_frame;  // `frame` is what its queue has in hand
	uint32_t life;   // of the queue when `frame` was read
	bool polls;      // the driver is not asked to notify: the alarm looks
	uint32_t streak; // how often in a row it notified soon after the last time
	uint64_t last;   // ticks: when its queue was last worked on
	struct vframe frame;
	struct vswitch_journey journey;
};

struct net {
	struct vvirtio dev; // first
	// Fixed after start.
	struct vswitch_port *port;
	unsigned max_pairs;
	uint64_t mac; // of the description
	int alarm;

	// Under the device's lock.
	uint8_t config[VIRTIO_NET_CONFIG_SIZE];
	struct net_tx tx[NET_PAIRS];
	unsigned control; // its queue
	uint32_t header_size;

	// Under the port's lock. While the port is open nobody else touches the receive queues.
	struct {
		uint32_t header_size;
		bool merges;        // buffers of one frame
		bool takes_partial; // frames whose checksum is not complete
		uint64_t takes;     // VIRTIO_NET_F_GUEST_*, as far as they hold together
		unsigned pairs;     // in use
		uint32_t tell;      // pairs that got something
		unsigned broken;    // the queue in which the driver wrote nonsense
		const char *why;    // ... and what; NULL: none
		struct net_filter filter;
	} rx;

	struct vvirtio_queue queue[NET_QUEUES];
};

// ---- vvirtio_net_rx.c ----

extern const struct vswitch_port_ops net_port_ops;

// ---- vvirtio_net_control.c ----

// The filter as after a reset, under the port's lock: everything passes until the driver says otherwise. `features`: what it
// took.
void net_filter_reset(struct net *net, uint64_t features);
// Whether the driver wants the frame.
bool net_filter_takes(const struct net_filter *filter, const struct vframe *frame);
// Works on the control queue. The device's lock is held; takes the port's.
bool net_control_work(struct net *net, unsigned queue, struct vvirtio_work *work);

#endif
