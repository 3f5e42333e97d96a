// SPDX-License-Identifier: Apache-2.0
// The control queue of the network device, and the filter that it sets. Owns net->rx.filter, under the port's lock; called
// by vvirtio_net.c for commands, and by vvirtio_net_rx.c for each frame.
//
// Invariant: a command that is not complete, or names what was not agreed on, changes nothing and is answered with an
// error.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Network Device", "Control Virtqueue".
#include "base/string.h"
#include "vdev/vvirtio_net_state.h"

#define COST_COMMAND 300U
#define LONGEST      KIB(64) // command: 10,000 addresses

// ---- the filter ----

void net_filter_reset(struct net *net, uint64_t features)
{
	struct net_filter *filter = &net->rx.filter;

	memset(filter, 0, sizeof *filter);
	filter->mac = net->mac;
	filter->by_vlan = (features & VIRTIO_NET_F_CTRL_VLAN) != 0;
	filter->mode[VIRTIO_NET_RX_PROMISC] = true; // until the driver says otherwise
}

static bool lists(const uint64_t *list, uint32_t count, uint64_t mac)
{
	for (uint32_t i = 0; i < count; i++)
		if (list[i] == mac)
			return true;
	return false;
}

bool net_filter_takes(const struct net_filter *filter, const struct vframe *frame)
{
	const bool *mode = filter->mode;

	if (mode[VIRTIO_NET_RX_PROMISC])
		return true;
	if (filter->by_vlan && frame->vlan != VFRAME_NO_VLAN &&
	    (filter->vlan[frame->vlan / 64] & BIT_U64(frame->vlan % 64)) == 0)
		return false;
	if (frame->to == VFRAME_BROADCAST)
		return !mode[VIRTIO_NET_RX_NOBCAST];
	if ((frame->to & VFRAME_MULTICAST) != 0)
		return !mode[VIRTIO_NET_RX_NOMULTI] &&
		       (mode[VIRTIO_NET_RX_ALLMULTI] || filter->too_many_multicast ||
		        lists(filter->multicast, filter->nr_multicast, frame->to));
	return !mode[VIRTIO_NET_RX_NOUNI] &&
	       (mode[VIRTIO_NET_RX_ALLUNI] || filter->too_many_unicast ||
	        frame->to == filter->mac || lists(filter->unicast, filter->nr_unicast, frame->to));
}

// ---- commands ----

// A command being read.
struct command {
	struct net *net;
	const struct vvirtqueue_chain *chain;
	struct vvirtio_place place;
	struct vvirtio_work *work;
	uint64_t left; // bytes of it
};

static bool read(struct command *command, void *to, size_t size)
{
	if (command->left < size)
		return false;
	command->left -= size;
	return vvirtio_from_guest(&command->net->dev, command->chain, &command->place, to, size,
	                          command->work) == size;
}

static bool set_mode(struct command *command, uint8_t which)
{
	struct net *net = command->net;
	uint64_t wanted =
	        which <= VIRTIO_NET_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX : VIRTIO_NET_F_CTRL_RX_EXTRA;
	uint8_t on;

	if (which >= VIRTIO_NET_RX_MODES || !vvirtio_has(&net->dev, wanted) ||
	    !read(command, &on, sizeof on))
		return false;
	spin_lock(&net->port->lock);
	net->rx.filter.mode[which] = on != 0;
	spin_unlock(&net->port->lock);
	return true;
}

// One half of a table: as many addresses as there is room for.
static bool read_addresses(struct command *command, uint64_t *list, uint32_t room, uint32_t *count,
                           bool *too_many)
{
	uint32_t said;
	uint8_t bytes[VFRAME_ALEN];

	if (!read(command, &said, sizeof said) || said > command->left / VFRAME_ALEN)
		return false;
	*too_many = said > room;
	*count = *too_many ? 0 : said;
	for (uint32_t i = 0; i < *count; i++) {
		if (!read(command, bytes, sizeof bytes))
			return false;
		list[i] = vframe_mac(bytes);
	}
	if (*too_many) {
		vvirtio_skip(command->chain, &command->place, (uint64_t)said * VFRAME_ALEN);
		command->left -= (uint64_t)said * VFRAME_ALEN;
	}
	return true;
}

static bool set_table(struct command *command)
{
	struct net *net = command->net;
	struct net_filter read;

	if (!read_addresses(command, read.unicast, NET_UNICAST, &read.nr_unicast,
	                    &read.too_many_unicast) ||
	    !read_addresses(command, read.multicast, NET_MULTICAST, &read.nr_multicast,
	                    &read.too_many_multicast))
		return false;
	spin_lock(&net->port->lock);
	struct net_filter *filter = &net->rx.filter;
	filter->nr_unicast = read.nr_unicast;
	filter->nr_multicast = read.nr_multicast;
	filter->too_many_unicast = read.too_many_unicast;
	filter->too_many_multicast = read.too_many_multicast;
	memcpy(filter->unicast, read.unicast, read.nr_unicast * sizeof read.unicast[0]);
	memcpy(filter->multicast, read.multicast, read.nr_multicast * sizeof read.multicast[0]);
	spin_unlock(&net->port->lock);
	return true;
}

// On a net that keeps addresses to their ports the driver may only set the one that it has.
static bool set_address(struct command *command)
{
	struct net *net = command->net;
	uint8_t bytes[VFRAME_ALEN];

	if (!vvirtio_has(&net->dev, VIRTIO_NET_F_CTRL_MAC_ADDR) ||
	    !read(command, bytes, sizeof bytes))
		return false;
	uint64_t mac = vframe_mac(bytes);
	if (mac == 0 || (mac & VFRAME_MULTICAST) != 0 ||
	    (vswitch_is_strict(net->port) && mac != net->mac))
		return false;
	memcpy(net->config + VIRTIO_NET_MAC, bytes, sizeof bytes);
	spin_lock(&net->port->lock);
	net->rx.filter.mac = mac;
	spin_unlock(&net->port->lock);
	return true;
}

static bool set_vlan(struct command *command, uint8_t what)
{
	struct net *net = command->net;
	uint16_t id;

	if (what > VIRTIO_NET_VLAN_DEL || !vvirtio_has(&net->dev, VIRTIO_NET_F_CTRL_VLAN) ||
	    !read(command, &id, sizeof id) || id >= NET_VLANS)
		return false;
	spin_lock(&net->port->lock);
	uint64_t *word = &net->rx.filter.vlan[id / 64];
	if (what == VIRTIO_NET_VLAN_ADD)
		*word |= BIT_U64(id % 64);
	else
		*word &= ~BIT_U64(id % 64);
	spin_unlock(&net->port->lock);
	return true;
}

static bool set_pairs(struct command *command)
{
	struct net *net = command->net;
	uint16_t pairs;

	if (!vvirtio_has(&net->dev, VIRTIO_NET_F_MQ) || !read(command, &pairs, sizeof pairs) ||
	    pairs < 1 || pairs > net->max_pairs)
		return false;
	spin_lock(&net->port->lock);
	net->rx.pairs = pairs;
	spin_unlock(&net->port->lock);
	return true;
}

static bool obey(struct command *command)
{
	uint8_t what[2]; // class, command

	if (!read(command, what, sizeof what))
		return false;
	switch (what[0]) {
	case VIRTIO_NET_CTRL_RX: return set_mode(command, what[1]);
	case VIRTIO_NET_CTRL_MAC:
		if (what[1] == VIRTIO_NET_MAC_TABLE_SET)
			return vvirtio_has(&command->net->dev, VIRTIO_NET_F_CTRL_RX) &&
			       set_table(command);
		return what[1] == VIRTIO_NET_MAC_ADDR_SET && set_address(command);
	case VIRTIO_NET_CTRL_VLAN: return set_vlan(command, what[1]);
	case VIRTIO_NET_CTRL_MQ: return what[1] == VIRTIO_NET_MQ_PAIRS_SET && set_pairs(command);
	default: return false;
	}
}

bool net_control_work(struct net *net, unsigned queue, struct vvirtio_work *work)
{
	const struct vvirtqueue_chain *chain;

	while (vvirtio_may(work) && (chain = vvirtio_chain(&net->dev, queue, work)) != NULL) {
		struct command command = {
		        .net = net,
		        .chain = chain,
		        .place = vvirtio_readable(chain),
		        .work = work,
		        .left = chain->bytes_read,
		};
		struct vvirtio_place place = vvirtio_writable(chain);
		if (!vvirtio_warm(&net->dev, chain, command.place, LONGEST, work) ||
		    !vvirtio_warm(&net->dev, chain, place, sizeof(uint8_t), work))
			return false;
		uint8_t ack =
		        command.left <= LONGEST && obey(&command) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
		vvirtio_spend(work, COST_COMMAND);
		vvirtio_give(&net->dev, queue,
		             (uint32_t)vvirtio_to_guest(&net->dev, chain, &place, &ack, sizeof ack,
		                                        work));
	}
	return vvirtio_may(work);
}
