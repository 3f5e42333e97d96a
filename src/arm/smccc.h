// SPDX-License-Identifier: Apache-2.0
// The call into the firmware, how function identifiers are made, and the calls that exits.S answers by itself.
// Source: SMC Calling Convention (DEN 0028), "SMC32/HVC32 argument passing" and the 64-bit one.
#ifndef ARM_SMCCC_H
#define ARM_SMCCC_H

#define SMCCC_VERSION     0x80000000
#define SMCCC_VERSION_1_2 0x10002
#define PSCI_VERSION      0x84000000
#define PSCI_VERSION_1_1  0x10001
#define SMCCC_MEZZO_NULL  0xc6000001 // docs/hypercalls.md

#ifdef __ASSEMBLER__
// ESR_EL2 of an HVC #0 (class 0x16, a 32-bit instruction), the call's number above it.
#define SMCCC_HVC(call) ((call) << 32 | 0x5a000000)
#else
#include "base/types.h"

// Executes HVC #0 or SMC #0 with x0..x7 = in, and stores x0..x3 to out, which may be `in`.
void smccc_call(bool hvc, const uint64_t in[8], uint64_t out[4]);

#endif
#endif
