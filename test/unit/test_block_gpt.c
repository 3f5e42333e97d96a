// SPDX-License-Identifier: Apache-2.0
// The partitions of a disk, as they are found at boot on one in the test's memory, and reading through them.
#include "own_process.h"

#include "base/log.h"
#include "gpt_disk.h"
#include "hw/block.h"
#include "virtio_board.h"

#define BLOCKS (FAKE_DISK_BYTES / 512)

static struct fake_virtio disk;

static bool logged(const char *text)
{
	static char log[16384];
	log[log_read(log, sizeof log - 1)] = 0;
	return strstr(log, text) != NULL;
}

static void boot(void)
{
	disk = fake_blk_new(VIRTIO_MMIO_LEGACY, VIRTIO_BLK_F_SIZE_MAX);
	fake_put32(disk.config + VIRTIO_BLK_SIZE_MAX, 512);
	board_slots[0] = &disk;
	board_power_on();
	board_make_tree("");
	board_ready();
	uint64_t free = pages_counts().free;
	host_devices_init(board_tree.bytes, &test_board);
	assert_in_range(free - pages_counts().free, 1,
	                31); // rings and disk, not the table's 16 pages
	assert_non_null(block_get(0));
}

static void expect(const char *name, uint64_t first, uint64_t sectors)
{
	struct block_range range;
	assert_int_equal(block_find(name, &range), 0);
	assert_int_equal(range.first, first);
	assert_int_equal(range.sectors, sectors);
}

static void over(struct block_request *request, int error)
{
	*(int *)request->owner = error;
}

static void test_found(void **state)
{
	static const struct gpt_part parts[] = {{40, 99, "boot"}, {0, 0, ""}, {100, 1999, "root"}};
	static const struct block_request_ops ops = {.done = over};
	struct block_range range;
	(void)state;
	gpt_make_disk(fake_disk, BLOCKS, parts, 3);
	memset(fake_disk + 101 * 512, 0x77, 512);
	boot();
	assert_int_equal(block_get(0)->nr_partitions, 2);
	expect("vda", 0, BLOCKS);
	expect("vda1", 40, 60);
	expect("vda3", 100, 1900);
	assert_int_equal(block_find("vda2", &range), ERR_NOT_FOUND);
	assert_string_equal(block_get(0)->partition[1].label, "root");
	assert_int_equal(block_find("vda3", &range), 0);
	pa_t pa = pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL);
	int error = 1;
	struct segment segment = {pa, 512};
	struct block_request request = {.op = BLOCK_READ,
	                                .sector = 1,
	                                .segments = &segment,
	                                .nr_segments = 1,
	                                .ops = &ops,
	                                .owner = &error};
	assert_int_equal(block_submit(&range, &request), 0);
	block_poll(range.dev);
	assert_int_equal(error, 0);
	assert_memory_equal((void *)pa.v, fake_disk + 101 * 512, 512);
	request.sector = 1900; // behind its end, though not behind the disk's
	assert_int_equal(block_submit(&range, &request), ERR_RANGE);
}

static const struct gpt_part one[] = {{40, 99, "boot"}};

// A read takes two seconds. All of them together have five.
static void serve_slowly(struct fake_virtio *dev, unsigned queue)
{
	board_now += 2 * BOARD_HZ;
	fake_blk_serve(dev, queue);
}

static void test_slow(void **state)
{
	(void)state;
	gpt_make_disk(fake_disk, BLOCKS, one, 1);
	disk = fake_blk_new(VIRTIO_MMIO_LEGACY, 0);
	disk.served = serve_slowly;
	board_slots[0] = &disk;
	board_power_on();
	board_make_tree("");
	board_ready();
	uint64_t before = board_now;
	host_devices_init(board_tree.bytes, &test_board);
	assert_in_range(board_now - before, 5 * BOARD_HZ, 7 * BOARD_HZ);
	assert_true(logged("vda: cannot be read: its partitions are not known"));
	assert_true(block_is_dead(block_get(0)));
}

static void test_copy(void **state)
{
	(void)state;
	gpt_make_disk(fake_disk, BLOCKS, one, 1);
	fake_disk[512 + 40]++;
	boot();
	expect("vda1", 40, 60);
	assert_true(logged("vda: the partition table is not usable: its header is damaged; the "
	                   "copy at the end is used"));
}

static void test_table_damaged(void **state)
{
	(void)state;
	gpt_make_disk(fake_disk, BLOCKS, one, 1);
	fake_disk[1024]++;
	boot();
	expect("vda1", 40, 60);
	assert_true(logged("its table is damaged; the copy at the end is used"));
}

static void test_both_damaged(void **state)
{
	(void)state;
	gpt_make_disk(fake_disk, BLOCKS, one, 1);
	fake_disk[1024]++;
	fake_disk[(BLOCKS - 33) * 512]++;
	boot();
	assert_int_equal(block_get(0)->nr_partitions, 0);
	assert_true(logged("its table is damaged; the copy at the end is not, either"));
}

// What is left of a GPT under a disk that was partitioned otherwise since.
static void test_not_announced(void **state)
{
	(void)state;
	gpt_make_disk(fake_disk, BLOCKS, one, 1);
	fake_disk[450] = 0x83;
	boot();
	assert_int_equal(block_get(0)->nr_partitions, 0);
	assert_false(logged("partition"));
}

static void test_overlap(void **state)
{
	static const struct gpt_part parts[] = {{40, 99, "a"}, {99, 120, "b"}, {100, 110, "c"}};
	struct block_range range;
	(void)state;
	gpt_make_disk(fake_disk, BLOCKS, parts, 3);
	boot();
	expect("vda1", 40, 60);
	expect("vda3", 100, 11);
	assert_int_equal(block_find("vda2", &range), ERR_NOT_FOUND);
	assert_true(
	        logged("vda: 1 partitions are left out: more than 16, or on top of another one"));
}

static void test_many(void **state)
{
	struct gpt_part parts[20];
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		parts[i] = (struct gpt_part){40 + i, 40 + i, "x"};
	gpt_make_disk(fake_disk, BLOCKS, parts, 20);
	boot();
	assert_int_equal(block_get(0)->nr_partitions, BLOCK_MAX_PARTITIONS);
	expect("vda16", 55, 1);
	assert_true(logged("vda: 4 partitions are left out"));
}

// The device fails on everything.
static void fail_all(struct fake_virtio *dev, unsigned queue)
{
	static struct fake_chain chain;
	while (fake_next(dev, queue, &chain)) {
		*(uint8_t *)fake_at(chain.in[chain.nr_in - 1].address) = VIRTIO_BLK_S_IOERR;
		fake_answer(dev, queue, chain.head, 1);
	}
}

static void test_unreadable(void **state)
{
	(void)state;
	disk = fake_blk_new(VIRTIO_MMIO_LEGACY, 0);
	disk.served = fail_all;
	board_slots[0] = &disk;
	board_power_on();
	board_make_tree("");
	board_ready();
	host_devices_init(board_tree.bytes, &test_board);
	assert_true(logged("vda: cannot be read: its partitions are not known"));
	assert_false(block_is_dead(block_get(0)));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_found),        cmocka_unit_test(test_slow),
	        cmocka_unit_test(test_copy),         cmocka_unit_test(test_table_damaged),
	        cmocka_unit_test(test_both_damaged), cmocka_unit_test(test_not_announced),
	        cmocka_unit_test(test_overlap),      cmocka_unit_test(test_many),
	        cmocka_unit_test(test_unreadable),
	};
	return own_process_run(argc, argv, tests, ARRAY_SIZE(tests));
}
