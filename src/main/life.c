// SPDX-License-Identifier: Apache-2.0
// The life of a VM between its first instruction and its last: begin, leave, clean up, begin again.
// Called by the guest loop and at the end of the boot. What people ask for is in life_ask.c.
//
//     RUNNING -> ENDING (its vCPUs leave) -> CLEANING (its memory is given back, in pieces)
//             -> RUNNING again, or OFF, or CRASHED, or WAITING (crashed) and then RUNNING again
//     RUNNING -> ENDING -> PAUSED (all of it is kept) -> RUNNING
//     CREATED, OFF, CRASHED -> GONE (destroyed: nobody finds it; freed when every CPU has let go of it)
//
// A VM in CLEANING, WAITING or GONE is among the *chores* of one CPU, which alone moves it on from there.
// Invariant: whoever moves `state` away from a state in which nothing runs is alone with the VM until it
// lets it run, or rest.
#include "main/life.h"
#include "arm/barrier.h"
#include "arm/cpu.h"
#include "base/bits.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "console/console.h"
#include "debug/dump.h"
#include "hw/power.h"
#include "hw/timer.h"
#include "main/run.h"
#include "vdev/model.h"
#include "vm/giveback.h"
#include "vm/vm.h"

// A VM that crashes again and again waits longer each time, so that it keeps neither the log nor its
// CPU busy; one that lived for long has earned a quick start.
#define BACKOFF_FIRST_MS  100
#define BACKOFF_MOST_MS   10000
#define BACKOFF_FORGET_MS 60000

#define BUSY_US  200 // a CPU with guests to run does a piece of its chores so often
#define GRACE_US 50  // ... and looks so often whether all CPUs have let go of a VM

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
	FOR_EACH_VM (vm) {
		uint32_t state = load_acquire(&vm->state);
		if (state == VM_OFF || state == VM_CREATED)
			off += state == VM_OFF;
		else if (state == VM_CRASHED || (state == VM_PAUSED && vm->starved))
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
	if (!power_exists())
		log_line("this board has no PSCI or watchdog to switch it off by: it stays on");
	console_end(off, crashed);
	power_off();
	cpu_halt(); // the line above is the last one, whatever happens
}

// ---- chores ----

static void add_chore(struct vm *vm)
{
	vm->quiet = false;
	struct cpu *cpu = cpu_this();
	store_relaxed(&vm->chore_cpu, cpu->id);
	vm->next_chore = cpu->chores;
	cpu->chores = vm;
	cpu_post_local(CPU_WORK_LIFE);
}

static void remove_chore(struct cpu *cpu, const struct vm *vm)
{
	struct vm **link = &cpu->chores;
	while (*link != vm)
		link = &(*link)->next_chore;
	*link = vm->next_chore;
}

void life_poke(struct vm *vm)
{
	vcpu_post_cpu(cpu_get(load_relaxed(&vm->chore_cpu)), CPU_WORK_LIFE);
}

// ---- begin ----

// Everything of the VM is ready, and `live` and `state` are all that was missing.
static void let_run(struct vm *vm)
{
	vm->memory_seen = load_acquire(&memory_returns);
	store_relaxed(&vm->live, vm->nr_vcpus);
	store_release(&vm->state, VM_RUNNING);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		sched_enter(vm->vcpu[i]);
	dmb(ish); // `state` before these, whose writers store them before they look at states
	if (load_relaxed(&halting) != 0 || load_relaxed(&vm->killed) != 0)
		vm_end(vm, VM_END_OFF);
	console_vms_changed();
}

// Fresh memory and devices. False: there is no memory for them, and none is held.
static bool furnish(struct vm *vm)
{
	if (giveback_renew(vm) != 0)
		return false;
	if (stage2_create(&vm->stage2, (uint16_t)vm->id, vm->ram_base, vm->ram_size) == 0 &&
	    model_reset(vm) == 0)
		return true;
	while (stage2_destroy_some(&vm->stage2)) // a few tables at most
		;
	return false;
}

static void switch_on(struct vcpu *vcpu, uint64_t entry, uint64_t context)
{
	vcpu->entry = entry;
	vcpu->context = context;
	store_relaxed(&vcpu->power, VCPU_ON_PENDING);
	store_relaxed(&vcpu->request, VCPU_REQ_START);
}

void life_begin(struct vm *vm)
{
	vm->start_time = timer_now();
	store_relaxed(&vm->stop_at, 0);
	vm->unborn = vm->starved = !furnish(vm);
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
	// Firmware knows where the tree is, and finds its registers as after a reset.
	switch_on(vm->vcpu[0], vm->entry, vm->flash != NULL ? 0 : vm->tree);
	for (uint32_t i = 1; i < vm->nr_vcpus && vm->park_size != 0; i++)
		switch_on(vm->vcpu[i], vm->park, 0);
	let_run(vm);
}

static void begin_again(struct vm *vm)
{
	vm->restarts++;
	life_begin(vm);
}

// For the guest no time has passed.
bool life_go_on(struct vm *vm)
{
	uint32_t paused = VM_PAUSED;
	if (!compare_exchange(&vm->state, &paused, VM_CLEANING))
		return false;
	if (vm->unborn) {
		life_begin(vm);
		return true;
	}
	log_line("%s: goes on%s", vm->name, vm->starved ? ": there is memory again" : "");
	vm->cntvoff += timer_now() - vm->paused_at;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++) // one that was to start when it was paused
		fetch_or(&vm->vcpu[i]->request, VCPU_REQ_START);
	let_run(vm);
	return true;
}

// A VM has given its memory back: who waits for some may try again.
static void resume_paused(void)
{
	fetch_add(&memory_returns, 1);
	dmb(ish); // the count before the states; pause() does it the other way round
	FOR_EACH_VM (vm)
		if (vm->starved)
			(void)life_go_on(vm);
}

// ---- leave ----

// No CPU runs it any more; nothing of it is given up.
static void pause(struct vm *vm)
{
	bool starved = vm->end == VM_END_STARVE;
	if (starved)
		log_line("%s: paused: it goes on when another virtual machine has ended", vm->name);
	else
		log_line("%s: paused: `resume %s` lets it go on", vm->name, vm->name);
	vm->paused_at = timer_now();
	vm->starved = starved;
	store_release(&vm->state, VM_PAUSED);
	dmb(ish);
	if (load_relaxed(&vm->killed) != 0)
		(void)life_give_up(vm, VM_END_OFF);
	else if (starved && load_relaxed(&memory_returns) != vm->memory_seen)
		(void)life_go_on(vm);
	console_vms_changed();
	check_all_off();
}

bool life_give_up(struct vm *vm, enum vm_end end)
{
	uint32_t paused = VM_PAUSED;
	if (!compare_exchange(&vm->state, &paused, VM_CLEANING))
		return false;
	vm->end = end;
	stage2_retire(&vm->stage2);
	add_chore(vm);
	return true;
}

void life_leave(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	if (fetch_add(&vm->live, (uint32_t)-1) != 1)
		return;
	// The last one: nobody else touches the VM from here on.
	uint32_t after = load_relaxed(&vm->end_after);
	if (vm_end_is_pause(vm->end) && after == 0) {
		pause(vm);
		return;
	}
	if (vm_end_is_pause(vm->end))
		vm->end = (enum vm_end)(after - 1);
	stage2_retire(&vm->stage2);
	store_release(&vm->state, VM_CLEANING);
	add_chore(vm);
}

// ---- the end ----

// Nobody finds the VM from now on; its memory is given back when nobody can still hold a pointer to it.
static void bury(struct vm *vm)
{
	uint32_t cpus = cpu_count();
	vm_withdraw(vm);
	console_forget(vm);
	model_destroy(vm);
	sched_dismiss(vm);
	memset(vm->unseen, 0, sizeof vm->unseen);
	for (uint32_t cpu = 0; cpu < cpus; cpu++)
		vm->unseen[cpu / 64] |= BIT_U64(cpu % 64);
	add_chore(vm);
}

bool life_bury(struct vm *vm, uint32_t resting)
{
	if (!compare_exchange(&vm->state, &resting, VM_GONE))
		return false;
	bury(vm);
	return true;
}

// It has ended for now.
static void rest(struct vm *vm, enum vm_state state)
{
	store_release(&vm->state, state);
	dmb(ish); // the state before `doomed`; who dooms it does it the other way round
	if (load_relaxed(&vm->doomed) != 0)
		(void)life_bury(vm, state);
	console_vms_changed();
}

// Whether no CPU can hold a pointer that it looked up before the VM was out of sight: each has been seen in a
// guest or asleep since (docs/concurrency.md, "VMs come and go").
static bool is_forgotten(struct vm *vm)
{
	uint64_t left = 0;
	dmb(ish); // out of sight before the look
	for (uint32_t word = 0; word < ARRAY_SIZE(vm->unseen); word++) {
		for (uint64_t bits = vm->unseen[word]; bits != 0; bits &= bits - 1) {
			struct cpu *cpu = cpu_get(word * 64 + (uint32_t)__builtin_ctzll(bits));
			if (cpu == cpu_this() ||
			    __atomic_load_n(&cpu->in_guest, __ATOMIC_SEQ_CST) != 0)
				vm->unseen[word] &= ~(bits & (0 - bits));
		}
		left |= vm->unseen[word];
	}
	return left == 0;
}

// on_crash = halt-all. A VM that begins just now sees `halting` and ends by itself.
static void end_others(const struct vm *except)
{
	store_relaxed(&halting, 1);
	dmb(ish);
	FOR_EACH_VM (vm)
		if (vm != except)
			(void)life_kill(vm);
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
	bool stays = load_relaxed(&halting) != 0 || exchange(&vm->killed, 0) != 0 ||
	             load_relaxed(&vm->doomed) != 0;
	switch (stays ? VM_CRASH_STOP : vm->on_crash) {
	case VM_CRASH_STOP: log_line("%s: crashed", vm->name); break;
	case VM_CRASH_RESTART:
		vm->backoff_ms = next_backoff_ms(vm);
		vm->restart_at = timer_now() + timer_from_ms(vm->backoff_ms);
		log_line("%s: crashed: restarts in %u ms, as on_crash = restart says", vm->name,
		         vm->backoff_ms);
		store_release(&vm->state, VM_WAITING);
		add_chore(vm);
		console_vms_changed();
		return;
	case VM_CRASH_HALT_ALL:
		log_line("%s: crashed: all others are ended, as on_crash = halt-all says",
		         vm->name);
		end_others(vm);
		break;
	}
	rest(vm, VM_CRASHED);
}

// All its memory is given back.
static void cleaned(struct vm *vm)
{
	dump_exits(vm);
	if (vm->end == VM_END_CRASH) {
		vm_log_summary(vm);
		crashed(vm);
	} else if (exchange(&vm->killed, 0) == 0 && vm->end == VM_END_RESET &&
	           load_relaxed(&halting) == 0 && load_relaxed(&vm->doomed) == 0) {
		vm_log(vm, "restarts");
		begin_again(vm);
	} else {
		vm_log_summary(vm);
		log_line("%s: off", vm->name);
		rest(vm, VM_OFF);
	}
	resume_paused();
	check_all_off();
}

// The time to begin again has come, or somebody does not want it any more.
static void waited(struct vm *vm)
{
	bool unwanted = exchange(&vm->killed, 0) != 0 || load_relaxed(&vm->doomed) != 0;
	store_release(&vm->state, VM_CLEANING);
	if (unwanted || load_relaxed(&halting) != 0) {
		log_line("%s: off", vm->name);
		rest(vm, VM_OFF);
	} else {
		begin_again(vm);
	}
	check_all_off();
}

enum chore {
	CHORE_MORE,  // it goes on at once
	CHORE_LATER, // nothing to do before *when
};

static enum chore do_piece(struct cpu *cpu, struct vm *vm, uint64_t now, uint64_t *when)
{
	switch ((enum vm_state)load_acquire(&vm->state)) {
	case VM_WAITING:
		*when = load_relaxed(&vm->restart_at);
		if (now < *when && load_relaxed(&vm->killed) == 0)
			return CHORE_LATER;
		remove_chore(cpu, vm);
		waited(vm);
		return CHORE_MORE;
	case VM_GONE:
		*when = now + timer_from_us(GRACE_US);
		if (!is_forgotten(vm))
			return CHORE_LATER;
		if (vm_free_some(vm))
			return CHORE_MORE;
		remove_chore(cpu, vm);
		log_line("%s: destroyed; all it had is given back", vm->name);
		vm_discard(vm);
		resume_paused();
		check_all_off();
		return CHORE_MORE;
	default: // CLEANING
		if (vm->crashed != NULL && dump_some(vm))
			return CHORE_MORE;
		vm->quiet = vm->quiet || model_quiet(vm);
		*when = now + timer_from_us(GRACE_US);
		if (!vm->quiet) // the board's disk still has a request of its
			return CHORE_LATER;
		if (vm->stage2.pages.first != 0) { // the last piece is a turn of its own, too
			(void)stage2_destroy_some(&vm->stage2);
			return CHORE_MORE;
		}
		if (vm_give_scratch(vm))
			return CHORE_MORE;
		remove_chore(cpu, vm);
		cleaned(vm);
		return CHORE_MORE;
	}
}

void life_put_off(void)
{
	timer_set(TIMER_LIFE, timer_now() + timer_from_us(BUSY_US));
}

bool life_chore(struct cpu *cpu)
{
	uint64_t now = timer_now(), next = TIMER_NEVER;
	bool more = false;
	for (struct vm *vm = cpu->chores; vm != NULL; vm = vm->next_chore) {
		uint64_t when = TIMER_NEVER;
		more = do_piece(cpu, vm, now, &when) == CHORE_MORE;
		if (more) // it may be gone
			break;
		next = when < next ? when : next;
	}
	if (more && cpu->chores != NULL)
		next = now + timer_from_us(BUSY_US);
	timer_set(TIMER_LIFE, next);
	return more;
}

void life_begin_all(void)
{
	FOR_EACH_VM (vm)
		if (vm->autostart)
			life_begin(vm);
	store_release(&all_begun, 1);
	check_all_off();
}
