// SPDX-License-Identifier: Apache-2.0
// Registers in a table: what each kind of row does at every width, what is between rows, reset, and that the tables of
// the chips say nothing twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "vdev/vbcm2835_armtimer.h"
#include "vdev/vbcm2835_aux.h"
#include "vdev/vbcm2835_dma.h"
#include "vdev/vreg.h"
#include "vdev/vsdhci.h"
#include "vdev/vsdhost.h"

struct chip {
	const struct vregs *regs;
	uint32_t plain, flags, three[3], last;
	unsigned held, accesses;
};

static uint32_t read_last(void *dev)
{
	struct chip *chip = dev;
	assert_int_equal(chip->held, 1);
	return ~chip->last;
}

static void write_last(void *dev, uint32_t value)
{
	struct chip *chip = dev;
	assert_int_equal(chip->held, 1);
	chip->last = value + 1;
}

static void begin(void *dev)
{
	struct chip *chip = dev;
	assert_int_equal(chip->held++, 0);
}

static void end(void *dev)
{
	struct chip *chip = dev;
	assert_int_equal(chip->held--, 1);
	chip->accesses++;
}

#define IN(member) VREG_IN(struct chip, member)

static const struct vreg rows[] = {
        {0x00, "PLAIN", IN(plain), .reset = 0x12345678, .writable = 0x00ffff00},
        {0x04, "FLAGS", IN(flags), .reset = 0xff, .writable = 0xf00, .clears = 0x0f},
        {0x10, "THREE", IN(three), .reset = 7, .writable = VREG_ALL},
        {0x1c, "FIXED", VREG_NOWHERE, .reset = 0xcafe, .writable = VREG_ALL},
        {0x40, "LAST", IN(last), .read = read_last, .write = write_last},
};

static const struct vregs regs = {rows, ARRAY_SIZE(rows), begin, end};

static struct chip chip;

static int setup(void **state)
{
	(void)state;
	chip = (struct chip){.regs = &regs};
	vreg_reset(&regs, &chip);
	return 0;
}

static uint32_t get(uint32_t offset, unsigned size)
{
	uint64_t value = UINT64_MAX;
	assert_true(vreg_read(&chip, NULL, offset, size, &value));
	return (uint32_t)value;
}

static void set(uint32_t offset, unsigned size, uint64_t value)
{
	assert_true(vreg_write(&chip, NULL, offset, size, value));
}

static void test_reset(void **state)
{
	(void)state;
	assert_int_equal(chip.plain, 0x12345678);
	assert_int_equal(chip.flags, 0xff);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(chip.three[i], 7);
	assert_int_equal(chip.last, 0);
	assert_ptr_equal(chip.regs, &regs);
	assert_int_equal(chip.accesses, 0);
}

static void test_masks(void **state)
{
	(void)state;
	set(0, 4, 0xaaaaaaaa);
	assert_int_equal(get(0, 4), 0x12aaaa78);
	set(4, 4, 0xa35);
	assert_int_equal(get(4, 4), 0xafa);
	set(0x1c, 4, 1);
	assert_int_equal(get(0x1c, 4), 0xcafe);
	set(0x40, 4, 41);
	assert_int_equal(get(0x40, 4), ~42U);
	assert_int_equal(chip.accesses, 8);
}

static void test_registers_on_end(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		set(0x10 + 4 * i, 4, 0x100 + i);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(get(0x10 + 4 * i, 4), 0x100 + i);
		assert_int_equal(chip.three[i], 0x100 + i);
	}
}

static void test_nothing_between(void **state)
{
	(void)state;
	struct chip before = chip;
	static const uint32_t gaps[] = {0x08, 0x0c, 0x20, 0x3c, 0x44, 0xfffc, 0xfffffffc};
	for (unsigned i = 0; i < ARRAY_SIZE(gaps); i++) {
		set(gaps[i], 4, UINT32_MAX);
		assert_int_equal(get(gaps[i], 4), 0);
	}
	before.accesses = chip.accesses;
	assert_memory_equal(&before, &chip, sizeof chip);
}

static void test_widths(void **state)
{
	(void)state;
	uint64_t value = 0;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(get(i, 1), 0x12345678 >> (8 * i) & 0xff);
	assert_int_equal(get(0, 2), 0x5678);
	assert_int_equal(get(2, 2), 0x1234);
	set(0x10, 1, 0xfff); // counts at the first byte, and only what it carries
	assert_int_equal(chip.three[0], 0xff);
	set(0x14, 2, 0xfffff);
	assert_int_equal(chip.three[1], 0xffff);
	unsigned accesses = chip.accesses;
	for (unsigned i = 1; i < 4; i++)
		set(0x10 + i, 1, 0x55);
	set(0x12, 2, 0x55);
	assert_int_equal(chip.three[0], 0xff);
	assert_false(vreg_read(&chip, NULL, 0, 8, &value));
	assert_false(vreg_write(&chip, NULL, 0, 8, 0));
	assert_false(vreg_read(&chip, NULL, 2, 4, &value));
	assert_false(vreg_write(&chip, NULL, 1, 2, 0));
	assert_int_equal(chip.accesses, accesses);
}

// Rows ascend and do not meet, and the description of the rest names nothing that they keep. Two registers may be the
// same thing, but not parts of it.
static void check(const struct vstate *chip_state)
{
	const struct vregs *table = chip_state->regs;
	for (uint32_t i = 0; i < table->nr_rows; i++) {
		const struct vreg *row = &table->rows[i];
		assert_true(row->name[0] != 0 && row->size != 0 && row->offset % 4 == 0);
		assert_int_equal(row->writable & row->clears, 0);
		if (i != 0)
			assert_true(row->offset >= row[-1].offset + row[-1].size);
		if (row->member == UINT16_MAX)
			continue;
		for (uint32_t k = 0; k < i; k++)
			assert_true(row->member == table->rows[k].member ||
			            !ranges_overlap(row->member, row->size, table->rows[k].member,
			                            table->rows[k].size));
		for (uint32_t k = 0; k < chip_state->nr_fields; k++) {
			const struct vstate_field *field = &chip_state->fields[k];
			assert_false(ranges_overlap(row->member, row->size, field->offset,
			                            field->size * field->count));
		}
	}
}

static void test_tables(void **state)
{
	(void)state;
	const struct vstate *const all[] = {&vsdhost_state, &vsdhci_state, &vbcm2835_dma_state,
	                                    &vbcm2835_armtimer_state, &vbcm2835_aux_state};
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		assert_non_null(all[i]->regs);
		check(all[i]);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        TEST(test_reset),           TEST(test_masks),  TEST(test_registers_on_end),
	        TEST(test_nothing_between), TEST(test_widths), TEST(test_tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
