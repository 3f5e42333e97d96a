// SPDX-License-Identifier: Apache-2.0
// The generic timer at EL2: the counter, unit conversion, and one deadline for each user on each CPU
// in front of the CPU's single EL2 physical timer (CNTHP).
#ifndef HW_TIMER_H
#define HW_TIMER_H

#include "arm/barrier.h"
#include "arm/sysreg.h"
#include "base/types.h"

#define TIMER_NEVER UINT64_MAX

// Who may ask to be woken, each with one deadline a CPU.
enum timer_user {
	TIMER_VCPU,    // the emulated EL1 physical timer of the vCPU that runs here
	TIMER_CONSOLE, // unfinished lines, a UART without interrupts
	TIMER_VM,      // the devices of the VM whose first vCPU runs here
	TIMER_LOG,     // lines of the log that were left out are to be counted up
	TIMER_LIFE,    // a VM that crashed starts again, or a busy CPU has something to clean up
	TIMER_STOP,    // a guest has had its time to answer the power button
	TIMER_LINE,    // a timer of the guest that interrupts it is to be looked at again
	TIMER_SCHED,   // the end of a slice, a budget or a sleep
	TIMER_NAP,     // what the vCPU that naps here waits for should have come by itself
	TIMER_HW,      // a device of the board should have answered by now
	TIMER_BUSY,    // a device of the board that answers all the time is to be looked at
	TIMER_NR_USERS,
};

// Reads and checks the counter's frequency; `hz` is the board's own word on it, 0: CNTFRQ_EL0 holds
// it. Once, on the boot CPU, before anything else here. ERR_UNSUPPORTED: nobody knows it; 1 MHz is
// then assumed, so that what counts on time still ends.
int timer_init(uint32_t hz);

// This CPU's timer off, nobody waiting. On each CPU, once timer_init is done.
void timer_init_cpu(void);

// Ticks a second, never 0.
uint64_t timer_hz(void);

// The counter in ticks, read after everything before it in the program.
static inline uint64_t timer_now(void)
{
	isb();
	return read_sysreg(cntpct_el0);
}

// Conversions, rounded down. Right for any count; a result that does not fit is UINT64_MAX.
uint64_t timer_from_ms(uint64_t ms);
uint64_t timer_from_us(uint64_t us);
uint64_t timer_to_ms(uint64_t ticks);
uint64_t timer_to_us(uint64_t ticks);
uint64_t timer_to_ns(uint64_t ticks);

// This CPU's deadline for `user`, in ticks of timer_now(); TIMER_NEVER: none. One that has passed
// makes the interrupt pending at once.
void timer_set(enum timer_user user, uint64_t deadline);

// What is due on this CPU: a mask of 1 << user. Those deadlines are taken back, and the timer is set
// for the next one. On the timer's interrupt, before it is deactivated; harmless at other times.
uint32_t timer_expire(void);

#endif
