// SPDX-License-Identifier: Apache-2.0
// Delivery: which interrupts are in the list registers of the CPU that runs a vCPU, and which have to
// wait in memory.
//
// Called by vgic.c, by the register handlers through it, and by the run loop's flush. Everything here
// runs on the CPU that has the vCPU loaded, or, for the calls that say so, under the lock while the
// vCPU's state is in memory.
//
// Invariants:
// - List registers stay as they are across exits. They are read again when something changed that
//   concerns them, never because an exit happened.
// - If interrupts wait in memory, at least one list register is pending, and all that are, or will be
//   without an exit, are more urgent than those outside; a maintenance interrupt comes when the guest
//   has taken the last of them. So nothing that could preempt is ever outside.
// - If acknowledged interrupts are active in memory, a maintenance interrupt comes when the guest ends
//   one of them.
//
// Source: Arm GIC Architecture Specification v3/v4, "Usage model for the List registers" and
// "AArch64 virtualization control System registers".
#include "arm/cpu.h"
#include "arm/sysreg.h"
#include "vdev/vgic_lr.h"

// Urgency of an interrupt: priority, then INTID; smaller is more urgent. Interrupts made active by a
// write come after all others.
#define KEY_PRIORITY_SHIFT 16
#define KEY_INTID          GENMASK_U32(15, 0)
#define KEY_FORCED         BIT_U32(31)
#define KEY_NONE           UINT32_MAX

// ---- who waits, and how urgently ----

// Interrupts of a word that may be delivered to this vCPU and wait in memory.
static inline uint32_t waiting_mask(struct vgic_cpu *cpu, uint32_t word)
{
	const struct vgic_bank *bank = vgic_bank(cpu, word);
	uint32_t pending = vgic_bank_pending(bank) & ~bank->active & ~bank->held;
	return pending == 0 ? 0 : pending & vgic_lr_open(cpu, bank, word);
}

static uint32_t outside_active(const struct vgic_cpu *cpu, uint32_t word)
{
	return word == 0 ? cpu->bank.active : cpu->spi_active[word - 1];
}

static uint32_t key_of(const uint8_t *priority, uint32_t word, uint32_t n)
{
	return (uint32_t)(priority[n] & VGIC_PRIORITY_MASK) << KEY_PRIORITY_SHIFT | (word * 32 + n);
}

// The most urgent interrupts that wait, in order; as many as there are list registers.
struct queue {
	uint32_t key[VGIC_MAX_LRS];
	uint32_t count;
	bool more; // others wait, less urgent ones
};

static void queue_add(struct queue *queue, uint32_t size, uint32_t key)
{
	uint32_t at = queue->count;
	if (at < size) {
		queue->count++;
	} else {
		queue->more = true;
		if (at == 0 || key > queue->key[at - 1])
			return;
		at--;
	}
	for (; at != 0 && queue->key[at - 1] > key; at--)
		queue->key[at] = queue->key[at - 1];
	queue->key[at] = key;
}

static void queue_waiting(struct vgic_cpu *cpu, struct queue *queue)
{
	queue->count = 0;
	queue->more = false;
	for (uint32_t word = 0; word < VGIC_WORDS; word++) {
		const struct vgic_bank *bank = vgic_bank(cpu, word);
		for (uint32_t left = waiting_mask(cpu, word); left != 0; left &= left - 1)
			queue_add(queue, cpu->host->count,
			          key_of(bank->priority, word, (uint32_t)__builtin_ctz(left)));
	}
}

// The interrupt that is active outside the list registers and will be ended first; those that were
// never acknowledged come last.
static uint32_t best_active(struct vgic_cpu *cpu)
{
	uint32_t best = KEY_NONE;
	for (uint32_t word = 0; word < VGIC_WORDS; word++) {
		const struct vgic_bank *bank = vgic_bank(cpu, word);
		for (uint32_t left = outside_active(cpu, word); left != 0; left &= left - 1) {
			uint32_t n = (uint32_t)__builtin_ctz(left);
			uint32_t key = key_of(bank->ack, word, n);
			if (bank->forced & BIT_U32(n))
				key |= KEY_FORCED;
			if (key < best)
				best = key;
		}
	}
	return best;
}

// ---- all list registers ----

static void set_control(struct vgic_cpu *cpu, uint32_t notify)
{
	if (notify == cpu->control)
		return;
	cpu->control = notify;
	cpu->host->backend->control(notify);
}

// Interrupts that were active outside the list registers and ended: the hardware says only how many.
// A guest ends them in the order of their priorities. Whether there were any.
static bool take_eois(struct vgic_cpu *cpu)
{
	bool any = false;
	if (!(cpu->control & VGIC_NOTIFY_EOI))
		return false;
	for (uint32_t left = cpu->host->backend->take_eois(); left != 0; left--) {
		uint32_t key = best_active(cpu);
		if (key & KEY_FORCED) // or none at all
			break;
		uint32_t intid = key & KEY_INTID, word = intid >> 5, bit = BIT_U32(intid & 31);
		struct vgic_bank *bank = vgic_bank(cpu, word);
		bank->active &= ~bit;
		if (word != 0)
			cpu->spi_active[word - 1] &= ~bit;
		else if (cpu->hw_active & bit)
			vgic_lr_unlink(cpu, bit);
		vgic_lr_note_end(cpu, intid);
		any = true;
	}
	return any;
}

bool vgic_deliver_recall(struct vgic_cpu *cpu, uint32_t word, uint32_t mask)
{
	bool any = take_eois(cpu);
	uint32_t held = (word == 0 ? cpu->bank.held : cpu->spi_held[word - 1]) & mask;
	if (held == 0)
		return any;
	for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
		uint32_t index = (uint32_t)__builtin_ctz(left);
		uint32_t intid = cpu->lr_intid[index];
		if (intid >> 5 == word && (held & BIT_U32(intid & 31)))
			vgic_lr_fold(cpu, index);
	}
	return true;
}

static void fold_all(struct vgic_cpu *cpu)
{
	take_eois(cpu);
	for (uint32_t left = cpu->used; left != 0; left &= left - 1)
		vgic_lr_fold(cpu, (uint32_t)__builtin_ctz(left));
}

void vgic_deliver_recall_all(struct vgic_cpu *cpu)
{
	fold_all(cpu);
	// The guest goes on and may end what is active while it is in memory.
	set_control(cpu, best_active(cpu) == KEY_NONE ? 0 : VGIC_NOTIFY_EOI);
}

void vgic_deliver_take_posted(struct vgic_cpu *cpu)
{
	if (load_relaxed(&cpu->posted) == 0)
		return;
	uint32_t sgis = exchange(&cpu->posted, 0) & VGIC_SGIS;
	if (cpu->vgic->version != 2) {
		cpu->bank.latch |= sgis;
		return;
	}
	for (; sgis != 0; sgis &= sgis - 1) {
		uint32_t n = (uint32_t)__builtin_ctz(sgis);
		cpu->sgi_sources[n] |= exchange(&cpu->posted_sources[n], 0);
		if (cpu->sgi_sources[n] != 0)
			cpu->bank.latch |= BIT_U32(n);
	}
}

// The list register to give up for a waiting interrupt of urgency `key`: the least urgent pending one
// if it is less urgent. If none is pending, the active one that will be ended last: something that
// may preempt must not be shut out. VGIC_MAX_LRS: none.
static uint32_t choose_victim(struct vgic_cpu *cpu, const uint64_t *lr, uint32_t key)
{
	uint32_t pending = VGIC_MAX_LRS, worst_pending = 0, active = VGIC_MAX_LRS, worst_active = 0;
	for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
		uint32_t index = (uint32_t)__builtin_ctz(left), intid = cpu->lr_intid[index];
		uint32_t priority = (uint32_t)field_get(VGIC_LR_PRIORITY, lr[index]);
		uint32_t other = priority << KEY_PRIORITY_SHIFT | intid;
		if (lr[index] & VGIC_LR_ACTIVE) {
			if (vgic_bank(cpu, intid >> 5)->forced & BIT_U32(intid & 31))
				other |= KEY_FORCED;
			if (other >= worst_active) {
				worst_active = other;
				active = index;
			}
		} else if (other >= worst_pending) {
			worst_pending = other;
			pending = index;
		}
	}
	if (pending == VGIC_MAX_LRS)
		return active;
	return worst_pending > key ? pending : VGIC_MAX_LRS;
}

// Gives the waiting interrupt of urgency `key` a list register; false: all hold more urgent ones.
// *more: set when another has to wait in its place.
static bool place_waiting(struct vgic_cpu *cpu, uint64_t *lr, uint32_t key, bool *more)
{
	uint32_t empty = cpu->host->all & ~cpu->used, index;
	if (empty != 0) {
		index = (uint32_t)__builtin_ctz(empty);
	} else {
		index = choose_victim(cpu, lr, key);
		if (index == VGIC_MAX_LRS)
			return false;
		*more |= !(lr[index] & VGIC_LR_ACTIVE);
		vgic_lr_fold(cpu, index);
	}
	lr[index] = vgic_lr_fill(cpu, index, key & KEY_INTID);
	return true;
}

// A list register for an interrupt that is active in memory: an empty one; else, for one that the guest
// will end, the least urgent of at least two pending ones. VGIC_MAX_LRS: none.
static uint32_t make_room(struct vgic_cpu *cpu, const uint64_t *lr, uint32_t key, bool *more)
{
	uint32_t empty = cpu->host->all & ~cpu->used, pending = 0;
	if (empty != 0)
		return (uint32_t)__builtin_ctz(empty);
	for (uint32_t left = cpu->used; left != 0; left &= left - 1)
		if ((lr[__builtin_ctz(left)] & VGIC_LR_STATE) == VGIC_LR_PENDING)
			pending |= left & (0u - left);
	if ((key & KEY_FORCED) || (pending & (pending - 1)) == 0)
		return VGIC_MAX_LRS;
	uint32_t index = choose_victim(cpu, lr, 0);
	*more = true;
	vgic_lr_fold(cpu, index);
	return index;
}

// Fills the list registers from memory: first what may preempt, then what the guest will end, then
// the rest in order of urgency. What gives way to a later entry of the queue is less urgent than it,
// so one pass is enough.
static void refill(struct vgic_cpu *cpu, uint64_t *lr)
{
	struct queue queue;
	uint32_t next = 0, key, index;

	queue_waiting(cpu, &queue);
	if (queue.count != 0 && place_waiting(cpu, lr, queue.key[0], &queue.more))
		next = 1;
	while ((key = best_active(cpu)) != KEY_NONE &&
	       (index = make_room(cpu, lr, key, &queue.more)) != VGIC_MAX_LRS)
		lr[index] = vgic_lr_fill_active(cpu, index, key & KEY_INTID);
	while (next < queue.count && place_waiting(cpu, lr, queue.key[next], &queue.more))
		next++;
	uint32_t notify = key != KEY_NONE ? VGIC_NOTIFY_EOI : 0;
	if (queue.more || next < queue.count)
		notify |= VGIC_NOTIFY_NO_PENDING;
	set_control(cpu, notify);
	if (!(notify & VGIC_NOTIFY_NO_PENDING))
		return;
	// An active one must not become pending by itself now (vgic_lr.c, can_merge).
	for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
		index = (uint32_t)__builtin_ctz(left);
		if ((lr[index] & VGIC_LR_STATE) == VGIC_LR_STATE)
			vgic_lr_renew(cpu, index);
	}
}

// Who else is to be told of what ended here.
static uint32_t notify_ended(struct vgic_cpu *cpu)
{
	uint32_t tell = 0;
	for (uint32_t word = 1; word < VGIC_WORDS; word++) {
		uint32_t ended = cpu->spi_ended[word - 1];
		if (ended == 0)
			continue;
		cpu->spi_ended[word - 1] = 0;
		tell |= vgic_spi_notify(cpu->vgic, cpu, word, ended);
	}
	return tell & ~BIT_U32(cpu->vcpu->id);
}

// What vgic_deliver_now may deliver, and of a GICv2 the SGIs, which have a source and so a call of their own: nothing
// while others wait, end outside, or may look at memory; no interrupt with a story.
static uint32_t ready_mask(const struct vgic_cpu *cpu)
{
	const struct vgic_bank *bank = &cpu->bank;
	uint32_t mask = vgic_lr_open(cpu, bank, 0) & ~bank->forced;
	return cpu->host->soft_links ? mask & ~bank->linked : mask;
}

// Also what vgic_deliver_timer() writes: it is right as long as `ready` is.
static inline void set_ready(struct vgic_cpu *cpu, uint32_t ready)
{
	uint32_t timer = BIT_U32(VGIC_VTIMER), sgis = cpu->vgic->version == 2 ? VGIC_SGIS : 0;
	uint64_t lr = 0;
	cpu->ready = ready & ~sgis;
	cpu->ready_v2 = ready & sgis;
	if (cpu->direct && (ready & cpu->bank.linked & timer) != 0)
		lr = vgic_lr_fresh(&cpu->bank, VGIC_VTIMER) | VGIC_LR_PENDING | VGIC_LR_HW |
		     field_put(VGIC_LR_PHYSICAL, cpu->physical[VGIC_VTIMER]);
	cpu->timer_lr = lr;
}

void vgic_deliver_all(struct vgic_cpu *cpu)
{
	struct vgic *vgic = cpu->vgic;
	uint64_t lr[VGIC_MAX_LRS];
	uint32_t tell = 0;

	if (!cpu->loaded)
		return;
	spin_lock(&vgic->lock);
	if (cpu->deactivate != 0)
		vgic_lr_deactivate(cpu, exchange(&cpu->deactivate, 0));
	if (cpu->freeze != 0) { // who thaws it posts VGIC_POST_ALL
		vgic_deliver_recall_all(cpu);
		store_release(&cpu->folded, 1);
	} else {
		store_release(&cpu->folded, 0);
		vgic_deliver_take_posted(cpu);
		take_eois(cpu);
		for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
			uint32_t index = (uint32_t)__builtin_ctz(left);
			lr[index] = vgic_lr_renew(cpu, index);
		}
		refill(cpu, lr);
		tell = notify_ended(cpu);
	}
	set_ready(cpu, cpu->folded || cpu->control != 0 ? 0 : ready_mask(cpu));
	spin_unlock(&vgic->lock);
	vgic_tell(vgic, tell);
}

// Usually none of them waits or is active, and nothing else has to wait: then the list registers are right as they are.
void vgic_deliver_private_back(struct vgic_cpu *cpu)
{
	if ((cpu->control | cpu->bank.active | waiting_mask(cpu, 0)) == 0)
		set_ready(cpu, ready_mask(cpu)); // loaded and not folded: vgic_deliver_own
	else
		vgic_deliver_all(cpu);
}

// The first two list registers of a GICv3 without a detour: most interrupts are in one of them.
#define NEAR 2
static inline uint64_t read_near(uint32_t index)
{
	return index == 0 ? read_sysreg(ICH_LR0_EL2) : read_sysreg(ICH_LR1_EL2);
}
static inline uint64_t read_lr(const struct vgic_cpu *cpu, uint32_t index)
{
	return cpu->direct && index < NEAR ? read_near(index) : cpu->host->backend->read_lr(index);
}
static inline void write_near(uint32_t index, uint64_t lr)
{
	if (index == 0)
		write_sysreg(lr, ICH_LR0_EL2);
	else
		write_sysreg(lr, ICH_LR1_EL2);
}

// The one of them that is free for `intid`, which is ready, and holds it then; NEAR: none.
static inline uint32_t take_near(struct vgic_cpu *cpu, uint32_t intid)
{
	if (cpu->bank.held &
	    BIT_U32(intid)) { // the one before may have ended: then its list register serves again
		uint32_t index = cpu->lr_of[intid];
		if (index >= NEAR || (cpu->soft >> index & 1) != 0)
			return NEAR;
		return (read_near(index) & VGIC_LR_STATE) == 0 ? index : NEAR;
	}
	uint32_t index = cpu->used & 1;
	if ((cpu->used >> index & 1) != 0 || (cpu->host->all >> index & 1) == 0)
		return NEAR;
	vgic_lr_hold_private(cpu, index, intid);
	return index;
}

// As vgic_deliver_now(), in whatever list register; `source` of a GICv2's SGI.
static NOINLINE bool deliver_anywhere(struct vgic_cpu *cpu, uint32_t intid, uint32_t source)
{
	struct vgic_bank *bank = &cpu->bank;
	uint32_t bit = BIT_U32(intid), index;

	if (bank->held & bit) {
		index = cpu->lr_of[intid];
		if ((cpu->soft & BIT_U32(index)) ||
		    (cpu->host->backend->read_lr(index) & VGIC_LR_STATE))
			return false;
	} else {
		uint32_t empty = cpu->host->all & ~cpu->used;
		if (empty == 0)
			return false;
		index = (uint32_t)__builtin_ctz(empty);
		vgic_lr_hold_private(cpu, index, intid);
	}
	uint64_t lr =
	        vgic_lr_fresh(bank, intid) | VGIC_LR_PENDING | field_put(VGIC_LR_SOURCE, source);
	if (bank->linked & bit) {
		bank->line |= bit;
		cpu->hw_active &= ~bit;
		cpu->bound |= BIT_U32(index);
		lr |= VGIC_LR_HW | field_put(VGIC_LR_PHYSICAL, cpu->physical[intid]);
	}
	cpu->host->backend->write_lr(index, lr);
	return true;
}

bool vgic_deliver_now(struct vgic_cpu *cpu, uint32_t intid)
{
	uint32_t bit = BIT_U32(intid);

	if (UNLIKELY(!(cpu->ready & bit)))
		return false;
	uint32_t index = NEAR;
	if (LIKELY(cpu->direct && (cpu->bank.linked & bit) == 0))
		index = take_near(cpu, intid);
	if (UNLIKELY(index == NEAR))
		return deliver_anywhere(cpu, intid, 0);
	write_near(index, vgic_lr_fresh(&cpu->bank, intid) | VGIC_LR_PENDING);
	return true;
}

bool vgic_deliver_sgi_v2(struct vgic_cpu *cpu, uint32_t intid, uint32_t source)
{
	if (!(cpu->ready_v2 & BIT_U32(intid)) || cpu->sgi_sources[intid] != 0)
		return false;
	return deliver_anywhere(cpu, intid, source);
}

bool vgic_deliver_timer(struct vgic_cpu *cpu)
{
	uint32_t timer = BIT_U32(VGIC_VTIMER);
	uint64_t lr = cpu->timer_lr;
	if (UNLIKELY(lr == 0))
		return false;
	uint32_t index = take_near(cpu, VGIC_VTIMER);
	if (UNLIKELY(index == NEAR))
		return deliver_anywhere(cpu, VGIC_VTIMER, 0);
	cpu->bank.line |= timer;
	cpu->hw_active &= ~timer;
	cpu->bound |= BIT_U32(index);
	write_near(index, lr);
	return true;
}

bool vgic_deliver_private(struct vgic_cpu *cpu, uint32_t intid)
{
	uint32_t bit = BIT_U32(intid & 31);
	if (!cpu->loaded || cpu->folded)
		return true;
	if (cpu->control & VGIC_NOTIFY_NO_PENDING) { // it takes its turn among those that wait
		vgic_deliver_all(cpu);
		return false;
	}
	if (cpu->bank.held & bit) {
		vgic_lr_renew(cpu, cpu->lr_of[intid]);
		return true;
	}
	if (!(waiting_mask(cpu, 0) & bit))
		return true;
	uint32_t empty = cpu->host->all & ~cpu->used;
	if (empty == 0) {
		vgic_deliver_all(cpu);
		return false;
	}
	vgic_lr_fill(cpu, (uint32_t)__builtin_ctz(empty), intid);
	return true;
}

// Only SGIs were posted, to one who can take every one of them at once.
static bool deliver_sgis(struct vgic_cpu *cpu)
{
	uint32_t sgis = load_relaxed(&cpu->posted);
	if ((load_relaxed(&cpu->post) | load_acquire(&cpu->freeze) | cpu->bank.latch) != 0 ||
	    sgis == 0 || (sgis & ~cpu->ready) != 0)
		return false;
	sgis = exchange(&cpu->posted, 0);
	for (; sgis != 0; sgis &= sgis - 1)
		if (!vgic_deliver_now(cpu, (uint32_t)__builtin_ctz(sgis)))
			break;
	cpu->bank.latch |= sgis; // the rest, for whoever looks at it the long way
	return sgis == 0;
}

void vgic_deliver_posted(struct vgic_cpu *cpu)
{
	if (LIKELY(deliver_sgis(cpu)))
		return;
	uint32_t post = load_relaxed(&cpu->post);
	if (post != 0)
		post = exchange(&cpu->post, 0);
	if (post != 0 || load_acquire(&cpu->freeze) != 0 || !vgic_deliver_own(cpu)) {
		vgic_deliver_all(cpu);
		return;
	}
	// Only SGIs were posted.
	vgic_deliver_take_posted(cpu);
	for (uint32_t left = cpu->bank.latch & VGIC_SGIS; left != 0; left &= left - 1) {
		uint32_t intid = (uint32_t)__builtin_ctz(left);
		if (vgic_deliver_now(cpu, intid))
			cpu->bank.latch &= ~BIT_U32(intid);
		else if (!vgic_deliver_private(cpu, intid))
			return; // that looked at everything
	}
}

// While nothing waits or is active outside, and no SPI is in a list register, the end of an interrupt is
// this CPU's own affair. Where each timer interrupt ends here (intc_forgets_level), the lock would make
// the VM's CPUs queue for nothing.
void vgic_deliver_ended(struct vgic_cpu *cpu)
{
	bool alone = cpu->control == 0 && cpu->spis == 0 && load_acquire(&cpu->freeze) == 0;
	if (!alone || !vgic_deliver_own(cpu)) {
		vgic_deliver_all(cpu);
		return;
	}
	for (uint32_t left = cpu->used; left != 0; left &= left - 1)
		vgic_lr_renew(cpu, (uint32_t)__builtin_ctz(left));
}

bool vgic_pending(struct vcpu *vcpu)
{
	struct vgic_cpu *cpu = vcpu->gic;
	if (load_relaxed(&cpu->posted) & vgic_lr_open(cpu, &cpu->bank, 0))
		return true;
	for (uint32_t left = vcpu_is_here(vcpu) ? cpu->used : 0; left != 0; left &= left - 1)
		if (read_lr(cpu, (uint32_t)__builtin_ctz(left)) & VGIC_LR_PENDING)
			return true;
	if (waiting_mask(cpu, 0) != 0)
		return true;
	for (uint32_t word = 1; word < VGIC_WORDS; word++) {
		const struct vgic_bank *bank = &cpu->vgic->spi[word - 1];
		if ((bank->latch | bank->line) != 0 && waiting_mask(cpu, word) != 0)
			return true;
	}
	return false;
}

// ---- coming and going ----

// Whether SPIs are in play, of the words that may have any. Under the lock.
static NOINLINE bool spis_in_play(const struct vgic_cpu *cpu)
{
	struct vgic *vgic = cpu->vgic;
	uint32_t any = 0;
	for (uint32_t left = vgic->busy; left != 0; left &= left - 1) {
		uint32_t n = (uint32_t)__builtin_ctz(left);
		const struct vgic_bank *bank = &vgic->spi[n];
		uint32_t pending = bank->latch | bank->line;
		if ((pending | bank->active | bank->held) == 0)
			vgic->busy &= ~BIT_U32(n);
		any |= pending | cpu->spi_active[n] | cpu->spi_ended[n];
	}
	return any != 0;
}

// Nothing to be put into a list register, nothing active that the guest might end, nobody to be told: the usual
// state of a vCPU that comes and goes. Not loaded, under the lock.
static bool nothing_in_play(const struct vgic_cpu *cpu)
{
	uint32_t busy = load_relaxed(&cpu->posted) | load_relaxed(&cpu->deactivate) | cpu->freeze |
	                (vgic_bank_pending(&cpu->bank) & cpu->bank.enabled) | cpu->bank.active;
	return busy == 0 && (cpu->vgic->busy == 0 || !spis_in_play(cpu));
}

void vgic_deliver_load(struct vgic_cpu *cpu)
{
	spin_lock(&cpu->vgic->lock);
	if (UNLIKELY(cpu->relink != 0))
		vgic_lr_relink(cpu);
	cpu->host->backend->load(&cpu->interface);
	store_release(&cpu->folded, cpu->freeze != 0);
	store_release(&cpu->loaded, 1);
	bool quiet = nothing_in_play(cpu);
	if (quiet) // nobody wants it frozen either
		set_ready(cpu, ready_mask(cpu));
	spin_unlock(&cpu->vgic->lock);
	if (!quiet)
		vgic_deliver_all(cpu);
}

// What any of several vCPUs may take need not wait for this one, which is not loaded any more. Who is to be told.
static uint32_t hand_over(struct vgic_cpu *cpu)
{
	struct vgic *vgic = cpu->vgic;
	uint32_t tell = 0;
	if (vgic->nr_vcpus == 1)
		return 0;
	for (uint32_t left = vgic->busy; left != 0; left &= left - 1) {
		uint32_t n = (uint32_t)__builtin_ctz(left);
		if (vgic_bank_pending(&vgic->spi[n]) != 0)
			tell |= vgic_spi_notify(vgic, cpu, n + 1, ~0u);
	}
	return tell & ~BIT_U32(cpu->vcpu->id);
}

void vgic_deliver_unload(struct vgic_cpu *cpu)
{
	struct vgic *vgic = cpu->vgic;
	if (!cpu->loaded)
		return;
	spin_lock(&vgic->lock);
	fold_all(cpu);
	set_control(cpu, 0);
	uint32_t active = cpu->hw_active & cpu->bank.active;
	if ((cpu->hw_active | (cpu->bank.line & cpu->bank.linked)) != 0)
		vgic_lr_unlink(cpu, ~0u);
	cpu->relink = active;
	if (load_relaxed(&cpu->deactivate) != 0)
		vgic_lr_deactivate(cpu, exchange(&cpu->deactivate, 0));
	cpu->host->backend->save(&cpu->interface);
	store_release(&cpu->loaded, 0);
	store_release(&cpu->folded, 0);
	// No list register is in use now, and none will be before it is loaded again.
	cpu->ready = cpu->ready_v2 = 0;
	cpu->timer_lr = 0;
	uint32_t tell = hand_over(cpu);
	spin_unlock(&vgic->lock);
	if (tell != 0)
		vgic_tell(vgic, tell);
}
