// SPDX-License-Identifier: Apache-2.0
// Cache maintenance by virtual address, and bulk operations on page-sized memory.
// All of them work on EL2's own mapping. Source: Arm ARM, "A64 Cache maintenance system instructions".
#ifndef ARM_CACHE_H
#define ARM_CACHE_H

#include "base/types.h"

// Cleans and invalidates to the point of coherency the lines of [start, start+size), then waits.
void cache_clean_invalidate_poc(const void *start, size_t size);
// Makes the instruction side of every CPU of the inner shareable domain forget what it fetched.
// The bytes must have been cleaned to the point of unification before.
void cache_invalidate_instructions(void);

// Whether instruction fetches see data without a clean (CTR_EL0.IDC).
bool cache_instructions_see_data(void);

// Zeroes whole pages with DC ZVA. start and size are multiples of 4 KiB.
void cache_zero_pages(void *start, size_t size);
// Copies size bytes of normal memory, 64 at a turn, whatever the alignment. No overlap. MMU on.
void cache_copy(void *to, const void *from, size_t size);

#endif
