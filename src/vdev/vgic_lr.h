// SPDX-License-Identifier: Apache-2.0
// One list register: between vgic_lr.c, which knows what one shows, and vgic_deliver.c, which decides
// what is in which.
#ifndef VDEV_VGIC_LR_H
#define VDEV_VGIC_LR_H

#include "vdev/vgic_state.h"

#define VGIC_ACK_GROUP1 1u // vgic_bank.ack, bit 0

// Interrupts of a word that are enabled, in a group that is, and for this vCPU.
static inline uint32_t vgic_lr_open(const struct vgic_cpu *cpu, const struct vgic_bank *bank,
                                    uint32_t word)
{
	uint32_t ctlr = load_relaxed(&cpu->vgic->ctlr);
	uint32_t groups = (ctlr & VGIC_CTLR_GROUP1 ? bank->group1 : 0) |
	                  (ctlr & VGIC_CTLR_GROUP0 ? ~bank->group1 : 0);
	return bank->enabled & groups & (word == 0 ? ~0u : cpu->spi_target[word - 1]);
}

// What a list register shows of a pending interrupt, but for that it is pending.
static inline uint64_t vgic_lr_fresh(const struct vgic_bank *bank, uint32_t intid)
{
	uint32_t n = intid & 31;
	uint64_t lr = intid | field_put(VGIC_LR_PRIORITY, bank->priority[n]);
	return bank->group1 & BIT_U32(n) ? lr | VGIC_LR_GROUP1 : lr;
}

static inline void vgic_lr_hold_private(struct vgic_cpu *cpu, uint32_t index, uint32_t intid)
{
	cpu->used |= BIT_U32(index);
	cpu->lr_intid[index] = (uint16_t)intid;
	cpu->bank.held |= BIT_U32(intid);
	cpu->lr_of[intid] = (uint8_t)index;
}
// Notes that list register `index` holds `intid`.
void vgic_lr_hold(struct vgic_cpu *cpu, uint32_t index, uint32_t intid);
// Brings list register `index` up to date with memory and memory with it; its new value, 0: free.
uint64_t vgic_lr_renew(struct vgic_cpu *cpu, uint32_t index);
// Puts interrupt `intid`, which waits in memory, into free list register `index`; the value.
uint64_t vgic_lr_fill(struct vgic_cpu *cpu, uint32_t index, uint32_t intid);
// The same for one that is active in memory.
uint64_t vgic_lr_fill_active(struct vgic_cpu *cpu, uint32_t index, uint32_t intid);
// Takes list register `index` back into memory.
void vgic_lr_fold(struct vgic_cpu *cpu, uint32_t index);
// Notes that an SPI ended here: it may be pending again, and its target may have changed meanwhile.
void vgic_lr_note_end(struct vgic_cpu *cpu, uint32_t intid);
// Ends the physical interrupts behind linked ones. On the vCPU's own CPU.
void vgic_lr_deactivate(const struct vgic_cpu *cpu, uint32_t mask);

#endif
