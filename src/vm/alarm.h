// SPDX-License-Identifier: Apache-2.0
// The deadlines of a VM's devices: a clock's alarm, a timer chip's next match, the next piece of a long job.
// The VM's first vCPU keeps them: whichever CPU has it loaded is woken in time and calls the device.
#ifndef VM_ALARM_H
#define VM_ALARM_H

#include "base/types.h"

struct vm;

#define ALARM_MAX 16 // devices of a VM that have one

struct alarm_ops {
	// The deadline has passed, or may have: the device looks at its own clock, and sets the alarm anew if
	// something is left. On a CPU that runs the VM; no lock held.
	void (*due)(void *dev);
};

struct alarms {
	// Fixed after start.
	uint32_t count;
	const struct alarm_ops *ops[ALARM_MAX];
	void *dev[ALARM_MAX];

	// Atomically; each under its device's lock.
	uint64_t at[ALARM_MAX]; // ticks of timer_now(), or TIMER_NEVER
};

// Gives the device `dev` an alarm, off. While the VM is built. Its number for alarm_set, or ERR_NO_MEMORY:
// ALARM_MAX devices have one.
int alarm_add(struct vm *vm, const struct alarm_ops *ops, void *dev);

// Alarm `number` goes off at `deadline` (ticks of timer_now(); TIMER_NEVER: not at all; the past: at
// once, but not before this call has returned). Any CPU that runs the VM; LOCK_DEVICE may be held. Also
// while nothing of the VM runs.
void alarm_set(struct vm *vm, int number, uint64_t deadline);

// The earliest deadline. Any CPU.
uint64_t alarm_first(const struct vm *vm);

// Calls every device whose deadline has passed, and sets TIMER_VM for the next if the first vCPU is loaded
// here. On a CPU that runs the VM; no lock held.
void alarm_expire(struct vm *vm);

#endif
