// SPDX-License-Identifier: Apache-2.0
// The facts of each machine model. Owns nothing; called when a description is checked and a VM is built.
// Invariant: what model_ram() gives lies below ram_end, and kernel_size <= size <= memory.
// Source: QEMU, "virt" generic virtual platform; Raspberry Pi documentation, "config.txt", "Memory options".
#include "fdt/model_facts.h"

static const struct model_facts facts[] = {
        [DESC_MACHINE_VIRT] =
                {
                        .name = "virt",
                        .ram_base = GIB(1),
                        .min_memory = DESC_MIN_MEMORY,
                        .max_memory = DESC_MAX_MEMORY,
                        .ram_end = UINT64_MAX,
                        .max_cpus = DESC_MAX_VCPUS,
                        .has_gic = true,
                        .has_virtio = true,
                        .has_flash = true,
                },
        [DESC_MACHINE_RASPI3] =
                {
                        .name = "raspi3",
                        .ram_base = 0,
                        .min_memory = MIB(64),
                        .max_memory = GIB(1),
                        .boot_size = PAGE_SIZE,
                        .ram_end = MIB(1008), // the registers begin at 0x3f000000
                        .video = MIB(64),
                        .max_cpus = 4,
                        .has_sdcard = true,
                        .takes_raw = true,
                },
};

const struct model_facts *model_facts(enum desc_machine machine)
{
	return &facts[machine < ARRAY_SIZE(facts) ? machine : DESC_MACHINE_VIRT];
}

// On a small machine the video processor gets a quarter, which is enough for a picture.
struct model_ram model_ram(const struct model_facts *model, uint64_t memory)
{
	uint64_t most = model->ram_end - model->ram_base;
	uint64_t video = memory / 4 < model->video ? memory / 4 : model->video;

	video -= video % MIB(1); // so that the kernel's part ends at a whole MiB
	return (struct model_ram){
	        .size = memory < most ? memory : most,
	        .kernel_size = memory - video < most ? memory - video : most,
	};
}
