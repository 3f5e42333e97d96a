// SPDX-License-Identifier: Apache-2.0
// The oracle for what no emulator shows: it watches the operations of stage 2 as they are noted, keeps a
// memory of its own behind the caches and a record of what TLBs and instruction caches may still hold,
// and complains when an entry becomes valid too early. What it asks for, in the manual's words:
//
//   break before make     between two valid values of an entry lie: an invalid one, DSB, TLBI of the
//                         right kind, DSB (Arm ARM, "Break-before-make")
//   tables before links   a barrier between the contents of a table and the entry that leads to it
//   clean before use      what a guest reads with its MMU off (memory behind the caches) is what EL2 wrote,
//                         unless FEAT_S2FWB and CTR_EL0.IDC together make that needless
//   no stale fetches      IC IALLUIS and DSB between the last write of a page and its entry
//   no early scrub        what is zeroed is no table that walkers may use, nor a guest's memory
//   published             before EL2 returns, DSB and ISB stand behind the last entry
//
// Included once by a test; order_start() hooks itself in. A complaint is kept for order_verdict().
#ifndef UNIT_ORDER_H
#define UNIT_ORDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "fake.h"
#include "mem/pgtable.h"
#include "ram_arena.h"

#define ORDER_LINE 64

enum order_stage { ORDER_FRESH, ORDER_BROKEN, ORDER_DSB1, ORDER_TLBI, ORDER_GONE };

struct order_entry {
	uint64_t value;              // as it was last written
	enum order_stage stage;      // how far the break of its last valid value has come
	unsigned rounds;             // of TLBI and DSB since
	uint64_t leaf_pa, leaf_size; // what it mapped before the break; size 0: it led to a table
};

static struct {
	uint64_t size;                 // of the arena
	uint8_t *memory;               // what lies behind the caches
	struct order_entry *entry;     // one for each word of the arena: any may be an entry
	uint64_t *written;             // by page: when EL2 last wrote it through its caches
	bool *is_table;                // by page: linked from some entry
	uint32_t *unlinked;            // by page: 1 + the word that led to it, when it was a table
	bool *given;                   // by page: a guest has it, and may have written to it
	bool *left;                    // by page: a guest had it, and nobody zeroed it since
	uint64_t now, written_barrier; // counts events
	uint64_t ic_issued, ic_done;
	uint32_t *line; // cleaned lines whose DSB has not come
	size_t nr_lines, max_lines;
	uint32_t *broken; // words of the arena whose break is under way
	size_t nr_broken, max_broken;
	uint64_t unpublished, unsynchronised; // entries that no DSB, no ISB came after
	const char *drop; // an operation that is to be overlooked: see order_drop
	unsigned drop_number, dropped, met;
	bool needs_clean;
	unsigned
	        rounds; // of TLBI and DSB that this CPU needs for a break; 0: one, as the architecture says
	char verdict[200];
} order;

static void order_complain(const char *what, uint64_t address)
{
	if (order.verdict[0] == 0)
		snprintf(order.verdict, sizeof order.verdict, "%s (%#llx)", what,
		         (unsigned long long)address);
}

static bool order_in_arena(uint64_t address, uint64_t size)
{
	return range_contains(RAM_ARENA_BASE, order.size, address, size);
}

static uint64_t order_page(uint64_t address)
{
	return (address - RAM_ARENA_BASE) >> PAGE_SHIFT;
}

static void order_wrote(uint64_t address, uint64_t size)
{
	if (order_in_arena(address, size))
		for (uint64_t a = align_down(address, PAGE_SIZE); a < address + size;
		     a += PAGE_SIZE)
			order.written[order_page(a)] = order.now;
}

// No TLB leads to what the entry mapped any more: the guest has lost it.
static void order_gone(const struct order_entry *e)
{
	if (!order_in_arena(e->leaf_pa, e->leaf_size))
		return;
	for (uint64_t a = e->leaf_pa; a < e->leaf_pa + e->leaf_size; a += PAGE_SIZE) {
		order.given[order_page(a)] = false;
		order.left[order_page(a)] = true;
	}
}

// A DSB: cleaned lines have arrived behind the caches, broken entries are one step further.
static void order_dsb(bool stores_only)
{
	order.written_barrier = order.now;
	order.unpublished = 0;
	for (size_t i = 0; i < order.nr_broken; i++) {
		struct order_entry *e = &order.entry[order.broken[i]];
		if (e->stage == ORDER_BROKEN)
			e->stage = ORDER_DSB1;
		else if (e->stage == ORDER_TLBI && !stores_only)
			e->stage = ++e->rounds < order.rounds ? ORDER_DSB1 : ORDER_GONE;
		if (e->stage == ORDER_GONE && e->leaf_size != 0) {
			order_gone(e);
			e->leaf_size = 0;
		}
	}
	if (stores_only)
		return; // cache and TLB maintenance do not end with it
	order.ic_done = order.ic_issued;
	for (size_t i = 0; i < order.nr_lines; i++) {
		uint64_t offset = (uint64_t)order.line[i] * ORDER_LINE;
		memcpy(order.memory + offset, (uint8_t *)RAM_ARENA_BASE + offset, ORDER_LINE);
	}
	order.nr_lines = 0;
}

static void order_tlbi(void)
{
	for (size_t i = 0; i < order.nr_broken; i++) {
		struct order_entry *e = &order.entry[order.broken[i]];
		if (e->stage == ORDER_DSB1)
			e->stage = ORDER_TLBI;
	}
}

static void order_clean(uint64_t address)
{
	if (!order_in_arena(address, 1))
		return;
	if (order.nr_lines == order.max_lines) {
		order.max_lines = order.max_lines * 2 + 1024;
		order.line = realloc(order.line, order.max_lines * sizeof *order.line);
	}
	order.line[order.nr_lines++] = (uint32_t)((address - RAM_ARENA_BASE) / ORDER_LINE);
}

static void order_ic(void)
{
	if (order.nr_lines != 0)
		order_complain("instructions are forgotten before the new ones have arrived", 0);
	order.ic_issued = order.now;
}

static void order_leaf(uint64_t value, uint64_t size)
{
	uint64_t pa = value & PTE_ADDRESS;
	if (!order_in_arena(pa, size)) // a device
		return;
	for (uint64_t a = pa; a < pa + size; a += PAGE_SIZE) {
		if (order.given[order_page(a)])
			continue; // the same page in a larger block
		order.given[order_page(a)] = true;
		if (order.left[order_page(a)])
			continue; // with what it wrote there itself
		if (order.is_table[order_page(a)])
			order_complain("a table is mapped as the guest's memory", a);
		if ((value & PTE_S2_XN) == 0 && order.ic_done <= order.written[order_page(a)])
			order_complain("instruction caches may hold what was there before", a);
		if (order.needs_clean &&
		    memcmp((void *)a, order.memory + (a - RAM_ARENA_BASE), PAGE_SIZE) != 0)
			order_complain("behind the caches is not what was written", a);
	}
}

// Leaves of a table that was filled before it was linked: a block that became a table of its pages.
static void order_table(uint64_t table)
{
	for (uint64_t at = table; at < table + PAGE_SIZE; at += 8) {
		uint64_t value = *(uint64_t *)at;
		struct order_entry *e = &order.entry[(at - RAM_ARENA_BASE) / 8];
		if ((value & PTE_VALID) == 0 || (value & PTE_AF) == 0 || e->value == value)
			continue;
		e->value = value;
		order_leaf(value, PAGE_SIZE);
	}
}

static void order_entry_on(uint64_t at, uint64_t value)
{
	struct order_entry *e = &order.entry[(at - RAM_ARENA_BASE) / 8];
	if ((e->value & PTE_VALID) != 0 && e->value != value)
		order_complain("a valid entry was changed without a break", at);
	if (e->stage != ORDER_FRESH && e->stage != ORDER_GONE)
		order_complain("the TLBs may still hold the old entry", at);
	// A block is told from a page by its table alone, which no event names: by its alignment and type.
	bool is_page_or_table = (value & PTE_TABLE) != 0;
	bool is_leaf = !is_page_or_table || (value & PTE_AF) != 0;
	if (is_leaf) {
		order_leaf(value, is_page_or_table ? PAGE_SIZE : BLOCK_SIZE);
	} else {
		uint64_t table = order_page(value & PTE_ADDRESS);
		if (order.written[table] >= order.written_barrier)
			order_complain("a table is linked before its contents are seen", at);
		order.is_table[table] = true;
		order_table(value & PTE_ADDRESS);
	}
}

static void order_entry_off(uint64_t at)
{
	struct order_entry *e = &order.entry[(at - RAM_ARENA_BASE) / 8];
	if ((e->value & PTE_VALID) == 0)
		return;
	if ((e->value & PTE_TABLE) != 0 && (e->value & PTE_AF) == 0) {
		order.is_table[order_page(e->value & PTE_ADDRESS)] = false;
		order.unlinked[order_page(e->value & PTE_ADDRESS)] =
		        1 + (uint32_t)((at - RAM_ARENA_BASE) / 8);
	}
	bool is_leaf = (e->value & PTE_TABLE) == 0 || (e->value & PTE_AF) != 0;
	e->leaf_pa = e->value & PTE_ADDRESS;
	e->leaf_size = !is_leaf ? 0 : (e->value & PTE_TABLE) != 0 ? PAGE_SIZE : BLOCK_SIZE;
	e->stage = ORDER_BROKEN;
	e->rounds = 0;
	if (order.nr_broken == order.max_broken) {
		order.max_broken = order.max_broken * 2 + 64;
		order.broken = realloc(order.broken, order.max_broken * sizeof *order.broken);
	}
	order.broken[order.nr_broken++] = (uint32_t)((at - RAM_ARENA_BASE) / 8);
}

static void order_entry_write(uint64_t at, uint64_t value)
{
	if (!order_in_arena(at, 8)) {
		order_complain("an entry lies outside of RAM", at);
		return;
	}
	if ((value & PTE_VALID) != 0)
		order_entry_on(at, value);
	else
		order_entry_off(at);
	order.entry[(at - RAM_ARENA_BASE) / 8].value = value;
	order.unpublished = order.unsynchronised = at;
}

// The entries of a new table have no past: a freed table's link was broken and invalidated.
static void order_zeroed(uint64_t address, uint64_t size)
{
	if (!order_in_arena(address, size))
		return;
	uint64_t page = order_page(address);
	if (order.is_table[page])
		order_complain("a table that is in use was zeroed", address);
	if (order.unlinked[page] != 0 && order.entry[order.unlinked[page] - 1].stage != ORDER_GONE)
		order_complain("a table was zeroed that walkers may still use", address);
	if (order.given[page])
		order_complain("memory was zeroed that a guest has", address);
	order.unlinked[page] = 0;
	order.left[page] = false;
	for (uint64_t a = address; a < address + size; a += 8)
		order.entry[(a - RAM_ARENA_BASE) / 8] = (struct order_entry){0};
	order_wrote(address, size);
}

static bool order_event(const struct fake_event *event)
{
	const char *n = event->name;
	if (n == NULL || event->kind == FAKE_READ_SYSREG || event->kind == FAKE_WRITE_SYSREG)
		return false;
	if (order.drop != NULL && strcmp(n, order.drop) == 0) {
		order.met++;
		if (order.drop_number == 0 || order.drop_number == order.met) {
			order.dropped++;
			return false;
		}
	}
	order.now++;
	if (strcmp(n, "dc zva") == 0 || strcmp(n, "zero16") == 0)
		order_zeroed(align_down(event->address, event->size), event->size);
	else if (strcmp(n, "copy64") == 0 || strcmp(n, "copy256") == 0)
		order_wrote(event->address, event->size);
	else if (strcmp(n, "dc civac") == 0 || strcmp(n, "dc cvac") == 0)
		order_clean(event->address);
	else if (strcmp(n, "dsb sy") == 0 || strcmp(n, "dsb ish") == 0)
		order_dsb(false);
	else if (strcmp(n, "dsb ishst") == 0)
		order_dsb(true);
	else if (strcmp(n, "dmb ishst") == 0 || strcmp(n, "dmb ish") == 0)
		order.written_barrier = order.now;
	else if (strcmp(n, "tlbi vmalls12e1is") == 0 || strcmp(n, "tlbi alle1is") == 0)
		order_tlbi();
	else if (strcmp(n, "ic ialluis") == 0)
		order_ic();
	else if (strcmp(n, "isb") == 0)
		order.unsynchronised = 0;
	else if (strcmp(n, "pte on") == 0 || strcmp(n, "pte off") == 0)
		order_entry_write(event->address, event->value);
	else if (event->kind == FAKE_BARRIER || strncmp(n, "tlbi", 4) == 0)
		order_complain("an operation that this oracle does not know", 0);
	return false; // the log would overflow
}

// Begins to watch, with the arena's contents behind the caches unlike those in front of them.
UNUSED static void order_start(uint64_t arena_size, bool needs_clean)
{
	if (order.memory == NULL) {
		order.size = arena_size;
		order.memory = malloc(arena_size);
		order.entry = calloc(arena_size / 8, sizeof *order.entry);
		order.written = calloc(arena_size / PAGE_SIZE, sizeof *order.written);
		order.is_table = calloc(arena_size / PAGE_SIZE, sizeof *order.is_table);
		order.given = calloc(arena_size / PAGE_SIZE, sizeof *order.given);
		order.left = calloc(arena_size / PAGE_SIZE, sizeof *order.left);
		order.unlinked = calloc(arena_size / PAGE_SIZE, sizeof *order.unlinked);
		memset(order.memory, 0x5a, arena_size);
	}
	order.needs_clean = needs_clean;
	order.verdict[0] = 0;
	order.nr_lines = order.nr_broken = 0;
	order.unpublished = order.unsynchronised = 0;
	fake_event_hook = order_event;
}

// From now on the oracle does not see the n-th operation of this name, from 1 on; 0: none of them. As
// if the code had left them out.
UNUSED static void order_drop(const char *name, unsigned number)
{
	order.drop = name;
	order.drop_number = number;
	order.dropped = order.met = 0;
}

// The address space is gone: no CPU and no TLB leads to its tables and memory any more.
UNUSED static void order_forget(void)
{
	for (uint64_t page = 0; page < order.size / PAGE_SIZE; page++) {
		order.is_table[page] = order.given[page] = order.left[page] = false;
		order.unlinked[page] = 0;
	}
}

// What lies behind the caches is old.
UNUSED static void order_spoil(uint64_t pa, uint64_t size)
{
	memset(order.memory + (pa - RAM_ARENA_BASE), 0x5a, size);
}

// The guest ran and wrote [pa, pa+size) through its caches; whatever lies behind them now is old.
UNUSED static void order_guest_wrote(uint64_t pa, uint64_t size, int byte)
{
	order.now++;
	if (!order_in_arena(pa, size))
		return;
	memset((uint8_t *)RAM_ARENA_BASE + (pa - RAM_ARENA_BASE), byte, size);
	order_wrote(pa, size);
}

// What is wrong since order_start, or NULL. Also asks whether all entries are published.
UNUSED static const char *order_verdict(void)
{
	if (order.unpublished != 0)
		order_complain("an entry that walkers may not see yet", order.unpublished);
	if (order.unsynchronised != 0)
		order_complain("no ISB behind the last entry", order.unsynchronised);
	return order.verdict[0] != 0 ? order.verdict : NULL;
}

UNUSED static void order_free(void)
{
	free(order.memory);
	free(order.entry);
	free(order.written);
	free(order.is_table);
	free(order.given);
	free(order.left);
	free(order.unlinked);
	free(order.line);
	free(order.broken);
}

#endif
