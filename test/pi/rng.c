// SPDX-License-Identifier: Apache-2.0
/* The random number generator: switched on, warmed up, and 64 words that are not all alike. */
#include "pi.h"

#define WARM_UP  0x40000U
#define COUNT_AT 24
#define WORDS    64U

void program(u64 tree)
{
	u32 ones = 0, same = 0, last = 0;
	(void)tree;
	write32(RNG_STATUS, WARM_UP);
	write32(RNG_CTRL, 1);
	check(read32(RNG_CTRL) & 1U, "switched on");
	check(wait_set(RNG_STATUS, 0xffU << COUNT_AT, 5000000), "words become available");
	for (u32 i = 0; i < WORDS; i++) {
		if (!wait_set(RNG_STATUS, 0xffU << COUNT_AT, 1000000))
			break;
		u32 word = read32(RNG_DATA);
		same += word == last;
		last = word;
		for (u32 bits = word; bits; bits &= bits - 1)
			ones++;
	}
	check(same < 2, "words differ");
	check(ones > 824 && ones < 1224, "about half of the bits are set"); // 1024 +- 9 deviations
}
