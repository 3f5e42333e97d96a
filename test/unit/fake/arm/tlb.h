// SPDX-License-Identifier: Apache-2.0
// Shadows src/arm/tlb.h: the same order of operations, and each write of an entry is a line in the log:
// "pte on" if it makes the entry valid, "pte off" if not.
#ifndef FAKE_ARM_TLB_H
#define FAKE_ARM_TLB_H

#include "../fake.h"

#define pte_write pte_write_unseen
#include "../../../../src/arm/tlb.h"
#undef pte_write

static inline void pte_write(uint64_t *entry, uint64_t value)
{
	pte_write_unseen(entry, value);
	fake_note(FAKE_OTHER, (value & 1) != 0 ? "pte on" : "pte off", (uintptr_t)entry, value, 8);
}

#endif
