// SPDX-License-Identifier: Apache-2.0
// The virtio network device: what its driver sends goes to a switch, what the switch has for it comes to its buffers
// (vvirtio_net_rx.c). Owns a VM's interfaces; called by vvirtio.c, under the device's lock.
//
// A frame is in hand until it has been everywhere, or nowhere: its sender's buffer goes back then. On a net with a limit it
// stays in hand until it may go.
// Invariant: the port is open only while the driver is ready, and then what net->rx says is what the driver agreed on.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Network Device".
#include "vdev/vvirtio_net.h"

#include "base/print.h"
#include "base/string.h"
#include "hw/timer.h"
#include "vdev/vvirtio_net_state.h"
#include "vm/vm.h"

#define QUEUE_SIZE 256

// A driver that notifies again and again is not asked to any more: its queue is looked at a little later, as long as that
// finds more than one frame.
#define POLL_US     50
#define POLL_STREAK 8 // notifications, each so soon after the last one
#define POLL_LEAST  2 // frames

#define GUEST_OFFLOADS (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN)
#define FEATURES                                                                             \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC | \
	 GUEST_OFFLOADS | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 |                  \
	 VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_STATUS |              \
	 VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_VLAN |              \
	 VIRTIO_NET_F_CTRL_RX_EXTRA | VIRTIO_NET_F_CTRL_MAC_ADDR)

static struct net *net_of(struct vvirtio *dev)
{
	return (struct net *)dev;
}

// ---- sending ----

static enum vswitch_outcome outcome_of(enum vframe_fault fault)
{
	return fault == VFRAME_LONG     ? VSWITCH_TOO_LONG
	       : fault == VFRAME_SOURCE ? VSWITCH_SPOOFED
	                                : VSWITCH_MALFORMED;
}

// Sends what the queue has in hand as far as possible. False: it stays in hand.
static bool send(struct net *net, unsigned queue, const struct vvirtqueue_chain *chain,
                 struct vvirtio_work *work, bool *waits)
{
	struct net_tx *tx = &net->tx[queue / 2];

	if (!tx->has_frame) {
		uint64_t when;
		// Copying finds nothing to be filled then, here or at a receiver.
		if (!vvirtio_warm(&net->dev, chain, vvirtio_readable(chain),
		                  net->header_size + VFRAME_LARGEST, work))
			return false;
		enum vframe_fault fault =
		        vframe_read(&tx->frame, &net->dev, chain, net->header_size,
		                    net->dev.driver_features, work);
		if (fault != VFRAME_OK) {
			vswitch_lost(net->port, outcome_of(fault));
			return true;
		}
		if (!vswitch_may_send(net->port, tx->frame.size, &when)) {
			alarm_set(net->dev.vm, net->alarm, when);
			*waits = true;
			return false;
		}
		tx->has_frame = true;
		tx->life = net->dev.queue[queue].life;
	}
	tx->has_frame = !vswitch_send(net->port, &tx->frame, &tx->journey, work);
	return !tx->has_frame;
}

// What the driver is to do about the next frames, after `sent` were found.
static void watch(struct net *net, unsigned queue, unsigned sent)
{
	struct net_tx *tx = &net->tx[queue / 2];
	uint64_t now = timer_now(), soon = timer_from_us(POLL_US);

	if (!tx->polls)
		tx->streak = sent != 0 && now - tx->last < soon ? tx->streak + 1 : 0;
	else if (sent < POLL_LEAST)
		tx->streak = 0;
	tx->polls = tx->streak >= POLL_STREAK;
	tx->last = now;
	vvirtio_deafen(&net->dev, queue, tx->polls);
	if (tx->polls)
		alarm_set(net->dev.vm, net->alarm, now + soon);
}

static bool send_work(struct net *net, unsigned queue, struct vvirtio_work *work)
{
	struct net_tx *tx = &net->tx[queue / 2];
	const struct vvirtqueue_chain *chain;
	bool waits = false, stays = false;
	unsigned sent = 0;

	if (tx->has_frame && tx->life != net->dev.queue[queue].life) // the driver stopped it
		tx->has_frame = tx->journey.begun = false;
	while (!stays && vvirtio_may(work) &&
	       (chain = vvirtio_chain(&net->dev, queue, work)) != NULL) {
		stays = !send(net, queue, chain, work, &waits);
		if (stays)
			continue;
		vvirtio_give(&net->dev, queue, 0);
		sent++;
	}
	vswitch_tell(net->port, &tx->journey);
	if (waits)
		return true;
	// A large frame stays although there is time, if not for all of it: nobody but the next purse sends it.
	if (stays || !vvirtio_may(work))
		return false;
	watch(net, queue, sent);
	return true;
}

// The driver has put buffers there, about which nobody needs to be told; or somebody who sent found nonsense.
static void receive_work(struct net *net, unsigned queue)
{
	const char *why;

	spin_lock(&net->port->lock);
	vvirtqueue_ignore(&net->dev.queue[queue].ring);
	why = net->rx.why;
	net->rx.why = NULL;
	spin_unlock(&net->port->lock);
	if (why != NULL)
		vvirtio_broken(&net->dev, "queue %u %s", net->rx.broken, why);
}

static bool net_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct net *net = net_of(dev);

	if (queue == net->control)
		return net_control_work(net, queue, work);
	if (queue % 2 != 0)
		return send_work(net, queue, work);
	receive_work(net, queue);
	return true;
}

// What was held back may go now.
static void alarm_due(void *opaque)
{
	struct net *net = opaque;
	uint32_t all = 0;

	for (unsigned pair = 0; pair < net->max_pairs; pair++)
		all |= BIT_U32(NET_TX(pair));
	vvirtio_wake(&net->dev, all);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

// ---- life ----

// What the driver takes of frames that are not as on a wire: each feature without those that it needs counts as not taken.
static uint64_t takes(uint64_t features)
{
	uint64_t needed = VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6;

	if ((features & VIRTIO_NET_F_GUEST_CSUM) == 0)
		return 0;
	return features & GUEST_OFFLOADS & ~((features & needed) == 0 ? VIRTIO_NET_F_GUEST_ECN : 0);
}

static void net_begin(struct vvirtio *dev)
{
	struct net *net = net_of(dev);
	uint64_t features = dev->driver_features;
	bool merges = vvirtio_has(dev, VIRTIO_NET_F_MRG_RXBUF);
	bool many = vvirtio_has(dev, VIRTIO_NET_F_MQ) && vvirtio_has(dev, VIRTIO_NET_F_CTRL_VQ);
	unsigned pairs = many ? net->max_pairs : 1;

	net->header_size = dev->legacy && !merges ? VIRTIO_NET_HEADER_LEGACY : VIRTIO_NET_HEADER;
	net->control = vvirtio_has(dev, VIRTIO_NET_F_CTRL_VQ) ? 2 * pairs : NET_QUEUES;
	for (unsigned pair = 0; pair < pairs; pair++)
		dev->shared |= BIT_U32(NET_RX(pair));
	spin_lock(&net->port->lock);
	net->rx.header_size = net->header_size;
	net->rx.merges = merges;
	net->rx.takes_partial = vvirtio_has(dev, VIRTIO_NET_F_GUEST_CSUM);
	net->rx.takes = takes(features);
	net->rx.pairs = 1;
	net->rx.tell = 0;
	net->rx.why = NULL;
	net_filter_reset(net, features);
	spin_unlock(&net->port->lock);
	vswitch_open(net->port);
}

static void net_close(struct vvirtio *dev)
{
	vswitch_close(net_of(dev)->port);
}

// Who copies into its buffers looks them up under the port's lock.
static void net_pass(struct vvirtio *dev)
{
	struct net *net = net_of(dev);

	spin_lock(&net->port->lock);
	spin_unlock(&net->port->lock);
}

static void net_reset(struct vvirtio *dev)
{
	struct net *net = net_of(dev);

	for (unsigned pair = 0; pair < NET_PAIRS; pair++) {
		struct net_tx *tx = &net->tx[pair];
		tx->has_frame = tx->polls = false;
		tx->streak = 0;
		tx->journey = (struct vswitch_journey){.begun = false};
		vvirtio_deafen(dev, NET_TX(pair), false);
	}
	net->control = NET_QUEUES;
	vframe_put_mac(net->config + VIRTIO_NET_MAC, net->mac);
	alarm_set(dev->vm, net->alarm, TIMER_NEVER);
}

static const struct vvirtio_ops one_pair = {
        .name = "virtio-net",
        .id = VIRTIO_NET,
        .features = FEATURES,
        .queue_size = QUEUE_SIZE,
        .work = net_work,
        .begin = net_begin,
        .close = net_close,
        .pass = net_pass,
        .reset = net_reset,
};
static const struct vvirtio_ops many_pairs = {
        .name = "virtio-net",
        .id = VIRTIO_NET,
        .features = FEATURES | VIRTIO_NET_F_MQ,
        .queue_size = QUEUE_SIZE,
        .work = net_work,
        .begin = net_begin,
        .close = net_close,
        .pass = net_pass,
        .reset = net_reset,
};

static void set_config(struct net *net)
{
	const uint16_t status = VIRTIO_NET_LINK_UP, pairs = (uint16_t)net->max_pairs,
	               mtu = VFRAME_MTU;

	vframe_put_mac(net->config + VIRTIO_NET_MAC, net->mac);
	memcpy(net->config + VIRTIO_NET_STATUS, &status, sizeof status);
	memcpy(net->config + VIRTIO_NET_PAIRS, &pairs, sizeof pairs);
	memcpy(net->config + VIRTIO_NET_MTU, &mtu, sizeof mtu);
}

static int create_one(struct vm *vm, unsigned n)
{
	struct net *net = vm_alloc(vm, sizeof *net);
	char name[VSWITCH_NAME];

	if (net == NULL)
		return ERR_NO_MEMORY;
	net->mac = vframe_mac(vm->nic.mac[n]);
	net->max_pairs = vm->nr_vcpus < NET_PAIRS ? vm->nr_vcpus : NET_PAIRS;
	net->alarm = alarm_add(vm, &alarm_ops, net);
	if (net->alarm < 0)
		return net->alarm;
	net->dev.queue = net->queue;
	net->dev.nr_queues = (uint8_t)(2 * net->max_pairs + 1);
	net->dev.config = net->config;
	net->dev.config_size = sizeof net->config;
	set_config(net);
	print_buffer(name, sizeof name, "%s.net%u", vm->name, n);
	net->port = vswitch_attach(vm->nic.net[n], name, net->mac, false, &net_port_ops, net);
	if (net->port == NULL)
		return ERR_BUSY;
	vm->nic.port[n] = net->port;
	return vvirtio_add(vm, &net->dev, net->max_pairs > 1 ? &many_pairs : &one_pair);
}

int vvirtio_net_create(struct vm *vm)
{
	int error = 0;

	for (unsigned n = 0; n < vm->nic.count && error == 0; n++)
		error = create_one(vm, n);
	return error;
}

void vvirtio_net_destroy(struct vm *vm)
{
	for (unsigned n = 0; n < vm->nic.count; n++) {
		if (vm->nic.port[n] != NULL)
			vswitch_detach(vm->nic.port[n]);
		vm->nic.port[n] = NULL;
	}
}

// A frame in hand is not named: until it has gone its buffer is in the ring, and is read anew. Nor is what follows from the
// features that were agreed on.
static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct net, config),
        VSTATE_FIELD(struct net, rx.takes),
        VSTATE_FIELD(struct net, rx.pairs),
        VSTATE_ARRAY(struct net, rx.filter.mode),
        VSTATE_FIELD(struct net, rx.filter.by_vlan),
        VSTATE_FIELD(struct net, rx.filter.too_many_unicast),
        VSTATE_FIELD(struct net, rx.filter.too_many_multicast),
        VSTATE_FIELD(struct net, rx.filter.nr_unicast),
        VSTATE_FIELD(struct net, rx.filter.nr_multicast),
        VSTATE_FIELD(struct net, rx.filter.mac),
        VSTATE_ARRAY(struct net, rx.filter.unicast),
        VSTATE_ARRAY(struct net, rx.filter.multicast),
        VSTATE_ARRAY(struct net, rx.filter.vlan),
};

const struct vstate vvirtio_net_state = {"virtio-net", fields, ARRAY_SIZE(fields), NULL};
