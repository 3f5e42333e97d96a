// SPDX-License-Identifier: Apache-2.0
// The system timer. Owns its state under its lock; called by the MMIO map, and by its alarm.
// The counter is guest time in microseconds, so nothing runs while nobody looks. A comparator matches when the
// low word of the counter comes past its value; one that is set to the past matches when the counter has gone
// round, 71 minutes later, so no value makes it interrupt without end.
// Invariant, whenever the lock is free: `status` says what has matched until `seen`, the lines follow it, and
// the alarm is set for the next match.
// Source: BCM2835 ARM Peripherals, "System Timer".
#include "vdev/vbcm2835_systimer.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/raspi3_clock.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

#define NR_COMPARE 4

enum { CS = 0x00, CLO = 0x04, CHI = 0x08, C0 = 0x0c, SIZE = 0x1000 };

struct vbcm2835_systimer {
	// Fixed after start.
	struct vm *vm;
	int alarm;

	// Under the lock.
	struct spinlock lock;
	uint32_t status; // bit n: comparator n has matched
	uint32_t compare[NR_COMPARE];
	uint64_t seen; // the counter when matches were last looked for
	uint32_t lines;
};

// Microseconds from `at` until comparator n matches: 1 to 2^32.
static uint64_t until(const struct vbcm2835_systimer *timer, unsigned n, uint64_t at)
{
	return (uint64_t)(uint32_t)(timer->compare[n] - (uint32_t)at - 1) + 1;
}

static void update_lines(struct vbcm2835_systimer *timer)
{
	uint32_t changed = timer->lines ^ timer->status;

	timer->lines = timer->status;
	for (; changed != 0; changed &= changed - 1) {
		uint32_t n = (uint32_t)__builtin_ctz(changed);
		virq_set(timer->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_SYSTIMER + n),
		         (timer->status & BIT_U32(n)) != 0);
	}
}

// Takes note of what has matched until now.
static void look(struct vbcm2835_systimer *timer)
{
	uint64_t now = raspi3_clock_us(timer->vm);

	for (unsigned n = 0; n < NR_COMPARE && now > timer->seen; n++)
		if (now - timer->seen >= until(timer, n, timer->seen))
			timer->status |= BIT_U32(n);
	timer->seen = now > timer->seen ? now : timer->seen;
	update_lines(timer);
}

// One that has matched is not waited for until that is cleared.
static void set_alarm(struct vbcm2835_systimer *timer)
{
	uint64_t first = UINT64_MAX, deadline = TIMER_NEVER;

	for (unsigned n = 0; n < NR_COMPARE; n++)
		if ((timer->status & BIT_U32(n)) == 0 && until(timer, n, timer->seen) < first)
			first = until(timer, n, timer->seen);
	if (first != UINT64_MAX)
		deadline = raspi3_clock_when(timer->vm, timer->seen + first);
	alarm_set(timer->vm, timer->alarm, deadline);
}

static void alarm_due(void *dev)
{
	struct vbcm2835_systimer *timer = dev;

	spin_lock(&timer->lock);
	look(timer);
	set_alarm(timer);
	spin_unlock(&timer->lock);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

static uint32_t read_locked(struct vbcm2835_systimer *timer, uint32_t reg)
{
	switch (reg) {
	case CS: look(timer); return timer->status;
	case C0:
	case C0 + 4:
	case C0 + 8:
	case C0 + 12: return timer->compare[(reg - C0) / 4];
	}
	return 0;
}

static bool systimer_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                          uint64_t *value)
{
	struct vbcm2835_systimer *timer = dev;
	uint32_t reg = vreg_base(offset), result;

	if (!vreg_fits(offset, size))
		return false;
	if (reg == CLO || reg == CHI) { // programs read these in loops
		result = (uint32_t)(raspi3_clock_us(timer->vm) >> (reg == CHI ? 32 : 0));
	} else {
		spin_lock(&timer->lock);
		result = read_locked(timer, reg);
		spin_unlock(&timer->lock);
	}
	*value = vreg_part(result, offset, size);
	return true;
}

static bool systimer_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                           uint64_t value)
{
	struct vbcm2835_systimer *timer = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	spin_lock(&timer->lock);
	look(timer);
	if (offset == CS)
		timer->status &= ~(uint32_t)value;
	else if (offset >= C0 && offset < C0 + 4 * NR_COMPARE)
		timer->compare[(offset - C0) / 4] = (uint32_t)value;
	update_lines(timer);
	set_alarm(timer);
	spin_unlock(&timer->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "BCM2835 system timer",
        .read = systimer_read,
        .write = systimer_write,
};

// The comparators are first waited for when the guest first touches the chip.
void vbcm2835_systimer_reset(struct vm *vm)
{
	struct vbcm2835_systimer *timer = vm->raspi3->systimer;

	spin_lock(&timer->lock);
	timer->status = 0;
	timer->seen = 0;
	memset(timer->compare, 0, sizeof timer->compare);
	update_lines(timer);
	alarm_set(vm, timer->alarm, TIMER_NEVER);
	spin_unlock(&timer->lock);
}

int vbcm2835_systimer_create(struct vm *vm)
{
	struct vbcm2835_systimer *timer = vm_alloc(vm, sizeof *timer);

	if (timer == NULL)
		return ERR_NO_MEMORY;
	timer->vm = vm;
	timer->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	timer->alarm = alarm_add(vm, &alarm_ops, timer);
	if (timer->alarm < 0)
		return timer->alarm;
	vm->raspi3->systimer = timer;
	return mmio_add(&vm->mmio, RASPI3_SYSTIMER_BASE, SIZE, &ops, timer);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2835_systimer, status),
        VSTATE_ARRAY(struct vbcm2835_systimer, compare),
        VSTATE_FIELD(struct vbcm2835_systimer, seen),
        VSTATE_FIELD(struct vbcm2835_systimer, lines),
};

const struct vstate vbcm2835_systimer_state = {"bcm2835-systimer", fields, ARRAY_SIZE(fields),
                                               NULL};
