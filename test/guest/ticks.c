// SPDX-License-Identifier: Apache-2.0
/*
 * Counts timer ticks, one every `every=MS` milliseconds (10), out of WFI. A tick that comes more than `limit=US`
 * (5000) late, and one that did not come before the next was due, is said at once:
 *
 *   ticks: MISS at N: X us late          ticks: MISS at N: lost
 *
 * After each second `ticks: N, worst X us late`: all so far, and the worst of this second. With
 * `seconds=S` it ends after so many seconds by `ticks: end, N ticks, M missed, worst X us late`.
 */
#include "test.h"

#include "alarm.h"

#define MS_US     1000ul
#define SECOND_US 1000000ul

static u64 to_us(u64 ticks)
{
	return ticks / timer_ticks(1);
}

void tool_main(void)
{
	u64 every_us = platform_arg("every", 10) * MS_US, every = timer_ticks(every_us);
	u64 limit = timer_ticks(platform_arg("limit", 5000)), a_second = SECOND_US / every_us;
	u64 seconds = platform_arg("seconds", 0), worst = 0, worst_ever = 0, misses = 0;

	alarm_init();
	u64 start = timer_count();
	for (u64 n = 1; seconds == 0 || n <= seconds * a_second; n++) {
		u64 due = start + n * every, late;

		if ((s64)(timer_count() - (due + every)) >= 0) {
			misses++;
			print("ticks: MISS at %lu: lost\n", n);
			continue;
		}
		late = alarm_wait(due) - due;
		worst = late > worst ? late : worst;
		if (late > limit) {
			misses++;
			print("ticks: MISS at %lu: %lu us late\n", n, to_us(late));
		}
		if (n % a_second != 0)
			continue;
		print("ticks: %lu, worst %lu us late\n", n, to_us(worst));
		worst_ever = worst > worst_ever ? worst : worst_ever;
		worst = 0;
	}
	print("ticks: end, %lu ticks, %lu missed, worst %lu us late\n", seconds * a_second, misses,
	      to_us(worst_ever));
}
