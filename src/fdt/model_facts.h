// SPDX-License-Identifier: Apache-2.0
// What each machine model fixes about a guest before anything of it is built: where its memory lies and how
// much of it there may be, how many CPUs, whether it has a GIC. For EL2 and for the host command alike.
#ifndef FDT_MODEL_FACTS_H
#define FDT_MODEL_FACTS_H

#include "fdt/desc.h"

#define MODEL_TREE_ROOM KIB(16) // for a generated tree, or for what is added to one that came along

struct model_facts {
	const char *name;                // as `machine =` has it
	uint64_t ram_base;               // IPA
	uint64_t min_memory, max_memory; // bytes that `memory =` may say
	uint64_t boot_size;              // bytes at ram_base that the boot protocol takes; 0: none
	uint64_t ram_end;                // IPA that RAM never reaches, whatever `memory =` says
	uint64_t video; // bytes at the top of `memory` for a video processor, at most
	uint32_t max_cpus;
	bool has_gic;
	bool has_sdcard; // a slot for one
	bool has_virtio; // devices of virtio: disks, networks
	bool has_flash;  // in which firmware may be
	bool takes_raw;  // a file without a header is a kernel, with or without `load =`
};

// Never NULL.
const struct model_facts *model_facts(enum desc_machine machine);

// How `memory` bytes are laid out: RAM of `size` bytes from facts->ram_base on, of which the kernel is told
// about the first `kernel_size`; the rest is the video processor's.
struct model_ram {
	uint64_t size, kernel_size;
};
struct model_ram model_ram(const struct model_facts *facts, uint64_t memory);

#endif
