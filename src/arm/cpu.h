// SPDX-License-Identifier: Apache-2.0
// What each physical CPU knows about itself. TPIDR_EL2 points to its own entry.
#ifndef ARM_CPU_H
#define ARM_CPU_H

#include "base/atomic.h"
#include "base/types.h"

#ifndef ARM_CPU_FAKE
#include "arm/sysreg.h"
#endif

#define CPU_MAX 512

struct vcpu;
struct vm;

// Bits of cpu->work: what the run loop does before the guest goes on.
enum cpu_work {
	CPU_WORK_CONSOLE = 1 << 0, // output rings have something to drain
	CPU_WORK_SCHED = 1 << 1,   // somebody else may be due to run here
	CPU_WORK_LIFE = 1 << 2,    // a VM has something left to do here
	CPU_WORK_PLAIN = 1 << 3,   // no fast exits from now on (arm/exits.h)
};

enum cpu_online {
	CPU_AWAY,      // not seen yet
	CPU_ARRIVED,   // it sets itself up
	CPU_ONLINE,    // it has entered the run loop
	CPU_UNFIT,     // it lacks something, and said so
	CPU_ABANDONED, // it was waited for in vain; it will find that it is not wanted any more
};

struct cpu {
	// Fixed once the CPU is up. Assembly knows the places of the first five (arm/offsets.h).
	uint64_t panic_stack_top; // VA: where EL2's own faults are reported from
	uint64_t stack_top;       // VA
	uint64_t mpidr;           // affinity fields only: bits 39:32 and 23:0
	struct vcpu *
	        vcpu; // owned by this CPU: the vCPU whose EL1 state is loaded, or NULL: `current`, or
	              // one that blocked
	uint64_t key
	        [2]; // what its return addresses are signed with; key[0] is 0: they are not (arm/pauth.h)
	uint32_t id;         // 0 .. number of CPUs - 1; the boot CPU is 0
	uint32_t gicv2_mask; // this CPU's bit in GICv2 target lists; 0 on other hosts

	// Owned by this CPU.
	struct vcpu *current;  // the vCPU that was chosen to run here, or NULL
	struct vcpu *fp_owner; // the vCPU whose FP/SIMD registers are live, or NULL
	struct vm *chores;     // VMs of which this CPU has something left to do (main/life.c)
	uint32_t irq; // acknowledged by exit_irq and left to irq_handle; 0: none (SGI 0 never is)
	bool debug_dirty;    // breakpoints and watchpoints hold what the last vCPU wrote
	uint32_t lock_ranks; // debug build: bit n set while a lock of rank n is held

	// Any CPU, atomically.
	uint32_t work;   // enum cpu_work
	uint32_t online; // enum cpu_online
	uint32_t
	        in_guest; // 1 between the last check of work and the exit, and in WFI: a kick is needed then
};

static inline struct cpu *cpu_this(void)
{
#ifdef ARM_CPU_FAKE
	extern _Thread_local struct cpu *fake_cpu_this;
	return fake_cpu_this;
#else
	return (struct cpu *)read_sysreg(tpidr_el2);
#endif
}

// CPU number `id`, below cpu_count().
struct cpu *cpu_get(uint32_t id);
uint32_t cpu_count(void);

// Makes CPU number `id` known under `cpu`. Boot CPU only, before the others start.
void cpu_register(struct cpu *cpu);
// The boot CPU's own entry, usable from the first instruction on.
extern struct cpu boot_cpu;

// Runs function(argument) on another stack; nothing returns to the old one.
NORETURN void stack_switch(uint64_t top, void (*function)(void *), void *argument);

// A value that the compiler keeps once it has it: it likes to compute the address of an array's member again in each
// place. No instruction.
#define COMPUTED(value) __asm__("" : "+r"(value))

// Posts work to this CPU itself.
static inline void cpu_post_local(uint32_t work)
{
	fetch_or(&cpu_this()->work, work);
}

#endif
