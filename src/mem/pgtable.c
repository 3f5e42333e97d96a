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
		uint64_t span = pgtable_span(level);
		// All that lie in the same table, as long as no larger entry could begin.
		do {
			if ((*entry & PTE_VALID) != 0)
				return ERR_BUSY;
			pte_write(entry++,
			          pa.v | attributes | PTE_VALID | (level == 3 ? PTE_TABLE : 0));
			address += span;
			pa.v += span;
			size -= span;
		} while (size >= span && !is_aligned(address, pgtable_span(level - 1)));
	}
	return 0;
}

// A walk that stands at an entry of one table.
struct walk {
	uint64_t *address;
	unsigned budget;
	// A table was seen for the first time, and nothing in it yet: who comes back would take it for a
	// new one again, so that the budget has to wait.
	bool must;
	const struct pgtable_visitor *visitor;
	void *argument;
};

// Shows an entry to the visitor.
static bool show(struct walk *w, uint64_t entry, unsigned level, bool table)
{
	uint64_t within = *w->address & (pgtable_span(level) - 1);
	struct pgtable_visit visit = {
	        .address = *w->address - within,
	        .entry = entry,
	        .level = level,
	        .table = table,
	        .again = within != 0,
	};
	return w->visitor->visit(w->argument, &visit, &w->budget);
}

// Goes through entries of one table, up to its end or to one that leads to a table. Returns whether it
// stands at such a one and may go on.
static bool walk_entries(struct walk *w, const uint64_t *at, unsigned index, unsigned entries,
                         unsigned level)
{
	for (; index < entries; index++) {
		uint64_t entry = at[index];
		if (w->budget == 0 && !w->must)
			return false;
		if (is_table(entry, level))
			return true;
		w->must = false;
		w->budget -= w->budget > 0 ? 1 : 0;
		if (entry != 0)
			(void)show(w, entry, level, false);
		*w->address = (*w->address | (pgtable_span(level) - 1)) + 1;
	}
	return false;
}

// From the root down to where *w->address is, and on to the end of that table.
static void walk_down(struct walk *w, const struct pgtable *table, uint64_t end)
{
	const uint64_t *at = table->root;
	unsigned entries = (unsigned)(end >> (39 - 9 * table->start_level));
	for (unsigned level = table->start_level;; level++) {
		if (!walk_entries(w, at, index_of(table, *w->address, level), entries, level))
			return;
		uint64_t entry = at[index_of(table, *w->address, level)];
		uint64_t span = pgtable_span(level);
		if (is_aligned(*w->address, span)) { // on the way to where it goes on they are free
			w->budget -= w->budget > 0 ? 1 : 0;
			w->must = true;
		}
		if (!show(w, entry, level, true)) {
			*w->address = (*w->address | (span - 1)) + 1;
			w->must = false;
			return;
		}
		at = next_table(entry);
		entries = 512;
	}
}

void pgtable_walk(const struct pgtable *table, uint64_t *address, unsigned budget,
                  const struct pgtable_visitor *visitor, void *argument)
{
	struct walk w = {
	        .address = address,
	        .budget = budget,
	        .visitor = visitor,
	        .argument = argument,
	};
	uint64_t end = (uint64_t)1 << table->bits;
	while (*address < end && w.budget > 0)
		walk_down(&w, table, end);
}
