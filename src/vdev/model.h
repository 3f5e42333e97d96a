// SPDX-License-Identifier: Apache-2.0
// Machine models: which devices a VM is built from. A model is a table.
#ifndef VDEV_MODEL_H
#define VDEV_MODEL_H

#include "base/types.h"

struct vm;

// Where the board has GICv2's virtual CPU interface (size 0: nowhere). Once, at boot.
void model_set_gicv(pa_t base, uint64_t size);

// Builds the devices of model `virt` into a VM that has its vCPUs. gic_version 2 or 3.
// ERR_NO_MEMORY, or a device's own error.
int model_create(struct vm *vm, unsigned gic_version);

// Every device as after power-on, and what stage 2 maps for them. No vCPU of the VM runs; its stage 2
// is fresh. ERR_NO_MEMORY.
int model_reset(struct vm *vm);

// What the tree of a guest says beyond its devices.
struct model_chosen {
	const char *bootargs;               // NULL: none
	uint64_t initrd_start, initrd_size; // IPA; size 0: none
	const uint8_t *rng_seed;            // GUEST_VIRT_RNG_SIZE bytes, NULL: none
	const uint64_t *kaslr_seed;         // NULL: none
};

// Writes the VM's device tree, from what was built, into `buffer` (8-byte aligned). Its size in bytes,
// or ERR_NO_MEMORY.
int model_tree(const struct vm *vm, const struct model_chosen *chosen, void *buffer, size_t size);

#endif
