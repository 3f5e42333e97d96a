// SPDX-License-Identifier: Apache-2.0
/*
 * The smallest kernel: it was loaded, finds its device tree, prints, and powers off. Also built
 * as ELF and raw binary.
 */
#include "test.h"

#include "fdt.h"

#define EL_SHIFT 2

void test_main(void)
{
	print_raw("Hello from EL1\n");
	check_eq(read_sysreg(currentel) >> EL_SHIFT, 1, "hello-el1");
	check_eq(platform.image_base % PAGE_BYTES, 0, "hello-page-aligned");
	check_true(platform.tree != 0, "hello-device-tree");
#ifdef RAW_OR_ELF
	/* A machine may leave x0 alone for these; Mezzo does not. */
	if (test_under_mezzo())
		check_true(fdt_valid(platform.boot_x0), "hello-x0");
#else
	check_eq(platform.boot_x0, platform.tree, "hello-x0");
#endif
	check_true(platform.image_base >= platform.ram_base &&
	                   platform.image_base < platform.ram_base + platform.ram_bytes,
	           "hello-in-ram");
}
