// SPDX-License-Identifier: Apache-2.0
/*
 * Cache maintenance never harms data: every set and way of every level, with the MMU on and off,
 * and every operation by address; code that was changed is executed as changed.
 * Source: Arm ARM, "Cache maintenance operations"; threat H12 in kind.
 */
#include "test.h"

#include "code.h"
#include "mmu.h"

#define CLIDR_TYPE(level) (7ul << (3 * (level)))
#define TYPE_DATA         2 /* data only; 3: both; 4: unified */
#define CCSIDR_LINE       BITS(2, 0)
#define CCSIDR_WAYS       BITS(12, 3)
#define CCSIDR_SETS       BITS(27, 13)
#define CCSIDR64_WAYS     BITS(23, 3)
#define CCSIDR64_SETS     BITS(55, 32)
#define MMFR2_CCIDX       BITS(23, 20)
#define MAX_OPS           20000u /* in one go; the larger caches are done in part */
#define WORDS             8192u
#define LEVELS            7u
#define DCZID_DZP         BIT(4)
#define DCZID_BS          BITS(3, 0)

static u64 data[WORDS] __attribute__((aligned(4096)));
static u8 block[8192] __attribute__((aligned(4096)));

static void fill(u64 seed)
{
	for (u64 i = 0; i < WORDS; i++)
		data[i] = (i + seed) * 0x9e3779b97f4a7c15ul;
}

static u64 wrong(u64 seed)
{
	u64 n = 0;

	for (u64 i = 0; i < WORDS; i++)
		n += *(volatile u64 *)&data[i] != (i + seed) * 0x9e3779b97f4a7c15ul;
	return n;
}

enum set_way { ISW, CSW, CISW };

static void one_set_way(enum set_way op, u64 v)
{
	if (op == ISW)
		__asm__ volatile("dc isw, %0" ::"r"(v) : "memory");
	else if (op == CSW)
		__asm__ volatile("dc csw, %0" ::"r"(v) : "memory");
	else
		__asm__ volatile("dc cisw, %0" ::"r"(v) : "memory");
}

/*
 * All sets and ways of all data caches, as far as MAX_OPS reaches. Returns how many operations.
 */
static u32 set_way_all(enum set_way op)
{
	u64 clidr = read_sysreg(clidr_el1);
	bool wide = FIELD_GET(MMFR2_CCIDX, read_sysreg(id_aa64mmfr2_el1)) != 0;
	u32 ops = 0;

	for (u64 level = 0; level < LEVELS; level++) {
		u64 ccsidr, sets, ways, line_bits, way_shift;

		if ((clidr & CLIDR_TYPE(level)) >> (3 * level) < TYPE_DATA)
			continue;
		write_sysreg(csselr_el1, level << 1);
		isb();
		ccsidr = read_sysreg(ccsidr_el1);
		line_bits = FIELD_GET(CCSIDR_LINE, ccsidr) + 4;
		sets = (wide ? FIELD_GET(CCSIDR64_SETS, ccsidr) : FIELD_GET(CCSIDR_SETS, ccsidr)) +
		       1;
		ways = (wide ? FIELD_GET(CCSIDR64_WAYS, ccsidr) : FIELD_GET(CCSIDR_WAYS, ccsidr)) +
		       1;
		way_shift = ways == 1 ? 0 : (u64)__builtin_clz((u32)ways - 1);
		for (u64 way = 0; way < ways; way++) {
			for (u64 set = 0; set < sets && ops < MAX_OPS; set++, ops++)
				one_set_way(op, way << way_shift | set << line_bits | level << 1);
		}
	}
	dsb(sy);
	isb();
	return ops;
}

/* ISW may lose what is dirty on a bare machine: clean first. A hypervisor must not lose it. */
static void test_set_way(void)
{
	u32 ops;

	fill(1);
	ops = set_way_all(CSW);
	check_eq(wrong(1), 0, "cache-clean-by-set-way");
	fill(2);
	set_way_all(CISW);
	check_eq(wrong(2), 0, "cache-clean-invalidate-by-set-way");
	fill(3);
	if (!test_under_mezzo())
		set_way_all(CSW);
	set_way_all(ISW);
	check_eq(wrong(3), 0, "cache-invalidate-by-set-way");
	print("# %u operations each\n", ops);
}

/* As a boot loader does it: caches off, clean all, look at memory, caches on. */
static void test_off_and_on(void)
{
	u64 off = 0, on = 0;

	for (u64 round = 4; round < 8; round++) {
		fill(round);
		set_way_all(CISW);
		mmu_disable();
		off += wrong(round);
		set_way_all(CISW);
		data[round] ^= 1;
		data[round] ^= 1;
		mmu_enable();
		on += wrong(round);
	}
	check_eq(off, 0, "cache-memory-while-off");
	check_eq(on, 0, "cache-memory-when-on-again");
}

/* One operation on every line of the data, which must not change. */
#define BY_ADDRESS(op, seed)                                                      \
	do {                                                                      \
		fill(seed);                                                       \
		for (u64 at = (u64)data; at < (u64)data + sizeof(data); at += 16) \
			__asm__ volatile(op ", %0" ::"r"(at) : "memory");         \
		dsb(sy);                                                          \
		isb();                                                            \
		group_eq(wrong(seed), 0, op);                                     \
	} while (0)

static void test_by_address(void)
{
	group_begin("cache-by-address");
	BY_ADDRESS("dc cvac", 11);
	BY_ADDRESS("dc cvau", 12);
	BY_ADDRESS("dc civac", 13);
	BY_ADDRESS("ic ivau", 14);
	fill(9);
	cache_clean_invalidate((u64)data, sizeof(data));
	for (u64 at = (u64)data; at < (u64)data + sizeof(data); at += 16)
		__asm__ volatile("dc ivac, %0" ::"r"(at) : "memory");
	dsb(sy);
	group_eq(wrong(9), 0, "invalidate what is clean");
	__asm__ volatile("ic iallu\n\tdsb ish\n\tic ialluis\n\tdsb ish\n\tisb" ::: "memory");
	group_eq(wrong(9), 0, "all instruction lines");
	group_end();
}

static void test_zero(void)
{
	u64 dczid = read_sysreg(dczid_el0), bytes = 4ul << FIELD_GET(DCZID_BS, dczid), rest = 0;

	if ((dczid & DCZID_DZP) != 0) {
		test_skip("prohibited", "cache-zero");
		return;
	}
	for (u64 i = 0; i < sizeof(block); i++)
		block[i] = 0xff;
	__asm__ volatile("dc zva, %0" ::"r"((u64)block + 4096) : "memory");
	for (u64 i = 0; i < sizeof(block); i++)
		rest += (block[i] != 0) != (i < 4096 || i >= 4096 + bytes);
	check_eq(rest, 0, "cache-zero");
}

/* Maintenance of addresses where nothing is: at most an exception. */
static void test_nowhere(void)
{
	struct exc_record r = EXC_OF({
		__asm__ volatile("dc civac, %0" ::"r"(0x0b000000ul) : "memory");
		__asm__ volatile("dc civac, %0" ::"r"(platform.uart) : "memory");
		__asm__ volatile("ic ivau, %0" ::"r"(0x0b000000ul) : "memory");
	});

	check_true(r.count <= 3, "cache-nothing-there");
	/* A modified program runs as modified, a thousand times over. */
	u64 bad = 0;
	for (u32 i = 0; i < 1000; i++) {
		u64 x0 = 0;

		code_run(0xd2800000 | i << 5, &x0); /* mov x0, #i */
		bad += x0 != i;
	}
	check_eq(bad, 0, "cache-modified-code");
}

void test_main(void)
{
	test_set_way();
	test_off_and_on();
	test_by_address();
	test_zero();
	test_nowhere();
}
