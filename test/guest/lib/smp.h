/* SPDX-License-Identifier: Apache-2.0 */
/* Several CPUs: locks, starting, and running a function on another CPU. */
#ifndef GUEST_SMP_H
#define GUEST_SMP_H

#include "bits.h"
#include "platform.h"

struct spinlock {
	u32 locked;
};

void spin_lock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);

/* Index of this CPU in platform.mpidr[]. */
unsigned smp_cpu(void);
/* Address to give to CPU_ON; context id = index. */
void smp_entry(void);
/* Starts one CPU and waits until it runs; false after a second. */
bool smp_start(unsigned cpu);
/* Starts all; returns how many run, this one included. */
unsigned smp_start_all(void);
/*
 * fn(arg) on an idle started CPU; smp_wait: true when it has returned, false after us
 * microseconds.
 */
void smp_post(unsigned cpu, void (*fn)(u64 arg), u64 arg);
bool smp_wait(unsigned cpu, u64 us);
bool smp_call(unsigned cpu, void (*fn)(u64 arg), u64 arg);
/*
 * This CPU is about to be switched off by its own function: from now on it must be started again.
 */
void smp_mark_off(unsigned cpu);

/* The SGI that wakes an idle CPU; irq.c asks whether the one that it took was that one. */
#define SMP_DOORBELL 0
bool smp_answer_doorbell(void);

#endif
