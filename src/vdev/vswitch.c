// SPDX-License-Identifier: Apache-2.0
// Switches between VMs: who is where, and how a frame gets there. Called by the devices at the ports, on the CPU that sends.
// Owns the nets and their ports.
//
// A frame is copied once, by the sender's CPU, straight from the sender's buffers into the receiver's. Where it goes is
// decided once, as a set of ports; the set is worked off in pieces as the sender's purse allows.
// Where an address is: a port's own addresses come first and cannot be taken by anybody. Others are learned, in a table of
// single words, each of which is read and written in one: an address, its port, and when it was last seen. A port may
// have so many of them, and takes a place only from nobody, from itself, or from what was not seen for long.
// Invariant: behind a port's lock, `open` says whether `owner` may be used.
// Source: IEEE 802.1Q, "The Learning Process", "The Filtering Database", as to what a switch does.
#include "vdev/vswitch.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "base/string.h"
#include "hw/timer.h"
#include "mem/pages.h"
#include "vdev/vcapture.h"

#define PURSE_LEARN 300U
#define PURSE_LOOK  8U // at one port
#define PURSE_VISIT 100U

#define WAYS         4U   // places in the table that an address may have
#define MOST_LEARNED 32U  // addresses behind the port of a VM
#define MOST_UPLINK  192U // behind the one that leads to a net of others
#define AGE_MOST_S   300U // then an address counts as gone

#define BURST_MS    10U // what may be sent at once is what the limit allows in this time
#define BURST_LEAST KIB(64)

// An entry of the table: 0: none.
#define LEARNED_MAC  GENMASK_U64(47, 0)
#define LEARNED_PORT GENMASK_U64(53, 48)
STATIC_ASSERT(VSWITCH_PORTS == 64, "a set of ports is a word, and a port six bits");

struct vswitch {
	// Fixed after boot.
	const char *name, *uplink;
	bool anti_spoof;
	uint64_t limit;

	uint32_t nr_ports;                 // the highest that was ever in use + 1; atomically
	uint64_t learned[VSWITCH_LEARNED]; // atomically
	uint32_t seen[VSWITCH_LEARNED];    // seconds: when that was written last; atomically
	struct vswitch_port port[VSWITCH_PORTS];
};

static struct vswitch *nets[DESC_MAX_NETS];                  // fixed after boot
static struct spinlock attaching = SPINLOCK_INIT(LOCK_PORT); // who has which port

static void count(uint64_t *counter, uint64_t more)
{
	store_relaxed(counter, load_relaxed(counter) + more);
}

// ---- nets and ports ----

int vswitch_create(uint32_t number, const struct desc_net *from)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < sizeof(struct vswitch))
		order++;
	pa_t pages = pages_alloc(order, OWNER_EL2, PAGE_DATA, NULL);
	if (pages.v == 0)
		return ERR_NO_MEMORY;
	struct vswitch *net = (void *)(uintptr_t)pages.v;
	memset(net, 0, sizeof *net);
	net->name = from->name;
	net->uplink = from->uplink;
	net->anti_spoof = from->anti_spoof;
	net->limit = from->limit;
	for (unsigned i = 0; i < VSWITCH_PORTS; i++) {
		net->port[i].net = net;
		net->port[i].number = (uint8_t)i;
		net->port[i].lock = (struct spinlock)SPINLOCK_INIT(LOCK_PORT);
	}
	nets[number] = net;
	return 0;
}

// A free port of the net; NULL: none, or somebody has the address.
static struct vswitch_port *find_free(struct vswitch *net, uint64_t mac)
{
	struct vswitch_port *found = NULL;

	for (unsigned i = VSWITCH_PORTS; i-- > 0;) {
		if (load_relaxed(&net->port[i].in_use) == 0)
			found = &net->port[i];
		else if (mac != 0 && load_relaxed(&net->port[i].mac) == mac)
			return NULL;
	}
	return found;
}

struct vswitch_port *vswitch_attach(uint32_t number, const char *name, uint64_t mac, bool is_uplink,
                                    const struct vswitch_port_ops *ops, void *owner)
{
	struct vswitch *net = number < ARRAY_SIZE(nets) ? nets[number] : NULL;

	if (net == NULL)
		return NULL;
	spin_lock(&attaching);
	struct vswitch_port *port = find_free(net, mac);
	if (port != NULL) {
		string_copy(port->name, name, sizeof port->name);
		memset(&port->count, 0, sizeof port->count);
		port->free_at = 0;
		port->is_uplink = is_uplink;
		port->ops = ops;
		port->owner = owner;
		store_relaxed(&port->mac, mac);
		store_release(&port->in_use, 1);
		if (load_relaxed(&net->nr_ports) <= port->number)
			store_release(&net->nr_ports, port->number + 1U);
	}
	spin_unlock(&attaching);
	return port;
}

static uint32_t port_of(uint64_t entry)
{
	return (uint32_t)field_get(LEARNED_PORT, entry);
}

static void forget(struct vswitch *net, uint32_t number)
{
	for (unsigned i = 0; i < VSWITCH_LEARNED; i++) {
		uint64_t entry = load_relaxed(&net->learned[i]);
		if (entry != 0 && port_of(entry) == number)
			compare_exchange(&net->learned[i], &entry, 0);
	}
}

void vswitch_detach(struct vswitch_port *port)
{
	vswitch_close(port);
	vcapture_forget(port);
	store_relaxed(&port->mac, 0);
	forget(port->net, port->number);
	store_release(&port->in_use, 0);
}

static void set_open(struct vswitch_port *port, bool open)
{
	spin_lock(&port->lock);
	port->open = open;
	spin_unlock(&port->lock);
}

void vswitch_open(struct vswitch_port *port)
{
	set_open(port, true);
}

void vswitch_close(struct vswitch_port *port)
{
	set_open(port, false);
}

// ---- addresses ----

static uint32_t now_s(void)
{
	return (uint32_t)(timer_to_ms(timer_now()) / 1000);
}

// Whether place `i` of the table is free, or as good as that.
static bool is_gone(const struct vswitch *net, uint32_t i, uint32_t now)
{
	return load_relaxed(&net->learned[i]) == 0 ||
	       now - load_relaxed(&net->seen[i]) > AGE_MOST_S;
}

// Where in the table an address may be: WAYS places from here on.
static uint32_t places_of(uint64_t mac)
{
	uint64_t mixed =
	        mac * UINT64_C(0x9e3779b97f4a7c15); // spreads near numbers over the high bits
	return (uint32_t)(mixed >> 56) % (VSWITCH_LEARNED / WAYS) * WAYS;
}

// The port that an address belongs to; VSWITCH_PORTS: nobody knows.
static uint32_t owner_of(struct vswitch *net, uint64_t mac, struct vvirtio_work *work)
{
	uint32_t nr_ports = load_acquire(&net->nr_ports);

	vvirtio_spend(work, PURSE_LOOK * nr_ports);
	for (uint32_t i = 0; i < nr_ports; i++)
		if (load_relaxed(&net->port[i].mac) == mac && mac != 0)
			return i;
	return VSWITCH_PORTS;
}

static uint32_t find(struct vswitch *net, uint64_t mac, struct vvirtio_work *work)
{
	uint32_t owner = owner_of(net, mac, work), now = now_s(), first = places_of(mac);

	for (uint32_t i = first; i < first + WAYS && owner == VSWITCH_PORTS; i++) {
		uint64_t entry = load_relaxed(&net->learned[i]);
		if ((entry & LEARNED_MAC) == mac && !is_gone(net, i, now))
			owner = port_of(entry);
	}
	return owner;
}

static bool has_room(const struct vswitch *net, const struct vswitch_port *port, uint32_t now)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < VSWITCH_LEARNED; i++)
		found += !is_gone(net, i, now) &&
		         port_of(load_relaxed(&net->learned[i])) == port->number;
	return found < (port->is_uplink ? MOST_UPLINK : MOST_LEARNED);
}

// Two CPUs that learn at once may both write an address, or lose one: the next frame puts it right.
static void learn(struct vswitch *net, const struct vswitch_port *port, uint64_t mac,
                  struct vvirtio_work *work)
{
	uint32_t first = places_of(mac), now = now_s(), none = VSWITCH_LEARNED;
	uint32_t place = none, free = none, own = none;
	uint64_t entry = mac | field_put(LEARNED_PORT, port->number);

	if (owner_of(net, mac, work) != VSWITCH_PORTS)
		return;
	for (uint32_t i = first; i < first + WAYS && place == none; i++) {
		uint64_t there = load_relaxed(&net->learned[i]);
		if ((there & LEARNED_MAC) == mac)
			place = i;
		else if (is_gone(net, i, now))
			free = i;
		else if (port_of(there) == port->number)
			own = i;
	}
	if (place == none) {
		vvirtio_spend(work, VSWITCH_LEARNED * PURSE_LOOK);
		place = free != none && has_room(net, port, now) ? free : own;
	}
	if (place == none)
		return;
	if (load_relaxed(&net->seen[place]) != now)
		store_relaxed(&net->seen[place], now);
	if (load_relaxed(&net->learned[place]) != entry)
		store_relaxed(&net->learned[place], entry);
}

// ---- frames ----

bool vswitch_may_send(struct vswitch_port *port, uint32_t size, uint64_t *when)
{
	uint64_t limit = port->net->limit, now = timer_now();

	if (limit == 0)
		return true;
	uint64_t second = timer_from_us(1000000), least = BURST_LEAST * second / limit;
	uint64_t burst = second * BURST_MS / 1000;
	burst = burst > least ? burst : least;
	if (port->free_at > now + burst) {
		*when = port->free_at - burst;
		return false;
	}
	port->free_at = (port->free_at > now ? port->free_at : now) + size * second / limit;
	return true;
}

// Where a frame goes. 0: nowhere.
static uint64_t choose(struct vswitch_port *from, const struct vframe *frame,
                       struct vvirtio_work *work)
{
	struct vswitch *net = from->net;
	uint32_t nr_ports = load_acquire(&net->nr_ports);
	uint64_t all = nr_ports == VSWITCH_PORTS ? UINT64_MAX : BIT_U64(nr_ports) - 1;

	vvirtio_spend(work, PURSE_LEARN);
	if (!net->anti_spoof || from->is_uplink)
		learn(net, from, frame->from, work);
	if ((frame->to & VFRAME_MULTICAST) == 0) {
		uint32_t port = find(net, frame->to, work);
		if (port != VSWITCH_PORTS)
			all = BIT_U64(port);
	}
	return all & ~BIT_U64(from->number);
}

bool vswitch_is_strict(const struct vswitch_port *port)
{
	return port->net->anti_spoof;
}

void vswitch_lost(struct vswitch_port *port, enum vswitch_outcome why)
{
	count(&port->count.lost[why], 1);
}

// Under its lock.
static enum vswitch_outcome visit(struct vswitch_port *port, struct vframe *frame,
                                  struct vswitch_journey *journey, struct vvirtio_work *work)
{
	enum vswitch_outcome outcome =
	        port->ops->deliver(port->owner, frame, &journey->progress, work);

	if (outcome == VSWITCH_MORE || outcome == VSWITCH_DONE)
		journey->tell |= BIT_U64(port->number);
	if (outcome == VSWITCH_DONE) {
		count(&port->count.got, 1);
		count(&port->count.got_bytes, frame->size);
		vcapture_frame(port, frame);
	} else if (outcome > VSWITCH_NOT_WANTED) {
		vswitch_lost(port, outcome);
	}
	return outcome;
}

bool vswitch_send(struct vswitch_port *from, struct vframe *frame, struct vswitch_journey *journey,
                  struct vvirtio_work *work)
{
	struct vswitch *net = from->net;

	if (!journey->begun) {
		if (net->anti_spoof && !from->is_uplink &&
		    !vframe_is_from(frame, load_relaxed(&from->mac))) {
			vswitch_lost(from, VSWITCH_SPOOFED);
			return true;
		}
		count(&from->count.sent, 1);
		count(&from->count.sent_bytes, frame->size);
		vcapture_frame(from, frame);
		journey->begun = true;
		journey->left = choose(from, frame, work);
		journey->progress.begun = false;
	}
	while (journey->left != 0) {
		if (!vvirtio_may(work))
			return false;
		struct vswitch_port *port = &net->port[__builtin_ctzll(journey->left)];
		vvirtio_spend(work, PURSE_VISIT);
		spin_lock(&port->lock);
		bool more = port->open && visit(port, frame, journey, work) == VSWITCH_MORE;
		spin_unlock(&port->lock);
		if (more)
			return false;
		journey->left &= journey->left - 1;
		journey->progress.begun = false;
	}
	journey->begun = false;
	return true;
}

void vswitch_tell(struct vswitch_port *from, struct vswitch_journey *journey)
{
	for (uint64_t left = journey->tell; left != 0; left &= left - 1) {
		struct vswitch_port *port = &from->net->port[__builtin_ctzll(left)];
		spin_lock(&port->lock);
		if (port->open)
			port->ops->tell(port->owner);
		spin_unlock(&port->lock);
	}
	journey->tell = 0;
}

// ---- for the shell ----

static struct vswitch *net_of(uint32_t net)
{
	return net < ARRAY_SIZE(nets) ? nets[net] : NULL;
}

const char *vswitch_name(uint32_t number)
{
	const struct vswitch *net = net_of(number);
	return net != NULL ? net->name : NULL;
}

bool vswitch_info(uint32_t number, struct vswitch_info *info)
{
	const struct vswitch *net = net_of(number);
	uint32_t now = now_s();

	if (net == NULL)
		return false;
	*info = (struct vswitch_info){net->anti_spoof, net->limit, net->uplink, 0};
	for (unsigned i = 0; i < VSWITCH_LEARNED; i++)
		info->learned += !is_gone(net, i, now);
	return true;
}

const struct vswitch_port *vswitch_port_from(uint32_t net, uint32_t number)
{
	const struct vswitch *of = net_of(net);

	for (; of != NULL && number < VSWITCH_PORTS; number++)
		if (load_acquire(&of->port[number].in_use) != 0)
			return &of->port[number];
	return NULL;
}

const struct vswitch_port *vswitch_find_port(const char *name)
{
	for (uint32_t net = 0; net < ARRAY_SIZE(nets); net++)
		for (uint32_t i = 0; nets[net] != NULL && i < load_acquire(&nets[net]->nr_ports);
		     i++)
			if (load_acquire(&nets[net]->port[i].in_use) != 0 &&
			    strcmp(nets[net]->port[i].name, name) == 0)
				return &nets[net]->port[i];
	return NULL;
}

bool vswitch_port_is_open(const struct vswitch_port *port)
{
	return load_relaxed(&port->open);
}
