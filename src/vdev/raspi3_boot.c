// SPDX-License-Identifier: Apache-2.0
// The first page of a `raspi3`'s memory, as the firmware leaves it: at 0 the code in which the cores other than
// the first wait, at 0xd8 the address that each of them waits for, at 0x100 the tags that describe the machine to
// programs that do not read device trees. Owns nothing; called when a VM is built, and the page is filled from
// what it wrote each time the VM starts.
//
// A core leaves for the address that is stored in its place of the table, as with the firmware's start code for
// 64-bit kernels; or for what is put into its mailbox 3, as with the one for 32-bit kernels, which programs also
// rely on. In between it sleeps: WFI traps, and trap/ makes a short sleep of it while the program counter is here. A
// VM that owns its CPUs has no traps there, and its cores wait with WFE, as the firmware's do.
// Source: Raspberry Pi tools, armstubs, for the addresses; Linux kernel, Documentation/arm/booting.rst and
// arch/arm/include/uapi/asm/setup.h, for the tags.
#include "vdev/raspi3_boot.h"

#include "base/bits.h"
#include "base/string.h"
#include "fdt/guest_raspi3.h"
#include "vdev/model.h"
#include "vm/vm.h"

#define ATAGS UINT32_C(0x100)

enum {
	ATAG_NONE = 0,
	ATAG_CORE = 0x54410001,
	ATAG_MEM = 0x54410002,
	ATAG_CMDLINE = 0x54410009,
	ATAG_INITRD2 = 0x54420005,
};

static const uint32_t wait_code[] = {
        0xd53800a4, //      mrs  x4, mpidr_el1
        0x92400484, //      and  x4, x4, #3
        0xd2801b05, //      mov  x5, #0xd8               release addresses
        0xd2a80007, //      mov  x7, #0x40000000
        0x8b0410e7, //      add  x7, x7, x4, lsl #4      this core's mailboxes
        0xf86478a6, // 1:   ldr  x6, [x5, x4, lsl #3]
        0xb50000c6, //      cbnz x6, 3f
        0xb940cce6, //      ldr  w6, [x7, #0xcc]         mailbox 3
        0x35000066, //      cbnz w6, 2f
        0xd503207f, //      wfi                      or wfe
        0x17fffffb, //      b    1b
        0xb900cce6, // 2:   str  w6, [x7, #0xcc]         empty it
        0xd2800000, // 3:   mov  x0, #0
        0xd2800001, //      mov  x1, #0
        0xd2800002, //      mov  x2, #0
        0xd2800003, //      mov  x3, #0
        0xd61f00c0, //      br   x6
};

#define WAIT_AT  9 // in wait_code
#define WAIT_WFE UINT32_C(0xd503205f)

STATIC_ASSERT(sizeof wait_code <= GUEST_RASPI3_SPIN_TABLE, "the table follows");

static void put(uint8_t *bytes, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

// A tag and its `count` words. Returns where the next one goes.
static uint8_t *put_tag(uint8_t *at, uint32_t tag, const uint32_t *words, uint32_t count)
{
	put(at, tag == ATAG_NONE ? 0 : 2 + count); // its size in words
	put(at + 4, tag);
	for (uint32_t i = 0; i < count; i++)
		put(at + 8 + 4 * i, words[i]);
	return at + 8 + 4 * count;
}

static uint8_t *put_command_line(uint8_t *at, const char *line)
{
	size_t length = strlen(line) + 1;
	uint32_t words = (uint32_t)((length + 3) / 4);

	memcpy(at + 8, line, length);
	put(at, 2 + words);
	put(at + 4, ATAG_CMDLINE);
	return at + 8 + 4 * words;
}

void raspi3_boot_write(const struct vm *vm, const struct model_chosen *chosen, uint8_t *page)
{
	const uint32_t core[] = {0, (uint32_t)PAGE_SIZE, 0}; // flags, page size, root device
	const uint32_t memory[] = {(uint32_t)(vm->video_base - vm->ram_base),
	                           (uint32_t)vm->ram_base};
	const uint32_t initrd[] = {(uint32_t)chosen->initrd_start, (uint32_t)chosen->initrd_size};
	uint8_t *at = page + ATAGS;

	for (unsigned i = 0; i < ARRAY_SIZE(wait_code); i++)
		put(page + 4 * i, wait_code[i]);
	if (vm->sched.exclusive)
		put(page + 4 * WAIT_AT, WAIT_WFE);
	at = put_tag(at, ATAG_CORE, core, ARRAY_SIZE(core));
	at = put_tag(at, ATAG_MEM, memory, ARRAY_SIZE(memory));
	if (chosen->initrd_size != 0)
		at = put_tag(at, ATAG_INITRD2, initrd, ARRAY_SIZE(initrd));
	if (chosen->bootargs != NULL)
		at = put_command_line(at, chosen->bootargs);
	put_tag(at, ATAG_NONE, NULL, 0);
}
