// SPDX-License-Identifier: Apache-2.0
// Bit masks and fields. A register field is described by its mask alone.
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/types.h"

#define BIT_U64(n)          ((uint64_t)1 << (n))
#define BIT_U32(n)          ((uint32_t)1 << (n))
#define GENMASK_U64(hi, lo) ((~(uint64_t)0 >> (63 - (hi))) & (~(uint64_t)0 << (lo)))
#define GENMASK_U32(hi, lo) ((~(uint32_t)0 >> (31 - (hi))) & (~(uint32_t)0 << (lo)))

// The value of the field that `mask` selects, moved down to bit 0. `mask` is not 0.
static inline uint64_t field_get(uint64_t mask, uint64_t value)
{
	return (value & mask) >> __builtin_ctzll(mask);
}

// `value` moved up into the field that `mask` selects; bits that do not fit are dropped.
static inline uint64_t field_put(uint64_t mask, uint64_t value)
{
	return (value << __builtin_ctzll(mask)) & mask;
}

// `align` is a power of two. align_up wraps to 0 when the result does not fit; check before.
static inline uint64_t align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}
static inline uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}
static inline bool is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}
static inline bool is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

// Whether [a, a+alen) and [b, b+blen) share a byte. Neither range wraps.
static inline bool ranges_overlap(uint64_t a, uint64_t alen, uint64_t b, uint64_t blen)
{
	return alen != 0 && blen != 0 && a < b + blen && b < a + alen;
}
// Whether [inner, inner+ilen) lies within [outer, outer+olen), whatever the numbers.
static inline bool range_contains(uint64_t outer, uint64_t olen, uint64_t inner, uint64_t ilen)
{
	return inner >= outer && ilen <= olen && inner - outer <= olen - ilen;
}

#endif
