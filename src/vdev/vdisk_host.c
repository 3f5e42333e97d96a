// SPDX-License-Identifier: Apache-2.0
// A virtio disk whose bytes are on the board's own disk, or a partition of it. Owns the requests that are with the
// device, under the virtio device's lock, and the list of who has which sectors; called by vvirtio_blk.c, and by
// hw/block.c when a request is over.
//
// Nothing is copied: the board's device reads and writes the guest's memory itself. A guest's request goes there in parts
// of so many runs of memory as one of them may have. When all of its parts have been handed over, the guest's chain is
// taken out of hand (a flight keeps what gives it back), and the next one is looked at. What comes back does so in any
// order, on any CPU.
// A driver need not notify while BUSY of its queue's requests are with the device: whatever it queues meanwhile is found a
// little after that began, and then when one of them is over, which each is in the end (hw/block.h).
// Invariant: a queue is deaf only while it has BUSY flights, or the device is about to be reset. While a part is with the
// device, the VM's memory stays: vdisk_ops.busy says so. Of a queue that was stopped meanwhile, the rings are not touched.
#include "vdev/vdisk_host.h"

#include "base/string.h"
#include "vdev/vdisk.h"
#include "vm/vm.h"

#define PARTS      32 // with the device at a time, of all queues
#define RUNS       64 // of memory, of a part
#define CLAIMS     256
#define BUSY       8 // flights of a queue, from which on its driver need not notify
#define COST_PART  2500U
#define COST_RUN   600U               // looked up twice, and described to the board's device
#define PART_BYTES (RUNS * PAGE_SIZE) // of data, of a part: no more than was seen to be there

struct vdisk_flight {
	uint32_t parts; // with the device, and one while there are more to come
	uint32_t life;  // of the queue
	uint32_t bytes; // that the guest's buffer has for the device
	uint16_t id, slots;
	uint8_t queue;
	uint8_t status;
	ipa_t status_at;
};

struct vdisk_part {
	struct block_request block;
	struct vdisk_host *host;
	struct vdisk_flight *flight;
	struct segment segment[RUNS];
};

struct vdisk_host {
	// Fixed after start.
	struct vdisk *disk;
	struct block_range range;

	// Under the device's lock.
	uint32_t parts_used, flights_used; // bits
	uint32_t waiting;                  // queues that had no part
	uint8_t in_flight[VDISK_QUEUES];   // of each queue
	struct vdisk_part part[PARTS];
	struct vdisk_flight flight[PARTS];
};

// ---- parts and flights ----

// The number of one that is free, and taken now; PARTS: there is none.
static unsigned take(uint32_t *used)
{
	if (*used == UINT32_MAX)
		return PARTS;
	unsigned n = (unsigned)__builtin_ctz(~*used);
	*used |= BIT_U32(n);
	return n;
}

static void give_part(struct vdisk_host *host, const struct vdisk_part *part)
{
	host->parts_used &= ~BIT_U32(part - host->part);
}

// A queue has one flight more, or fewer: whether its driver need not notify.
static void count_flight(struct vdisk_host *host, unsigned queue, bool more)
{
	struct vdisk *disk = host->disk;
	uint8_t before = host->in_flight[queue], now = (uint8_t)(more ? before + 1 : before - 1);

	host->in_flight[queue] = now;
	if (more && now == BUSY) {
		vvirtio_deafen(&disk->dev, queue, true);
		// A burst does not wait for its first answer.
		vvirtio_again(&disk->dev, BIT_U32(queue));
	} else if (!more && before == BUSY && !disk->stopping) {
		vvirtio_deafen(&disk->dev, queue, false);
	}
}

// One part fewer; the last one gives the guest's buffer back.
static void land(struct vdisk_host *host, struct vdisk_flight *flight)
{
	struct vvirtio *dev = &host->disk->dev;
	struct vvirtio_queue *queue = &dev->queue[flight->queue];

	if (--flight->parts != 0)
		return;
	if (queue->life == flight->life) {
		vvirtqueue_give_id(
		        &queue->ring, flight->id, flight->slots,
		        vdisk_end(host->disk, flight->status_at, flight->status, flight->bytes));
		vvirtio_tell(dev, flight->queue);
	}
	host->flights_used &= ~BIT_U32(flight - host->flight);
	count_flight(host, flight->queue, false);
}

static void part_done(struct block_request *block, int error)
{
	struct vdisk_part *part = block->owner;
	struct vdisk_host *host = part->host;
	struct vvirtio *dev = &host->disk->dev;
	uint32_t queues;

	spin_lock(&dev->lock);
	queues = host->waiting | dev->deaf; // nobody tells of what is in these, or will be
	host->waiting = 0;
	if (error != 0)
		part->flight->status =
		        error == ERR_UNSUPPORTED ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
	give_part(host, part);
	land(host, part->flight);
	if (queues != 0 && !host->disk->stopping)
		vvirtio_later(dev, queues);
	spin_unlock(&dev->lock); // the VM may be gone from here on
}

static const struct block_request_ops block_ops = {.done = part_done};

// ---- handing over ----

// Cuts the next of the guest's memory into runs: how many bytes of whole blocks, 0: there are none.
static uint64_t add_runs(struct vdisk_host *host, struct vdisk_part *part,
                         struct vdisk_request *request, const struct vvirtqueue_chain *chain,
                         struct vvirtio_work *work)
{
	const struct block_dev *board = host->range.dev;
	struct vvirtio_place place = request->data;
	uint64_t sum = 0, most = request->left < PART_BYTES ? request->left : PART_BYTES;
	unsigned n = 0, limit = board->max_segments < RUNS ? board->max_segments : RUNS;

	while (n < limit && sum < most) {
		uint64_t bytes, some = most - sum;
		some = some < board->max_segment_bytes ? some : board->max_segment_bytes;
		void *at = vvirtio_span(&host->disk->dev, chain, &place, some, &bytes, work);
		if (at == NULL)
			break;
		part->segment[n++] = (struct segment){PA((uintptr_t)at), (uint32_t)bytes};
		sum += bytes;
	}
	uint64_t excess = sum % board->block_size;
	sum -= excess;
	while (excess != 0) { // what is no whole block waits for the next part
		struct segment *last = &part->segment[n - 1];
		uint32_t some = excess < last->bytes ? (uint32_t)excess : last->bytes;
		last->bytes -= some;
		excess -= some;
		n -= last->bytes == 0;
	}
	vvirtio_spend(work, COST_RUN * n);
	part->block.segments = part->segment;
	part->block.nr_segments = n;
	return sum;
}

static const enum block_op block_op_of[] = {
        [VIRTIO_BLK_IN] = BLOCK_READ,
        [VIRTIO_BLK_OUT] = BLOCK_WRITE,
        [VIRTIO_BLK_FLUSH] = BLOCK_FLUSH,
        [VIRTIO_BLK_DISCARD] = BLOCK_DISCARD,
        [VIRTIO_BLK_WRITE_ZEROES] = BLOCK_WRITE_ZEROES,
};

// Makes the next part of a request: how many bytes of the disk it is about.
static uint64_t fill(struct vdisk_host *host, struct vdisk_part *part,
                     struct vdisk_request *request, const struct vvirtqueue_chain *chain,
                     struct vvirtio_work *work)
{
	const struct vdisk *disk = host->disk;
	uint64_t block = disk->block_size / VDISK_SECTOR, sectors = request->left / VDISK_SECTOR;

	part->block = (struct block_request){
	        .op = block_op_of[request->type],
	        .sector = request->at / VDISK_SECTOR,
	        .unmap = request->unmap,
	        .ops = &block_ops,
	        .owner = part,
	};
	if (request->type == VIRTIO_BLK_FLUSH)
		return 0;
	if (request->type == VIRTIO_BLK_IN || request->type == VIRTIO_BLK_OUT)
		return add_runs(host, part, request, chain, work);
	uint64_t most =
	        request->type == VIRTIO_BLK_DISCARD ? disk->discard_sectors : disk->zeroes_sectors;
	if (sectors > most)
		sectors = most - most % block;
	part->block.sectors = sectors;
	return sectors * VDISK_SECTOR;
}

static enum vdisk_answer wait(struct vdisk_host *host, unsigned queue)
{
	host->waiting |= BIT_U32(queue);
	return VDISK_WAIT;
}

// Hands the next part over. DONE: it is with the device, or the flight's status says why not.
static enum vdisk_answer send_part(struct vdisk_host *host, unsigned queue,
                                   const struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	struct vdisk *disk = host->disk;
	struct vdisk_request *request = &disk->request[queue];
	bool moves = request->type == VIRTIO_BLK_IN || request->type == VIRTIO_BLK_OUT;

	// Memory first: to look up what was touched before is fast.
	if (moves && !vvirtio_warm(&disk->dev, chain, request->data,
	                           request->left < PART_BYTES ? request->left : PART_BYTES, work))
		return VDISK_LATER;
	unsigned n = take(&host->parts_used);
	if (n == PARTS)
		return wait(host, queue);
	struct vdisk_part *part = &host->part[n];
	uint64_t bytes = fill(host, part, request, chain, work);
	int error = bytes == 0 && request->type != VIRTIO_BLK_FLUSH ? ERR_INVALID : 0;
	part->host = host;
	part->flight = request->flight;
	if (error == 0)
		error = block_submit(&host->range, &part->block);
	vvirtio_spend(work, COST_PART);
	if (error != 0)
		give_part(host, part);
	if (error == ERR_BUSY) // full of others' requests: nobody will tell
		return host->parts_used != 0 ? wait(host, queue) : VDISK_LATER;
	if (error != 0) {
		request->flight->status = VIRTIO_BLK_S_IOERR;
		request->left = 0;
		return VDISK_DONE;
	}
	request->flight->parts++;
	if (moves)
		vvirtio_skip(chain, &request->data, bytes);
	request->at += bytes;
	request->left -= bytes;
	return VDISK_DONE;
}

static struct vdisk_flight *take_off(struct vdisk_host *host, unsigned queue,
                                     const struct vdisk_request *request,
                                     const struct vvirtqueue_chain *chain)
{
	unsigned n = take(&host->flights_used);

	if (n == PARTS)
		return NULL;
	host->flight[n] = (struct vdisk_flight){
	        .parts = 1,
	        .life = request->life,
	        .bytes = (uint32_t)chain->bytes_write,
	        .id = chain->id,
	        .slots = chain->slots,
	        .queue = (uint8_t)queue,
	        .status = VIRTIO_BLK_S_OK,
	        .status_at = request->status_at,
	};
	count_flight(host, queue, true);
	return &host->flight[n];
}

static enum vdisk_answer host_work(struct vdisk *disk, unsigned queue,
                                   struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	struct vdisk_host *host = disk->medium;
	struct vdisk_request *request = &disk->request[queue];
	bool flush = request->type == VIRTIO_BLK_FLUSH;
	enum vdisk_answer answer = VDISK_DONE;

	if (flush ? !host->range.dev->has_flush : request->left == 0 && request->flight == NULL)
		return VDISK_DONE;
	if (request->flight == NULL)
		request->flight = take_off(host, queue, request, chain);
	if (request->flight == NULL)
		return wait(host, queue);
	do {
		if (!vvirtio_may(work))
			return VDISK_LATER;
		answer = send_part(host, queue, chain, work);
	} while (answer == VDISK_DONE && request->left != 0);
	if (answer != VDISK_DONE)
		return answer;
	vvirtio_keep(&disk->dev, queue);
	land(host, request->flight);
	request->flight = NULL;
	return VDISK_KEPT;
}

// ---- its life ----

static void host_forget(struct vdisk *disk, unsigned queue)
{
	struct vdisk_request *request = &disk->request[queue];

	if (request->flight != NULL)
		land(disk->medium, request->flight);
	request->flight = NULL;
}

static bool host_busy(struct vdisk *disk)
{
	return ((struct vdisk_host *)disk->medium)->parts_used != 0;
}

static void host_reset(struct vdisk *disk)
{
	struct vdisk_host *host = disk->medium;

	host->flights_used = host->waiting = 0;
	memset(host->in_flight, 0, sizeof host->in_flight);
}

static const struct vdisk_ops ops = {
        .work = host_work,
        .forget = host_forget,
        .busy = host_busy,
        .reset = host_reset,
};

int vdisk_host_create(struct vdisk *disk, const struct vm_disk *from)
{
	const struct block_dev *board = from->range.dev;
	struct vdisk_host *host = vm_alloc(disk->dev.vm, sizeof *host);

	if (host == NULL)
		return ERR_NO_MEMORY;
	host->disk = disk;
	host->range = from->range;
	disk->ops = &ops;
	disk->medium = host;
	disk->sectors = from->range.sectors;
	disk->block_size = board->block_size;
	if (from->image.mode != DESC_IMAGE_RO) {
		disk->discard_sectors = board->discard.max_sectors;
		disk->zeroes_sectors = board->write_zeroes.max_sectors;
	}
	return 0;
}

// ---- who has what ----

static struct claim {
	uint32_t vm; // its number; 0: none
	bool writes;
	struct block_range range;
} claims[CLAIMS];

static bool overlap(const struct block_range *a, const struct block_range *b)
{
	return a->dev == b->dev && a->first < b->first + b->sectors &&
	       b->first < a->first + a->sectors;
}

int vdisk_host_claim(uint32_t vm, const struct block_range *range, bool writes, uint32_t *other)
{
	struct claim *room = NULL;

	for (unsigned i = 0; i < CLAIMS; i++) {
		struct claim *claim = &claims[i];
		if (claim->vm != 0 && !vm_number_taken(claim->vm))
			claim->vm = 0;
		if (claim->vm == 0)
			room = claim;
		else if ((writes || claim->writes) && overlap(&claim->range, range)) {
			*other = claim->vm;
			return ERR_BUSY;
		}
	}
	if (room == NULL)
		return ERR_NO_MEMORY;
	*room = (struct claim){vm, writes, *range};
	return 0;
}

void vdisk_host_release(uint32_t vm)
{
	for (unsigned i = 0; i < CLAIMS; i++)
		if (claims[i].vm == vm)
			claims[i].vm = 0;
}
