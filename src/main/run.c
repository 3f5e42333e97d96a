// SPDX-License-Identifier: Apache-2.0
// The guest loop: what each CPU does between two visits to its guest. Called at the end of the boot,
// on every CPU. Owns cpu->in_guest, cpu->current and cpu->vcpu, and the power of the vCPU that is chosen here.
//
//     serve the vCPU's requests -> do the work posted to this CPU -> guest_enter -> handle the exit
//
// Another CPU that wants something ORs a bit and then looks at in_guest; this one sets in_guest and then
// looks at the bits. Both use sequentially consistent operations, so at least one sees the other: a
// request made too late to be seen here finds in_guest set and sends an interrupt, which ends the
// guest's run at its first instruction, because interrupts stay masked until then.
//
// Two pointers: `current` was chosen by the scheduler to run here; `vcpu` has its registers here. A vCPU that
// sleeps stays loaded until another one needs the CPU. Invariant: when the guest is entered both are the same.
#include "main/run.h"

#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/exits.h"
#include "arm/sysreg.h"
#include "console/console.h"
#include "hw/timer.h"
#include "trap/trap.h"
#include "vm/pvtime.h"
#include "vm/vm.h"

#define LATE_US 20 // a timer's interrupt that is due and not there is looked for so often

// The debug build measures how long each exit kept the CPU at EL2, from the vector to the next entry, or
// until the vCPU gave the CPU up. Under an emulator whose counter ticks once an instruction, that is
// instructions.
#ifdef MEZZO_DEBUG
static void note_left(struct vcpu *vcpu)
{
	vcpu->left = read_sysreg(cntpct_el0);
	vcpu->left_for = read_sysreg(esr_el2);
}
static void note_done(struct vcpu *vcpu)
{
	uint64_t stay = read_sysreg(cntpct_el0) - vcpu->left;
	if (vcpu->left != 0 && stay > vcpu->longest) {
		vcpu->longest = stay;
		vcpu->longest_esr = vcpu->left_for;
	}
	vcpu->left = 0;
}
#else
static void note_left(struct vcpu *vcpu UNUSED)
{
}
static void note_done(struct vcpu *vcpu UNUSED)
{
}
#endif

// ---- registers in and out ----

// The vCPU that this CPU holds is in memory from here on, and another CPU may have it. Its timers are still set here.
static void unload(struct cpu *cpu, struct vcpu *vcpu)
{
	vcpu->vm->irqchip->unload(vcpu);
	vcpu_unload(vcpu);
	cpu->vcpu = NULL;
	store_release(&vcpu->sched.loaded, 0);
}

// Takes out of this CPU whatever vCPU it holds.
static void put_down(struct cpu *cpu)
{
	if (cpu->vcpu == NULL)
		return;
	unload(cpu, cpu->vcpu);
	timer_set(TIMER_VCPU, TIMER_NEVER);
	timer_set(TIMER_VM, TIMER_NEVER);
}

static void take_up(struct cpu *cpu, struct vcpu *vcpu)
{
	if (cpu->vcpu != NULL)
		unload(cpu, cpu->vcpu);
	store_relaxed(&vcpu->sched.loaded, 1);
	cpu->vcpu = vcpu;
	pvtime_update(vcpu);
	vcpu_load(vcpu);
	vcpu->vm->irqchip->load(vcpu);
	cntp_update(vcpu);
	timer_set(TIMER_VM, vcpu->id == 0 ? alarm_first(vcpu->vm) : TIMER_NEVER);
}

// Lets the scheduler say who runs here, and puts that one's registers in place. One that is asked to stop
// needs none, and one that is off gets them when it is switched on.
static void choose(struct cpu *cpu)
{
	struct vcpu *before = cpu->current, *loaded = cpu->vcpu, *next = sched_choose();
	if (next == NULL && loaded != NULL && load_relaxed(&loaded->sched.state) != SCHED_BLOCKED) {
		// It waits for its budget, or must go elsewhere: nobody shall have to wait for this CPU to
		// let go of it.
		bool again = sched_must_unload(loaded);
		put_down(cpu);
		if (again)
			next = sched_choose();
	}
	if (before != NULL && before != next)
		note_done(before);
	cpu->current = next;
	if (next != NULL && next != cpu->vcpu && load_acquire(&next->power) == VCPU_ON &&
	    (load_relaxed(&next->request) & VCPU_REQ_STOP) == 0)
		take_up(cpu, next);
}

// ---- what a vCPU is asked for ----

static void start(struct cpu *cpu, struct vcpu *vcpu)
{
	if (load_acquire(&vcpu->power) != VCPU_ON_PENDING ||
	    load_acquire(&vcpu->vm->state) != VM_RUNNING)
		return;
	vcpu_reset(vcpu, vcpu->entry, vcpu->context);
	vcpu->vm->irqchip->reset_vcpu(vcpu);
	take_up(cpu, vcpu);
	store_release(&vcpu->power, VCPU_ON);
}

// CPU_OFF. A VM whose last vCPU goes has nobody left to wake it.
static void power_off(struct cpu *cpu, struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	if (vcpu_is_here(vcpu))
		put_down(cpu);
	vcpu->waiting = false;
	store_release(&vcpu->power, VCPU_OFF);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		if (load_acquire(&vm->vcpu[i]->power) != VCPU_OFF)
			return;
	vm_log(vm, "its last vCPU switched itself off");
	vm_end(vm, VM_END_OFF);
}

// Its VM ends, or is paused: then everything the vCPU is, and what it was asked for, stays for the time after.
static void stop(struct cpu *cpu, struct vcpu *vcpu, uint32_t asked)
{
	struct vm *vm = vcpu->vm;
	note_done(vcpu);
	if (vcpu_is_here(vcpu))
		put_down(cpu);
	if (vm_end_is_pause(vm->end)) {
		fetch_or(&vcpu->request, asked);
	} else {
		vcpu->waiting = false;
		store_release(&vcpu->power, VCPU_OFF);
	}
	sched_leave(vcpu);
	cpu->current = NULL;
	life_leave(vcpu);
	choose(cpu);
}

// The timers of a vCPU that slept, or of its VM, may be due.
static void check_timers(struct vcpu *vcpu)
{
	if (vcpu->id == 0)
		alarm_expire(vcpu->vm);
	if (vcpu_is_here(vcpu))
		cntp_update(vcpu);
}

// The vCPU has nothing to run for: it sleeps, until something is posted for it or a timer is due.
static void sleep(struct cpu *cpu, struct vcpu *vcpu, uint64_t deadline)
{
	if (vcpu->id == 0) {
		uint64_t alarm = alarm_first(vcpu->vm);
		deadline = alarm < deadline ? alarm : deadline;
	}
	if (!sched_block(vcpu, deadline))
		return; // something was posted meanwhile
	note_done(vcpu);
	cpu->current = NULL;
	choose(cpu);
}

// One turn of a CPU that has nothing to run: does something useful in a small piece, or sleeps until an interrupt.
// `vcpu`: the one that is loaded here, or NULL; what is posted for it ends the sleep as well.
static void rest(struct cpu *cpu, const struct vcpu *vcpu)
{
	if (!life_chore(cpu) && !pages_prepare()) {
		__atomic_store_n(&cpu->in_guest, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&cpu->work, __ATOMIC_SEQ_CST) == 0 &&
		    (vcpu == NULL || __atomic_load_n(&vcpu->request, __ATOMIC_SEQ_CST) == 0))
			wfi();
		store_relaxed(&cpu->in_guest, 0);
		dmb(ish);
	}
	irq_handle();
}

// As sleep(), if nobody else wants this CPU: then the vCPU is left where it is. Its timers ring by themselves, as do
// the alarms of its VM, each on time; only WFIT's end, and a virtual timer whose interrupt the guest is
// still handling, do not.
static bool nap(struct cpu *cpu, struct vcpu *vcpu, uint64_t deadline)
{
	uint64_t late = timer_from_us(LATE_US);
	if (!sched_nap(vcpu, deadline))
		return false;
	note_done(vcpu);
	if (vcpu->wait_until == UINT64_MAX && deadline < TIMER_NEVER - late)
		deadline += late;
	timer_set(TIMER_NAP, deadline);
	store_relaxed(&cpu->in_guest, 0);
	dmb(ish);
	rest(cpu, vcpu);
	timer_set(TIMER_NAP, TIMER_NEVER);
	sched_nap_ends(vcpu);
	return true;
}

// What others, or the vCPU itself, asked for.
static void serve_requests(struct cpu *cpu, struct vcpu *vcpu)
{
	uint32_t asked = exchange(&vcpu->request, 0);
	if ((asked & VCPU_REQ_STOP) != 0) {
		stop(cpu, vcpu, asked & ~(uint32_t)VCPU_REQ_STOP);
		return;
	}
	if ((asked & VCPU_REQ_OFF) != 0)
		power_off(cpu, vcpu);
	if ((asked & VCPU_REQ_START) != 0)
		start(cpu, vcpu);
	if ((asked & VCPU_REQ_TIMER) != 0)
		check_timers(vcpu);
	if (load_acquire(&vcpu->power) != VCPU_ON) {
		sleep(cpu, vcpu, TIMER_NEVER);
		return;
	}
	if (!vcpu_is_here(vcpu)) // it was to stop, and goes on instead
		take_up(cpu, vcpu);
	if ((asked & VCPU_REQ_SAMPLE) != 0)
		vcpu_take_sample(vcpu);
	if ((asked & (VCPU_REQ_VIRQ | VCPU_REQ_SYNC)) != 0)
		vcpu->vm->irqchip->flush(vcpu);
}

// The time has come that the vCPU waits for. Its virtual timer reaches it as an interrupt of the board, which may
// be a little late (an emulator's is), or may not come while the guest still handles the one before.
static bool is_woken_by_time(struct cpu *cpu, struct vcpu *vcpu, uint64_t now)
{
	cntp_update(vcpu);
	store_relaxed(&cpu->in_guest, 0);
	dmb(ish);
	irq_handle();
	return virq_pending(vcpu) || now - vcpu->vm->cntvoff >= vcpu->wait_until;
}

// WFI, CPU_SUSPEND: whether there is a reason to go on; if not, the vCPU sleeps.
static bool wait_is_over(struct cpu *cpu, struct vcpu *vcpu)
{
	bool over = virq_pending(vcpu);
	if (!over) {
		uint64_t deadline = vcpu_deadline(vcpu), now = timer_now();
		over = deadline <= now && is_woken_by_time(cpu, vcpu, now);
		deadline = deadline <= now ? now + timer_from_us(LATE_US) : deadline;
		if (!over && !nap(cpu, vcpu, deadline))
			sleep(cpu, vcpu, deadline);
	}
	if (over) {
		vcpu->waiting = false;
		vcpu->wait_until = UINT64_MAX;
	}
	return over && load_relaxed(&cpu->in_guest) != 0;
}

// ---- what a CPU is asked for ----

// Looks up VMs, so it does not count as being in the guest: see docs/concurrency.md, "VMs come and go".
static void serve_cpu(struct cpu *cpu)
{
	store_relaxed(&cpu->in_guest, 0);
	uint32_t work = exchange(&cpu->work, 0);
	dmb(ish);
	if ((work & CPU_WORK_PLAIN) != 0)
		exits_plain();
	if ((work & CPU_WORK_SCHED) != 0)
		choose(cpu);
	// Either is half of what an exit may take: together with the exit's own reason only one has room, and
	// what one asks of the other comes after the guest, too.
	if ((work & CPU_WORK_CONSOLE) != 0) {
		console_drain(CONSOLE_BUDGET);
		if (((work | fetch_and(&cpu->work, ~(uint32_t)CPU_WORK_LIFE)) & CPU_WORK_LIFE) != 0)
			life_put_off();
	} else if ((work & CPU_WORK_LIFE) != 0) {
		(void)life_chore(cpu);
		if ((fetch_and(&cpu->work, ~(uint32_t)CPU_WORK_CONSOLE) & CPU_WORK_CONSOLE) != 0)
			console_put_off();
	}
}

// A vCPU that sleeps here, still loaded: what the board's interrupts did for it, and who waits for it.
static void look_at_sleeper(struct vcpu *vcpu)
{
	if ((load_relaxed(&vcpu->request) & VCPU_REQ_SYNC) != 0) {
		fetch_and(&vcpu->request, ~(uint32_t)VCPU_REQ_SYNC);
		vcpu->vm->irqchip->flush(vcpu);
	}
	// Who has asked it for something has woken it.
	if (vcpu->waiting && load_relaxed(&vcpu->request) == 0 && virq_pending(vcpu))
		vcpu_post(vcpu, VCPU_REQ_VIRQ);
}

// Nothing to run.
static void idle(struct cpu *cpu)
{
	store_relaxed(&cpu->in_guest, 0);
	dmb(ish);
	if (cpu->vcpu != NULL)
		look_at_sleeper(cpu->vcpu);
	rest(cpu, cpu->vcpu);
	if (cpu->vcpu != NULL)
		look_at_sleeper(cpu->vcpu);
}

void run_loop(void)
{
	struct cpu *cpu = cpu_this();
	for (;;) {
		__atomic_store_n(&cpu->in_guest, 1, __ATOMIC_SEQ_CST);
		struct vcpu *vcpu = cpu->current;
		// Requests before work: what a crash shows is still in the CPU's registers.
		if (vcpu != NULL &&
		    (__atomic_load_n(&vcpu->request, __ATOMIC_SEQ_CST) != 0 || vcpu != cpu->vcpu)) {
			serve_requests(cpu, vcpu);
			if (load_relaxed(&cpu->work) != 0)
				serve_cpu(cpu);
			continue; // look again: more may have come meanwhile
		}
		if (__atomic_load_n(&cpu->work, __ATOMIC_SEQ_CST) != 0) {
			serve_cpu(cpu);
			continue;
		}
		if (vcpu == NULL) {
			idle(cpu);
			continue;
		}
		if (vcpu->waiting && !wait_is_over(cpu, vcpu))
			continue;
		if (UNLIKELY(vcpu->watched))
			vcpu->vm->irqchip->look(vcpu);
		note_done(vcpu);
		enum guest_exit_reason reason = guest_enter(vcpu);
		note_left(vcpu);
		store_relaxed(&cpu->in_guest, 0);
		switch (reason) {
		case GUEST_EXIT_SYNC: trap_handle(vcpu); break;
		case GUEST_EXIT_IRQ:
		case GUEST_EXIT_FIQ:
			vcpu->exits_by_class[VCPU_CLASS_IRQ]++;
			irq_handle();
			break;
		case GUEST_EXIT_SERROR: trap_serror(vcpu); break;
		case GUEST_EXIT_DONE: break;
		}
	}
}
