// SPDX-License-Identifier: Apache-2.0
// A virtual CPU: everything a guest can see of one, and what Mezzo needs to run it.
#ifndef VM_VCPU_H
#define VM_VCPU_H

#include "arm/cpu.h"
#include "arm/debugregs.h"
#include "arm/frame.h"
#include "arm/regs.h"
#include "base/atomic.h"
#include "base/types.h"
#include "vm/mmio.h"
#include "vm/sched.h"

struct vm;
struct vgic_cpu;

// Private interrupts of model virt (QEMU's virt machine has the same).
#define INTID_CNTV 27
#define INTID_CNTP 30

#define KICK_SGI 0 // the board's software-generated interrupt that says "look at your requests"

#define EMULATION_MAX 64 // accesses of one instruction: LD4 of bytes

#define VCPU_CLASS_IRQ 63 // in exits_by_class: no exception class has this number

// EL1 and EL0 state that stays in the CPU's registers while a vCPU is loaded. Fields, names, reset
// values and encodings come from the one list in arm/sysregs.def.
struct el1_regs {
#define SYSREG_SAVED(field, name, reset) uint64_t field;
#include "arm/sysregs.def"
};

// vcpu->request: what other CPUs ask this vCPU to do; atomic OR, then vcpu_kick().
enum vcpu_request {
	VCPU_REQ_VIRQ = 1 << 0,   // interrupts were posted for it
	VCPU_REQ_STOP = 1 << 1,   // leave the guest and do not come back: its VM ends or restarts
	VCPU_REQ_TIMER = 1 << 2,  // a timer of its own, or of its VM if it is the first, may be due
	VCPU_REQ_SYNC = 1 << 3,   // fold the list registers back into memory and acknowledge
	VCPU_REQ_START = 1 << 4,  // CPU_ON: begin at vcpu->entry
	VCPU_REQ_OFF = 1 << 5,    // CPU_OFF: it asked to stop itself
	VCPU_REQ_SAMPLE = 1 << 6, // note where it is, for vcpu_sample
};

enum vcpu_power {
	VCPU_OFF,        // PSCI: powered off
	VCPU_ON_PENDING, // CPU_ON accepted, its first instruction not reached
	VCPU_ON,
};

struct vcpu {
	// Saved and loaded by arm/guest.S; must come first (arm/frame.h checks the offsets).
	struct guest_frame frame;

	// Read on every exit.
	uint32_t request; // enum vcpu_request; any CPU, atomically
	uint32_t power;   // enum vcpu_power; any CPU, atomically
	bool watched;     // its interrupt controller looks at it before each entry; its CPU
	bool repeat;      // the access that a device was asked for is to be made again; its CPU
	bool waiting;  // WFI, CPU_SUSPEND: not entered before an interrupt is there for it; its CPU
	struct vm *vm; // fixed after start
	struct vgic_cpu *gic; // fixed after start; the contents belong to vdev/vgic

	struct mmio_hit hit; // its CPU

	// Fixed after start.
	uint32_t id; // 0 .. vm->nr_vcpus - 1
	uint64_t vmpidr, vpidr;

	struct cpu *cpu; // in whose queue it is (vm/sched.h)
	struct sched_vcpu sched;

	// Owned by the CPU that runs the vCPU.
	struct el1_regs el1;
	struct fp_state fp;
	uint64_t hcr, cptr, mdcr; // EL2 controls while it runs; HCR_VSE only while it is not loaded
	uint64_t cntp_ctl, cntp_cval; // the emulated EL1 physical timer; cval in guest time
	bool cntp_line;               // its interrupt line
	uint64_t wait_until; // guest time: WFIT's timeout while `waiting`; UINT64_MAX: none
	struct {
		bool os_lock;
		bool used;                              // the guest has written one since its reset
		uint64_t value[DEBUG_KINDS][DEBUG_MAX]; // what the guest last wrote
	} debug;
	uint64_t unknown_calls; // HVC and SMC that nothing answered
	uint64_t exits_by_class
	        [64]; // index: exception class; interrupts count at index 63; see vcpu_exits_of
	struct { // the last exits that were not fast ones, for the screen shown when the guest dies
		uint64_t pc, esr, far;
	} history[16];
	uint32_t history_next;
#ifdef MEZZO_DEBUG
	uint64_t left, left_for;       // ticks and ESR_EL2 of the exit that is being handled
	uint64_t longest, longest_esr; // the exit that took longest, in ticks
#endif
	uint64_t
	        last_trap; // ticks: when the guest last left of its own doing, and not by a fast exit

	// Written by the CPU that runs it on VCPU_REQ_SAMPLE; `taken` last, with release order.
	struct vcpu_sample {
		uint64_t time; // ticks
		uint64_t pc, vbar, esr, elr, last_trap;
		uint32_t taken; // how many samples there were
	} sample;

	// Set/way cache maintenance (trap/setway.c).
	uint64_t setway_cursor; // IPA offset the cleaning has reached
	bool setway_done; // everything was cleaned and the caches have not changed state since

	// An instruction of several accesses, of which some are done (trap/emulate.c); what tells it from all others.
	struct vcpu_emulation {
		uint32_t done; // accesses; 0: there is none
		uint32_t word;
		uint64_t pc, pstate, sp_el0, sp_el1, ttbr0;
		uint64_t x[31];
		uint64_t value[EMULATION_MAX]; // loaded, or to be stored, access by access
	} emulation;

	// Given by CPU_ON under the target's ON_PENDING state, read at its start.
	uint64_t entry, context;
};

// Why guest_enter returned. The last one: a fast exit (arm/exits.h) was handled, and left something to the loop.
enum guest_exit_reason {
	GUEST_EXIT_SYNC,
	GUEST_EXIT_IRQ,
	GUEST_EXIT_FIQ,
	GUEST_EXIT_SERROR,
	GUEST_EXIT_DONE,
};

// arm/guest.S: runs the vCPU until something wants Mezzo.
enum guest_exit_reason guest_enter(struct vcpu *vcpu);

// Gives the vCPU the state it has after a reset: entry point, x0, everything else defined. Its CPU or
// nobody runs it.
void vcpu_reset(struct vcpu *vcpu, uint64_t entry, uint64_t context);
// Puts the vCPU's EL1 state, stage 2 and EL2 controls into this CPU, or takes them out.
void vcpu_load(struct vcpu *vcpu);
void vcpu_unload(struct vcpu *vcpu);
// Gives the vCPU the FP/SIMD registers (they were trapped), or takes them back. On its CPU.
void vcpu_fp_take(struct vcpu *vcpu);
// Makes vcpu->fp what its FP/SIMD registers hold now, or the other way round after it was changed. While it is loaded
// on this CPU.
void vcpu_fp_read(struct vcpu *vcpu);
void vcpu_fp_write(struct vcpu *vcpu);

// Sets the bits of HCR_EL2 in `mask`, HCR_VSE not among them, to those of `bits`. Its CPU, or it is not loaded.
void vcpu_set_hcr(struct vcpu *vcpu, uint64_t mask, uint64_t bits);

// The vCPU's IRQ and FIQ inputs, for a controller whose CPU interface is not hardware. A line that is high
// interrupts the guest once it unmasks, and stays until it is lowered here. Its CPU, or it is not loaded.
void vcpu_set_lines(struct vcpu *vcpu, bool irq, bool fiq);

// Where a vCPU is; vcpu->frame and vcpu->el1 hold its registers of that moment then. Asks its CPU and waits a bounded time, some 30,000 instructions. If that is too short
// for it (an emulator's CPU may take long to wake up), the sample is the one before, as sample->time
// tells, and the next call finds this one. False: it is not running, or was never seen. Any CPU, no lock
// held.
bool vcpu_sample(struct vcpu *vcpu, struct vcpu_sample *sample);
// Notes it; on its CPU, while it is loaded.
void vcpu_take_sample(struct vcpu *vcpu);
// Whether a sample lies in the vCPU's own exception vectors.
bool vcpu_sample_at_vectors(const struct vcpu_sample *sample);

// What a dump or a debugger shows of the EL1 state: one row for each saved register.
struct el1_row {
	const char *name;
	uint16_t offset; // in struct el1_regs
};
extern const struct el1_row el1_rows[];
extern const unsigned el1_row_count;

// How often it left, for one exception class or VCPU_CLASS_IRQ, and in all. Any CPU; out of date at once.
static inline uint64_t vcpu_exits_of(const struct vcpu *vcpu, unsigned class)
{
	uint64_t count = load_relaxed(&vcpu->exits_by_class[class]);
	return class == EC_HVC64 ? count + load_relaxed(&vcpu->frame.calls) : count;
}
static inline uint64_t vcpu_exits(const struct vcpu *vcpu)
{
	uint64_t count = 0;
	for (unsigned class = 0; class < ARRAY_SIZE(vcpu->exits_by_class); class ++)
		count += vcpu_exits_of(vcpu, class);
	return count;
}

static inline uint64_t vcpu_reg(const struct vcpu *vcpu, unsigned reg)
{ // 31 reads as zero
	return reg == 31 ? 0 : vcpu->frame.x[reg];
}
static inline void vcpu_set_reg(struct vcpu *vcpu, unsigned reg, uint64_t value)
{
	vcpu->frame.x[reg] = value;
}

// Whether this CPU holds the vCPU's registers: then it alone may use them, and the vCPU's own state.
static inline bool vcpu_is_here(const struct vcpu *vcpu)
{
	return cpu_this()->vcpu == vcpu;
}

// Sets request bits: a vCPU that sleeps wakes up, one that may be in its guest is interrupted. Any CPU;
// locks up to LOCK_VGIC may be held.
void vcpu_post(struct vcpu *vcpu, uint32_t request);
// Posts work to a CPU, and interrupts it if it may be in a guest or asleep. Any CPU, any lock.
void vcpu_post_cpu(struct cpu *cpu, uint32_t work);

// When a vCPU that waits must be looked at again although nobody asks for it: the earliest of its timers
// that could interrupt it, in ticks; the present or less: it is due. Its CPU, or its VM does not run.
uint64_t vcpu_deadline(const struct vcpu *vcpu);

#endif
