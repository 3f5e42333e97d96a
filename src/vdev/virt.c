// SPDX-License-Identifier: Apache-2.0
// Model `virt`: QEMU's machine of that name, device by device. Called when a VM is built and each time
// it begins. Owns where GICv2's virtual CPU interface is; constant after boot.
#include "vdev/model.h"

#include "fdt/guest_patch.h"
#include "fdt/guest_virt.h"
#include "vdev/vflash.h"
#include "vdev/vgic.h"
#include "vdev/vgwdt.h"
#include "vdev/vpl011.h"
#include "vdev/vpl031.h"
#include "vdev/vpl061.h"
#include "vdev/vvirtio.h"
#include "vdev/vvirtio_balloon.h"
#include "vdev/vvirtio_blk.h"
#include "vdev/vvirtio_console.h"
#include "vdev/vvirtio_mmio.h"
#include "vdev/vvirtio_net.h"
#include "vdev/vvirtio_rng.h"
#include "vdev/vvirtio_vsock.h"
#include "vm/pvtime.h"
#include "vm/vm.h"

static pa_t gicv_base;
static uint64_t gicv_size;

void model_set_gicv(pa_t base, uint64_t size)
{
	gicv_base = base;
	gicv_size = size;
}

static int create_gic(struct vm *vm)
{
	int error = vgic_create(vm, vm->gic_version);
	for (uint32_t i = 0; i < vm->nr_vcpus && error == 0; i++)
		vgic_link_hw(vm->vcpu[i], INTID_CNTV, INTID_CNTV);
	return error;
}

// The guest's GICC is the board's GICV: the CPU interface that works on the list registers.
static int reset_gic(struct vm *vm)
{
	vgic_reset(vm);
	if (vm->gic_version != 2 || vgic_is_soft(vm))
		return 0;
	return stage2_map_device(&vm->stage2, VGIC_GICC_BASE, gicv_base, gicv_size);
}

static int reset_uart(struct vm *vm)
{
	vpl011_reset(vm->uart);
	return 0;
}

static int create_rtc(struct vm *vm)
{
	return vpl031_create(vm, &vm->rtc);
}

static int reset_rtc(struct vm *vm)
{
	vpl031_reset(vm->rtc);
	return 0;
}

static int reset_power_key(struct vm *vm)
{
	vpl061_reset(vm->power_key);
	return 0;
}

static int reset_watchdog(struct vm *vm)
{
	vgwdt_reset(vm->watchdog);
	return 0;
}

static const struct model_part parts[] = {
        {.create = create_gic, .reset = reset_gic},
        {.create = vpl011_create, .reset = reset_uart},
        {.create = create_rtc, .reset = reset_rtc},
        {.create = vpl061_create, .reset = reset_power_key},
        {.create = vgwdt_create, .reset = reset_watchdog},
        {.create = vvirtio_create, .reset = vvirtio_reset_all, .quiet = vvirtio_quiet},
        // The kinds in the order of their slots.
        {.create = vvirtio_blk_create, .reset = vvirtio_blk_begin_life},
        {.create = vvirtio_net_create, .destroy = vvirtio_net_destroy},
        {.create = vvirtio_console_create},
        {.create = vvirtio_rng_create},
        {.create = vvirtio_balloon_create},
        {.create = vvirtio_vsock_create, .destroy = vvirtio_vsock_destroy},
        {.create = pvtime_create, .reset = pvtime_reset},
        {.create = vflash_create, .reset = vflash_reset},
};

// The devices that the tree names; the slots of virtio follow one another.
static unsigned list_devices(struct guest_device *list)
{
	unsigned n = 0;
	list[n++] = (struct guest_device){GUEST_PL011, VPL011_BASE, VPL011_SIZE, VPL011_INTID};
	list[n++] = (struct guest_device){GUEST_PL031, VPL031_BASE, VPL031_SIZE, VPL031_INTID};
	list[n++] = (struct guest_device){GUEST_PL061, VPL061_BASE, VPL061_SIZE, VPL061_INTID};
	list[n++] = (struct guest_device){GUEST_GWDT, VGWDT_BASE, VGWDT_SIZE, VGWDT_INTID};
	for (uint32_t i = 0; i < VVIRTIO_SLOTS; i++)
		list[n++] = (struct guest_device){GUEST_VIRTIO_MMIO,
		                                  VVIRTIO_BASE + i * VVIRTIO_SLOT_SIZE,
		                                  VVIRTIO_SLOT_SIZE, VVIRTIO_FIRST_INTID + i};
	return n;
}

static int patch_tree(const struct vm *vm, const struct model_chosen *chosen, void *buffer,
                      size_t size)
{
	const struct guest_patch patch = {
	        .ram_base = vm->ram_base,
	        .ram_size = vm->ram_size,
	        .bootargs = chosen->bootargs,
	        .initrd_start = chosen->initrd_start,
	        .initrd_size = chosen->initrd_size,
	        .rng_seed = chosen->rng_seed,
	        .kaslr_seed = chosen->kaslr_seed,
	};
	return guest_patch(buffer, size, chosen->dtb, chosen->dtb_size, &patch);
}

static int write_tree(const struct vm *vm, const struct model_chosen *chosen, void *buffer,
                      size_t size)
{
	struct guest_device devices[4 + VVIRTIO_SLOTS];
	if (chosen->dtb != NULL)
		return patch_tree(vm, chosen, buffer, size);
	uint64_t mpidr[VM_MAX_VCPUS];
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		mpidr[i] = vgic_affinity(i);
	struct guest_virt virt = {
	        .ram_base = vm->ram_base,
	        .ram_size = vm->ram_size,
	        .nr_cpus = vm->nr_vcpus,
	        .mpidr = mpidr,
	        .gic_version = vm->gic_version,
	        .gicd_base = VGIC_GICD_BASE,
	        .gicd_size = KIB(64),
	        .gicc_base = VGIC_GICC_BASE,
	        .gicc_size = KIB(64),
	        .gicr_base = VGIC_GICR_BASE,
	        .gicr_size = (uint64_t)VGIC_GICR_STRIDE * vm->nr_vcpus,
	        .nr_devices = list_devices(devices),
	        .devices = devices,
	        .flash_base = VFLASH_BASE,
	        .flash_size = vm->flash != NULL ? VFLASH_BANK_SIZE : 0,
	        .bootargs = chosen->bootargs,
	        .initrd_start = chosen->initrd_start,
	        .initrd_size = chosen->initrd_size,
	        .rng_seed = chosen->rng_seed,
	        .kaslr_seed = chosen->kaslr_seed,
	};
	return guest_virt_write(buffer, size, &virt);
}

const struct model model_virt = {
        .name = "virt",
        .parts = parts,
        .nr_parts = ARRAY_SIZE(parts),
        .tree = write_tree,
};
