// SPDX-License-Identifier: Apache-2.0
// The one page-table walker, for EL2's stage 1 and the guests' stage 2: 4 KiB granule, levels 0 to 3.
// Source: Arm ARM, "The AArch64 Virtual Memory System Architecture", "Translation table format".
#ifndef MEM_PGTABLE_H
#define MEM_PGTABLE_H

#include "base/bits.h"
#include "base/types.h"

// Descriptor bits common to both stages.
#define PTE_VALID    BIT_U64(0)
#define PTE_TABLE    BIT_U64(1) // levels 0-2: a table, not a block; level 3: always set in a page
#define PTE_ADDRESS  GENMASK_U64(47, 12)
#define PTE_AF       BIT_U64(10)
#define PTE_SH_INNER field_put(GENMASK_U64(9, 8), 3)

// Stage 1 (EL2).
#define PTE_S1_NORMAL  field_put(GENMASK_U64(4, 2), 1) // MAIR_INDEX_NORMAL
#define PTE_S1_DEVICE  field_put(GENMASK_U64(4, 2), 0) // MAIR_INDEX_DEVICE
#define PTE_S1_AP_RES1 BIT_U64(6)
#define PTE_S1_RO      BIT_U64(7)
#define PTE_S1_GP      BIT_U64(50) // FEAT_BTI: indirect branches land on `bti` alone
#define PTE_S1_PXN     BIT_U64(53) // only looked at while EL1 runs on this map to refuse the boot
#define PTE_S1_XN      BIT_U64(54)

// Stage 2.
#define PTE_S2_NORMAL     field_put(GENMASK_U64(5, 2), 0xf) // write-back, without FEAT_S2FWB
#define PTE_S2_NORMAL_FWB field_put(GENMASK_U64(5, 2), 6)   // forced write-back
#define PTE_S2_DEVICE     field_put(GENMASK_U64(5, 2), 1)   // Device-nGnRE
#define PTE_S2_DEVICE_FWB field_put(GENMASK_U64(5, 2), 1)
#define PTE_S2_READ       BIT_U64(6)
#define PTE_S2_WRITE      BIT_U64(7)
#define PTE_S2_XN         BIT_U64(54)

struct pgtable;

// Where tables come from. A table is one zeroed page, except the root.
struct pgtable_ops {
	uint64_t *(*alloc)(struct pgtable *table); // NULL: none left
};

struct pgtable {
	const struct pgtable_ops *ops;
	uint64_t *root;       // may be several concatenated tables
	unsigned start_level; // 0..2
	unsigned bits;        // input address width
};

// Bytes that one entry of a level maps.
static inline uint64_t pgtable_span(unsigned level)
{
	return (uint64_t)1 << (39 - 9 * level);
}

// The entry that decides for `address`: the deepest one that exists. *level says where it is.
// address is below 1 << bits.
uint64_t *pgtable_find(const struct pgtable *table, uint64_t address, unsigned *level);

// The entry of `level` for `address`, with all tables above it made. NULL: no memory for a table, or
// a block is in the way at a lower level number.
uint64_t *pgtable_make(struct pgtable *table, uint64_t address, unsigned level);

// Maps [address, address+size) to pa.. with the largest blocks that fit, from invalid to valid only.
// All multiples of 4 KiB. attributes: everything but address and type bits. ERR_RANGE: outside the
// input range; ERR_BUSY: something is mapped there already; ERR_NO_MEMORY. On error a part may be
// mapped. The caller publishes (tlb_publish).
int pgtable_map(struct pgtable *table, uint64_t address, pa_t pa, uint64_t size,
                uint64_t attributes);

// One entry of a walk.
struct pgtable_visit {
	uint64_t address; // the first that the entry decides for
	uint64_t entry;
	unsigned level;
	bool table; // it leads to a table
	bool again; // a table on the way to where the walk goes on: seen before
};

struct pgtable_visitor {
	// Sees each entry that is not zero, in order of address; a table before what is in it. False: the
	// table is not to be gone into; that is the only way to keep the walk from following a wrong one.
	// Takes from *budget what it costs, besides the 1 that the walk takes.
	bool (*visit)(void *argument, const struct pgtable_visit *visit, unsigned *budget);
};

// Goes through the entries that decide for *address and what follows, until `budget` is used up, and moves
// *address to where the next call goes on; 1 << bits: that was all. The tables may change between
// two calls.
void pgtable_walk(const struct pgtable *table, uint64_t *address, unsigned budget,
                  const struct pgtable_visitor *visitor, void *argument);

#endif
