// SPDX-License-Identifier: Apache-2.0
// The board's own disks, whatever drives them: vda, vdb and so on in the order in which they were found, and the
// partitions that a GPT on them names: vda1, vda2, ...
//
// A request goes to the device as it is: the memory that its segments name is read and written by the device
// itself, nothing is copied. From block_submit until `done` that memory belongs to the device, whatever happens to
// whoever asked: it must neither be given to somebody else nor go away. `done` always comes. A device that does not
// answer for 20 seconds, or breaks the rules, is reset, and what it had is then answered with ERR_IO, as is all that is asked
// of it afterwards.
#ifndef HW_BLOCK_H
#define HW_BLOCK_H

#include "base/types.h"
#include "hw/segment.h"

#define BLOCK_SECTOR \
	512 // bytes; the unit of all positions and lengths here, whatever the device's own is
#define BLOCK_MAX_DEVICES    32
#define BLOCK_MAX_PARTITIONS 16      // of one disk; more are left out, with a sentence
#define BLOCK_MAX_SEGMENTS   126     // of one request
#define BLOCK_MAX_BYTES      MIB(64) // of one request
#define BLOCK_NAME_SIZE      8       // "vdaf128" with its NUL
// Bytes of a DISCARD or WRITE_ZEROES: a slow disk may write them all.
#define BLOCK_MAX_EXTENT     MIB(32)

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,        // what was written before, and answered, is on the medium
	BLOCK_DISCARD,      // `sectors` need not be kept
	BLOCK_WRITE_ZEROES, // `sectors` read as zero from now on
};

struct block_request;

struct block_request_ops {
	// The request is over and is its owner's again. 0; ERR_IO: the device failed or is dead; ERR_UNSUPPORTED: it
	// does not know this kind of request. Any CPU, no lock held; never from within block_submit. It may submit
	// again.
	void (*done)(struct block_request *request, int error);
};

struct block_request {
	// Set by the owner, kept as they are until `done`. The segments too.
	enum block_op op;
	uint64_t sector;                // the first, counted from where the range begins
	uint64_t sectors;               // DISCARD, WRITE_ZEROES: how many; else not looked at
	const struct segment *segments; // READ, WRITE: together whole blocks of the device
	unsigned nr_segments;
	bool unmap; // WRITE_ZEROES: the medium may give the space up
	const struct block_request_ops *ops;
	void *owner;

	// The driver's, until `done`.
	struct block_request *next;
	int error;
};

struct block_dev;

// How a disk is reached. All of them on any CPU.
struct block_driver {
	const char *name;
	// A request that block_submit has checked; `sector` counts from where the disk begins. 0, ERR_BUSY, ERR_IO.
	int (*submit)(struct block_dev *dev, struct block_request *request, uint64_t sector);
	bool (*poll)(struct block_dev *dev);    // block_poll
	void (*give_up)(struct block_dev *dev); // the device is to be stopped: it did not answer
	bool (*is_dead)(const struct block_dev *dev);
};

// What the device can do besides reading, writing and flushing; 0 in `max_sectors`: not this.
struct block_limits {
	uint32_t max_sectors; // of one request; at most BLOCK_MAX_EXTENT bytes
	uint32_t alignment;   // in sectors, at least 1: a hint
};

struct block_partition {
	uint64_t first, sectors; // sectors is not 0, and all of it is on the disk
	uint32_t number;         // as in the name: vda2 has 2
	char label[37];          // printable; empty: it has none
};

// A disk. All of it is fixed once the boot is done.
struct block_dev {
	char name[BLOCK_NAME_SIZE];
	const struct block_driver *driver;
	void *chip; // the driver's
	uint64_t sectors;
	uint32_t
	        block_size; // bytes, at least BLOCK_SECTOR: requests begin and end at multiples of it
	bool read_only;
	bool has_flush; // else what was answered is on the medium, as far as the device goes, and there is no
	        // BLOCK_FLUSH
	unsigned max_segments;      // of one request; at most BLOCK_MAX_SEGMENTS
	uint32_t max_segment_bytes; // of one segment
	struct block_limits discard, write_zeroes;
	uint32_t nr_partitions;
	struct block_partition partition[BLOCK_MAX_PARTITIONS];
};

// Some sectors of a disk that follow each other: all of it, or a partition. What is asked of a range cannot reach
// beyond it.
struct block_range {
	struct block_dev *dev;
	uint64_t first, sectors;
};

// Disk number `index` in the order of the names; NULL: there are no more.
struct block_dev *block_get(unsigned index);
// The range of that name: "vda" all of a disk, "vda2" a partition. ERR_NOT_FOUND.
int block_find(const char *name, struct block_range *range);

// What a partition is called: "vda2".
void block_partition_name(const struct block_dev *dev, const struct block_partition *partition,
                          char name[BLOCK_NAME_SIZE]);

// Hands a request to the device. 0: `done` will be called, once. ERR_BUSY: the device has as many as it can take,
// and nothing was done: try again when one of them is over, or, if none is this caller's, after a while. The
// others say that this request will never do: ERR_RANGE (not all of it within the range), ERR_INVALID (segments
// that are too many, empty, too long, or no whole blocks together), ERR_UNSUPPORTED (to be written, and the disk
// is read-only; or it cannot do this), ERR_IO (the disk is dead). Any CPU; takes LOCK_HW, so that locks of VMs and
// devices may be held. At most some 5,000 instructions.
int block_submit(const struct block_range *range, struct block_request *request);

// Looks for answers without an interrupt and calls `done` for some of them, at most eight. Returns whether there
// may be more. Any CPU, no lock held.
bool block_poll(struct block_dev *dev);

// Whether the device was given up: every request is answered with ERR_IO.
bool block_is_dead(const struct block_dev *dev);

// ---- at boot ----

// A disk was found: it gets its name, and is listed from now on. All of it but name and partitions is filled in.
// ERR_NO_MEMORY: there are BLOCK_MAX_DEVICES.
int block_add(struct block_dev *dev);
// Reads the partitions of all disks. Waits for each at most some seconds: one that does not answer is given up.
void block_find_partitions(void);

#endif
