// SPDX-License-Identifier: Apache-2.0
// Delivery: which interrupts are in the list registers of the CPU that runs a vCPU, and what became
// of those that were. The one place that reads and writes list registers; what they look like on this
// board is the back end's affair (vgic_lr_v2.c, vgic_lr_v3.c).
//
// Called by vgic.c, by the register handlers through it, and by the run loop's flush. Everything here
// runs on the CPU that has the vCPU loaded, or, for the calls that say so, under the lock while the
// vCPU's state is in memory.
//
// Invariants:
// - A held interrupt is in one list register, and its `held` bit is the only one set for it.
// - List registers stay as they are across exits. They are read again when something changed that
//   concerns them, never because an exit happened.
// - If interrupts wait in memory, at least one list register is pending, and all that are, or will be
//   without an exit, are more urgent than those outside; a maintenance interrupt comes when the guest
//   has taken the last of them. So nothing that could preempt is ever outside.
// - A level interrupt's list register asks for a maintenance interrupt at its end only while the line
//   is high.
//
// Source: Arm GIC Architecture Specification v3/v4, "Usage model for the List registers" and
// "AArch64 virtualization control System registers".
#include "arm/sysreg.h"
#include "hw/gic.h"
#include "vdev/vgic_state.h"

#define CNTV_CTL_ENABLE  BIT_U64(0)
#define CNTV_CTL_IMASK   BIT_U64(1)
#define CNTV_CTL_ISTATUS BIT_U64(2)

#define ACK_GROUP1 1u // vgic_bank.ack, bit 0

// Urgency of an interrupt: priority, then INTID; smaller is more urgent.
#define KEY_PRIORITY_SHIFT 16
#define KEY_INTID          GENMASK_U32(15, 0)
#define KEY_FORCED         BIT_U32(31)
#define KEY_NONE           UINT32_MAX

// What the board has. Fixed after vgic_probe.
static struct {
	const struct vgic_backend *backend;
	uint32_t count;
	uint32_t all; // a bit for each list register
	uintptr_t gich;
	bool soft_links; // see gic_forgets_level: EL2 ends the physical interrupts, which costs an exit
} host;

int vgic_probe(const struct vgic_backend *backend, uintptr_t gich)
{
	uint32_t count = backend->probe(gich);
	if (count == 0)
		return ERR_UNSUPPORTED;
	host.backend = backend;
	host.gich = gich;
	host.soft_links = gic_forgets_level();
	host.count = count < VGIC_MAX_LRS ? count : VGIC_MAX_LRS;
	host.all = GENMASK_U32(host.count - 1, 0);
	return 0;
}

int vgic_init_cpu(void)
{
	if (host.backend->probe(host.gich) < host.count)
		return ERR_UNSUPPORTED;
	host.backend->init_cpu();
	return 0;
}

uint32_t vgic_lr_count(void)
{
	return host.count;
}

void vgic_lr_reset_interface(struct vgic_cpu *cpu)
{
	host.backend->reset(&cpu->interface);
}

// ---- what may be delivered ----

// Interrupts that are enabled, in a group that is, and for this vCPU.
static uint32_t open_mask(const struct vgic_cpu *cpu, const struct vgic_bank *bank, uint32_t word)
{
	uint32_t ctlr = load_relaxed(&cpu->vgic->ctlr);
	uint32_t groups = (ctlr & VGIC_CTLR_GROUP1 ? bank->group1 : 0) |
	                  (ctlr & VGIC_CTLR_GROUP0 ? ~bank->group1 : 0);
	return bank->enabled & groups & (word == 0 ? ~0u : cpu->spi_target[word - 1]);
}

// Those of them that wait in memory.
static uint32_t waiting_mask(struct vgic_cpu *cpu, uint32_t word)
{
	const struct vgic_bank *bank = vgic_bank(cpu, word);
	uint32_t pending = vgic_bank_pending(bank) & ~bank->active & ~bank->held;
	return pending == 0 ? 0 : pending & open_mask(cpu, bank, word);
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

static void queue_add(struct queue *queue, uint32_t key)
{
	uint32_t at = queue->count;
	if (at == host.count) {
		queue->more = true;
		if (key > queue->key[--at])
			return;
	} else {
		queue->count++;
	}
	for (; at != 0 && queue->key[at - 1] > key; at--)
		queue->key[at] = queue->key[at - 1];
	queue->key[at] = key;
}

static void queue_waiting(struct vgic_cpu *cpu, struct queue *queue)
{
	for (uint32_t word = 0; word < VGIC_WORDS; word++) {
		const struct vgic_bank *bank = vgic_bank(cpu, word);
		for (uint32_t left = waiting_mask(cpu, word); left != 0; left &= left - 1)
			queue_add(queue,
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

// ---- linked interrupts ----

static void deactivate(const struct vgic_cpu *cpu, uint32_t mask)
{
	for (; mask != 0; mask &= mask - 1)
		gic_deactivate(cpu->physical[__builtin_ctz(mask)]);
}

void vgic_lr_unlink(struct vgic_cpu *cpu, uint32_t mask)
{
	struct vgic_bank *bank = &cpu->bank;
	uint32_t live = ((bank->line & bank->linked) | bank->hw_active) & mask;
	if (live == 0)
		return;
	bank->line &= ~(live & bank->linked);
	bank->hw_active &= ~live;
	if (cpu->vcpu->cpu == cpu_this()) {
		deactivate(cpu, live);
	} else { // a private interrupt is deactivated where it was acknowledged
		fetch_or(&cpu->deactivate, live);
		fetch_or(&cpu->post, VGIC_POST_ALL);
	}
}

uint32_t vgic_lr_linked_lines(const struct vgic_cpu *cpu)
{
	uint32_t bit = BIT_U32(VGIC_VTIMER), lines = cpu->bank.line & cpu->bank.linked;
	if (!(cpu->bank.linked & bit) || cpu->vcpu->cpu != cpu_this() || !cpu->loaded)
		return lines;
	uint64_t ctl = read_sysreg(cntv_ctl_el0);
	bool high = (ctl & CNTV_CTL_ENABLE) && !(ctl & CNTV_CTL_IMASK) && (ctl & CNTV_CTL_ISTATUS);
	return high ? lines | bit : lines & ~bit;
}

void vgic_lr_resample(struct vgic_cpu *cpu)
{
	uint32_t waiting = cpu->bank.line & cpu->bank.linked & ~cpu->bank.held;
	if (waiting != 0) // the guest turns its timer off without an exit
		vgic_lr_unlink(cpu, waiting & ~vgic_lr_linked_lines(cpu));
}

// ---- one list register ----

// Takes note of what the guest did since list register `index` was written.
static void observe(struct vgic_cpu *cpu, struct vgic_bank *bank, uint32_t index, uint32_t bit,
                    uint64_t lr)
{
	if ((cpu->soft & BIT_U32(index)) && !(lr & VGIC_LR_PENDING)) {
		// Acknowledged: had it become pending again it would not be held.
		bank->latch &= ~bit;
		cpu->soft &= ~BIT_U32(index);
	}
	if (!(lr & VGIC_LR_ACTIVE))
		bank->forced &= ~bit;
	if (!(cpu->bound & BIT_U32(index)) || (lr & VGIC_LR_PENDING))
		return;
	bank->line &= ~bit;
	if (lr & VGIC_LR_ACTIVE) {
		bank->hw_active |= bit;
		return;
	}
	// The guest's end of interrupt has deactivated the physical one as well, or we do.
	bank->hw_active &= ~bit;
	if (host.soft_links)
		deactivate(cpu, bit);
}

// Whether an active interrupt may be pending as well in its list register. When it ends, the hardware
// goes on with the priority and group it was acknowledged with, and without an exit: both must still
// be right, and nothing more urgent may be waiting outside.
static bool can_merge(const struct vgic_cpu *cpu, const struct vgic_bank *bank, uint32_t n,
                      uint64_t lr)
{
	return field_get(VGIC_LR_PRIORITY, lr) == bank->priority[n] &&
	       ((lr & VGIC_LR_GROUP1) != 0) == ((bank->group1 & BIT_U32(n)) != 0) &&
	       !(cpu->control & VGIC_NOTIFY_NO_PENDING);
}

// Ties list register `index` to the physical interrupt behind linked interrupt `n`.
static uint64_t bind(struct vgic_cpu *cpu, uint32_t index, uint32_t n)
{
	cpu->bound |= BIT_U32(index);
	return host.soft_links ? 0 : VGIC_LR_HW | field_put(VGIC_LR_PHYSICAL, cpu->physical[n]);
}

static uint64_t fresh(struct vgic_cpu *cpu, const struct vgic_bank *bank, uint32_t index,
                      uint32_t intid)
{
	uint32_t n = intid & 31;
	uint64_t lr = intid | field_put(VGIC_LR_PRIORITY, bank->priority[n]);
	if (bank->group1 & BIT_U32(n))
		lr |= VGIC_LR_GROUP1;
	cpu->bound &= ~BIT_U32(index);
	if (bank->linked & bank->line & BIT_U32(n))
		lr |= bind(cpu, index, n);
	return lr;
}

// A GICv2 SGI is one interrupt for each source; a list register holds one of them, the others wait
// for its end.
static uint64_t compose_sgi_v2(struct vgic_cpu *cpu, uint32_t index, uint32_t intid, uint64_t lr,
                               bool open)
{
	struct vgic_bank *bank = &cpu->bank;
	uint32_t sources = cpu->sgi_sources[intid];
	uint32_t own = BIT_U32(field_get(VGIC_LR_SOURCE, lr));

	if (lr & VGIC_LR_PENDING)
		sources |= own; // decide anew
	lr &= ~(VGIC_LR_PENDING | VGIC_LR_EOI);
	if (open && sources != 0) {
		if (!(lr & VGIC_LR_ACTIVE)) {
			uint32_t source = (uint32_t)__builtin_ctz(sources);
			sources &= sources - 1;
			lr = fresh(cpu, bank, index, intid) | field_put(VGIC_LR_SOURCE, source) |
			     VGIC_LR_PENDING;
		} else if (sources & own) {
			sources &= ~own;
			lr |= VGIC_LR_PENDING;
		}
	}
	if (sources != 0)
		lr |= VGIC_LR_EOI;
	cpu->sgi_sources[intid] = (uint8_t)sources;
	bank->latch = sources ? bank->latch | BIT_U32(intid) : bank->latch & ~BIT_U32(intid);
	return lr & VGIC_LR_STATE ? lr : 0;
}

// What list register `index` shall hold for `intid`, given what it holds (`lr`, observed; 0: nothing
// yet): its pending bit and its wish for a maintenance interrupt follow from memory, and memory gives
// up what the list register takes over. 0: the interrupt does not belong in a list register.
static uint64_t compose(struct vgic_cpu *cpu, struct vgic_bank *bank, uint32_t index,
                        uint32_t intid, uint64_t lr)
{
	uint32_t bit = BIT_U32(intid & 31);
	bool active = lr & VGIC_LR_ACTIVE;
	bool open = (open_mask(cpu, bank, intid >> 5) & bit) &&
	            (!active || can_merge(cpu, bank, intid & 31, lr));
	bool pending, again; // again: something is left to be looked at when this one ends

	if (intid < VGIC_NR_SGIS && cpu->vgic->version == 2)
		return compose_sgi_v2(cpu, index, intid, lr, open);

	cpu->soft &= ~BIT_U32(index);
	if (bank->edge & bit) {
		pending = (lr & VGIC_LR_PENDING) || (bank->latch & bit);
		bank->latch &= ~bit;
		if (pending && !open) {
			bank->latch |= bit;
			pending = false;
		}
		again = bank->latch & bit;
	} else {
		bool latch = bank->latch & bit, line = bank->line & bit;
		// A level that is still high while its interrupt is active becomes pending when that
		// ends; until then the line may fall.
		pending = open && (latch || (line && !active));
		if (pending && latch)
			cpu->soft |= BIT_U32(index);
		again = line || (latch && !pending);
	}
	if (!active)
		lr = pending ? fresh(cpu, bank, index, intid) : 0;
	else
		lr &= ~VGIC_LR_PENDING;
	if (pending)
		lr |= VGIC_LR_PENDING;
	if (lr != 0 && !(lr & VGIC_LR_HW)) {
		lr &= ~VGIC_LR_EOI;
		if (again || (cpu->bound & BIT_U32(index)))
			lr |= VGIC_LR_EOI;
	}
	return lr;
}

static void hold(struct vgic_cpu *cpu, struct vgic_bank *bank, uint32_t index, uint32_t intid)
{
	uint32_t word = intid >> 5, bit = BIT_U32(intid & 31);
	cpu->used |= BIT_U32(index);
	cpu->lr_intid[index] = (uint16_t)intid;
	bank->held |= bit;
	if (word != 0) {
		cpu->spis |= BIT_U32(index);
		cpu->spi_held[word - 1] |= bit;
	}
}

static void release(struct vgic_cpu *cpu, struct vgic_bank *bank, uint32_t index, uint32_t intid)
{
	uint32_t word = intid >> 5, bit = BIT_U32(intid & 31);
	cpu->used &= ~BIT_U32(index);
	cpu->soft &= ~BIT_U32(index);
	cpu->bound &= ~BIT_U32(index);
	bank->held &= ~bit;
	if (word != 0) {
		cpu->spis &= ~BIT_U32(index);
		cpu->spi_held[word - 1] &= ~bit;
	}
}

// An SPI that ends here may be pending again, and its target may have changed meanwhile.
static void note_end(struct vgic_cpu *cpu, uint32_t intid)
{
	if (intid >= VGIC_NR_PRIVATE)
		cpu->spi_ended[(intid >> 5) - 1] |= BIT_U32(intid & 31);
}

// Brings list register `index` up to date with memory and memory with it; its new value, 0: free.
static uint64_t renew(struct vgic_cpu *cpu, uint32_t index)
{
	uint32_t intid = cpu->lr_intid[index];
	struct vgic_bank *bank = vgic_bank(cpu, intid >> 5);
	uint64_t old = host.backend->read_lr(index);

	observe(cpu, bank, index, BIT_U32(intid & 31), old);
	uint64_t lr = compose(cpu, bank, index, intid, old & VGIC_LR_STATE ? old : 0);
	if (lr == 0) {
		release(cpu, bank, index, intid);
		note_end(cpu, intid);
	}
	// An empty one with the EOI bit would ask for attention for ever.
	if (lr != old && (lr != 0 || (old & (VGIC_LR_STATE | VGIC_LR_EOI))))
		host.backend->write_lr(index, lr);
	return lr;
}

// Puts an interrupt from memory into free list register `index`; `lr` as for compose.
static uint64_t fill(struct vgic_cpu *cpu, uint32_t index, uint32_t intid, uint64_t lr)
{
	struct vgic_bank *bank = vgic_bank(cpu, intid >> 5);
	lr = compose(cpu, bank, index, intid, lr);
	if (lr != 0) {
		hold(cpu, bank, index, intid);
		host.backend->write_lr(index, lr);
	}
	return lr;
}

static uint64_t fill_active(struct vgic_cpu *cpu, uint32_t index, uint32_t intid)
{
	uint32_t n = intid & 31, word = intid >> 5;
	struct vgic_bank *bank = vgic_bank(cpu, word);
	// The hardware ends an interrupt only if priority and group are those it was acknowledged with.
	uint64_t lr = intid | VGIC_LR_ACTIVE |
	              field_put(VGIC_LR_PRIORITY, bank->ack[n] & VGIC_PRIORITY_MASK);
	if (bank->ack[n] & ACK_GROUP1)
		lr |= VGIC_LR_GROUP1;
	if (bank->hw_active & BIT_U32(n))
		lr |= bind(cpu, index, n);
	else if (intid < VGIC_NR_SGIS)
		lr |= field_put(VGIC_LR_SOURCE, cpu->sgi_active_source[n]);
	bank->active &= ~BIT_U32(n);
	if (word != 0)
		cpu->spi_active[word - 1] &= ~BIT_U32(n);
	return fill(cpu, index, intid, lr);
}

// Takes list register `index` back into memory.
static void fold(struct vgic_cpu *cpu, uint32_t index)
{
	uint32_t intid = cpu->lr_intid[index], n = intid & 31, word = intid >> 5, bit = BIT_U32(n);
	struct vgic_bank *bank = vgic_bank(cpu, word);
	uint64_t lr = host.backend->read_lr(index);

	observe(cpu, bank, index, bit, lr);
	host.backend->write_lr(index, 0);
	release(cpu, bank, index, intid);
	if ((lr & VGIC_LR_PENDING) && (bank->edge & bit)) {
		bank->latch |= bit;
		if (intid < VGIC_NR_SGIS && cpu->vgic->version == 2)
			cpu->sgi_sources[n] |= (uint8_t)BIT_U32(field_get(VGIC_LR_SOURCE, lr));
	}
	if (lr & VGIC_LR_ACTIVE) {
		bank->active |= bit;
		bank->ack[n] = (uint8_t)field_get(VGIC_LR_PRIORITY, lr) |
		               (lr & VGIC_LR_GROUP1 ? ACK_GROUP1 : 0);
		if (word != 0)
			cpu->spi_active[word - 1] |= bit;
		else if (intid < VGIC_NR_SGIS)
			cpu->sgi_active_source[n] = (uint8_t)field_get(VGIC_LR_SOURCE, lr);
	}
	if (!(lr & VGIC_LR_STATE))
		note_end(cpu, intid);
}

// ---- all list registers ----

static void set_control(struct vgic_cpu *cpu, uint32_t notify)
{
	if (notify == cpu->control)
		return;
	cpu->control = notify;
	host.backend->control(notify);
}

// Interrupts that were active outside the list registers and ended: the hardware says only how many.
// A guest ends them in the order of their priorities. Whether there were any.
static bool take_eois(struct vgic_cpu *cpu)
{
	bool any = false;
	if (!(cpu->control & VGIC_NOTIFY_EOI))
		return false;
	for (uint32_t left = host.backend->take_eois(); left != 0; left--) {
		uint32_t key = best_active(cpu);
		if (key & KEY_FORCED) // or none at all
			break;
		uint32_t intid = key & KEY_INTID, word = intid >> 5, bit = BIT_U32(intid & 31);
		struct vgic_bank *bank = vgic_bank(cpu, word);
		bank->active &= ~bit;
		if (word != 0)
			cpu->spi_active[word - 1] &= ~bit;
		else if (bank->hw_active & bit)
			vgic_lr_unlink(cpu, bit);
		note_end(cpu, intid);
		any = true;
	}
	return any;
}

bool vgic_lr_fold(struct vgic_cpu *cpu, uint32_t word, uint32_t mask)
{
	bool any = take_eois(cpu);
	uint32_t held = (word == 0 ? cpu->bank.held : cpu->spi_held[word - 1]) & mask;
	if (held == 0)
		return any;
	for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
		uint32_t index = (uint32_t)__builtin_ctz(left);
		uint32_t intid = cpu->lr_intid[index];
		if (intid >> 5 == word && (held & BIT_U32(intid & 31)))
			fold(cpu, index);
	}
	return true;
}

void vgic_lr_fold_all(struct vgic_cpu *cpu)
{
	take_eois(cpu);
	for (uint32_t left = cpu->used; left != 0; left &= left - 1)
		fold(cpu, (uint32_t)__builtin_ctz(left));
	// The guest goes on and may end what is active while it is in memory.
	set_control(cpu, best_active(cpu) == KEY_NONE ? 0 : VGIC_NOTIFY_EOI);
}

void vgic_lr_take_posted(struct vgic_cpu *cpu)
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
	uint32_t empty = host.all & ~cpu->used, index;
	if (empty != 0) {
		index = (uint32_t)__builtin_ctz(empty);
	} else {
		index = choose_victim(cpu, lr, key);
		if (index == VGIC_MAX_LRS)
			return false;
		*more |= !(lr[index] & VGIC_LR_ACTIVE);
		fold(cpu, index);
	}
	lr[index] = fill(cpu, index, key & KEY_INTID, 0);
	return true;
}

// Fills the list registers from memory: first what may preempt, then what the guest will end, then
// the rest in order of urgency. What gives way to a later entry of the queue is less urgent than it,
// so one pass is enough.
static void refill(struct vgic_cpu *cpu, uint64_t *lr)
{
	struct queue queue = {.count = 0};
	uint32_t next = 0, empty, key;

	queue_waiting(cpu, &queue);
	if (queue.count != 0 && place_waiting(cpu, lr, queue.key[0], &queue.more))
		next = 1;
	while ((empty = host.all & ~cpu->used) != 0 && (key = best_active(cpu)) != KEY_NONE) {
		uint32_t index = (uint32_t)__builtin_ctz(empty);
		lr[index] = fill_active(cpu, index, key & KEY_INTID);
	}
	while (next < queue.count && place_waiting(cpu, lr, queue.key[next], &queue.more))
		next++;
	uint32_t notify = best_active(cpu) != KEY_NONE ? VGIC_NOTIFY_EOI : 0;
	if (queue.more || next < queue.count)
		notify |= VGIC_NOTIFY_NO_PENDING;
	set_control(cpu, notify);
	if (!(notify & VGIC_NOTIFY_NO_PENDING))
		return;
	// can_merge has changed its mind.
	for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
		uint32_t index = (uint32_t)__builtin_ctz(left);
		if ((lr[index] & VGIC_LR_STATE) == VGIC_LR_STATE)
			renew(cpu, index);
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

void vgic_lr_flush_all(struct vgic_cpu *cpu)
{
	struct vgic *vgic = cpu->vgic;
	uint64_t lr[VGIC_MAX_LRS];
	uint32_t tell = 0;

	if (!cpu->loaded)
		return;
	spin_lock(&vgic->lock);
	deactivate(cpu, exchange(&cpu->deactivate, 0));
	if (cpu->freeze != 0) { // who thaws it posts VGIC_POST_ALL
		vgic_lr_fold_all(cpu);
		store_release(&cpu->folded, 1);
	} else {
		store_release(&cpu->folded, 0);
		vgic_lr_take_posted(cpu);
		take_eois(cpu);
		for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
			uint32_t index = (uint32_t)__builtin_ctz(left);
			lr[index] = renew(cpu, index);
		}
		refill(cpu, lr);
		tell = notify_ended(cpu);
	}
	spin_unlock(&vgic->lock);
	vgic_tell(vgic, tell);
}

bool vgic_lr_deliver(struct vgic_cpu *cpu, uint32_t intid)
{
	uint32_t bit = BIT_U32(intid & 31);
	if (!cpu->loaded || cpu->folded)
		return true;
	if (cpu->control & VGIC_NOTIFY_NO_PENDING) { // it takes its turn among those that wait
		vgic_lr_flush_all(cpu);
		return false;
	}
	if (cpu->bank.held & bit) {
		for (uint32_t left = cpu->used; left != 0; left &= left - 1) {
			uint32_t index = (uint32_t)__builtin_ctz(left);
			if (cpu->lr_intid[index] == intid) {
				renew(cpu, index);
				return true;
			}
		}
	}
	if (!(waiting_mask(cpu, 0) & bit))
		return true;
	uint32_t empty = host.all & ~cpu->used;
	if (empty == 0) {
		vgic_lr_flush_all(cpu);
		return false;
	}
	fill(cpu, (uint32_t)__builtin_ctz(empty), intid, 0);
	return true;
}

void vgic_lr_flush(struct vgic_cpu *cpu)
{
	uint32_t post = load_relaxed(&cpu->post);
	if (post != 0)
		post = exchange(&cpu->post, 0);
	if (post != 0 || load_acquire(&cpu->freeze) != 0 || !vgic_lr_own(cpu)) {
		vgic_lr_flush_all(cpu);
		return;
	}
	// Only SGIs were posted.
	vgic_lr_take_posted(cpu);
	for (uint32_t left = waiting_mask(cpu, 0) | (cpu->bank.latch & cpu->bank.held); left != 0;
	     left &= left - 1)
		if (!vgic_lr_deliver(cpu, (uint32_t)__builtin_ctz(left)))
			return; // that looked at everything
}

bool vgic_pending(struct vcpu *vcpu)
{
	struct vgic_cpu *cpu = vcpu->gic;
	if (load_relaxed(&cpu->posted) & open_mask(cpu, &cpu->bank, 0))
		return true;
	for (uint32_t word = 0; word < VGIC_WORDS; word++)
		if (waiting_mask(cpu, word) != 0)
			return true;
	if (vcpu->cpu != cpu_this())
		return false;
	for (uint32_t left = cpu->used; left != 0; left &= left - 1)
		if (host.backend->read_lr((uint32_t)__builtin_ctz(left)) & VGIC_LR_PENDING)
			return true;
	return false;
}

// ---- coming and going ----

void vgic_lr_load(struct vgic_cpu *cpu)
{
	spin_lock(&cpu->vgic->lock);
	cpu->used = cpu->spis = cpu->soft = cpu->bound = cpu->control = 0;
	host.backend->load(&cpu->interface);
	store_release(&cpu->folded, cpu->freeze != 0);
	store_release(&cpu->loaded, 1);
	spin_unlock(&cpu->vgic->lock);
	vgic_lr_flush_all(cpu);
}

void vgic_lr_unload(struct vgic_cpu *cpu)
{
	struct vgic *vgic = cpu->vgic;
	uint32_t tell = 0;
	if (!cpu->loaded)
		return;
	spin_lock(&vgic->lock);
	vgic_lr_fold_all(cpu);
	set_control(cpu, 0);
	vgic_lr_unlink(cpu, ~0u);
	deactivate(cpu, exchange(&cpu->deactivate, 0));
	host.backend->save(&cpu->interface);
	store_release(&cpu->loaded, 0);
	store_release(&cpu->folded, 0);
	// What any of several vCPUs may take need not wait for this one.
	for (uint32_t word = 1; word < VGIC_WORDS; word++)
		tell |= vgic_spi_notify(vgic, cpu, word, ~0u);
	spin_unlock(&vgic->lock);
	vgic_tell(vgic, tell & ~BIT_U32(cpu->vcpu->id));
}
