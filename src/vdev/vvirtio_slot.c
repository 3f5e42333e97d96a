// SPDX-License-Identifier: Apache-2.0
// Empty virtio-mmio slots. Owns no state; called by the MMIO map. A driver finds the magic number and
// device 0, "no device", and goes on to the next slot.
// Source: Virtual I/O Device (VIRTIO) 1.2, "MMIO Device Register Layout"; version and vendor are those
// read on QEMU's board virt, whose slots are of the legacy kind unless told otherwise.
#include "vdev/vvirtio_slot.h"

#include "base/bits.h"
#include "vm/vm.h"

// By word; what is not here reads as zero.
static const uint32_t regs[] = {
        0x74726976, // MagicValue: "virt"
        1,          // Version: legacy
        0,          // DeviceID: none
        0x554d4551, // VendorID: "QEMU"
};

static bool slot_read(void *dev UNUSED, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t *value)
{
	if (size > 4)
		return false;
	offset %= VVIRTIO_SLOT_SIZE;
	*value = size == 4 && offset % 4 == 0 && offset / 4 < ARRAY_SIZE(regs) ? regs[offset / 4]
	                                                                       : 0;
	return true;
}

static uint64_t slot_quick_read(void *dev UNUSED, struct vcpu *vcpu UNUSED, uint32_t offset,
                                unsigned size)
{
	offset %= VVIRTIO_SLOT_SIZE;
	if (size != 4 || offset % 4 != 0)
		return MMIO_ASK;
	return offset / 4 < ARRAY_SIZE(regs) ? regs[offset / 4] : 0;
}

static bool slot_write(void *dev UNUSED, struct vcpu *vcpu UNUSED, uint32_t offset UNUSED,
                       unsigned size, uint64_t value UNUSED)
{
	return size <= 4;
}

static const struct mmio_ops ops = {
        .name = "virtio-mmio (empty)",
        .read = slot_read,
        .write = slot_write,
        .quick_read = slot_quick_read,
        .quick_write = slot_write,
};

int vvirtio_slot_create(struct vm *vm)
{
	return mmio_add(&vm->mmio, VVIRTIO_BASE, VVIRTIO_SLOT_SIZE * VVIRTIO_SLOTS, &ops, NULL);
}
