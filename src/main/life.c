// SPDX-License-Identifier: Apache-2.0
// The life of a VM between its first instruction and its last: begin, leave, clean up, begin again.
// Called by the guest loop and at the end of the boot. A VM that ends passes through
// RUNNING -> ENDING (its CPUs leave) -> CLEANING (the last one gives its memory back, piece by piece)
// -> RUNNING again, or OFF, CRASHED, PAUSED.
#include "arm/barrier.h"
#include "arm/cpu.h"
#include "base/log.h"
#include "base/panic.h"
#include "console/console.h"
#include "debug/dump.h"
#include "hw/gic.h"
#include "hw/psci_client.h"
#include "hw/timer.h"
#include "main/run.h"
#include "vdev/model.h"
#include "vdev/vgic.h"
#include "vm/vm.h"

#define KICK_SGI 0

static bool power_off_at_end; // fixed after boot
static unsigned not_built;    // fixed after boot
static uint32_t ending;       // 1 once a CPU has seen that all VMs ended

void life_set_policy(bool power_off, unsigned failed)
{
	power_off_at_end = power_off;
	not_built = failed;
}

// Hands the vCPU to its CPU, which may be asleep or on its way out of another life.
static void hand_over(struct vcpu *vcpu)
{
	store_release(&vcpu->cpu->vcpu, vcpu);
	if (vcpu->cpu != cpu_this())
		gic_send_sgi(vcpu->cpu, KICK_SGI);
}

void life_begin(struct vm *vm)
{
	if (stage2_create(&vm->stage2, (uint16_t)vm->id, vm->ram_base, vm->ram_size) != 0 ||
	    model_reset(vm) != 0) {
		log_line("%s: no memory to start it: paused", vm->name);
		store_release(&vm->state, VM_PAUSED);
		return;
	}
	vm->start_time = timer_now();
	vm->cntvoff = vm->start_time;
	log_line("%s: starts %lu ticks after reset (%lu us)", vm->name, vm->start_time,
	         timer_to_us(vm->start_time));
	vm->crashed = NULL;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
		store_relaxed(&vm->vcpu[i]->request, 0);
		store_relaxed(&vm->vcpu[i]->power, VCPU_OFF);
	}
	store_relaxed(&vm->live, vm->nr_vcpus);
	struct vcpu *first = vm->vcpu[0];
	first->entry = vm->entry;
	first->context = vm->tree;
	store_relaxed(&first->power, VCPU_ON_PENDING);
	store_relaxed(&first->request, VCPU_REQ_START);
	store_release(&vm->state, VM_RUNNING);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		hand_over(vm->vcpu[i]);
}

void life_leave(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	if (fetch_add(&vm->live, (uint32_t)-1) != 1)
		return;
	// The last one: nobody else touches the VM from here on.
	stage2_retire(&vm->stage2);
	store_release(&vm->state, VM_CLEANING);
	cpu_this()->cleaning = vm;
}

static bool will_restart(const struct vm *vm)
{
	return vm->end == VM_END_RESET ||
	       (vm->end == VM_END_CRASH && vm->on_crash == VM_CRASH_RESTART);
}

static void end_others(struct vm *except)
{
	for (uint32_t i = 0; i < vm_count(); i++)
		if (vm_get(i) != except)
			vm_end(vm_get(i), VM_END_OFF);
}

static void cleaned(struct vm *vm)
{
	static const char *const words[] = {
	        [VM_END_OFF] = "off",
	        [VM_END_RESET] = "restarts",
	        [VM_END_CRASH] = "crashed",
	        [VM_END_PAUSE] = "paused",
	};
	bool again = will_restart(vm);
	dump_exits(vm);
	log_line("%s: %s%s", vm->name, words[vm->end],
	         again && vm->end == VM_END_CRASH ? ", restarts as on_crash says" : "");
	if (again) {
		vm->restarts++;
		life_begin(vm);
		return;
	}
	if (vm->end == VM_END_CRASH && vm->on_crash == VM_CRASH_HALT_ALL)
		end_others(vm);
	store_release(&vm->state, vm->end == VM_END_OFF     ? VM_OFF
	                          : vm->end == VM_END_CRASH ? VM_CRASHED
	                                                    : VM_PAUSED);
	life_check_all_off();
}

bool life_clean(struct cpu *cpu)
{
	struct vm *vm = cpu->cleaning;
	if (vm == NULL)
		return false;
	if (!stage2_destroy_some(&vm->stage2)) {
		cpu->cleaning = NULL;
		cleaned(vm);
	}
	return true;
}

void life_check_all_off(void)
{
	unsigned off = 0, crashed = not_built;
	for (uint32_t i = 0; i < vm_count(); i++) {
		uint32_t state = load_acquire(&vm_get(i)->state);
		if (state == VM_OFF || state == VM_CREATED)
			off += state == VM_OFF;
		else if (state == VM_CRASHED || state == VM_PAUSED)
			crashed++;
		else
			return;
	}
	if (exchange(&ending, 1) != 0)
		return;
	if (!power_off_at_end) {
		log_line("all virtual machines are off; Ctrl-] 0 is the shell");
		store_release(&ending, 0);
		return;
	}
	console_end(off, crashed);
	psci_client_system_off();
	log_line("the firmware does not switch the board off: halted");
	cpu_halt();
}
