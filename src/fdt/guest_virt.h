// SPDX-License-Identifier: Apache-2.0
// The device tree of a guest of model `virt`.
#ifndef FDT_GUEST_VIRT_H
#define FDT_GUEST_VIRT_H

#include "fdt/guest_tree.h"

#define GUEST_VIRT_MAX_CPUS  512
#define GUEST_VIRT_TREE_SIZE KIB(16) // enough for 8 CPUs, 40 devices and the longest command line
#define GUEST_VIRT_RNG_SIZE  32      // bytes of rng-seed

enum guest_device_kind { GUEST_PL011, GUEST_PL031, GUEST_PL061, GUEST_GWDT, GUEST_VIRTIO_MMIO };

struct guest_device {
	enum guest_device_kind kind;
	uint64_t base, size; // IPA, bytes
	uint32_t intid;      // of its SPI, 32 or more
};

// What a guest is to know. Pointers need only live during the call.
struct guest_virt {
	uint64_t ram_base, ram_size; // IPA, bytes
	uint32_t nr_cpus;            // 1..GUEST_VIRT_MAX_CPUS
	const uint64_t *mpidr;       // affinity of each
	uint32_t gic_version;        // 2 or 3
	uint64_t gicd_base, gicd_size;
	uint64_t gicc_base, gicc_size; // version 2
	uint64_t gicr_base, gicr_size; // version 3: one region
	uint32_t nr_devices;
	const struct guest_device *devices; // the first PL011 is the console
	uint64_t flash_base, flash_size;    // IPA; bytes of each of two banks of CFI flash; 0: none
	const char *bootargs;               // NULL: none
	uint64_t initrd_start, initrd_size; // IPA; size 0: none
	const uint8_t *rng_seed;            // GUEST_VIRT_RNG_SIZE bytes, NULL: none
	const uint64_t *kaslr_seed;         // NULL: none
};

// Writes the whole tree into `buffer` (8-byte aligned). Its size in bytes, or ERR_NO_MEMORY, or
// ERR_INVALID for a version or count that the model does not have.
int guest_virt_write(void *buffer, size_t size, const struct guest_virt *virt);

#endif
