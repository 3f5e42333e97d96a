// SPDX-License-Identifier: Apache-2.0
// The audit's second half: goes through the page array for what no table and no list reached, and adds up
// what it holds. Owns nothing; called by audit.c, when all walks are done.
// Invariant: a piece of the array is read while the allocator stands still, so that a chunk is whole.
#include "base/print.h"
#include "vm/audit_parts.h"

#define SCAN_HOLD  128 // entries of the array under the allocator's lock
#define SCAN_HOLDS 3   // such pieces in a step
#define JUDGE_COST 8   // of a page without a mark, in entries

static void begin_scan(struct audit *a)
{
	a->phase = AUDIT_PHASE_SCAN;
	a->changes = pages_usage(OWNER_NONE).changes;
	a->scan_region = 0;
	a->at = 0;
	a->sums = a->sums_before;
}

void audit_scan_begin(struct audit *a)
{
	a->before = a->disagreements;
	a->tries = 0;
	a->sums_before = a->sums;
	begin_scan(a);
	if (a->window == 0)
		a->generation = a->changes;
}

// A page that belongs to somebody and was not reached.
static void judge_unreached(struct audit *a, uint64_t frame, uint16_t owner)
{
	struct vm *vm = vm_by_id(owner);
	char expected[AUDIT_TEXT];

	if (owner == OWNER_EL2) {
		audit_disagree(a, frame << PAGE_SHIFT, "a table that mezzo's map reaches", NULL);
		return;
	}
	if (owner > VM_MAX || (vm == NULL && !vm_number_taken(owner))) {
		audit_disagree(a, frame << PAGE_SHIFT, "an owner that exists", NULL);
		return;
	}
	uint32_t now = pages_usage(owner).changes | STAMP_SEEN;
	if (vm == NULL || *audit_stamp(a, owner) != now) {
		a->sums.moving++;
		return;
	}
	print_buffer(expected, sizeof expected, "reached by tables or lists of %.20s", vm->name);
	audit_disagree(a, frame << PAGE_SHIFT, expected, NULL);
}

// A free chunk: as large as its head says, and nobody's. Returns how many pages it takes.
static uint64_t scan_free(struct audit *a, uint64_t frame, uint64_t end)
{
	const struct page *page = pages_at(frame);
	uint64_t pages = UINT64_C(1) << (page->order & 15);

	if (page->order > PAGES_MAX_ORDER || !is_aligned(frame, pages) || pages > end - frame ||
	    page->owner != OWNER_NONE) {
		audit_disagree(a, frame << PAGE_SHIFT, "the head of a free chunk", NULL);
		return 1;
	}
	for (uint64_t i = 1; i < pages; i++) {
		const struct page *tail = page + i;
		if (tail->owner == OWNER_NONE &&
		    (tail->state == PAGE_ABSENT || tail->order == ORDER_TAIL))
			continue;
		audit_disagree(a, (frame + i) << PAGE_SHIFT, "the rest of a free chunk", NULL);
		return i; // what stands there counts for itself
	}
	a->sums.free += pages;
	return pages;
}

static uint64_t scan_el2(struct audit *a, uint64_t frame, uint64_t end)
{
	const struct page *page = pages_at(frame);
	uint64_t pages = 1;

	// A block that idle time is zeroing is one in its head alone.
	if (page->state == PAGE_DATA && page->order == PAGES_MAX_ORDER &&
	    frame + BLOCK_PAGES <= end && page[1].owner == OWNER_NONE)
		pages = BLOCK_PAGES;
	if (page->state == PAGE_DATA || page->state == PAGE_TABLE)
		a->sums.el2[page->state - PAGE_DATA] += pages;
	else if (page->state == PAGE_BOOT)
		a->sums.el2[2] += pages;
	else
		audit_disagree(a, frame << PAGE_SHIFT, "structures, a table or files of mezzo",
		               NULL);
	return pages;
}

// One entry or chunk. Returns how many pages it takes; *unreached is set when it has an owner and no
// mark. With the allocator held.
static uint64_t scan_one(struct audit *a, uint64_t frame, uint64_t end, bool *unreached)
{
	const struct page *page = pages_at(frame);
	uint64_t position, pages = 1;

	(void)audit_find(a, frame, &position);
	bool reached = audit_is_marked(a, position);
	if (page->state == PAGE_FREE || page->state == PAGE_ZEROED) {
		pages = scan_free(a, frame, end);
	} else if (page->owner == OWNER_NONE) {
		a->sums.absent++;
		if (page->state != PAGE_ABSENT)
			audit_disagree(a, frame << PAGE_SHIFT, "an owner", NULL);
	} else if (page->owner == OWNER_EL2) {
		pages = scan_el2(a, frame, end);
		*unreached = page->state == PAGE_TABLE && !reached;
	} else if (page->owner == OWNER_BUNDLE) {
		a->sums.bundle++;
	} else {
		a->sums.owned++;
		*unreached = !reached;
	}
	return pages;
}

// Some entries of [a->at, end), while nothing is allocated or given back.
static unsigned scan_piece(struct audit *a, uint64_t end)
{
	bool unreached = false;
	uint16_t owner = OWNER_NONE;
	uint64_t frame = 0, work = 0;

	pages_hold();
	while (work < SCAN_HOLD && a->at < end && !unreached) {
		frame = a->at;
		owner = pages_at(frame)->owner;
		uint64_t pages = scan_one(a, frame, end, &unreached);
		work += 1 + pages / 4;
		a->at += pages;
		a->sums.pages += pages;
	}
	pages_let_go();
	if (unreached) {
		judge_unreached(a, frame, owner);
		work += JUDGE_COST;
	}
	return (unsigned)work;
}

// Everything was seen in one state: the sums must be the allocator's.
static void check_sums(struct audit *a)
{
	a->window = 0; // sums are said once
	struct pages_usage el2 = pages_usage(OWNER_EL2), bundle = pages_usage(OWNER_BUNDLE);
	struct pages_count n = pages_counts();
	const struct audit_sums *sums = &a->sums;
	uint64_t bundles = (uint64_t)bundle.data + bundle.table + bundle.guest + bundle.boot;

	audit_disagree_sum(a, OWNER_EL2, PAGE_DATA, el2.data, sums->el2[0]);
	audit_disagree_sum(a, OWNER_EL2, PAGE_TABLE, el2.table, sums->el2[1]);
	audit_disagree_sum(a, OWNER_EL2, PAGE_BOOT, el2.boot, sums->el2[2]);
	audit_disagree_sum(a, OWNER_BUNDLE, PAGE_BOOT, bundles, sums->bundle);
	audit_disagree_sum(a, OWNER_NONE, PAGE_FREE, n.free, sums->free);
	audit_disagree_sum(a, OWNER_NONE, PAGE_ABSENT, n.total + n.claimed,
	                   sums->el2[0] + sums->el2[1] + sums->el2[2] + sums->bundle + sums->free +
	                           sums->owned);
}

// The end of what the marks are for.
static enum audit_step end_scan(struct audit *a)
{
	bool changed = pages_usage(OWNER_NONE).changes != a->changes;

	if (changed && ++a->tries < MAX_TRIES) {
		audit_forget(a);
		begin_scan(a);
		return AUDIT_MORE;
	}
	a->unsteady = a->unsteady || pages_usage(OWNER_NONE).changes != a->generation;
	if (a->window + WINDOW < a->positions) {
		a->window += WINDOW;
		a->at = 0;
		a->phase = AUDIT_PHASE_CLEAR_ALL;
		return AUDIT_MORE;
	}
	if (!a->unsteady)
		check_sums(a);
	a->phase = AUDIT_PHASE_DONE;
	return AUDIT_DONE;
}

// The frames of the region that is scanned, as far as the marks are for them. False: past the last.
static bool scan_range(struct audit *a, uint64_t *first, uint64_t *end)
{
	uint64_t position;

	if (!pages_region(a->scan_region, first, end))
		return false;
	(void)audit_find(a, *first, &position);
	uint64_t size = *end - *first;
	uint64_t skip = a->window > position ? a->window - position : 0;
	uint64_t stop = a->window + WINDOW > position ? a->window + WINDOW - position : 0;
	*end = *first + (stop < size ? stop : size);
	*first = *first + (skip < size ? skip : size);
	return true;
}

enum audit_step audit_scan(struct audit *a)
{
	uint64_t first, end;

	for (unsigned work = 0; work < SCAN_HOLD * SCAN_HOLDS; work++) {
		if (!scan_range(a, &first, &end))
			return end_scan(a);
		if (a->at < first)
			a->at = first;
		if (a->at >= end) {
			a->scan_region++;
			a->at = 0;
			continue;
		}
		work += scan_piece(a, end);
	}
	return AUDIT_MORE;
}
