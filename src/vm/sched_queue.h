// SPDX-License-Identifier: Apache-2.0
// One CPU's queue of vCPUs, for vm/sched*.c only. sched_queue.c keeps the queues' order,
// sched_balance.c moves vCPUs between them, sched_plan.c knows what was promised, sched.c is what
// everybody else calls.
#ifndef VM_SCHED_QUEUE_H
#define VM_SCHED_QUEUE_H

#include "arm/cpu.h"
#include "base/heap.h"
#include "base/spinlock.h"
#include "base/types.h"
#include "vm/vcpu.h"
#include "vm/vm.h"

#define SCHED_SLICE_US   3000
#define SCHED_BALANCE_US 20000
#define SCHED_RETRY_US   100 // until what is still loaded can be expected to be out of the registers
#define SCHED_AT_ONCE    32  // refills and wake-ups in one go; the timer brings the rest

// Which of the queue's heaps `node` is in: vcpu->sched.where.
enum sched_where {
	SCHED_IN_NONE,      // RUNNING, OUT, BLOCKED without an end, or between two queues
	SCHED_IN_URGENT,    // READY, first come first
	SCHED_IN_BUDGET,    // READY and has budget left: by the end of its period
	SCHED_IN_THROTTLED, // READY, its budget used up: the same
	SCHED_IN_READY,     // READY: by virtual time, one heap for each priority
	SCHED_IN_LEAVING,   // READY, but this CPU is another VM's now: in no heap but `movable`
	SCHED_IN_SLEEPERS,  // BLOCKED: by wake_at
};

struct sched_queue {
	struct spinlock lock; // LOCK_SCHED; never two of them at once

	// Under the lock.
	struct vcpu *current; // RUNNING here, or NULL
	struct vcpu
	        *favoured; // READY here: a sibling gave it the rest of its slice (directed yield)
	uint64_t favoured_end;   // ticks: end of that slice
	const struct vcpu *last; // the one chosen last; only compared
	struct heap urgent, budget, throttled, sleepers;
	struct heap ready[SCHED_PRIORITIES];
	struct heap movable[SCHED_PRIORITIES]; // READY ones without a home, by placed_at
	uint32_t ready_set, movable_set;       // bit n: that heap of priority n is not empty
	uint32_t nr_movable;
	uint32_t leaving;                 // how many are SCHED_IN_LEAVING
	uint64_t floor[SCHED_PRIORITIES]; // the least virtual time, which never goes back
	uint64_t next_balance;            // ticks
	uint32_t balance_turn;            // priority that was looked at last
	uint32_t postponed; // how often the balance waited for the one whose turn it was
	bool preempt;       // somebody woke up who is to run instead of its equal
	bool retry;         // what could be given away is still loaded
	bool balancing;     // TIMER_SCHED is set for the next balance, or before it

	// Written under the lock, read by anyone with atomic loads.
	uint64_t load[SCHED_PRIORITIES]; // weights of those READY and RUNNING, without budgets
	uint32_t nr_ready;
} __attribute__((aligned(64)));

extern struct sched_queue sched_queues[CPU_MAX]; // by cpu->id

// ---- sets of CPUs, sequentially consistent: each side writes its own word, then reads the other's
// ----

#define SCHED_WORDS ((CPU_MAX + 63) / 64)
struct sched_set {
	uint64_t word[SCHED_WORDS];
};
extern struct sched_set sched_idle;    // CPUs that chose nobody
extern struct sched_set sched_crowded; // CPUs whose queue has somebody in `movable`
extern struct sched_set sched_owned;   // exclusive CPUs; changed under LOCK_SCHED_PLAN

static inline bool sched_set_has(const struct sched_set *set, uint32_t cpu)
{
	return (__atomic_load_n(&set->word[cpu / 64], __ATOMIC_SEQ_CST) >> (cpu % 64) & 1) != 0;
}
static inline void sched_set_add(struct sched_set *set, uint32_t cpu)
{
	__atomic_fetch_or(&set->word[cpu / 64], (uint64_t)1 << (cpu % 64), __ATOMIC_SEQ_CST);
}
// True: this call took it out.
static inline bool sched_set_take(struct sched_set *set, uint32_t cpu)
{
	uint64_t bit = (uint64_t)1 << (cpu % 64);
	if (!sched_set_has(set, cpu))
		return false;
	return (__atomic_fetch_and(&set->word[cpu / 64], ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

// ---- fields that others read without the lock ----

static inline uint32_t sched_state(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->sched.state, __ATOMIC_SEQ_CST);
}
static inline struct cpu *sched_cpu(const struct vcpu *vcpu)
{
	return load_acquire(&vcpu->cpu);
}
static inline struct sched_queue *sched_queue_of(const struct cpu *cpu)
{
	struct sched_queue *queue = &sched_queues[cpu->id];
	COMPUTED(queue);
	return queue;
}
// Whether `a` comes before `b` on a counter that may go round.
static inline bool sched_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}
static inline struct vcpu *sched_vcpu_of(struct heap_node *node)
{
	return CONTAINER_OF(node, struct vcpu, sched.node);
}
static inline struct vcpu *sched_vcpu_of_move(struct heap_node *node)
{
	return CONTAINER_OF(node, struct vcpu, sched.move);
}
static inline bool sched_has_budget(const struct vcpu *vcpu)
{
	return vcpu->vm->sched.budget != 0;
}
// It has no home, and may not run on this CPU either.
static inline bool sched_is_alien(const struct vcpu *vcpu, uint32_t cpu)
{
	return vcpu->sched.home == SCHED_ANY_CPU && sched_set_has(&sched_owned, cpu);
}

// ---- sched_queue.c: the order within one queue; all under its lock ----

// Empty, unlocked. Each CPU for its own; the timer's frequency is known.
void sched_queue_init(struct sched_queue *queue);
// Brings the figures of the one that runs up to date, and begins its next period if the last one is
// over.
void sched_queue_account(struct sched_queue *queue, uint64_t now);
// Begins new periods for those that wait and whose period is over.
void sched_queue_refill(struct cpu *cpu, uint64_t now);
// Enters a state; what was waited is counted. A RUNNING one was accounted for with the same `now`.
void sched_queue_set_state(struct vcpu *vcpu, enum sched_state state, uint64_t now);
// A READY vCPU that is in no heap goes where it belongs, or is taken out again (also a sleeper).
void sched_queue_put(struct cpu *cpu, struct vcpu *vcpu);
void sched_queue_take(struct cpu *cpu, struct vcpu *vcpu);
// It sleeps in this queue until `deadline`.
void sched_queue_sleep(struct cpu *cpu, struct vcpu *vcpu, uint64_t deadline);
// What READY and RUNNING ones weigh. `add`: it becomes one of them, else it was one.
void sched_queue_weigh(struct cpu *cpu, const struct vcpu *vcpu, bool add);
// Virtual time and budget of a BLOCKED one that becomes READY.
void sched_queue_wake_up(struct sched_queue *queue, struct vcpu *vcpu, uint64_t now);
// Its virtual time becomes a distance from the queue's floor, as it is between two queues, and
// back.
void sched_queue_detach(struct sched_queue *queue, struct vcpu *vcpu);
void sched_queue_attach(struct sched_queue *queue, struct vcpu *vcpu, uint64_t now);
// Whether the one that runs goes on running; if so its slice is right afterwards.
bool sched_queue_keeps(struct cpu *cpu, struct vcpu *current, uint64_t now);
// The usual end of a slice, in short: nobody but vCPUs of one priority, without budgets, and none of them favoured;
// the first of those that wait changes places with the one that runs. The new one, which is RUNNING; NULL: nothing
// was done but to account, as it is not so simple, or not yet its turn. Somebody runs, and the CPU is not exclusive.
// Others are told and the timer is set as well.
struct vcpu *sched_queue_next_turn(struct cpu *cpu, uint64_t now);
// Takes out the one that is to run next, which is RUNNING then; NULL: none.
struct vcpu *sched_queue_pick(struct cpu *cpu, uint64_t now);
// This one was put in: whether the CPU has to look at its queue.
bool sched_queue_must_tell(struct cpu *cpu, const struct vcpu *vcpu);
// Sets TIMER_SCHED. On the queue's own CPU.
void sched_queue_set_timer(struct cpu *cpu, uint64_t now);
// One slice in ticks.
uint64_t sched_queue_slice(void);

// ---- sched_balance.c: between queues; no queue's lock is held, but where it says so ----

// Makes the CPU, if it is another one and may be in its guest, look at what it was asked for.
void sched_balance_interrupt(const struct cpu *cpu);
// Makes the CPU look at its queue: posts CPU_WORK_SCHED, and interrupts it if it is another one.
void sched_balance_tell(struct cpu *cpu);
// A CPU for one that becomes READY; if it is an idle one, it is not counted as idle any more. A
// lock may be held.
struct cpu *sched_balance_place(const struct vcpu *vcpu);
// Puts a vCPU that is READY, detached, and whose vcpu->cpu is set, into that CPU's queue, and tells
// whom it concerns.
void sched_balance_arrive(struct vcpu *vcpu);
// Somebody without a home waits on this CPU: tells an idle one. A lock may be held.
void sched_balance_call(const struct cpu *cpu);
// This CPU has nobody: takes somebody from a crowded queue. True: somebody is in this CPU's queue
// now.
bool sched_balance_steal(struct cpu *cpu);
// Whether a queue has somebody whom this CPU might take. No lock held.
bool sched_balance_crowded(const struct cpu *cpu);
// Somebody waits here while others are idle, who can have this one: tells one of them. The queue's
// lock is held.
void sched_balance_offer(struct cpu *cpu);
// Sends away who may not be here any more: some of them; true: more are left that can go.
bool sched_balance_evacuate(struct cpu *cpu);
// Gives away one vCPU if another CPU has less to carry and it is time to look.
void sched_balance_push(struct cpu *cpu);
// Puts a READY one that waits on another CPU into this CPU's queue. False: it cannot come.
bool sched_balance_pull(struct vcpu *vcpu, struct cpu *cpu);

// ---- sched_plan.c ----

void sched_plan_init_cpu(uint32_t cpu);
uint32_t sched_plan_reserved(uint32_t cpu); // in 1/10,000; any CPU
const struct vm *sched_plan_owner(uint32_t cpu);

#endif
