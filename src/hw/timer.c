// SPDX-License-Identifier: Apache-2.0
// The generic timer at EL2. Owns CNTHP_*_EL2 of every CPU and the deadlines behind it; called by
// whoever wants to be woken, and by the interrupt handler.
// Invariant: a CPU's CNTHP is set for the earliest of its deadlines, and off when there is none; `set` names
// those that are not TIMER_NEVER. All
// of it belongs to that CPU alone, so there is no lock.
// Source: Arm Architecture Reference Manual, "The Generic Timer in AArch64 state".
#include "hw/timer.h"

#include "arm/cpu.h"
#include "arm/regs.h"

#define FALLBACK_HZ 1000000
#define MS_A_SECOND 1000
#define US_A_SECOND 1000000
#define NS_A_SECOND 1000000000

static struct deadlines {
	uint64_t at[TIMER_NR_USERS]; // ticks or TIMER_NEVER
	uint64_t first;              // what CNTHP is set for
	uint32_t set;                // 1 << user: it has a deadline
} __attribute__((aligned(64))) deadlines[CPU_MAX];

static uint64_t frequency = FALLBACK_HZ; // fixed once timer_init has run

int timer_init(uint32_t hz)
{
	uint64_t own = read_sysreg(cntfrq_el0);
	if (hz == 0 && own == 0)
		return ERR_UNSUPPORTED;
	frequency = hz != 0 ? hz : own;
	return 0;
}

uint64_t timer_hz(void)
{
	return frequency;
}

// count * to / from, without a wider product: whole units first, then the rest. from and to are
// below 2^32, so the rest's product fits.
static uint64_t convert(uint64_t count, uint64_t from, uint64_t to)
{
	uint64_t whole;
	uint64_t rest = count % from * to / from;
	if (__builtin_mul_overflow(count / from, to, &whole) ||
	    __builtin_add_overflow(whole, rest, &whole))
		return UINT64_MAX;
	return whole;
}

uint64_t timer_from_ms(uint64_t ms)
{
	return convert(ms, MS_A_SECOND, frequency);
}

uint64_t timer_from_us(uint64_t us)
{
	return convert(us, US_A_SECOND, frequency);
}

uint64_t timer_to_ms(uint64_t ticks)
{
	return convert(ticks, frequency, MS_A_SECOND);
}

uint64_t timer_to_us(uint64_t ticks)
{
	return convert(ticks, frequency, US_A_SECOND);
}

uint64_t timer_to_ns(uint64_t ticks)
{
	return convert(ticks, frequency, NS_A_SECOND);
}

static void program(struct deadlines *here, uint64_t first)
{
	here->first = first;
	if (first == TIMER_NEVER) {
		write_sysreg(0, cnthp_ctl_el2);
	} else {
		write_sysreg(first, cnthp_cval_el2);
		write_sysreg(CNT_CTL_ENABLE, cnthp_ctl_el2);
	}
	isb();
}

void timer_init_cpu(void)
{
	struct deadlines *here = &deadlines[cpu_this()->id];
	for (unsigned i = 0; i < TIMER_NR_USERS; i++)
		here->at[i] = TIMER_NEVER;
	here->set = 0;
	program(here, TIMER_NEVER);
}

void timer_set(enum timer_user user, uint64_t deadline)
{
	struct deadlines *here = &deadlines[cpu_this()->id];
	COMPUTED(here);
	uint64_t before = here->at[user], first = deadline;
	if (before == deadline)
		return;
	here->at[user] = deadline;
	here->set =
	        deadline != TIMER_NEVER ? here->set | BIT_U32(user) : here->set & ~BIT_U32(user);
	if (deadline >= here->first) {
		if (before != here->first)
			return; // neither was the first, nor is
		for (uint32_t left = here->set; left != 0; left &= left - 1) {
			uint64_t at = here->at[__builtin_ctz(left)];
			first = at < first ? at : first;
		}
	}
	if (first != here->first)
		program(here, first);
}

uint32_t timer_expire(void)
{
	struct deadlines *here = &deadlines[cpu_this()->id];
	COMPUTED(here);
	uint64_t now = timer_now(), first = TIMER_NEVER;
	uint32_t due = 0;
	for (uint32_t left = here->set; left != 0; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		uint64_t at = here->at[i];
		if (at <= now) {
			here->at[i] = TIMER_NEVER;
			due |= BIT_U32(i);
		} else if (at < first) {
			first = at;
		}
	}
	here->set &= ~due;
	program(here, first);
	return due;
}
