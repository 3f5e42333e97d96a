// SPDX-License-Identifier: Apache-2.0
// What a disk or a card that came in the bundle holds. Owns the pages that hold what the guest wrote; called by the
// device, under its lock.
// The image stays as it is. A page of 4 KiB of it is copied when the guest first writes there, unless it writes all of
// it, and found by two levels: an entry for 2 MiB, and a leaf page with 512 of them, made at need. All are the VM's, and
// promised to it when they are taken; when there are no more, the write fails.
// Invariant: an entry counts only if it was made in this generation. So what was written is forgotten in one step, and
// the pages it had go back with the VM's memory (vm->scratch).
#include "vdev/vstore.h"

#include "arm/cache.h"
#include "base/bits.h"
#include "base/string.h"
#include "vm/vm.h"

#define LEAF_ENTRIES (PAGE_SIZE / sizeof(uint64_t))
#define LEAF_SPAN    (LEAF_ENTRIES * PAGE_SIZE) // bytes of the image
#define ERASE_STEPS  16                         // a page, or 2 MiB at once

// Marks in place of a page's address, in entries and in leaves.
#define AS_BELOW   0 // what the level below says: at last, the image
#define ALL_ZEROES 1

struct entry {
	uint32_t leaf; // frame number, or a mark
	uint32_t generation;
};

struct vstore {
	// Fixed after start.
	struct vm *vm;
	const uint8_t *image;
	uint64_t image_size, size; // bytes: of the image, and with the zeroes behind it
	bool read_only, keeps;
	struct entry *entries; // NULL: read-only

	// Under the device's lock.
	uint32_t generation;
};

STATIC_ASSERT(VSTORE_MAX / LEAF_SPAN * sizeof(struct entry) <= PAGE_SIZE << PAGES_MAX_ORDER,
              "vm_alloc gives no more");

uint64_t vstore_size(const struct vstore *store)
{
	return store->size;
}

bool vstore_read_only(const struct vstore *store)
{
	return store->read_only;
}

// ---- looking up ----

// The place, which came from a guest and was looked at; 0 where it is too high, also under speculation.
static uint64_t bound(const struct vstore *store, uint64_t at)
{
	return at & (0 - (uint64_t)(at < store->size));
}

static uint32_t leaf_of(const struct vstore *store, uint64_t at)
{
	if (store->entries == NULL)
		return AS_BELOW;
	const struct entry *entry = &store->entries[at / LEAF_SPAN];
	return entry->generation == store->generation ? entry->leaf : AS_BELOW;
}

static uint64_t *slots_of(uint32_t leaf)
{
	return (uint64_t *)((uintptr_t)leaf << PAGE_SHIFT);
}

// The address of the page that holds a byte, or a mark, which holds for *bytes from there on, at most `most`.
static uint64_t page_of(const struct vstore *store, uint64_t at, uint64_t most, uint64_t *bytes)
{
	uint32_t leaf = leaf_of(store, at);
	uint64_t in_leaf = LEAF_SPAN - at % LEAF_SPAN;

	*bytes = most < in_leaf ? most : in_leaf;
	if (leaf == AS_BELOW || leaf == ALL_ZEROES)
		return leaf;
	const uint64_t *slot = &slots_of(leaf)[at / PAGE_SIZE % LEAF_ENTRIES];
	uint64_t run = PAGE_SIZE - at % PAGE_SIZE;
	for (unsigned i = 1; run < *bytes && slot[i] <= ALL_ZEROES && slot[i] == slot[0]; i++)
		run += PAGE_SIZE;
	*bytes = run < *bytes ? run : *bytes;
	return *slot;
}

const void *vstore_find(const struct vstore *store, uint64_t at, uint64_t most, uint64_t *bytes)
{
	at = bound(store, at);
	uint64_t page = page_of(store, at, most, bytes);

	if (page == ALL_ZEROES)
		return NULL;
	if (page != AS_BELOW)
		return (const uint8_t *)(uintptr_t)page + at % PAGE_SIZE;
	if (at >= store->image_size)
		return NULL;
	uint64_t left = store->image_size - at;
	*bytes = *bytes < left ? *bytes : left;
	return store->image + at;
}

void vstore_read(const struct vstore *store, uint64_t at, void *to, size_t size)
{
	uint64_t some;

	for (size_t done = 0; done < size; done += some) {
		const void *from = vstore_find(store, at + done, size - done, &some);
		if (from != NULL)
			cache_copy((uint8_t *)to + done, from, some);
		else
			memset((uint8_t *)to + done, 0, some);
	}
}

// ---- writing ----

// The slot of a byte's page; its leaf is made if need be. NULL: there is no memory.
static uint64_t *make_slot(struct vstore *store, uint64_t at)
{
	uint32_t leaf = leaf_of(store, at);

	if (leaf == AS_BELOW || leaf == ALL_ZEROES) {
		pa_t page = vm_take_page(store->vm, store->keeps);
		if (page.v == 0)
			return NULL;
		uint64_t *slots = (uint64_t *)(uintptr_t)page.v;
		for (unsigned i = 0; i < LEAF_ENTRIES; i++)
			slots[i] = leaf;
		leaf = (uint32_t)(page.v >> PAGE_SHIFT);
		store->entries[at / LEAF_SPAN] = (struct entry){leaf, store->generation};
	}
	return &slots_of(leaf)[at / PAGE_SIZE % LEAF_ENTRIES];
}

static int may_write(const struct vstore *store)
{
	if (store->read_only)
		return ERR_UNSUPPORTED;
	return store->generation == UINT32_MAX ? ERR_NO_MEMORY
	                                       : 0; // it is never counted from 0 again
}

// Gives a slot a page of its own, with what was there before unless all of it is `overwritten`. ERR_NO_MEMORY.
static int make_page(struct vstore *store, uint64_t *slot, uint64_t at, bool overwritten)
{
	pa_t page = vm_take_page(store->vm, store->keeps);
	uint64_t before = *slot, from = align_down(at, PAGE_SIZE);
	uint8_t *bytes = (uint8_t *)(uintptr_t)page.v;

	if (page.v == 0)
		return ERR_NO_MEMORY;
	if (!overwritten && (before == ALL_ZEROES || from >= store->image_size)) {
		cache_zero_pages(bytes, PAGE_SIZE);
	} else if (!overwritten) {
		uint64_t left = store->image_size - from;
		size_t n = left < PAGE_SIZE ? (size_t)left : PAGE_SIZE;
		cache_copy(bytes, store->image + from, n);
		memset(bytes + n, 0, PAGE_SIZE - n);
	}
	*slot = page.v;
	return 0;
}

int vstore_write(struct vstore *store, uint64_t at, const void *from, size_t size)
{
	at = bound(store, at);
	int error = may_write(store);
	uint64_t *slot = error == 0 ? make_slot(store, at) : NULL;

	if (slot == NULL)
		return error != 0 ? error : ERR_NO_MEMORY;
	if (*slot == AS_BELOW || *slot == ALL_ZEROES)
		error = make_page(store, slot, at, size == PAGE_SIZE);
	if (error == 0)
		cache_copy((uint8_t *)(uintptr_t)(*slot + at % PAGE_SIZE), from, size);
	return error;
}

static int erase_block(struct vstore *store, uint64_t at)
{
	static const uint8_t zeroes[VSTORE_BLOCK];
	uint64_t bytes;

	return page_of(store, at, VSTORE_BLOCK, &bytes) == ALL_ZEROES
	               ? 0
	               : vstore_write(store, at, zeroes, VSTORE_BLOCK);
}

// A whole page: one that was taken stays where it is.
static int erase_page(struct vstore *store, uint64_t at)
{
	uint64_t *slot = leaf_of(store, at) == ALL_ZEROES ? NULL : make_slot(store, at);

	if (slot == NULL)
		return leaf_of(store, at) == ALL_ZEROES ? 0 : ERR_NO_MEMORY;
	if (*slot == AS_BELOW)
		*slot = ALL_ZEROES;
	else if (*slot != ALL_ZEROES)
		cache_zero_pages((void *)(uintptr_t)*slot, PAGE_SIZE);
	return 0;
}

// As much as is one thing: 2 MiB that have no leaf, a page, a block.
static int erase_some(struct vstore *store, uint64_t at, uint64_t end, uint64_t *done)
{
	uint32_t leaf = leaf_of(store, at);

	if (at % LEAF_SPAN == 0 && end - at >= LEAF_SPAN &&
	    (leaf == AS_BELOW || leaf == ALL_ZEROES)) {
		store->entries[at / LEAF_SPAN] = (struct entry){ALL_ZEROES, store->generation};
		*done = LEAF_SPAN;
		return 0;
	}
	if (at % PAGE_SIZE == 0 && end - at >= PAGE_SIZE) {
		*done = PAGE_SIZE;
		return erase_page(store, at);
	}
	*done = VSTORE_BLOCK;
	return erase_block(store, at);
}

int vstore_erase(struct vstore *store, uint64_t *at, uint64_t end)
{
	int error = may_write(store);

	for (unsigned i = 0; i < ERASE_STEPS && *at < end && error == 0; i++) {
		uint64_t done;
		error = erase_some(store, bound(store, *at), end, &done);
		*at += error == 0 ? done : 0;
	}
	return error;
}

// ---- its life ----

void vstore_reset(struct vstore *store)
{
	if (!store->keeps && store->generation != UINT32_MAX)
		store->generation++;
}

int vstore_create(struct vm *vm, const struct vm_image *image, uint64_t unit, struct vstore **made)
{
	struct vstore *store = vm_alloc(vm, sizeof *store);

	if (store == NULL)
		return ERR_NO_MEMORY;
	if (image->size > VSTORE_MAX)
		return ERR_RANGE;
	store->vm = vm;
	store->image = image->bytes;
	store->image_size = image->size;
	store->size = align_up(image->size, unit);
	store->read_only = image->mode == DESC_IMAGE_RO;
	store->keeps = image->mode == DESC_IMAGE_KEEP;
	store->generation = 1; // of no entry that was only zeroed
	if (store->size != 0 && !store->read_only) {
		uint64_t count = (store->size + LEAF_SPAN - 1) / LEAF_SPAN;
		store->entries = vm_alloc(vm, count * sizeof *store->entries);
		if (store->entries == NULL)
			return ERR_NO_MEMORY;
	}
	*made = store;
	return 0;
}
