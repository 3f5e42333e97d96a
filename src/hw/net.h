// SPDX-License-Identifier: Apache-2.0
// The board's own network interfaces, whatever drives them: net0, net1 and so on in the order in which they were found.
//
// Frames go as they are: the memory that a request's segments name is read and written by the device itself. From
// net_send or net_receive until `done` it belongs to the device. For a frame to be sent `done` comes soon: a device that
// does not take it for 20 seconds, or breaks the rules, is reset, and then everything it has is answered with ERR_IO.
// For a buffer to receive into it comes with a frame, or when the device is reset.
#ifndef HW_NET_H
#define HW_NET_H

#include "base/types.h"
#include "hw/segment.h"

#define NET_MAX_DEVICES  8
#define NET_MAC_SIZE     6
#define NET_HEADER       14 // bytes of a frame before what mtu counts; a VLAN tag is NET_TAG more
#define NET_TAG          4
#define NET_MAX_SEGMENTS 32 // of a request

struct net_request;

struct net_request_ops {
	// The request is over and is its owner's again. 0, or ERR_IO. `bytes`: of the frame that was received. Any CPU,
	// no lock held; never from within net_send or net_receive. It may submit again.
	void (*done)(struct net_request *request, int error, uint32_t bytes);
};

struct net_request {
	// Set by the owner, kept as they are until `done`. The segments too.
	const struct segment
	        *segments; // one frame, from its destination address on, without checksum
	unsigned nr_segments;
	const struct net_request_ops *ops;
	void *owner;

	// The driver's, until `done`.
	struct net_request *next;
	uint32_t bytes;
	int error;
};

struct net_dev;

// How an interface is reached. All of them on any CPU.
struct net_driver {
	const char *name;
	int (*send)(struct net_dev *dev, struct net_request *request);
	int (*receive)(struct net_dev *dev, struct net_request *request);
	bool (*is_up)(const struct net_dev *dev);
	bool (*is_dead)(const struct net_dev *dev);
};

// Fixed once the boot is done.
struct net_dev {
	char name[8];
	const struct net_driver *driver;
	void *chip; // the driver's
	bool has_mac;
	uint8_t mac[NET_MAC_SIZE];
	uint32_t mtu; // bytes behind a frame's header
};

// Interface number `index`; NULL: there are no more.
struct net_dev *net_get(unsigned index);
// The interface of that name, or NULL.
struct net_dev *net_find(const char *name);

// Hands a frame, or a buffer for one, to the device. 0: `done` will be called, once. ERR_BUSY: the device has as many as
// it can take; ERR_INVALID: segments that are too many or empty, a frame that is shorter than its header or longer than
// the mtu allows, a buffer that is too small for the longest; ERR_IO: the device is dead. Any CPU; takes LOCK_HW, so
// that locks of VMs and devices may be held. At most some 2,000 instructions.
int net_send(struct net_dev *dev, struct net_request *request);
int net_receive(struct net_dev *dev, struct net_request *request);

// Whether there is a link, as far as the device knows; whether the device was given up.
bool net_is_up(const struct net_dev *dev);
bool net_is_dead(const struct net_dev *dev);

// For drivers, at boot: it gets its name, and is listed from now on. ERR_NO_MEMORY: there are NET_MAX_DEVICES.
int net_add(struct net_dev *dev);

#endif
