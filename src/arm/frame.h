// SPDX-License-Identifier: Apache-2.0
// The layout that guest.S, fpsimd.S and C agree on. The numbers are for the assembler; C checks them.
#ifndef ARM_FRAME_H
#define ARM_FRAME_H

#define FRAME_HOST_SP 0
#define FRAME_CALLS   8
#define FRAME_X       16
#define FRAME_X30     256
#define FRAME_PC      272 // after x0..x30 and XZR
#define FRAME_PSTATE  280
#define FRAME_KEY     288 // APIAKeyLo_EL1, APIAKeyHi_EL1
#define FRAME_SIZE    304

#define FP_FPCR 512 // after v0..v31
#define FP_FPSR 520

#ifndef __ASSEMBLER__
#include "base/types.h"

// While the guest runs, SP_EL2 points here, so that an exit stores into it at once. What the shortest exits
// use is in the first 64 bytes.
struct guest_frame {
	uint64_t host_sp; // EL2's own stack while the guest runs
	uint64_t calls;   // HVCs that exits.S has answered
	uint64_t x[32];   // x[31]: what is loaded into XZR; never read
	uint64_t pc;      // ELR_EL2
	uint64_t pstate;  // SPSR_EL2
	uint64_t key[2];  // APIAKey_EL1, low half first: EL2 signs with one of its own meanwhile
} __attribute__((aligned(16)));

struct fp_state {
	uint64_t v[64]; // v0.lo, v0.hi, v1.lo, ...
	uint64_t fpcr, fpsr;
} __attribute__((aligned(16)));

STATIC_ASSERT(offsetof(struct guest_frame, calls) == FRAME_CALLS, "exits.S");
STATIC_ASSERT(offsetof(struct guest_frame, x) == FRAME_X, "guest.S");
STATIC_ASSERT(offsetof(struct guest_frame, x[30]) == FRAME_X30, "guest.S");
STATIC_ASSERT(offsetof(struct guest_frame, pc) == FRAME_PC, "guest.S");
STATIC_ASSERT(offsetof(struct guest_frame, pstate) == FRAME_PSTATE, "guest.S");
STATIC_ASSERT(offsetof(struct guest_frame, host_sp) == FRAME_HOST_SP, "guest.S");
STATIC_ASSERT(offsetof(struct guest_frame, key) == FRAME_KEY, "guest.S");
STATIC_ASSERT(sizeof(struct guest_frame) == FRAME_SIZE, "guest.S");
STATIC_ASSERT(offsetof(struct fp_state, fpcr) == FP_FPCR, "fpsimd.S");
STATIC_ASSERT(offsetof(struct fp_state, fpsr) == FP_FPSR, "fpsimd.S");
#endif
#endif
