// SPDX-License-Identifier: Apache-2.0
// A tree that came along, patched as firmware does it; the plain tree of a Raspberry Pi; and the first page of its
// memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fdt/guest_patch.h"
#include "fdt/guest_raspi3.h"
#include "fdt/tree.h"
#include "tree_files.h"
#include "vdev/model.h"
#include "vdev/raspi3_boot.h"
#include "vm/vm.h"

#define ROOM 65536

static uint64_t buffer[ROOM / 8];
static const uint8_t seed[GUEST_PATCH_RNG_SIZE] = {1, 2, 3};
static const uint64_t kaslr = UINT64_C(0x123456789abcdef0);

static const struct guest_patch whole = {
        .ram_base = 0,
        .ram_size = 0x1c000000,
        .bootargs = "console=ttyS1 quiet",
        .initrd_start = 0x8000000,
        .initrd_size = 0x123456,
        .rng_seed = seed,
        .kaslr_seed = &kaslr,
        .nr_cpus = 2,
        .spin_table = 0xd8,
        .reserved_size = 4096,
};

static int patch_source(const char *source, const struct guest_patch *patch, size_t room)
{
	struct tree_file file = tree_file_compile(source);
	assert_non_null(file.bytes);
	int result = guest_patch(buffer, room, file.bytes, file.size, patch);
	tree_file_free(&file);
	if (result >= 0) {
		assert_int_equal(tree_check(buffer, (size_t)result), TREE_OK);
		assert_int_equal(fdt_totalsize(buffer), result);
	}
	return result;
}

static const void *prop(const char *path, const char *name, int size)
{
	int length = 0, node = fdt_path_offset(buffer, path);
	const void *value = node >= 0 ? fdt_getprop(buffer, node, name, &length) : NULL;
	if (value != NULL && size >= 0)
		assert_int_equal(length, size);
	return value;
}

static uint64_t number(const char *path, const char *name, int size)
{
	const void *value = prop(path, name, size);
	assert_non_null(value);
	return size == 8 ? fdt64_ld(value) : fdt32_ld(value);
}

#define BOARD(cells)                                                                             \
	"/ { #address-cells = <" cells ">; #size-cells = <" cells ">;"                           \
	" memory@0 { device_type = \"memory\"; reg = <0 0x3b400000>; };"                         \
	" memory@40000000 { device_type = \"memory\"; reg = <0x40000000 0x1000>; };"             \
	" chosen { bootargs = \"old\"; stdout-path = \"serial1\"; rng-seed = <9>;"               \
	"   linux,initrd-start = <1>; linux,initrd-end = <2>; };"                                \
	" cpus { #address-cells = <1>; #size-cells = <0>; enable-method = \"brcm,bcm2836-smp\";" \
	"   cpu@0 { device_type = \"cpu\"; reg = <0>; enable-method = \"psci\"; };"              \
	"   cpu@1 { device_type = \"cpu\"; reg = <1>; };"                                        \
	"   cpu@2 { device_type = \"cpu\"; reg = <2>; };"                                        \
	"   cpu@3 { device_type = \"cpu\"; reg = <3>; };"                                        \
	"   l2-cache0 { }; }; };"

static void test_everything_is_put_in(void **state)
{
	(void)state;
	for (unsigned wide = 0; wide < 2; wide++) {
		assert_true(patch_source(wide ? BOARD("2") : BOARD("1"), &whole, ROOM) > 0);
		assert_int_equal(fdt_path_offset(buffer, "/memory@40000000"), -FDT_ERR_NOTFOUND);
		const fdt32_t *reg = prop("/memory@0", "reg", wide ? 16 : 8);
		assert_non_null(reg);
		assert_int_equal(fdt32_ld(&reg[wide ? 3 : 1]), 0x1c000000);
		assert_int_equal(fdt32_ld(&reg[0]), 0);
		assert_string_equal(prop("/chosen", "bootargs", -1), "console=ttyS1 quiet");
		assert_string_equal(prop("/chosen", "stdout-path", -1), "serial1"); // stays
		assert_int_equal(number("/chosen", "linux,initrd-start", 8), 0x8000000);
		assert_int_equal(number("/chosen", "linux,initrd-end", 8), 0x8123456);
		assert_memory_equal(prop("/chosen", "rng-seed", 32), seed, 32);
		assert_int_equal(number("/chosen", "kaslr-seed", 8), kaslr);
		assert_string_equal(prop("/cpus/cpu@0", "enable-method", -1), "spin-table");
		assert_int_equal(number("/cpus/cpu@0", "cpu-release-addr", 8), 0xd8);
		assert_int_equal(number("/cpus/cpu@1", "cpu-release-addr", 8), 0xe0);
		assert_int_equal(fdt_path_offset(buffer, "/cpus/cpu@2"), -FDT_ERR_NOTFOUND);
		assert_int_equal(fdt_path_offset(buffer, "/cpus/cpu@3"), -FDT_ERR_NOTFOUND);
		assert_true(fdt_path_offset(buffer, "/cpus/l2-cache0") > 0);
		assert_int_equal(fdt_num_mem_rsv(buffer), 1);
	}
}

// What a tree says of another machine's start must not be believed by a guest that has none of it.
static void test_what_is_not_there_is_taken_out(void **state)
{
	const struct guest_patch bare = {.ram_base = 0x40000000, .ram_size = 0x4000000};
	(void)state;
	assert_true(patch_source(BOARD("1"), &bare, ROOM) > 0);
	assert_string_equal(prop("/chosen", "bootargs", -1), "old"); // the tree's own word stands
	assert_null(prop("/chosen", "linux,initrd-start", -1));
	assert_null(prop("/chosen", "linux,initrd-end", -1));
	assert_null(prop("/chosen", "rng-seed", -1));
	assert_null(prop("/chosen", "kaslr-seed", -1));
	assert_true(fdt_path_offset(buffer, "/cpus/cpu@3") > 0);
	assert_string_equal(prop("/cpus/cpu@0", "enable-method", -1), "psci");
	assert_int_equal(fdt_num_mem_rsv(buffer), 0);
	assert_true(patch_source("/ { };", &whole, ROOM) >
	            0); // nothing is there: what is needed is made
	assert_string_equal(prop("/chosen", "bootargs", -1), "console=ttyS1 quiet");
	assert_non_null(prop("/memory@0", "reg", 12));
}

static void test_a_page_that_is_reserved_already(void **state)
{
	(void)state;
	assert_true(patch_source("/memreserve/ 0 0x1000;" BOARD("1"), &whole, ROOM) > 0);
	assert_int_equal(fdt_num_mem_rsv(buffer), 1);
}

static void test_wrong_ones(void **state)
{
	uint8_t noise[256];
	(void)state;
	memset(noise, 0x5a, sizeof noise);
	assert_int_equal(guest_patch(buffer, ROOM, noise, sizeof noise, &whole), ERR_INVALID);
	assert_int_equal(guest_patch(buffer, ROOM, noise, 0, &whole), ERR_INVALID);
	assert_int_equal(guest_patch(buffer, 100, noise, sizeof noise, &whole), ERR_NO_MEMORY);
	assert_int_equal(patch_source("/ { #address-cells = <3>; };", &whole, ROOM), ERR_INVALID);
	// Every size of room: it fits, or it is said.
	int size = patch_source(BOARD("1"), &whole, ROOM);
	for (size_t room = 0; room < ROOM; room += room < 2048 ? 8 : 4096) {
		int result = patch_source(BOARD("1"), &whole, room);
		assert_true(result == size || result == ERR_NO_MEMORY);
		assert_true(result < 0 || room >= (size_t)size);
	}
}

// Damaged in every way that one byte can be: an error or a sound tree, never anything else.
static void test_mangled(void **state)
{
	struct tree_file file = tree_file_compile(BOARD("1"));
	(void)state;
	assert_non_null(file.bytes);
	uint8_t *copy = malloc(file.size + 1);
	for (size_t at = 0; at < file.size; at++) {
		for (unsigned way = 0; way < 3; way++) {
			memcpy(copy + 1, file.bytes, file.size); // and misaligned
			copy[1 + at] = (uint8_t)(way == 0 ? 0 : way == 1 ? 0xff : copy[1 + at] ^ 1);
			int result = guest_patch(buffer, ROOM, copy + 1, file.size, &whole);
			if (result >= 0)
				assert_int_equal(tree_check(buffer, (size_t)result), TREE_OK);
		}
	}
	free(copy);
	tree_file_free(&file);
}

static void test_the_plain_tree(void **state)
{
	(void)state;
	assert_int_equal(guest_raspi3_write(buffer, ROOM, 0), ERR_INVALID);
	assert_int_equal(guest_raspi3_write(buffer, ROOM, 5), ERR_INVALID);
	assert_int_equal(guest_raspi3_write(buffer, 256, 4), ERR_NO_MEMORY);
	int size = guest_raspi3_write(buffer, ROOM, 4);
	assert_in_range(size, 1000, KIB(8));
	assert_int_equal(tree_check(buffer, (size_t)size), TREE_OK);
	size = guest_patch(buffer, ROOM, buffer, (size_t)size, &whole); // in place
	assert_in_range(size, 1000, KIB(12));
	assert_string_equal(prop("/", "model", -1), "Raspberry Pi 3 Model B");
	assert_int_equal(number("/cpus/cpu@1", "cpu-release-addr", 8), 0xe0);
	assert_int_equal(fdt_path_offset(buffer, "/cpus/cpu@2"), -FDT_ERR_NOTFOUND);
	assert_true(fdt_path_offset(buffer, "serial1") > 0); // by its alias
	const char *out = prop("/chosen", "stdout-path", -1);
	assert_non_null(out);
	assert_memory_equal(out, "serial1:", 8);
	struct tree_walk walk;
	uint64_t base, length;
	unsigned devices = 0;
	for (tree_start(&walk, buffer); tree_next(&walk);) {
		if (walk.depth != 2 || !tree_reg(&walk, 0, &base, &length))
			continue;
		devices++; // all of them lie where a core finds them
		assert_true((base >= 0x3f000000 && base < 0x40000000) || base == 0x40000000);
	}
	assert_int_equal(devices, 9);
}

// ---- the first page ----

static uint32_t word(const uint8_t *page, uint32_t at)
{
	uint32_t value;
	assert_true(at % 4 == 0 && at <= 4092);
	memcpy(&value, page + at, 4);
	return value;
}

static void test_the_first_page(void **state)
{
	static uint8_t page[4096 + 16];
	static char line[DESC_CMDLINE_MAX + 1];
	static struct vm vm;
	struct model_chosen chosen = {.initrd_start = 0x5000000, .initrd_size = 0x4321};
	(void)state;
	vm.video_base = 0xc000000;
	for (size_t length = 0; length <= DESC_CMDLINE_MAX; length += 89) {
		memset(page, 0, sizeof page);
		memset(line, 'x', length);
		line[length] = 0;
		chosen.bootargs = length == 0 ? NULL : line;
		raspi3_boot_write(&vm, &chosen, page);
		for (uint32_t at = 0xd8; at < 0x100; at += 4) // nobody is released yet
			assert_int_equal(word(page, at), 0);
		uint32_t at = 0x100, seen = 0;
		for (; word(page, at + 4) != 0; at += 4 * word(page, at)) {
			uint32_t tag = word(page, at + 4);
			assert_true(word(page, at) >= 2);
			seen |= tag == 0x54410001 ? 1u : 0;
			if (tag == 0x54410002) {
				assert_int_equal(word(page, at + 8), 0xc000000);
				assert_int_equal(word(page, at + 12), 0);
				seen |= 2;
			}
			if (tag == 0x54420005) {
				assert_int_equal(word(page, at + 8), 0x5000000);
				assert_int_equal(word(page, at + 12), 0x4321);
				seen |= 4;
			}
			if (tag == 0x54410009) {
				assert_string_equal((char *)page + at + 8, line);
				assert_true(8 + length + 1 <= 4 * word(page, at));
				seen |= 8;
			}
		}
		assert_int_equal(word(page, at), 0);
		assert_int_equal(seen, length == 0 ? 7 : 15);
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(page[4096 + i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_everything_is_put_in),
	        cmocka_unit_test(test_what_is_not_there_is_taken_out),
	        cmocka_unit_test(test_a_page_that_is_reserved_already),
	        cmocka_unit_test(test_wrong_ones),
	        cmocka_unit_test(test_mangled),
	        cmocka_unit_test(test_the_plain_tree),
	        cmocka_unit_test(test_the_first_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
