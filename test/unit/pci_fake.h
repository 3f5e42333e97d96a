// SPDX-License-Identifier: Apache-2.0
// A PCI Express bus in the test's memory: configuration by ECAM, BARs that answer where they are put, and behind BAR 4 of
// each function a virtio device (virtio_fake.h) whose structures lie as QEMU's do.
#ifndef UNIT_PCI_FAKE_H
#define UNIT_PCI_FAKE_H

#include "virtio_board.h"

#define ECAM_BASE     0x4010000000u
#define ECAM_BYTES    0x100000u
#define PCI_FUNCTIONS 12
#define PCI_INTX      35          // INTID of INTA of device 0
#define WINDOW32      0x10000000u // the same for a CPU
#define WINDOW32_SIZE 0x2eff0000u
#define WINDOW64_CPU  0x8000000000u
#define WINDOW64_BUS  0x9000000000u // elsewhere than for a CPU
#define WINDOW64_SIZE 0x8000000000u
#define STRUCTURES    4 // the BAR
#define CAPS          0x40

#define PCI_NODE                                                                           \
	"pcie@4010000000 { compatible = \"pci-host-ecam-generic\"; device_type = \"pci\";" \
	"reg = <0x40 0x10000000 0 0x100000>; #address-cells = <3>; #size-cells = <2>; "    \
	"#interrupt-cells = <1>; bus-range = <0 0>; %s"                                    \
	"ranges = <0x1000000 0 0 0 0x3eff0000 0 0x10000>, "                                \
	"<0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>, "                             \
	"<0x3000000 0x90 0 0x80 0 0x80 0>; interrupt-map-mask = <0x1800 0 0 7>;"           \
	"interrupt-map = <0 0 0 1 &gic 0 0 0 3 4>, <0x800 0 0 1 &gic 0 0 0 4 4>, "         \
	"<0x1000 0 0 1 &gic 0 0 0 5 4>, <0x1000 0 0 2 &gic 0 0 0 6 4>; };"

struct fake_function {
	uint32_t devfn; // device << 3 | function
	bool there;
	uint8_t config[256], writable[256];
	struct fake_virtio *dev; // NULL: nothing answers behind the BARs
	uint32_t notify_off;
};
static struct fake_function pci_functions[PCI_FUNCTIONS];

static inline void pci_put(struct fake_function *f, unsigned at, uint64_t value, unsigned bytes)
{
	memcpy(f->config + at, &value, bytes);
}

static inline uint64_t pci_get(const struct fake_function *f, unsigned at, unsigned bytes)
{
	uint64_t value = 0;
	memcpy(&value, f->config + at, bytes);
	return value;
}

// A BAR of so many bytes: what is above them can be written.
static inline void pci_put_bar(struct fake_function *f, unsigned index, uint32_t flags,
                               uint64_t size)
{
	bool wide = (flags & 4) != 0;
	uint64_t mask = size == 0 ? 0 : ~(size - 1) & ~UINT64_C(15);
	pci_put(f, 0x10 + index * 4, flags, 4);
	memcpy(f->writable + 0x10 + index * 4, &mask, wide ? 8 : 4);
}

// The capability at `at`, with `next` behind it.
static inline void pci_put_cap(struct fake_function *f, unsigned at, unsigned next, unsigned type,
                               uint32_t offset, uint32_t bytes)
{
	memset(f->config + at, 0, 20);
	f->config[at] = 9;
	f->config[at + 1] = (uint8_t)next;
	f->config[at + 2] = 20;
	f->config[at + 3] = (uint8_t)type;
	f->config[at + 4] = STRUCTURES;
	pci_put(f, at + 8, offset, 4);
	pci_put(f, at + 12, bytes, 4);
	pci_put(f, at + 16, 4, 4); // NOTIFY: the step
}

// Function number `n` of the table, at `devfn`: a virtio device as QEMU makes it.
UNUSED static struct fake_function *pci_plug(unsigned n, uint32_t devfn, uint32_t id,
                                             struct fake_virtio *dev)
{
	struct fake_function *f = &pci_functions[n];
	*f = (struct fake_function){.devfn = devfn, .there = true, .dev = dev};
	pci_put(f, 0, 0x1af4 | id << 16, 4);
	pci_put(f, 6, 0x10, 2);
	f->config[0x34] = CAPS;
	f->config[0x3d] = 1;
	f->writable[4] = 6;
	f->writable[5] = 4;
	pci_put_bar(f, 1, 0, 0x1000);
	pci_put_bar(f, STRUCTURES, 0xc, 0x4000);
	for (unsigned type = 1; type <= 4; type++)
		pci_put_cap(f, CAPS + (type - 1) * 20, type < 4 ? CAPS + type * 20 : 0, type,
		            type * 0x1000 - 0x1000, type == 1 ? 0x38 : 0x1000);
	return f;
}

static inline uint64_t pci_bar_of(const struct fake_function *f, unsigned index)
{
	uint64_t low = pci_get(f, 0x10 + index * 4, 4);
	return (low & ~UINT64_C(15)) | ((low & 4) != 0 ? pci_get(f, 0x14 + index * 4, 4) << 32 : 0);
}

static struct fake_function *pci_at_ecam(uintptr_t address)
{
	for (unsigned i = 0; i < PCI_FUNCTIONS; i++)
		if (pci_functions[i].there && pci_functions[i].devfn == (address - ECAM_BASE) >> 12)
			return &pci_functions[i];
	return NULL;
}

// Whose structures answer at an address, and where in them.
static struct fake_function *pci_at_bar(uintptr_t address, uint32_t *offset)
{
	for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
		struct fake_function *f = &pci_functions[i];
		uint64_t at = pci_bar_of(f, STRUCTURES);
		if (at >= WINDOW64_BUS)
			at = at - WINDOW64_BUS + WINDOW64_CPU;
		if (f->there && f->dev != NULL && (f->config[4] & 2) != 0 && address >= at &&
		    address - at < 0x4000) {
			*offset = (uint32_t)(address - at);
			return f;
		}
	}
	return NULL;
}

// The common structure in words of virtio-mmio.
static uint64_t pci_common_read(struct fake_function *f, uint32_t offset)
{
	struct fake_virtio *dev = f->dev;
	struct fake_queue *q = dev->selected < FAKE_QUEUES ? &dev->queue[dev->selected] : NULL;
	switch (offset) {
	case 0x04: return fake_mmio_read(dev, VIRTIO_MMIO_DEVICE_FEATURES, 4);
	case 0x12: return FAKE_QUEUES;
	case 0x14: return dev->status;
	case 0x15: return dev->generation & 0xff;
	case 0x18: return q == NULL ? 0 : q->size != 0 ? q->size : q->max;
	case 0x1c: return q == NULL ? 0 : q->ready;
	case 0x1e: return f->notify_off;
	default: return 0;
	}
}

static void pci_common_write(struct fake_function *f, uint32_t offset, uint32_t value)
{
	static const uint16_t same[0x38] = {
	        [0x00] = VIRTIO_MMIO_DEVICE_FEATURES_SEL, [0x08] = VIRTIO_MMIO_DRIVER_FEATURES_SEL,
	        [0x0c] = VIRTIO_MMIO_DRIVER_FEATURES,     [0x14] = VIRTIO_MMIO_STATUS,
	        [0x16] = VIRTIO_MMIO_QUEUE_SEL,           [0x18] = VIRTIO_MMIO_QUEUE_NUM,
	        [0x1c] = VIRTIO_MMIO_QUEUE_READY,         [0x20] = VIRTIO_MMIO_QUEUE_DESC_LOW,
	        [0x24] = VIRTIO_MMIO_QUEUE_DESC_HIGH,     [0x28] = VIRTIO_MMIO_QUEUE_DRIVER_LOW,
	        [0x2c] = VIRTIO_MMIO_QUEUE_DRIVER_HIGH,   [0x30] = VIRTIO_MMIO_QUEUE_DEVICE_LOW,
	        [0x34] = VIRTIO_MMIO_QUEUE_DEVICE_HIGH,
	};
	if (offset < ARRAY_SIZE(same) && same[offset] != 0)
		fake_mmio_write(f->dev, same[offset], value);
}

static uint64_t pci_read(uintptr_t address, unsigned size)
{
	uint32_t offset;
	if (address >= ECAM_BASE && address < ECAM_BASE + ECAM_BYTES) {
		const struct fake_function *f = pci_at_ecam(address);
		return f == NULL ? UINT64_MAX : pci_get(f, (unsigned)(address & 0xff), size);
	}
	struct fake_function *f = pci_at_bar(address, &offset);
	if (f == NULL)
		return UINT64_MAX;
	struct fake_virtio *dev = f->dev;
	uint64_t value = 0;
	switch (offset / 0x1000) {
	case 0: return pci_common_read(f, offset);
	case 2:
		value = dev->isr;
		dev->isr = 0;
		return value;
	case 3: return fake_mmio_read(dev, VIRTIO_MMIO_CONFIG + offset % 0x1000, size);
	default: return 0;
	}
}

static void pci_write(uintptr_t address, unsigned size, uint64_t value)
{
	uint32_t offset;
	if (address >= ECAM_BASE && address < ECAM_BASE + ECAM_BYTES) {
		struct fake_function *f = pci_at_ecam(address);
		for (unsigned i = 0; f != NULL && i < size; i++) {
			unsigned at = ((unsigned)address & 0xff) + i;
			uint8_t mask = f->writable[at];
			f->config[at] =
			        (uint8_t)((f->config[at] & ~mask) | ((value >> (8 * i)) & mask));
		}
		return;
	}
	struct fake_function *f = pci_at_bar(address, &offset);
	if (f != NULL && offset < 0x1000)
		pci_common_write(f, offset, (uint32_t)value);
	else if (f != NULL && offset / 0x1000 == 1)
		fake_notify(f->dev, (unsigned)value);
}

// A board with this bus. `more` goes into its node.
UNUSED static void pci_power_on(const char *more)
{
	char node[1024];
	snprintf(node, sizeof node, PCI_NODE, more);
	board_other_read = pci_read;
	board_other_write = pci_write;
	board_power_on();
	board_make_tree(node);
	board_ready();
}

#endif
