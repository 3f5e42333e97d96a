// SPDX-License-Identifier: Apache-2.0
// The two-level set. Owns nothing; called by console/ and the UART that guests see, on any CPU.
// Invariant: a word that has members has its bit in `top`, or somebody is on the way to set it.
#include "base/bitset.h"

#include "base/atomic.h"
#include "base/bits.h"

#define WORD_BITS 64

void bitset_add(struct bitset *set, uint32_t n)
{
	uint64_t *word = &set->words[n / WORD_BITS];

	if ((load_ordered(word) & BIT_U64(n % WORD_BITS)) != 0)
		return;
	fetch_or(word, BIT_U64(n % WORD_BITS));
	fetch_or(&set->top, BIT_U64(n / WORD_BITS));
}

void bitset_remove(struct bitset *set, uint32_t n)
{
	uint64_t *word = &set->words[n / WORD_BITS];
	uint64_t bit = BIT_U64(n % WORD_BITS);

	if ((fetch_and(word, ~bit) & ~bit) != 0)
		return;
	fetch_and(&set->top, ~BIT_U64(n / WORD_BITS));
	if (load_ordered(word) != 0) // it got a member meanwhile
		fetch_or(&set->top, BIT_U64(n / WORD_BITS));
}

bool bitset_has(const struct bitset *set, uint32_t n)
{
	return (load_ordered(&set->words[n / WORD_BITS]) & BIT_U64(n % WORD_BITS)) != 0;
}

void bitset_add_below(struct bitset *set, uint32_t count)
{
	for (uint32_t i = 0; i < count; i += WORD_BITS) {
		uint32_t left = count - i;
		uint64_t bits = left < WORD_BITS ? BIT_U64(left) - 1 : UINT64_MAX;
		fetch_or(&set->words[i / WORD_BITS], bits);
		fetch_or(&set->top, BIT_U64(i / WORD_BITS));
	}
}

uint32_t bitset_next(const struct bitset *set, uint32_t from)
{
	if (from >= BITSET_SIZE)
		return BITSET_NONE;
	uint32_t i = from / WORD_BITS;
	uint64_t word = load_acquire(&set->words[i]) >> (from % WORD_BITS);
	if (word != 0)
		return from + (uint32_t)__builtin_ctzll(word);
	uint64_t top = load_acquire(&set->top);
	for (i++; i < BITSET_WORDS && top >> i != 0; i++) {
		i += (uint32_t)__builtin_ctzll(top >> i);
		word = load_acquire(&set->words[i]);
		if (word != 0)
			return i * WORD_BITS + (uint32_t)__builtin_ctzll(word);
	}
	return BITSET_NONE;
}
