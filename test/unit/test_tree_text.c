// SPDX-License-Identifier: Apache-2.0
// Device trees as source text: what is well known is shown as `dtc` would write it, and no tree, however
// damaged, is read outside of its bytes or goes on for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "base/bits.h"
#include "fdt/guest_virt.h"
#include "fdt/tree.h"
#include "fdt/tree_text.h"

static char text[1 << 20];

// The whole text; whether it ended by itself. `limit`: pieces.
static bool show(const void *fdt, size_t size, unsigned limit)
{
	struct tree_text t;
	size_t n = 0;
	bool more = true;
	text[0] = '\0';
	if (!tree_text_begin(&t, fdt, size))
		return false;
	for (unsigned i = 0; more; i++) {
		char *piece = malloc(TREE_TEXT_PIECE); // so that the sanitizer sees its end
		assert_true(i < limit);
		more = tree_text_next(&t, piece);
		size_t length = strlen(piece);
		assert_true(length < TREE_TEXT_PIECE && n + length < sizeof text);
		memcpy(text + n, piece, length + 1);
		n += length;
		free(piece);
	}
	return strstr(text, "damaged") == NULL;
}

static void *make(size_t size)
{
	void *fdt = aligned_alloc(8, size);
	assert_int_equal(fdt_create(fdt, (int)size), 0);
	assert_int_equal(fdt_finish_reservemap(fdt), 0);
	assert_int_equal(fdt_begin_node(fdt, ""), 0);
	return fdt;
}

static void test_forms(void **state)
{
	(void)state;
	const uint8_t bytes[] = {1, 2, 0xff};
	const uint8_t cells[] = {0, 0, 0, 1, 0x80, 0, 0, 0};
	void *fdt = make(4096);
	fdt_property_string(fdt, "model", "a \"b\" \\c");
	fdt_property(fdt, "compatible", "one\0two", 8);
	fdt_property(fdt, "empty", NULL, 0);
	fdt_property(fdt, "bytes", bytes, sizeof bytes);
	fdt_property(fdt, "cells", cells, sizeof cells);
	fdt_property(fdt, "zero", "\0\0\0", 4);
	fdt_property(fdt, "gap", "a\0\0b", 5);
	fdt_property(fdt, "rng-seed", cells, sizeof cells);
	fdt_property(fdt, "kaslr-seed", cells, sizeof cells);
	fdt_begin_node(fdt, "soc@1");
	fdt_begin_node(fdt, "deep");
	fdt_end_node(fdt);
	fdt_end_node(fdt);
	fdt_end_node(fdt);
	assert_int_equal(fdt_finish(fdt), 0);
	assert_true(show(fdt, fdt_totalsize(fdt), 100));
	assert_string_equal(text, "/dts-v1/;\n"
	                          "\n"
	                          "/ {\n"
	                          "    model = \"a \\\"b\\\" \\\\c\";\n"
	                          "    compatible = \"one\", \"two\";\n"
	                          "    empty;\n"
	                          "    bytes = [01 02 ff];\n"
	                          "    cells = <0x1 0x80000000>;\n"
	                          "    zero = <0x0>;\n"
	                          "    gap = [61 00 00 62 00];\n"
	                          "    // rng-seed: 8 bytes, not shown\n"
	                          "    // kaslr-seed: 8 bytes, not shown\n"
	                          "    soc@1 {\n"
	                          "        deep {\n"
	                          "        };\n"
	                          "    };\n"
	                          "};\n");
	free(fdt);
}

static void test_long_ones(void **state)
{
	(void)state;
	char line[2048], name[1000];
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	void *fdt = make(1 << 16);
	fdt_property(fdt, "bootargs", line, sizeof line);
	fdt_property(fdt, "longer", line, 1000); // no NUL
	memset(line, 0, sizeof line);
	fdt_property(fdt, "odd", line, 1001);
	fdt_begin_node(fdt, name);
	fdt_end_node(fdt);
	fdt_end_node(fdt);
	assert_int_equal(fdt_finish(fdt), 0);
	assert_true(show(fdt, fdt_totalsize(fdt), 400));
	const char *at = strstr(text, "bootargs = \"xxxx");
	assert_non_null(at);
	assert_int_equal(strspn(at + 12, "x"), 2047);
	assert_non_null(strstr(text, "longer = <0x78787878 0x78787878 "));
	at = strstr(text, "    nnn");
	assert_non_null(at);
	assert_int_equal(strspn(at + 4, "n"), 999);
	free(fdt);
}

static void test_what_a_guest_gets(void **state)
{
	(void)state;
	static uint8_t room[GUEST_VIRT_TREE_SIZE] __attribute__((aligned(8)));
	const uint64_t mpidr[] = {0, 1};
	struct guest_virt virt = {
	        .ram_base = 0x40000000,
	        .ram_size = MIB(64),
	        .nr_cpus = 2,
	        .mpidr = mpidr,
	        .gic_version = 3,
	        .gicd_base = 0x8000000,
	        .gicd_size = KIB(64),
	        .gicr_base = 0x80a0000,
	        .gicr_size = KIB(256),
	        .bootargs = "console=ttyAMA0",
	};
	int size = guest_virt_write(room, sizeof room, &virt);
	assert_true(size > 0);
	assert_true(show(room, (size_t)size, 1000));
	assert_non_null(strstr(text, "        bootargs = \"console=ttyAMA0\";\n"));
	assert_non_null(strstr(text, "    memory@40000000 {\n"));
}

static void test_what_is_no_tree(void **state)
{
	(void)state;
	uint8_t *fdt = make(4096);
	fdt_end_node(fdt);
	assert_int_equal(fdt_finish(fdt), 0);
	struct tree_text t;
	size_t size = fdt_totalsize(fdt);
	assert_false(tree_text_begin(&t, NULL, size));
	assert_false(tree_text_begin(&t, fdt + 4, size - 4));
	for (size_t less = 0; less < size; less++)
		assert_false(tree_text_begin(&t, fdt, less));
	assert_true(tree_text_begin(&t, fdt, size));
	fdt_set_magic(fdt, 1);
	assert_false(tree_text_begin(&t, fdt, size));
	free(fdt);
}

// In a room of exactly the tree's size, whose end the sanitizer watches.
static void test_mangled(void **state)
{
	(void)state;
	uint8_t *good = make(4096);
	fdt_property_string(good, "model", "something");
	fdt_property(good, "reg", "\0\0\0\1\0\0\0\2", 8);
	fdt_begin_node(good, "node@1");
	fdt_property(good, "odd", "abc\1", 5);
	fdt_end_node(good);
	fdt_end_node(good);
	assert_int_equal(fdt_finish(good), 0);
	size_t size = fdt_totalsize(good);
	srandom(4);
	for (unsigned i = 0; i < 50000; i++) {
		uint8_t *fdt = aligned_alloc(8, align_up(size, 8));
		memcpy(fdt, good, size);
		for (long k = random() % 4; k >= 0; k--)
			fdt[random() % (long)size] =
			        (uint8_t)(random() % (random() % 2 ? 256 : 10));
		(void)show(fdt, size, 10000);
		free(fdt);
	}
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_forms),
	        cmocka_unit_test(test_long_ones),
	        cmocka_unit_test(test_what_a_guest_gets),
	        cmocka_unit_test(test_what_is_no_tree),
	        cmocka_unit_test(test_mangled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
