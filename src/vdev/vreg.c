// SPDX-License-Identifier: Apache-2.0
// How an access finds its register, and what happens there. Owns nothing; called by chips that have their registers in
// a table. Tables are short, and looked through from the beginning.
// Source: AMBA APB Protocol Specification: a peripheral sees whole words, and may know nothing of narrower ones.
#include "vdev/vreg.h"

#include "base/atomic.h"

#define NOWHERE UINT16_MAX

static const struct vreg *find(const struct vregs *regs, uint32_t reg)
{
	for (const struct vreg *row = regs->rows; row != regs->rows + regs->nr_rows; row++)
		if (reg - row->offset < row->size)
			return row;
	return NULL;
}

// Where the chip keeps the register; NULL: nowhere.
static uint32_t *kept(const struct vreg *row, void *dev, uint32_t reg)
{
	if (row->member == NOWHERE)
		return NULL;
	return (uint32_t *)(void *)((char *)dev + row->member + (reg - row->offset));
}

uint32_t vreg_get(const struct vregs *regs, void *dev, uint32_t reg)
{
	const struct vreg *row = find(regs, reg);

	if (row == NULL)
		return 0;
	if (row->read != NULL)
		return row->read(dev);
	const uint32_t *stored = kept(row, dev, reg);
	return stored != NULL ? *stored : row->reset;
}

void vreg_set(const struct vregs *regs, void *dev, uint32_t reg, uint32_t value)
{
	const struct vreg *row = find(regs, reg);

	if (row == NULL)
		return;
	if (row->write != NULL) {
		row->write(dev, value);
		return;
	}
	uint32_t *stored = kept(row, dev, reg);
	if (stored == NULL)
		return;
	uint32_t rest = *stored & ~(row->writable | (value & row->clears));
	store_relaxed(stored, rest | (value & row->writable));
}

void vreg_reset(const struct vregs *regs, void *dev)
{
	for (const struct vreg *row = regs->rows; row != regs->rows + regs->nr_rows; row++)
		for (uint32_t i = 0; i < row->size && row->member != NOWHERE; i += 4)
			*kept(row, dev, row->offset + i) = row->reset;
}

static const struct vregs *regs_of(const void *dev)
{
	return *(const struct vregs *const *)dev;
}

bool vreg_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size, uint64_t *value)
{
	const struct vregs *regs = regs_of(dev);

	if (!vreg_fits(offset, size))
		return false;
	regs->begin(dev);
	uint32_t result = vreg_get(regs, dev, vreg_base(offset));
	regs->end(dev);
	*value = vreg_part(result, offset, size);
	return true;
}

bool vreg_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size, uint64_t value)
{
	const struct vregs *regs = regs_of(dev);

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	regs->begin(dev);
	vreg_set(regs, dev, offset, (uint32_t)value);
	regs->end(dev);
	return true;
}
