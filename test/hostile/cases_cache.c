// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H11 and H12: caches. QEMU has none, so that what is asked here is whether maintenance ends, whether data
 * survives it, and whether what is read with the caches off is what should be there.
 */
#include "hostile.h"

#define LEVELS      7u
#define LINES       64u
#define STORM       2000u
#define CLIDR_AT(n) BITS(3 * (n) + 2, 3 * (n))

static u64 lines_kept(u64 seed)
{
	u64 wrong = 0;

	for (u64 i = 0; i < CASE_BYTES / 8; i++)
		wrong += ((u64 *)case_memory)[i] != seed + i * 3;
	return wrong;
}

static void fill(u64 seed)
{
	for (u64 i = 0; i < CASE_BYTES / 8; i++)
		((u64 *)case_memory)[i] = seed + i * 3;
}

/* `operation` over a few sets and all ways of every level that there is. */
#define EACH_LINE(operation)                                                                       \
	do {                                                                                       \
		u64 clidr = read_sysreg(clidr_el1);                                                \
		for (u64 level = 0; level < LEVELS && FIELD_GET(CLIDR_AT(level), clidr) != 0;      \
		     level++) {                                                                    \
			for (u64 set = 0; set < LINES; set++) {                                    \
				for (u64 way = 0; way < 4; way++)                                  \
					__asm__ volatile(                                          \
					        operation ::"r"(way << 30 | set << 6 | level << 1) \
					        : "memory");                                       \
			}                                                                          \
		}                                                                                  \
		dsb(sy);                                                                           \
	} while (0)

/* An invalidate without a clean: with HCR_EL2.SWIO it cleans as well, so nothing dirty is lost. */
static void invalidate_sets(void)
{
	fill(1);
	EACH_LINE("dc isw, %0");
	want_eq(lines_kept(1), 0, "words lost by DC ISW");
}

static void clean_sets(void)
{
	fill(2);
	EACH_LINE("dc csw, %0");
	EACH_LINE("dc cisw, %0");
	want_eq(lines_kept(2), 0, "words lost by DC CSW and CISW");
}

static void absent_sets(void)
{
	fill(3);
	for (u32 i = 0; i < 300; i++) {
		u64 v = case_random();
		struct exc_record r = EXC_OF(__asm__ volatile("dc cisw, %0\n\tdc isw, %0" ::"r"(v)
		                                              : "memory"));
		want_none(&r, "operand 0x%lx", v);
	}
	want_eq(lines_kept(3), 0, "words lost");
}

static void instruction_storm(void)
{
	for (u32 i = 0; i < STORM; i++)
		__asm__ volatile("ic iallu\n\tic ialluis" ::: "memory");
	dsb(ish);
	isb();
	want_eq(read_sysreg(currentel), 4, "code still runs");
}

static void sets_at_el0(void)
{
	static const u32 code[] = {0xd5087640 /* dc isw, x0 */};
	struct exc_record r = case_el0(code, 1, NULL);

	want_true(exc_class(&r) == EC_UNKNOWN || exc_class(&r) == EC_SYSREG, "class 0x%lx",
	          exc_class(&r));
	want_eq(r.vector, VEC_LOW64, "vector");
}

/* The selector takes any value; what it then shows is defined, and nobody else's. */
static void selector(void)
{
	for (u64 v = 0; v < 64; v++) {
		write_sysreg(csselr_el1, v);
		isb();
		struct exc_record r = EXC_OF((void)read_sysreg(ccsidr_el1));
		want_true(r.count == 0 || exc_class(&r) == EC_UNKNOWN, "CCSIDR_EL1 of selector %lu",
		          v);
	}
	write_sysreg(csselr_el1, ~0ul);
	isb();
	want_eq(read_sysreg(csselr_el1) & BITS(63, 32), 0, "the selector's upper half");
	write_sysreg(csselr_el1, 0);
	isb();
}

static volatile bool storm_stop;

static void sets_storm(u64 arg)
{
	(void)arg;
	for (u64 i = 0; !storm_stop; i++)
		__asm__ volatile("dc cisw, %0" ::"r"((i % 64) << 6) : "memory");
}

static void sets_beside_writer(void)
{
	storm_stop = false;
	smp_post(1, sets_storm, 0);
	for (u64 i = 0; i < 10; i++) {
		fill(i);
		want_eq(lines_kept(i), 0, "words lost in round %lu", i);
	}
	storm_stop = true;
	want_true(smp_wait(1, 2000000), "the other CPU ends");
}

static void by_address_garbage(void)
{
	fill(5);
	for (u32 i = 0; i < 200; i++) {
		u64 v = case_random();
		(void)EXC_OF(__asm__ volatile("dc civac, %0" ::"r"(v) : "memory"));
		(void)EXC_OF(__asm__ volatile("dc cvau, %0" ::"r"(v & BITS(38, 0)) : "memory"));
		(void)EXC_OF(__asm__ volatile("ic ivau, %0" ::"r"(v & BITS(38, 0)) : "memory"));
	}
	want_eq(lines_kept(5), 0, "words lost");
}

/* Memory that was never touched, first seen with MMU and caches off. */
static volatile u64 first_seen;

static void untouched_uncached(void)
{
	u64 at = ram_end() - 3 * PAGE_BYTES, sum = 0;

	mmu_disable();
	for (u64 i = 0; i < PAGE_BYTES; i += 8)
		sum |= *(volatile u64 *)(at + i);
	first_seen = sum;
	mmu_enable();
	want_eq(first_seen, 0, "a page first seen with the caches off");
}

static void written_uncached(void)
{
	u64 at = ram_end() - 5 * PAGE_BYTES;

	write64(at, 0x77);
	cache_clean_invalidate(at, 8);
	mmu_disable();
	first_seen = *(volatile u64 *)at;
	*(volatile u64 *)at = 0x88;
	dsb(sy);
	mmu_enable();
	__asm__ volatile("dc ivac, %0" ::"r"(at) : "memory");
	dsb(sy);
	want_eq(first_seen, 0x77, "written with caches, read without");
	want_eq(read64(at), 0x88, "written without, read with");
	write64(at, 0);
}

/* The tree and the image came through Mezzo's caches: they are whole for somebody who begins without. */
static void tree_uncached(void)
{
	u64 with = 0, without = 0;

	for (u64 i = 0; i < 4096; i += 8)
		with = with * 31 + read64(platform.tree + i);
	mmu_disable();
	for (u64 i = 0; i < 4096; i += 8)
		without = without * 31 + *(volatile u64 *)(platform.tree + i);
	first_seen = without;
	mmu_enable();
	want_eq(first_seen, with, "sum of the tree with the caches off");
}

CASES(rows) = {
        {"H11.1", "First sees a page with MMU and caches off.", "Zeroes.", untouched_uncached,
         NEEDS_MEZZO, 0},
        {"H11.2", "Writes with caches and reads without, and the other way round.",
         "What was written.", written_uncached, 0, 0},
        {"H11.3", "Reads its device tree with and without caches.", "The same.", tree_uncached, 0,
         0},
        {"H12.1", "Invalidates its caches by set and way.", "Nothing dirty is lost.",
         invalidate_sets, NEEDS_MEZZO, 0},
        {"H12.2", "Cleans its caches by set and way.", "Nothing is lost.", clean_sets, 0, 0},
        {"H12.3", "Maintains sets, ways and levels that do not exist.",
         "No exception, nothing lost.", absent_sets, NEEDS_MEZZO, 0},
        {"H12.4", "Invalidates all instruction caches thousands of times.", "Code still runs.",
         instruction_storm, 0, 0},
        {"H12.5", "Set and way maintenance at EL0.", "An exception to EL1.", sets_at_el0, 0, 0},
        {"H12.6", "Selects caches that do not exist.", "Defined or undefined.", selector, 0, 0},
        {"H12.7", "Maintains by set and way while another CPU writes.", "Nothing is lost.",
         sets_beside_writer, NEEDS_SMP, 0},
        {"H12.8", "Maintains random addresses.", "Nothing is lost.", by_address_garbage, 0, 0},
};
