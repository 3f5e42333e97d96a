// SPDX-License-Identifier: Apache-2.0
// Power management. Owns its registers under its lock; called by the MMIO map, and by its alarm when the watchdog
// has run down. Then the VM is reset; or it is off, if the reset status names partition 63, which the board's
// firmware takes for "do not boot again". Power domains are on as soon as they are asked for, and the bridges to
// them stop and go at once.
// Invariant: the alarm is set while the watchdog runs, for its end.
// Source: Linux, drivers/watchdog/bcm2835_wdt.c and drivers/soc/bcm/bcm2835-power.c; nothing is published.
#include "vdev/vbcm2835_pm.h"

#include "base/bits.h"
#include "base/string.h"
#include "hw/timer.h"
#include "vdev/raspi3.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

enum {
	RSTC = 0x1c, // how a reset is done
	RSTS = 0x20, // why there was one, and how to boot
	WDOG = 0x24,
	DOMAINS = 0x60, // from here on the control registers of power domains
	DOMAINS_END = 0x114,
	SIZE = 0x1000,
	ASB_ID = 0x20,
	ASB_SIZE = 0x24,
};

#define PASSWORD       GENMASK_U32(31, 24)
#define PASSWORD_VALUE 0x5a

#define RSTC_CONFIG      GENMASK_U32(5, 4)
#define RSTC_CONFIG_FULL 2 // the watchdog resets everything
#define RSTC_RESET       0x102
#define RSTS_RESET       0x1000
#define RSTS_PARTITION   0x555 // every second bit of these is one of the number's
#define WDOG_TIME        GENMASK_U32(19, 0)
#define WDOG_HZ          65536

#define DOMAIN_POWUP  BIT_U32(0)
#define DOMAIN_POWOK  BIT_U32(1)
#define DOMAIN_MEMREP BIT_U32(3)
#define DOMAIN_MRDONE BIT_U32(4)

#define ASB_REQ_STOP BIT_U32(0)
#define ASB_ACK      BIT_U32(1)
#define ASB_ID_VALUE 0x62726467 // "brdg"

struct vbcm2835_pm {
	// Fixed after start.
	struct vm *vm;
	int alarm;

	// Under the lock.
	struct spinlock lock;
	uint32_t reg[DOMAINS_END / 4];
	uint32_t asb[ASB_SIZE / 4];
	uint64_t end; // guest time in ticks: when the watchdog has run down; TIMER_NEVER: it rests
};

static uint64_t guest_now(const struct vbcm2835_pm *pm)
{
	return timer_now() - pm->vm->cntvoff;
}

static void start_watchdog(struct vbcm2835_pm *pm)
{
	uint64_t left = field_get(WDOG_TIME, pm->reg[WDOG / 4]);
	bool runs = field_get(RSTC_CONFIG, pm->reg[RSTC / 4]) == RSTC_CONFIG_FULL;

	pm->end = runs ? guest_now(pm) + left * timer_hz() / WDOG_HZ : TIMER_NEVER;
	alarm_set(pm->vm, pm->alarm, runs ? pm->vm->cntvoff + pm->end : TIMER_NEVER);
}

static void alarm_due(void *dev)
{
	struct vbcm2835_pm *pm = dev;

	spin_lock(&pm->lock);
	bool due = pm->end <= guest_now(pm);
	bool halt = (pm->reg[RSTS / 4] & RSTS_PARTITION) == RSTS_PARTITION;
	if (!due && pm->end != TIMER_NEVER) // its VM was paused meanwhile
		alarm_set(pm->vm, pm->alarm, pm->vm->cntvoff + pm->end);
	spin_unlock(&pm->lock);
	if (due)
		vm_end(pm->vm, halt ? VM_END_OFF : VM_END_RESET);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

static uint32_t watchdog_left(const struct vbcm2835_pm *pm)
{
	uint64_t now = guest_now(pm);

	if (pm->end == TIMER_NEVER)
		return pm->reg[WDOG / 4];
	return pm->end > now ? (uint32_t)((pm->end - now) * WDOG_HZ / timer_hz()) : 0;
}

static uint32_t read_locked(const struct vbcm2835_pm *pm, uint32_t reg)
{
	if (reg == WDOG)
		return watchdog_left(pm);
	if (reg >= DOMAINS_END)
		return 0;
	uint32_t value = pm->reg[reg / 4];
	if (reg >= DOMAINS && (value & DOMAIN_POWUP) != 0)
		value |= DOMAIN_POWOK;
	if (reg >= DOMAINS && (value & DOMAIN_MEMREP) != 0)
		value |= DOMAIN_MRDONE;
	return value;
}

static bool pm_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                    uint64_t *value)
{
	struct vbcm2835_pm *pm = dev;

	if (!vreg_fits(offset, size))
		return false;
	spin_lock(&pm->lock);
	uint32_t result = read_locked(pm, vreg_base(offset));
	spin_unlock(&pm->lock);
	*value = vreg_part(result, offset, size);
	return true;
}

// Whether a write counts: the first byte of a register, with the password. *value loses that.
static bool is_allowed(uint32_t offset, unsigned size, uint64_t *value)
{
	if (!vreg_whole(offset, size, value) || field_get(PASSWORD, *value) != PASSWORD_VALUE)
		return false;
	*value &= ~(uint64_t)PASSWORD;
	return true;
}

static bool pm_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                     uint64_t value)
{
	struct vbcm2835_pm *pm = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!is_allowed(offset, size, &value) || offset >= DOMAINS_END)
		return true;
	spin_lock(&pm->lock);
	pm->reg[offset / 4] = (uint32_t)value;
	if (offset == RSTC || offset == WDOG)
		start_watchdog(pm);
	spin_unlock(&pm->lock);
	return true;
}

static const struct mmio_ops pm_ops = {
        .name = "BCM2835 power management",
        .read = pm_read,
        .write = pm_write,
};

static bool asb_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                     uint64_t *value)
{
	struct vbcm2835_pm *pm = dev;
	uint32_t reg = vreg_base(offset);

	if (!vreg_fits(offset, size))
		return false;
	uint32_t result = load_relaxed(&pm->asb[reg / 4]);
	result = (result & ASB_REQ_STOP) != 0 ? result | ASB_ACK : result & ~ASB_ACK;
	*value = vreg_part(reg == ASB_ID ? ASB_ID_VALUE : result, offset, size);
	return true;
}

static bool asb_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t value)
{
	struct vbcm2835_pm *pm = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (is_allowed(offset, size, &value))
		store_relaxed(&pm->asb[offset / 4], (uint32_t)value);
	return true;
}

static const struct mmio_ops asb_ops = {
        .name = "BCM2835 bridges",
        .read = asb_read,
        .write = asb_write,
};

void vbcm2835_pm_reset(struct vm *vm)
{
	struct vbcm2835_pm *pm = vm->raspi3->pm;

	spin_lock(&pm->lock);
	memset(pm->reg, 0, sizeof pm->reg);
	memset(pm->asb, 0, sizeof pm->asb);
	pm->reg[RSTC / 4] = RSTC_RESET;
	pm->reg[RSTS / 4] = RSTS_RESET;
	pm->end = TIMER_NEVER;
	alarm_set(vm, pm->alarm, TIMER_NEVER);
	spin_unlock(&pm->lock);
}

int vbcm2835_pm_create(struct vm *vm)
{
	struct vbcm2835_pm *pm = vm_alloc(vm, sizeof *pm);

	if (pm == NULL)
		return ERR_NO_MEMORY;
	pm->vm = vm;
	pm->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	pm->end = TIMER_NEVER;
	pm->alarm = alarm_add(vm, &alarm_ops, pm);
	if (pm->alarm < 0)
		return pm->alarm;
	vm->raspi3->pm = pm;
	int error = mmio_add(&vm->mmio, RASPI3_PM_BASE, SIZE, &pm_ops, pm);
	return error == 0 ? mmio_add(&vm->mmio, RASPI3_ASB_BASE, ASB_SIZE, &asb_ops, pm) : error;
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vbcm2835_pm, reg),
        VSTATE_ARRAY(struct vbcm2835_pm, asb),
        VSTATE_FIELD(struct vbcm2835_pm, end),
};

const struct vstate vbcm2835_pm_state = {"bcm2835-pm", fields, ARRAY_SIZE(fields), NULL};
