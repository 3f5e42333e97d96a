// SPDX-License-Identifier: Apache-2.0
// True random bytes from the board: its virtio entropy device, the first one that was found.
#ifndef HW_VIRTIO_RNG_H
#define HW_VIRTIO_RNG_H

#include "base/types.h"
#include "hw/segment.h"

#define VIRTIO_RNG_NOW_MAX 64 // bytes of one virtio_rng_read_now

struct virtio_rng_request;

struct virtio_rng_request_ops {
	// The first `bytes` bytes of the segment are random now; there may be fewer than were asked for. 0, or ERR_IO:
	// none, and the device is dead. Any CPU, no lock held; never from within virtio_rng_submit. It may submit again.
	void (*done)(struct virtio_rng_request *request, int error, uint32_t bytes);
};

struct virtio_rng_request {
	// Set by the owner, kept as they are until `done`. The memory is the device's until then.
	struct segment segment;
	const struct virtio_rng_request_ops *ops;
	void *owner;

	// The driver's, until `done`.
	struct virtio_rng_request *next;
	uint32_t bytes;
	int error;
};

// Asks for random bytes. 0: `done` will be called, once. ERR_BUSY: the device has as many requests as it can take, try
// again when one is over; ERR_NOT_FOUND: the board has no such device; ERR_IO: it is dead. Any CPU; takes LOCK_HW.
int virtio_rng_submit(struct virtio_rng_request *request);
// Fills `bytes`, at most VIRTIO_RNG_NOW_MAX, and waits for them, at most some seconds. Boot CPU, before interrupts may
// come. ERR_NOT_FOUND; ERR_BUSY: it does not deliver.
int virtio_rng_read_now(void *bytes, uint32_t count);

#endif
