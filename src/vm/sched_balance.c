// SPDX-License-Identifier: Apache-2.0
// Between the queues: where a vCPU goes when it wakes up, what an idle CPU takes, what a crowded
// one gives away. Called by vm/sched.c, without a queue's lock but where sched_queue.h says so.
// Owns sched_idle.
// Invariant: a vCPU that moves is READY and in no heap while it belongs to neither lock; vcpu->cpu
// is already the new one then, so what sched_wake() writes meanwhile is found when it arrives.
#include "vm/sched_queue.h"

#include "base/bits.h"
#include "hw/intc.h"
#include "hw/timer.h"

#define PROBES     4  // queues looked at for the least load when nobody is idle
#define NEIGHBOURS 64 // the same when there is time, 20 ms
#define VICTIMS    16 // crowded queues of which the longest is taken
#define TRIES      4
#define EVACUATE   8 // in one go
#define POSTPONE   8 // half slices until balance no longer waits for the one whose turn it is
#define SHARE_FULL 10000

void sched_balance_interrupt(const struct cpu *cpu)
{
	// The other side sets in_guest before it looks at its work and at its vCPU's requests, so
	// one of the two sees the other.
	if (cpu != cpu_this() && __atomic_load_n(&cpu->in_guest, __ATOMIC_SEQ_CST) != 0)
		intc_send_sgi(cpu, KICK_SGI);
}

void sched_balance_tell(struct cpu *cpu)
{
	__atomic_fetch_or(&cpu->work, CPU_WORK_SCHED, __ATOMIC_SEQ_CST);
	sched_balance_interrupt(cpu);
}

// ---- loads ----

// What a vCPU of this priority would share the CPU with, as if nothing of it were promised to
// budgets.
static uint64_t load_of(uint32_t cpu, uint32_t priority, uint64_t extra)
{
	for (; priority < SCHED_PRIORITIES; priority++)
		extra += load_relaxed(&sched_queues[cpu].load[priority]);
	return extra * SHARE_FULL / (SHARE_FULL - sched_plan_reserved(cpu));
}

// The CPU with the least to do for a vCPU of this priority and weight, if that is no more than
// `limit` with it; NULL: none. Looks at `probes` CPUs that may be used, beginning after `from`, so
// that equals take turns.
static struct cpu *lightest(uint32_t from, uint32_t priority, uint64_t weight, uint64_t limit,
                            uint32_t probes)
{
	uint32_t count = cpu_count(), best = CPU_MAX;
	for (uint32_t i = 1; i < count && probes != 0; i++) {
		uint32_t cpu = (from + i) % count;
		if (sched_set_has(&sched_owned, cpu))
			continue;
		probes--;
		uint64_t load = load_of(cpu, priority, weight);
		if (load < limit || (load == limit && best == CPU_MAX)) {
			limit = load;
			best = cpu;
		}
	}
	return best == CPU_MAX ? NULL : cpu_get(best);
}

// ---- idle CPUs ----

// An idle CPU that anybody may use, which is not counted as idle any more; near ones first. NULL:
// none.
static struct cpu *take_idle(uint32_t near)
{
	uint32_t words = (cpu_count() + 63) / 64;
	for (uint32_t i = 0; i < words; i++) {
		uint32_t word = (near / 64 + i) % words;
		uint64_t set = __atomic_load_n(&sched_idle.word[word], __ATOMIC_SEQ_CST) &
		               ~__atomic_load_n(&sched_owned.word[word], __ATOMIC_SEQ_CST);
		for (; set != 0; set &= set - 1) {
			uint32_t cpu = word * 64 + (uint32_t)__builtin_ctzll(set);
			if (cpu < cpu_count() && sched_set_take(&sched_idle, cpu))
				return cpu_get(cpu);
		}
	}
	return NULL;
}

static bool somebody_idle(void)
{
	uint32_t words = (cpu_count() + 63) / 64;
	for (uint32_t word = 0; word < words; word++)
		if ((__atomic_load_n(&sched_idle.word[word], __ATOMIC_SEQ_CST) &
		     ~__atomic_load_n(&sched_owned.word[word], __ATOMIC_SEQ_CST)) != 0)
			return true;
	return false;
}

struct cpu *sched_balance_place(const struct vcpu *vcpu)
{
	struct cpu *cpu = sched_cpu(vcpu);
	uint32_t home = vcpu->sched.home;
	if (home != SCHED_ANY_CPU)
		cpu = cpu_get(home);
	// Taken out even if nobody else may choose it: a CPU that gets work is not idle.
	bool owned = sched_is_alien(vcpu, cpu->id);
	if (!owned && (sched_set_take(&sched_idle, cpu->id) || home != SCHED_ANY_CPU))
		return cpu;
	struct cpu *other = take_idle(cpu->id);
	if (other != NULL)
		return other;
	uint32_t priority = vcpu->vm->sched.priority;
	uint64_t limit = owned ? UINT64_MAX : load_of(cpu->id, priority, 0);
	other = lightest(cpu->id, priority, vcpu->vm->sched.weight, limit, PROBES);
	return other != NULL ? other : cpu;
}

void sched_balance_arrive(struct vcpu *vcpu)
{
	struct cpu *cpu = sched_cpu(vcpu);
	struct sched_queue *queue = sched_queue_of(cpu);
	spin_lock(&queue->lock);
	uint64_t now = timer_now();
	sched_queue_account(queue, now);
	sched_queue_attach(queue, vcpu, now);
	sched_queue_weigh(cpu, vcpu, true);
	sched_queue_put(cpu, vcpu);
	bool tell = sched_queue_must_tell(cpu, vcpu);
	bool waits = queue->current != NULL && queue->nr_movable != 0;
	spin_unlock(&queue->lock);
	if (tell)
		sched_balance_tell(cpu);
	if (waits)
		sched_balance_call(cpu);
}

void sched_balance_call(const struct cpu *cpu)
{
	struct cpu *idle = take_idle(cpu->id);
	if (idle != NULL)
		sched_balance_tell(idle);
}

static bool is_loaded(const struct vcpu *vcpu)
{
	return load_acquire(&vcpu->sched.loaded) != 0;
}

// The up to three vCPUs of a heap that were there longest, oldest first. Of those that wait in one
// queue at most one is loaded: the one that ran last.
static unsigned oldest(const struct heap *heap, struct vcpu *found[3])
{
	struct heap_node *root = heap_first(heap);
	unsigned count = 0;
	if (root == NULL)
		return 0;
	found[count++] = sched_vcpu_of_move(root);
	if (root->left != NULL)
		found[count++] = sched_vcpu_of_move(root->left);
	if (root->right != NULL)
		found[count++] = sched_vcpu_of_move(root->right);
	if (count == 3 && sched_before(root->right->key, root->left->key)) {
		struct vcpu *left = found[1];
		found[1] = found[2];
		found[2] = left;
	}
	return count;
}

// One that can leave this queue at once, of the highest priority that has any; NULL: none.
static struct vcpu *free_one(const struct sched_queue *queue)
{
	for (uint32_t set = queue->movable_set; set != 0;) {
		uint32_t priority = 31 - (uint32_t)__builtin_clz(set);
		struct vcpu *found[3];
		set &= ~BIT_U32(priority);
		unsigned count = oldest(&queue->movable[priority], found);
		for (unsigned i = 0; i < count; i++)
			if (!is_loaded(found[i]))
				return found[i];
	}
	return NULL;
}

void sched_balance_offer(struct cpu *cpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	queue->retry = false;
	if (queue->nr_movable == 0 || cpu_count() == 1 || !somebody_idle())
		return;
	if (free_one(queue) != NULL)
		sched_balance_call(cpu);
	else
		queue->retry = true; // it can be had as soon as it is out of the registers
}

// ---- moves ----

// Takes a READY vCPU out of `from`'s queue, whose lock is held, for `to`.
static void depart(struct cpu *from, struct vcpu *vcpu, struct cpu *to)
{
	sched_queue_account(sched_queue_of(from), timer_now()); // the floor is to be right
	sched_queue_take(from, vcpu);
	sched_queue_weigh(from, vcpu, false);
	sched_queue_detach(sched_queue_of(from), vcpu);
	if (from != to)
		store_relaxed(&vcpu->sched.migrations, vcpu->sched.migrations + 1);
	store_release(&vcpu->cpu, to);
}

// The longest of some crowded queues; CPU_MAX: none.
static uint32_t find_victim(uint32_t near)
{
	uint32_t words = (cpu_count() + 63) / 64, best = CPU_MAX, longest = 0, seen = 0;
	for (uint32_t i = 0; i <= words; i++) { // the first word's lower part comes last
		uint32_t word = (near / 64 + i) % words;
		uint64_t set = __atomic_load_n(&sched_crowded.word[word], __ATOMIC_SEQ_CST);
		if (i == 0)
			set &= ~(uint64_t)0 << (near % 64);
		for (; set != 0 && seen < VICTIMS; set &= set - 1) {
			uint32_t cpu = word * 64 + (uint32_t)__builtin_ctzll(set);
			uint32_t length = load_relaxed(&sched_queues[cpu].nr_ready);
			if (cpu == near || cpu >= cpu_count())
				continue;
			seen++;
			if (length > longest) {
				longest = length;
				best = cpu;
			}
		}
	}
	return best;
}

bool sched_balance_crowded(const struct cpu *cpu)
{
	uint32_t words = (cpu_count() + 63) / 64;
	if (sched_set_has(&sched_owned, cpu->id))
		return false;
	for (uint32_t word = 0; word < words; word++)
		if (__atomic_load_n(&sched_crowded.word[word], __ATOMIC_SEQ_CST) != 0)
			return true;
	return false;
}

static bool steal_from(struct cpu *victim, struct cpu *cpu)
{
	struct sched_queue *queue = sched_queue_of(victim);
	struct vcpu *vcpu = NULL;
	spin_lock(&queue->lock);
	// One that is alone there, while its CPU has been told, will be chosen in a moment.
	if (queue->current != NULL || queue->nr_ready > 1 || queue->leaving != 0)
		vcpu = free_one(queue);
	if (vcpu != NULL)
		depart(victim, vcpu, cpu);
	spin_unlock(&queue->lock);
	if (vcpu == NULL)
		return false;
	sched_balance_arrive(vcpu);
	return true;
}

bool sched_balance_steal(struct cpu *cpu)
{
	if (sched_set_has(&sched_owned, cpu->id))
		return false;
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t victim = find_victim(cpu->id);
		if (victim == CPU_MAX)
			return false;
		if (steal_from(cpu_get(victim), cpu))
			return true;
	}
	return false;
}

bool sched_balance_evacuate(struct cpu *cpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	for (unsigned i = 0; i < EVACUATE; i++) {
		spin_lock(&queue->lock);
		struct vcpu *vcpu = free_one(queue);
		struct cpu *to = vcpu != NULL ? sched_balance_place(vcpu) : cpu;
		if (to == cpu && sched_set_has(&sched_owned, cpu->id))
			vcpu = NULL; // nowhere to go
		if (vcpu != NULL)
			depart(cpu, vcpu, to);
		spin_unlock(&queue->lock);
		if (vcpu == NULL)
			return false;
		sched_balance_arrive(vcpu);
	}
	return true;
}

// The next priority that has somebody to give away.
static uint32_t next_priority(struct sched_queue *queue)
{
	uint32_t below = queue->movable_set & (BIT_U32(queue->balance_turn) - 1);
	uint32_t set = below != 0 ? below : queue->movable_set;
	queue->balance_turn = 31 - (uint32_t)__builtin_clz(set);
	return queue->balance_turn;
}

// Whom to give away and whereto. The one that runs goes first if it was there longest: then later,
// when it waits. NULL: nobody, or not now.
static struct vcpu *choose_push(struct cpu *cpu, uint64_t now, struct cpu **to)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	const struct vcpu *current = queue->current;
	uint32_t priority = next_priority(queue);
	struct vcpu *found[3];
	unsigned count = oldest(&queue->movable[priority], found);
	for (unsigned i = 0; i < count; i++) {
		*to = lightest(cpu->id, priority, found[i]->vm->sched.weight,
		               load_of(cpu->id, priority, 0), NEIGHBOURS);
		if (*to == NULL)
			continue;
		bool wait = is_loaded(found[i]) ||
		            (current != NULL && current->sched.home == SCHED_ANY_CPU &&
		             current->vm->sched.priority == priority &&
		             sched_before(current->sched.placed_at, found[i]->sched.placed_at));
		if (!wait || (queue->postponed >= POSTPONE && !is_loaded(found[i]))) {
			queue->postponed = 0;
			return found[i];
		}
		if (queue->postponed < POSTPONE) {
			queue->postponed++;
			queue->next_balance = now + sched_queue_slice() / 2;
			queue->balance_turn = priority + 1; // the same one again
			return NULL;
		}
	}
	return NULL;
}

void sched_balance_push(struct cpu *cpu)
{
	struct sched_queue *queue = sched_queue_of(cpu);
	struct vcpu *vcpu = NULL;
	struct cpu *to = NULL;
	spin_lock(&queue->lock);
	uint64_t now = timer_now();
	if (queue->balancing && queue->nr_movable != 0 && !sched_before(now, queue->next_balance)) {
		queue->next_balance = now + timer_from_us(SCHED_BALANCE_US);
		vcpu = choose_push(cpu, now, &to);
		if (vcpu != NULL)
			depart(cpu, vcpu, to);
	}
	spin_unlock(&queue->lock);
	if (vcpu != NULL)
		sched_balance_arrive(vcpu);
}

bool sched_balance_pull(struct vcpu *vcpu, struct cpu *cpu)
{
	struct cpu *from = sched_cpu(vcpu);
	struct sched_queue *queue = sched_queue_of(from);
	if (from == cpu || sched_is_alien(vcpu, cpu->id) || vcpu->sched.home != SCHED_ANY_CPU)
		return false;
	spin_lock(&queue->lock);
	bool can = sched_cpu(vcpu) == from && sched_state(vcpu) == SCHED_READY &&
	           vcpu->sched.where == SCHED_IN_READY && !is_loaded(vcpu);
	if (can)
		depart(from, vcpu, cpu);
	spin_unlock(&queue->lock);
	if (can)
		sched_balance_arrive(vcpu);
	return can;
}
