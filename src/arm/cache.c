// SPDX-License-Identifier: Apache-2.0
// Cache maintenance. Called by mem/ and vm/ after they wrote what somebody may read uncached.
// Invariant: each function ends with the barrier that makes its effect complete; a line is never only
// cleaned, which several revisions of the Cortex-A53 get wrong (arm/errata.c).
#include "arm/cache.h"

#include "arm/barrier.h"
#include "arm/maintain.h"
#include "arm/sysreg.h"
#include "base/bits.h"

#define CTR_DMINLINE GENMASK_U64(19, 16) // log2 of words in the smallest data cache line
#define CTR_IDC      BIT_U64(28)         // no data clean needed for instructions to see data
#define DCZID_BS     GENMASK_U64(3, 0)   // log2 of words that DC ZVA zeroes
#define DCZID_DZP    BIT_U64(4)          // DC ZVA not allowed

// dc(op, p) for each `step` bytes of [p, end); eight in one turn of the loop, so that it costs little more than they.
#define DC_RANGE(op, p, end, step)                   \
	do {                                         \
		for (; (p) + 8 * (step) <= (end);) { \
			DC_TWO(op, p, step);         \
			DC_TWO(op, p, step);         \
			DC_TWO(op, p, step);         \
			DC_TWO(op, p, step);         \
		}                                    \
		for (; (p) < (end); (p) += (step))   \
			dc(op, p);                   \
	} while (0)
#define DC_TWO(op, p, step)    \
	do {                   \
		dc(op, p);     \
		(p) += (step); \
		dc(op, p);     \
		(p) += (step); \
	} while (0)

static size_t line_size(void)
{
	return (size_t)4 << field_get(CTR_DMINLINE, read_sysreg(ctr_el0));
}

void cache_clean_invalidate_poc(const void *start, size_t size)
{
	size_t line = line_size();
	uintptr_t p = align_down((uintptr_t)start, line), end = (uintptr_t)start + size;
	DC_RANGE(civac, p, end, line);
	dsb(sy);
}

void cache_invalidate_instructions(void)
{
	ic(ialluis);
	dsb(ish);
	isb();
}

bool cache_instructions_see_data(void)
{
	return (read_sysreg(ctr_el0) & CTR_IDC) != 0;
}

void cache_zero_pages(void *start, size_t size)
{
	uint64_t dczid = read_sysreg(dczid_el0);
	uintptr_t p = (uintptr_t)start, end = p + size;
	if (dczid & DCZID_DZP) {
		for (; p < end; p += 16)
			store_zero16(p);
		return;
	}
	size_t block = (size_t)4 << field_get(DCZID_BS, dczid);
	DC_RANGE(zva, p, end, block);
}

void cache_copy(void *to, const void *from, size_t size)
{
	uint8_t *w = to;
	const uint8_t *r = from;
	for (; size >= 256; size -= 256, w += 256, r += 256)
		copy256(w, r);
	for (; size >= 64; size -= 64, w += 64, r += 64)
		copy64(w, r);
	for (; size >= 8; size -= 8, w += 8, r += 8)
		copy8(w, r);
	for (; size > 0; size--)
		*w++ = *r++;
}
