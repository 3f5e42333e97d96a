/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a course's first operating system does on the board: finds out by the ATAGS what the firmware says, and lists
 * the card. It stands for one that needs a compiler which no package brings.
 * Source: Linux, Documentation/arch/arm/booting.rst, "Setup the kernel tagged list"; arch/arm/include/uapi/asm/setup.h
 * for the numbers.
 */
#include "card.h"

#define ATAGS       0x100UL
#define ATAGS_END   0x4000UL
#define TAG_NONE    0U
#define TAG_CORE    0x54410001U
#define TAG_MEM     0x54410002U
#define TAG_INITRD2 0x54420005U
#define TAG_CMDLINE 0x54410009U
#define MIB         (1U << 20)

static void print_text(u64 at, u32 bytes)
{
	print("command line: ");
	for (u32 i = 0; i < bytes; i++) {
		char c = (char)(read32(at + i / 4 * 4) >> (i % 4 * 8));
		if (c == '\0')
			break;
		put_char(c);
	}
	print("\n");
}

void program(u64 tree)
{
	u32 known = 0, others = 0, memory = 0, words;
	u64 at = ATAGS;

	(void)tree;
	while ((words = read32(at)) >= 2 && at + 4UL * words < ATAGS_END) {
		u32 kind = read32(at + 4), first = read32(at + 8), second = read32(at + 12);
		known++;
		if (kind == TAG_CORE) {
			print("core\n");
		} else if (kind == TAG_MEM) {
			print("memory: %u MiB from %x\n", first / MIB, second);
			memory += first;
		} else if (kind == TAG_INITRD2) {
			print("initrd: %u bytes at %x\n", second, first);
		} else if (kind == TAG_CMDLINE) {
			print_text(at + 8, 4 * (words - 2));
		} else {
			known--;
			others++;
		}
		at += 4UL * words;
	}
	check(read32(at + 4) == TAG_NONE, "the list ends");
	check(known >= 2, "what it holds is known");
	check(memory >= 64 * MIB, "there is memory");
	print("%u tags of other kinds\n", others);
	if (card_start(&sd_emmc))
		card_list(&sd_emmc);
}
