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

/*
 * Reads the counter until two readings, five instructions apart where nobody interrupts, are further apart than `limit`
 * ticks. Returns the last one before; *first: the one after.
 */
static inline u64 timer_gap(u64 limit, u64 *first)
{
	u64 last, now = read_sysreg(cntvct_el0), step;

	__asm__ volatile("1: mov %0, %1\n\t"
	                 "mrs %1, cntvct_el0\n\t"
	                 "sub %2, %1, %0\n\t"
	                 "cmp %2, %3\n\t"
	                 "b.ls 1b"
	                 : "=&r"(last), "+r"(now), "=&r"(step)
	                 : "r"(limit)
	                 : "cc");
	*first = now;
	return last;
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
