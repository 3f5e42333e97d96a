// SPDX-License-Identifier: Apache-2.0
// What all virtio devices of the board have in common. Owns the table of devices and their state; called by the buses
// and by main/ at boot, by interrupts, by TIMER_HW and by the drivers.
// Invariant: a device's memory is given back only after the device has answered, or was reset; a chain that nobody
// answers is noticed, because a watch runs on some CPU as long as any device has one.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Driver Requirements: Device Initialization", "Legacy Interface: Device
// Initialization", "Device Configuration Space".
#include "hw/virtio.h"

#include "arm/cpu.h"
#include "arm/io.h"
#include "base/bits.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "hw/virtio_drivers.h"
#include "mem/pages.h"

#define WATCH_MS       100 // between two looks at devices that have something to do
#define HURRY_MS       10  // the same, when one is being reset or gives back
#define DEVICES_A_LOOK 4   // then the rest comes with the next look
#define CONFIG_TRIES   16

static struct virtio_dev devices[VIRTIO_MAX_DEVICES];
static unsigned nr_devices; // fixed after boot
static bool watching;       // some CPU's TIMER_HW is set
static unsigned busy_next;  // the boot CPU's
static unsigned look_next;  // the watching CPU's

// ---- finding ----

struct virtio_dev *virtio_new(void)
{
	if (nr_devices == VIRTIO_MAX_DEVICES) {
		log_line("devices: more than %u of virtio: the others are left alone",
		         VIRTIO_MAX_DEVICES);
		return NULL;
	}
	struct virtio_dev *dev = &devices[nr_devices];
	*dev = (struct virtio_dev){.intid = INTC_NONE, .lock = SPINLOCK_INIT(LOCK_HW)};
	return dev;
}

const struct virtio_dev *virtio_get(unsigned index)
{
	return index < nr_devices ? &devices[index] : NULL;
}

const char *virtio_kind_name(enum virtio_kind kind)
{
	static const char *const names[] = {"none", "net", "disk", "console", "entropy"};
	return kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

const char *virtio_state_name(enum virtio_state state)
{
	static const char *const names[] = {"idle", "live", "stopping", "dead"};
	return names[state];
}

// Under the device's lock. Either this finds that nobody watches, or the CPU that does finds the device.
static void watch(struct virtio_dev *dev, uint64_t ms)
{
	store_relaxed(&dev->watched, true);
	if (!exchange(&watching, true))
		timer_set(TIMER_HW, timer_now() + timer_from_ms(ms));
}

static bool interrupt(void *owner)
{
	struct virtio_dev *dev = owner;
	if (load_relaxed(&dev->state) == VIRTIO_IDLE)
		return false; // its registers may not even answer
	const uint32_t before = load_relaxed(&dev->nr_answers);
	// Before the rings are looked at: what comes later raises the line, or the edge, anew.
	uint32_t why = dev->transport->acknowledge(dev);
	if ((why & VIRTIO_ISR_CONFIG) != 0) {
		spin_lock(&dev->lock);
		if (dev->state == VIRTIO_LIVE &&
		    (dev->transport->status(dev) & VIRTIO_NEEDS_RESET) != 0)
			virtio_stop(dev, "it says that it needs a reset");
		spin_unlock(&dev->lock);
	}
	// Also if there is no reason: the line may be another one's, or this is the rest of last time.
	if (virtio_poll(dev) && !load_relaxed(&dev->busy))
		intc_set_pending(dev->intid, true); // the rest in another exit
	return why != 0 || load_relaxed(&dev->nr_answers) != before;
}

static void turned_off(void *owner)
{
	struct virtio_dev *dev = owner;
	spin_lock(&dev->lock);
	dev->polled = true;
	if (dev->state == VIRTIO_LIVE)
		watch(dev, HURRY_MS);
	spin_unlock(&dev->lock);
}

static const struct intc_handler handler = {.handle = interrupt, .turned_off = turned_off};

void virtio_announce(struct virtio_dev *dev)
{
	nr_devices++;
	for (const struct virtio_driver *const *driver = virtio_drivers; *driver != NULL;
	     driver++) {
		if ((*driver)->kind == dev->kind)
			dev->driver = *driver;
	}
	if (dev->driver == NULL) {
		log_line("devices: %s %s: a virtio device of kind %u: no driver",
		         dev->transport->name, dev->where, dev->kind);
		return;
	}
	bool quiet = dev->intid == INTC_NONE || intc_claim(dev->intid, &handler, dev) != 0;
	if (quiet || dev->driver->start(dev) != 0) {
		if (quiet)
			log_line("devices: %s %s: its interrupt does not reach Mezzo: left alone",
			         dev->transport->name, dev->where);
		dev->transport->set_status(dev, 0); // it forgets what memory it was given
		dev->transport->set_status(dev, VIRTIO_FAILED);
		dev->driver = NULL;
		return;
	}
	intc_enable(dev->intid, &boot_cpu, dev->edge ? INTC_EDGE : INTC_LEVEL);
}

// ---- starting ----

void *virtio_memory(uint64_t bytes)
{
	unsigned order = 0;
	while (order <= PAGES_MAX_ORDER && PAGE_SIZE << order < bytes)
		order++;
	pa_t at = order <= PAGES_MAX_ORDER ? pages_alloc(order, OWNER_EL2, PAGE_DATA, NULL) : PA(0);
	if (at.v != 0)
		memset((void *)(uintptr_t)at.v, 0, PAGE_SIZE << order);
	return (void *)(uintptr_t)at.v;
}

static bool is_legacy(const struct virtio_dev *dev)
{
	return dev->transport == &virtio_mmio_legacy;
}

static bool wait_for_reset(const struct virtio_dev *dev)
{
	uint64_t start = timer_now(), limit = timer_from_ms(VIRTIO_RESET_MS);
	while (dev->transport->status(dev) != 0) {
		if (timer_now() - start > limit)
			return false;
		spin_relax();
	}
	return true;
}

static int refuse(const struct virtio_dev *dev, const char *why)
{
	log_line("devices: %s %s: %s: left alone", dev->transport->name, dev->where, why);
	return ERR_BUSY;
}

int virtio_begin(struct virtio_dev *dev, uint64_t wanted)
{
	const struct virtio_transport *bus = dev->transport;
	uint8_t status = VIRTIO_ACKNOWLEDGE;
	bus->set_status(dev, 0);
	if (!wait_for_reset(dev))
		return refuse(dev, "it does not come out of reset");
	bus->set_status(dev, status);
	status |= VIRTIO_DRIVER;
	bus->set_status(dev, status);
	uint64_t offered = bus->features(dev);
	// Without an IOMMU, what the platform says of memory's addresses is that they are physical.
	dev->features = offered & (wanted | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM |
	                           VIRTIO_F_ORDER_PLATFORM);
	if (is_legacy(dev)) {
		dev->features &= UINT32_MAX;
		bus->set_features(dev, dev->features);
		return 0;
	}
	if ((offered & VIRTIO_F_VERSION_1) == 0)
		return refuse(dev, "it does not offer VERSION_1");
	bus->set_features(dev, dev->features);
	bus->set_status(dev, status | VIRTIO_FEATURES_OK);
	if ((bus->status(dev) & VIRTIO_FEATURES_OK) == 0)
		return refuse(dev, "it does not agree on features");
	return 0;
}

int virtio_add_ring(struct virtio_dev *dev, struct virtio_ring *ring, uint16_t index, unsigned most)
{
	uint32_t size = dev->transport->queue_max(dev, index);
	CHECK(dev->nr_rings < VIRTIO_MAX_RINGS && most <= VIRTIO_RING_MAX);
	if (size == 0) {
		refuse(dev, "it has not the queues of its kind");
		return ERR_NOT_FOUND;
	}
	size = size < most ? size : most;
	while (!is_power_of_two(size))
		size &= size - 1;
	void *memory = virtio_memory(virtio_ring_bytes(size));
	if (memory == NULL) {
		refuse(dev, "there is no memory for its rings");
		return ERR_NO_MEMORY;
	}
	virtio_ring_init(ring, index, size, memory);
	int error = dev->transport->queue_start(dev, ring);
	if (error != 0) {
		refuse(dev, "one of its queues cannot be reached");
		return error;
	}
	dev->ring[dev->nr_rings++] = ring;
	return 0;
}

void virtio_run(struct virtio_dev *dev)
{
	uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK;
	dev->state = VIRTIO_LIVE;
	dev->transport->set_status(dev, is_legacy(dev) ? status : status | VIRTIO_FEATURES_OK);
}

uint32_t virtio_config(const struct virtio_dev *dev, uint32_t offset, unsigned bytes)
{
	if (!range_contains(0, dev->config_bytes, offset, bytes))
		return 0;
	uintptr_t at = dev->config + offset;
	return bytes == 4 ? io_read32(at) : bytes == 2 ? io_read16(at) : io_read8(at);
}

int virtio_read_config(const struct virtio_dev *dev, uint32_t offset, uint32_t *words,
                       unsigned count)
{
	const struct virtio_transport *bus = dev->transport;
	for (unsigned try = 0; try < CONFIG_TRIES; try++) {
		uint32_t before = bus->generation(dev);
		bool same = try != 0 ||
		            !is_legacy(dev); // a legacy device has no generations: two equal reads
		for (unsigned i = 0; i < count; i++) {
			uint32_t word = virtio_config(dev, offset + i * 4, 4);
			same = same && (!is_legacy(dev) || words[i] == word);
			words[i] = word;
		}
		if (same && bus->generation(dev) == before)
			return 0;
	}
	return ERR_BUSY;
}

// ---- running ----

void virtio_kick(struct virtio_dev *dev, struct virtio_ring *ring)
{
	if (virtio_ring_publish(ring))
		dev->transport->notify(dev, ring);
	if (!ring->patient)
		watch(dev, WATCH_MS);
}

void virtio_stop(struct virtio_dev *dev, const char *why)
{
	if (dev->state != VIRTIO_LIVE)
		return;
	log_line("%s, %s %s: %s: reset, and given up", dev->name != NULL ? dev->name : "devices",
	         dev->transport->name, dev->where, why);
	dev->state = VIRTIO_STOPPING;
	dev->stop_until = timer_now() + timer_from_ms(VIRTIO_RESET_MS);
	dev->transport->set_status(dev, 0);
	if (dev->transport->cut_off != NULL)
		dev->transport->cut_off(dev);
	watch(dev, HURRY_MS);
}

// Whether no other device has its interrupt.
static bool is_alone(const struct virtio_dev *dev)
{
	unsigned sharing = 0;
	for (unsigned i = 0; i < nr_devices; i++)
		sharing += devices[i].intid == dev->intid ? 1 : 0;
	return sharing == 1;
}

// The reset is over as soon as the device says so. One that never does gets no more time: its users wait.
static void check_stopped(struct virtio_dev *dev)
{
	bool confirmed = dev->transport->status(dev) == 0;
	if (!confirmed && timer_now() < dev->stop_until)
		return;
	if (!confirmed)
		log_line("%s, %s %s: it does not confirm its reset",
		         dev->name != NULL ? dev->name : "devices", dev->transport->name,
		         dev->where);
	dev->state = VIRTIO_DEAD;
	// One that interrupts all the same must not keep a CPU busy for ever. On PCI it is told not to (cut_off).
	if (is_alone(dev))
		intc_disable(dev->intid);
}

bool virtio_take(struct virtio_dev *dev, struct virtio_ring *ring, struct virtio_answer *answer,
                 int *error)
{
	const char *why;
	bool dead = dev->state == VIRTIO_DEAD;
	*error = dead ? ERR_IO : 0;
	if (!dead && dev->state != VIRTIO_LIVE)
		return false;
	int taken = dead ? virtio_ring_abandon(ring, answer) : virtio_ring_take(ring, answer, &why);
	if (taken < 0)
		virtio_stop(dev, why);
	if (taken <= 0)
		return false;
	ring->answered = timer_now();
	store_relaxed(&dev->nr_answers, dev->nr_answers + 1);
	return true;
}

static void look_in(uint64_t us)
{
	timer_set(TIMER_BUSY, timer_now() + timer_from_us(us));
}

// Interrupts are off only while `busy` says so, and then the boot CPU's TIMER_BUSY is set, or has gone off and finds it.
bool virtio_found(struct virtio_dev *dev, struct virtio_ring *ring, unsigned before, unsigned taken)
{
	if (!dev->busy && before < VIRTIO_BUSY_LEAST) {
		dev->streak = 0;
		return taken == VIRTIO_A_POLL;
	}
	uint64_t now = timer_now();
	bool soon = now - dev->found_at < timer_from_us(VIRTIO_BUSY_US);
	dev->found_at = taken != 0 ? now : dev->found_at;
	dev->streak = soon && taken != 0 ? dev->streak + 1 : 0;
	if (dev->busy && (taken < VIRTIO_BUSY_LEAST || dev->state != VIRTIO_LIVE)) {
		dev->streak = 0;
		store_relaxed(&dev->busy, false);
		return virtio_ring_interrupts(ring, true) || taken == VIRTIO_A_POLL;
	}
	if (!dev->busy && dev->streak >= VIRTIO_BUSY_STREAK && cpu_this() == &boot_cpu &&
	    dev->state == VIRTIO_LIVE) {
		(void)virtio_ring_interrupts(ring, false);
		store_relaxed(&dev->busy, true);
		look_in(VIRTIO_BUSY_US);
	}
	return taken == VIRTIO_A_POLL;
}

// One device each time: the next one is looked at almost at once, and so is the rest of what this one has answered.
void virtio_busy_tick(void)
{
	bool again = false, soon = false, looked = false;

	for (unsigned i = 0, first = busy_next; i < nr_devices; i++) {
		unsigned n = (first + i) % nr_devices;
		struct virtio_dev *dev = &devices[n];
		if (!load_relaxed(&dev->busy))
			continue;
		if (looked) {
			soon = true;
			break;
		}
		looked = true;
		busy_next = n + 1;
		soon = virtio_poll(dev);
		again = load_relaxed(&dev->busy);
		if (soon && !again) // what came before its interrupts were on again
			intc_set_pending(dev->intid, true);
	}
	if (again || soon)
		look_in(soon ? VIRTIO_BUSY_REST_US : VIRTIO_BUSY_US);
}

bool virtio_poll(struct virtio_dev *dev)
{
	if (load_relaxed(&dev->state) == VIRTIO_STOPPING) { // at boot no watch runs
		spin_lock(&dev->lock);
		if (dev->state == VIRTIO_STOPPING)
			check_stopped(dev);
		spin_unlock(&dev->lock);
	}
	return dev->driver != NULL && dev->driver->poll(dev);
}

// Since when the ring's device owes an answer; UINT64_MAX: it does not. One that answers others meanwhile is slow, not
// broken: a guest's large requests must not cost all the others the device.
static uint64_t owes_since(const struct virtio_ring *ring)
{
	uint64_t oldest = ring->patient ? UINT64_MAX : virtio_ring_oldest(ring);
	return oldest < ring->answered ? ring->answered : oldest;
}

// Whether the device has something that it must answer, and whether it owed it for too long.
static bool has_work(const struct virtio_dev *dev, bool *late)
{
	uint64_t oldest = UINT64_MAX;
	for (unsigned i = 0; i < dev->nr_rings; i++) {
		uint64_t of_ring = owes_since(dev->ring[i]);
		oldest = of_ring < oldest ? of_ring : oldest;
	}
	*late = oldest != UINT64_MAX && timer_now() > oldest &&
	        timer_now() - oldest > timer_from_ms(VIRTIO_PATIENCE_MS);
	return oldest != UINT64_MAX;
}

static bool has_any(const struct virtio_dev *dev)
{
	bool any = false;
	for (unsigned i = 0; i < dev->nr_rings; i++)
		any = any || dev->ring[i]->nr_out != 0;
	return any;
}

// In how many milliseconds the device is to be looked at again; 0: there is no need.
static unsigned look_again(struct virtio_dev *dev, bool busy)
{
	bool hurry = dev->state == VIRTIO_STOPPING || (dev->state == VIRTIO_DEAD && has_any(dev)) ||
	             (dev->state == VIRTIO_LIVE && dev->polled);
	store_relaxed(&dev->watched, hurry || busy);
	return hurry ? HURRY_MS : busy ? WATCH_MS : 0;
}

static unsigned look_at(struct virtio_dev *dev)
{
	bool late = false, busy = false;
	spin_lock(&dev->lock);
	if (dev->state == VIRTIO_LIVE)
		busy = has_work(dev, &late);
	else if (dev->state == VIRTIO_STOPPING)
		check_stopped(dev);
	bool poll = late || dev->polled || dev->state == VIRTIO_DEAD;
	unsigned ms = look_again(dev, busy);
	spin_unlock(&dev->lock);
	if (!poll)
		return ms;
	// What a dead device had is given back; or an interrupt was lost, and only what is still missing is late.
	bool more = virtio_poll(dev);
	spin_lock(&dev->lock);
	busy = dev->state == VIRTIO_LIVE && has_work(dev, &late);
	if (busy && late && !more)
		virtio_stop(dev, "it does not answer");
	ms = look_again(dev, busy);
	spin_unlock(&dev->lock);
	return more ? HURRY_MS : ms;
}

void virtio_tick(void)
{
	unsigned ms = 0, looks = 0;
	(void)exchange(&watching, false); // before the devices are looked at: see watch()
	look_next++;                      // another one is the first each time
	for (unsigned i = 0; i < nr_devices; i++) {
		struct virtio_dev *dev = &devices[(look_next + i) % nr_devices];
		if (!load_relaxed(&dev->watched))
			continue;
		unsigned soon = looks++ < DEVICES_A_LOOK ? look_at(dev) : HURRY_MS;
		ms = soon != 0 && (ms == 0 || soon < ms) ? soon : ms;
	}
	if (ms != 0 && !exchange(&watching, true))
		timer_set(TIMER_HW, timer_now() + timer_from_ms(ms));
}
