// SPDX-License-Identifier: Apache-2.0
// The order of vCPUs within one CPU's queue. Owns sched_queues; called by vm/sched*.c with the
// queue's lock held.
// Invariant: a READY vCPU is in exactly one place (vcpu->sched.where), and in `movable` as well if
// it has no home and is not urgent. Everything is O(log n).
// Source: earliest deadline first with hard constant bandwidth servers (Abeni and Buttazzo);
// weighted fair queueing by virtual time for the rest.
#include "vm/sched_queue.h"

#include "base/bits.h"
#include "hw/timer.h"

// Units of virtual time a tick at weight 1: fine enough that at weight 10,000 one tick is 256
// units. A difference of virtual times stays below 2^63 as long as no step is longer than
// LONG_TIME.
#define UNITS     ((uint64_t)SCHED_WEIGHT_MAX << 8)
#define LONG_TIME BIT_U64(40) // ticks: 18 minutes at 1 GHz

__extension__ typedef unsigned __int128 wide;

struct sched_queue sched_queues[CPU_MAX];
struct sched_set sched_idle, sched_crowded, sched_owned;

// Every CPU writes the same at its start.
static uint64_t slice_ticks = 1, balance_ticks, retry_ticks;

void sched_queue_init(struct sched_queue *queue)
{
	uint64_t slice = timer_from_us(SCHED_SLICE_US);
	*queue = (struct sched_queue){.lock = SPINLOCK_INIT(LOCK_SCHED)};
	store_relaxed(&slice_ticks, slice != 0 ? slice : 1);
	store_relaxed(&balance_ticks, timer_from_us(SCHED_BALANCE_US));
	store_relaxed(&retry_ticks, timer_from_us(SCHED_RETRY_US));
}

uint64_t sched_queue_slice(void)
{
	return load_relaxed(&slice_ticks);
}

static uint64_t elapsed(uint64_t since, uint64_t now)
{
	return sched_before(since, now) ? now - since : 0;
}

static uint64_t virtual_time(const struct vcpu *vcpu, uint64_t ticks)
{
	if (ticks > LONG_TIME)
		ticks = LONG_TIME; // that long nobody else wanted to run here
	return ticks * UNITS / vcpu->vm->sched.weight;
}

static uint32_t highest(uint32_t set)
{
	return 31 - (uint32_t)__builtin_clz(set);
}

// ---- time ----

static void raise_floor(struct sched_queue *queue, uint32_t priority)
{
	const struct vcpu *current = queue->current;
	struct heap_node *first = heap_first(&queue->ready[priority]);
	bool runs = current != NULL && !sched_has_budget(current) &&
	            current->vm->sched.priority == priority;
	if (!runs && first == NULL)
		return;
	uint64_t least = runs ? current->sched.vruntime : UINT64_MAX;
	if (first != NULL && (!runs || sched_before(first->key, least)))
		least = first->key;
	if (sched_before(queue->floor[priority], least))
		queue->floor[priority] = least;
}

static void spend(struct sched_vcpu *sched, uint64_t ticks)
{
	sched->budget_left -= ticks < sched->budget_left ? ticks : sched->budget_left;
}

// The period is over while it wanted to run. Periods that passed unseen are missed too, unless it
// ran then.
static void renew(struct vcpu *vcpu, uint64_t now, bool ran)
{
	struct sched_vcpu *sched = &vcpu->sched;
	const struct sched_params *params = &vcpu->vm->sched;
	uint64_t count = (now - sched->deadline) / params->period + 1;
	store_relaxed(&sched->periods, sched->periods + count);
	store_relaxed(&sched->missed,
	              sched->missed + (sched->budget_left != 0) + (ran ? 0 : count - 1));
	sched->deadline += count * params->period;
	sched->budget_left = params->budget;
}

void sched_queue_account(struct sched_queue *queue, uint64_t now)
{
	struct vcpu *vcpu = queue->current;
	if (vcpu == NULL || vcpu->sched.state == SCHED_NAPPING)
		return;
	struct sched_vcpu *sched = &vcpu->sched;
	uint64_t ticks = elapsed(sched->since, now);
	store_relaxed(&sched->ran, sched->ran + ticks);
	if (!sched_has_budget(vcpu)) {
		sched->vruntime += virtual_time(vcpu, ticks);
		raise_floor(queue, vcpu->vm->sched.priority);
	} else if (sched_before(now, sched->deadline)) {
		spend(sched, ticks);
	} else {
		// What it ran after the end of its period is taken from the next one.
		uint64_t end = sched->deadline;
		spend(sched, elapsed(sched->since, end));
		renew(vcpu, now, true);
		spend(sched, elapsed(sched_before(end, sched->since) ? sched->since : end, now));
	}
	store_relaxed(&sched->since, now);
}

static void refill_heap(struct cpu *cpu, struct heap *heap, uint64_t now)
{
	for (unsigned i = 0; i < SCHED_AT_ONCE; i++) {
		struct heap_node *first = heap_first(heap);
		if (first == NULL || sched_before(now, first->key))
			return;
		struct vcpu *vcpu = sched_vcpu_of(first);
		sched_queue_take(cpu, vcpu);
		renew(vcpu, now, false);
		sched_queue_put(cpu, vcpu);
	}
}

void sched_queue_refill(struct cpu *cpu, uint64_t now)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	if (heap_first(&queue->throttled) != NULL)
		refill_heap(cpu, &queue->throttled, now);
	if (heap_first(&queue->budget) != NULL)
		refill_heap(cpu, &queue->budget, now);
}

void sched_queue_set_state(struct vcpu *vcpu, enum sched_state state, uint64_t now)
{
	struct sched_vcpu *sched = &vcpu->sched;
	if (sched->state == SCHED_READY)
		store_relaxed(&sched->waited, sched->waited + elapsed(sched->since, now));
	store_relaxed(&sched->since, now);
	__atomic_store_n(&sched->state, (uint32_t)state, __ATOMIC_SEQ_CST);
}

// What is left of a budget may be used up until its deadline only as far as that is no more than
// its share of the time until then; else a new period begins.
static void wake_budget(struct vcpu *vcpu, uint64_t now)
{
	struct sched_vcpu *sched = &vcpu->sched;
	const struct sched_params *params = &vcpu->vm->sched;
	if (sched_before(now, sched->deadline) &&
	    (wide)sched->budget_left * params->period <=
	            (wide)(sched->deadline - now) * params->budget)
		return;
	store_relaxed(&sched->periods, sched->periods + 1);
	sched->deadline = now + params->period;
	sched->budget_left = params->budget;
}

void sched_queue_wake_up(struct sched_queue *queue, struct vcpu *vcpu, uint64_t now)
{
	struct sched_vcpu *sched = &vcpu->sched;
	if (sched_has_budget(vcpu)) {
		wake_budget(vcpu, now);
		return;
	}
	uint64_t least =
	        queue->floor[vcpu->vm->sched.priority] - virtual_time(vcpu, sched_queue_slice());
	// After a long sleep its own time says nothing any more: the floor may have gone round.
	if (elapsed(sched->since, now) >= LONG_TIME || sched_before(sched->vruntime, least))
		sched->vruntime = least;
}

void sched_queue_detach(struct sched_queue *queue, struct vcpu *vcpu)
{
	vcpu->sched.vruntime -= queue->floor[vcpu->vm->sched.priority];
}

void sched_queue_attach(struct sched_queue *queue, struct vcpu *vcpu, uint64_t now)
{
	vcpu->sched.vruntime += queue->floor[vcpu->vm->sched.priority];
	vcpu->sched.placed_at = now;
}

// ---- in and out ----

void sched_queue_weigh(struct cpu *cpu, const struct vcpu *vcpu, bool add)
{
	if (sched_has_budget(vcpu))
		return;
	uint64_t *load = &sched_queue_of(cpu)->load[vcpu->vm->sched.priority];
	uint64_t weight = vcpu->vm->sched.weight;
	store_relaxed(load, add ? *load + weight : *load - weight);
}

static void put_movable(struct cpu *cpu, struct vcpu *vcpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	uint32_t priority = vcpu->vm->sched.priority;
	heap_put(&queue->movable[priority], &vcpu->sched.move, vcpu->sched.placed_at);
	queue->movable_set |= BIT_U32(priority);
	if (queue->nr_movable++ == 0)
		sched_set_add(&sched_crowded, cpu->id);
}

static void take_movable(struct cpu *cpu, struct vcpu *vcpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	uint32_t priority = vcpu->vm->sched.priority;
	heap_remove(&queue->movable[priority], &vcpu->sched.move);
	if (heap_first(&queue->movable[priority]) == NULL)
		queue->movable_set &= ~BIT_U32(priority);
	if (--queue->nr_movable == 0)
		sched_set_take(&sched_crowded, cpu->id);
}

static enum sched_where where_to(const struct cpu *cpu, const struct vcpu *vcpu)
{
	if (vcpu->sched.urgent)
		return SCHED_IN_URGENT;
	if (sched_has_budget(vcpu))
		return vcpu->sched.budget_left != 0 ? SCHED_IN_BUDGET : SCHED_IN_THROTTLED;
	return sched_is_alien(vcpu, cpu->id) ? SCHED_IN_LEAVING : SCHED_IN_READY;
}

void sched_queue_put(struct cpu *cpu, struct vcpu *vcpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	struct sched_vcpu *sched = &vcpu->sched;
	uint32_t priority = vcpu->vm->sched.priority;
	enum sched_where where = where_to(cpu, vcpu);
	store_relaxed(&sched->where, (uint8_t)where);
	store_relaxed(&queue->nr_ready, queue->nr_ready + 1);
	switch (where) {
	case SCHED_IN_URGENT: heap_put(&queue->urgent, &sched->node, sched->since); return;
	case SCHED_IN_BUDGET: heap_put(&queue->budget, &sched->node, sched->deadline); return;
	case SCHED_IN_THROTTLED: heap_put(&queue->throttled, &sched->node, sched->deadline); return;
	case SCHED_IN_LEAVING: store_relaxed(&queue->leaving, queue->leaving + 1); break;
	default:
		heap_put(&queue->ready[priority], &sched->node, sched->vruntime);
		queue->ready_set |= BIT_U32(priority);
		break;
	}
	if (sched->home == SCHED_ANY_CPU)
		put_movable(cpu, vcpu);
}

static NOINLINE void take(struct cpu *cpu, struct vcpu *vcpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	struct sched_vcpu *sched = &vcpu->sched;
	uint32_t priority = vcpu->vm->sched.priority;
	enum sched_where where = sched->where;
	store_relaxed(&sched->where, (uint8_t)SCHED_IN_NONE);
	switch (where) {
	case SCHED_IN_NONE: return;
	case SCHED_IN_SLEEPERS: heap_remove(&queue->sleepers, &sched->node); return;
	case SCHED_IN_URGENT: heap_remove(&queue->urgent, &sched->node); break;
	case SCHED_IN_BUDGET: heap_remove(&queue->budget, &sched->node); break;
	case SCHED_IN_THROTTLED: heap_remove(&queue->throttled, &sched->node); break;
	case SCHED_IN_LEAVING: store_relaxed(&queue->leaving, queue->leaving - 1); break;
	case SCHED_IN_READY:
		heap_remove(&queue->ready[priority], &sched->node);
		if (heap_first(&queue->ready[priority]) == NULL)
			queue->ready_set &= ~BIT_U32(priority);
		break;
	}
	store_relaxed(&queue->nr_ready, queue->nr_ready - 1);
	if (sched->home == SCHED_ANY_CPU && (where == SCHED_IN_READY || where == SCHED_IN_LEAVING))
		take_movable(cpu, vcpu);
}

void sched_queue_take(struct cpu *cpu, struct vcpu *vcpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	if (queue->favoured == vcpu)
		queue->favoured = NULL;
	if (vcpu->sched.where != SCHED_IN_NONE)
		take(cpu, vcpu);
}

void sched_queue_sleep(struct cpu *cpu, struct vcpu *vcpu, uint64_t deadline)
{
	vcpu->sched.wake_at = deadline;
	heap_put(&sched_queue_of(cpu)->sleepers, &vcpu->sched.node, deadline);
	store_relaxed(&vcpu->sched.where, (uint8_t)SCHED_IN_SLEEPERS);
}

// ---- who runs ----

static bool keeps_budget(const struct sched_queue *queue, const struct vcpu *current)
{
	struct heap_node *first = heap_first(&queue->budget);
	return current->sched.budget_left != 0 &&
	       (first == NULL || !sched_before(first->key, current->sched.deadline));
}

bool sched_queue_keeps(struct cpu *cpu, struct vcpu *current, uint64_t now)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	uint32_t priority = current->vm->sched.priority;
	if (current->sched.urgent)
		return true;
	if (heap_first(&queue->urgent) != NULL)
		return false;
	if (sched_has_budget(current))
		return keeps_budget(queue, current);
	if (heap_first(&queue->budget) != NULL || queue->ready_set >> priority > 1 ||
	    sched_is_alien(current, cpu->id))
		return false;
	if ((queue->ready_set & BIT_U32(priority)) == 0) {
		current->sched.slice_end = TIMER_NEVER;
		return true;
	}
	if (queue->preempt || queue->favoured != NULL)
		return false;
	if (current->sched.slice_end == TIMER_NEVER)
		current->sched.slice_end = now + sched_queue_slice();
	return sched_before(now, current->sched.slice_end);
}

static struct vcpu *first_ready(struct sched_queue *queue, uint64_t now)
{
	struct vcpu *favoured = queue->favoured;
	uint32_t priority = highest(queue->ready_set);
	if (favoured != NULL && favoured->vm->sched.priority == priority &&
	    sched_before(now, queue->favoured_end))
		return favoured;
	return sched_vcpu_of(heap_first(&queue->ready[priority]));
}

// When its turn ends if others of its priority wait.
static uint64_t slice_end(const struct sched_queue *queue, const struct vcpu *vcpu, bool favoured,
                          uint64_t now)
{
	if (vcpu->sched.urgent)
		return now + sched_queue_slice(); // then it takes its turn with the others
	if (sched_has_budget(vcpu) || (queue->ready_set & BIT_U32(vcpu->vm->sched.priority)) == 0)
		return TIMER_NEVER;
	return favoured ? queue->favoured_end : now + sched_queue_slice();
}

struct vcpu *sched_queue_pick(struct cpu *cpu, uint64_t now)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	struct vcpu *vcpu;
	queue->preempt = false;
	if (heap_first(&queue->urgent) != NULL)
		vcpu = sched_vcpu_of(heap_first(&queue->urgent));
	else if (heap_first(&queue->budget) != NULL)
		vcpu = sched_vcpu_of(heap_first(&queue->budget));
	else if (queue->ready_set != 0)
		vcpu = first_ready(queue, now);
	else
		return NULL;
	bool favoured = queue->favoured == vcpu;
	queue->favoured = NULL; // it is for this choice alone
	sched_queue_take(cpu, vcpu);
	sched_queue_set_state(vcpu, SCHED_RUNNING, now);
	queue->current = vcpu;
	vcpu->sched.slice_end = slice_end(queue, vcpu, favoured, now);
	if (queue->last != vcpu)
		store_relaxed(&vcpu->sched.switches, vcpu->sched.switches + 1);
	queue->last = vcpu;
	if (!sched_has_budget(vcpu))
		raise_floor(queue, vcpu->vm->sched.priority);
	return vcpu;
}

// `vcpu` became READY beside `current` of its own priority.
static bool tell_equal(struct sched_queue *queue, const struct vcpu *current,
                       const struct vcpu *vcpu)
{
	uint64_t behind = virtual_time(vcpu, sched_queue_slice()) / 4;
	if (sched_before(vcpu->sched.vruntime + behind, current->sched.vruntime)) {
		queue->preempt = true;
		return true;
	}
	return current->sched.slice_end == TIMER_NEVER;
}

bool sched_queue_must_tell(struct cpu *cpu, const struct vcpu *vcpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	const struct vcpu *current = queue->current;
	uint32_t priority = vcpu->vm->sched.priority;
	if (current == NULL || current->sched.state == SCHED_NAPPING)
		return true;
	bool waits = queue->nr_movable != 0 && !queue->balancing && cpu_count() > 1;
	switch (vcpu->sched.where) {
	case SCHED_IN_READY: break;
	case SCHED_IN_BUDGET:
		return !sched_has_budget(current) ||
		       sched_before(vcpu->sched.deadline, current->sched.deadline);
	default: return true; // urgent; leaving; one that needs the timer
	}
	if (sched_has_budget(current) || current->vm->sched.priority > priority)
		return waits;
	if (current->vm->sched.priority < priority)
		return true;
	return tell_equal(queue, current, vcpu) || waits;
}

// ---- the timer ----

static void sooner(uint64_t *at, uint64_t than)
{
	if (*at == TIMER_NEVER || sched_before(than, *at))
		*at = than;
}

static void sooner_heap(uint64_t *at, const struct heap *heap)
{
	if (heap_first(heap) != NULL)
		sooner(at, heap_first(heap)->key);
}

// When this CPU looks at others; who waits here can go there, or must, or would be asked for.
static NOINLINE void sooner_balance(struct sched_queue *queue, uint64_t *at, uint64_t now)
{
	if (queue->leaving != 0 || queue->retry)
		sooner(at, now + load_relaxed(&retry_ticks));
	if (!queue->balancing)
		return;
	uint64_t period = load_relaxed(&balance_ticks);
	if (elapsed(queue->next_balance, now) > period ||
	    elapsed(now, queue->next_balance) > period)
		queue->next_balance = now + period; // left over from long ago
	sooner(at, queue->next_balance);
}

static void sooner_current(const struct vcpu *current, uint64_t *at, uint64_t now)
{
	const struct sched_vcpu *sched = &current->sched;
	if (sched->urgent) {
		// Whatever it has used up: it stops at once, or is like the others when looked at again.
		sooner(at, now + load_relaxed(&retry_ticks));
		return;
	}
	if (sched->slice_end != TIMER_NEVER)
		sooner(at, sched->slice_end);
	if (sched_has_budget(current)) {
		sooner(at, now + sched->budget_left);
		sooner(at, sched->deadline);
	}
}

void sched_queue_set_timer(struct cpu *cpu, uint64_t now)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	uint64_t at = TIMER_NEVER;
	if (queue->current != NULL)
		sooner_current(queue->current, &at, now);
	sooner_heap(&at, &queue->budget);
	sooner_heap(&at, &queue->throttled);
	sooner_heap(&at, &queue->sleepers);
	queue->balancing = queue->nr_movable != 0 && cpu_count() > 1;
	if (queue->balancing || queue->retry || queue->leaving != 0)
		sooner_balance(queue, &at, now);
	timer_set(TIMER_SCHED, at);
}

// ---- the usual end of a slice ----

// Its place among those that other CPUs can have goes to `in`, if that is one of them.
static void exchange_movable(struct cpu *cpu, struct vcpu *out, struct vcpu *in)
{
	bool leaves = out->sched.home == SCHED_ANY_CPU, comes = in->sched.home == SCHED_ANY_CPU;
	if (leaves && comes)
		heap_exchange(&sched_queue_of(cpu)->movable[in->vm->sched.priority],
		              &out->sched.move, &in->sched.move, in->sched.placed_at);
	else if (leaves)
		take_movable(cpu, out);
	else if (comes)
		put_movable(cpu, in);
}

static bool is_plain(const struct sched_queue *queue, const struct vcpu *current)
{
	return queue->ready_set == BIT_U32(current->vm->sched.priority) &&
	       heap_first(&queue->urgent) == NULL && heap_first(&queue->budget) == NULL &&
	       heap_first(&queue->throttled) == NULL && queue->favoured == NULL &&
	       queue->leaving == 0 && !current->sched.urgent && !sched_has_budget(current);
}

// As sched_queue_account() and sched_queue_set_state() would.
static void account_turn(struct vcpu *current, uint64_t now)
{
	struct sched_vcpu *sched = &current->sched;
	uint64_t ticks = elapsed(sched->since, now);
	store_relaxed(&sched->ran, sched->ran + ticks);
	sched->vruntime += virtual_time(current, ticks);
	store_relaxed(&sched->since, now);
}

static void begin_turn(struct sched_queue *queue, struct vcpu *next, uint64_t now)
{
	struct sched_vcpu *sched = &next->sched;
	store_relaxed(&sched->where, (uint8_t)SCHED_IN_NONE);
	store_relaxed(&sched->waited, sched->waited + elapsed(sched->since, now));
	store_relaxed(&sched->since, now);
	store_ordered(&sched->state, (uint32_t)SCHED_RUNNING);
	sched->slice_end = now + sched_queue_slice();
	store_relaxed(&sched->switches, sched->switches + 1); // `last` is the one before
	queue->last = queue->current = next;
	queue->preempt = false;
}

// Tells who could have one of those that wait, and sets the timer.
static void end_choice(struct cpu *cpu, struct sched_queue *queue, const struct vcpu *next,
                       uint64_t now)
{
	if (queue->nr_movable != 0 && cpu_count() > 1) {
		sched_balance_offer(cpu);
		sched_queue_set_timer(cpu, now);
		return;
	}
	uint64_t at = next->sched.slice_end;
	sooner_heap(&at, &queue->sleepers);
	queue->retry = queue->balancing = false;
	timer_set(TIMER_SCHED, at);
}

struct vcpu *sched_queue_next_turn(struct cpu *cpu, uint64_t now)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	struct vcpu *current = queue->current;
	if (!is_plain(queue, current))
		return NULL;
	uint64_t end = current->sched.slice_end;
	if (!queue->preempt && (end == TIMER_NEVER || sched_before(now, end)))
		return NULL;
	uint32_t priority = current->vm->sched.priority;
	struct heap *ready = &queue->ready[priority];
	struct vcpu *next = sched_vcpu_of(heap_first(ready));
	uint64_t least = next->sched.vruntime;
	account_turn(current, now);
	if (sched_before(current->sched.vruntime, least))
		return NULL; // a heavier one has more turns
	if (sched_before(queue->floor[priority], least))
		queue->floor[priority] = least;
	heap_exchange(ready, &next->sched.node, &current->sched.node, current->sched.vruntime);
	exchange_movable(cpu, next, current);
	store_relaxed(&current->sched.where, (uint8_t)SCHED_IN_READY);
	store_ordered(&current->sched.state, (uint32_t)SCHED_READY);
	begin_turn(queue, next, now);
	end_choice(cpu, queue, next, now);
	return next;
}
