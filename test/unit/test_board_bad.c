// SPDX-License-Identifier: Apache-2.0
// Boards whose trees lack something or lie: what Mezzo says about them, and what it makes of the rest.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bits.h"
#include "fdt/board.h"
#include "fdt/board_ram.h"
#include "tree_files.h"

static struct board board;
static struct board_problem problem;

// A board that has everything, in parts that a test can replace.
#define ROOT   "#address-cells = <2>; #size-cells = <2>; interrupt-parent = <&gic>;"
#define MEMORY "memory@40000000 { device_type = \"memory\"; reg = <0 0x40000000 0 0x10000000>; };"
#define CPUS                                              \
	"cpus { #address-cells = <1>; #size-cells = <0>;" \
	" cpu@0 { device_type = \"cpu\"; reg = <0>; enable-method = \"psci\"; }; };"
#define PSCI "psci { compatible = \"arm,psci-1.0\"; method = \"smc\"; };"
#define GIC                                                                       \
	"gic: gic@8000000 { compatible = \"arm,gic-v3\"; #interrupt-cells = <3>;" \
	" interrupt-controller; interrupts = <1 9 4>;"                            \
	" reg = <0 0x8000000 0 0x10000 0 0x80a0000 0 0xf60000>; };"
#define TIMER                                       \
	"timer { compatible = \"arm,armv8-timer\";" \
	" interrupts = <1 13 4>, <1 14 4>, <1 11 4>, <1 10 4>; };"
#define UART                                                                         \
	"serial@9000000 { compatible = \"arm,pl011\"; reg = <0 0x9000000 0 0x1000>;" \
	" interrupts = <0 1 4>; };"
#define CHOSEN      "chosen { stdout-path = \"/serial@9000000\"; };"
#define TREE(parts) "/ {" ROOT parts "};"

static int read_source(const char *source)
{
	struct tree_file file = tree_file_compile(source);

	assert_non_null(file.bytes);
	const int result = board_read(file.bytes, &board, &problem);
	board.bootargs = NULL; // leads into the tree
	tree_file_free(&file);
	return result;
}

static void expect_problem(enum board_problem_kind kind, bool fatal, const char *text)
{
	for (uint32_t i = 0; i < problem.count && i < BOARD_MAX_PROBLEMS; i++) {
		if (problem.list[i].kind == kind && problem.list[i].fatal == fatal &&
		    strstr(problem.list[i].text, text) != NULL)
			return;
	}
	fail_msg("no problem '%s'; the first is '%s'", text, problem.list[0].text);
}

static void expect_ram(uint32_t index, uint64_t base, uint64_t size)
{
	assert_true(index < board.nr_ram);
	if (board.ram[index].base != base || board.ram[index].size != size)
		fail_msg("ram %u is %llx+%llx", index, (unsigned long long)board.ram[index].base,
		         (unsigned long long)board.ram[index].size);
}

static void test_whole(void **state)
{
	(void)state;
	assert_int_equal(read_source(TREE(MEMORY CPUS PSCI GIC TIMER UART CHOSEN)), 0);
	assert_int_equal(problem.count, 0);
}

static const struct {
	const char *source;
	enum board_problem_kind kind;
	bool fatal;
	const char *text;
} lacking[] = {
        {TREE(CPUS PSCI GIC TIMER UART), BOARD_NO_MEMORY, true, "gives no RAM"},
        {TREE(CPUS PSCI GIC TIMER UART "memory@0 { device_type = \"memory\"; reg = <0 0 0 0>; };"),
         BOARD_NO_MEMORY, true, "gives no RAM"},
        {TREE(CPUS PSCI GIC TIMER UART MEMORY
              "reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges;"
              " all { reg = <0 0x40000000 0 0x10000000>; }; };"),
         BOARD_NO_MEMORY, true, "all RAM that the device tree gives (256 MiB) is reserved"},
        {TREE(MEMORY PSCI GIC TIMER UART), BOARD_NO_CPUS, true, "no usable CPU"},
        {TREE(MEMORY CPUS GIC TIMER UART), BOARD_NO_PSCI, false, "1 CPUs are to be started"},
        {TREE(MEMORY CPUS PSCI TIMER UART "gic: x { #interrupt-cells = <3>; };"), BOARD_NO_GIC,
         true, "found none at all"},
        {TREE(MEMORY CPUS PSCI TIMER UART
              "gic: interrupt-controller@1 { compatible = \"arm,gic-v5\";"
              " #interrupt-cells = <3>; };"),
         BOARD_NO_GIC, true, "found arm,gic-v5"},
        {TREE(MEMORY CPUS PSCI TIMER UART
              "gic: gic { compatible = \"arm,gic-400\"; #interrupt-cells = <3>; };"),
         BOARD_NO_GIC, true, "no usable reg for its distributor and CPU interface"},
        {TREE(MEMORY CPUS PSCI TIMER UART
              "gic: gic { compatible = \"arm,gic-v3\"; #interrupt-cells = <3>;"
              " #redistributor-regions = <4000000000>;"
              " reg = <0 0x8000000 0 0x10000 0 0x80a0000 0 0xf60000>; };"),
         BOARD_NO_GIC, true, "no usable reg for its distributor and redistributors"},
        {TREE(MEMORY CPUS PSCI TIMER UART
              "gic: gic { compatible = \"arm,gic-v3\"; #interrupt-cells = <3>;"
              " reg = <0 0x8000000 0 0x10000 0 0x80a0000 0 0x10000>; };"),
         BOARD_NO_GIC, true, "redistributor region 0"},
        {TREE(MEMORY CPUS PSCI GIC UART), BOARD_NO_TIMER, true, "no enabled arm,armv8-timer"},
        {TREE(MEMORY CPUS PSCI GIC UART
              "timer { compatible = \"arm,armv8-timer\"; interrupts = <1 13 4>, <1 14 4>,"
              " <1 11 4>; };"),
         BOARD_NO_TIMER, true, "gives no hypervisor timer interrupt"},
        {TREE(MEMORY CPUS PSCI GIC TIMER), BOARD_NO_CONSOLE, false, "names no console"},
        {TREE(MEMORY CPUS PSCI GIC TIMER
              "serial@1000 { compatible = \"some,uart\"; reg = <0 0x1000 0 0x100>; };"),
         BOARD_NO_CONSOLE, false, "is a some,uart, which"},
        {TREE(MEMORY CPUS PSCI GIC TIMER UART "chosen { linux,initrd-start = <0x48000000>; };"),
         BOARD_BAD_INITRD, false, "make no range"},
        {TREE(MEMORY CPUS PSCI GIC TIMER UART
              "chosen { linux,initrd-start = <2>; linux,initrd-end = <1>; };"),
         BOARD_BAD_INITRD, false, "make no range"},
        {TREE(MEMORY CPUS PSCI GIC TIMER UART "chosen { linux,initrd-start = <0x4f000000>; "
                                              "linux,initrd-end = <0x50000001>; };"),
         BOARD_BAD_INITRD, false, "0x4f000000, 16777217 bytes, which is not all RAM"},
};

static void test_missing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lacking); i++) {
		const int result = read_source(lacking[i].source);

		expect_problem(lacking[i].kind, lacking[i].fatal, lacking[i].text);
		assert_int_equal(result, lacking[i].fatal ? ERR_UNSUPPORTED : 0);
		assert_int_equal(problem.count, 1);
	}
}

static void test_no_tree(void **state)
{
	uint64_t zeros[8] = {0};

	(void)state;
	assert_int_equal(board_read(NULL, &board, &problem), ERR_INVALID);
	expect_problem(BOARD_BAD_TREE, true, "there is none");
	assert_int_equal(board_read(zeros, &board, &problem), ERR_INVALID);
	expect_problem(BOARD_BAD_TREE, true, "there is none");
	assert_int_equal(board_read((const uint8_t *)zeros + 1, &board, &problem), ERR_INVALID);
	expect_problem(BOARD_BAD_TREE, true, "not aligned");
	assert_int_equal(board.nr_ram, 0);
}

// Names from the tree cannot steer a terminal.
static void test_unprintable(void **state)
{
	(void)state;
	(void)read_source(
	        TREE("model = \"a\\x1b[2Jb\";" MEMORY CPUS PSCI GIC TIMER
	             "serial@1000 { compatible = \"x\\x07y\"; reg = <0 0x1000 0 0x100>; };"));
	assert_string_equal(board.model, "a?[2Jb");
	expect_problem(BOARD_NO_CONSOLE, false, "is a x?y, which");
}

static void test_memory(void **state)
{
	(void)state;
	assert_int_equal(
	        read_source(
	                TREE(CPUS PSCI GIC TIMER UART
	                     "memory@40000000 { device_type = \"memory\"; reg = <0 0x40000000 0 "
	                     "0x10000000>,"
	                     " <0 0x50000000 0 0x10000000>, <1 0 0 0x1800>, <2 0 0 0x800>; };"
	                     "memory@60000000 { device_type = \"memory\"; reg = <0 0x60000000 0 "
	                     "0x1000>; };"
	                     "memory@70000000 { device_type = \"memory\"; status = \"disabled\";"
	                     " reg = <0 0x70000000 0 0x1000000>; };"
	                     "secram@58000000 { device_type = \"memory\"; status = \"disabled\";"
	                     " secure-status = \"okay\"; reg = <0 0x58000000 0 0x1000000>; };"
	                     "off@44000000 { status = \"disabled\"; reg = <0 0x44000010 0 0x10>; };"
	                     "bus { #address-cells = <1>; #size-cells = <1>; ranges = <0 0 "
	                     "0x4a000000 0x1000>;"
	                     "  }; "
	                     "flat { #address-cells = <2>; #size-cells = <2>; ranges; };"
	                     "pci { device_type = \"pci\"; #address-cells = <3>; #size-cells = <2>;"
	                     "  ranges = <0x2000000 0 0x4c000000 0 0x4c000000 0 0x1000>; };"
	                     "reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges;"
	                     "  keep@4e000000 { no-map; reg = <0 0x4e000000 0 0x1000>; };"
	                     "  pool { reusable; size = <0 0x1000000>; }; };")),
	        0);
	assert_int_equal(board.nr_ram, 7);
	expect_ram(0, 0x40000000, 0x4000000);
	expect_ram(1, 0x44001000, 0x5fff000);
	expect_ram(2, 0x4a001000, 0x1fff000);
	expect_ram(3, 0x4c001000, 0x1fff000);
	expect_ram(4, 0x4e001000, 0x9fff000);
	expect_ram(5, 0x59000000, 0x7001000);
	expect_ram(6, 0x100000000, 0x1000);
	assert_int_equal(board.ram_declared, 0x20001000 + 0x1800 + 0x800);
}

// What firmware reserves for tree and initrd stays RAM, the rest does not.
static void test_reservations(void **state)
{
	char source[] = "/memreserve/ 0x41000800 0x1000; /memreserve/ 0x42000000 0x300000;" TREE(
	        MEMORY CPUS PSCI GIC TIMER UART
	        "chosen { linux,initrd-start = <0 0x42100800>; linux,initrd-end = <0x42200001>;"
	        " };");

	(void)state;
	assert_int_equal(read_source(source), 0);
	assert_int_equal(board.initrd.base, 0x42100800);
	assert_int_equal(board.initrd.size, 0xff801);
	assert_int_equal(board.nr_ram, 4);
	expect_ram(0, 0x40000000, 0x1000000);
	expect_ram(1, 0x41002000, 0xffe000);
	expect_ram(2, 0x42100000, 0x101000);
	expect_ram(3, 0x42300000, 0xdd00000);
}

static void test_cpus(void **state)
{
	(void)state;
	assert_int_equal(
	        read_source(TREE(
	                MEMORY PSCI GIC TIMER UART
	                "cpus { #address-cells = <2>; #size-cells = <0>;"
	                " cpu@0 { device_type = \"cpu\"; reg = <0 0x80000000>; };"
	                " cpu@1 { device_type = \"cpu\"; reg = <1 0x30201>; enable-method = "
	                "\"psci\"; };"
	                " cpu@2 { device_type = \"cpu\"; reg = <0 2>; status = \"disabled\"; };"
	                " cpu@3 { device_type = \"cpu\"; reg = <0 3>; status = \"fail\"; };"
	                " cpu@4 { reg = <0 4>; enable-method = \"spin-table\"; cpu-release-addr = "
	                "<0 0x40000100>; };"
	                " cpu@5 { reg = <0 5>; enable-method = \"spin-table\"; cpu-release-addr = "
	                "<0 0x101>; };"
	                " cpu@6 { reg = <0 4>; };"
	                " cpu@7 { device_type = \"cpu\"; };"
	                " cpu-map { }; idle-states { }; cache { compatible = \"cache\"; };"
	                "};")),
	        0);
	assert_int_equal(board.nr_cpus, 3);
	assert_int_equal(board.nr_cpus_unusable, 5);
	assert_int_equal(board.cpus[0].mpidr, 0x100030201);
	assert_int_equal(board.cpus[0].enable, BOARD_ENABLE_PSCI);
	assert_int_equal(board.cpus[1].enable, BOARD_ENABLE_SPIN_TABLE);
	assert_int_equal(board.cpus[1].release, 0x40000100);
	assert_int_equal(board.cpus[2].enable, BOARD_ENABLE_NONE);
	assert_int_equal(board.cpus[2].release, 0);
	expect_problem(BOARD_ODD, false,
	               "1 CPUs wait in a spin table, but their nodes have no usable");
	for (uint32_t i = 0; i < problem.count; i++)
		assert_null(strstr(problem.list[i].text, "have no enable-method"));
}

// A Raspberry Pi 3, in parts that a test can replace.
#define PI(parts)                                                                      \
	"/ { #address-cells = <1>; #size-cells = <1>; interrupt-parent = <&local>;"    \
	" memory { device_type = \"memory\"; reg = <0 0x40000000>; };"                 \
	" timer { compatible = \"arm,armv7-timer\"; interrupts = <0 4>, <1 4>, <3 4>," \
	" <2 4>; };" parts "};"
#define PI_LOCAL                                                         \
	"local: local@40000000 { compatible = \"brcm,bcm2836-l1-intc\";" \
	" reg = <0x40000000 0x100>; interrupt-controller; #interrupt-cells = <2>; };"
#define PI_ARMCTRL                                                                 \
	"armctrl: ic@3f00b200 { compatible = \"brcm,bcm2836-armctrl-ic\";"         \
	" reg = <0x3f00b200 0x200>; interrupt-controller; #interrupt-cells = <2>;" \
	" interrupts = <8 4>; };"
#define PI_CPU(n, more)                                   \
	" cpu@" #n " { device_type = \"cpu\"; reg = <" #n \
	">; enable-method = \"spin-table\";" more " };"
#define PI_CPUS(more)                                                                     \
	"cpus { #address-cells = <1>; #size-cells = <0>;" PI_CPU(0, more) PI_CPU(1, more) \
	        PI_CPU(2, more) PI_CPU(3, more) "};"
#define PI_UART(irq)                                                \
	"serial@3f215040 { compatible = \"brcm,bcm2835-aux-uart\";" \
	" reg = <0x3f215040 0x40>; interrupt-parent = <&armctrl>; interrupts = <" irq ">; };"
#define PI_RELEASE "cpu-release-addr = <0 0xd8>;"

static void test_pi(void **state)
{
	(void)state;
	static const struct {
		const char *source;
		enum board_irqchip chip;
		uint32_t number;
	} irqs[] = {
	        {PI(PI_LOCAL PI_ARMCTRL PI_CPUS(PI_RELEASE) PI_UART("1 29")), BOARD_IRQ_BCM2835,
	         29},
	        {PI(PI_LOCAL PI_ARMCTRL PI_CPUS(PI_RELEASE) PI_UART("2 25")), BOARD_IRQ_BCM2835,
	         57},
	        {PI(PI_LOCAL PI_ARMCTRL PI_CPUS(PI_RELEASE) PI_UART("0 7")), BOARD_IRQ_BCM2835, 71},
	        // There is none of these.
	        {PI(PI_LOCAL PI_ARMCTRL PI_CPUS(PI_RELEASE) PI_UART("0 8")), BOARD_IRQ_NONE, 0},
	        {PI(PI_LOCAL PI_ARMCTRL PI_CPUS(PI_RELEASE) PI_UART("1 32")), BOARD_IRQ_NONE, 0},
	        {PI(PI_LOCAL PI_ARMCTRL PI_CPUS(PI_RELEASE) PI_UART("3 0")), BOARD_IRQ_NONE, 0},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(irqs); i++) {
		assert_int_equal(read_source(irqs[i].source), 0);
		assert_int_equal(problem.count, 0);
		assert_int_equal(board.console.irq.chip, irqs[i].chip);
		assert_int_equal(board.console.irq.number, irqs[i].number);
		assert_int_equal(board.cpus[3].enable, BOARD_ENABLE_SPIN_TABLE);
		assert_int_equal(board.bcm.mailbox.size, 0);
	}
}

static void test_pi_without_spin_table(void **state)
{
	(void)state;
	assert_int_equal(read_source(PI(PI_LOCAL PI_ARMCTRL PI_CPUS("") PI_UART("1 29"))), 0);
	assert_int_equal(problem.count, 1);
	expect_problem(BOARD_ODD, false,
	               "4 CPUs wait in a spin table, but their nodes have no usable "
	               "cpu-release-addr in memory, so that they stay unused");
}

// Where the other CPUs wait is not ours, even if nothing reserves it.
static void test_spin_table_in_ram(void **state)
{
	(void)state;
	assert_int_equal(read_source(PI(PI_LOCAL PI_ARMCTRL PI_UART("1 29")
	                                        PI_CPUS("cpu-release-addr = <0x100ff8>;"))),
	                 0);
	expect_ram(0, 0x1000, 0xff000);
	expect_ram(1, 0x101000, 0x3f00b000 - 0x101000);
}

static void test_pi_without_controllers(void **state)
{
	(void)state;
	// The peripherals' controller alone leads to no core.
	assert_int_equal(read_source("/ { #address-cells = <1>; #size-cells = <1>;"
	                             " memory { device_type = \"memory\"; reg = <0 0x40000000>; };"
	                             "armctrl: ic@3f00b200 { compatible ="
	                             " \"brcm,bcm2836-armctrl-ic\"; reg = <0x3f00b200 0x200>; };"
	                             " timer { compatible = \"arm,armv7-timer\"; };" PI_CPUS(
	                                     PI_RELEASE) "};"),
	                 ERR_UNSUPPORTED);
	expect_problem(BOARD_NO_GIC, true, "found brcm,bcm2836-armctrl-ic");
	// Registers that are too short, or nowhere a word can be, are none.
	assert_int_equal(read_source(PI("local: local@40000002 { compatible ="
	                                " \"brcm,bcm2836-l1-intc\"; reg = <0x40000002 0x100>;"
	                                " interrupt-controller; #interrupt-cells = <2>; };" PI_CPUS(
	                                        PI_RELEASE))),
	                 ERR_UNSUPPORTED);
	expect_problem(BOARD_NO_GIC, true, "BCM2836's local controller");
}

// What turns out not to be ours goes, with every page that it touches.
static void test_take_out(void **state)
{
	(void)state;
	assert_int_equal(read_source(PI(PI_LOCAL PI_CPUS(PI_RELEASE))), 0);
	expect_ram(0, 0x1000, 0x3ffff000);
	board_take_out(&board, 0x3b400000, GIB(1) - 0x3b400000);
	assert_int_equal(board.nr_ram, 1);
	expect_ram(0, 0x1000, 0x3b3ff000);
	assert_int_equal(board.ram_declared, 0x3b400000);
	board_take_out(&board, 0, 0);
	board_take_out(&board, 0x100001, 1);
	assert_int_equal(board.nr_ram, 2);
	board_take_out(&board, 0, UINT64_MAX);
	assert_int_equal(board.nr_ram, 0);
	assert_int_equal(board.ram_declared, PAGE_SIZE); // page 0 was never in the list
}

static void test_many_cpus(void **state)
{
	char *source = malloc(200000), *end = source;

	(void)state;
	assert_non_null(source);
	end += sprintf(end, "/ {" ROOT MEMORY PSCI GIC TIMER UART
	                    "cpus { #address-cells = <1>; #size-cells = <0>;");
	for (int i = 0; i < BOARD_MAX_CPUS + 10; i++)
		end += sprintf(end, "cpu@%x { reg = <0x%x>; enable-method = \"psci\"; };", i, i);
	sprintf(end, "}; };");
	assert_int_equal(read_source(source), 0);
	free(source);
	assert_int_equal(board.nr_cpus, BOARD_MAX_CPUS);
	assert_int_equal(board.nr_cpus_unusable, 10);
	assert_int_equal(board.cpus[BOARD_MAX_CPUS - 1].mpidr, BOARD_MAX_CPUS - 1);
}

static void test_psci(void **state)
{
	(void)state;
	(void)read_source(TREE(MEMORY CPUS GIC TIMER UART
	                       "psci { compatible = \"arm,psci\"; method = \"hvc\"; cpu_on = <3>;"
	                       " cpu_off = <2>; cpu_suspend = <1>; migrate = <4>; };"));
	assert_int_equal(board.psci.conduit, BOARD_PSCI_HVC);
	assert_false(board.psci.standard);
	assert_int_equal(board.psci.cpu_on, 3);
	assert_int_equal(board.psci.cpu_off, 2);
	assert_int_equal(board.psci.cpu_suspend, 1);
	assert_int_equal(board.psci.migrate, 4);
	(void)read_source(TREE(MEMORY CPUS GIC TIMER UART
	                       "psci { compatible = \"arm,psci-0.2\"; method = \"rpc\"; };"));
	expect_problem(BOARD_NO_PSCI, false, "no /psci node with a method");
}

#define BARE MEMORY CPUS PSCI GIC TIMER

static const struct {
	const char *source;
	enum board_uart kind;
	enum board_console_source from;
	uint64_t base;
	uint32_t irq, baud, clock, shift, width;
} consoles[] = {
        // stdout-path wins over serial0, serial0 over the first that is found.
        {TREE(BARE UART "u: serial@a000 { compatible = \"arm,sbsa-uart\"; interrupts = <0 7 4>;"
                        " reg = <0 0xa000 0 0x1000>; };"
                        "aliases { serial0 = \"/serial@9000000\"; con = &u; };"
                        "chosen { stdout-path = \"con:9600n8\"; };"),
         BOARD_UART_PL011, BOARD_FROM_STDOUT, 0xa000, 39, 9600, 0, 0, 0},
        {TREE(BARE UART "u: serial@a000 { compatible = \"arm,pl011\", \"arm,primecell\";"
                        " reg = <0 0xa000 0 0x1000>; current-speed = <38400>; };"
                        "aliases { serial0 = &u; };"
                        "chosen { stdout-path = \"nowhere:9600\"; };"),
         BOARD_UART_PL011, BOARD_FROM_SERIAL0, 0xa000, 0, 38400, 0, 0, 0},
        {TREE(BARE UART "aliases { serial0 = \"serial0\"; };"
                        "chosen { stdout-path = \"serial0\"; };"),
         BOARD_UART_PL011, BOARD_FROM_SEARCH, 0x9000000, 33, 0, 0, 0, 0},
        // Disabled ones are never ours; nor is one without an address.
        {TREE(BARE "a: serial@1000 { compatible = \"arm,pl011\"; status = \"disabled\";"
                   " reg = <0 0x1000 0 0x1000>; };"
                   "b: serial@2000 { compatible = \"arm,pl011\"; status = \"disabled\";"
                   " secure-status = \"okay\"; reg = <0 0x2000 0 0x1000>; };"
                   "hidden { #address-cells = <1>; #size-cells = <1>;"
                   " c: serial@3000 { compatible = \"arm,pl011\"; reg = <0x3000 0x1000>; }; };"
                   "serial@4000 { compatible = \"snps,dw-apb-uart\"; reg = <0 0x4000 0 0x100>;"
                   " reg-shift = <2>; reg-io-width = <4>; clock-frequency = <1843200>;"
                   " interrupts = <0 4 1>; };"
                   "aliases { serial0 = &c; }; chosen { stdout-path = &a; };"),
         BOARD_UART_8250, BOARD_FROM_SEARCH, 0x4000, 36, 0, 1843200, 2, 4},
        {TREE(BARE "serial@4000 { compatible = \"x,y\", \"ns16550a\"; reg = <0 0x4000 0 0x100>;"
                   " reg-shift = <99>; reg-io-width = <3>; reg-offset = <0x20>; };"),
         BOARD_UART_8250, BOARD_FROM_SEARCH, 0x4020, 0, 0, 0, 0, 1},
        {TREE(BARE "ck: clock { compatible = \"fixed-clock\"; #clock-cells = <0>;"
                   " clock-frequency = <48000000>; };"
                   "serial@4000 { compatible = \"brcm,bcm2835-aux-uart\"; clocks = <&ck>;"
                   " reg = <0 0x4040 0 0x40>; };"
                   "chosen { stdout-path = \"/serial@4000:99999999999\"; };"),
         BOARD_UART_BCM_MINI, BOARD_FROM_STDOUT, 0x4040, 0, 0, 48000000, 2, 4},
};

static void test_consoles(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(consoles); i++) {
		const struct board_console *console = &board.console;

		assert_int_equal(read_source(consoles[i].source), 0);
		print_message("# console %u: %s\n", i, console->compatible);
		assert_int_equal(console->kind, consoles[i].kind);
		assert_int_equal(console->source, consoles[i].from);
		assert_int_equal(console->regs.base, consoles[i].base);
		assert_int_equal(console->irq.number, consoles[i].irq);
		assert_int_equal(console->baud, consoles[i].baud);
		assert_int_equal(console->clock_hz, consoles[i].clock);
		assert_int_equal(console->reg_shift, consoles[i].shift);
		assert_int_equal(console->io_width, consoles[i].width);
		assert_int_equal(problem.count, 0);
	}
}

static void test_many_gicr(void **state)
{
	char source[4096];
	char *end = source +
	            sprintf(source, "/ {" ROOT MEMORY CPUS PSCI TIMER UART
	                            "gic: gic@8000000 { compatible = \"arm,gic-v3\";"
	                            " #interrupt-cells = <3>; interrupts = <1 9 4>;"
	                            " redistributor-stride = <0 0x40000>;"
	                            " #redistributor-regions = <20>; reg = <0 0x8000000 0 0x10000");

	(void)state;
	for (int i = 0; i < 20; i++)
		end += sprintf(end, " 0x10 0x%x 0 0x40000", i << 20);
	sprintf(end, ">; }; };");
	assert_int_equal(read_source(source), 0);
	assert_int_equal(board.gic.nr_gicr, BOARD_MAX_GICR);
	assert_int_equal(board.gic.gicr[3].base, 0x1000300000);
	assert_int_equal(board.gic.gicr_stride, 0x40000);
	expect_problem(BOARD_ODD, false, "20 regions of redistributors");
}

static void test_named_timers(void **state)
{
	(void)state;
	assert_int_equal(read_source(TREE(MEMORY CPUS PSCI GIC UART
	                                  "timer { compatible = \"arm,armv8-timer\";"
	                                  " clock-frequency = <1000000>;"
	                                  " interrupt-names = \"virt\", \"hyp-virt\", \"hyp-phys\";"
	                                  " interrupts = <1 11 4>, <1 12 4>, <1 10 1>; };")),
	                 0);
	assert_int_equal(board.timer[BOARD_TIMER_VIRT].number, 27);
	assert_int_equal(board.timer[BOARD_TIMER_HYP].number, 26);
	assert_true(board.timer[BOARD_TIMER_HYP].edge);
	assert_int_equal(board.timer[BOARD_TIMER_SECURE].chip, BOARD_IRQ_NONE);
	assert_int_equal(board.timer_hz, 1000000);
}

// --- the set of ranges, against a map of pages ----------------------------------------------------

enum { MODEL_PAGES = 256, MODEL_STEPS = 4000 };

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

static void compare_with_model(const struct board_ram *ram, const bool *model)
{
	bool seen[MODEL_PAGES] = {false};

	for (uint32_t i = 0; i < ram->count; i++) {
		const struct board_range *range = &ram->range[i];

		assert_true(range->size != 0);
		assert_true(i == 0 ||
		            ram->range[i - 1].base + ram->range[i - 1].size < range->base);
		for (uint64_t at = range->base; at < range->base + range->size; at += PAGE_SIZE)
			seen[at / PAGE_SIZE] = true;
	}
	assert_memory_equal(seen, model, sizeof(seen));
}

static void test_ranges(void **state)
{
	struct board_ram ram = {0, 0, {{0, 0}}};
	bool model[MODEL_PAGES] = {false};

	(void)state;
	for (int step = 0; step < MODEL_STEPS; step++) {
		const uint32_t first = random_below(MODEL_PAGES);
		const uint32_t count =
		        random_below(MODEL_PAGES - first < 24 ? MODEL_PAGES - first : 24);
		const uint32_t action = random_below(3);
		// Bytes within the pages: what is taken out takes its pages along.
		const uint64_t base = first * PAGE_SIZE, size = count * PAGE_SIZE;
		const uint64_t trim = size == 0 || action == 0 ? 0 : random_below(PAGE_SIZE / 2);
		const struct board_range keep[2] = {
		        {random_below(MODEL_PAGES - 8) * PAGE_SIZE + 5, 3 * PAGE_SIZE},
		        {random_below(MODEL_PAGES - 8) * PAGE_SIZE, random_below(3)},
		};

		if (action == 0)
			board_ram_add(&ram, base, size);
		else if (action == 1)
			board_ram_remove(&ram, base + trim, size - 2 * trim);
		else
			board_ram_remove_except(&ram, base + trim, size - 2 * trim, keep, 2);
		for (uint32_t page = first; page < first + count; page++) {
			const bool kept =
			        action == 2 && (ranges_overlap(page * PAGE_SIZE, PAGE_SIZE,
			                                       keep[0].base, keep[0].size) ||
			                        ranges_overlap(page * PAGE_SIZE, PAGE_SIZE,
			                                       keep[1].base, keep[1].size));

			if (action == 0)
				model[page] = true;
			else if (!kept)
				model[page] = false;
		}
		compare_with_model(&ram, model);
	}
	assert_int_equal(ram.dropped, 0);
}

static void test_range_limits(void **state)
{
	struct board_ram ram = {0, 0, {{0, 0}}};
	uint64_t left = 0;

	(void)state;
	board_ram_add(&ram, 0xfffffffff000, UINT64_MAX);
	assert_int_equal(ram.count, 1);
	assert_int_equal(ram.range[0].size, 0x1000);
	board_ram_add(&ram, UINT64_C(1) << 48, 0x1000);
	board_ram_add(&ram, UINT64_MAX, UINT64_MAX);
	assert_int_equal(ram.count, 1);
	board_ram_remove(&ram, UINT64_MAX, UINT64_MAX);
	board_ram_remove(&ram, 0, UINT64_MAX);
	assert_int_equal(ram.count, 0);

	// More pieces than there is room for: the smallest go, and are counted.
	for (uint64_t i = 0; i < 100; i++)
		board_ram_add(&ram, i << 32, (i + 1) * PAGE_SIZE);
	assert_int_equal(ram.count, BOARD_RAM_WORK);
	board_ram_finish(&ram, &board);
	assert_int_equal(board.nr_ram, BOARD_MAX_RAM);
	for (uint32_t i = 0; i < board.nr_ram; i++)
		left += board.ram[i].size;
	assert_int_equal(left + board.ram_dropped, 100 * 101 / 2 * PAGE_SIZE);
	assert_int_equal(board.ram[0].size, 69 * PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_whole),
	        cmocka_unit_test(test_missing),
	        cmocka_unit_test(test_no_tree),
	        cmocka_unit_test(test_unprintable),
	        cmocka_unit_test(test_memory),
	        cmocka_unit_test(test_reservations),
	        cmocka_unit_test(test_cpus),
	        cmocka_unit_test(test_many_cpus),
	        cmocka_unit_test(test_psci),
	        cmocka_unit_test(test_consoles),
	        cmocka_unit_test(test_many_gicr),
	        cmocka_unit_test(test_pi),
	        cmocka_unit_test(test_pi_without_spin_table),
	        cmocka_unit_test(test_spin_table_in_ram),
	        cmocka_unit_test(test_pi_without_controllers),
	        cmocka_unit_test(test_take_out),
	        cmocka_unit_test(test_named_timers),
	        cmocka_unit_test(test_ranges),
	        cmocka_unit_test(test_range_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
