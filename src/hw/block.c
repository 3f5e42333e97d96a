// SPDX-License-Identifier: Apache-2.0
// The board's disks, by name. Owns the list of them; called by their drivers and by main/ at boot, then by whoever
// reads and writes.
// Invariant: what reaches a driver lies on the disk and within the range that was asked, is made of whole blocks, and
// is something that the disk can do.
#include "hw/block.h"

#include "base/bits.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"

static struct block_dev *disks[BLOCK_MAX_DEVICES];
static unsigned nr_disks; // fixed after boot

#define LETTERS 26

int block_add(struct block_dev *dev)
{
	unsigned n = nr_disks;
	if (n == BLOCK_MAX_DEVICES)
		return ERR_NO_MEMORY;
	if (n < LETTERS)
		print_buffer(dev->name, sizeof dev->name, "vd%c", 'a' + (int)n);
	else
		print_buffer(dev->name, sizeof dev->name, "vd%c%c", 'a' + (int)(n / LETTERS - 1),
		             'a' + (int)(n % LETTERS));
	disks[nr_disks++] = dev;
	return 0;
}

struct block_dev *block_get(unsigned index)
{
	return index < nr_disks ? disks[index] : NULL;
}

void block_partition_name(const struct block_dev *dev, const struct block_partition *partition,
                          char name[BLOCK_NAME_SIZE])
{
	print_buffer(name, BLOCK_NAME_SIZE, "%s%u", dev->name, partition->number);
}

int block_find(const char *name, struct block_range *range)
{
	char of_partition[BLOCK_NAME_SIZE];
	for (unsigned i = 0; i < nr_disks; i++) {
		struct block_dev *dev = disks[i];
		if (strcmp(name, dev->name) == 0) {
			*range = (struct block_range){dev, 0, dev->sectors};
			return 0;
		}
		for (unsigned n = 0; n < dev->nr_partitions; n++) {
			const struct block_partition *p = &dev->partition[n];
			block_partition_name(dev, p, of_partition);
			if (strcmp(name, of_partition) == 0) {
				*range = (struct block_range){dev, p->first, p->sectors};
				return 0;
			}
		}
	}
	return ERR_NOT_FOUND;
}

// The bytes of all segments; 0: they will not do.
static uint64_t segment_bytes(const struct block_dev *dev, const struct block_request *request)
{
	uint64_t bytes = 0;
	if (request->nr_segments == 0 || request->nr_segments > dev->max_segments)
		return 0;
	for (unsigned i = 0; i < request->nr_segments; i++) {
		uint32_t n = request->segments[i].bytes;
		if (n == 0 || n > dev->max_segment_bytes)
			return 0;
		bytes += n;
	}
	return bytes <= BLOCK_MAX_BYTES ? bytes : 0;
}

static int check_place(const struct block_range *range, const struct block_request *request,
                       uint64_t sectors)
{
	const uint64_t block = range->dev->block_size / BLOCK_SECTOR;
	if (!range_contains(0, range->sectors, request->sector, sectors))
		return ERR_RANGE;
	return sectors % block == 0 && (range->first + request->sector) % block == 0 ? 0
	                                                                             : ERR_INVALID;
}

static int check_data(const struct block_range *range, const struct block_request *request)
{
	uint64_t bytes = segment_bytes(range->dev, request);
	if (bytes == 0 || bytes % BLOCK_SECTOR != 0)
		return ERR_INVALID;
	if (request->op == BLOCK_WRITE && range->dev->read_only)
		return ERR_UNSUPPORTED;
	return check_place(range, request, bytes / BLOCK_SECTOR);
}

static int check_extent(const struct block_range *range, const struct block_request *request,
                        const struct block_limits *limits)
{
	if (limits->max_sectors == 0 || range->dev->read_only)
		return ERR_UNSUPPORTED;
	if (request->sectors == 0 || request->sectors > limits->max_sectors)
		return ERR_INVALID;
	return check_place(range, request, request->sectors);
}

int block_submit(const struct block_range *range, struct block_request *request)
{
	struct block_dev *dev = range->dev;
	int error = ERR_UNSUPPORTED;
	switch (request->op) {
	case BLOCK_READ:
	case BLOCK_WRITE: error = check_data(range, request); break;
	case BLOCK_DISCARD: error = check_extent(range, request, &dev->discard); break;
	case BLOCK_WRITE_ZEROES: error = check_extent(range, request, &dev->write_zeroes); break;
	case BLOCK_FLUSH: error = dev->has_flush ? 0 : ERR_UNSUPPORTED; break;
	}
	return error != 0 ? error
	                  : dev->driver->submit(dev, request, range->first + request->sector);
}

bool block_poll(struct block_dev *dev)
{
	return dev->driver->poll(dev);
}

bool block_is_dead(const struct block_dev *dev)
{
	return dev->driver->is_dead(dev);
}
