// SPDX-License-Identifier: Apache-2.0
// The page allocator: a buddy system over the page array. Owns every free page; called by whoever
// needs RAM. Invariant: a free chunk's head has state FREE or ZEROED, its order, and is in exactly the
// list of that order; no two free buddies of the same order and state exist below the highest order; what a
// ZEROED block holds is zeroes, behind the caches too.
#include "mem/pages.h"

#include "arm/cache.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/panic.h"
#include "base/spinlock.h"

#define PIECE       KIB(64) // zeroed in one step
#define POOL_BLOCKS 64      // zeroed blocks that are worth idle time; VMs that end may leave more
#define MAX_FRAMES  BIT_U64(32) // links have 32 bits: RAM beyond 16 TiB is left alone

static struct spinlock lock = SPINLOCK_INIT(LOCK_PAGES);
static struct page *map;                        // fixed after boot
static uint64_t highest;                        // frame after the last one known; fixed after boot
static uint32_t free_list[PAGES_MAX_ORDER + 1]; // under lock
static uint32_t zeroed_list;                    // order 9 only; under lock
static uint32_t zeroed_count;                   // under lock
// Under lock. From the start a block is as good as promised: the one that idle time is zeroing.
static struct pages_count counts = {.committed = BIT_U64(PAGES_MAX_ORDER)};

// What each owner has, under lock. By owner_index().
static struct pages_usage usage[OWNER_VM_MAX + 3];
// Frame numbers, ascending and apart; written at boot, under lock.
static struct {
	uint64_t first, end;
} extents[PAGES_MAX_REGIONS];
static unsigned nr_extents;

// The block that idle time is zeroing. Taken by one CPU at a time with `preparing`.
static uint32_t preparing;    // 0 or 1, atomically
static uint64_t prepare_pa;   // 0: none; owned by the CPU that set `preparing`
static uint64_t prepare_done; // bytes

// The frame after the last whole one of [base, base+size) that can have a number.
static uint64_t end_of(pa_t base, uint64_t size)
{
	uint64_t end = (base.v + size) >> PAGE_SHIFT;
	return end < MAX_FRAMES ? end : MAX_FRAMES;
}

static uint32_t frame_of(pa_t pa)
{
	return (uint32_t)(pa.v >> PAGE_SHIFT);
}
static pa_t pa_of(uint32_t frame)
{
	return PA((uint64_t)frame << PAGE_SHIFT);
}

static void link_in(uint32_t *head, uint32_t frame)
{
	map[frame].prev = 0;
	map[frame].next = *head;
	if (*head != 0)
		map[*head].prev = frame;
	*head = frame;
}

static void unlink_from(uint32_t *head, uint32_t frame)
{
	struct page *page = &map[frame];
	if (page->prev != 0)
		map[page->prev].next = page->next;
	else
		*head = page->next;
	if (page->next != 0)
		map[page->next].prev = page->prev;
	page->next = page->prev = 0;
}

static void put_free(uint32_t frame, unsigned order)
{
	map[frame].state = PAGE_FREE;
	map[frame].owner = OWNER_NONE;
	map[frame].order = (uint8_t)order;
	map[frame].refs = 0;
	link_in(&free_list[order], frame);
}

// Frees a chunk whose entries say nothing any more, joining it with its buddies.
static void release(uint32_t frame, unsigned order)
{
	for (; order < PAGES_MAX_ORDER; order++) {
		uint32_t buddy = frame ^ ((uint32_t)1 << order);
		if (buddy >= highest || map[buddy].state != PAGE_FREE || map[buddy].order != order)
			break;
		unlink_from(&free_list[order], buddy);
		map[buddy].order = ORDER_TAIL;
		map[frame].order = ORDER_TAIL;
		frame &= ~((uint32_t)1 << order);
	}
	put_free(frame, order);
}

static unsigned owner_index(uint16_t owner)
{
	if (owner <= OWNER_VM_MAX)
		return owner; // nobody has no pages, only changes
	return OWNER_VM_MAX + (owner == OWNER_EL2 ? 1 : 2);
}

// `pages` of a state came to an owner, or, as a negative number, left it.
static void account(uint16_t owner, uint8_t state, int32_t pages)
{
	struct pages_usage *of = &usage[owner_index(owner)];
	uint32_t *const by_state[] = {
	        [PAGE_DATA] = &of->data,
	        [PAGE_TABLE] = &of->table,
	        [PAGE_GUEST] = &of->guest,
	        [PAGE_BOOT] = &of->boot,
	};
	if (owner == OWNER_NONE || state < PAGE_DATA || state >= ARRAY_SIZE(by_state))
		return;
	*by_state[state] += (uint32_t)pages;
	of->changes++;
	usage[OWNER_NONE].changes++; // of all together
}

// Adds [first, end) to the regions, joining what touches. A board has few of them, and at boot there is
// no more to be done about one too many than to leave its pages out of audits.
static void note_region(uint64_t first, uint64_t end)
{
	unsigned at = 0, to;
	while (at < nr_extents && extents[at].end < first)
		at++;
	for (to = at; to < nr_extents && extents[to].first <= end; to++) {
		first = extents[to].first < first ? extents[to].first : first;
		end = extents[to].end > end ? extents[to].end : end;
	}
	if (to == at) { // touches none: room for it
		if (nr_extents == PAGES_MAX_REGIONS)
			return;
		for (unsigned i = nr_extents++; i > at; i--)
			extents[i] = extents[i - 1];
		to = at + 1;
	}
	extents[at].first = first;
	extents[at].end = end;
	for (unsigned i = to; i < nr_extents && to != at + 1; i++)
		extents[at + 1 + i - to] = extents[i];
	nr_extents -= to - at - 1;
}

void pages_init(struct page *array)
{
	map = array;
}

void pages_add(pa_t base, uint64_t size)
{
	uint64_t frame = base.v >> PAGE_SHIFT, end = end_of(base, size);
	if (frame == 0)
		frame = 1;
	if (frame >= end)
		return;
	spin_lock(&lock);
	if (end > highest)
		highest = end;
	counts.total += end - frame;
	counts.free += end - frame;
	note_region(frame, end);
	while (frame < end) {
		unsigned order = (unsigned)__builtin_ctzll(frame | BIT_U64(PAGES_MAX_ORDER));
		while (frame + BIT_U64(order) > end)
			order--;
		release((uint32_t)frame, order);
		frame += BIT_U64(order);
	}
	spin_unlock(&lock);
}

void pages_claim(pa_t base, uint64_t size, uint16_t owner, enum page_state state)
{
	uint64_t frame = base.v >> PAGE_SHIFT, end = end_of(base, size);
	if (frame >= end)
		return;
	spin_lock(&lock);
	note_region(frame, end);
	account(owner, (uint8_t)state, (int32_t)(end - frame));
	while (frame < end) { // runs of the same owner and state at once
		const struct page first = map[frame];
		uint64_t run = frame;
		for (; frame < end; frame++) {
			struct page *page = &map[frame];
			if (page->owner != first.owner || page->state != first.state)
				break;
			page->owner = owner;
			page->state = (uint8_t)state;
			page->order = 0;
		}
		account(first.owner, first.state, -(int32_t)(frame - run));
		counts.claimed += first.owner == OWNER_NONE ? frame - run : 0;
	}
	if (end > highest)
		highest = end;
	spin_unlock(&lock);
}

// Whether the owner takes pages without having been promised them.
static bool is_unpromised(uint16_t owner)
{
	return owner == OWNER_EL2 || owner == OWNER_BUNDLE;
}

// Marks the entries of a chunk that was just taken from a free list.
static void take(uint32_t frame, unsigned order, uint16_t owner, enum page_state state,
                 struct page_list *list)
{
	for (uint32_t i = 0; i < (uint32_t)1 << order; i++) {
		map[frame + i].owner = owner;
		map[frame + i].state = (uint8_t)state;
		map[frame + i].order = ORDER_TAIL;
		map[frame + i].refs = 0;
	}
	map[frame].order = (uint8_t)order;
	account(owner, (uint8_t)state, (int32_t)1 << order);
	counts.free -= BIT_U64(order);
	if (is_unpromised(owner))
		counts.committed += BIT_U64(order);
	if (list != NULL) {
		link_in(&list->first, frame);
		list->scrubbed = 0; // of the one that was first
	}
}

// A block that holds zeroes, in memory too, and whose tails say nothing any more.
static void put_zeroed(uint32_t frame)
{
	map[frame].state = PAGE_ZEROED;
	map[frame].owner = OWNER_NONE;
	map[frame].order = PAGES_MAX_ORDER;
	map[frame].refs = 0;
	link_in(&zeroed_list, frame);
	zeroed_count++;
	counts.zeroed += BIT_U64(PAGES_MAX_ORDER);
}

static uint32_t take_zeroed(void)
{
	uint32_t frame = zeroed_list;
	if (frame != 0) {
		unlink_from(&zeroed_list, frame);
		zeroed_count--;
		counts.zeroed -= BIT_U64(PAGES_MAX_ORDER);
	}
	return frame;
}

// Takes a chunk off the free lists, splitting a larger one if need be. 0: none.
static uint32_t take_free(unsigned order)
{
	unsigned from = order;
	uint32_t frame;
	while (from < PAGES_MAX_ORDER && free_list[from] == 0)
		from++;
	frame = free_list[from];
	if (frame != 0) {
		unlink_from(&free_list[from], frame);
	} else {
		frame = take_zeroed(); // the pool is the last reserve
		if (frame == 0)
			return 0;
		from = PAGES_MAX_ORDER;
	}
	while (from > order) {
		from--;
		put_free(frame + ((uint32_t)1 << from), from);
	}
	return frame;
}

pa_t pages_alloc(unsigned order, uint16_t owner, enum page_state state, struct page_list *list)
{
	CHECK(order <= PAGES_MAX_ORDER);
	spin_lock(&lock);
	uint32_t frame = take_free(order);
	if (frame != 0)
		take(frame, order, owner, state, list);
	spin_unlock(&lock);
	return pa_of(frame);
}

pa_t pages_alloc_zeroed(uint16_t owner, enum page_state state, struct page_list *list)
{
	spin_lock(&lock);
	uint32_t frame = take_zeroed();
	if (frame != 0)
		take(frame, PAGES_MAX_ORDER, owner, state, list);
	spin_unlock(&lock);
	return pa_of(frame);
}

static void free_locked(uint32_t frame, struct page_list *list, bool zeroed)
{
	unsigned order = map[frame].order;
	CHECK(order <= PAGES_MAX_ORDER && map[frame].state > PAGE_ZEROED);
	if (list != NULL) {
		unlink_from(&list->first, frame);
		list->scrubbed = 0;
	}
	if (is_unpromised(map[frame].owner))
		counts.committed -= BIT_U64(order);
	account(map[frame].owner, map[frame].state, -((int32_t)1 << order));
	for (uint32_t i = 0; i < (uint32_t)1 << order; i++) {
		map[frame + i].owner = OWNER_NONE;
		map[frame + i].state = PAGE_ABSENT; // until release() makes a head of the right one
		map[frame + i].order = ORDER_TAIL;
	}
	counts.free += BIT_U64(order);
	if (zeroed && order == PAGES_MAX_ORDER)
		put_zeroed(frame);
	else
		release(frame, order);
}

void pages_free(pa_t chunk, struct page_list *list)
{
	spin_lock(&lock);
	free_locked(frame_of(chunk), list, false);
	spin_unlock(&lock);
}

void pages_move(pa_t chunk, struct page_list *from, struct page_list *to, enum page_state state)
{
	uint32_t frame = frame_of(chunk), size = (uint32_t)1 << map[frame].order;
	spin_lock(&lock);
	CHECK(map[frame].order <= PAGES_MAX_ORDER && map[frame].state > PAGE_ZEROED);
	unlink_from(&from->first, frame);
	from->scrubbed = 0;
	account(map[frame].owner, map[frame].state, -(int32_t)size);
	for (uint32_t i = 0; i < size; i++) {
		map[frame + i].state = (uint8_t)state;
		map[frame + i].refs = 0;
	}
	account(map[frame].owner, (uint8_t)state, (int32_t)size);
	link_in(&to->first, frame);
	to->scrubbed = 0; // of the one that was first
	spin_unlock(&lock);
}

// Zeroes pages in memory itself: a guest may read them with its MMU off.
static void zero(uint64_t pa, uint64_t size)
{
	void *pages = (void *)(uintptr_t)pa;
	cache_zero_pages(pages, size);
	cache_clean_invalidate_poc(pages, size);
}

void pages_scrub(pa_t chunk, struct page_list *list)
{
	uint32_t frame = frame_of(chunk);
	CHECK(PAGE_SIZE << map[frame].order <= PIECE);
	zero(chunk.v, PAGE_SIZE << map[frame].order);
	spin_lock(&lock);
	free_locked(frame, list, true);
	spin_unlock(&lock);
}

bool pages_scrub_some(struct page_list *list)
{
	uint32_t budget = PIECE / PAGE_SIZE;
	while (budget > 0 && list->first != 0) {
		uint32_t frame = list->first, size = (uint32_t)1 << map[frame].order;
		uint32_t count = size - list->scrubbed;
		if (count > budget)
			count = budget;
		zero(pa_of(frame + list->scrubbed).v, count * PAGE_SIZE);
		list->scrubbed += count;
		budget -= count;
		if (list->scrubbed == size) {
			spin_lock(&lock); // for one chunk: others that want a page wait for no more
			free_locked(frame, list, true);
			spin_unlock(&lock);
		}
	}
	return list->first != 0;
}

struct page *pages_entry(pa_t pa)
{
	uint64_t frame = pa.v >> PAGE_SHIFT;
	return frame < highest ? &map[frame] : NULL;
}

// Picks a block for the pool to zero, if there is need and room. With `preparing` held.
static void prepare_pick(void)
{
	spin_lock(&lock);
	uint32_t frame = free_list[PAGES_MAX_ORDER];
	if (frame != 0 && zeroed_count < POOL_BLOCKS) {
		unlink_from(&free_list[PAGES_MAX_ORDER], frame);
		map[frame].state = PAGE_DATA; // out of sight of its buddies and of the allocator
		map[frame].owner = OWNER_EL2;
		account(OWNER_EL2, PAGE_DATA, (int32_t)1 << PAGES_MAX_ORDER);
		counts.free -= BIT_U64(PAGES_MAX_ORDER);
		prepare_pa = pa_of(frame).v;
		prepare_done = 0;
	}
	spin_unlock(&lock);
}

static void prepare_finish(void)
{
	uint32_t frame = frame_of(PA(prepare_pa));
	spin_lock(&lock);
	account(OWNER_EL2, PAGE_DATA, -((int32_t)1 << PAGES_MAX_ORDER));
	put_zeroed(frame);
	counts.free += BIT_U64(PAGES_MAX_ORDER);
	spin_unlock(&lock);
	prepare_pa = 0;
}

bool pages_prepare(void)
{
	if (exchange(&preparing, 1) != 0)
		return false; // another CPU is at it
	if (prepare_pa == 0)
		prepare_pick();
	bool work = prepare_pa != 0;
	if (work) {
		zero(prepare_pa + prepare_done, PIECE);
		prepare_done += PIECE;
		if (prepare_done == BLOCK_SIZE)
			prepare_finish();
	}
	store_release(&preparing, 0);
	return work;
}

int pages_commit(uint64_t pages)
{
	int error = ERR_NO_MEMORY;
	spin_lock(&lock);
	if (pages <= counts.total && counts.committed <= counts.total - pages) {
		counts.committed += pages;
		error = 0;
	}
	spin_unlock(&lock);
	return error;
}

void pages_uncommit(uint64_t pages)
{
	spin_lock(&lock);
	counts.committed -= pages;
	spin_unlock(&lock);
}

struct pages_count pages_counts(void)
{
	spin_lock(&lock);
	struct pages_count copy = counts;
	spin_unlock(&lock);
	return copy;
}

struct pages_usage pages_usage(uint16_t owner)
{
	bool known = owner <= OWNER_VM_MAX || owner >= OWNER_BUNDLE;
	spin_lock(&lock);
	struct pages_usage copy = usage[known ? owner_index(owner) : OWNER_NONE];
	spin_unlock(&lock);
	return copy;
}

bool pages_region(unsigned index, uint64_t *first, uint64_t *end)
{
	if (index >= nr_extents)
		return false;
	*first = extents[index].first;
	*end = extents[index].end;
	return true;
}

struct page *pages_at(uint64_t frame)
{
	return &map[frame];
}

void pages_hold(void)
{
	spin_lock(&lock);
}

void pages_let_go(void)
{
	spin_unlock(&lock);
}
