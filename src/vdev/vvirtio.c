// SPDX-License-Identifier: Apache-2.0
// Virtio devices of a VM: status, features, interrupts, and when a device works. Owns every device's common state under
// its lock; called by the registers (vvirtio_mmio.c), by the devices themselves, and by the VM's alarm.
//
// A device works where the driver's notification lands: on the CPU of the vCPU that made it, before the guest goes on. An
// exit has a bounded time for that; what is left over is done from the bus's alarm, and between two pieces the guest
// runs for at least half as long as the last one took.
// Invariant: while a device has pending queues and its driver is ready, somebody works on it or its slot is busy and the
// alarm is set.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Basic Facilities of a Virtio Device", "General Initialization And Device
// Operation".
#include "vdev/vvirtio.h"

#include <stdarg.h>

#include "arm/cache.h"
#include "base/atomic.h"
#include "base/print.h"
#include "hw/timer.h"
#include "vdev/vvirtio_mmio.h"
#include "vm/vm.h"

#define WAIT_US   10 // between two pieces of work, at least
#define COST_TAKE 200U
#define COST_DESC 40U

// ---- interrupts ----

// A lock of their own: another VM's CPU interrupts this driver while one of its vCPUs acknowledges.
static void change_interrupts(struct vvirtio *dev, uint32_t clear, uint32_t set)
{
	spin_lock(&dev->line);
	uint32_t before = dev->interrupts, now = (before & ~clear) | set;
	store_relaxed(&dev->interrupts, now);
	if ((before != 0) != (now != 0))
		virq_set(dev->vm, NULL, VVIRTIO_FIRST_INTID + dev->slot, now != 0);
	spin_unlock(&dev->line);
}

void vvirtio_acknowledge(struct vvirtio *dev, uint32_t interrupts)
{
	change_interrupts(dev, interrupts, 0);
}

void vvirtio_tell(struct vvirtio *dev, unsigned queue)
{
	if (vvirtqueue_tell(&dev->queue[queue].ring))
		change_interrupts(dev, 0, VIRTIO_ISR_RING);
}

void vvirtio_config_changed(struct vvirtio *dev)
{
	dev->generation++;
	if ((dev->status & VIRTIO_DRIVER_OK) != 0)
		change_interrupts(dev, 0, VIRTIO_ISR_CONFIG);
}

void vvirtio_broken(struct vvirtio *dev, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	print_vbuffer(text, sizeof text, format, args);
	va_end(args);
	if ((dev->status & VIRTIO_NEEDS_RESET) == 0)
		vm_log(dev->vm, "%s in slot %u: %s; it does nothing until its driver resets it",
		       dev->ops->name, dev->slot, text);
	dev->status |= VIRTIO_NEEDS_RESET;
	dev->pending = 0;
	if (dev->ops->close != NULL)
		dev->ops->close(dev);
	vvirtio_config_changed(dev);
}

// ---- buffers ----

struct vvirtqueue_chain *vvirtio_chain(struct vvirtio *dev, unsigned queue,
                                       struct vvirtio_work *work)
{
	struct vvirtio_queue *q = &dev->queue[queue];
	const char *why;

	if (!vvirtio_is_on(dev))
		return NULL;
	if (q->in_hand)
		return &q->chain;
	int taken = vvirtqueue_take(&q->ring, &q->chain, &why);
	vvirtio_spend(work, COST_TAKE + COST_DESC * (q->chain.nr_read + q->chain.nr_write) +
	                            VVIRTIO_COST_TOUCH * q->chain.filled);
	if (taken < 0)
		vvirtio_broken(dev, "queue %u %s", queue, why);
	q->in_hand = taken > 0;
	return q->in_hand ? &q->chain : NULL;
}

void vvirtio_give(struct vvirtio *dev, unsigned queue, uint32_t written)
{
	struct vvirtio_queue *q = &dev->queue[queue];

	vvirtqueue_give(&q->ring, &q->chain, written);
	q->in_hand = false;
}

void vvirtio_keep(struct vvirtio *dev, unsigned queue)
{
	dev->queue[queue].in_hand = false;
}

// ---- the bytes of a buffer ----

// Moves on to where there are bytes. False: the half ends.
static bool settle(const struct vvirtqueue_chain *chain, struct vvirtio_place *place)
{
	while (place->segment < place->end &&
	       place->offset >= chain->segment[place->segment].bytes) {
		place->segment++;
		place->offset = 0;
	}
	return place->segment < place->end;
}

ipa_t vvirtio_ipa(const struct vvirtqueue_chain *chain, struct vvirtio_place *place)
{
	(void)settle(chain, place);
	return IPA(chain->segment[place->segment].ipa + place->offset);
}

void *vvirtio_span(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                   struct vvirtio_place *place, uint64_t most, uint64_t *bytes,
                   struct vvirtio_work *work)
{
	uint64_t left;

	*bytes = 0;
	if (!settle(chain, place) || most == 0)
		return NULL;
	ipa_t ipa = vvirtio_ipa(chain, place);
	void *memory = stage2_span(&dev->vm->stage2, ipa, false, &left);
	vvirtio_spend(work, COST_DESC);
	if (memory == NULL) {
		vvirtio_spend(work, VVIRTIO_COST_TOUCH);
		memory = stage2_span(&dev->vm->stage2, ipa, true, &left);
		if (memory == NULL)
			return NULL;
	}
	uint64_t in_segment = chain->segment[place->segment].bytes - place->offset;
	left = left < in_segment ? left : in_segment;
	left = left < most ? left : most;
	place->offset += (uint32_t)left;
	*bytes = left;
	return memory;
}

void vvirtio_skip(const struct vvirtqueue_chain *chain, struct vvirtio_place *place, uint64_t bytes)
{
	while (bytes != 0 && settle(chain, place)) {
		uint64_t left = chain->segment[place->segment].bytes - place->offset;
		left = left < bytes ? left : bytes;
		place->offset += (uint32_t)left;
		bytes -= left;
	}
}

static size_t copy(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                   struct vvirtio_place *place, void *to, const void *from, size_t size,
                   struct vvirtio_work *work)
{
	size_t done = 0;

	while (done < size) {
		uint64_t bytes;
		void *memory = vvirtio_span(dev, chain, place, size - done, &bytes, work);
		if (memory == NULL)
			break;
		if (to != NULL)
			cache_copy((uint8_t *)to + done, memory, bytes);
		else
			cache_copy(memory, (const uint8_t *)from + done, bytes);
		done += bytes;
	}
	vvirtio_spend(work, (uint32_t)(size / 8));
	return done;
}

size_t vvirtio_from_guest(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                          struct vvirtio_place *place, void *to, size_t size,
                          struct vvirtio_work *work)
{
	return copy(dev, chain, place, to, NULL, size, work);
}

size_t vvirtio_to_guest(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                        struct vvirtio_place *place, const void *from, size_t size,
                        struct vvirtio_work *work)
{
	return copy(dev, chain, place, NULL, from, size, work);
}

bool vvirtio_warm(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                  struct vvirtio_place place, uint64_t most, struct vvirtio_work *work)
{
	uint64_t bytes;

	for (; most != 0 && vvirtio_span(dev, chain, &place, most, &bytes, work) != NULL;
	     most -= bytes)
		if (!vvirtio_may(work))
			return false;
	return true;
}

// ---- work ----

static void work_on(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct vvirtqueue *ring = &dev->queue[queue].ring;
	bool again = true;

	if ((dev->shared & BIT_U32(queue)) != 0) {
		dev->pending &= ~BIT_U32(queue);
		if (!dev->ops->work(dev, queue, work) && vvirtio_is_on(dev))
			dev->pending |= BIT_U32(queue);
		return;
	}
	vvirtqueue_ignore(ring);
	while (again && vvirtio_is_on(dev)) {
		dev->pending &= ~BIT_U32(queue);
		bool done = dev->ops->work(dev, queue, work);
		vvirtio_spend(work, COST_TAKE); // whatever it did: it cannot go on for ever
		again = done && (dev->deaf & BIT_U32(queue)) == 0 && vvirtqueue_listen(ring) &&
		        !dev->queue[queue].in_hand;
		if (again)
			vvirtqueue_ignore(ring);
		if (vvirtio_is_on(dev) && (!done || (again && !vvirtio_may(work)))) {
			dev->pending |= BIT_U32(queue);
			again = false;
		}
	}
	vvirtio_tell(dev, queue);
}

static void work_on_all(struct vvirtio *dev, struct vvirtio_work *work)
{
	uint32_t begun = 0;

	// Each queue once: one that is not done leaves nothing to the others, but is the last next time.
	for (uint32_t left = dev->pending; left != 0 && vvirtio_may(work);
	     left = dev->pending & ~begun) {
		unsigned queue = (unsigned)__builtin_ctz(left);
		begun |= BIT_U32(queue);
		work_on(dev, queue, work);
	}
}

// Sets the alarm for what is left, after a piece of work that began at `begin`.
static void put_off(struct vvirtio_bus *bus, uint32_t slots, uint64_t begin)
{
	uint64_t now = timer_now(), wait = (now - begin) / 2, least = timer_from_us(WAIT_US);

	fetch_or(&bus->busy, slots);
	alarm_set(bus->vm, bus->alarm, now + (wait > least ? wait : least));
}

void vvirtio_wake_locked(struct vvirtio *dev, uint32_t mask)
{
	struct vvirtio_work work = {.left = VVIRTIO_WORK};
	uint64_t begin = timer_now();

	dev->pending |= mask;
	if (!vvirtio_is_on(dev))
		return;
	work_on_all(dev, &work);
	if (dev->pending != 0)
		put_off(dev->vm->virtio, BIT_U32(dev->slot), begin);
}

void vvirtio_wake(struct vvirtio *dev, uint32_t mask)
{
	spin_lock(&dev->lock);
	vvirtio_wake_locked(dev, mask);
	spin_unlock(&dev->lock);
}

void vvirtio_post(struct vvirtio *dev, uint32_t mask)
{
	struct vvirtio_bus *bus = dev->vm->virtio;

	fetch_or(&dev->posted, mask);
	fetch_or(&bus->busy, BIT_U32(dev->slot));
	alarm_set(bus->vm, bus->alarm, timer_now());
}

void vvirtio_later(struct vvirtio *dev, uint32_t mask)
{
	dev->pending |= mask;
	if (vvirtio_is_on(dev))
		put_off(dev->vm->virtio, BIT_U32(dev->slot), timer_now());
}

void vvirtio_notified(struct vvirtio *dev, uint32_t queue)
{
	if (queue < dev->nr_queues && dev->queue[queue].ring.ready)
		vvirtio_wake_locked(dev, BIT_U32(queue));
}

static void alarm_due(void *opaque)
{
	struct vvirtio_bus *bus = opaque;
	struct vvirtio_work work = {.left = VVIRTIO_WORK};
	uint64_t begin = timer_now();
	uint32_t slots = exchange(&bus->busy, 0), left = 0, first = load_relaxed(&bus->first);

	for (uint32_t i = 0; i < VVIRTIO_SLOTS; i++) {
		uint32_t slot = (first + i) % VVIRTIO_SLOTS;
		if ((slots & BIT_U32(slot)) == 0)
			continue;
		struct vvirtio *dev = bus->slot[slot];
		spin_lock(&dev->lock);
		dev->pending |= exchange(&dev->posted, 0);
		if (vvirtio_is_on(dev) && vvirtio_may(&work)) {
			store_relaxed(&bus->first, slot + 1);
			work_on_all(dev, &work);
		}
		if (vvirtio_is_on(dev) && dev->pending != 0)
			left |= BIT_U32(dev->slot);
		spin_unlock(&dev->lock);
	}
	if (left != 0)
		put_off(bus, left, begin);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

// ---- status and features ----

uint64_t vvirtio_offered(const struct vvirtio *dev)
{
	uint64_t features = dev->ops->features | VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX;

	if (dev->legacy)
		return (features | VIRTIO_F_ANY_LAYOUT) & GENMASK_U64(31, 0);
	return features | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED;
}

static void reset(struct vvirtio *dev)
{
	if (dev->ops->close != NULL)
		dev->ops->close(dev);
	dev->shared = 0;
	for (unsigned i = 0; i < dev->nr_queues; i++) {
		struct vvirtio_queue *queue = &dev->queue[i];
		queue->ring.vm = dev->vm;
		vvirtqueue_stop(&queue->ring);
		queue->life++;
		queue->size_set = dev->ops->queue_size;
		queue->align_set = (uint32_t)PAGE_SIZE;
		queue->in_hand = false;
	}
	dev->status = 0;
	dev->device_features_sel = dev->driver_features_sel = dev->queue_sel = 0;
	dev->driver_features = 0;
	dev->guest_page_size = (uint32_t)PAGE_SIZE;
	dev->pending = 0;
	store_relaxed(&dev->posted, 0);
	if (dev->ops->reset != NULL)
		dev->ops->reset(dev);
	change_interrupts(dev, UINT32_MAX, 0);
}

// Resets it unless something outside still works for it.
static bool try_reset(struct vvirtio *dev)
{
	if (dev->ops->stop != NULL)
		dev->ops->stop(dev);
	if (dev->ops->busy != NULL && dev->ops->busy(dev))
		return false;
	reset(dev);
	return true;
}

static bool features_are_good(const struct vvirtio *dev)
{
	return (dev->driver_features & ~vvirtio_offered(dev)) == 0 &&
	       vvirtio_has(dev, VIRTIO_F_VERSION_1);
}

bool vvirtio_set_status(struct vvirtio *dev, uint32_t status)
{
	uint32_t before = dev->status;

	if (status == 0)
		return try_reset(dev);
	status &= VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK |
	          VIRTIO_FAILED;
	if ((before & VIRTIO_FEATURES_OK) == 0 && !dev->legacy && !features_are_good(dev))
		status &= ~VIRTIO_FEATURES_OK;
	status |= before; // a driver takes nothing back but by a reset
	if (!dev->legacy && (status & VIRTIO_FEATURES_OK) == 0)
		status &= ~VIRTIO_DRIVER_OK;
	dev->status = status;
	if ((status & ~before & VIRTIO_DRIVER_OK) == 0 || !vvirtio_is_on(dev))
		return true;
	if (dev->ops->begin != NULL)
		dev->ops->begin(dev);
	if (dev->pending != 0) // it notified before
		vvirtio_wake_locked(dev, 0);
	return true;
}

void vvirtio_set_ready(struct vvirtio *dev, unsigned queue, bool ready)
{
	struct vvirtio_queue *q = &dev->queue[queue];
	struct vvirtqueue *ring = &q->ring;

	// No driver stops one queue and goes on: what others reach stays closed then.
	if ((dev->shared & BIT_U32(queue)) != 0)
		dev->ops->close(dev);
	if (!ready || ring->ready) {
		if (!ready) {
			vvirtqueue_stop(ring);
			q->life++;
			q->in_hand = false;
			dev->pending &= ~BIT_U32(queue);
		}
		return;
	}
	ring->size = q->size_set;
	ring->features = (vvirtio_has(dev, VIRTIO_F_INDIRECT) ? VVIRTQUEUE_INDIRECT : 0) |
	                 (vvirtio_has(dev, VIRTIO_F_EVENT_IDX) ? VVIRTQUEUE_EVENT : 0) |
	                 (vvirtio_has(dev, VIRTIO_F_RING_PACKED) ? VVIRTQUEUE_PACKED : 0);
	const char *why = vvirtqueue_start(ring);
	if (why != NULL)
		vvirtio_broken(dev, "queue %u %s", queue, why);
}

// ---- a VM's devices ----

int vvirtio_add(struct vm *vm, struct vvirtio *dev, const struct vvirtio_ops *ops)
{
	struct vvirtio_bus *bus = vm->virtio;

	if (bus->count == VVIRTIO_SLOTS)
		return ERR_NO_MEMORY;
	dev->ops = ops;
	dev->vm = vm;
	dev->legacy = bus->legacy;
	dev->slot = (uint8_t)bus->count;
	dev->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	dev->line = (struct spinlock)SPINLOCK_INIT(LOCK_LINE);
	bus->slot[bus->count++] = dev;
	return 0;
}

int vvirtio_reset_all(struct vm *vm)
{
	struct vvirtio_bus *bus = vm->virtio;

	store_relaxed(&bus->busy, 0);
	alarm_set(vm, bus->alarm, TIMER_NEVER);
	for (uint32_t i = 0; i < bus->count; i++) {
		spin_lock(&bus->slot[i]->lock);
		reset(bus->slot[i]);
		spin_unlock(&bus->slot[i]->lock);
	}
	return 0;
}

bool vvirtio_quiet(struct vm *vm)
{
	struct vvirtio_bus *bus = vm->virtio;
	bool quiet = true;

	for (uint32_t i = 0; i < bus->count; i++) {
		struct vvirtio *dev = bus->slot[i];
		spin_lock(&dev->lock);
		quiet = try_reset(dev) && quiet;
		spin_unlock(&dev->lock);
	}
	return quiet;
}

// What the guest has is PAGE_GUEST; what it gave back is not any more.
static bool is_in_given(const struct vvirtqueue_part *part)
{
	for (unsigned i = 0; i < VVIRTQUEUE_PART; i++)
		if (part->page[i] != NULL &&
		    pages_entry(PA((uintptr_t)part->page[i]))->state != PAGE_GUEST)
			return true;
	return false;
}

static bool has_ring_in_given(const struct vvirtio *dev)
{
	for (unsigned i = 0; i < dev->nr_queues; i++) {
		const struct vvirtqueue *ring = &dev->queue[i].ring;
		if (ring->ready &&
		    (is_in_given(&ring->part_desc) || is_in_given(&ring->part_driver) ||
		     is_in_given(&ring->part_device)))
			return true;
	}
	return false;
}

enum vvirtio_settled vvirtio_settle(struct vvirtio *dev)
{
	struct vvirtio_bus *bus = dev->vm->virtio;
	enum vvirtio_settled answer = VVIRTIO_SETTLED;

	if (has_ring_in_given(dev))
		return VVIRTIO_HELD;
	for (uint32_t i = 0; i < bus->count; i++) {
		struct vvirtio *other = bus->slot[i];
		if (other == dev)
			continue;
		// Who has the lock next finds nothing there: what is looked up is looked up under it.
		spin_lock(&other->lock);
		if (other->ops->pass != NULL)
			other->ops->pass(other);
		if (has_ring_in_given(other))
			answer = VVIRTIO_HELD;
		else if (answer == VVIRTIO_SETTLED && other->ops->busy != NULL &&
		         other->ops->busy(other))
			answer = VVIRTIO_BUSY;
		spin_unlock(&other->lock);
	}
	return answer;
}

int vvirtio_create(struct vm *vm)
{
	struct vvirtio_bus *bus = vm_alloc(vm, sizeof *bus);

	if (bus == NULL)
		return ERR_NO_MEMORY;
	bus->vm = vm;
	bus->legacy = vm->virtio_legacy;
	bus->alarm = alarm_add(vm, &alarm_ops, bus);
	if (bus->alarm < 0)
		return bus->alarm;
	vm->virtio = bus;
	return vvirtio_mmio_create(vm);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vvirtio, status),
        VSTATE_FIELD(struct vvirtio, interrupts),
        VSTATE_FIELD(struct vvirtio, generation),
        VSTATE_FIELD(struct vvirtio, device_features_sel),
        VSTATE_FIELD(struct vvirtio, driver_features_sel),
        VSTATE_FIELD(struct vvirtio, queue_sel),
        VSTATE_FIELD(struct vvirtio, driver_features),
        VSTATE_FIELD(struct vvirtio, guest_page_size),
        VSTATE_FIELD(struct vvirtio, pending),
};

const struct vstate vvirtio_state = {"virtio", fields, ARRAY_SIZE(fields), NULL};
