/* SPDX-License-Identifier: Apache-2.0 */
/* A driver's side of virtio-mmio, as much as test kernels need: split rings, both versions of the registers. */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "bits.h"

#define VIRTIO_RING_MAX   64
#define VIRTIO_QUEUES_MAX 4
#define VIRTIO_RINGS      8 /* of all devices */

/* Features of the rings, which a driver may ask virtio_begin() for. */
#define VIRTIO_F_INDIRECT  BIT(28)
#define VIRTIO_F_EVENT_IDX BIT(29)

#define VIRTIO_ID_NET     1
#define VIRTIO_ID_BLOCK   2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_ENTROPY 4
#define VIRTIO_ID_BALLOON 5

struct virtio_segment {
	const void *at;
	u32 bytes;
	bool write; /* by the device */
};

struct virtio_queue {
	u16 size, free, seen; /* next descriptor to use; used entries taken */
	u16 asked;            /* EVENT_IDX: how far virtio_wants() was asked about */
	u64 memory; /* descriptors, then the driver's part, and the device's a page later */
};

struct virtio {
	u64 base;
	u32 intid;
	bool legacy;
	u64 features; /* that both sides use */
	struct virtio_queue queue[VIRTIO_QUEUES_MAX];
};

/* The n-th device of a kind, in the order of slots. False: there is none. */
bool virtio_find(u32 id, unsigned n, struct virtio *dev);
/* Features that it has, wanted or not. */
u64 virtio_offered(const struct virtio *dev);
/* Resets it and agrees on features: `wanted` as far as it has them. False: it does not agree. */
bool virtio_begin(struct virtio *dev, u64 wanted);
/* Makes queue n, in the memory that it had before if it had some. False: it does not exist, or there is no memory. */
bool virtio_add_queue(struct virtio *dev, unsigned n);
void virtio_go(struct virtio *dev);

/* Makes a buffer available: what names it. The caller sees to it that there are descriptors. */
u16 virtio_put(struct virtio *dev, unsigned n, const struct virtio_segment *segments,
               unsigned count);
/* The same by descriptor `head` alone, which the caller knows to be free: the segments are named in `table`, with 16
 * bytes for each. With VIRTIO_F_INDIRECT. Not to be mixed with virtio_put() in one queue. */
void virtio_put_table(struct virtio *dev, unsigned n, u16 head, void *table,
                      const struct virtio_segment *segments, unsigned count);
void virtio_notify(struct virtio *dev, unsigned n);
/* Takes a buffer that came back, with how many bytes were written. False: there is none. */
bool virtio_take(struct virtio *dev, unsigned n, u16 *id, u32 *bytes);

/* The same, waiting for so many microseconds. */
bool virtio_wait(struct virtio *dev, unsigned n, u16 *id, u32 *bytes, u64 us);
/* Whether it wants to be notified of the buffers that were put since the last call. */
bool virtio_wants(struct virtio *dev, unsigned n);
/* It need not interrupt for this queue. */
void virtio_be_quiet(struct virtio *dev, unsigned n);
/* Each buffer that was made available becomes nonsense. */
void virtio_spoil(struct virtio *dev, unsigned n);

/* A field of the configuration: 1, 2, 4 or 8 bytes. */
u64 virtio_config(const struct virtio *dev, u32 offset, unsigned bytes);
/* Reads and acknowledges why it interrupts. */
u32 virtio_interrupts(struct virtio *dev);
u32 virtio_status(const struct virtio *dev);

#endif
