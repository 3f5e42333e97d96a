// SPDX-License-Identifier: Apache-2.0
// Uplinks: a port of a switch behind which is a network interface of the board. Owns the buffers that frames are in on
// their way between both; called by the switch, on the CPU of who sends, and by the board's interface when it is done.
//
// The board's interface reads and writes memory by itself, so frames are copied once on either way: a guest's memory is
// never given to hardware. It takes frames as they are on a wire: checksums are completed and large frames cut.
// What comes from outside is nobody's time: a frame has a small purse, and those to whom it has not come by then do not get
// it. What a frame took beyond its purse is missing in the next ones', so that those of one interrupt are bounded together.
// Invariant: a buffer is the interface's from net_send or net_receive until `done`, else free.
#include "vdev/vuplink.h"

#include "arm/cache.h"
#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"
#include "hw/net.h"
#include "hw/timer.h"
#include "mem/pages.h"
#include "vdev/vswitch.h"

#define NR_RECEIVE  32U
#define NR_SEND     96U // a frame of 64 KiB is 45
#define BUFFER      KIB(2)
#define PURSE       4000 // instructions for a frame that comes in: eight of them are one interrupt's
#define FORGIVEN_MS 1    // after which what was taken beyond a purse is not asked for any more
#define COST_BUFFER 600U // a buffer is filled and submitted
#define COST_FRAME  250U // of a frame that goes as it is, besides

STATIC_ASSERT(VFRAME_LONGEST <= BUFFER, "a frame fits");

struct uplink;

struct buffer {
	struct net_request request;
	struct segment segment;
	struct uplink *uplink;
	struct buffer *next; // free
	uint8_t *bytes;
};

struct uplink {
	// Fixed after boot.
	struct net_dev *dev;
	struct vswitch_port *port;

	struct spinlock lock; // LOCK_DEVICE: of who sends from this port
	// Under it.
	struct vframe frame;
	int32_t debt;  // instructions that frames took beyond their purses
	uint64_t last; // ticks: when one came in
	struct buffer receive[NR_RECEIVE];

	struct buffer send[NR_SEND];
	struct buffer *free; // under the port's lock
};

// ---- to the board ----

static void sent(struct net_request *request, int error UNUSED, uint32_t bytes UNUSED)
{
	struct buffer *buffer = request->owner;
	struct uplink *uplink = buffer->uplink;

	spin_lock(&uplink->port->lock);
	buffer->next = uplink->free;
	uplink->free = buffer;
	spin_unlock(&uplink->port->lock);
}

static const struct net_request_ops send_ops = {.done = sent};

// Sends one frame: `head`, and `body` bytes from a place in the large frame on. Under the port's lock.
static enum vswitch_outcome send(struct uplink *uplink, const uint8_t *head, uint32_t head_size,
                                 const struct vframe *frame, struct vframe_place *place,
                                 uint32_t body, struct vvirtio_work *work)
{
	struct buffer *buffer = uplink->free;
	uint8_t *to;

	vvirtio_spend(work, COST_BUFFER + (head_size + body) / 8);
	if (buffer == NULL)
		return VSWITCH_NO_BUFFER;
	memcpy(buffer->bytes, head, head_size);
	to = buffer->bytes + head_size;
	buffer->segment.bytes = head_size + body;
	while (body != 0) {
		uint64_t bytes;
		const uint8_t *from = vframe_span(frame, place, body, &bytes, work);
		if (from == NULL)
			return VSWITCH_NO_MEMORY;
		cache_copy(to, from, bytes);
		to += bytes;
		body -= (uint32_t)bytes;
	}
	uplink->free = buffer->next;
	if (net_send(uplink->dev, &buffer->request) == 0)
		return VSWITCH_DONE;
	buffer->next = uplink->free;
	uplink->free = buffer;
	return VSWITCH_NO_BUFFER;
}

static enum vswitch_outcome send_cut(struct uplink *uplink, struct vframe *frame,
                                     struct vswitch_progress *progress, struct vvirtio_work *work)
{
	const uint32_t payload = frame->size - frame->l4_end;
	enum vswitch_outcome outcome = VSWITCH_DONE;

	if (!progress->begun)
		*progress = (struct vswitch_progress){.begun = true, .place = vframe_rest(frame)};
	while (progress->done < payload) {
		struct vframe_segment segment;
		if (!vvirtio_may(work))
			return VSWITCH_MORE;
		if (!vframe_cut(frame, progress->done, progress->place, &segment, work))
			return VSWITCH_NO_MEMORY;
		outcome = send(uplink, segment.head, segment.head_size, frame, &progress->place,
		               segment.body, work);
		if (outcome != VSWITCH_DONE)
			return outcome;
		progress->done += segment.body;
	}
	return outcome;
}

static enum vswitch_outcome deliver(void *owner, struct vframe *frame,
                                    struct vswitch_progress *progress, struct vvirtio_work *work)
{
	struct uplink *uplink = owner;
	struct vframe_place place = vframe_rest(frame);
	uint8_t head[VFRAME_HEAD];

	if (vframe_is_large(frame))
		return send_cut(uplink, frame, progress, work);
	vvirtio_spend(work, COST_FRAME);
	memcpy(head, frame->head, frame->head_size);
	if (frame->header.flags != 0) {
		if (!frame->has_sum && !vframe_complete(frame, work))
			return VSWITCH_NO_MEMORY;
		memcpy(head + frame->header.checksum_start + frame->header.checksum_offset,
		       &frame->sum, sizeof frame->sum);
	}
	return send(uplink, head, frame->head_size, frame, &place, frame->size - frame->head_size,
	            work);
}

static void tell(void *owner UNUSED)
{
}

static const struct vswitch_port_ops port_ops = {.deliver = deliver, .tell = tell};

// ---- from the board ----

// Those who send to the port lose frames for the same reasons.
static void lost(struct uplink *uplink, enum vswitch_outcome why)
{
	spin_lock(&uplink->port->lock);
	vswitch_lost(uplink->port, why);
	spin_unlock(&uplink->port->lock);
}

// Sends a frame on to VMs, as far as its purse goes. Under the uplink's lock.
static void pass_on(struct uplink *uplink, const uint8_t *bytes, uint32_t size)
{
	struct vswitch_journey journey = {.begun = false};
	uint64_t now = timer_now();

	if (now - uplink->last > timer_from_ms(FORGIVEN_MS))
		uplink->debt = 0;
	uplink->last = now;
	struct vvirtio_work work = {.left = PURSE - uplink->debt};
	if (size > VFRAME_LONGEST) {
		lost(uplink, VSWITCH_TOO_LONG);
	} else if (vframe_from_bytes(&uplink->frame, bytes, size) != VFRAME_OK) {
		lost(uplink, VSWITCH_MALFORMED);
	} else if (!vvirtio_may(&work)) {
		lost(uplink, VSWITCH_NO_BUFFER);
	} else {
		if (!vswitch_send(uplink->port, &uplink->frame, &journey, &work))
			lost(uplink, VSWITCH_NO_BUFFER);
		vswitch_tell(uplink->port, &journey);
	}
	uplink->debt = work.left < 0 ? -work.left : 0;
}

static void received(struct net_request *request, int error, uint32_t bytes)
{
	struct buffer *buffer = request->owner;
	struct uplink *uplink = buffer->uplink;

	if (error == 0) {
		spin_lock(&uplink->lock);
		pass_on(uplink, buffer->bytes, bytes);
		spin_unlock(&uplink->lock);
	}
	(void)net_receive(uplink->dev, request); // a device that is dead takes none any more
}

static const struct net_request_ops receive_ops = {.done = received};

// ---- boot ----

static void set_up(struct uplink *uplink, struct buffer *buffer, uint8_t *bytes,
                   const struct net_request_ops *ops)
{
	buffer->uplink = uplink;
	buffer->bytes = bytes;
	buffer->segment = (struct segment){PA((uintptr_t)bytes), (uint32_t)BUFFER};
	buffer->request = (struct net_request){
	        .segments = &buffer->segment,
	        .nr_segments = 1,
	        .ops = ops,
	        .owner = buffer,
	};
}

static void *alloc(size_t size)
{
	unsigned order = 0;

	while ((PAGE_SIZE << order) < size)
		order++;
	pa_t pages = pages_alloc(order, OWNER_EL2, PAGE_DATA, NULL);
	if (pages.v != 0)
		memset((void *)(uintptr_t)pages.v, 0, size);
	return (void *)(uintptr_t)pages.v;
}

const char *vuplink_create(uint32_t net, const char *name)
{
	struct net_dev *dev = net_find(name);
	char text[VSWITCH_NAME];

	if (dev == NULL)
		return "the board has no such interface";
	if (dev->mtu < VFRAME_MTU)
		return "this interface takes no frames of 1,500 bytes";
	if (dev->mtu > BUFFER - NET_HEADER - NET_TAG)
		return "this interface brings frames of more than 2,048 bytes";
	struct uplink *uplink = alloc(sizeof *uplink);
	uint8_t *bytes = alloc((NR_RECEIVE + NR_SEND) * BUFFER);
	if (uplink == NULL || bytes == NULL)
		return "there is no memory left for its frames";
	uplink->dev = dev;
	uplink->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	print_buffer(text, sizeof text, "host:%s", name);
	uplink->port = vswitch_attach(net, text, 0, true, &port_ops, uplink);
	if (uplink->port == NULL)
		return "its net has no port left";
	for (unsigned i = 0; i < NR_SEND; i++, bytes += BUFFER) {
		set_up(uplink, &uplink->send[i], bytes, &send_ops);
		uplink->send[i].next = uplink->free;
		uplink->free = &uplink->send[i];
	}
	for (unsigned i = 0; i < NR_RECEIVE; i++, bytes += BUFFER) {
		set_up(uplink, &uplink->receive[i], bytes, &receive_ops);
		int error = net_receive(dev, &uplink->receive[i].request);
		if (error == ERR_BUSY && i != 0)
			break; // it takes fewer
		if (error == 0)
			continue;
		vswitch_detach(uplink->port); // nothing that it has brings anything any more
		return "this interface takes no buffers for what comes in";
	}
	vswitch_open(uplink->port);
	return NULL;
}
