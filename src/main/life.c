// SPDX-License-Identifier: Apache-2.0
// The life of a VM between its first instruction and its last: begin, leave, clean up, begin again.
// Called by the guest loop and at the end of the boot.
//
//     RUNNING -> ENDING (its CPUs leave) -> CLEANING (the last one gives its memory back, in pieces)
//             -> RUNNING again, or OFF, or CRASHED, or WAITING (crashed) and then RUNNING again
//     RUNNING -> ENDING -> PAUSED (no memory was left; all of it is kept) -> RUNNING when there is some
//
// Invariant: whoever moves `state` away from a state in which nothing runs (PAUSED, WAITING, CLEANING)
// is alone with the VM until it lets it run.
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

// A VM that crashes again and again waits longer each time, so that it keeps neither the log nor its
// CPU busy; one that lived for long has earned a quick start.
#define BACKOFF_FIRST_MS  100
#define BACKOFF_MOST_MS   10000
#define BACKOFF_FORGET_MS 60000

static bool power_off_at_end; // fixed after boot
static unsigned not_built;    // fixed after boot

// Atomically.
static uint32_t all_begun;      // 1 once every VM that starts by itself has
static uint32_t halting;        // 1 once on_crash = halt-all has come true: no VM begins again
static uint32_t memory_returns; // how often a VM gave its memory back
static uint32_t ending;         // 1 once a CPU has seen that all VMs ended

void life_set_policy(bool power_off, unsigned failed)
{
	power_off_at_end = power_off;
	not_built = failed;
}

// Whether every VM has ended; who sees it first acts on it. Each CPU looks after it has stored its own
// VM's state, so the last one sees all of them.
static void check_all_off(void)
{
	unsigned off = 0, crashed = not_built;
	dmb(ish);
	if (load_relaxed(&all_begun) == 0)
		return;
	FOR_EACH_VM(vm)
	{
		uint32_t state = load_acquire(&vm->state);
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
		log_line("no virtual machine runs any more; Ctrl-] 0 leads to Mezzo's shell");
		store_release(&ending, 0);
		return;
	}
	if (psci_client_version() == 0)
		log_line("this board has no PSCI to switch it off by: it stays on");
	console_end(off, crashed);
	psci_client_system_off();
	cpu_halt(); // the line above is the last one, whatever happens
}

// Hands the vCPU to its CPU, which may be asleep or on its way out of another life.
static void hand_over(struct vcpu *vcpu)
{
	store_release(&vcpu->cpu->vcpu, vcpu);
	if (vcpu->cpu != cpu_this())
		gic_send_sgi(vcpu->cpu, KICK_SGI);
}

// Everything of the VM is ready, and `live` and `state` are all that was missing.
static void let_run(struct vm *vm)
{
	vm->memory_seen = load_acquire(&memory_returns);
	store_relaxed(&vm->live, vm->nr_vcpus);
	store_release(&vm->state, VM_RUNNING);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		hand_over(vm->vcpu[i]);
	dmb(ish); // `state` before `halting`, which its writer stores before it looks at states
	if (load_relaxed(&halting) != 0)
		vm_end(vm, VM_END_OFF);
}

// Fresh memory and devices. False: there is no memory for them, and none is held.
static bool furnish(struct vm *vm)
{
	if (stage2_create(&vm->stage2, (uint16_t)vm->id, vm->ram_base, vm->ram_size) == 0 &&
	    model_reset(vm) == 0)
		return true;
	while (stage2_destroy_some(&vm->stage2)) // a few tables at most
		;
	return false;
}

// The first life or the next, vCPU 0 on its way. No vCPU of it runs.
static void begin(struct vm *vm)
{
	vm->start_time = timer_now();
	vm->unborn = !furnish(vm);
	if (vm->unborn) {
		log_line("%s: there is no memory left to start it: it waits for another virtual "
		         "machine to end",
		         vm->name);
		store_release(&vm->state, VM_PAUSED);
		return;
	}
	vm->cntvoff = vm->start_time;
	if (vm->restarts == 0)
		log_line("%s: starts %lu ticks after reset (%lu us)", vm->name, vm->start_time,
		         timer_to_us(vm->start_time));
	vm->crashed = NULL;
	store_relaxed(&vm->end_after, 0);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
		store_relaxed(&vm->vcpu[i]->request, 0);
		store_relaxed(&vm->vcpu[i]->power, VCPU_OFF);
	}
	struct vcpu *first = vm->vcpu[0];
	first->entry = vm->entry;
	first->context = vm->tree;
	store_relaxed(&first->power, VCPU_ON_PENDING);
	store_relaxed(&first->request, VCPU_REQ_START);
	let_run(vm);
}

static void begin_again(struct vm *vm)
{
	vm->restarts++;
	begin(vm);
}

// Goes on where it was. For the guest no time has passed.
static void resume(struct vm *vm)
{
	uint32_t paused = VM_PAUSED;
	if (!compare_exchange(&vm->state, &paused, VM_CLEANING))
		return;
	if (vm->unborn) {
		begin(vm);
		return;
	}
	log_line("%s: goes on: there is memory again", vm->name);
	vm->cntvoff += timer_now() - vm->paused_at;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		fetch_or(&vm->vcpu[i]->request, VCPU_REQ_RESUME | VCPU_REQ_START);
	let_run(vm);
}

// A VM has given its memory back: who waits for some may try again.
static void resume_paused(void)
{
	fetch_add(&memory_returns, 1);
	dmb(ish); // the count before the states; pause() does it the other way round
	FOR_EACH_VM(vm)
	resume(vm);
}

// No CPU runs it any more; nothing of it is given up.
static void pause(struct vm *vm)
{
	log_line("%s: paused: it goes on when another virtual machine has ended", vm->name);
	vm->paused_at = timer_now();
	store_release(&vm->state, VM_PAUSED);
	dmb(ish);
	if (load_relaxed(&memory_returns) != vm->memory_seen)
		resume(vm);
	check_all_off();
}

void life_leave(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	if (fetch_add(&vm->live, (uint32_t)-1) != 1)
		return;
	// The last one: nobody else touches the VM from here on.
	uint32_t after = load_relaxed(&vm->end_after);
	if (vm->end == VM_END_PAUSE && after == 0) {
		pause(vm);
		return;
	}
	if (vm->end == VM_END_PAUSE)
		vm->end = (enum vm_end)(after - 1);
	stage2_retire(&vm->stage2);
	store_release(&vm->state, VM_CLEANING);
	cpu_this()->cleaning = vm;
}

// on_crash = halt-all. A VM that begins just now sees `halting` and ends by itself.
static void end_others(const struct vm *except)
{
	static const uint32_t resting[] = {VM_WAITING, VM_PAUSED};
	store_relaxed(&halting, 1);
	dmb(ish);
	FOR_EACH_VM(vm)
	{
		if (vm == except)
			continue;
		vm_end(vm, VM_END_OFF);
		for (unsigned s = 0; s < ARRAY_SIZE(resting); s++) {
			uint32_t state = resting[s];
			compare_exchange(&vm->state, &state, VM_OFF);
		}
	}
}

static uint32_t next_backoff_ms(const struct vm *vm)
{
	uint32_t twice = 2 * vm->backoff_ms;
	if (vm->backoff_ms == 0 || timer_to_ms(timer_now() - vm->start_time) >= BACKOFF_FORGET_MS)
		return BACKOFF_FIRST_MS;
	return twice < BACKOFF_MOST_MS ? twice : BACKOFF_MOST_MS;
}

// What becomes of a VM that crashed, and a word about it.
static void crashed(struct vm *vm)
{
	switch (load_relaxed(&halting) != 0 ? VM_CRASH_STOP : vm->on_crash) {
	case VM_CRASH_STOP: log_line("%s: crashed", vm->name); break;
	case VM_CRASH_RESTART:
		vm->backoff_ms = next_backoff_ms(vm);
		vm->restart_at = timer_now() + timer_from_ms(vm->backoff_ms);
		log_line("%s: crashed: restarts in %u ms, as on_crash = restart says", vm->name,
		         vm->backoff_ms);
		cpu_this()->cleaning = vm; // its CPU is free for the time
		store_release(&vm->state, VM_WAITING);
		return;
	case VM_CRASH_HALT_ALL:
		log_line("%s: crashed: all others are ended, as on_crash = halt-all says",
		         vm->name);
		end_others(vm);
		break;
	}
	store_release(&vm->state, VM_CRASHED);
}

// All its memory is given back.
static void cleaned(struct vm *vm)
{
	dump_exits(vm);
	if (vm->end == VM_END_RESET && load_relaxed(&halting) == 0) {
		vm_log(vm, "restarts");
		begin_again(vm);
	} else if (vm->end == VM_END_CRASH) {
		vm_log_summary(vm);
		crashed(vm);
	} else {
		vm_log_summary(vm);
		log_line("%s: off", vm->name);
		store_release(&vm->state, VM_OFF);
	}
	resume_paused();
	check_all_off();
}

bool life_clean(struct cpu *cpu)
{
	struct vm *vm = cpu->cleaning;
	if (vm == NULL)
		return false;
	uint32_t state = load_acquire(&vm->state);
	if (state == VM_CLEANING) {
		if (stage2_destroy_some(&vm->stage2))
			return true;
		cpu->cleaning = NULL;
		cleaned(vm);
		return true;
	}
	if (state == VM_WAITING && timer_now() < vm->restart_at) {
		timer_set(TIMER_LIFE, vm->restart_at);
		return false;
	}
	cpu->cleaning = NULL;
	state = VM_WAITING;
	if (compare_exchange(&vm->state, &state, VM_CLEANING)) {
		begin_again(vm);
		check_all_off();
	}
	return true;
}

void life_begin_all(void)
{
	FOR_EACH_VM(vm)
	if (vm->autostart)
		begin(vm);
	store_release(&all_begun, 1);
	check_all_off();
}
