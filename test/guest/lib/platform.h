/* SPDX-License-Identifier: Apache-2.0 */
/* What the device tree says about this machine, filled once before the MMU goes on. */
#ifndef GUEST_PLATFORM_H
#define GUEST_PLATFORM_H

#include "bits.h"

#define MAX_CPUS   8
#define MAX_VIRTIO 32

struct platform {
	u64 tree;       /* 0: none was found, everything below is QEMU virt's */
	u64 boot_x0;    /* as it was at entry */
	u64 image_base; /* where _start is */
	u64 ram_base, ram_bytes;
	u64 uart, uart_intid;
	u64 rtc, rtc_intid;
	u64 gpio, gpio_intid;
	unsigned gic_version; /* 2 or 3 */
	u64 gicd, gicc, gicr, gicr_bytes;
	unsigned cpu_count; /* CPUs that the tree names, at most MAX_CPUS */
	u64 mpidr[MAX_CPUS];
	bool psci_smc; /* conduit */
	bool mezzo;    /* the tree has Mezzo's /hypervisor node or Mezzo's calls answer */
	bool xen;      /* the tree has Xen's */
	unsigned virtio_count;
	u64 virtio[MAX_VIRTIO];
	const char *bootargs; /* "" if none */
};

extern struct platform platform;

void platform_init(u64 boot_x0, u64 image_base);
/* Value of `name=` (decimal) on the kernel's command line, or otherwise. */
u64 platform_arg(const char *name, u64 otherwise);

#endif
