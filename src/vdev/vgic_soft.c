// SPDX-License-Identifier: Apache-2.0
// Delivery back end: list registers in memory, for guests that see a GICv2 on a board without GICv2's
// virtualization: one without any GIC, or with a GICv3. HCR_EL2.VI and VF are the guest's interrupt lines.
//
// Called by vgic_lr.c through the table at the end, and by vgicc.c for the guest, on the vCPU's own CPU.
// Owns struct vgic_soft of each vCPU.
// Invariants:
// - A list register that is pending and not active is in `at` of its group and priority, and in no other
//   place; `levels` has a bit for each that is not empty. So the next interrupt is two counts of zeros away.
// - The lines are what lr, vmcr and apr say, whenever a function has returned.
// There are no maintenance interrupts: what the guest does here is seen at once.
// Source: Arm GIC Architecture Specification v2, "GIC support for processor virtualization" and "Interrupt
// prioritization".
#include "vdev/vgic_soft.h"

#include "arm/cpu.h"
#include "hw/intc.h"
#include "vdev/vgic_reg.h"

#define PRIORITY_SHIFT 3
#define NOTHING        0x100u // above every running priority

static struct vgic_soft *here(void)
{
	return cpu_this()->vcpu->gic->gicc;
}

// ---- what is pending, by priority ----

static bool waits(uint64_t lr)
{
	return (lr & VGIC_LR_STATE) == VGIC_LR_PENDING;
}

static void change_waiting(struct vgic_soft *soft, uint32_t index, uint64_t lr, bool add)
{
	uint32_t group = (lr & VGIC_LR_GROUP1) != 0;
	uint32_t level = (uint32_t)field_get(VGIC_LR_PRIORITY, lr) >> PRIORITY_SHIFT;
	uint16_t *at = &soft->at[group][level];
	*at = (uint16_t)(add ? *at | BIT_U32(index) : *at & ~BIT_U32(index));
	if (*at != 0)
		soft->levels[group] |= BIT_U32(level);
	else
		soft->levels[group] &= ~BIT_U32(level);
}

static void set_lr(struct vgic_soft *soft, uint32_t index, uint64_t lr)
{
	uint64_t old = soft->lr[index];
	if (waits(old))
		change_waiting(soft, index, old, false);
	soft->lr[index] = lr;
	if (waits(lr))
		change_waiting(soft, index, lr, true);
}

// The most urgent one that waits in a group that is enabled; VGIC_MAX_LRS: none.
static uint32_t best(const struct vgic_soft *soft)
{
	uint32_t group0 = soft->vmcr & VMCR_GROUP0 ? soft->levels[0] : 0;
	uint32_t group1 = soft->vmcr & VMCR_GROUP1 ? soft->levels[1] : 0;
	uint32_t both = group0 | group1;
	if (both == 0)
		return VGIC_MAX_LRS;
	uint32_t level = (uint32_t)__builtin_ctz(both);
	return (uint32_t)__builtin_ctz(soft->at[(group0 >> level & 1) == 0][level]);
}

// ---- priorities ----

static uint32_t running(const struct vgic_soft *soft)
{
	return soft->apr != 0 ? (uint32_t)__builtin_ctz(soft->apr) << PRIORITY_SHIFT : NOTHING;
}

// The part of an interrupt's priority that decides whether it preempts.
static uint32_t group_priority(const struct vgic_soft *soft, uint64_t lr)
{
	uint32_t priority = (uint32_t)field_get(VGIC_LR_PRIORITY, lr);
	// The fraction begins below bit BPR + 1 for group 0, below bit BPR for group 1's own register.
	uint32_t bits = (lr & VGIC_LR_GROUP1) != 0 && (soft->vmcr & VMCR_CBPR) == 0
	                        ? (uint32_t)field_get(VMCR_BPR1, soft->vmcr)
	                        : (uint32_t)field_get(VMCR_BPR0, soft->vmcr) + 1;
	return priority & ~(BIT_U32(bits) - 1);
}

static bool may_signal(const struct vgic_soft *soft, uint64_t lr)
{
	uint32_t mask = (uint32_t)field_get(VMCR_PRIORITY, soft->vmcr) << VMCR_PRIORITY_SHIFT;
	return field_get(VGIC_LR_PRIORITY, lr) < mask && group_priority(soft, lr) < running(soft);
}

static void update_lines(struct vcpu *vcpu, const struct vgic_soft *soft)
{
	uint32_t index = best(soft);
	bool any = index != VGIC_MAX_LRS && may_signal(soft, soft->lr[index]);
	bool fiq = any && (soft->vmcr & VMCR_FIQ) && !(soft->lr[index] & VGIC_LR_GROUP1);
	vcpu_set_lines(vcpu, any && !fiq, fiq);
}

// ---- what the guest does ----

// The guest took or ended something: whether delivery has to look again, which list registers of hardware
// would have told by a maintenance interrupt.
static void look_again(struct vgic_cpu *cpu, bool asked)
{
	struct vgic_soft *soft = cpu->gicc;
	if ((soft->notify & VGIC_NOTIFY_NO_PENDING) && (soft->levels[0] | soft->levels[1]) == 0)
		asked = true;
	if (asked)
		vgic_deliver_ended(cpu);
	update_lines(cpu->vcpu, soft);
}

// What a read of one of the two acknowledge registers gives for the list register that is most urgent.
static uint32_t shown(const struct vgic_soft *soft, uint64_t lr, bool group1)
{
	bool is_group1 = (lr & VGIC_LR_GROUP1) != 0;
	if (group1 && !is_group1)
		return VGIC_SOFT_SPURIOUS;
	if (!group1 && is_group1 && !(soft->vmcr & VMCR_ACK_CTL))
		return VGIC_SOFT_OTHER;
	return (uint32_t)(lr & (lr & VGIC_LR_HW ? VGIC_LR_INTID : VGIC_LR_INTID | VGIC_LR_SOURCE));
}

uint32_t vgic_soft_acknowledge(struct vgic_cpu *cpu, bool group1)
{
	struct vgic_soft *soft = cpu->gicc;
	uint32_t index = best(soft);
	if (index == VGIC_MAX_LRS || !may_signal(soft, soft->lr[index]))
		return VGIC_SOFT_SPURIOUS;
	uint64_t lr = soft->lr[index];
	uint32_t value = shown(soft, lr, group1);
	if (value == VGIC_SOFT_OTHER || value == VGIC_SOFT_SPURIOUS)
		return value;
	soft->apr |= BIT_U32(group_priority(soft, lr) >> PRIORITY_SHIFT);
	set_lr(soft, index, (lr & ~VGIC_LR_PENDING) | VGIC_LR_ACTIVE);
	look_again(cpu, false);
	return value;
}

// The list register that holds what the guest ends; VGIC_MAX_LRS: none. An SGI has its source.
static uint32_t find_active(const struct vgic_cpu *cpu, uint32_t value)
{
	for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
		uint32_t index = (uint32_t)__builtin_ctz(left);
		uint64_t lr = cpu->gicc->lr[index];
		uint64_t id = VGIC_LR_INTID | (lr & VGIC_LR_HW ? 0 : VGIC_LR_SOURCE);
		if ((lr & VGIC_LR_ACTIVE) && ((lr ^ value) & id) == 0)
			return index;
	}
	return VGIC_MAX_LRS;
}

bool vgic_soft_holds(const struct vgic_cpu *cpu, uint32_t value)
{
	return find_active(cpu, value) != VGIC_MAX_LRS;
}

// One that is active in memory: no list register was free, or it was taken back.
static void end_outside(struct vgic_cpu *cpu, uint32_t value)
{
	const struct vgic_access access = {.self = cpu->vcpu, .owner = cpu->vcpu};
	uint32_t intid;
	if (!vgic_bound(value & VGIC_LR_INTID, VGIC_NR_INTIDS, &intid))
		return;
	uint32_t word = intid >> 5, bit = BIT_U32(intid & 31);
	uint32_t its = word == 0 ? cpu->bank.active : load_relaxed(&cpu->spi_active[word - 1]);
	if (its & bit) // acknowledged here, not by another vCPU
		vgic_clear_active(access, word, bit, bit);
}

void vgic_soft_deactivate(struct vgic_cpu *cpu, uint32_t value)
{
	struct vgic_soft *soft = cpu->gicc;
	uint32_t index = find_active(cpu, value);
	if (index == VGIC_MAX_LRS) {
		end_outside(cpu, value);
		look_again(cpu, false);
		return;
	}
	uint64_t lr = soft->lr[index];
	set_lr(soft, index, lr & ~VGIC_LR_ACTIVE);
	if (lr & VGIC_LR_HW)
		intc_deactivate((uint32_t)field_get(VGIC_LR_PHYSICAL, lr));
	look_again(cpu, !(lr & VGIC_LR_HW) && !(lr & VGIC_LR_PENDING) && (lr & VGIC_LR_EOI));
}

void vgic_soft_eoi(struct vgic_cpu *cpu, uint32_t value)
{
	struct vgic_soft *soft = cpu->gicc;
	if (soft->apr == 0 || (value & VGIC_LR_INTID) >= VGIC_SOFT_OTHER)
		return; // nothing was acknowledged
	soft->apr &= soft->apr - 1;
	if (soft->vmcr & VMCR_EOI_MODE)
		update_lines(cpu->vcpu, soft);
	else
		vgic_soft_deactivate(cpu, value);
}

uint32_t vgic_soft_highest(const struct vgic_cpu *cpu, bool group1)
{
	uint32_t index = best(cpu->gicc);
	return index == VGIC_MAX_LRS ? VGIC_SOFT_SPURIOUS
	                             : shown(cpu->gicc, cpu->gicc->lr[index], group1);
}

uint32_t vgic_soft_running(const struct vgic_cpu *cpu)
{
	uint32_t priority = running(cpu->gicc);
	return priority == NOTHING ? VGIC_SOFT_IDLE : priority;
}

void vgic_soft_set(struct vgic_cpu *cpu, uint32_t vmcr, uint32_t apr)
{
	cpu->gicc->vmcr = vmcr;
	cpu->gicc->apr = apr;
	update_lines(cpu->vcpu, cpu->gicc);
}

// ---- the back end ----

static uint32_t probe(uintptr_t base UNUSED)
{
	return VGIC_MAX_LRS;
}

static void init_cpu(void)
{
}

static void reset(struct vgic_interface *interface)
{
	// Groups off, everything masked.
	*interface = (struct vgic_interface){.vmcr = field_put(VMCR_BPR0, VMCR_BPR0_MIN) |
	                                             field_put(VMCR_BPR1, VMCR_BPR1_MIN)};
}

static void load(const struct vgic_interface *interface)
{
	*here() = (struct vgic_soft){.vmcr = (uint32_t)interface->vmcr, .apr = interface->apr0[0]};
	update_lines(cpu_this()->vcpu, here());
}

static void save(struct vgic_interface *interface)
{
	interface->vmcr = here()->vmcr;
	interface->apr0[0] = here()->apr;
}

static uint64_t read_lr(uint32_t index)
{
	return here()->lr[index];
}

static void write_lr(uint32_t index, uint64_t lr)
{
	set_lr(here(), index, lr);
	update_lines(cpu_this()->vcpu, here());
}

static void control(uint32_t notify)
{
	here()->notify = notify;
}

static bool split(void)
{
	return (here()->vmcr & VMCR_EOI_MODE) != 0;
}

static uint32_t take_eois(void)
{
	return 0; // end_outside() has seen to them
}

const struct vgic_backend vgic_soft = {
        .name = "software",
        .serves = BIT_U32(2),
        .probe = probe,
        .init_cpu = init_cpu,
        .reset = reset,
        .load = load,
        .save = save,
        .read_lr = read_lr,
        .write_lr = write_lr,
        .control = control,
        .split = split,
        .take_eois = take_eois,
};
