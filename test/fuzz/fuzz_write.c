// SPDX-License-Identifier: Apache-2.0
// The writers of guests' device trees (fdt/guest_virt.c, guest_raspi3.c, over guest_tree.c) with any numbers and any
// room: a sound tree that says what it was told, or there is a reason.
#include "fuzz.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "fdt/guest_raspi3.h"
#include "fdt/guest_virt.h"
#include "fdt/tree.h"

enum { ROOM = 20480, DEVICES = 40 };
static uint8_t *room;

void fuzz_setup(void)
{
	room = aligned_alloc(64, ROOM);
}

static void check(int size, size_t space)
{
	if (size <= 0) {
		FUZZ_CHECK(size == ERR_NO_MEMORY || size == ERR_INVALID);
		return;
	}
	FUZZ_CHECK((size_t)size <= space);
	FUZZ_CHECK(tree_check(room, (size_t)size) == TREE_OK);
	struct tree_walk walk;
	FUZZ_CHECK(tree_goto(&walk, room, tree_find_path(room, "/cpus", 5)));
}

static int write_virt(struct fuzz_in *in, size_t space)
{
	static const uint8_t seed[GUEST_VIRT_RNG_SIZE] = {1};
	static uint64_t mpidr[GUEST_VIRT_MAX_CPUS];
	static struct guest_device devices[DEVICES];
	static char bootargs[2100];
	uint8_t what = fuzz_u8(in);
	uint64_t kaslr = fuzz_u32(in);
	uint32_t cpus =
	        fuzz_u8(in) != 250 ? fuzz_below(in, 12) : fuzz_below(in, GUEST_VIRT_MAX_CPUS + 2);
	for (uint32_t i = 0; i < cpus && i < GUEST_VIRT_MAX_CPUS; i++)
		mpidr[i] = fuzz_more(in) && i < 8 ? fuzz_number(in) & 0xff00ffffff : i;
	size_t length = fuzz_u16(in) % sizeof bootargs;
	for (size_t i = 0; i < length; i++)
		bootargs[i] = (char)(1 + (what + i) % 255);
	bootargs[length] = 0;
	uint32_t nr_devices = fuzz_u8(in) != 251 ? fuzz_below(in, 6) : fuzz_below(in, DEVICES + 1);
	for (uint32_t i = 0; i < nr_devices; i++)
		devices[i] = (struct guest_device){
		        .kind = (enum guest_device_kind)fuzz_below(in, GUEST_VIRTIO_MMIO + 1),
		        .base = fuzz_more(in) ? fuzz_number(in) : i * PAGE_SIZE,
		        .size = 0x1000,
		        .intid = 32 + fuzz_below(in, 988)};
	struct guest_virt virt = {
	        .ram_base = fuzz_number(in),
	        .ram_size = fuzz_number(in),
	        .nr_cpus = cpus,
	        .mpidr = mpidr,
	        .gic_version = 1 + fuzz_below(in, 4),
	        .gicd_base = fuzz_number(in),
	        .gicd_size = 0x10000,
	        .gicc_base = 0x8010000,
	        .gicc_size = 0x2000,
	        .gicr_base = 0x80a0000,
	        .gicr_size = fuzz_number(in),
	        .nr_devices = nr_devices,
	        .devices = devices,
	        .bootargs = what & 1 ? bootargs : NULL,
	        .initrd_start = fuzz_number(in),
	        .initrd_size = what & 2 ? fuzz_number(in) : 0,
	        .rng_seed = what & 4 ? seed : NULL,
	        .kaslr_seed = what & 8 ? &kaslr : NULL,
	};
	return guest_virt_write(room, space, &virt);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	uint8_t which = fuzz_u8(&in);
	size_t space = which & 1 ? ROOM : align_down(fuzz_u16(&in) % ROOM, 8);
	ASAN_POISON_MEMORY_REGION(room + space, ROOM - space);
	int result = which & 2 ? guest_raspi3_write(room, space,
	                                            1 + fuzz_below(&in, GUEST_RASPI3_MAX_CPUS))
	                       : write_virt(&in, space);
	check(result, space);
	ASAN_UNPOISON_MEMORY_REGION(room, ROOM);
}
