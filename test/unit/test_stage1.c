// SPDX-License-Identifier: Apache-2.0
// A guest's own tables, walked by software: every granule and size that there is, which entries count, what permissions
// of pages and of tables say to whom, and the fault status where an access ends. Entries are put where the
// architecture says, computed here once more by hand.
#include "vm/stage1.h"

#include "vcpu_bench.h"

#define TABLES  VM_VIRT_RAM_BASE
#define PAGE_AT UINT64_C(0x9000000) // where leaves lead to
#define LOW     UINT64_C(0x123456789a8)
#define VALID   (1u << 10) // the access flag

#define TCR_TBI0  BIT_U64(37)
#define TCR_HA    BIT_U64(39)
#define TCR_HD    BIT_U64(40)
#define TCR_HPD0  BIT_U64(41)
#define TCR_E0PD0 BIT_U64(55)
#define TCR_E0PD1 BIT_U64(56)
#define TCR_DS    BIT_U64(59)
#define USER      BIT_U64(6)
#define READONLY  BIT_U64(7)
#define DBM       BIT_U64(51)
#define NO_USER   BIT_U64(61)
#define NO_STORE  BIT_U64(62)

// Guest memory: few entries of eight bytes, the rest zero; nothing below TABLES.
static struct {
	uint64_t at, value;
} memory[8];
static unsigned used;

int vm_read_memory(struct vm *of, ipa_t ipa, void *to, size_t size)
{
	uint64_t value = 0;
	assert_true(of == &vm && size == 8 && ipa.v % 8 == 0);
	if (ipa.v < TABLES)
		return ERR_FAULT;
	for (unsigned i = 0; i < used; i++)
		if (memory[i].at == ipa.v)
			value = memory[i].value;
	memcpy(to, &value, 8);
	return 0;
}

static void put(uint64_t at, uint64_t value)
{
	assert_true(used < ARRAY_SIZE(memory));
	memory[used].at = at;
	memory[used++].value = value;
}

static int setup(void **state)
{
	bench_setup(state);
	used = 0;
	vcpu->el1.sctlr = SCTLR_M;
	return 0;
}
#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup)

static const struct stage1_rights kernel_reads = {0};

// ---- where entries are ----

static const struct granule {
	unsigned log2, tg0, tg1;
} granules[] = {{12, 0, 2}, {14, 2, 1}, {16, 1, 3}};

// Tables for `va` down to `level`, the first at TABLES, each a granule behind the last, the rest in them.
static void build(uint64_t va, unsigned bits, unsigned log2, int level, uint64_t leaf)
{
	unsigned stride = log2 - 3;
	uint64_t table = TABLES;
	int first = 4 - (int)((bits - log2 + stride - 1) / stride);
	for (int at = first;; at++) {
		unsigned shift = log2 + stride * (unsigned)(3 - at);
		uint64_t within = va & (BIT_U64(bits) - 1);
		if (at != first)
			within &= BIT_U64(shift + stride) - 1;
		uint64_t entry = table + (within >> shift) * 8;
		if (at == level) {
			put(entry, leaf);
			return;
		}
		table += BIT_U64(20);
		put(entry, table | 3);
	}
}

static uint64_t tcr_of(const struct granule *g, unsigned bits, bool upper)
{
	uint64_t size = 64 - bits;
	return upper ? size << 16 | (uint64_t)g->tg1 << 30 : size | (uint64_t)g->tg0 << 14;
}

static void test_every_shape(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(granules); i++)
		for (unsigned bits = 16; bits <= 52; bits++)
			for (unsigned upper = 0; upper < 2; upper++) {
				const struct granule *g = &granules[i];
				if (bits <= g->log2 || (g->log2 == 16 && bits < 17))
					continue;
				setup(state);
				uint64_t va = LOW & (BIT_U64(bits) - 1), ipa;
				if (upper)
					va |= ~(BIT_U64(bits) - 1);
				vcpu->el1.tcr = tcr_of(g, bits, upper) |
				                (bits > 48 && g->log2 != 16 ? TCR_DS : 0);
				*(upper ? &vcpu->el1.ttbr1 : &vcpu->el1.ttbr0) = TABLES | 1; // CnP
				uint64_t mask = BIT_U64(g->log2) - 1;
				build(va, bits, g->log2, 3, (PAGE_AT & ~mask) | VALID | 3);
				assert_int_equal(stage1_access(vcpu, va, kernel_reads, &ipa), 0);
				assert_int_equal(ipa, (PAGE_AT & ~mask) | (va & mask));
				assert_int_equal(stage1_translate(vcpu, va, &ipa), 0);
				assert_int_equal(ipa, (PAGE_AT & ~mask) | (va & mask));
			}
}

static void simple(int level, uint64_t leaf)
{
	vcpu->el1.tcr = tcr_of(&granules[0], 48, false);
	vcpu->el1.ttbr0 = TABLES;
	build(LOW, 48, 12, level, leaf);
}

static void test_blocks(void **state)
{
	uint64_t ipa;
	for (int level = 1; level <= 2; level++) {
		setup(state);
		uint64_t size = level == 1 ? GIB(1) : MIB(2);
		simple(level, 5 * size | VALID | 1);
		assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), 0);
		assert_int_equal(ipa, 5 * size | (LOW & (size - 1)));
	}
}

static void test_no_mmu(void **state)
{
	uint64_t ipa;
	(void)state;
	vcpu->el1.sctlr = 0;
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), 0);
	assert_int_equal(ipa, LOW);
}

static void test_big_endian_tables(void **state)
{
	uint64_t ipa;
	(void)state;
	simple(3, PAGE_AT | VALID | 3);
	for (unsigned i = 0; i < used; i++)
		memory[i].value = __builtin_bswap64(memory[i].value);
	vcpu->el1.sctlr |= SCTLR_EL1_EE;
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), 0);
	assert_int_equal(ipa, PAGE_AT | (LOW & 0xfff));
}

// ---- where there is nothing ----

static void test_nothing_there(void **state)
{
	uint64_t ipa;
	for (int level = 0; level < 4; level++) {
		setup(state);
		simple(level, level == 3 ? PAGE_AT | VALID | 1 : 0); // 1 is no page
		assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa),
		                 FSC_TRANSLATION | (unsigned)level);
		assert_int_equal(stage1_translate(vcpu, LOW, &ipa), ERR_FAULT);
		setup(state);
		if (level == 0)
			continue;
		simple(level - 1, 0x1000 | 3); // a table that lies nowhere
		assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa),
		                 FSC_EXTERNAL_WALK | (unsigned)level);
		assert_int_equal(stage1_walk_level(vcpu, LOW, 0x1000), level);
	}
	setup(state); // level -1 has status codes of its own
	vcpu->el1.tcr = tcr_of(&granules[0], 52, false) | TCR_DS;
	vcpu->el1.ttbr0 = TABLES;
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), 0x2b);
	vcpu->el1.ttbr0 = 0x1000;
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), 0x13);
	setup(state);
	simple(3, PAGE_AT | 3);
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), FSC_ACCESS_FLAG | 3);
	vcpu->el1.tcr |= TCR_HA;
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), 0);
}

static void test_addresses_between_the_halves(void **state)
{
	uint64_t ipa, tagged = LOW | UINT64_C(0x5a) << 56;
	(void)state;
	simple(3, PAGE_AT | VALID | 3);
	assert_int_equal(stage1_access(vcpu, LOW | BIT_U64(48), kernel_reads, &ipa),
	                 FSC_TRANSLATION);
	assert_int_equal(stage1_access(vcpu, tagged, kernel_reads, &ipa), FSC_TRANSLATION);
	vcpu->el1.tcr |= TCR_TBI0;
	assert_int_equal(stage1_access(vcpu, tagged, kernel_reads, &ipa), 0);
	assert_int_equal(stage1_access(vcpu, tagged | BIT_U64(50), kernel_reads, &ipa),
	                 FSC_TRANSLATION);
	vcpu->el1.tcr |= BIT_U64(7); // EPD0
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), FSC_TRANSLATION);
}

// ---- who may ----

enum { KERNEL, KERNEL_PAN, PROGRAM, WHO };

static void assert_rights(const char *reads,
                          const char *writes) // of kernel, kernel with PAN, program
{
	uint64_t ipa;
	for (unsigned i = 0; i < 2 * WHO; i++) {
		struct stage1_rights rights = {i % WHO == PROGRAM, i >= WHO, i % WHO == KERNEL_PAN};
		bool may = (i < WHO ? reads : writes)[i % WHO] == 'y';
		assert_int_equal(stage1_access(vcpu, LOW, rights, &ipa),
		                 may ? 0 : FSC_PERMISSION | 3);
	}
}

static void test_rights(void **state)
{
	static const struct {
		uint64_t leaf, table, tcr;
		const char *reads, *writes;
	} rows[] = {
	        {0, 0, 0, "yyn", "yyn"},
	        {USER, 0, 0, "yny", "yny"},
	        {READONLY, 0, 0, "yyn", "nnn"},
	        {READONLY | USER, 0, 0, "yny", "nnn"},
	        {USER, NO_USER, 0, "yyn", "yyn"},
	        {USER, NO_STORE, 0, "yny", "nnn"},
	        {USER, NO_USER | NO_STORE, TCR_HPD0, "yny", "yny"},
	        {READONLY | DBM, 0, 0, "yyn", "nnn"},
	        {READONLY | DBM, 0, TCR_HD, "yyn", "yyn"},
	        {READONLY | DBM, NO_STORE, TCR_HD, "yyn", "nnn"},
	        {USER, 0, TCR_E0PD1, "yny", "yny"},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned level = 0; level < 3; level++) {
			setup(state);
			simple(3, PAGE_AT | VALID | 3 | rows[i].leaf);
			memory[level].value |= rows[i].table;
			vcpu->el1.tcr |= rows[i].tcr;
			assert_rights(rows[i].reads, rows[i].writes);
		}
	setup(state);
	uint64_t ipa;
	simple(3, PAGE_AT | VALID | 3 | USER);
	vcpu->el1.tcr |= TCR_E0PD0;
	assert_int_equal(stage1_access(vcpu, LOW, kernel_reads, &ipa), 0);
	assert_int_equal(stage1_access(vcpu, LOW, (struct stage1_rights){.el0 = true}, &ipa),
	                 FSC_TRANSLATION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_shape),   TEST(test_blocks),
	        TEST(test_no_mmu),        TEST(test_big_endian_tables),
	        TEST(test_nothing_there), TEST(test_addresses_between_the_halves),
	        TEST(test_rights),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
