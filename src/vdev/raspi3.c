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

#define RESET(chip)                            \
	static int reset_##chip(struct vm *vm) \
	{                                      \
		vbcm2835_##chip##_reset(vm);   \
		return 0;                      \
	}
RESET(systimer)
RESET(armtimer)
RESET(gpio)
RESET(cprman)
RESET(pm)
RESET(misc)
RESET(fb)
RESET(dma)
RESET(property)
RESET(mbox)

static int reset_console(struct vm *vm)
{
	raspi3_console_reset(vm);
	return 0;
}

static int reset_local(struct vm *vm)
{
	vbcm2836_reset(vm);
	return 0;
}

static int reset_usb(struct vm *vm)
{
	vdwc2_reset(vm);
	return 0;
}

static int reset_card(struct vm *vm)
{
	vsd_card_reset(vm);
	return 0;
}

static int reset_sdhci(struct vm *vm)
{
	vsdhci_reset(vm);
	return 0;
}

static int reset_sdhost(struct vm *vm)
{
	vsdhost_reset(vm);
	return 0;
}

// The interrupt controller before those who have lines to it.
static const struct model_part parts[] = {
        {create_board, reset_board},
        {vbcm2836_create, reset_local},
        {raspi3_console_create, reset_console},
        {vbcm2835_gpio_create, reset_gpio}, // after the UARTs, whose lines it connects
        {vbcm2835_systimer_create, reset_systimer},
        {vbcm2835_armtimer_create, reset_armtimer},
        {vbcm2835_cprman_create, reset_cprman},
        {vbcm2835_pm_create, reset_pm},
        {vbcm2835_misc_create, reset_misc},
        {vbcm2835_fb_create, reset_fb},
        {vbcm2835_property_create, reset_property},
        {vbcm2835_mbox_create, reset_mbox},
        {vbcm2835_dma_create, reset_dma}, // before the chips that connect to it
        {vdwc2_create, reset_usb},
        {vsd_card_create, reset_card}, // before its controllers
        {vsdhci_create, reset_sdhci},
        {vsdhost_create, reset_sdhost},
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
