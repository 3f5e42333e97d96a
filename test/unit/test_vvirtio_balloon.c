// SPDX-License-Identifier: Apache-2.0
// The virtio balloon: pages that a guest gives and takes back, memory that it reports as free, blocks that must not go
// yet or never, promises, and what a driver may do wrong.
#include "virtio_bench.h"

#include "vdev/vvirtio_balloon.h"
#include "vm/giveback.h"

enum { INFLATE, DEFLATE, REPORTING };

#define NUMBERS (VB_RAM + MIB(1)) // where the driver's page numbers are
#define BLOCK   (VB_RAM + MIB(4)) // memory that it can do without

static struct vb_driver drv;
static bool other_busy;

// ---- a device beside it, whose work takes time ----

static bool other_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	(void)dev;
	(void)queue;
	(void)work;
	return true;
}
static bool other_is_busy(struct vvirtio *dev)
{
	(void)dev;
	return other_busy;
}
static unsigned other_passed;
static void other_pass(struct vvirtio *dev)
{
	assert_int_not_equal(dev->vm->nr_given, 0);
	other_passed++;
}
static const struct vvirtio_ops other_ops = {
        .name = "other",
        .id = 42,
        .queue_size = 8,
        .work = other_work,
        .busy = other_is_busy,
        .pass = other_pass,
};

static int setup(void **state)
{
	vb_setup(state);
	other_busy = false;
	vm->wants_balloon = true;
	vm->committed = MIB(VB_RAM_MB) >> PAGE_SHIFT;
	assert_int_equal(pages_commit(vm->committed), 0);
	assert_int_equal(vvirtio_balloon_create(vm), 0);
	struct vvirtio *other = vm_alloc(vm, sizeof *other);
	other->queue = vm_alloc(vm, sizeof *other->queue);
	other->nr_queues = 1;
	assert_int_equal(vvirtio_add(vm, other, &other_ops), 0);
	vvirtio_reset_all(vm);
	return 0;
}

static int teardown(void **state)
{
	vvirtio_quiet(vm);
	while (giveback_some(vm))
		;
	pages_uncommit(vm_promised(vm));
	return vb_teardown(state);
}

static void start(void)
{
	vb_begin(&drv, 0, VIRTIO_BALLOON, VIRTIO_BALLOON_F_MUST_TELL | VIRTIO_BALLOON_F_REPORTING);
	for (unsigned n = 0; n < 5; n++)
		vb_queue(&drv, n, 8, 0);
	vb_go(&drv);
}

static void touch(uint64_t ipa, uint64_t size)
{
	for (uint64_t at = ipa; at < ipa + size; at += PAGE_SIZE)
		*(uint64_t *)vb_at(at, 8) = at;
}

// How much of [ipa, ipa + size) is mapped, in pages.
static unsigned mapped(uint64_t ipa, uint64_t size)
{
	unsigned count = 0;
	for (uint64_t at = ipa; at < ipa + size; at += PAGE_SIZE) {
		unsigned level;
		count += (stage2_entry(&vm->stage2, IPA(at), &level) & PTE_VALID) != 0;
	}
	return count;
}

static bool is_back(unsigned queue)
{
	uint16_t id;
	uint32_t bytes;
	return vb_used(&drv, queue, &id, &bytes);
}

// Sends the numbers of the pages of a range, `step` pages apart, up to 256 in a buffer, and waits for each.
static void send_pages(unsigned queue, uint64_t ipa, unsigned count, int step)
{
	for (unsigned done = 0; done < count;) {
		unsigned n = 0;
		for (; n < 256 && done < count; n++, done++)
			vb_put32(NUMBERS + n * 4,
			         (uint32_t)((ipa >> 12) + (uint64_t)((int)done * step)));
		const struct vb_segment segments[2] = {
		        {NUMBERS, n / 2 * 4, false}, {NUMBERS + n / 2 * 4, (n - n / 2) * 4, false}};
		vb_add(&drv, queue, segments, 2);
		vb_notify(&drv, queue);
		vb_pass_us(100000);
		assert_true(is_back(queue));
	}
}

static void test_inflate_and_deflate(void **state)
{
	(void)state;
	for (int step = -1; step <= 1; step += 2) {
		start();
		touch(VB_RAM, MIB(VB_RAM_MB));
		uint64_t free = pages_counts().free, promised = pages_counts().committed;
		send_pages(INFLATE, step > 0 ? BLOCK : BLOCK + BLOCK_SIZE - PAGE_SIZE, 512, step);
		vb_pass_us(100000);
		assert_int_equal(mapped(BLOCK, BLOCK_SIZE), 0);
		assert_int_equal(pages_counts().free, free + 512);
		assert_int_equal(pages_counts().committed, promised - 512);
		assert_int_equal(vm->nr_given, 0);
		assert_int_equal(*(uint64_t *)vb_at(BLOCK - PAGE_SIZE, 8), BLOCK - PAGE_SIZE);
		send_pages(DEFLATE, BLOCK, 512, 1);
		touch(BLOCK, BLOCK_SIZE);
		assert_int_equal(pages_counts().free, free);
		assert_int_equal(pages_counts().committed, promised);
	}
}

// Pages that do not make a block stay the VM's.
static void test_some_pages(void **state)
{
	(void)state;
	start();
	touch(VB_RAM, MIB(VB_RAM_MB));
	uint64_t promised = pages_counts().committed;
	send_pages(INFLATE, BLOCK, 300, 1);
	vb_pass_us(100000);
	assert_int_equal(mapped(BLOCK, BLOCK_SIZE), 212);
	assert_int_equal(pages_counts().committed, promised);
	send_pages(INFLATE, BLOCK, 300, 1); // once more: nothing happens
	touch(BLOCK, PAGE_SIZE * 300);
	assert_int_equal(mapped(BLOCK, BLOCK_SIZE), 512);
}

static void test_reporting(void **state)
{
	(void)state;
	for (unsigned queue = REPORTING; queue < 5; queue++) {
		start();
		touch(VB_RAM, MIB(VB_RAM_MB));
		uint64_t free = pages_counts().free, promised = pages_counts().committed;
		// Four whole blocks, half a block, and what is no page.
		const struct vb_segment segments[] = {
		        {BLOCK, MIB(4), true},
		        {BLOCK + MIB(4), MIB(4), true},
		        {BLOCK + MIB(8), MIB(1), true},
		        {BLOCK + MIB(10) + 5, 4095, true},
		};
		vb_add(&drv, queue, segments, 4);
		vb_notify(&drv, queue);
		vb_pass_us(100000);
		assert_true(is_back(queue));
		assert_int_equal(mapped(BLOCK, MIB(9)), 0);
		assert_int_equal(mapped(BLOCK + MIB(9), MIB(3)), 3 * 256);
		assert_int_equal(pages_counts().free + 1,
		                 free + 4 * 512); // a table of the half block
		assert_int_equal(pages_counts().committed,
		                 promised); // it may have it back any time
		touch(BLOCK, MIB(12));
	}
}

// Another device works for the guest: what it gave is not free before that is over.
static void test_waits_for_others(void **state)
{
	(void)state;
	start();
	touch(VB_RAM, MIB(VB_RAM_MB));
	uint64_t free = pages_counts().free;
	other_busy = true;
	other_passed = 0;
	const struct vb_segment segment = {BLOCK, MIB(4), true};
	vb_add(&drv, REPORTING, &segment, 1);
	vb_notify(&drv, REPORTING);
	vb_pass_us(100000);
	assert_int_equal(mapped(BLOCK, MIB(4)), 0);
	assert_int_equal(pages_counts().free, free);
	other_busy = false;
	vb_pass_us(100000);
	assert_int_equal(pages_counts().free, free + 1024);
	assert_true(other_passed > 1); // each time it was asked
}

// A ring of a device lies in memory that was given away: EL2 would go on writing there.
static void test_a_ring_in_it(void **state)
{
	(void)state;
	for (unsigned whose = 0; whose < 2; whose++) {
		start();
		touch(VB_RAM, MIB(VB_RAM_MB));
		uint64_t free = pages_counts().free;
		struct vb_driver other = {.slot = 1};
		vb_begin(&other, 1, 42, 0);
		vb_queue(&other, 0, 8, 0);
		const struct vb_segment segment = {whose == 0 ? VB_RAM : BLOCK, BLOCK_SIZE, true};
		if (whose == 1) { // somebody else's, in the block
			vb_write(1, VIRTIO_MMIO_QUEUE_READY, 0);
			vb_write64(1, VIRTIO_MMIO_QUEUE_DESC_LOW, other.ring[0].desc);
			vb_write64(1, VIRTIO_MMIO_QUEUE_DRIVER_LOW, other.ring[0].driver);
			vb_write64(1, VIRTIO_MMIO_QUEUE_DEVICE_LOW, BLOCK + 64);
			vb_write(1, VIRTIO_MMIO_QUEUE_READY, 1);
			assert_int_equal(vb_read(1, VIRTIO_MMIO_QUEUE_READY), 1);
		}
		vb_add(&drv, REPORTING, &segment, 1);
		vb_notify(&drv, REPORTING);
		vb_pass_us(100000);
		assert_int_equal(pages_counts().free, free);
		assert_non_null(strstr(vb_log, "in which a queue of the guest lies"));
		unsigned logs = vb_logs;
		vb_pass_us(100000);
		assert_int_equal(vb_logs, logs);
		assert_int_equal(vm->nr_given, 1);
		vb_write(1, VIRTIO_MMIO_STATUS, 0);
		vvirtio_reset_all(vm); // as when the VM ends
		while (giveback_some(vm))
			;
		assert_int_equal(pages_counts().free, free + 512);
	}
}

static void test_pages_that_are_not_its_own(void **state)
{
	(void)state;
	static const uint32_t pfns[] = {0, 0x3ffff, 0x40000 + (VB_RAM_MB << 8), UINT32_MAX};
	for (unsigned i = 0; i < ARRAY_SIZE(pfns); i++) {
		const struct vb_segment segment = {NUMBERS, 4, false};
		start();
		vb_logs = 0;
		vb_put32(NUMBERS, pfns[i]);
		vb_add(&drv, INFLATE, &segment, 1);
		vb_notify(&drv, INFLATE);
		assert_true(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET);
		assert_int_equal(vb_logs, 1);
		assert_non_null(strstr(vb_log, "which is not RAM"));
	}
}

// Each number is the last page of another block that was given up before: the dearest that can be asked for.
static void test_many_blocks_at_once(void **state)
{
	(void)state;
	start();
	touch(VB_RAM, MIB(VB_RAM_MB));
	for (unsigned block = 2; block < 8; block++)
		send_pages(INFLATE, VB_RAM + block * BLOCK_SIZE, 511, 1);
	for (unsigned block = 2; block < 8; block++)
		vb_put32(NUMBERS + (block - 2) * 4,
		         (uint32_t)((VB_RAM + (block + 1) * BLOCK_SIZE) >> 12) - 1);
	uint64_t free = pages_counts().free;
	const struct vb_segment segment = {NUMBERS, 24, false};
	vb_add(&drv, INFLATE, &segment, 1);
	vb_notify(&drv, INFLATE);
	vb_pass_us(200000);
	assert_true(is_back(INFLATE));
	assert_int_equal(pages_counts().free, free + 6 * 513); // and its table
}

static void test_the_shells_side(void **state)
{
	(void)state;
	start();
	assert_int_equal(vvirtio_balloon_asked(vm), MIB(VB_RAM_MB));
	assert_int_equal(vvirtio_balloon_ask(vm, MIB(10)), 0);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG), (VB_RAM_MB - 10) << 8);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_CONFIG);
	vb_write(0, VIRTIO_MMIO_CONFIG + 4, 256);
	assert_int_equal(vvirtio_balloon_left(vm), MIB(VB_RAM_MB - 1));
	assert_int_equal(vvirtio_balloon_asked(vm), MIB(10));
	vb_write(0, VIRTIO_MMIO_CONFIG + 4, UINT32_MAX); // a lie harms nobody
	assert_int_equal(vvirtio_balloon_left(vm), 0);
	assert_int_equal(vvirtio_balloon_ask(vm, MIB(VB_RAM_MB) + 1), ERR_RANGE);
	vb_write(0, VIRTIO_MMIO_CONFIG, 7); // the guest cannot ask itself
	assert_int_equal(vvirtio_balloon_asked(vm), MIB(10));
}

// It begins anew: all that it gave is its own again, if nobody else was promised it.
static void test_reset(void **state)
{
	(void)state;
	start();
	touch(VB_RAM, MIB(VB_RAM_MB));
	uint64_t promised = pages_counts().committed;
	send_pages(INFLATE, BLOCK, 1024, 1);
	vb_pass_us(200000);
	assert_int_equal(vm->returned, 1024);
	assert_int_equal(vm_promised(vm), vm->committed - 1024);
	uint64_t rest = pages_counts().total - pages_counts().committed;
	assert_int_equal(pages_commit(rest - 1000), 0);
	assert_int_equal(giveback_renew(vm), ERR_NO_MEMORY);
	pages_uncommit(rest - 1000);
	assert_int_equal(giveback_renew(vm), 0);
	assert_int_equal(pages_counts().committed, promised);
	assert_int_equal(vm->stage2.unpromised[0], 0);
	touch(BLOCK, MIB(4));
	assert_int_equal(vm->returned, 0);
}

static void test_random(void **state)
{
	(void)state;
	srand(11);
	uint64_t promised = pages_counts().committed;
	for (unsigned round = 0; round < 40; round++) {
		start();
		touch(VB_RAM + MIB(2), MIB(VB_RAM_MB - 2));
		for (unsigned i = 0; i < 20; i++) {
			unsigned queue = (unsigned)rand() % 5, n = 1 + (unsigned)rand() % 300;
			uint32_t pfn = 0x40200 + (unsigned)rand() % 0xd00;
			for (unsigned k = 0; k < n; k++)
				vb_put32(NUMBERS + k * 4,
				         pfn + (rand() % 9 == 0 ? (unsigned)rand() % 99 : k));
			const struct vb_segment segments[2] = {
			        {NUMBERS, n * 4, false},
			        {VB_RAM + MIB(2) + (unsigned)rand() % MIB(4),
			         (unsigned)rand() % MIB(6), true},
			};
			if (queue == INFLATE || queue == DEFLATE)
				vb_add(&drv, queue, segments, 1);
			else
				vb_add(&drv, queue, &segments[1], 1);
			vb_notify(&drv, queue);
			other_busy = rand() % 3 == 0;
			if (rand() % 2 == 0)
				vb_pass_us(3000);
			touch(VB_RAM + MIB(2) + (uint64_t)(rand() % 3000) * PAGE_SIZE, PAGE_SIZE);
		}
		other_busy = false;
		vb_pass_us(1000000);
		assert_int_equal(pages_counts().committed + vm->returned, promised);
		vb_logs = 0;
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_inflate_and_deflate),
	        TEST(test_some_pages),
	        TEST(test_reporting),
	        TEST(test_waits_for_others),
	        TEST(test_a_ring_in_it),
	        TEST(test_pages_that_are_not_its_own),
	        TEST(test_many_blocks_at_once),
	        TEST(test_the_shells_side),
	        TEST(test_reset),
	        TEST(test_random),
	};
	return cmocka_run_group_tests(tests, vb_open, NULL);
}
