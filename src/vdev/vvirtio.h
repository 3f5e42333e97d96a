// SPDX-License-Identifier: Apache-2.0
// Virtio devices of a VM: what all kinds have in common. docs/virtio.md has the why.
//
// A device is what one file vvirtio_NAME.c makes of a const table and some queues. It is asked to work on a queue when its
// driver notified it, or when somebody calls vvirtio_wake; it takes buffers with vvirtio_chain, moves bytes with
// vvirtio_from_guest and vvirtio_to_guest, and gives them back with vvirtio_give. Whatever a guest does with its rings, the
// worst that comes of it is a device that needs a reset.
#ifndef VDEV_VVIRTIO_H
#define VDEV_VVIRTIO_H

#include "base/bits.h"
#include "base/spinlock.h"
#include "hw/virtio_regs.h"
#include "vdev/vstate.h"
#include "vdev/vvirtqueue.h"

struct vm;
struct vcpu;
struct vvirtio;
struct vvirtio_work;

#define VVIRTIO_SLOTS 32 // of a VM; slot n has the n-th page of 512 bytes, and SPI 16 + n

// One kind of device. Every function is called with the device's lock held.
struct vvirtio_ops {
	const char *name;
	uint32_t id; // as the specification numbers kinds
	uint64_t features;
	uint16_t queue_size; // entries that each queue has at most
	// Works on a queue until it has no buffer, or cannot go on, or vvirtio_may says that it is enough for now: false,
	// and it is called again soon. Only while the driver is ready.
	bool (*work)(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work);
	// The driver is ready, and the features that it took are known. NULL: nothing to do.
	void (*begin)(struct vvirtio *dev);
	// Other CPUs cannot reach its shared queues any more, from the return on: the queues are about to be stopped, or
	// the device needs a reset. Opened again, if at all, by `begin`. NULL: they never could.
	void (*close)(struct vvirtio *dev);
	// Returns when whoever reaches a shared queue has looked its memory up after the call. NULL: it has no such queue.
	void (*pass)(struct vvirtio *dev);
	// As after power-on; its queues are stopped already. NULL: nothing to do.
	void (*reset)(struct vvirtio *dev);
	// Nothing is begun any more before `reset`: it is wanted as soon as the device is not busy. NULL: it never is.
	void (*stop)(struct vvirtio *dev);
	// Whether something outside still reads or writes the guest's memory for it. Changes nothing. NULL: never.
	bool (*busy)(struct vvirtio *dev);
	// The driver wrote `size` bytes (1, 2 or 4) of the configuration at `offset`, inside of it. NULL: it is read-only.
	void (*config_write)(struct vvirtio *dev, uint32_t offset, unsigned size, uint32_t value);
};

struct vvirtio_queue {
	struct vvirtqueue ring;
	uint16_t size_set;  // by the driver, for when it makes the queue ready
	uint32_t align_set; // legacy: of the part that the device writes
	uint32_t life;      // counts on each time that it is stopped
	bool in_hand;       // `chain` was taken and not given back
	struct vvirtqueue_chain chain;
};

// A device's structure begins with one of these.
struct vvirtio {
	// Fixed after start.
	const struct vvirtio_ops *ops;
	struct vm *vm;
	uint8_t slot;
	uint8_t nr_queues;
	bool legacy; // its registers and rings are as before version 1.0
	struct vvirtio_queue *queue;
	uint8_t *config; // what the driver reads of its configuration; little-endian
	uint16_t config_size;

	struct spinlock lock; // LOCK_DEVICE
	// Under the lock.
	uint32_t status;
	uint32_t generation; // of the configuration
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features; // that the driver took
	uint32_t guest_page_size; // legacy
	uint32_t pending;         // queues that are to be worked on
	// Queues whose driver need not notify: what their buffers are for comes from outside, and there is none now. The
	// device keeps this, by vvirtio_deafen; work on such a queue may leave buffers where they are.
	uint32_t deaf;
	// Queues that others reach without this lock, under one of the device's own: the framework does not touch them
	// while they are open, and `work` asks for silence itself.
	uint32_t shared;

	uint32_t posted; // queues that are to be worked on, asked for without the lock; atomically

	struct spinlock line; // LOCK_LINE
	uint32_t
	        interrupts; // InterruptStatus, and whether the line is high; under `line`, also read without
};

// What is left of the time that an exit may take, in instructions, roughly.
struct vvirtio_work {
	int32_t left;
};
#define VVIRTIO_WORK       24000
#define VVIRTIO_COST_TOUCH (VVIRTIO_WORK / 3) // of filling 64 KiB that nobody touched

// All of a VM's.
struct vvirtio_bus {
	struct vm *vm;
	bool legacy;
	uint32_t count;
	struct vvirtio *slot[VVIRTIO_SLOTS];
	int alarm;
	uint32_t busy; // slots that have work left; atomically
	// The slot that the alarm begins with, behind the last that had its turn; any value is right.
	uint32_t first;
};

// ---- a VM's devices: called by the model ----

// Builds an empty bus into the VM, and its region of the map. The VM does not run yet. ERR_NO_MEMORY, mmio_add's.
int vvirtio_create(struct vm *vm);
// Every device as after power-on. No vCPU of the VM runs.
int vvirtio_reset_all(struct vm *vm);
// Whether nothing outside touches the VM's memory for a device of its any more. From then on nothing does, until
// vvirtio_reset_all. No vCPU runs. Takes LOCK_DEVICE.
bool vvirtio_quiet(struct vm *vm);

// ---- for a device ----

// Puts a device, which is zeroed but for what its kind sets, into the next free slot. `dev->queue` has nr_queues
// entries, in zeroed memory. While the VM is built. ERR_NO_MEMORY: every slot is taken.
int vvirtio_add(struct vm *vm, struct vvirtio *dev, const struct vvirtio_ops *ops);

// Whether the driver took a feature. Under the lock, as everything below.
static inline bool vvirtio_has(const struct vvirtio *dev, uint64_t feature)
{
	return (dev->driver_features & feature) != 0;
}

// Whether the device may work: its driver is ready, and it needs no reset.
static inline bool vvirtio_is_on(const struct vvirtio *dev)
{
	return (dev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

// Whether there is time for more; what was done is charged by the calls below, the rest by vvirtio_spend.
static inline bool vvirtio_may(const struct vvirtio_work *work)
{
	return work->left > 0;
}
// Whether the driver need not say that there are buffers in a queue.
static inline void vvirtio_deafen(struct vvirtio *dev, unsigned queue, bool deaf)
{
	dev->deaf = (dev->deaf & ~BIT_U32(queue)) | (deaf ? BIT_U32(queue) : 0);
}
// More queues are to be worked on, as soon as this one is done.
static inline void vvirtio_again(struct vvirtio *dev, uint32_t mask)
{
	dev->pending |= mask;
}
static inline void vvirtio_spend(struct vvirtio_work *work, uint32_t instructions)
{
	work->left -= (int32_t)instructions;
}

// The buffer of a queue that the device has in hand: the one it took before and has not given back, or the next. NULL:
// there is none, or the driver wrote nonsense and the device needs a reset.
struct vvirtqueue_chain *vvirtio_chain(struct vvirtio *dev, unsigned queue,
                                       struct vvirtio_work *work);
// Gives it back: `written` bytes of it are new. The driver is told when work ends, or by vvirtio_tell.
void vvirtio_give(struct vvirtio *dev, unsigned queue, uint32_t written);
// Takes it out of hand without giving it back: whoever finishes it later calls vvirtqueue_give_id.
void vvirtio_keep(struct vvirtio *dev, unsigned queue);
// Interrupts the driver if it wants to know of buffers that came back. Of a shared queue: under the lock that guards it,
// any CPU.
void vvirtio_tell(struct vvirtio *dev, unsigned queue);

// The driver broke a rule: "NAME (slot N): `format`" in the log, and the device does nothing before it is reset.
void vvirtio_broken(struct vvirtio *dev, const char *format, ...) PRINTF_LIKE(2, 3);

// The configuration changed: the driver is told.
void vvirtio_config_changed(struct vvirtio *dev);

// Works on the queues of `mask` from outside of an access of the guest: something arrived for them. Takes the lock
// itself. Any CPU, while the VM's memory cannot go away; what does not get done now is done by a CPU that runs the VM.
void vvirtio_wake(struct vvirtio *dev, uint32_t mask);
// The same under the lock.
void vvirtio_wake_locked(struct vvirtio *dev, uint32_t mask);
// Has the queues of `mask` worked on soon, by a CPU that runs the VM. Takes no lock of the device. Any CPU, while the VM
// cannot go away.
void vvirtio_post(struct vvirtio *dev, uint32_t mask);

// Whether EL2 still leads to memory that the VM gave back (vm->given), through another device of the VM or a ring of this
// one. Under the lock of `dev`, whose rank is LOCK_BALLOON; takes LOCK_DEVICE.
enum vvirtio_settled {
	VVIRTIO_SETTLED, // nothing does
	VVIRTIO_BUSY,    // something may for the moment
	VVIRTIO_HELD,    // a ring lies there
};
enum vvirtio_settled vvirtio_settle(struct vvirtio *dev);

// The queues of `mask` are to be worked on, soon, by a CPU that runs the VM. Any CPU, while the VM's memory cannot go away.
void vvirtio_later(struct vvirtio *dev, uint32_t mask);

// ---- the bytes of a buffer ----

// A place in the half of a buffer that the device reads, or the one that it writes.
struct vvirtio_place {
	uint16_t segment, end;
	uint32_t offset;
};

static inline struct vvirtio_place vvirtio_readable(const struct vvirtqueue_chain *chain)
{
	return (struct vvirtio_place){.end = chain->nr_read};
}
static inline struct vvirtio_place vvirtio_writable(const struct vvirtqueue_chain *chain)
{
	return (struct vvirtio_place){
	        .segment = chain->nr_read,
	        .end = (uint16_t)(chain->nr_read + chain->nr_write),
	};
}

// The next bytes at a place, at most `most` of them, as they lie in one run of memory; the place moves behind them.
// NULL, and *bytes 0: its half ends there, or there is no memory. A run that nobody touched before is filled, which is
// charged. Segments without bytes are passed over.
void *vvirtio_span(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                   struct vvirtio_place *place, uint64_t most, uint64_t *bytes,
                   struct vvirtio_work *work);
// Where the next byte is. Not at the end of its half.
ipa_t vvirtio_ipa(const struct vvirtqueue_chain *chain, struct vvirtio_place *place);
// Moves a place on without looking.
void vvirtio_skip(const struct vvirtqueue_chain *chain, struct vvirtio_place *place,
                  uint64_t bytes);

// Copies from or to the place, which moves on: how many bytes of `size`; fewer where its half ends. `size` is such that
// an exit has time for it, 4 KiB at most.
size_t vvirtio_from_guest(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                          struct vvirtio_place *place, void *to, size_t size,
                          struct vvirtio_work *work);
size_t vvirtio_to_guest(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                        struct vvirtio_place *place, const void *from, size_t size,
                        struct vvirtio_work *work);

// Sees to it that `most` bytes from a place on were touched before, so that reaching them is fast. False: there was no
// time for all of it; the next call goes on where this one ended.
bool vvirtio_warm(struct vvirtio *dev, const struct vvirtqueue_chain *chain,
                  struct vvirtio_place place, uint64_t most, struct vvirtio_work *work);

// ---- for the registers (vvirtio_mmio.c); under the lock ----

uint64_t vvirtio_offered(const struct vvirtio *dev);
// The Status register is written. False: something outside still works for the device; to be asked again.
bool vvirtio_set_status(struct vvirtio *dev, uint32_t status);
// Makes the selected queue ready, as its ring's addresses say, or stops it.
void vvirtio_set_ready(struct vvirtio *dev, unsigned queue, bool ready);
void vvirtio_notified(struct vvirtio *dev, uint32_t queue);
void vvirtio_acknowledge(struct vvirtio *dev, uint32_t interrupts);

extern const struct vstate vvirtio_state;

#endif
