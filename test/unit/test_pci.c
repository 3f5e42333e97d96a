// SPDX-License-Identifier: Apache-2.0
// Virtio devices on PCI: what is found on a bus, where BARs are put, and buses and devices that are not as they should be.
#include "own_process.h"

#include "base/log.h"
#include "hw/block.h"
#include "hw/pci.h"
#include "pci_fake.h"

#define COHERENT   "dma-coherent;"
#define MODERN_BLK 0x1042

static struct fake_virtio disk[3];

static bool logged(const char *text)
{
	static char log[16384];
	log[log_read(log, sizeof log - 1)] = 0;
	return strstr(log, text) != NULL;
}

static struct fake_function *plug(unsigned n, uint32_t devfn, uint32_t id)
{
	disk[n] = fake_blk_new(VIRTIO_MMIO_MODERN, 0);
	return pci_plug(n, devfn, id, &disk[n]);
}

static void boot(void)
{
	pci_power_on(COHERENT);
	host_devices_init(board_tree.bytes, &test_board);
}

static void over(struct block_request *request, int error)
{
	*(int *)request->owner = error;
}

static const struct block_request_ops ops = {.done = over};
static int error;

static int read_sector(unsigned index, uint64_t sector, pa_t to)
{
	static struct segment segment;
	static struct block_request request;
	struct block_range range = {block_get(index), 0, block_get(index)->sectors};
	segment = (struct segment){to, 512};
	request = (struct block_request){.op = BLOCK_READ,
	                                 .sector = sector,
	                                 .segments = &segment,
	                                 .nr_segments = 1,
	                                 .ops = &ops,
	                                 .owner = &error};
	error = 1;
	return block_submit(&range, &request);
}

static void test_works(void **state UNUSED)
{
	struct fake_function *f = plug(0, 1 << 3, MODERN_BLK);
	memset(fake_disk + 512, 0x42, 512);
	boot();
	assert_non_null(block_get(0));
	assert_true(logged("vda: 1 MiB, virtio-blk at virtio-pci 01.0"));
	assert_int_equal(f->config[4] & 6, 6); // memory, master
	assert_int_equal(f->config[5] & 4, 0); // INTx
	assert_int_equal(pci_bar_of(f, STRUCTURES), WINDOW64_BUS);
	assert_int_equal(pci_bar_of(f, 1), WINDOW32);
	assert_int_equal(virtio_get(0)->intid, PCI_INTX + 1);
	assert_true(board_enabled[PCI_INTX + 1]);
	pa_t to = pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL);
	assert_int_equal(read_sector(0, 1, to), 0);
	assert_int_equal(error, 1);
	intc_dispatch(PCI_INTX + 1);
	assert_int_equal(error, 0);
	assert_memory_equal((void *)to.v, fake_disk + 512, 512);
	assert_int_equal(disk[0].isr, 0);
}

// Two on one line, one of them with the numbers of old, and a second function; their BARs are apart.
static void test_several(void **state UNUSED)
{
	struct fake_function *f[3] = {plug(0, 1 << 3, MODERN_BLK), plug(1, 2 << 3, 0x1001),
	                              plug(2, (2 << 3) + 5, MODERN_BLK)};
	f[1]->config[0x0e] = 0x80;
	f[2]->config[0x3d] = 2;
	boot();
	assert_non_null(block_get(2));
	assert_null(block_get(3));
	assert_int_equal(virtio_get(1)->intid, PCI_INTX + 2);
	assert_int_equal(virtio_get(2)->intid, PCI_INTX + 3);
	assert_string_equal(virtio_get(2)->where, "02.5");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(pci_bar_of(f[i], STRUCTURES), WINDOW64_BUS + i * 0x4000);
		assert_int_equal(pci_bar_of(f[i], 1), WINDOW32 + i * 0x1000);
	}
	f[1]->config[0x0e] = 0;
}

// A device of one function is not asked for others: some answer to all numbers.
static void test_one_function(void **state UNUSED)
{
	plug(0, 1 << 3, MODERN_BLK);
	plug(1, (1 << 3) + 1, MODERN_BLK);
	boot();
	assert_null(block_get(1));
}

static void test_given(void **state UNUSED)
{
	struct fake_function *f = plug(0, 1 << 3, MODERN_BLK), *g = plug(1, 2 << 3, MODERN_BLK);
	f->config[4] = 2; // it answers already
	pci_put(f, 0x20, 0x2000000c, 4);
	boot();
	assert_int_equal(pci_bar_of(f, STRUCTURES), 0x20000000);
	assert_int_equal(pci_bar_of(f, 1), 0);
	assert_non_null(block_get(0));
	assert_null(block_get(1)); // nobody knows where there would be room
	assert_int_equal(pci_bar_of(g, STRUCTURES), 0);
	assert_true(logged("virtio-pci 02.0 lacks a structure of virtio 1.0, or its BARs have no "
	                   "address: left alone"));
	assert_int_equal(g->config[4] & 6, 0);
	assert_int_equal(g->config[5] & 4, 4);
}

static void test_given_outside(void **state UNUSED)
{
	struct fake_function *f = plug(0, 1 << 3, MODERN_BLK);
	f->config[4] = 2;
	pci_put(f, 0x20, 0x4000000c, 4); // RAM, were it not for the windows
	boot();
	assert_null(block_get(0));
}

static void test_stopped(void **state UNUSED)
{
	struct fake_function *f = plug(0, 1 << 3, MODERN_BLK);
	boot();
	disk[0].served = NULL;
	assert_int_equal(read_sector(0, 1, PA(RAM_ARENA_BASE)), 0);
	fake_answer(&disk[0], 0, 1000, 0);
	intc_dispatch(PCI_INTX + 1);
	assert_true(block_is_dead(block_get(0)));
	assert_int_equal(f->config[4] & 4, 0); // it cannot reach memory any more
	assert_int_equal(f->config[5] & 4, 4); // nor interrupt
	board_pass(100);
	assert_int_equal(error, ERR_IO);
}

// One exit lets one device of a line work, and the next begins with the next.
static void test_shared_line(void **state UNUSED)
{
	enum { DISKS = 3, EACH = 10 }; // EACH: more than are taken in one turn
	static struct block_request request[DISKS][EACH];
	static int errors[DISKS][EACH];
	struct segment segment;
	for (unsigned i = 0; i < DISKS; i++)
		plug(i, (1 + 4 * i) << 3, MODERN_BLK);
	boot();
	segment = (struct segment){pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL), 512};
	for (unsigned i = 0; i < DISKS * EACH; i++) {
		struct block_dev *dev = block_get(i % DISKS);
		const struct block_range range = {dev, 0, dev->sectors};
		errors[i % DISKS][i / DISKS] = 1;
		request[i % DISKS][i / DISKS] =
		        (struct block_request){.op = BLOCK_READ,
		                               .segments = &segment,
		                               .nr_segments = 1,
		                               .ops = &ops,
		                               .owner = &errors[i % DISKS][i / DISKS]};
		assert_int_equal(block_submit(&range, &request[i % DISKS][i / DISKS]), 0);
	}
	unsigned over_of[DISKS] = {0};
	for (unsigned turn = 0; turn < 2 * DISKS; turn++) {
		board_pending[PCI_INTX + 1] = false;
		intc_dispatch(PCI_INTX + 1);
		assert_true(board_pending[PCI_INTX + 1]);
		for (unsigned i = 0; i < DISKS; i++) {
			unsigned over_now = 0;
			for (unsigned n = 0; n < EACH; n++)
				over_now += errors[i][n] == 0 ? 1 : 0;
			unsigned most = turn < DISKS ? VIRTIO_A_POLL : EACH - VIRTIO_A_POLL;
			assert_int_equal(over_now - over_of[i], i == turn % DISKS ? most : 0);
			over_of[i] = over_now;
		}
	}
	board_pending[PCI_INTX + 1] = false;
	intc_dispatch(PCI_INTX + 1);
	assert_false(board_pending[PCI_INTX + 1]);
}

// A line that nobody lowers is turned off; its devices work all the same, a little later.
static void test_line_stays_up(void **state UNUSED)
{
	plug(0, 1 << 3, MODERN_BLK);
	plug(1, 5 << 3, MODERN_BLK);
	boot();
	for (unsigned i = 0; i < 60; i++)
		intc_dispatch(PCI_INTX + 1);
	assert_int_equal(read_sector(1, 1, PA(RAM_ARENA_BASE)), 0);
	intc_dispatch(PCI_INTX + 1);
	assert_int_equal(error, 0);
	for (unsigned i = 0; i < 63; i++)
		intc_dispatch(PCI_INTX + 1);
	assert_true(board_enabled[PCI_INTX + 1]); // not in a row
	intc_dispatch(PCI_INTX + 1);
	assert_false(board_enabled[PCI_INTX + 1]);
	assert_true(logged("interrupt 36: 64 times in a row without a reason: off; its devices are "
	                   "polled"));
	board_pass(5000);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(read_sector(i, 1, PA(RAM_ARENA_BASE)), 0);
		board_pass(50);
		assert_int_equal(error, 0);
	}
}

// What Mezzo does not drive must not raise a line that it drives.
static void test_others_are_quiet(void **state UNUSED)
{
	struct fake_function *f[3] = {plug(0, 1 << 3, MODERN_BLK), plug(1, 2 << 3, MODERN_BLK),
	                              plug(2, 3 << 3, MODERN_BLK)};
	pci_put(f[1], 0, 0x10421af5, 4); // another vendor's
	f[2]->config[0x0e] = 1;          // a bridge
	f[1]->config[4] = 4;
	boot();
	assert_int_equal(f[0]->config[5] & 4, 0);
	assert_int_equal(f[1]->config[5] & 4, 4);
	assert_int_equal(f[1]->config[4], 4); // otherwise as it was
	assert_int_equal(f[2]->config[5] & 4, 4);
}

#define LEFT_ALONE(name, change, why)                                  \
	static void name(void **state UNUSED)                          \
	{                                                              \
		struct fake_function *f = plug(0, 1 << 3, MODERN_BLK); \
		change;                                                \
		boot();                                                \
		assert_null(block_get(0));                             \
		assert_true(why == NULL || logged(why));               \
		assert_int_equal(f->config[4] & 6, 0);                 \
	}

LEFT_ALONE(test_no_caps, pci_put(f, 6, 0, 2), "01.0 lacks a structure")
LEFT_ALONE(test_circle, f->config[CAPS + 1] = CAPS, "01.0 lacks a structure")
LEFT_ALONE(test_cap_in_header, f->config[0x34] = 0x20, "01.0 lacks a structure")
LEFT_ALONE(test_cap_at_end, f->config[0x34] = 0xfc, "01.0 lacks a structure")
LEFT_ALONE(test_cap_short, f->config[CAPS + 2] = 15, "01.0 lacks a structure")
LEFT_ALONE(test_notify_short, f->config[CAPS + 22] = 19, "01.0 lacks a structure")
LEFT_ALONE(test_no_such_bar, f->config[CAPS + 4] = 6, "01.0 lacks a structure")
LEFT_ALONE(test_absent_bar, f->config[CAPS + 4] = 2, "01.0 lacks a structure")
LEFT_ALONE(test_io_bar, pci_put(f, 0x20, 0xd, 4), "01.0 lacks a structure")
LEFT_ALONE(test_beyond, pci_put(f, CAPS + 8, 0x3fe0, 4), "01.0 lacks a structure")
LEFT_ALONE(test_wraps, pci_put(f, CAPS + 8, UINT32_MAX, 4), "01.0 lacks a structure")
LEFT_ALONE(test_common_short, pci_put(f, CAPS + 12, 0x37, 4), "01.0 lacks a structure")
LEFT_ALONE(test_crooked, pci_put(f, CAPS + 8, 2, 4), "01.0 lacks a structure")
LEFT_ALONE(test_no_bar, memset(f->writable + 0x10, 0, 24), "01.0 lacks a structure")
LEFT_ALONE(test_giant_bar, pci_put_bar(f, STRUCTURES, 0xc, BIT_U64(60)), "01.0 lacks a structure")
LEFT_ALONE(test_doorbell, f->notify_off = 0x400, "one of its queues cannot be reached")
LEFT_ALONE(test_no_pin, f->config[0x3d] = 0, "virtio-pci 01.0: its interrupt does not reach Mezzo")
LEFT_ALONE(test_wrong_pin, f->config[0x3d] = 3, "its interrupt does not reach Mezzo")
LEFT_ALONE(test_other_vendor, pci_put(f, 0, 0x10421af5, 4), NULL)
LEFT_ALONE(test_other_kind, pci_put(f, 0, 0x10491af4, 4),
           "virtio-pci 01.0: a virtio device of kind 9: no driver")
LEFT_ALONE(test_bridge, f->config[0x0e] = 1,
           "PCI 01.0 is a bridge: what is behind it is not looked at")

static void test_unmapped(void **state UNUSED)
{
	plug(0, 1 << 3, MODERN_BLK);
	pci_power_on(COHERENT);
	struct board_bus bus;
	board_bus_read(board_tree.bytes, &bus);
	board_maps_nothing = true;
	pci_probe(board_tree.bytes, &test_board, &bus.pci);
	assert_true(logged("the configuration of PCI at 0x4010000000 cannot be mapped"));
}

static void test_not_coherent(void **state UNUSED)
{
	plug(0, 1 << 3, MODERN_BLK);
	pci_power_on("");
	host_devices_init(board_tree.bytes, &test_board);
	assert_null(block_get(0));
	assert_true(logged("virtio-pci 01.0 is not dma-coherent"));
}

static void test_bus_read(void **state UNUSED)
{
	struct board_bus bus;
	pci_power_on(COHERENT);
	board_bus_read(board_tree.bytes, &bus);
	assert_int_equal(bus.pci.ecam.base, ECAM_BASE);
	assert_int_equal(bus.pci.mem32.cpu, WINDOW32);
	assert_int_equal(bus.pci.mem32.bus, WINDOW32);
	assert_int_equal(bus.pci.mem32.size, WINDOW32_SIZE);
	assert_int_equal(bus.pci.mem64.cpu, WINDOW64_CPU);
	assert_int_equal(bus.pci.mem64.bus, WINDOW64_BUS);
	assert_int_equal(bus.pci.mem64.size, WINDOW64_SIZE);
	assert_true(bus.pci.coherent);
	assert_int_equal(board_pci_irq(board_tree.bytes, &test_board, &bus.pci, 2, 2).number, 38);
	assert_int_equal(board_pci_irq(board_tree.bytes, &test_board, &bus.pci, 6, 2).number,
	                 38); // the mask
	assert_false(board_pci_irq(board_tree.bytes, &test_board, &bus.pci, 0, 1).edge);
	assert_int_equal(board_pci_irq(board_tree.bytes, &test_board, &bus.pci, 0, 2).chip,
	                 BOARD_IRQ_NONE);
	assert_int_equal(board_pci_irq(board_tree.bytes, &test_board, &bus.pci, 3, 1).chip,
	                 BOARD_IRQ_NONE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_works),
	        cmocka_unit_test(test_several),
	        cmocka_unit_test(test_one_function),
	        cmocka_unit_test(test_given),
	        cmocka_unit_test(test_given_outside),
	        cmocka_unit_test(test_stopped),
	        cmocka_unit_test(test_shared_line),
	        cmocka_unit_test(test_line_stays_up),
	        cmocka_unit_test(test_others_are_quiet),
	        cmocka_unit_test(test_no_caps),
	        cmocka_unit_test(test_circle),
	        cmocka_unit_test(test_cap_in_header),
	        cmocka_unit_test(test_cap_at_end),
	        cmocka_unit_test(test_cap_short),
	        cmocka_unit_test(test_notify_short),
	        cmocka_unit_test(test_no_such_bar),
	        cmocka_unit_test(test_absent_bar),
	        cmocka_unit_test(test_io_bar),
	        cmocka_unit_test(test_beyond),
	        cmocka_unit_test(test_wraps),
	        cmocka_unit_test(test_common_short),
	        cmocka_unit_test(test_crooked),
	        cmocka_unit_test(test_no_bar),
	        cmocka_unit_test(test_giant_bar),
	        cmocka_unit_test(test_doorbell),
	        cmocka_unit_test(test_no_pin),
	        cmocka_unit_test(test_wrong_pin),
	        cmocka_unit_test(test_other_vendor),
	        cmocka_unit_test(test_other_kind),
	        cmocka_unit_test(test_bridge),
	        cmocka_unit_test(test_unmapped),
	        cmocka_unit_test(test_not_coherent),
	        cmocka_unit_test(test_bus_read),
	};
	return own_process_run(argc, argv, tests, ARRAY_SIZE(tests));
}
