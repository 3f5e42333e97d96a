// SPDX-License-Identifier: Apache-2.0
// The virtio balloon. Its driver gives pages away when it is asked to (the queue inflate), takes them back before it uses
// them again (deflate), and tells of memory that is free just now (reporting), which it may use again at any time. Owns
// the device's state under its lock, and what the VM gave back (vm->given); called by vvirtio.c and the shell.
//
// Pages leave the guest at once, but memory is free for others in blocks of 2 MiB, when nothing of a block is the guest's
// any more. Before that, nobody else may lead to it: rings of the VM's devices lie in guest memory, and what they were
// told to read or write is under way. So each other device is asked under its lock, and a block that a ring lies in never
// goes. That is why this device's lock comes before theirs.
// A page that was given away is promised to others; one that was reported stays promised to the guest.
// Invariant: while vm->nr_given is not 0 and the driver is ready, work is pending; once `settled`, no block is added.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Traditional Memory Balloon Device". Which number the reporting queue has
// when queues before it are not offered is told differently by specification and drivers: here all of them report.
#include "vdev/vvirtio_balloon.h"

#include "vdev/vvirtio.h"
#include "vm/giveback.h"
#include "vm/vm.h"

#define QUEUE_SIZE  128
#define PFN_SHIFT   12 // the device's pages are of 4 KiB, whatever the guest's are
#define BATCH       32 // page numbers that are looked at in one go
#define MOST_GIVEN  8  // blocks on their way
#define COST_PAGE   40U
#define COST_GIVE   2500U
#define COST_SCRUB  8000U
#define COST_SETTLE 2000U

enum { INFLATE, DEFLATE, REPORTING, NR_QUEUES = 5 };

struct vvirtio_balloon {
	struct vvirtio dev; // first
	struct vvirtio_queue queue[NR_QUEUES];
	struct {
		uint32_t num_pages; // that the guest is to give away
		uint32_t actual;    // that it says it gave
		uint32_t unused[2];
	} config;

	// Under the device's lock.
	bool settled;     // nothing leads to vm->given
	bool is_reading;  // `place` is how far the buffer in hand of a queue has been read
	uint32_t reading; // which queue
	struct vvirtio_place place;
	// Pages that were read and not given up yet, ascending, all in one 2 MiB.
	uint64_t run, run_bytes;
};

static struct vvirtio_balloon *balloon_of(struct vvirtio *dev)
{
	return CONTAINER_OF(dev, struct vvirtio_balloon, dev);
}

// ---- from the guest to the free pages ----

// Goes on with what was given up. True: there is room for more of it.
static bool pass_on(struct vvirtio_balloon *balloon, struct vvirtio_work *work)
{
	struct vvirtio *dev = &balloon->dev;
	struct vm *vm = dev->vm;

	if (vm->nr_given != 0 && !balloon->settled) {
		vvirtio_spend(work, COST_SETTLE);
		switch (vvirtio_settle(dev)) {
		case VVIRTIO_SETTLED: balloon->settled = true; break;
		case VVIRTIO_HELD:
			vvirtio_broken(dev,
			               "it was given memory in which a queue of the guest lies");
			return false;
		case VVIRTIO_BUSY: return vm->nr_given < MOST_GIVEN;
		}
	}
	while (balloon->settled && vvirtio_may(work)) {
		vvirtio_spend(work, COST_SCRUB);
		balloon->settled = giveback_some(vm);
	}
	return !balloon->settled && vm->nr_given < MOST_GIVEN;
}

static void give_run(struct vvirtio_balloon *balloon, bool unpromise, struct vvirtio_work *work)
{
	if (balloon->run_bytes == 0)
		return;
	uint32_t pages = (uint32_t)(balloon->run_bytes >> PAGE_SHIFT);
	vvirtio_spend(work, COST_GIVE + pages * COST_PAGE / 4);
	giveback_take(balloon->dev.vm, balloon->run, balloon->run_bytes, unpromise);
	balloon->run_bytes = 0;
}

// Adds [ipa, ipa + size), in one 2 MiB, to the run; false: it does not fit to it.
static bool add_to_run(struct vvirtio_balloon *balloon, uint64_t ipa, uint64_t size)
{
	bool first = balloon->run_bytes == 0;
	if (!first && (ipa >> BLOCK_SHIFT != balloon->run >> BLOCK_SHIFT ||
	               (ipa != balloon->run + balloon->run_bytes && ipa + size != balloon->run)))
		return false;
	balloon->run = first || ipa < balloon->run ? ipa : balloon->run;
	balloon->run_bytes += size;
	return true;
}

// ---- inflate ----

// Gives up the pages that some numbers name. How many of them; fewer: the time is over, or there is no room. On nonsense
// the device needs a reset.
static size_t give_pages(struct vvirtio_balloon *balloon, const uint32_t *pfn, size_t count,
                         struct vvirtio_work *work)
{
	struct vvirtio *dev = &balloon->dev;
	const struct vm *vm = dev->vm;
	size_t i;

	for (i = 0; i < count && vvirtio_may(work) && vm->nr_given < MOST_GIVEN; i++) {
		uint64_t ipa = (uint64_t)pfn[i] << PFN_SHIFT;
		if (!range_contains(vm->ram_base, vm->ram_size, ipa, PAGE_SIZE)) {
			vvirtio_broken(dev, "it was given the page %#lx, which is not RAM", ipa);
			break;
		}
		vvirtio_spend(work, COST_PAGE);
		if (!add_to_run(balloon, ipa, PAGE_SIZE)) {
			give_run(balloon, true, work);
			(void)add_to_run(balloon, ipa, PAGE_SIZE);
		}
	}
	give_run(balloon, true, work);
	return i;
}

// Gives up what the buffer names from balloon->place on. False: it is not done.
static bool read_numbers(struct vvirtio_balloon *balloon, const struct vvirtqueue_chain *chain,
                         struct vvirtio_work *work)
{
	uint32_t pfn[BATCH];
	size_t n = BATCH;

	while (n == BATCH) {
		if (!vvirtio_may(work) || !pass_on(balloon, work))
			return false;
		struct vvirtio_place place = balloon->place;
		n = vvirtio_from_guest(&balloon->dev, chain, &place, pfn, sizeof pfn, work) /
		    sizeof pfn[0];
		size_t done = give_pages(balloon, pfn, n, work);
		vvirtio_skip(chain, &balloon->place, done * sizeof pfn[0]);
		if (done < n)
			return false;
	}
	return true;
}

// ---- reporting ----

static bool read_ranges(struct vvirtio_balloon *balloon, const struct vvirtqueue_chain *chain,
                        struct vvirtio_work *work)
{
	struct vvirtio_place *place = &balloon->place;

	while (place->segment < place->end) {
		if (!vvirtio_may(work) || !pass_on(balloon, work))
			return false;
		const struct vvirtqueue_segment *segment = &chain->segment[place->segment];
		uint64_t from = align_up(segment->ipa + place->offset, PAGE_SIZE);
		uint64_t end = align_down(segment->ipa + segment->bytes, PAGE_SIZE);
		uint64_t next = align_up(from + 1, BLOCK_SIZE);
		next = next < end ? next : end;
		if (from >= end) {
			place->segment++;
			place->offset = 0;
			continue;
		}
		(void)add_to_run(balloon, from, next - from); // it is empty
		give_run(balloon, false, work);
		place->offset = (uint32_t)(next - segment->ipa);
	}
	return true;
}

// ---- all queues ----

// One buffer of a queue, from where it was left. False: not done yet.
static bool read_buffer(struct vvirtio_balloon *balloon, unsigned queue,
                        const struct vvirtqueue_chain *chain, struct vvirtio_work *work)
{
	bool done;

	if (balloon->is_reading && balloon->reading != queue)
		return false; // another one's turn is not over
	if (!balloon->is_reading)
		balloon->place =
		        queue == INFLATE ? vvirtio_readable(chain) : vvirtio_writable(chain);
	balloon->is_reading = true;
	balloon->reading = queue;
	done = queue == INFLATE ? read_numbers(balloon, chain, work)
	                        : read_ranges(balloon, chain, work);
	balloon->is_reading = !done;
	return done;
}

static bool balloon_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct vvirtio_balloon *balloon = balloon_of(dev);
	struct vvirtqueue_chain *chain;

	while (vvirtio_may(work) && (chain = vvirtio_chain(dev, queue, work)) != NULL) {
		if (queue != DEFLATE && !read_buffer(balloon, queue, chain, work))
			return false;
		vvirtio_give(dev, queue, 0); // what is taken back comes at the next touch
	}
	(void)pass_on(balloon, work);
	return vvirtio_may(work) && dev->vm->nr_given == 0;
}

static void balloon_reset(struct vvirtio *dev)
{
	struct vvirtio_balloon *balloon = balloon_of(dev);

	balloon->config.actual = 0;
	balloon->settled = false; // what is on its way is looked at again
	balloon->is_reading = false;
	balloon->run_bytes = 0;
}

static void balloon_config_write(struct vvirtio *dev, uint32_t offset, unsigned size,
                                 uint32_t value)
{
	struct vvirtio_balloon *balloon = balloon_of(dev);

	if (offset == offsetof(__typeof__(balloon->config), actual) && size == 4)
		store_relaxed(&balloon->config.actual, value);
}

static const struct vvirtio_ops ops = {
        .name = "virtio-balloon",
        .id = VIRTIO_BALLOON,
        .features = VIRTIO_BALLOON_F_MUST_TELL | VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
                    VIRTIO_BALLOON_F_REPORTING,
        .queue_size = QUEUE_SIZE,
        .work = balloon_work,
        .reset = balloon_reset,
        .config_write = balloon_config_write,
};

// ---- the shell's side ----

int vvirtio_balloon_ask(struct vm *vm, uint64_t memory)
{
	struct vvirtio_balloon *balloon = vm->balloon;

	if (memory > vm->ram_size)
		return ERR_RANGE;
	spin_lock(&balloon->dev.lock);
	store_relaxed(&balloon->config.num_pages, (uint32_t)((vm->ram_size - memory) >> PFN_SHIFT));
	vvirtio_config_changed(&balloon->dev);
	spin_unlock(&balloon->dev.lock);
	return 0;
}

uint64_t vvirtio_balloon_asked(const struct vm *vm)
{
	return vm->ram_size - ((uint64_t)load_relaxed(&vm->balloon->config.num_pages) << PFN_SHIFT);
}

uint64_t vvirtio_balloon_left(const struct vm *vm)
{
	uint64_t given = (uint64_t)load_relaxed(&vm->balloon->config.actual) << PFN_SHIFT;
	return given < vm->ram_size ? vm->ram_size - given : 0;
}

int vvirtio_balloon_create(struct vm *vm)
{
	uint64_t words = (vm->ram_size / BLOCK_SIZE + 2 + 63) / 64; // RAM may begin inside of 2 MiB

	if (!vm->wants_balloon)
		return 0;
	struct vvirtio_balloon *balloon = vm_alloc(vm, sizeof *balloon);
	vm->stage2.unpromised = vm_alloc(vm, words * sizeof(uint64_t));
	if (balloon == NULL || vm->stage2.unpromised == NULL)
		return ERR_NO_MEMORY;
	vm->stage2.returned = vm->committed != 0 ? &vm->returned : NULL;
	balloon->dev.queue = balloon->queue;
	balloon->dev.nr_queues = NR_QUEUES;
	balloon->dev.config = (uint8_t *)&balloon->config;
	balloon->dev.config_size = sizeof balloon->config;
	vm->balloon = balloon;
	int error = vvirtio_add(vm, &balloon->dev, &ops);
	balloon->dev.lock = (struct spinlock)SPINLOCK_INIT(LOCK_BALLOON);
	return error;
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vvirtio_balloon, config.num_pages),
        VSTATE_FIELD(struct vvirtio_balloon, config.actual),
        VSTATE_FIELD(struct vvirtio_balloon, settled),
        VSTATE_FIELD(struct vvirtio_balloon, is_reading),
        VSTATE_FIELD(struct vvirtio_balloon, reading),
        VSTATE_FIELD(struct vvirtio_balloon, run),
        VSTATE_FIELD(struct vvirtio_balloon, run_bytes),
};

const struct vstate vvirtio_balloon_state = {"virtio-balloon", fields, ARRAY_SIZE(fields), NULL};
