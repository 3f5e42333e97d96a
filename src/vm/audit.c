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
#include "mem/el2audit.h"
#include "mem/el2map.h"
#include "vm/audit_parts.h"
#include "vm/pvtime.h"

#define WALK_STEP   500     // entries; 20 to 30 instructions each
#define LIST_STEP   16      // chunks, of up to 512 pages
#define LIST_PAGES  600     // ... and no more pages than these and one chunk
#define CLEAR_STEP  KIB(64) // bytes of marks
#define MERGE_STEP  1024    // words of marks
#define BLOCK_COST  120     // of the 512 pages of a block, in entries
#define STAMP_ORDER 2

STATIC_ASSERT((PAGE_SIZE << STAMP_ORDER) == VM_MAX * sizeof(uint32_t), "a stamp for each number");
STATIC_ASSERT(OWNER_VM_MAX == VM_MAX, "each VM can be an owner");
STATIC_ASSERT(MOST_MARKS / 8 <= PAGE_SIZE << PAGES_MAX_ORDER, "marks are one chunk");

// ---- words ----

// Whether the array describes the frame. *position counts pages over all regions, and blocks of 2 MiB
// begin at multiples of 512.
bool audit_find(struct audit *a, uint64_t frame, uint64_t *position)
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
void audit_disagree(struct audit *a, uint64_t pa, const char *expected, const char *found)
{
	uint64_t position = 0;
	if (pa != 0 && audit_find(a, pa >> PAGE_SHIFT, &position))
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
	audit_disagree(a, pa, expected, found);
}

void audit_disagree_sum(struct audit *a, uint16_t owner, uint8_t state, uint64_t expected,
                        uint64_t found)
{
	char one[AUDIT_TEXT], other[AUDIT_TEXT], what[AUDIT_TEXT];

	if (expected == found)
		return;
	describe(what, owner, state);
	print_buffer(one, sizeof one, "%lu pages, %.36s", (unsigned long)expected, what);
	print_buffer(other, sizeof other, "%lu pages", (unsigned long)found);
	audit_disagree(a, 0, one, other);
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

bool audit_is_marked(const struct audit *a, uint64_t position)
{
	return (*word_of(a->all, position - a->window) & BIT_U64(position % 64)) != 0;
}

uint32_t *audit_stamp(const struct audit *a, uint32_t id)
{
	return (uint32_t *)(uintptr_t)a->stamps.v + (id - 1);
}

// One page that was reached: it must be this owner's, in this state, and new. Returns whether it is.
static bool reach(struct audit *a, uint64_t pa, uint16_t owner, uint8_t state)
{
	uint64_t position;

	if (!audit_find(a, pa >> PAGE_SHIFT, &position)) {
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

	return audit_find(a, pa >> PAGE_SHIFT, &position) &&
	       pages_at(pa >> PAGE_SHIFT)->owner == owner;
}

// A block that is as it should be, quickly. False: look at it page by page.
static bool reach_block(struct audit *a, uint64_t pa, uint16_t owner)
{
	uint64_t frame = pa >> PAGE_SHIFT, position, seen = 0;

	if (!is_aligned(frame, BLOCK_PAGES) || !audit_find(a, frame, &position) ||
	    a->region.end - frame < BLOCK_PAGES || position - a->window >= WINDOW)
		return false;
	const struct page *page = pages_at(frame);
	for (unsigned i = 0; i < BLOCK_PAGES; i++)
		if (page[i].owner != owner || (page[i].state != PAGE_GUEST && owner != OWNER_EL2))
			return false;
	uint64_t *word = word_of(a->mine, position - a->window);
	for (unsigned i = 0; i < BLOCK_PAGES / 64; i++)
		seen |= word[i];
	for (unsigned i = 0; i < BLOCK_PAGES / 64 && seen == 0; i++)
		word[i] = UINT64_MAX;
	return seen == 0;
}

// ---- EL2 ----

// What an entry of the upper part of EL2's map leads to: pages of the array, and of stacks. A block ends the step.
static void reach_own(struct audit *a, uint64_t pa, unsigned level, unsigned *budget)
{
	unsigned pages = level == 3 ? 1 : BLOCK_PAGES;

	if (level < 3 && reach_block(a, pa, OWNER_EL2))
		pages = 0;
	for (unsigned i = 0; i < pages; i++)
		(void)reach(a, pa + i * PAGE_SIZE, OWNER_EL2, PAGE_TABLE);
	*budget = level == 3 ? *budget : 0;
}

static bool visit_el2(void *argument, const struct pgtable_visit *v, unsigned *budget)
{
	struct audit *a = argument;
	uint64_t pa = v->entry & PTE_ADDRESS, position;

	if (v->table) {
		bool here = audit_find(a, pa >> PAGE_SHIFT, &position);
		if (!here && el2map_is_image(PA(pa)))
			return true;
		return v->again ? here : reach(a, pa, OWNER_EL2, PAGE_TABLE);
	}
	if ((v->entry & PTE_VALID) == 0)
		return false;
	const char *rule = el2audit_rule(v);
	*budget -= *budget > 0 ? 1 : 0; // the rules cost as much as the walk
	if (rule != NULL) {
		char found[AUDIT_TEXT];
		print_buffer(found, sizeof found, "not so, at %#lx of its map",
		             (unsigned long)v->address);
		audit_disagree(a, pa, rule, found);
	}
	// Below lies all RAM as it is; above, what is Mezzo's alone, and last what is nobody's.
	if (v->address >= EL2MAP_PAGES && v->address < EL2MAP_ELSEWHERE)
		reach_own(a, pa, v->level, budget);
	return false;
}

static const struct pgtable_visitor el2_visitor = {.visit = visit_el2};

static enum audit_step step_el2(struct audit *a)
{
	el2map_walk(&a->at, WALK_STEP, &el2_visitor, a);
	if (a->at < BIT_U64(48))
		return AUDIT_MORE;
	a->phase = AUDIT_PHASE_VM_MERGE;
	a->at = 0;
	return AUDIT_MORE;
}

// ---- a VM ----

struct stage2_walk {
	struct audit *audit;
	const struct vm *vm;
};

static void reach_memory(struct stage2_walk *w, uint64_t pa, uint64_t pages, uint64_t *count)
{
	for (uint64_t i = 0; i < pages; i++)
		*count += reach(w->audit, pa + i * PAGE_SIZE, (uint16_t)w->vm->id, PAGE_GUEST) ? 1
		                                                                               : 0;
}

// A page of the VM's own that its guest can only read: what tells it of stolen time (vm/pvtime.h), which is never executed;
// what its flash holds (vdev/vflash.h), where one page may stand for many. That it is the VM's alone is seen from the
// VM's lists.
static bool is_readonly(const struct stage2_walk *w, const struct pgtable_visit *v)
{
	const struct page *page = pages_entry(PA(v->entry & PTE_ADDRESS));
	bool never_executed = (v->entry & PTE_S2_XN) != 0;
	bool right = w->vm->flash != NULL && v->address < VFLASH_END ? !never_executed
	             : v->address == PVTIME_BASE                     ? never_executed
	                                                             : false;

	return right && v->level == 3 && page != NULL && page->owner == w->vm->id &&
	       page->state == PAGE_DATA && (v->entry & PTE_S2_WRITE) == 0;
}

// A mapping where the VM has no memory: registers of a device (GICv2's CPU interface), never RAM.
static void visit_device(struct stage2_walk *w, const struct pgtable_visit *v)
{
	uint64_t pa = v->entry & PTE_ADDRESS, position;
	char found[AUDIT_TEXT];

	if (is_readonly(w, v))
		return;
	w->audit->vm.devices += pgtable_span(v->level) / PAGE_SIZE;
	if (!audit_find(w->audit, pa >> PAGE_SHIFT, &position))
		return;
	print_buffer(found, sizeof found, "RAM, mapped at %#lx of %.20s", (unsigned long)v->address,
	             w->vm->name);
	audit_disagree(w->audit, pa, "registers of a device", found);
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
		audit_disagree(a, pa, "at most 2 MiB in one entry of stage 2", "more");
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

void audit_forget(struct audit *a)
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
	a->lists_done = 0;
	a->list = vm->pages.first;
	a->at = 0;
	a->phase = AUDIT_PHASE_VM_WALK;
}

// It changed between two pieces: from the start again, or for what it is worth.
static bool is_changed(struct audit *a)
{
	if (a->vm.changed || pages_usage((uint16_t)a->vm.id).changes == a->changes)
		return false;
	a->tries++;
	audit_forget(a);
	a->vm.id--; // it is the next one again
	a->phase = AUDIT_PHASE_VM_CLEAR;
	a->at = 0;
	return true;
}

// The VM that is looked at, if it is still there.
static struct vm *current_vm(struct audit *a)
{
	struct vm *vm = vm_by_id(a->vm.id);

	if (vm != NULL && vm->serial == a->serial)
		return vm;
	audit_forget(a);
	a->phase = AUDIT_PHASE_VM_CLEAR;
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
		a->phase = AUDIT_PHASE_VM_LIST;
	return AUDIT_MORE;
}

// Returns whether the chunk was new, so that a list that runs in a circle ends.
static bool reach_chunk(struct audit *a, uint64_t frame, uint64_t *pages)
{
	uint64_t position;
	bool good = false;

	*pages = 1;
	if (audit_find(a, frame, &position) && pages_at(frame)->order <= PAGES_MAX_ORDER)
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
		audit_disagree_sum(a, owner, PAGE_GUEST, usage.guest, a->vm.mapped + a->vm.kept);
		audit_disagree_sum(a, owner, PAGE_TABLE, usage.table, a->vm.tables);
		audit_disagree_sum(a, owner, PAGE_DATA, usage.data, a->vm.others);
		audit_disagree_sum(a, owner, PAGE_BOOT, usage.boot, 0);
	}
	// A stamp that fits no count marks what is not to be held against it.
	*audit_stamp(a, a->vm.id) = STAMP_SEEN | (usage.changes + (a->vm.changed ? 1u << 30 : 0));
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
	const uint32_t lists[] = {vm->scratch.first, vm->given.first};
	while (a->list == 0 && a->lists_done < ARRAY_SIZE(lists))
		a->list = lists[a->lists_done++];
	for (unsigned i = 0; i < LIST_STEP && sum < LIST_PAGES && a->list != 0; i++) {
		bool good = reach_chunk(a, a->list, &pages);
		a->list = good ? pages_at(a->list)->next : 0;
		sum += pages;
	}
	// Marks end a circle only in the window that they are for.
	bool left = a->list != 0 || a->lists_done < ARRAY_SIZE(lists);
	if (left && a->vm.others <= pages_usage((uint16_t)a->vm.id).data)
		return AUDIT_MORE;
	check_vm(a);
	a->phase = AUDIT_PHASE_VM_MERGE;
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

static enum audit_step step_clear_all(struct audit *a)
{
	if (!clear(a, a->all))
		return AUDIT_MORE;
	cache_zero_pages((void *)(uintptr_t)a->mine.v,
	                 marks_size(a) < CLEAR_STEP ? marks_size(a) : CLEAR_STEP);
	cache_zero_pages((void *)(uintptr_t)a->stamps.v, PAGE_SIZE << STAMP_ORDER);
	a->vm = (struct audit_vm){0};
	a->serial = a->at = 0;
	a->phase = marks_size(a) > CLEAR_STEP ? AUDIT_PHASE_VM_CLEAR : AUDIT_PHASE_EL2;
	return AUDIT_MORE;
}

// Empty marks for whoever is next: EL2 before number 1.
static enum audit_step step_clear(struct audit *a)
{
	if (!clear(a, a->mine))
		return AUDIT_MORE;
	a->at = 0;
	if (a->serial == 0) {
		a->phase = AUDIT_PHASE_EL2;
		return AUDIT_MORE;
	}
	struct vm *vm = vm_after(a->vm.id);
	if (vm != NULL)
		begin_vm(a, vm);
	else
		audit_scan_begin(a);
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
	a->phase = AUDIT_PHASE_VM_CLEAR;
	a->at = 0;
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
	a->phase = AUDIT_PHASE_CLEAR_ALL;
	if (a->mine.v != 0 && a->all.v != 0 && a->stamps.v != 0)
		return 0;
	audit_end(a);
	return ERR_NO_MEMORY;
}

enum audit_step audit_step(struct audit *a)
{
	static enum audit_step (*const steps[])(struct audit *) = {
	        [AUDIT_PHASE_CLEAR_ALL] = step_clear_all, [AUDIT_PHASE_EL2] = step_el2,
	        [AUDIT_PHASE_VM_CLEAR] = step_clear,      [AUDIT_PHASE_VM_WALK] = step_walk,
	        [AUDIT_PHASE_VM_LIST] = step_list,        [AUDIT_PHASE_VM_MERGE] = step_merge,
	        [AUDIT_PHASE_SCAN] = audit_scan,
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
