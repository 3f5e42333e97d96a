// SPDX-License-Identifier: Apache-2.0
// Exceptions that the hypervisor delivers to a guest's EL1, as the hardware would.
// All of these act on the loaded vCPU, on its CPU.
#ifndef VM_INJECT_H
#define VM_INJECT_H

#include "base/types.h"

struct vcpu;

// Undefined instruction at the current PC.
void inject_undefined(struct vcpu *vcpu);
// Synchronous external abort for the access (data) or fetch at `far`; `iss` gives what the trapped
// syndrome said about it: WnR, CM, and with walk_level >= 0 that it hit a table walk of that level.
void inject_data_abort(struct vcpu *vcpu, uint64_t far, uint64_t iss, int walk_level);
// Any other fault of that access, by its fault status.
void inject_data_fault(struct vcpu *vcpu, uint64_t far, uint64_t iss, uint64_t status);
void inject_instruction_abort(struct vcpu *vcpu, uint64_t far, int walk_level);
// Whether the vCPU is at EL1 at its own vectors, so that another exception would only land there again.
bool inject_would_loop(const struct vcpu *vcpu);

#endif
