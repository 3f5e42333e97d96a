// SPDX-License-Identifier: Apache-2.0
// The device tree of a guest of model `raspi3`: what a bare-metal program looks for, and enough for Linux to
// come up on a console. Who wants every device of the board gives the board's own tree.
//
// Owns nothing. Called when a VM is built.
// Source: Linux kernel, Documentation/devicetree/bindings, for how each is written; BCM2835 ARM Peripherals and
// ARM Quad A7 core (QA7 rev 3.4) for where it is.
#include "fdt/guest_raspi3.h"

#include "base/bits.h"
#include "fdt/guest_tree.h"

// Phandles.
enum { LOCAL = 1, ARMCTRL = 2, CLOCK_UART = 3, CLOCK_CORE = 4, GPIO = 5, MAILBOX = 6, CPU = 16 };

#define CLOCK_UART_HZ 48000000
#define CLOCK_CORE_HZ 250000000
#define TIMER_HZ      1000000
#define LEVEL_HIGH    4

// Of the local controller.
enum { LOCAL_CNTPS = 0, LOCAL_CNTPNS = 1, LOCAL_CNTHP = 2, LOCAL_CNTV = 3, LOCAL_GPU = 8 };

struct soc_device {
	const char *name, *compatible;
	uint32_t bus, size;  // as the VideoCore side calls it
	uint32_t irqs[4][2]; // bank and number
	uint32_t nr_irqs;
	uint32_t clock;   // phandle; 0: none
	uint32_t phandle; // 0: nobody refers to it
};

// Without those that need more than these properties.
static const struct soc_device devices[] = {
        {"timer",
         "brcm,bcm2835-system-timer",
         0x7e003000,
         0x1000,
         {{1, 0}, {1, 1}, {1, 2}, {1, 3}},
         4,
         0,
         0},
        {"mailbox", "brcm,bcm2835-mbox", 0x7e00b880, 0x40, {{0, 1}}, 1, 0, MAILBOX},
        {"watchdog", "brcm,bcm2835-pm-wdt", 0x7e100000, 0x28, {{0, 0}}, 0, 0, 0},
        {"rng", "brcm,bcm2835-rng", 0x7e104000, 0x10, {{2, 29}}, 1, 0, 0},
        {"serial", "brcm,bcm2835-aux-uart", 0x7e215040, 0x40, {{1, 29}}, 1, CLOCK_CORE, 0},
};

static void write_clock(struct guest_tree *tree, const char *name, uint32_t hz, uint32_t phandle)
{
	guest_tree_open(tree, name);
	guest_tree_string(tree, "compatible", "fixed-clock");
	guest_tree_cell(tree, "#clock-cells", 0);
	guest_tree_cell(tree, "clock-frequency", hz);
	guest_tree_cell(tree, "phandle", phandle);
	guest_tree_close(tree);
}

static void write_cpus(struct guest_tree *tree, uint32_t nr_cpus)
{
	guest_tree_open(tree, "cpus");
	guest_tree_cell(tree, "#address-cells", 1);
	guest_tree_cell(tree, "#size-cells", 0);
	for (uint32_t i = 0; i < nr_cpus; i++) {
		guest_tree_open_at(tree, "cpu", i);
		guest_tree_string(tree, "device_type", "cpu");
		guest_tree_string(tree, "compatible", "arm,cortex-a53");
		guest_tree_cell(tree, "reg", i);
		guest_tree_string(tree, "enable-method", "spin-table");
		guest_tree_u64(tree, "cpu-release-addr", GUEST_RASPI3_SPIN_TABLE + 8 * i);
		guest_tree_cell(tree, "phandle", CPU + i);
		guest_tree_close(tree);
	}
	guest_tree_close(tree);
}

static void write_timer(struct guest_tree *tree)
{
	const uint32_t interrupts[] = {
	        LOCAL_CNTPS, LEVEL_HIGH, LOCAL_CNTPNS, LEVEL_HIGH,
	        LOCAL_CNTV,  LEVEL_HIGH, LOCAL_CNTHP,  LEVEL_HIGH,
	};

	guest_tree_open(tree, "timer");
	guest_tree_string(tree, "compatible", "arm,armv8-timer");
	guest_tree_cell(tree, "interrupt-parent", LOCAL);
	guest_tree_cells(tree, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	guest_tree_flag(tree, "always-on");
	guest_tree_close(tree);
}

static void open_device(struct guest_tree *tree, const char *name, uint32_t base, uint32_t size)
{
	const uint32_t reg[] = {base, size};

	guest_tree_open_at(tree, name, base);
	guest_tree_cells(tree, "reg", reg, ARRAY_SIZE(reg));
}

static void write_controllers(struct guest_tree *tree)
{
	const uint32_t gpu[] = {LOCAL_GPU, LEVEL_HIGH};

	open_device(tree, "local_intc", 0x40000000, 0x100);
	guest_tree_string(tree, "compatible", "brcm,bcm2836-l1-intc");
	guest_tree_flag(tree, "interrupt-controller");
	guest_tree_cell(tree, "#interrupt-cells", 2);
	guest_tree_cell(tree, "interrupt-parent", LOCAL);
	guest_tree_cell(tree, "phandle", LOCAL);
	guest_tree_close(tree);

	open_device(tree, "interrupt-controller", 0x7e00b200, 0x200);
	guest_tree_string(tree, "compatible", "brcm,bcm2836-armctrl-ic");
	guest_tree_flag(tree, "interrupt-controller");
	guest_tree_cell(tree, "#interrupt-cells", 2);
	guest_tree_cell(tree, "interrupt-parent", LOCAL);
	guest_tree_cells(tree, "interrupts", gpu, ARRAY_SIZE(gpu));
	guest_tree_cell(tree, "phandle", ARMCTRL);
	guest_tree_close(tree);
}

static void write_device(struct guest_tree *tree, const struct soc_device *device)
{
	open_device(tree, device->name, device->bus, device->size);
	guest_tree_string(tree, "compatible", device->compatible);
	if (device->nr_irqs != 0)
		guest_tree_cells(tree, "interrupts", device->irqs[0], 2 * device->nr_irqs);
	if (device->clock != 0)
		guest_tree_cell(tree, "clocks", device->clock);
	if (device->phandle == MAILBOX)
		guest_tree_cell(tree, "#mbox-cells", 0);
	if (device->phandle != 0)
		guest_tree_cell(tree, "phandle", device->phandle);
	if (device->nr_irqs == 4) // the system timer, which Linux wants to know the speed of
		guest_tree_cell(tree, "clock-frequency", TIMER_HZ);
	guest_tree_close(tree);
}

static void write_gpio(struct guest_tree *tree)
{
	const uint32_t interrupts[] = {2, 17, 2, 18};

	open_device(tree, "gpio", 0x7e200000, 0xb4);
	guest_tree_string(tree, "compatible", "brcm,bcm2835-gpio");
	guest_tree_cells(tree, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	guest_tree_flag(tree, "gpio-controller");
	guest_tree_cell(tree, "#gpio-cells", 2);
	guest_tree_flag(tree, "interrupt-controller");
	guest_tree_cell(tree, "#interrupt-cells", 2);
	guest_tree_cell(tree, "phandle", GPIO);
	guest_tree_close(tree);
}

static void write_pl011(struct guest_tree *tree)
{
	const uint32_t interrupts[] = {2, 25}, clocks[] = {CLOCK_UART, CLOCK_CORE};

	open_device(tree, "serial", 0x7e201000, 0x200);
	guest_tree_strings(tree, "compatible", "arm,pl011", "arm,primecell");
	guest_tree_cells(tree, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	guest_tree_cells(tree, "clocks", clocks, ARRAY_SIZE(clocks));
	guest_tree_strings(tree, "clock-names", "uartclk", "apb_pclk");
	guest_tree_cell(tree, "arm,primecell-periphid", 0x00241011);
	guest_tree_close(tree);
}

static void write_soc(struct guest_tree *tree)
{
	const uint32_t ranges[] = {
	        0x7e000000, 0x3f000000, 0x01000000, 0x40000000, 0x40000000, 0x00001000,
	};

	guest_tree_open(tree, "soc");
	guest_tree_string(tree, "compatible", "simple-bus");
	guest_tree_cell(tree, "#address-cells", 1);
	guest_tree_cell(tree, "#size-cells", 1);
	guest_tree_cells(tree, "ranges", ranges, ARRAY_SIZE(ranges));
	write_controllers(tree);
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
		write_device(tree, &devices[i]);
	write_gpio(tree);
	write_pl011(tree);
	guest_tree_close(tree);
}

int guest_raspi3_write(void *buffer, size_t size, uint32_t nr_cpus)
{
	struct guest_tree tree;

	if (nr_cpus == 0 || nr_cpus > GUEST_RASPI3_MAX_CPUS)
		return ERR_INVALID;
	guest_tree_begin(&tree, buffer, size);
	guest_tree_open(&tree, "");
	guest_tree_string(&tree, "model", "Raspberry Pi 3 Model B");
	guest_tree_strings(&tree, "compatible", "raspberrypi,3-model-b", "brcm,bcm2837");
	guest_tree_cell(&tree, "#address-cells", 1);
	guest_tree_cell(&tree, "#size-cells", 1);
	guest_tree_cell(&tree, "interrupt-parent", ARMCTRL);

	guest_tree_open(&tree, "chosen");
	guest_tree_string(&tree, "stdout-path", "serial1:115200n8");
	guest_tree_close(&tree);
	guest_tree_open(&tree, "aliases");
	guest_tree_string(&tree, "serial0", "/soc/serial@7e201000");
	guest_tree_string(&tree, "serial1", "/soc/serial@7e215040");
	guest_tree_close(&tree);
	write_cpus(&tree, nr_cpus);
	write_timer(&tree);
	write_clock(&tree, "clk-uart", CLOCK_UART_HZ, CLOCK_UART);
	write_clock(&tree, "clk-core", CLOCK_CORE_HZ, CLOCK_CORE);
	write_soc(&tree);
	guest_tree_close(&tree);
	return guest_tree_finish(&tree);
}
