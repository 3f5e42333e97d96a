// SPDX-License-Identifier: Apache-2.0
// BCM2836's local controller: how its outputs reach the vCPUs, by HCR_EL2.VI and VF; vbcm2836_regs.c is what a
// guest sees. Owns the state of all cores under its lock; called by the registers, by virq_set() and the guest loop through the
// table at the end, and by the VideoCore's controller.
//
// The guest's virtual timer interrupts Mezzo, and stays active in the board's controller until the guest has
// dealt with it, so that it cannot fire again before. The guest does so without an exit. So:
// - while the board's interrupt is active (`held`), the timer is looked at before each entry; once its line
//   is low, ours falls and the board's interrupt is ended;
// - when the guest has read which interrupts it has, it is about to deal with the timer: the timer alone does
//   not interrupt it any more (`muted`), which would happen once for nothing at the end of its handler;
// - in case no exit comes, or it did not mean to, the timer is looked at after a while (`look_at`), at longer
//   and longer intervals while nothing changes.
//
// Invariants, whenever the lock is free: each core's source words and lines follow from the rest; `held` is
// set only while the vCPU is loaded; who changes the lines of a vCPU that is elsewhere has told it.
// Source: ARM Quad A7 core (QA7 rev 3.4), "Registers".
#include "vdev/vbcm2836.h"

#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/atomic.h"
#include "base/string.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_intc.h"
#include "vdev/vbcm2836_state.h"
#include "vm/vm.h"

#define CONTROL_TO_IRQ GENMASK_U32(3, 0) // of a core's timers, or of its mailboxes
#define CONTROL_TO_FIQ GENMASK_U32(7, 4) // goes before the other

// Bits of a source register, and of `timers`.
#define SOURCE_CNTPNS  BIT_U32(1)
#define SOURCE_CNTV    BIT_U32(3)
#define SOURCE_MAILBOX GENMASK_U32(7, 4)
#define SOURCE_GPU     BIT_U32(8)
#define SOURCE_LOCAL   BIT_U32(11)

#define LOOK_FIRST_US 50
#define LOOK_MOST_US  800

void vbcm2836_lock(struct vbcm2836 *local)
{
	spin_lock(&local->lock);
}

void vbcm2836_unlock(struct vbcm2836 *local)
{
	spin_unlock(&local->lock);
}

// ---- from state to the vCPUs' inputs ----

// What of the four `lines` (bits 3:0) a control register sends where.
static uint32_t to_fiq(uint32_t lines, uint32_t control)
{
	return lines & (uint32_t)field_get(CONTROL_TO_FIQ, control);
}

static uint32_t to_irq(uint32_t lines, uint32_t control)
{
	return lines & (uint32_t)field_get(CONTROL_TO_IRQ, control) & ~to_fiq(lines, control);
}

static uint32_t full_mailboxes(const struct vbcm2836_core *core)
{
	uint32_t full = 0;

	for (unsigned i = 0; i < VBCM2836_MAILBOXES; i++)
		full |= core->mailbox[i] != 0 ? BIT_U32(i) : 0;
	return full;
}

// What the lines of the whole chip add to the sources of core `n`.
static uint32_t shared_sources(const struct vbcm2836 *local, uint32_t n, bool fiq)
{
	bool gpu = fiq ? local->gpu_fiq : local->gpu_irq;
	uint32_t owner = (uint32_t)field_get(fiq ? ROUTING_FIQ : ROUTING_IRQ, local->routing);
	uint32_t sources = gpu && owner == n ? SOURCE_GPU : 0;

	if ((local->local_control & LOCAL_PENDING) != 0 &&
	    (local->local_control & LOCAL_IRQ) != 0 &&
	    field_get(LOCAL_TO_CORE, local->local_routing) == n &&
	    ((local->local_routing & LOCAL_TO_FIQ) != 0) == fiq)
		sources |= SOURCE_LOCAL;
	return sources;
}

static void show(struct vbcm2836 *local, uint32_t n)
{
	struct vbcm2836_core *core = &local->core[n];
	uint32_t silent = core->muted != 0 ? SOURCE_CNTV : 0;
	uint32_t irq = (core->irq_source & ~silent) != 0, fiq = (core->fiq_source & ~silent) != 0;

	if (n >= local->vm->nr_vcpus || (core->irq == irq && core->fiq == fiq))
		return;
	store_relaxed(&core->irq, irq);
	store_relaxed(&core->fiq, fiq);
	struct vcpu *vcpu = local->vm->vcpu[n];
	if (vcpu_is_here(vcpu))
		vcpu_set_lines(vcpu, irq, fiq);
	else
		vcpu_post(vcpu, VCPU_REQ_VIRQ);
}

void vbcm2836_update_core(struct vbcm2836 *local, uint32_t n)
{
	struct vbcm2836_core *core = &local->core[n];
	uint32_t full = full_mailboxes(core);

	store_relaxed(
	        &core->irq_source,
	        to_irq(core->timers, core->timer_control) |
	                (uint32_t)field_put(SOURCE_MAILBOX, to_irq(full, core->mailbox_control)) |
	                shared_sources(local, n, false));
	store_relaxed(
	        &core->fiq_source,
	        to_fiq(core->timers, core->timer_control) |
	                (uint32_t)field_put(SOURCE_MAILBOX, to_fiq(full, core->mailbox_control)) |
	                shared_sources(local, n, true));
	show(local, n);
}

void vbcm2836_update_all(struct vbcm2836 *local)
{
	for (uint32_t n = 0; n < VBCM2836_CORES; n++)
		vbcm2836_update_core(local, n);
}

void vbcm2836_set_gpu_locked(struct vbcm2836 *local, bool irq, bool fiq)
{
	if (local->gpu_irq == irq && local->gpu_fiq == fiq)
		return;
	local->gpu_irq = irq;
	local->gpu_fiq = fiq;
	vbcm2836_update_core(local, (uint32_t)field_get(ROUTING_IRQ, local->routing));
	vbcm2836_update_core(local, (uint32_t)field_get(ROUTING_FIQ, local->routing));
}

// ---- the virtual timer ----

static struct vbcm2836 *local_of(const struct vcpu *vcpu)
{
	return vcpu->vm->raspi3->local;
}

static bool timer_is_high(void)
{
	uint64_t ctl = read_sysreg(cntv_ctl_el0);

	return (ctl & CNT_CTL_ENABLE) != 0 && (ctl & CNT_CTL_IMASK) == 0 &&
	       (ctl & CNT_CTL_ISTATUS) != 0;
}

static void look_later(struct vbcm2836_core *core, uint64_t us)
{
	core->look_us = us < LOOK_MOST_US ? us : LOOK_MOST_US;
	core->look_at = timer_now() + timer_from_us(core->look_us);
	timer_set(TIMER_LINE, core->look_at);
}

// The board's interrupt has come; irq.c leaves it active.
static void timer_came(struct vcpu *vcpu)
{
	struct vbcm2836 *local = local_of(vcpu);
	struct vbcm2836_core *core = &local->core[vcpu->id];

	spin_lock(&local->lock);
	core->held = 1;
	core->muted = 0;
	core->timers |= SOURCE_CNTV;
	vbcm2836_update_core(local, vcpu->id);
	spin_unlock(&local->lock);
	vcpu->watched = true;
	look_later(core, LOOK_FIRST_US);
}

// Its line is low again, or nobody here needs to know any more.
static void timer_went(struct vcpu *vcpu)
{
	struct vbcm2836 *local = local_of(vcpu);
	struct vbcm2836_core *core = &local->core[vcpu->id];

	spin_lock(&local->lock);
	core->held = 0;
	core->muted = 0;
	core->timers &= ~SOURCE_CNTV;
	vbcm2836_update_core(local, vcpu->id);
	spin_unlock(&local->lock);
	vcpu->watched = false;
	timer_set(TIMER_LINE, TIMER_NEVER);
	intc_deactivate(INTID_CNTV);
}

// Before each entry while the board's interrupt is active, and when somebody wants to know. On its CPU.
static void look(struct vcpu *vcpu)
{
	struct vbcm2836 *local = local_of(vcpu);
	struct vbcm2836_core *core = &local->core[vcpu->id];

	if (core->held == 0)
		return;
	if (!timer_is_high()) {
		timer_went(vcpu);
	} else if (timer_now() >= core->look_at) {
		if (core->muted != 0) {
			spin_lock(&local->lock);
			core->muted = 0;
			show(local, vcpu->id);
			spin_unlock(&local->lock);
		}
		look_later(core, 2 * core->look_us);
	}
}

// The guest reads what interrupts it.
void vbcm2836_note_read(struct vcpu *vcpu, uint32_t n)
{
	struct vbcm2836 *local = local_of(vcpu);
	struct vbcm2836_core *core = &local->core[n];

	if (n != vcpu->id || core->held == 0)
		return;
	look(vcpu);
	if (core->held == 0 || core->muted != 0)
		return;
	spin_lock(&local->lock);
	core->muted = 1;
	show(local, n);
	spin_unlock(&local->lock);
	look_later(core, LOOK_FIRST_US);
}

// ---- what it is to the rest of the VM ----

static void set_line(struct vm *vm, struct vcpu *vcpu, uint32_t intid, bool level)
{
	struct vbcm2836 *local = vm->raspi3->local;

	if (vcpu != NULL && intid == INTID_CNTV) {
		if (level) // it falls by the guest's own doing
			timer_came(vcpu);
		return;
	}
	spin_lock(&local->lock);
	if (vcpu == NULL && intid >= VBCM2835_IRQ(0)) {
		vbcm2835_intc_set_locked(local->intc, intid - VBCM2835_IRQ(0), level);
	} else if (vcpu != NULL && intid == INTID_CNTP) {
		uint32_t *timers = &local->core[vcpu->id].timers;
		*timers = level ? *timers | SOURCE_CNTPNS : *timers & ~SOURCE_CNTPNS;
		vbcm2836_update_core(local, vcpu->id);
	}
	spin_unlock(&local->lock);
}

static void flush(struct vcpu *vcpu)
{
	struct vbcm2836_core *core = &local_of(vcpu)->core[vcpu->id];

	look(vcpu);
	vcpu_set_lines(vcpu, load_relaxed(&core->irq) != 0, load_relaxed(&core->fiq) != 0);
}

// Elsewhere the timer would not be looked at; here it interrupts again when the vCPU comes back.
static void unload(struct vcpu *vcpu)
{
	if (local_of(vcpu)->core[vcpu->id].held != 0)
		timer_went(vcpu);
}

// A core that is switched on: the chip around it stays as it is.
static void reset_vcpu(struct vcpu *vcpu)
{
	vcpu->watched = false;
}

static bool pending(struct vcpu *vcpu)
{
	struct vbcm2836_core *core = &local_of(vcpu)->core[vcpu->id];

	if (vcpu_is_here(vcpu))
		look(vcpu);
	return (load_relaxed(&core->irq_source) | load_relaxed(&core->fiq_source)) != 0;
}

static bool may_interrupt(const struct vcpu *vcpu, uint32_t intid)
{
	uint32_t line = intid == INTID_CNTV ? SOURCE_CNTV : SOURCE_CNTPNS;
	uint32_t control = load_relaxed(&local_of(vcpu)->core[vcpu->id].timer_control);

	return (to_irq(line, control) | to_fiq(line, control)) != 0;
}

static const struct irqchip_ops irqchip = {
        .set_line = set_line,
        .flush = flush,
        .load = flush,
        .unload = unload,
        .reset_vcpu = reset_vcpu,
        .pending = pending,
        .may_interrupt = may_interrupt,
        .look = look,
};

void vbcm2836_reset(struct vm *vm)
{
	struct vbcm2836 *local = vm->raspi3->local;

	spin_lock(&local->lock);
	local->control = local->routing = local->pmu = 0;
	local->prescaler = VBCM2836_PRESCALER_RESET;
	local->local_routing = local->local_control = 0;
	local->local_start = 0;
	memset(local->core, 0, sizeof local->core);
	vbcm2835_intc_reset_locked(local->intc);
	alarm_set(vm, local->alarm, TIMER_NEVER);
	vbcm2836_update_all(local);
	spin_unlock(&local->lock);
}

int vbcm2836_create(struct vm *vm)
{
	struct vbcm2836 *local = vm_alloc(vm, sizeof *local);

	if (local == NULL)
		return ERR_NO_MEMORY;
	local->vm = vm;
	local->lock = (struct spinlock)SPINLOCK_INIT(LOCK_VGIC);
	local->prescaler = VBCM2836_PRESCALER_RESET;
	vm->raspi3->local = local;
	vm->irqchip = &irqchip;
	int error = vbcm2836_regs_create(local);
	return error == 0 ? vbcm2835_intc_create(vm, local, &local->intc) : error;
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2836, control),       VSTATE_FIELD(struct vbcm2836, prescaler),
        VSTATE_FIELD(struct vbcm2836, routing),       VSTATE_FIELD(struct vbcm2836, pmu),
        VSTATE_FIELD(struct vbcm2836, local_routing), VSTATE_FIELD(struct vbcm2836, local_control),
        VSTATE_FIELD(struct vbcm2836, local_start),   VSTATE_FIELD(struct vbcm2836, gpu_irq),
        VSTATE_FIELD(struct vbcm2836, gpu_fiq),
};

const struct vstate vbcm2836_state = {"bcm2836", fields, ARRAY_SIZE(fields), NULL};

static const struct vstate_field core_fields[] = {
        VSTATE_FIELD(struct vbcm2836_core, timer_control),
        VSTATE_FIELD(struct vbcm2836_core, mailbox_control),
        VSTATE_ARRAY(struct vbcm2836_core, mailbox),
        VSTATE_FIELD(struct vbcm2836_core, timers),
        VSTATE_FIELD(struct vbcm2836_core, irq_source),
        VSTATE_FIELD(struct vbcm2836_core, fiq_source),
};

const struct vstate vbcm2836_core_state = {"bcm2836-core", core_fields, ARRAY_SIZE(core_fields),
                                           NULL};
