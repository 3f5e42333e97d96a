// SPDX-License-Identifier: Apache-2.0
// Virtio devices on PCI, as version 1 of the standard has them: four structures in BARs that capabilities point to. The
// interface from before version 1, by I/O ports, is not used; devices that have both are. Owns nothing but registers;
// called by hw/pci.c at boot, then through struct virtio_transport.
// Invariant: no register outside of the structures, as the capabilities give them, is touched, and these lie within BARs.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Virtio Over PCI Bus".
#include "hw/virtio_pci.h"

#include "arm/io.h"
#include "base/bits.h"
#include "base/log.h"
#include "base/print.h"
#include "hw/intc.h"
#include "hw/virtio.h"
#include "mem/el2map.h"

#define VENDOR           0x1af4
#define ID_FIRST         0x1000
#define ID_MODERN        0x1040 // plus the kind
#define ID_LAST          0x107f
#define CAP_VENDOR       0x09
#define CAP_MSIX         0x11
#define CAP_MSIX_CONTROL 2
#define MSIX_ENABLE      BIT_U32(15)
#define NO_VECTOR        0xffff
#define DOORBELL_BYTES   2

// Of a capability of virtio's.
enum cap {
	CAP_LENGTH = 2,
	CAP_TYPE = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_BYTES = 12,
	CAP_LEAST = 16,
	CAP_DOORBELL_STEP = 16, // NOTIFY alone
	CAP_NOTIFY_LEAST = 20,
};

// Types; each is a structure.
enum structure { COMMON = 1, NOTIFY = 2, ISR = 3, DEVICE = 4, NR_STRUCTURES };

enum common {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC = 0x20,
	QUEUE_DRIVER = 0x28,
	QUEUE_DEVICE = 0x30,
	COMMON_BYTES = 0x38,
};

// ---- the transport ----

static uint8_t get_status(const struct virtio_dev *dev)
{
	return io_read8(dev->base + DEVICE_STATUS);
}

static void set_status(const struct virtio_dev *dev, uint8_t status)
{
	io_write8(dev->base + DEVICE_STATUS, status);
}

static uint64_t features(const struct virtio_dev *dev)
{
	io_write32(dev->base + DEVICE_FEATURE_SELECT, 1);
	uint64_t high = io_read32(dev->base + DEVICE_FEATURE);
	io_write32(dev->base + DEVICE_FEATURE_SELECT, 0);
	return high << 32 | io_read32(dev->base + DEVICE_FEATURE);
}

static void set_features(const struct virtio_dev *dev, uint64_t value)
{
	io_write32(dev->base + DRIVER_FEATURE_SELECT, 1);
	io_write32(dev->base + DRIVER_FEATURE, (uint32_t)(value >> 32));
	io_write32(dev->base + DRIVER_FEATURE_SELECT, 0);
	io_write32(dev->base + DRIVER_FEATURE, (uint32_t)value);
}

static uint32_t queue_max(const struct virtio_dev *dev, uint16_t index)
{
	if (index >= io_read16(dev->base + NUM_QUEUES))
		return 0;
	io_write16(dev->base + QUEUE_SELECT, index);
	return io_read16(dev->base + QUEUE_ENABLE) != 0 ? 0 : io_read16(dev->base + QUEUE_SIZE);
}

static void set_address(const struct virtio_dev *dev, enum common offset, const void *at)
{
	io_write32(dev->base + offset, (uint32_t)(uintptr_t)at);
	io_write32(dev->base + offset + 4, (uint32_t)((uintptr_t)at >> 32));
}

static int queue_start(const struct virtio_dev *dev, struct virtio_ring *ring)
{
	io_write16(dev->base + QUEUE_SELECT, ring->index);
	uint64_t offset = (uint64_t)io_read16(dev->base + QUEUE_NOTIFY_OFF) * dev->doorbell_step;
	if (!range_contains(0, dev->doorbell_bytes, offset, DOORBELL_BYTES) ||
	    !is_aligned(dev->doorbells + offset, DOORBELL_BYTES))
		return ERR_RANGE;
	ring->doorbell = dev->doorbells + offset;
	io_write16(dev->base + QUEUE_SIZE, ring->size);
	io_write16(dev->base + QUEUE_VECTOR, NO_VECTOR);
	set_address(dev, QUEUE_DESC, ring->desc);
	set_address(dev, QUEUE_DRIVER, ring->avail);
	set_address(dev, QUEUE_DEVICE, ring->used);
	io_write16(dev->base + QUEUE_ENABLE, 1);
	return 0;
}

static void notify(const struct virtio_dev *dev UNUSED, const struct virtio_ring *ring)
{
	io_write16(ring->doorbell, ring->index);
}

static uint32_t acknowledge(const struct virtio_dev *dev)
{
	return io_read8(dev->isr); // reading takes it back
}

static uint32_t generation(const struct virtio_dev *dev)
{
	return io_read8(dev->base + CONFIG_GENERATION);
}

static void cut_off(const struct virtio_dev *dev)
{
	uint32_t command = io_read16(dev->function + PCI_COMMAND);
	command = (command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_NO_INTX;
	io_write16(dev->function + PCI_COMMAND, (uint16_t)command);
}

const struct virtio_transport virtio_pci = {
        .name = "virtio-pci",
        .status = get_status,
        .set_status = set_status,
        .features = features,
        .set_features = set_features,
        .queue_max = queue_max,
        .queue_start = queue_start,
        .notify = notify,
        .acknowledge = acknowledge,
        .generation = generation,
        .cut_off = cut_off,
};

// ---- finding ----

bool virtio_pci_is(const struct pci_function *function)
{
	return function->vendor == VENDOR && function->id >= ID_FIRST && function->id <= ID_LAST;
}

// Devices that have the old interface as well carry other numbers.
static uint32_t kind_of(const struct pci_function *function)
{
	static const uint8_t old[] = {VIRTIO_NET, VIRTIO_BLOCK,  5, VIRTIO_CONSOLE,
	                              8,          VIRTIO_ENTROPY};
	if (function->id >= ID_MODERN)
		return function->id - ID_MODERN;
	uint32_t index = function->id - ID_FIRST;
	return index < ARRAY_SIZE(old) ? old[index] : VIRTIO_NONE;
}

struct place {
	uint64_t at; // for a CPU; 0: there is none
	uint32_t bytes;
	uint32_t step; // NOTIFY
};

// What a capability points to; bytes 0: not to something within a BAR.
static struct place read_place(const struct pci_function *f, uint32_t cap, enum structure type)
{
	const uint32_t length = io_read8(f->config + cap + CAP_LENGTH);
	const uint32_t bar = io_read8(f->config + cap + CAP_BAR);
	const struct place none = {0};
	if (length < (type == NOTIFY ? CAP_NOTIFY_LEAST : CAP_LEAST) ||
	    cap + length > PCI_CONFIG_SIZE || bar >= PCI_BARS)
		return none;
	struct place place = {.bytes = io_read32(f->config + cap + CAP_BYTES)};
	uint32_t offset = io_read32(f->config + cap + CAP_OFFSET);
	if (type == NOTIFY)
		place.step = io_read32(f->config + cap + CAP_DOORBELL_STEP);
	if (!range_contains(0, f->bar[bar].size, offset, place.bytes))
		return none;
	place.at = f->bar[bar].cpu + offset;
	return place;
}

// The first usable place of each type: a device names them in the order in which it likes them used.
static void read_places(const struct pci_function *f, struct place place[NR_STRUCTURES])
{
	unsigned left = PCI_MAX_CAPABILITIES;
	for (uint32_t cap = 0; (cap = pci_next_capability(f, cap, &left)) != 0;) {
		uint32_t id = io_read8(f->config + cap),
		         type = io_read8(f->config + cap + CAP_TYPE);
		if (id == CAP_MSIX) {
			uint32_t control = io_read16(f->config + cap + CAP_MSIX_CONTROL);
			if ((control & MSIX_ENABLE) != 0)
				io_write16(f->config + cap + CAP_MSIX_CONTROL,
				           (uint16_t)(control & ~MSIX_ENABLE));
		}
		if (id == CAP_VENDOR && type < NR_STRUCTURES && type != 0 && place[type].bytes == 0)
			place[type] = read_place(f, cap, type);
	}
}

static bool map_places(const struct place place[NR_STRUCTURES])
{
	for (unsigned type = COMMON; type < NR_STRUCTURES; type++)
		if (place[type].bytes != 0 &&
		    el2map_device(PA(place[type].at), place[type].bytes) != 0)
			return false;
	return true;
}

static void leave(const struct pci_function *f, const char *why)
{
	pci_enable(f, false);
	log_line("devices: virtio-pci %02x.%x %s: left alone", f->device, f->function, why);
}

void virtio_pci_probe(const struct pci_function *f, const struct board_irq *irq)
{
	struct place place[NR_STRUCTURES] = {0};
	read_places(f, place);
	if (place[COMMON].bytes < COMMON_BYTES || !is_aligned(place[COMMON].at, 4) ||
	    place[NOTIFY].bytes < DOORBELL_BYTES || place[ISR].bytes == 0 ||
	    !is_aligned(place[DEVICE].at, 4)) {
		leave(f, "lacks a structure of virtio 1.0, or its BARs have no address");
		return;
	}
	if (!map_places(place)) {
		leave(f, "cannot be mapped");
		return;
	}
	struct virtio_dev *dev = virtio_new();
	if (dev == NULL)
		return;
	dev->transport = &virtio_pci;
	dev->kind = kind_of(f);
	dev->base = place[COMMON].at;
	dev->isr = place[ISR].at;
	dev->doorbells = place[NOTIFY].at;
	dev->doorbell_bytes = place[NOTIFY].bytes;
	dev->doorbell_step = place[NOTIFY].step;
	dev->config = place[DEVICE].at;
	dev->config_bytes = place[DEVICE].bytes;
	dev->function = f->config;
	dev->intid = intc_number(irq);
	dev->edge = irq->edge;
	print_buffer(dev->where, sizeof dev->where, "%02x.%x", f->device, f->function);
	pci_enable(f, true);
	virtio_announce(dev);
	if (dev->driver == NULL)
		pci_enable(f, false);
}
