// SPDX-License-Identifier: Apache-2.0
// The registers of virtio devices in their slots. Owns nothing: a device's state is its own, under its lock. Called by the
// MMIO map. A driver that comes to a slot without a device finds the magic number and device 0, "no device", and goes on.
//
// Registers are words, and only word accesses reach them; others read zero and are lost. The configuration, from 0x100 on,
// takes accesses of 1, 2 and 4 bytes at their own alignment, and of 8 as two of 4.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Virtio Over MMIO", "MMIO Device Register Layout", "Legacy interface". Version
// and vendor of an empty slot are those read on QEMU's board virt.
#include "vdev/vvirtio_mmio.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "vdev/vvirtio.h"
#include "vm/vm.h"

#define VENDOR UINT32_C(0x554d4551) // "QEMU": some drivers look

// By word; what is not here reads as zero.
static const uint32_t empty_slot[] = {VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_LEGACY, VIRTIO_NONE,
                                      VENDOR};

static struct vvirtio *device_at(const struct vvirtio_bus *bus, uint32_t offset)
{
	return bus->slot[offset / VVIRTIO_SLOT_SIZE % VVIRTIO_SLOTS];
}

static uint32_t read_empty(uint32_t offset, unsigned size)
{
	offset %= VVIRTIO_SLOT_SIZE;
	return size == 4 && offset % 4 == 0 && offset / 4 < ARRAY_SIZE(empty_slot)
	               ? empty_slot[offset / 4]
	               : 0;
}

// ---- registers ----

// The queue that QueueSel names, or NULL: there is none.
static struct vvirtio_queue *selected(struct vvirtio *dev)
{
	return dev->queue_sel < dev->nr_queues ? &dev->queue[dev->queue_sel] : NULL;
}

static uint32_t read_version(struct vvirtio *dev)
{
	return dev->legacy ? VIRTIO_MMIO_LEGACY : VIRTIO_MMIO_MODERN;
}

static uint32_t read_device_id(struct vvirtio *dev)
{
	return dev->ops->id;
}

static uint32_t read_features(struct vvirtio *dev)
{
	return dev->device_features_sel < 2
	               ? (uint32_t)(vvirtio_offered(dev) >> (dev->device_features_sel * 32))
	               : 0;
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	uint64_t mask = high ? GENMASK_U64(63, 32) : GENMASK_U64(31, 0);
	*address = (*address & ~mask) | field_put(mask, value);
}

static bool write_features(struct vvirtio *dev, uint32_t value)
{
	if (dev->driver_features_sel > 1 ||
	    (dev->status & (VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)) != 0)
		return true; // what was agreed on stays
	set_half(&dev->driver_features, dev->driver_features_sel == 1, value);
	if (dev->legacy)
		dev->driver_features &= vvirtio_offered(dev);
	return true;
}

static bool write_page_size(struct vvirtio *dev, uint32_t value)
{
	if (is_power_of_two(value) && value >= 512 && value <= KIB(64))
		dev->guest_page_size = value;
	return true;
}

static uint32_t read_num_max(struct vvirtio *dev)
{
	return selected(dev) != NULL ? dev->ops->queue_size : 0;
}

static bool write_num(struct vvirtio *dev, uint32_t value)
{
	struct vvirtio_queue *queue = selected(dev);

	if (queue != NULL && !queue->ring.ready)
		queue->size_set = value <= dev->ops->queue_size ? (uint16_t)value : 0;
	return true;
}

static bool write_align(struct vvirtio *dev, uint32_t value)
{
	struct vvirtio_queue *queue = selected(dev);

	if (queue != NULL && is_power_of_two(value) && value >= 4 && value <= KIB(64))
		queue->align_set = value;
	return true;
}

static uint32_t read_pfn(struct vvirtio *dev)
{
	const struct vvirtio_queue *queue = selected(dev);
	return queue != NULL && queue->ring.ready
	               ? (uint32_t)(queue->ring.desc / dev->guest_page_size)
	               : 0;
}

// One address, in pages of the driver's, from which the three parts follow.
static bool write_pfn(struct vvirtio *dev, uint32_t value)
{
	struct vvirtio_queue *queue = selected(dev);

	if (queue == NULL)
		return true;
	struct vvirtqueue *ring = &queue->ring;
	uint32_t size = queue->size_set;
	vvirtio_set_ready(dev, dev->queue_sel, false);
	if (value == 0)
		return true;
	ring->desc = (uint64_t)value * dev->guest_page_size;
	ring->driver = ring->desc + size * UINT64_C(16);
	ring->device = align_up(ring->driver + 6 + size * UINT64_C(2), queue->align_set);
	vvirtio_set_ready(dev, dev->queue_sel, true);
	return true;
}

static uint32_t read_ready(struct vvirtio *dev)
{
	return selected(dev) != NULL && selected(dev)->ring.ready;
}

static bool write_ready(struct vvirtio *dev, uint32_t value)
{
	if (selected(dev) != NULL)
		vvirtio_set_ready(dev, dev->queue_sel, value == 1);
	return true;
}

static bool notify(struct vvirtio *dev, uint32_t value)
{
	vvirtio_notified(dev, value);
	return true;
}

static bool acknowledge(struct vvirtio *dev, uint32_t value)
{
	vvirtio_acknowledge(dev, value);
	return true;
}

static uint32_t read_ones(struct vvirtio *dev UNUSED)
{
	return UINT32_MAX;
}

static uint32_t read_magic(struct vvirtio *dev UNUSED)
{
	return VIRTIO_MMIO_MAGIC_VALUE;
}

static uint32_t read_vendor(struct vvirtio *dev UNUSED)
{
	return VENDOR;
}

enum { IN_LEGACY = 1, IN_MODERN = 2, IN_BOTH = 3 };

// What is in no row, or not in the version that the driver sees, reads zero and ignores writes.
static const struct reg {
	uint8_t versions;
	uint32_t (*read)(struct vvirtio *dev);
	bool (*write)(struct vvirtio *dev, uint32_t value); // false: to be repeated
	uint16_t shows,
	        keeps; // members of struct vvirtio, in bytes: read and written as they are; 0: none
	uint16_t
	        address; // ... of struct vvirtqueue: half of it is written, while its queue is not in use
	bool high;       // the upper half
} regs[VIRTIO_MMIO_CONFIG / 4] = {
#define REG(name)     [VIRTIO_MMIO_##name / 4]
#define SHOWS(member) .shows = offsetof(struct vvirtio, member)
#define KEEPS(member) .keeps = offsetof(struct vvirtio, member)
#define HALF(part, is_high)                                                          \
	{                                                                            \
		.versions = IN_MODERN, .address = offsetof(struct vvirtqueue, part), \
		.high = (is_high)                                                    \
	}
        REG(MAGIC) = {IN_BOTH, .read = read_magic},
        REG(VERSION) = {IN_BOTH, .read = read_version},
        REG(DEVICE_ID) = {IN_BOTH, .read = read_device_id},
        REG(VENDOR_ID) = {IN_BOTH, .read = read_vendor},
        REG(DEVICE_FEATURES) = {IN_BOTH, .read = read_features},
        REG(DEVICE_FEATURES_SEL) = {IN_BOTH, KEEPS(device_features_sel)},
        REG(DRIVER_FEATURES) = {IN_BOTH, .write = write_features},
        REG(DRIVER_FEATURES_SEL) = {IN_BOTH, KEEPS(driver_features_sel)},
        REG(LEGACY_PAGE_SIZE) = {IN_LEGACY, .write = write_page_size},
        REG(QUEUE_SEL) = {IN_BOTH, KEEPS(queue_sel)},
        REG(QUEUE_NUM_MAX) = {IN_BOTH, .read = read_num_max},
        REG(QUEUE_NUM) = {IN_BOTH, .write = write_num},
        REG(LEGACY_QUEUE_ALIGN) = {IN_LEGACY, .write = write_align},
        REG(LEGACY_QUEUE_PFN) = {IN_LEGACY, .read = read_pfn, .write = write_pfn},
        REG(QUEUE_READY) = {IN_MODERN, .read = read_ready, .write = write_ready},
        REG(QUEUE_NOTIFY) = {IN_BOTH, .write = notify},
        REG(INTERRUPT_STATUS) = {IN_BOTH, SHOWS(interrupts)},
        REG(INTERRUPT_ACK) = {IN_BOTH, .write = acknowledge},
        REG(STATUS) = {IN_BOTH, SHOWS(status), .write = vvirtio_set_status},
        REG(QUEUE_DESC_LOW) = HALF(desc, false),
        REG(QUEUE_DESC_HIGH) = HALF(desc, true),
        REG(QUEUE_DRIVER_LOW) = HALF(driver, false),
        REG(QUEUE_DRIVER_HIGH) = HALF(driver, true),
        REG(QUEUE_DEVICE_LOW) = HALF(device, false),
        REG(QUEUE_DEVICE_HIGH) = HALF(device, true),
        // No region of shared memory: lengths and addresses of all ones.
        REG(SHM_LEN_LOW) = {IN_MODERN, .read = read_ones},
        REG(SHM_LEN_HIGH) = {IN_MODERN, .read = read_ones},
        REG(SHM_BASE_LOW) = {IN_MODERN, .read = read_ones},
        REG(SHM_BASE_HIGH) = {IN_MODERN, .read = read_ones},
        REG(CONFIG_GENERATION) = {IN_BOTH, SHOWS(generation)},
};

static uint32_t *member_of(struct vvirtio *dev, uint16_t offset)
{
	return (uint32_t *)((uint8_t *)dev + offset);
}

static const struct reg *reg_at(const struct vvirtio *dev, uint32_t offset)
{
	static const struct reg nothing;
	const struct reg *reg = &regs[offset / 4];
	return (reg->versions & (dev->legacy ? IN_LEGACY : IN_MODERN)) != 0 ? reg : &nothing;
}

static uint32_t read_reg(struct vvirtio *dev, uint32_t offset)
{
	const struct reg *reg = reg_at(dev, offset);

	if (reg->read != NULL)
		return reg->read(dev);
	return reg->shows != 0 ? *member_of(dev, reg->shows) : 0;
}

// False: to be repeated.
static bool write_reg(struct vvirtio *dev, uint32_t offset, uint32_t value)
{
	const struct reg *reg = reg_at(dev, offset);
	struct vvirtio_queue *queue = selected(dev);

	if (reg->write != NULL)
		return reg->write(dev, value);
	if (reg->keeps != 0)
		*member_of(dev, reg->keeps) = value;
	if (reg->address != 0 && queue != NULL && !queue->ring.ready)
		set_half((uint64_t *)((uint8_t *)&queue->ring + reg->address), reg->high, value);
	return true;
}

// ---- accesses ----

static uint64_t read_config(const struct vvirtio *dev, uint32_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		if (offset + i < dev->config_size)
			value |= (uint64_t)dev->config[offset + i] << (i * 8);
	return value;
}

static bool slot_read(void *opaque, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t *value)
{
	struct vvirtio *dev = device_at(opaque, offset);
	uint32_t reg = offset % VVIRTIO_SLOT_SIZE;

	*value = 0;
	if (size > 4 && (dev == NULL || reg < VIRTIO_MMIO_CONFIG))
		return false;
	if (dev == NULL) {
		*value = read_empty(offset, size);
		return true;
	}
	if (offset % size != 0)
		return true;
	spin_lock(&dev->lock);
	if (reg >= VIRTIO_MMIO_CONFIG)
		*value = read_config(dev, reg - VIRTIO_MMIO_CONFIG, size);
	else if (size == 4)
		*value = read_reg(dev, reg);
	spin_unlock(&dev->lock);
	return true;
}

static void write_config(struct vvirtio *dev, uint32_t offset, unsigned size, uint64_t value)
{
	if (dev->ops->config_write == NULL || offset + size > dev->config_size)
		return;
	for (unsigned done = 0; done < size; done += 4)
		dev->ops->config_write(dev, offset + done, size < 4 ? size : 4,
		                       (uint32_t)(value >> (done * 8)));
}

static bool slot_write(void *opaque, struct vcpu *vcpu, uint32_t offset, unsigned size,
                       uint64_t value)
{
	struct vvirtio *dev = device_at(opaque, offset);
	uint32_t reg = offset % VVIRTIO_SLOT_SIZE;

	if (size > 4 && (dev == NULL || reg < VIRTIO_MMIO_CONFIG))
		return false;
	if (dev == NULL || offset % size != 0)
		return true;
	spin_lock(&dev->lock);
	if (reg >= VIRTIO_MMIO_CONFIG)
		write_config(dev, reg - VIRTIO_MMIO_CONFIG, size, value);
	else if (size == 4 && !write_reg(dev, reg, (uint32_t)value))
		vcpu->repeat = true;
	spin_unlock(&dev->lock);
	return true;
}

// ---- fast exits ----

static uint64_t slot_quick_read(void *opaque, struct vcpu *vcpu UNUSED, uint32_t offset,
                                unsigned size)
{
	const struct vvirtio *dev = device_at(opaque, offset);

	if (size != 4 || offset % 4 != 0)
		return MMIO_ASK;
	if (dev == NULL)
		return read_empty(offset, size);
	if (offset % VVIRTIO_SLOT_SIZE == VIRTIO_MMIO_INTERRUPT_STATUS)
		return load_relaxed(&dev->interrupts);
	return MMIO_ASK;
}

static bool slot_quick_write(void *opaque, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                             uint64_t value)
{
	struct vvirtio *dev = device_at(opaque, offset);

	if (dev == NULL || size != 4)
		return dev == NULL && size <= 4;
	if (offset % VVIRTIO_SLOT_SIZE != VIRTIO_MMIO_INTERRUPT_ACK)
		return false;
	vvirtio_acknowledge(dev, (uint32_t)value);
	return true;
}

static const struct mmio_ops ops = {
        .name = "virtio-mmio",
        .read = slot_read,
        .write = slot_write,
        .quick_read = slot_quick_read,
        .quick_write = slot_quick_write,
};

int vvirtio_mmio_create(struct vm *vm)
{
	return mmio_add(&vm->mmio, VVIRTIO_BASE, VVIRTIO_SLOT_SIZE * VVIRTIO_SLOTS, &ops,
	                vm->virtio);
}
