// SPDX-License-Identifier: Apache-2.0
// Why the guest left, and what is done about it. The vCPU is loaded on this CPU.
#ifndef TRAP_TRAP_H
#define TRAP_TRAP_H

#include "vm/vcpu.h"

// Handles a synchronous exit. Bounded; takes no lock of the vCPU's own state.
void trap_handle(struct vcpu *vcpu);
// A physical SError arrived while the guest ran: it is taken to be the guest's.
void trap_serror(struct vcpu *vcpu);

// Moves past the trapped instruction: length, IT state, branch type and single-step state.
void trap_advance(struct vcpu *vcpu, uint64_t esr);

// One function for each exception class; `esr` is ESR_EL2.
void abort_data(struct vcpu *vcpu, uint64_t esr);
void abort_instruction(struct vcpu *vcpu, uint64_t esr);
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
