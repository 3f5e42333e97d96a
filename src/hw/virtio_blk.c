// SPDX-License-Identifier: Apache-2.0
// Disks that are virtio devices. Owns each disk's ring, and the headers and answers of its requests; called by
// hw/virtio.c and, through struct block_driver, by hw/block.c.
// Invariant: the header of a request and the byte in which the device says how it went are the driver's own and stay as
// long as the ring, whatever becomes of the request. Requests are told that they are over without the lock.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Block Device".
#include "base/atomic.h"
#include "base/log.h"
#include "hw/block.h"
#include "hw/timer.h"
#include "hw/virtio.h"
#include "hw/virtio_drivers.h"

#define WANTED                                                                                    \
	(VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_BLK_SIZE | \
	 VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES)
#define AROUND       2 // descriptors of a request besides its data: header and answer
#define NOT_ANSWERED 0xff
#define MAX_BLOCK    KIB(4)
#define MAX_SECTORS  (UINT64_MAX / BLOCK_SECTOR)
#define MAX_EXTENT   (BLOCK_MAX_EXTENT / BLOCK_SECTOR)

struct around {
	struct virtio_blk_header header;
	struct virtio_blk_extent extent;
	uint8_t status; // the device writes it
};

struct blk {
	struct virtio_dev *dev;
	struct block_dev disk;
	struct virtio_ring ring;
	struct around around[VIRTIO_RING_MAX]; // by the number of the chain
};

static const uint32_t types[] = {
        [BLOCK_READ] = VIRTIO_BLK_IN,
        [BLOCK_WRITE] = VIRTIO_BLK_OUT,
        [BLOCK_FLUSH] = VIRTIO_BLK_FLUSH,
        [BLOCK_DISCARD] = VIRTIO_BLK_DISCARD,
        [BLOCK_WRITE_ZEROES] = VIRTIO_BLK_WRITE_ZEROES,
};

static struct segment segment_of(void *at, size_t bytes)
{
	return (struct segment){PA((uintptr_t)at), (uint32_t)bytes};
}

static void fill(struct around *around, const struct block_request *request, uint64_t sector)
{
	bool extent = request->op == BLOCK_DISCARD || request->op == BLOCK_WRITE_ZEROES;
	bool place = request->op == BLOCK_READ || request->op == BLOCK_WRITE;
	around->header = (struct virtio_blk_header){.type = types[request->op],
	                                            .sector = place ? sector : 0};
	around->status = NOT_ANSWERED;
	if (extent)
		around->extent = (struct virtio_blk_extent){
		        .sector = sector,
		        .sectors = (uint32_t)request->sectors,
		        .flags = request->op == BLOCK_WRITE_ZEROES && request->unmap
		                         ? VIRTIO_BLK_EXTENT_UNMAP
		                         : 0,
		};
}

static int put(struct blk *blk, struct block_request *request, uint64_t sector)
{
	bool extent = request->op == BLOCK_DISCARD || request->op == BLOCK_WRITE_ZEROES;
	bool none = request->op == BLOCK_FLUSH;
	bool reads = request->op == BLOCK_READ;
	unsigned data = extent ? 1 : none ? 0 : request->nr_segments;
	int chain = virtio_ring_next(&blk->ring, data + AROUND);
	if (chain < 0)
		return ERR_BUSY;
	struct around *around = &blk->around[chain];
	fill(around, request, sector);
	struct segment header = segment_of(&around->header, sizeof around->header);
	struct segment extents = segment_of(&around->extent, sizeof around->extent);
	struct segment status = segment_of(&around->status, sizeof around->status);
	const struct virtio_part parts[] = {
	        {&header, 1, false},
	        {extent ? &extents : request->segments, data, reads},
	        {&status, 1, true},
	};
	return virtio_ring_put(&blk->ring, parts, ARRAY_SIZE(parts), request, timer_now());
}

static int blk_submit(struct block_dev *disk, struct block_request *request, uint64_t sector)
{
	struct blk *blk = disk->chip;
	struct virtio_dev *dev = blk->dev;
	int error = ERR_IO;
	spin_lock(&dev->lock);
	if (dev->state == VIRTIO_LIVE) {
		error = put(blk, request, sector);
		if (error >= 0)
			virtio_kick(dev, &blk->ring);
	}
	spin_unlock(&dev->lock);
	return error < 0 ? error : 0;
}

static int result_of(const struct around *around)
{
	switch (load_relaxed(&around->status)) {
	case VIRTIO_BLK_S_OK: return 0;
	case VIRTIO_BLK_S_UNSUPP: return ERR_UNSUPPORTED;
	default: return ERR_IO;
	}
}

static bool poll(struct virtio_dev *dev)
{
	struct blk *blk = dev->chip;
	struct block_request *first = NULL, **last = &first;
	struct virtio_answer answer;
	unsigned taken = 0;
	int error;
	spin_lock(&dev->lock);
	unsigned before = blk->ring.nr_out;
	while (taken < VIRTIO_A_POLL && virtio_take(dev, &blk->ring, &answer, &error)) {
		struct block_request *request = answer.owner;
		request->error = error != 0 ? error : result_of(&blk->around[answer.chain]);
		request->next = NULL;
		*last = request;
		last = &request->next;
		taken++;
	}
	bool more = virtio_found(dev, &blk->ring, before, taken);
	spin_unlock(&dev->lock);
	while (first != NULL) {
		struct block_request *request = first;
		first = request->next; // `done` may use it for something else
		request->ops->done(request, request->error);
	}
	return more;
}

static bool blk_poll(struct block_dev *disk)
{
	const struct blk *blk = disk->chip;
	return virtio_poll(blk->dev);
}

static void blk_give_up(struct block_dev *disk)
{
	struct blk *blk = disk->chip;
	spin_lock(&blk->dev->lock);
	virtio_stop(blk->dev, "it does not answer");
	spin_unlock(&blk->dev->lock);
}

static bool blk_is_dead(const struct block_dev *disk)
{
	const struct blk *blk = disk->chip;
	return load_relaxed(&blk->dev->state) != VIRTIO_LIVE;
}

static const struct block_driver driver = {
        .name = "virtio-blk",
        .submit = blk_submit,
        .poll = blk_poll,
        .give_up = blk_give_up,
        .is_dead = blk_is_dead,
};

static uint32_t config(const struct virtio_dev *dev, uint64_t feature, uint32_t offset,
                       uint32_t otherwise)
{
	return (dev->features & feature) != 0 ? virtio_config(dev, offset, 4) : otherwise;
}

static struct block_limits limits(const struct virtio_dev *dev, uint64_t feature, uint32_t sectors,
                                  uint32_t segments)
{
	struct block_limits found = {config(dev, feature, sectors, 0), 1};
	if (config(dev, feature, segments, 0) == 0)
		found.max_sectors = 0;
	if (found.max_sectors > MAX_EXTENT)
		found.max_sectors = MAX_EXTENT;
	return found;
}

// What the device says of itself. A sentence's end if that cannot be; NULL: it can.
static const char *read_disk(const struct virtio_dev *dev, struct block_dev *disk)
{
	uint32_t capacity[2] = {0};
	if (virtio_read_config(dev, VIRTIO_BLK_CAPACITY, capacity, ARRAY_SIZE(capacity)) != 0)
		return "its configuration does not stand still";
	disk->sectors = (uint64_t)capacity[1] << 32 | capacity[0];
	disk->block_size = config(dev, VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_BLK_SIZE, BLOCK_SECTOR);
	disk->read_only = (dev->features & VIRTIO_BLK_F_RO) != 0;
	disk->has_flush = (dev->features & VIRTIO_BLK_F_FLUSH) != 0;
	disk->max_segments = config(dev, VIRTIO_BLK_F_SEG_MAX, VIRTIO_BLK_SEG_MAX, 1);
	disk->max_segment_bytes =
	        config(dev, VIRTIO_BLK_F_SIZE_MAX, VIRTIO_BLK_SIZE_MAX, UINT32_MAX);
	disk->discard = limits(dev, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_DISCARD_SECTORS,
	                       VIRTIO_BLK_DISCARD_SEGMENTS);
	uint32_t alignment = config(dev, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_DISCARD_ALIGNMENT, 1);
	disk->discard.alignment = alignment != 0 ? alignment : 1;
	disk->write_zeroes = limits(dev, VIRTIO_BLK_F_WRITE_ZEROES, VIRTIO_BLK_ZEROES_SECTORS,
	                            VIRTIO_BLK_ZEROES_SEGMENTS);
	if (disk->sectors > MAX_SECTORS)
		return "it claims to be larger than 16 EiB";
	if (!is_power_of_two(disk->block_size) || disk->block_size < BLOCK_SECTOR ||
	    disk->block_size > MAX_BLOCK)
		return "its blocks are not of 512 to 4096 bytes";
	if (disk->max_segments == 0 || disk->max_segment_bytes < disk->block_size)
		return "it takes no segment of a whole block";
	return NULL;
}

static int start(struct virtio_dev *dev)
{
	struct blk *blk = virtio_memory(sizeof *blk);
	if (blk == NULL) {
		log_line("devices: no memory for the disk at %s: left alone", dev->where);
		return ERR_NO_MEMORY;
	}
	blk->dev = dev;
	blk->disk.driver = &driver;
	blk->disk.chip = blk;
	dev->chip = blk;
	int error = virtio_begin(dev, WANTED);
	if (error != 0)
		return error;
	const char *why = read_disk(dev, &blk->disk);
	if (why != NULL) {
		log_line("devices: %s %s: a disk, but %s: left alone", dev->transport->name,
		         dev->where, why);
		return ERR_INVALID;
	}
	error = virtio_add_ring(dev, &blk->ring, 0, VIRTIO_RING_MAX);
	if (error != 0)
		return error;
	unsigned room = blk->ring.size > AROUND ? blk->ring.size - AROUND : 0;
	room = room < BLOCK_MAX_SEGMENTS ? room : BLOCK_MAX_SEGMENTS;
	if (blk->disk.max_segments > room)
		blk->disk.max_segments = room;
	if (room == 0 || block_add(&blk->disk) != 0) {
		log_line("devices: the disk at %s: %s: left alone", dev->where,
		         room == 0 ? "its queue is too short" : "there are too many");
		return ERR_NO_MEMORY;
	}
	dev->name = blk->disk.name;
	virtio_run(dev);
	log_line("%s: %lu MiB, virtio-blk at %s %s%s", blk->disk.name, blk->disk.sectors >> 11,
	         dev->transport->name, dev->where, blk->disk.read_only ? ", read-only" : "");
	return 0;
}

const struct virtio_driver virtio_blk = {
        .kind = VIRTIO_BLOCK, .name = "virtio-blk", .start = start, .poll = poll};
