// SPDX-License-Identifier: Apache-2.0
// Virtio disks, an image and a disk of the board: a guest that writes whatever it likes to registers, rings and buffers, and
// now and then what a driver would, so that something happens; the board's disk answers late, in any order, with errors.
#define MACHINE_EQUIP equip
#define MACHINE_LEAVE leave
static void equip(void);
static void leave(void);
#include "devices.h"

#include "hw/block.h"
#include "vdev/vvirtio.h"
#include "vdev/vvirtio_mmio.h"

#define SECTORS 1000
#define HANGING 64
#define FIRST   50 // sector of the board's disk where the range begins

static uint8_t image[SECTORS * 512], medium[(FIRST + SECTORS) * 512];
static struct block_request *hanging[HANGING];
static unsigned hangs;
static uint16_t avail[2][4]; // of each disk's queues

static int submit(struct block_dev *dev, struct block_request *request, uint64_t sector)
{
	(void)dev;
	FUZZ_CHECK(request->op == BLOCK_FLUSH || sector >= FIRST);
	if (hangs == HANGING / 4)
		return ERR_BUSY;
	hanging[hangs++] = request;
	return 0;
}

static const struct block_driver driver = {.name = "fuzz", .submit = submit};
static struct block_dev board = {
        .name = "vda",
        .driver = &driver,
        .sectors = FIRST + SECTORS,
        .block_size = 512,
        .has_flush = true,
        .max_segments = 5,
        .max_segment_bytes = KIB(8),
        .discard = {.max_sectors = 100, .alignment = 1},
        .write_zeroes = {.max_sectors = 77, .alignment = 1},
};

static void equip(void)
{
	machine->nr_disks = 2;
	machine->disk[0] = (struct vm_disk){"image", {image, sizeof image, DESC_IMAGE_COW}, {0}};
	machine->disk[1] =
	        (struct vm_disk){"vda", {.mode = DESC_IMAGE_KEEP}, {&board, FIRST, SECTORS}};
}

static void answer(unsigned n, int error)
{
	struct block_request *request = hanging[n];
	uint8_t *at = medium + (FIRST + request->sector) * 512;
	hanging[n] = hanging[--hangs];
	for (unsigned i = 0; i < request->nr_segments; i++) {
		void *memory = (void *)(uintptr_t)request->segments[i].pa.v;
		uint32_t bytes = request->segments[i].bytes;
		FUZZ_CHECK(at + bytes <= medium + sizeof medium);
		if (request->op == BLOCK_READ)
			memcpy(memory, at, bytes);
		else
			memcpy(at, memory, bytes);
		at += bytes;
	}
	request->ops->done(request, error);
}

static void put(uint64_t ipa, uint64_t value, unsigned bytes)
{
	uint64_t left;
	uint8_t *at = stage2_pointer(&machine->stage2, IPA(ipa), &left);
	for (unsigned i = 0; at != NULL && i < bytes && i < left; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void reg(unsigned slot, uint32_t offset, uint64_t value)
{
	struct access access = {IPA(VVIRTIO_BASE + slot * VVIRTIO_SLOT_SIZE + offset), 4, true,
	                        value};
	mmio_access(&machine->mmio, vcpu, &access);
	vcpu->repeat = false;
}

// Where the rings of a queue are: 16 descriptors, then the two parts.
static uint64_t ring_of(unsigned slot, unsigned queue)
{
	return machine->ram_base + MIB(1) + (slot * 4 + queue) * KIB(4);
}

static void begin(struct fuzz_in *in, unsigned slot)
{
	uint8_t features = fuzz_u8(in);
	reg(slot, VIRTIO_MMIO_STATUS, 0);
	reg(slot, VIRTIO_MMIO_STATUS, 3);
	reg(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg(slot, VIRTIO_MMIO_DRIVER_FEATURES, features & 1 ? VIRTIO_F_INDIRECT : 0);
	reg(slot, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg(slot, VIRTIO_MMIO_DRIVER_FEATURES, features & 2 ? 5 : 1); // packed or split
	reg(slot, VIRTIO_MMIO_STATUS, 11);
	for (unsigned n = 0; n < 4; n++) {
		uint64_t ring = ring_of(slot, n);
		for (unsigned i = 0; i < 512; i += 8)
			put(ring + i, 0, 8);
		avail[slot][n] = 0;
		reg(slot, VIRTIO_MMIO_QUEUE_SEL, n);
		reg(slot, VIRTIO_MMIO_QUEUE_NUM, 16);
		reg(slot, VIRTIO_MMIO_QUEUE_DESC_LOW, ring);
		reg(slot, VIRTIO_MMIO_QUEUE_DRIVER_LOW, ring + 256);
		reg(slot, VIRTIO_MMIO_QUEUE_DEVICE_LOW, ring + 512);
		reg(slot, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	reg(slot, VIRTIO_MMIO_STATUS, 15);
}

static void describe(struct fuzz_in *in, unsigned slot, unsigned queue)
{
	uint8_t n = fuzz_u8(in) % 16, flags = fuzz_u8(in);
	uint64_t at = ring_of(slot, queue) + n * 16;
	put(at, machine_ram(in), 8);
	put(at + 8, flags & 8 ? fuzz_number(in) : fuzz_u16(in), 4);
	put(at + 12, flags & 7, 2); // split: flags and next; packed: an id and flags
	put(at + 14, flags & 16 ? fuzz_u16(in) : n + 1U, 2);
}

// A request as drivers make it, but for its numbers.
static void request(struct fuzz_in *in, unsigned slot, unsigned queue)
{
	uint64_t ring = ring_of(slot, queue), header = machine->ram_base + MIB(2);
	uint8_t type = fuzz_u8(in) % 16;
	uint64_t sector = fuzz_u8(in) < 200 ? fuzz_u16(in) % (SECTORS + 8) : fuzz_number(in);
	bool in_ = type == VIRTIO_BLK_IN || type == VIRTIO_BLK_GET_ID;
	put(header, type, 8);
	put(header + 8, sector, 8);
	put(header + 16, sector, 8); // an extent
	put(header + 24, fuzz_u16(in) % 300, 8);
	const uint64_t desc[3][2] = {{header, 16},
	                             {in_ ? machine_ram(in) : header + 16,
	                              fuzz_u8(in) < 100 ? 16 : fuzz_u8(in) % 40 * 512U},
	                             {machine_ram(in), fuzz_u8(in) % 4}};
	for (unsigned i = 0; i < 3; i++) {
		put(ring + i * 16, desc[i][0], 8);
		put(ring + i * 16 + 8, desc[i][1], 4);
		put(ring + i * 16 + 12, (i < 2 ? 1U : 0) | (i == 2 || (i == 1 && in_) ? 2U : 0), 2);
		put(ring + i * 16 + 14, i + 1, 2);
	}
	put(ring + 256 + 4 + avail[slot][queue] % 16 * 2U, 0, 2);
	put(ring + 256 + 2, ++avail[slot][queue], 2);
	reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static void other(struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	unsigned slot = what & 1, queue = what >> 1 & 3;
	switch (what >> 3 & 7) {
	case 0: begin(in, slot); break;
	case 1: describe(in, slot, queue); break;
	case 2: put(ring_of(slot, queue) + fuzz_u16(in) % 640, fuzz_number(in), 1 + queue); break;
	case 3: reg(slot, VIRTIO_MMIO_QUEUE_NOTIFY, fuzz_u8(in) % 5); break;
	case 4:
		if (hangs != 0)
			answer(fuzz_u8(in) % hangs, queue == 0 ? ERR_IO : 0);
		break;
	case 5: // a queue alone is stopped
		reg(slot, VIRTIO_MMIO_QUEUE_SEL, queue);
		reg(slot, VIRTIO_MMIO_QUEUE_READY, 0);
		break;
	default: request(in, slot, queue); break;
	}
	if (vcpu->repeat) // the guest writes once more
		vcpu->repeat = false;
}

static void leave(void)
{
	while (hangs != 0)
		answer(0, ERR_IO);
	FUZZ_CHECK(model_quiet(machine));
}

static const struct device_target target = {
        .kind = MACHINE_GICV3,
        .devices = {"virtio-mmio"},
        .other = other,
};
