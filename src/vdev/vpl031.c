// SPDX-License-Identifier: Apache-2.0
// The PL031 that a guest sees. Owns the chip's state under its lock; called by the MMIO map for the
// guest, and when the timer says that an alarm may be due.
// The seconds are the board's counter plus an offset, so nothing runs while nobody looks.
// Invariant: alarm_set says that the counter has yet to reach mr; ris and the line agree whenever the
// lock is free.
// Source: Arm PrimeCell Real Time Clock (PL031) Technical Reference Manual, "Programmer's Model". Like
// QEMU's, the clock cannot be stopped, and a match value that is set to the present matches at once.
#include "vdev/vpl031.h"

#include "base/bits.h"
#include "hw/pl031_regs.h"
#include "hw/timer.h"
#include "vm/vm.h"

struct vpl031 {
	// Fixed after start.
	struct vm *vm;
	int alarm; // for alarm_set()

	// Under the lock.
	struct spinlock lock;
	uint32_t offset; // seconds to add to the board's counter, modulo 2^32
	uint32_t mr, lr, imsc, ris;
	bool alarm_set;
	bool line; // as last told to the interrupt controller
};

static const uint8_t identification[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint32_t clock_offset; // fixed before any VM is built

// Whole seconds of the board's counter.
static uint64_t board_seconds(void)
{
	return timer_now() / timer_hz();
}

void vpl031_set_clock(uint32_t seconds)
{
	clock_offset = seconds - (uint32_t)board_seconds();
}

static uint32_t now(const struct vpl031 *rtc)
{
	return (uint32_t)board_seconds() + rtc->offset;
}

static void update_line(struct vpl031 *rtc)
{
	bool line = (rtc->ris & rtc->imsc) != 0;

	if (line != rtc->line) {
		rtc->line = line;
		virq_set(rtc->vm, NULL, VPL031_INTID, line);
	}
}

static uint64_t deadline(const struct vpl031 *rtc)
{
	if (!rtc->alarm_set)
		return TIMER_NEVER;
	uint64_t seconds = board_seconds();
	uint32_t left = rtc->mr - ((uint32_t)seconds + rtc->offset);
	return (seconds + left) * timer_hz();
}

// After clock or alarm were changed, or time has passed. Seconds left count modulo 2^32: an alarm
// that was missed by less than half of that has matched on the way.
static void check_alarm(struct vpl031 *rtc)
{
	if (rtc->alarm_set && (int32_t)(rtc->mr - now(rtc)) <= 0) {
		rtc->alarm_set = false;
		rtc->ris |= PL031_INT;
	}
	alarm_set(rtc->vm, rtc->alarm, deadline(rtc));
	update_line(rtc);
}

// A value that lies behind matches only when the seconds have gone all the way round, which Mezzo's
// board does not live to see.
static void set_alarm(struct vpl031 *rtc)
{
	rtc->alarm_set = (int32_t)(rtc->mr - now(rtc)) >= 0;
	check_alarm(rtc);
}

static uint32_t read_locked(struct vpl031 *rtc, uint32_t offset)
{
	switch (offset) {
	case PL031_DR: return now(rtc);
	case PL031_MR: return rtc->mr;
	case PL031_LR: return rtc->lr;
	case PL031_CR: return PL031_CR_START;
	case PL031_IMSC: return rtc->imsc;
	case PL031_RIS: return rtc->ris;
	case PL031_MIS: return rtc->ris & rtc->imsc;
	}
	if (offset >= PL031_PERIPH_ID0)
		return identification[(offset - PL031_PERIPH_ID0) / 4];
	return 0; // ICR is write-only; there is nothing else
}

static void write_locked(struct vpl031 *rtc, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case PL031_MR:
		rtc->mr = value;
		set_alarm(rtc);
		break;
	case PL031_LR:
		rtc->lr = value;
		rtc->offset += value - now(rtc);
		if (rtc->alarm_set)
			set_alarm(rtc);
		break;
	case PL031_IMSC: rtc->imsc = value & PL031_INT; break;
	case PL031_ICR: rtc->ris &= ~value; break;
	}
}

static bool vpl031_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                        uint64_t *value)
{
	struct vpl031 *rtc = dev;

	if (size > 4 || offset % size != 0)
		return false;
	spin_lock(&rtc->lock);
	uint32_t result = read_locked(rtc, offset & ~UINT32_C(3));
	spin_unlock(&rtc->lock);
	*value = (result >> (offset % 4 * 8)) & GENMASK_U64(size * 8 - 1, 0);
	return true;
}

// As with the PL011, a narrow write works at the first byte of a register and is ignored elsewhere.
static bool vpl031_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                         uint64_t value)
{
	struct vpl031 *rtc = dev;

	if (size > 4 || offset % size != 0)
		return false;
	if (offset % 4 != 0)
		return true;
	spin_lock(&rtc->lock);
	write_locked(rtc, offset, (uint32_t)(value & GENMASK_U64(size * 8 - 1, 0)));
	update_line(rtc);
	spin_unlock(&rtc->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "PL031",
        .read = vpl031_read,
        .write = vpl031_write,
};

static void alarm_due(void *dev)
{
	struct vpl031 *rtc = dev;

	spin_lock(&rtc->lock);
	check_alarm(rtc);
	spin_unlock(&rtc->lock);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

void vpl031_reset(struct vpl031 *rtc)
{
	spin_lock(&rtc->lock);
	rtc->offset = clock_offset;
	rtc->mr = rtc->lr = rtc->imsc = rtc->ris = 0;
	rtc->alarm_set = false;
	check_alarm(rtc);
	spin_unlock(&rtc->lock);
}

int vpl031_create(struct vm *vm, struct vpl031 **rtc_out)
{
	struct vpl031 *rtc = vm_alloc(vm, sizeof *rtc);

	if (rtc == NULL)
		return ERR_NO_MEMORY;
	rtc->vm = vm;
	rtc->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	rtc->alarm = alarm_add(vm, &alarm_ops, rtc);
	if (rtc->alarm < 0)
		return rtc->alarm;
	vpl031_reset(rtc);
	*rtc_out = rtc;
	return mmio_add(&vm->mmio, VPL031_BASE, VPL031_SIZE, &ops, rtc);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vpl031, offset),    VSTATE_FIELD(struct vpl031, mr),
        VSTATE_FIELD(struct vpl031, lr),        VSTATE_FIELD(struct vpl031, imsc),
        VSTATE_FIELD(struct vpl031, ris),       VSTATE_FIELD(struct vpl031, line),
        VSTATE_FIELD(struct vpl031, alarm_set),
};

const struct vstate vpl031_state = {"vpl031", fields, ARRAY_SIZE(fields), NULL};
