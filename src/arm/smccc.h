// SPDX-License-Identifier: Apache-2.0
// The call into the firmware, and how function identifiers are made.
// Source: SMC Calling Convention (DEN 0028), "SMC32/HVC32 argument passing" and the 64-bit one.
#ifndef ARM_SMCCC_H
#define ARM_SMCCC_H

#include "base/types.h"

// Executes HVC #0 or SMC #0 with x0..x7 = in, and stores x0..x3 to out, which may be `in`.
void smccc_call(bool hvc, const uint64_t in[8], uint64_t out[4]);

#endif
