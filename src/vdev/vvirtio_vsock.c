// SPDX-License-Identifier: Apache-2.0
// The virtio socket device. What its driver sends goes to another VM's device (vvirtio_vsock_rx.c), to Mezzo's shell
// (vvirtio_vsock_service.c), or is answered by RST. Owns a VM's device; called by vvirtio.c, under the device's lock.
//
// A stream loses nothing: a packet stays in the sender's queue until its receiver has a buffer, and those behind it wait.
// The sender looks again by an alarm. A receiver that takes nothing for long is cut off: its connections end, at both ends,
// and the queue moves on. So nobody holds up another VM for longer, and nobody is missing a piece and goes on.
// Credit is the drivers' own business between VMs: headers are passed on as they are, but for the length of a packet that
// is cut into smaller buffers.
// Invariant: a packet that leaves has its sender's context, and goes to a VM of the same group.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Socket Device".
#include "vdev/vvirtio_vsock.h"

#include "arm/cpu.h"
#include "base/string.h"
#include "hw/timer.h"
#include "vdev/vvirtio_vsock_state.h"
#include "vm/vm.h"

#define QUEUE_SIZE 128
#define WAIT_US    1000 // without a receive buffer: look again
#define CUT_MS     2000 // and for so long, then its owner is cut off
#define GAP_MS     100
#define MOST_TRIES 256U    // of one piece, for want of memory that was touched before
#define PIECE      KIB(16) // of a packet's data, at most, that goes at a time
#define SEGMENTS   32U     // in as many pieces of memory, at most
#define COST_LOOK  300U    // of checks of a packet

static struct vsock *vsock_of(struct vvirtio *dev)
{
	return CONTAINER_OF(dev, struct vsock, dev);
}

// ---- sending ----

// Reads the header of a packet. False: it cannot be answered, and is dropped.
static bool read_header(struct vsock *self, const struct vvirtqueue_chain *chain,
                        struct vvirtio_work *work)
{
	struct virtio_vsock_header *header = &self->tx.header;

	self->tx.place = vvirtio_readable(chain);
	vvirtio_spend(work, COST_LOOK);
	if (vvirtio_from_guest(&self->dev, chain, &self->tx.place, header, VIRTIO_VSOCK_HEADER,
	                       work) < VIRTIO_VSOCK_HEADER)
		return false;
	if (header->src_cid != self->cid) {
		if (!self->complained)
			vm_log(self->dev.vm,
			       "virtio-vsock: its driver sends as context %llu, which is not its "
			       "own; "
			       "that goes nowhere",
			       (unsigned long long)header->src_cid);
		self->complained = true;
		return false;
	}
	bool sound = header->type == VIRTIO_VSOCK_TYPE_STREAM &&
	             header->op != VIRTIO_VSOCK_OP_INVALID && header->op < VIRTIO_VSOCK_OPS;
	if (header->op != VIRTIO_VSOCK_OP_RW)
		header->length = 0;
	else if (header->length > chain->bytes_read - VIRTIO_VSOCK_HEADER)
		sound = false;
	self->tx.has = true;
	self->tx.reply = !sound;
	self->tx.since = 0;
	self->tx.tries = 0;
	self->tx.left = header->length;
	self->tx.life = self->dev.queue[VIRTIO_VSOCK_TX].life;
	return true;
}

// How much of what comes next goes at a time, so that it is bounded whatever it lies in.
static uint32_t piece_of(const struct vvirtqueue_chain *chain, struct vvirtio_place place,
                         uint32_t left)
{
	uint32_t most = left < PIECE ? left : PIECE;
	uint64_t bytes = 0;

	for (uint32_t n = 0; n < SEGMENTS && bytes < most && place.segment < place.end; n++) {
		bytes += chain->segment[place.segment].bytes - place.offset;
		place.segment++;
		place.offset = 0;
	}
	return bytes < most ? (uint32_t)bytes : most;
}

// Whether the receiver has had its time, after a try that came to nothing. A pause in which this VM did not try, because
// it did not run, does not count.
static bool takes_nothing(struct vsock *self, enum vsock_outcome outcome)
{
	uint64_t now = timer_now();

	if (outcome == VSOCK_MORE) // it gives memory back as fast as that is filled
		return ++self->tx.tries > MOST_TRIES;
	if (outcome != VSOCK_WAIT)
		return false;
	if (self->tx.since == 0 || now - self->tx.tried > timer_from_ms(GAP_MS))
		self->tx.since = now;
	self->tx.tried = now;
	return now - self->tx.since > timer_from_ms(CUT_MS);
}

// Sends as much as there is time for. VSOCK_DONE: all of it has gone.
static enum vsock_outcome send_to(struct vsock *self, struct vsock *to,
                                  const struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	enum vsock_outcome outcome;

	if (to == NULL || to == self || to->group != self->group || self->group == 0)
		return VSOCK_REFUSED;
	do {
		if (self->tx.left != 0) // on to where the next byte is
			(void)vvirtio_ipa(chain, &self->tx.place);
		struct vsock_data data = {
		        .from = self,
		        .place = self->tx.place,
		        .size = piece_of(chain, self->tx.place, self->tx.left),
		};
		// Copying finds nothing that has to be filled then.
		if (!vvirtio_may(work) ||
		    !vvirtio_warm(&self->dev, chain, data.place, data.size, work))
			return VSOCK_MORE;
		outcome = vsock_send(self, to, &self->tx.header, &data, work);
		if (outcome == VSOCK_DONE) {
			self->tx.since = 0;
			self->tx.tries = 0;
			self->tx.left -= data.done;
			self->tx.place = data.place;
		} else if (takes_nothing(self, outcome)) {
			vsock_cut(to); // the next try finds it closed
		}
	} while (outcome == VSOCK_DONE && self->tx.left != 0);
	return outcome;
}

static enum vsock_outcome reset_reply(struct vsock *self, struct vvirtio_work *work)
{
	const struct virtio_vsock_header *to = &self->tx.header;
	const struct virtio_vsock_header header = {
	        .src_cid = to->dst_cid,
	        .dst_cid = to->src_cid,
	        .src_port = to->dst_port,
	        .dst_port = to->src_port,
	        .type = to->type,
	        .op = VIRTIO_VSOCK_OP_RST,
	};
	return vsock_reply(self, &header, NULL, work);
}

// Brings what is in hand further. VSOCK_DONE: it is done with.
static enum vsock_outcome handle(struct vsock *self, const struct vvirtqueue_chain *chain,
                                 struct vvirtio_work *work)
{
	enum vsock_outcome outcome = VSOCK_REFUSED;

	if (!self->tx.has && !read_header(self, chain, work))
		return VSOCK_DONE;
	if (!self->tx.reply && self->tx.header.dst_cid == VIRTIO_VSOCK_CID_HOST) {
		outcome = vsock_serve(self, &self->tx.header, chain, self->tx.place, work);
	} else if (!self->tx.reply) {
		outcome = send_to(self, vsock_find(self->tx.header.dst_cid), chain, work);
	}
	if (outcome == VSOCK_REFUSED && self->tx.header.op != VIRTIO_VSOCK_OP_RST) {
		self->tx.reply = true;
		return reset_reply(self, work);
	}
	return outcome == VSOCK_REFUSED ? VSOCK_DONE : outcome;
}

static bool send_work(struct vsock *self, struct vvirtio_work *work)
{
	struct vvirtio *dev = &self->dev;
	enum vsock_outcome outcome = VSOCK_DONE;
	const struct vvirtqueue_chain *chain;

	if (self->tx.life != dev->queue[VIRTIO_VSOCK_TX].life) // the driver stopped it
		self->tx.has = false;
	while (vvirtio_may(work) && (chain = vvirtio_chain(dev, VIRTIO_VSOCK_TX, work)) != NULL) {
		outcome = handle(self, chain, work);
		if (outcome != VSOCK_DONE)
			break;
		self->tx.has = false;
		vvirtio_give(dev, VIRTIO_VSOCK_TX, 0);
	}
	vsock_tell(self);
	if (outcome == VSOCK_NO_MEMORY) {
		vvirtio_broken(dev, "queue %u has a packet where there is no memory",
		               VIRTIO_VSOCK_TX);
		return true;
	}
	if (outcome == VSOCK_WAIT && !self->tx.reply)
		alarm_set(dev->vm, self->alarm, timer_now() + timer_from_us(WAIT_US));
	if (outcome == VSOCK_WAIT && self->tx.reply) // its own queue
		vvirtio_again(dev, BIT_U32(VIRTIO_VSOCK_RX));
	return outcome == VSOCK_WAIT || vvirtio_may(work);
}

static void alarm_due(void *opaque)
{
	struct vsock *self = opaque;
	vvirtio_wake(&self->dev, BIT_U32(VIRTIO_VSOCK_TX));
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

// ---- receiving ----

// What goes into the driver's buffers without another VM's doing. VSOCK_DONE: there is nothing more.
static enum vsock_outcome receive_own(struct vsock *self, struct vvirtio_work *work)
{
	enum vsock_outcome outcome = vsock_look(self, work);

	if (outcome == VSOCK_DONE)
		outcome = vsock_served(self, work);
	if (outcome == VSOCK_DONE && self->tx.has && self->tx.reply) {
		struct vvirtqueue *ring = &self->queue[VIRTIO_VSOCK_RX].ring;
		if (!vvirtqueue_waits(ring))
			return VSOCK_WAIT;
		vvirtio_again(&self->dev, BIT_U32(VIRTIO_VSOCK_TX));
	}
	return outcome;
}

static bool receive_work(struct vsock *self, struct vvirtio_work *work)
{
	struct vvirtqueue *ring = &self->queue[VIRTIO_VSOCK_RX].ring;
	enum vsock_outcome outcome = VSOCK_WAIT;
	bool waits = false;

	spin_lock(&self->port);
	const char *why = self->why;
	bool cut = self->cut;
	self->why = NULL;
	vvirtqueue_ignore(ring);
	spin_unlock(&self->port);
	if (why != NULL) {
		vvirtio_broken(&self->dev, "queue %u %s", VIRTIO_VSOCK_RX, why);
		return true;
	}
	if (cut) {
		vsock_leave(self);
		if (vvirtqueue_waits(ring))
			vvirtio_again(&self->dev, BIT_U32(VIRTIO_VSOCK_EVENT));
		else
			waits = true;
	} else {
		outcome = receive_own(self, work);
		waits = outcome == VSOCK_WAIT;
	}
	if (waits) {
		spin_lock(&self->port);
		waits = vvirtqueue_listen(ring); // there is one by now
		spin_unlock(&self->port);
	}
	return outcome != VSOCK_MORE && !waits;
}

// The driver of a device that was cut off hears that all its connections are gone; then it is open again.
static bool event_work(struct vsock *self, struct vvirtio_work *work)
{
	const uint32_t event = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET;
	struct vvirtio *dev = &self->dev;

	spin_lock(&self->port);
	bool cut = self->cut;
	spin_unlock(&self->port);
	vvirtio_deafen(dev, VIRTIO_VSOCK_EVENT, !cut);
	if (!cut)
		return true;
	vsock_leave(self);
	const struct vvirtqueue_chain *chain = vvirtio_chain(dev, VIRTIO_VSOCK_EVENT, work);
	if (chain == NULL)
		return true;
	struct vvirtio_place place = vvirtio_writable(chain);
	size_t size = vvirtio_to_guest(dev, chain, &place, &event, sizeof event, work);
	vvirtio_give(dev, VIRTIO_VSOCK_EVENT, (uint32_t)size);
	vvirtio_deafen(dev, VIRTIO_VSOCK_EVENT, true);
	vsock_open(self);
	return true;
}

static bool vsock_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct vsock *self = vsock_of(dev);

	switch (queue) {
	case VIRTIO_VSOCK_RX: return receive_work(self, work);
	case VIRTIO_VSOCK_TX: return send_work(self, work);
	default: return event_work(self, work);
	}
}

// ---- life ----

static void vsock_begin(struct vvirtio *dev)
{
	dev->shared = BIT_U32(VIRTIO_VSOCK_RX);
	vsock_open(vsock_of(dev));
}

static void close_port(struct vvirtio *dev)
{
	struct vsock *self = vsock_of(dev);

	vsock_close(self);
	vsock_leave(self);
}

// Who copies into its buffers looks them up under the port's lock.
static void vsock_pass(struct vvirtio *dev)
{
	struct vsock *self = vsock_of(dev);

	spin_lock(&self->port);
	spin_unlock(&self->port);
}

static void vsock_reset(struct vvirtio *dev)
{
	struct vsock *self = vsock_of(dev);

	memset(&self->tx, 0, sizeof self->tx);
	self->complained = false;
	dev->deaf = BIT_U32(VIRTIO_VSOCK_EVENT);
	alarm_set(dev->vm, self->alarm, TIMER_NEVER);
}

static const struct vvirtio_ops ops = {
        .name = "virtio-vsock",
        .id = VIRTIO_VSOCK,
        .features = VIRTIO_VSOCK_F_STREAM,
        .queue_size = QUEUE_SIZE,
        .work = vsock_work,
        .begin = vsock_begin,
        .close = close_port,
        .pass = vsock_pass,
        .reset = vsock_reset,
};

int vvirtio_vsock_create(struct vm *vm)
{
	if (vm->socket.cid == 0)
		return 0;
	struct vsock *self = vm_alloc(vm, sizeof *self);
	if (self == NULL)
		return ERR_NO_MEMORY;
	self->cid = vm->socket.cid;
	self->config = self->cid;
	self->group = vm->socket.group;
	self->manages = vm->socket.manages;
	self->left = true;
	self->port = (struct spinlock)SPINLOCK_INIT(LOCK_PORT);
	self->alarm = alarm_add(vm, &alarm_ops, self);
	if (self->alarm < 0)
		return self->alarm;
	self->dev.queue = self->queue;
	self->dev.nr_queues = VIRTIO_VSOCK_QUEUES;
	self->dev.config = (uint8_t *)&self->config;
	self->dev.config_size = sizeof self->config;
	int error = vvirtio_add(vm, &self->dev, &ops);
	if (error == 0) {
		vm->vsock = self;
		vsock_claim(vm->socket.cid, vm->id);
	}
	return error;
}

void vvirtio_vsock_destroy(struct vm *vm)
{
	if (vm->vsock != NULL)
		vsock_yield(vm->socket.cid, vm->id);
}

uint32_t vvirtio_vsock_connections(const struct vm *vm)
{
	return vm->vsock != NULL ? load_relaxed(&vm->vsock->nr_links) : 0;
}

// Connections are not named: their other ends live elsewhere. A driver that finds itself in another place is told that they
// are gone (VIRTIO_VSOCK_EVENT_TRANSPORT_RESET).
static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vsock, config),
};

const struct vstate vvirtio_vsock_state = {"virtio-vsock", fields, ARRAY_SIZE(fields), NULL};
