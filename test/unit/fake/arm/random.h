// SPDX-License-Identifier: Apache-2.0
// Shadows src/arm/random.h: random numbers are what the test's hook makes of them; none without it.
#ifndef ARM_RANDOM_H
#define ARM_RANDOM_H

#include "../fake.h"

static inline bool random_word(uint64_t *value)
{
	return fake_random_hook != NULL && fake_random_hook(value);
}

#endif
