// SPDX-License-Identifier: Apache-2.0
// A set of numbers below 4,096 that any CPU may change and look into without a lock. Two levels, so that
// finding the next member costs the same whatever the set holds. All zero is the empty set.
#ifndef BASE_BITSET_H
#define BASE_BITSET_H

#include "base/types.h"

#define BITSET_WORDS 64
#define BITSET_SIZE  (64 * BITSET_WORDS)
#define BITSET_NONE  UINT32_MAX

struct bitset {
	uint64_t top; // atomically: a bit for each word that may hold members
	uint64_t words[BITSET_WORDS];
};

// `n` is below BITSET_SIZE. Ordered against load_ordered and store_ordered of base/atomic.h: who stores, then
// adds, and who removes, then loads, do not both miss the other.
void bitset_add(struct bitset *set, uint32_t n);
void bitset_remove(struct bitset *set, uint32_t n);
bool bitset_has(const struct bitset *set, uint32_t n);
// Makes all numbers below `count` members, and takes none out. At most BITSET_SIZE.
void bitset_add_below(struct bitset *set, uint32_t count);

// The lowest member from `from` on; BITSET_NONE: there is none. One that somebody is just adding may be missed.
uint32_t bitset_next(const struct bitset *set, uint32_t from);

#endif
