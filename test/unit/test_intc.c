// SPDX-License-Identifier: Apache-2.0
// The drivers of GICv2 and GICv3 against a model of the registers they touch.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/string.h"
#include "fake.h"
#include "fdt/board.h"
#include "hw/gic_regs.h"
#include "hw/intc.h"
#include "hw/timer.h"

#define GICD_BASE 0x08000000u
#define GICC_BASE 0x08010000u
#define GICR_BASE 0x080a0000u
#define GICD_SIZE 0x10000u
#define GICR_MAX  8

// ---- the model: what was written stays; set and clear registers work on one word ----

static uint32_t gicd[GICD_SIZE / 4], gicc[0x2000 / 4];
static struct {
	uint64_t base, type;
	uint32_t regs[GICR_SIZE / 4];
} gicr[GICR_MAX];
static unsigned nr_gicr;
static uint32_t typer;
static bool rwp_stuck, asleep_for_ever, range_selector;
static uint64_t now;

static bool in_bank(uint32_t offset, uint32_t reg)
{
	return offset >= reg && offset < reg + 0x80;
}

static void write_bank(uint32_t *regs, uint32_t offset, uint64_t value)
{
	static const struct {
		uint32_t set, clear;
	} pairs[] = {{GICD_ISENABLER, GICD_ICENABLER},
	             {GICD_ISPENDR, GICD_ICPENDR},
	             {GICD_ISACTIVER, GICD_ICACTIVER}};
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (in_bank(offset, pairs[i].set)) {
			regs[offset / 4] |= (uint32_t)value;
			return;
		}
		if (in_bank(offset, pairs[i].clear)) {
			regs[(offset - pairs[i].clear + pairs[i].set) / 4] &= ~(uint32_t)value;
			return;
		}
	}
	regs[offset / 4] = (uint32_t)value;
}

static uint64_t model_read(uintptr_t address, unsigned size)
{
	for (unsigned i = 0; i < nr_gicr; i++)
		if (address - gicr[i].base < GICR_SIZE) {
			uint32_t offset = (uint32_t)(address - gicr[i].base);
			if (offset == GICR_TYPER) {
				assert_int_equal(size, 8);
				return gicr[i].type;
			}
			assert_int_equal(size, 4);
			if (offset == GICR_WAKER && asleep_for_ever)
				return gicr[i].regs[offset / 4] | GICR_WAKER_CHILDREN;
			return gicr[i].regs[offset / 4];
		}
	if (address - GICC_BASE < sizeof gicc)
		return gicc[(address - GICC_BASE) / 4];
	assert_in_range(address, GICD_BASE, GICD_BASE + GICD_SIZE - 1);
	uint32_t offset = (uint32_t)(address - GICD_BASE);
	if (offset == GICD_TYPER)
		return typer;
	if (offset == GICD_CTLR && rwp_stuck)
		return gicd[0] | GICD_CTLR_RWP;
	return gicd[offset / 4];
}

static void model_write(uintptr_t address, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < nr_gicr; i++)
		if (address - gicr[i].base < GICR_SIZE) {
			uint32_t offset = (uint32_t)(address - gicr[i].base);
			assert_int_equal(size, 4);
			if (offset == GICR_WAKER)
				value = value & GICR_WAKER_SLEEP ? 6 : 0;
			if (offset >= GICR_SGI_FRAME)
				write_bank(gicr[i].regs + GICR_SGI_FRAME / 4,
				           offset - GICR_SGI_FRAME, value);
			else
				gicr[i].regs[offset / 4] = (uint32_t)value;
			return;
		}
	if (address - GICC_BASE < sizeof gicc) {
		gicc[(address - GICC_BASE) / 4] = (uint32_t)value;
		return;
	}
	assert_in_range(address, GICD_BASE, GICD_BASE + GICD_SIZE - size);
	uint32_t offset = (uint32_t)(address - GICD_BASE);
	if (size == 8) {
		assert_true(offset >= GICD_IROUTER + 32 * 8);
		assert_int_not_equal(gicd[0] & GICD_CTLR_ARE, 0); // routes exist only then
		gicd[offset / 4] = (uint32_t)value;
		gicd[offset / 4 + 1] = (uint32_t)(value >> 32);
	} else if (size == 1) {
		uint32_t shift = offset % 4 * 8;
		gicd[offset / 4] &= ~(0xffu << shift);
		gicd[offset / 4] |= (uint32_t)value << shift;
	} else {
		write_bank(gicd, offset, value);
	}
}

static bool sysreg(const char *name, bool write, uint64_t *value)
{
	if (!write && range_selector && strcmp(name, "S3_0_C12_C12_4") == 0) {
		*value = ICC_CTLR_RSS;
		return true;
	}
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = now += 100;
	return true;
}

static struct board board;

static void add_gicr(uint64_t base, uint64_t affinity, uint64_t flags)
{
	assert_true(nr_gicr < GICR_MAX);
	gicr[nr_gicr].base = base;
	gicr[nr_gicr].type = affinity << 32 | flags;
	memset(gicr[nr_gicr].regs, 0, sizeof gicr[nr_gicr].regs);
	gicr[nr_gicr].regs[GICR_WAKER / 4] = 6;
	nr_gicr++;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_sysreg_hook = sysreg;
	fake_io_read_hook = model_read;
	fake_io_write_hook = model_write;
	timer_init(1000000);
	memset(gicd, 0, sizeof gicd);
	memset(gicc, 0, sizeof gicc);
	nr_gicr = 0;
	typer = 8; // 288 INTIDs
	rwp_stuck = asleep_for_ever = range_selector = false;
	board = (struct board){0};
	board.gic.gicd = (struct board_range){GICD_BASE, GICD_SIZE};
	board.gic.gicc = (struct board_range){GICC_BASE, 0x2000};
	board.gic.gicr[0] = (struct board_range){GICR_BASE, 4 * GICR_SIZE};
	board.gic.nr_gicr = 1;
	return 0;
}

static uint32_t bit_of(uint32_t reg, uint32_t intid)
{
	return gicd[(reg + intid / 32 * 4) / 4] >> (intid % 32) & 1;
}

// Interrupts from `count` on do not exist: nothing is written for them.
static void expect_intids(uint32_t count)
{
	gicd[(GICD_ISPENDR + count / 32 * 4) / 4] = 0;
	for (uint32_t intid = count - 1; intid <= count; intid++) {
		intc_set_pending(intid, true);
		assert_int_equal(bit_of(GICD_ISPENDR, intid), intid < count);
	}
	intc_set_pending(count - 1, false);
}

// ---- GICv2 ----

static void start_v2(void)
{
	board.gic.version = 2;
	for (unsigned i = 0; i < 8; i++)
		gicd[GICD_ITARGETSR / 4 + i] = 0x04040404; // this is CPU interface 2
	assert_int_equal(intc_init(&board), 0);
	assert_ptr_equal(intc, &intc_gicv2);
	assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
}

static void test_v2_init(void **state)
{
	(void)state;
	memset(gicd, 0xff, sizeof gicd);
	start_v2();
	expect_intids(288);
	assert_int_equal(fake_cpu_this->gicv2_mask, 4);
	assert_int_equal(gicd[GICD_CTLR / 4], 1);
	for (uint32_t i = 32; i < 288; i++) {
		assert_int_equal(bit_of(GICD_ISENABLER, i), 0);
		assert_int_equal(bit_of(GICD_ISPENDR, i), 0);
		assert_int_equal(bit_of(GICD_ISACTIVER, i), 0);
	}
	assert_int_equal(gicd[GICD_ISENABLER / 4], 0xffff);
	for (uint32_t i = 0; i < 288; i++) // firmware may have left them in group 1
		assert_int_equal(bit_of(GICD_IGROUPR, i), 0);
	for (uint32_t i = 0; i < 288 / 4; i++)
		assert_int_equal(gicd[GICD_IPRIORITYR / 4 + i], 0xa0a0a0a0);
	for (uint32_t i = 2; i < 288 / 16; i++)
		assert_int_equal(gicd[GICD_ICFGR / 4 + i], 0);
	assert_int_equal(gicc[GICC_CTLR / 4], 0x201);
	assert_int_equal(gicc[GICC_PMR / 4], 0xf0);
}

static void test_v2_single_cpu(void **state)
{
	(void)state;
	board.gic.version = 2;
	assert_int_equal(intc_init(&board), 0);
	assert_int_equal(intc_init_cpu(fake_cpu_this), 0); // targets read as zero
	assert_int_equal(fake_cpu_this->gicv2_mask, 1);
}

static void test_v2_life_of_an_interrupt(void **state)
{
	(void)state;
	start_v2();
	cpu_get(3)->gicv2_mask = 0x10;
	intc_enable(33, cpu_get(3), INTC_LEVEL);
	assert_int_equal(bit_of(GICD_ISENABLER, 33), 1);
	assert_int_equal(gicd[(GICD_ITARGETSR + 32) / 4], 0x1000);
	intc_enable(34, cpu_get(3), INTC_EDGE);
	assert_int_equal(gicd[GICD_ICFGR / 4 + 2], 2 << 4);
	intc_enable(34, cpu_get(3), INTC_LEVEL);
	assert_int_equal(gicd[GICD_ICFGR / 4 + 2], 0);
	gicc[GICC_IAR / 4] = 33;
	assert_int_equal(intc_acknowledge(), 33);
	intc_eoi(33);
	assert_int_equal(gicc[GICC_EOIR / 4], 33);
	intc_deactivate(33);
	assert_int_equal(gicc[GICC_DIR / 4], 33);
	intc_disable(33);
	assert_int_equal(bit_of(GICD_ISENABLER, 33), 0);
	intc_set_pending(40, true);
	assert_int_equal(bit_of(GICD_ISPENDR, 40), 1);
	intc_set_pending(40, false);
	assert_int_equal(bit_of(GICD_ISPENDR, 40), 0);
	intc_set_active(27, true);
	assert_int_equal(bit_of(GICD_ISACTIVER, 27), 1);
	gicc[GICC_IAR / 4] = 1023;
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	gicc[GICC_IAR / 4] = 1022;
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
}

static void test_v2_sgi(void **state)
{
	(void)state;
	start_v2();
	size_t from = fake_log_count;
	cpu_get(1)->gicv2_mask = 0x80;
	intc_send_sgi(cpu_get(1), 5);
	assert_int_equal(gicd[GICD_SGIR / 4], 0x00800005);
	assert_true(fake_find(from, FAKE_BARRIER, "dsb ish") <
	            fake_find(from, FAKE_WRITE_IO, NULL));
	gicc[GICC_IAR / 4] = 3 << 10 | 5; // from CPU 3
	assert_int_equal(intc_acknowledge(), 5);
	assert_int_equal(gicc[GICC_EOIR / 4], 3 << 10 | 5);
	assert_int_equal(gicc[GICC_DIR / 4], 3 << 10 | 5);
	gicc[GICC_EOIR / 4] = gicc[GICC_DIR / 4] = 0;
	intc_eoi(5);
	intc_deactivate(5);
	assert_int_equal(gicc[GICC_EOIR / 4], 0);
	assert_int_equal(gicc[GICC_DIR / 4], 0);
}

// ---- GICv3 ----

static void start_v3(void)
{
	board.gic.version = 3;
	if (nr_gicr == 0)
		for (unsigned i = 0; i < 4; i++)
			add_gicr(GICR_BASE + i * GICR_SIZE, i, i == 3 ? GICR_TYPER_LAST : 0);
	assert_int_equal(intc_init(&board), 0);
	assert_ptr_equal(intc, &intc_gicv3);
}

static void test_v3_init(void **state)
{
	(void)state;
	memset(gicd, 0xff, sizeof gicd);
	gicd[GICD_CTLR / 4] = 0;
	fake_cpu_this->mpidr = 0x100000203;
	start_v3();
	expect_intids(288);
	assert_int_equal(gicd[GICD_CTLR / 4], GICD_CTLR_ARE | GICD_CTLR_GRP1);
	for (uint32_t i = 32; i < 288; i++) {
		assert_int_equal(bit_of(GICD_ISENABLER, i), 0);
		assert_int_equal(bit_of(GICD_ISPENDR, i), 0);
		assert_int_equal(bit_of(GICD_ISACTIVER, i), 0);
		assert_int_equal(bit_of(GICD_IGROUPR, i), 1);
		assert_int_equal(gicd[GICD_IROUTER / 4 + i * 2], 0x203);
		assert_int_equal(gicd[GICD_IROUTER / 4 + i * 2 + 1], 1);
	}
}

static void test_v3_all_intids(void **state)
{
	(void)state;
	typer = 31; // 1024 lines, of which 1020 are INTIDs
	start_v3();
	expect_intids(1020);
}

static void test_v3_init_cpu(void **state)
{
	(void)state;
	start_v3();
	fake_run_on(2);
	memset(gicr[2].regs + GICR_SGI_FRAME / 4 + GICD_ISENABLER / 4, 0xff, 4);
	fake_set_sysreg("S3_4_C12_C9_5", 0);
	size_t from = fake_log_count;
	assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
	const uint32_t *sgis = gicr[2].regs + GICR_SGI_FRAME / 4;
	assert_int_equal(gicr[2].regs[GICR_WAKER / 4], 0);
	assert_int_equal(gicr[1].regs[GICR_WAKER / 4], 6); // others' are left alone
	assert_int_equal(sgis[GICD_ISENABLER / 4], 0xffff);
	assert_int_equal(sgis[GICD_IGROUPR / 4], 0xffffffff);
	assert_int_equal(sgis[GICD_IPRIORITYR / 4 + 7], 0xa0a0a0a0);
	assert_int_equal(fake_get_sysreg("S3_4_C12_C9_5"), 0xf);
	assert_int_equal(fake_get_sysreg("S3_0_C12_C12_4"), 2); // EOImode
	assert_int_equal(fake_get_sysreg("S3_0_C4_C6_0"), 0xf0);
	assert_int_equal(fake_get_sysreg("S3_0_C12_C12_7"), 1);
	// The other registers exist only after SRE is set and seen; the group is enabled last.
	long sre = fake_find(from, FAKE_WRITE_SYSREG, "S3_4_C12_C9_5");
	long isb = fake_find((size_t)sre, FAKE_BARRIER, "isb");
	long pmr = fake_find(from, FAKE_WRITE_SYSREG, "S3_0_C4_C6_0");
	long mode = fake_find(from, FAKE_WRITE_SYSREG, "S3_0_C12_C12_4");
	long group = fake_find((size_t)mode, FAKE_WRITE_SYSREG, "S3_0_C12_C12_7");
	assert_true(sre >= 0 && sre < isb && isb < pmr && pmr < mode && mode < group);
	assert_int_equal(fake_cpu_this->gicv2_mask, 0);
}

static void test_v3_finds_redistributors(void **state)
{
	(void)state;
	// Two regions; frames of both sizes; affinities in no order and with gaps.
	board.gic.gicr[0] = (struct board_range){0x10000000, 0x100000};
	board.gic.gicr[1] = (struct board_range){0x20000000, 0x40000};
	board.gic.nr_gicr = 2;
	add_gicr(0x10000000, 0x00000100, GICR_TYPER_VLPIS);
	add_gicr(0x10040000, 0x00000001, GICR_TYPER_VLPIS);
	add_gicr(0x10080000, 0x00000000, GICR_TYPER_LAST);
	add_gicr(0x20000000, 0x01020300, 0);
	add_gicr(0x20020000, 0x01020301, 0); // the last, though it does not say so
	start_v3();
	static const struct {
		uint64_t mpidr;
		unsigned gicr;
	} cases[] = {{0x100, 0}, {0x1, 1}, {0x0, 2}, {0x100020300, 3}, {0x100020301, 4}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_run_on((unsigned)i);
		fake_cpu_this->mpidr = cases[i].mpidr;
		assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
		intc_enable(27, NULL, INTC_LEVEL);
		uint32_t on = gicr[cases[i].gicr].regs[(GICR_SGI_FRAME + GICD_ISENABLER) / 4];
		assert_int_equal(on, 0xffff | 1 << 27);
	}
	fake_run_on(6);
	fake_cpu_this->mpidr = 0x7;
	assert_int_equal(intc_init_cpu(fake_cpu_this), ERR_NOT_FOUND);
}

static void test_v3_stride(void **state)
{
	(void)state;
	board.gic.gicr[0] = (struct board_range){0x10000000, 0x200000};
	board.gic.gicr_stride = 0x100000;
	add_gicr(0x10000000, 0, 0);
	add_gicr(0x10100000, 1, GICR_TYPER_LAST);
	start_v3();
	fake_cpu_this->mpidr = 1;
	assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
}

static void test_v3_life_of_an_interrupt(void **state)
{
	(void)state;
	start_v3();
	assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
	cpu_get(5)->mpidr = 0x200010003;
	intc_enable(100, cpu_get(5), INTC_EDGE);
	assert_int_equal(gicd[GICD_IROUTER / 4 + 200], 0x10003);
	assert_int_equal(gicd[GICD_IROUTER / 4 + 201], 2);
	assert_int_equal(gicd[GICD_ICFGR / 4 + 6], 2 << 8);
	assert_int_equal(bit_of(GICD_ISENABLER, 100), 1);
	intc_disable(100);
	assert_int_equal(bit_of(GICD_ISENABLER, 100), 0);
	intc_set_pending(26, true);
	assert_int_equal(gicr[0].regs[(GICR_SGI_FRAME + GICD_ISPENDR) / 4], 1 << 26);
	intc_set_active(27, true);
	assert_int_equal(gicr[0].regs[(GICR_SGI_FRAME + GICD_ISACTIVER) / 4], 1 << 27);
	fake_set_sysreg("S3_0_C12_C12_0", 100);
	assert_int_equal(intc_acknowledge(), 100);
	intc_eoi(100);
	assert_int_equal(fake_get_sysreg("S3_0_C12_C12_1"), 100);
	intc_deactivate(100);
	assert_int_equal(fake_get_sysreg("S3_0_C12_C11_1"), 100);
	fake_set_sysreg("S3_0_C12_C12_0", 1023);
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
	fake_set_sysreg("S3_0_C12_C12_0", 8192); // an LPI, which nobody has enabled
	assert_int_equal(intc_acknowledge(), INTC_SPURIOUS);
}

static void test_v3_sgi(void **state)
{
	(void)state;
	add_gicr(GICR_BASE, 0x44332217, GICR_TYPER_LAST);
	typer |= GICD_TYPER_RSS;
	range_selector = true;
	start_v3();
	cpu_get(1)->mpidr = 0x4400332217;
	assert_int_equal(intc_init_cpu(cpu_get(1)), 0);
	size_t from = fake_log_count;
	intc_send_sgi(cpu_get(1), 9);
	assert_int_equal(fake_get_sysreg("S3_0_C12_C11_5"), 0x44ull << 48 | 1ull << 44 |
	                                                            0x33ull << 32 | 9ull << 24 |
	                                                            0x22 << 16 | 1 << 7);
	assert_true(fake_find(from, FAKE_BARRIER, "dsb ish") <
	            fake_find(from, FAKE_WRITE_SYSREG, "S3_0_C12_C11_5"));
}

static void test_v3_high_affinity(void **state)
{
	(void)state;
	add_gicr(GICR_BASE, 17, GICR_TYPER_LAST);
	start_v3();
	fake_cpu_this->mpidr = 17;
	assert_int_equal(intc_init_cpu(fake_cpu_this), ERR_UNSUPPORTED);
	typer |= GICD_TYPER_RSS;
	assert_int_equal(intc_init_cpu(fake_cpu_this), ERR_UNSUPPORTED);
	range_selector = true; // it takes both
	assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
}

static void test_intids_that_do_not_exist(void **state)
{
	(void)state;
	for (unsigned version = 2; version <= 3; version++) {
		setup(state);
		if (version == 2)
			start_v2();
		else
			start_v3();
		assert_int_equal(intc_init_cpu(fake_cpu_this), 0);
		fake_log_count = 0;
		intc_enable(288, fake_cpu_this, INTC_LEVEL);
		intc_disable(1019);
		intc_set_pending(1023, true);
		intc_set_active(UINT32_MAX, true);
		assert_int_equal(fake_log_count, 0);
	}
}

static void test_boards_without(void **state)
{
	(void)state;
	board.gic.version = 0;
	assert_int_equal(intc_init(&board), ERR_UNSUPPORTED);
	board.gic.version = 3;
	board.gic.nr_gicr = 0;
	assert_int_equal(intc_init(&board), ERR_UNSUPPORTED);
	board.gic.version = 2;
	board.gic.gicc.size = 0;
	assert_int_equal(intc_init(&board), ERR_UNSUPPORTED);
}

static void test_waits_are_bounded(void **state)
{
	(void)state;
	board.gic.version = 3;
	rwp_stuck = true;
	assert_int_equal(intc_init(&board), ERR_BUSY);
	rwp_stuck = false;
	start_v3();
	asleep_for_ever = true;
	assert_int_equal(intc_init_cpu(fake_cpu_this), ERR_BUSY);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        TEST(test_v2_init),
	        TEST(test_v2_single_cpu),
	        TEST(test_v2_life_of_an_interrupt),
	        TEST(test_v2_sgi),
	        TEST(test_v3_init),
	        TEST(test_v3_all_intids),
	        TEST(test_v3_init_cpu),
	        TEST(test_v3_finds_redistributors),
	        TEST(test_v3_stride),
	        TEST(test_v3_life_of_an_interrupt),
	        TEST(test_v3_sgi),
	        TEST(test_v3_high_affinity),
	        TEST(test_intids_that_do_not_exist),
	        TEST(test_boards_without),
	        TEST(test_waits_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
