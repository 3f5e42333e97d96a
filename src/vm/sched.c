// SPDX-License-Identifier: Apache-2.0
// The scheduler as everybody else sees it: vCPUs enter, block, wake up and leave; CPUs choose.
// docs/scheduling.md has the rules. Called by the guest loop (choose, block, leave, tick), by
// whoever posts requests (wake), and by the life of VMs (enter). Owns cpu->current and vcpu->cpu.
// Invariant: a request is never lost. Who posts one writes vcpu->request, then reads the state; who
// blocks writes the state, then reads vcpu->request; all of it sequentially consistent, so one of
// the two sees the other.
#include "vm/sched.h"

#include "hw/timer.h"
#include "vm/sched_queue.h"

#define FAR_AWAY  ((uint64_t)1 << 62) // ticks: no sleep is longer, so that deadlines can be compared
#define SNAPSHOTS 4

static uint32_t requests(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->request, __ATOMIC_SEQ_CST);
}

static bool asked_to_stop(const struct vcpu *vcpu)
{
	return (requests(vcpu) & VCPU_REQ_STOP) != 0;
}

// ---- a vCPU ----

void sched_enter(struct vcpu *vcpu)
{
	struct sched_vcpu *sched = &vcpu->sched;
	struct cpu *before = sched_cpu(vcpu), *cpu = sched_balance_place(vcpu);
	if (before != cpu && sched->switches != 0)
		store_relaxed(&sched->migrations, sched->migrations + 1);
	store_release(&vcpu->cpu, cpu);
	struct sched_queue *queue = sched_queue_of(cpu);
	spin_lock(&queue->lock);
	uint64_t now = timer_now();
	sched->deadline = now + vcpu->vm->sched.period;
	sched->budget_left = vcpu->vm->sched.budget;
	sched_queue_set_state(vcpu, SCHED_READY, now);
	// Who asked before this saw it OUT and left it alone; who asks from now on finds it on its
	// way.
	sched->urgent = asked_to_stop(vcpu);
	spin_unlock(&queue->lock);
	sched_balance_arrive(vcpu);
}

static void leave_cpu(struct cpu *cpu)
{
	sched_queue_of(cpu)->current = NULL;
	cpu->current = NULL;
}

void sched_leave(struct vcpu *vcpu)
{
	struct cpu *cpu = cpu_this();
	struct sched_queue *queue = sched_queue_of(cpu);
	spin_lock(&queue->lock);
	uint64_t now = timer_now();
	sched_queue_account(queue, now);
	sched_queue_weigh(cpu, vcpu, false);
	sched_queue_detach(queue, vcpu);
	if ((int64_t)vcpu->sched.vruntime < 0)
		vcpu->sched.vruntime = 0; // what it owes stays, what it is owed does not
	vcpu->sched.urgent = false;
	leave_cpu(cpu);
	if (queue->last == vcpu)
		queue->last = NULL;
	sched_queue_set_state(vcpu, SCHED_OUT, now);
	spin_unlock(&queue->lock);
}

bool sched_block(struct vcpu *vcpu, uint64_t deadline)
{
	struct cpu *cpu = cpu_this();
	struct sched_queue *queue = sched_queue_of(cpu);
	spin_lock(&queue->lock);
	uint64_t now = timer_now();
	sched_queue_account(queue, now);
	// A guest may set its timer for a time that will never come: far away is not long ago.
	bool due = deadline != TIMER_NEVER && deadline <= now && now - deadline < FAR_AWAY;
	if (due)
		__atomic_fetch_or(&vcpu->request, VCPU_REQ_TIMER, __ATOMIC_SEQ_CST);
	sched_queue_set_state(vcpu, SCHED_BLOCKED, now);
	if (requests(vcpu) != 0) {
		sched_queue_set_state(vcpu, SCHED_RUNNING, now);
		spin_unlock(&queue->lock);
		return false;
	}
	sched_queue_weigh(cpu, vcpu, false);
	vcpu->sched.urgent = false;
	vcpu->sched.wake_at = TIMER_NEVER;
	if (deadline != TIMER_NEVER)
		sched_queue_sleep(cpu, vcpu, deadline - now < FAR_AWAY ? deadline : now + FAR_AWAY);
	leave_cpu(cpu);
	spin_unlock(&queue->lock);
	return true;
}

bool sched_nap(struct vcpu *vcpu, uint64_t deadline)
{
	struct cpu *cpu = cpu_this();
	struct sched_queue *queue = sched_queue_of(cpu);
	if (sched_has_budget(vcpu))
		return false; // it gets a new one when it wakes up
	spin_lock(&queue->lock);
	bool can = queue->nr_ready == 0 && !sched_is_alien(vcpu, cpu->id);
	if (can) {
		uint64_t now = timer_now();
		sched_queue_account(queue, now);
		sched_queue_weigh(cpu, vcpu, false);
		store_relaxed(&vcpu->sched.wake_at, deadline);
		sched_queue_set_state(vcpu, SCHED_NAPPING, now);
	}
	spin_unlock(&queue->lock);
	if (!can)
		return false;
	// As in sched_choose(): this CPU says that it is idle, then looks into the queues.
	sched_set_add(&sched_idle, cpu->id);
	if (!sched_balance_crowded(cpu))
		return true;
	sched_nap_ends(vcpu);
	return false;
}

void sched_nap_ends(struct vcpu *vcpu)
{
	struct cpu *cpu = cpu_this();
	struct sched_queue *queue = sched_queue_of(cpu);
	spin_lock(&queue->lock);
	sched_queue_weigh(cpu, vcpu, true);
	sched_queue_set_state(vcpu, SCHED_RUNNING, timer_now());
	spin_unlock(&queue->lock);
	sched_set_take(&sched_idle, cpu->id);
}

// What remains to be done when the queue's lock is given back.
struct errand {
	bool tell;           // the CPU, to look at its queue
	bool call;           // an idle CPU, to take who waits here
	bool interrupt;      // the CPU, to look at its vCPU's requests
	struct vcpu *arrive; // goes to another queue
};

static struct errand wake_blocked(struct cpu *cpu, struct vcpu *vcpu, bool urgent, uint64_t now)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	sched_queue_take(cpu, vcpu);
	sched_queue_wake_up(queue, vcpu, now);
	sched_queue_set_state(vcpu, SCHED_READY, now);
	vcpu->sched.urgent = urgent;
	struct cpu *to = cpu;
	if (load_acquire(&vcpu->sched.loaded) == 0)
		to = sched_balance_place(vcpu);
	else
		sched_set_take(&sched_idle, cpu->id);
	if (to != cpu) {
		sched_queue_detach(queue, vcpu);
		store_relaxed(&vcpu->sched.migrations, vcpu->sched.migrations + 1);
		store_release(&vcpu->cpu, to);
		return (struct errand){.arrive = vcpu};
	}
	sched_queue_weigh(cpu, vcpu, true);
	sched_queue_put(cpu, vcpu);
	return (struct errand){.tell = sched_queue_must_tell(cpu, vcpu),
	                       .call = queue->current != NULL && queue->nr_movable != 0};
}

static struct errand wake_locked(struct cpu *cpu, struct vcpu *vcpu, bool urgent)
{
	uint64_t now = timer_now();
	sched_queue_account(sched_queue_of(cpu), now);
	switch (vcpu->sched.state) {
	case SCHED_BLOCKED: return wake_blocked(cpu, vcpu, urgent, now);
	case SCHED_NAPPING:
	case SCHED_RUNNING: vcpu->sched.urgent |= urgent; return (struct errand){.interrupt = true};
	case SCHED_READY:
		if (!urgent || vcpu->sched.urgent)
			break;
		if (vcpu->sched.where == SCHED_IN_NONE) { // on its way here: it arrives as urgent
			vcpu->sched.urgent = true;
			break;
		}
		sched_queue_take(cpu, vcpu);
		vcpu->sched.urgent = true;
		sched_queue_put(cpu, vcpu);
		return (struct errand){.tell = true};
	default: break;
	}
	return (struct errand){0};
}

void sched_wake(struct vcpu *vcpu, bool urgent)
{
	for (;;) {
		uint32_t state = sched_state(vcpu);
		struct cpu *cpu = sched_cpu(vcpu);
		if (state == SCHED_OUT || (state == SCHED_READY && !urgent))
			return; // it looks at its requests before it runs
		if ((state == SCHED_RUNNING || state == SCHED_NAPPING) && !urgent) {
			sched_balance_interrupt(cpu);
			return;
		}
		struct sched_queue *queue = sched_queue_of(cpu);
		struct errand errand = {0};
		spin_lock(&queue->lock);
		bool there = sched_cpu(vcpu) == cpu;
		if (there)
			errand = wake_locked(cpu, vcpu, urgent);
		spin_unlock(&queue->lock);
		if (!there)
			continue;
		if (errand.interrupt)
			sched_balance_interrupt(cpu);
		if (errand.tell)
			sched_balance_tell(cpu);
		if (errand.call)
			sched_balance_call(cpu);
		if (errand.arrive != NULL)
			sched_balance_arrive(vcpu);
		return;
	}
}

// ---- a CPU ----

void sched_init_cpu(void)
{
	struct cpu *cpu = cpu_this();
	sched_queue_init(sched_queue_of(cpu));
	sched_set_take(&sched_idle, cpu->id);
	sched_set_take(&sched_crowded, cpu->id);
	sched_plan_init_cpu(cpu->id);
}

// An urgent one stays chosen until it has served what it was woken for.
static void calm(struct vcpu *current)
{
	if (current->sched.urgent && !asked_to_stop(current))
		current->sched.urgent = false;
}

static struct vcpu *choose_locked(struct cpu *cpu, struct sched_queue *queue, uint64_t now)
{
	struct vcpu *current = queue->current;
	sched_queue_account(queue, now);
	sched_queue_refill(cpu, now);
	if (current != NULL) {
		calm(current);
		if (sched_queue_keeps(cpu, current, now)) {
			sched_balance_offer(cpu);
			sched_queue_set_timer(cpu, now);
			return current;
		}
		sched_queue_set_state(current, SCHED_READY, now);
		queue->current = NULL;
		sched_queue_put(cpu, current);
	}
	current = sched_queue_pick(cpu, now);
	cpu->current = current;
	if (current != NULL)
		sched_balance_offer(cpu);
	sched_queue_set_timer(cpu, now);
	return current;
}

// The lock is held on entry, and given back.
static NOINLINE struct vcpu *choose_else(struct cpu *cpu, struct sched_queue *queue, uint64_t now)
{
	struct vcpu *chosen = choose_locked(cpu, queue, now);
	if (chosen == NULL) {
		// Who puts somebody into a queue looks for idle CPUs afterwards; this one says that
		// it is idle, then looks into the queues. One of the two sees the other.
		sched_set_add(&sched_idle, cpu->id);
		spin_unlock(&queue->lock);
		(void)sched_balance_steal(cpu);
		spin_lock(&queue->lock);
		chosen = choose_locked(cpu, queue, timer_now());
	}
	spin_unlock(&queue->lock);
	if (chosen != NULL)
		sched_set_take(&sched_idle, cpu->id);
	return chosen;
}

struct vcpu *sched_choose(void)
{
	struct cpu *cpu = cpu_this();
	struct sched_queue *queue = sched_queue_of(cpu);
	bool owned = sched_set_has(&sched_owned, cpu->id);
	bool strangers = load_relaxed(&queue->leaving) != 0 ||
	                 (owned && sched_set_has(&sched_crowded, cpu->id));
	if (strangers && sched_balance_evacuate(cpu))
		cpu_post_local(CPU_WORK_SCHED);
	spin_lock(&queue->lock);
	uint64_t now = timer_now();
	struct vcpu *next = NULL;
	if (queue->current != NULL && !owned)
		next = sched_queue_next_turn(cpu, now);
	if (next == NULL)
		return choose_else(cpu, queue, now);
	// Somebody ran here, so this CPU was not counted as idle.
	cpu->current = next;
	spin_unlock(&queue->lock);
	return next;
}

bool sched_must_unload(const struct vcpu *vcpu)
{
	return load_relaxed(&vcpu->sched.where) == SCHED_IN_LEAVING;
}

static NOINLINE void wake_sleepers(struct cpu *cpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	for (unsigned i = 0; i < SCHED_AT_ONCE; i++) {
		spin_lock(&queue->lock);
		struct heap_node *first = heap_first(&queue->sleepers);
		bool due = first != NULL && !sched_before(timer_now(), first->key);
		if (due)
			sched_queue_take(cpu, sched_vcpu_of(first));
		spin_unlock(&queue->lock);
		if (!due)
			return;
		// Somebody else may wake it meanwhile: then its timers are looked at once too
		// often.
		struct vcpu *vcpu = sched_vcpu_of(first);
		__atomic_fetch_or(&vcpu->request, VCPU_REQ_TIMER, __ATOMIC_SEQ_CST);
		sched_wake(vcpu, false);
	}
}

void sched_tick(void)
{
	struct cpu *cpu = cpu_this();
	const struct sched_queue *queue = sched_queue_of(cpu);
	if (load_relaxed(&queue->sleepers.root) != NULL) // only this CPU puts any in
		wake_sleepers(cpu);
	if (queue->balancing) // only this CPU sets it
		sched_balance_push(cpu);
	// Who chooses sends strangers away, accounts, refills, and sets the timer.
	cpu_post_local(CPU_WORK_SCHED);
}

// The sibling waits in this CPU's queue: it gets what is left of `self`'s slice.
static bool favour(struct cpu *cpu, const struct vcpu *self, struct vcpu *sibling)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	spin_lock(&queue->lock);
	bool can = queue->current == self && sched_cpu(sibling) == cpu &&
	           sched_state(sibling) == SCHED_READY && sibling->sched.where == SCHED_IN_READY;
	if (can) {
		queue->favoured = sibling;
		queue->favoured_end = self->sched.slice_end != TIMER_NEVER
		                              ? self->sched.slice_end
		                              : timer_now() + sched_queue_slice();
		cpu_post_local(CPU_WORK_SCHED);
	}
	spin_unlock(&queue->lock);
	return can;
}

bool sched_yield_to_sibling(struct vcpu *self)
{
	struct cpu *cpu = cpu_this();
	const struct vm *vm = self->vm;
	if (sched_has_budget(self)) // what was promised to it is not its siblings'
		return false;
	for (unsigned pass = 0; pass < 2; pass++) { // those that wait here first
		for (uint32_t i = 1; i < vm->nr_vcpus; i++) {
			struct vcpu *sibling = vm->vcpu[(self->id + i) % vm->nr_vcpus];
			if (sched_state(sibling) != SCHED_READY)
				continue;
			if (pass == 1)
				(void)sched_balance_pull(sibling, cpu);
			if (favour(cpu, self, sibling))
				return true;
		}
	}
	return false;
}

// ---- figures ----

// `total` and the time since then if the vCPU is in `state`. The two are read until they fit
// together.
static uint64_t figure(const struct vcpu *vcpu, const uint64_t *total, enum sched_state state)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < SNAPSHOTS; i++) {
		uint64_t counted = load_acquire(total);
		uint64_t since = load_acquire(&vcpu->sched.since);
		bool counts = sched_state(vcpu) == (uint32_t)state;
		uint64_t now = timer_now();
		sum = counted + (counts && sched_before(since, now) ? now - since : 0);
		if (load_acquire(&vcpu->sched.since) == since && load_acquire(total) == counted)
			break;
	}
	return sum;
}

uint64_t sched_ran(const struct vcpu *vcpu)
{
	return figure(vcpu, &vcpu->sched.ran, SCHED_RUNNING);
}

uint64_t sched_waited(const struct vcpu *vcpu)
{
	return figure(vcpu, &vcpu->sched.waited, SCHED_READY);
}

struct sched_cpu_info sched_cpu_info(uint32_t cpu)
{
	return (struct sched_cpu_info){.exclusive = sched_plan_owner(cpu),
	                               .ready = load_relaxed(&sched_queues[cpu].nr_ready),
	                               .reserved = sched_plan_reserved(cpu),
	                               .idle = sched_set_has(&sched_idle, cpu)};
}
