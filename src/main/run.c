// SPDX-License-Identifier: Apache-2.0
// The guest loop: what each CPU does between two visits to its guest. Called at the end of the boot,
// on every CPU. Owns cpu->in_guest and the vCPU's power while it runs here.
//
//     do the work posted to this CPU -> serve the vCPU's requests -> guest_enter -> handle the exit
//
// Another CPU that wants something ORs a bit and then looks at in_guest; this one sets in_guest and then
// looks at the bits. Both use sequentially consistent operations, so at least one sees the other: a
// request made too late to be seen here finds in_guest set and sends an interrupt, which ends the
// guest's run at its first instruction, because interrupts stay masked until then.
#include "main/run.h"

#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/sysreg.h"
#include "console/console.h"
#include "debug/dump.h"
#include "trap/trap.h"
#include "vdev/vgic.h"
#include "vdev/vpl031.h"
#include "vm/vm.h"

static void start(struct vcpu *vcpu)
{
	if (load_acquire(&vcpu->power) != VCPU_ON_PENDING ||
	    load_acquire(&vcpu->vm->state) != VM_RUNNING)
		return;
	vcpu_reset(vcpu, vcpu->entry, vcpu->context);
	vgic_vcpu_reset(vcpu);
	vcpu_load(vcpu);
	vgic_vcpu_load(vcpu);
	store_release(&vcpu->power, VCPU_ON);
}

static void take_out(struct vcpu *vcpu)
{
	if (load_acquire(&vcpu->power) == VCPU_ON) {
		vgic_vcpu_unload(vcpu);
		vcpu_unload(vcpu);
	}
	vcpu->waiting = false;
	store_release(&vcpu->power, VCPU_OFF);
}

// CPU_OFF. A VM whose last vCPU goes has nobody left to wake it.
static void power_off(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	take_out(vcpu);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		if (load_acquire(&vm->vcpu[i]->power) != VCPU_OFF)
			return;
	vm_log(vm, "its last vCPU switched itself off");
	vm_end(vm, VM_END_OFF);
}

// Its VM is paused: everything it is, and what it was asked for, stays for the time after.
static void set_aside(struct vcpu *vcpu, uint32_t asked)
{
	if (load_acquire(&vcpu->power) == VCPU_ON) {
		vgic_vcpu_unload(vcpu);
		vcpu_unload(vcpu);
	}
	fetch_or(&vcpu->request, asked);
}

static void resume(struct vcpu *vcpu)
{
	if (load_acquire(&vcpu->power) != VCPU_ON)
		return;
	vcpu_load(vcpu);
	vgic_vcpu_load(vcpu);
	cntp_update(vcpu);
	vpl031_tick(vcpu->vm->rtc);
}

static void stop(struct vcpu *vcpu, uint32_t asked)
{
	struct vm *vm = vcpu->vm;
	if (vm->crashed == vcpu)
		dump_guest(vcpu); // while its registers are still in the CPU
	if (vm->end == VM_END_PAUSE)
		set_aside(vcpu, asked);
	else
		take_out(vcpu);
	cpu_this()->vcpu = NULL;
	life_leave(vcpu);
}

// What others, or the vCPU itself, asked for.
static void serve_requests(struct vcpu *vcpu)
{
	uint32_t asked = exchange(&vcpu->request, 0);
	if ((asked & VCPU_REQ_STOP) != 0) {
		stop(vcpu, asked & ~(uint32_t)VCPU_REQ_STOP);
		return;
	}
	if ((asked & VCPU_REQ_RESUME) != 0)
		resume(vcpu);
	if ((asked & VCPU_REQ_OFF) != 0) {
		power_off(vcpu);
		return;
	}
	if ((asked & VCPU_REQ_START) != 0)
		start(vcpu);
	if ((asked & VCPU_REQ_SAMPLE) != 0 && load_acquire(&vcpu->power) == VCPU_ON)
		vcpu_take_sample(vcpu);
	if ((asked & (VCPU_REQ_VIRQ | VCPU_REQ_SYNC)) != 0 && load_acquire(&vcpu->power) == VCPU_ON)
		vgic_flush(vcpu);
}

static bool may_run(struct vcpu *vcpu)
{
	if (load_acquire(&vcpu->power) != VCPU_ON)
		return false;
	if (vcpu->waiting) {
		if (!vgic_pending(vcpu))
			return false;
		vcpu->waiting = false;
	}
	return true;
}

static void serve_cpu(struct cpu *cpu)
{
	uint32_t work = exchange(&cpu->work, 0);
	if ((work & CPU_WORK_CONSOLE) != 0)
		console_drain(CONSOLE_BUDGET);
}

// Nothing to run: does something useful in small pieces, or sleeps until an interrupt.
static void idle(struct cpu *cpu)
{
	if (!life_clean(cpu) && !pages_prepare())
		wfi();
	irq_handle();
}

// The debug build measures how long each exit kept the CPU at EL2, from the vector to the next entry.
// Under an emulator whose counter ticks once an instruction, that is instructions.
#ifdef MEZZO_DEBUG
static void note_left(struct vcpu *vcpu)
{
	vcpu->left = read_sysreg(cntpct_el0);
	vcpu->left_for = read_sysreg(esr_el2);
}
static void note_enter(struct vcpu *vcpu)
{
	uint64_t stay = read_sysreg(cntpct_el0) - vcpu->left;
	if (vcpu->left != 0 && stay > vcpu->longest) {
		vcpu->longest = stay;
		vcpu->longest_esr = vcpu->left_for;
	}
}
#else
static void note_left(struct vcpu *vcpu UNUSED)
{
}
static void note_enter(struct vcpu *vcpu UNUSED)
{
}
#endif

void run_loop(void)
{
	struct cpu *cpu = cpu_this();
	for (;;) {
		__atomic_store_n(&cpu->in_guest, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&cpu->work, __ATOMIC_SEQ_CST) != 0)
			serve_cpu(cpu);
		struct vcpu *vcpu = load_acquire(&cpu->vcpu);
		if (vcpu != NULL && __atomic_load_n(&vcpu->request, __ATOMIC_SEQ_CST) != 0) {
			serve_requests(vcpu);
			continue; // look again: more may have come meanwhile
		}
		if (vcpu == NULL || !may_run(vcpu)) {
			idle(cpu);
			continue;
		}
		note_enter(vcpu);
		enum guest_exit_reason reason = guest_enter(vcpu);
		note_left(vcpu);
		store_relaxed(&cpu->in_guest, 0);
		vcpu->exits++;
		switch (reason) {
		case GUEST_EXIT_SYNC: trap_handle(vcpu); break;
		case GUEST_EXIT_IRQ:
		case GUEST_EXIT_FIQ:
			vcpu->exits_by_class[VCPU_CLASS_IRQ]++;
			irq_handle();
			break;
		case GUEST_EXIT_SERROR: trap_serror(vcpu); break;
		}
	}
}
