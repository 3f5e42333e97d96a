// SPDX-License-Identifier: Apache-2.0
// Network interfaces that are virtio devices. Owns each one's two rings and the headers that virtio puts in front of
// frames; called by hw/virtio.c and, through struct net_driver, by hw/net.c.
//
// Nothing is offloaded: no checksums, no segmentation, no merged buffers. One chain is one frame.
// Invariant: headers are the driver's own and stay as long as the rings. Requests are told that they are over without
// the lock.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Network Device".
#include "base/atomic.h"
#include "base/log.h"
#include "hw/net.h"
#include "hw/timer.h"
#include "hw/virtio.h"
#include "hw/virtio_drivers.h"

#define WANTED      (VIRTIO_NET_F_MAC | VIRTIO_NET_F_MTU | VIRTIO_NET_F_STATUS)
#define MTU_DEFAULT 1500
#define MTU_LEAST   68
#define MTU_MOST \
	9216 // what is called a jumbo frame, and more than any link has that is not virtual

struct direction {
	struct virtio_ring ring;
	struct virtio_net_header header[VIRTIO_RING_MAX]; // by the number of the chain
};

struct net {
	struct virtio_dev *dev;
	struct net_dev net;
	uint32_t header_bytes;
	struct direction rx, tx;
};

static int submit(struct net_dev *net_dev, struct direction *way, struct net_request *request,
                  bool device_writes)
{
	const struct net *net = net_dev->chip;
	struct virtio_dev *dev = net->dev;
	int error = ERR_IO;
	spin_lock(&dev->lock);
	int chain = virtio_ring_next(&way->ring, request->nr_segments + 1);
	if (dev->state == VIRTIO_LIVE && chain < 0)
		error = ERR_BUSY;
	if (dev->state == VIRTIO_LIVE && chain >= 0) {
		struct virtio_net_header *header = &way->header[chain];
		*header = (struct virtio_net_header){0};
		const struct segment first = {PA((uintptr_t)header), net->header_bytes};
		const struct virtio_part parts[] = {
		        {&first, 1, device_writes},
		        {request->segments, request->nr_segments, device_writes},
		};
		error = virtio_ring_put(&way->ring, parts, ARRAY_SIZE(parts), request, timer_now());
		virtio_kick(dev, &way->ring);
	}
	spin_unlock(&dev->lock);
	return error < 0 ? error : 0;
}

static int net_tx(struct net_dev *net_dev, struct net_request *request)
{
	struct net *net = net_dev->chip;
	return submit(net_dev, &net->tx, request, false);
}

static int net_rx(struct net_dev *net_dev, struct net_request *request)
{
	struct net *net = net_dev->chip;
	return submit(net_dev, &net->rx, request, true);
}

// Takes what is over in one direction; whether there may be more.
static bool take(struct net *net, struct direction *way, bool received)
{
	struct virtio_dev *dev = net->dev;
	struct net_request *list = NULL, **last = &list;
	struct virtio_answer answer;
	unsigned taken = 0;
	int error;
	spin_lock(&dev->lock);
	while (taken < VIRTIO_A_POLL && virtio_take(dev, &way->ring, &answer, &error)) {
		struct net_request *request = answer.owner;
		// A frame without even its header's room filled is none.
		bool frame = received && error == 0 && answer.bytes > net->header_bytes;
		request->bytes = frame ? answer.bytes - net->header_bytes : 0;
		request->error = received && !frame ? ERR_IO : error;
		request->next = NULL;
		*last = request;
		last = &request->next;
		taken++;
	}
	spin_unlock(&dev->lock);
	while (list != NULL) {
		struct net_request *request = list;
		list = request->next;
		request->ops->done(request, request->error, request->bytes);
	}
	return taken == VIRTIO_A_POLL;
}

static bool poll(struct virtio_dev *dev)
{
	struct net *net = dev->chip;
	bool more = take(net, &net->tx, false);
	return take(net, &net->rx, true) || more;
}

static bool is_dead(const struct net_dev *net_dev)
{
	const struct net *net = net_dev->chip;
	return load_relaxed(&net->dev->state) != VIRTIO_LIVE;
}

static bool is_up(const struct net_dev *net_dev)
{
	const struct net *net = net_dev->chip;
	const struct virtio_dev *dev = net->dev;
	if (is_dead(net_dev))
		return false;
	return (dev->features & VIRTIO_NET_F_STATUS) == 0 ||
	       (virtio_config(dev, VIRTIO_NET_STATUS, 2) & VIRTIO_NET_LINK_UP) != 0;
}

static const struct net_driver driver = {
        .name = "virtio-net",
        .send = net_tx,
        .receive = net_rx,
        .is_up = is_up,
        .is_dead = is_dead,
};

static void read_net(struct net *net)
{
	const struct virtio_dev *dev = net->dev;
	net->header_bytes = dev->transport == &virtio_mmio_legacy ? VIRTIO_NET_HEADER_LEGACY
	                                                          : VIRTIO_NET_HEADER;
	net->net.has_mac = (dev->features & VIRTIO_NET_F_MAC) != 0;
	for (unsigned i = 0; net->net.has_mac && i < NET_MAC_SIZE; i++)
		net->net.mac[i] = (uint8_t)virtio_config(dev, VIRTIO_NET_MAC + i, 1);
	uint32_t mtu = MTU_DEFAULT;
	if ((dev->features & VIRTIO_NET_F_MTU) != 0)
		mtu = virtio_config(dev, VIRTIO_NET_MTU, 2);
	net->net.mtu = mtu < MTU_LEAST ? MTU_LEAST : mtu > MTU_MOST ? MTU_MOST : mtu;
}

static int start(struct virtio_dev *dev)
{
	struct net *net = virtio_memory(sizeof *net);
	if (net == NULL) {
		log_line("devices: no memory for the interface at %s: left alone", dev->where);
		return ERR_NO_MEMORY;
	}
	net->dev = dev;
	net->net.driver = &driver;
	net->net.chip = net;
	dev->chip = net;
	int error = virtio_begin(dev, WANTED);
	if (error == 0) {
		read_net(net);
		error = virtio_add_ring(dev, &net->rx.ring, VIRTIO_NET_RX, VIRTIO_RING_MAX);
	}
	if (error == 0)
		error = virtio_add_ring(dev, &net->tx.ring, VIRTIO_NET_TX, VIRTIO_RING_MAX);
	if (error != 0)
		return error;
	if (net_add(&net->net) != 0) {
		log_line("devices: the interface at %s: there are too many: left alone",
		         dev->where);
		return ERR_NO_MEMORY;
	}
	net->rx.ring.patient = true;
	dev->name = net->net.name;
	virtio_run(dev);
	const uint8_t *mac = net->net.mac;
	log_line("%s: %02x:%02x:%02x:%02x:%02x:%02x, virtio-net at %s %s", net->net.name, mac[0],
	         mac[1], mac[2], mac[3], mac[4], mac[5], dev->transport->name, dev->where);
	return 0;
}

const struct virtio_driver virtio_net = {
        .kind = VIRTIO_NET, .name = "virtio-net", .start = start, .poll = poll};
