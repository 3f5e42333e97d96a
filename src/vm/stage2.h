// SPDX-License-Identifier: Apache-2.0
// A VM's second stage of translation: which of the board's pages stand behind its memory.
// Nothing is mapped until it is touched; docs/memory.md has the why.
#ifndef VM_STAGE2_H
#define VM_STAGE2_H

#include "base/spinlock.h"
#include "base/types.h"
#include "mem/pages.h"
#include "mem/pgtable.h"
#include "vm/vmid.h"

#define STAGE2_MAX_SOURCES 20

// Bytes that a part of the guest's memory has when it is first touched.
struct stage2_source {
	uint64_t ipa;
	uint64_t size;     // bytes
	const void *bytes; // in EL2's map
};

struct stage2 {
	// Fixed after start.
	uint16_t owner;    // of its pages: the VM's number
	uint64_t ram_base; // IPA
	uint64_t ram_size; // bytes, whole pages
	uint32_t nr_sources;
	struct stage2_source source[STAGE2_MAX_SOURCES];

	struct spinlock lock; // LOCK_STAGE2
	// Under the lock.
	struct pgtable table;   // root NULL: there is none
	struct page_list pages; // every chunk: memory and tables
	uint64_t mapped;        // bytes of RAM mapped
	// Of memory that the guest gave back (vm/giveback.h). NULL: it never does. A bit for each 2 MiB that RAM touches: its
	// promise was given back with it, and has to be had again before memory comes there.
	uint64_t *unpromised;
	// Pages of the owner's promise that were given back, atomically. NULL: nothing was promised.
	uint64_t *returned;

	struct vmid vmid; // under LOCK_VMID
};

// Reads what the CPUs allow: address width, table shape. Once, at boot.
void stage2_init(void);
// The widest guest address + 1.
uint64_t stage2_limit(void);
// Register values for a CPU that is about to run the guest; vttbr assigns a VMID if need be.
uint64_t stage2_vtcr(void);
uint64_t stage2_vttbr(struct stage2 *s2);

// An empty address space. ERR_NO_MEMORY.
int stage2_create(struct stage2 *s2, uint16_t owner, uint64_t ram_base, uint64_t ram_size);
// Says what memory holds when it is first touched. Before the VM starts. ERR_RANGE, ERR_NO_MEMORY.
int stage2_add_source(struct stage2 *s2, uint64_t ipa, const void *bytes, uint64_t size);
// Maps device registers, for GICv2's virtual CPU interface. Before the VM starts.
int stage2_map_device(struct stage2 *s2, uint64_t ipa, pa_t pa, uint64_t size);

// Maps a page of EL2's that the guest may read, and neither write nor execute. Before the VM starts.
// ERR_RANGE, ERR_BUSY: something is there already; ERR_NO_MEMORY.
int stage2_map_readonly(struct stage2 *s2, uint64_t ipa, pa_t page);

// Maps a page of the VM's that holds what a guest finds in a memory that it cannot write: it may be read and executed, and
// what EL2 wrote there before is seen. ERR_BUSY: something is there already; ERR_NO_MEMORY. While the VM runs.
int stage2_map_rom(struct stage2 *s2, uint64_t ipa, pa_t page);
// Unmaps all pages of the 2 MiB of addresses at `ipa`, a multiple of 2 MiB without RAM: at most 512 entries and one TLB
// invalidation. On a CPU that runs the VM (its VMID is loaded).
void stage2_unmap_rom(struct stage2 *s2, uint64_t ipa);

// The guest touched RAM that is not mapped: maps it, at most 64 KiB or one ready 2 MiB block.
// On a CPU that runs the VM (its VMID is loaded). 0; ERR_RANGE: not RAM; ERR_NO_MEMORY.
int stage2_fault(struct stage2 *s2, ipa_t ipa);

// Where a guest's byte is, mapping it first if need be; *left is how many bytes follow it in the
// same page. NULL: not RAM, or no memory. The mapping stays until the VM ends or gives the page up. Any CPU, as below.
void *stage2_pointer(struct stage2 *s2, ipa_t ipa, uint64_t *left);

// The same for whole runs of memory: *left bytes follow in one piece, up to the end of a page or a block, and no further
// than RAM. With `may_map` false memory that nobody touched is not mapped, and NULL is the answer. At most one piece of
// 64 KiB is filled. Any CPU, while the VM's memory cannot go away: only stage2_fault makes a block of a table that became
// full, as another CPU could not end the VM's TLB entries.
void *stage2_span(struct stage2 *s2, ipa_t ipa, bool may_map, uint64_t *left);

// Copies what the guest has at `ipa` now; what nobody touched is mapped first. A few bytes: each page's are copied under
// the lock. What stage2_map_rom mapped counts too, as long as it is. ERR_FAULT: not all of it is such, or there is no
// memory for it. Any CPU.
int stage2_read(struct stage2 *s2, ipa_t ipa, void *to, size_t size);

// The guest gives up [ipa, ipa + size), which lies in RAM and in one 2 MiB of addresses: what is mapped there is unmapped.
// If nothing of a 2 MiB block is mapped any more the block moves to the list `to`, as PAGE_DATA, and no CPU and no TLB
// leads to it; but pointers that EL2 took before may. What lies elsewhere than in such a block stays as it is. With
// `unpromise` the block's promise goes as well: its bit is set, the pages are the caller's to take off. True: a block
// moved. On a CPU that runs the VM (its VMID is loaded). At most 512 entries, and three TLB invalidations.
bool stage2_give_up(struct stage2 *s2, uint64_t ipa, uint64_t size, struct page_list *to,
                    bool unpromise);

// The entry that decides for a guest address now, and its level; 0 above the widest address, and when the VM
// has no tables. Any CPU.
uint64_t stage2_entry(struct stage2 *s2, ipa_t ipa, unsigned *level);

// Copies what the guest has at `ipa` now, also what it wrote past the caches; zeroes where nothing is mapped yet,
// and nothing is mapped for it. At most a page's bytes. ERR_FAULT: not all of it is RAM, or the VM has none any
// more. Any CPU; the VM may end meanwhile.
int stage2_peek(struct stage2 *s2, ipa_t ipa, void *to, size_t size);

// Cleans and invalidates what is mapped from RAM offset *cursor on, at most 512 KiB, and moves
// *cursor. True when the end is reached.
bool stage2_clean_some(struct stage2 *s2, uint64_t *cursor);

// No CPU runs the VM any more: gives up its VMID, so that no TLB leads to its pages. Before
// stage2_destroy_some.
void stage2_retire(struct stage2 *s2);
// Zeroes pages and gives them back, 64 KiB a call. True while there are more.
bool stage2_destroy_some(struct stage2 *s2);

// Pages that the tables of a VM with this much RAM can need, at most; those of stage2_map_rom are not among them.
uint64_t stage2_table_pages(uint64_t ram_size);

// Pages that its root takes.
uint64_t stage2_root_pages(void);

#endif
