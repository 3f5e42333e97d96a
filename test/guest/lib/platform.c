// SPDX-License-Identifier: Apache-2.0
/*
 * Fills `platform` from the device tree in x0; if x0 has none, from one at the start of QEMU
 * virt's RAM (where an ELF or raw program finds it); where a node is missing QEMU virt's numbers
 * stay. Runs once, MMU off.
 * Source: QEMU docs/system/arm/virt.rst and the tree itself; Linux
 * Documentation/devicetree/bindings for each node.
 */
#include "platform.h"

#include "fdt.h"

#define VIRT_RAM   0x40000000ul
#define VIRT_GICD  0x08000000ul
#define VIRT_GICC  0x08010000ul
#define VIRT_UART  0x09000000ul
#define VIRT_RTC   0x09010000ul
#define VIRT_GPIO  0x09030000ul
#define SPI_OF     32
#define UART_SPI   1
#define RTC_SPI    2
#define GPIO_SPI   7
#define TREE_SPI   0 /* first cell of an interrupt specifier */
#define MPIDR_BITS (BITS(39, 32) | BITS(23, 0))

struct platform platform;

static void read_device(const struct fdt_node *node, u64 *base, u64 *intid)
{
	const u8 *irq = fdt_prop(node, "interrupts", NULL);

	fdt_reg(node, 0, base, NULL);
	if (irq != NULL && fdt_cell(irq, 0) == TREE_SPI)
		*intid = fdt_cell(irq, 1) + SPI_OF;
}

static void read_gic(const struct fdt_node *node, unsigned version)
{
	platform.gic_version = version;
	fdt_reg(node, 0, &platform.gicd, NULL);
	if (version == 2)
		fdt_reg(node, 1, &platform.gicc, NULL);
	else
		fdt_reg(node, 1, &platform.gicr, &platform.gicr_bytes);
}

static void read_cpu(const struct fdt_node *node)
{
	u64 mpidr = 0;

	if (platform.cpu_count < MAX_CPUS && fdt_reg(node, 0, &mpidr, NULL))
		platform.mpidr[platform.cpu_count++] = mpidr & MPIDR_BITS;
}

static void read_node(const struct fdt_node *node)
{
	const char *type = (const char *)fdt_prop(node, "device_type", NULL);

	if (type != NULL && str_equal(type, "memory") && platform.ram_bytes == 0)
		fdt_reg(node, 0, &platform.ram_base, &platform.ram_bytes);
	else if (type != NULL && str_equal(type, "cpu"))
		read_cpu(node);
	else if (fdt_is_compatible(node, "arm,gic-v3"))
		read_gic(node, 3);
	else if (fdt_is_compatible(node, "arm,cortex-a15-gic") ||
	         fdt_is_compatible(node, "arm,gic-400"))
		read_gic(node, 2);
	else if (fdt_is_compatible(node, "arm,pl011") || fdt_is_compatible(node, "arm,sbsa-uart"))
		read_device(node, &platform.uart, &platform.uart_intid);
	else if (fdt_is_compatible(node, "arm,pl031"))
		read_device(node, &platform.rtc, &platform.rtc_intid);
	else if (fdt_is_compatible(node, "arm,pl061"))
		read_device(node, &platform.gpio, &platform.gpio_intid);
	else if (fdt_is_compatible(node, "virtio,mmio") && platform.virtio_count < MAX_VIRTIO)
		fdt_reg(node, 0, &platform.virtio[platform.virtio_count++], NULL);
	else if (str_equal(node->name, "psci") && fdt_prop(node, "method", NULL) != NULL)
		platform.psci_smc = str_equal((const char *)fdt_prop(node, "method", NULL), "smc");
	else if (str_equal(node->name, "hypervisor")) {
		platform.mezzo = fdt_is_compatible(node, "mezzo,mezzo");
		platform.xen = fdt_is_compatible(node, "xen,xen");
	} else if (str_equal(node->name, "chosen") && fdt_prop(node, "bootargs", NULL) != NULL) {
		platform.bootargs = (const char *)fdt_prop(node, "bootargs", NULL);
	}
}

void platform_init(u64 boot_x0, u64 image_base)
{
	struct fdt_walk walk;
	struct fdt_node node;

	platform = (struct platform){.boot_x0 = boot_x0,
	                             .image_base = image_base,
	                             .ram_base = VIRT_RAM,
	                             .uart = VIRT_UART,
	                             .uart_intid = UART_SPI + SPI_OF,
	                             .rtc = VIRT_RTC,
	                             .rtc_intid = RTC_SPI + SPI_OF,
	                             .gpio = VIRT_GPIO,
	                             .gpio_intid = GPIO_SPI + SPI_OF,
	                             .gic_version = 2,
	                             .gicd = VIRT_GICD,
	                             .gicc = VIRT_GICC,
	                             .bootargs = ""};
	if (fdt_valid(boot_x0))
		platform.tree = boot_x0;
	else if (fdt_valid(VIRT_RAM))
		platform.tree = VIRT_RAM;
	if (platform.tree != 0) {
		fdt_walk_start(&walk, platform.tree);
		while (fdt_walk_next(&walk, &node))
			read_node(&node);
	}
	if (platform.ram_bytes == 0)
		platform.ram_bytes = 16 * MIB;
	if (platform.cpu_count == 0)
		platform.cpu_count = 1;
}

u64 platform_arg(const char *name, u64 otherwise)
{
	size_t len = __builtin_strlen(name);

	for (const char *p = platform.bootargs; *p != '\0'; p++) {
		bool word_start = p == platform.bootargs || p[-1] == ' ';

		if (word_start && str_starts(p, name) && p[len] == '=') {
			u64 v = 0;

			for (p += len + 1; *p >= '0' && *p <= '9'; p++)
				v = v * 10 + (u64)(*p - '0');
			return v;
		}
	}
	return otherwise;
}
