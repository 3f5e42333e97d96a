// SPDX-License-Identifier: Apache-2.0
// Which vCPU runs where and for how long. One queue for each CPU; docs/scheduling.md has the rules.
//
// A vCPU belongs to the queue of vcpu->cpu. That changes only while it is not `loaded`, by whoever
// holds the lock of the queue it leaves. No two queues are ever locked at once.
#ifndef VM_SCHED_H
#define VM_SCHED_H

#include "base/heap.h"
#include "base/types.h"

struct cpu;
struct vcpu;
struct vm;

#define SCHED_ANY_CPU        UINT32_MAX
#define SCHED_PRIORITIES     8 // 0, the usual, to 7; higher ones run before all lower ones
#define SCHED_WEIGHT_DEFAULT 100
#define SCHED_WEIGHT_MAX     10000

// What a VM was promised. Fixed after start.
struct sched_params {
	uint32_t weight;   // 1 .. SCHED_WEIGHT_MAX: its share among vCPUs of the same priority
	uint32_t priority; // 0 .. SCHED_PRIORITIES - 1
	uint64_t budget,
	        period; // ticks: each vCPU gets `budget` in every `period` and no more; 0: no budget
	bool exclusive; // nothing else runs on the CPUs it is pinned to
};

enum sched_state {
	SCHED_OUT,     // in no queue: its VM does not run
	SCHED_BLOCKED, // waits for a request, or for its deadline
	SCHED_READY,   // waits for its turn, or for its budget
	SCHED_RUNNING, // chosen by vcpu->cpu
	SCHED_NAPPING, // the same, but its CPU sleeps for it: nobody else wanted to run there
};

// Member `sched` of struct vcpu.
struct sched_vcpu {
	uint32_t pin; // CPU number or SCHED_ANY_CPU; fixed after start

	// Fixed by sched_admit.
	uint32_t home; // the only CPU it runs on: its pin, or where its budget is; or SCHED_ANY_CPU
	bool admitted;

	// Atomically; written by the CPU that loads and unloads the vCPU. While set it stays on
	// that CPU.
	uint32_t loaded;
	uint32_t state; // enum sched_state; written under the queue's lock, read by anyone

	// Under the lock of vcpu->cpu's queue.
	struct heap_node
	        node; // in one of the queue's heaps: by virtual time, deadline or wake-up time
	struct heap_node move; // in the heap of those that other CPUs can have, by placed_at
	uint8_t where;         // which heap `node` is in (sched_queue.h)
	bool urgent;           // has a request that must not wait for its turn
	uint64_t since;        // ticks: when `state` was last changed, or its time last accounted
	uint64_t vruntime;     // weighted run time; comparable within one queue and priority
	uint64_t slice_end;    // ticks, while RUNNING
	uint64_t budget_left;  // ticks
	uint64_t deadline;     // ticks: end of the period its budget is for
	uint64_t wake_at;      // ticks: BLOCKED until then; TIMER_NEVER
	uint64_t placed_at;    // ticks: when it came to this queue

	// The same, and read by anyone for what it is worth.
	uint64_t ran;    // ticks RUNNING, ever
	uint64_t waited; // ticks READY, ever: time that was stolen from it
	uint64_t periods,
	        missed; // periods of its budget; of these, in how many it wanted time and got too little
	uint64_t switches;   // how often it was chosen after another one
	uint64_t migrations; // how often it came to another CPU
};

// ---- admission ----

// Promises the VM what vm->sched and its vCPUs' pins ask for: reserves budgets, takes exclusive
// CPUs. Each vCPU gets a CPU to begin on (vcpu->cpu). On error nothing is reserved and `why` holds
// a sentence for the log that begins with the key it is about ("pin: ..."). ERR_NOT_FOUND: no such
// CPU; ERR_BUSY: a CPU belongs to somebody else; ERR_RANGE: more than a CPU can promise. While the
// VM is built, no lock held. Takes LOCK_SCHED_PLAN. Others' vCPUs leave a CPU that becomes
// exclusive at their next turn.
int sched_admit(struct vm *vm, char *why, size_t size);
// Gives all of it back. The VM's vCPUs are OUT.
void sched_dismiss(struct vm *vm);

// ---- a vCPU ----

// Its VM begins or goes on: the vCPU becomes READY on a CPU that it may use. It is OUT. Any CPU.
void sched_enter(struct vcpu *vcpu);
// This CPU's chosen vCPU is OUT from now on. It is not loaded.
void sched_leave(struct vcpu *vcpu);

// A request was posted (vcpu->request, sequentially consistent, before): a BLOCKED vCPU becomes
// READY on the idlest CPU it may use, a RUNNING one is interrupted if it may be in its guest.
// `urgent`: it is to be chosen before all others, whatever its priority and budget. Any CPU; the
// caller may hold locks up to LOCK_VGIC. O(log vCPUs + CPUs / 64).
void sched_wake(struct vcpu *vcpu, bool urgent);

// This CPU's chosen vCPU waits for a request, or until `deadline` (ticks; TIMER_NEVER), when
// VCPU_REQ_TIMER is posted for it. False: a request is there already, and it stays RUNNING. It may
// stay loaded.
bool sched_block(struct vcpu *vcpu, uint64_t deadline);

// The same for a vCPU that nobody waits behind: it stays chosen, its CPU counts as idle, and what is posted for it
// interrupts the CPU, which is the shortest way back. `deadline` is for show: the caller sets a timer. False: sched_block() it. True: the CPU sleeps until an
// interrupt, or until a request or CPU_WORK_SCHED is there, and then ends the nap.
bool sched_nap(struct vcpu *vcpu, uint64_t deadline);
void sched_nap_ends(struct vcpu *vcpu);

// ---- a CPU ----

// This CPU's queue, empty. Each CPU, once timer_init_cpu is done.
void sched_init_cpu(void);

// Chooses who runs here from now on: accounts for the one before, which takes its turn again if it
// is still RUNNING, and sets this CPU's TIMER_SCHED. The same one as before is a usual answer.
// NULL: nobody is READY here or anywhere this CPU could help. On CPU_WORK_SCHED, and when the
// chosen one has gone. O(log n).
struct vcpu *sched_choose(void);
// sched_choose() gave NULL, and this vCPU, which is still loaded here, is READY but may not stay:
// the CPU is another VM's now. Unload it, then choose again, and it goes elsewhere. On the CPU that
// has it loaded.
bool sched_must_unload(const struct vcpu *vcpu);

// TIMER_SCHED expired: sleepers wake, loads are balanced now and then; posts CPU_WORK_SCHED to this CPU,
// as somebody else may be due.
void sched_tick(void);

// The vCPU that runs here spins for something another vCPU of its VM holds (a trapped WFE): lets
// such a one run in its place if one is READY and may run here. True: this CPU has CPU_WORK_SCHED
// to do.
bool sched_yield_to_sibling(struct vcpu *self);

// ---- figures ----

// Ticks that the vCPU has run, and has been READY without running, up to now. Any CPU; a snapshot.
uint64_t sched_ran(const struct vcpu *vcpu);
uint64_t sched_waited(const struct vcpu *vcpu);

// What a CPU does, for `info` and tests: a snapshot.
struct sched_cpu_info {
	const struct vm *exclusive; // whose it is, or NULL
	uint32_t ready;             // vCPUs that wait here
	uint32_t reserved;          // of its time promised to budgets, in 1/10,000
	bool idle;
};
struct sched_cpu_info sched_cpu_info(uint32_t cpu);

#endif
