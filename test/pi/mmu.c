// SPDX-License-Identifier: Apache-2.0
/*
 * Own page tables: RAM cached in blocks of 2 MiB, the peripherals as Device, the cores' controller in a block of
 * 1 GiB; caches on; what is not mapped and what is read-only faults as it should.
 */
#include "pi.h"

#define ENTRIES    512U
#define BLOCK_2M   (1UL << 21)
#define BLOCK_1G   (1UL << 30)
#define TYPE_BLOCK 1UL
#define TYPE_TABLE 3UL
#define ATTR(n)    ((u64)(n) << 2)
#define AP_RO      (1UL << 7)
#define SH_INNER   (3UL << 8)
#define AF         (1UL << 10)
#define XN         (1UL << 54)
#define NORMAL     0
#define DEVICE     1
#define MAIR       0x04ffUL // 0: write-back; 1: nGnRE
#define TCR                                                            \
	(25UL | (1UL << 8) | (1UL << 10) | (3UL << 12) | (1UL << 23) | \
	 (1UL << 32)) // 39 bits, 36 of output
#define SCTLR_M_C_I   ((1UL << 0) | (1UL << 2) | (1UL << 12))
#define READ_ONLY     (64 * BLOCK_2M) // as the map has it, 128 MiB: beyond what any of these uses
#define ALIAS         (65 * BLOCK_2M) // shows the RAM below READ_ONLY once more
#define NOTHING       (3 * BLOCK_1G)
#define EC_OF(esr)    ((u32)((esr) >> 26) & 0x3fU)
#define EC_DABT       0x25U
#define DFSC(esr)     ((u32)(esr)&0x3fU)
#define TRANSLATION_1 5U
#define PERMISSION_2  14U

static u64 level1[ENTRIES] __attribute__((aligned(4096)));
static u64 level2[ENTRIES] __attribute__((aligned(4096)));
static volatile u64 esr, far;

static void handler(u32 vector, struct frame *frame)
{
	(void)vector;
	esr = sysreg_read(esr_el1);
	far = sysreg_read(far_el1);
	frame->elr += 4;
}

static void map(void)
{
	for (u64 i = 0; i < ENTRIES; i++) {
		bool ram = i * BLOCK_2M < PERI_BASE;
		level2[i] = i * BLOCK_2M | TYPE_BLOCK | AF |
		            (ram ? ATTR(NORMAL) | SH_INNER : ATTR(DEVICE) | XN);
	}
	level2[READ_ONLY / BLOCK_2M] |= AP_RO;
	level2[ALIAS / BLOCK_2M] =
	        (READ_ONLY - BLOCK_2M) | TYPE_BLOCK | AF | ATTR(NORMAL) | SH_INNER | XN;
	level1[0] = (u64)(uintptr_t)level2 | TYPE_TABLE;
	level1[1] = BLOCK_1G | TYPE_BLOCK | AF | ATTR(DEVICE) | XN;
	barrier();
	sysreg_write(mair_el1, MAIR);
	sysreg_write(tcr_el1, TCR);
	sysreg_write(ttbr0_el1, (u64)(uintptr_t)level1);
	__asm__ volatile("tlbi vmalle1\n\tic iallu\n\tdsb nsh\n\tisb" : : : "memory");
	sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) | SCTLR_M_C_I);
}

static u64 load(u64 addr)
{
	u64 value = 0;
	__asm__ volatile("ldr %0, [%1]" : "+r"(value) : "r"(addr) : "memory");
	return value;
}

static bool exclusives(void)
{
	static u32 counter;
	for (u32 i = 0; i < 100; i++) {
		u32 value, failed;
		do
			__asm__ volatile("ldxr %w0, [%2]\n\tadd %w0, %w0, #1\n\tstxr %w1, %w0, [%2]"
			                 : "=&r"(value), "=&r"(failed)
			                 : "r"(&counter)
			                 : "memory");
		while (failed);
	}
	return *(volatile u32 *)&counter == 100;
}

void program(u64 tree)
{
	u64 place = READ_ONLY - BLOCK_2M + 64;
	(void)tree;
	pi_handler = handler;
	map();
	check((sysreg_read(sctlr_el1) & SCTLR_M_C_I) == SCTLR_M_C_I, "MMU and caches are on");
	write64(place, 0x1122334455667788UL);
	check(load(place) == 0x1122334455667788UL, "RAM holds what is stored");
	check(load(place - READ_ONLY + BLOCK_2M + ALIAS) == 0x1122334455667788UL,
	      "an alias shows the same");
	check(load(place + 3) == load(place + 3) && esr == 0, "unaligned loads work in cached RAM");
	check(exclusives(), "exclusives work in cached RAM");
	check(esr == 0, "no fault so far");
	load(NOTHING + 8);
	check(EC_OF(esr) == EC_DABT && DFSC(esr) == TRANSLATION_1 && far == NOTHING + 8,
	      "nothing mapped: translation fault");
	write64(READ_ONLY, 1);
	check(EC_OF(esr) == EC_DABT && DFSC(esr) == PERMISSION_2 && far == READ_ONLY,
	      "read-only: permission fault");
	esr = 0;
	level2[READ_ONLY / BLOCK_2M] &= ~AP_RO;
	__asm__ volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb"
	                 :
	                 : "r"(READ_ONLY >> 12)
	                 : "memory");
	write64(READ_ONLY, 2);
	check(esr == 0 && load(READ_ONLY) == 2, "writable after the entry is changed");
	check(read32(LOCAL_SOURCE(0)) == 0, "the cores' controller is mapped");
	sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) & ~SCTLR_M_C_I);
}
