// SPDX-License-Identifier: Apache-2.0
// The boot, on one page: what is brought up, in which order, and what is said when it cannot be.
// Called by arm/boot.S on the boot CPU with the first map on. Owns the description of the board,
// which is constant once boot_main has read it.
#include "main/boot.h"
#include "main/commands_life.h"

#include "arm/barrier.h"
#include "arm/cpu.h"
#include "arm/errata.h"
#include "arm/features.h"
#include "arm/pauth.h"
#include "arm/regs.h"
#include "arm/stack_protector.h"
#include "arm/tlb.h"
#include "base/log.h"
#include "base/panic.h"
#include "console/console.h"
#include "hw/host_devices.h"
#include "hw/intc.h"
#include "hw/power.h"
#include "hw/psci_client.h"
#include "hw/rng_bcm2835.h"
#include "hw/rtc_pl031.h"
#include "hw/timer.h"
#include "hw/uart.h"
#include "hw/virtio_rng.h"
#include "main/run.h"
#include "main/seed.h"
#include "mem/el2audit.h"
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

// Maps a device's registers. Where they are, or 0: there is none, or no memory for tables.
static uintptr_t map_device(const struct board_range *regs)
{
	bool mapped = regs->size != 0 && el2map_device(PA(regs->base), regs->size) == 0;
	return mapped ? regs->base : 0;
}

// The console first: whatever else is wrong can then be said.
static void open_console(void)
{
	struct uart uart = {0};
	uintptr_t base = map_device(&board.console.regs);
	if (base != 0)
		uart_open(&uart, &board.console, base);
	if (board.console.kind == BOARD_UART_BCM_MINI)
		uart.aux = map_device(&board.bcm.aux);
	uart_start(&uart);
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
	const struct board_range *fixed[] = {&g->gicd, &g->gicc, &g->gich, &board.bcm.local,
	                                     &board.bcm.armctrl};
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
	int error = intc_init_cpu(cpu);
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
	static const struct vgic_backend *const backends[] = {
	        [0] = NULL, [1] = NULL, [2] = &vgic_lr_v2, [3] = &vgic_lr_v3};
	uint32_t version = board.gic.version;
	return map_devices() == 0 && intc_init(&board) == 0 &&
	       vgic_probe(backends[version], version == 2 ? board.gic.gich.base : 0) == 0 &&
	       init_this_cpu(&boot_cpu) == 0;
}

// The clock that guests are shown. Without one on the board theirs begins in 1970.
static void read_clock(void)
{
	if (board.rtc.size != 0 && el2map_device(PA(board.rtc.base), board.rtc.size) == 0)
		vpl031_set_clock(rtc_pl031_read(board.rtc.base));
}

// Noise for guests' seeds, from the generator that the board has. Its firmware may have left a seed as well.
static void read_noise(void)
{
	union {
		uint32_t words[SEED_NOISE_SIZE / sizeof(uint32_t)];
		uint8_t bytes[SEED_NOISE_SIZE];
	} noise;
	uintptr_t base = map_device(&board.bcm.rng);
	int error = base != 0 ? rng_bcm2835_read(base, noise.words, ARRAY_SIZE(noise.words))
	                      : virtio_rng_read_now(noise.bytes, sizeof noise.bytes);
	if (error == ERR_NOT_FOUND)
		return;
	if (error == 0)
		seed_add(noise.bytes);
	else
		log_line("the board's random-number generator does not deliver: not used");
}

// What the board's or the build's mistake made of EL2's own protection is found before any guest can use it.
static void audit_self(void)
{
	struct el2audit found;
	el2audit_run(&found);
	if (found.wrong != 0) {
		log_line("self-audit: error: EL2's map breaks a rule in %u places, at %#lx first: "
		         "%s",
		         found.wrong, found.at, found.first);
		boot_stop();
	}
	log_line("self-audit: EL2's map agrees in %lu entries: text alone executed, text and "
	         "constants "
	         "read-only, stacks guarded, RAM at one address",
	         found.entries);
}

// Continues on a stack with a guard page, in the map with everything in it.
static NORETURN void boot_on_own_stack(void *fdt)
{
	smp_start(&board, fdt);
	read_clock();
	host_devices_init(fdt, &board);
	read_noise();
	config_build(&board, fdt);
	uint32_t irq = intc_number(&board.console.irq);
	shell_init(commands_all);
	vvirtio_vsock_serve(&shell_for_guests);
	console_start(irq != INTC_NONE);
	if (irq != INTC_NONE)
		intc_enable(irq, &boot_cpu, INTC_LEVEL);
	audit_self();
	config_start();
	run_loop();
}

void boot_main(const void *fdt)
{
	features_probe(true);
	boot_cpu.mpidr = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
	cpu_register(&boot_cpu);
	int error = board_read(fdt, &board, &problem);
	ask_videocore(&board);
	open_console();
	print_banner();
	firmware_init(&board);
	report_problems();
	errata_report(read_sysreg(midr_el1));
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
	power_init(map_device(&board.bcm.pm));
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
	if (feature_has(FEATURE_PAUTH))
		seed_return_key(&board, fdt, 0, boot_cpu.key);
	stack_protector_mix(seed_stack_word(&board, fdt));
	pauth_start(boot_cpu.key);
	stack_switch(boot_cpu.stack_top, boot_on_own_stack, (void *)(uintptr_t)fdt);
}

void boot_cpu_main(struct cpu *cpu)
{
	smp_step(cpu, CPU_AWAY, CPU_ARRIVED);
	const char *missing = features_probe(false);
	errata_report(read_sysreg(midr_el1));
	if (missing != NULL) {
		log_line("CPU %u lacks %s, which the boot CPU has: not used", cpu->id, missing);
		smp_give_up();
	}
	pauth_start(cpu->key);
	if (el2audit_cpu() != NULL) {
		log_line("CPU %u: not so: %s: not used", cpu->id, el2audit_cpu());
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
	ask_videocore(&board);
	open_console();
	log_line("Mezzo %s: the firmware dropped to EL1; Mezzo needs EL2", MEZZO_VERSION);
	log_line("QEMU: add virtualization=on to -machine. U-Boot: build it to stay at EL2 (bootm "
	         "and booti "
	         "keep the level).");
	log_line("Raspberry Pi: remove kernel_old=1 and any armstub that enters kernels at EL1.");
	boot_stop();
}
