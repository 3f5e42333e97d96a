// SPDX-License-Identifier: Apache-2.0
// BCM2836's local controller: its registers, the counter and the local timer behind them. Owns no state of its own:
// struct vbcm2836, under its lock. Called by the MMIO map and by the alarm.
// Source: ARM Quad A7 core (QA7 rev 3.4), "Registers".
#include "base/atomic.h"
#include "vdev/raspi3.h"
#include "vdev/raspi3_clock.h"
#include "vdev/vbcm2836_state.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

enum {
	CONTROL = 0x00,
	PRESCALER = 0x08,
	GPU_ROUTING = 0x0c,
	PMU_SET = 0x10,
	PMU_CLEAR = 0x14,
	TIMER_LOW = 0x1c,
	TIMER_HIGH = 0x20,
	LOCAL_ROUTING = 0x24,
	LOCAL_CONTROL = 0x34,
	LOCAL_FLAGS = 0x38,
	TIMER_CONTROL = 0x40, // and up to 0x4c, one for each core, as the next ones
	MAILBOX_CONTROL = 0x50,
	IRQ_SOURCE = 0x60,
	FIQ_SOURCE = 0x70,
	MAILBOX_SET = 0x80, // four for each core
	MAILBOX_CLEAR = 0xc0,
	END = 0x100,
	SIZE = 0x1000,
};

#define CONTROL_BITS     GENMASK_U32(9, 8)
#define ROUTING_BITS     GENMASK_U32(3, 0)
#define PMU_BITS         GENMASK_U32(7, 0)
#define LOCAL_ROUTE_BITS GENMASK_U32(2, 0)
#define LOCAL_RELOAD     GENMASK_U32(27, 0)
#define LOCAL_RUN        BIT_U32(28)
#define FLAGS_CLEAR      BIT_U32(31)
#define FLAGS_RELOAD     BIT_U32(30)
#define CONTROL_ALL      GENMASK_U32(7, 0)

// The crystal has 19.2 MHz: the cores' counter counts its ticks, the local timer both edges.
#define CRYSTAL_PER_10_US 192
#define LOCAL_PER_10_US   384
#define PRESCALER_ONE     31 // the counter goes at crystal * prescaler / 2^31

// ---- the local timer ----

static uint64_t local_now(const struct vbcm2836 *local)
{
	return raspi3_clock_us(local->vm) * LOCAL_PER_10_US / 10;
}

static uint64_t local_period(const struct vbcm2836 *local)
{
	uint64_t reload = field_get(LOCAL_RELOAD, local->local_control);

	return reload != 0 ? reload : LOCAL_RELOAD + UINT64_C(1);
}

// After time has passed or something has changed. Its flag stays until it is cleared, so until then nothing
// needs to happen.
static void check_local(struct vbcm2836 *local)
{
	uint64_t now = local_now(local), period = local_period(local), deadline = TIMER_NEVER;

	if ((local->local_control & LOCAL_RUN) != 0) {
		uint64_t passed = now > local->local_start ? now - local->local_start : 0;
		if (period != 0 && passed >= period) { // never 0, which not every analyser sees
			local->local_control |= LOCAL_PENDING;
			local->local_start = now - passed % period;
		}
		uint64_t us = (local->local_start + period) * 10 / LOCAL_PER_10_US + 1;
		if ((local->local_control & LOCAL_PENDING) == 0 &&
		    (local->local_control & LOCAL_IRQ) != 0)
			deadline = raspi3_clock_when(local->vm, us);
	}
	alarm_set(local->vm, local->alarm, deadline);
	vbcm2836_update_core(local, (uint32_t)field_get(LOCAL_TO_CORE, local->local_routing));
}

static void alarm_due(void *dev)
{
	struct vbcm2836 *local = dev;

	spin_lock(&local->lock);
	check_local(local);
	spin_unlock(&local->lock);
}

static const struct alarm_ops alarm_ops = {.due = alarm_due};

static void write_local_control(struct vbcm2836 *local, uint32_t value)
{
	uint32_t before = local->local_control;

	local->local_control =
	        (before & LOCAL_PENDING) | (value & (LOCAL_RELOAD | LOCAL_RUN | LOCAL_IRQ));
	if ((before & LOCAL_RUN) == 0)
		local->local_start = local_now(local);
	check_local(local);
}

static void write_local_flags(struct vbcm2836 *local, uint32_t value)
{
	check_local(local); // what is cleared is what has happened until now
	if ((value & FLAGS_RELOAD) != 0)
		local->local_start = local_now(local);
	if ((value & FLAGS_CLEAR) != 0)
		local->local_control &= ~LOCAL_PENDING;
	check_local(local);
}

// ---- registers ----

static uint64_t counter(const struct vbcm2836 *local)
{
	uint64_t crystal = raspi3_clock_us(local->vm) * CRYSTAL_PER_10_US / 10;

	// In two steps, so that no product is wider than 64 bits.
	return (crystal >> PRESCALER_ONE) * local->prescaler +
	       (((crystal & GENMASK_U64(PRESCALER_ONE - 1, 0)) * local->prescaler) >>
	        PRESCALER_ONE);
}

static uint32_t read_shared(struct vbcm2836 *local, uint32_t reg)
{
	switch (reg) {
	case CONTROL: return local->control;
	case PRESCALER: return local->prescaler;
	case GPU_ROUTING: return local->routing;
	case PMU_SET: return local->pmu;
	case TIMER_LOW: return (uint32_t)counter(local);
	case TIMER_HIGH: return (uint32_t)(counter(local) >> 32);
	case LOCAL_ROUTING: return local->local_routing;
	case LOCAL_CONTROL: check_local(local); return local->local_control;
	}
	return 0; // write-only, reserved, or the AXI counters, which nothing counts in
}

static uint32_t read_locked(struct vbcm2836 *local, uint32_t reg)
{
	const struct vbcm2836_core *core = &local->core[reg / 4 % VBCM2836_CORES];

	if (reg < TIMER_CONTROL)
		return read_shared(local, reg);
	if (reg < MAILBOX_CONTROL)
		return core->timer_control;
	if (reg < IRQ_SOURCE)
		return core->mailbox_control;
	if (reg < FIQ_SOURCE)
		return core->irq_source;
	if (reg < MAILBOX_SET)
		return core->fiq_source;
	if (reg < MAILBOX_CLEAR || reg >= END)
		return 0; // write-only, or nothing
	reg = (reg - MAILBOX_CLEAR) / 4;
	return local->core[reg / VBCM2836_MAILBOXES].mailbox[reg % VBCM2836_MAILBOXES];
}

static void write_shared(struct vbcm2836 *local, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case CONTROL: local->control = value & CONTROL_BITS; break;
	case PRESCALER: local->prescaler = value; break;
	case GPU_ROUTING:
		local->routing = value & ROUTING_BITS;
		vbcm2836_update_all(local);
		break;
	case PMU_SET: local->pmu |= value & PMU_BITS; break;
	case PMU_CLEAR: local->pmu &= ~value; break;
	case LOCAL_ROUTING:
		local->local_routing = value & LOCAL_ROUTE_BITS;
		vbcm2836_update_all(local);
		break;
	case LOCAL_CONTROL: write_local_control(local, value); break;
	case LOCAL_FLAGS: write_local_flags(local, value); break;
	}
}

static void write_mailbox(struct vbcm2836 *local, uint32_t index, uint32_t set, uint32_t clear)
{
	uint32_t n = index / VBCM2836_MAILBOXES;
	uint32_t *mailbox = &local->core[n].mailbox[index % VBCM2836_MAILBOXES];

	*mailbox = (*mailbox | set) & ~clear;
	vbcm2836_update_core(local, n);
}

static void write_locked(struct vbcm2836 *local, uint32_t reg, uint32_t value)
{
	uint32_t n = reg / 4 % VBCM2836_CORES;

	if (reg < TIMER_CONTROL) {
		write_shared(local, reg, value);
	} else if (reg < IRQ_SOURCE) {
		struct vbcm2836_core *core = &local->core[n];
		*(reg < MAILBOX_CONTROL ? &core->timer_control : &core->mailbox_control) =
		        value & CONTROL_ALL;
		vbcm2836_update_core(local, n);
	} else if (reg >= MAILBOX_SET && reg < MAILBOX_CLEAR) {
		write_mailbox(local, (reg - MAILBOX_SET) / 4, value, 0);
	} else if (reg >= MAILBOX_CLEAR && reg < END) {
		write_mailbox(local, (reg - MAILBOX_CLEAR) / 4, 0, value);
	}
}

static bool local_read(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size,
                       uint64_t *value)
{
	struct vbcm2836 *local = dev;
	uint32_t reg = vreg_base(offset), result;

	*value = 0;
	if (!vreg_fits(offset, size)) // this chip does not fault either
		return true;
	if (reg >= IRQ_SOURCE && reg < MAILBOX_SET) { // one word, and each interrupt reads it
		struct vbcm2836_core *core = &local->core[reg / 4 % VBCM2836_CORES];
		vbcm2836_note_read(vcpu, reg / 4 % VBCM2836_CORES);
		result = load_relaxed(reg < FIQ_SOURCE ? &core->irq_source : &core->fiq_source);
	} else {
		spin_lock(&local->lock);
		result = read_locked(local, reg);
		spin_unlock(&local->lock);
	}
	*value = vreg_part(result, offset, size);
	return true;
}

static bool local_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                        uint64_t value)
{
	struct vbcm2836 *local = dev;

	if (!vreg_fits(offset, size) || !vreg_whole(offset, size, &value))
		return true;
	spin_lock(&local->lock);
	write_locked(local, offset, (uint32_t)value);
	spin_unlock(&local->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "BCM2836 local controller",
        .read = local_read,
        .write = local_write,
};

int vbcm2836_regs_create(struct vbcm2836 *local)
{
	local->alarm = alarm_add(local->vm, &alarm_ops, local);
	if (local->alarm < 0)
		return local->alarm;
	return mmio_add(&local->vm->mmio, RASPI3_LOCAL_BASE, SIZE, &ops, local);
}
