// SPDX-License-Identifier: Apache-2.0
/*
 * Always busy. After every second of its virtual time (`every=MS` milliseconds) it prints how many rounds of
 * work it has done since it began: `share: N rounds`. Differences tell its share of a CPU. With `seconds=S` it
 * powers off after so many seconds.
 */
#include "test.h"

#define MS_US     1000ul
#define SECOND_US 1000000ul
#define ROUND     1000ul /* turns of the loop */

static void work(void)
{
	u64 turns = ROUND;

	__asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(turns)::"cc");
}

void tool_main(void)
{
	u64 every = timer_ticks(platform_arg("every", 1000) * MS_US), start = timer_count();
	u64 seconds = platform_arg("seconds", 0), rounds = 0, next = start + every;

	while (seconds == 0 || timer_count() - start < timer_ticks(seconds * SECOND_US)) {
		work();
		rounds++;
		if ((s64)(timer_count() - next) < 0)
			continue;
		print("share: %lu rounds\n", rounds);
		next += every;
	}
}
