// SPDX-License-Identifier: Apache-2.0
// Machine models: which devices a VM is built from, and how it starts. A model is a table.
#ifndef VDEV_MODEL_H
#define VDEV_MODEL_H

#include "base/types.h"
#include "fdt/desc.h"

struct vm;
struct model_chosen;

// One device, or one group of them.
struct model_part {
	// Builds it into a VM that has its vCPUs. ERR_NO_MEMORY, or an error of its own.
	int (*create)(struct vm *vm);
	// As after power-on; no vCPU of the VM runs, and its stage 2 is fresh. NULL: has no state.
	int (*reset)(struct vm *vm);
	// Lets go of the VM's memory, which is about to be given back: true when nothing outside reads or writes it for
	// the device any more, nor will before the next reset. No vCPU of the VM runs. NULL: nothing ever does.
	bool (*quiet)(struct vm *vm);
	// Lets go of what it has outside of the VM: the VM is about to be freed, perhaps built only in part. NULL: nothing.
	void (*destroy)(struct vm *vm);
};

struct model {
	const char *name;
	const struct model_part *parts;
	unsigned nr_parts;
	// Writes the tree of a VM that was built; see model_tree.
	int (*tree)(const struct vm *vm, const struct model_chosen *chosen, void *buffer,
	            size_t size);
	// Makes what the machine's own start code leaves at the start of RAM: facts->boot_size bytes. NULL:
	// nothing.
	void (*boot)(const struct vm *vm, const struct model_chosen *chosen, uint8_t *bytes);
	// IPA, bytes: the code in which cores other than the first wait from the start; 0 bytes: they are off until
	// they are switched on.
	uint64_t park, park_size;
};

extern const struct model model_virt, model_raspi3;

// Where the board has GICv2's virtual CPU interface (size 0: nowhere). Once, at boot.
void model_set_gicv(pa_t base, uint64_t size);

// Gives a VM that has only its vCPUs its model: where its memory lies. `memory` bytes as the description
// says, within the model's limits.
void model_choose(struct vm *vm, enum desc_machine machine, uint64_t memory);

// Builds the model's devices into a VM that has its vCPUs. gic_version 2 or 3, or 0 where the model has no
// GIC. ERR_NO_MEMORY, or a device's own error.
int model_create(struct vm *vm, unsigned gic_version);

// Every device as after power-on, and what stage 2 maps for them. No vCPU of the VM runs; its stage 2
// is fresh. ERR_NO_MEMORY.
int model_reset(struct vm *vm);

// Whether no device of the VM has anything outside work in its memory any more; to be asked again until it is so,
// before the memory is given back. No vCPU of the VM runs.
bool model_quiet(struct vm *vm);

// Every device lets go of what it has outside of the VM, before the VM is freed. Nothing of it runs; also if its devices
// were built only in part.
void model_destroy(struct vm *vm);

// What a guest is told beyond its devices.
struct model_chosen {
	const char *bootargs;               // NULL: none
	uint64_t initrd_start, initrd_size; // IPA; size 0: none
	const uint8_t *rng_seed;            // GUEST_VIRT_RNG_SIZE bytes, NULL: none
	const uint64_t *kaslr_seed;         // NULL: none
	const void *dtb;                    // a tree that came along, NULL: none
	uint64_t dtb_size;                  // bytes
};

// Writes the VM's device tree into `buffer` (8-byte aligned): from what was built, or what came along with
// what this VM is told put in. Its size in bytes, or ERR_NO_MEMORY, or ERR_INVALID: what
// came along is no device tree.
int model_tree(const struct vm *vm, const struct model_chosen *chosen, void *buffer, size_t size);

// What lies at the start of the VM's RAM when it starts, facts->boot_size zeroed bytes. Only if that is not 0.
void model_boot(const struct vm *vm, const struct model_chosen *chosen, uint8_t *bytes);

#endif
