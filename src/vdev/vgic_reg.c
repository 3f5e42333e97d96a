// SPDX-License-Identifier: Apache-2.0
// The register handlers that both versions of the distributor share. A handler works on a whole word of
// interrupts at once. Those that look at or change what may be in a
// list register do so between vgic_op_begin and vgic_op_end.
//
// Called by vgicv2.c and vgicv3.c for accesses of the guest, on the CPU that runs it, no lock held.
// Source: Arm GIC Architecture Specification v3/v4, "The GIC Distributor register descriptions".
#include "vdev/vgic_reg.h"

// ---- reads in a fast exit that are not one call of a handler ----

uint64_t vgic_frame_quick_rest(const struct vgic_frame *frame, struct vgic_access access,
                               uint32_t offset, unsigned size)
{
	uint32_t at = offset & (frame->size - 1);
	const struct vgic_reg *row = vgic_frame_access(frame, at, size);
	bool constant = row == NULL || row->read == NULL || (row->sizes & VGIC_CONST) != 0;
	if (!constant && !(row->sizes & VGIC_PURE))
		return MMIO_ASK;
	uint64_t value = vgic_frame_read(frame, access, at, size);
	return constant ? mmio_know(&access.self->hit, offset, size, value) : value;
}

// ---- helpers ----

// The interrupts of word `index`; NULL: they do not exist.
static struct vgic_bank *find_bank(struct vgic_access access, uint32_t index, uint32_t *word)
{
	return vgic_bound(index, VGIC_WORDS, word) ? vgic_bank(access.owner->gic, *word) : NULL;
}

// Begins a change of the interrupts `mask` of word `index`; NULL, and nothing begun: there are none, or op->declined.
static struct vgic_bank *begin(struct vgic_op *op, struct vgic_access access, uint32_t index,
                               uint32_t mask, uint32_t *word)
{
	struct vgic_bank *bank = find_bank(access, index, word);
	op->declined = false;
	if (bank == NULL || mask == 0)
		return NULL;
	return vgic_op_begin(op, access.self, access.owner, *word, mask) ? bank : NULL;
}

static bool end(struct vgic_op *op, uint32_t word, uint32_t mask)
{
	vgic_op_changed(op, word, mask);
	vgic_op_end(op);
	return true;
}

// The SGIs whose enable and pending bits a GICv2 does not let software change: they are always
// enabled, and pending by source (GICD_SPENDSGIR).
static uint32_t fixed_sgis(struct vgic_access access, uint32_t index)
{
	return index == 0 && access.self->vm->gic->version == 2 ? VGIC_SGIS : 0;
}

// ---- group, enable ----

uint64_t vgic_read_group(struct vgic_access access, uint32_t index)
{
	uint32_t word;
	const struct vgic_bank *bank = find_bank(access, index, &word);
	return bank != NULL ? load_relaxed(&bank->group1) : 0;
}

bool vgic_write_group(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes)
{
	struct vgic_op op;
	uint32_t word;
	struct vgic_bank *bank = begin(&op, access, index, (uint32_t)lanes, &word);
	if (bank == NULL)
		return !op.declined;
	store_relaxed(&bank->group1, (uint32_t)value);
	return end(&op, word, ~0u);
}

uint64_t vgic_read_enabled(struct vgic_access access, uint32_t index)
{
	uint32_t word;
	const struct vgic_bank *bank = find_bank(access, index, &word);
	return bank != NULL ? load_relaxed(&bank->enabled) : 0;
}

bool vgic_set_enabled(struct vgic_access access, uint32_t index, uint64_t value,
                      uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t word;
	if ((value & ~vgic_read_enabled(access, index)) == 0)
		return true; // as it was: nobody has to be told
	struct vgic_bank *bank = begin(&op, access, index, (uint32_t)value, &word);
	if (bank == NULL)
		return !op.declined;
	store_relaxed(&bank->enabled, bank->enabled | (uint32_t)value);
	if (word == 0)
		vgic_lr_resample(op.owner);
	return end(&op, word, (uint32_t)value);
}

bool vgic_clear_enabled(struct vgic_access access, uint32_t index, uint64_t value,
                        uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t word, mask = (uint32_t)value & ~fixed_sgis(access, index);
	if ((mask & vgic_read_enabled(access, index)) == 0)
		return true;
	struct vgic_bank *bank = begin(&op, access, index, mask, &word);
	if (bank == NULL)
		return !op.declined;
	store_relaxed(&bank->enabled, bank->enabled & ~mask);
	return end(&op, word, mask);
}

// ---- pending ----

uint64_t vgic_read_pending(struct vgic_access access, uint32_t index)
{
	struct vgic_op op;
	uint32_t word;
	struct vgic_bank *bank = begin(&op, access, index, ~0u, &word);
	if (bank == NULL)
		return op.declined ? MMIO_ASK : 0;
	uint32_t pending = 0;
	if (word == 0) {
		vgic_lr_resample(op.owner);
		pending = vgic_lr_linked_lines(op.owner); // also while it is active
	}
	pending |= vgic_bank_pending(bank);
	vgic_op_end(&op);
	return pending;
}

bool vgic_set_pending(struct vgic_access access, uint32_t index, uint64_t value,
                      uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t word, mask = (uint32_t)value & ~fixed_sgis(access, index);
	struct vgic_bank *bank = begin(&op, access, index, mask, &word);
	if (bank == NULL)
		return !op.declined;
	bank->latch |= mask;
	// Pending and active cannot be told by a linked list register: the link is given up, and if
	// the cause lasts the physical interrupt fires again.
	if (word == 0)
		vgic_lr_unlink(op.owner, (op.owner->hw_active | op.owner->relink) & mask);
	return end(&op, word, mask);
}

bool vgic_clear_pending(struct vgic_access access, uint32_t index, uint64_t value,
                        uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t word, mask = (uint32_t)value & ~fixed_sgis(access, index);
	struct vgic_bank *bank = begin(&op, access, index, mask, &word);
	if (bank == NULL)
		return !op.declined;
	bank->latch &= ~mask;
	if (word == 0)
		vgic_lr_resample(op.owner);
	return end(&op, word, mask);
}

// ---- active ----

uint64_t vgic_read_active(struct vgic_access access, uint32_t index)
{
	struct vgic_op op;
	uint32_t word;
	struct vgic_bank *bank = begin(&op, access, index, ~0u, &word);
	if (bank == NULL)
		return op.declined ? MMIO_ASK : 0;
	uint32_t active = bank->active;
	vgic_op_end(&op);
	return active;
}

// Which vCPU an SPI is active for that software makes active: the one that would have got it.
static struct vgic_cpu *active_owner(const struct vgic *vgic, struct vgic_cpu *self, uint32_t word,
                                     uint32_t bit)
{
	if (self->spi_target[word - 1] & bit)
		return self;
	for (uint32_t id = 0; id < vgic->nr_vcpus; id++)
		if (vgic->vm->vcpu[id]->gic->spi_target[word - 1] & bit)
			return vgic->vm->vcpu[id]->gic;
	return self;
}

bool vgic_set_active(struct vgic_access access, uint32_t index, uint64_t value,
                     uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t word;
	struct vgic_bank *bank = begin(&op, access, index, (uint32_t)value, &word);
	if (bank == NULL)
		return !op.declined;
	for (uint32_t left = (uint32_t)value & ~bank->active; left != 0; left &= left - 1) {
		uint32_t n = (uint32_t)__builtin_ctz(left), bit = BIT_U32(n);
		bank->ack[n] = bank->priority[n] | (bank->group1 & bit ? 1 : 0);
		if (word != 0) {
			struct vgic_cpu *cpu = active_owner(op.vgic, op.self, word, bit);
			cpu->spi_active[word - 1] |= bit;
			fetch_or(&cpu->post, VGIC_POST_ALL);
			op.tell |= BIT_U32(cpu->vcpu->id);
		}
	}
	bank->forced |= (uint32_t)value & ~bank->active;
	bank->active |= (uint32_t)value;
	return end(&op, word, (uint32_t)value);
}

bool vgic_clear_active(struct vgic_access access, uint32_t index, uint64_t value,
                       uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t word, mask = (uint32_t)value;
	struct vgic_bank *bank = begin(&op, access, index, mask, &word);
	if (bank == NULL)
		return !op.declined;
	bank->active &= ~mask;
	bank->forced &= ~mask;
	if (word == 0)
		vgic_lr_unlink(op.owner, (op.owner->hw_active | op.owner->relink) & mask);
	else
		for (uint32_t id = 0; id < op.vgic->nr_vcpus; id++)
			op.vgic->vm->vcpu[id]->gic->spi_active[word - 1] &= ~mask;
	return end(&op, word, mask);
}

// ---- priority: registers of four bytes ----

uint64_t vgic_read_priority(struct vgic_access access, uint32_t index)
{
	uint32_t word, first = index * 4, value = 0;
	const struct vgic_bank *bank = find_bank(access, first >> 5, &word);
	if (bank == NULL)
		return 0;
	for (uint32_t i = 0; i < 4; i++)
		value |= (uint32_t)load_relaxed(&bank->priority[(first & 31) + i]) << (8 * i);
	return value;
}

bool vgic_write_priority(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes)
{
	struct vgic_op op;
	uint32_t word, first = index * 4, mask = 0;
	for (uint32_t i = 0; i < 4; i++)
		if (lanes >> (8 * i) & 1)
			mask |= BIT_U32((first & 31) + i);
	struct vgic_bank *bank = begin(&op, access, first >> 5, mask, &word);
	if (bank == NULL)
		return !op.declined;
	for (uint32_t i = 0; i < 4; i++)
		if (lanes >> (8 * i) & 1)
			store_relaxed(&bank->priority[(first & 31) + i],
			              (uint8_t)(value >> (8 * i) & VGIC_PRIORITY_MASK));
	return end(&op, word, mask);
}

// ---- configuration: two bits for each of 16 interrupts, of which the upper one says edge ----

// Spreads 16 bits to the odd bits of a word.
static uint32_t spread(uint32_t bits)
{
	bits = (bits | bits << 8) & 0x00ff00ff;
	bits = (bits | bits << 4) & 0x0f0f0f0f;
	bits = (bits | bits << 2) & 0x33333333;
	bits = (bits | bits << 1) & 0x55555555;
	return bits << 1;
}

static uint32_t gather(uint32_t bits)
{
	bits = bits >> 1 & 0x55555555;
	bits = (bits | bits >> 1) & 0x33333333;
	bits = (bits | bits >> 2) & 0x0f0f0f0f;
	bits = (bits | bits >> 4) & 0x00ff00ff;
	return (bits | bits >> 8) & 0xffff;
}

uint64_t vgic_read_config(struct vgic_access access, uint32_t index)
{
	uint32_t word;
	const struct vgic_bank *bank = find_bank(access, index >> 1, &word);
	if (bank == NULL)
		return 0;
	return spread(load_relaxed(&bank->edge) >> (16 * (index & 1)) & 0xffff);
}

bool vgic_write_config(struct vgic_access access, uint32_t index, uint64_t value,
                       uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t word, shift = 16 * (index & 1), mask = 0xffffu << shift;
	struct vgic_bank *bank = find_bank(access, index >> 1, &word);
	if (bank == NULL)
		return true;
	mask &= ~bank->linked; // the board's timer is a level, whatever the guest says
	if (!vgic_op_begin(&op, access.self, access.owner, word, mask))
		return false;
	uint32_t edge = gather((uint32_t)value) << shift & mask;
	store_relaxed(&bank->edge, (bank->edge & ~mask) | edge);
	return end(&op, word, mask);
}

// ---- control ----

bool vgic_write_ctlr(struct vgic_access access, uint32_t index UNUSED, uint64_t value,
                     uint64_t lanes UNUSED)
{
	struct vgic_op op;
	uint32_t ctlr = (uint32_t)value & (VGIC_CTLR_GROUP0 | VGIC_CTLR_GROUP1);

	if (ctlr == load_relaxed(&access.self->vm->gic->ctlr))
		return true;
	// All interrupts of a group come or go: every list register is taken back, so that when the
	// write is done it is done (GICD_CTLR.RWP never reads as 1).
	if (!vgic_op_begin_all(&op, access.self))
		return false;
	store_relaxed(&op.vgic->ctlr, ctlr);
	for (uint32_t word = 1; word < VGIC_WORDS; word++)
		vgic_op_changed(&op, word, ~0u);
	vgic_op_end(&op);
	return true;
}
