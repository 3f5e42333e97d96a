// SPDX-License-Identifier: Apache-2.0
/*
 * A control loop: every `period=US` (1000) its timer rings out of WFI, it works for `work=US` (150), and must be
 * done before the next period begins; `n=COUNT` (10000) times. Then it prints
 *
 *   period: M of N met, worst latency X ns
 *
 * and powers off. Latency is from when the timer should have rung to its interrupt. Work is time in which it
 * really ran: a gap between two looks at the counter that is longer than `gap=US` (20) does not count.
 */
#include "test.h"

#include "alarm.h"

#define LEAD_US 1000ul
#define NS_US   1000ul

static void work(u64 ticks, u64 gap)
{
	u64 last = timer_count(), done = 0;

	while (done < ticks) {
		u64 now = timer_count();

		if (now - last <= gap)
			done += now - last;
		last = now;
	}
}

void tool_main(void)
{
	u64 period = timer_ticks(platform_arg("period", 1000));
	u64 busy = timer_ticks(platform_arg("work", 150)), n = platform_arg("n", 10000);
	u64 gap = timer_ticks(platform_arg("gap", 20)), met = 0, worst = 0;

	alarm_init();
	u64 start = timer_count() + timer_ticks(LEAD_US);
	for (u64 i = 0; i < n; i++) {
		u64 due = start + i * period, late;

		/* A period whose end is past already is missed without more ado. */
		if ((s64)(timer_count() - (due + period)) >= 0)
			continue;
		late = alarm_wait(due) - due;
		worst = late > worst ? late : worst;
		work(busy, gap);
		met += (s64)(timer_count() - (due + period)) < 0;
	}
	print("period: %lu of %lu met, worst latency %lu ns\n", met, n,
	      worst * NS_US / timer_ticks(1));
}
