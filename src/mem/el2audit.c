// SPDX-License-Identifier: Apache-2.0
// The rules for EL2's own map, each held against one entry at a time. Owns nothing. Called at boot, before the
// first guest, and by the shell's audit. It trusts neither el2map.c nor the attributes named there: only what
// the tables say, the linker's symbols and the page array.
// Source: Arm ARM, "Stage 1 translation", "SCTLR_EL2, System Control Register (EL2)"; docs/memory.md.
#include "mem/el2audit.h"

#include "arm/features.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "mem/el2map.h"
#include "mem/pages.h"

#define PFR1_BT      GENMASK_U64(3, 0)       // ID_AA64PFR1_EL1
#define ATTR_INDEX   GENMASK_U64(4, 2)       // of a stage 1 descriptor
#define STEP         4096                    // entries of one turn of the walk
#define STACK_WINDOW (2 * EL2MAP_STACK_SIZE) // the lower half is the guard

extern char image_start[], text_end[], rodata_end[], boot_stack_guard[];
extern char el3_start[], el3_end[];

// What an entry maps, or several side by side that say the same.
struct leaf {
	uint64_t va, pa, size, entry;
};

static bool lies_in(const struct leaf *leaf, uint64_t start, uint64_t end)
{
	return range_contains(start, end - start, leaf->va, leaf->size);
}

static bool meets(const struct leaf *leaf, uint64_t start, uint64_t end)
{
	return ranges_overlap(leaf->va, leaf->size, start, end - start);
}

// Whether RAM that the page array knows is among the pages.
static bool is_ram(const struct leaf *leaf)
{
	uint64_t first, end;
	for (unsigned i = 0; pages_region(i, &first, &end); i++)
		if (ranges_overlap(leaf->pa >> PAGE_SHIFT, leaf->size >> PAGE_SHIFT, first,
		                   end - first))
			return true;
	return false;
}

// Whether all of them are RAM that is EL2's own. Regions that touch are one.
static bool is_own_ram(const struct leaf *leaf)
{
	uint64_t first, end, frame = leaf->pa >> PAGE_SHIFT, count = leaf->size >> PAGE_SHIFT;
	for (unsigned i = 0; pages_region(i, &first, &end); i++) {
		if (!range_contains(first, end - first, frame, count))
			continue;
		while (count > 0 && pages_at(frame + count - 1)->owner == OWNER_EL2)
			count--;
		return count == 0;
	}
	return false;
}

// ---- the rules: in words, true if the entry keeps it ----

static bool writes_or_executes(const struct leaf *leaf)
{
	return (leaf->entry & (PTE_S1_XN | PTE_S1_RO)) != 0;
}

static bool executes_text_alone(const struct leaf *leaf)
{
	return (leaf->entry & PTE_S1_XN) != 0 ||
	       lies_in(leaf, (uintptr_t)image_start, (uintptr_t)text_end);
}

static bool text_is_guarded(const struct leaf *leaf)
{
	return (leaf->entry & (PTE_S1_XN | PTE_S1_GP)) != 0 ||
	       (read_sysreg(id_aa64pfr1_el1) & PFR1_BT) == 0;
}

static bool constants_are_constant(const struct leaf *leaf)
{
	return (leaf->entry & PTE_S1_RO) != 0 ||
	       !meets(leaf, (uintptr_t)image_start, (uintptr_t)rodata_end);
}

static bool stacks_are_guarded(const struct leaf *leaf)
{
	uint64_t guard = (uintptr_t)boot_stack_guard;
	uint64_t inside = (leaf->va - EL2MAP_STACKS) % STACK_WINDOW;
	if (meets(leaf, guard, guard + PAGE_SIZE))
		return false;
	return !meets(leaf, EL2MAP_STACKS, EL2MAP_ELSEWHERE) ||
	       (inside >= STACK_WINDOW / 2 && leaf->size <= STACK_WINDOW - inside);
}

static bool el3_is_left_alone(const struct leaf *leaf)
{
	return (uintptr_t)el3_start == (uintptr_t)el3_end ||
	       !meets(leaf, (uintptr_t)el3_start, (uintptr_t)el3_end);
}

static bool has_one_address(const struct leaf *leaf)
{
	return leaf->va >= EL2MAP_PAGES || leaf->va == leaf->pa;
}

// Besides its own address Mezzo's own memory alone has another one: the page array and the stacks.
static bool has_no_alias(const struct leaf *leaf)
{
	if (leaf->va < EL2MAP_PAGES)
		return true;
	if (leaf->va >= EL2MAP_ELSEWHERE)
		return leaf->va - EL2MAP_ELSEWHERE == leaf->pa && !is_ram(leaf);
	return is_own_ram(leaf);
}

static bool is_no_device(const struct leaf *leaf)
{
	return (leaf->entry & ATTR_INDEX) == PTE_S1_NORMAL || !is_ram(leaf);
}

static const struct {
	bool (*keeps)(const struct leaf *leaf);
	const char *text;
} rules[] = {
        {writes_or_executes, "mezzo writes or executes it"},
        {executes_text_alone, "mezzo executes its text alone"},
        {text_is_guarded, "mezzo's text is guarded (BTI)"},
        {constants_are_constant, "text and constants are read-only"},
        {stacks_are_guarded, "a guard page is not mapped"},
        {el3_is_left_alone, "memory of EL3 is not mapped"},
        {has_one_address, "it is mapped at its own address"},
        {has_no_alias, "mezzo's own alone has another address"},
        {is_no_device, "RAM is normal memory"},
};

static const char *broken_rule(const struct leaf *leaf)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
		if (!rules[i].keeps(leaf))
			return rules[i].text;
	return NULL;
}

static struct leaf leaf_of(const struct pgtable_visit *v)
{
	uint64_t size = pgtable_span(v->level);
	return (struct leaf){
	        .va = v->address,
	        .pa = v->entry & PTE_ADDRESS & ~(size - 1),
	        .size = size,
	        .entry = v->entry,
	};
}

const char *el2audit_rule(const struct pgtable_visit *v)
{
	const struct leaf leaf = leaf_of(v);
	return broken_rule(&leaf);
}

const char *el2audit_cpu(void)
{
	uint64_t sctlr = read_sysreg(sctlr_el2);
	if ((sctlr & SCTLR_EL2_ON) != SCTLR_EL2_ON)
		return "SCTLR_EL2 has M, SA and WXN set";
	if (feature_has(FEATURE_PAUTH) && (sctlr & BIT_U64(SCTLR_EL2_ENIA_BIT)) == 0)
		return "SCTLR_EL2 has EnIA set: return addresses are signed";
	return NULL;
}

// ---- the whole map ----

struct run {
	struct el2audit *result;
	struct leaf leaf; // size 0: none
};

static void check_run(struct run *run)
{
	const char *rule = run->leaf.size != 0 ? broken_rule(&run->leaf) : NULL;
	if (rule != NULL && run->result->wrong++ == 0) {
		run->result->first = rule;
		run->result->at = run->leaf.va;
	}
}

static bool visit(void *argument, const struct pgtable_visit *v, unsigned *budget UNUSED)
{
	struct run *run = argument;
	struct leaf *leaf = &run->leaf;
	if (v->table)
		return true;
	if ((v->entry & PTE_VALID) == 0)
		return false;
	run->result->entries++;
	if (v->address == leaf->va + leaf->size && v->entry == leaf->entry + leaf->size) {
		leaf->size += pgtable_span(v->level); // the same attributes, and the next address
		return false;
	}
	check_run(run);
	*leaf = leaf_of(v);
	return false;
}

void el2audit_run(struct el2audit *result)
{
	static const struct pgtable_visitor visitor = {.visit = visit};
	struct run run = {.result = result};
	uint64_t at = 0;
	*result = (struct el2audit){0};
	while (at < BIT_U64(48))
		el2map_walk(&at, STEP, &visitor, &run);
	check_run(&run);
	const char *cpu = el2audit_cpu();
	if (cpu != NULL && result->wrong++ == 0)
		result->first = cpu;
}
