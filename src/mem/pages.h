// SPDX-License-Identifier: Apache-2.0
// Who owns which page of RAM. One array, one entry for each 4 KiB page; docs/memory.md has the why.
#ifndef MEM_PAGES_H
#define MEM_PAGES_H

#include "base/types.h"

#define PAGES_MAX_ORDER   9 // chunks of 1 << order pages: 4 KiB .. 2 MiB
#define PAGES_MAX_REGIONS 32

// Owners: 1.. are VM numbers.
#define OWNER_NONE   0
#define OWNER_EL2    0xffff
#define OWNER_BUNDLE 0xfffe
#define OWNER_VM_MAX 4096

enum page_state {
	PAGE_ABSENT, // not RAM, or RAM that was never Mezzo's to give
	PAGE_FREE,
	PAGE_ZEROED, // free, and already filled with zeroes
	PAGE_DATA,   // EL2's structures, for itself or on behalf of a VM
	PAGE_TABLE,  // a page table
	PAGE_GUEST,  // a guest's memory
	PAGE_BOOT,   // image, bundle, what boot put there
};

// The head of a chunk carries order and links; the others of the chunk have ORDER_TAIL.
struct page {
	uint32_t next, prev; // frame numbers in a free list or an owner's list; 0: none
	uint32_t refs;       // guests' mappings of a chunk, valid entries of a table
	uint16_t owner;
	uint8_t state; // enum page_state
	uint8_t order;
};
STATIC_ASSERT(sizeof(struct page) == 16, "docs/memory.md promises 16 bytes");
#define ORDER_TAIL 0xff

// The chunks of one owner. Locked by whoever owns the list; taken before LOCK_PAGES.
struct page_list {
	uint32_t first;    // frame number; 0: empty
	uint32_t scrubbed; // pages of the first chunk that pages_scrub_some has zeroed already
};

// Sets the array: map[n] describes the page at n * 4 KiB and is readable and zero for every page of
// every region. Once, at boot.
void pages_init(struct page *map);
// Hands [base, base+size) to the allocator. Both multiples of 4 KiB; page 0 is never handed out.
void pages_add(pa_t base, uint64_t size);
// Marks [base, base+size) as owned without allocating it (what boot put there). Counts as used.
void pages_claim(pa_t base, uint64_t size, uint16_t owner, enum page_state state);

// A chunk of 1 << order pages, aligned to its size. Contents unknown unless it is zeroed. `list` may
// be NULL; else the chunk is linked into it. PA 0 when there is none. Bounded: at most one split an
// order and one pass over the chunk's entries.
pa_t pages_alloc(unsigned order, uint16_t owner, enum page_state state, struct page_list *list);
// A 2 MiB chunk that was zeroed and cleaned; PA 0 when none is ready.
pa_t pages_alloc_zeroed(uint16_t owner, enum page_state state, struct page_list *list);
// Moves a chunk to another list of its owner's, in another state. Both lists as at the allocation.
void pages_move(pa_t chunk, struct page_list *from, struct page_list *to, enum page_state state);
// Gives a chunk back as it is: nobody's secrets are in it. `list` as at the allocation.
void pages_free(pa_t chunk, struct page_list *list);
// Zeroes a chunk of at most 64 KiB, in memory and not only in the caches, and gives it back.
void pages_scrub(pa_t chunk, struct page_list *list);
// The same for a whole list, 64 KiB a call; true while there is more to do. A 2 MiB chunk joins the zeroed
// ones. No CPU and no TLB can reach the chunks any more.
bool pages_scrub_some(struct page_list *list);

// The entry of a page that was added or claimed; NULL above all of them.
struct page *pages_entry(pa_t pa);

// Idle work: zeroes 64 KiB of a block for the pool. False when there is nothing worth doing.
bool pages_prepare(void);

// Promises. A VM is admitted only if all it may ever need was promised first, in pages. What EL2 takes
// for itself or for the bundle counts as promised to it.
int pages_commit(uint64_t pages); // ERR_NO_MEMORY
void pages_uncommit(uint64_t pages);

struct pages_count {
	uint64_t total, free, zeroed, committed; // pages; zeroed is part of free
	uint64_t claimed;                        // by pages_claim; not part of total
};
struct pages_count pages_counts(void);

// What one owner has, in pages. Kept while pages come and go: reading it costs nothing.
struct pages_usage {
	uint32_t data, table, guest, boot; // by state
	uint32_t changes;                  // how often any of it changed, modulo 2^32
};
// OWNER_EL2, OWNER_BUNDLE or 1 .. OWNER_VM_MAX. OWNER_NONE: no pages, and the changes of all of them.
struct pages_usage pages_usage(uint16_t owner);

// ---- for vm/audit.c ----

// The ranges of pages that the array describes, ascending, apart from each other: all that was added or
// claimed. False: there is no range `index`. Fixed after boot.
bool pages_region(unsigned index, uint64_t *first, uint64_t *end); // frame numbers
// The entry of frame `frame`, which lies in one of them.
struct page *pages_at(uint64_t frame);
// Between the two nothing is allocated or given back. For a few hundred entries.
void pages_hold(void);
void pages_let_go(void);

#endif
