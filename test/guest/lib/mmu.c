// SPDX-License-Identifier: Apache-2.0
/*
 * Stage 1, one to one, 4 KiB granule, 39 bits: 1 GiB blocks of device memory, and a table of 2
 * MiB blocks for each GiB that holds RAM. Owned by this file; changed only by CPU 0 while the
 * others idle.
 * Source: Arm ARM, "VMSAv8-64 translation table format descriptors", "TCR_EL1", "MAIR_EL1".
 */
#include "mmu.h"

#include "platform.h"
#include "sysreg.h"

#define ENTRIES       512
#define RAM_TABLES    8 /* RAM beyond this many GiB is mapped in 1 GiB blocks */
#define GIB_SHIFT     30
#define BLOCK_SHIFT   21
#define PTE_BLOCK     1ul
#define PTE_TABLE     3ul
#define PTE_ATTR      BITS(4, 2)
#define PTE_AP_EL0    BIT(6)
#define PTE_SH_INNER  FIELD(BITS(9, 8), 3)
#define PTE_AF        BIT(10)
#define PTE_PXN       BIT(53)
#define PTE_UXN       BIT(54)
#define ATTR_DEVICE   0
#define ATTR_NORMAL   1
#define MAIR_DEVICE   FIELD(BITS(7, 0), 0x00) /* nGnRnE */
#define MAIR_NORMAL   FIELD(BITS(15, 8), 0xff)
#define TCR_T0SZ      FIELD(BITS(5, 0), 25)
#define TCR_WB        (FIELD(BITS(9, 8), 1) | FIELD(BITS(11, 10), 1) | FIELD(BITS(13, 12), 3))
#define TCR_EPD1      BIT(23)
#define TCR_IPS       BITS(34, 32)
#define IPS_48        5
#define MMFR0_PARANGE BITS(3, 0)
#define BROKEN_GIB    500 /* an entry that maps no RAM on any machine we run on */
#define WINDOW_GIB    501 /* the same */
#define CTR_DMINLINE  BITS(19, 16)
#define CTR_IMINLINE  BITS(3, 0)

/* Read by mmu_enable in start.S, in this order. */
struct {
	u64 ttbr0, tcr, mair, sctlr;
} mmu_boot_regs;

static u64 level1[ENTRIES] __attribute__((aligned(4096)));
static u64 level2[RAM_TABLES][ENTRIES] __attribute__((aligned(4096)));
static unsigned level2_used;
static u64 window[2][ENTRIES] __attribute__((aligned(4096))); /* levels 2 and 3 */

extern char _image_start[], _image_end[];

static u64 device_block(u64 addr)
{
	return addr | PTE_BLOCK | FIELD(PTE_ATTR, ATTR_DEVICE) | PTE_AF | PTE_PXN | PTE_UXN;
}

static u64 normal_block(u64 addr)
{
	return addr | PTE_BLOCK | FIELD(PTE_ATTR, ATTR_NORMAL) | PTE_SH_INNER | PTE_AF | PTE_UXN;
}

static bool is_ram(u64 addr)
{
	return addr >= platform.ram_base && addr - platform.ram_base < platform.ram_bytes;
}

static u64 ram_table(u64 base)
{
	u64 *table = level2[level2_used++];

	for (u64 i = 0; i < ENTRIES; i++) {
		u64 addr = base + (i << BLOCK_SHIFT);

		table[i] = is_ram(addr) ? normal_block(addr) : device_block(addr);
	}
	return (u64)table | PTE_TABLE;
}

void mmu_init(void)
{
	u64 pa_range = FIELD_GET(MMFR0_PARANGE, read_sysreg(id_aa64mmfr0_el1));

	for (u64 i = 0; i < ENTRIES; i++) {
		u64 base = i << GIB_SHIFT;
		bool holds_ram = base < platform.ram_base + platform.ram_bytes &&
		                 base + GIB > platform.ram_base;

		if (holds_ram && level2_used < RAM_TABLES)
			level1[i] = ram_table(base);
		else
			level1[i] = holds_ram ? normal_block(base) : device_block(base);
	}
	mmu_boot_regs.ttbr0 = (u64)level1;
	mmu_boot_regs.tcr = TCR_T0SZ | TCR_WB | TCR_EPD1 |
	                    FIELD(TCR_IPS, pa_range < IPS_48 ? pa_range : IPS_48);
	mmu_boot_regs.mair = MAIR_DEVICE | MAIR_NORMAL;
	mmu_boot_regs.sctlr = SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_I;
	/*
	 * What was written with the caches off must not be hidden by an old line once they are
	 * on.
	 */
	u64 line = 4ul << FIELD_GET(CTR_DMINLINE, read_sysreg(ctr_el0));
	for (u64 at = ALIGN_DOWN((u64)_image_start, line); at < (u64)_image_end; at += line)
		__asm__ volatile("dc ivac, %0" ::"r"(at) : "memory");
	dsb(sy);
}

void cache_clean_invalidate(u64 addr, u64 bytes)
{
	u64 line = 4ul << FIELD_GET(CTR_DMINLINE, read_sysreg(ctr_el0));

	for (u64 at = ALIGN_DOWN(addr, line); at < addr + bytes; at += line)
		__asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
	dsb(sy);
}

void cache_sync_code(u64 addr, u64 bytes)
{
	u64 dline = 4ul << FIELD_GET(CTR_DMINLINE, read_sysreg(ctr_el0));
	u64 iline = 4ul << FIELD_GET(CTR_IMINLINE, read_sysreg(ctr_el0));

	for (u64 at = ALIGN_DOWN(addr, dline); at < addr + bytes; at += dline)
		__asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
	dsb(ish);
	for (u64 at = ALIGN_DOWN(addr, iline); at < addr + bytes; at += iline)
		__asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
	dsb(ish);
	isb();
}

void mmu_disable(void)
{
	u64 image = (u64)_image_start, bytes = (u64)(_image_end - _image_start);

	/*
	 * Twice: the first sweep may itself leave lines dirty that it has passed, the second
	 * finds only this frame's.
	 */
	cache_clean_invalidate(image, bytes);
	write_sysreg(sctlr_el1, SCTLR_RES1 | SCTLR_I | SCTLR_M);
	isb();
	cache_clean_invalidate(image, bytes);
	write_sysreg(sctlr_el1, SCTLR_RES1 | SCTLR_I);
	isb();
}

/* Break before make; the caller guarantees that nothing uses the block meanwhile. */
static void set_block(u64 addr, u64 descriptor)
{
	u64 *table = (u64 *)(level1[addr >> GIB_SHIFT] & BITS(47, 12));
	u64 *entry = &table[(addr >> BLOCK_SHIFT) % ENTRIES];

	*(volatile u64 *)entry = 0;
	dsb(ish);
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	dsb(ish);
	*(volatile u64 *)entry = descriptor;
	dsb(ish);
	isb();
}

void mmu_map_user(u64 addr)
{
	u64 base = ALIGN_DOWN(addr, MMU_BLOCK_BYTES);

	set_block(base, (normal_block(base) & ~PTE_UXN) | PTE_AP_EL0 | PTE_PXN);
}

void mmu_unmap(u64 addr)
{
	set_block(ALIGN_DOWN(addr, MMU_BLOCK_BYTES), 0);
}

u64 mmu_break_walk(u64 table)
{
	*(volatile u64 *)&level1[BROKEN_GIB] = table | PTE_TABLE;
	dsb(ish);
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	dsb(ish);
	isb();
	return (u64)BROKEN_GIB << GIB_SHIFT;
}

void mmu_mend_walk(void)
{
	*(volatile u64 *)&level1[BROKEN_GIB] = 0;
	dsb(ish);
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	dsb(ish);
	isb();
}

u64 mmu_window(u64 page)
{
	*(volatile u64 *)&window[1][0] = 0;
	dsb(ish);
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	dsb(ish);
	*(volatile u64 *)&window[1][0] = normal_block(page) | PTE_TABLE; /* level 3: a page */
	*(volatile u64 *)&window[0][0] = (u64)window[1] | PTE_TABLE;
	*(volatile u64 *)&level1[WINDOW_GIB] = (u64)window[0] | PTE_TABLE;
	dsb(ish);
	isb();
	return (u64)WINDOW_GIB << GIB_SHIFT;
}

static bool devices_are_users;

void mmu_map_devices_user(void)
{
	devices_are_users = true;
	*(volatile u64 *)&level1[0] = 0;
	dsb(ish);
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	dsb(ish);
	*(volatile u64 *)&level1[0] = device_block(0) | PTE_AP_EL0;
	dsb(ish);
	isb();
}

/* Other CPUs use the devices all the while: only the permission changes. */
void mmu_unmap_devices_user(void)
{
	if (!devices_are_users)
		return;
	devices_are_users = false;
	*(volatile u64 *)&level1[0] = device_block(0);
	dsb(ish);
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	dsb(ish);
	isb();
}
