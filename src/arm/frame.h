// SPDX-License-Identifier: Apache-2.0
// The layout that guest.S, fpsimd.S and C agree on. The numbers are for the assembler; C checks them.
#ifndef ARM_FRAME_H
#define ARM_FRAME_H

#define FRAME_PC      248 // after x0..x30
#define FRAME_PSTATE  256
#define FRAME_HOST_SP 264
#define FRAME_SIZE    272

#define FP_FPCR 512 // after v0..v31
#define FP_FPSR 520

#ifndef __ASSEMBLER__
#include "base/types.h"

// While the guest runs, SP_EL2 points here, so that an exit stores into it at once.
struct guest_frame {
	uint64_t x[31];
	uint64_t pc;      // ELR_EL2
	uint64_t pstate;  // SPSR_EL2
	uint64_t host_sp; // EL2's own stack while the guest runs
} __attribute__((aligned(16)));

struct fp_state {
	uint64_t v[64]; // v0.lo, v0.hi, v1.lo, ...
	uint64_t fpcr, fpsr;
} __attribute__((aligned(16)));

STATIC_ASSERT(offsetof(struct guest_frame, pc) == FRAME_PC, "guest.S");
STATIC_ASSERT(offsetof(struct guest_frame, pstate) == FRAME_PSTATE, "guest.S");
STATIC_ASSERT(offsetof(struct guest_frame, host_sp) == FRAME_HOST_SP, "guest.S");
STATIC_ASSERT(sizeof(struct guest_frame) == FRAME_SIZE, "guest.S");
STATIC_ASSERT(offsetof(struct fp_state, fpcr) == FP_FPCR, "fpsimd.S");
STATIC_ASSERT(offsetof(struct fp_state, fpsr) == FP_FPSR, "fpsimd.S");
#endif
#endif
