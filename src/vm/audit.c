// SPDX-License-Identifier: Apache-2.0
// The audit of all pages. Owns nothing but the marks that it takes for its time; called by the shell.
//
// First EL2's map, then each VM is walked: every page that is reached must be the VM's, be in the state
// that fits, and be reached once. Then the array is gone through: what belongs to somebody must have
// been reached, and the sums must be those that the allocator keeps.
//
// Guests run meanwhile. A VM is looked at under its stage 2 lock, a piece at a time; all that it gets or
// gives back counts in pages_usage().changes, so a piece that no longer fits the ones before is
// noticed: the VM is walked again, and after a few times it is called "changed" and only what was seen at
// one moment is held against it.
// Invariant: no entry is followed before the page it leads to was found to be a table of the right owner.
#include "vm/audit.h"

#include "arm/cache.h"
#include "base/print.h"
#include "base/string.h"
#include "mem/el2map.h"

#define WALK_STEP   500     // entries; 20 to 30 instructions each
#define LIST_STEP   16      // chunks, of up to 512 pages
#define LIST_PAGES  600     // ... and no more pages than these and one chunk
#define SCAN_HOLD   128     // entries of the array under the allocator's lock
#define SCAN_HOLDS  3       // such pieces in a step
#define CLEAR_STEP  KIB(64) // bytes of marks
#define MERGE_STEP  1024    // words of marks
#define BLOCK_COST  120     // of the 512 pages of a block, in entries
#define JUDGE_COST  8
#define MAX_TRIES   3
#define BLOCK_PAGES ((uint64_t)1 << PAGES_MAX_ORDER)
#define STAMP_SEEN  BIT_U32(31)
#define STAMP_ORDER 2

STATIC_ASSERT((PAGE_SIZE << STAMP_ORDER) == VM_MAX * sizeof(uint32_t), "a stamp for each number");
STATIC_ASSERT(OWNER_VM_MAX == VM_MAX, "each VM can be an owner");

// Pages that marks are made for at a time: 64 GiB. Larger boards are gone through more than once.
#define MOST_MARKS (UINT64_C(1) << 24)
#ifndef WINDOW // a test has a smaller one
#define WINDOW MOST_MARKS
#endif
STATIC_ASSERT(MOST_MARKS / 8 <= PAGE_SIZE << PAGES_MAX_ORDER, "marks are one chunk");

enum phase { CLEAR_ALL, EL2, VM_CLEAR, VM_WALK, VM_LIST, VM_MERGE, SCAN, DONE };

// ---- words ----

// Whether the array describes the frame. *position counts pages over all regions, and blocks of 2 MiB
// begin at multiples of 512.
static bool find_frame(struct audit *a, uint64_t frame, uint64_t *position)
{
	uint64_t first, end, before = 0;

	for (unsigned i = 0; frame - a->region.first >= a->region.end - a->region.first; i++) {
		if (!pages_region(i, &first, &end))
			return false;
		a->region.first = first;
		a->region.end = end;
		a->region.position = before + first % BLOCK_PAGES;
		before += align_up(end, BLOCK_PAGES) - align_down(first, BLOCK_PAGES);
	}
	*position = a->region.position + frame - a->region.first;
	return true;
}

static void describe(char *text, uint16_t owner, uint8_t state)
{
	static const char *const what[] = {
	        [PAGE_ABSENT] = "page nobody has",
	        [PAGE_FREE] = "free page",
	        [PAGE_ZEROED] = "free page",
	        [PAGE_DATA] = "structures",
	        [PAGE_TABLE] = "table",
	        [PAGE_GUEST] = "memory",
	        [PAGE_BOOT] = "files",
	};
	const char *noun = state < ARRAY_SIZE(what) ? what[state] : "page in no known state";
	struct vm *vm = vm_by_id(owner);

	if (owner == OWNER_NONE)
		print_buffer(text, AUDIT_TEXT, "%s", noun);
	else if (owner == OWNER_EL2 || owner == OWNER_BUNDLE)
		print_buffer(text, AUDIT_TEXT, "%s of %s", noun,
		             owner == OWNER_EL2 ? "mezzo" : "the bundle");
	else if (vm != NULL)
		print_buffer(text, AUDIT_TEXT, "%s of %s", noun, vm->name);
	else
		print_buffer(text, AUDIT_TEXT, "%s of number %u, no VM", noun, owner);
}

// A disagreement; `found` NULL: what the array says of the page.
static void disagree(struct audit *a, uint64_t pa, const char *expected, const char *found)
{
	uint64_t position = 0;
	if (pa != 0 && find_frame(a, pa >> PAGE_SHIFT, &position))
		position -= a->window;
	else
		position = a->window; // said once
	if (position >= WINDOW)
		return;
	a->disagreements++;
	if (a->nr_found == AUDIT_MAX_FOUND)
		return;
	struct audit_found *f = &a->found[a->nr_found++];
	f->page = pa;
	string_copy(f->expected, expected, sizeof f->expected);
	if (found != NULL)
		string_copy(f->found, found, sizeof f->found);
	else
		describe(f->found, pages_at(pa >> PAGE_SHIFT)->owner,
		         pages_at(pa >> PAGE_SHIFT)->state);
}

// The page should be something of an owner's, and is not.
static void disagree_owner(struct audit *a, uint64_t pa, uint16_t owner, uint8_t state,
                           const char *found)
{
	char expected[AUDIT_TEXT];

	describe(expected, owner, state);
	disagree(a, pa, expected, found);
}

static void disagree_sum(struct audit *a, uint16_t owner, uint8_t state, uint64_t expected,
                         uint64_t found)
{
	char one[AUDIT_TEXT], other[AUDIT_TEXT], what[AUDIT_TEXT];

	if (expected == found)
		return;
	describe(what, owner, state);
	print_buffer(one, sizeof one, "%lu pages, %.36s", (unsigned long)expected, what);
	print_buffer(other, sizeof other, "%lu pages", (unsigned long)found);
	disagree(a, 0, one, other);
}

// ---- marks ----

static uint64_t *word_of(pa_t marks, uint64_t position)
{
	return (uint64_t *)(uintptr_t)marks.v + position / 64;
}

// Marks a page as reached. False: it was already. Pages outside of the window are not remembered.
static bool mark(struct audit *a, uint64_t position)
{
	uint64_t in_window = position - a->window, bit = BIT_U64(position % 64);

	if (in_window >= WINDOW)
		return true;
	uint64_t *word = word_of(a->mine, in_window);
	bool fresh = (*word & bit) == 0;
	*word |= bit;
	return fresh;
}

static bool is_marked(const struct audit *a, uint64_t position)
{
	return (*word_of(a->all, position - a->window) & BIT_U64(position % 64)) != 0;
}

static uint32_t *stamp_of(const struct audit *a, uint32_t id)
{
	return (uint32_t *)(uintptr_t)a->stamps.v + (id - 1);
}

// One page that was reached: it must be this owner's, in this state, and new. Returns whether it is.
static bool reach(struct audit *a, uint64_t pa, uint16_t owner, uint8_t state)
{
	uint64_t position;

	if (!find_frame(a, pa >> PAGE_SHIFT, &position)) {
		disagree_owner(a, pa, owner, state, "no RAM");
		return false;
	}
	const struct page *page = pages_at(pa >> PAGE_SHIFT);
	bool fits = page->owner == owner && (page->state == state || owner == OWNER_EL2);
	if (!fits)
		disagree_owner(a, pa, owner, state, NULL);
	else if (!mark(a, position) && !a->vm.changed) // a table may have come to be memory since
		disagree_owner(a, pa, owner, state, "the same, reached twice");
	else
		return true;
	return false;
}

// A table on the way to where the walk goes on.
static bool is_still_table(struct audit *a, uint64_t pa, uint16_t owner)
{
	uint64_t position;

	return find_frame(a, pa >> PAGE_SHIFT, &position) &&
	       pages_at(pa >> PAGE_SHIFT)->owner == owner;
}

// ---- EL2 ----

static bool visit_el2(void *argument, const struct pgtable_visit *v, unsigned *budget UNUSED)
{
	struct audit *a = argument;
	uint64_t pa = v->entry & PTE_ADDRESS, position;

	if (v->table) {
		bool here = find_frame(a, pa >> PAGE_SHIFT, &position);
		if (!here && el2map_is_image(PA(pa)))
			return true;
		return v->again ? here : reach(a, pa, OWNER_EL2, PAGE_TABLE);
	}
	if ((v->entry & PTE_VALID) == 0)
		return false;
	if ((v->entry & (PTE_S1_XN | PTE_S1_RO)) == 0) {
		char found[AUDIT_TEXT];
		print_buffer(found, sizeof found, "both, at %#lx of its map",
		             (unsigned long)v->address);
		disagree(a, pa, "mezzo writes or executes it", found);
	}
	// Below lies all RAM as it is; above, what is Mezzo's alone.
	if (v->address >= EL2MAP_PAGES && v->level == 3)
		(void)reach(a, pa, OWNER_EL2, PAGE_TABLE);
	return false;
}

static const struct pgtable_visitor el2_visitor = {.visit = visit_el2};

static enum audit_step step_el2(struct audit *a)
{
	el2map_walk(&a->at, WALK_STEP, &el2_visitor, a);
	if (a->at < BIT_U64(48))
		return AUDIT_MORE;
	a->phase = VM_MERGE;
	a->at = 0;
	return AUDIT_MORE;
}

// ---- a VM ----

struct stage2_walk {
	struct audit *audit;
	const struct vm *vm;
};

// A block that is as it should be, quickly. False: look at it page by page.
static bool reach_block(struct audit *a, uint64_t pa, uint16_t owner)
{
	uint64_t frame = pa >> PAGE_SHIFT, position, seen = 0;

	if (!is_aligned(frame, BLOCK_PAGES) || !find_frame(a, frame, &position) ||
	    a->region.end - frame < BLOCK_PAGES || position - a->window >= WINDOW)
		return false;
	const struct page *page = pages_at(frame);
	for (unsigned i = 0; i < BLOCK_PAGES; i++)
		if (page[i].owner != owner || page[i].state != PAGE_GUEST)
			return false;
	uint64_t *word = word_of(a->mine, position - a->window);
	for (unsigned i = 0; i < BLOCK_PAGES / 64; i++)
		seen |= word[i];
	for (unsigned i = 0; i < BLOCK_PAGES / 64 && seen == 0; i++)
		word[i] = UINT64_MAX;
	return seen == 0;
}

static void reach_memory(struct stage2_walk *w, uint64_t pa, uint64_t pages, uint64_t *count)
{
	for (uint64_t i = 0; i < pages; i++)
		*count += reach(w->audit, pa + i * PAGE_SIZE, (uint16_t)w->vm->id, PAGE_GUEST) ? 1
		                                                                               : 0;
}

// A mapping where the VM has no memory: registers of a device (GICv2's CPU interface), never RAM.
static void visit_device(struct stage2_walk *w, const struct pgtable_visit *v)
{
	uint64_t pa = v->entry & PTE_ADDRESS, position;
	char found[AUDIT_TEXT];

	w->audit->vm.devices += pgtable_span(v->level) / PAGE_SIZE;
	if (!find_frame(w->audit, pa >> PAGE_SHIFT, &position))
		return;
	print_buffer(found, sizeof found, "RAM, mapped at %#lx of %.20s", (unsigned long)v->address,
	             w->vm->name);
	disagree(w->audit, pa, "registers of a device", found);
}

static bool visit_stage2(void *argument, const struct pgtable_visit *v, unsigned *budget)
{
	struct stage2_walk *w = argument;
	struct audit *a = w->audit;
	uint64_t pa = v->entry & PTE_ADDRESS;
	uint16_t owner = (uint16_t)w->vm->id;

	if (v->table && v->again)
		return is_still_table(a, pa, owner);
	if (v->table) {
		bool good = reach(a, pa, owner, PAGE_TABLE);
		a->vm.tables += good ? 1 : 0;
		return good;
	}
	bool valid = (v->entry & PTE_VALID) != 0;
	if (!range_contains(w->vm->ram_base, w->vm->ram_size, v->address, 1)) {
		if (valid)
			visit_device(w, v);
	} else if (v->level < 2) {
		disagree(a, pa, "at most 2 MiB in one entry of stage 2", "more");
	} else if (valid) {
		if (v->level == 3) {
			reach_memory(w, pa, 1, &a->vm.mapped);
		} else if (reach_block(a, pa, owner)) {
			a->vm.mapped += BLOCK_PAGES;
			*budget -= *budget < BLOCK_COST ? *budget : BLOCK_COST;
		} else {
			reach_memory(w, pa, BLOCK_PAGES, &a->vm.mapped);
			*budget = 0;
		}
	} else if (v->level == 3) {
		reach_memory(w, pa, 1, &a->vm.kept); // remembered for its first touch
	}
	return false;
}

static const struct pgtable_visitor stage2_visitor = {.visit = visit_stage2};

static void forget_findings(struct audit *a)
{
	a->disagreements = a->before;
	if (a->nr_found > a->before)
		a->nr_found = (uint8_t)a->before;
}

static void begin_vm(struct audit *a, const struct vm *vm)
{
	if (a->serial != vm->serial)
		a->tries = 0;
	a->serial = vm->serial;
	a->vm = (struct audit_vm){.id = vm->id, .changed = a->tries == MAX_TRIES};
	memcpy(a->vm.name, vm->name, sizeof a->vm.name);
	a->before = a->disagreements;
	a->changes = pages_usage((uint16_t)vm->id).changes;
	a->own_done = false;
	a->list = vm->pages.first;
	a->at = 0;
	a->phase = VM_WALK;
}

// It changed between two pieces: from the start again, or for what it is worth.
static bool is_changed(struct audit *a)
{
	if (a->vm.changed || pages_usage((uint16_t)a->vm.id).changes == a->changes)
		return false;
	a->tries++;
	forget_findings(a);
	a->vm.id--; // it is the next one again
	a->phase = VM_CLEAR;
	a->at = 0;
	return true;
}

// The VM that is looked at, if it is still there.
static struct vm *current_vm(struct audit *a)
{
	struct vm *vm = vm_by_id(a->vm.id);

	if (vm != NULL && vm->serial == a->serial)
		return vm;
	forget_findings(a);
	a->phase = VM_CLEAR;
	a->at = 0;
	return NULL;
}

static void walk_piece(struct audit *a, struct vm *vm)
{
	struct stage2_walk w = {.audit = a, .vm = vm};
	struct stage2 *s2 = &vm->stage2;

	if (s2->table.root == NULL) { // it is off, or its memory is on its way back
		a->vm.changed = a->vm.changed || s2->pages.first != 0;
		a->at = UINT64_MAX;
		return;
	}
	for (uint64_t i = 0; i < stage2_root_pages() && a->at == 0; i++)
		a->vm.tables += reach(a, (uintptr_t)s2->table.root + i * PAGE_SIZE,
		                      (uint16_t)vm->id, PAGE_TABLE)
		                        ? 1
		                        : 0;
	pgtable_walk(&s2->table, &a->at, WALK_STEP, &stage2_visitor, &w);
	if (a->at >= BIT_U64(s2->table.bits))
		a->at = UINT64_MAX;
}

static enum audit_step step_walk(struct audit *a)
{
	struct vm *vm = current_vm(a);

	if (vm == NULL)
		return AUDIT_MORE;
	spin_lock(&vm->stage2.lock);
	if (!is_changed(a))
		walk_piece(a, vm);
	spin_unlock(&vm->stage2.lock);
	if (a->at == UINT64_MAX)
		a->phase = VM_LIST;
	return AUDIT_MORE;
}

// Returns whether the chunk was new, so that a list that runs in a circle ends.
static bool reach_chunk(struct audit *a, uint64_t frame, uint64_t *pages)
{
	uint64_t position;
	bool good = false;

	*pages = 1;
	if (find_frame(a, frame, &position) && pages_at(frame)->order <= PAGES_MAX_ORDER)
		*pages = UINT64_C(1) << pages_at(frame)->order;
	for (uint64_t i = 0; i < *pages; i++) {
		good = reach(a, (frame + i) << PAGE_SHIFT, (uint16_t)a->vm.id, PAGE_DATA);
		if (!good)
			break;
		a->vm.others++;
	}
	return good;
}

// All of the VM was seen: does it have as much as it is said to have?
static void check_vm(struct audit *a)
{
	struct pages_usage usage = pages_usage((uint16_t)a->vm.id);
	uint16_t owner = (uint16_t)a->vm.id;

	a->vm.changed = a->vm.changed || usage.changes != a->changes;
	if (!a->vm.changed) {
		disagree_sum(a, owner, PAGE_GUEST, usage.guest, a->vm.mapped + a->vm.kept);
		disagree_sum(a, owner, PAGE_TABLE, usage.table, a->vm.tables);
		disagree_sum(a, owner, PAGE_DATA, usage.data, a->vm.others);
		disagree_sum(a, owner, PAGE_BOOT, usage.boot, 0);
	}
	// A stamp that fits no count marks what is not to be held against it.
	*stamp_of(a, a->vm.id) = STAMP_SEEN | (usage.changes + (a->vm.changed ? 1u << 30 : 0));
	a->vm.agrees = a->disagreements == a->before;
}

static enum audit_step step_list(struct audit *a)
{
	struct vm *vm = current_vm(a);
	uint64_t pages, sum = 0;

	if (vm == NULL || is_changed(a))
		return AUDIT_MORE;
	if (!a->own_done)
		(void)reach_chunk(a, (uintptr_t)vm >> PAGE_SHIFT, &sum);
	a->own_done = true;
	for (unsigned i = 0; i < LIST_STEP && sum < LIST_PAGES && a->list != 0; i++) {
		bool good = reach_chunk(a, a->list, &pages);
		a->list = good ? pages_at(a->list)->next : 0;
		sum += pages;
	}
	// Marks end a circle only in the window that they are for.
	if (a->list != 0 && a->vm.others <= pages_usage((uint16_t)a->vm.id).data)
		return AUDIT_MORE;
	check_vm(a);
	a->phase = VM_MERGE;
	a->at = 0;
	return a->window == 0 ? AUDIT_VM : AUDIT_MORE; // each window comes to the same
}

// ---- between them ----

static uint64_t marks_size(const struct audit *a)
{
	return PAGE_SIZE << a->order;
}

// Empties marks, a piece at a time. Returns whether all of them are.
static bool clear(struct audit *a, pa_t marks)
{
	uint64_t left = marks_size(a) - a->at, size = left < CLEAR_STEP ? left : CLEAR_STEP;

	cache_zero_pages((void *)(uintptr_t)(marks.v + a->at), size);
	a->at += size;
	return a->at == marks_size(a);
}

static void begin_scan(struct audit *a)
{
	a->phase = SCAN;
	a->changes = pages_usage(OWNER_NONE).changes;
	a->scan_region = 0;
	a->at = 0;
	a->sums = a->sums_before;
}

static void first_scan(struct audit *a)
{
	a->before = a->disagreements;
	a->tries = 0;
	a->sums_before = a->sums;
	begin_scan(a);
	if (a->window == 0)
		a->generation = a->changes;
}

static enum audit_step step_clear_all(struct audit *a)
{
	if (!clear(a, a->all))
		return AUDIT_MORE;
	cache_zero_pages((void *)(uintptr_t)a->mine.v,
	                 marks_size(a) < CLEAR_STEP ? marks_size(a) : CLEAR_STEP);
	cache_zero_pages((void *)(uintptr_t)a->stamps.v, PAGE_SIZE << STAMP_ORDER);
	a->vm = (struct audit_vm){0};
	a->serial = a->at = 0;
	a->phase = marks_size(a) > CLEAR_STEP ? VM_CLEAR : EL2;
	return AUDIT_MORE;
}

// Empty marks for whoever is next: EL2 before number 1.
static enum audit_step step_clear(struct audit *a)
{
	if (!clear(a, a->mine))
		return AUDIT_MORE;
	a->at = 0;
	if (a->serial == 0) {
		a->phase = EL2;
		return AUDIT_MORE;
	}
	struct vm *vm = vm_after(a->vm.id);
	if (vm != NULL)
		begin_vm(a, vm);
	else
		first_scan(a);
	return AUDIT_MORE;
}

static enum audit_step step_merge(struct audit *a)
{
	uint64_t *from = (uint64_t *)(uintptr_t)a->mine.v, *to = (uint64_t *)(uintptr_t)a->all.v;
	uint64_t words = marks_size(a) / sizeof *from;

	for (unsigned i = 0; i < MERGE_STEP && a->at < words; i++, a->at++)
		to[a->at] |= from[a->at];
	if (a->at < words)
		return AUDIT_MORE;
	if (a->serial == 0)
		a->serial = UINT64_MAX; // EL2 is done; no VM has this one
	a->phase = VM_CLEAR;
	a->at = 0;
	return AUDIT_MORE;
}

// ---- the array ----

// A page that belongs to somebody and was not reached.
static void judge_unreached(struct audit *a, uint64_t frame, uint16_t owner)
{
	struct vm *vm = vm_by_id(owner);
	char expected[AUDIT_TEXT];

	if (owner == OWNER_EL2) {
		disagree(a, frame << PAGE_SHIFT, "a table that mezzo's map reaches", NULL);
		return;
	}
	if (owner > VM_MAX || (vm == NULL && !vm_number_taken(owner))) {
		disagree(a, frame << PAGE_SHIFT, "an owner that exists", NULL);
		return;
	}
	uint32_t now = pages_usage(owner).changes | STAMP_SEEN;
	if (vm == NULL || *stamp_of(a, owner) != now) {
		a->sums.moving++;
		return;
	}
	print_buffer(expected, sizeof expected, "reached by tables or lists of %.20s", vm->name);
	disagree(a, frame << PAGE_SHIFT, expected, NULL);
}

// A free chunk: as large as its head says, and nobody's. Returns how many pages it takes.
static uint64_t scan_free(struct audit *a, uint64_t frame, uint64_t end)
{
	const struct page *page = pages_at(frame);
	uint64_t pages = UINT64_C(1) << (page->order & 15);

	if (page->order > PAGES_MAX_ORDER || !is_aligned(frame, pages) || pages > end - frame ||
	    page->owner != OWNER_NONE) {
		disagree(a, frame << PAGE_SHIFT, "the head of a free chunk", NULL);
		return 1;
	}
	for (uint64_t i = 1; i < pages; i++) {
		const struct page *tail = page + i;
		if (tail->owner == OWNER_NONE &&
		    (tail->state == PAGE_ABSENT || tail->order == ORDER_TAIL))
			continue;
		disagree(a, (frame + i) << PAGE_SHIFT, "the rest of a free chunk", NULL);
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
		disagree(a, frame << PAGE_SHIFT, "structures, a table or files of mezzo", NULL);
	return pages;
}

// One entry or chunk. Returns how many pages it takes; *unreached is set when it has an owner and no
// mark. With the allocator held.
static uint64_t scan_one(struct audit *a, uint64_t frame, uint64_t end, bool *unreached)
{
	const struct page *page = pages_at(frame);
	uint64_t position, pages = 1;

	(void)find_frame(a, frame, &position);
	bool reached = is_marked(a, position);
	if (page->state == PAGE_FREE || page->state == PAGE_ZEROED) {
		pages = scan_free(a, frame, end);
	} else if (page->owner == OWNER_NONE) {
		a->sums.absent++;
		if (page->state != PAGE_ABSENT)
			disagree(a, frame << PAGE_SHIFT, "an owner", NULL);
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

	disagree_sum(a, OWNER_EL2, PAGE_DATA, el2.data, sums->el2[0]);
	disagree_sum(a, OWNER_EL2, PAGE_TABLE, el2.table, sums->el2[1]);
	disagree_sum(a, OWNER_EL2, PAGE_BOOT, el2.boot, sums->el2[2]);
	disagree_sum(a, OWNER_BUNDLE, PAGE_BOOT, bundles, sums->bundle);
	disagree_sum(a, OWNER_NONE, PAGE_FREE, n.free, sums->free);
	disagree_sum(a, OWNER_NONE, PAGE_ABSENT, n.total + n.claimed,
	             sums->el2[0] + sums->el2[1] + sums->el2[2] + sums->bundle + sums->free +
	                     sums->owned);
}

// The end of what the marks are for.
static enum audit_step end_scan(struct audit *a)
{
	bool changed = pages_usage(OWNER_NONE).changes != a->changes;

	if (changed && ++a->tries < MAX_TRIES) {
		forget_findings(a);
		begin_scan(a);
		return AUDIT_MORE;
	}
	a->unsteady = a->unsteady || pages_usage(OWNER_NONE).changes != a->generation;
	if (a->window + WINDOW < a->positions) {
		a->window += WINDOW;
		a->at = 0;
		a->phase = CLEAR_ALL;
		return AUDIT_MORE;
	}
	if (!a->unsteady)
		check_sums(a);
	a->phase = DONE;
	return AUDIT_DONE;
}

// The frames of the region that is scanned, as far as the marks are for them. False: past the last.
static bool scan_range(struct audit *a, uint64_t *first, uint64_t *end)
{
	uint64_t position;

	if (!pages_region(a->scan_region, first, end))
		return false;
	(void)find_frame(a, *first, &position);
	uint64_t size = *end - *first;
	uint64_t skip = a->window > position ? a->window - position : 0;
	uint64_t stop = a->window + WINDOW > position ? a->window + WINDOW - position : 0;
	*end = *first + (stop < size ? stop : size);
	*first = *first + (skip < size ? skip : size);
	return true;
}

static enum audit_step step_scan(struct audit *a)
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

// ---- all of it ----

static uint64_t count_positions(void)
{
	uint64_t first, end, sum = 0;

	for (unsigned i = 0; pages_region(i, &first, &end); i++)
		sum += align_up(end, BLOCK_PAGES) - align_down(first, BLOCK_PAGES);
	return sum;
}

int audit_begin(struct audit *a)
{
	memset(a, 0, sizeof *a);
	a->positions = count_positions();
	uint64_t bytes = (a->positions < WINDOW ? a->positions : WINDOW) / 8;
	while (marks_size(a) < bytes)
		a->order++;
	a->mine = pages_alloc(a->order, OWNER_EL2, PAGE_DATA, NULL);
	a->all = pages_alloc(a->order, OWNER_EL2, PAGE_DATA, NULL);
	a->stamps = pages_alloc(STAMP_ORDER, OWNER_EL2, PAGE_DATA, NULL);
	a->phase = CLEAR_ALL;
	if (a->mine.v != 0 && a->all.v != 0 && a->stamps.v != 0)
		return 0;
	audit_end(a);
	return ERR_NO_MEMORY;
}

enum audit_step audit_step(struct audit *a)
{
	static enum audit_step (*const steps[])(struct audit *) = {
	        [CLEAR_ALL] = step_clear_all, [EL2] = step_el2,      [VM_CLEAR] = step_clear,
	        [VM_WALK] = step_walk,        [VM_LIST] = step_list, [VM_MERGE] = step_merge,
	        [SCAN] = step_scan,
	};

	return a->phase < ARRAY_SIZE(steps) ? steps[a->phase](a) : AUDIT_DONE;
}

void audit_end(struct audit *a)
{
	pa_t *const taken[] = {&a->mine, &a->all, &a->stamps};

	for (unsigned i = 0; i < ARRAY_SIZE(taken); i++) {
		if (taken[i]->v != 0)
			pages_free(*taken[i], NULL);
		*taken[i] = PA(0);
	}
}
