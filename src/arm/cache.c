// SPDX-License-Identifier: Apache-2.0
// Cache maintenance. Called by mem/ and vm/ after they wrote what somebody may read uncached.
// Invariant: each function ends with the barrier that makes its effect complete.
#include "arm/cache.h"

#include "arm/barrier.h"
#include "arm/sysreg.h"
#include "base/bits.h"

#define CTR_DMINLINE GENMASK_U64(19, 16) // log2 of words in the smallest data cache line
#define CTR_IDC      BIT_U64(28)         // no data clean needed for instructions to see data
#define DCZID_BS     GENMASK_U64(3, 0)   // log2 of words that DC ZVA zeroes
#define DCZID_DZP    BIT_U64(4)          // DC ZVA not allowed

static size_t line_size(void)
{
	return (size_t)4 << field_get(CTR_DMINLINE, read_sysreg(ctr_el0));
}

void cache_clean_invalidate_poc(const void *start, size_t size)
{
	size_t line = line_size();
	uintptr_t end = (uintptr_t)start + size;
	for (uintptr_t p = align_down((uintptr_t)start, line); p < end; p += line)
		__asm__ volatile("dc civac, %0" : : "r"(p) : "memory");
	dsb(sy);
}

void cache_clean_poc(const void *start, size_t size)
{
	size_t line = line_size();
	uintptr_t end = (uintptr_t)start + size;
	for (uintptr_t p = align_down((uintptr_t)start, line); p < end; p += line)
		__asm__ volatile("dc cvac, %0" : : "r"(p) : "memory");
	dsb(sy);
}

void cache_invalidate_instructions(void)
{
	__asm__ volatile("ic ialluis" : : : "memory");
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
			__asm__ volatile("stp xzr, xzr, [%0]" : : "r"(p) : "memory");
		return;
	}
	size_t block = (size_t)4 << field_get(DCZID_BS, dczid);
	for (; p < end; p += block)
		__asm__ volatile("dc zva, %0" : : "r"(p) : "memory");
}

void cache_copy(void *to, const void *from, size_t size)
{
	uint64_t a, b, c, d;
	uint8_t *w = to;
	const uint8_t *r = from;
	for (; size >= 64; size -= 64, w += 64, r += 64)
		__asm__ volatile("ldp %[a], %[b], [%[r]]\n\tldp %[c], %[d], [%[r], #16]\n\t"
		                 "stp %[a], %[b], [%[w]]\n\tstp %[c], %[d], [%[w], #16]\n\t"
		                 "ldp %[a], %[b], [%[r], #32]\n\tldp %[c], %[d], [%[r], #48]\n\t"
		                 "stp %[a], %[b], [%[w], #32]\n\tstp %[c], %[d], [%[w], #48]"
		                 : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
		                 : [w] "r"(w), [r] "r"(r)
		                 : "memory");
	for (; size > 0; size--)
		*w++ = *r++;
}
