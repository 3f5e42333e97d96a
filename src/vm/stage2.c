// SPDX-License-Identifier: Apache-2.0
// Stage 2: filled at first touch, in pieces small enough for one exit. Owns a VM's tables and pages;
// called by the abort handler, by guest memory access, and when a VM is built or ends.
//
// Each 2 MiB of guest memory gets a 2 MiB block of RAM when there is one. If the pool has a zeroed
// block and no image lies there, it is mapped as one entry. Else a level 3 table is made whose invalid
// entries remember the page that belongs there, and each fault fills and maps 64 KiB of it; once all
// 512 entries are valid the table becomes a block entry (break before make).
// Where no block is free, 64 KiB or single pages are taken instead.
//
// Invariant: a page is cleaned to the point of coherency and holds zeroes or image bytes before its
// entry becomes valid. Source: Arm ARM, "Stage 2 translation", "TLB maintenance requirements".
#include "vm/stage2.h"

#include "arm/barrier.h"
#include "arm/cache.h"
#include "arm/features.h"
#include "arm/regs.h"
#include "arm/tlb.h"
#include "base/atomic.h"
#include "base/panic.h"
#include "base/string.h"

#define PIECE         KIB(64)  // filled by one fault
#define PIECE_ORDER   4        // ... in pages
#define CLEAN_STEP    KIB(256) // cleaned by one trapped set/way operation
#define TABLE_ENTRIES 512

static unsigned ipa_bits, start_level, root_order;
static uint64_t vtcr, ram_attributes, device_attributes, readonly_attributes, rom_attributes;

void stage2_init(void)
{
	bool fwb = feature_has(FEATURE_FWB);
	ipa_bits = features_pa_bits();
	// At most 16 tables stand side by side at the start level, so level 1 serves up to 43 bits.
	start_level = ipa_bits > 43 ? 0 : 1;
	root_order = start_level == 1 && ipa_bits > 39 ? ipa_bits - 39 : 0;
	static const uint8_t ps_bits[] = {32, 36, 40, 42, 44, 48};
	uint64_t ps = 0;
	while (ps + 1 < ARRAY_SIZE(ps_bits) && ps_bits[ps] < ipa_bits)
		ps++;
	vtcr = VTCR_RES1 | field_put(VTCR_T0SZ, 64 - ipa_bits);
	vtcr |= field_put(VTCR_SL0, 2 - start_level);
	vtcr |= VTCR_IRGN0_WB | VTCR_ORGN0_WB | VTCR_SH0_INNER | field_put(VTCR_PS, ps);
	if (feature_has(FEATURE_VMID16))
		vtcr |= VTCR_VS;
	ram_attributes = PTE_AF | PTE_SH_INNER | PTE_S2_READ | PTE_S2_WRITE |
	                 (fwb ? PTE_S2_NORMAL_FWB : PTE_S2_NORMAL);
	rom_attributes = ram_attributes & ~PTE_S2_WRITE;
	readonly_attributes = rom_attributes | PTE_S2_XN;
	device_attributes = PTE_AF | PTE_S2_READ | PTE_S2_WRITE | PTE_S2_XN |
	                    (fwb ? PTE_S2_DEVICE_FWB : PTE_S2_DEVICE);
}

uint64_t stage2_limit(void)
{
	return BIT_U64(ipa_bits);
}

uint64_t stage2_vtcr(void)
{
	return vtcr;
}

uint64_t stage2_vttbr(struct stage2 *s2)
{
	return field_put(VTTBR_VMID, vmid_get(&s2->vmid)) | (uintptr_t)s2->table.root;
}

static uint64_t *alloc_table(struct pgtable *table)
{
	struct stage2 *s2 = CONTAINER_OF(table, struct stage2, table);
	pa_t page = pages_alloc(0, s2->owner, PAGE_TABLE, &s2->pages);
	if (page.v != 0)
		cache_zero_pages((void *)(uintptr_t)page.v, PAGE_SIZE);
	return (uint64_t *)(uintptr_t)page.v;
}

static const struct pgtable_ops ops = {.alloc = alloc_table};

int stage2_create(struct stage2 *s2, uint16_t owner, uint64_t ram_base, uint64_t ram_size)
{
	s2->owner = owner;
	s2->ram_base = ram_base;
	s2->ram_size = ram_size;
	s2->lock.rank = LOCK_STAGE2; // not its tickets: an audit may hold it
	s2->mapped = 0;
	s2->pages = (struct page_list){0};
	pa_t root = pages_alloc(root_order, owner, PAGE_TABLE, &s2->pages);
	if (root.v == 0)
		return ERR_NO_MEMORY;
	cache_zero_pages((void *)(uintptr_t)root.v, PAGE_SIZE << root_order);
	spin_lock(&s2->lock);
	s2->table = (struct pgtable){&ops, (uint64_t *)(uintptr_t)root.v, start_level, ipa_bits};
	spin_unlock(&s2->lock);
	return 0;
}

int stage2_add_source(struct stage2 *s2, uint64_t ipa, const void *bytes, uint64_t size)
{
	if (!range_contains(s2->ram_base, s2->ram_size, ipa, size))
		return ERR_RANGE;
	if (s2->nr_sources == STAGE2_MAX_SOURCES)
		return ERR_NO_MEMORY;
	s2->source[s2->nr_sources++] = (struct stage2_source){ipa, size, bytes};
	return 0;
}

static int map_fixed(struct stage2 *s2, uint64_t ipa, pa_t pa, uint64_t size, uint64_t attributes)
{
	spin_lock(&s2->lock);
	int error = pgtable_map(&s2->table, ipa, pa, size, attributes);
	tlb_publish();
	spin_unlock(&s2->lock);
	return error;
}

int stage2_map_device(struct stage2 *s2, uint64_t ipa, pa_t pa, uint64_t size)
{
	return map_fixed(s2, ipa, pa, size, device_attributes);
}

int stage2_map_readonly(struct stage2 *s2, uint64_t ipa, pa_t page)
{
	return map_fixed(s2, ipa, page, PAGE_SIZE, readonly_attributes);
}

// Makes bytes visible to a guest whose MMU is off and to its instruction fetches. These are cacheable whatever FEAT_S2FWB
// says, and what another owner once executed here must not be fetched again: so the clean is left out only where FWB serves
// data and CTR_EL0.IDC serves instructions.
static void show(const void *bytes, uint64_t size)
{
	if (!feature_has(FEATURE_FWB) || !cache_instructions_see_data())
		cache_clean_invalidate_poc(bytes, size);
	cache_invalidate_instructions();
}

int stage2_map_rom(struct stage2 *s2, uint64_t ipa, pa_t page)
{
	show((const void *)(uintptr_t)page.v, PAGE_SIZE);
	return map_fixed(s2, ipa, page, PAGE_SIZE, rom_attributes);
}

void stage2_unmap_rom(struct stage2 *s2, uint64_t ipa)
{
	unsigned level;
	spin_lock(&s2->lock);
	uint64_t *entry = pgtable_find(&s2->table, ipa, &level);
	for (unsigned i = 0; i < TABLE_ENTRIES && level == 3; i++)
		pte_write(&entry[i], 0);
	if (level == 3)
		tlb_invalidate_vmid();
	spin_unlock(&s2->lock);
}

static bool has_source(const struct stage2 *s2, uint64_t ipa, uint64_t size)
{
	for (uint32_t i = 0; i < s2->nr_sources; i++)
		if (ranges_overlap(ipa, size, s2->source[i].ipa, s2->source[i].size))
			return true;
	return false;
}

// Whether one source has every byte of it.
static bool is_covered(const struct stage2 *s2, uint64_t ipa, uint64_t size)
{
	for (uint32_t i = 0; i < s2->nr_sources; i++)
		if (range_contains(s2->source[i].ipa, s2->source[i].size, ipa, size))
			return true;
	return false;
}

// Gives [pa, pa+size) the contents that guest memory at ipa starts with, and shows them.
static void fill(const struct stage2 *s2, uint64_t pa, uint64_t ipa, uint64_t size)
{
	uint8_t *to = (uint8_t *)(uintptr_t)pa;
	if (!is_covered(s2, ipa, size))
		cache_zero_pages(to, size);
	for (uint32_t i = 0; i < s2->nr_sources; i++) {
		const struct stage2_source *s = &s2->source[i];
		if (!ranges_overlap(ipa, size, s->ipa, s->size))
			continue;
		uint64_t first = s->ipa > ipa ? s->ipa : ipa;
		uint64_t last = s->ipa + s->size < ipa + size ? s->ipa + s->size : ipa + size;
		cache_copy(to + (first - ipa), (const uint8_t *)s->bytes + (first - s->ipa),
		           last - first);
	}
	show(to, size);
}

// Replaces a level 3 table that has become full, and whose pages are one block, by a block entry.
static void promote(struct stage2 *s2, uint64_t *entry, uint64_t block)
{
	pa_t table = PA(*entry & PTE_ADDRESS);
	pte_write(entry, 0);
	tlb_invalidate_vmid(); // every CPU has forgotten table and pages before the block appears
	pte_write(entry, block | ram_attributes | PTE_VALID);
	tlb_publish();
	pages_scrub(table, &s2->pages);
}

// Fills and maps `count` pages from `ipa` on; their entries start at `slot` and `pa` is theirs.
static void map_pages(struct stage2 *s2, uint64_t *slot, uint64_t pa, uint64_t ipa, unsigned count)
{
	uint64_t entry = pa | ram_attributes | PTE_VALID | PTE_TABLE;
	fill(s2, pa, ipa, count * PAGE_SIZE);
	for (unsigned i = 0; i < count; i++, entry += PAGE_SIZE)
		pte_write(&slot[i], entry);
	tlb_publish();
	s2->mapped += count * PAGE_SIZE;
}

// A fault in 2 MiB of which nothing is mapped yet. True if it is served or may be tried again below.
static bool begin_block(struct stage2 *s2, uint64_t ipa)
{
	uint64_t start = align_down(ipa, BLOCK_SIZE);
	if (!range_contains(s2->ram_base, s2->ram_size, start, BLOCK_SIZE))
		return false;
	uint64_t *entry = pgtable_make(&s2->table, start, 2);
	if (entry == NULL)
		return false;
	if (!has_source(s2, start, BLOCK_SIZE)) {
		pa_t block = pages_alloc_zeroed(s2->owner, PAGE_GUEST, &s2->pages);
		if (block.v != 0) {
			cache_invalidate_instructions();
			pte_write(entry, block.v | ram_attributes | PTE_VALID);
			tlb_publish();
			s2->mapped += BLOCK_SIZE;
			return true;
		}
	}
	pa_t block = pages_alloc(PAGES_MAX_ORDER, s2->owner, PAGE_GUEST, &s2->pages);
	uint64_t *slots = block.v != 0 ? pgtable_make(&s2->table, start, 3) : NULL;
	if (slots == NULL) {
		if (block.v != 0)
			pages_free(block, &s2->pages);
		return false;
	}
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		slots[i] = block.v + i * PAGE_SIZE; // invalid, but remembered
	return true;
}

// Fills and maps what is not mapped of a piece whose pages are remembered: all of it at once, or, if the guest gave some
// of it back, those pages. Returns how many.
static uint32_t fill_remembered(struct stage2 *s2, uint64_t *slots, uint64_t ipa)
{
	const uint32_t all = 1U << PIECE_ORDER;
	uint32_t done = 0;
	bool whole = true;
	for (uint32_t i = 0; i < all; i++)
		whole = whole && (slots[i] & PTE_VALID) == 0;
	if (whole) {
		map_pages(s2, slots, slots[0] & PTE_ADDRESS, ipa, all);
		return all;
	}
	for (uint32_t i = 0; i < all; i++) {
		if ((slots[i] & PTE_VALID) != 0)
			continue;
		map_pages(s2, &slots[i], slots[i] & PTE_ADDRESS, ipa + i * PAGE_SIZE, 1);
		done++;
	}
	return done;
}

// A fault on a page that has its own level 3 entry; `here` as for fault_locked. 0 or ERR_NO_MEMORY.
static int fill_piece(struct stage2 *s2, uint64_t *slot, uint64_t ipa, bool here)
{
	uint64_t first = align_down(ipa, PIECE);
	if ((*slot & PTE_ADDRESS) != 0) { // a remembered block
		uint64_t *slots = slot - ((ipa - first) >> PAGE_SHIFT);
		uint64_t block = align_down(*slot & PTE_ADDRESS, BLOCK_SIZE);
		uint64_t *table = (uint64_t *)align_down((uintptr_t)slot, PAGE_SIZE);
		struct page *entry = pages_entry(PA((uintptr_t)table));
		entry->refs += fill_remembered(s2, slots, first);
		if (entry->refs == TABLE_ENTRIES &&
		    here) { // else it stays a table, which is as right
			promote(s2, pgtable_make(&s2->table, ipa, 2), block);
		}
		return 0;
	}
	bool whole = range_contains(s2->ram_base, s2->ram_size, first, PIECE);
	uint64_t *slots = slot - ((ipa - first) >> PAGE_SHIFT);
	for (unsigned i = 0; i < 1 << PIECE_ORDER && whole; i++)
		whole = slots[i] == 0;
	if (whole) {
		pa_t chunk = pages_alloc(PIECE_ORDER, s2->owner, PAGE_GUEST, &s2->pages);
		if (chunk.v != 0) {
			map_pages(s2, slots, chunk.v, first, 1 << PIECE_ORDER);
			return 0;
		}
	}
	pa_t page = pages_alloc(0, s2->owner, PAGE_GUEST, &s2->pages);
	if (page.v == 0)
		return ERR_NO_MEMORY;
	map_pages(s2, slot, page.v, align_down(ipa, PAGE_SIZE), 1);
	return 0;
}

static uint64_t block_index(const struct stage2 *s2, uint64_t ipa)
{
	return (ipa >> BLOCK_SHIFT) - (s2->ram_base >> BLOCK_SHIFT);
}

// Memory comes to 2 MiB from which the guest gave it back. False: nobody promises it any more.
static bool promise_again(struct stage2 *s2, uint64_t ipa)
{
	if (s2->unpromised == NULL)
		return true;
	uint64_t n = block_index(s2, ipa), bit = BIT_U64(n % 64);
	if ((s2->unpromised[n / 64] & bit) == 0)
		return true;
	if (s2->returned != NULL && pages_commit(TABLE_ENTRIES) != 0)
		return false;
	if (s2->returned != NULL)
		fetch_add(s2->returned, (uint64_t)-TABLE_ENTRIES);
	s2->unpromised[n / 64] &= ~bit;
	return true;
}

// `here`: this CPU runs the VM, so that its VMID is the one whose TLB entries an invalidation ends.
static int fault_locked(struct stage2 *s2, uint64_t ipa, bool here)
{
	unsigned level;
	uint64_t *entry = pgtable_find(&s2->table, ipa, &level);
	if ((*entry & PTE_VALID) != 0)
		return 0; // another vCPU was faster
	if (level < 3) {
		if (!promise_again(s2, ipa))
			return ERR_NO_MEMORY;
		if (begin_block(s2, ipa)) {
			entry = pgtable_find(&s2->table, ipa, &level);
			if ((*entry & PTE_VALID) != 0)
				return 0;
		} else {
			entry = pgtable_make(&s2->table, ipa, 3);
			if (entry == NULL)
				return ERR_NO_MEMORY;
		}
	}
	return fill_piece(s2, entry, ipa, here);
}

int stage2_fault(struct stage2 *s2, ipa_t ipa)
{
	if (!range_contains(s2->ram_base, s2->ram_size, ipa.v, 1))
		return ERR_RANGE;
	spin_lock(&s2->lock);
	int error = fault_locked(s2, ipa.v, true);
	spin_unlock(&s2->lock);
	return error;
}

void *stage2_span(struct stage2 *s2, ipa_t ipa, bool may_map, uint64_t *left)
{
	if (!range_contains(s2->ram_base, s2->ram_size, ipa.v, 1))
		return NULL;
	unsigned level;
	spin_lock(&s2->lock);
	uint64_t entry = *pgtable_find(&s2->table, ipa.v, &level);
	if ((entry & PTE_VALID) == 0) {
		if (!may_map || fault_locked(s2, ipa.v, false) != 0) {
			spin_unlock(&s2->lock);
			return NULL;
		}
		entry = *pgtable_find(&s2->table, ipa.v, &level);
	}
	spin_unlock(&s2->lock);
	uint64_t span = pgtable_span(level), inside = ipa.v & (span - 1);
	uint64_t to_end = s2->ram_base + s2->ram_size - ipa.v;
	*left = span - inside < to_end ? span - inside : to_end;
	return (void *)(uintptr_t)((entry & PTE_ADDRESS & ~(span - 1)) + inside);
}

void *stage2_pointer(struct stage2 *s2, ipa_t ipa, uint64_t *left)
{
	void *memory = stage2_span(s2, ipa, true, left);
	uint64_t in_page = PAGE_SIZE - (ipa.v & (PAGE_SIZE - 1));
	if (memory != NULL && *left > in_page)
		*left = in_page;
	return memory;
}

// ---- what a guest gives back ----

// Makes a table of a block, so that a part of it can be unmapped. NULL: there is no memory for one.
static uint64_t *split(struct stage2 *s2, uint64_t *entry)
{
	pa_t page = pages_alloc(0, s2->owner, PAGE_TABLE, &s2->pages);
	uint64_t *slots = (uint64_t *)(uintptr_t)page.v, block = *entry;
	if (slots == NULL)
		return NULL;
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		slots[i] = (block + i * PAGE_SIZE) | PTE_TABLE;
	pages_entry(page)->refs = TABLE_ENTRIES;
	pte_write(entry, 0);
	tlb_invalidate_vmid(); // every CPU has forgotten the block before its pages appear
	pte_write(entry, page.v | PTE_VALID | PTE_TABLE);
	tlb_publish();
	return slots;
}

// Unmaps pages that are remembered; those that were not mapped stay as they are. False: some are left.
static bool forget_pages(struct stage2 *s2, uint64_t *slots, unsigned count)
{
	uint64_t *table = (uint64_t *)align_down((uintptr_t)slots, PAGE_SIZE);
	struct page *page = pages_entry(PA((uintptr_t)table));
	uint32_t before = page->refs;
	if (before == 0)
		return false; // its pages are no block's
	for (unsigned i = 0; i < count; i++) {
		if ((slots[i] & PTE_VALID) == 0)
			continue;
		pte_write(&slots[i], slots[i] & PTE_ADDRESS);
		page->refs--;
	}
	s2->mapped -= (before - page->refs) * PAGE_SIZE;
	if (page->refs != before)
		tlb_invalidate_vmid(); // they may be filled and mapped again
	return page->refs == 0;
}

// What the guest gives up of a 2 MiB block: its level 2 entry, if nothing of the block is mapped any more. *table: the
// table that the entry leads to then; NULL: none.
static uint64_t *give_up_some(struct stage2 *s2, uint64_t ipa, uint64_t size, uint64_t **table)
{
	unsigned level;
	uint64_t *entry = pgtable_find(&s2->table, ipa, &level);
	unsigned first = (unsigned)((ipa & (BLOCK_SIZE - 1)) >> PAGE_SHIFT);
	*table = NULL;
	if (level < 2 || (level == 2 && (*entry & PTE_VALID) == 0))
		return NULL;
	if (level == 2 && size == BLOCK_SIZE) {
		s2->mapped -= BLOCK_SIZE;
		return entry;
	}
	*table = level == 2 ? split(s2, entry) : entry - first;
	if (*table == NULL || !forget_pages(s2, *table + first, (unsigned)(size >> PAGE_SHIFT)))
		return NULL;
	return pgtable_make(&s2->table, ipa, 2);
}

bool stage2_give_up(struct stage2 *s2, uint64_t ipa, uint64_t size, struct page_list *to,
                    bool unpromise)
{
	uint64_t *table, *entry = NULL;
	spin_lock(&s2->lock);
	if (s2->table.root != NULL)
		entry = give_up_some(s2, ipa, size, &table);
	if (entry != NULL) {
		uint64_t block = (table != NULL ? table[0] : *entry) & PTE_ADDRESS;
		pte_write(entry, 0);
		tlb_invalidate_vmid(); // no CPU leads to the block, or to its table, from here on
		if (table != NULL)
			pages_scrub(PA((uintptr_t)table), &s2->pages);
		pages_move(PA(block), &s2->pages, to, PAGE_DATA);
	}
	if (entry != NULL && unpromise) {
		uint64_t n = block_index(s2, ipa);
		s2->unpromised[n / 64] |= BIT_U64(n % 64);
	}
	spin_unlock(&s2->lock);
	return entry != NULL;
}

// Whether stage2_map_rom has mapped the page.
static bool is_rom(struct stage2 *s2, uint64_t ipa)
{
	const uint64_t mapped = rom_attributes | PTE_VALID | PTE_TABLE;
	unsigned level;
	uint64_t entry = *pgtable_find(&s2->table, ipa, &level);
	return level == 3 && (entry & ~PTE_ADDRESS) == mapped;
}

int stage2_read(struct stage2 *s2, ipa_t ipa, void *to, size_t size)
{
	bool ram = range_contains(s2->ram_base, s2->ram_size, ipa.v, size);
	if (!ram && !range_contains(0, stage2_limit(), ipa.v, size))
		return ERR_FAULT;
	for (size_t done = 0, n; done < size; done += n) {
		unsigned level;
		uint64_t at = ipa.v + done, left = PAGE_SIZE - (at & (PAGE_SIZE - 1));
		n = left < size - done ? left : size - done;
		spin_lock(
		        &s2->lock); // as long as it is held no page is given up: see stage2_give_up
		bool good = s2->table.root != NULL &&
		            (ram ? fault_locked(s2, at, false) == 0 : is_rom(s2, at));
		if (good) {
			uint64_t entry = *pgtable_find(&s2->table, at, &level);
			uint64_t span = pgtable_span(level);
			uint64_t pa = (entry & PTE_ADDRESS & ~(span - 1)) + (at & (span - 1));
			memcpy((uint8_t *)to + done, (const void *)(uintptr_t)pa, n);
		}
		spin_unlock(&s2->lock);
		if (!good)
			return ERR_FAULT;
	}
	return 0;
}

int stage2_peek(struct stage2 *s2, ipa_t ipa, void *to, size_t size)
{
	if (!range_contains(s2->ram_base, s2->ram_size, ipa.v, size))
		return ERR_FAULT;
	spin_lock(
	        &s2->lock); // as long as it is held no page is given back: see stage2_destroy_some
	bool there = s2->table.root != NULL;
	for (size_t done = 0, n; there && done < size; done += n) {
		unsigned level;
		uint64_t at = ipa.v + done, left = PAGE_SIZE - (at & (PAGE_SIZE - 1));
		uint64_t entry = *pgtable_find(&s2->table, at, &level);
		uint64_t inside = at & (pgtable_span(level) - 1);
		n = left < size - done ? left : size - done;
		if ((entry & PTE_VALID) == 0) {
			memset((uint8_t *)to + done, 0, n);
			continue;
		}
		uint64_t pa = (entry & PTE_ADDRESS & ~(pgtable_span(level) - 1)) + inside;
		cache_clean_invalidate_poc((void *)(uintptr_t)pa, n);
		memcpy((uint8_t *)to + done, (void *)(uintptr_t)pa, n);
	}
	spin_unlock(&s2->lock);
	return there ? 0 : ERR_FAULT;
}

uint64_t stage2_entry(struct stage2 *s2, ipa_t ipa, unsigned *level)
{
	uint64_t entry = 0;
	*level = start_level;
	spin_lock(&s2->lock);
	if (ipa.v < stage2_limit() && s2->table.root != NULL)
		entry = *pgtable_find(&s2->table, ipa.v, level);
	spin_unlock(&s2->lock);
	return entry;
}

bool stage2_clean_some(struct stage2 *s2, uint64_t *cursor)
{
	uint64_t budget = CLEAN_STEP;
	spin_lock(&s2->lock);
	// An unmapped entry costs a walk, a mapped one its lines: both come out of the budget.
	while (*cursor < s2->ram_size && budget >= PAGE_SIZE) {
		unsigned level;
		uint64_t ipa = s2->ram_base + *cursor;
		uint64_t entry = *pgtable_find(&s2->table, ipa, &level);
		uint64_t span = pgtable_span(level), rest = span - (ipa & (span - 1));
		if ((entry & PTE_VALID) != 0) {
			if (rest > budget)
				rest = budget;
			uint64_t pa = (entry & PTE_ADDRESS & ~(span - 1)) + (ipa & (span - 1));
			cache_clean_invalidate_poc((void *)(uintptr_t)pa, rest);
			budget -= rest;
		} else {
			budget -= PAGE_SIZE;
		}
		*cursor += rest;
	}
	bool done = *cursor >= s2->ram_size;
	spin_unlock(&s2->lock);
	return done;
}

void stage2_retire(struct stage2 *s2)
{
	vmid_drop(&s2->vmid);
	s2->mapped = 0;
}

bool stage2_destroy_some(struct stage2 *s2)
{
	CHECK(s2->vmid.number == 0);
	if (s2->table.root != NULL) { // who looks at the tables finds none from here on
		spin_lock(&s2->lock);
		s2->table.root = NULL;
		spin_unlock(&s2->lock);
	}
	return pages_scrub_some(&s2->pages);
}

uint64_t stage2_table_pages(uint64_t ram_size)
{
	uint64_t blocks = (ram_size + BLOCK_SIZE - 1) / BLOCK_SIZE + 1;
	// Level 3 tables, level 2 tables (one a GiB), level 1 and the root; a level 2 table for what lies
	// below RAM, and two level 3 tables there: GICv2's CPU interface, and stolen time.
	return blocks + ram_size / GIB(1) + 5 + (UINT64_C(1) << root_order) + 1;
}

uint64_t stage2_root_pages(void)
{
	return UINT64_C(1) << root_order;
}
