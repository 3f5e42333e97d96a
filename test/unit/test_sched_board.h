// SPDX-License-Identifier: Apache-2.0
// A board for the scheduler's tests: a clock that jumps from event to event, CPUs that go through
// the guest loop in miniature, guests that are busy or run and sleep in turns. EL2 takes no time
// here, so every figure is exact. A CPU that is in its guest or idle notices nothing but its timer
// and SGIs, as on a real one.
#ifndef TEST_SCHED_BOARD_H
#define TEST_SCHED_BOARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "fake.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "vm/sched_queue.h"

#define HZ       UINT64_C(10000000)
#define US(n)    ((uint64_t)(n)*10)
#define MS(n)    US((uint64_t)(n)*1000)
#define FOR_EVER UINT64_MAX

#define MAX_GUESTS    256
#define MAX_BOARD_VMS 256
#define BOARD_CPUS    200

struct guest {
	struct vcpu vcpu;
	uint64_t run,
	        sleep; // it runs so long, then sleeps so long; FOR_EVER: it is always busy; 0: until woken
	uint64_t left; // of `run`
	uint64_t wakes_at;
	uint64_t got;         // ticks in the guest, as the board saw it
	uint64_t entered;     // ticks: when sched_enter was called
	uint64_t wakes, late; // how often its sleep ended; the most ticks that was late
	bool off;             // it has left
	bool spins;           // it yields to its siblings as soon as it runs
};

static struct guest guests[MAX_GUESTS];
static struct vm board_vms[MAX_BOARD_VMS];
static unsigned nr_guests, nr_vms;
static uint32_t nr_cpus;
static uint64_t now;
static uint64_t timer_at[BOARD_CPUS];
static bool sgi[BOARD_CPUS];
static unsigned ticks[BOARD_CPUS], sgis[BOARD_CPUS];

// ---- what the scheduler calls ----

static struct cpu board_cpus[BOARD_CPUS];
struct cpu *cpu_get(uint32_t id)
{
	return &board_cpus[id];
}
static void run_on(uint32_t id)
{
	fake_cpu_this = &board_cpus[id];
}
uint32_t cpu_count(void)
{
	return nr_cpus;
}
struct vm *vm_after(uint32_t id)
{
	return id < nr_vms ? &board_vms[id] : NULL;
}
uint64_t timer_from_us(uint64_t us)
{
	return US(us);
}
void timer_set(enum timer_user user, uint64_t deadline)
{
	assert_int_equal(user, TIMER_SCHED);
	timer_at[cpu_this()->id] = deadline;
}
static void send_sgi(const struct cpu *cpu, uint32_t intid)
{
	assert_int_equal(intid, 0);
	sgi[cpu->id] = true;
	sgis[cpu->id]++;
}
static const struct intc_ops board_gic = {.send_sgi = send_sgi};
const struct intc_ops *intc = &board_gic;

static bool counter(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = now;
	return true;
}

static void board(uint32_t cpus, uint64_t start)
{
	fake_reset();
	fake_sysreg_hook = counter;
	fake_log_count = FAKE_LOG_MAX;
	memset(board_cpus, 0, sizeof board_cpus);
	memset(guests, 0, sizeof guests);
	memset(board_vms, 0, sizeof board_vms);
	memset(sgi, 0, sizeof sgi);
	memset(ticks, 0, sizeof ticks);
	memset(sgis, 0, sizeof sgis);
	nr_guests = nr_vms = 0;
	nr_cpus = cpus;
	now = start;
	for (uint32_t i = 0; i < cpus; i++) {
		run_on(i);
		cpu_this()->id = i;
		sched_init_cpu();
		timer_at[i] = TIMER_NEVER;
		cpu_post_local(CPU_WORK_SCHED);
	}
	run_on(0);
}

// What the test itself does is done by CPU 0, which has left its guest for it.
static void leave_guest(void)
{
	run_on(0);
	cpu_this()->in_guest = 0;
}

static struct guest *guest_of(struct vcpu *vcpu)
{
	return CONTAINER_OF(vcpu, struct guest, vcpu);
}

// A VM with `count` busy vCPUs, not admitted yet. The guests lie one after the other.
UNUSED static struct guest *make_vm(unsigned count)
{
	struct guest *first = &guests[nr_guests];
	struct vm *vm = &board_vms[nr_vms++];
	assert_true(nr_vms <= MAX_BOARD_VMS && nr_guests + count <= MAX_GUESTS);
	*vm = (struct vm){.id = nr_vms, .nr_vcpus = count, .sched = {.weight = 100}};
	vm->name[0] = (char)('a' + (nr_vms - 1) % 26);
	for (unsigned i = 0; i < count; i++) {
		struct guest *guest = &guests[nr_guests++];
		guest->vcpu.vm = vm;
		guest->vcpu.id = i;
		guest->vcpu.sched.pin = SCHED_ANY_CPU;
		guest->run = guest->left = FOR_EVER;
		vm->vcpu[i] = &guest->vcpu;
	}
	return first;
}

static void begin(struct guest *guest)
{
	char why[200] = "";
	leave_guest();
	if (!guest->vcpu.sched.admitted && sched_admit(guest->vcpu.vm, why, sizeof why) != 0)
		fail_msg("%s", why);
	for (uint32_t i = 0; i < guest->vcpu.vm->nr_vcpus; i++) {
		struct guest *each = guest_of(guest->vcpu.vm->vcpu[i]);
		each->left = each->run;
		each->entered = now;
		each->off = false;
		sched_enter(&each->vcpu);
	}
}

UNUSED static struct guest *busy(uint32_t weight, uint32_t priority, uint32_t pin)
{
	struct guest *guest = make_vm(1);
	guest->vcpu.vm->sched.weight = weight;
	guest->vcpu.vm->sched.priority = priority;
	guest->vcpu.sched.pin = pin;
	begin(guest);
	return guest;
}

UNUSED static struct guest *sleeper(uint64_t run, uint64_t sleep, uint32_t pin)
{
	struct guest *guest = make_vm(1);
	guest->run = run;
	guest->sleep = sleep;
	guest->vcpu.sched.pin = pin;
	begin(guest);
	return guest;
}

UNUSED static struct guest *budgeted(uint64_t budget, uint64_t period, uint32_t pin)
{
	struct guest *guest = make_vm(1);
	guest->vcpu.vm->sched.budget = budget;
	guest->vcpu.vm->sched.period = period;
	guest->vcpu.sched.pin = pin;
	begin(guest);
	return guest;
}

static void post(struct vcpu *vcpu, uint32_t request)
{
	leave_guest();
	__atomic_fetch_or(&vcpu->request, request, __ATOMIC_SEQ_CST);
	sched_wake(vcpu, (request & VCPU_REQ_STOP) != 0);
}

// ---- the guest loop in miniature ----

static void unload(struct cpu *cpu)
{
	if (cpu->vcpu != NULL)
		store_release(&cpu->vcpu->sched.loaded, 0);
	cpu->vcpu = NULL;
}

static void choose(struct cpu *cpu)
{
	struct vcpu *next = sched_choose();
	if (next == NULL && cpu->vcpu != NULL && sched_must_unload(cpu->vcpu)) {
		unload(cpu);
		next = sched_choose();
	}
	assert_ptr_equal(next, cpu->current);
	if (next == NULL)
		return;
	assert_ptr_equal(next->cpu, cpu);
	assert_int_equal(next->sched.state, SCHED_RUNNING);
	if (next == cpu->vcpu)
		return;
	unload(cpu);
	assert_int_equal(next->sched.loaded, 0);
	store_release(&next->sched.loaded, 1);
	cpu->vcpu = next;
}

static void serve(struct cpu *cpu, struct guest *guest)
{
	uint32_t asked = exchange(&guest->vcpu.request, 0);
	if ((asked & VCPU_REQ_STOP) != 0) {
		unload(cpu);
		sched_leave(&guest->vcpu);
		guest->off = true;
		choose(cpu);
	} else if (guest->left == 0) {
		bool due = guest->sleep != 0 && now >= guest->wakes_at;
		if (!due && (asked & VCPU_REQ_VIRQ) == 0)
			return;
		guest->wakes++;
		if (due && now - guest->wakes_at > guest->late)
			guest->late = now - guest->wakes_at;
		guest->left = guest->run;
		guest->wakes_at = 0;
	}
}

static bool block(struct cpu *cpu, struct guest *guest)
{
	if (guest->wakes_at == 0)
		guest->wakes_at = guest->sleep != 0 ? now + guest->sleep : TIMER_NEVER;
	if (!sched_block(&guest->vcpu, guest->wakes_at))
		return false;
	choose(cpu);
	return true;
}

// Until it is in its guest, or idle.
static void turn(uint32_t id)
{
	run_on(id);
	struct cpu *cpu = cpu_this();
	sgi[id] = false;
	for (unsigned i = 0; i < 1000; i++) {
		if (timer_at[id] != TIMER_NEVER && !sched_before(now, timer_at[id])) {
			timer_at[id] = TIMER_NEVER;
			ticks[id]++;
			sched_tick();
		}
		__atomic_store_n(&cpu->in_guest, 1, __ATOMIC_SEQ_CST);
		if (exchange(&cpu->work, 0) != 0) {
			cpu->in_guest = 0;
			choose(cpu);
			continue;
		}
		if (cpu->current == NULL)
			return;
		struct guest *guest = guest_of(cpu->current);
		if (load_relaxed(&guest->vcpu.request) != 0)
			serve(cpu, guest);
		else if (guest->left == 0)
			block(cpu, guest);
		else if (!guest->spins || !sched_yield_to_sibling(&guest->vcpu))
			return;
	}
	fail_msg("CPU %u never comes to its guest", id);
}

static bool concerned(uint32_t cpu)
{
	return sgi[cpu] || (timer_at[cpu] != TIMER_NEVER && !sched_before(now, timer_at[cpu])) ||
	       cpu_get(cpu)->in_guest == 0;
}

static bool ends_here(uint32_t cpu)
{
	struct vcpu *vcpu = cpu_get(cpu)->current;
	return vcpu != NULL && guest_of(vcpu)->left == 0;
}

static void settle(void)
{
	bool again = true;
	for (unsigned i = 0; again; i++) {
		again = false;
		if (i > 1000)
			fail_msg("the board never settles");
		for (uint32_t cpu = 0; cpu < nr_cpus; cpu++)
			if (concerned(cpu) || ends_here(cpu)) {
				turn(cpu);
				again = true;
			}
	}
	run_on(0);
}

// Every vCPU runs on one CPU, and its figures are right to the tick.
static void check_board(void)
{
	for (uint32_t a = 0; a < nr_cpus; a++)
		for (uint32_t b = 0; b < a; b++)
			assert_true(cpu_get(a)->vcpu == NULL ||
			            cpu_get(a)->vcpu != cpu_get(b)->vcpu);
	for (unsigned i = 0; i < nr_guests; i++) {
		struct guest *guest = &guests[i];
		assert_int_equal(sched_ran(&guest->vcpu), guest->got);
	}
}

static void run_until(uint64_t end)
{
	settle();
	while (sched_before(now, end)) {
		uint64_t next = end;
		for (uint32_t cpu = 0; cpu < nr_cpus; cpu++) {
			struct vcpu *vcpu = cpu_get(cpu)->current;
			if (timer_at[cpu] != TIMER_NEVER && sched_before(timer_at[cpu], next))
				next = timer_at[cpu];
			if (vcpu != NULL && guest_of(vcpu)->left != FOR_EVER &&
			    sched_before(now + guest_of(vcpu)->left, next))
				next = now + guest_of(vcpu)->left;
		}
		uint64_t step = next - now;
		for (uint32_t cpu = 0; cpu < nr_cpus; cpu++) {
			struct vcpu *vcpu = cpu_get(cpu)->current;
			if (vcpu == NULL)
				continue;
			guest_of(vcpu)->got += step;
			if (guest_of(vcpu)->left != FOR_EVER)
				guest_of(vcpu)->left -= step;
		}
		now = next;
		settle();
	}
	check_board();
}

static void run_for(uint64_t time)
{
	run_until(now + time);
}

// `got` is `part` of `whole`, `permille` of it more or less.
UNUSED static void expect_share(const struct guest *guest, uint64_t before, double part,
                                uint64_t whole, double permille)
{
	double share = (double)(guest->got - before) / (double)whole;
	if (share < part * (1 - permille / 1000) || share > part * (1 + permille / 1000))
		fail_msg("guest %d got %.4f and not %.4f", (int)(guest - guests), share, part);
}

#endif
