// SPDX-License-Identifier: Apache-2.0
// The walk over untrusted trees: what it accepts, how it translates addresses and follows interrupts,
// and that hostile trees cost it no more than honest ones.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libfdt.h>
#include <time.h>

#include "base/bits.h"
#include "fdt/tree.h"
#include "fdt/tree_irq.h"
#include "tree_files.h"

// Goes to the node of a path and reads one entry of its reg.
static bool reg_of(const struct tree_file *file, const char *path, unsigned index, uint64_t *base,
                   uint64_t *size)
{
	struct tree_walk walk;
	const int offset = tree_find_path(file->bytes, path, strlen(path));

	assert_true(offset >= 0);
	assert_true(tree_goto(&walk, file->bytes, offset));
	return tree_reg(&walk, index, base, size);
}

static void expect_reg(const struct tree_file *file, const char *path, unsigned index,
                       uint64_t base, uint64_t size)
{
	uint64_t got_base = 0, got_size = 0;

	if (!reg_of(file, path, index, &got_base, &got_size))
		fail_msg("%s: no reg %u", path, index);
	if (got_base != base || got_size != size)
		fail_msg("%s: reg %u is %llx+%llx", path, index, (unsigned long long)got_base,
		         (unsigned long long)got_size);
}

static void expect_no_reg(const struct tree_file *file, const char *path, unsigned index)
{
	uint64_t base, size;

	if (reg_of(file, path, index, &base, &size))
		fail_msg("%s: reg %u is %llx+%llx, and should not be", path, index,
		         (unsigned long long)base, (unsigned long long)size);
}

static struct tree_file compile_sound(const char *source)
{
	struct tree_file file = tree_file_compile(source);

	assert_int_equal(tree_check(file.bytes, file.size), TREE_OK);
	return file;
}

static const char bus_source[] =
        "/ { #address-cells = <2>; #size-cells = <2>;"
        "  top@0 { reg = <0 0x1000 0 0x100>, <1 0 0 0x200>; };"
        "  same { #address-cells = <2>; #size-cells = <1>; ranges;"
        "    dev@5000 { reg = <0 0x5000 0x10>; };"
        "    moved { #address-cells = <1>; #size-cells = <1>;"
        "      ranges = <0x7e000000 0 0xfe000000 0x1000000>, <0x40000000 2 0 0x1000>;"
        "      a@7e201000 { reg = <0x7e201000 0x200>; };"
        "      b@40000ff0 { reg = <0x40000ff0 0x10>; };"
        "      late@40000ff0 { reg = <0x40000ff0 0x11>; };"
        "      outside@1000 { reg = <0x1000 4>; };"
        "      whole@7e000000 { reg = <0x7e000000 0x1000000>; };"
        "      deeper { #address-cells = <3>; #size-cells = <2>;"
        "        ranges = <0x02000000 0 0x100 0x7e000100 0 0x100>;"
        "        c@100 { reg = <0x02000000 0 0x180 0 8>; };"
        "        other@100 { reg = <0x01000000 0 0x180 0 8>; };"
        "      }; }; };"
        "  mute { #address-cells = <1>; #size-cells = <1>;"
        "    d@0 { reg = <0 4>; };"
        "    inner { #address-cells = <1>; #size-cells = <1>; ranges;"
        "      e@0 { reg = <0 4>; }; }; };"
        "  three { #address-cells = <3>; #size-cells = <3>; ranges = <0 0 0 8 0 0 0 0x100>;"
        "    f@0 { reg = <0 0 0x10 0 0 0x20>; };"
        "    wide@0 { reg = <0 0 0x10 1 0 0x20>; }; };"
        "  wrap { #address-cells = <2>; #size-cells = <2>;"
        "    ranges = <0 0x1000 0xffffffff 0xfffff000 0 0x2000>;"
        "    g@1000 { reg = <0 0x1000 0 0x10>; };"
        "    h@2000 { reg = <0 0x2000 0 0x10>; }; };"
        "  edge@ffff { reg = <0xffffffff 0xffffff00 0 0x101>; };"
        "  odd { reg = <1 2 3>; };"
        "  many { #address-cells = <5>; #size-cells = <1>; ranges;"
        "    i@0 { reg = <0 0 0 0 0 1>; }; };"
        "  short { #address-cells = <1>; #size-cells = <1>; ranges = <1 2 3>;"
        "    j@0 { reg = <1 1>; }; };"
        "};";

static void test_translation(void **state)
{
	struct tree_file file = compile_sound(bus_source);

	(void)state;
	expect_reg(&file, "/top@0", 0, 0x1000, 0x100);
	expect_reg(&file, "/top@0", 1, 0x100000000, 0x200);
	expect_no_reg(&file, "/top@0", 2);
	expect_reg(&file, "/same/dev@5000", 0, 0x5000, 0x10);
	expect_reg(&file, "/same/moved/a@7e201000", 0, 0xfe201000, 0x200);
	expect_reg(&file, "/same/moved/b@40000ff0", 0, 0x200000ff0, 0x10);
	expect_no_reg(&file, "/same/moved/late@40000ff0", 0);
	expect_no_reg(&file, "/same/moved/outside@1000", 0);
	expect_reg(&file, "/same/moved/whole@7e000000", 0, 0xfe000000, 0x1000000);
	expect_reg(&file, "/same/moved/deeper/c@100", 0, 0xfe000180, 8);
	expect_no_reg(&file, "/same/moved/deeper/other@100", 0);
	expect_no_reg(&file, "/mute/d@0", 0);
	expect_no_reg(&file, "/mute/inner/e@0", 0);
	expect_reg(&file, "/three/f@0", 0, 0x800000010, 0x20);
	expect_no_reg(&file, "/three/wide@0", 0);
	expect_reg(&file, "/wrap/g@1000", 0, 0xfffffffffffff000, 0x10);
	expect_no_reg(&file, "/wrap/h@2000", 0);
	expect_no_reg(&file, "/edge@ffff", 0);
	expect_no_reg(&file, "/odd", 0);
	expect_no_reg(&file, "/many/i@0", 0);
	expect_no_reg(&file, "/short/j@0", 0);
	tree_file_free(&file);
}

static void test_status(void **state)
{
	static const struct {
		const char *path;
		bool available, secure;
	} expected[] = {
	        {"/a", true, false}, {"/b", true, false},    {"/c", false, false},
	        {"/d", false, true}, {"/d/e", false, false}, {"/f", false, false},
	        {"/g", true, false},
	};
	struct tree_file file = compile_sound(
	        "/ { a { status = \"okay\"; }; b { status = \"ok\"; }; c { status = \"disabled\"; "
	        "};"
	        " d { status = \"disabled\"; secure-status = \"okay\"; e { status = \"okay\"; }; };"
	        " f { status = \"okay\", \"x\"; }; g { secure-status = \"okay\"; }; };");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		const char *path = expected[i].path;
		struct tree_walk walk;

		assert_true(tree_goto(&walk, file.bytes,
		                      tree_find_path(file.bytes, path, strlen(path))));
		assert_int_equal(tree_available(&walk), expected[i].available);
		assert_int_equal(tree_secure_only(&walk), expected[i].secure);
	}
	tree_file_free(&file);
}

static void test_walk_order(void **state)
{
	static const char *const names[] = {"", "a", "b@1", "c", "d", "e"};
	static const int depths[] = {0, 1, 2, 3, 1, 1};
	struct tree_file file = compile_sound("/ { a { b@1 { c { }; }; }; d { x; }; e { }; };");
	struct tree_walk walk;
	unsigned i = 0;

	(void)state;
	for (tree_start(&walk, file.bytes); tree_next(&walk); i++) {
		assert_true(i < ARRAY_SIZE(names));
		assert_string_equal(walk.name, names[i]);
		assert_int_equal(walk.depth, depths[i]);
	}
	assert_int_equal(i, ARRAY_SIZE(names));
	assert_false(tree_next(&walk));
	assert_false(tree_next(&walk));
	tree_file_free(&file);
}

static void test_values(void **state)
{
	static const uint8_t bytes[] = {'a', 0, 'b', 'c', 0, 'd'};
	const struct tree_value list = {bytes, 5}, open = {bytes, 6}, none = {NULL, 0};
	const struct tree_value cells = {(const uint8_t *)"\0\0\0\1\0\0\0\2", 8};
	uint64_t number;
	uint32_t cell;
	char text[4];

	(void)state;
	assert_int_equal(tree_list_find(list, "a"), 0);
	assert_int_equal(tree_list_find(list, "bc"), 1);
	assert_int_equal(tree_list_find(list, "b"), ERR_NOT_FOUND);
	assert_int_equal(tree_list_find(open, "d"), ERR_NOT_FOUND);
	assert_false(tree_list_has(none, ""));
	assert_string_equal(tree_string(open), "a");
	assert_null(tree_string((struct tree_value){bytes + 5, 1}));
	assert_false(tree_is_string(list, "a"));
	assert_true(tree_is_string((struct tree_value){bytes, 2}, "a"));
	assert_true(tree_number(cells, &number));
	assert_int_equal(number, 0x100000002);
	assert_false(tree_number((struct tree_value){cells.data, 3}, &number));
	assert_true(tree_cell(cells, 1, &cell));
	assert_int_equal(cell, 2);
	assert_false(tree_cell(cells, 2, &cell));
	assert_false(tree_cell((struct tree_value){cells.data, 3}, 0, &cell));
	assert_true(tree_name_is("cpu@0", "cpu") && tree_name_is("cpu", "cpu"));
	assert_false(tree_name_is("cpus", "cpu"));
	tree_copy_text(text, sizeof(text), "a\033bcd");
	assert_string_equal(text, "a?b");
}

// --- interrupts -----------------------------------------------------------------------------------

static const char irq_source[] =
        "/ { #address-cells = <1>; #size-cells = <1>; interrupt-parent = <&gic>; ranges;"
        "  gic: gic { #interrupt-cells = <3>; interrupt-controller; interrupts = <1 9 4>; };"
        "  gic2: gic2 { #interrupt-cells = <3>; #address-cells = <2>; interrupt-controller; };"
        "  small: small { #interrupt-cells = <1>; interrupt-controller; interrupts = <0 7 4>; };"
        "  plain { interrupts = <0 1 4>, <0 2 1>; };"
        "  own { interrupt-parent = <&small>; interrupts = <11 12>; child { interrupts = <13>; }; "
        "};"
        "  extended { interrupts = <0 99 4>; interrupts-extended = <&gic 0 3 4>, <&small 5>, <&gic "
        "0 6 4>; };"
        "  nexus { #address-cells = <2>; #size-cells = <1>; #interrupt-cells = <1>;"
        "    interrupt-map-mask = <0 0 63>;"
        "    interrupt-map = <0 0 4 &gic 0 44 4>, <0 0 5 &gic2 0xaa 0xbb 0 55 1>, <0 0 6 &gic 0 66 "
        "4>;"
        "    bus { dev5@1 { reg = <1 2 3>; interrupts = <69>; }; dev6@1 { interrupts = <6>; };"
        "      dev7@1 { interrupts = <7>; }; }; };"
        "  unit { #address-cells = <1>; #size-cells = <1>; #interrupt-cells = <1>;"
        "    interrupt-map = <0x10 1 &gic 0 1 4>, <0x20 1 &gic 0 2 4>;"
        "    dev@20 { reg = <0x20 1>; interrupts = <1>; }; };"
        "  loop1: loop1 { #interrupt-cells = <1>; #address-cells = <0>; interrupt-map = <1 &loop2 "
        "1>; };"
        "  loop2: loop2 { #interrupt-cells = <1>; #address-cells = <0>; interrupt-map = <1 &loop1 "
        "1>; };"
        "  circle { interrupt-parent = <&loop1>; interrupts = <1>; };"
        "  ring1: ring1 { interrupt-parent = <&ring2>; };"
        "  ring2: ring2 { interrupt-parent = <&ring1>; };"
        "  lost { interrupt-parent = <&ring1>; interrupts = <1>; };"
        "  none { interrupt-parent = <0x1234>; interrupts = <1>; };"
        "  nothing { };"
        "};";

static void test_interrupts(void **state)
{
	static const struct {
		const char *path;
		unsigned index;
		const char *controller; // NULL: no interrupt
		uint32_t cells, specifier[3];
	} expected[] = {
	        {"/plain", 0, "/gic", 3, {0, 1, 4}},
	        {"/plain", 1, "/gic", 3, {0, 2, 1}},
	        {"/plain", 2, NULL, 0, {0}},
	        {"/plain", 8, NULL, 0, {0}},
	        {"/gic", 0, "/gic", 3, {1, 9, 4}},
	        {"/small", 0, "/gic", 3, {0, 7, 4}},
	        {"/own", 1, "/small", 1, {12}},
	        {"/own/child", 0, "/small", 1, {13}},
	        {"/extended", 0, "/gic", 3, {0, 3, 4}},
	        {"/extended", 1, "/small", 1, {5}},
	        {"/extended", 2, "/gic", 3, {0, 6, 4}},
	        {"/extended", 3, NULL, 0, {0}},
	        {"/nexus/bus/dev5@1", 0, "/gic2", 3, {0, 55, 1}},
	        {"/nexus/bus/dev6@1", 0, "/gic", 3, {0, 66, 4}},
	        {"/nexus/bus/dev7@1", 0, NULL, 0, {0}},
	        {"/unit/dev@20", 0, "/gic", 3, {0, 2, 4}},
	        {"/circle", 0, NULL, 0, {0}},
	        {"/lost", 0, NULL, 0, {0}},
	        {"/none", 0, NULL, 0, {0}},
	        {"/nothing", 0, NULL, 0, {0}},
	};
	struct tree_file file = compile_sound(irq_source);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		const char *path = expected[i].path, *controller = expected[i].controller;
		const int node = tree_find_path(file.bytes, path, strlen(path));
		struct tree_irq irq;
		struct tree_walk walk;

		assert_true(tree_goto(&walk, file.bytes, node));
		const bool found = tree_irq_get(&walk, expected[i].index, &irq);

		if (found != (controller != NULL))
			fail_msg("%s %u: %sfound", path, expected[i].index, found ? "" : "not ");
		if (!found || controller == NULL)
			continue;
		assert_int_equal(irq.controller,
		                 tree_find_path(file.bytes, controller, strlen(controller)));
		assert_int_equal(irq.cells, expected[i].cells);
		for (uint32_t c = 0; c < irq.cells; c++)
			assert_int_equal(irq.specifier[c], expected[i].specifier[c]);
	}
	tree_file_free(&file);
}

// --- what is refused ------------------------------------------------------------------------------

static void put32(struct tree_file *file, size_t offset, uint32_t value)
{
	fdt32_st((uint8_t *)file->bytes + offset, value);
}

static void test_header(void **state)
{
	struct tree_file file = compile_sound("/ { a { b = <1>; }; };");
	uint8_t *copy = malloc(file.size + 8);

	(void)state;
	if (copy == NULL)
		abort();
	assert_int_equal(tree_check(NULL, 100), TREE_NONE);
	assert_int_equal(tree_check(file.bytes, TREE_HEADER_SIZE - 1), TREE_TOO_BIG);
	assert_int_equal(tree_check(file.bytes, file.size - 1), TREE_TOO_BIG);
	memcpy(copy + 4, file.bytes, file.size);
	assert_int_equal(tree_check(copy + 4, file.size), TREE_MISALIGNED);
	free(copy);

	put32(&file, 0, 0xedfe0dd0);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_NONE);
	put32(&file, 0, FDT_MAGIC);
	put32(&file, 4, TREE_MAX_SIZE + 1);
	assert_int_equal(tree_check(file.bytes, SIZE_MAX), TREE_TOO_BIG);
	put32(&file, 4, (uint32_t)file.size);
	put32(&file, 20, 16);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_OLD_VERSION);
	put32(&file, 20, 17);
	put32(&file, 24, 18);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_OLD_VERSION);
	put32(&file, 24, 16);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_OK);
	// A root that has a name: its four bytes follow the first tag.
	const size_t name = fdt_off_dt_struct(file.bytes) + 4;
	put32(&file, name, (uint32_t)'r' << 24);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_BROKEN);
	put32(&file, name, 0);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_OK);
	// A list of reserved memory that nothing ends.
	put32(&file, 16, (uint32_t)file.size - 8);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_BROKEN);
	tree_file_free(&file);
}

static void test_depth(void **state)
{
	char source[1024] = "/ {", *end = source + 3;

	(void)state;
	for (int i = 0; i < TREE_MAX_DEPTH; i++)
		end += sprintf(end, "n {");
	for (int i = 0; i < TREE_MAX_DEPTH; i++)
		end += sprintf(end, "};");
	sprintf(end, "};");
	struct tree_file file = compile_sound(source);
	tree_file_free(&file);

	end = source + sprintf(source, "/ {");
	for (int i = 0; i <= TREE_MAX_DEPTH; i++)
		end += sprintf(end, "n {");
	for (int i = 0; i <= TREE_MAX_DEPTH; i++)
		end += sprintf(end, "};");
	sprintf(end, "};");
	file = tree_file_compile(source);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_TOO_DEEP);
	tree_file_free(&file);
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *same; // NULL: not found
	} rows[] = {
	        {"/", "/"},
	        {"//", "/"},
	        {"/a@1", "/a@1"},
	        {"/a", "/a@1"},
	        {"/a@2", "/a@2"},
	        {"/a@1/b/", "/a@1/b"},
	        {"//a@1///b", "/a@1/b"},
	        {"/a@2/b", "/a@2/b"},
	        {"/a/b/c", "/a@1/b/c"},
	        {"/ab", "/ab"},
	        {"/a@", NULL},
	        {"/a@3", NULL},
	        {"/b", NULL},
	        {"/a@1/c", NULL},
	        {"/a@1/b/c/d", NULL},
	        {"a", NULL},
	        {"", NULL},
	        {"/a@1/b/d", NULL},
	};
	struct tree_file file =
	        compile_sound("/ { ab { }; a@1 { b { c { }; }; }; a@2 { b { d { }; }; }; };");

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const int got = tree_find_path(file.bytes, rows[i].path, strlen(rows[i].path));
		const int want = rows[i].same == NULL ? ERR_NOT_FOUND
		                                      : fdt_path_offset(file.bytes, rows[i].same);

		if (got != want)
			fail_msg("%s: %d, not %d", rows[i].path, got, want);
	}
	assert_int_equal(tree_find_path(file.bytes, "/abc", 3), fdt_path_offset(file.bytes, "/ab"));
	tree_file_free(&file);
}

// A path that is an alias is not followed: libfdt would follow one that names itself for ever.
static void test_alias_circle(void **state)
{
	struct tree_file file =
	        compile_sound("/ { aliases { serial0 = \"serial0\"; a = \"b\"; b = \"a\"; }; };");

	(void)state;
	assert_int_equal(tree_find_path(file.bytes, "serial0", 7), ERR_NOT_FOUND);
	assert_int_equal(tree_find_path(file.bytes, "a", 1), ERR_NOT_FOUND);
	assert_int_equal(tree_find_path(file.bytes, "", 0), ERR_NOT_FOUND);
	tree_file_free(&file);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

// A megabyte of properties that all have the same megabyte for a name.
static void test_long_names(void **state)
{
	const uint32_t strings = MIB(1), props = 80000;
	const uint32_t structs = 8 + props * 12 + 8, at = 40 + 16;
	struct tree_file file = {NULL, at + structs + strings};
	const double start = seconds();

	(void)state;
	file.bytes = calloc(1, file.size);
	if (file.bytes == NULL)
		abort();
	const uint32_t header[] = {
	        FDT_MAGIC, (uint32_t)file.size, at, at + structs, 40, 17, 16, 0, strings, structs};
	for (unsigned i = 0; i < ARRAY_SIZE(header); i++)
		put32(&file, i * 4, header[i]);
	put32(&file, at, FDT_BEGIN_NODE);
	for (uint32_t i = 0; i < props; i++)
		put32(&file, at + 8 + i * 12, FDT_PROP);
	put32(&file, at + structs - 8, FDT_END_NODE);
	put32(&file, at + structs - 4, FDT_END);
	memset((uint8_t *)file.bytes + at + structs, 'x', strings - 1);
	assert_int_equal(tree_check(file.bytes, file.size), TREE_BROKEN);
	assert_true(seconds() - start < 5.0);
	tree_file_free(&file);
}

// Ten thousand addresses below ten thousand ranges: the walk's budget ends it.
static void test_many_ranges(void **state)
{
	enum { COUNT = 10000 };
	char *source = malloc(COUNT * 64), *end = source;
	struct tree_walk walk;
	uint64_t base, size;
	unsigned translated = 0;
	const double start = seconds();

	(void)state;
	assert_non_null(source);
	end += sprintf(end,
	               "/ { #address-cells = <1>; #size-cells = <1>; bus { #address-cells = <1>;"
	               " #size-cells = <1>; ranges = <");
	for (int i = 0; i < COUNT; i++)
		end += sprintf(end, "%d %d 1 ", i, i);
	end += sprintf(end, ">; dev { reg = <");
	for (int i = 0; i < COUNT; i++)
		end += sprintf(end, "%d 1 ", COUNT - 1);
	sprintf(end, ">; }; }; };");
	struct tree_file file = compile_sound(source);
	free(source);
	assert_true(tree_goto(&walk, file.bytes, tree_find_path(file.bytes, "/bus/dev", 8)));
	assert_int_equal(tree_reg_count(&walk), COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		translated += tree_reg(&walk, i, &base, &size) ? 1 : 0;
	assert_int_equal(translated, TREE_MAX_TRANSLATE / COUNT);
	assert_int_equal(walk.budget, 0);
	assert_true(seconds() - start < 5.0);
	tree_file_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_translation),  cmocka_unit_test(test_status),
	        cmocka_unit_test(test_walk_order),   cmocka_unit_test(test_values),
	        cmocka_unit_test(test_interrupts),   cmocka_unit_test(test_header),
	        cmocka_unit_test(test_paths),        cmocka_unit_test(test_depth),
	        cmocka_unit_test(test_alias_circle), cmocka_unit_test(test_long_names),
	        cmocka_unit_test(test_many_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
