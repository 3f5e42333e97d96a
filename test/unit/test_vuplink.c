// SPDX-License-Identifier: Apache-2.0
// Uplinks: what VMs send to an interface of the board, and what it brings. The interface is the test's own.
#include "net_bench.h"

#include "hw/net.h"
#include "vdev/vuplink.h"

#define OUTSIDE  UINT64_C(0x020000000042)
#define MOST_OUT 200

static struct net_request *out[MOST_OUT], *in[64];
static unsigned nr_out, nr_in;
static int answer, receive_answer;
static uint8_t frame[NB_LARGEST];

static int fake_send(struct net_dev *dev, struct net_request *request)
{
	(void)dev;
	assert_true(nr_out < MOST_OUT);
	if (answer == 0)
		out[nr_out++] = request;
	return answer;
}
static int fake_receive(struct net_dev *dev, struct net_request *request)
{
	(void)dev;
	if (receive_answer == 0)
		in[nr_in++] = request;
	return receive_answer;
}
static bool fake_is_up(const struct net_dev *dev)
{
	(void)dev;
	return true;
}
static bool fake_is_dead(const struct net_dev *dev)
{
	(void)dev;
	return false;
}
static const struct net_driver driver = {"fake", fake_send, fake_receive, fake_is_up, fake_is_dead};
static struct net_dev dev = {.driver = &driver, .mtu = 1500},
                      narrow = {.driver = &driver, .mtu = 1400},
                      wide = {.driver = &driver, .mtu = 2031};

static int open_all(void **state)
{
	nb_open(state);
	assert_int_equal(net_add(&dev), 0);
	assert_int_equal(net_add(&narrow), 0);
	assert_int_equal(net_add(&wide), 0);
	assert_non_null(strstr(vuplink_create(NB_PLAIN, "net7"), "has no such interface"));
	assert_non_null(strstr(vuplink_create(NB_PLAIN, "net1"), "1,500"));
	assert_non_null(strstr(vuplink_create(NB_PLAIN, "net2"), "2,048"));
	receive_answer = ERR_IO;
	assert_non_null(strstr(vuplink_create(NB_PLAIN, "net0"), "takes no buffers"));
	assert_null(vswitch_port_from(NB_PLAIN, 0));
	receive_answer = 0;
	assert_null(vuplink_create(NB_PLAIN, "net0"));
	return 0;
}

static int setup(void **state)
{
	(void)state;
	nb_setup(NB_PLAIN, 4, 1);
	nr_out = 0;
	answer = 0;
	return 0;
}

static const uint8_t *sent(unsigned n, uint32_t *size)
{
	assert_true(n < nr_out);
	assert_int_equal(out[n]->nr_segments, 1);
	*size = out[n]->segments[0].bytes;
	return (const uint8_t *)(uintptr_t)out[n]->segments[0].pa.v;
}

static void all_done(void)
{
	for (unsigned n = 0; n < nr_out; n++)
		out[n]->ops->done(out[n], 0, 0);
	nr_out = 0;
}

// The board's interface brings a frame.
static void bring(const uint8_t *bytes, uint32_t size)
{
	assert_true(nr_in > 0);
	struct net_request *request = in[--nr_in];
	assert_true(size <= request->segments[0].bytes);
	memcpy((void *)(uintptr_t)request->segments[0].pa.v, bytes, size);
	request->ops->done(request, 0, size);
}

static void test_there_and_back(void **state)
{
	uint32_t size;
	(void)state;

	nb_start(0, 0);
	nb_start(1, 0);
	assert_int_equal(nr_in, 32);
	nb_make(frame, OUTSIDE, NB_MAC(0), 0x88b5, 1514);
	nb_send(0, frame, 1514); // nobody knows where that is
	assert_memory_equal(sent(0, &size), frame, 1514);
	assert_int_equal(size, 1514);
	nb_expect(1, frame, 1514);
	nb_make(frame, NB_MAC(0), OUTSIDE, 0x88b5, 700);
	bring(frame, 700);
	assert_int_equal(nr_in, 32); // the buffer is there again
	nb_expect(0, frame, 700);
	nb_nothing(1);
	nb_make(frame, OUTSIDE, NB_MAC(0), 0x88b5, 60); // now it is known
	nb_send(0, frame, 60);
	assert_memory_equal(sent(1, &size), frame, 60);
	nb_nothing(1);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 60); // stays inside
	nb_send(0, frame, 60);
	assert_int_equal(nr_out, 2);
	all_done();
}

static void test_what_is_no_frame(void **state)
{
	(void)state;
	nb_start(0, 0);
	nb_make(frame, NB_MAC(0), OUTSIDE, 0x88b5, 2000);
	bring(frame, 0);
	bring(frame, 13);
	bring(frame, 1600);
	nb_make(frame, NB_MAC(0), VFRAME_BROADCAST, 0x88b5, 100);
	bring(frame, 100);
	in[nr_in - 1]->ops->done(in[nr_in - 1], ERR_IO, 0);
	nr_in--;
	nb_nothing(0);
	assert_int_equal(nr_in, 32);
}

// For a wire: whole checksums, and no frame longer than it takes.
static void test_offloads(void **state)
{
	struct virtio_net_header header;
	uint32_t size;
	(void)state;

	nb_start(0, VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4);
	uint32_t start = nb_make_tcp(frame, OUTSIDE, NB_MAC(0), false, 1000, &header);
	nb_send_as(0, &header, frame, start + 1000);
	const uint8_t *bytes = sent(0, &size);
	assert_int_equal(size, start + 1000);
	assert_int_equal(nb_check_tcp(bytes, size), start);
	nb_make_tcp(frame, OUTSIDE, NB_MAC(0), false, 60000, &header);
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	nb_send_as(0, &header, frame, start + 60000);
	assert_int_equal(nr_out, 1 + 42);
	for (unsigned n = 0, done = 0; n < 42; n++) {
		bytes = sent(n + 1, &size);
		assert_int_equal(nb_check_tcp(bytes, size), start);
		assert_memory_equal(bytes + start, frame + start + done, size - start);
		done += size - start;
	}
	all_done();
}

// More than the interface takes is lost, and counted; what it gave back is used again.
static void test_no_buffers(void **state)
{
	const struct vswitch_port *port = vswitch_port_from(NB_PLAIN, 0);
	(void)state;

	assert_true(port->is_uplink);
	nb_start(0, 0);
	nb_make(frame, OUTSIDE, NB_MAC(0), 0x88b5, 60);
	uint64_t lost = port->count.lost[VSWITCH_NO_BUFFER];
	for (unsigned i = 0; i < 100; i++)
		nb_send(0, frame, 60);
	assert_int_equal(nr_out, 96);
	assert_int_equal(port->count.lost[VSWITCH_NO_BUFFER], lost + 4);
	all_done();
	answer = ERR_BUSY;
	nb_send(0, frame, 60);
	answer = 0;
	for (unsigned i = 0; i < 96; i++)
		nb_send(0, frame, 60);
	assert_int_equal(nr_out, 96);
	all_done();
}

// A frame for all does not take longer than an interrupt may: the last ones do not get it.
static void test_flood_is_bounded(void **state)
{
	const struct vswitch_port *port = vswitch_port_from(NB_PLAIN, 0);
	unsigned got = 0;
	(void)state;

	for (unsigned n = 0; n < NB_NICS; n++)
		nb_start(n, 0);
	uint64_t lost = port->count.lost[VSWITCH_NO_BUFFER];
	nb_make(frame, VFRAME_BROADCAST, OUTSIDE, 0x88b5, 1514);
	bring(frame, 1514);
	for (unsigned n = 0; n < NB_NICS; n++)
		got += nb_receive(n);
	assert_in_range(got, 1, NB_NICS - 1);
	assert_int_equal(port->count.lost[VSWITCH_NO_BUFFER], lost + 1);
}

// The frames of an interrupt share what they may cost: neither memory that nobody touched nor buffers of a few bytes make
// them slow.
static void test_interrupt_is_bounded(void **state)
{
	(void)state;
	struct nb_nic *nic = nb_start_with(0, 0, 1536, 0);
	const uint64_t fresh = VB_RAM + MIB(6);
	unsigned touched = 0, got = 0;
	uint64_t left;

	vb_now += 10000;
	for (unsigned i = 0; i < NB_RING; i++) {
		const struct vb_segment segment = {fresh + i * KIB(64), 1536, true};
		vb_add(&nic->drv, 0, &segment, 1);
	}
	nb_make(frame, NB_MAC(0), OUTSIDE, 0x88b5, 700);
	for (unsigned i = 0; i < 8; i++)
		bring(frame, 700);
	for (unsigned i = 0; i < NB_RING; i++)
		touched += stage2_span(&vm->stage2, IPA(fresh + i * KIB(64)), false, &left) != NULL;
	assert_in_range(touched, 1, 5);
	assert_in_range(nb_count(0)->got, 1, 5);
	vb_now += 10000;
	nb_start_with(0, VIRTIO_NET_F_MRG_RXBUF, 16, NB_RING);
	nb_make(frame, NB_MAC(0), OUTSIDE, 0x88b5, 600);
	for (unsigned i = 0; i < 8; i++) {
		bring(frame, 600);
		got += nb_receive(0);
	}
	assert_in_range(got, 0, 2);
	vb_now += 10000; // nothing of that is left to others
	nb_start(1, 0);
	nb_make(frame, NB_MAC(1), OUTSIDE, 0x88b5, 1514);
	for (unsigned i = 0; i < 8; i++) {
		bring(frame, 1514);
		got = nb_receive(1);
	}
	assert_int_equal(got, 1);
}

// Looking through long lists costs time, too.
static void test_filters_are_charged(void **state)
{
	const struct vswitch_port *port = vswitch_port_from(NB_PLAIN, 0);
	static uint8_t table[2 + 4 + 16 * 6 + 4 + 64 * 6] = {VIRTIO_NET_CTRL_MAC,
	                                                     VIRTIO_NET_MAC_TABLE_SET, 16};
	const uint8_t all_off[] = {VIRTIO_NET_CTRL_RX, VIRTIO_NET_RX_PROMISC, 0};
	(void)state;

	table[2 + 4 + 16 * 6] = 64;
	for (unsigned n = 0; n < NB_NICS; n++) {
		nb_start(n, VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX);
		assert_int_equal(nb_control(n, table, sizeof table), VIRTIO_NET_OK);
		assert_int_equal(nb_control(n, all_off, sizeof all_off), VIRTIO_NET_OK);
	}
	vb_now += 10000;
	uint64_t lost = port->count.lost[VSWITCH_NO_BUFFER];
	nb_make(frame, UINT64_C(0x333300000001), OUTSIDE + 1, 0x88b5, 60);
	bring(frame, 60);
	assert_int_equal(port->count.lost[VSWITCH_NO_BUFFER], lost + 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, nb_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_there_and_back),
	        TEST(test_what_is_no_frame),
	        TEST(test_offloads),
	        TEST(test_no_buffers),
	        TEST(test_flood_is_bounded),
	        TEST(test_interrupt_is_bounded),
	        TEST(test_filters_are_charged),
	};
	return cmocka_run_group_tests(tests, open_all, NULL);
}
