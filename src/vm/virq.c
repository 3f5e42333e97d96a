// SPDX-License-Identifier: Apache-2.0
// The one door for interrupt lines: passes them to whatever controller the VM has.
#include "vm/virq.h"

#include "vm/vm.h"

void virq_set(struct vm *vm, struct vcpu *vcpu, uint32_t intid, bool level)
{
	vm->irqchip->set_line(vm, vcpu, intid, level);
}

bool virq_pending(struct vcpu *vcpu)
{
	return vcpu->vm->irqchip->pending(vcpu);
}
