// SPDX-License-Identifier: Apache-2.0
// The device tree of a guest of model `virt`: the parts that QEMU's board of that name has, in a form that
// the kernel's schemas accept.
//
// Owns nothing. Called when a VM is built or rebooted.
// Invariant: everything the guest is told comes from *virt or is fixed by the model; no byte of the
// board's own tree gets through.
// Source: QEMU, hw/arm/virt.c, for what is there; Linux kernel, Documentation/devicetree/bindings, for
// how it is written.
#include "fdt/guest_virt.h"

#include "base/bits.h"
#include "base/print.h"

// Phandles. CPUs have PHANDLE_CPU and up.
#define PHANDLE_GIC   1
#define PHANDLE_CLOCK 2
#define PHANDLE_GPIO  3
#define PHANDLE_CPU   16

#define FIRST_SPI          32
#define CLOCK_HZ           24000000 // the PL011's input, as on QEMU's board
#define IRQ_ALL_CPUS_SHIFT 8        // GICv2: the CPUs that a private interrupt exists on
#define GICV2_MAX_CPUS     8
#define TIMER_SECURE_PPI   13
#define TIMER_PHYSICAL_PPI 14
#define TIMER_VIRTUAL_PPI  11
#define TIMER_HYP_PPI      10
#define MAX_NODE_PATH      32
#define POWER_KEY_LINE     3   // of the PL061
#define KEY_POWER          116 // Linux's number for the key
#define GPIO_ACTIVE_HIGH   0

// Kernels take one cell or two here; the older schemas only one.
static void write_address(struct guest_tree *tree, const char *name, uint64_t address)
{
	if (address <= UINT32_MAX)
		guest_tree_cell(tree, name, (uint32_t)address);
	else
		guest_tree_u64(tree, name, address);
}

static void write_chosen(struct guest_tree *tree, const struct guest_virt *virt,
                         const struct guest_device *console)
{
	char path[MAX_NODE_PATH];

	guest_tree_open(tree, "chosen");
	if (console != NULL) {
		(void)print_buffer(path, sizeof(path), "/serial@%llx",
		                   (unsigned long long)console->base);
		guest_tree_string(tree, "stdout-path", path);
	}
	if (virt->bootargs != NULL)
		guest_tree_string(tree, "bootargs", virt->bootargs);
	if (virt->initrd_size != 0) {
		write_address(tree, "linux,initrd-start", virt->initrd_start);
		write_address(tree, "linux,initrd-end", virt->initrd_start + virt->initrd_size);
	}
	if (virt->rng_seed != NULL)
		guest_tree_bytes(tree, "rng-seed", virt->rng_seed, GUEST_VIRT_RNG_SIZE);
	if (virt->kaslr_seed != NULL)
		guest_tree_u64(tree, "kaslr-seed", *virt->kaslr_seed);
	guest_tree_close(tree);

	if (console == NULL)
		return;
	guest_tree_open(tree, "aliases");
	guest_tree_string(tree, "serial0", path);
	guest_tree_close(tree);
}

static void write_memory(struct guest_tree *tree, const struct guest_virt *virt)
{
	const uint64_t reg[][2] = {{virt->ram_base, virt->ram_size}};

	guest_tree_open_at(tree, "memory", virt->ram_base);
	guest_tree_string(tree, "device_type", "memory");
	guest_tree_reg(tree, reg, 1);
	guest_tree_close(tree);
}

// One cell for a CPU's number unless some CPU has an affinity in the upper word.
static uint32_t mpidr_cells(const struct guest_virt *virt)
{
	for (uint32_t i = 0; i < virt->nr_cpus; i++) {
		if (virt->mpidr[i] > UINT32_MAX)
			return 2;
	}
	return 1;
}

static void write_cpu_map(struct guest_tree *tree, const struct guest_virt *virt)
{
	char name[MAX_NODE_PATH];

	guest_tree_open(tree, "cpu-map");
	guest_tree_open(tree, "socket0");
	guest_tree_open(tree, "cluster0");
	for (uint32_t i = 0; i < virt->nr_cpus; i++) {
		(void)print_buffer(name, sizeof(name), "core%u", i);
		guest_tree_open(tree, name);
		guest_tree_cell(tree, "cpu", PHANDLE_CPU + i);
		guest_tree_close(tree);
	}
	guest_tree_close(tree);
	guest_tree_close(tree);
	guest_tree_close(tree);
}

static void write_cpus(struct guest_tree *tree, const struct guest_virt *virt)
{
	const uint32_t cells = mpidr_cells(virt);

	guest_tree_open(tree, "cpus");
	guest_tree_cell(tree, "#address-cells", cells);
	guest_tree_cell(tree, "#size-cells", 0);
	for (uint32_t i = 0; i < virt->nr_cpus; i++) {
		guest_tree_open_at(tree, "cpu", virt->mpidr[i]);
		guest_tree_string(tree, "device_type", "cpu");
		guest_tree_string(tree, "compatible", "arm,armv8");
		if (cells == 1)
			guest_tree_cell(tree, "reg", (uint32_t)virt->mpidr[i]);
		else
			guest_tree_u64(tree, "reg", virt->mpidr[i]);
		guest_tree_string(tree, "enable-method", "psci");
		guest_tree_cell(tree, "phandle", PHANDLE_CPU + i);
		guest_tree_close(tree);
	}
	write_cpu_map(tree, virt);
	guest_tree_close(tree);
}

// What every guest has and no register stands behind.
static void write_platform(struct guest_tree *tree)
{
	guest_tree_open(tree, "psci");
	guest_tree_strings(tree, "compatible", "arm,psci-1.0", "arm,psci-0.2");
	guest_tree_string(tree, "method", "hvc");
	guest_tree_close(tree);

	guest_tree_open(tree, "hypervisor");
	guest_tree_string(tree, "compatible", "mezzo,mezzo");
	guest_tree_close(tree);

	guest_tree_open(tree, "apb-pclk");
	guest_tree_string(tree, "compatible", "fixed-clock");
	guest_tree_cell(tree, "#clock-cells", 0);
	guest_tree_cell(tree, "clock-frequency", CLOCK_HZ);
	guest_tree_string(tree, "clock-output-names", "clk24mhz");
	guest_tree_cell(tree, "phandle", PHANDLE_CLOCK);
	guest_tree_close(tree);
}

// GICv2 names the CPUs that have a private interrupt; GICv3 does not.
static uint32_t ppi_flags(const struct guest_virt *virt)
{
	if (virt->gic_version != 2)
		return GUEST_IRQ_LEVEL;
	return GUEST_IRQ_LEVEL | (uint32_t)GENMASK_U64(virt->nr_cpus - 1, 0) << IRQ_ALL_CPUS_SHIFT;
}

static void write_timer(struct guest_tree *tree, const struct guest_virt *virt)
{
	const uint32_t flags = ppi_flags(virt);
	const uint32_t interrupts[] = {
	        GUEST_IRQ_PPI, TIMER_SECURE_PPI,  flags, GUEST_IRQ_PPI, TIMER_PHYSICAL_PPI, flags,
	        GUEST_IRQ_PPI, TIMER_VIRTUAL_PPI, flags, GUEST_IRQ_PPI, TIMER_HYP_PPI,      flags,
	};

	guest_tree_open(tree, "timer");
	guest_tree_string(tree, "compatible", "arm,armv8-timer");
	guest_tree_cells(tree, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	guest_tree_flag(tree, "always-on");
	guest_tree_close(tree);
}

static void write_gic(struct guest_tree *tree, const struct guest_virt *virt)
{
	const bool v2 = virt->gic_version == 2;
	const uint64_t reg[][2] = {
	        {virt->gicd_base, virt->gicd_size},
	        {v2 ? virt->gicc_base : virt->gicr_base, v2 ? virt->gicc_size : virt->gicr_size},
	};

	guest_tree_open_at(tree, "interrupt-controller", virt->gicd_base);
	guest_tree_string(tree, "compatible", v2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
	guest_tree_reg(tree, reg, ARRAY_SIZE(reg));
	guest_tree_flag(tree, "interrupt-controller");
	guest_tree_cell(tree, "#interrupt-cells", 3);
	// No node points to it with an address, so it counts none.
	guest_tree_cell(tree, "#address-cells", 0);
	guest_tree_cell(tree, "phandle", PHANDLE_GIC);
	guest_tree_close(tree);
}

static void write_primecell(struct guest_tree *tree, const struct guest_device *device,
                            const char *name, const char *compatible)
{
	const uint64_t reg[][2] = {{device->base, device->size}};

	guest_tree_open_at(tree, name, device->base);
	guest_tree_strings(tree, "compatible", compatible, "arm,primecell");
	guest_tree_reg(tree, reg, 1);
	guest_tree_irq(tree, GUEST_IRQ_SPI, device->intid - FIRST_SPI, GUEST_IRQ_LEVEL);
}

static void write_pl011(struct guest_tree *tree, const struct guest_device *device)
{
	const uint32_t clocks[] = {PHANDLE_CLOCK, PHANDLE_CLOCK};

	write_primecell(tree, device, "serial", "arm,pl011");
	guest_tree_cells(tree, "clocks", clocks, ARRAY_SIZE(clocks));
	guest_tree_strings(tree, "clock-names", "uartclk", "apb_pclk");
	guest_tree_close(tree);
}

static void write_pl031(struct guest_tree *tree, const struct guest_device *device)
{
	write_primecell(tree, device, "rtc", "arm,pl031");
	guest_tree_cell(tree, "clocks", PHANDLE_CLOCK);
	guest_tree_string(tree, "clock-names", "apb_pclk");
	guest_tree_close(tree);
}

// The lines, and the power key on one of them.
static void write_pl061(struct guest_tree *tree, const struct guest_device *device)
{
	const uint32_t line[] = {PHANDLE_GPIO, POWER_KEY_LINE, GPIO_ACTIVE_HIGH};

	write_primecell(tree, device, "gpio", "arm,pl061");
	guest_tree_cell(tree, "clocks", PHANDLE_CLOCK);
	guest_tree_string(tree, "clock-names", "apb_pclk");
	guest_tree_flag(tree, "gpio-controller");
	guest_tree_cell(tree, "#gpio-cells", 2);
	guest_tree_flag(tree, "interrupt-controller");
	guest_tree_cell(tree, "#interrupt-cells", 2);
	guest_tree_cell(tree, "phandle", PHANDLE_GPIO);
	guest_tree_close(tree);

	guest_tree_open(tree, "gpio-keys");
	guest_tree_string(tree, "compatible", "gpio-keys");
	guest_tree_open(tree, "key-poweroff");
	guest_tree_string(tree, "label", "GPIO Key Poweroff");
	guest_tree_cell(tree, "linux,code", KEY_POWER);
	guest_tree_cells(tree, "gpios", line, ARRAY_SIZE(line));
	guest_tree_close(tree);
	guest_tree_close(tree);
}

// Control frame, refresh frame: the halves of its registers.
static void write_gwdt(struct guest_tree *tree, const struct guest_device *device)
{
	const uint64_t half = device->size / 2;
	const uint64_t reg[][2] = {{device->base, half}, {device->base + half, half}};

	guest_tree_open_at(tree, "watchdog", device->base);
	guest_tree_string(tree, "compatible", "arm,sbsa-gwdt");
	guest_tree_reg(tree, reg, ARRAY_SIZE(reg));
	guest_tree_irq(tree, GUEST_IRQ_SPI, device->intid - FIRST_SPI, GUEST_IRQ_LEVEL);
	guest_tree_close(tree);
}

static void write_virtio(struct guest_tree *tree, const struct guest_device *device)
{
	const uint64_t reg[][2] = {{device->base, device->size}};

	guest_tree_open_at(tree, "virtio", device->base);
	guest_tree_string(tree, "compatible", "virtio,mmio");
	guest_tree_reg(tree, reg, 1);
	guest_tree_irq(tree, GUEST_IRQ_SPI, device->intid - FIRST_SPI, GUEST_IRQ_EDGE);
	guest_tree_flag(tree, "dma-coherent");
	guest_tree_close(tree);
}

// The bus between the two chips of a bank has 32 lines.
static void write_flash(struct guest_tree *tree, const struct guest_virt *virt)
{
	const uint64_t reg[][2] = {{virt->flash_base, virt->flash_size},
	                           {virt->flash_base + virt->flash_size, virt->flash_size}};

	if (virt->flash_size == 0)
		return;
	guest_tree_open_at(tree, "flash", virt->flash_base);
	guest_tree_string(tree, "compatible", "cfi-flash");
	guest_tree_reg(tree, reg, ARRAY_SIZE(reg));
	guest_tree_cell(tree, "bank-width", 4);
	guest_tree_close(tree);
}

static void (*const device_writers[])(struct guest_tree *, const struct guest_device *) = {
        [GUEST_PL011] = write_pl011,        [GUEST_PL031] = write_pl031,
        [GUEST_PL061] = write_pl061,        [GUEST_GWDT] = write_gwdt,
        [GUEST_VIRTIO_MMIO] = write_virtio,
};

static bool is_sound(const struct guest_virt *virt)
{
	if (virt->nr_cpus == 0 || virt->nr_cpus > GUEST_VIRT_MAX_CPUS)
		return false;
	if (virt->gic_version != 3 && (virt->gic_version != 2 || virt->nr_cpus > GICV2_MAX_CPUS))
		return false;
	for (uint32_t i = 0; i < virt->nr_devices; i++) {
		if ((unsigned)virt->devices[i].kind >= ARRAY_SIZE(device_writers) ||
		    virt->devices[i].intid < FIRST_SPI)
			return false;
	}
	return true;
}

static const struct guest_device *find_console(const struct guest_virt *virt)
{
	for (uint32_t i = 0; i < virt->nr_devices; i++) {
		if (virt->devices[i].kind == GUEST_PL011)
			return &virt->devices[i];
	}
	return NULL;
}

int guest_virt_write(void *buffer, size_t size, const struct guest_virt *virt)
{
	struct guest_tree tree;

	if (!is_sound(virt))
		return ERR_INVALID;
	guest_tree_begin(&tree, buffer, size);
	guest_tree_open(&tree, "");
	// Programs know the board by this name.
	guest_tree_string(&tree, "model", "linux,dummy-virt");
	guest_tree_string(&tree, "compatible", "linux,dummy-virt");
	guest_tree_cell(&tree, "#address-cells", 2);
	guest_tree_cell(&tree, "#size-cells", 2);
	guest_tree_cell(&tree, "interrupt-parent", PHANDLE_GIC);

	write_chosen(&tree, virt, find_console(virt));
	write_memory(&tree, virt);
	write_cpus(&tree, virt);
	write_platform(&tree);
	write_timer(&tree, virt);
	write_gic(&tree, virt);
	write_flash(&tree, virt);
	for (uint32_t i = 0; i < virt->nr_devices; i++)
		device_writers[virt->devices[i].kind](&tree, &virt->devices[i]);

	guest_tree_close(&tree);
	return guest_tree_finish(&tree);
}
