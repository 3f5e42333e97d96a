// SPDX-License-Identifier: Apache-2.0
// A virtio disk from the inside: for vvirtio_blk.c, which knows what a driver may ask, and for what holds the bytes:
// vdisk_image.c and vdisk_host.c.
#ifndef VDEV_VDISK_H
#define VDEV_VDISK_H

#include "vdev/vvirtio.h"

struct vm_disk;
struct vdisk_flight;

#define VDISK_SECTOR      512
#define VDISK_QUEUES      4
#define VDISK_SECTORS_MAX BIT_U64(54) // so that a place in bytes is a number of 64 bits

enum vdisk_answer {
	VDISK_DONE,  // the request is over, and `status` says how
	VDISK_LATER, // there was no time for all of it
	VDISK_WAIT,  // somebody will call vvirtio_later for the queue
	VDISK_KEPT,  // its chain was taken out of hand, and is given back by somebody else
};

// What a queue has in hand. It was checked: all of it lies on the disk, and the disk can do it.
struct vdisk_request {
	bool begun;
	uint8_t status;              // VIRTIO_BLK_S_*: what the driver is told
	uint32_t life;               // of the queue, when it began
	uint32_t type;               // enum virtio_blk_type: IN, OUT, FLUSH, DISCARD, WRITE_ZEROES
	bool unmap;                  // WRITE_ZEROES
	uint64_t at, left;           // bytes of the disk that are still to be done
	struct vvirtio_place data;   // where their bytes are in the guest's buffer
	ipa_t status_at;             // where the driver looks
	struct vdisk_flight *flight; // vdisk_host.c: what of it is with the device already
};

struct vdisk;

// What holds the bytes. The device's lock is held.
struct vdisk_ops {
	// Does what is left of the request that a queue has in hand.
	enum vdisk_answer (*work)(struct vdisk *disk, unsigned queue,
	                          struct vvirtqueue_chain *chain, struct vvirtio_work *work);
	// What a queue had in hand is not wanted any more: the queue was stopped.
	void (*forget)(struct vdisk *disk, unsigned queue);
	// Whether something outside still works for it.
	bool (*busy)(struct vdisk *disk);
	void (*reset)(struct vdisk *disk);
	// The VM begins anew. May be NULL, as the three before.
	void (*begin_life)(struct vdisk *disk);
};

struct vdisk {
	struct vvirtio dev; // first
	// Fixed after start.
	const struct vdisk_ops *ops;
	void *medium; // what ops works on
	const char *name;
	uint64_t sectors;
	uint32_t block_size;                      // bytes: requests are best made of whole ones
	uint32_t physical;                        // log2 of how many blocks the medium has in one
	uint64_t features;                        // VIRTIO_BLK_F_*
	uint32_t discard_sectors, zeroes_sectors; // of one request; 0: not this

	// Under the device's lock.
	bool stopping; // nothing is begun before the reset
	struct vdisk_request request[VDISK_QUEUES];

	uint8_t config[VIRTIO_BLK_CONFIG_SIZE];
};

// Tells the driver how a request ended; how many of the `bytes` that its buffer has for the device are new. The guest
// may have given the page away since: then nobody is told. Under the device's lock, while the VM's memory stays.
uint32_t vdisk_end(struct vdisk *disk, ipa_t status_at, uint8_t status, uint32_t bytes);

// Fill in what is fixed but for `features`, and `ops`. ERR_NO_MEMORY, ERR_RANGE.
int vdisk_image_create(struct vdisk *disk, const struct vm_disk *from);
int vdisk_host_create(struct vdisk *disk, const struct vm_disk *from);

#endif
