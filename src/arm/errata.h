// SPDX-License-Identifier: Apache-2.0
// Errata of the cores that Mezzo may run on, and what is done about each: one table, by MIDR_EL1.
#ifndef ARM_ERRATA_H
#define ARM_ERRATA_H

#include "base/types.h"

// Some CPU here may say that a TLB invalidation is complete when it is not: each is made twice (arm/tlb.h). Set while
// CPUs start, before the first guest runs; fixed after.
extern bool errata_repeat_tlbi;

// Writes to the log which errata a core with this MIDR_EL1 has and who avoids them; once for each kind of
// core, and nothing for kinds without a row. From the boot CPU, and from each other one while the boot
// CPU waits for it. No lock.
void errata_report(uint64_t midr);

#endif
