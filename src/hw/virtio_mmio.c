// SPDX-License-Identifier: Apache-2.0
// Virtio devices behind a page of registers: version 2 of the standard, and version 1, the legacy kind, which QEMU's
// boards have unless told otherwise. Owns nothing but the registers; called by hw/host_devices.c at boot, then through
// struct virtio_transport.
// Invariant: no register outside of what the tree gives the slot is touched.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Virtio Over MMIO", "MMIO Device Register Layout", "Legacy interface".
#include "hw/virtio_mmio.h"

#include "arm/io.h"
#include "base/log.h"
#include "base/print.h"
#include "hw/intc.h"
#include "hw/virtio.h"
#include "mem/el2map.h"

#define NO_GENERATION 0

static uint32_t reg(const struct virtio_dev *dev, enum virtio_mmio_reg offset)
{
	return io_read32(dev->base + offset);
}

static void set_reg(const struct virtio_dev *dev, enum virtio_mmio_reg offset, uint32_t value)
{
	io_write32(dev->base + offset, value);
}

static uint8_t get_status(const struct virtio_dev *dev)
{
	return (uint8_t)reg(dev, VIRTIO_MMIO_STATUS);
}

static void set_status(const struct virtio_dev *dev, uint8_t status)
{
	set_reg(dev, VIRTIO_MMIO_STATUS, status);
	if (status == 0 && dev->transport == &virtio_mmio_legacy)
		set_reg(dev, VIRTIO_MMIO_LEGACY_PAGE_SIZE,
		        (uint32_t)PAGE_SIZE); // for the next life
}

static uint64_t features(const struct virtio_dev *dev)
{
	set_reg(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	uint64_t high = reg(dev, VIRTIO_MMIO_DEVICE_FEATURES);
	set_reg(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return high << 32 | reg(dev, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void set_features(const struct virtio_dev *dev, uint64_t value)
{
	set_reg(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set_reg(dev, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(value >> 32));
	set_reg(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set_reg(dev, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)value);
}

static uint32_t queue_max(const struct virtio_dev *dev, uint16_t index)
{
	bool legacy = dev->transport == &virtio_mmio_legacy;
	set_reg(dev, VIRTIO_MMIO_QUEUE_SEL, index);
	if (reg(dev, legacy ? VIRTIO_MMIO_LEGACY_QUEUE_PFN : VIRTIO_MMIO_QUEUE_READY) != 0)
		return 0;
	return reg(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

static void set_address(const struct virtio_dev *dev, enum virtio_mmio_reg low, const void *at)
{
	set_reg(dev, low, (uint32_t)(uintptr_t)at);
	set_reg(dev, low + 4, (uint32_t)((uintptr_t)at >> 32));
}

static int queue_start(const struct virtio_dev *dev, struct virtio_ring *ring)
{
	set_reg(dev, VIRTIO_MMIO_QUEUE_SEL, ring->index);
	set_reg(dev, VIRTIO_MMIO_QUEUE_NUM, ring->size);
	set_address(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc);
	set_address(dev, VIRTIO_MMIO_QUEUE_DRIVER_LOW, ring->avail);
	set_address(dev, VIRTIO_MMIO_QUEUE_DEVICE_LOW, ring->used);
	set_reg(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

// One number tells where all of it is.
static int legacy_queue_start(const struct virtio_dev *dev, struct virtio_ring *ring)
{
	uint64_t frame = (uintptr_t)ring->desc >> PAGE_SHIFT;
	if (frame > UINT32_MAX)
		return ERR_RANGE;
	set_reg(dev, VIRTIO_MMIO_QUEUE_SEL, ring->index);
	set_reg(dev, VIRTIO_MMIO_QUEUE_NUM, ring->size);
	set_reg(dev, VIRTIO_MMIO_LEGACY_QUEUE_ALIGN, (uint32_t)PAGE_SIZE);
	set_reg(dev, VIRTIO_MMIO_LEGACY_QUEUE_PFN, (uint32_t)frame);
	return 0;
}

static void notify(const struct virtio_dev *dev, const struct virtio_ring *ring)
{
	set_reg(dev, VIRTIO_MMIO_QUEUE_NOTIFY, ring->index);
}

static uint32_t acknowledge(const struct virtio_dev *dev)
{
	uint32_t why = reg(dev, VIRTIO_MMIO_INTERRUPT_STATUS);
	if (why != 0)
		set_reg(dev, VIRTIO_MMIO_INTERRUPT_ACK, why);
	return why;
}

static uint32_t generation(const struct virtio_dev *dev)
{
	return reg(dev, VIRTIO_MMIO_CONFIG_GENERATION);
}

static uint32_t no_generation(const struct virtio_dev *dev UNUSED)
{
	return NO_GENERATION;
}

const struct virtio_transport virtio_mmio = {
        .name = "virtio-mmio",
        .status = get_status,
        .set_status = set_status,
        .features = features,
        .set_features = set_features,
        .queue_max = queue_max,
        .queue_start = queue_start,
        .notify = notify,
        .acknowledge = acknowledge,
        .generation = generation,
};

const struct virtio_transport virtio_mmio_legacy = {
        .name = "virtio-mmio",
        .status = get_status,
        .set_status = set_status,
        .features = features,
        .set_features = set_features,
        .queue_max = queue_max,
        .queue_start = legacy_queue_start,
        .notify = notify,
        .acknowledge = acknowledge,
        .generation = no_generation,
};

static void odd(const struct board_slot *slot, const char *why)
{
	log_line("devices: the virtio-mmio slot at %#lx %s: left alone", slot->regs.base, why);
}

void virtio_mmio_probe(const void *fdt, const struct board *board, const struct board_slot *slot)
{
	uintptr_t base = slot->regs.base;
	if (slot->regs.size < VIRTIO_MMIO_CONFIG || !is_aligned(base, 4)) {
		odd(slot, "has no room for its registers");
		return;
	}
	if (el2map_device(PA(base), slot->regs.size) != 0) {
		odd(slot, "cannot be mapped");
		return;
	}
	uint32_t version = io_read32(base + VIRTIO_MMIO_VERSION);
	if (io_read32(base + VIRTIO_MMIO_MAGIC) != VIRTIO_MMIO_MAGIC_VALUE) {
		odd(slot, "does not begin with \"virt\"");
		return;
	}
	if (version != VIRTIO_MMIO_LEGACY && version != VIRTIO_MMIO_MODERN) {
		odd(slot, "is of a version that Mezzo does not know");
		return;
	}
	uint32_t kind = io_read32(base + VIRTIO_MMIO_DEVICE_ID);
	if (kind == VIRTIO_NONE)
		return;
	if (!slot->coherent) {
		odd(slot, "is not dma-coherent by the device tree, which Mezzo needs");
		return;
	}
	struct virtio_dev *dev = virtio_new();
	if (dev == NULL)
		return;
	dev->transport = version == VIRTIO_MMIO_MODERN ? &virtio_mmio : &virtio_mmio_legacy;
	dev->kind = kind;
	dev->base = base;
	dev->config = base + VIRTIO_MMIO_CONFIG;
	dev->config_bytes = (uint32_t)(slot->regs.size - VIRTIO_MMIO_CONFIG);
	const struct board_irq irq = board_slot_irq(fdt, board, slot);
	dev->intid = intc_number(&irq);
	dev->edge = irq.edge;
	print_buffer(dev->where, sizeof dev->where, "%lx", base);
	virtio_announce(dev);
}
