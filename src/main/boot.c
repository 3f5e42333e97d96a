// SPDX-License-Identifier: Apache-2.0
// The boot, on one page: what is brought up, in which order, and what is said when it cannot be.
// Called by arm/boot.S on the boot CPU with the first map on. Owns the description of the board,
// which is constant once boot_main has read it.
#include "main/boot.h"
#include "main/commands_life.h"

#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/features.h"
#include "arm/regs.h"
#include "arm/tlb.h"
#include "base/log.h"
#include "base/panic.h"
#include "console/console.h"
#include "hw/gic.h"
#include "hw/psci_client.h"
#include "hw/rtc_pl031.h"
#include "hw/timer.h"
#include "hw/uart.h"
#include "main/run.h"
#include "mem/el2map.h"
#include "trap/idregs.h"
#include "vdev/vgic.h"
#include "vdev/vpl031.h"
#include "version.h"
#include "vm/sched.h"
#include "vm/stage2.h"
#include "vm/vmid.h"

static struct board board;
static struct board_problem problem;

// Called by arm/boot.S; declared here because nobody else may call them.
NORETURN void boot_main(const void *fdt);
NORETURN void boot_at_el1(const void *fdt);
NORETURN void boot_cpu_main(struct cpu *cpu);

void boot_stop(void)
{
	log_line("stopped: reset the board to try again");
	cpu_halt();
}

// The console first: whatever else is wrong can then be said.
static void open_console(void)
{
	struct uart uart = {0};
	if (board.console.regs.size != 0 &&
	    el2map_device(PA(board.console.regs.base), board.console.regs.size) == 0)
		uart_open(&uart, &board.console, board.console.regs.base);
	console_early(&uart);
}

static void report_problems(void)
{
	uint32_t shown = problem.count < BOARD_MAX_PROBLEMS ? problem.count : BOARD_MAX_PROBLEMS;
	for (uint32_t i = 0; i < shown; i++) {
		if (problem.list[i].kind == BOARD_NO_PSCI && board.psci.conduit != BOARD_PSCI_NONE)
			continue; // the tree has none, but Mezzo brought its own
		log_line("%s: %s", problem.list[i].fatal ? "error" : "note", problem.list[i].text);
	}
}

static void print_banner(void)
{
	static const char *const gic_names[] = {"no GIC", "no GIC", "GICv2", "GICv3"};
	uint64_t midr = read_sysreg(midr_el1);
	log_line("Mezzo %s at EL2", MEZZO_VERSION);
	log_line("board: %s, %u CPU%s (MIDR %#lx), %lu MiB of RAM, %s, console %s at %#lx",
	         board.model[0] != 0 ? board.model : board.compatible, board.nr_cpus,
	         board.nr_cpus == 1 ? "" : "s", midr, board.ram_declared >> 20,
	         gic_names[board.gic.version], board_uart_name(board.console.kind),
	         board.console.regs.base);
}

// Registers that a driver will touch.
static int map_devices(void)
{
	const struct board_gic *g = &board.gic;
	const struct board_range *fixed[] = {&g->gicd, &g->gicc, &g->gich};
	int error = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(fixed) && error == 0; i++)
		if (fixed[i]->size != 0)
			error = el2map_device(PA(fixed[i]->base), fixed[i]->size);
	for (uint32_t i = 0; i < g->nr_gicr && error == 0; i++)
		error = el2map_device(PA(g->gicr[i].base), g->gicr[i].size);
	return error;
}

// What every CPU sets up for itself, the boot CPU included.
static int init_this_cpu(struct cpu *cpu)
{
	tlb_invalidate_guests_local();
	timer_init_cpu();
	int error = gic_init_cpu(cpu);
	if (error == 0)
		error = vgic_init_cpu();
	if (error == 0) {
		sched_init_cpu();
		run_init_cpu(&board);
	}
	return error;
}

static bool init_interrupts(void)
{
	bool v3 = board.gic.version == 3;
	return map_devices() == 0 && gic_init(&board) == 0 &&
	       vgic_probe(v3 ? &vgic_lr_v3 : &vgic_lr_v2, v3 ? 0 : board.gic.gich.base) == 0 &&
	       init_this_cpu(&boot_cpu) == 0;
}

// The clock that guests are shown. Without one on the board theirs begins in 1970.
static void read_clock(void)
{
	if (board.rtc.size != 0 && el2map_device(PA(board.rtc.base), board.rtc.size) == 0)
		vpl031_set_clock(rtc_pl031_read(board.rtc.base));
}

// Continues on a stack with a guard page, in the map with everything in it.
static NORETURN void boot_on_own_stack(void *fdt)
{
	smp_start(&board);
	read_clock();
	config_build(&board, fdt);
	bool has_irq = board.console.irq.chip == BOARD_IRQ_GIC;
	shell_init(commands_all);
	console_start(has_irq);
	if (has_irq)
		gic_enable(board.console.irq.number, &boot_cpu, GIC_LEVEL);
	config_start();
	run_loop();
}

void boot_main(const void *fdt)
{
	features_probe(true);
	boot_cpu.mpidr = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
	cpu_register(&boot_cpu);
	int error = board_read(fdt, &board, &problem);
	open_console();
	print_banner();
	firmware_init(&board);
	report_problems();
	if (error != 0)
		boot_stop();
	if ((read_sysreg(hcr_el2) & HCR_E2H) != 0) {
		log_line("this CPU always has HCR_EL2.E2H set, which Mezzo does not support yet");
		boot_stop();
	}
	timer_init(board.timer_hz);
	if (ram_init(&board) != 0)
		boot_stop();
	psci_client_init(&board);
	stage2_init();
	vmid_init(feature_has(FEATURE_VMID16));
	idregs_init();
	if (!init_interrupts()) {
		log_line("the interrupt controller could not be brought up");
		boot_stop();
	}
	boot_cpu.stack_top = el2map_stack(0, 0);
	uint64_t panic_stack = el2map_stack(0, 1);
	if (boot_cpu.stack_top == 0 || panic_stack == 0) {
		log_line("no memory for the boot CPU's stacks");
		boot_stop();
	}
	boot_cpu.panic_stack_top = panic_stack;
	stack_switch(boot_cpu.stack_top, boot_on_own_stack, (void *)(uintptr_t)fdt);
}

void boot_cpu_main(struct cpu *cpu)
{
	smp_step(cpu, CPU_AWAY, CPU_ARRIVED);
	const char *missing = features_probe(false);
	if (missing != NULL) {
		log_line("CPU %u lacks %s, which the boot CPU has: not used", cpu->id, missing);
		smp_give_up();
	}
	if (init_this_cpu(cpu) != 0) {
		log_line("CPU %u: its interrupt interface could not be brought up: not used",
		         cpu->id);
		smp_give_up();
	}
	smp_step(cpu, CPU_ARRIVED, CPU_ONLINE);
	run_loop();
}

void boot_at_el1(const void *fdt)
{
	board_read(fdt, &board, &problem);
	open_console();
	log_line("Mezzo %s: the firmware dropped to EL1; Mezzo needs EL2", MEZZO_VERSION);
	log_line("QEMU: add virtualization=on to -machine. U-Boot: build it to stay at EL2 (bootm "
	         "and booti "
	         "keep the level).");
	log_line("Raspberry Pi: remove kernel_old=1 and any armstub that enters kernels at EL1.");
	boot_stop();
}
