// SPDX-License-Identifier: Apache-2.0
// The shell's commands about VMs. Called by shell.c alone, a step at a time. Own nothing: what they keep
// from step to step is in the job. What they read of a running vCPU is a snapshot that its CPU does not
// stop for.
#include "arm/regs.h"
#include "base/atomic.h"
#include "base/print.h"
#include "console/console.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "mem/pages.h"
#include "vdev/vvirtio_balloon.h"
#include "vdev/vvirtio_vsock.h"
#include "vm/sched.h"
#include "vm/vm.h"

#define NR_CLASSES     64
#define CLASSES_A_STEP 8
#define TEXT_SIZE      128

// ---- vm ----

static uint64_t count_exits(const struct vm *vm)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		total += vcpu_exits(vm->vcpu[i]);
	return total;
}

static uint64_t count_ran(const struct vm *vm)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		total += sched_ran(vm->vcpu[i]);
	return total;
}

struct rates {
	uint64_t exits; // a second
	uint64_t cpu;   // percent of one CPU
};

// Since the VM was last asked about, or since its start.
static struct rates measure(struct vm *vm, uint64_t now)
{
	uint64_t exits = count_exits(vm), ran = count_ran(vm), since = vm->start_time;
	uint64_t exits_before = 0, ran_before = 0;
	struct rates rates = {0};

	if (vm->shown.time > vm->start_time && vm->shown.exits <= exits) {
		since = vm->shown.time;
		exits_before = vm->shown.exits;
	}
	if (vm->shown.ran <= ran && since == vm->shown.time)
		ran_before = vm->shown.ran;
	vm->shown.time = now;
	vm->shown.exits = exits;
	vm->shown.ran = ran;
	uint64_t us = now > since ? timer_to_us(now - since) : 0;
	if (us != 0) {
		rates.exits = timer_to_us(timer_hz()) * (exits - exits_before) / us;
		rates.cpu = timer_to_us(ran - ran_before) * 100 / us;
	}
	return rates;
}

static bool is_running(const struct vm *vm)
{
	return load_acquire(&vm->state) == VM_RUNNING;
}

static uint64_t uptime_ms(const struct vm *vm)
{
	return is_running(vm) ? timer_to_ms(timer_now() - vm->start_time) : ANSWER_NONE;
}

static const struct answer_column vm_columns[] = {
        {"number", " ID", ANSWER_NUMBER, 3},       {"name", "NAME", ANSWER_TEXT, -12},
        {"state", "STATE", ANSWER_TEXT, -8},       {"vcpus", "VCPUS", ANSWER_NUMBER, 5},
        {"memory", "MEMORY", ANSWER_SIZE, 7},      {"used", "(USED)", ANSWER_USED, -8},
        {"cpu_percent", "CPU%", ANSWER_NUMBER, 4}, {"exits_a_second", "EXITS/s", ANSWER_NUMBER, 9},
        {"uptime_ms", "UPTIME", ANSWER_CLOCK, 9},  {"restarts", "RESTARTS", ANSWER_NUMBER, 9},
};

static bool command_vm(struct shell_job *job)
{
	uint32_t *last = (uint32_t *)job->scratch; // the VM of the step before

	if (job->step == 0) {
		answer_table(&job->out, "vms", vm_columns, ARRAY_SIZE(vm_columns));
		return vm_after(0) != NULL;
	}
	struct vm *vm = vm_after(*last);
	if (vm == NULL)
		return false;
	*last = vm->id;
	struct rates rates = {0};
	if (is_running(vm))
		rates = measure(vm, timer_now());
	const struct answer_value row[ARRAY_SIZE(vm_columns)] = {
	        {.number = vm->id},          {.text = vm->name},
	        {.text = vm_state_name(vm)}, {.number = vm->nr_vcpus},
	        {.number = vm->ram_size},    {.number = load_relaxed(&vm->stage2.mapped)},
	        {.number = rates.cpu},       {.number = rates.exits},
	        {.number = uptime_ms(vm)},   {.number = vm->restarts},
	};
	answer_row(&job->out, row);
	return vm_after(*last) != NULL;
}

// ---- info ----

static void info_vm(struct answer *out, const struct vm *vm)
{
	uint32_t state = load_acquire(&vm->state);
	bool crashed = state == VM_CRASHED || state == VM_WAITING;

	answer_say(out, NULL, "%s (number %u) is %s", vm->name, vm->id, vm_state_name(vm));
	answer_text(out, "name", NULL, vm->name);
	answer_number(out, "number", NULL, ANSWER_NUMBER, vm->id);
	answer_text(out, "state", NULL, vm_state_name(vm));
	if (crashed || out->json)
		answer_text(out, "crash", "it crashed", crashed ? vm->crash_text : NULL);
	answer_number(out, "uptime_ms", "uptime", ANSWER_CLOCK, uptime_ms(vm));
	answer_number(out, "restarts", "restarts", ANSWER_NUMBER, vm->restarts);
	answer_number(out, "memory", "memory", ANSWER_SIZE, vm->ram_size);
	answer_number(out, "address", "  begins at", ANSWER_HEX, vm->ram_base);
	answer_number(out, "used", "  touched", ANSWER_SIZE, load_relaxed(&vm->stage2.mapped));
	answer_number(out, "promised", "  promised", ANSWER_SIZE, vm_promised(vm) * PAGE_SIZE);
}

static void info_more(struct answer *out, const struct vm *vm)
{
	const struct sched_params *sched = &vm->sched;
	bool budget = sched->budget != 0;

	bool has_gic = vm->gic_version != 0;
	uint64_t unanswered = load_relaxed(&vm->mmio.unanswered);

	answer_number(out, "gic", has_gic ? "GIC version" : NULL, ANSWER_NUMBER, vm->gic_version);
	answer_number(out, "unanswered", unanswered != 0 ? "no device answered" : NULL,
	              ANSWER_NUMBER, unanswered);
	answer_number(out, "unanswered_last", unanswered != 0 ? "  last at" : NULL, ANSWER_HEX,
	              unanswered != 0 ? load_relaxed(&vm->mmio.unanswered_last) : ANSWER_NONE);
	bool socket = vm->socket.cid != 0;
	answer_number(out, "vsock", socket ? "socket context" : NULL, ANSWER_NUMBER,
	              socket ? vm->socket.cid : ANSWER_NONE);
	answer_number(out, "vsock_connections", socket ? "  connections" : NULL, ANSWER_NUMBER,
	              vvirtio_vsock_connections(vm));
	answer_number(out, "manages", vm->socket.manages ? "manages Mezzo" : NULL, ANSWER_YES,
	              vm->socket.manages ? 1 : 0);
	answer_number(out, "weight", "weight", ANSWER_NUMBER, sched->weight);
	answer_number(out, "priority", "priority", ANSWER_NUMBER, sched->priority);
	answer_number(out, "exclusive", "own cores", ANSWER_YES, sched->exclusive ? 1 : 0);
	answer_number(out, "budget_us", budget ? "budget" : NULL, ANSWER_TIME,
	              budget ? timer_to_us(sched->budget) : ANSWER_NONE);
	answer_number(out, "period_us", budget ? "  in every" : NULL, ANSWER_TIME,
	              budget ? timer_to_us(sched->period) : ANSWER_NONE);
	answer_number(out, "console_kept", "console keeps", ANSWER_NUMBER, vcons_kept(&vm->con));
	answer_number(out, "console_lost", "  bytes lost", ANSWER_NUMBER,
	              load_relaxed(&vm->con.lost));
}

static const char *const class_names[NR_CLASSES] = {
        [EC_UNKNOWN] = "unknown instruction",
        [EC_WFX] = "wait for interrupt or event",
        [EC_CP15_32] = "32-bit system register",
        [EC_CP15_64] = "32-bit system register, double",
        [EC_CP14_32] = "32-bit debug register",
        [EC_FPSIMD] = "first use of floating point",
        [EC_PAUTH] = "pointer authentication",
        [EC_ILLEGAL_STATE] = "illegal state",
        [EC_HVC64] = "hypercall",
        [EC_SMC32] = "32-bit call to the firmware",
        [EC_SMC64] = "call to the firmware",
        [EC_SYSREG] = "system register",
        [EC_SVE] = "SVE",
        [EC_SME] = "SME",
        [EC_IABT_LOWER] = "instruction fetch (stage 2)",
        [EC_DABT_LOWER] = "memory or device access (stage 2)",
        [EC_SERROR] = "system error",
        [VCPU_CLASS_IRQ] = "interrupt",
};

static const char *class_name(unsigned class)
{
	return class_names[class] != NULL ? class_names[class] : "other";
}

// Where it is this moment; a guest that died in its own vectors runs on, costs others nothing, and is
// told by that. False: nobody knows.
static bool print_now(char *text, struct vcpu *vcpu)
{
	struct vcpu_sample now;

	if (!vcpu_sample(vcpu, &now))
		return false;
	uint64_t quiet = timer_to_ms(now.time - now.last_trap) / 1000;
	uint64_t age = timer_to_ms(timer_now() - now.time) / 1000;
	if (vcpu_sample_at_vectors(&now) && quiet != 0)
		print_buffer(text, TEXT_SIZE,
		             "looping at its vector for %lu s: %s at %#lx (ESR %#lx)",
		             (unsigned long)quiet, class_name((unsigned)field_get(ESR_EC, now.esr)),
		             (unsigned long)now.elr, (unsigned long)now.esr);
	else
		print_buffer(
		        text, TEXT_SIZE,
		        "at %#lx %lu s ago; %lu s before that it last left the guest by itself",
		        (unsigned long)now.pc, (unsigned long)age, (unsigned long)quiet);
	return true;
}

// The last exit that was kept. False: there was none.
static bool print_last(char *text, struct vcpu *vcpu)
{
	uint32_t last = (load_relaxed(&vcpu->history_next) - 1) % ARRAY_SIZE(vcpu->history);
	uint64_t esr = load_relaxed(&vcpu->history[last].esr);

	if (load_relaxed(&vcpu->history_next) == 0)
		return false;
	print_buffer(text, TEXT_SIZE, "last kept: %s at %#lx (ESR %#lx, FAR %#lx)",
	             class_name((unsigned)field_get(ESR_EC, esr)),
	             (unsigned long)load_relaxed(&vcpu->history[last].pc), (unsigned long)esr,
	             (unsigned long)load_relaxed(&vcpu->history[last].far));
	return true;
}

static void print_sched(char *text, const struct vm *vm, const struct vcpu *vcpu)
{
	const struct sched_vcpu *s = &vcpu->sched;
	uint64_t now = timer_now(), wake = load_relaxed(&s->wake_at);

	switch (load_relaxed(&s->state)) {
	case SCHED_RUNNING: print_buffer(text, TEXT_SIZE, "runs"); break;
	case SCHED_READY:
		print_buffer(text, TEXT_SIZE, "%s",
		             vm->sched.budget != 0 && load_relaxed(&s->budget_left) == 0
		                     ? "throttled"
		                     : "ready");
		break;
	case SCHED_NAPPING:
	case SCHED_BLOCKED:
		if (wake == TIMER_NEVER || wake < now)
			print_buffer(text, TEXT_SIZE, "waits");
		else
			print_buffer(text, TEXT_SIZE, "waits %lums",
			             (unsigned long)timer_to_ms(wake - now));
		break;
	default: print_buffer(text, TEXT_SIZE, "out");
	}
}

static const struct answer_column vcpu_columns[] = {
        {"vcpu", "VCPU", ANSWER_NUMBER, 6},        {"power", "POWER", ANSWER_TEXT, -8},
        {"sched", "SCHED", ANSWER_TEXT, -12},      {"cpu", "CPU", ANSWER_NUMBER, 3},
        {"pin", "PIN", ANSWER_NUMBER, 3},          {"ran_us", "RAN", ANSWER_TIME, 11},
        {"waited_us", "WAITED", ANSWER_TIME, 11},  {"exits", "EXITS", ANSWER_NUMBER, 10},
        {"migrations", "MOVED", ANSWER_NUMBER, 8}, {"periods", "PERIODS", ANSWER_NUMBER, 8},
        {"missed", "MISSED", ANSWER_NUMBER, 6},    {"now", "", ANSWER_TEXT, ANSWER_BELOW},
        {"last", "", ANSWER_TEXT, ANSWER_BELOW},
};

static void info_vcpu(struct answer *out, const struct vm *vm, struct vcpu *vcpu)
{
	static const char *const power[] = {
	        [VCPU_OFF] = "off", [VCPU_ON_PENDING] = "starting", [VCPU_ON] = "on"};
	uint32_t state = load_relaxed(&vcpu->power);
	const struct sched_vcpu *sched = &vcpu->sched;
	const struct cpu *cpu = load_relaxed(&vcpu->cpu);
	bool budget = vm->sched.budget != 0;
	char where[TEXT_SIZE], last[TEXT_SIZE], what[TEXT_SIZE];

	print_sched(what, vm, vcpu);
	const struct answer_value row[ARRAY_SIZE(vcpu_columns)] = {
	        {.number = vcpu->id},
	        {.text = state < ARRAY_SIZE(power) ? power[state] : "?"},
	        {.text = what},
	        {.number = cpu != NULL ? cpu->id : ANSWER_NONE},
	        {.number = sched->pin != SCHED_ANY_CPU ? sched->pin : ANSWER_NONE},
	        {.number = timer_to_us(sched_ran(vcpu))},
	        {.number = timer_to_us(sched_waited(vcpu))},
	        {.number = vcpu_exits(vcpu)},
	        {.number = load_relaxed(&sched->migrations)},
	        {.number = budget ? load_relaxed(&sched->periods) : ANSWER_NONE},
	        {.number = budget ? load_relaxed(&sched->missed) : ANSWER_NONE},
	        {.text = print_now(where, vcpu) ? where : NULL},
	        {.text = print_last(last, vcpu) ? last : NULL},
	};
	answer_row(out, row);
}

static bool command_info(struct shell_job *job)
{
	const struct vm *vm = job->vm;

	if (job->step == 0) {
		info_vm(&job->out, vm);
	} else if (job->step == 1) {
		info_more(&job->out, vm);
		answer_table(&job->out, "vcpus", vcpu_columns, ARRAY_SIZE(vcpu_columns));
	} else {
		info_vcpu(&job->out, vm, vm->vcpu[job->step - 2]);
	}
	return job->step <= vm->nr_vcpus;
}

// ---- exits ----

static const struct answer_column exit_columns[] = {
        {"reason", "REASON", ANSWER_TEXT, -36},
        {"exits", "EXITS", ANSWER_NUMBER, 12},
};

static bool command_exits(struct shell_job *job)
{
	const struct vm *vm = job->vm;
	struct answer *out = &job->out;

	if (job->step == 0)
		answer_table(out, "exits", exit_columns, ARRAY_SIZE(exit_columns));
	for (unsigned i = 0; i < CLASSES_A_STEP; i++) {
		unsigned class = job->step * CLASSES_A_STEP + i;
		uint64_t total = 0;
		for (uint32_t v = 0; v < vm->nr_vcpus; v++)
			total += vcpu_exits_of(vm->vcpu[v], class);
		if (total != 0)
			answer_row(out, (struct answer_value[]){{.text = class_name(class)},
			                                        {.number = total}});
	}
	if ((job->step + 1) * CLASSES_A_STEP < NR_CLASSES)
		return true;
	if (!out->json)
		answer_row(out,
		           (struct answer_value[]){{.text = "all"}, {.number = count_exits(vm)}});
	answer_number(out, "all", NULL, ANSWER_NUMBER, count_exits(vm));
	return false;
}

// ---- balloon ----

// A size as people write it: "512M". False: it is none.
static bool read_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGT";
	uint64_t number = 0;
	unsigned shift = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (number > (UINT64_MAX >> 44) / 10)
			return false;
		number = number * 10 + (uint64_t)(*text - '0');
	}
	for (unsigned i = 0; *text != '\0' && i < sizeof units - 1; i++)
		if (*text == units[i] || *text == units[i] + ('a' - 'A'))
			shift = 10 * (i + 1);
	*size = number << shift;
	return text[shift != 0 ? 1 : 0] == '\0' && *size >> shift == number;
}

static bool command_balloon(struct shell_job *job)
{
	struct vm *vm = job->vm;
	struct answer *out = &job->out;
	uint64_t memory;

	if (vm->balloon == NULL) {
		answer_error(out, "%s has no balloon: its file would have to say `balloon = true`",
		             vm->name);
		return false;
	}
	if (job->argc > 2 && !read_size(job->argv[2], &memory)) {
		answer_error(out, "%s: no size; write for example `balloon %s 256M`", job->argv[2],
		             vm->name);
		return false;
	}
	if (job->argc > 2 && vvirtio_balloon_ask(vm, memory) != 0) {
		answer_error(out, "%s: that is more than %s has", job->argv[2], vm->name);
		return false;
	}
	answer_number(out, "memory", "memory", ANSWER_SIZE, vm->ram_size);
	answer_number(out, "asked", "asked to do with", ANSWER_SIZE, vvirtio_balloon_asked(vm));
	answer_number(out, "left", "does with", ANSWER_SIZE, vvirtio_balloon_left(vm));
	answer_number(out, "promised", "promised", ANSWER_SIZE, vm_promised(vm) * PAGE_SIZE);
	return false;
}

// ---- what the person at the console sees ----

static bool is_person(struct shell_job *job)
{
	if (job->program)
		answer_error(&job->out,
		             "%s is for the person at the console; a program opens the "
		             "channel of a VM",
		             job->argv[0]);
	return !job->program;
}

static bool command_con(struct shell_job *job)
{
	if (is_person(job))
		console_view_vm(job->vm);
	return false;
}

static bool command_all(struct shell_job *job)
{
	if (is_person(job))
		console_view_all();
	return false;
}

const struct shell_command shell_vm_commands[] = {
        {"vm", "", "list the virtual machines", command_vm, .most = 0},
        {"info", "NAME", "what a VM is doing", command_info, 1, 1, .takes_vm = true},
        {"exits", "NAME", "why a VM left its guest, counted", command_exits, 1, 1,
         .takes_vm = true},
        {"balloon", "NAME [SIZE]", "ask a VM's guest to do with less memory, or how far it is",
         command_balloon, 1, 2, .takes_vm = true},
        {"con", "NAME", "attach to a VM's console (Ctrl-] 0 comes back)", command_con, 1, 1,
         .takes_vm = true},
        {"all", "", "show the output of all VMs, each line with its name", command_all, .most = 0},
        {0},
};
