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
	// Puts what is pending where the hardware will deliver it. Only on the CPU that runs vcpu,
	// only when vcpu->virq_request is set.
	void (*flush)(struct vcpu *vcpu);
	// Whether private line `intid`, if it rose, would interrupt the vCPU once it unmasks. On its CPU, or
	// on any while it is not loaded.
	bool (*may_interrupt)(const struct vcpu *vcpu, uint32_t intid);
};

// Sets line `intid`; see set_line. A private line is set only from the CPU that runs its vCPU.
void virq_set(struct vm *vm, struct vcpu *vcpu, uint32_t intid, bool level);

#endif
