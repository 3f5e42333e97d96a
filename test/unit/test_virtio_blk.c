// SPDX-License-Identifier: Apache-2.0
// The driver's side of virtio, and disks on virtio-mmio, against a device in the test's memory: one that does what it
// should, and ones that do not.
#include "own_process.h"

#include "base/log.h"
#include "hw/block.h"
#include "hw/virtio_mmio.h"

#include "virtio_board.h"

#define ALL_OFFERS                                                               \
	(VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE |  \
	 VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES | \
	 VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT | VIRTIO_BLK_F_CONFIG_WCE)

static struct fake_virtio disk;
static struct block_range vda;

// ---- requests ----

struct asked {
	struct block_request request;
	struct segment segment;
	unsigned over;
	int error;
};

static void done(struct block_request *request, int error)
{
	struct asked *asked = request->owner;
	asked->over++;
	asked->error = error;
}

static const struct block_request_ops ops = {.done = done};

static struct asked asked_for(enum block_op op, uint64_t sector, pa_t pa, uint32_t bytes)
{
	struct asked asked = {.segment = {pa, bytes}};
	asked.request =
	        (struct block_request){.op = op, .sector = sector, .nr_segments = 1, .ops = &ops};
	return asked;
}

static int submit(const struct block_range *range, struct asked *asked)
{
	asked->request.owner = asked;
	asked->request.segments = &asked->segment;
	return block_submit(range, &asked->request);
}

static pa_t page(uint8_t fill)
{
	pa_t pa = pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL);
	memset((void *)pa.v, fill, PAGE_SIZE);
	return pa;
}

static uint8_t *bytes_at(pa_t pa)
{
	return (uint8_t *)pa.v;
}

static bool logged(const char *text)
{
	static char log[16384];
	log[log_read(log, sizeof log - 1)] = 0;
	return strstr(log, text) != NULL;
}

// The board with this disk in slot 2.
static void boot_with(struct fake_virtio dev)
{
	disk = dev;
	board_slots[2] = &disk;
	board_power_on();
	board_make_tree("");
	board_ready();
	host_devices_init(board_tree.bytes, &test_board);
}

static void boot(void)
{
	boot_with(fake_blk_new(VIRTIO_MMIO_MODERN, ALL_OFFERS));
	assert_int_equal(block_find("vda", &vda), 0);
}

// ---- a disk that works ----

static void works(uint32_t version)
{
	for (unsigned i = 0; i < FAKE_DISK_BYTES; i++)
		fake_disk[i] = (uint8_t)(i / 512 * 7 + i);
	boot_with(fake_blk_new(version, ALL_OFFERS));
	assert_int_equal(block_find("vda", &vda), 0);
	assert_int_equal(vda.sectors, FAKE_DISK_BYTES / 512);
	assert_ptr_equal(block_get(0), vda.dev);
	assert_null(block_get(1));
	assert_int_equal(block_find("vdb", &vda), ERR_NOT_FOUND);
	assert_int_equal(block_find("vda1", &vda), ERR_NOT_FOUND);
	assert_int_equal(
	        disk.agreed & UINT32_MAX,
	        ALL_OFFERS & ~(VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT | VIRTIO_BLK_F_CONFIG_WCE));
	assert_int_equal(disk.agreed >> 32, version == VIRTIO_MMIO_MODERN ? 1 : 0);
	board_interrupt(2); // what is left of the boot
	pa_t to = page(0);
	struct asked asked = asked_for(BLOCK_READ, 9, to, 1024);
	assert_int_equal(submit(&vda, &asked), 0);
	assert_int_equal(asked.over, 0); // not from within
	board_interrupt(2);
	assert_int_equal(asked.over, 1);
	assert_int_equal(asked.error, 0);
	assert_memory_equal(bytes_at(to), fake_disk + 9 * 512, 1024);
	assert_int_equal(bytes_at(to)[1024], 0);
	asked = asked_for(BLOCK_WRITE, 100, page(0x5a), PAGE_SIZE);
	assert_int_equal(submit(&vda, &asked), 0);
	board_interrupt(2);
	assert_int_equal(asked.over, 1);
	assert_int_equal(fake_disk[100 * 512 - 1], (uint8_t)(99 * 7 + 100 * 512 - 1));
	assert_int_equal(fake_disk[100 * 512], 0x5a);
	assert_int_equal(fake_disk[108 * 512 - 1], 0x5a);
	assert_int_not_equal(fake_disk[108 * 512], 0x5a);
}

static void test_modern(void **state UNUSED)
{
	works(VIRTIO_MMIO_MODERN);
}

static void test_legacy(void **state UNUSED)
{
	works(VIRTIO_MMIO_LEGACY);
}

static void test_other_requests(void **state UNUSED)
{
	boot();
	pa_t to = page(0);
	struct asked asked = asked_for(BLOCK_FLUSH, 0, to, 512);
	assert_int_equal(submit(&vda, &asked), 0);
	board_interrupt(2);
	assert_int_equal(asked.over, 1);
	assert_int_equal(fake_flushes, 1);
	asked = asked_for(BLOCK_DISCARD, 8, to, 0);
	asked.request.sectors = 16;
	assert_int_equal(submit(&vda, &asked), 0);
	board_interrupt(2);
	assert_int_equal(asked.error, 0);
	assert_int_equal(fake_discards, 1);
	assert_int_equal(vda.dev->discard.alignment, 8);
	asked = asked_for(BLOCK_WRITE_ZEROES, 8, to, 0); // the fake device does not know it
	asked.request.sectors = 512;
	assert_int_equal(submit(&vda, &asked), 0);
	board_interrupt(2);
	assert_int_equal(asked.over, 1);
	assert_int_equal(asked.error, ERR_UNSUPPORTED);
}

// ---- what is refused before it reaches the device ----

static int tried(const struct block_range *range, enum block_op op, uint64_t sector, uint32_t bytes)
{
	struct asked asked = asked_for(op, sector, PA(RAM_ARENA_BASE), bytes);
	asked.request.sectors = bytes / 512;
	return submit(range, &asked);
}

static void test_refused(void **state UNUSED)
{
	boot();
	unsigned before = disk.notified;
	const uint64_t end = vda.sectors;
	struct block_range part = {vda.dev, 100, 10};
	assert_int_equal(tried(&vda, BLOCK_READ, end, 512), ERR_RANGE);
	assert_int_equal(tried(&vda, BLOCK_READ, end - 1, 1024), ERR_RANGE);
	assert_int_equal(tried(&vda, BLOCK_READ, UINT64_MAX, 512), ERR_RANGE);
	assert_int_equal(tried(&part, BLOCK_WRITE, 10, 512), ERR_RANGE);
	assert_int_equal(tried(&part, BLOCK_WRITE, 9, 1024), ERR_RANGE);
	assert_int_equal(tried(&part, BLOCK_WRITE, UINT64_MAX - 99, 512),
	                 ERR_RANGE); // it would be sector 0
	assert_int_equal(tried(&part, BLOCK_DISCARD, 5, 6 * 512), ERR_RANGE);
	assert_int_equal(tried(&vda, BLOCK_READ, 0, 0), ERR_INVALID);
	assert_int_equal(tried(&vda, BLOCK_READ, 0, 511), ERR_INVALID);
	assert_int_equal(tried(&vda, BLOCK_READ, 0, 65536 + 512), ERR_INVALID);
	assert_int_equal(tried(&vda, BLOCK_DISCARD, 0, 0), ERR_INVALID);
	assert_int_equal(tried(&vda, BLOCK_DISCARD, 0, 1025 * 512), ERR_INVALID);
	struct segment many[17];
	struct asked asked = asked_for(BLOCK_READ, 0, PA(RAM_ARENA_BASE), 512);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct segment){PA(RAM_ARENA_BASE + MIB(8) + i * 512), 512};
	asked.request.segments = many;
	asked.request.owner = &asked;
	asked.request.nr_segments = 17; // seg_max is 16
	assert_int_equal(block_submit(&vda, &asked.request), ERR_INVALID);
	asked.request.nr_segments = 0;
	assert_int_equal(block_submit(&vda, &asked.request), ERR_INVALID);
	assert_int_equal(disk.notified, before);
	asked.request.nr_segments = 16;
	assert_int_equal(block_submit(&vda, &asked.request), 0);
	board_interrupt(2);
	assert_int_equal(asked.over, 1);
	assert_int_equal(asked.error, 0);
}

static void test_read_only(void **state UNUSED)
{
	boot_with(fake_blk_new(VIRTIO_MMIO_MODERN, VIRTIO_BLK_F_RO | VIRTIO_BLK_F_DISCARD));
	assert_int_equal(block_find("vda", &vda), 0);
	assert_true(vda.dev->read_only);
	assert_int_equal(vda.dev->max_segments, 1); // seg_max not offered
	assert_int_equal(tried(&vda, BLOCK_WRITE, 0, 512), ERR_UNSUPPORTED);
	assert_int_equal(tried(&vda, BLOCK_DISCARD, 0, 512), ERR_UNSUPPORTED);
	assert_int_equal(tried(&vda, BLOCK_WRITE_ZEROES, 0, 512), ERR_UNSUPPORTED);
	assert_int_equal(tried(&vda, BLOCK_FLUSH, 0, 512), ERR_UNSUPPORTED);
}

// A request that a slow disk writes for half a minute is not offered, whatever the disk says.
static void test_extents_are_capped(void **state UNUSED)
{
	struct fake_virtio dev = fake_blk_new(VIRTIO_MMIO_MODERN, ALL_OFFERS);
	fake_put32(dev.config + VIRTIO_BLK_DISCARD_SECTORS, UINT32_MAX);
	fake_put32(dev.config + VIRTIO_BLK_ZEROES_SECTORS, 65537);
	boot_with(dev);
	assert_int_equal(block_find("vda", &vda), 0);
	assert_int_equal(vda.dev->discard.max_sectors, 65536);
	assert_int_equal(vda.dev->write_zeroes.max_sectors, 65536);
}

static void test_large_blocks(void **state UNUSED)
{
	struct fake_virtio dev = fake_blk_new(VIRTIO_MMIO_MODERN, VIRTIO_BLK_F_BLK_SIZE);
	fake_put32(dev.config + VIRTIO_BLK_BLK_SIZE, 4096);
	boot_with(dev);
	assert_int_equal(block_find("vda", &vda), 0);
	assert_int_equal(tried(&vda, BLOCK_READ, 4, 4096), ERR_INVALID);
	assert_int_equal(tried(&vda, BLOCK_READ, 8, 512), ERR_INVALID);
	assert_int_equal(tried(&vda, BLOCK_READ, 8, 4096), 0);
}

// ---- many at once ----

// Whether it is told not to interrupt.
static bool is_quiet(void)
{
	const struct virtio_avail *avail = fake_at(disk.queue[0].avail);
	return (avail->flags & VIRTIO_AVAIL_NO_INTERRUPT) != 0;
}

static void test_full(void **state UNUSED)
{
	enum { ROOM = 256 / 3 };
	static struct asked many[ROOM + 1];
	boot();
	disk.served = NULL;
	for (unsigned i = 0; i <= ROOM; i++) {
		many[i] = asked_for(BLOCK_READ, i, page(0), 512);
		assert_int_equal(submit(&vda, &many[i]), i < ROOM ? 0 : ERR_BUSY);
	}
	disk.served = fake_blk_serve;
	fake_blk_serve(&disk, 0);
	unsigned over = 0, calls = 0;
	do { // the rest of what one interrupt may handle is made pending, or is looked at
		if (is_quiet())
			board_pass(10);
		else
			board_interrupt(2);
		unsigned now = 0;
		for (unsigned i = 0; i < ROOM; i++)
			now += many[i].over;
		assert_in_range(now - over, 0, VIRTIO_A_POLL);
		over = now;
		assert_true(++calls < 100);
	} while (over < ROOM);
	for (unsigned i = 0; i < ROOM; i++) {
		assert_int_equal(many[i].over, 1);
		assert_int_equal(many[i].error, 0);
		assert_memory_equal(bytes_at(many[i].segment.pa), fake_disk + i * 512, 512);
	}
	assert_int_equal(submit(&vda, &many[ROOM]), 0);
}

// Answers in any order, for a long time: descriptors are neither lost nor used twice.
static void test_any_order(void **state UNUSED)
{
	enum { OUT = 20, ROUNDS = 8000 }; // indices of 16 bits go round
	static struct asked many[OUT];
	static struct fake_chain chain[OUT];
	unsigned total = 0;
	boot();
	disk.served = NULL;
	srand(1);
	for (unsigned i = 0; i < OUT; i++)
		many[i].segment.pa = page(0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned out = 1 + (unsigned)rand() % OUT;
		for (unsigned i = 0; i < out; i++) {
			pa_t pa = many[i].segment.pa;
			uint64_t sector = (uint64_t)rand() % 2000;
			many[i] = asked_for(BLOCK_READ, sector, pa,
			                    512u * (1 + (unsigned)rand() % 8));
			memset(bytes_at(pa), 0xee, 8);
			assert_int_equal(submit(&vda, &many[i]), 0);
			assert_true(fake_next(&disk, 0, &chain[i]));
		}
		for (unsigned left = out; left > 0; left--) {
			unsigned n = (unsigned)rand() % left;
			fake_answer(&disk, 0, chain[n].head, fake_blk_do(&chain[n]));
			chain[n] = chain[left - 1];
		}
		while (block_poll(vda.dev))
			;
		for (unsigned i = 0; i < out; i++) {
			assert_int_equal(many[i].over, 1);
			assert_int_equal(many[i].error, 0);
			assert_memory_equal(bytes_at(many[i].segment.pa),
			                    fake_disk + many[i].request.sector * 512, 8);
			total++;
		}
	}
	assert_true(total > 1 << 16);
}

// ---- a disk that does not do what it should ----

// A request that is out, and the chain that the device has of it.
static struct asked lost;
static struct fake_chain lost_chain;

static void ask_and_lose(void)
{
	boot();
	board_interrupt(2);
	disk.served = NULL;
	lost = asked_for(BLOCK_READ, 3, page(0), 512);
	assert_int_equal(submit(&vda, &lost), 0);
	assert_true(fake_next(&disk, 0, &lost_chain));
}

// The device was stopped, said why, and gave the request back once, after its reset; later ones are refused.
static void expect_stopped(const char *why)
{
	assert_true(block_is_dead(vda.dev));
	assert_true(logged(why));
	assert_int_equal(disk.resets, 2); // the first when it was found
	board_pass(200);
	assert_int_equal(lost.over, 1);
	assert_int_equal(lost.error, ERR_IO);
	assert_false(board_enabled[SLOT_INTID + 2]); // it cannot keep a CPU busy
	struct asked next = asked_for(BLOCK_READ, 3, PA(RAM_ARENA_BASE), 512);
	assert_int_equal(submit(&vda, &next), ERR_IO);
	assert_false(block_poll(vda.dev));
	board_pass(2000);
	assert_int_equal(lost.over, 1);
	assert_int_equal(fake_get_sysreg("cnthp_ctl_el2"), 0); // nobody watches it any more
}

static void test_unknown_chain(void **state UNUSED)
{
	ask_and_lose();
	fake_answer(&disk, 0, 256, 1);
	board_interrupt(2);
	expect_stopped(
	        "vda, virtio-mmio a000400: it answers what it was not asked: reset, and given up");
}

static void test_chain_of_nobody(void **state UNUSED)
{
	ask_and_lose();
	fake_answer(&disk, 0, lost_chain.head + 1u,
	            1); // a descriptor, but not the first of a chain
	board_interrupt(2);
	expect_stopped("it answers what it was not asked");
}

static void test_twice(void **state UNUSED)
{
	ask_and_lose();
	struct asked other = asked_for(BLOCK_READ, 4, page(0), 512);
	static struct fake_chain chain;
	assert_int_equal(submit(&vda, &other), 0);
	assert_true(fake_next(&disk, 0, &chain));
	fake_answer(&disk, 0, chain.head, fake_blk_do(&chain));
	fake_answer(&disk, 0, chain.head, 1);
	board_interrupt(2);
	assert_int_equal(other.over, 1);
	expect_stopped("it answers what it was not asked");
	assert_int_equal(other.over, 1);
}

static void test_index_runs_away(void **state UNUSED)
{
	ask_and_lose();
	struct virtio_used *used = fake_at(disk.queue[0].used);
	used->index = (uint16_t)(used->index + 2);
	disk.isr = VIRTIO_ISR_RING;
	board_interrupt(2);
	expect_stopped("it answers more than it was asked");
}

static void test_index_goes_back(void **state UNUSED)
{
	ask_and_lose();
	struct virtio_used *used = fake_at(disk.queue[0].used);
	used->index--;
	disk.isr = VIRTIO_ISR_RING;
	board_interrupt(2);
	expect_stopped("it answers more than it was asked");
}

static void test_too_long(void **state UNUSED)
{
	ask_and_lose();
	fake_answer(&disk, 0, lost_chain.head, 514); // 512 and the status
	board_interrupt(2);
	expect_stopped("it says that it wrote more than it may");
}

static void test_needs_reset(void **state UNUSED)
{
	ask_and_lose();
	disk.status |= VIRTIO_NEEDS_RESET;
	disk.isr = VIRTIO_ISR_CONFIG;
	board_interrupt(2);
	expect_stopped("it says that it needs a reset");
}

static void test_no_status(void **state UNUSED)
{
	ask_and_lose();
	fake_answer(&disk, 0, lost_chain.head, 0); // and the status byte is as it was
	board_interrupt(2);
	assert_int_equal(lost.over, 1);
	assert_int_equal(lost.error, ERR_IO);
	assert_false(block_is_dead(vda.dev));
}

static void test_no_answer(void **state UNUSED)
{
	ask_and_lose();
	board_pass(VIRTIO_PATIENCE_MS - 500);
	assert_int_equal(lost.over, 0);
	assert_false(block_is_dead(vda.dev));
	board_pass(700);
	expect_stopped("it does not answer");
}

// A device that takes 15 s for each is slow, not broken, however old the last of them becomes.
static void test_slow_answers(void **state UNUSED)
{
	enum { OUT = 4 };
	static struct asked many[OUT];
	static struct fake_chain chain[OUT];
	ask_and_lose();
	for (unsigned i = 0; i < OUT; i++) {
		many[i] = asked_for(BLOCK_READ, i, page(0), 512);
		assert_int_equal(submit(&vda, &many[i]), 0);
		assert_true(fake_next(&disk, 0, &chain[i]));
	}
	for (unsigned i = 0; i < OUT; i++) {
		board_pass(VIRTIO_PATIENCE_MS - 5000);
		fake_answer(&disk, 0, chain[i].head, fake_blk_do(&chain[i]));
		board_interrupt(2);
		assert_int_equal(many[i].over, 1);
		assert_int_equal(many[i].error, 0);
		assert_false(block_is_dead(vda.dev));
	}
	board_pass(VIRTIO_PATIENCE_MS - 500);
	assert_false(block_is_dead(vda.dev));
	board_pass(700); // the first is still owed
	expect_stopped("it does not answer");
}

// The reset is awaited: the request's memory may still be written to.
static void test_no_reset(void **state UNUSED)
{
	ask_and_lose();
	disk.never_resets = true;
	fake_answer(&disk, 0, 256, 1);
	board_interrupt(2);
	assert_true(block_is_dead(vda.dev));
	board_pass(VIRTIO_RESET_MS - 100);
	assert_int_equal(lost.over, 0);
	board_pass(300);
	assert_int_equal(lost.over, 1);
	assert_int_equal(lost.error, ERR_IO);
	assert_true(logged("it does not confirm its reset"));
}

static void test_slow_reset(void **state UNUSED)
{
	ask_and_lose();
	disk.never_resets = true;
	fake_answer(&disk, 0, 256, 1);
	board_interrupt(2);
	board_pass(300);
	assert_int_equal(lost.over, 0);
	disk.status = 0;
	board_pass(20);
	assert_int_equal(lost.over, 1);
	assert_false(logged("it does not confirm its reset"));
}

// What is late, but there, was answered: only the interrupt was lost.
static void test_lost_interrupt(void **state UNUSED)
{
	ask_and_lose();
	fake_answer(&disk, 0, lost_chain.head, fake_blk_do(&lost_chain));
	disk.isr = 0;
	board_pass(VIRTIO_PATIENCE_MS + 300);
	assert_int_equal(lost.over, 1);
	assert_int_equal(lost.error, 0);
	assert_false(block_is_dead(vda.dev));
}

// Many requests are given back a few at a time.
static void test_many_given_back(void **state UNUSED)
{
	enum { OUT = 50 };
	static struct asked many[OUT];
	ask_and_lose();
	for (unsigned i = 0; i < OUT; i++) {
		many[i] = asked_for(BLOCK_WRITE, i, page(0), 512);
		assert_int_equal(submit(&vda, &many[i]), 0);
	}
	disk.status |= VIRTIO_NEEDS_RESET;
	disk.isr = VIRTIO_ISR_CONFIG;
	board_interrupt(2);
	expect_stopped("needs a reset");
	for (unsigned i = 0; i < OUT; i++) {
		assert_int_equal(many[i].over, 1);
		assert_int_equal(many[i].error, ERR_IO);
	}
}

// ---- one that answers all the time ----

#define BUSY_OUT 32
static struct asked busy_asked[BUSY_OUT];
static unsigned busy_next;

// `out` more requests are with the device.
static void ask(unsigned out)
{
	for (; out != 0; out--) {
		struct asked *asked = &busy_asked[busy_next++ % BUSY_OUT];
		pa_t pa = asked->segment.pa.v != 0 ? asked->segment.pa : page(0);
		*asked = asked_for(BLOCK_READ, 1, pa, 512);
		assert_int_equal(submit(&vda, asked), 0);
	}
}

// It answers so many, and interrupts unless it is told not to.
static void answer(unsigned n)
{
	struct fake_chain chain;
	for (; n != 0; n--) {
		assert_true(fake_next(&disk, 0, &chain));
		fake_answer(&disk, 0, chain.head, fake_blk_do(&chain));
	}
	if (is_quiet())
		disk.isr = 0;
	board_interrupt(2);
}

static unsigned out(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < BUSY_OUT; i++)
		count += busy_asked[i].request.ops != NULL && busy_asked[i].over == 0;
	return count;
}

// TIMER_BUSY after so many microseconds; whether it was due.
static bool busy_passes(uint64_t us)
{
	board_now += us * (BOARD_HZ / 1000000);
	if ((timer_expire() & 1u << TIMER_BUSY) == 0)
		return false;
	virtio_busy_tick();
	return true;
}

static void become_busy(void)
{
	boot();
	disk.served = NULL;
	memset(busy_asked, 0, sizeof busy_asked);
	ask(10);
	for (unsigned i = 0; i <= VIRTIO_BUSY_STREAK; i++) {
		assert_false(is_quiet());
		answer(1);
		ask(1);
		board_now += BOARD_HZ / 1000000;
	}
	assert_true(is_quiet());
	assert_int_equal(out(), 10);
}

// A device that answers again and again while it has more to do interrupts no more, but is looked at, until that finds little.
static void test_busy(void **state UNUSED)
{
	become_busy();
	for (unsigned i = 0; i < 100; i++) {
		answer(5);
		assert_int_equal(out(), 10);
		assert_true(busy_passes(VIRTIO_BUSY_US));
		assert_int_equal(out(), 5);
		assert_true(is_quiet());
		ask(5);
	}
	answer(10); // more than a turn takes: the rest comes almost at once
	assert_true(busy_passes(VIRTIO_BUSY_US));
	assert_int_equal(out(), 10 - VIRTIO_A_POLL);
	assert_true(busy_passes(VIRTIO_BUSY_REST_US));
	assert_int_equal(out(), 0);
	assert_false(is_quiet());
	assert_false(busy_passes(1000)); // nobody looks any more
	ask(1);
	answer(1);
	assert_int_equal(out(), 0);
}

// One at a time, or slowly, each answer interrupts, however long that goes on.
static void test_not_busy(void **state UNUSED)
{
	boot();
	disk.served = NULL;
	memset(busy_asked, 0, sizeof busy_asked);
	for (unsigned i = 0; i < 100; i++) {
		ask(1 + i / 50 * 2); // three at a time in the end
		answer(1 + i / 50 * 2);
		assert_int_equal(out(), 0);
		assert_false(is_quiet() || busy_passes(1));
	}
	ask(10);
	for (unsigned i = 0; i < 100; i++) {
		answer(1);
		assert_int_equal(out(), 9);
		assert_false(is_quiet() || busy_passes(2 * VIRTIO_BUSY_US));
		ask(1);
	}
}

// An answer comes at the worst moment: the device saw that it need not interrupt, and the ring was looked at already.
static bool answers_late(const struct fake_event *event)
{
	if (event->kind == FAKE_BARRIER && strcmp(event->name, "dmb osh") == 0 && !is_quiet()) {
		struct fake_chain chain;
		fake_event_hook = board_quiet;
		assert_true(fake_next(&disk, 0, &chain));
		fake_answer(&disk, 0, chain.head, fake_blk_do(&chain));
		disk.isr = 0;
	}
	return false;
}

// Between asking for interrupts and the last look is a barrier, so that one of both sees the other.
static void test_busy_order(void **state UNUSED)
{
	become_busy();
	fake_event_hook = answers_late;
	assert_true(busy_passes(VIRTIO_BUSY_US)); // finds nothing
	assert_true(fake_event_hook == board_quiet);
	assert_false(is_quiet());
	board_interrupt(2); // which Mezzo made pending itself
	assert_int_equal(out(), 9);
}

// One that breaks the rules meanwhile is stopped, and everybody gets an answer; nobody goes on looking.
static void test_busy_breaks(void **state UNUSED)
{
	become_busy();
	fake_answer(&disk, 0, 250, 0);
	assert_true(busy_passes(VIRTIO_BUSY_US));
	board_pass(VIRTIO_RESET_MS + 200);
	assert_true(block_is_dead(vda.dev));
	assert_int_equal(out(), 0);
	assert_false(busy_passes(1000));
}

// ---- what is found, and what is left alone ----

static void left_alone(struct fake_virtio dev, const char *why)
{
	boot_with(dev);
	assert_null(block_get(0));
	if (why != NULL)
		assert_true(logged(why));
	assert_false(logged("vda"));
}

#define LEFT_ALONE(name, change, why)                                                  \
	static void name(void **state UNUSED)                                          \
	{                                                                              \
		struct fake_virtio dev = fake_blk_new(VIRTIO_MMIO_MODERN, ALL_OFFERS); \
		change;                                                                \
		left_alone(dev, why);                                                  \
	}

LEFT_ALONE(test_magic, dev.magic++,
           "the virtio-mmio slot at 0xa000400 does not begin with \"virt\": left alone")
LEFT_ALONE(test_version, dev.version = 3, "is of a version that Mezzo does not know")
LEFT_ALONE(test_empty, dev.kind = 0, NULL)
LEFT_ALONE(test_kind, dev.kind = 18, "a virtio device of kind 18: no driver")
LEFT_ALONE(test_stuck, (dev.never_resets = true, dev.status = 4), "it does not come out of reset")
LEFT_ALONE(test_disagrees, dev.disagrees = true, "it does not agree on features")
LEFT_ALONE(test_not_modern, dev.offers &= ~VIRTIO_F_VERSION_1, "it does not offer VERSION_1")
LEFT_ALONE(test_unsteady, dev.always_changes = true, "its configuration does not stand still")
LEFT_ALONE(test_no_queue, dev.queue[0].max = 0, "it has not the queues of its kind")
LEFT_ALONE(test_short_queue, dev.queue[0].max = 3, "its queue is too short")
LEFT_ALONE(test_block_size, fake_put32(dev.config + VIRTIO_BLK_BLK_SIZE, 1000),
           "its blocks are not of 512 to 4096")
LEFT_ALONE(test_block_zero, fake_put32(dev.config + VIRTIO_BLK_BLK_SIZE, 0),
           "its blocks are not of 512 to 4096")
LEFT_ALONE(test_giant, fake_put32(dev.config + 4, 0x800000), "it claims to be larger than 16 EiB")
LEFT_ALONE(test_no_segment, fake_put32(dev.config + VIRTIO_BLK_SEG_MAX, 0), "it takes no segment")

static void test_legacy_unsteady(void **state UNUSED)
{
	struct fake_virtio dev = fake_blk_new(VIRTIO_MMIO_LEGACY, ALL_OFFERS);
	dev.always_changes = true;
	left_alone(dev, "its configuration does not stand still");
}

static void test_not_coherent(void **state UNUSED)
{
	disk = fake_blk_new(VIRTIO_MMIO_MODERN, 0);
	board_power_on();
	board_make_tree(
	        "other@a000a00 { compatible = \"virtio,mmio\"; reg = <0 0xa000a00 0 0x200>;"
	        "interrupts = <0 40 1>; };"
	        "small@a000c00 { compatible = \"virtio,mmio\"; reg = <0 0xa000c00 0 0xf0>; "
	        "dma-coherent; };"
	        "off@a000400 { compatible = \"virtio,mmio\"; reg = <0 0xa000400 0 0x200>;"
	        "status = \"disabled\"; };"
	        "bus { dma-coherent; #address-cells = <2>; #size-cells = <2>; ranges;"
	        "deaf@a000e00 { compatible = \"virtio,mmio\"; reg = <0 0xa000e00 0 0x200>; }; };");
	board_ready();
	struct board_bus bus;
	board_bus_read(board_tree.bytes, &bus);
	assert_int_equal(bus.nr_slots, BOARD_SLOTS + 3);
	assert_int_equal(board_slot_irq(board_tree.bytes, &test_board, &bus.slot[0]).number,
	                 40 + 32);
	assert_false(bus.slot[0].coherent);
	assert_true(bus.slot[2].coherent); // by the bus above
	board_slots[5] = board_slots[7] = &disk;
	virtio_mmio_probe(board_tree.bytes, &test_board, &bus.slot[0]);
	assert_true(logged("0xa000a00 is not dma-coherent by the device tree"));
	virtio_mmio_probe(board_tree.bytes, &test_board, &bus.slot[1]);
	assert_true(logged("0xa000c00 has no room for its registers"));
	virtio_mmio_probe(board_tree.bytes, &test_board, &bus.slot[2]);
	assert_true(logged("virtio-mmio a000e00: its interrupt does not reach Mezzo"));
	assert_null(block_get(0));
}

// A disk that never says a word costs some seconds of the boot.
static void test_dead_at_boot(void **state UNUSED)
{
	struct fake_virtio dev = fake_blk_new(VIRTIO_MMIO_MODERN, ALL_OFFERS);
	dev.served = NULL;
	disk = dev;
	board_slots[2] = &disk;
	board_power_on();
	board_make_tree("");
	board_ready();
	board_spent = BOARD_HZ / 1000;
	uint64_t before = board_now;
	host_devices_init(board_tree.bytes, &test_board);
	assert_in_range(board_now - before, 5 * BOARD_HZ, 7 * BOARD_HZ);
	assert_true(logged("vda: cannot be read: its partitions are not known"));
	assert_int_equal(block_find("vda", &vda), 0);
	assert_true(block_is_dead(vda.dev));
}

static void test_names(void **state UNUSED)
{
	static struct block_dev devs[BLOCK_MAX_DEVICES + 1];
	boot();
	for (unsigned i = 1; i < BLOCK_MAX_DEVICES; i++)
		assert_int_equal(block_add(&devs[i]), 0);
	assert_string_equal(devs[25].name, "vdz");
	assert_string_equal(devs[26].name, "vdaa");
	assert_string_equal(devs[31].name, "vdaf");
	assert_int_equal(block_add(&devs[32]), ERR_NO_MEMORY);
	assert_null(block_get(BLOCK_MAX_DEVICES));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_modern),
	        cmocka_unit_test(test_legacy),
	        cmocka_unit_test(test_other_requests),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_read_only),
	        cmocka_unit_test(test_extents_are_capped),
	        cmocka_unit_test(test_large_blocks),
	        cmocka_unit_test(test_full),
	        cmocka_unit_test(test_any_order),
	        cmocka_unit_test(test_unknown_chain),
	        cmocka_unit_test(test_chain_of_nobody),
	        cmocka_unit_test(test_twice),
	        cmocka_unit_test(test_index_runs_away),
	        cmocka_unit_test(test_index_goes_back),
	        cmocka_unit_test(test_too_long),
	        cmocka_unit_test(test_needs_reset),
	        cmocka_unit_test(test_no_status),
	        cmocka_unit_test(test_no_answer),
	        cmocka_unit_test(test_slow_answers),
	        cmocka_unit_test(test_no_reset),
	        cmocka_unit_test(test_slow_reset),
	        cmocka_unit_test(test_lost_interrupt),
	        cmocka_unit_test(test_many_given_back),
	        cmocka_unit_test(test_busy),
	        cmocka_unit_test(test_not_busy),
	        cmocka_unit_test(test_busy_order),
	        cmocka_unit_test(test_busy_breaks),
	        cmocka_unit_test(test_magic),
	        cmocka_unit_test(test_version),
	        cmocka_unit_test(test_empty),
	        cmocka_unit_test(test_kind),
	        cmocka_unit_test(test_stuck),
	        cmocka_unit_test(test_disagrees),
	        cmocka_unit_test(test_not_modern),
	        cmocka_unit_test(test_unsteady),
	        cmocka_unit_test(test_legacy_unsteady),
	        cmocka_unit_test(test_no_queue),
	        cmocka_unit_test(test_short_queue),
	        cmocka_unit_test(test_block_size),
	        cmocka_unit_test(test_block_zero),
	        cmocka_unit_test(test_giant),
	        cmocka_unit_test(test_no_segment),
	        cmocka_unit_test(test_not_coherent),
	        cmocka_unit_test(test_dead_at_boot),
	        cmocka_unit_test(test_names),
	};
	return own_process_run(argc, argv, tests, ARRAY_SIZE(tests));
}
