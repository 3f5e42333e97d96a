// SPDX-License-Identifier: Apache-2.0
// The shell's commands about the devices of the board that Mezzo drives. Own nothing: what they keep from step to step
// is in the job. Called by shell.c alone, a step at a time.
#include "base/print.h"
#include "base/string.h"
#include "console/shell.h"
#include "hw/block.h"
#include "hw/intc.h"
#include "hw/virtio.h"

#define ROWS_A_STEP 4

// ---- disks ----

struct at_disk {
	uint32_t disk, row; // row 0: the disk, then its partitions
};

static const struct answer_column disk_columns[] = {
        {"name", "NAME", ANSWER_TEXT, -8},
        {"size", "SIZE", ANSWER_SIZE, 9},
        {"first", "FIRST SECTOR", ANSWER_NUMBER, 14},
        {"block", "BLOCK", ANSWER_NUMBER, 6},
        {"read_only", "READ-ONLY", ANSWER_YES, -9},
        {"driver", "DRIVER", ANSWER_TEXT, -12},
        {"dead", "DEAD", ANSWER_YES, -4},
        {"label", "LABEL", ANSWER_TEXT, 0},
};

static void show_disk(struct shell_job *job, const struct block_dev *dev)
{
	answer_row(&job->out, (struct answer_value[]){{.text = dev->name},
	                                              {.number = dev->sectors * BLOCK_SECTOR},
	                                              {.number = ANSWER_NONE},
	                                              {.number = dev->block_size},
	                                              {.number = dev->read_only ? 1 : 0},
	                                              {.text = dev->driver->name},
	                                              {.number = block_is_dead(dev) ? 1 : 0},
	                                              {.text = NULL}});
}

static void show_partition(struct shell_job *job, const struct block_dev *dev,
                           const struct block_partition *part)
{
	char name[BLOCK_NAME_SIZE];
	block_partition_name(dev, part, name);
	answer_row(&job->out, (struct answer_value[]){{.text = name},
	                                              {.number = part->sectors * BLOCK_SECTOR},
	                                              {.number = part->first},
	                                              {.number = ANSWER_NONE},
	                                              {.number = ANSWER_NONE},
	                                              {.text = NULL},
	                                              {.number = ANSWER_NONE},
	                                              {.text = part->label}});
}

static bool command_disks(struct shell_job *job)
{
	struct at_disk *at = (struct at_disk *)job->scratch;

	if (job->step == 0) {
		if (block_get(0) == NULL && !job->out.json) {
			answer_say(&job->out, NULL, "no disk was found on this board");
			return false;
		}
		answer_table(&job->out, "disks", disk_columns, ARRAY_SIZE(disk_columns));
	}
	for (unsigned i = 0; i < ROWS_A_STEP; i++) {
		const struct block_dev *dev = block_get(at->disk);
		if (dev == NULL)
			return false;
		if (at->row == 0)
			show_disk(job, dev);
		else
			show_partition(job, dev, &dev->partition[at->row - 1]);
		if (at->row++ == dev->nr_partitions) {
			at->disk++;
			at->row = 0;
		}
	}
	return true;
}

// ---- all devices ----

static const struct answer_column device_columns[] = {
        {"at", "AT", ANSWER_TEXT, -10},           {"bus", "BUS", ANSWER_TEXT, -11},
        {"kind", "KIND", ANSWER_TEXT, -8},        {"driver", "DRIVER", ANSWER_TEXT, -14},
        {"interrupt", "INTID", ANSWER_NUMBER, 6}, {"state", "STATE", ANSWER_TEXT, -8},
        {"name", "NAME", ANSWER_TEXT, 0},
};

static bool command_devices(struct shell_job *job)
{
	uint32_t *next = (uint32_t *)job->scratch;

	if (job->step == 0) {
		if (virtio_get(0) == NULL && !job->out.json) {
			answer_say(&job->out, NULL, "no virtio device was found on this board");
			return false;
		}
		answer_table(&job->out, "devices", device_columns, ARRAY_SIZE(device_columns));
	}
	for (unsigned i = 0; i < ROWS_A_STEP; i++) {
		const struct virtio_dev *dev = virtio_get((*next)++);
		if (dev == NULL)
			return false;
		answer_row(&job->out,
		           (struct answer_value[]){
		                   {.text = dev->where},
		                   {.text = dev->transport->name},
		                   {.text = virtio_kind_name(dev->kind)},
		                   {.text = dev->driver != NULL ? dev->driver->name : NULL},
		                   {.number = dev->intid != INTC_NONE ? dev->intid : ANSWER_NONE},
		                   {.text = virtio_state_name(load_relaxed(&dev->state))},
		                   {.text = dev->name}});
	}
	return true;
}

const struct shell_command shell_board_commands[] = {
        {"disks", "", "the board's disks and their partitions", command_disks, .most = 0},
        {"devices", "", "the board's virtio devices", command_devices, .most = 0},
        {0},
};
