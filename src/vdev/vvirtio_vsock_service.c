// SPDX-License-Identifier: Apache-2.0
// Context 2: connections of trusted guests to Mezzo's shell. A line is a command, and one line is its answer. Owns the
// connections; called by vvirtio_vsock.c for the guest, under its device's lock, and by the shell.
//
// Nothing waits at EL2: what a guest has sent lies in a buffer that its credit is for, and an answer stays in the shell's
// until the guest has room and a buffer for it. A connection that is not read holds up itself alone.
// Invariant: a connection is its owner's from `owner` being set to its being cleared, both under the owner's device lock.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Socket Device", "Buffer Space Management", "Stream Sockets".
#include "arm/cpu.h"
#include "base/atomic.h"
#include "base/string.h"
#include "vdev/vvirtio_vsock_state.h"
#include "vm/vm.h"

#define IN_SIZE   1024U // bytes that a guest may have on their way
#define OUT_SIZE  256U
#define LINE_SIZE 256U // more than the shell takes
#define MOST_OF   2U   // connections of one VM
#define COST_BYTE 8U
#define COST_LOOK 100U

STATIC_ASSERT((IN_SIZE & (IN_SIZE - 1)) == 0, "positions count on, and wrap");

enum due {
	DUE_RESPONSE = BIT_U32(0),
	DUE_CREDIT = BIT_U32(1),
	DUE_SHUTDOWN = BIT_U32(2),
};

static struct served {
	uint32_t owner; // the number of the VM; 0: nobody's; atomically
	// Under the owner's device lock.
	uint32_t port;                // the guest's
	uint32_t peer_room, peer_got; // as its headers say: bytes, and in all
	uint32_t sent;                // bytes in all
	uint32_t got, eaten, told;    // bytes in all: arrived, taken out of `in`, and said to be
	uint32_t due;                 // enum due
	bool last;                    // the guest sends no more
	bool calling;                 // the shell has a line of it
	bool over;                    // it was shut down, and is kept until the guest agrees
	uint32_t fill;                // of `line`
	bool whole;                   // `line` is a line
	uint32_t out_at, out_fill;    // of `out`, what is to go next
	char line[LINE_SIZE];
	uint8_t in[IN_SIZE], out[OUT_SIZE];
} all[VSOCK_SERVED];

static const struct vsock_service *service; // fixed after boot

void vvirtio_vsock_serve(const struct vsock_service *ops)
{
	service = ops;
}

static unsigned number_of(const struct served *c)
{
	return (unsigned)(c - all);
}

static bool is_of(const struct served *c, const struct vsock *self)
{
	return load_acquire(&c->owner) == self->dev.vm->id;
}

// ---- connections ----

static struct served *find(const struct vsock *self, uint32_t port)
{
	for (unsigned i = 0; i < VSOCK_SERVED; i++)
		if (is_of(&all[i], self) && all[i].port == port)
			return &all[i];
	return NULL;
}

static void end(struct served *c)
{
	if (c->calling) {
		service->abort(number_of(c));
		cpu_post_local(CPU_WORK_CONSOLE);
	}
	c->calling = false;
	store_release(&c->owner, 0);
}

void vsock_drop(struct vsock *self)
{
	for (unsigned i = 0; i < VSOCK_SERVED; i++)
		if (is_of(&all[i], self))
			end(&all[i]);
}

// A connection for the guest's port. NULL: there are too many.
static struct served *begin(struct vsock *self, uint32_t port)
{
	unsigned count = 0;

	for (unsigned i = 0; i < VSOCK_SERVED; i++) {
		if (is_of(&all[i], self) && all[i].over) // the guest need not agree any more
			end(&all[i]);
		count += is_of(&all[i], self);
	}
	for (unsigned i = 0; i < VSOCK_SERVED && count < MOST_OF; i++) {
		struct served *c = &all[i];
		uint32_t nobody = 0;
		if (!compare_exchange(&c->owner, &nobody, self->dev.vm->id))
			continue;
		memset((uint8_t *)c + sizeof c->owner, 0, sizeof *c - sizeof c->owner);
		c->port = port;
		return c;
	}
	return NULL;
}

// ---- from the guest to the shell ----

// Moves bytes into the line until it is one.
static void gather(struct served *c)
{
	while (!c->whole && c->eaten != c->got) {
		uint8_t byte = c->in[c->eaten++ % IN_SIZE];
		if (byte == '\n')
			c->whole = c->fill != 0;
		else if (byte != '\r' && c->fill < LINE_SIZE)
			c->line[c->fill++] = (char)byte;
	}
	if (c->last && c->eaten == c->got && c->fill != 0)
		c->whole = true;
	if (c->got - c->told > IN_SIZE / 2 && c->got - c->eaten <= IN_SIZE / 2)
		c->due |= DUE_CREDIT;
}

// Hands the next line to the shell, unless that has one of it.
static void go_on(struct served *c)
{
	if (c->calling || c->over)
		return;
	gather(c);
	if (c->whole && service->call(number_of(c), c->line, c->fill)) {
		c->calling = true;
		c->whole = false;
		c->fill = 0;
		cpu_post_local(CPU_WORK_CONSOLE);
	} else if (!c->whole && c->last && c->eaten == c->got && c->out_at == c->out_fill) {
		c->due |= DUE_SHUTDOWN;
	}
}

static enum vsock_outcome take(struct vsock *self, struct served *c,
                               const struct virtio_vsock_header *header,
                               const struct vvirtqueue_chain *chain, struct vvirtio_place place,
                               struct vvirtio_work *work)
{
	uint32_t left = header->length;

	if (left > IN_SIZE - (c->got - c->eaten)) {
		vm_log(self->dev.vm, "virtio-vsock: it sent more to Mezzo than it was given credit "
		                     "for; that connection is ended");
		end(c);
		return VSOCK_REFUSED;
	}
	vvirtio_spend(work, left * COST_BYTE);
	while (left != 0) {
		uint32_t at = c->got % IN_SIZE, most = IN_SIZE - at;
		most = left < most ? left : most;
		if (vvirtio_from_guest(&self->dev, chain, &place, c->in + at, most, work) < most)
			return VSOCK_NO_MEMORY;
		c->got += most;
		left -= most;
	}
	return VSOCK_DONE;
}

static enum vsock_outcome ask(struct vsock *self, const struct virtio_vsock_header *header)
{
	struct served *c = find(self, header->src_port);

	if (c != NULL) // the one before is not known to the guest any more
		end(c);
	c = begin(self, header->src_port);
	if (c == NULL)
		return VSOCK_REFUSED;
	c->due = DUE_RESPONSE;
	c->peer_room = header->buf_alloc;
	c->peer_got = header->fwd_cnt;
	return VSOCK_DONE;
}

static enum vsock_outcome shut(struct served *c, uint32_t flags)
{
	if ((flags & VIRTIO_VSOCK_SHUTDOWN_RECEIVE) != 0) {
		end(c);
		return VSOCK_REFUSED; // by RST, which is what it waits for
	}
	c->last |= (flags & VIRTIO_VSOCK_SHUTDOWN_SEND) != 0;
	return VSOCK_DONE;
}

enum vsock_outcome vsock_serve(struct vsock *from, const struct virtio_vsock_header *header,
                               const struct vvirtqueue_chain *chain, struct vvirtio_place place,
                               struct vvirtio_work *work)
{
	enum vsock_outcome outcome = VSOCK_DONE;

	if (!from->manages || service == NULL || header->dst_port != VSOCK_SHELL_PORT ||
	    load_acquire(&from->life) == 0) // it was cut off: what it was sent would be lost
		return VSOCK_REFUSED;
	struct served *c = find(from, header->src_port);
	vvirtio_again(&from->dev, BIT_U32(VIRTIO_VSOCK_RX));
	if (header->op == VIRTIO_VSOCK_OP_REQUEST)
		return ask(from, header);
	if (c == NULL)
		return VSOCK_REFUSED;
	c->peer_room = header->buf_alloc;
	c->peer_got = header->fwd_cnt;
	switch (header->op) {
	case VIRTIO_VSOCK_OP_RW: outcome = take(from, c, header, chain, place, work); break;
	case VIRTIO_VSOCK_OP_SHUTDOWN: outcome = shut(c, header->flags); break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST: c->due |= DUE_CREDIT; break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE: break;
	case VIRTIO_VSOCK_OP_RST: end(c); break;
	default: end(c); outcome = VSOCK_REFUSED;
	}
	return outcome;
}

// ---- from the shell to the guest ----

// Bytes that the guest has room for.
static uint32_t credit(const struct served *c)
{
	uint32_t under_way = c->sent - c->peer_got;

	return under_way < c->peer_room ? c->peer_room - under_way : 0;
}

static enum vsock_outcome put(struct vsock *self, struct served *c, uint16_t op, uint32_t flags,
                              struct vsock_data *data, struct vvirtio_work *work)
{
	const struct virtio_vsock_header header = {
	        .src_cid = VIRTIO_VSOCK_CID_HOST,
	        .dst_cid = self->cid,
	        .src_port = VSOCK_SHELL_PORT,
	        .dst_port = c->port,
	        .type = VIRTIO_VSOCK_TYPE_STREAM,
	        .op = op,
	        .flags = flags,
	        .buf_alloc = IN_SIZE,
	        .fwd_cnt = c->eaten,
	};
	enum vsock_outcome outcome = vsock_reply(self, &header, data, work);

	if (outcome == VSOCK_DONE)
		c->told = c->eaten;
	return outcome;
}

// What is to be said beside the answer, one after the other.
static enum vsock_outcome put_due(struct vsock *self, struct served *c, struct vvirtio_work *work)
{
	static const struct {
		uint32_t due;
		uint16_t op;
		uint32_t flags;
	} rows[] = {
	        {DUE_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE, 0},
	        {DUE_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0},
	        {DUE_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN,
	         VIRTIO_VSOCK_SHUTDOWN_RECEIVE | VIRTIO_VSOCK_SHUTDOWN_SEND},
	};
	enum vsock_outcome outcome = VSOCK_DONE;

	for (unsigned i = 0; i < ARRAY_SIZE(rows) && outcome == VSOCK_DONE; i++) {
		if ((c->due & rows[i].due) == 0)
			continue;
		outcome = put(self, c, rows[i].op, rows[i].flags, NULL, work);
		if (outcome != VSOCK_DONE)
			break;
		c->due &= ~rows[i].due;
		c->over |= rows[i].due == DUE_SHUTDOWN;
	}
	return outcome;
}

// Takes the next bytes of the answer, and the end of its line behind the last.
static void refill(struct served *c)
{
	unsigned n = number_of(c);
	bool complete = service->complete(n); // before the look at what there is

	c->out_at = 0;
	c->out_fill = service->answer(n, c->out, OUT_SIZE);
	if (c->out_fill != 0)
		cpu_post_local(CPU_WORK_CONSOLE); // there is room for more
	if (complete && c->out_fill == 0) {
		c->out[c->out_fill++] = '\n';
		c->calling = false;
	}
}

// VSOCK_DONE: there is nothing more that may go.
static enum vsock_outcome put_answer(struct vsock *self, struct served *c,
                                     struct vvirtio_work *work)
{
	for (;;) {
		if (c->out_at == c->out_fill && c->calling)
			refill(c);
		uint32_t left = c->out_fill - c->out_at, most = credit(c);
		struct vsock_data data = {
		        .bytes = c->out + c->out_at,
		        .size = left < most ? left : most,
		};
		if (data.size == 0)
			return VSOCK_DONE;
		if (!vvirtio_may(work))
			return VSOCK_MORE;
		vvirtio_spend(work, data.size * COST_BYTE);
		enum vsock_outcome outcome = put(self, c, VIRTIO_VSOCK_OP_RW, 0, &data, work);
		if (outcome != VSOCK_DONE)
			return outcome;
		c->sent += data.done;
		c->out_at += data.done;
		if (data.done == 0)
			return VSOCK_DONE; // its port is closed
	}
}

static enum vsock_outcome serve_one(struct vsock *self, struct served *c, struct vvirtio_work *work)
{
	vvirtio_spend(work, COST_LOOK);
	if (c->over)
		return VSOCK_DONE;
	enum vsock_outcome outcome = put_due(self, c, work);
	if (outcome == VSOCK_DONE)
		outcome = put_answer(self, c, work);
	go_on(c);
	if (outcome == VSOCK_DONE)
		outcome = put_due(self, c, work);
	return outcome;
}

enum vsock_outcome vsock_served(struct vsock *self, struct vvirtio_work *work)
{
	enum vsock_outcome outcome = VSOCK_DONE;

	for (unsigned i = 0; i < VSOCK_SERVED && self->manages && outcome == VSOCK_DONE; i++)
		if (is_of(&all[i], self))
			outcome = serve_one(self, &all[i], work);
	return outcome;
}

void vvirtio_vsock_answered(unsigned caller)
{
	struct vm *vm = vm_by_id(load_acquire(&all[caller].owner));

	if (vm != NULL && vm->vsock != NULL)
		vvirtio_post(&vm->vsock->dev, BIT_U32(VIRTIO_VSOCK_RX));
}
