// SPDX-License-Identifier: Apache-2.0
// Whether EL2's own map is what docs/memory.md promises, found by walking the tables.
#ifndef MEM_EL2AUDIT_H
#define MEM_EL2AUDIT_H

#include "mem/pgtable.h"

struct el2audit {
	uint64_t entries;  // that map something
	uint32_t wrong;    // runs of like entries that break a rule
	const char *first; // the rule that was broken first, in words; NULL: none
	uint64_t at;       // ... by the run that begins at this address
};

// The rule, in words, that an entry of EL2's map breaks which maps something; NULL: none.
const char *el2audit_rule(const struct pgtable_visit *leaf);
// The same of this CPU's SCTLR_EL2.
const char *el2audit_cpu(void);
// The whole map, before the first guest runs: LOCK_EL2_MAP is held for 4,096 entries at a time. The page array has
// 1,024 a GiB of RAM, and RAM itself few; entries side by side that say the same are looked at together.
void el2audit_run(struct el2audit *result);

#endif
