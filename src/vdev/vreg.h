// SPDX-License-Identifier: Apache-2.0
// Registers of 32 bits on a peripheral bus. A chip has them in one table, which dispatch, reset and the description of
// its state (vstate.h) read. Of an access that is narrower a read gets its part, and a write counts at a register's
// first byte and is ignored elsewhere. Wider ones are refused, and end in the machine's background.
#ifndef VDEV_VREG_H
#define VDEV_VREG_H

#include "base/bits.h"

struct vcpu;

// A register, or some on end that are alike. What its functions do not do happens by itself: it reads what the chip's
// structure keeps for it, and a write changes that as the masks say, in one store.
struct vreg {
	uint16_t offset;  // of the first, in bytes
	const char *name; // as the manual has it
	uint16_t
	        member; // of the chip's structure, in bytes; 0: nothing is kept, and `reset` is what it reads
	uint16_t size; // bytes: four for each register
	uint32_t reset;
	uint32_t writable; // bits that become what is written
	uint32_t clears;   // bits that writing a one clears
	uint32_t (*read)(void *dev);
	void (*write)(void *dev, uint32_t value);
};

// The member and the size of a row: a uint32_t or an array of them. NOWHERE: nothing is kept, and it reads `reset`.
#define VREG_IN(type, field) offsetof(type, field), sizeof(((type *)0)->field)
#define VREG_NOWHERE         UINT16_MAX, 4

#define VREG_ALL UINT32_MAX // bits

struct vregs {
	const struct vreg *rows; // what none of them covers reads zero and ignores writes
	uint32_t nr_rows;
	// Around an access: takes the chip's lock, and gives it back when what follows from the registers is up to date.
	void (*begin)(void *dev);
	void (*end)(void *dev);
};

// For struct mmio_ops. The chip's structure begins with a pointer to its struct vregs.
bool vreg_read(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t *value);
bool vreg_write(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value);

// A whole register, at a multiple of 4, of a chip or a part of one that is at `dev`. Under the chip's lock.
uint32_t vreg_get(const struct vregs *regs, void *dev, uint32_t reg);
void vreg_set(const struct vregs *regs, void *dev, uint32_t reg, uint32_t value);

// All that is kept becomes what it is after power-on. Under the chip's lock.
void vreg_reset(const struct vregs *regs, void *dev);

// ---- widths, for registers that are in no table ----

static inline bool vreg_fits(uint32_t offset, unsigned size)
{
	return size <= 4 && offset % size == 0;
}

// The register that an access of any width belongs to.
static inline uint32_t vreg_base(uint32_t offset)
{
	return offset & ~UINT32_C(3);
}

// What a read at `offset` sees of the register's value.
static inline uint64_t vreg_part(uint32_t value, uint32_t offset, unsigned size)
{
	return (value >> (offset % 4 * 8)) & GENMASK_U64(size * 8 - 1, 0);
}

// What a write brings; *value becomes the register's. False: it is ignored.
static inline bool vreg_whole(uint32_t offset, unsigned size, uint64_t *value)
{
	*value &= GENMASK_U64(size * 8 - 1, 0);
	return offset % 4 == 0;
}

#endif
