// SPDX-License-Identifier: Apache-2.0
// The receiving half of the network device: frames are put into the driver's buffers by the CPU of whoever sends them. Owns
// net->rx and the receive queues while the port is open; called by the switch, under the port's lock.
//
// What a driver does with its receive buffers costs the sender time, so that is bounded for each frame: some buffers, and
// some segments in all. A frame goes into buffers whole or not at all; they are given back together. Buffers in memory that
// nobody touched before are filled a few pieces at a time: the frame is taken back, and comes again with another purse.
// Invariant: nothing of the device beyond net->rx, its receive queues and its interrupts is touched here.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Setting Up Receive Buffers", "Processing of Incoming Packets".
#include "arm/cache.h"
#include "base/atomic.h"
#include "base/string.h"
#include "vdev/vvirtio_net_state.h"
#include "vm/vm.h"

#define MOST_BUFFERS  48U // of a frame: 64 KiB in buffers that hold an ordinary frame each
#define MOST_SEGMENTS 96U
#define COST_BUFFER   300U
#define COST_SEGMENT  40U
#define COST_FRAME    500U
#define COST_ADDRESS  5U                 // of a filter's lists
#define BIG           KIB(4)             // frames that a purse has to be nearly full for
#define DEBT          VVIRTIO_COST_TOUCH // what a small frame may cost beyond its purse
#define TOUCH         (VVIRTIO_WORK / 4) // a run that costs more than this was filled
#define MOST_TRIES    256U // of one frame, or segment: all that its buffers lie in was filled by then

// What goes into buffers, one behind the other.
struct load {
	struct virtio_net_header header;
	uint32_t header_size;
	const uint8_t *head;
	uint32_t head_size;
	const struct vframe *frame;
	struct vframe_place place; // of the body
	uint32_t body;
	const uint8_t *run; // of the body: what lies in one piece and was looked up already
	uint64_t run_left;

	uint32_t done; // bytes
	// Where the number of buffers is to be written: its two bytes may lie apart.
	uint8_t *buffers[2];
};

static uint32_t load_size(const struct load *load)
{
	return load->header_size + load->head_size + load->body;
}

// The next bytes to be copied, at most `most` of them. NULL: there is no memory.
static const uint8_t *load_next(struct load *load, uint64_t most, uint64_t *bytes,
                                struct vvirtio_work *work)
{
	uint32_t at = load->done;

	if (at < load->header_size) {
		*bytes = load->header_size - at < most ? load->header_size - at : most;
		return (const uint8_t *)&load->header + at;
	}
	at -= load->header_size;
	if (at < load->head_size) {
		*bytes = load->head_size - at < most ? load->head_size - at : most;
		return load->head + at;
	}
	if (load->run_left == 0)
		load->run = vframe_span(load->frame, &load->place, load_size(load) - load->done,
		                        &load->run_left, work);
	if (load->run == NULL)
		return NULL;
	const uint8_t *run = load->run;
	*bytes = load->run_left < most ? load->run_left : most;
	load->run += *bytes;
	load->run_left -= *bytes;
	return run;
}

// Notes where the number of buffers was copied to, if it is among these bytes.
static void note_buffers(struct load *load, uint8_t *to, uint64_t bytes)
{
	const uint32_t first = offsetof(struct virtio_net_header, buffers);

	for (uint32_t i = 0; i < 2; i++)
		if (load->done <= first + i && first + i < load->done + bytes)
			load->buffers[i] = to + (first + i - load->done);
}

// Whether to stop for now, after something that was begun with `before` instructions left. A big frame began with a purse
// that was nearly full, and may use up more than that by copying, but not by filling memory.
static bool is_over(const struct load *load, const struct vvirtio_work *work, int32_t before)
{
	if (load_size(load) <= BIG)
		return work->left < -DEBT;
	return work->left < 0 && before - work->left > TOUCH;
}

// Fills `size` bytes of a buffer. VSWITCH_DONE, VSWITCH_MORE, VSWITCH_NO_MEMORY.
static enum vswitch_outcome fill(struct net *net, const struct vvirtqueue_chain *chain,
                                 struct load *load, uint32_t size, struct vvirtio_work *work)
{
	struct vvirtio_place place = vvirtio_writable(chain);

	vvirtio_spend(work, size / 8);
	while (size != 0) {
		uint64_t room, some;
		int32_t before = work->left;
		uint8_t *to = vvirtio_span(&net->dev, chain, &place, size, &room, work);
		if (to == NULL)
			return VSWITCH_NO_MEMORY;
		if (is_over(load, work, before))
			return VSWITCH_MORE;
		size -= (uint32_t)room;
		for (; room != 0; room -= some, to += some) {
			before = work->left;
			const uint8_t *from = load_next(load, room, &some, work);
			if (from == NULL)
				return VSWITCH_NO_MEMORY;
			if (is_over(load, work, before))
				return VSWITCH_MORE;
			if (load->done < load->header_size)
				note_buffers(load, to, some);
			cache_copy(to, from, some);
			load->done += (uint32_t)some;
		}
	}
	return VSWITCH_DONE;
}

// The driver wrote nonsense. What that means for the device is for one of its own VM's CPUs to say.
static enum vswitch_outcome give_up(struct net *net, unsigned queue, const char *why)
{
	net->rx.broken = queue;
	net->rx.why = why;
	net->port->open = false;
	vvirtio_post(&net->dev, BIT_U32(queue));
	return VSWITCH_NO_BUFFER;
}

// Puts one frame into the buffers of a queue. VSWITCH_MORE: none of it is there, but the next try comes further.
static enum vswitch_outcome put(struct net *net, unsigned queue, struct load *load,
                                struct vvirtio_work *work)
{
	struct vvirtqueue *ring = &net->dev.queue[queue].ring;
	struct vvirtqueue_chain *chain = &net->dev.queue[queue].chain;
	struct vvirtqueue_used used[MOST_BUFFERS];
	const struct vvirtqueue_mark mark = vvirtqueue_mark(ring);
	vvirtio_spend(work, COST_FRAME);
	const uint32_t size = load_size(load);
	enum vswitch_outcome outcome = VSWITCH_DONE;
	uint32_t segments = 0, count = 0;
	const char *why;

	while (load->done < size && outcome == VSWITCH_DONE) {
		int32_t before = work->left;
		int taken = vvirtqueue_take(ring, chain, &why);
		segments += chain->nr_read + chain->nr_write;
		vvirtio_spend(work, COST_BUFFER +
		                            COST_SEGMENT * (chain->nr_read + chain->nr_write) +
		                            VVIRTIO_COST_TOUCH * chain->filled);
		if (taken < 0)
			return give_up(net, queue, why);
		uint64_t room = chain->bytes_write, left = size - load->done;
		if (taken == 0)
			outcome = VSWITCH_NO_BUFFER;
		else if (count == MOST_BUFFERS || segments > MOST_SEGMENTS ||
		         (room < left && !net->rx.merges))
			outcome = VSWITCH_TOO_SMALL;
		else if (chain->filled != 0 && is_over(load, work, before))
			outcome = VSWITCH_MORE;
		else
			outcome =
			        fill(net, chain, load, (uint32_t)(room < left ? room : left), work);
		if (outcome == VSWITCH_DONE)
			used[count++] = (struct vvirtqueue_used){
			        chain->id, chain->slots, (uint32_t)(room < left ? room : left)};
	}
	if (outcome != VSWITCH_DONE) {
		vvirtqueue_go_back(ring, mark);
		return outcome;
	}
	for (unsigned i = 0; i < 2; i++)
		if (load->buffers[i] != NULL)
			*load->buffers[i] = (uint8_t)(count >> (8 * i));
	vvirtqueue_give_all(ring, used, count);
	return outcome;
}

// The same. A driver that gives back memory as fast as it is filled does not hold the sender up for ever.
static enum vswitch_outcome try_to_put(struct net *net, unsigned queue, struct load *load,
                                       struct vswitch_progress *progress, struct vvirtio_work *work)
{
	enum vswitch_outcome outcome = put(net, queue, load, work);

	if (outcome == VSWITCH_MORE && ++progress->tries == MOST_TRIES)
		outcome = VSWITCH_TOO_SMALL;
	return outcome;
}

// Whether the driver can use a large frame as it is.
static bool takes_large(const struct net *net, const struct vframe *frame)
{
	uint8_t type = frame->header.gso_type;
	uint64_t wanted = (type & ~VIRTIO_NET_GSO_ECN) == VIRTIO_NET_GSO_TCPV4
	                          ? VIRTIO_NET_F_GUEST_TSO4
	                          : VIRTIO_NET_F_GUEST_TSO6;

	if ((type & VIRTIO_NET_GSO_ECN) != 0)
		wanted |= VIRTIO_NET_F_GUEST_ECN;
	return (net->rx.takes & wanted) == wanted;
}

// In segments, as far as there is time. What fails is lost, as on a wire: the rest may still arrive.
static enum vswitch_outcome deliver_cut(struct net *net, unsigned queue, struct vframe *frame,
                                        struct vswitch_progress *progress,
                                        struct vvirtio_work *work)
{
	const uint32_t payload = frame->size - frame->l4_end;
	enum vswitch_outcome outcome = VSWITCH_DONE;

	while (progress->done < payload) {
		struct vframe_segment segment;
		if (!vvirtio_may(work))
			return VSWITCH_MORE;
		if (!vframe_cut(frame, progress->done, progress->place, &segment, work))
			return VSWITCH_NO_MEMORY;
		struct load load = {
		        .header_size = net->rx.header_size,
		        .head = segment.head,
		        .head_size = segment.head_size,
		        .frame = frame,
		        .place = progress->place,
		        .body = segment.body,
		};
		outcome = try_to_put(net, queue, &load, progress, work);
		if (outcome != VSWITCH_DONE)
			return outcome;
		progress->tries = 0;
		progress->place = load.place;
		progress->done += segment.body;
	}
	return outcome;
}

static enum vswitch_outcome deliver_whole(struct net *net, unsigned queue, struct vframe *frame,
                                          struct vswitch_progress *progress,
                                          struct vvirtio_work *work)
{
	struct load load = {
	        .header = frame->header,
	        .header_size = net->rx.header_size,
	        .head = frame->head,
	        .head_size = frame->head_size,
	        .frame = frame,
	        .place = vframe_rest(frame),
	        .body = frame->size - frame->head_size,
	};
	uint8_t head[VFRAME_HEAD];

	// It goes in one piece, which may take longer than a purse is meant for: not on top of something else.
	if (frame->size > BIG && work->left < VVIRTIO_WORK * 3 / 4)
		return VSWITCH_MORE;
	if (frame->header.flags != 0 && !net->rx.takes_partial) {
		uint32_t at = frame->header.checksum_start + frame->header.checksum_offset;
		if (!frame->has_sum && !vframe_complete(frame, work))
			return VSWITCH_NO_MEMORY;
		memcpy(head, frame->head, frame->head_size);
		memcpy(head + at, &frame->sum, sizeof frame->sum);
		load.head = head;
		memset(&load.header, 0, sizeof load.header);
	}
	return try_to_put(net, queue, &load, progress, work);
}

static enum vswitch_outcome deliver(void *owner, struct vframe *frame,
                                    struct vswitch_progress *progress, struct vvirtio_work *work)
{
	struct net *net = owner;
	unsigned pair = net->rx.pairs == 1 ? 0 : vframe_flow(frame) % net->rx.pairs;

	if (!progress->begun) {
		const struct net_filter *filter = &net->rx.filter;
		vvirtio_spend(work, COST_ADDRESS * (filter->nr_unicast + filter->nr_multicast));
		if (!net_filter_takes(filter, frame))
			return VSWITCH_NOT_WANTED;
		*progress = (struct vswitch_progress){.begun = true, .place = vframe_rest(frame)};
	}
	net->rx.tell |= BIT_U32(pair);
	if (vframe_is_large(frame) && !takes_large(net, frame))
		return deliver_cut(net, NET_RX(pair), frame, progress, work);
	return deliver_whole(net, NET_RX(pair), frame, progress, work);
}

static void tell(void *owner)
{
	struct net *net = owner;

	for (uint32_t left = net->rx.tell; left != 0; left &= left - 1)
		vvirtio_tell(&net->dev, NET_RX((unsigned)__builtin_ctz(left)));
	net->rx.tell = 0;
}

const struct vswitch_port_ops net_port_ops = {.deliver = deliver, .tell = tell};
