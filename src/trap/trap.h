// SPDX-License-Identifier: Apache-2.0
// Why the guest left, and what is done about it. The vCPU is loaded on this CPU.
#ifndef TRAP_TRAP_H
#define TRAP_TRAP_H

#include "arm/exits.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/atomic.h"
#include "vm/vcpu.h"

// Handles a synchronous exit. Bounded; takes no lock of the vCPU's own state.
void trap_handle(struct vcpu *vcpu);
// A physical SError arrived while the guest ran: it is taken to be the guest's.
void trap_serror(struct vcpu *vcpu);

// The same for those that may go back to the guest at once (arm/exits.h), from exits.S: device accesses, and
// system registers. `esr`: ESR_EL2, but its upper half is undefined.
uint64_t exit_data(struct vcpu *vcpu, uint64_t esr);
uint64_t exit_sysreg(struct vcpu *vcpu, uint64_t esr);

// The end of a fast exit that may have posted something to its own CPU.
static inline uint64_t trap_exit_back(struct vcpu *vcpu)
{
	bool more = (load_relaxed(&cpu_this()->work) | load_relaxed(&vcpu->request)) != 0;
	return more || vcpu->watched ? EXIT_LEAVE(GUEST_EXIT_DONE) : exit_back(vcpu);
}
// Past the trapped instruction, of AArch64, while ELR_EL2 and SPSR_EL2 are the guest's.
static inline void trap_exit_advance(void)
{
	write_sysreg(read_sysreg(elr_el2) + 4, elr_el2);
	uint64_t pstate = read_sysreg(spsr_el2);
	if (UNLIKELY((pstate & PSTATE_BTYPE) != 0) || UNLIKELY((pstate & PSTATE_SS) != 0))
		write_sysreg(pstate & ~(PSTATE_BTYPE | PSTATE_SS), spsr_el2);
}

// Whether the guest's data is big-endian where it is; and what a device sees then of `size` bytes in a register, or the
// other way round. On the vCPU's CPU.
bool trap_data_is_big(const struct vcpu *vcpu);
uint64_t trap_data_order(const struct vcpu *vcpu, uint64_t value, unsigned size);
// Moves past the trapped instruction: length, IT state, branch type and single-step state.
void trap_advance(struct vcpu *vcpu, uint64_t esr);

// One function for each exception class; `esr` is ESR_EL2.
void abort_data(struct vcpu *vcpu, uint64_t esr);
void abort_instruction(struct vcpu *vcpu, uint64_t esr);
// A data abort at `ipa`, where no RAM is, whose syndrome does not tell what the instruction was: carries it out, or
// gives the guest the fault that it deserves. False: it has done nothing, and nobody answers there.
bool emulate_access(struct vcpu *vcpu, uint64_t esr, uint64_t ipa);
void sysreg_trap(struct vcpu *vcpu, uint64_t esr);
// A coprocessor access of a 32-bit program whose condition holds. False: undefined.
bool sysreg_trap_cp15(struct vcpu *vcpu, uint64_t esr);
void smccc_hvc(struct vcpu *vcpu, uint64_t esr);
void smccc_smc(struct vcpu *vcpu, uint64_t esr);

// A set/way operation was trapped: cleans a bounded piece; the instruction is repeated until done.
void setway_trap(struct vcpu *vcpu, uint64_t esr);
// The guest wrote a memory control register while HCR_EL2.TVM was set; the write has been done. `before`
// is SCTLR_EL1's old value. False: more cleaning is needed first, repeat the instruction.
bool setway_caches_change(struct vcpu *vcpu, uint64_t before, uint64_t after);

// PSCI function `function` with x1.. as arguments. False: no such function.
bool psci_call(struct vcpu *vcpu, uint32_t function, uint64_t *result);
// Whether PSCI_FEATURES and SMCCC_ARCH_FEATURES know this id.
bool psci_has(uint32_t function);

// The emulated physical timer's deadline passed, or its registers changed: sets line and deadline.
void cntp_update(struct vcpu *vcpu);

#endif
