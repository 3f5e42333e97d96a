// SPDX-License-Identifier: Apache-2.0
// The deadlines of a VM's devices. Called by the devices, and by the guest loop when it loads the VM's
// first vCPU, puts it to sleep, or finds its time come.
// Invariant: while the first vCPU is loaded, its CPU's TIMER_VM is set for the earliest of them; while it
// sleeps, the scheduler wakes it by then. Who makes one earlier elsewhere tells it by VCPU_REQ_TIMER.
#include "vm/alarm.h"

#include "hw/timer.h"
#include "vm/vm.h"

int alarm_add(struct vm *vm, const struct alarm_ops *ops, void *dev)
{
	struct alarms *alarms = &vm->alarms;
	uint32_t number = alarms->count;
	if (number == ALARM_MAX)
		return ERR_NO_MEMORY;
	alarms->ops[number] = ops;
	alarms->dev[number] = dev;
	alarms->at[number] = TIMER_NEVER;
	alarms->count++;
	return (int)number;
}

uint64_t alarm_first(const struct vm *vm)
{
	uint64_t first = TIMER_NEVER;
	for (uint32_t i = 0; i < vm->alarms.count; i++) {
		uint64_t at = load_relaxed(&vm->alarms.at[i]);
		first = at < first ? at : first;
	}
	return first;
}

void alarm_set(struct vm *vm, int number, uint64_t deadline)
{
	uint64_t before = exchange(&vm->alarms.at[number], deadline);
	if (before == deadline)
		return;
	if (vcpu_is_here(vm->vcpu[0]))
		timer_set(TIMER_VM, alarm_first(vm));
	else if (deadline < before)
		vcpu_post(vm->vcpu[0], VCPU_REQ_TIMER);
}

void alarm_expire(struct vm *vm)
{
	uint64_t now = timer_now();
	for (uint32_t i = 0; i < vm->alarms.count; i++) {
		uint64_t at = load_relaxed(&vm->alarms.at[i]);
		// One that was set anew meanwhile stays.
		if (at <= now && compare_exchange(&vm->alarms.at[i], &at, TIMER_NEVER))
			vm->alarms.ops[i]->due(vm->alarms.dev[i]);
	}
	if (vcpu_is_here(vm->vcpu[0]))
		timer_set(TIMER_VM, alarm_first(vm));
}
