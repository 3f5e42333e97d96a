// SPDX-License-Identifier: Apache-2.0
// The self-hosted debug registers of this CPU, by kind and number.
// Source: Arm ARM, "AArch64 Self-hosted Debug".
#ifndef ARM_DEBUGREGS_H
#define ARM_DEBUGREGS_H

#include "base/types.h"

enum debug_kind { DEBUG_BVR, DEBUG_BCR, DEBUG_WVR, DEBUG_WCR, DEBUG_KINDS };

#define DEBUG_MAX 16 // registers of each kind, at most

// How many of this kind every CPU of the board has: 2..16.
unsigned debugregs_count(enum debug_kind kind);
// Writes register `number`, below debugregs_count(kind), of this CPU.
void debugregs_write(enum debug_kind kind, unsigned number, uint64_t value);
// Writes all of them; `value` is indexed by kind and number. No barrier is implied.
void debugregs_load(const uint64_t value[DEBUG_KINDS][DEBUG_MAX]);

#endif
