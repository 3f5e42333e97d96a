// SPDX-License-Identifier: Apache-2.0
// The virtual interrupt controller as a whole: its life, its input lines, SGIs, and the protocol by
// which one CPU works on interrupts that may be in another CPU's list registers.
//
// Called by whoever builds VMs, by virq_set() (through the table at the end), by the run loop, and by
// the register handlers (vgic_reg.c, vgicv2.c, vgicv3.c).
// Invariant: nobody waits for another CPU while holding vgic->lock, and only register handlers, which
// hold no lock, wait at all (docs/interrupts.md, "Freezing").
// Source: Arm GIC Architecture Specification v3/v4 and v2, "Interrupt handling and prioritization".
#include "vdev/vgic_lr.h"
#include "vdev/vgic_soft.h"

// ---- telling other CPUs ----

// Adds to *told who of the vCPUs that are loaded, or of the others that are on, gets an interrupt of *mask,
// and takes out of *mask what has found somebody; `first` before all, if it may. True: nothing is left.
static bool choose_targets(struct vgic *vgic, struct vgic_cpu *first, uint32_t word, uint32_t *mask,
                           bool loaded, uint32_t *told)
{
	for (uint32_t i = 0; *mask != 0 && i < vgic->nr_vcpus; i++) {
		uint32_t id = first == NULL ? i : i == 0 ? first->vcpu->id : i - 1;
		if (first != NULL && i != 0 && id >= first->vcpu->id)
			id++;
		const struct vcpu *vcpu = vgic->vm->vcpu[id];
		uint32_t its = *mask & vcpu->gic->spi_target[word - 1];
		if (its == 0 ||
		    (loaded ? !vcpu->gic->loaded : load_relaxed(&vcpu->power) != VCPU_ON))
			continue;
		*told |= BIT_U32(id);
		*mask &= ~its;
	}
	return *mask == 0;
}

uint32_t vgic_spi_notify(struct vgic *vgic, struct vgic_cpu *first, uint32_t word, uint32_t mask)
{
	const struct vgic_bank *bank = &vgic->spi[word - 1];
	uint32_t told = 0;

	// Whoever holds one has to look at it again, whatever happened.
	if (mask & bank->held) {
		for (uint32_t id = 0; id < vgic->nr_vcpus; id++)
			if (vgic->vm->vcpu[id]->gic->spi_held[word - 1] & mask)
				told |= BIT_U32(id);
	}
	mask &= vgic_bank_pending(bank) & bank->enabled & ~bank->active & ~bank->held;
	// Each of the others goes to one vCPU that may have it: one that is loaded, else one that waits for its
	// turn or sleeps, and will find it when it is loaded.
	if (mask != 0 && !choose_targets(vgic, first, word, &mask, true, &told))
		(void)choose_targets(vgic, first, word, &mask, false, &told);
	for (uint32_t left = told; left != 0; left &= left - 1)
		fetch_or(&vgic->vm->vcpu[__builtin_ctz(left)]->gic->post, VGIC_POST_ALL);
	return told;
}

void vgic_tell(struct vgic *vgic, uint32_t vcpus)
{
	for (; vcpus != 0; vcpus &= vcpus - 1) {
		struct vcpu *vcpu = vgic->vm->vcpu[__builtin_ctz(vcpus)];
		if (vcpu_is_here(vcpu) && load_relaxed(&vcpu->gic->loaded))
			vgic_deliver_posted(vcpu->gic);
		else
			vcpu_post(vcpu, VCPU_REQ_VIRQ);
	}
}

void vgic_set_targets(struct vgic *vgic, uint32_t spi, uint32_t vcpus)
{
	for (uint32_t id = 0; id < vgic->nr_vcpus; id++) {
		uint32_t *word = &vgic->vm->vcpu[id]->gic->spi_target[spi >> 5];
		uint32_t bit = BIT_U32(spi & 31);
		*word = vcpus & BIT_U32(id) ? *word | bit : *word & ~bit;
	}
}

// ---- operations on interrupts in flight ----

// The vCPUs other than op->self that have to be frozen before the operation may go on: those that
// hold interrupts of the word, or whose guest may have ended one that is active in memory; for word 0
// the owner of the word.
static uint32_t to_freeze(const struct vgic_op *op, uint32_t word, uint32_t mask)
{
	const struct vgic *vgic = op->vgic;
	uint32_t set = 0;

	if (word == 0)
		return op->owner != op->self && op->owner->loaded ? BIT_U32(op->owner->vcpu->id)
		                                                  : 0;
	if (!((vgic->spi[word - 1].held | vgic->spi[word - 1].active) & mask))
		return 0;
	for (uint32_t id = 0; id < vgic->nr_vcpus; id++) {
		const struct vgic_cpu *cpu = vgic->vm->vcpu[id]->gic;
		uint32_t its = cpu->spi_held[word - 1] | cpu->spi_active[word - 1];
		if (cpu != op->self && cpu->loaded && (its & mask) != 0)
			set |= BIT_U32(id);
	}
	return set;
}

// Written under the lock, read without it. The new count.
static uint32_t change_freeze(struct vgic_cpu *cpu, int by)
{
	uint32_t count = cpu->freeze + (uint32_t)by;
	store_release(&cpu->freeze, count);
	return count;
}

// Holds the vCPUs in `set` frozen until the end of the operation, and waits until their interrupts
// are in memory. The lock is held on entry and on return, not in between. The wait ends because each
// of them is in its guest (the request brings it out), or in an exit that ends; and because this CPU
// does for others what it waits for.
static void freeze(struct vgic_op *op, uint32_t set)
{
	struct vgic *vgic = op->vgic;

	for (uint32_t left = set; left != 0; left &= left - 1)
		change_freeze(vgic->vm->vcpu[__builtin_ctz(left)]->gic, 1);
	op->frozen |= set;
	spin_unlock(&vgic->lock);
	for (uint32_t left = set; left != 0; left &= left - 1)
		vcpu_post(vgic->vm->vcpu[__builtin_ctz(left)], VCPU_REQ_SYNC);
	for (uint32_t left = set; left != 0; left &= left - 1) {
		const struct vgic_cpu *cpu = vgic->vm->vcpu[__builtin_ctz(left)]->gic;
		while (load_acquire(&cpu->loaded) != 0 && load_acquire(&cpu->folded) == 0) {
			if (load_acquire(&op->self->freeze) != 0 && op->self->folded == 0)
				vgic_deliver_all(op->self);
			spin_relax();
		}
	}
	spin_lock(&vgic->lock);
}

static void op_init(struct vgic_op *op, struct vcpu *self, struct vcpu *owner)
{
	*op = (struct vgic_op){
	        .vgic = self->vm->gic,
	        .self = self->gic,
	        .owner = owner->gic,
	};
}

// A fast exit waits for nobody (docs/exits.md). in_guest tells one from an exit that the guest loop handles.
static bool decline(struct vgic_op *op)
{
	op->declined = load_relaxed(&cpu_this()->in_guest) != 0;
	if (op->declined)
		spin_unlock(&op->vgic->lock);
	return op->declined;
}

bool vgic_op_begin(struct vgic_op *op, struct vcpu *self, struct vcpu *owner, uint32_t word,
                   uint32_t mask)
{
	uint32_t set;

	op_init(op, self, owner);
	if (word == 0 && op->owner == op->self && vgic_deliver_own(op->self)) {
		vgic_deliver_take_posted(op->self);
		op->flush = vgic_deliver_recall(op->self, 0, mask);
		return true;
	}
	op->locked = true;
	spin_lock(&op->vgic->lock);
	// Each turn freezes a vCPU more; while the lock is free another may take such an interrupt.
	while ((set = to_freeze(op, word, mask) & ~op->frozen) != 0) {
		if (decline(op))
			return false;
		freeze(op, set);
	}
	if (word == 0)
		vgic_deliver_take_posted(op->owner);
	if (op->self->loaded && (word != 0 || op->owner == op->self))
		op->flush = vgic_deliver_recall(op->self, word, mask);
	return true;
}

bool vgic_op_begin_all(struct vgic_op *op, struct vcpu *self)
{
	uint32_t set = 0;

	op_init(op, self, self);
	op->locked = true;
	spin_lock(&op->vgic->lock);
	for (uint32_t id = 0; id < op->vgic->nr_vcpus; id++) {
		const struct vgic_cpu *cpu = op->vgic->vm->vcpu[id]->gic;
		if (cpu != op->self && cpu->loaded)
			set |= BIT_U32(id);
	}
	if (set != 0 && decline(op))
		return false;
	if (set != 0)
		freeze(op, set);
	if (op->self->loaded)
		vgic_deliver_recall_all(op->self);
	op->flush = true;
	return true;
}

void vgic_op_changed(struct vgic_op *op, uint32_t word, uint32_t mask)
{
	if (word != 0) {
		op->vgic->busy |= BIT_U32(word - 1);
		op->tell |= vgic_spi_notify(op->vgic, op->self, word, mask);
	} else if (op->owner == op->self) {
		op->flush = true;
	}
	// Another vCPU's private interrupts: it was frozen, and looks at everything when it thaws;
	// or it is not loaded.
}

void vgic_op_end(struct vgic_op *op)
{
	struct vgic *vgic = op->vgic;
	uint32_t self = BIT_U32(op->self->vcpu->id);

	if (!op->locked) {
		if (op->flush)
			vgic_deliver_private_back(op->self);
		return;
	}
	for (uint32_t left = op->frozen; left != 0; left &= left - 1) {
		uint32_t id = (uint32_t)__builtin_ctz(left);
		struct vgic_cpu *cpu = vgic->vm->vcpu[id]->gic;
		if (change_freeze(cpu, -1) == 0) {
			fetch_or(&cpu->post, VGIC_POST_ALL);
			op->tell |= BIT_U32(id);
		}
	}
	spin_unlock(&vgic->lock);
	if (op->flush || (op->tell & self))
		vgic_deliver_all(op->self);
	vgic_tell(vgic, op->tell & ~self);
}

// ---- input lines ----

static void set_private_line(struct vcpu *vcpu, uint32_t intid, bool level)
{
	struct vgic_cpu *cpu = vcpu->gic;
	struct vgic_bank *bank = &cpu->bank;
	uint32_t bit = BIT_U32(intid), old;

	if ((bank->linked & bit) && (!level || vgic_deliver_now(cpu, intid)))
		return; // it falls by the guest's own doing, at the board's controller
	bool own = vgic_deliver_own(cpu);
	if (bank->linked & bank->held & bit) // see first that the guest has ended the one before
		own ? (void)vgic_deliver_private(cpu, intid) : vgic_deliver_all(cpu);
	if (!own)
		spin_lock(&cpu->vgic->lock);
	old = bank->line;
	bank->line = level ? old | bit : old & ~bit;
	if (bank->edge & ~old & bank->line & bit)
		bank->latch |= bit;
	if (!own)
		spin_unlock(&cpu->vgic->lock);
	if (bank->line == old)
		return;
	if (own)
		vgic_deliver_private(cpu, intid);
	else
		vgic_deliver_all(cpu); // as far as it is loaded
}

static void set_spi_line(struct vgic *vgic, uint32_t spi, bool level)
{
	uint32_t word = (spi >> 5) + 1, bit = BIT_U32(spi & 31), tell = 0;
	struct vgic_bank *bank = &vgic->spi[spi >> 5];
	struct vcpu *here = cpu_this()->vcpu;
	struct vgic_cpu *first = here != NULL && here->vm == vgic->vm ? here->gic : NULL;

	spin_lock(&vgic->lock);
	uint32_t old = bank->line;
	bank->line = level ? old | bit : old & ~bit;
	if (bank->line != old) {
		vgic->busy |= BIT_U32(spi >> 5);
		if (bank->edge & bank->line & bit)
			bank->latch |= bit;
		// A falling edge says nothing; a falling level must be taken out of a list register.
		if (level || (~bank->edge & bank->held & bit))
			tell = vgic_spi_notify(vgic, first, word, bit);
	}
	spin_unlock(&vgic->lock);
	vgic_tell(vgic, tell);
}

static void set_line(struct vm *vm, struct vcpu *vcpu, uint32_t intid, bool level)
{
	uint32_t index;
	if (vcpu == NULL && intid >= VGIC_NR_PRIVATE &&
	    vgic_bound(intid - VGIC_NR_PRIVATE, VGIC_NR_SPIS, &index))
		set_spi_line(vm->gic, index, level);
	else if (vcpu != NULL && intid >= VGIC_NR_SGIS &&
	         vgic_bound(intid, VGIC_NR_PRIVATE, &index))
		set_private_line(vcpu, index, level);
}

// ---- SGIs ----

static void send_to_self(struct vcpu *self, uint32_t intid)
{
	struct vgic_cpu *cpu = self->gic;
	if (cpu->vgic->version == 2 && vgic_deliver_sgi_v2(cpu, intid, self->id))
		return;
	if (vgic_deliver_own(cpu)) {
		if (cpu->vgic->version == 2)
			cpu->sgi_sources[intid] |= (uint8_t)BIT_U32(self->id);
		cpu->bank.latch |= BIT_U32(intid);
		vgic_deliver_private(cpu, intid);
		return;
	}
	if (cpu->vgic->version == 2)
		fetch_or(&cpu->posted_sources[intid], (uint8_t)BIT_U32(self->id));
	fetch_or(&cpu->posted, BIT_U32(intid));
	vgic_deliver_posted(cpu);
}

void vgic_post_sgi(struct vcpu *vcpu, uint32_t intid, bool group1)
{
	struct vgic_cpu *cpu = vcpu->gic;
	if (cpu->vgic->version != 2 && (load_relaxed(&cpu->bank.group1) >> intid & 1) != group1)
		return;
	fetch_or(&cpu->posted, BIT_U32(intid));
	vcpu_post(vcpu, VCPU_REQ_VIRQ);
}

void vgic_send_sgi(struct vcpu *self, uint32_t intid, uint32_t targets, bool group1)
{
	struct vgic *vgic = self->vm->gic;

	for (; targets != 0; targets &= targets - 1) {
		struct vcpu *vcpu = vgic->vm->vcpu[__builtin_ctz(targets)];
		struct vgic_cpu *cpu = vcpu->gic;
		if (vcpu == self) {
			bool in_group1 = cpu->bank.group1 >> intid & 1;
			if (vgic->version == 2 || in_group1 == group1)
				send_to_self(self, intid);
			continue;
		}
		if (vgic->version == 2) // the source first: who finds the SGI must find its source
			fetch_or(&cpu->posted_sources[intid], (uint8_t)BIT_U32(self->id));
		vgic_post_sgi(vcpu, intid, group1);
	}
}

// ---- life ----

static bool vgic_may_interrupt(const struct vcpu *vcpu, uint32_t intid)
{
	return (vgic_lr_open(vcpu->gic, &vcpu->gic->bank, 0) & BIT_U32(intid & 31)) != 0;
}

static const struct irqchip_ops irqchip = {
        .set_line = set_line,
        .flush = vgic_flush,
        .load = vgic_vcpu_load,
        .unload = vgic_vcpu_unload,
        .reset_vcpu = vgic_vcpu_reset,
        .pending = vgic_pending,
        .may_interrupt = vgic_may_interrupt,
};

static void reset_bank(struct vgic_bank *bank)
{
	uint32_t linked = bank->linked;
	*bank = (struct vgic_bank){.linked = linked};
}

static void reset_cpu(struct vgic_cpu *cpu)
{
	// Everything but what is fixed.
	struct vgic_cpu clean = {
	        .vgic = cpu->vgic,
	        .host = cpu->host,
	        .direct = cpu->host->backend == &vgic_lr_v3,
	        .gicc = cpu->gicc,
	        .vcpu = cpu->vcpu,
	};
	for (uint32_t i = 0; i < VGIC_NR_PRIVATE; i++)
		clean.physical[i] = cpu->physical[i];
	clean.bank.linked = cpu->bank.linked;
	clean.bank.edge = VGIC_SGIS;
	*cpu = clean;
	vgic_lr_reset_interface(cpu);
}

bool vgic_is_soft(const struct vm *vm)
{
	return vm->gic->host->backend == &vgic_soft;
}

void vgic_reset(struct vm *vm)
{
	struct vgic *vgic = vm->gic;

	for (uint32_t id = 0; id < vgic->nr_vcpus; id++)
		reset_cpu(vm->vcpu[id]->gic);
	for (uint32_t i = 0; i < VGIC_SPI_WORDS; i++)
		reset_bank(&vgic->spi[i]);
	vgic->ctlr = vgic->busy = 0;
	if (vgic->version == 2)
		vgicv2_reset(vgic);
	else
		vgicv3_reset(vgic);
}

int vgic_create(struct vm *vm, unsigned version)
{
	if ((version != 2 && version != 3) || vm->nr_vcpus == 0 || vm->nr_vcpus > VM_MAX_VCPUS)
		return ERR_INVALID;
	const struct vgic_host *host = vgic_lr_host(version);
	if (host == NULL)
		return ERR_UNSUPPORTED;
	struct vgic *vgic = vm_alloc(vm, sizeof *vgic);
	if (vgic == NULL)
		return ERR_NO_MEMORY;
	vgic->vm = vm;
	vgic->host = host;
	vgic->version = version;
	vgic->nr_vcpus = vm->nr_vcpus;
	vgic->lock = (struct spinlock)SPINLOCK_INIT(LOCK_VGIC);
	for (uint32_t id = 0; id < vm->nr_vcpus; id++) {
		struct vgic_cpu *cpu = vm_alloc(vm, sizeof *cpu);
		if (cpu == NULL)
			return ERR_NO_MEMORY;
		cpu->vgic = vgic;
		cpu->host = host;
		cpu->vcpu = vm->vcpu[id];
		vm->vcpu[id]->gic = cpu;
	}
	int error = version == 2 ? vgicv2_create(vgic) : vgicv3_create(vgic);
	if (error == 0 && host->backend == &vgic_soft)
		error = vgicc_create(vgic);
	if (error != 0)
		return error;
	vm->gic = vgic;
	vm->irqchip = &irqchip;
	vgic_reset(vm);
	return 0;
}

void vgic_link_hw(struct vcpu *vcpu, uint32_t intid, uint32_t physical)
{
	uint32_t index;
	if (intid < VGIC_NR_SGIS || !vgic_bound(intid, VGIC_NR_PRIVATE, &index))
		return;
	vcpu->gic->bank.linked |= BIT_U32(index);
	vcpu->gic->physical[index] = (uint16_t)physical;
}

void vgic_vcpu_reset(struct vcpu *vcpu)
{
	vgic_lr_reset_interface(vcpu->gic);
}

void vgic_vcpu_load(struct vcpu *vcpu)
{
	vgic_deliver_load(vcpu->gic);
}

void vgic_vcpu_unload(struct vcpu *vcpu)
{
	vgic_deliver_unload(vcpu->gic);
}

void vgic_flush(struct vcpu *vcpu)
{
	vgic_deliver_posted(vcpu->gic);
}

bool vgic_timer(struct vcpu *vcpu)
{
	return vcpu->gic != NULL && vgic_deliver_timer(vcpu->gic);
}

void vgic_maintenance(struct vcpu *vcpu)
{
	if (vcpu->gic != NULL) // else it is late: of a vCPU that was here before this one
		vgic_deliver_ended(vcpu->gic);
}

// ---- what there is to save ----

static const struct vstate_field v2_fields[] = {
        VSTATE_FIELD(struct vgic, ctlr),
        VSTATE_ARRAY(struct vgic, target),
};
const struct vstate vgicv2_state = {"vgicv2", v2_fields, ARRAY_SIZE(v2_fields), NULL};

static const struct vstate_field v3_fields[] = {
        VSTATE_FIELD(struct vgic, ctlr),
        VSTATE_ARRAY(struct vgic, route),
};
const struct vstate vgicv3_state = {"vgicv3", v3_fields, ARRAY_SIZE(v3_fields), NULL};

static const struct vstate_field cpu_fields[] = {
        VSTATE_ARRAY(struct vgic_cpu, sgi_sources),
        VSTATE_ARRAY(struct vgic_cpu, sgi_active_source),
        VSTATE_FIELD(struct vgic_cpu, posted),
        VSTATE_ARRAY(struct vgic_cpu, posted_sources),
        VSTATE_ARRAY(struct vgic_cpu, spi_active),
        VSTATE_FIELD(struct vgic_cpu, waker),
        VSTATE_FIELD(struct vgic_cpu, interface.vmcr),
        VSTATE_ARRAY(struct vgic_cpu, interface.apr0),
        VSTATE_ARRAY(struct vgic_cpu, interface.apr1),
};
const struct vstate vgic_cpu_state = {"vgic-cpu", cpu_fields, ARRAY_SIZE(cpu_fields), NULL};

static const struct vstate_field bank_fields[] = {
        VSTATE_FIELD(struct vgic_bank, enabled),  VSTATE_FIELD(struct vgic_bank, group1),
        VSTATE_FIELD(struct vgic_bank, latch),    VSTATE_FIELD(struct vgic_bank, line),
        VSTATE_FIELD(struct vgic_bank, edge),     VSTATE_FIELD(struct vgic_bank, active),
        VSTATE_ARRAY(struct vgic_bank, priority), VSTATE_FIELD(struct vgic_bank, forced),
        VSTATE_ARRAY(struct vgic_bank, ack),
};
const struct vstate vgic_bank_state = {"vgic-bank", bank_fields, ARRAY_SIZE(bank_fields), NULL};
