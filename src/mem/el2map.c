// SPDX-License-Identifier: Apache-2.0
// EL2's own stage 1 map. Owns the root table and every table below it. Entries only ever go from
// invalid to valid, so no TLB entry ever has to be taken back. Called by boot.S (MMU off), main/boot.c
// and the drivers. Source: Arm ARM, "Stage 1 translation", the EL2 translation regime.
#include "mem/el2map.h"

#include "arm/cache.h"
#include "arm/sysreg.h"
#include "arm/tlb.h"
#include "base/spinlock.h"
#include "mem/pages.h"
#include "mem/pgtable.h"

#define S1_COMMON (PTE_AF | PTE_SH_INNER | PTE_S1_AP_RES1)
#define S1_TEXT   (S1_COMMON | PTE_S1_NORMAL | PTE_S1_RO)
#define S1_CONST  (S1_COMMON | PTE_S1_NORMAL | PTE_S1_RO | PTE_S1_XN | PTE_S1_PXN)
#define S1_DATA   (S1_COMMON | PTE_S1_NORMAL | PTE_S1_XN | PTE_S1_PXN)
#define S1_DEVICE (PTE_AF | PTE_S1_AP_RES1 | PTE_S1_DEVICE | PTE_S1_XN | PTE_S1_PXN)

#define PFR1_BT         GENMASK_U64(3, 0) // ID_AA64PFR1_EL1
#define BOOT_TABLES     16 // image and tree at any two places: 1 + 2 * (1 + 2) + 4, and the UART's 3
#define ELSEWHERE_MAX   BIT_U64(45)
#define FDT_HEADER_SIZE 8
#define FDT_MAX_SIZE    MIB(2) // "Booting AArch64 Linux": the tree is at most 2 MiB
#define FDT_MAGIC       0xd00dfeedU

extern char image_start[], text_end[], rodata_end[], image_end[], boot_stack_guard[];
extern char el3_start[], el3_end[];

static uint64_t boot_tables[BOOT_TABLES][512] __attribute__((aligned(4096)));
static unsigned boot_tables_used;
static uint64_t root_table[512] __attribute__((aligned(4096)));
static uint64_t given, given_end; // what el2map_give gave, not used yet
static bool use_pages;
static struct spinlock lock = SPINLOCK_INIT(LOCK_EL2_MAP);

// One zeroed page: from the pool in bss, what boot gave, or the allocator, in the order of the boot.
static void *alloc_page(void)
{
	void *page = NULL;
	if (use_pages) {
		page = (void *)(uintptr_t)pages_alloc(0, OWNER_EL2, PAGE_TABLE, NULL).v;
	} else if (given < given_end) {
		given_end -= PAGE_SIZE;
		page = (void *)(uintptr_t)given_end;
	} else if (boot_tables_used < BOOT_TABLES) {
		return boot_tables[boot_tables_used++]; // bss is zero already
	}
	if (page != NULL)
		cache_zero_pages(page, PAGE_SIZE);
	return page;
}

// 2 MiB of what boot gave, zeroed, for the page array; NULL: there are none. They come from the other end than pages.
static void *take_block(void)
{
	uint64_t block = given;
	if (!is_aligned(block, BLOCK_SIZE) || given_end - block < BLOCK_SIZE)
		return NULL;
	given += BLOCK_SIZE;
	cache_zero_pages((void *)(uintptr_t)block, BLOCK_SIZE);
	return (void *)(uintptr_t)block;
}

static uint64_t *alloc_table(struct pgtable *table UNUSED)
{
	return alloc_page();
}

static const struct pgtable_ops ops = {.alloc = alloc_table};
static struct pgtable el2 = {.ops = &ops, .root = root_table, .start_level = 0, .bits = 48};

// From `address`, where `entry` is, to where a run of entries in the same table ends that are as this one: empty, or
// single pages. At most `end`.
static uint64_t run_end(const uint64_t *entry, unsigned level, uint64_t address, uint64_t end)
{
	uint64_t span = pgtable_span(level), next = align_down(address, span) + span;
	bool there = (*entry & PTE_VALID) != 0;
	unsigned left = 511 - (address / span & 511);
	if (there && level < 3) // what follows may be a table
		left = 0;
	for (; left > 0 && next < end && ((*++entry & PTE_VALID) != 0) == there; left--)
		next += span;
	return next < end ? next : end;
}

// Maps page by page, leaving alone what is mapped: ranges of boot may share pages.
static int map_missing(uint64_t address, uint64_t pa, uint64_t size, uint64_t attributes)
{
	uint64_t end = align_up(address + size, PAGE_SIZE);
	address = align_down(address, PAGE_SIZE);
	pa = align_down(pa, PAGE_SIZE);
	while (address < end) {
		unsigned level;
		const uint64_t *entry = pgtable_find(&el2, address, &level);
		uint64_t here = run_end(entry, level, address, end) - address;
		if ((*entry & PTE_VALID) == 0) {
			// Empty entries may be filled as a whole; tables below them are made where need be.
			int error = pgtable_map(&el2, address, PA(pa), here, attributes);
			if (error != 0)
				return error;
		}
		address += here;
		pa += here;
	}
	return 0;
}

// Big-endian word at an aligned address, readable with the MMU off.
static uint32_t read_be32(const uint32_t *word)
{
	return __builtin_bswap32(*word);
}

uint64_t el2map_boot(uint64_t fdt)
{
	uint64_t start = (uintptr_t)image_start, text = (uintptr_t)text_end,
	         ro = (uintptr_t)rodata_end;
	uint64_t guard = (uintptr_t)boot_stack_guard, end = (uintptr_t)image_end;
	uint64_t el3 = (uintptr_t)el3_start, after_el3 = (uintptr_t)el3_end;
	// The root is a member of a structure with relocated pointers, which exist by now.
	bool bti = (read_sysreg(id_aa64pfr1_el1) & PFR1_BT) != 0;
	map_missing(start, start, text - start, S1_TEXT | (bti ? PTE_S1_GP : 0));
	map_missing(text, text, ro - text, S1_CONST);
	map_missing(ro, ro, el3 - ro, S1_DATA);
	map_missing(after_el3, after_el3, guard - after_el3, S1_DATA);
	map_missing(guard + PAGE_SIZE, guard + PAGE_SIZE, end - guard - PAGE_SIZE, S1_DATA);
	if (fdt != 0 && is_aligned(fdt, 8) && read_be32((const uint32_t *)fdt) == FDT_MAGIC) {
		uint64_t size = read_be32((const uint32_t *)fdt + 1);
		if (size >= FDT_HEADER_SIZE && size <= FDT_MAX_SIZE && fdt < EL2MAP_PAGES - size)
			map_missing(fdt, fdt, size, S1_DATA); // written once: the seeds are wiped
	}
	return (uintptr_t)root_table;
}

int el2map_device(pa_t base, uint64_t size)
{
	if (!range_contains(0, EL2MAP_PAGES, base.v, size))
		return ERR_RANGE;
	spin_lock(&lock);
	int error = map_missing(base.v, base.v, size, S1_DEVICE);
	tlb_publish();
	spin_unlock(&lock);
	return error;
}

int el2map_memory(pa_t base, uint64_t size, bool read_only)
{
	if (!range_contains(0, EL2MAP_PAGES, base.v, size))
		return ERR_RANGE;
	spin_lock(&lock);
	int error = map_missing(base.v, base.v, size, read_only ? S1_CONST : S1_DATA);
	tlb_publish();
	spin_unlock(&lock);
	return error;
}

void *el2map_elsewhere(pa_t base, uint64_t size)
{
	if (!range_contains(0, ELSEWHERE_MAX, base.v, size))
		return NULL;
	spin_lock(&lock);
	int error = map_missing(EL2MAP_ELSEWHERE + base.v, base.v, size, S1_DATA);
	tlb_publish();
	spin_unlock(&lock);
	return error == 0 ? (void *)(uintptr_t)(EL2MAP_ELSEWHERE + base.v) : NULL;
}

void el2map_give(pa_t base, uint64_t size)
{
	given = base.v;
	given_end = base.v + size;
}

int el2map_page_array(pa_t base, uint64_t size)
{
	// Whole 2 MiB of RAM at both ends: the allocator looks at the buddies of what is there.
	uint64_t start = align_down(base.v, BLOCK_SIZE), end = align_up(base.v + size, BLOCK_SIZE);
	uint64_t first = EL2MAP_PAGES + (start >> PAGE_SHIFT) * sizeof(struct page);
	uint64_t last = EL2MAP_PAGES + (end >> PAGE_SHIFT) * sizeof(struct page);
	spin_lock(&lock);
	int error = 0;
	for (uint64_t va = first, step; va < last && error == 0; va += step) {
		unsigned level;
		uint64_t entry = *pgtable_find(&el2, va, &level);
		step = PAGE_SIZE;
		if ((entry & PTE_VALID) != 0)
			continue; // shared with the range before
		bool whole = level < 3 && is_aligned(va, BLOCK_SIZE) && last - va >= BLOCK_SIZE;
		void *memory = whole ? take_block() : NULL;
		if (memory != NULL)
			step = BLOCK_SIZE;
		else
			memory = alloc_page();
		error = memory == NULL
		                ? ERR_NO_MEMORY
		                : pgtable_map(&el2, va, PA((uintptr_t)memory), step, S1_DATA);
	}
	tlb_publish();
	spin_unlock(&lock);
	return error;
}

uint64_t el2map_stack(uint32_t id, unsigned which)
{
	// Each stack has a window of twice its size: the lower half stays unmapped.
	uint64_t window = EL2MAP_STACKS + ((uint64_t)id * 2 + which) * 2 * EL2MAP_STACK_SIZE;
	uint64_t base = window + EL2MAP_STACK_SIZE;
	spin_lock(&lock);
	int error = 0;
	for (uint64_t at = 0; at < EL2MAP_STACK_SIZE && error == 0; at += PAGE_SIZE) {
		void *page = alloc_page();
		error = page == NULL ? ERR_NO_MEMORY
		                     : pgtable_map(&el2, base + at, PA((uintptr_t)page), PAGE_SIZE,
		                                   S1_DATA);
	}
	tlb_publish();
	spin_unlock(&lock);
	return error == 0 ? base + EL2MAP_STACK_SIZE : 0;
}

void el2map_use_pages(void)
{
	use_pages = true;
}

uint64_t el2map_root(void)
{
	return (uintptr_t)root_table;
}

uint64_t el2map_image_pages(void)
{
	return ((uintptr_t)image_end - (uintptr_t)image_start + PAGE_SIZE - 1) / PAGE_SIZE;
}

bool el2map_is_image(pa_t pa)
{
	return pa.v - (uintptr_t)image_start < (uintptr_t)image_end - (uintptr_t)image_start;
}

void el2map_walk(uint64_t *address, unsigned budget, const struct pgtable_visitor *visitor,
                 void *argument)
{
	spin_lock(&lock);
	pgtable_walk(&el2, address, budget, visitor, argument);
	spin_unlock(&lock);
}
