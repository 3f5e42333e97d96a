// SPDX-License-Identifier: Apache-2.0
// The shell's commands about VMs. Called by shell.c alone, a step at
// a time. What they read of a running vCPU is a snapshot that its CPU does not stop for.
#include "arm/regs.h"
#include "base/atomic.h"
#include "base/print.h"
#include "console/console.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "vm/vm.h"

#define NR_CLASSES     64
#define SECONDS_A_HOUR 3600

static uint64_t count_exits(const struct vm *vm)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		total += load_relaxed(&vm->vcpu[i]->exits);
	return total;
}

// Exits a second since the last call for this VM, or since its start.
static uint64_t exit_rate(struct vm *vm, uint64_t now)
{
	uint64_t exits = count_exits(vm), since = vm->start_time, before = 0;

	if (vm->shown.time > vm->start_time && vm->shown.exits <= exits) {
		since = vm->shown.time;
		before = vm->shown.exits;
	}
	vm->shown.time = now;
	vm->shown.exits = exits;
	uint64_t ms = timer_to_ms(now - since);
	return ms != 0 ? (exits - before) * 1000 / ms : 0;
}

static void print_time(char *text, size_t size, uint64_t ticks)
{
	uint64_t s = ticks / timer_hz();
	unsigned long hours = (unsigned long)(s / SECONDS_A_HOUR);

	print_buffer(text, size, "%02lu:%02lu:%02lu", hours,
	             (unsigned long)(s % SECONDS_A_HOUR / 60), (unsigned long)(s % 60));
}

static bool is_running(const struct vm *vm)
{
	return load_acquire(&vm->state) == VM_RUNNING;
}

static bool command_vm(struct shell_job *job)
{
	char memory[32], up[16] = "-";
	static uint32_t last; // the VM of the step before
	uint64_t now = timer_now();

	if (job->step == 0) {
		shell_print("%3s %-12s %-8s %5s  %-14s %9s %9s %9s\n", "ID", "NAME", "STATE",
		            "VCPUS", "MEMORY (USED)", "EXITS/s", "UPTIME", "RESTARTS");
		last = 0;
		return vm_after(0) != NULL;
	}
	struct vm *vm = vm_after(last);
	if (vm == NULL)
		return false;
	last = vm->id;
	bool running = is_running(vm);
	print_buffer(memory, sizeof memory, "%luM (%luM)", (unsigned long)(vm->ram_size >> 20),
	             (unsigned long)(load_relaxed(&vm->stage2.mapped) >> 20));
	if (running)
		print_time(up, sizeof up, now - vm->start_time);
	shell_print("%3u %-12s %-8s %5u  %-14s %9lu %9s %9u\n", vm->id, vm->name, vm_state_name(vm),
	            vm->nr_vcpus, memory, running ? (unsigned long)exit_rate(vm, now) : 0ul, up,
	            vm->restarts);
	return vm_after(last) != NULL;
}

static void info_head(const struct vm *vm)
{
	char up[16];

	print_time(up, sizeof up, timer_now() - vm->start_time);
	shell_print("%s (number %u) is %s", vm->name, vm->id, vm_state_name(vm));
	if (is_running(vm))
		shell_print(" since %s", up);
	shell_print(", %u restarts\n", vm->restarts);
	uint32_t state = load_acquire(&vm->state);
	if (state == VM_CRASHED || state == VM_WAITING)
		shell_print("  it crashed: %s\n", vm->crash_text);
	shell_print("  memory     %lu MiB at %#lx, %lu MiB of it touched\n",
	            (unsigned long)(vm->ram_size >> 20), (unsigned long)vm->ram_base,
	            (unsigned long)(load_relaxed(&vm->stage2.mapped) >> 20));
	shell_print("  interrupts GICv%u\n", vm->gic_version);
	shell_print("  console    %u bytes wait to be shown, %lu are lost\n",
	            vcons_fill(&vm->con.out), (unsigned long)load_relaxed(&vm->con.lost));
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
// told by that.
static void info_now(struct vcpu *vcpu)
{
	struct vcpu_sample now;
	if (!vcpu_sample(vcpu, &now))
		return;
	uint64_t quiet = timer_to_ms(now.time - now.last_trap) / 1000;
	uint64_t age = timer_to_ms(timer_now() - now.time) / 1000;
	if (vcpu_sample_at_vectors(&now) && quiet != 0)
		shell_print("             looping at its vector for %lu s: %s at %#lx (ESR %#lx)\n",
		            (unsigned long)quiet, class_name((unsigned)field_get(ESR_EC, now.esr)),
		            (unsigned long)now.elr, (unsigned long)now.esr);
	else
		shell_print(
		        "             at %#lx %lu s ago; %lu s before that it last left the guest "
		        "by itself\n",
		        (unsigned long)now.pc, (unsigned long)age, (unsigned long)quiet);
}

static void info_vcpu(struct vcpu *vcpu)
{
	static const char *const power[] = {
	        [VCPU_OFF] = "off", [VCPU_ON_PENDING] = "starting", [VCPU_ON] = "on"};
	uint32_t state = load_relaxed(&vcpu->power);
	uint32_t last = (load_relaxed(&vcpu->history_next) - 1) % ARRAY_SIZE(vcpu->history);

	shell_print("  vCPU %-5u %s", vcpu->id, state < ARRAY_SIZE(power) ? power[state] : "?");
	if (vcpu->cpu != NULL)
		shell_print(", on CPU %u", vcpu->cpu->id);
	shell_print(", %lu exits\n", (unsigned long)load_relaxed(&vcpu->exits));
	uint64_t esr = load_relaxed(&vcpu->history[last].esr);
	if (load_relaxed(&vcpu->exits) != 0)
		shell_print("             last kept: %s at %#lx (ESR %#lx, FAR %#lx)\n",
		            class_name((unsigned)field_get(ESR_EC, esr)),
		            (unsigned long)load_relaxed(&vcpu->history[last].pc),
		            (unsigned long)esr,
		            (unsigned long)load_relaxed(&vcpu->history[last].far));
	info_now(vcpu);
}

static bool command_info(struct shell_job *job)
{
	if (job->step == 0)
		info_head(job->vm);
	else
		info_vcpu(job->vm->vcpu[job->step - 1]);
	return job->step < job->vm->nr_vcpus;
}

static bool command_exits(struct shell_job *job)
{
	const struct vm *vm = job->vm;
	unsigned class = job->step - 1;
	uint64_t total = 0;

	if (job->step == 0) {
		shell_print("%-36s %12s\n", "REASON", "EXITS");
		return true;
	}
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		total += load_relaxed(&vm->vcpu[i]->exits_by_class[class]);
	if (total != 0)
		shell_print("%-36s %12lu\n", class_name(class), (unsigned long)total);
	if (class + 1 < NR_CLASSES)
		return true;
	shell_print("%-36s %12lu\n", "all", (unsigned long)count_exits(vm));
	return false;
}

static bool command_con(struct shell_job *job)
{
	console_view_vm(job->vm);
	return false;
}

static bool command_all(struct shell_job *job UNUSED)
{
	console_view_all();
	return false;
}

const struct shell_command shell_vm_commands[] = {
        {"vm", "", "list the virtual machines", command_vm, false},
        {"info", "NAME", "what a VM is doing", command_info, true},
        {"exits", "NAME", "why a VM left its guest, counted", command_exits, true},
        {"con", "NAME", "attach to a VM's console (Ctrl-] 0 comes back)", command_con, true},
        {"all", "", "show the output of all VMs, each line with its name", command_all, false},
        {0},
};
