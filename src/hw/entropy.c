// SPDX-License-Identifier: Apache-2.0
// Random bytes for guests. Owns nothing; called by the entropy devices of guests. The source is the CPU's (FEAT_RNG).
// Source: Arm ARM, "RNDR, Random Number".
#include "hw/entropy.h"

#include "arm/features.h"
#include "arm/random.h"
#include "base/string.h"

bool entropy_exists(void)
{
	return feature_has(FEATURE_RNDR);
}

size_t entropy_read(uint8_t *to, size_t size)
{
	uint64_t word;
	size_t done = 0;

	while (done < size && entropy_exists() && random_word(&word)) {
		size_t some = size - done < sizeof word ? size - done : sizeof word;
		memcpy(to + done, &word, some);
		done += some;
	}
	return done;
}
