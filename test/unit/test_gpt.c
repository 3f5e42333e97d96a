// SPDX-License-Identifier: Apache-2.0
// The reader of GUID partition tables: a sound one, and one wrong in each field.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/gpt.h"
#include "gpt_disk.h"

#define BLOCKS 2048

static uint8_t disk[BLOCKS * 512];
static uint8_t *const header = disk + 512, *const table = disk + 1024;
static struct gpt gpt;

static int setup(void **state)
{
	static const struct gpt_part parts[] = {
	        {40, 99, "boot"}, {0, 0, ""}, {100, 100, "a\x7f\x80z"}};
	(void)state;
	gpt_make_disk(disk, BLOCKS, parts, 3);
	memset(&gpt, 0xa5, sizeof gpt);
	return 0;
}

static enum gpt_fault read_header(void)
{
	return gpt_read_header(header, 512, 1, BLOCKS, &gpt);
}

static enum gpt_fault with(unsigned offset, uint64_t value, unsigned bytes)
{
	setup(NULL);
	gpt_put(header + offset, value, bytes);
	gpt_seal(header);
	return read_header();
}

static void test_sound(void **state)
{
	struct gpt_partition p;
	(void)state;
	assert_true(gpt_is_announced(disk));
	assert_int_equal(read_header(), GPT_OK);
	assert_int_equal(gpt.other, BLOCKS - 1);
	assert_int_equal(gpt.nr_entries, 128);
	assert_int_equal(gpt_check_table(&gpt, table), GPT_OK);
	assert_true(gpt_read_entry(&gpt, table, 0, &p));
	assert_int_equal(p.first, 40);
	assert_int_equal(p.blocks, 60);
	assert_int_equal(p.number, 1);
	assert_string_equal(p.label, "boot");
	assert_false(gpt_read_entry(&gpt, table, 1, &p));
	assert_true(gpt_read_entry(&gpt, table, 2, &p));
	assert_int_equal(p.blocks, 1);
	assert_int_equal(p.number, 3);
	assert_string_equal(p.label, "a??z");
	assert_int_equal(gpt_read_header(disk + (BLOCKS - 1) * 512, 512, BLOCKS - 1, BLOCKS, &gpt),
	                 GPT_OK);
	assert_int_equal(gpt.other, 1);
	assert_int_equal(gpt.table, BLOCKS - 33);
}

static void test_announced(void **state)
{
	(void)state;
	disk[510] = 0;
	assert_false(gpt_is_announced(disk));
	gpt_make_mbr(disk);
	disk[450] = 0x83;
	assert_false(gpt_is_announced(disk));
	disk[450 + 3 * 16] = 0xee;
	assert_true(gpt_is_announced(disk));
}

static void test_damaged_header(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 92; i++) { // one bit anywhere is noticed
		header[i] ^= 1;
		assert_int_equal(read_header(), i < 8 ? GPT_NO_SIGNATURE : GPT_BAD_HEADER);
		header[i] ^= 1;
	}
	assert_int_equal(read_header(), GPT_OK);
	assert_int_equal(with(12, 91, 4), GPT_BAD_HEADER);
	assert_int_equal(with(12, 513, 4), GPT_BAD_HEADER);
	assert_int_equal(with(12, UINT32_MAX, 4), GPT_BAD_HEADER);
	assert_int_equal(with(24, 2, 8), GPT_BAD_HEADER); // says that it lies elsewhere
}

static void test_wrong_places(void **state)
{
	static const struct {
		unsigned offset;
		uint64_t value;
	} wrong[] = {
	        {40, 0},
	        {40, 1},
	        {40, BLOCKS - 33},
	        {48, BLOCKS},
	        {48, UINT64_MAX},
	        {48, 33},
	        {72, 0},
	        {72, 1},
	        {72, BLOCKS},
	        {72, UINT64_MAX},
	        {72, BLOCKS - 31},
	        {72, 34},
	        {72, 3}, // its last block is the first usable one
	        {72, UINT64_MAX - 31},
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(with(wrong[i].offset, wrong[i].value, 8), GPT_BAD_PLACE);
	assert_int_equal(with(40, 35, 8), GPT_OK);
	assert_int_equal(with(72, BLOCKS - 33, 8), GPT_OK);
	// The second header among the usable blocks.
	assert_int_equal(gpt_read_header(header, 512, 1, 100, &gpt), GPT_BAD_PLACE);
}

static void test_wrong_sizes(void **state)
{
	(void)state;
	assert_int_equal(with(84, 0, 4), GPT_BAD_HEADER);
	assert_int_equal(with(84, 64, 4), GPT_BAD_HEADER);
	assert_int_equal(with(84, 129, 4), GPT_BAD_HEADER);
	assert_int_equal(with(84, BIT_U64(31), 4), GPT_TOO_LARGE);
	assert_int_equal(with(80, 0, 4), GPT_BAD_HEADER);
	assert_int_equal(with(80, 513, 4), GPT_TOO_LARGE);
	assert_int_equal(with(80, UINT32_MAX, 4), GPT_TOO_LARGE);
	assert_int_equal(with(80, 512, 4), GPT_BAD_PLACE); // 128 blocks are not before 34
	assert_int_equal(with(80, 4, 4), GPT_OK);
}

static void test_table(void **state)
{
	static const struct {
		uint64_t first, last;
	} wrong[] = {{33, 50}, {50, BLOCKS - 33}, {60, 59},
	             {0, 0},   {50, UINT64_MAX},  {UINT64_MAX, UINT64_MAX}};
	struct gpt_partition p;
	(void)state;
	assert_int_equal(read_header(), GPT_OK);
	table[127 * 128 + 127] ^= 1;
	assert_int_equal(gpt_check_table(&gpt, table), GPT_BAD_TABLE);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		gpt_put(table + 32, wrong[i].first, 8);
		gpt_put(table + 40, wrong[i].last, 8);
		assert_false(gpt_read_entry(&gpt, table, 0, &p));
	}
	gpt_put(table + 32, 34, 8);
	gpt_put(table + 40, BLOCKS - 34, 8);
	for (unsigned i = 0; i < 36; i++)
		gpt_put(table + 56 + i * 2, 'x', 2);
	assert_true(gpt_read_entry(&gpt, table, 0, &p));
	assert_int_equal(strlen(p.label), 36);
	for (int fault = GPT_OK; fault <= GPT_BAD_TABLE; fault++)
		assert_non_null(gpt_fault_text((enum gpt_fault)fault));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_sound, setup),
	        cmocka_unit_test_setup(test_announced, setup),
	        cmocka_unit_test_setup(test_damaged_header, setup),
	        cmocka_unit_test_setup(test_wrong_places, setup),
	        cmocka_unit_test_setup(test_wrong_sizes, setup),
	        cmocka_unit_test_setup(test_table, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
