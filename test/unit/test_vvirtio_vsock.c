// SPDX-License-Identifier: Apache-2.0
// Sockets between VMs and to Mezzo's shell: packets of all kinds between all kinds of drivers, and what either side may do
// wrong.
#include "vsock_bench.h"

#include "vdev/vvirtio_vsock_state.h"

static uint8_t bytes[SB_LARGEST];

static int one_group(void **state)
{
	(void)state;
	sb_setup(1);
	for (uint32_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	return 0;
}
static int no_group(void **state)
{
	(void)state;
	sb_setup(0);
	return 0;
}

// ---- between VMs ----

static void test_configuration(void **state)
{
	(void)state;
	for (unsigned n = 0; n < VB_VMS; n++) {
		sb_start(n, 0);
		assert_int_equal(vb_offered(0) & 3, VIRTIO_VSOCK_F_STREAM);
		assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG), SB_CID(n));
		assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG + 4), 0);
	}
	assert_int_equal(vb_logs, 0);
}

// Takes what comes of `size` bytes; in how many packets.
static unsigned expect_stream(unsigned n, uint32_t cid, uint32_t size)
{
	uint32_t got = 0;
	unsigned packets = 0;

	for (unsigned i = 0; i < 10000 && (got < size || packets == 0); i++) {
		if (!sb_take(n, true)) {
			sb_pass_us(500);
			continue;
		}
		assert_int_equal(sb_got.header.op, VIRTIO_VSOCK_OP_RW);
		assert_int_equal(sb_got.header.src_cid, cid);
		assert_int_equal(sb_got.header.buf_alloc, 262144);
		assert_memory_equal(sb_got.bytes, bytes + got, sb_got.header.length);
		got += sb_got.header.length;
		packets++;
	}
	assert_int_equal(got, size);
	return packets;
}

// Data of every size there and back, by every kind of ring, into buffers of several sizes: cut where they end.
static void test_streams(void **state)
{
	(void)state;
	static const uint64_t kinds[] = {0, VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_PACKED,
	                                 VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX};
	static const uint32_t sizes[] = {0, 1, 51, 52, 4052, 4053, 10000, 65536};
	static const uint32_t buffers[] = {4096, 8192, 96, 1500};

	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		sb_start_with(0, kinds[kind], 4096, SB_RING);
		sb_start_with(1, kinds[(kind + 1) % 4], buffers[kind], SB_RING);
		sb_connect();
		for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct virtio_vsock_header header =
			        sb_header(0, SB_CID(1), VIRTIO_VSOCK_OP_RW, sizes[i]);
			sb_queue(0, &header, bytes, sizes[i]);
			vb_notify(&sb_on(0)->drv, VIRTIO_VSOCK_TX);
			uint32_t room = buffers[kind] - VIRTIO_VSOCK_HEADER;
			unsigned packets = expect_stream(1, SB_CID(0), sizes[i]);
			assert_true(packets >= (sizes[i] + room - 1) / room);
			assert_true(sb_sent(0));
			header.src_cid = SB_CID(1);
			header.dst_cid = SB_CID(0);
			sb_queue(1, &header, bytes, sizes[i]);
			vb_notify(&sb_on(1)->drv, VIRTIO_VSOCK_TX);
			expect_stream(0, SB_CID(1), sizes[i]);
			assert_true(sb_sent(1));
			vb_interrupted(&sb_on(1)->drv);
		}
		assert_int_equal(vb_logs, 0);
	}
}

enum fate { DROPPED, RESET, ARRIVES };

// One header after the other that is not as it should be, and what comes of it.
static void test_headers(void **state)
{
	(void)state;
	static const struct {
		enum fate fate;
		uint64_t src_cid, dst_cid;
		uint32_t length;
		uint16_t type, op;
	} cases[] = {
	        {ARRIVES, 3, 4, 100, 1, VIRTIO_VSOCK_OP_RW},
	        {ARRIVES, 3, 4, 50, 1, VIRTIO_VSOCK_OP_RW}, // more lies behind it
	        {ARRIVES, 3, 4, 100, 1, VIRTIO_VSOCK_OP_CREDIT_UPDATE},
	        {ARRIVES, 3, 4, 0xffffffff, 1, VIRTIO_VSOCK_OP_CREDIT_REQUEST}, // has no data
	        {ARRIVES, 3, 4, 0, 1, VIRTIO_VSOCK_OP_SHUTDOWN},
	        {RESET, 3, 4, 101, 1, VIRTIO_VSOCK_OP_RW}, // less lies behind it
	        {RESET, 3, 4, 0xffffffff, 1, VIRTIO_VSOCK_OP_RW},
	        {RESET, 3, 4, 0xffffffd4, 1, VIRTIO_VSOCK_OP_RW}, // with the header it wraps
	        {RESET, 3, 4, 0, 2, VIRTIO_VSOCK_OP_REQUEST},     // SEQPACKET
	        {RESET, 3, 4, 0, 0, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, 4, 0, 1, VIRTIO_VSOCK_OP_INVALID},
	        {RESET, 3, 4, 0, 1, VIRTIO_VSOCK_OPS},
	        {RESET, 3, 4, 0, 1, 0xffff},
	        {RESET, 3, 4, 0, 1, VIRTIO_VSOCK_OP_RESPONSE}, // to what was never asked
	        {RESET, 3, 3, 0, 1, VIRTIO_VSOCK_OP_REQUEST},  // itself
	        {RESET, 3, 5, 0, 1, VIRTIO_VSOCK_OP_REQUEST},  // nobody
	        {RESET, 3, 0, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, 1, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, 4095, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, 4096, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, 4098, 0, 1,
	         VIRTIO_VSOCK_OP_REQUEST}, // a number of a VM with another context
	        {RESET, 3, 8193, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, 0xffffffff, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, UINT64_C(0x100000004), 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, UINT64_MAX, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {RESET, 3, 2, 0, 1, VIRTIO_VSOCK_OP_RW}, // of no connection
	        {DROPPED, 3, 5, 0, 1, VIRTIO_VSOCK_OP_RST},
	        {DROPPED, 3, 2, 0, 1, VIRTIO_VSOCK_OP_RST},
	        {DROPPED, 4, 4, 0, 1, VIRTIO_VSOCK_OP_REQUEST}, // forged
	        {DROPPED, 2, 4, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	        {DROPPED, UINT64_C(0x100000003), 4, 0, 1, VIRTIO_VSOCK_OP_REQUEST},
	};
	sb_start(0, 0);
	sb_start(1, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct virtio_vsock_header header = sb_header(0, 4, cases[i].op, cases[i].length);
		header.src_cid = cases[i].src_cid;
		header.dst_cid = cases[i].dst_cid;
		header.type = cases[i].type;
		sb_send_as(0, &header, bytes, 100);
		assert_true(sb_take(1, true) == (cases[i].fate == ARRIVES));
		if (cases[i].fate == ARRIVES)
			assert_int_equal(sb_got.header.length,
			                 cases[i].op == VIRTIO_VSOCK_OP_RW ? cases[i].length : 0);
		assert_true(sb_take(0, true) == (cases[i].fate == RESET));
		if (cases[i].fate == RESET) {
			assert_int_equal(sb_got.header.op, VIRTIO_VSOCK_OP_RST);
			assert_int_equal(sb_got.header.src_cid, cases[i].dst_cid);
			assert_int_equal(sb_got.header.src_port, header.dst_port);
			assert_int_equal(sb_got.header.dst_port, header.src_port);
		}
		sb_nothing(0);
		sb_nothing(1);
	}
	assert_int_equal(vb_logs, 1); // that one sends as another, once
	// Less than a header.
	const struct vb_segment half = {SB_TX, 43, false};
	struct sb_socket *s = sb_on(0);
	vb_add(&s->drv, VIRTIO_VSOCK_TX, &half, 1);
	vb_notify(&s->drv, VIRTIO_VSOCK_TX);
	assert_true(sb_sent(0));
	sb_nothing(0);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[0]), 0);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[1]), 0);
}

// VMs that name no group reach nobody.
static void test_no_group(void **state)
{
	(void)state;
	sb_start(0, 0);
	sb_start(1, 0);
	sb_send(0, SB_CID(1), VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	sb_nothing(1);
	sb_expect(0, SB_CID(1), VIRTIO_VSOCK_OP_RST);
}

// Nobody there yet: refused at once. Then a connection from its beginning to its end.
static void test_connection(void **state)
{
	(void)state;
	sb_start(0, 0);
	sb_send(0, SB_CID(1), VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	sb_expect(0, SB_CID(1), VIRTIO_VSOCK_OP_RST);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[0]), 0);
	sb_start(1, 0);
	sb_connect();
	assert_int_equal(vvirtio_vsock_connections(vb_vm[0]), 1);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[1]), 1);
	sb_send(0, SB_CID(1), VIRTIO_VSOCK_OP_RST, NULL, 0);
	sb_expect(1, SB_CID(0), VIRTIO_VSOCK_OP_RST);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[0]), 0);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[1]), 0);
}

// A receiver without buffers: its sender waits, and nothing is lost or out of order.
static void test_backpressure(void **state)
{
	(void)state;
	const struct virtio_vsock_header header =
	        sb_header(0, SB_CID(1), VIRTIO_VSOCK_OP_RW, 10000);
	struct sb_socket *b;

	sb_start(0, 0);
	b = sb_start_with(1, 0, 4096, 2);
	sb_queue(0, &header, bytes, 10000);
	sb_queue(0, &header, bytes, 10000);
	vb_notify(&sb_on(0)->drv, VIRTIO_VSOCK_TX);
	sb_pass_us(500000);
	assert_false(sb_sent(0)); // two of its three pieces are there
	uint32_t got = 0;
	for (unsigned i = 0; i < 6; i++) {
		assert_true(sb_take(1, false));
		assert_memory_equal(sb_got.bytes, bytes + got, sb_got.header.length);
		got = (got + sb_got.header.length) % 10000;
		if (i != 0) {
			sb_nothing(1);
			sb_on(1);
			sb_give_buffer(b);
			sb_pass_us(2000);
		}
	}
	assert_int_equal(got, 0);
	assert_true(sb_sent(0));
	assert_true(sb_sent(0));
	assert_int_equal(vb_logs, 0);
}

// One that takes nothing for two seconds: its connections end on both sides, and it can begin anew.
static void test_cut(void **state)
{
	(void)state;
	uint16_t id;
	uint32_t written;

	sb_start(0, 0);
	struct sb_socket *b = sb_start_with(1, 0, 4096, 2);
	sb_connect();
	assert_true(vb_used(&sb_on(1)->drv, VIRTIO_VSOCK_RX, &id, &written) == false);
	const struct virtio_vsock_header header = sb_header(0, SB_CID(1), VIRTIO_VSOCK_OP_RW, 9000);
	sb_queue(0, &header, bytes, 9000);
	vb_notify(&sb_on(0)->drv, VIRTIO_VSOCK_TX);
	sb_pass_us(1900000);
	assert_false(sb_sent(0));
	assert_int_equal(vb_logs, 0);
	sb_pass_us(300000);
	assert_true(sb_sent(0));
	assert_int_equal(vb_logs, 1);
	sb_expect(0, SB_CID(1),
	          VIRTIO_VSOCK_OP_RST); // the connection, or the packet: whichever is first
	while (sb_take(0, true))
		assert_int_equal(sb_got.header.op, VIRTIO_VSOCK_OP_RST);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[0]), 0);
	assert_int_equal(vvirtio_vsock_connections(vb_vm[1]), 0);
	sb_on(1);
	assert_false(vb_used(&b->drv, VIRTIO_VSOCK_EVENT, &id, &written));
	// It sends, and is not heard.
	sb_send(1, SB_CID(0), VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	sb_nothing(0);
	// Buffers: the news, and it is open again.
	assert_true(sb_take(1, false));
	assert_true(sb_take(1, true));
	sb_pass_us(1000);
	sb_on(1);
	assert_true(vb_used(&b->drv, VIRTIO_VSOCK_EVENT, &id, &written));
	assert_int_equal(written, 4);
	assert_int_equal(vb_get32(VB_HEAP + MIB(3)), VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	sb_connect();
}

// The other end resets its device, or breaks it, or its VM ends: whoever was connected to it hears it, buffers or not.
static void test_other_ends(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		sb_start(0, 0);
		sb_start(1, 0);
		for (unsigned i = 0; i < 5; i++) {
			struct virtio_vsock_header header =
			        sb_header(0, SB_CID(1), VIRTIO_VSOCK_OP_REQUEST, 0);
			header.src_port = 5000 + i;
			sb_send_as(0, &header, NULL, 0);
			sb_expect(1, SB_CID(0), VIRTIO_VSOCK_OP_REQUEST);
		}
		sb_connect();
		assert_int_equal(vvirtio_vsock_connections(vb_vm[0]), 6);
		sb_on(1);
		if (how == 0)
			vb_write(0, VIRTIO_MMIO_STATUS, 0);
		else if (how == 1)
			assert_true(vvirtio_quiet(vm));
		else { // its ring leads nowhere
			vb_put16(sb_socket[1].drv.ring[1].driver + 4 +
			                 sb_socket[1].drv.ring[1].avail % SB_RING * 2,
			         9999);
			vb_put16(sb_socket[1].drv.ring[1].driver + 2,
			         (uint16_t)(sb_socket[1].drv.ring[1].avail + 1));
			vb_notify(&sb_socket[1].drv, 1);
			assert_true((vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET) != 0);
		}
		sb_pass_us(1000);
		uint32_t ports = 0;
		for (unsigned i = 0; i < 6; i++) {
			sb_expect(0, SB_CID(1), VIRTIO_VSOCK_OP_RST);
			assert_int_equal(sb_got.header.src_port, 2000);
			ports += sb_got.header.dst_port;
		}
		assert_int_equal(ports, 5000 * 5 + 10 + 1000);
		sb_nothing(0);
		assert_int_equal(vvirtio_vsock_connections(vb_vm[0]), 0);
	}
}

// So many connections, and no more; what was not answered gives way.
static void test_many(void **state)
{
	(void)state;
	struct virtio_vsock_header header = sb_header(0, SB_CID(1), VIRTIO_VSOCK_OP_REQUEST, 0);

	sb_start(0, 0);
	sb_start(1, 0);
	for (unsigned i = 0; i < 1000; i++) {
		header.src_port = 10000 + i;
		sb_send_as(0, &header, NULL, 0);
		sb_expect(1, SB_CID(0), VIRTIO_VSOCK_OP_REQUEST);
		assert_true(vvirtio_vsock_connections(vb_vm[0]) <= VSOCK_LINKS);
		if (i < VSOCK_LINKS)
			continue;
		struct virtio_vsock_header answer =
		        sb_header(1, SB_CID(0), VIRTIO_VSOCK_OP_RESPONSE, 0);
		answer.src_port = 2000;
		answer.dst_port = 10000 + i;
		sb_send_as(1, &answer, NULL, 0);
		sb_expect(0, SB_CID(1), VIRTIO_VSOCK_OP_RESPONSE);
		if (i == 2 * VSOCK_LINKS - 1)
			break;
	}
	header.src_port = 7;
	sb_send_as(0, &header, NULL, 0);
	sb_expect(0, SB_CID(1), VIRTIO_VSOCK_OP_RST);
	sb_nothing(1);
	// The first ones are forgotten: an answer to one of them is refused.
	struct virtio_vsock_header answer = sb_header(1, SB_CID(0), VIRTIO_VSOCK_OP_RESPONSE, 0);
	answer.src_port = 2000;
	answer.dst_port = 10000;
	sb_send_as(1, &answer, NULL, 0);
	sb_expect(1, SB_CID(0), VIRTIO_VSOCK_OP_RST);
}

// Receive buffers that nothing fits in: the device is broken, and only that.
static void test_bad_buffers(void **state)
{
	(void)state;
	static const uint32_t sizes[] = {1, 43, 44};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		sb_start(0, 0);
		sb_start_with(1, 0, sizes[i], 8);
		sb_send(0, SB_CID(1), VIRTIO_VSOCK_OP_RW, bytes, 100);
		sb_pass_us(1000);
		sb_on(1);
		assert_true((vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET) != 0);
		assert_non_null(strstr(vb_log, "has a buffer with no room for a packet"));
		sb_expect(0, SB_CID(1), VIRTIO_VSOCK_OP_RST);
		sb_on(0);
		assert_int_equal(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET, 0);
	}
	// One in more pieces than anybody needs.
	struct vb_segment pieces[17];
	for (unsigned i = 0; i < ARRAY_SIZE(pieces); i++)
		pieces[i] = (struct vb_segment){VB_HEAP + i * 64, 64, true};
	struct sb_socket *b = sb_start_with(1, 0, 4096, 0);
	vb_add(&b->drv, VIRTIO_VSOCK_RX, pieces, ARRAY_SIZE(pieces));
	sb_send(0, SB_CID(1), VIRTIO_VSOCK_OP_RW, bytes, 100);
	sb_pass_us(1000);
	assert_non_null(strstr(vb_log, "in more than 16 pieces"));
}

// A driver that has no receive buffer itself waits with what it sends until it can be answered.
static void test_own_buffers(void **state)
{
	(void)state;
	struct sb_socket *a = sb_start_with(0, VIRTIO_F_EVENT_IDX, 4096, 0);
	const struct virtio_vsock_header header = sb_header(0, 77, VIRTIO_VSOCK_OP_REQUEST, 0);

	for (unsigned i = 0; i < 3; i++)
		sb_queue(0, &header, NULL, 0);
	vb_notify(&sb_on(0)->drv, VIRTIO_VSOCK_TX);
	sb_pass_us(10000);
	assert_false(sb_sent(0));
	for (unsigned i = 0; i < 3; i++) {
		sb_on(0);
		sb_give_buffer(a);
		vb_notify(&a->drv, VIRTIO_VSOCK_RX);
		sb_pass_us(100);
		assert_true(sb_sent(0));
		assert_true(sb_take(0, false));
		assert_int_equal(sb_got.header.op, VIRTIO_VSOCK_OP_RST);
	}
	assert_int_equal(vb_logs, 0);
}

// ---- to the shell ----

static void connect_shell(uint32_t port)
{
	struct virtio_vsock_header header = sb_header(0, 2, VIRTIO_VSOCK_OP_REQUEST, 0);
	header.src_port = port;
	sb_send_as(0, &header, NULL, 0);
}

static void say(const char *text)
{
	sb_send(0, 2, VIRTIO_VSOCK_OP_RW, text, (uint32_t)strlen(text));
}

static void answered(const char *text)
{
	sb_service.text = text;
	vvirtio_vsock_answered(sb_service.caller);
	sb_pass_us(1000);
}

static void expect_text(const char *text)
{
	sb_expect(0, 2, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(sb_got.header.length, strlen(text));
	assert_memory_equal(sb_got.bytes, text, strlen(text));
}

static void test_shell(void **state)
{
	(void)state;
	sb_start(0, 0);
	sb_start(1, 0);
	// Nobody but who is trusted, and at the one port alone.
	sb_send(1, 2, VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	sb_expect(1, 2, VIRTIO_VSOCK_OP_RST);
	struct virtio_vsock_header header = sb_header(0, 2, VIRTIO_VSOCK_OP_REQUEST, 0);
	header.dst_port = VSOCK_SHELL_PORT + 1;
	sb_send_as(0, &header, NULL, 0);
	sb_expect(0, 2, VIRTIO_VSOCK_OP_RST);

	connect_shell(1000);
	sb_expect(0, 2, VIRTIO_VSOCK_OP_RESPONSE);
	assert_int_equal(sb_got.header.src_port, VSOCK_SHELL_PORT);
	assert_int_equal(sb_got.header.buf_alloc, 1024);
	say("v");
	assert_int_equal(sb_service.calls, 0);
	say("m\r\n\n\ninfo a\nxy");
	assert_int_equal(sb_service.calls, 1);
	assert_string_equal(sb_service.line, "vm");
	sb_nothing(0);
	answered("{\"vms\":[]}");
	expect_text("{\"vms\":[]}");
	expect_text("\n");
	assert_int_equal(sb_got.header.fwd_cnt, 4); // what is behind it was not looked at yet
	assert_int_equal(sb_service.calls, 2);
	assert_string_equal(sb_service.line, "info a");
	answered("{}");
	expect_text("{}");
	expect_text("\n");
	// It sends no more: what it has sent is a line, and then the connection ends.
	header = sb_header(0, 2, VIRTIO_VSOCK_OP_SHUTDOWN, 0);
	header.flags = VIRTIO_VSOCK_SHUTDOWN_SEND;
	sb_send_as(0, &header, NULL, 0);
	assert_int_equal(sb_service.calls, 3);
	assert_string_equal(sb_service.line, "xy");
	answered("{1}");
	expect_text("{1}");
	expect_text("\n");
	sb_expect(0, 2, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(sb_got.header.flags, 3);
	sb_send(0, 2, VIRTIO_VSOCK_OP_RST, NULL, 0);
	sb_nothing(0);
	sb_send(0, 2, VIRTIO_VSOCK_OP_RW, "x", 1);
	sb_expect(0, 2, VIRTIO_VSOCK_OP_RST);
	assert_int_equal(vb_logs, 0);
	assert_int_equal(sb_service.aborts, 0);
}

// The guest's credit, and lies about it.
static void test_shell_credit(void **state)
{
	(void)state;
	struct virtio_vsock_header header = sb_header(0, 2, VIRTIO_VSOCK_OP_REQUEST, 0);

	sb_start(0, 0);
	header.buf_alloc = 4;
	header.fwd_cnt = 0;
	sb_send_as(0, &header, NULL, 0);
	sb_expect(0, 2, VIRTIO_VSOCK_OP_RESPONSE);
	header = sb_header(0, 2, VIRTIO_VSOCK_OP_RW, 3);
	header.buf_alloc = 4;
	sb_send_as(0, &header, "vm\n", 3);
	answered("0123456789");
	expect_text("0123");
	sb_nothing(0);
	// It says that it took more than it was sent, or has less room than is under way: nothing goes.
	static const uint32_t lies[][2] = {{5, 4}, {0xffffffff, 4}, {0, 3}, {0, 4}, {3, 0}};
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		header = sb_header(0, 2, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
		header.fwd_cnt = lies[i][0];
		header.buf_alloc = lies[i][1];
		sb_send_as(0, &header, NULL, 0);
		sb_nothing(0);
	}
	header.fwd_cnt = 2;
	header.buf_alloc = 4;
	sb_send_as(0, &header, NULL, 0);
	expect_text("45");
	header.fwd_cnt = 6;
	header.buf_alloc = 0xffffffff;
	sb_send_as(0, &header, NULL, 0);
	expect_text("6789");
	expect_text("\n");
	// What it asks for, and more than it was given.
	header.op = VIRTIO_VSOCK_OP_CREDIT_REQUEST;
	sb_send_as(0, &header, NULL, 0);
	sb_expect(0, 2, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(sb_got.header.fwd_cnt, 3);
	sb_service.busy = true;
	memset(bytes, 'a', sizeof bytes);
	bytes[10] = '\n';
	sb_send(0, 2, VIRTIO_VSOCK_OP_RW, bytes, 1024);
	while (sb_take(0, true))
		assert_int_equal(sb_got.header.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	sb_send(0, 2, VIRTIO_VSOCK_OP_RW, bytes, 1024);
	sb_expect(0, 2, VIRTIO_VSOCK_OP_RST);
	assert_int_equal(vb_logs, 1);
}

// A line that has no end takes no more than a line's place, and says so when it ends.
static void test_shell_long_line(void **state)
{
	(void)state;
	sb_start(0, 0);
	connect_shell(1000);
	sb_expect(0, 2, VIRTIO_VSOCK_OP_RESPONSE);
	memset(bytes, 'a', sizeof bytes);
	for (unsigned i = 0; i < 20; i++) { // 10,000 bytes without an end
		sb_send(0, 2, VIRTIO_VSOCK_OP_RW, bytes, 500);
		while (sb_take(0, true))
			assert_int_equal(sb_got.header.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	}
	assert_int_equal(sb_got.header.fwd_cnt > 9000, 1);
	say("\n");
	assert_int_equal(sb_service.calls, 1);
	assert_true(sb_service.length >= 128 && sb_service.length < 512);
}

// So many connections, and RST beyond. They come back when they end, when the driver asks anew, and with the device.
static void test_shell_limit(void **state)
{
	(void)state;
	sb_start(0, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t port = 1; port <= 10; port++) {
			connect_shell(port);
			sb_expect(0, 2, port <= 2 ? VIRTIO_VSOCK_OP_RESPONSE : VIRTIO_VSOCK_OP_RST);
		}
		struct virtio_vsock_header header = sb_header(0, 2, VIRTIO_VSOCK_OP_RW, 3);
		header.src_port = 1;
		sb_send_as(0, &header, "vm\n", 3);
		assert_int_equal(sb_service.calls, round + 1);
		if (round == 0) { // it goes away in the middle of its command
			header.op = VIRTIO_VSOCK_OP_SHUTDOWN;
			header.flags = 3;
			sb_send_as(0, &header, NULL, 0);
			sb_expect(0, 2, VIRTIO_VSOCK_OP_RST);
			header.src_port = 2;
			sb_send_as(0, &header, NULL, 0);
			sb_expect(0, 2, VIRTIO_VSOCK_OP_RST);
		} else if (round == 1) {
			sb_start(0, 0);
		} else {
			assert_true(vvirtio_quiet(vb_vm[0]));
		}
		assert_int_equal(sb_service.aborts, round + 1);
	}
	assert_int_equal(vb_logs, 0);
}

// One that is cut off loses its connections to the shell as well, gets none before it is open again, and leaves none behind.
static void test_shell_cut(void **state)
{
	(void)state;
	const struct virtio_vsock_header header = sb_header(1, SB_CID(0), VIRTIO_VSOCK_OP_RW, 9000);

	sb_start(1, 0);
	sb_start_with(0, 0, 4096, 3);
	connect_shell(1000);
	assert_true(sb_take(0, false));
	assert_int_equal(sb_got.header.op, VIRTIO_VSOCK_OP_RESPONSE);
	say("vm\n");
	assert_int_equal(sb_service.calls, 1);
	sb_queue(1, &header, bytes, 9000);
	vb_notify(&sb_on(1)->drv, VIRTIO_VSOCK_TX);
	sb_pass_us(2200000);
	assert_true(sb_sent(1));
	assert_int_equal(sb_service.aborts, 1);
	connect_shell(1001);
	assert_true(vvirtio_quiet(vb_vm[0]));
	sb_start(0, 0);
	for (uint32_t port = 1; port <= 2; port++) {
		connect_shell(port);
		sb_expect(0, 2, VIRTIO_VSOCK_OP_RESPONSE);
	}
	sb_nothing(0);
}

// A guest that asks without end: it is refused, without memory, and what it costs is bounded by its own purse.
static void test_flood(void **state)
{
	(void)state;
	struct pages_count before = {0};
	struct virtio_vsock_header header = sb_header(0, 2, VIRTIO_VSOCK_OP_REQUEST, 0);

	sb_start(0, 0);
	sb_start(1, 0);
	sb_connect();
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned k = 0; k < 16; k++) {
			header.src_port = i * 16 + k;
			header.dst_cid = k % 2 == 0 ? 2 : SB_CID(1);
			sb_queue(0, &header, NULL, 0);
		}
		if (i == 50) // its own memory was touched
			before = pages_counts();
		vb_notify(&sb_on(0)->drv, VIRTIO_VSOCK_TX);
		// Not all of them at once: each costs hundreds of instructions.
		unsigned at_once = 0;
		while (sb_sent(0))
			at_once++;
		assert_true(at_once > 0 && (at_once < 16 || i < 50));
		for (unsigned k = at_once; k < 16;) {
			sb_pass_us(500);
			while (sb_sent(0))
				k++;
			while (sb_take(0, true) || sb_take(1, true))
				;
		}
		while (sb_take(0, true) || sb_take(1, true))
			;
	}
	assert_int_equal(before.free, pages_counts().free);
	assert_int_equal(vb_logs, 0);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, sb_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_configuration, one_group), TEST(test_streams, one_group),
	        TEST(test_headers, one_group),       TEST(test_no_group, no_group),
	        TEST(test_connection, one_group),    TEST(test_backpressure, one_group),
	        TEST(test_cut, one_group),           TEST(test_other_ends, one_group),
	        TEST(test_many, one_group),          TEST(test_bad_buffers, one_group),
	        TEST(test_own_buffers, one_group),   TEST(test_shell, one_group),
	        TEST(test_shell_credit, one_group),  TEST(test_shell_long_line, one_group),
	        TEST(test_shell_limit, one_group),   TEST(test_flood, one_group),
	        TEST(test_shell_cut, one_group),
	};
	return cmocka_run_group_tests(tests, vb_open, NULL);
}
