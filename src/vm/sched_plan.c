// SPDX-License-Identifier: Apache-2.0
// What CPUs have been promised to whom: budgets, pins, exclusive CPUs. Owns the plan and
// sched_owned, under plan_lock; called while a VM is built and when it is taken away. Invariant: no
// CPU has promised more than PROMISED_MAX; an exclusive CPU has promised nothing to others; while a
// vCPU without a home exists, so does a CPU for it.
#include "base/print.h"
#include "hw/timer.h"
#include "vm/sched_queue.h"

#define FULL          10000 // a whole CPU
#define PROMISED_MAX  9000  // the rest is for everybody, and for Mezzo
#define PERIOD_MIN_US 100   // shorter ones would keep the CPU busy with its own timer

static struct spinlock plan_lock = SPINLOCK_INIT(LOCK_SCHED_PLAN);

static struct {
	// Under plan_lock; read by anyone atomically.
	uint32_t reserved; // in 1/10,000
	struct vm *owner;  // whose it is alone, or NULL

	uint32_t settled; // vCPUs whose home it is; under plan_lock
} plan[CPU_MAX];
static uint64_t homeless; // vCPUs that may run anywhere; under plan_lock

// What one sched_admit is about, and where its sentence goes.
struct request {
	struct vm *vm;
	char *why;
	size_t size;
	uint32_t share; // of a CPU, in 1/10,000, for each vCPU
};

#define REFUSE(request, error, ...) \
	(print_buffer((request)->why, (request)->size, __VA_ARGS__), (error))
#define PERCENT   "%u.%02u %%"
#define IN(share) (unsigned)(share) / 100, (unsigned)(share) % 100

void sched_plan_init_cpu(uint32_t cpu)
{
	store_relaxed(&plan[cpu].reserved, 0);
	store_relaxed(&plan[cpu].owner, NULL);
	plan[cpu].settled = 0;
}

uint32_t sched_plan_reserved(uint32_t cpu)
{
	return load_relaxed(&plan[cpu].reserved);
}

const struct vm *sched_plan_owner(uint32_t cpu)
{
	return load_relaxed(&plan[cpu].owner);
}

// A VM with a vCPU whose home is this CPU, for a sentence.
static const char *name_of_settler(uint32_t cpu, const struct vm *but)
{
	FOR_EACH_VM (vm) {
		for (uint32_t i = 0; vm != but && i < vm->nr_vcpus; i++)
			if (vm->vcpu[i]->sched.admitted && vm->vcpu[i]->sched.home == cpu)
				return vm->name;
	}
	return "another virtual machine";
}

// ---- checks that need no lock ----

static int check_params(struct request *request)
{
	const struct sched_params *params = &request->vm->sched;
	uint64_t share = 0;
	if (params->weight == 0 || params->weight > SCHED_WEIGHT_MAX)
		return REFUSE(request, ERR_RANGE, "weight: %u is not one of 1 to %u",
		              params->weight, SCHED_WEIGHT_MAX);
	if (params->priority >= SCHED_PRIORITIES)
		return REFUSE(request, ERR_RANGE, "priority: %u is not one of 0 to %u",
		              params->priority, SCHED_PRIORITIES - 1);
	if (params->budget == 0)
		return 0;
	if (params->period < timer_from_us(PERIOD_MIN_US))
		return REFUSE(request, ERR_RANGE,
		              "budget: its period is below %u us: make both numbers greater",
		              PERIOD_MIN_US);
	if (params->budget > params->period)
		return REFUSE(request, ERR_RANGE,
		              "budget: it is longer than its period: write BUDGET/PERIOD");
	if (__builtin_mul_overflow(params->budget, (uint64_t)FULL, &share) ||
	    __builtin_add_overflow(share, params->period - 1, &share))
		return REFUSE(request, ERR_RANGE,
		              "budget: it is too long: make both numbers smaller");
	request->share = (uint32_t)(share / params->period);
	return 0;
}

static int refuse_pin(struct request *request, uint32_t pin, uint32_t count)
{
	if (count == 1)
		return REFUSE(request, ERR_NOT_FOUND,
		              "pin: there is no CPU %u on this board: it has CPU 0 alone", pin);
	return REFUSE(request, ERR_NOT_FOUND,
	              "pin: there is no CPU %u on this board: its %u CPUs are 0 to %u", pin, count,
	              count - 1);
}

static int check_pins(struct request *request)
{
	struct vm *vm = request->vm;
	uint32_t count = cpu_count();
	for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
		uint32_t pin = vm->vcpu[i]->sched.pin;
		if (pin == SCHED_ANY_CPU) {
			if (vm->sched.exclusive)
				return REFUSE(request, ERR_NOT_FOUND,
				              "exclusive: it does not say which CPUs it wants: add "
				              "`pin =` with "
				              "%u of them",
				              vm->nr_vcpus);
			continue;
		}
		if (pin >= count)
			return refuse_pin(request, pin, count);
		for (uint32_t j = 0; vm->sched.exclusive && j < i; j++)
			if (vm->vcpu[j]->sched.pin == pin)
				return REFUSE(request, ERR_BUSY,
				              "exclusive: CPU %u is named twice: give each vCPU "
				              "one of its own",
				              pin);
	}
	return 0;
}

// ---- under plan_lock ----

static int check_exclusive(struct request *request, uint32_t cpu)
{
	uint32_t left = 0;
	if (plan[cpu].settled != 0)
		return REFUSE(request, ERR_BUSY,
		              "exclusive: CPU %u was promised to %s as well: pin one of the two to "
		              "another one",
		              cpu, name_of_settler(cpu, request->vm));
	for (uint32_t i = 0; i < cpu_count(); i++)
		if (i != cpu && !sched_set_has(&sched_owned, i))
			left++;
	if (left == 0 && homeless != 0)
		return REFUSE(
		        request, ERR_BUSY,
		        "exclusive: CPU %u is the last one for virtual machines without `pin =`: "
		        "pin it to fewer CPUs, or pin the others",
		        cpu);
	return 0;
}

static int settle_pinned(struct request *request, struct vcpu *vcpu)
{
	uint32_t cpu = vcpu->sched.pin;
	const struct vm *owner = plan[cpu].owner;
	if (owner != NULL && owner != request->vm)
		return REFUSE(request, ERR_BUSY, "pin: CPU %u belongs to %s: pin it to another one",
		              cpu, owner->name);
	if (request->vm->sched.exclusive) {
		int error = check_exclusive(request, cpu);
		if (error != 0)
			return error;
	}
	uint32_t left = PROMISED_MAX - plan[cpu].reserved;
	if (request->share > left)
		return REFUSE(request, ERR_RANGE,
		              "budget: CPU %u can promise no more than " PERCENT
		              " of its time, and each vCPU asks for " PERCENT
		              ": lower `budget =`, or pin it to another one",
		              cpu, IN(left), IN(request->share));
	vcpu->sched.home = cpu;
	return 0;
}

// A budget without a pin goes where most is left, and stays there.
static int settle_budget(struct request *request, struct vcpu *vcpu)
{
	uint32_t best = CPU_MAX, left = 0;
	for (uint32_t i = 0; i < cpu_count(); i++) {
		if (plan[i].owner != NULL)
			continue;
		if (best == CPU_MAX || PROMISED_MAX - plan[i].reserved > left) {
			best = i;
			left = PROMISED_MAX - plan[i].reserved;
		}
	}
	if (best != CPU_MAX && request->share > left)
		return REFUSE(request, ERR_RANGE,
		              "budget: no CPU can promise more than " PERCENT
		              " of its time (CPU %u can), and each vCPU asks for " PERCENT
		              ": lower `budget =` or `cpus =`",
		              IN(left), best, IN(request->share));
	vcpu->sched.home = best;
	return best != CPU_MAX ? 0 : ERR_BUSY;
}

static int settle_anywhere(struct vcpu *vcpu)
{
	uint32_t count = cpu_count();
	vcpu->sched.home = SCHED_ANY_CPU;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t cpu = (uint32_t)((homeless + i) % count);
		if (plan[cpu].owner == NULL) {
			store_release(&vcpu->cpu, cpu_get(cpu));
			return 0;
		}
	}
	return ERR_BUSY;
}

static int settle(struct request *request, struct vcpu *vcpu)
{
	int error = 0;
	if (vcpu->sched.pin != SCHED_ANY_CPU)
		error = settle_pinned(request, vcpu);
	else if (request->share != 0)
		error = settle_budget(request, vcpu);
	else
		error = settle_anywhere(vcpu);
	if (error == ERR_BUSY && vcpu->sched.pin == SCHED_ANY_CPU)
		return REFUSE(
		        request, ERR_BUSY,
		        "pin: every CPU belongs to a virtual machine with `exclusive = true`: "
		        "take it from one of them");
	if (error != 0)
		return error;
	vcpu->sched.admitted = true;
	if (vcpu->sched.home == SCHED_ANY_CPU) {
		homeless++;
		return 0;
	}
	uint32_t cpu = vcpu->sched.home;
	store_release(&vcpu->cpu, cpu_get(cpu));
	plan[cpu].settled++;
	store_relaxed(&plan[cpu].reserved, plan[cpu].reserved + request->share);
	if (request->vm->sched.exclusive) {
		store_relaxed(&plan[cpu].owner, request->vm);
		sched_set_add(&sched_owned, cpu);
	}
	return 0;
}

static void unsettle(const struct request *request, struct vcpu *vcpu)
{
	uint32_t cpu = vcpu->sched.home;
	if (!vcpu->sched.admitted)
		return;
	vcpu->sched.admitted = false;
	if (cpu == SCHED_ANY_CPU) {
		homeless--;
		return;
	}
	plan[cpu].settled--;
	store_relaxed(&plan[cpu].reserved, plan[cpu].reserved - request->share);
	if (plan[cpu].owner == request->vm) {
		sched_set_take(&sched_owned, cpu);
		store_relaxed(&plan[cpu].owner, NULL);
	}
}

// ---- for everybody ----

int sched_admit(struct vm *vm, char *why, size_t size)
{
	struct request request = {.vm = vm, .why = why, .size = size};
	int error = check_params(&request);
	if (error == 0)
		error = check_pins(&request);
	if (error != 0)
		return error;
	spin_lock(&plan_lock);
	for (uint32_t i = 0; i < vm->nr_vcpus && error == 0; i++)
		error = settle(&request, vm->vcpu[i]);
	for (uint32_t i = 0; i < vm->nr_vcpus && error != 0; i++)
		unsettle(&request, vm->vcpu[i]);
	spin_unlock(&plan_lock);
	for (uint32_t i = 0; i < vm->nr_vcpus && error == 0 && vm->sched.exclusive; i++)
		sched_balance_tell(sched_cpu(vm->vcpu[i])); // whoever is there leaves
	return error;
}

void sched_dismiss(struct vm *vm)
{
	char why[8]; // what was accepted once is so again
	struct request request = {.vm = vm, .why = why, .size = sizeof why};
	(void)check_params(&request);
	spin_lock(&plan_lock);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		unsettle(&request, vm->vcpu[i]);
	spin_unlock(&plan_lock);
}
