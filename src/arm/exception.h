// SPDX-License-Identifier: Apache-2.0
// Reporting of EL2's own exceptions.
#ifndef ARM_EXCEPTION_H
#define ARM_EXCEPTION_H

#include "base/panic.h"
#include "base/types.h"

// Built by vectors.S on the panic stack.
struct own_fault_frame {
	uint64_t x[31];
	uint64_t sp;
};

// vector: 0-3 with SP_EL0, 4-7 with SP_EL2; synchronous, IRQ, FIQ, SError.
NORETURN void exception_own_fault(const struct own_fault_frame *frame, uint64_t vector);

#endif
