// SPDX-License-Identifier: Apache-2.0
// The ID registers as guests see them.
#ifndef TRAP_IDREGS_H
#define TRAP_IDREGS_H

#include "base/types.h"

struct vm;

// Computes the view from this CPU's registers. Once, on the boot CPU, after features_probe.
void idregs_init(void);

// What `vm` reads from the ID register with op0 = 3, op1 = 0, CRn = 0 and this CRm (0-7) and op2 (0-7).
// What is not listed, and the space reserved for later registers, reads as zero.
uint64_t idregs_read(const struct vm *vm, unsigned crm, unsigned op2);

#endif
