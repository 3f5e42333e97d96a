// SPDX-License-Identifier: Apache-2.0
// Damaged trees: cut off at every kind of place, with random bits, words and blocks changed. Whatever
// comes out, nothing reads outside the tree and nothing hangs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libfdt.h>
#include <sanitizer/asan_interface.h>
#include <unistd.h>

#include "fdt/board.h"
#include "fdt/desc.h"
#include "fdt/tree.h"
#include "tree_files.h"

enum { ROUNDS = 20000, CUTS = 1500, HANG_SECONDS = 240 };

static struct board board;
static struct board_problem problem;
static struct desc desc;
static struct desc_problem desc_problem;

static const char desc_source[] =
        "/ { mezzo { compatible = \"mezzo,system\"; version = <1>; console = \"b\"; overcommit;"
        " files { file@0 { reg = <0>; path = \"k\"; size = /bits/ 64 <9>; crc32 = <1>;"
        "   sha256 = [00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"
        "             00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff]; };"
        "  file@1 { reg = <1>; path = \"i\"; size = /bits/ 64 <9>; crc32 = <1>; }; };"
        " vm@0 { compatible = \"mezzo,vm\"; vm-name = \"a\"; kernel = \"k\"; initrd = \"k\";"
        "  memory = /bits/ 64 <0x1000000>; cpus = <2>; pin = <0 1>; verify = \"sha256\";"
        "  cmdline = \"quiet\"; load = /bits/ 64 <0x40080000>; on-crash = \"restart\"; };"
        " vm@1 { compatible = \"mezzo,vm\"; vm-name = \"b\"; kernel = \"k\"; gic = <3>;"
        "  memory = /bits/ 64 <0x2000000>; cpus = <1>; exclusive; pin = <2>; autostart = <0>;"
        "  weight = <200>; priority = <7>; budget = <100 1000>; stop-timeout = <5000>; }; }; };";

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

// What must hold of any board, however it came about.
static void check_board(void)
{
	assert_true(board.nr_ram <= BOARD_MAX_RAM && board.nr_cpus <= BOARD_MAX_CPUS);
	assert_true(board.gic.nr_gicr <= BOARD_MAX_GICR);
	for (uint32_t i = 0; i < board.nr_ram; i++) {
		const struct board_range *range = &board.ram[i];

		assert_true(range->base % PAGE_SIZE == 0 && range->size % PAGE_SIZE == 0);
		assert_true(range->size != 0 && range->base + range->size > range->base);
		assert_true(i == 0 || board.ram[i - 1].base + board.ram[i - 1].size < range->base);
	}
	for (uint32_t i = 0; i < problem.count && i < BOARD_MAX_PROBLEMS; i++)
		assert_true(problem.list[i].text[0] != '\0');
}

// Reads a tree of `size` bytes in a room of the largest size, all but what its header claims poisoned.
static void read_all(uint8_t *room, size_t size)
{
	const uint32_t claimed = size >= TREE_HEADER_SIZE ? fdt_totalsize(room) : 0;
	const size_t readable = claimed > TREE_HEADER_SIZE ? claimed : TREE_HEADER_SIZE;

	if (readable < TREE_MAX_SIZE)
		ASAN_POISON_MEMORY_REGION(room + readable, TREE_MAX_SIZE - readable);
	// What is passed here would pass there.
	if (tree_check(room, TREE_MAX_SIZE) == TREE_OK)
		assert_int_equal(fdt_check_full(room, claimed), 0);
	const int result = board_read(room, &board, &problem);
	if (result != 0)
		assert_true(problem.fatal != 0);
	else
		assert_true(board.nr_ram != 0 && board.nr_cpus != 0 &&
		            (board.gic.version != 0 || board.bcm.local.size != 0));
	check_board();
	if (desc_read(room, TREE_MAX_SIZE, &desc, &desc_problem) != 0)
		assert_true(desc_problem.text[0] != '\0');
	ASAN_UNPOISON_MEMORY_REGION(room, TREE_MAX_SIZE);
}

static void mangle(uint8_t *bytes, size_t size)
{
	static const uint32_t words[] = {0, 1, 2, 3, 4, 9, 0x7fffffff, 0x80000000, 0xffffffff};
	const uint32_t kind = random_below(4);
	const uint32_t count = 1 + random_below(3);

	for (uint32_t i = 0; i < count; i++) {
		const uint32_t at = random_below((uint32_t)size);
		const uint32_t word = at & ~UINT32_C(3);
		const uint32_t value = words[random_below(sizeof(words) / sizeof(words[0]))];

		if (kind == 0)
			bytes[at] ^= (uint8_t)(1 << random_below(8));
		else if (kind == 1 && word + 4 <= size)
			fdt32_st(bytes + word, value);
		else if (kind == 2 && word + 4 <= size)
			fdt32_st(bytes + word, fdt32_ld((fdt32_t *)(void *)(bytes + word)) + value);
		else
			bytes[at] = (uint8_t)random_below(256);
	}
}

static void mangle_tree(struct tree_file *file, const char *name, uint32_t rounds)
{
	uint8_t *room = aligned_alloc(64, TREE_MAX_SIZE);

	if (file->bytes == NULL) {
		print_message("# no %s\n", name);
		free(room);
		return;
	}
	assert_non_null(room);
	print_message("# %s, %zu bytes, seed %u\n", name, file->size, random_state);
	memset(room, 0, TREE_MAX_SIZE);
	for (uint32_t i = 0; i < rounds; i++) {
		memcpy(room, file->bytes, file->size);
		mangle(room, file->size);
		read_all(room, file->size);
	}
	for (uint32_t i = 0; i < CUTS; i++) {
		const size_t cut = i < 200 ? i : random_below((uint32_t)file->size);

		memcpy(room, file->bytes, file->size);
		memset(room + cut, 0, file->size - cut);
		if (cut >= TREE_HEADER_SIZE && i % 2 == 0)
			fdt_set_totalsize(room, (uint32_t)cut);
		read_all(room, cut);
	}
	free(room);
	tree_file_free(file);
}

static void test_mangled(void **state)
{
	// Small trees are quick to read, so most rounds go to them.
	static const struct {
		const char *name;
		uint32_t rounds;
	} files[] = {
	        {"foundation-v8.dtb", ROUNDS / 4},
	        {"foundation-v8-gicv3-psci.dtb", ROUNDS / 8},
	        {"bcm2837-rpi-3-b.dtb", ROUNDS / 16},
	        {"imx8mp-evk.dtb", ROUNDS / 16},
	};

	(void)state;
	(void)alarm(HANG_SECONDS);
	random_state = 1;
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "build/guests/dtb/%s", files[i].name);
		struct tree_file file = tree_file_open(path);
		mangle_tree(&file, files[i].name, files[i].rounds);
	}
	struct tree_file qemu =
	        tree_file_qemu("-machine virt,gic-version=3,virtualization=on,secure=on -smp 4");
	if (qemu.bytes != NULL) {
		fdt_pack(qemu.bytes);
		qemu.size = fdt_totalsize(qemu.bytes);
	}
	mangle_tree(&qemu, "virt", ROUNDS / 4);
	(void)alarm(0);
}

static void test_mangled_desc(void **state)
{
	struct tree_file file = tree_file_compile(desc_source);

	(void)state;
	(void)alarm(HANG_SECONDS);
	random_state = 2;
	if (desc_read(file.bytes, file.size, &desc, &desc_problem) != 0)
		fail_msg("%s", desc_problem.text);
	mangle_tree(&file, "description", ROUNDS);
	(void)alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_mangled),
	        cmocka_unit_test(test_mangled_desc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
