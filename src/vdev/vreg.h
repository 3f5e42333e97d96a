// SPDX-License-Identifier: Apache-2.0
// How the peripherals of a Raspberry Pi answer accesses that are narrower than their 32-bit registers: a read
// gets its part, a write counts at a register's first byte and is ignored elsewhere. Wider ones are refused,
// and end in the machine's background.
#ifndef VDEV_VREG_H
#define VDEV_VREG_H

#include "base/bits.h"

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
