// SPDX-License-Identifier: Apache-2.0
// The board's entropy device, network interfaces and further serial lines, against devices in the test's memory.
#include "own_process.h"

#include "base/log.h"
#include "hw/entropy.h"
#include "hw/net.h"
#include "hw/serial.h"
#include "hw/virtio_rng.h"
#include "virtio_board.h"

#define SLOT 1

static struct fake_virtio dev;
static struct fake_chain chain;

static bool logged(const char *text)
{
	static char log[16384];
	log[log_read(log, sizeof log - 1)] = 0;
	return strstr(log, text) != NULL;
}

static void boot_with(struct fake_virtio made)
{
	dev = made;
	board_slots[SLOT] = &dev;
	board_power_on();
	board_make_tree("");
	board_ready();
	host_devices_init(board_tree.bytes, &test_board);
}

static pa_t page(void)
{
	pa_t pa = pages_alloc(0, OWNER_EL2, PAGE_DATA, NULL);
	memset((void *)pa.v, 0xee, PAGE_SIZE);
	return pa;
}

// ---- entropy ----

static unsigned noise_at_once;

// As many random bytes as it likes, which are 1, 2, 3 and so on.
static void serve_noise(struct fake_virtio *rng, unsigned queue)
{
	static uint8_t next = 1;
	while (fake_next(rng, queue, &chain)) {
		uint32_t n =
		        chain.in[0].length < noise_at_once ? chain.in[0].length : noise_at_once;
		for (uint32_t i = 0; i < n; i++)
			((uint8_t *)fake_at(chain.in[0].address))[i] = next++;
		fake_answer(rng, queue, chain.head, n);
	}
}

static struct fake_virtio noise_new(unsigned at_once)
{
	struct fake_virtio rng = fake_virtio_new(VIRTIO_MMIO_LEGACY, VIRTIO_ENTROPY, 0);
	rng.served = serve_noise;
	rng.queue[0].max = 8;
	noise_at_once = at_once;
	return rng;
}

static void test_noise_now(void **state UNUSED)
{
	uint8_t bytes[33];
	boot_with(noise_new(7)); // in pieces
	assert_true(entropy_exists());
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(virtio_rng_read_now(bytes, 32), 0);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(bytes[i], i + 1 + 7); // the first are in the pool
	assert_int_equal(bytes[32], 0);
	assert_int_equal(virtio_rng_read_now(bytes, VIRTIO_RNG_NOW_MAX + 1), ERR_NOT_FOUND);
}

// What guests get is what the device delivered, each byte once, and more is asked for in time.
static void test_pool(void **state UNUSED)
{
	uint8_t bytes[200], seen[256] = {0};
	unsigned total = 0;
	boot_with(noise_new(60));
	for (unsigned round = 0; round < 30 && total < 200; round++) {
		board_interrupt(SLOT);
		size_t got = entropy_read(bytes, 1 + round % 50);
		for (size_t i = 0; i < got; i++)
			assert_int_equal(seen[bytes[i]]++, 0);
		total += (unsigned)got;
	}
	assert_true(total >= 200);
	dev.served = NULL;
	board_interrupt(SLOT);
	while (entropy_read(bytes, sizeof bytes) != 0)
		;
	assert_int_equal(entropy_read(bytes, 1), 0); // none is made up
}

static void test_noise_none(void **state UNUSED)
{
	uint8_t bytes[32];
	struct virtio_rng_request request = {0};
	board_power_on();
	board_make_tree("");
	board_ready();
	host_devices_init(board_tree.bytes, &test_board);
	assert_int_equal(virtio_rng_read_now(bytes, 32), ERR_NOT_FOUND);
	assert_int_equal(virtio_rng_submit(&request), ERR_NOT_FOUND);
	assert_false(entropy_exists());
	assert_int_equal(entropy_read(bytes, 32), 0);
}

static void test_noise_silent(void **state UNUSED)
{
	uint8_t bytes[32];
	boot_with(noise_new(7));
	dev.served = NULL;
	board_spent = BOARD_HZ / 1000;
	assert_int_equal(virtio_rng_read_now(bytes, 32), ERR_BUSY);
}

// Answers of no bytes do not hold up the boot for ever.
static void test_noise_empty(void **state UNUSED)
{
	uint8_t bytes[32];
	boot_with(noise_new(0));
	board_spent = BOARD_HZ / 1000;
	assert_int_equal(virtio_rng_read_now(bytes, 32), ERR_BUSY);
}

struct asked {
	struct virtio_rng_request request;
	unsigned over;
	int error;
	uint32_t bytes;
};

static void noise_done(struct virtio_rng_request *request, int error, uint32_t bytes)
{
	struct asked *asked = request->owner;
	asked->over++;
	asked->error = error;
	asked->bytes = bytes;
}

static const struct virtio_rng_request_ops noise_ops = {.done = noise_done};

static void test_noise_requests(void **state UNUSED)
{
	struct asked asked[9];
	boot_with(noise_new(100));
	board_interrupt(SLOT); // the pool's
	dev.served = NULL;
	for (unsigned i = 0; i < 9; i++) {
		asked[i] = (struct asked){.request = {.segment = {page(), 16},
		                                      .ops = &noise_ops,
		                                      .owner = &asked[i]}};
		assert_int_equal(virtio_rng_submit(&asked[i].request), i < 8 ? 0 : ERR_BUSY);
	}
	serve_noise(&dev, 0);
	board_interrupt(SLOT);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(asked[i].over, 1);
		assert_int_equal(asked[i].bytes, 16);
	}
	assert_int_equal(virtio_rng_submit(&asked[8].request), 0);
	assert_true(fake_next(&dev, 0, &chain));
	fake_answer(&dev, 0, chain.head, 17); // more than it was given
	board_interrupt(SLOT);
	board_pass(100);
	assert_int_equal(asked[8].over, 1);
	assert_int_equal(asked[8].error, ERR_IO);
	assert_int_equal(asked[8].bytes, 0);
	assert_int_equal(virtio_rng_submit(&asked[8].request), ERR_IO);
}

// ---- net ----

struct frame {
	struct net_request request;
	struct segment segments[2];
	unsigned over;
	int error;
	uint32_t bytes;
};

static void frame_done(struct net_request *request, int error, uint32_t bytes)
{
	struct frame *frame = request->owner;
	frame->over++;
	frame->error = error;
	frame->bytes = bytes;
}

static const struct net_request_ops net_ops = {.done = frame_done};
static struct net_dev *net0;

static void boot_net(uint32_t version)
{
	struct fake_virtio net = fake_virtio_new(version, VIRTIO_NET,
	                                         VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS |
	                                                 VIRTIO_NET_F_MRG_RXBUF | BIT_U64(0));
	memcpy(net.config, "\x52\x54\x00\x12\x34\x56\x01", 7);
	boot_with(net);
	net0 = net_find("net0");
	assert_non_null(net0);
	assert_ptr_equal(net_get(0), net0);
	assert_null(net_get(1));
}

static void make(struct frame *frame, uint32_t first, uint32_t second)
{
	*frame = (struct frame){.segments = {{page(), first}, {page(), second}}};
	frame->request = (struct net_request){.segments = frame->segments,
	                                      .nr_segments = second != 0 ? 2 : 1,
	                                      .ops = &net_ops,
	                                      .owner = frame};
}

static void sends_and_receives(uint32_t version, uint32_t header)
{
	struct frame out, in;
	boot_net(version);
	assert_memory_equal(net0->mac, "\x52\x54\x00\x12\x34\x56", 6);
	assert_int_equal(net0->mtu, 1500);
	assert_true(net_is_up(net0));
	dev.config[VIRTIO_NET_STATUS] = 0;
	assert_false(net_is_up(net0));
	assert_int_equal(dev.agreed & UINT32_MAX, VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS);
	make(&out, 14, 100);
	assert_int_equal(net_send(net0, &out.request), 0);
	assert_true(fake_next(&dev, VIRTIO_NET_TX, &chain));
	assert_int_equal(chain.nr_in, 0);
	assert_int_equal(chain.nr_out, 3);
	assert_int_equal(chain.out[0].length, header);
	assert_int_equal(((uint8_t *)fake_at(chain.out[0].address))[0], 0);
	assert_int_equal(chain.out[1].address, out.segments[0].pa.v);
	assert_int_equal(chain.out[2].length, 100);
	fake_answer(&dev, VIRTIO_NET_TX, chain.head, 0);
	make(&in, 2048, 0);
	assert_int_equal(net_receive(net0, &in.request), 0);
	assert_true(fake_next(&dev, VIRTIO_NET_RX, &chain));
	assert_int_equal(chain.nr_out, 0);
	assert_int_equal(chain.in[0].length, header);
	assert_int_equal(chain.in[1].length, 2048);
	fake_answer(&dev, VIRTIO_NET_RX, chain.head, header + 60);
	assert_int_equal(out.over + in.over, 0);
	board_interrupt(SLOT);
	assert_int_equal(out.over, 1);
	assert_int_equal(out.error, 0);
	assert_int_equal(in.over, 1);
	assert_int_equal(in.error, 0);
	assert_int_equal(in.bytes, 60);
}

static void test_net_modern(void **state UNUSED)
{
	sends_and_receives(VIRTIO_MMIO_MODERN, 12);
}

static void test_net_legacy(void **state UNUSED)
{
	sends_and_receives(VIRTIO_MMIO_LEGACY, 10);
}

static int sent(uint32_t first, uint32_t second)
{
	struct frame frame;
	make(&frame, first, second);
	return net_send(net0, &frame.request);
}

static void test_net_refused(void **state UNUSED)
{
	struct frame frame;
	boot_net(VIRTIO_MMIO_MODERN);
	assert_int_equal(sent(13, 0), ERR_INVALID);
	assert_int_equal(sent(14, 1505), ERR_INVALID);
	assert_int_equal(sent(0, 100), ERR_INVALID);
	make(&frame, 1517, 0);
	assert_int_equal(net_receive(net0, &frame.request), ERR_INVALID);
	frame.request.nr_segments = 0;
	assert_int_equal(net_send(net0, &frame.request), ERR_INVALID);
	frame.request.nr_segments = NET_MAX_SEGMENTS + 1;
	assert_int_equal(net_send(net0, &frame.request), ERR_INVALID);
	assert_int_equal(dev.notified, 0);
}

// A frame that does not even fill the header's room is none, and not one of four thousand million bytes.
static void test_net_runt(void **state UNUSED)
{
	struct frame in;
	boot_net(VIRTIO_MMIO_MODERN);
	for (uint32_t bytes = 0; bytes <= 12; bytes += 6) {
		make(&in, 2048, 0);
		assert_int_equal(net_receive(net0, &in.request), 0);
		assert_true(fake_next(&dev, VIRTIO_NET_RX, &chain));
		fake_answer(&dev, VIRTIO_NET_RX, chain.head, bytes);
		board_interrupt(SLOT);
		assert_int_equal(in.over, 1);
		assert_int_equal(in.error, ERR_IO);
		assert_int_equal(in.bytes, 0);
	}
	assert_false(net_is_dead(net0));
}

// Buffers may wait for ever; a frame that is not sent may not.
static void test_net_patience(void **state UNUSED)
{
	struct frame in, out;
	boot_net(VIRTIO_MMIO_MODERN);
	make(&in, 2048, 0);
	assert_int_equal(net_receive(net0, &in.request), 0);
	assert_int_equal(fake_get_sysreg("cnthp_ctl_el2"), 0);
	board_pass(3 * VIRTIO_PATIENCE_MS);
	assert_false(net_is_dead(net0));
	make(&out, 60, 0);
	assert_int_equal(net_send(net0, &out.request), 0);
	board_pass(VIRTIO_PATIENCE_MS + 500);
	assert_true(net_is_dead(net0));
	assert_false(net_is_up(net0));
	assert_int_equal(in.over, 1);
	assert_int_equal(in.error, ERR_IO);
	assert_int_equal(out.over, 1);
	assert_int_equal(out.error, ERR_IO);
	assert_int_equal(sent(60, 0), ERR_IO);
	assert_true(logged("net0, virtio-mmio a000200: it does not answer: reset, and given up"));
}

static void test_net_full(void **state UNUSED)
{
	unsigned n = 0;
	boot_net(VIRTIO_MMIO_MODERN);
	while (sent(14, 46) == 0)
		n++;
	assert_int_equal(n, 256 / 3);
	assert_int_equal(sent(14, 46), ERR_BUSY);
}

static void test_net_mtu(void **state UNUSED)
{
	struct fake_virtio net = fake_virtio_new(VIRTIO_MMIO_MODERN, VIRTIO_NET, VIRTIO_NET_F_MTU);
	net.config[VIRTIO_NET_MTU] = net.config[VIRTIO_NET_MTU + 1] = 0xff;
	boot_with(net);
	assert_int_equal(net_get(0)->mtu, 9216);
	assert_false(net_get(0)->has_mac);
	assert_true(net_is_up(net_get(0)));
}

// ---- serial lines ----

static struct serial_dev *hvc0;
static unsigned told;

static void changed(void *owner)
{
	assert_ptr_equal(owner, &told);
	told++;
}

static const struct serial_ops serial_ops = {.changed = changed};

static void boot_serial(void)
{
	boot_with(fake_virtio_new(VIRTIO_MMIO_LEGACY, VIRTIO_CONSOLE, VIRTIO_CONSOLE_F_MULTIPORT));
	hvc0 = serial_find("hvc0");
	assert_non_null(hvc0);
	assert_int_equal(dev.agreed, 0);
	assert_null(serial_get(1));
	assert_string_equal(serial_name(serial_get(0)), "hvc0");
	serial_listen(hvc0, &serial_ops, &told);
}

static void put_in(const char *text)
{
	assert_true(fake_next(&dev, VIRTIO_CONSOLE_RX, &chain));
	memcpy(fake_at(chain.in[0].address), text, strlen(text));
	fake_answer(&dev, VIRTIO_CONSOLE_RX, chain.head, (uint32_t)strlen(text));
}

static void test_serial_in(void **state UNUSED)
{
	char bytes[64] = "";
	boot_serial();
	assert_int_equal(serial_read(hvc0, bytes, sizeof bytes), 0);
	put_in("hello ");
	put_in("world");
	board_interrupt(SLOT);
	assert_int_equal(told, 1);
	assert_int_equal(serial_read(hvc0, bytes, 8), 8);
	assert_int_equal(serial_read(hvc0, bytes + 8, sizeof bytes - 8), 3);
	assert_string_equal(bytes, "hello world");
	for (unsigned round = 0; round < 100; round++) { // buffers go round
		put_in("abc");
		put_in("");
		board_interrupt(SLOT);
		assert_int_equal(serial_read(hvc0, bytes, sizeof bytes), 3);
	}
	for (unsigned i = 0; i < 8; i++)
		put_in("x");
	assert_false(
	        fake_next(&dev, VIRTIO_CONSOLE_RX, &chain)); // all are full: the other side waits
	board_interrupt(SLOT);
	assert_int_equal(serial_read(hvc0, bytes, sizeof bytes), 8);
	put_in("y");
}

static void test_serial_out(void **state UNUSED)
{
	static uint8_t bytes[10000];
	boot_serial();
	memset(bytes, 'a', sizeof bytes);
	assert_int_equal(serial_write(hvc0, bytes, sizeof bytes), 8 * 512);
	assert_int_equal(serial_write(hvc0, bytes, 1), 0);
	board_pass(2 * VIRTIO_PATIENCE_MS); // nobody reads at the other end: that is no fault
	assert_true(fake_next(&dev, VIRTIO_CONSOLE_TX, &chain));
	assert_int_equal(chain.out[0].length, 512);
	assert_memory_equal(fake_at(chain.out[0].address), bytes, 512);
	fake_answer(&dev, VIRTIO_CONSOLE_TX, chain.head, 0);
	board_interrupt(SLOT);
	assert_int_equal(told, 1);
	assert_int_equal(serial_write(hvc0, bytes, 1), 1);
	assert_true(fake_next(&dev, VIRTIO_CONSOLE_TX, &chain));
}

static void test_serial_dead(void **state UNUSED)
{
	char bytes[16];
	boot_serial();
	put_in("last");
	fake_answer(&dev, VIRTIO_CONSOLE_RX, chain.head, 3); // twice
	board_interrupt(SLOT);
	board_pass(100);
	assert_int_equal(virtio_get(0)->state, VIRTIO_DEAD);
	assert_int_equal(serial_read(hvc0, bytes, sizeof bytes), 4);
	assert_int_equal(serial_read(hvc0, bytes, sizeof bytes), 0);
	assert_int_equal(serial_write(hvc0, bytes, 16), 16);
}

static void test_serial_short(void **state UNUSED)
{
	struct fake_virtio made = fake_virtio_new(VIRTIO_MMIO_LEGACY, VIRTIO_CONSOLE, 0);
	made.queue[1].max = 4;
	boot_with(made);
	assert_null(serial_get(0));
	assert_true(logged("its queues are too short: left alone"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_noise_now),    cmocka_unit_test(test_noise_none),
	        cmocka_unit_test(test_pool),         cmocka_unit_test(test_noise_silent),
	        cmocka_unit_test(test_noise_empty),  cmocka_unit_test(test_noise_requests),
	        cmocka_unit_test(test_net_modern),   cmocka_unit_test(test_net_legacy),
	        cmocka_unit_test(test_net_refused),  cmocka_unit_test(test_net_runt),
	        cmocka_unit_test(test_net_patience), cmocka_unit_test(test_net_full),
	        cmocka_unit_test(test_net_mtu),      cmocka_unit_test(test_serial_in),
	        cmocka_unit_test(test_serial_out),   cmocka_unit_test(test_serial_dead),
	        cmocka_unit_test(test_serial_short),
	};
	return own_process_run(argc, argv, tests, ARRAY_SIZE(tests));
}
