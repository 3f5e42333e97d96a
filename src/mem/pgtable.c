// SPDX-License-Identifier: Apache-2.0
// Walking and filling page tables. Owns nothing: the caller holds the lock of the table it passes.
// Tables are reached by their physical address, which EL2 maps one to one. Also runs with the MMU off,
// so it uses plain stores of aligned words alone.
#include "mem/pgtable.h"

#include "arm/tlb.h"

static unsigned index_of(const struct pgtable *table, uint64_t address, unsigned level)
{
	unsigned shift = 39 - 9 * level;
	uint64_t index = address >> shift;
	// Concatenated tables at the start level are one long table.
	return (unsigned)(level == table->start_level ? index : index & 511);
}

static uint64_t *next_table(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & PTE_ADDRESS);
}

static bool is_table(uint64_t entry, unsigned level)
{
	return level < 3 && (entry & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

uint64_t *pgtable_find(const struct pgtable *table, uint64_t address, unsigned *level)
{
	uint64_t *at = table->root;
	for (unsigned l = table->start_level;; l++) {
		uint64_t *entry = &at[index_of(table, address, l)];
		// The root is there as long as the table is; the analyser cannot know.
		if (!is_table(*entry, l)) { // NOLINT(clang-analyzer-core.NullDereference)
			*level = l;
			return entry;
		}
		at = next_table(*entry);
	}
}

uint64_t *pgtable_make(struct pgtable *table, uint64_t address, unsigned level)
{
	uint64_t *at = table->root;
	for (unsigned l = table->start_level; l < level; l++) {
		uint64_t *entry = &at[index_of(table, address, l)];
		if (!is_table(*entry, l)) {
			if ((*entry & PTE_VALID) != 0)
				return NULL;
			uint64_t *fresh = table->ops->alloc(table);
			if (fresh == NULL)
				return NULL;
			// The zeroes of the fresh table are seen before the entry that leads to it.
			dmb(ishst);
			pte_write(entry, (uintptr_t)fresh | PTE_VALID | PTE_TABLE);
		}
		at = next_table(*entry);
	}
	return &at[index_of(table, address, level)];
}

// The highest level (smallest number) at which one entry can map the start of the range.
static unsigned best_level(const struct pgtable *table, uint64_t address, uint64_t pa,
                           uint64_t size)
{
	unsigned level = table->start_level < 1 ? 1 : table->start_level; // no blocks at level 0
	while (level < 3 &&
	       (!is_aligned(address | pa, pgtable_span(level)) || size < pgtable_span(level)))
		level++;
	return level;
}

int pgtable_map(struct pgtable *table, uint64_t address, pa_t pa, uint64_t size,
                uint64_t attributes)
{
	if (table->root == NULL || !range_contains(0, (uint64_t)1 << table->bits, address, size))
		return ERR_RANGE;
	while (size > 0) {
		unsigned level = best_level(table, address, pa.v, size);
		uint64_t *entry = pgtable_make(table, address, level);
		if (entry == NULL) {
			unsigned there;
			return (*pgtable_find(table, address, &there) & PTE_VALID) != 0
			               ? ERR_BUSY
			               : ERR_NO_MEMORY;
		}
		if ((*entry & PTE_VALID) != 0)
			return ERR_BUSY;
		uint64_t span = pgtable_span(level);
		pte_write(entry, pa.v | attributes | PTE_VALID | (level == 3 ? PTE_TABLE : 0));
		address += span;
		pa.v += span;
		size -= span;
	}
	return 0;
}
