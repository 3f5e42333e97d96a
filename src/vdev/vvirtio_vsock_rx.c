// SPDX-License-Identifier: Apache-2.0
// The receiving half of the socket device: packets are put into the driver's buffers by the CPU of whoever sends them; and
// which connections there are. Owns the receive queue and the links under the port's lock; called by vvirtio_vsock.c.
//
// A link is kept at both ends from REQUEST to RST, for one purpose: when a device is gone, those at the other ends of its
// connections are told by RST. Each end finds that out itself, by the other's `life`, when it is asked to look. Data is not
// compared with links: a driver knows its own connections.
// Invariant: behind a port's lock, `open` says whether the receive queue may be used. Never two ports' locks at a time.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Socket Device", "Device Operation".
#include "arm/cache.h"
#include "base/atomic.h"
#include "fdt/desc.h"
#include "vdev/vvirtio_vsock_state.h"
#include "vm/vm.h"

#define MOST_SEGMENTS 16U // of a receive buffer
#define COST_BUFFER   400U
#define COST_SEGMENT  40U
#define COST_LINK     6U
#define COST_FIND     60U

static uint16_t
        owners[DESC_CID_MAX + 1]; // the number of the VM with this context; 0: none; atomically
static uint64_t lives;            // atomically

STATIC_ASSERT(VSOCK_CID_MADE == DESC_CID_MAX + 1,
              "contexts that are given come before those that are made");
STATIC_ASSERT(VM_MAX <= UINT16_MAX, "the number of a VM fits");

// ---- contexts ----

void vsock_claim(uint32_t cid, uint32_t vm_id)
{
	if (cid <= DESC_CID_MAX)
		store_release(&owners[cid], (uint16_t)vm_id);
}

void vsock_yield(uint32_t cid, uint32_t vm_id)
{
	uint16_t old = (uint16_t)vm_id;

	if (cid <= DESC_CID_MAX)
		(void)compare_exchange(&owners[cid], &old, 0);
}

struct vsock *vsock_find(uint64_t cid)
{
	if (cid > VSOCK_CID_MADE + VM_MAX)
		return NULL;
	const struct vm *vm = vm_by_id(cid <= DESC_CID_MAX ? load_acquire(&owners[cid])
	                                                   : (uint32_t)cid - VSOCK_CID_MADE);
	return vm != NULL && vm->vsock != NULL && vm->vsock->cid == cid ? vm->vsock : NULL;
}

// ---- links; under the port's lock, or that of the device while the port is closed ----

static struct vsock_link *find_link(struct vsock *self, uint32_t local_port, uint32_t cid,
                                    uint32_t peer_port)
{
	uint32_t seen = 0;

	for (uint32_t i = 0; i < VSOCK_LINKS && seen < self->nr_links; i++) {
		struct vsock_link *link = &self->link[i];
		if (link->state == VSOCK_FREE)
			continue;
		if (link->local_port == local_port && link->peer_port == peer_port &&
		    link->peer_cid == cid)
			return link;
		seen++;
	}
	return NULL;
}

// One for a new connection; one that was asked for and not answered yet gives way. NULL: there are too many.
static struct vsock_link *new_link(struct vsock *self)
{
	struct vsock_link *victim = NULL;

	for (uint32_t i = 0; i < VSOCK_LINKS; i++) {
		uint32_t n = (self->next_victim + i) % VSOCK_LINKS;
		struct vsock_link *link = &self->link[n];
		if (link->state == VSOCK_FREE) {
			store_relaxed(&self->nr_links, self->nr_links + 1);
			return link;
		}
		if (link->state == VSOCK_ASKED && victim == NULL)
			victim = link;
	}
	if (victim != NULL)
		self->next_victim = (uint32_t)(victim - self->link) + 1;
	return victim;
}

static void forget(struct vsock *self, struct vsock_link *link)
{
	if (link == NULL)
		return;
	link->state = VSOCK_FREE;
	store_relaxed(&self->nr_links, self->nr_links - 1);
}

// Before a packet that is about connections is put anywhere: the end at `self` must allow it. False: it does not.
static bool prepare(struct vsock *self, uint16_t op, uint32_t local_port, uint32_t cid,
                    uint32_t peer_port, uint64_t peer_life)
{
	struct vsock_link *link = find_link(self, local_port, cid, peer_port);

	if (op == VIRTIO_VSOCK_OP_RESPONSE)
		return link != NULL;
	if (op != VIRTIO_VSOCK_OP_REQUEST)
		return true;
	if (link == NULL)
		link = new_link(self);
	if (link == NULL)
		return false;
	*link = (struct vsock_link){VSOCK_ASKED, local_port, peer_port, cid, peer_life};
	return true;
}

// And after it: it was put there, or refused.
static void settle(struct vsock *self, uint16_t op, uint32_t local_port, uint32_t cid,
                   uint32_t peer_port, enum vsock_outcome outcome)
{
	struct vsock_link *link = find_link(self, local_port, cid, peer_port);

	if (outcome == VSOCK_REFUSED || (outcome == VSOCK_DONE && op == VIRTIO_VSOCK_OP_RST))
		forget(self, link);
	else if (outcome == VSOCK_DONE && op == VIRTIO_VSOCK_OP_RESPONSE && link != NULL)
		link->state = VSOCK_OPEN;
}

static bool is_about_links(uint16_t op)
{
	return op == VIRTIO_VSOCK_OP_REQUEST || op == VIRTIO_VSOCK_OP_RESPONSE ||
	       op == VIRTIO_VSOCK_OP_RST;
}

// ---- into a receive buffer ----

// The driver wrote nonsense. What that means for the device is for one of its own VM's CPUs to say.
static enum vsock_outcome give_up(struct vsock *to, const char *why)
{
	to->why = why;
	to->open = false;
	vvirtio_post(&to->dev, BIT_U32(VIRTIO_VSOCK_RX));
	return VSOCK_REFUSED;
}

// The next bytes of what is to be sent, at most `most`. NULL: there is no memory.
static const uint8_t *next_of(struct vsock_data *data, uint64_t most, uint64_t *bytes,
                              struct vvirtio_work *work)
{
	if (data->from != NULL)
		return vvirtio_span(&data->from->dev, &data->from->queue[VIRTIO_VSOCK_TX].chain,
		                    &data->place, most, bytes, work);
	*bytes = most;
	return data->bytes + data->done;
}

static enum vsock_outcome copy(struct vsock *to, struct vvirtio_place *place,
                               struct vsock_data *data, uint32_t size, struct vvirtio_work *work)
{
	const struct vvirtqueue_chain *chain = &to->queue[VIRTIO_VSOCK_RX].chain;
	uint64_t room, some;

	vvirtio_spend(work, size / 8);
	while (data->done < size) {
		uint8_t *at = vvirtio_span(&to->dev, chain, place, size - data->done, &room, work);
		if (at == NULL)
			return VSOCK_WAIT;
		for (; room != 0; room -= some, at += some) {
			const uint8_t *from = next_of(data, room, &some, work);
			if (from == NULL)
				return VSOCK_NO_MEMORY;
			cache_copy(at, from, some);
			data->done += (uint32_t)some;
		}
	}
	return VSOCK_DONE;
}

// The buffer is taken. Fills it with the header and as much of the data as there is room for.
static enum vsock_outcome fill(struct vsock *to, const struct virtio_vsock_header *header,
                               struct vsock_data *data, struct vvirtio_work *work)
{
	const struct vvirtqueue_chain *chain = &to->queue[VIRTIO_VSOCK_RX].chain;
	struct vvirtio_place place = vvirtio_writable(chain);
	struct virtio_vsock_header own = *header;
	uint64_t room = chain->bytes_write - VIRTIO_VSOCK_HEADER;

	own.length = room < data->size ? (uint32_t)room : data->size;
	if (!vvirtio_warm(&to->dev, chain, place, VIRTIO_VSOCK_HEADER + own.length, work))
		return VSOCK_MORE;
	if (vvirtio_to_guest(&to->dev, chain, &place, &own, VIRTIO_VSOCK_HEADER, work) <
	    VIRTIO_VSOCK_HEADER)
		return VSOCK_WAIT;
	enum vsock_outcome outcome = copy(to, &place, data, own.length, work);
	if (outcome == VSOCK_DONE)
		vvirtqueue_give(&to->queue[VIRTIO_VSOCK_RX].ring, chain,
		                VIRTIO_VSOCK_HEADER + own.length);
	return outcome;
}

enum vsock_outcome vsock_put(struct vsock *to, const struct virtio_vsock_header *header,
                             struct vsock_data *data, struct vvirtio_work *work)
{
	struct vvirtqueue *ring = &to->queue[VIRTIO_VSOCK_RX].ring;
	struct vvirtqueue_chain *chain = &to->queue[VIRTIO_VSOCK_RX].chain;
	const struct vvirtqueue_mark mark = vvirtqueue_mark(ring);
	struct vsock_data none = {.size = 0};
	const char *why;

	data = data != NULL ? data : &none;
	data->done = 0;
	int taken = vvirtqueue_take(ring, chain, &why);
	vvirtio_spend(work, COST_BUFFER + COST_SEGMENT * (chain->nr_read + chain->nr_write) +
	                            VVIRTIO_COST_TOUCH * chain->filled);
	if (taken < 0)
		return give_up(to, why);
	if (taken == 0)
		return VSOCK_WAIT;
	if (chain->nr_write > MOST_SEGMENTS)
		return give_up(to, "has a buffer in more than 16 pieces");
	if (chain->bytes_write < VIRTIO_VSOCK_HEADER + (data->size != 0 ? 1U : 0U))
		return give_up(to, "has a buffer with no room for a packet");
	enum vsock_outcome outcome = fill(to, header, data, work);
	if (outcome != VSOCK_DONE) {
		vvirtqueue_go_back(ring, mark);
		data->done = 0;
	}
	return outcome;
}

enum vsock_outcome vsock_reply(struct vsock *self, const struct virtio_vsock_header *header,
                               struct vsock_data *data, struct vvirtio_work *work)
{
	enum vsock_outcome outcome = VSOCK_DONE; // its driver has other news to come

	spin_lock(&self->port);
	if (self->open)
		outcome = vsock_put(self, header, data, work);
	if (outcome == VSOCK_DONE && self->open)
		vvirtio_tell(&self->dev, VIRTIO_VSOCK_RX);
	spin_unlock(&self->port);
	return outcome == VSOCK_REFUSED ? VSOCK_DONE
	                                : outcome; // the device is about to need a reset
}

// ---- to another VM ----

static enum vsock_outcome deliver(const struct vsock *from, uint64_t own_life, struct vsock *to,
                                  const struct virtio_vsock_header *header, struct vsock_data *data,
                                  uint64_t *life, struct vvirtio_work *work)
{
	bool links = is_about_links(header->op);
	enum vsock_outcome outcome = VSOCK_REFUSED;

	spin_lock(&to->port);
	*life = to->life;
	if (to->open && (!links || prepare(to, header->op, header->dst_port, from->cid,
	                                   header->src_port, own_life)))
		outcome = vsock_put(to, header, data, work);
	if (links)
		settle(to, header->op, header->dst_port, from->cid, header->src_port, outcome);
	spin_unlock(&to->port);
	return outcome;
}

enum vsock_outcome vsock_send(struct vsock *from, struct vsock *to,
                              const struct virtio_vsock_header *header, struct vsock_data *data,
                              struct vvirtio_work *work)
{
	bool links = is_about_links(header->op);
	enum vsock_outcome outcome = VSOCK_REFUSED;
	uint64_t life = 0;

	if (links) // each is gone through a few times
		vvirtio_spend(work, COST_FIND + 4 * COST_LINK *
		                                        (load_relaxed(&from->nr_links) +
		                                         load_relaxed(&to->nr_links)));
	spin_lock(&from->port);
	bool ready = from->open && (!links || prepare(from, header->op, header->src_port, to->cid,
	                                              header->dst_port, load_acquire(&to->life)));
	uint64_t own_life = from->life;
	spin_unlock(&from->port);
	if (ready)
		outcome = deliver(from, own_life, to, header, data, &life, work);
	if (links) {
		spin_lock(&from->port);
		settle(from, header->op, header->src_port, to->cid, header->dst_port, outcome);
		struct vsock_link *link =
		        find_link(from, header->src_port, to->cid, header->dst_port);
		if (link != NULL && header->op == VIRTIO_VSOCK_OP_REQUEST && outcome == VSOCK_DONE)
			link->peer_life = life;
		spin_unlock(&from->port);
	}
	if (outcome == VSOCK_DONE && from->told != to) {
		vsock_tell(from);
		from->told = to;
	}
	return outcome;
}

void vsock_tell(struct vsock *self)
{
	struct vsock *to = self->told;

	self->told = NULL;
	if (to == NULL)
		return;
	spin_lock(&to->port);
	if (to->open)
		vvirtio_tell(&to->dev, VIRTIO_VSOCK_RX);
	spin_unlock(&to->port);
}

// ---- who is there, and who is gone ----

void vsock_open(struct vsock *self)
{
	uint64_t life = fetch_add(&lives, 1) + 1;

	spin_lock(&self->port);
	self->left = false;
	self->cut = false;
	self->why = NULL;
	store_release(&self->life, life);
	self->open = true;
	spin_unlock(&self->port);
}

void vsock_close(struct vsock *self)
{
	spin_lock(&self->port);
	self->open = self->cut = false;
	store_release(&self->life, 0);
	spin_unlock(&self->port);
}

void vsock_cut(struct vsock *to)
{
	spin_lock(&to->port);
	bool was_open = to->open;
	if (was_open) {
		to->open = false;
		to->cut = true;
		store_release(&to->life, 0);
		vvirtio_post(&to->dev, BIT_U32(VIRTIO_VSOCK_RX));
	}
	spin_unlock(&to->port);
	if (was_open)
		vm_log(to->dev.vm, "virtio-vsock: it took nothing for 2 s while another VM waited; "
		                   "its connections are ended");
}

void vsock_leave(struct vsock *self)
{
	vsock_drop(self);
	if (self->left)
		return;
	self->left = true;
	for (uint32_t i = 0; i < VSOCK_LINKS && self->nr_links != 0; i++) {
		struct vsock_link *link = &self->link[i];
		if (link->state == VSOCK_FREE)
			continue;
		struct vsock *peer = vsock_find(link->peer_cid);
		if (peer != NULL && load_acquire(&peer->life) == link->peer_life &&
		    exchange(&peer->look, 1) == 0)
			vvirtio_post(&peer->dev, BIT_U32(VIRTIO_VSOCK_RX));
		forget(self, link);
	}
	store_relaxed(&self->look, 0);
}

static bool is_orphan(const struct vsock_link *link)
{
	const struct vsock *peer = link->state != VSOCK_FREE ? vsock_find(link->peer_cid) : NULL;

	return link->state != VSOCK_FREE &&
	       (peer == NULL || load_acquire(&peer->life) != link->peer_life);
}

enum vsock_outcome vsock_look(struct vsock *self, struct vvirtio_work *work)
{
	enum vsock_outcome outcome = VSOCK_DONE;

	if (exchange(&self->look, 0) == 0)
		return VSOCK_DONE;
	spin_lock(&self->port);
	vvirtio_spend(work, VSOCK_LINKS * COST_LINK + self->nr_links * COST_FIND);
	for (uint32_t i = 0; i < VSOCK_LINKS && self->open && outcome == VSOCK_DONE; i++) {
		struct vsock_link *link = &self->link[i];
		if (!is_orphan(link))
			continue;
		const struct virtio_vsock_header header = {
		        .src_cid = link->peer_cid,
		        .dst_cid = self->cid,
		        .src_port = link->peer_port,
		        .dst_port = link->local_port,
		        .type = VIRTIO_VSOCK_TYPE_STREAM,
		        .op = VIRTIO_VSOCK_OP_RST,
		};
		outcome = vvirtio_may(work) ? vsock_put(self, &header, NULL, work) : VSOCK_MORE;
		if (outcome == VSOCK_DONE)
			forget(self, link);
	}
	if (self->open)
		vvirtio_tell(&self->dev, VIRTIO_VSOCK_RX);
	spin_unlock(&self->port);
	if (outcome == VSOCK_WAIT || outcome == VSOCK_MORE)
		store_relaxed(&self->look, 1);
	return outcome;
}
