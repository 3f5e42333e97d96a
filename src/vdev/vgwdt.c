// SPDX-License-Identifier: Apache-2.0
// The generic watchdog that a guest sees. A guest that switched it on has to refresh it before an offset in counter ticks
// has passed. If it does not, it is interrupted (WS0), and if it still does not within the same time again (WS1), the
// VM ends as one that crashed: what becomes of it is on_crash's. Owns the chip's state under its lock; called by the MMIO
// map and by its alarm.
//
// It counts the guest's own counter, which rests while the VM is paused.
// Invariant: while it is on and WS1 is not set, the alarm is set for the compare value, or earlier; the line is WS0.
// Source: Arm Base System Architecture (DEN0094), "Generic Watchdog": revision 1, whose offset has 48 bits.
#include "vdev/vgwdt.h"

#include "base/bits.h"
#include "hw/timer.h"
#include "vm/vm.h"

enum {
	WCS = 0x000, // control frame: status
	WOR_LOW = 0x008,
	WOR_HIGH = 0x00c,
	WCV_LOW = 0x010,
	WCV_HIGH = 0x014,
	IIDR = 0xfcc,               // in both frames
	REFRESH = VGWDT_FRAME_SIZE, // WRR, the refresh frame's one register
};

#define WCS_EN         BIT_U32(0)
#define WCS_WS0        BIT_U32(1)
#define WCS_WS1        BIT_U32(2)
#define WOR_BITS       GENMASK_U64(47, 0)
#define IIDR_REVISION1 0x0001043bU // architecture revision 1; implementer: Arm

struct vgwdt {
	// Fixed after start.
	struct vm *vm;
	int alarm;

	// Under the lock.
	struct spinlock lock;
	uint32_t status;  // WCS
	uint64_t offset;  // WOR, ticks
	uint64_t compare; // WCV, guest time in ticks
};

static uint64_t guest_now(const struct vgwdt *watchdog)
{
	return timer_now() - watchdog->vm->cntvoff;
}

static void set_status(struct vgwdt *watchdog, uint32_t status)
{
	uint32_t changed = watchdog->status ^ status;

	watchdog->status = status;
	if ((changed & WCS_WS0) != 0)
		virq_set(watchdog->vm, NULL, VGWDT_INTID, (status & WCS_WS0) != 0);
}

static void set_alarm(struct vgwdt *watchdog)
{
	bool counts = (watchdog->status & (WCS_EN | WCS_WS1)) == WCS_EN;
	uint64_t at = watchdog->vm->cntvoff + watchdog->compare;

	if (at < watchdog->compare) // later than the counter goes
		counts = false;
	alarm_set(watchdog->vm, watchdog->alarm, counts ? at : TIMER_NEVER);
}

static void load(struct vgwdt *watchdog)
{
	watchdog->compare = guest_now(watchdog) + watchdog->offset;
}

static void refresh(struct vgwdt *watchdog)
{
	set_status(watchdog, watchdog->status & WCS_EN);
	if ((watchdog->status & WCS_EN) != 0)
		load(watchdog);
	set_alarm(watchdog);
}

// The end of a VM whose watchdog was not refreshed. The lock is not held: the dump looks at devices.
static void expired(struct vm *vm)
{
	struct vcpu *vcpu = cpu_this()->vcpu;

	if (vcpu != NULL && vcpu->vm == vm)
		vm_crash(vcpu, "its watchdog expired: it was not refreshed in time, twice");
	else
		vm_end(vm, VM_END_CRASH);
}

static void alarm_due(void *dev)
{
	struct vgwdt *watchdog = dev;
	bool is_over = false;

	spin_lock(&watchdog->lock);
	if ((watchdog->status & (WCS_EN | WCS_WS1)) == WCS_EN &&
	    guest_now(watchdog) >= watchdog->compare) {
		is_over = (watchdog->status & WCS_WS0) != 0;
		set_status(watchdog, watchdog->status | (is_over ? WCS_WS1 : WCS_WS0));
		if (!is_over)
			load(watchdog);
	}
	set_alarm(watchdog);
	spin_unlock(&watchdog->lock);
	if (is_over)
		expired(watchdog->vm);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

static uint32_t read_locked(const struct vgwdt *watchdog, uint32_t reg)
{
	switch (reg) {
	case WCS: return watchdog->status;
	case WOR_LOW: return (uint32_t)watchdog->offset;
	case WOR_HIGH: return (uint32_t)(watchdog->offset >> 32);
	case WCV_LOW: return (uint32_t)watchdog->compare;
	case WCV_HIGH: return (uint32_t)(watchdog->compare >> 32);
	case IIDR:
	case REFRESH + IIDR: return IIDR_REVISION1;
	default: return 0;
	}
}

static void set_half(uint64_t *value, bool high, uint32_t half)
{
	uint64_t mask = high ? GENMASK_U64(63, 32) : GENMASK_U64(31, 0);
	*value = (*value & ~mask) | field_put(mask, half);
}

static void write_locked(struct vgwdt *watchdog, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case WCS: set_status(watchdog, (watchdog->status & ~WCS_EN) | (value & WCS_EN)); break;
	case WOR_LOW:
	case WOR_HIGH:
		set_half(&watchdog->offset, reg == WOR_HIGH, value);
		watchdog->offset &= WOR_BITS;
		break;
	case WCV_LOW:
	case WCV_HIGH:
		set_half(&watchdog->compare, reg == WCV_HIGH, value);
		set_alarm(watchdog);
		return;
	case REFRESH: break;
	default: return;
	}
	refresh(watchdog);
}

// Words, and pairs of them.
static bool vgwdt_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                       uint64_t *value)
{
	struct vgwdt *watchdog = dev;

	if (size < 4 || offset % size != 0)
		return false;
	spin_lock(&watchdog->lock);
	*value = read_locked(watchdog, offset);
	if (size == 8)
		*value |= (uint64_t)read_locked(watchdog, offset + 4) << 32;
	spin_unlock(&watchdog->lock);
	return true;
}

static bool vgwdt_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                        uint64_t value)
{
	struct vgwdt *watchdog = dev;

	if (size < 4 || offset % size != 0)
		return false;
	spin_lock(&watchdog->lock);
	write_locked(watchdog, offset, (uint32_t)value);
	if (size == 8)
		write_locked(watchdog, offset + 4, (uint32_t)(value >> 32));
	spin_unlock(&watchdog->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "generic watchdog",
        .read = vgwdt_read,
        .write = vgwdt_write,
};

void vgwdt_reset(struct vgwdt *watchdog)
{
	spin_lock(&watchdog->lock);
	watchdog->offset = watchdog->compare = 0;
	set_status(watchdog, 0);
	set_alarm(watchdog);
	spin_unlock(&watchdog->lock);
}

int vgwdt_create(struct vm *vm)
{
	struct vgwdt *watchdog = vm_alloc(vm, sizeof *watchdog);

	if (watchdog == NULL)
		return ERR_NO_MEMORY;
	watchdog->vm = vm;
	watchdog->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	watchdog->alarm = alarm_add(vm, &alarm_ops, watchdog);
	if (watchdog->alarm < 0)
		return watchdog->alarm;
	vm->watchdog = watchdog;
	return mmio_add(&vm->mmio, VGWDT_BASE, VGWDT_SIZE, &ops, watchdog);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vgwdt, status),
        VSTATE_FIELD(struct vgwdt, offset),
        VSTATE_FIELD(struct vgwdt, compare),
};

const struct vstate vgwdt_state = {"gwdt", fields, ARRAY_SIZE(fields), NULL};
