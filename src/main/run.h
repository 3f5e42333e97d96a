// SPDX-License-Identifier: Apache-2.0
// The guest loop that every CPU ends in, and the life of VMs as the loop sees it.
#ifndef MAIN_RUN_H
#define MAIN_RUN_H

#include "base/types.h"

struct board;
struct cpu;
struct vcpu;
struct vm;

// Enables this CPU's own interrupts: timers, maintenance, kicks. On each CPU.
void run_init_cpu(const struct board *board);

// Runs whatever vCPU this CPU is to run, for ever.
NORETURN void run_loop(void);

// irq.c: handles what is pending on this CPU, a bounded number at a time.
void irq_handle(void);
// irq.c, from exits.S: an interrupt ended the guest's run. Its virtual timer and kicks are handled here; what else
// there is waits for irq_handle, acknowledged.
uint64_t exit_irq(struct vcpu *vcpu);

// life.c ------------------------------------------------------------------------------------------

// Begins the first life of every VM that starts by itself. One that finds no memory is paused. From
// then on the end of the last VM is the end of all: see life_set_policy. Boot CPU only.
void life_begin_all(void);
// This CPU will not run the vCPU again in this life of its VM. It is not loaded, and not in the scheduler.
void life_leave(struct vcpu *vcpu);
// One bounded piece of what VMs leave to do on this CPU; arranges to be called again for the rest, by
// CPU_WORK_LIFE, when the CPU is busy. False: nothing to do for now.
bool life_chore(struct cpu *cpu);
// The same, but not now.
void life_put_off(void);
// Once every VM has ended: switch the board off, or leave it to the shell. `failed`: how many VMs
// of the description could not be built; they count as crashed.
void life_set_policy(bool power_off, unsigned failed);
// TIMER_STOP: says which guests have not answered the power button in time.
void life_watch_stops(void);
#endif
