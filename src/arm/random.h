// SPDX-License-Identifier: Apache-2.0
// Random numbers of the CPU (FEAT_RNG). Source: Arm ARM, "RNDR, Random Number".
#ifndef ARM_RANDOM_H
#define ARM_RANDOM_H

#include "base/types.h"

// A random word; false: the CPU has none now. Only where FEATURE_RNDR is.
static inline bool random_word(uint64_t *value)
{
	uint64_t ok;
	// RNDR sets Z when it has no number.
	__asm__ volatile("mrs %0, S3_3_C2_C4_0\n\tcset %1, ne" : "=r"(*value), "=r"(ok) : : "cc");
	return ok != 0;
}

#endif
