// SPDX-License-Identifier: Apache-2.0
// The one way in which anything raises or lowers an interrupt line of a guest, whatever controller
// the VM has.
#ifndef VM_VIRQ_H
#define VM_VIRQ_H

#include "base/types.h"

struct vm;
struct vcpu;

// What an interrupt controller is to the rest of a VM. One const table for each kind.
struct irqchip_ops {
	// Line `intid` of the VM is now `level`. vcpu: the owner of a private line (PPI, 16-31), NULL for
	// an SPI (>= 32). Any CPU; takes LOCK_VGIC, so the caller holds nothing above LOCK_DEVICE.
	void (*set_line)(struct vm *vm, struct vcpu *vcpu, uint32_t intid, bool level);
	// Serves VCPU_REQ_VIRQ and VCPU_REQ_SYNC: puts what is pending where the hardware will deliver
	// it. Only on the CPU that has the vCPU loaded.
	void (*flush)(struct vcpu *vcpu);
	// Before the vCPU runs on this CPU for the first time, and after it will not run here any more.
	void (*load)(struct vcpu *vcpu);
	void (*unload)(struct vcpu *vcpu);
	// The vCPU's part as a core finds it that has just been switched on. Not loaded.
	void (*reset_vcpu)(struct vcpu *vcpu);
	// Whether something waits that this vCPU would be interrupted by if it unmasked. On its CPU, or
	// on any while it is not loaded (the answer may then be old when it arrives).
	bool (*pending)(struct vcpu *vcpu);
	// Whether private line `intid`, if it rose, would interrupt the vCPU once it unmasks. On its CPU, or
	// on any while it is not loaded.
	bool (*may_interrupt)(const struct vcpu *vcpu, uint32_t intid);
	// Called before each entry while vcpu->watched is set, which is this table's to do. NULL: it is not.
	void (*look)(struct vcpu *vcpu);
};

// Sets line `intid`; see set_line. A private line is set only from the CPU that runs its vCPU.
void virq_set(struct vm *vm, struct vcpu *vcpu, uint32_t intid, bool level);

// See irqchip_ops.pending.
bool virq_pending(struct vcpu *vcpu);

#endif
