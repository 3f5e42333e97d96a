// SPDX-License-Identifier: Apache-2.0
// A bench for virtio devices: a VM with real memory, a real device map, alarms and a clock that a test sets, and the
// driver's side of a device in a slot, written down apart from the code: split and packed rings, chains and tables of
// descriptors, event indices. Included once by a test.
#ifndef VIRTIO_BENCH_H
#define VIRTIO_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/features.h"
#include "arm/regs.h"
#include "base/bits.h"
#include "base/string.h"
#include "fake.h"
#include "hw/timer.h"
#include "ram_arena.h"
#include "vdev/vvirtio.h"
#include "vdev/vvirtio_mmio.h"
#include "vm/vm.h"

#define VB_HZ     UINT64_C(1000000)
#define VB_VMS    2
#define VB_RAM    UINT64_C(0x40000000) // IPA
#define VB_RAM_MB 16
#define VB_BLOCKS 64
#define VB_QUEUES 9
#define VB_HEAP   (VB_RAM + MIB(2)) // where a driver's buffers begin

static struct vm *vb_vm[VB_VMS];
#ifndef VB_THREADS
#define VB_THREADS
#endif
static VB_THREADS struct vm *vm; // the one that tests with one talk to
static uint64_t vb_now;
static void *vb_block[VB_BLOCKS];
static unsigned vb_blocks;
static bool vb_line[VB_VMS][VVIRTIO_SLOTS];
static unsigned vb_rose[VB_VMS][VVIRTIO_SLOTS];
static bool vb_other_lines; // a chip that is no virtio device may have one, too
static bool vb_other_line[VVIRTIO_FIRST_INTID];
static unsigned vb_logs;
static char vb_log[256];
static struct pages_count vb_pages;

static unsigned vb_index(const struct vm *v)
{
	for (unsigned i = 0; i < VB_VMS; i++)
		if (vb_vm[i] == v)
			return i;
	fail_msg("an unknown VM");
	return 0;
}

void *vm_alloc(struct vm *v, size_t size)
{
	(void)v;
	assert_true(vb_blocks < VB_BLOCKS);
	vb_block[vb_blocks] = calloc(1, size); // also while a test runs
	return vb_block[vb_blocks++];
}

void vcpu_post(struct vcpu *vcpu, uint32_t request)
{
	(void)vcpu;
	(void)request;
}

void vm_log(struct vm *v, const char *format, ...)
{
	va_list args;
	(void)v;
	va_start(args, format);
	vsnprintf(vb_log, sizeof vb_log, format, args);
	va_end(args);
	vb_logs++;
}

void virq_set(struct vm *v, struct vcpu *vcpu, uint32_t intid, bool level)
{
	unsigned n = vb_index(v), slot = intid - VVIRTIO_FIRST_INTID;
	assert_null(vcpu);
	if (vb_other_lines && intid < VVIRTIO_FIRST_INTID) {
		vb_other_line[intid] = level;
		return;
	}
	assert_true(slot < VVIRTIO_SLOTS);
	assert_int_not_equal(vb_line[n][slot], level); // only changes are told
	vb_line[n][slot] = level;
	vb_rose[n][slot] += level;
}

static bool vb_clock(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = vb_now;
	return true;
}

// ---- the VM ----

static void vb_vm_make(unsigned n)
{
	struct vm *v = vb_vm[n] = test_calloc(1, sizeof *v);
	snprintf(v->name, sizeof v->name, "vm%u", n);
	v->id = n + 1;
	v->nr_vcpus = 1;
	v->ram_base = VB_RAM;
	v->ram_size = MIB(VB_RAM_MB);
	v->state = VM_RUNNING;
	v->vcpu[0] = test_calloc(1, sizeof *v->vcpu[0]);
	v->vcpu[0]->vm = v;
	v->stage2.lock = (struct spinlock)SPINLOCK_INIT(LOCK_STAGE2);
	assert_int_equal(stage2_create(&v->stage2, (uint16_t)v->id, VB_RAM, MIB(VB_RAM_MB)), 0);
	assert_int_equal(vvirtio_create(v), 0);
}

// Once in a program.
UNUSED static int vb_open(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(MIB(64));
	return 0;
}

static int vb_setup(void **state)
{
	(void)state;
	fake_reset();
	fake_sysreg_hook = vb_clock;
	fake_set_sysreg("cntfrq_el0", VB_HZ);
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	fake_set_sysreg("ctr_el0", 4 << 16);
	vb_now = 1000 * VB_HZ;
	timer_init(0);
	timer_init_cpu();
	features_probe(true);
	stage2_init();
	vmid_init(false);
	vb_blocks = vb_logs = 0;
	vb_other_lines = false;
	memset(vb_other_line, 0, sizeof vb_other_line);
	vb_log[0] = '\0';
	memset(vb_line, 0, sizeof vb_line);
	memset(vb_rose, 0, sizeof vb_rose);
	vb_pages = pages_counts();
	for (unsigned n = 0; n < VB_VMS; n++)
		vb_vm_make(n);
	vm = vb_vm[0];
	cpu_this()->vcpu = vm->vcpu[0];
	return 0;
}

static int vb_teardown(void **state)
{
	struct page_list ready = {0};
	(void)state;
	cpu_this()->vcpu = NULL;
	for (unsigned n = 0; n < VB_VMS; n++) {
		assert_true(vvirtio_quiet(vb_vm[n]));
		stage2_retire(&vb_vm[n]->stage2);
		while (stage2_destroy_some(&vb_vm[n]->stage2))
			;
	}
	while (vb_blocks > 0)
		free(vb_block[--vb_blocks]);
	for (unsigned n = 0; n < VB_VMS; n++) {
		test_free(vb_vm[n]->vcpu[0]);
		test_free(vb_vm[n]);
	}
	assert_int_equal(pages_counts().free, vb_pages.free);
	while (pages_alloc_zeroed(1, PAGE_GUEST, &ready).v != 0)
		;
	ram_arena_release(&ready);
	return 0;
}

// Time goes on; what was due in between happens.
UNUSED static void vb_pass_us(uint64_t us)
{
	uint64_t end = vb_now + us;
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t first = alarm_first(vm);
		if (first > end)
			break;
		vb_now = first > vb_now ? first : vb_now;
		alarm_expire(vm);
	}
	vb_now = end;
}

// ---- the guest's memory and registers ----

// `size` bytes at an IPA of `vm`, which lie in one page, and which its guest has touched.
static void *vb_at(uint64_t ipa, size_t size)
{
	uint64_t left;
	assert_int_equal(stage2_fault(&vm->stage2, IPA(ipa)), 0);
	void *at = stage2_pointer(&vm->stage2, IPA(ipa), &left);
	assert_non_null(at);
	assert_true(size <= left);
	return at;
}

UNUSED static void vb_put(uint64_t ipa, const void *from, size_t size)
{
	for (size_t done = 0, some; done < size; done += some) {
		some = (size_t)(PAGE_SIZE - (ipa + done) % PAGE_SIZE);
		some = some < size - done ? some : size - done;
		memcpy(vb_at(ipa + done, some), (const uint8_t *)from + done, some);
	}
}
UNUSED static void vb_get(uint64_t ipa, void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = *(uint8_t *)vb_at(ipa + i, 1);
}
UNUSED static void vb_put16(uint64_t ipa, uint16_t value)
{
	*(uint16_t *)vb_at(ipa, 2) = value;
}
UNUSED static void vb_put32(uint64_t ipa, uint32_t value)
{
	*(uint32_t *)vb_at(ipa, 4) = value;
}
UNUSED static uint16_t vb_get16(uint64_t ipa)
{
	return *(uint16_t *)vb_at(ipa, 2);
}
UNUSED static uint32_t vb_get32(uint64_t ipa)
{
	return *(uint32_t *)vb_at(ipa, 4);
}

static uint64_t vb_access(unsigned slot, uint32_t offset, unsigned size, bool write, uint64_t value)
{
	struct access access = {IPA(VVIRTIO_BASE + slot * VVIRTIO_SLOT_SIZE + offset),
	                        (uint8_t)size, write, value};
	assert_true(mmio_access(&vm->mmio, vm->vcpu[0], &access));
	return access.value;
}
UNUSED static uint32_t vb_read(unsigned slot, uint32_t reg)
{
	return (uint32_t)vb_access(slot, reg, 4, false, 0);
}
UNUSED static void vb_write(unsigned slot, uint32_t reg, uint32_t value)
{
	vb_access(slot, reg, 4, true, value);
}

// ---- a driver ----

struct vb_segment {
	uint64_t ipa;
	uint32_t bytes;
	bool write; // by the device
};

struct vb_ring {
	unsigned size;
	uint64_t desc, driver, device;
	uint16_t avail, used; // split: they count on; packed: slots
	bool avail_wrap, used_wrap;
	uint16_t free;       // split: next descriptor to use; packed: next id
	uint16_t slots[256]; // packed: that a buffer with this id takes
};

struct vb_driver {
	struct vm *vm;
	unsigned slot;
	bool packed;
	uint64_t features;
	struct vb_ring ring[VB_QUEUES];
};

// The device in `slot` is found and accepts the features. The rings come next, then vb_go.
UNUSED static void vb_begin(struct vb_driver *drv, unsigned slot, uint32_t id, uint64_t features)
{
	memset(drv, 0, sizeof *drv);
	drv->vm = vm;
	drv->slot = slot;
	drv->features = features | VIRTIO_F_VERSION_1;
	drv->packed = (features & VIRTIO_F_RING_PACKED) != 0;
	assert_int_equal(vb_read(slot, VIRTIO_MMIO_MAGIC), 0x74726976);
	assert_int_equal(vb_read(slot, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(vb_read(slot, VIRTIO_MMIO_DEVICE_ID), id);
	vb_write(slot, VIRTIO_MMIO_STATUS, 0);
	vb_write(slot, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE);
	vb_write(slot, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	for (unsigned half = 0; half < 2; half++) {
		vb_write(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
		vb_write(slot, VIRTIO_MMIO_DRIVER_FEATURES,
		         (uint32_t)(drv->features >> (32 * half)));
	}
	vb_write(slot, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	assert_true((vb_read(slot, VIRTIO_MMIO_STATUS) & VIRTIO_FEATURES_OK) != 0);
}

UNUSED static uint64_t vb_offered(unsigned slot)
{
	vb_write(slot, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	uint64_t high = vb_read(slot, VIRTIO_MMIO_DEVICE_FEATURES);
	vb_write(slot, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return high << 32 | vb_read(slot, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void vb_write64(unsigned slot, uint32_t reg, uint64_t value)
{
	vb_write(slot, reg, (uint32_t)value);
	vb_write(slot, reg + 4, (uint32_t)(value >> 32));
}

// Each ring has 16 KiB of its own at the start of RAM, by slot and queue; `shift` moves its parts within it.
UNUSED static void vb_queue(struct vb_driver *drv, unsigned n, unsigned size, uint64_t shift)
{
	struct vb_ring *ring = &drv->ring[n];
	uint64_t base = VB_RAM + (drv->slot * VB_QUEUES + n) * KIB(16) + shift;

	*ring = (struct vb_ring){
	        .size = size,
	        .desc = base,
	        .driver = base + size * 16,
	        .device = align_up(base + size * 18 + 8, 4),
	        .avail_wrap = true,
	        .used_wrap = true,
	};
	vb_write(drv->slot, VIRTIO_MMIO_QUEUE_SEL, n);
	assert_true(vb_read(drv->slot, VIRTIO_MMIO_QUEUE_NUM_MAX) >= size);
	assert_int_equal(vb_read(drv->slot, VIRTIO_MMIO_QUEUE_READY), 0);
	vb_write(drv->slot, VIRTIO_MMIO_QUEUE_NUM, size);
	vb_write64(drv->slot, VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc);
	vb_write64(drv->slot, VIRTIO_MMIO_QUEUE_DRIVER_LOW, ring->driver);
	vb_write64(drv->slot, VIRTIO_MMIO_QUEUE_DEVICE_LOW, ring->device);
	for (uint64_t at = ring->desc, end = ring->device + 8 * size + 6; at < end;) {
		uint64_t left = PAGE_SIZE - at % PAGE_SIZE;
		left = left < end - at ? left : end - at;
		memset(vb_at(at, left), 0, left);
		at += left;
	}
	vb_write(drv->slot, VIRTIO_MMIO_QUEUE_READY, 1);
}

UNUSED static void vb_go(const struct vb_driver *drv)
{
	vb_write(drv->slot, VIRTIO_MMIO_STATUS,
	         VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

static void vb_desc(const struct vb_driver *drv, uint64_t at, const struct vb_segment *segment,
                    uint16_t flags, uint16_t next)
{
	uint64_t ipa = segment->ipa;
	flags |= segment->write ? 2 : 0;
	vb_put(at, &ipa, 8);
	vb_put32(at + 8, segment->bytes);
	vb_put16(at + (drv->packed ? 14 : 12), flags);
	vb_put16(at + (drv->packed ? 12 : 14), next);
}

static uint16_t vb_add_split(struct vb_driver *drv, struct vb_ring *ring,
                             const struct vb_segment *segments, unsigned count, uint16_t extra)
{
	uint16_t head = ring->free, mask = (uint16_t)(ring->size - 1);
	for (unsigned i = 0; i < count; i++) {
		uint16_t at = (uint16_t)(head + i) & mask, next = (uint16_t)(at + 1) & mask;
		vb_desc(drv, ring->desc + at * 16, &segments[i],
		        (uint16_t)((i + 1 < count ? 1 : 0) | extra), i + 1 < count ? next : 0);
	}
	ring->free = (uint16_t)(head + count) & mask;
	vb_put16(ring->driver + 4 + (ring->avail & mask) * 2, head);
	vb_put16(ring->driver + 2, ++ring->avail);
	return head;
}

static uint16_t vb_add_packed(struct vb_driver *drv, struct vb_ring *ring,
                              const struct vb_segment *segments, unsigned count, uint16_t extra)
{
	uint16_t id = (uint16_t)(ring->free++ % ring->size), first = ring->avail, first_flags = 0;
	for (unsigned i = 0; i < count; i++) {
		uint16_t flags = (uint16_t)((i + 1 < count ? 1 : 0) | extra |
		                            (ring->avail_wrap ? 0x80 : 0x8000));
		uint16_t shown = i == 0 ? (uint16_t)(flags ^ 0x8080) : flags;
		first_flags = i == 0 ? flags : first_flags;
		vb_desc(drv, ring->desc + ring->avail * 16, &segments[i], shown, id);
		if (++ring->avail == ring->size) {
			ring->avail = 0;
			ring->avail_wrap = !ring->avail_wrap;
		}
	}
	ring->slots[id] = (uint16_t)count;
	vb_put16(ring->desc + first * 16 + 14,
	         (uint16_t)(first_flags | (segments[0].write ? 2 : 0)));
	return id;
}

// Makes a buffer available; what names it. The device is not notified.
UNUSED static uint16_t vb_add(struct vb_driver *drv, unsigned n, const struct vb_segment *segments,
                              unsigned count)
{
	return drv->packed ? vb_add_packed(drv, &drv->ring[n], segments, count, 0)
	                   : vb_add_split(drv, &drv->ring[n], segments, count, 0);
}

// The same by a table of descriptors at `table`.
UNUSED static uint16_t vb_add_table(struct vb_driver *drv, unsigned n, uint64_t table,
                                    const struct vb_segment *segments, unsigned count)
{
	const struct vb_segment whole = {table, count * 16, false};
	for (unsigned i = 0; i < count; i++)
		vb_desc(drv, table + i * 16, &segments[i], !drv->packed && i + 1 < count ? 1 : 0,
		        (uint16_t)(drv->packed ? 0 : i + 1));
	return drv->packed ? vb_add_packed(drv, &drv->ring[n], &whole, 1, 4)
	                   : vb_add_split(drv, &drv->ring[n], &whole, 1, 4);
}

UNUSED static void vb_notify(const struct vb_driver *drv, unsigned n)
{
	vb_write(drv->slot, VIRTIO_MMIO_QUEUE_NOTIFY, n);
}

// The next buffer that came back: false, there is none.
UNUSED static bool vb_used(struct vb_driver *drv, unsigned n, uint16_t *id, uint32_t *bytes)
{
	struct vb_ring *ring = &drv->ring[n];
	if (!drv->packed) {
		uint64_t at = ring->device + 4 + (ring->used & (ring->size - 1)) * 8;
		if (vb_get16(ring->device + 2) == ring->used)
			return false;
		*id = (uint16_t)vb_get32(at);
		*bytes = vb_get32(at + 4);
		ring->used++;
		return true;
	}
	uint64_t at = ring->desc + ring->used * 16;
	uint16_t flags = vb_get16(at + 14);
	if (((flags & 0x80) != 0) != ring->used_wrap || ((flags & 0x8000) != 0) != ring->used_wrap)
		return false;
	*id = vb_get16(at + 12);
	*bytes = vb_get32(at + 8);
	ring->used = (uint16_t)(ring->used + ring->slots[*id % ring->size]);
	if (ring->used >= ring->size) {
		ring->used = (uint16_t)(ring->used - ring->size);
		ring->used_wrap = !ring->used_wrap;
	}
	return true;
}

// The interrupt is taken: whether it was there.
UNUSED static bool vb_interrupted(const struct vb_driver *drv)
{
	uint32_t status = vb_read(drv->slot, VIRTIO_MMIO_INTERRUPT_STATUS);
	assert_int_equal(status != 0, vb_line[vb_index(vm)][drv->slot]);
	vb_write(drv->slot, VIRTIO_MMIO_INTERRUPT_ACK, status);
	return status != 0;
}

#endif
