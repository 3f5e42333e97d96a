/* SPDX-License-Identifier: Apache-2.0 */
/* The generic timer's counter, and waiting by it. */
#ifndef GUEST_TIMER_H
#define GUEST_TIMER_H

#include "sysreg.h"

#define INTID_VTIMER 27
#define INTID_PTIMER 30

static inline u64 timer_count(void)
{
	isb();
	return read_sysreg(cntvct_el0);
}

static inline u64 timer_ticks(u64 us)
{
	return us * (read_sysreg(cntfrq_el0) / 1000000);
}

static inline void timer_delay(u64 us)
{
	u64 start = timer_count();

	while (timer_count() - start < timer_ticks(us))
		__asm__ volatile("yield");
}

/* Spins until `condition` holds; false if it does not within `us` microseconds. */
#define WAIT_FOR(condition, us)                                                   \
	({                                                                        \
		u64 start_ = timer_count(), ticks_ = timer_ticks(us);             \
		bool held_;                                                       \
		while (!(held_ = (condition)) && timer_count() - start_ < ticks_) \
			__asm__ volatile("yield");                                \
		held_;                                                            \
	})

#endif
