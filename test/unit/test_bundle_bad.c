// SPDX-License-Identifier: Apache-2.0
// Ten thousand bundles that something happened to on their way: bits that flipped, ends that are missing, members that
// changed places, lengths that lie. Each is built as at boot: a sentence for what was not built, VMs for the rest, and
// no page is gone when they have ended.
#include "config_bench.h"

#include <unistd.h>

enum { FLIPS = 6000, LIES = 2500, SWAPS = 1500, HANG_SECONDS = 240 };

static uint8_t *good, *bad; // the bundle as it was packed, and as it arrives
static size_t size;         // of both
static uint32_t random_state;
static unsigned built, refused;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

// Two VMs of different models, with an initrd, a tree and a card.
static void pack_good(void)
{
	add_kernel("Image", 9000);
	add_file("rootfs", 5000)->sha256 = true;
	add_file("kernel8.img", 6000)->bytes[0] = 0xd5;
	struct tree_file tree = tree_file_compile("/ { #address-cells = <1>; #size-cells = <1>;"
	                                          " chosen { bootargs = \"old\"; }; };");
	struct file *dtb = add_file("pi.dtb", (unsigned)tree.size);
	memcpy(dtb->bytes, tree.bytes, tree.size);
	tree_file_free(&tree);
	add_file("card", 4096);
	settings = "on-all-off = \"poweroff\"; console = \"vm0\";";
	pack(VM(0, MEMORY(16) "initrd = \"rootfs\"; cmdline = \"quiet\";") " vm@1 { reg = <1>; "
	                                                                   "compatible = "
	                                                                   "\"mezzo,vm\"; vm-name "
	                                                                   "= \"pi\"; machine = "
	                                                                   "\"raspi3\";"
	                                                                   " cpus = <4>; kernel = "
	                                                                   "\"kernel8.img\"; dtb = "
	                                                                   "\"pi.dtb\"; sdcard = "
	                                                                   "\"card\";"
	                                                                   " memory = /bits/ 64 "
	                                                                   "<0x4000000>; };");
	size = archive_size;
	good = archive;
	assert_int_equal(posix_memalign((void **)&bad, 4096, size), 0);
}

static bool no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

// Builds what `arrived` bytes of `bad` describe.
static void boot(size_t arrived)
{
	// So that the sanitizer sees a read behind the end: bytes up to the next multiple of 8 are there.
	uint8_t *exact = NULL;
	assert_int_equal(posix_memalign((void **)&exact, 4096, arrived + (arrived == 0)), 0);
	memcpy(exact, bad, arrived);
	board.initrd = (struct board_range){(uintptr_t)exact, arrived};
	said[0] = 0;
	told.set = false;
	config_build(&board, NULL);
	config_start();
	assert_true(said[0] != 0 && strchr(said, '\n') != NULL);
	assert_true(told.set);
	assert_true(vm_count() <= 2);
	built += vm_count();
	refused += 2 - vm_count();
	take_down();
	give_back_copy(ARENA);
	assert_int_equal(pages_counts().free, before.free);
	assert_int_equal(pages_counts().committed, before.committed);
	free(exact);
}

static void prepare(void)
{
	(void)alarm(HANG_SECONDS);
	begin();
	fake_event_hook = no_log;
	fake_set_sysreg("ctr_el0", UINT64_C(9) << 16);
	fake_set_sysreg("dczid_el0", 9);
	before = pages_counts();
	pack_good();
	memcpy(bad, good, size);
	boot(size);
	if (built != 2)
		fail_msg("%s", said);
}

// Most of them where it is not only a checksum that notices: headers and description.
static size_t somewhere(void)
{
	return random_below(4) != 0 ? random_below(8192) % size : random_below((uint32_t)size);
}

static void test_flipped(void **state)
{
	(void)state;
	prepare();
	random_state = 11;
	for (unsigned i = 0; i < FLIPS; i++) {
		memcpy(bad, good, size);
		for (uint32_t n = 0; n <= i % 4; n++)
			bad[somewhere()] ^= (uint8_t)(1 << random_below(8));
		boot(size);
	}
	assert_true(built > 100 && refused > FLIPS / 10);
}

// Cut off at each 4 KiB and around it, and at random places; and whole, with garbage behind it.
static void test_cut_off(void **state)
{
	(void)state;
	prepare();
	random_state = 12;
	memcpy(bad, good, size);
	for (size_t at = 0; at < size; at += 4096)
		for (size_t off = 0; off < 5 && at + off < size; off++)
			boot(at + off);
	for (unsigned i = 0; i < 300; i++)
		boot(random_below((uint32_t)size));
}

// A number in a header, or a cell of the description, says something else.
static void test_lengths_that_lie(void **state)
{
	static const char *const numbers[] = {"00000000", "00000001", "7fffffff", "80000000",
	                                      "ffffffff", "fffffff0", "00010000", "0000006e"};
	static const uint32_t cells[] = {0, 1, 3, 4, 0x7fffffff, 0x80000000, UINT32_MAX, 0x10000};
	(void)state;
	prepare();
	random_state = 13;
	for (unsigned i = 0; i < LIES; i++) {
		memcpy(bad, good, size);
		if (i % 2 ==
		    0) { // a field of one of the headers: sizes are there twice, of name and file
			size_t at = 0, field = 6 + 8 * random_below(13), which = random_below(7);
			for (size_t k = 0; which > 0 && k + 6 < size; k += 4)
				if (memcmp(bad + k, "070701", 6) == 0) {
					at = k;
					which--;
				}
			memcpy(bad + at + field, numbers[random_below(ARRAY_SIZE(numbers))], 8);
		} else {
			size_t at = random_below(8000) & ~UINT32_C(3);
			uint32_t cell = __builtin_bswap32(cells[random_below(ARRAY_SIZE(cells))]);
			memcpy(bad + at, &cell, 4);
		}
		boot(size);
	}
}

// Pieces of 4 KiB, in which members begin, changed places; one of them is there twice.
static void test_members_that_changed_places(void **state)
{
	enum { PIECE = 4096 };
	(void)state;
	prepare();
	random_state = 14;
	uint32_t pieces = (uint32_t)(size / PIECE);
	for (unsigned i = 0; i < SWAPS; i++) {
		size_t a = random_below(pieces) * (size_t)PIECE,
		       b = random_below(pieces) * (size_t)PIECE;
		memcpy(bad, good, size);
		memcpy(bad + a, good + b, PIECE);
		if (i % 2 == 0)
			memcpy(bad + b, good + a, PIECE);
		boot(size);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_flipped),
	        cmocka_unit_test(test_cut_off),
	        cmocka_unit_test(test_lengths_that_lie),
	        cmocka_unit_test(test_members_that_changed_places),
	};
	return own_process_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
