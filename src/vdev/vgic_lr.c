// SPDX-License-Identifier: Apache-2.0
// One list register: what it shows of an interrupt, what the guest did to it since it was written, and
// how its state comes back into memory. Also the link of a guest's timer interrupt to the board's.
//
// Called by vgic_deliver.c; runs on the CPU that has the vCPU loaded, except for the linked interrupts'
// calls that say otherwise. Owns the description of what the board has.
//
// Invariants:
// - A held interrupt is in one list register, and its `held` bit is the only one set for it.
// - A level interrupt's list register asks for a maintenance interrupt at its end only while the line
//   is high.
// - What a list register shows of an active interrupt is what it was acknowledged with: the hardware
//   ends it only if priority and group are those.
//
// Source: Arm GIC Architecture Specification v3/v4, "Usage model for the List registers".
#include "vdev/vgic_lr.h"

#include "arm/sysreg.h"
#include "hw/intc.h"

#define CNTV_CTL_ENABLE  BIT_U64(0)
#define CNTV_CTL_IMASK   BIT_U64(1)
#define CNTV_CTL_ISTATUS BIT_U64(2)

static struct vgic_host board; // fixed after vgic_probe; backend NULL: it has none

int vgic_probe(const struct vgic_backend *backend, uintptr_t gich)
{
	board = (struct vgic_host){0};
	if (backend == NULL)
		return 0;
	uint32_t count = backend->probe(gich);
	if (count == 0)
		return ERR_UNSUPPORTED;
	board.backend = backend;
	board.gich = gich;
	board.soft_links = intc_forgets_level();
	board.count = count < VGIC_MAX_LRS ? count : VGIC_MAX_LRS;
	board.all = GENMASK_U32(board.count - 1, 0);
	return 0;
}

int vgic_init_cpu(void)
{
	if (board.backend == NULL)
		return 0;
	if (board.backend->probe(board.gich) < board.count)
		return ERR_UNSUPPORTED;
	board.backend->init_cpu();
	return 0;
}

const struct vgic_host *vgic_lr_host(unsigned version)
{
	static const struct vgic_host software = {
	        .backend = &vgic_soft,
	        .count = VGIC_MAX_LRS,
	        .all = GENMASK_U32(VGIC_MAX_LRS - 1, 0),
	};
	if (board.backend != NULL && (board.backend->serves & BIT_U32(version)) != 0)
		return &board;
	return (software.backend->serves & BIT_U32(version)) != 0 ? &software : NULL;
}

void vgic_lr_reset_interface(struct vgic_cpu *cpu)
{
	cpu->host->backend->reset(&cpu->interface);
}

bool vgic_lr_split(const struct vgic_cpu *cpu)
{
	return cpu->host->backend->split();
}

// ---- linked interrupts ----

void vgic_lr_deactivate(const struct vgic_cpu *cpu, uint32_t mask)
{
	for (; mask != 0; mask &= mask - 1)
		intc_deactivate(cpu->physical[__builtin_ctz(mask)]);
}

void vgic_lr_unlink(struct vgic_cpu *cpu, uint32_t mask)
{
	struct vgic_bank *bank = &cpu->bank;
	uint32_t live = ((bank->line & bank->linked) | cpu->hw_active) & mask;
	cpu->relink &= ~mask;
	if (live == 0)
		return;
	bank->line &= ~(live & bank->linked);
	cpu->hw_active &= ~live;
	if (vcpu_is_here(cpu->vcpu)) {
		vgic_lr_deactivate(cpu, live);
	} else { // a private interrupt is deactivated where it was acknowledged
		fetch_or(&cpu->deactivate, live);
		fetch_or(&cpu->post, VGIC_POST_ALL);
	}
}

void vgic_lr_relink(struct vgic_cpu *cpu)
{
	uint32_t active = cpu->relink & cpu->bank.active;
	cpu->relink = 0;
	cpu->hw_active |= active;
	for (; active != 0; active &= active - 1)
		intc_set_active(cpu->physical[__builtin_ctz(active)], true);
}

uint32_t vgic_lr_linked_lines(const struct vgic_cpu *cpu)
{
	uint32_t bit = BIT_U32(VGIC_VTIMER), lines = cpu->bank.line & cpu->bank.linked;
	if (!(cpu->bank.linked & bit) || !vcpu_is_here(cpu->vcpu) || !cpu->loaded)
		return lines;
	uint64_t ctl = read_sysreg(cntv_ctl_el0);
	bool high = (ctl & CNTV_CTL_ENABLE) && !(ctl & CNTV_CTL_IMASK) && (ctl & CNTV_CTL_ISTATUS);
	return high ? lines | bit : lines & ~bit;
}

void vgic_lr_resample(struct vgic_cpu *cpu)
{
	uint32_t waiting = cpu->bank.line & cpu->bank.linked & ~cpu->bank.held;
	if (waiting != 0) // the guest turns its timer off without an exit
		vgic_lr_unlink(cpu, waiting & ~vgic_lr_linked_lines(cpu));
}

// ---- one list register ----

// Takes note of what the guest did since list register `index` was written.
static void observe(struct vgic_cpu *cpu, struct vgic_bank *bank, uint32_t index, uint32_t bit,
                    uint64_t lr)
{
	if ((cpu->soft & BIT_U32(index)) && !(lr & VGIC_LR_PENDING)) {
		// Acknowledged: had it become pending again it would not be held.
		bank->latch &= ~bit;
		cpu->soft &= ~BIT_U32(index);
	}
	if (!(lr & VGIC_LR_ACTIVE))
		bank->forced &= ~bit;
	if (!(cpu->bound & BIT_U32(index)) || (lr & VGIC_LR_PENDING))
		return;
	bank->line &= ~bit;
	if (lr & VGIC_LR_ACTIVE) {
		cpu->hw_active |= bit;
		return;
	}
	// The guest's end of interrupt has deactivated the physical one as well, or we do.
	cpu->hw_active &= ~bit;
	if (cpu->host->soft_links)
		vgic_lr_deactivate(cpu, bit);
}

// Whether an active interrupt may be pending as well in its list register. When it ends, the hardware
// goes on with the priority and group it was acknowledged with, and without an exit: both must still
// be right, and nothing more urgent may be waiting outside.
static bool can_merge(const struct vgic_cpu *cpu, const struct vgic_bank *bank, uint32_t n,
                      uint64_t lr)
{
	return field_get(VGIC_LR_PRIORITY, lr) == bank->priority[n] &&
	       ((lr & VGIC_LR_GROUP1) != 0) == ((bank->group1 & BIT_U32(n)) != 0) &&
	       !(cpu->control & VGIC_NOTIFY_NO_PENDING);
}

// Ties list register `index` to the physical interrupt behind linked interrupt `n`.
static uint64_t bind(struct vgic_cpu *cpu, uint32_t index, uint32_t n)
{
	cpu->bound |= BIT_U32(index);
	return cpu->host->soft_links ? 0
	                             : VGIC_LR_HW | field_put(VGIC_LR_PHYSICAL, cpu->physical[n]);
}

static uint64_t fresh(struct vgic_cpu *cpu, const struct vgic_bank *bank, uint32_t index,
                      uint32_t intid)
{
	cpu->bound &= ~BIT_U32(index);
	uint64_t lr = vgic_lr_fresh(bank, intid);
	return bank->linked & bank->line & BIT_U32(intid & 31) ? lr | bind(cpu, index, intid & 31)
	                                                       : lr;
}

// A GICv2 SGI is one interrupt for each source; a list register holds one of them, the others wait
// for its end.
static uint64_t compose_sgi_v2(struct vgic_cpu *cpu, uint32_t index, uint32_t intid, uint64_t lr,
                               bool open)
{
	struct vgic_bank *bank = &cpu->bank;
	uint32_t sources = cpu->sgi_sources[intid];
	uint32_t own = BIT_U32(field_get(VGIC_LR_SOURCE, lr));

	if (lr & VGIC_LR_PENDING)
		sources |= own; // decide anew
	lr &= ~(VGIC_LR_PENDING | VGIC_LR_EOI);
	if (open && sources != 0) {
		if (!(lr & VGIC_LR_ACTIVE)) {
			uint32_t source = (uint32_t)__builtin_ctz(sources);
			sources &= sources - 1;
			lr = fresh(cpu, bank, index, intid) | field_put(VGIC_LR_SOURCE, source) |
			     VGIC_LR_PENDING;
		} else if (sources & own) {
			sources &= ~own;
			lr |= VGIC_LR_PENDING;
		}
	}
	if (sources != 0)
		lr |= VGIC_LR_EOI;
	cpu->sgi_sources[intid] = (uint8_t)sources;
	bank->latch = sources ? bank->latch | BIT_U32(intid) : bank->latch & ~BIT_U32(intid);
	return lr & VGIC_LR_STATE ? lr : 0;
}

// What list register `index` shall hold for `intid`, given what it holds (`lr`, observed; 0: nothing
// yet): its pending bit and its wish for a maintenance interrupt follow from memory, and memory gives
// up what the list register takes over. 0: the interrupt does not belong in a list register.
static uint64_t compose(struct vgic_cpu *cpu, struct vgic_bank *bank, uint32_t index,
                        uint32_t intid, uint64_t lr)
{
	uint32_t bit = BIT_U32(intid & 31);
	bool active = lr & VGIC_LR_ACTIVE;
	bool open = (vgic_lr_open(cpu, bank, intid >> 5) & bit) &&
	            (!active || can_merge(cpu, bank, intid & 31, lr));
	bool pending, again; // again: something is left to be looked at when this one ends

	if (intid < VGIC_NR_SGIS && cpu->vgic->version == 2)
		return compose_sgi_v2(cpu, index, intid, lr, open);

	cpu->soft &= ~BIT_U32(index);
	if (bank->edge & bit) {
		pending = (lr & VGIC_LR_PENDING) || (bank->latch & bit);
		bank->latch &= ~bit;
		if (pending && !open) {
			bank->latch |= bit;
			pending = false;
		}
		again = bank->latch & bit;
	} else {
		bool latch = bank->latch & bit, line = bank->line & bit;
		// A level that is still high while its interrupt is active becomes pending when that
		// ends; until then the line may fall.
		pending = open && (latch || (line && !active));
		if (pending && latch)
			cpu->soft |= BIT_U32(index);
		again = line || (latch && !pending);
	}
	if (!active)
		lr = pending ? fresh(cpu, bank, index, intid) : 0;
	else
		lr &= ~VGIC_LR_PENDING;
	if (pending)
		lr |= VGIC_LR_PENDING;
	if (lr != 0 && !(lr & VGIC_LR_HW)) {
		lr &= ~VGIC_LR_EOI;
		if (again || (cpu->bound & BIT_U32(index)))
			lr |= VGIC_LR_EOI;
	}
	return lr;
}

void vgic_lr_hold(struct vgic_cpu *cpu, uint32_t index, uint32_t intid)
{
	uint32_t word = intid >> 5, bit = BIT_U32(intid & 31);
	if (word == 0) {
		vgic_lr_hold_private(cpu, index, intid);
		return;
	}
	cpu->used |= BIT_U32(index);
	cpu->lr_intid[index] = (uint16_t)intid;
	vgic_bank(cpu, word)->held |= bit;
	cpu->spis |= BIT_U32(index);
	cpu->spi_held[word - 1] |= bit;
}

static void release(struct vgic_cpu *cpu, struct vgic_bank *bank, uint32_t index, uint32_t intid)
{
	uint32_t word = intid >> 5, bit = BIT_U32(intid & 31);
	cpu->used &= ~BIT_U32(index);
	cpu->soft &= ~BIT_U32(index);
	cpu->bound &= ~BIT_U32(index);
	bank->held &= ~bit;
	if (word != 0) {
		cpu->spis &= ~BIT_U32(index);
		cpu->spi_held[word - 1] &= ~bit;
	}
}

void vgic_lr_note_end(struct vgic_cpu *cpu, uint32_t intid)
{
	if (intid >= VGIC_NR_PRIVATE)
		cpu->spi_ended[(intid >> 5) - 1] |= BIT_U32(intid & 31);
}

uint64_t vgic_lr_renew(struct vgic_cpu *cpu, uint32_t index)
{
	uint32_t intid = cpu->lr_intid[index];
	struct vgic_bank *bank = vgic_bank(cpu, intid >> 5);
	uint64_t old = cpu->host->backend->read_lr(index);

	observe(cpu, bank, index, BIT_U32(intid & 31), old);
	uint64_t lr = compose(cpu, bank, index, intid, old & VGIC_LR_STATE ? old : 0);
	if (lr == 0) {
		release(cpu, bank, index, intid);
		vgic_lr_note_end(cpu, intid);
	}
	// An empty one with the EOI bit would ask for attention for ever.
	if (lr != old && (lr != 0 || (old & (VGIC_LR_STATE | VGIC_LR_EOI))))
		cpu->host->backend->write_lr(index, lr);
	return lr;
}

// Puts an interrupt from memory into free list register `index`; `lr` as for compose.
static uint64_t fill(struct vgic_cpu *cpu, uint32_t index, uint32_t intid, uint64_t lr)
{
	struct vgic_bank *bank = vgic_bank(cpu, intid >> 5);
	lr = compose(cpu, bank, index, intid, lr);
	if (lr != 0) {
		vgic_lr_hold(cpu, index, intid);
		cpu->host->backend->write_lr(index, lr);
	}
	return lr;
}

uint64_t vgic_lr_fill(struct vgic_cpu *cpu, uint32_t index, uint32_t intid)
{
	return fill(cpu, index, intid, 0);
}

uint64_t vgic_lr_fill_active(struct vgic_cpu *cpu, uint32_t index, uint32_t intid)
{
	uint32_t n = intid & 31, word = intid >> 5;
	struct vgic_bank *bank = vgic_bank(cpu, word);
	// The hardware ends an interrupt only if priority and group are those it was acknowledged with.
	uint64_t lr = intid | VGIC_LR_ACTIVE |
	              field_put(VGIC_LR_PRIORITY, bank->ack[n] & VGIC_PRIORITY_MASK);
	if (bank->ack[n] & VGIC_ACK_GROUP1)
		lr |= VGIC_LR_GROUP1;
	if (cpu->hw_active & BIT_U32(n))
		lr |= bind(cpu, index, n);
	else if (intid < VGIC_NR_SGIS)
		lr |= field_put(VGIC_LR_SOURCE, cpu->sgi_active_source[n]);
	bank->active &= ~BIT_U32(n);
	if (word != 0)
		cpu->spi_active[word - 1] &= ~BIT_U32(n);
	return fill(cpu, index, intid, lr);
}

void vgic_lr_fold(struct vgic_cpu *cpu, uint32_t index)
{
	uint32_t intid = cpu->lr_intid[index], n = intid & 31, word = intid >> 5, bit = BIT_U32(n);
	struct vgic_bank *bank = vgic_bank(cpu, word);
	uint64_t lr = cpu->host->backend->read_lr(index);

	observe(cpu, bank, index, bit, lr);
	cpu->host->backend->write_lr(index, 0);
	release(cpu, bank, index, intid);
	if ((lr & VGIC_LR_PENDING) && (bank->edge & bit)) {
		bank->latch |= bit;
		if (intid < VGIC_NR_SGIS && cpu->vgic->version == 2)
			cpu->sgi_sources[n] |= (uint8_t)BIT_U32(field_get(VGIC_LR_SOURCE, lr));
	}
	if (lr & VGIC_LR_ACTIVE) {
		bank->active |= bit;
		bank->ack[n] = (uint8_t)field_get(VGIC_LR_PRIORITY, lr) |
		               (lr & VGIC_LR_GROUP1 ? VGIC_ACK_GROUP1 : 0);
		if (word != 0)
			cpu->spi_active[word - 1] |= bit;
		else if (intid < VGIC_NR_SGIS)
			cpu->sgi_active_source[n] = (uint8_t)field_get(VGIC_LR_SOURCE, lr);
	}
	if (!(lr & VGIC_LR_STATE))
		vgic_lr_note_end(cpu, intid);
}
