// SPDX-License-Identifier: Apache-2.0
// Model `raspi3`: a Raspberry Pi 3 Model B, device by device. Called when a VM is built and each time it
// begins. Owns nothing.
// Source: BCM2835 ARM Peripherals, "Address map"; ARM Quad A7 core (QA7 rev 3.4), "Registers".
#include "vdev/raspi3.h"

#include "fdt/guest_patch.h"
#include "fdt/guest_raspi3.h"
#include "vdev/raspi3_boot.h"
#include "vdev/raspi3_console.h"
#include "vdev/vbcm2835_armtimer.h"
#include "vdev/vbcm2835_cprman.h"
#include "vdev/vbcm2835_dma.h"
#include "vdev/vbcm2835_fb.h"
#include "vdev/vbcm2835_gpio.h"
#include "vdev/vbcm2835_mbox.h"
#include "vdev/vbcm2835_misc.h"
#include "vdev/vbcm2835_pm.h"
#include "vdev/vbcm2835_property.h"
#include "vdev/vbcm2835_systimer.h"
#include "vdev/vbcm2836.h"
#include "vdev/vdwc2.h"
#include "vdev/vsd_card.h"
#include "vdev/vsdhci.h"
#include "vdev/vsdhost.h"
#include "vm/vm.h"

// The chip does not fault where it has no registers.
static int create_board(struct vm *vm)
{
	vm->raspi3 = vm_alloc(vm, sizeof *vm->raspi3);
	vm->mmio.background_base = RASPI3_IO_BASE;
	vm->mmio.background_size = RASPI3_IO_SIZE;
	return vm->raspi3 != NULL ? 0 : ERR_NO_MEMORY;
}

static int reset_board(struct vm *vm)
{
	store_relaxed(&vm->mmio.unanswered, 0);
	return 0;
}

// ---- the table ----

// Of a part whose reset cannot fail.
#define RESET(part)                            \
	static int reset_##part(struct vm *vm) \
	{                                      \
		part##_reset(vm);              \
		return 0;                      \
	}
RESET(vbcm2836)
RESET(raspi3_console)
RESET(vbcm2835_gpio)
RESET(vbcm2835_systimer)
RESET(vbcm2835_armtimer)
RESET(vbcm2835_cprman)
RESET(vbcm2835_pm)
RESET(vbcm2835_misc)
RESET(vbcm2835_fb)
RESET(vbcm2835_property)
RESET(vbcm2835_mbox)
RESET(vbcm2835_dma)
RESET(vdwc2)
RESET(vsd_card)
RESET(vsdhci)
RESET(vsdhost)

// The interrupt controller before those who have lines to it.
static const struct model_part parts[] = {
        {.create = create_board, .reset = reset_board},
        {.create = vbcm2836_create, .reset = reset_vbcm2836},
        {.create = raspi3_console_create, .reset = reset_raspi3_console},
        {.create = vbcm2835_gpio_create,
         .reset = reset_vbcm2835_gpio}, // after the UARTs, whose lines it connects
        {.create = vbcm2835_systimer_create, .reset = reset_vbcm2835_systimer},
        {.create = vbcm2835_armtimer_create, .reset = reset_vbcm2835_armtimer},
        {.create = vbcm2835_cprman_create, .reset = reset_vbcm2835_cprman},
        {.create = vbcm2835_pm_create, .reset = reset_vbcm2835_pm},
        {.create = vbcm2835_misc_create, .reset = reset_vbcm2835_misc},
        {.create = vbcm2835_fb_create, .reset = reset_vbcm2835_fb},
        {.create = vbcm2835_property_create, .reset = reset_vbcm2835_property},
        {.create = vbcm2835_mbox_create, .reset = reset_vbcm2835_mbox},
        {.create = vbcm2835_dma_create,
         .reset = reset_vbcm2835_dma}, // before the chips that connect to it
        {.create = vdwc2_create, .reset = reset_vdwc2},
        {.create = vsd_card_create, .reset = reset_vsd_card}, // before its controllers
        {.create = vsdhci_create, .reset = reset_vsdhci},
        {.create = vsdhost_create, .reset = reset_vsdhost},
};

// The board's tree, or a plain one, with what its firmware would put in.
static int write_tree(const struct vm *vm, const struct model_chosen *chosen, void *buffer,
                      size_t size)
{
	const struct guest_patch patch = {
	        .ram_base = vm->ram_base,
	        .ram_size = vm->video_base - vm->ram_base,
	        .bootargs = chosen->bootargs,
	        .initrd_start = chosen->initrd_start,
	        .initrd_size = chosen->initrd_size,
	        .rng_seed = chosen->rng_seed,
	        .kaslr_seed = chosen->kaslr_seed,
	        .nr_cpus = vm->nr_vcpus,
	        .spin_table = GUEST_RASPI3_SPIN_TABLE,
	        .reserved_size = PAGE_SIZE,
	};
	if (chosen->dtb != NULL)
		return guest_patch(buffer, size, chosen->dtb, chosen->dtb_size, &patch);
	int length = guest_raspi3_write(buffer, size, vm->nr_vcpus);
	return length < 0 ? length : guest_patch(buffer, size, buffer, (size_t)length, &patch);
}

const struct model model_raspi3 = {
        .name = "raspi3",
        .parts = parts,
        .nr_parts = ARRAY_SIZE(parts),
        .tree = write_tree,
        .boot = raspi3_boot_write,
        .park = 0,
        .park_size = GUEST_RASPI3_SPIN_TABLE,
};
