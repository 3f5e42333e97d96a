// SPDX-License-Identifier: Apache-2.0
// The Arm side's timer, of the kind SP804 with changes. Owns its state under its lock; called by the MMIO map,
// and by its alarm. Its clock is the core clock, 250 MHz, through a divider; on the board it varies with the
// core clock, here it does not. The counters are computed from guest time when somebody looks.
// Invariant, whenever the lock is free: `raw` says whether the counter has passed zero since it was cleared, as
// of the last look, and the line is (raw && IRQ enabled).
// Source: BCM2835 ARM Peripherals, "Timer (ARM side)".
#include "vdev/vbcm2835_armtimer.h"

#include "base/bits.h"
#include "vdev/raspi3.h"
#include "vdev/raspi3_clock.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

#define CLOCK_MHZ 250

enum {
	LOAD = 0x00,
	VALUE = 0x04,
	CONTROL = 0x08,
	IRQ_CLEAR = 0x0c,
	RAW_IRQ = 0x10,
	MASKED_IRQ = 0x14,
	RELOAD = 0x18,
	PREDIVIDER = 0x1c,
	FREE_COUNT = 0x20,
	SIZE = 0x24,
};

#define CONTROL_WIDE     BIT_U32(1) // 32 bits of the counter and not 16
#define CONTROL_PRESCALE GENMASK_U32(3, 2)
#define CONTROL_IRQ      BIT_U32(5)
#define CONTROL_RUN      BIT_U32(7)
#define CONTROL_FREE_RUN BIT_U32(9)
#define CONTROL_FREE_DIV GENMASK_U32(23, 16)
#define CONTROL_BITS                                                                    \
	(CONTROL_FREE_DIV | CONTROL_FREE_RUN | BIT_U32(8) | CONTROL_RUN | CONTROL_IRQ | \
	 CONTROL_PRESCALE | CONTROL_WIDE)
#define CONTROL_RESET    (UINT32_C(0x3e) << 16) // of CONTROL_FREE_DIV
#define PREDIVIDER_BITS  GENMASK_U32(9, 0)
#define PREDIVIDER_RESET 0x7d
#define LOAD_ID          0x544d5241 // what reads at IRQ_CLEAR: "ARMT"

struct vbcm2835_armtimer {
	// Fixed after start.
	const struct vregs *regs; // first
	struct vm *vm;
	int alarm;

	// Under the lock.
	struct spinlock lock;
	uint32_t load, control, predivider;
	uint32_t value; // at `since`
	uint64_t since; // guest time in us
	uint32_t free;  // at `free_since`
	uint64_t free_since;
	uint32_t raw;
	bool line;
};

// How many cycles of the core clock one count takes.
static uint64_t divider(const struct vbcm2835_armtimer *timer)
{
	static const uint16_t prescale[] = {1, 16, 256, 1};

	return (uint64_t)(timer->predivider + 1) *
	       prescale[field_get(CONTROL_PRESCALE, timer->control)];
}

static uint64_t period(const struct vbcm2835_armtimer *timer)
{
	uint32_t mask = (timer->control & CONTROL_WIDE) != 0 ? UINT32_MAX : UINT16_MAX;

	return (uint64_t)(timer->load & mask) + 1;
}

static void update_line(struct vbcm2835_armtimer *timer)
{
	bool line = timer->raw != 0 && (timer->control & CONTROL_IRQ) != 0;

	if (line == timer->line)
		return;
	timer->line = line;
	virq_set(timer->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_ARMTIMER), line);
}

// Brings value and raw up to now. What is left of a count is kept.
static void advance(struct vbcm2835_armtimer *timer)
{
	uint64_t now = raspi3_clock_us(timer->vm), div = divider(timer);
	uint64_t counts = (now - timer->since) * CLOCK_MHZ / div;

	if ((timer->control & CONTROL_RUN) == 0) {
		timer->since = now;
		return;
	}
	if (counts == 0)
		return;
	timer->since += counts * div / CLOCK_MHZ;
	if (counts <= timer->value) {
		timer->value -= (uint32_t)counts;
		return;
	}
	timer->raw = 1;
	uint64_t over = (counts - timer->value - 1) % period(timer);
	timer->value = (uint32_t)(period(timer) - 1 - over);
}

static void set_alarm(struct vbcm2835_armtimer *timer)
{
	uint64_t deadline = TIMER_NEVER;

	// What has happened stays until it is cleared: nothing more needs to.
	if ((timer->control & CONTROL_RUN) != 0 && (timer->control & CONTROL_IRQ) != 0 &&
	    timer->raw == 0) {
		uint64_t cycles = ((uint64_t)timer->value + 1) * divider(timer);
		uint64_t us = timer->since + (cycles + CLOCK_MHZ - 1) / CLOCK_MHZ;
		deadline = raspi3_clock_when(timer->vm, us);
	}
	alarm_set(timer->vm, timer->alarm, deadline);
	update_line(timer);
}

// ---- registers ----

static uint32_t read_masked(void *dev)
{
	const struct vbcm2835_armtimer *timer = dev;

	return (timer->control & CONTROL_IRQ) != 0 ? timer->raw : 0;
}

static uint32_t read_free(void *dev)
{
	const struct vbcm2835_armtimer *timer = dev;
	uint64_t div = field_get(CONTROL_FREE_DIV, timer->control) + 1;

	if ((timer->control & CONTROL_FREE_RUN) == 0)
		return timer->free;
	return timer->free +
	       (uint32_t)((raspi3_clock_us(timer->vm) - timer->free_since) * CLOCK_MHZ / div);
}

static void write_load(void *dev, uint32_t value)
{
	struct vbcm2835_armtimer *timer = dev;

	timer->load = value;
	timer->value = (uint32_t)(period(timer) - 1);
	timer->since = raspi3_clock_us(timer->vm);
}

static void write_control(void *dev, uint32_t value)
{
	struct vbcm2835_armtimer *timer = dev;

	timer->free = read_free(timer);
	timer->free_since = raspi3_clock_us(timer->vm);
	timer->control = value & CONTROL_BITS;
}

static void clear_irq(void *dev, uint32_t value UNUSED)
{
	struct vbcm2835_armtimer *timer = dev;

	timer->raw = 0;
}

static void begin(void *dev)
{
	struct vbcm2835_armtimer *timer = dev;

	spin_lock(&timer->lock);
	advance(timer);
}

static void end(void *dev)
{
	struct vbcm2835_armtimer *timer = dev;

	set_alarm(timer);
	spin_unlock(&timer->lock);
}

#define IN(member) VREG_IN(struct vbcm2835_armtimer, member)

static const struct vreg rows[] = {
        {LOAD, "LOAD", IN(load), .write = write_load},
        {VALUE, "VALUE", IN(value), .writable = 0},
        {CONTROL, "CONTROL", IN(control), .reset = CONTROL_RESET, .write = write_control},
        {IRQ_CLEAR, "IRQ_CLEAR", VREG_NOWHERE, .reset = LOAD_ID, .write = clear_irq},
        {RAW_IRQ, "RAW_IRQ", IN(raw), .writable = 0},
        {MASKED_IRQ, "MASKED_IRQ", VREG_NOWHERE, .read = read_masked},
        {RELOAD, "RELOAD", IN(load), .writable = VREG_ALL}, // counting goes on
        {PREDIVIDER, "PREDIVIDER", IN(predivider), .reset = PREDIVIDER_RESET,
         .writable = PREDIVIDER_BITS},
        {FREE_COUNT, "FREE_COUNT", VREG_NOWHERE, .read = read_free},
};

static const struct vregs regs = {rows, ARRAY_SIZE(rows), begin, end};

static const struct mmio_ops ops = {
        .name = "BCM2835 Arm timer",
        .read = vreg_read,
        .write = vreg_write,
};

static void alarm_due(void *dev)
{
	begin(dev);
	end(dev);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

void vbcm2835_armtimer_reset(struct vm *vm)
{
	struct vbcm2835_armtimer *timer = vm->raspi3->armtimer;

	spin_lock(&timer->lock);
	vreg_reset(&regs, timer);
	timer->free = 0;
	timer->since = timer->free_since = 0;
	alarm_set(vm, timer->alarm, TIMER_NEVER);
	update_line(timer);
	spin_unlock(&timer->lock);
}

int vbcm2835_armtimer_create(struct vm *vm)
{
	struct vbcm2835_armtimer *timer = vm_alloc(vm, sizeof *timer);

	if (timer == NULL)
		return ERR_NO_MEMORY;
	timer->regs = &regs;
	timer->vm = vm;
	timer->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	timer->alarm = alarm_add(vm, &alarm_ops, timer);
	if (timer->alarm < 0)
		return timer->alarm;
	vm->raspi3->armtimer = timer;
	return mmio_add(&vm->mmio, RASPI3_ARMTIMER_BASE, SIZE, &ops, timer);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2835_armtimer, since),
        VSTATE_FIELD(struct vbcm2835_armtimer, free),
        VSTATE_FIELD(struct vbcm2835_armtimer, free_since),
        VSTATE_FIELD(struct vbcm2835_armtimer, line),
};

const struct vstate vbcm2835_armtimer_state = {"bcm2835-armtimer", fields, ARRAY_SIZE(fields),
                                               &regs};
