// SPDX-License-Identifier: Apache-2.0
/*
 * Always busy: reads the virtual counter and nothing else, so that it sees each time that it lost the CPU. After
 * `turns=COUNT` such gaps it prints each:
 *
 *   bench: counters VIRTUAL PHYSICAL     both at one time, as far as that is possible
 *   bench: turn LAST FIRST               the virtual counter's last value before, and the first after it
 *
 * Two such guests on one CPU tell what a change costs, from LAST of one to FIRST of the other, both on the board's
 * counter. Xen and KVM show it as the physical one; under Mezzo both begin with the VM, and its log says when.
 */
#include "bench.h"

#include "timer.h"

#define MOST 1000
#define GAP  64ul /* ticks between two readings, which are five instructions apart */

static u64 last_of[MOST], first_of[MOST];

void turns_main(u64 n)
{
	u64 virtual = read_sysreg(cntvct_el0), physical = read_sysreg(cntpct_el0);

	n = n < MOST ? n : MOST;
	for (u64 i = 0; i < n; i++)
		last_of[i] = timer_gap(GAP, &first_of[i]);
	print("bench: counters %lu %lu\n", virtual, physical);
	for (u64 i = 0; i < n; i++)
		print("bench: turn %lu %lu\n", last_of[i], first_of[i]);
}
