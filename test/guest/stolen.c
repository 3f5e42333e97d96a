// SPDX-License-Identifier: Apache-2.0
/*
 * Always busy. After every second of its virtual time it prints how much of that second Mezzo says was
 * stolen, and how much it missed by its own counter: `stolen: N us of M us, missed X us`. A gap between two
 * looks at the counter that is longer than `gap=US` (100) is time in which it did not run. With
 * `seconds=S` it powers off after so many seconds.
 */
#include "test.h"

#include "mmu.h"

#define SECOND_US 1000000ul
#define NS_US     1000ul
#define STOLEN    8ul

static u64 to_us(u64 ticks)
{
	return ticks / timer_ticks(1);
}

void tool_main(void)
{
	u64 regs[SMCCC_REGS] = {PV_TIME_ST}, at, gap = timer_ticks(platform_arg("gap", 100));
	u64 seconds = platform_arg("seconds", 0);

	smccc_hvc(regs);
	if ((s64)regs[0] < 0) {
		print_raw("stolen: nobody tells\n");
		return;
	}
	at = mmu_window(ALIGN_DOWN(regs[0], PAGE_BYTES)) + regs[0] % PAGE_BYTES + STOLEN;
	for (u64 n = 0; seconds == 0 || n < seconds; n++) {
		u64 start = timer_count(), last = start, missed = 0, before = read64(at);

		while (last - start < timer_ticks(SECOND_US)) {
			u64 now = timer_count();

			if (now - last > gap)
				missed += now - last;
			last = now;
		}
		print("stolen: %lu us of %lu us, missed %lu us\n", (read64(at) - before) / NS_US,
		      to_us(last - start), to_us(missed));
	}
}
