// SPDX-License-Identifier: Apache-2.0
// The state of a virtual interrupt controller, and what the files of vdev/vgic*.c share.
//
// A word holds one bit for each of 32 interrupts; word 0 is a vCPU's private interrupts (SGI, PPI),
// words 1.. are the VM's SPIs. An interrupt is either in memory or *held*: in exactly one list register
// of the CPU that has a vCPU loaded; then its pending and active bits are there.
//
// Owners, as marked below (docs/interrupts.md has the argument):
//   fixed   written while the VM is built
//   run     the CPU that has the vCPU loaded; under the lock while the vCPU is frozen or not loaded
//   lock    under vgic->lock (LOCK_VGIC); single words may be read without it
//   any     any CPU, atomically
#ifndef VDEV_VGIC_STATE_H
#define VDEV_VGIC_STATE_H

#include "base/atomic.h"
#include "base/bits.h"
#include "base/spinlock.h"
#include "vdev/vgic.h"
#include "vm/vm.h"

#define VGIC_SPI_WORDS (VGIC_NR_SPIS / 32)
#define VGIC_WORDS     (1 + VGIC_SPI_WORDS)
#define VGIC_MAX_LRS   16
#define VGIC_SGIS      GENMASK_U32(VGIC_NR_SGIS - 1, 0)
#define VGIC_NO_INTID  UINT32_MAX

// Five priority bits: what list registers of both kinds hold.
#define VGIC_PRIORITY_MASK 0xf8u

// A list register, in GICv3's layout whatever the host ("ICH_LR<n>_EL2"). The source CPU of a GICv2
// SGI sits above the INTID, as it does in GICC_IAR.
#define VGIC_LR_INTID    GENMASK_U64(9, 0)
#define VGIC_LR_SOURCE   GENMASK_U64(12, 10)
#define VGIC_LR_PHYSICAL GENMASK_U64(44, 32) // with HW
#define VGIC_LR_EOI      BIT_U64(41)         // without HW: maintenance interrupt at the end
#define VGIC_LR_PRIORITY GENMASK_U64(55, 48)
#define VGIC_LR_GROUP1   BIT_U64(60)
#define VGIC_LR_HW       BIT_U64(61)
#define VGIC_LR_PENDING  BIT_U64(62)
#define VGIC_LR_ACTIVE   BIT_U64(63)
#define VGIC_LR_STATE    (VGIC_LR_PENDING | VGIC_LR_ACTIVE)

// vgic->ctlr: bits 1:0 of GICD_CTLR.
#define VGIC_CTLR_GROUP0 BIT_U32(0)
#define VGIC_CTLR_GROUP1 BIT_U32(1)

// 32 interrupts. The first 64 bytes are what delivery looks at. Owner: run for word 0, lock for SPIs.
struct vgic_bank {
	uint32_t enabled;
	uint32_t group1; // 0: group 0
	uint32_t latch;  // pending by an edge, a message or a write; a level's line is not in here
	uint32_t line;   // input level; linked: a physical interrupt waits to be delivered
	uint32_t edge;   // 1: edge-triggered
	uint32_t active; // and not held
	uint32_t held;   // in a list register
	uint32_t linked; // ends of interrupt reach the board's controller; fixed
	uint8_t priority[32];

	uint32_t
	        forced; // made active by a write, never acknowledged: no end of interrupt will come
	uint8_t ack[32]; // priority (7:3) and group (0) with which an active one was acknowledged
} __attribute__((aligned(64)));

// The CPU interface behind the list registers, as the host's registers hold it.
struct vgic_interface {
	uint64_t vmcr;
	uint32_t apr0[4]; // GICv2: apr0[0] alone
	uint32_t apr1[4];
};

// Bits of vgic_cpu.post.
#define VGIC_POST_ALL BIT_U32(0) // look at SPIs and list registers, not only at posted SGIs

struct vgic_cpu {
	struct vgic_bank bank; // word 0

	// run: what delivery looks at besides the bank; one line with what asks for it. Not loaded: all 0
	// but `relink`
	uint32_t ready; // private interrupts that may go to a list register with nothing else to do
	uint32_t used;  // bit n: list register n was filled and not yet found empty
	uint32_t spis;  // of those: they hold SPIs
	uint32_t soft;  // they show a level's latch, which ends when it is acknowledged
	uint32_t bound; // they carry a linked physical interrupt
	uint32_t control; // VGIC_NOTIFY_* asked of the hardware
	uint32_t
	        hw_active; // linked interrupts whose physical one is active on behalf of an active one
	uint64_t
	        timer_lr; // the first list register with the timer's interrupt, new; 0: do it the long way
	uint32_t ready_v2; // as `ready`, the SGIs of a GICv2
	uint32_t relink;   // not loaded: those of them that were active when the vCPU was unloaded

	// any
	uint32_t post;       // VGIC_POST_*
	uint32_t posted;     // SGIs from other CPUs
	uint32_t deactivate; // linked interrupts that another CPU ended

	// lock to write; may be read without
	uint32_t freeze; // how many CPUs want this vCPU's state to stay in memory
	uint32_t loaded; // some CPU has it loaded
	uint32_t folded; // loaded, frozen, and all of its state is in memory

	// fixed
	struct vgic *vgic;
	const struct vgic_host *host; // whose list registers it uses
	bool direct;                  // those of vgic_lr_v3
	struct vgic_soft *gicc;       // those that the board does not have (vgic_soft.h); NULL

	// run
	uint16_t lr_intid[VGIC_MAX_LRS];
	uint8_t lr_of[VGIC_NR_PRIVATE];    // the list register of a private interrupt that is held
	uint8_t sgi_sources[VGIC_NR_SGIS]; // GICv2: who sent what is pending
	uint8_t sgi_active_source[VGIC_NR_SGIS]; // GICv2: who sent what is active and not held
	struct vgic_interface interface;         // while not loaded

	// any
	uint8_t posted_sources[VGIC_NR_SGIS]; // GICv2: bit n: from vCPU n

	// lock
	uint32_t spi_target[VGIC_SPI_WORDS]; // may be delivered here
	uint32_t spi_held[VGIC_SPI_WORDS];   // is in a list register here
	uint32_t spi_active[VGIC_SPI_WORDS]; // was acknowledged here, is active, and not held
	uint32_t spi_ended[VGIC_SPI_WORDS];  // ended here; may be pending again, for whomever
	uint32_t waker;                      // GICR_WAKER

	// fixed
	struct vcpu *vcpu;
	uint16_t physical[VGIC_NR_PRIVATE]; // what linked interrupts are tied to
} __attribute__((aligned(64)));

struct vgic {
	// fixed
	struct vm *vm;
	const struct vgic_host *host;
	uint32_t version; // 2 or 3
	uint32_t nr_vcpus;

	struct spinlock lock;

	// lock
	uint32_t ctlr;
	uint32_t
	        busy; // bit n: something in spi[n] may be pending, active or held; where it is clear, nothing is
	struct vgic_bank spi[VGIC_SPI_WORDS];
	union {
		uint64_t route[VGIC_NR_SPIS]; // GICv3: GICD_IROUTER
		uint8_t target[VGIC_NR_SPIS]; // GICv2: GICD_ITARGETSR
	};
};

// What a delivery back end has to offer. Without list registers (vgic_soft.c) the same calls are answered
// from memory.
#define VGIC_NOTIFY_NO_PENDING BIT_U32(0) // maintenance interrupt when no list register is pending
#define VGIC_NOTIFY_EOI \
	BIT_U32(1) // ... when an interrupt ends that is in none; DIR traps where it can

struct vgic_backend {
	const char *name;
	uint32_t serves;                   // bit n: guests that see a GICv<n>
	uint32_t (*probe)(uintptr_t base); // how many list registers; 0: none
	void (*init_cpu)(void);            // interface off, list registers empty
	void (*reset)(struct vgic_interface *interface);
	void (*load)(const struct vgic_interface *interface); // on, no list register in use
	void (*save)(struct vgic_interface *interface); // and off; list registers already empty
	uint64_t (*read_lr)(uint32_t index);
	void (*write_lr)(uint32_t index, uint64_t lr);
	void (*control)(uint32_t notify);
	bool (*split)(void); // the guest ends interrupts in two steps (EOImode = 1)
	// How many interrupts ended that were in no list register; forgets them. Ends that trapped are
	// not among them.
	uint32_t (*take_eois)(void);
};

// A set of list registers.
struct vgic_host {
	const struct vgic_backend *backend;
	uint32_t count; // list registers
	uint32_t all;   // a bit for each
	bool soft_links; // see intc_forgets_level: EL2 ends the physical interrupts, at the cost of an exit
	uintptr_t gich;
};

// The one bounding helper: whether `n`, which came from a guest, is below `limit`; *index is n then
// and 0 otherwise, also under speculation.
static inline bool vgic_bound(uint64_t n, uint32_t limit, uint32_t *index)
{
	bool ok = n < limit;
	*index = (uint32_t)n & (0u - (uint32_t)ok);
	return ok;
}

// The interrupts of word `word` (below VGIC_WORDS) as `cpu` sees them.
static inline struct vgic_bank *vgic_bank(struct vgic_cpu *cpu, uint32_t word)
{
	return word == 0 ? &cpu->bank : &cpu->vgic->spi[word - 1];
}

static inline uint32_t vgic_bank_pending(const struct vgic_bank *bank)
{
	return bank->latch | (bank->line & ~bank->edge);
}

// ---- vgic_deliver.c ----

// The next five: only for the vCPU's own CPU, or under the lock when it is folded or not loaded.

// Takes the interrupts of `word` in `mask` out of the list registers (SPIs: under the lock); whether
// that, or interrupts that ended outside them, make it necessary to look at everything again.
bool vgic_deliver_recall(struct vgic_cpu *cpu, uint32_t word, uint32_t mask);
void vgic_deliver_recall_all(struct vgic_cpu *cpu);
// Moves what other CPUs posted into the bank.
void vgic_deliver_take_posted(struct vgic_cpu *cpu);
// Private interrupt `intid` may have become deliverable, or its list register may be out of date. Does
// nothing when not loaded. False: it had to look at every interrupt.
bool vgic_deliver_private(struct vgic_cpu *cpu, uint32_t intid);
// Private interrupt `intid` has just become pending, as an edge, or because its physical interrupt has
// fired. The common case is short; false: nothing was done, do it the long way.
bool vgic_deliver_now(struct vgic_cpu *cpu, uint32_t intid);

// The same for a GICv2's SGI from vCPU `source`, of which none is pending in memory.
bool vgic_deliver_sgi_v2(struct vgic_cpu *cpu, uint32_t intid, uint32_t source);

// The same for the virtual timer, shorter still.
bool vgic_deliver_timer(struct vgic_cpu *cpu);

// Private interrupts that were in the caller's hands without the lock (vgic_deliver_own) are back, changed or not.
void vgic_deliver_private_back(struct vgic_cpu *cpu);

// Serves every request; see vgic_flush.
void vgic_deliver_posted(struct vgic_cpu *cpu);
// The same, and looks at every list register although nobody asked.
void vgic_deliver_all(struct vgic_cpu *cpu);

// Something in the list registers, or outside them, has ended.
void vgic_deliver_ended(struct vgic_cpu *cpu);

// Whether the CPU that has `cpu` loaded may use its private interrupts without the lock.
static inline bool vgic_deliver_own(const struct vgic_cpu *cpu)
{
	return cpu->loaded && !cpu->folded && !(cpu->control & VGIC_NOTIFY_EOI);
}

void vgic_deliver_load(struct vgic_cpu *cpu);
void vgic_deliver_unload(struct vgic_cpu *cpu);

// ---- vgic_lr.c ----

// What serves a guest with this version of GIC: the board's list registers, else software; NULL: nothing.
const struct vgic_host *vgic_lr_host(unsigned version);

// Forgets the hardware link of what is waiting or active, and deactivates the physical interrupts.
void vgic_lr_unlink(struct vgic_cpu *cpu, uint32_t mask);
// The vCPU comes to this CPU: the physical interrupts behind linked ones that its guest is handling become
// active here, so that they do not fire again before the guest has ended them.
void vgic_lr_relink(struct vgic_cpu *cpu);
// The input lines of the linked interrupts, as far as this CPU can see them.
uint32_t vgic_lr_linked_lines(const struct vgic_cpu *cpu);
// Linked interrupts that wait although their cause is gone do not wait any more.
void vgic_lr_resample(struct vgic_cpu *cpu);
void vgic_lr_reset_interface(struct vgic_cpu *cpu);
// Whether the guest that is loaded on this CPU ends interrupts in two steps.
bool vgic_lr_split(const struct vgic_cpu *cpu);

// ---- vgic.c: one operation on interrupts that may be in flight anywhere ----

struct vgic_op {
	struct vgic *vgic;
	struct vgic_cpu *self;  // of the vCPU that asks
	struct vgic_cpu *owner; // whose private interrupts word 0 is
	uint32_t frozen;        // vCPUs held frozen for this operation
	uint32_t tell;          // vCPUs to be told afterwards
	bool locked;
	bool flush;    // self has something to look at
	bool declined; // another CPU would have to be waited for, in a fast exit: nothing has begun
};

// From begin to end the interrupts of `word` in `mask` are in memory and belong to the caller. False: op->declined.
bool vgic_op_begin(struct vgic_op *op, struct vcpu *self, struct vcpu *owner, uint32_t word,
                   uint32_t mask);
// The same for every interrupt of the VM.
bool vgic_op_begin_all(struct vgic_op *op, struct vcpu *self);
// Interrupts of `word` in `mask` may have become deliverable.
void vgic_op_changed(struct vgic_op *op, uint32_t word, uint32_t mask);
void vgic_op_end(struct vgic_op *op);

// Who is to be told that these SPIs may have become deliverable, as a set of vCPUs; marks them so.
// Under the lock. `first`: preferred where any of several will do.
uint32_t vgic_spi_notify(struct vgic *vgic, struct vgic_cpu *first, uint32_t word, uint32_t mask);
// Tells them. No lock held.
void vgic_tell(struct vgic *vgic, uint32_t vcpus);

// SPI `spi` (0 ..) may be delivered to the vCPUs in `vcpus`, and to no other. Under the lock.
void vgic_set_targets(struct vgic *vgic, uint32_t spi, uint32_t vcpus);
static inline uint32_t vgic_all_vcpus(const struct vgic *vgic)
{
	return GENMASK_U32(vgic->nr_vcpus - 1, 0);
}

// SGI `intid` to the vCPUs in `targets` (bits of vCPUs that exist). `group1`: those for which the SGI
// is in that group, else the others; GICv2 does not ask.
void vgic_send_sgi(struct vcpu *self, uint32_t intid, uint32_t targets, bool group1);

// To one other vCPU of the same VM. A GICv2's source is noted before.
void vgic_post_sgi(struct vcpu *vcpu, uint32_t intid, bool group1);

// Register regions, reset values that differ: vgicv2.c, vgicv3.c.
int vgicv2_create(struct vgic *vgic);
void vgicv2_reset(struct vgic *vgic);
int vgicv3_create(struct vgic *vgic);
void vgicv3_reset(struct vgic *vgic);

#endif
