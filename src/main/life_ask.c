// SPDX-License-Identifier: Apache-2.0
// What people and programs ask of a VM's life, from the shell. Owns nothing: each call moves the VM's state
// by one atomic step, or leaves a wish where whoever is moving it will look. Called by the shell's commands.
// Invariant: a state that another CPU changes meanwhile costs another turn, never a wrong step.
#include "arm/barrier.h"
#include "base/log.h"
#include "hw/timer.h"
#include "main/life.h"
#include "main/run.h"
#include "vdev/vpl061.h"

#define TURNS 4 // a state that changes more often under our eyes is left alone

static const char changing[] = "its state is changing this moment: try again";
static const char doomed[] = "it is being destroyed";
static const char still[] = "it does not run";

const char *life_start(struct vm *vm)
{
	uint32_t state = load_acquire(&vm->state);
	if (load_relaxed(&vm->doomed) != 0)
		return doomed;
	switch ((enum vm_state)state) {
	case VM_CREATED:
	case VM_OFF:
	case VM_CRASHED:
		if (!compare_exchange(&vm->state, &state, VM_CLEANING))
			return changing;
		vm->restarts = 0;
		vm->backoff_ms = 0;
		store_relaxed(&vm->killed, 0);
		life_begin(vm);
		return NULL;
	case VM_RUNNING: return "it is running already";
	case VM_PAUSED: return vm->starved ? "it waits for memory" : "it is paused: resume it";
	case VM_WAITING: return "it crashed, and starts again by itself in a moment";
	default: return changing;
	}
}

const char *life_kill(struct vm *vm)
{
	for (unsigned turn = 0; turn < TURNS; turn++) {
		switch ((enum vm_state)load_acquire(&vm->state)) {
		case VM_RUNNING:
		case VM_ENDING:
			store_relaxed(&vm->killed, 1);
			vm_end(vm, VM_END_OFF);
			return NULL;
		case VM_PAUSED:
			if (life_give_up(vm, VM_END_OFF))
				return NULL;
			break;
		case VM_WAITING:
		case VM_CLEANING: // before it begins again, it looks
			store_relaxed(&vm->killed, 1);
			dmb(ish);
			life_poke(vm);
			return NULL;
		default: return still;
		}
	}
	return changing;
}

const char *life_pause(struct vm *vm)
{
	switch ((enum vm_state)load_acquire(&vm->state)) {
	case VM_RUNNING: vm_end(vm, VM_END_PAUSE); return NULL;
	case VM_PAUSED: return "it is paused already";
	case VM_ENDING:
	case VM_CLEANING: return changing;
	default: return still;
	}
}

const char *life_resume(struct vm *vm)
{
	if (load_acquire(&vm->state) != VM_PAUSED)
		return "it is not paused";
	if (vm->starved)
		return "it waits for memory: end another virtual machine";
	return life_go_on(vm) ? NULL : changing;
}

const char *life_restart(struct vm *vm)
{
	switch ((enum vm_state)load_acquire(&vm->state)) {
	case VM_RUNNING: vm_end(vm, VM_END_RESET); return NULL;
	case VM_PAUSED: return life_give_up(vm, VM_END_RESET) ? NULL : changing;
	case VM_WAITING:
		store_relaxed(&vm->restart_at, 0);
		dmb(ish);
		life_poke(vm);
		return NULL;
	case VM_ENDING:
	case VM_CLEANING: return changing;
	default: return life_start(vm);
	}
}

const char *life_destroy(struct vm *vm)
{
	if (exchange(&vm->doomed, 1) != 0)
		return doomed;
	dmb(ish); // `doomed` before the state; who lets it rest does it the other way round
	for (unsigned turn = 0; turn < TURNS; turn++) {
		uint32_t state = load_acquire(&vm->state);
		bool rests = state == VM_CREATED || state == VM_OFF || state == VM_CRASHED;
		if (rests ? life_bury(vm, state) : life_kill(vm) == NULL)
			return NULL;
	}
	return NULL; // whoever moves it on sees that it is doomed
}

// ---- the power button ----

const char *life_stop(struct vm *vm)
{
	switch ((enum vm_state)load_acquire(&vm->state)) {
	case VM_RUNNING: break;
	case VM_PAUSED: return "it is paused: resume it, or kill it";
	case VM_ENDING:
	case VM_CLEANING: return changing;
	default: return still;
	}
	if (vm->power_key == NULL)
		return "its machine has no power button: shut it down from inside, or kill it";
	store_relaxed(&vm->stop_at, timer_now() + timer_from_ms(vm->stop_timeout_ms));
	vpl061_press(vm->power_key);
	life_watch_stops();
	return NULL;
}

// Each CPU on which a button was pressed looks at all of them: whoever comes first says it.
void life_watch_stops(void)
{
	uint64_t now = timer_now(), next = TIMER_NEVER;
	FOR_EACH_VM (vm) {
		uint64_t at = load_relaxed(&vm->stop_at);
		uint32_t state = load_acquire(&vm->state);
		if (at == 0)
			continue;
		if (state != VM_RUNNING && state != VM_PAUSED) {
			store_relaxed(&vm->stop_at, 0);
		} else if (at > now) {
			next = at < next ? at : next;
		} else if (compare_exchange(&vm->stop_at, &at, 0)) {
			log_line("%s: did not answer its power button within %u s: `kill %s` ends "
			         "it",
			         vm->name, vm->stop_timeout_ms / 1000, vm->name);
		}
	}
	timer_set(TIMER_STOP, next);
}
