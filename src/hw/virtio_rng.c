// SPDX-License-Identifier: Apache-2.0
// The virtio entropy device. Owns its ring and, for the boot, a little memory; called by hw/virtio.c, and by whoever wants
// random bytes.
// Invariant: no byte counts as random that the device did not say it wrote.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Entropy Device".
#include "hw/virtio_rng.h"
#include "base/atomic.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"
#include "hw/entropy.h"
#include "hw/timer.h"
#include "hw/virtio.h"
#include "hw/virtio_drivers.h"

#define PATIENCE_MS 2000
#define ROOM        16 // requests at a time; the device may have a shorter ring

struct rng {
	struct virtio_dev *dev;
	struct virtio_rng_request now, pool;
	bool now_over;
	char name[8];
	struct virtio_ring ring;
	uint8_t bytes[VIRTIO_RNG_NOW_MAX]; // physical memory, as the stack is not
};

static struct rng *first_rng; // fixed after boot
static unsigned nr_rngs;

int virtio_rng_submit(struct virtio_rng_request *request)
{
	const struct virtio_part part = {&request->segment, 1, true};
	int error = ERR_IO;
	if (first_rng == NULL)
		return ERR_NOT_FOUND;
	struct virtio_dev *dev = first_rng->dev;
	spin_lock(&dev->lock);
	if (dev->state == VIRTIO_LIVE) {
		error = virtio_ring_put(&first_rng->ring, &part, 1, request, timer_now());
		if (error >= 0)
			virtio_kick(dev, &first_rng->ring);
	}
	spin_unlock(&dev->lock);
	return error < 0 ? error : 0;
}

static bool rng_poll(struct virtio_dev *dev)
{
	struct rng *rng = dev->chip;
	struct virtio_rng_request *list = NULL, **last = &list;
	struct virtio_answer answer;
	unsigned taken = 0;
	int error;
	spin_lock(&dev->lock);
	while (taken < VIRTIO_A_POLL && virtio_take(dev, &rng->ring, &answer, &error)) {
		struct virtio_rng_request *request = answer.owner;
		request->bytes = answer.bytes;
		request->error = error;
		request->next = NULL;
		*last = request;
		last = &request->next;
		taken++;
	}
	spin_unlock(&dev->lock);
	while (list != NULL) {
		struct virtio_rng_request *request = list;
		list = request->next;
		request->ops->done(request, request->error, request->bytes);
	}
	return taken == VIRTIO_A_POLL;
}

// ---- at boot ----

static void now_done(struct virtio_rng_request *request, int error UNUSED, uint32_t bytes UNUSED)
{
	struct rng *rng = request->owner;
	rng->now_over = true;
}

static const struct virtio_rng_request_ops now_ops = {.done = now_done};

int virtio_rng_read_now(void *bytes, uint32_t wanted)
{
	struct rng *rng = first_rng;
	uint64_t start = timer_now(), limit = timer_from_ms(PATIENCE_MS);
	uint32_t got = 0;
	if (rng == NULL || wanted > sizeof rng->bytes)
		return ERR_NOT_FOUND;
	while (got < wanted) {
		rng->now = (struct virtio_rng_request){
		        .segment = {PA((uintptr_t)rng->bytes), wanted - got},
		        .ops = &now_ops,
		        .owner = rng};
		rng->now_over = false;
		if (virtio_rng_submit(&rng->now) != 0)
			return ERR_BUSY;
		while (!rng->now_over) {
			virtio_poll(rng->dev);
			if (timer_now() - start > limit)
				return ERR_BUSY; // it stays asked, and may still write to its own memory
			spin_relax();
		}
		if (rng->now.error != 0 || (rng->now.bytes == 0 && timer_now() - start > limit))
			return ERR_BUSY;
		memcpy((uint8_t *)bytes + got, rng->bytes, rng->now.bytes);
		got += rng->now.bytes;
	}
	memset(rng->bytes, 0, sizeof rng->bytes);
	return 0;
}

// ---- for guests ----

static void pool_done(struct virtio_rng_request *request UNUSED, int error UNUSED, uint32_t bytes)
{
	entropy_delivered(bytes);
}

static const struct virtio_rng_request_ops pool_ops = {.done = pool_done};

static int pool_ask(struct segment into)
{
	first_rng->pool = (struct virtio_rng_request){.segment = into, .ops = &pool_ops};
	return virtio_rng_submit(&first_rng->pool);
}

static const struct entropy_source rng_source = {.ask = pool_ask};

// ---- the device ----

static int rng_start(struct virtio_dev *dev)
{
	struct rng *rng = virtio_memory(sizeof *rng);
	if (rng == NULL) {
		log_line("devices: no memory for the entropy device at %s: left alone", dev->where);
		return ERR_NO_MEMORY;
	}
	rng->dev = dev;
	dev->chip = rng;
	int error = virtio_begin(dev, 0);
	if (error == 0)
		error = virtio_add_ring(dev, &rng->ring, 0, ROOM);
	if (error != 0)
		return error;
	print_buffer(rng->name, sizeof rng->name, "rng%u", nr_rngs++);
	dev->name = rng->name;
	if (first_rng == NULL) {
		first_rng = rng;
		entropy_set_source(&rng_source);
	}
	virtio_run(dev);
	log_line("%s: virtio-rng at %s %s", rng->name, dev->transport->name, dev->where);
	return 0;
}

const struct virtio_driver virtio_rng = {
        .kind = VIRTIO_ENTROPY, .name = "virtio-rng", .start = rng_start, .poll = rng_poll};
