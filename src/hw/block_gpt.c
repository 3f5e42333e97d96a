// SPDX-License-Identifier: Apache-2.0
// Finds the partitions of the board's disks, once, at boot. Owns nothing that stays but what it writes into struct
// block_dev; called by hw/host_devices.c on the boot CPU.
// Invariant: a disk without a sound table has no partitions, and the log says why; no two partitions share a sector.
// Source: UEFI Specification 2.10, "GUID Partition Table (GPT) Disk Layout".
#include "base/atomic.h"
#include "base/bits.h"
#include "base/gpt.h"
#include "base/log.h"
#include "base/string.h"
#include "hw/block.h"
#include "hw/timer.h"
#include "mem/pages.h"

#define PATIENCE_MS 5000 // for all of a disk: nobody else can do anything while it is waited for
#define ORDER       4    // of the memory for the largest table

STATIC_ASSERT(PAGE_SIZE << ORDER == GPT_MAX_BYTES, "a table fits");

struct waiting {
	bool over;
	int error;
};

static void done(struct block_request *request, int error)
{
	struct waiting *waiting = request->owner;
	waiting->error = error;
	waiting->over = true;
}

static const struct block_request_ops ops = {.done = done};

// Reads whole blocks and waits until `until`, in ticks. The memory is the caller's again in any case.
static int read_blocks(struct block_dev *dev, uint64_t block, pa_t to, uint64_t bytes,
                       uint64_t until)
{
	const struct block_range all = {dev, 0, dev->sectors};
	struct waiting waiting = {false, 0};
	const uint64_t a_block = dev->block_size;
	for (uint64_t at = 0; at < bytes && waiting.error == 0; at += a_block) {
		// Block by block: a device may take no more than that in a segment.
		const struct segment segment = {PA(to.v + at), dev->block_size};
		struct block_request request = {.op = BLOCK_READ,
		                                .sector = (block + at / a_block) *
		                                          (a_block / BLOCK_SECTOR),
		                                .segments = &segment,
		                                .nr_segments = 1,
		                                .ops = &ops,
		                                .owner = &waiting};
		waiting.over = false;
		int error = block_submit(&all, &request);
		if (error != 0)
			return error;
		while (!waiting.over) {
			block_poll(dev);
			if (timer_now() > until)
				dev->driver->give_up(dev); // it is answered soon
			spin_relax();
		}
	}
	return waiting.error;
}

static bool overlaps(const struct block_dev *dev, uint64_t first, uint64_t sectors)
{
	for (unsigned i = 0; i < dev->nr_partitions; i++)
		if (ranges_overlap(dev->partition[i].first, dev->partition[i].sectors, first,
		                   sectors))
			return true;
	return false;
}

static void take_entries(struct block_dev *dev, const struct gpt *gpt, const uint8_t *table)
{
	const uint64_t scale = dev->block_size / BLOCK_SECTOR;
	struct gpt_partition p;
	unsigned left_out = 0;
	for (uint32_t i = 0; i < gpt->nr_entries; i++) {
		if (!gpt_read_entry(gpt, table, i, &p))
			continue;
		struct block_partition *to = &dev->partition[dev->nr_partitions];
		if (dev->nr_partitions == BLOCK_MAX_PARTITIONS ||
		    overlaps(dev, p.first * scale, p.blocks * scale)) {
			left_out++;
			continue;
		}
		*to = (struct block_partition){
		        .first = p.first * scale, .sectors = p.blocks * scale, .number = p.number};
		memcpy(to->label, p.label, sizeof to->label);
		dev->nr_partitions++;
	}
	if (left_out != 0)
		log_line("%s: %u partitions are left out: more than %u, or on top of another one",
		         dev->name, left_out, BLOCK_MAX_PARTITIONS);
}

// Reads the table whose header is at block `at`; `to` is room for the table. ERR_IO: the disk failed.
static int read_table(struct block_dev *dev, uint64_t at, pa_t to, uint64_t until, struct gpt *gpt,
                      enum gpt_fault *fault)
{
	const uint64_t nr_blocks = dev->sectors / (dev->block_size / BLOCK_SECTOR);
	const uint8_t *bytes = (const uint8_t *)(uintptr_t)to.v;
	int error = read_blocks(dev, at, to, dev->block_size, until);
	if (error != 0)
		return error;
	*fault = gpt_read_header(bytes, dev->block_size, at, nr_blocks, gpt);
	if (*fault != GPT_OK)
		return 0;
	uint64_t size = (uint64_t)gpt->nr_entries * gpt->entry_bytes;
	error = read_blocks(dev, gpt->table, to, align_up(size, dev->block_size), until);
	if (error == 0)
		*fault = gpt_check_table(gpt, bytes);
	return error;
}

static int read_disk(struct block_dev *dev, pa_t to)
{
	const uint64_t nr_blocks = dev->sectors / (dev->block_size / BLOCK_SECTOR);
	const uint8_t *bytes = (const uint8_t *)(uintptr_t)to.v;
	const uint64_t until = timer_now() + timer_from_ms(PATIENCE_MS);
	enum gpt_fault fault = GPT_OK, second = GPT_OK;
	struct gpt gpt;
	if (nr_blocks < 3)
		return 0; // no room for anything
	int error = read_blocks(dev, 0, to, dev->block_size, until);
	if (error != 0 || !gpt_is_announced(bytes))
		return error;
	error = read_table(dev, 1, to, until, &gpt, &fault);
	if (error == 0 && fault != GPT_OK) {
		error = read_table(dev, nr_blocks - 1, to, until, &gpt, &second);
		log_line("%s: the partition table is not usable: %s; the copy at the end %s",
		         dev->name, gpt_fault_text(fault),
		         error != 0         ? "cannot be read"
		         : second == GPT_OK ? "is used"
		                            : "is not, either");
		fault = second;
	}
	if (error == 0 && fault == GPT_OK)
		take_entries(dev, &gpt, bytes);
	return error;
}

void block_find_partitions(void)
{
	struct block_dev *dev = block_get(0);
	if (dev == NULL)
		return;
	pa_t to = pages_alloc(ORDER, OWNER_EL2, PAGE_DATA, NULL);
	if (to.v == 0) {
		log_line("devices: no memory to read partition tables");
		return;
	}
	bool dead = false;
	for (unsigned i = 0; (dev = block_get(i)) != NULL; i++) {
		if (read_disk(dev, to) != 0)
			log_line("%s: cannot be read: its partitions are not known", dev->name);
		dead = dead || block_is_dead(dev);
	}
	if (!dead) // one that was given up had a last request, and may be worse than it seems
		pages_free(to, NULL);
}
