// SPDX-License-Identifier: Apache-2.0
// The scheduler with a thread for each CPU: vCPUs pass tokens to each other and block, sleep,
// yield, end and begin again, are pinned, have budgets, and a CPU becomes exclusive now and then. A
// token that is lost is a lost wake-up; no vCPU ever runs on two CPUs, no CPU ever holds two
// queues. A CPU in its guest or asleep notices nothing but its timer and SGIs.
// test_sched_threads [seconds [CPUs]]
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "fake.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "vm/sched_queue.h"

#define MAX_THREADS 7 // CPU 7 is the test itself
#define NR_VMS      8
#define NR_EACH     3
#define NR_TOKENS   40
#define EXCLUSIVE   (NR_VMS - 1) // one vCPU, with the last CPU to itself

#define must(cond)                                                                         \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

enum life { OUT, RUNS, ENDS, BEGINS };

static struct vm vms[NR_VMS];
static struct vcpu vcpus[NR_VMS][NR_EACH];
static struct extra {
	uint32_t on;    // 1 + the CPU that has it loaded
	uint32_t inbox; // tokens
	uint32_t held;  // by its CPU
} extras[NR_VMS][NR_EACH];
static uint32_t life[NR_VMS], live[NR_VMS];
static uint32_t cpus = 4, draining, closing, absorbed;
static uint64_t moves, ends, yields, blocks;
static double seconds = 1.5;
static uint32_t sgi[FAKE_CPUS];
static uint64_t timer_at[FAKE_CPUS];

static _Thread_local uint64_t seed;
static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

// ---- what the scheduler calls; a millisecond of its is 50 us here ----

static uint64_t nanoseconds(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}
static bool counter(const char *name UNUSED, bool write UNUSED, uint64_t *value)
{
	*value = nanoseconds();
	return true;
}
uint32_t cpu_count(void)
{
	return cpus;
}
struct vm *vm_after(uint32_t id UNUSED)
{
	return NULL;
}
uint64_t timer_from_us(uint64_t us)
{
	return us * 50;
}
void timer_set(enum timer_user user UNUSED, uint64_t deadline)
{
	timer_at[cpu_this()->id] = deadline;
}
static void send_sgi(const struct cpu *cpu, uint32_t intid UNUSED)
{
	__atomic_store_n(&sgi[cpu->id], 1, __ATOMIC_SEQ_CST);
}
static const struct intc_ops test_intc = {.send_sgi = send_sgi};
const struct intc_ops *intc = &test_intc;

// Ticket locks that let other threads run, of which a thread holds no two queues'.
static _Thread_local uint32_t held;
void spin_lock(struct spinlock *lock)
{
	must((held >> lock->rank) == 0);
	held |= 1u << lock->rank;
	uint32_t ticket = fetch_add(&lock->next, 1);
	while (load_acquire(&lock->serving) != ticket)
		sched_yield();
}
void spin_unlock(struct spinlock *lock)
{
	held &= ~(1u << lock->rank);
	store_release(&lock->serving, lock->serving + 1);
}

// ---- guests ----

static struct extra *extra_of(const struct vcpu *vcpu)
{
	return &extras[vcpu->vm - vms][vcpu->id];
}

static void post(struct vcpu *vcpu, uint32_t request)
{
	__atomic_fetch_or(&vcpu->request, request, __ATOMIC_SEQ_CST);
	sched_wake(vcpu, (request & VCPU_REQ_STOP) != 0);
}

static void send_token(void)
{
	uint32_t vm = any(NR_VMS), id = any(vms[vm].nr_vcpus);
	fetch_add(&extras[vm][id].inbox, 1);
	post(&vcpus[vm][id], VCPU_REQ_VIRQ);
}

static void end_vm(uint32_t vm)
{
	uint32_t old = RUNS;
	if (!compare_exchange(&life[vm], &old, (uint32_t)ENDS))
		return;
	fetch_add(&ends, 1);
	for (uint32_t i = 0; i < vms[vm].nr_vcpus; i++)
		post(&vcpus[vm][i], VCPU_REQ_STOP);
}

static void begin_vm(uint32_t vm)
{
	uint32_t old = OUT;
	char why[200];
	if (!compare_exchange(&life[vm], &old, (uint32_t)BEGINS))
		return;
	sched_dismiss(&vms[vm]);
	if (sched_admit(&vms[vm], why, sizeof why) != 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	store_release(&live[vm], vms[vm].nr_vcpus);
	store_release(&life[vm], (uint32_t)RUNS); // it may be told to end before all have entered
	for (uint32_t i = 0; i < vms[vm].nr_vcpus; i++)
		sched_enter(&vcpus[vm][i]);
}

// ---- the guest loop ----

static void unload(struct cpu *cpu)
{
	if (cpu->vcpu == NULL)
		return;
	must(exchange(&extra_of(cpu->vcpu)->on, 0) == cpu->id + 1);
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
	must(next == cpu->current);
	if (next == NULL || next == cpu->vcpu)
		return;
	unload(cpu);
	must(next->cpu == cpu);
	must(next->sched.home == SCHED_ANY_CPU || next->sched.home == cpu->id);
	must(exchange(&next->sched.loaded, 1) == 0);
	must(exchange(&extra_of(next)->on, cpu->id + 1) == 0);
	cpu->vcpu = next;
	fetch_add(&moves, 1);
}

static void serve(struct cpu *cpu, struct vcpu *vcpu)
{
	uint32_t vm = (uint32_t)(vcpu->vm - vms);
	struct extra *extra = extra_of(vcpu);
	uint32_t asked = exchange(&vcpu->request, 0);
	must(extra->on == cpu->id + 1);
	if ((asked & VCPU_REQ_VIRQ) != 0)
		extra->held += exchange(&extra->inbox, 0);
	if ((asked & VCPU_REQ_STOP) == 0)
		return;
	unload(cpu);
	sched_leave(vcpu);
	if (fetch_add(&live[vm], (uint32_t)-1) == 1)
		store_release(&life[vm], (uint32_t)OUT);
	choose(cpu);
}

static bool interrupted(uint32_t id)
{
	return load_acquire(&sgi[id]) != 0 || nanoseconds() >= timer_at[id];
}

static void block(struct cpu *cpu, struct vcpu *vcpu)
{
	uint64_t deadline = TIMER_NEVER;
	if (any(3) == 0)
		deadline = nanoseconds() + any(200000) - 1000;
	fetch_add(&blocks, 1);
	if (sched_block(vcpu, deadline))
		choose(cpu);
}

static void run_guest(struct cpu *cpu, struct vcpu *vcpu)
{
	struct extra *extra = extra_of(vcpu);
	uint64_t until = nanoseconds() + any(20000);
	must(load_acquire(&extra->on) == cpu->id + 1);
	while (nanoseconds() < until)
		if (interrupted(cpu->id))
			return;
	store_relaxed(&cpu->in_guest, 0); // it traps
	if (load_acquire(&draining) != 0) {
		fetch_add(&absorbed, extra->held);
		extra->held = 0;
	} else if (any(3000) == 0) {
		end_vm(any(NR_VMS));
	} else if (any(20) == 0) {
		fetch_add(&yields, sched_yield_to_sibling(vcpu));
		return;
	}
	for (; extra->held != 0; extra->held--)
		send_token();
	block(cpu, vcpu);
}

// What an idle CPU does instead of sleeping; true: it did something, and looks at its work again.
static bool chores(void)
{
	for (uint32_t vm = 0; vm < NR_VMS && load_acquire(&closing) == 0; vm++)
		if (load_acquire(&life[vm]) == OUT && (load_acquire(&draining) || any(4) == 0)) {
			begin_vm(vm);
			return true;
		}
	return false;
}

static bool all_out(void)
{
	for (uint32_t vm = 0; vm < NR_VMS; vm++)
		if (load_acquire(&life[vm]) != OUT)
			return false;
	return true;
}

static void *run_cpu(void *argument)
{
	uint32_t id = (uint32_t)(uintptr_t)argument;
	seed = id + 1;
	fake_run_on(id);
	struct cpu *cpu = cpu_this();
	bool awake = true; // else it waits in its guest or in WFI, and looks at nothing
	while (!load_acquire(&closing) || !all_out()) {
		if (!awake && !interrupted(id)) {
			sched_yield();
			continue;
		}
		awake = true;
		__atomic_store_n(&sgi[id], 0, __ATOMIC_SEQ_CST);
		if (nanoseconds() >= timer_at[id]) {
			timer_at[id] = TIMER_NEVER;
			sched_tick();
		}
		__atomic_store_n(&cpu->in_guest, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&cpu->work, __ATOMIC_SEQ_CST) != 0) {
			store_relaxed(&cpu->in_guest, 0);
			(void)exchange(&cpu->work, 0);
			choose(cpu);
			continue;
		}
		struct vcpu *vcpu = cpu->current;
		if (vcpu == NULL)
			awake = chores();
		else if (__atomic_load_n(&vcpu->request, __ATOMIC_SEQ_CST) != 0)
			serve(cpu, vcpu);
		else
			run_guest(cpu, vcpu);
	}
	return NULL;
}

// ---- the test ----

static void show(void)
{
	for (uint32_t vm = 0; vm < NR_VMS; vm++)
		for (uint32_t i = 0; i < vms[vm].nr_vcpus; i++) {
			const struct vcpu *vcpu = &vcpus[vm][i];
			fprintf(stderr,
			        "%u.%u: life %u state %u where %u cpu %u loaded %u request %#x "
			        "inbox %u "
			        "held %u\n",
			        vm, i, life[vm], vcpu->sched.state, vcpu->sched.where,
			        vcpu->cpu->id, vcpu->sched.loaded, vcpu->request,
			        extras[vm][i].inbox, extras[vm][i].held);
		}
	for (uint32_t i = 0; i < cpus; i++)
		fprintf(stderr, "CPU %u: work %u in_guest %u sgi %u current %p\n", i,
		        cpu_get(i)->work, cpu_get(i)->in_guest, sgi[i],
		        (const void *)cpu_get(i)->current);
}

#define WAIT_UNTIL(cond)                                                          \
	do {                                                                      \
		for (unsigned turns_ = 0; !(cond); turns_++) {                    \
			usleep(1000);                                             \
			if (turns_ == 30000) {                                    \
				show();                                           \
				fprintf(stderr, "never becomes so: " #cond "\n"); \
				abort();                                          \
			}                                                         \
		}                                                                 \
	} while (0)

static void build(void)
{
	fake_reset();
	fake_sysreg_hook = counter;
	fake_log_count = FAKE_LOG_MAX; // no notes: the log is one thread's
	for (uint32_t i = 0; i < cpus; i++) {
		fake_run_on(i);
		sched_init_cpu();
		timer_at[i] = TIMER_NEVER;
		cpu_post_local(CPU_WORK_SCHED);
	}
	fake_run_on(MAX_THREADS);
	for (uint32_t vm = 0; vm < NR_VMS; vm++) {
		vms[vm] = (struct vm){.id = vm + 1, .sched = {.weight = 100 + vm}};
		vms[vm].nr_vcpus = vm == EXCLUSIVE ? 1 : NR_EACH;
		for (uint32_t i = 0; i < vms[vm].nr_vcpus; i++) {
			struct vcpu *vcpu = vms[vm].vcpu[i] = &vcpus[vm][i];
			vcpu->vm = &vms[vm];
			vcpu->id = i;
			vcpu->sched.pin = SCHED_ANY_CPU;
			if (vm == 1 || vm == 2)
				vcpu->sched.pin = i % (cpus > 1 ? cpus - 1 : 1);
		}
	}
	vms[3].sched.priority = 2;
	vms[2].sched.budget = timer_from_us(400);
	vms[2].sched.period = timer_from_us(2000);
	vms[EXCLUSIVE].sched.exclusive = cpus > 1;
	vms[EXCLUSIVE].vcpu[0]->sched.pin = cpus - 1;
}

static void test_threads(void **state)
{
	(void)state;
	pthread_t threads[MAX_THREADS];
	build();
	seed = 99;
	for (uint32_t i = 0; i < NR_TOKENS; i++)
		send_token();
	for (uint32_t i = 0; i < cpus; i++)
		must(pthread_create(&threads[i], NULL, run_cpu, (void *)(uintptr_t)i) == 0);
	for (uint32_t vm = 0; vm < NR_VMS; vm++)
		begin_vm(vm);
	uint64_t end = nanoseconds() + (uint64_t)(seconds * 1e9);
	while (nanoseconds() < end) {
		usleep(2000);
		if (any(20) == 0)
			end_vm(any(NR_VMS));
		if (any(5) == 0)
			begin_vm(any(NR_VMS));
	}
	store_release(&draining, 1);
	for (unsigned n = 0; load_acquire(&absorbed) != NR_TOKENS && n < 5000; n++) {
		for (uint32_t vm = 0; vm < NR_VMS; vm++)
			begin_vm(vm); // those that are out may have one
		usleep(1000);
	}
	WAIT_UNTIL(load_acquire(&absorbed) == NR_TOKENS);
	store_release(&closing, 1);
	for (unsigned n = 0; !all_out() && n < 10000; n++) {
		for (uint32_t vm = 0; vm < NR_VMS; vm++)
			end_vm(vm); // one that has just begun, too
		usleep(1000);
	}
	WAIT_UNTIL(all_out());
	for (uint32_t i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
	print_message("%llu loads, %llu blocks, %llu yields, %llu VMs ended\n",
	              (unsigned long long)moves, (unsigned long long)blocks,
	              (unsigned long long)yields, (unsigned long long)ends);
	for (uint32_t i = 0; i < cpus; i++) {
		struct sched_cpu_info info = sched_cpu_info(i);
		assert_int_equal(info.ready, 0);
		assert_int_equal(sched_queues[i].nr_movable + sched_queues[i].leaving, 0);
		for (uint32_t p = 0; p < SCHED_PRIORITIES; p++)
			assert_int_equal(sched_queues[i].load[p], 0);
	}
	for (uint32_t vm = 0; vm < NR_VMS; vm++)
		sched_dismiss(&vms[vm]);
	assert_true(moves > 0 && ends > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	if (argc > 2)
		cpus = (uint32_t)strtoul(argv[2], NULL, 0);
	if (cpus < 1 || cpus > MAX_THREADS)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
