// SPDX-License-Identifier: Apache-2.0
// What Mezzo reads from the trees of real boards, against tables made by hand from their sources: those
// that Debian's kernel packages carry, and QEMU's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bits.h"
#include "fdt/board.h"
#include "tree_files.h"

#define MAX_LISTED 8

struct expected {
	const char *tree; // file in build/guests/dtb, or options for QEMU
	const char *model;
	int result;
	const char *problem; // a part of the first problem; NULL: there is none
	struct board_range ram[MAX_LISTED];
	uint64_t mpidr[MAX_LISTED];
	uint32_t nr_cpus;
	enum board_enable enable;
	uint64_t release; // of CPU 1
	enum board_conduit conduit;
	uint32_t gic;
	uint64_t gicd, gicc_or_gicr, gich, gicv;
	enum board_irqchip timer_chip;
	uint32_t timers[BOARD_NR_TIMERS];
	enum board_uart uart;
	enum board_console_source source;
	const char *uart_name;
	uint64_t uart_base;
	uint32_t uart_irq; // 0: none that reaches a GIC
	uint32_t baud, clock_hz;
	uint64_t rtc;            // PL031
	uint64_t poweroff;       // secure PL061
	enum board_irqchip chip; // that the console's interrupt goes to; 0: a GIC if there is one
	uint64_t local, armctrl, mailbox, pm, aux, rng; // of a Raspberry Pi
	uint32_t crystal_hz;
};

#define TIMERS_GIC .timer_chip = BOARD_IRQ_GIC, .timers = {29, 30, 27, 26}
#define CPUS(...) \
	.mpidr = {__VA_ARGS__}, .nr_cpus = sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)

#define FOUNDATION                                                                               \
	.model = "Foundation-v8A", .ram = {{0x80010000, 0x7fff0000}, {0x880000000, 0x80000000}}, \
	CPUS(0, 1, 2, 3), TIMERS_GIC, .uart = BOARD_UART_PL011, .source = BOARD_FROM_SERIAL0,    \
	.uart_name = "arm,pl011", .uart_base = 0x1c090000, .uart_irq = 37, .clock_hz = 24000000
#define FOUNDATION_V2                                                                 \
	.gic = 2, .gicd = 0x2c001000, .gicc_or_gicr = 0x2c002000, .gich = 0x2c004000, \
	.gicv = 0x2c006000
#define FOUNDATION_V3                                                                 \
	.gic = 3, .gicd = 0x2f000000, .gicc_or_gicr = 0x2f100000, .gich = 0x2c010000, \
	.gicv = 0x2c02f000
#define FOUNDATION_SPIN .enable = BOARD_ENABLE_SPIN_TABLE, .release = 0x8000fff8
#define FOUNDATION_PSCI .enable = BOARD_ENABLE_PSCI, .conduit = BOARD_PSCI_SMC

#define JUNO                                                                                 \
	.rtc = 0x1c170000, .ram = {{0x80000000, 0x7f000000}, {0x880000000, 0x180000000}},    \
	CPUS(0, 1, 0x100, 0x101, 0x102, 0x103), .enable = BOARD_ENABLE_PSCI,                 \
	.conduit = BOARD_PSCI_SMC, .gic = 2, .gicd = 0x2c010000, .gicc_or_gicr = 0x2c02f000, \
	.gich = 0x2c04f000, .gicv = 0x2c06f000, TIMERS_GIC, .uart = BOARD_UART_PL011,        \
	.source = BOARD_FROM_STDOUT, .uart_name = "arm,pl011", .uart_base = 0x7ff80000,      \
	.uart_irq = 115, .baud = 115200

#define ZCU102                                                                                    \
	.problem = "xlnx,zynqmp-uart, which Mezzo has no driver for",                             \
	.ram = {{0x1000, 0x7ffff000}, {0x800000000, 0x80000000}}, CPUS(0, 1, 2, 3),               \
	.enable = BOARD_ENABLE_PSCI, .conduit = BOARD_PSCI_SMC, .gic = 2, .gicd = 0xf9010000,     \
	.gicc_or_gicr = 0xf9020000, .gich = 0xf9040000, .gicv = 0xf9060000, TIMERS_GIC,           \
	.uart = BOARD_UART_UNKNOWN, .source = BOARD_FROM_STDOUT, .uart_name = "xlnx,zynqmp-uart", \
	.uart_base = 0xff000000, .uart_irq = 53, .baud = 115200

static const struct expected debian[] = {
        {"foundation-v8.dtb", FOUNDATION, FOUNDATION_V2, FOUNDATION_SPIN},
        {"foundation-v8-psci.dtb", FOUNDATION, FOUNDATION_V2, FOUNDATION_PSCI},
        {"foundation-v8-gicv3.dtb", FOUNDATION, FOUNDATION_V3, FOUNDATION_SPIN},
        {"foundation-v8-gicv3-psci.dtb", FOUNDATION, FOUNDATION_V3, FOUNDATION_PSCI},
        {"juno.dtb", .model = "ARM Juno development board (r0)", .clock_hz = 7372800, JUNO},
        {"juno-r1.dtb", .model = "ARM Juno development board (r1)", .clock_hz = 7372800, JUNO},
        {"juno-r2.dtb", .model = "ARM Juno development board (r2)", .clock_hz = 7372800, JUNO},
        // The size of its memory is left to the firmware.
        {"bcm2711-rpi-4-b.dtb",
         .model = "Raspberry Pi 4 Model B",
         .result = ERR_UNSUPPORTED,
         .problem = "gives no RAM",
         CPUS(0, 1, 2, 3),
         .enable = BOARD_ENABLE_SPIN_TABLE,
         .release = 0xe0,
         .gic = 2,
         .gicd = 0xff841000,
         .gicc_or_gicr = 0xff842000,
         .gich = 0xff844000,
         .gicv = 0xff846000,
         TIMERS_GIC,
         .uart = BOARD_UART_BCM_MINI,
         .source = BOARD_FROM_STDOUT,
         .uart_name = "brcm,bcm2835-aux-uart",
         .uart_base = 0xfe215040,
         .uart_irq = 125,
         .baud = 115200,
         .local = 0xff800000,
         .mailbox = 0xfe00b880,
         .pm = 0xfe100000,
         .aux = 0xfe215000,
         .crystal_hz = 54000000},
        // Its memory node covers the peripherals at the end of the first GiB.
        {"bcm2837-rpi-3-b.dtb",
         .model = "Raspberry Pi 3 Model B",
         .ram = {{0x1000, 0x3efff000}},
         CPUS(0, 1, 2, 3),
         .enable = BOARD_ENABLE_SPIN_TABLE,
         .release = 0xe0,
         .timer_chip = BOARD_IRQ_BCM2836,
         .timers = {0, 1, 3, 2},
         .uart = BOARD_UART_BCM_MINI,
         .source = BOARD_FROM_STDOUT,
         .uart_name = "brcm,bcm2835-aux-uart",
         .uart_base = 0x3f215040,
         .baud = 115200,
         .chip = BOARD_IRQ_BCM2835,
         .uart_irq = 29,
         .local = 0x40000000,
         .armctrl = 0x3f00b200,
         .mailbox = 0x3f00b880,
         .pm = 0x3f100000,
         .aux = 0x3f215000,
         .rng = 0x3f104000,
         .crystal_hz = 19200000},
        {"zynqmp-zcu102-revA.dtb", .model = "ZynqMP ZCU102 RevA", ZCU102},
        {"zynqmp-zcu102-revB.dtb", .model = "ZynqMP ZCU102 RevB", ZCU102},
        {"zynqmp-zcu102-rev1.0.dtb", .model = "ZynqMP ZCU102 Rev1.0", ZCU102},
        {"zynqmp-zcu102-rev1.1.dtb", .model = "ZynqMP ZCU102 Rev1.1", ZCU102},
        // 32 MiB of it belong to the audio processor.
        {"imx8mp-evk.dtb", .model = "NXP i.MX8MPlus EVK board",
         .problem = "fsl,imx8mp-uart, which Mezzo has no driver for",
         .ram = {{0x40000000, 0x52400000}, {0x94400000, 0x12bc00000}}, CPUS(0, 1, 2, 3),
         .enable = BOARD_ENABLE_PSCI, .conduit = BOARD_PSCI_SMC, .gic = 3, .gicd = 0x38800000,
         .gicc_or_gicr = 0x38880000, TIMERS_GIC, .uart = BOARD_UART_UNKNOWN,
         .source = BOARD_FROM_STDOUT, .uart_name = "fsl,imx8mp-uart", .uart_base = 0x30890000,
         .uart_irq = 59},
};

#define VIRT                                                                             \
	.model = "linux,dummy-virt", .rtc = 0x09010000, .gicd = 0x08000000, TIMERS_GIC,  \
	.uart = BOARD_UART_PL011, .source = BOARD_FROM_STDOUT, .uart_name = "arm,pl011", \
	.uart_base = 0x09000000, .uart_irq = 33, .clock_hz = 24000000
#define VIRT_V2 .gic = 2, .gicc_or_gicr = 0x08010000, .gich = 0x08030000, .gicv = 0x08040000
#define VIRT_V3 .gic = 3, .gicc_or_gicr = 0x080a0000

static const struct expected qemu[] = {
        {"-machine virt,gic-version=2,virtualization=on -smp 1 -m 512M", VIRT, VIRT_V2, CPUS(0),
         .conduit = BOARD_PSCI_SMC, .ram = {{0x40000000, 0x20000000}}},
        {"-machine virt,gic-version=2,virtualization=on -smp 8 -m 8G", VIRT, VIRT_V2,
         .enable = BOARD_ENABLE_PSCI, CPUS(0, 1, 2, 3, 4, 5, 6, 7), .conduit = BOARD_PSCI_SMC,
         .ram = {{0x40000000, 0x200000000}}},
        {"-machine virt,gic-version=3,virtualization=on -smp 4 -m 2G", VIRT, VIRT_V3,
         .enable = BOARD_ENABLE_PSCI, CPUS(0, 1, 2, 3), .conduit = BOARD_PSCI_SMC,
         .ram = {{0x40000000, 0x80000000}}},
        // Two NUMA nodes with memory of their own, side by side.
        {"-machine virt,gic-version=3,virtualization=on -smp 4 -m 2G "
         "-object memory-backend-ram,size=1G,id=a -object memory-backend-ram,size=1G,id=b "
         "-numa node,memdev=a -numa node,memdev=b",
         VIRT, VIRT_V3, .enable = BOARD_ENABLE_PSCI, CPUS(0, 1, 2, 3), .conduit = BOARD_PSCI_SMC,
         .ram = {{0x40000000, 0x80000000}}},
        {"-machine virt,gic-version=2,virtualization=on,secure=on -smp 4 -m 2G", VIRT, VIRT_V2,
         .enable = BOARD_ENABLE_PSCI, CPUS(0, 1, 2, 3),
         .problem = "4 CPUs are to be started by PSCI", .poweroff = 0x090b0000,
         .ram = {{0x40000000, 0x80000000}}},
        {"-machine virt,gic-version=3,virtualization=on,secure=on -smp 2 -m 1G", VIRT, VIRT_V3,
         .enable = BOARD_ENABLE_PSCI, CPUS(0, 1), .problem = "2 CPUs are to be started by PSCI",
         .poweroff = 0x090b0000, .ram = {{0x40000000, 0x40000000}}},
        // What Mezzo cannot use, it says.
        {"-machine virt,gic-version=2 -smp 1 -m 512M", VIRT, .result = ERR_UNSUPPORTED,
         .problem = "lists no virtualization frames", CPUS(0), .conduit = BOARD_PSCI_HVC,
         .gicc_or_gicr = 0x08010000, .ram = {{0x40000000, 0x20000000}}},
        {"-machine virt,gic-version=3 -smp 1 -m 512M", VIRT, VIRT_V3, .result = ERR_UNSUPPORTED,
         .problem = "gives no maintenance interrupt", CPUS(0), .conduit = BOARD_PSCI_HVC,
         .ram = {{0x40000000, 0x20000000}}},
};

static struct board board;
static struct board_problem problem;

static void check_memory(const struct expected *want)
{
	uint32_t count = 0;

	while (count < MAX_LISTED && want->ram[count].size != 0)
		count++;
	assert_int_equal(board.nr_ram, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(board.ram[i].base, want->ram[i].base);
		assert_int_equal(board.ram[i].size, want->ram[i].size);
	}
}

static void check_cpus(const struct expected *want)
{
	assert_int_equal(board.nr_cpus, want->nr_cpus);
	assert_int_equal(board.nr_cpus_unusable, 0);
	for (uint32_t i = 0; i < want->nr_cpus; i++) {
		assert_int_equal(board.cpus[i].mpidr, want->mpidr[i]);
		assert_int_equal(board.cpus[i].enable, want->enable);
	}
	if (want->nr_cpus > 1)
		assert_int_equal(board.cpus[1].release, want->release);
	assert_int_equal(board.psci.conduit, want->conduit);
	assert_true(want->conduit == BOARD_PSCI_NONE || board.psci.standard);
}

static void check_interrupts(const struct expected *want)
{
	const struct board_gic *gic = &board.gic;

	assert_int_equal(gic->version, want->gic);
	assert_int_equal(gic->gicd.base, want->gicd);
	assert_int_equal(gic->nr_gicr != 0 ? gic->gicr[0].base : gic->gicc.base,
	                 want->gicc_or_gicr);
	assert_int_equal(gic->gich.base, want->gich);
	assert_int_equal(gic->gicv.base, want->gicv);
	if (want->gic != 0 && want->result == 0) {
		assert_int_equal(gic->maintenance.chip, BOARD_IRQ_GIC);
		assert_int_equal(gic->maintenance.number, 25);
		assert_false(gic->maintenance.edge);
	}
	for (int i = 0; i < BOARD_NR_TIMERS && (want->gic != 0 || want->local != 0); i++) {
		assert_int_equal(board.timer[i].chip, want->timer_chip);
		assert_int_equal(board.timer[i].number, want->timers[i]);
		assert_false(board.timer[i].edge);
	}
}

static void check_console(const struct expected *want)
{
	const struct board_console *console = &board.console;

	assert_int_equal(console->kind, want->uart);
	assert_int_equal(console->source, want->source);
	assert_string_equal(console->compatible, want->uart_name);
	assert_int_equal(console->regs.base, want->uart_base);
	assert_int_equal(console->baud, want->baud);
	assert_int_equal(console->clock_hz, want->clock_hz);
	if (want->gic != 0 || want->chip != BOARD_IRQ_NONE) {
		assert_int_equal(console->irq.chip,
		                 want->chip != BOARD_IRQ_NONE ? want->chip : BOARD_IRQ_GIC);
		assert_int_equal(console->irq.number, want->uart_irq);
		assert_false(console->irq.edge);
	}
	assert_int_equal(board.rtc.base, want->rtc);
	assert_int_equal(board.poweroff.regs.base, want->poweroff);
	if (want->poweroff != 0) {
		assert_true(board.poweroff.has_off && board.poweroff.has_reset);
		assert_int_equal(board.poweroff.off_line, 0);
		assert_int_equal(board.poweroff.reset_line, 1);
		assert_false(board.poweroff.off_low || board.poweroff.reset_low);
	}
}

static void check_bcm(const struct expected *want)
{
	const struct board_bcm *bcm = &board.bcm;

	assert_int_equal(bcm->local.base, want->local);
	assert_int_equal(bcm->armctrl.base, want->armctrl);
	assert_int_equal(bcm->mailbox.base, want->mailbox);
	assert_int_equal(bcm->pm.base, want->pm);
	assert_int_equal(bcm->aux.base, want->aux);
	assert_int_equal(bcm->rng.base, want->rng);
	assert_int_equal(bcm->crystal_hz, want->crystal_hz);
}

static void check_tree(const struct expected *want, struct tree_file *file)
{
	const int result = board_read(file->bytes, &board, &problem);

	print_message("# %s\n", want->tree);
	if (want->problem == NULL) {
		assert_string_equal(problem.list[0].text, "");
	} else {
		assert_int_not_equal(problem.count, 0);
		if (strstr(problem.list[0].text, want->problem) == NULL)
			fail_msg("'%s' is not in '%s'", want->problem, problem.list[0].text);
	}
	assert_int_equal(result, want->result);
	assert_string_equal(board.model, want->model);
	assert_int_equal(board.tree.size, file->size);
	check_memory(want);
	check_cpus(want);
	check_interrupts(want);
	check_console(want);
	check_bcm(want);
	tree_file_free(file);
}

static void test_debian_trees(void **state)
{
	unsigned found = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(debian); i++) {
		char path[128];

		snprintf(path, sizeof(path), "build/guests/dtb/%s", debian[i].tree);
		struct tree_file file = tree_file_open(path);
		if (file.bytes == NULL)
			continue;
		found++;
		check_tree(&debian[i], &file);
	}
	if (found == 0)
		skip();
	assert_int_equal(found, ARRAY_SIZE(debian));
}

static void test_qemu_trees(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(qemu); i++) {
		struct tree_file file = tree_file_qemu(qemu[i].tree);

		if (file.bytes == NULL && i == 0)
			skip();
		assert_non_null(file.bytes);
		check_tree(&qemu[i], &file);
	}
}

// The seeds are found where they are, so that they can be wiped there.
static void test_seeds(void **state)
{
	struct tree_file file = tree_file_qemu("-machine virt,gic-version=3,virtualization=on");

	(void)state;
	if (file.bytes == NULL) {
		skip();
		return;
	}
	assert_int_equal(board_read(file.bytes, &board, &problem), 0);
	assert_int_equal(board.rng_seed_size, 32);
	assert_int_equal(board.kaslr_seed_size, 8);
	assert_true(range_contains(0, file.size, board.rng_seed_offset, board.rng_seed_size));
	memset((uint8_t *)file.bytes + board.rng_seed_offset, 0, board.rng_seed_size);
	memset((uint8_t *)file.bytes + board.kaslr_seed_offset, 0, board.kaslr_seed_size);
	assert_int_equal(board_read(file.bytes, &board, &problem), 0);
	tree_file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_debian_trees),
	        cmocka_unit_test(test_qemu_trees),
	        cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
