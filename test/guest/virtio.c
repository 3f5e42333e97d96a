// SPDX-License-Identifier: Apache-2.0
/*
 * The virtio-mmio slots of board virt without a device in them: each says "virtio" and "no
 * device", at every width and whatever is written; behind the last one there is nothing.
 * Source: Virtual I/O Device (VIRTIO) specification, "MMIO Device Register Layout".
 */
#include "test.h"

#define MAGIC       0x000
#define VERSION     0x004
#define DEVICE_ID   0x008
#define STATUS      0x070
#define SLOT_BYTES  0x200u
#define MAGIC_VALUE 0x74726976u
#define VIRT_FIRST  0x0a000000ul
#define VIRT_SLOTS  32u

void test_main(void)
{
	struct exc_record r;

	check_eq(platform.virtio_count, VIRT_SLOTS, "virtio-slots-in-tree");
	group_begin("virtio-empty-slots");
	for (u32 i = 0; i < VIRT_SLOTS; i++) {
		u64 slot = VIRT_FIRST + (u64)i * SLOT_BYTES;

		group_eq(read32(slot + MAGIC), MAGIC_VALUE, "magic of slot %u", i);
		group_eq(read32(slot + VERSION) - 1 <= 1, true, "version of slot %u", i);
		group_eq(read32(slot + DEVICE_ID), 0, "device of slot %u", i);
		write32(slot + STATUS, 0xffffffff);
		write32(slot + MAGIC, 0);
		group_eq(read32(slot + MAGIC), MAGIC_VALUE, "magic of slot %u is fixed", i);
		group_eq(read32(slot + DEVICE_ID), 0, "device of slot %u is fixed", i);
		write32(slot + STATUS, 0);
	}
	group_end();

	/* Every offset at every width: any value, no exception, nothing else. */
	r = EXC_OF({
		for (u64 at = VIRT_FIRST; at < VIRT_FIRST + SLOT_BYTES; at += 4) {
			read8(at);
			read16(at);
			read32(at);
			write32(at, 0);
		}
	});
	check_eq(r.count, 0, "virtio-every-offset");
	r = EXC_OF(read32(VIRT_FIRST + (u64)VIRT_SLOTS * SLOT_BYTES));
	check_eq(exc_class(&r), EC_DABT, "virtio-nothing-behind-the-last");
}
