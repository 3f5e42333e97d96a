// SPDX-License-Identifier: Apache-2.0
// The board's network interfaces, by name. Owns the list of them; called by their drivers at boot, then by whoever sends
// and receives.
// Invariant: what reaches a driver is a frame that the device may send, or room for the longest that may come.
// Source: IEEE Std 802.3, "MAC frame format"; 802.1Q for the tag.
#include "hw/net.h"

#include "base/print.h"
#include "base/string.h"

static struct net_dev *nets[NET_MAX_DEVICES];
static unsigned nr_nets; // fixed after boot

int net_add(struct net_dev *dev)
{
	if (nr_nets == NET_MAX_DEVICES)
		return ERR_NO_MEMORY;
	print_buffer(dev->name, sizeof dev->name, "net%u", nr_nets);
	nets[nr_nets++] = dev;
	return 0;
}

struct net_dev *net_get(unsigned index)
{
	return index < nr_nets ? nets[index] : NULL;
}

struct net_dev *net_find(const char *name)
{
	for (unsigned i = 0; i < nr_nets; i++)
		if (strcmp(nets[i]->name, name) == 0)
			return nets[i];
	return NULL;
}

// The bytes of all segments; 0: they will not do.
static uint64_t segment_bytes(const struct net_request *request)
{
	uint64_t bytes = 0;
	if (request->nr_segments == 0 || request->nr_segments > NET_MAX_SEGMENTS)
		return 0;
	for (unsigned i = 0; i < request->nr_segments; i++) {
		if (request->segments[i].bytes == 0)
			return 0;
		bytes += request->segments[i].bytes;
	}
	return bytes;
}

int net_send(struct net_dev *dev, struct net_request *request)
{
	uint64_t bytes = segment_bytes(request);
	if (bytes < NET_HEADER || bytes > NET_HEADER + NET_TAG + dev->mtu)
		return ERR_INVALID;
	return dev->driver->send(dev, request);
}

int net_receive(struct net_dev *dev, struct net_request *request)
{
	uint64_t bytes = segment_bytes(request);
	if (bytes < NET_HEADER + NET_TAG + dev->mtu || bytes > UINT32_MAX / 2)
		return ERR_INVALID;
	return dev->driver->receive(dev, request);
}

bool net_is_up(const struct net_dev *dev)
{
	return dev->driver->is_up(dev);
}

bool net_is_dead(const struct net_dev *dev)
{
	return dev->driver->is_dead(dev);
}
