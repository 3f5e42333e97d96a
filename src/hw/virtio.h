// SPDX-License-Identifier: Apache-2.0
// A virtio device of the board, whatever bus it is on: what drivers and transports have in common. Devices are found
// at boot (hw/host_devices.h), each gets the driver of its kind, and stays.
//
// A device that breaks the rules, or does not answer in time, is stopped: reset, and once it has confirmed that, or
// had a second to, it is dead, and what it had is given back with an error. docs/host-devices.md has the why.
#ifndef HW_VIRTIO_H
#define HW_VIRTIO_H

#include "base/spinlock.h"
#include "base/types.h"
#include "hw/virtio_regs.h"
#include "hw/virtio_ring.h"

#define VIRTIO_MAX_DEVICES 32
#define VIRTIO_MAX_RINGS   4 // of a device; the queues that Mezzo uses are among the first so many
#define VIRTIO_WHERE_SIZE  24
#define VIRTIO_PATIENCE_MS 20000 // without any answer to what is asked; then the device is stopped
#define VIRTIO_RESET_MS    1000  // for a reset to be confirmed
#define VIRTIO_A_POLL      8     // answers that are taken in one turn

// A device that answers more than it interrupts for: its interrupts are off, and it is looked at every so often, as long as
// that finds some answers.
#define VIRTIO_BUSY_US      20
#define VIRTIO_BUSY_REST_US 2 // when there is more than one turn takes
#define VIRTIO_BUSY_LEAST   4 // answers
#define VIRTIO_BUSY_STREAK  8 // turns in a row, each so soon, with so many under way

enum virtio_state {
	VIRTIO_IDLE, // found; nobody drives it
	VIRTIO_LIVE, // its driver has started it
	VIRTIO_STOPPING, // a reset was written, but not confirmed yet: what it has, it may still write to
	VIRTIO_DEAD, // what it has not answered is given back
};

struct virtio_dev;

// How a bus reaches a device. Registers alone: no lock, no waiting. The device's lock is held, or nobody else
// knows the device yet.
struct virtio_transport {
	const char *name;
	uint8_t (*status)(const struct virtio_dev *dev);
	void (*set_status)(const struct virtio_dev *dev, uint8_t status); // 0: reset
	uint64_t (*features)(const struct virtio_dev *dev);
	void (*set_features)(const struct virtio_dev *dev, uint64_t features);
	// The most descriptors that a queue can have; 0: there is no such queue, or it is in use.
	uint32_t (*queue_max)(const struct virtio_dev *dev, uint16_t index);
	int (*queue_start)(const struct virtio_dev *dev, struct virtio_ring *ring); // ERR_RANGE
	void (*notify)(const struct virtio_dev *dev, const struct virtio_ring *ring);
	// What the interrupt is for (VIRTIO_ISR_*); the device takes it back. Any CPU, no lock.
	uint32_t (*acknowledge)(const struct virtio_dev *dev);
	uint32_t (*generation)(const struct virtio_dev *dev);
	void (*cut_off)(
	        const struct virtio_dev *dev); // no more DMA, whatever the device does; may be NULL
};
extern const struct virtio_transport virtio_mmio, virtio_mmio_legacy, virtio_pci;

struct virtio_driver {
	enum virtio_kind kind;
	const char *name;
	// Negotiates, makes the rings, and says in the log what was found. At boot. An error: the device is left alone;
	// the log says why.
	int (*start)(struct virtio_dev *dev);
	// Takes at most VIRTIO_A_POLL answers and tells who waits for them. Returns whether there may be more. Any CPU,
	// no lock held.
	bool (*poll)(struct virtio_dev *dev);
};

struct virtio_dev {
	// Fixed once it was found.
	const struct virtio_transport *transport;
	char where[VIRTIO_WHERE_SIZE]; // "a003e00", "00:01.0"
	enum virtio_kind kind;
	uint32_t intid; // INTC_NONE: its interrupt does not reach Mezzo
	bool edge;
	uintptr_t base; // virtio-mmio: its registers; virtio-pci: the common configuration
	uintptr_t config, isr, doorbells, function;
	uint32_t config_bytes, doorbell_bytes, doorbell_step;
	// Fixed once it was started.
	const struct virtio_driver *driver; // NULL: none
	void *chip;                         // the driver's
	const char *name;                   // by which people know it: "vda"; NULL: none
	uint64_t features;                  // that both sides use
	unsigned nr_rings;
	struct virtio_ring *ring[VIRTIO_MAX_RINGS];

	struct spinlock lock; // LOCK_HW
	// Under the lock, but may be read without.
	enum virtio_state state;
	uint64_t stop_until; // STOPPING: when waiting ends, in ticks
	bool watched;        // virtio_tick is to look at it
	bool polled;         // always, and for answers: its interrupt was turned off
	bool busy;           // virtio_busy_tick looks at it, and it interrupts for no answer
	uint32_t streak;     // VIRTIO_BUSY_STREAK
	uint64_t found_at;   // ticks: when an answer was found
	uint32_t nr_answers; // taken so far, modulo 2^32
};

// ---- for the buses: at boot ----

// A device for the caller to fill in, and then to announce; NULL, with a sentence, when there are too many. A
// device that is not announced is used for the next call.
struct virtio_dev *virtio_new(void);
// Finds the driver of its kind, lets it start the device, and lets its interrupt through.
void virtio_announce(struct virtio_dev *dev);

// ---- for drivers: at boot ----

// Resets the device and agrees on what both can do: `wanted` as far as it is offered, and what Mezzo's rings need.
// ERR_BUSY: it does not come out of reset, or does not agree.
int virtio_begin(struct virtio_dev *dev, uint64_t wanted);
// Makes queue `index` of at most `most` descriptors. `ring` is zeroed memory of the driver. ERR_NOT_FOUND,
// ERR_RANGE (a doorbell outside of the device), ERR_NO_MEMORY.
int virtio_add_ring(struct virtio_dev *dev, struct virtio_ring *ring, uint16_t index,
                    unsigned most);
// The device runs from here on.
void virtio_run(struct virtio_dev *dev);
// Zeroed memory of EL2 that stays; NULL: there is none. Aligned to 4 KiB.
void *virtio_memory(uint64_t bytes);
// Fields of the configuration, `words` of 32 bits that belong together: read again until they are of one generation.
// ERR_BUSY: they never are.
int virtio_read_config(const struct virtio_dev *dev, uint32_t offset, uint32_t *words,
                       unsigned count);

// ---- for drivers: any CPU, the device's lock held ----

// A field of the configuration: 1, 2 or 4 bytes, at a multiple of that. What is outside reads as 0. Also without the
// lock.
uint32_t virtio_config(const struct virtio_dev *dev, uint32_t offset, unsigned bytes);

// Shows the device what was put into a ring, and watches that it answers.
void virtio_kick(struct virtio_dev *dev, struct virtio_ring *ring);
// Takes an answer. True: one is there, and *error is 0, or ERR_IO for what a dead device had. A device that breaks the
// rules is stopped here.
bool virtio_take(struct virtio_dev *dev, struct virtio_ring *ring, struct virtio_answer *answer,
                 int *error);
// What was found in a ring in one turn: `taken` of the `before` chains that it had. Decides whether its answers interrupt.
// True: there may be more by now, to be looked at once more.
bool virtio_found(struct virtio_dev *dev, struct virtio_ring *ring, unsigned before,
                  unsigned taken);
// Stops the device, and says why: a clause.
void virtio_stop(struct virtio_dev *dev, const char *why);

// ---- for everybody: any CPU, no lock held ----

// Looks for answers of the device without an interrupt. Whether there may be more.
bool virtio_poll(struct virtio_dev *dev);
// TIMER_HW went off on this CPU.
void virtio_tick(void);
// TIMER_BUSY went off on the boot CPU.
void virtio_busy_tick(void);
// Device number `index` in the order in which they were found; NULL: there are no more.
const struct virtio_dev *virtio_get(unsigned index);
const char *virtio_kind_name(enum virtio_kind kind);
const char *virtio_state_name(enum virtio_state state);

#endif
