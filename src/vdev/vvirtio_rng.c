// SPDX-License-Identifier: Apache-2.0
// The virtio entropy device: random bytes for a guest, from a true source only. Owns one queue; called by vvirtio.c. A
// board without a source gives its guests no such device: bytes that are merely computed would be taken for entropy.
// Invariant: no byte is given to two guests, or twice.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Entropy Device".
#include "vdev/vvirtio_rng.h"

#include "hw/entropy.h"
#include "vdev/vvirtio.h"
#include "vm/vm.h"

#define QUEUE_SIZE 8
#define MOST       64U // bytes that a buffer gets, however large it is
#define COST       2000U

struct vvirtio_rng {
	struct vvirtio dev; // first
	struct vvirtio_queue queue;
};

static bool rng_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct vvirtqueue_chain *chain;
	uint8_t bytes[MOST];

	while (vvirtio_may(work) && (chain = vvirtio_chain(dev, queue, work)) != NULL) {
		struct vvirtio_place place = vvirtio_writable(chain);
		uint64_t most = chain->bytes_write < MOST ? chain->bytes_write : MOST;
		size_t got = entropy_read(bytes, (size_t)most);
		vvirtio_spend(work, COST);
		if (got == 0 && most != 0)
			return false; // the source is exhausted for the moment
		vvirtio_give(dev, queue,
		             (uint32_t)vvirtio_to_guest(dev, chain, &place, bytes, got, work));
	}
	return vvirtio_may(work);
}

static const struct vvirtio_ops ops = {
        .name = "virtio-rng",
        .id = VIRTIO_ENTROPY,
        .queue_size = QUEUE_SIZE,
        .work = rng_work,
};

int vvirtio_rng_create(struct vm *vm)
{
	if (!vm->wants_rng)
		return 0;
	if (!entropy_exists()) {
		log_line("%s: it gets no rng: this board has no source of true random numbers",
		         vm->name);
		return 0;
	}
	struct vvirtio_rng *rng = vm_alloc(vm, sizeof *rng);
	if (rng == NULL)
		return ERR_NO_MEMORY;
	rng->dev.queue = &rng->queue;
	rng->dev.nr_queues = 1;
	return vvirtio_add(vm, &rng->dev, &ops);
}
