// SPDX-License-Identifier: Apache-2.0
// What the two halves of the audit share: audit.c walks tables, audit_array.c goes through the page array.
#ifndef VM_AUDIT_PARTS_H
#define VM_AUDIT_PARTS_H

#include "base/bits.h"
#include "vm/audit.h"

// Pages that marks are made for at a time: 64 GiB. Larger boards are gone through more than once.
#define MOST_MARKS (UINT64_C(1) << 24)
#ifndef WINDOW // a test has a smaller one
#define WINDOW MOST_MARKS
#endif
#define BLOCK_PAGES (UINT64_C(1) << PAGES_MAX_ORDER)
#define MAX_TRIES   3           // of what changes while it is looked at
#define STAMP_SEEN  BIT_U32(31) // the VM of this number was walked

enum audit_phase {
	AUDIT_PHASE_CLEAR_ALL,
	AUDIT_PHASE_EL2,
	AUDIT_PHASE_VM_CLEAR,
	AUDIT_PHASE_VM_WALK,
	AUDIT_PHASE_VM_LIST,
	AUDIT_PHASE_VM_MERGE,
	AUDIT_PHASE_SCAN,
	AUDIT_PHASE_DONE,
};

// ---- audit.c ----

// Whether the array describes the frame. *position counts pages over all regions; blocks of 2 MiB begin
// at multiples of 512.
bool audit_find(struct audit *a, uint64_t frame, uint64_t *position);
// A disagreement about a page (0: about none); `found` NULL: what the array says of it.
void audit_disagree(struct audit *a, uint64_t pa, const char *expected, const char *found);
// Two counts of an owner's pages in a state disagree, if they do.
void audit_disagree_sum(struct audit *a, uint16_t owner, uint8_t state, uint64_t expected,
                        uint64_t found);
// Takes back what was found since a->before.
void audit_forget(struct audit *a);
// Whether a page of the window was reached by any walk.
bool audit_is_marked(const struct audit *a, uint64_t position);
// pages_usage().changes of a VM when its walk was over, and STAMP_SEEN.
uint32_t *audit_stamp(const struct audit *a, uint32_t id);

// ---- audit_array.c ----

void audit_scan_begin(struct audit *a);
enum audit_step audit_scan(struct audit *a);

#endif
