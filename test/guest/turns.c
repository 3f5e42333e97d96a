// SPDX-License-Identifier: Apache-2.0
/*
 * Always busy: reads the counter and nothing else, so that it sees each time it lost the CPU. After `n=COUNT` (20)
 * such gaps it prints each, and powers off:
 *
 *   turns: GAP LAST FIRST      the last counter value before, and the first after it
 *   turns: end
 *
 * Where the counter ticks once an instruction, two such guests on one CPU tell what a change costs: from LAST of
 * one to FIRST of the other, both counted from the board's reset (`starts N ticks after reset`).
 */
#include "test.h"
#include "timer.h"

#define MOST 1000
#define GAP  64ul /* ticks between two readings, which are five instructions apart */

static u64 last_of[MOST], first_of[MOST];

void tool_main(void)
{
	u64 n = platform_arg("n", 20);

	n = n < MOST ? n : MOST;
	for (u64 i = 0; i < n; i++)
		last_of[i] = timer_gap(GAP, &first_of[i]);
	for (u64 i = 0; i < n; i++)
		print("turns: GAP %lu %lu\n", last_of[i], first_of[i]);
	print("turns: end\n");
}
