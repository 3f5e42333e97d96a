// SPDX-License-Identifier: Apache-2.0
// Recomputes from all page tables who has which page, and compares with the page array: docs/memory.md
// says what has to agree. In bounded steps, while guests run.
#ifndef VM_AUDIT_H
#define VM_AUDIT_H

#include "base/types.h"
#include "vm/vm.h"

#define AUDIT_MAX_FOUND 20
#define AUDIT_TEXT      56

// One disagreement. Only the first AUDIT_MAX_FOUND are kept.
struct audit_found {
	uint64_t page;             // PA; 0: it is about no single page
	char expected[AUDIT_TEXT]; // "linux's memory"
	char found[AUDIT_TEXT];    // "a table of rtos, mapped at 0x40000000"
};

// What was found of one VM.
struct audit_vm {
	char name[VM_NAME_SIZE];
	uint32_t id;
	uint64_t mapped, kept; // of its memory; kept: set aside, and not touched by the guest yet
	uint64_t tables, others;
	uint64_t devices; // pages of device registers that it reaches
	bool changed;     // all the time: its numbers were not compared
	bool agrees;
};

struct audit {
	// For the caller.
	struct audit_found found[AUDIT_MAX_FOUND];
	uint64_t disagreements; // kept or not
	struct audit_vm vm;     // good when a step returned AUDIT_VM
	struct audit_sums {
		uint64_t pages;  // that were looked at
		uint64_t moving; // of these: of VMs that came, went or changed meanwhile
		uint64_t el2[3], bundle, free, absent, owned; // el2: data, tables, from the boot
	} sums;
	bool unsteady; // pages came and went all the time: the sums were not compared

	// The rest is audit.c's own.
	uint8_t phase, nr_found;
	pa_t mine, all;     // marks: one bit a page of the window
	pa_t stamps;        // one word a VM number: what changes its walk knew
	unsigned order;     // of mine and all
	uint64_t window;    // the first page, counted over all regions, that the marks are for
	uint64_t positions; // how many there are, over all regions
	struct {
		uint64_t first, end, position; // frames; what `first` counts as
	} region;                              // the one that was looked at last
	uint64_t serial;
	uint32_t changes; // when the walk began
	uint8_t tries;
	uint64_t at; // address, word or frame that is next
	uint32_t list;
	bool own_done;      // the VM's own home was counted
	uint8_t lists_done; // and of these so many of its other lists were begun with
	uint64_t before;    // disagreements before the walk, or the scan
	struct audit_sums sums_before;
	uint32_t generation; // all changes, when the first scan began
	unsigned scan_region;
};

enum audit_step {
	AUDIT_MORE,
	AUDIT_VM,   // audit->vm is complete
	AUDIT_DONE, // the figures are
};

// Begins: takes memory for its marks, two bits a page, at most 4 MiB. ERR_NO_MEMORY.
int audit_begin(struct audit *audit);
// The next piece, some 20,000 instructions at most. No lock held; any CPU, one at a time.
enum audit_step audit_step(struct audit *audit);
// Gives the memory back. Also when it was broken off, or never began (all zero).
void audit_end(struct audit *audit);

#endif
