// SPDX-License-Identifier: Apache-2.0
// What an SD card holds. Owns the pages that hold what the guest wrote; called by the card, under its lock.
// The image stays as it is. A page of 4 KiB of it is copied when the guest first writes there, and found by two
// levels: an entry for 2 MiB of the card, and a leaf page with 512 of them, made at need. All are the VM's, and promised
// to it when they are taken; when there are no more, the write fails.
// Invariant: an entry counts only if it was made in this generation. So what was written is forgotten in one step, and
// the pages it had go back with the VM's memory (vm->scratch).
#include "vdev/vsd_store.h"

#include "arm/cache.h"
#include "base/bits.h"
#include "base/string.h"
#include "vm/vm.h"

#define LEAF_ENTRIES    (PAGE_SIZE / sizeof(uint64_t))
#define LEAF_SPAN       (LEAF_ENTRIES * PAGE_SIZE) // bytes of the card
#define PAGE_BLOCKS     (PAGE_SIZE / VSD_BLOCK)
#define LEAF_BLOCKS     (LEAF_SPAN / VSD_BLOCK)
#define CAPACITY_BLOCKS (KIB(512) / VSD_BLOCK)
#define ERASE_STEPS     16 // a page, or 2 MiB at once

// Marks in place of a page's address, in entries and in leaves.
#define AS_BELOW   0 // what the level below says: at last, the image
#define ALL_ZEROES 1

struct entry {
	uint32_t leaf; // frame number, or a mark
	uint32_t generation;
};

struct vsd_store {
	// Fixed after start.
	struct vm *vm;
	const uint8_t *image;
	uint64_t size, blocks; // of the image in bytes, of the card
	bool read_only, keeps;
	struct entry *entries; // NULL: read-only

	// Under the card's lock.
	uint32_t generation;
};

STATIC_ASSERT(VSD_STORE_MAX / LEAF_SPAN * sizeof(struct entry) <= PAGE_SIZE << PAGES_MAX_ORDER,
              "vm_alloc gives no more");

uint64_t vsd_store_blocks(const struct vsd_store *store)
{
	return store->blocks;
}

bool vsd_store_read_only(const struct vsd_store *store)
{
	return store->read_only;
}

// ---- looking up ----

static void copy_image(const struct vsd_store *store, uint64_t at, uint8_t *to, size_t size)
{
	uint64_t left = at < store->size ? store->size - at : 0;
	size_t n = left < size ? (size_t)left : size;

	cache_copy(to, store->image + at, n);
	memset(to + n, 0, size - n);
}

// The block, which came from a guest and was looked at; 0 where it is too high, also under speculation.
static uint64_t bound(const struct vsd_store *store, uint64_t block)
{
	return block & (0 - (uint64_t)(block < store->blocks));
}

static uint32_t leaf_of(const struct vsd_store *store, uint64_t block)
{
	if (store->entries == NULL)
		return AS_BELOW;
	const struct entry *entry = &store->entries[block / LEAF_BLOCKS];
	return entry->generation == store->generation ? entry->leaf : AS_BELOW;
}

static uint64_t *slots_of(uint32_t leaf)
{
	return (uint64_t *)((uintptr_t)leaf << PAGE_SHIFT);
}

// The address of the page that holds a block, or a mark.
static uint64_t page_of(const struct vsd_store *store, uint64_t block)
{
	uint32_t leaf = leaf_of(store, block);

	if (leaf == AS_BELOW || leaf == ALL_ZEROES)
		return leaf;
	return slots_of(leaf)[block / PAGE_BLOCKS % LEAF_ENTRIES];
}

void vsd_store_read(const struct vsd_store *store, uint64_t block, void *to)
{
	block = bound(store, block);
	uint64_t page = page_of(store, block);

	if (page == AS_BELOW)
		copy_image(store, block * VSD_BLOCK, to, VSD_BLOCK);
	else if (page == ALL_ZEROES)
		memset(to, 0, VSD_BLOCK);
	else
		memcpy(to, (const void *)(uintptr_t)(page + block % PAGE_BLOCKS * VSD_BLOCK),
		       VSD_BLOCK);
}

// ---- writing ----

// The slot of a block's page; its leaf is made if need be. NULL: there is no memory.
static uint64_t *make_slot(struct vsd_store *store, uint64_t block)
{
	uint32_t leaf = leaf_of(store, block);

	if (leaf == AS_BELOW || leaf == ALL_ZEROES) {
		pa_t page = vm_take_page(store->vm, store->keeps);
		if (page.v == 0)
			return NULL;
		uint64_t *slots = (uint64_t *)(uintptr_t)page.v;
		for (unsigned i = 0; i < LEAF_ENTRIES; i++)
			slots[i] = leaf;
		leaf = (uint32_t)(page.v >> PAGE_SHIFT);
		store->entries[block / LEAF_BLOCKS] = (struct entry){leaf, store->generation};
	}
	return &slots_of(leaf)[block / PAGE_BLOCKS % LEAF_ENTRIES];
}

static int may_write(const struct vsd_store *store)
{
	if (store->read_only)
		return ERR_UNSUPPORTED;
	return store->generation == UINT32_MAX ? ERR_NO_MEMORY
	                                       : 0; // it is never counted from 0 again
}

int vsd_store_write(struct vsd_store *store, uint64_t block, const void *from)
{
	block = bound(store, block);
	int error = may_write(store);
	uint64_t *slot = error == 0 ? make_slot(store, block) : NULL;

	if (slot == NULL)
		return error != 0 ? error : ERR_NO_MEMORY;
	if (*slot == AS_BELOW || *slot == ALL_ZEROES) {
		pa_t page = vm_take_page(store->vm, store->keeps);
		if (page.v == 0)
			return ERR_NO_MEMORY;
		if (*slot == AS_BELOW)
			copy_image(store, align_down(block, PAGE_BLOCKS) * VSD_BLOCK,
			           (uint8_t *)(uintptr_t)page.v, PAGE_SIZE);
		else
			cache_zero_pages((void *)(uintptr_t)page.v, PAGE_SIZE);
		*slot = page.v;
	}
	memcpy((void *)(uintptr_t)(*slot + block % PAGE_BLOCKS * VSD_BLOCK), from, VSD_BLOCK);
	return 0;
}

static int erase_block(struct vsd_store *store, uint64_t block)
{
	static const uint8_t zeroes[VSD_BLOCK];

	return page_of(store, block) == ALL_ZEROES ? 0 : vsd_store_write(store, block, zeroes);
}

// A whole page: one that was taken stays where it is.
static int erase_page(struct vsd_store *store, uint64_t block)
{
	uint64_t *slot = leaf_of(store, block) == ALL_ZEROES ? NULL : make_slot(store, block);

	if (slot == NULL)
		return leaf_of(store, block) == ALL_ZEROES ? 0 : ERR_NO_MEMORY;
	if (*slot == AS_BELOW)
		*slot = ALL_ZEROES;
	else if (*slot != ALL_ZEROES)
		cache_zero_pages((void *)(uintptr_t)*slot, PAGE_SIZE);
	return 0;
}

// As much as is one thing: 2 MiB that have no leaf, a page, a block.
static int erase_some(struct vsd_store *store, uint64_t block, uint64_t end, uint64_t *done)
{
	uint32_t leaf = leaf_of(store, block);

	if (block % LEAF_BLOCKS == 0 && end - block >= LEAF_BLOCKS &&
	    (leaf == AS_BELOW || leaf == ALL_ZEROES)) {
		store->entries[block / LEAF_BLOCKS] = (struct entry){ALL_ZEROES, store->generation};
		*done = LEAF_BLOCKS;
		return 0;
	}
	if (block % PAGE_BLOCKS == 0 && end - block >= PAGE_BLOCKS) {
		*done = PAGE_BLOCKS;
		return erase_page(store, block);
	}
	*done = 1;
	return erase_block(store, block);
}

int vsd_store_erase(struct vsd_store *store, uint64_t *block, uint64_t end)
{
	int error = may_write(store);

	for (unsigned i = 0; i < ERASE_STEPS && *block < end && error == 0; i++) {
		uint64_t done;
		error = erase_some(store, bound(store, *block), end, &done);
		*block += error == 0 ? done : 0;
	}
	return error;
}

// ---- its life ----

void vsd_store_reset(struct vsd_store *store)
{
	if (!store->keeps && store->generation != UINT32_MAX)
		store->generation++;
}

int vsd_store_create(struct vm *vm, struct vsd_store **made)
{
	struct vsd_store *store = vm_alloc(vm, sizeof *store);

	if (store == NULL)
		return ERR_NO_MEMORY;
	if (vm->card.size > VSD_STORE_MAX)
		return ERR_RANGE;
	store->vm = vm;
	store->image = vm->card.image;
	store->size = vm->card.size;
	store->blocks = align_up(store->size / VSD_BLOCK, CAPACITY_BLOCKS);
	store->read_only = vm->card.mode == DESC_SDCARD_RO;
	store->keeps = vm->card.mode == DESC_SDCARD_KEEP;
	store->generation = 1; // of no entry that was only zeroed
	if (store->blocks != 0 && !store->read_only) {
		uint64_t count = (store->blocks + LEAF_BLOCKS - 1) / LEAF_BLOCKS;
		store->entries = vm_alloc(vm, count * sizeof *store->entries);
		if (store->entries == NULL)
			return ERR_NO_MEMORY;
	}
	*made = store;
	return 0;
}
