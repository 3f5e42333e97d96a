// SPDX-License-Identifier: Apache-2.0
/* A kernel as an ELF file: each part goes where it is linked to, and the first instruction is the one named. */
#include "pi.h"

#define CODE_BASE   0x300000
#define DATA_BASE   0x340000
#define ZEROES_BASE 0x380000
#define ZEROES_SIZE 8192
#define CANARY      0x600dcafeU

/* The part of the data that elf_entry changes, and one that is as the file has it. */
u32 entered = 1;
u32 canary = CANARY;

/* lib/elf.lds: a part without bytes in the file, which start.S does not touch. */
static u8 zeroes[ZEROES_SIZE] __attribute__((section(".zeroes")));

/* Not the first instruction of the file. Every core may come by at once. */
__asm__(".text\n"
        ".global elf_entry\n"
        "elf_entry:\n"
        "	ldr	x1, =entered\n"
        "	mov	w2, #2\n"
        "	str	w2, [x1]\n"
        "	b	_start\n"
        ".ltorg\n");

static bool all_zero(const volatile u8 *bytes, u32 size)
{
	for (u32 i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

void program(u64 tree)
{
	u64 here;

	(void)tree;
	__asm__("adr %0, ." : "=r"(here));
	check(*(volatile u32 *)&entered == 2, "entered where the header says");
	check(here >= CODE_BASE && here < DATA_BASE, "code where it is linked to");
	check((u64)&canary >= DATA_BASE && (u64)&canary < ZEROES_BASE, "data linked apart");
	check(*(volatile u32 *)&canary == CANARY, "data as the file has it");
	check((u64)zeroes >= ZEROES_BASE, "a part that is not in the file");
	check(all_zero(zeroes, ZEROES_SIZE), "which is zero");
}
