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

// The queue that QueueSel names, or NULL: there is none.
static struct vvirtio_queue *selected(struct vvirtio *dev)
{
	return dev->queue_sel < dev->nr_queues ? &dev->queue[dev->queue_sel] : NULL;
}

// ---- reading ----

static uint32_t word_of(uint64_t value, uint32_t which)
{
	return which < 2 ? (uint32_t)(value >> (which * 32)) : 0;
}

static uint32_t read_queue(struct vvirtio *dev, uint32_t reg)
{
	const struct vvirtio_queue *queue = selected(dev);

	if (queue == NULL)
		return 0;
	switch (reg) {
	case VIRTIO_MMIO_QUEUE_NUM_MAX: return dev->ops->queue_size;
	case VIRTIO_MMIO_QUEUE_READY: return !dev->legacy && queue->ring.ready;
	case VIRTIO_MMIO_LEGACY_QUEUE_PFN:
		return dev->legacy && queue->ring.ready
		               ? (uint32_t)(queue->ring.desc / dev->guest_page_size)
		               : 0;
	default: return 0;
	}
}

static uint32_t read_reg(struct vvirtio *dev, uint32_t reg)
{
	switch (reg) {
	case VIRTIO_MMIO_MAGIC: return VIRTIO_MMIO_MAGIC_VALUE;
	case VIRTIO_MMIO_VERSION: return dev->legacy ? VIRTIO_MMIO_LEGACY : VIRTIO_MMIO_MODERN;
	case VIRTIO_MMIO_DEVICE_ID: return dev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID: return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return word_of(vvirtio_offered(dev), dev->device_features_sel);
	case VIRTIO_MMIO_INTERRUPT_STATUS: return dev->interrupts;
	case VIRTIO_MMIO_STATUS: return dev->status;
	case VIRTIO_MMIO_CONFIG_GENERATION: return dev->generation;
	default: break;
	}
	if (reg >= VIRTIO_MMIO_SHM_LEN_LOW && reg <= VIRTIO_MMIO_SHM_BASE_HIGH && !dev->legacy)
		return UINT32_MAX; // no region of shared memory
	return read_queue(dev, reg);
}

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

// ---- writing ----

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	uint64_t mask = high ? GENMASK_U64(63, 32) : GENMASK_U64(31, 0);
	*address = (*address & ~mask) | field_put(mask, value);
}

// Legacy: one address, in pages of the driver's, from which the three parts follow.
static void set_pfn(struct vvirtio *dev, struct vvirtio_queue *queue, uint32_t pfn)
{
	struct vvirtqueue *ring = &queue->ring;
	uint32_t size = queue->size_set;

	vvirtio_set_ready(dev, dev->queue_sel, false);
	if (pfn == 0)
		return;
	ring->desc = (uint64_t)pfn * dev->guest_page_size;
	ring->driver = ring->desc + size * UINT64_C(16);
	ring->device = align_up(ring->driver + 6 + size * UINT64_C(2), queue->align_set);
	vvirtio_set_ready(dev, dev->queue_sel, true);
}

static void write_legacy_queue(struct vvirtio *dev, struct vvirtio_queue *queue, uint32_t reg,
                               uint32_t value)
{
	switch (reg) {
	case VIRTIO_MMIO_LEGACY_QUEUE_ALIGN:
		if (is_power_of_two(value) && value >= 4 && value <= KIB(64))
			queue->align_set = value;
		break;
	case VIRTIO_MMIO_LEGACY_QUEUE_PFN: set_pfn(dev, queue, value); break;
	default: break;
	}
}

static void write_queue(struct vvirtio *dev, uint32_t reg, uint32_t value)
{
	struct vvirtio_queue *queue = selected(dev);

	if (queue == NULL)
		return;
	struct vvirtqueue *ring = &queue->ring;
	if (reg == VIRTIO_MMIO_QUEUE_READY && !dev->legacy)
		vvirtio_set_ready(dev, dev->queue_sel, value == 1);
	else if (reg == VIRTIO_MMIO_QUEUE_NUM && !ring->ready)
		queue->size_set = value <= dev->ops->queue_size ? (uint16_t)value : 0;
	else if (dev->legacy)
		write_legacy_queue(dev, queue, reg, value);
	if (dev->legacy || ring->ready) // addresses of a queue in use stay
		return;
	switch (reg) {
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&ring->desc, reg == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
		set_half(&ring->driver, reg == VIRTIO_MMIO_QUEUE_DRIVER_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
	case VIRTIO_MMIO_QUEUE_DEVICE_HIGH:
		set_half(&ring->device, reg == VIRTIO_MMIO_QUEUE_DEVICE_HIGH, value);
		break;
	default: break;
	}
}

static void write_features(struct vvirtio *dev, uint32_t value)
{
	uint64_t mask = dev->driver_features_sel == 0 ? GENMASK_U64(31, 0) : GENMASK_U64(63, 32);

	if (dev->driver_features_sel > 1 ||
	    (dev->status & (VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)) != 0)
		return; // what was agreed on stays
	dev->driver_features = (dev->driver_features & ~mask) | field_put(mask, value);
	if (dev->legacy)
		dev->driver_features &= vvirtio_offered(dev);
}

// False: to be repeated.
static bool write_reg(struct vvirtio *dev, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL: dev->device_features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: dev->driver_features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES: write_features(dev, value); break;
	case VIRTIO_MMIO_LEGACY_PAGE_SIZE:
		if (dev->legacy && is_power_of_two(value) && value >= 512 && value <= KIB(64))
			dev->guest_page_size = value;
		break;
	case VIRTIO_MMIO_QUEUE_SEL: dev->queue_sel = value; break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: vvirtio_notified(dev, value); break;
	case VIRTIO_MMIO_INTERRUPT_ACK: vvirtio_acknowledge(dev, value); break;
	case VIRTIO_MMIO_STATUS: return vvirtio_set_status(dev, value);
	default: write_queue(dev, reg, value); break;
	}
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
