// SPDX-License-Identifier: Apache-2.0
// Stolen time: a guest is told how long its vCPUs were ready to run and did not.
#ifndef VM_PVTIME_H
#define VM_PVTIME_H

#include "base/types.h"

struct vm;
struct vcpu;

#define PVTIME_BASE   UINT64_C(0x090a0000) // IPA of the page, QEMU's place for it
#define PVTIME_STRIDE 64                   // bytes from a vCPU's structure to the next

// The VM's page, with one structure for each vCPU; sets vm->pvtime. While the VM is built. ERR_NO_MEMORY.
int pvtime_create(struct vm *vm);

// A new life: all stolen time is 0 again, and the page is in the guest's map. No vCPU of the VM runs, its
// stage 2 is fresh. ERR_NO_MEMORY.
int pvtime_reset(struct vm *vm);

// Brings the structure of a vCPU up to date (sched_waited). On the CPU that loads it, before it enters its
// guest; does nothing for a VM without the page.
void pvtime_update(struct vcpu *vcpu);

// Where the guest finds the structure of its vCPU; false: there is none.
bool pvtime_address(const struct vcpu *vcpu, uint64_t *ipa);

#endif
