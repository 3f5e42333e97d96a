// SPDX-License-Identifier: Apache-2.0
// A bench for sockets: the two VMs of virtio_bench.h with contexts 3 and 4, a driver's side for each, and a service on
// context 2 that a test looks into. Included once by a test.
#ifndef VSOCK_BENCH_H
#define VSOCK_BENCH_H

#include "virtio_bench.h"

#include "arm/cpu.h"
#include "vdev/vvirtio_vsock.h"

#define SB_RING    64
#define SB_CID(n)  ((n) + 3U)
#define SB_LARGEST 65536U
#define SB_TX      (VB_HEAP + MIB(1))

struct sb_socket {
	struct vb_driver drv;
	uint32_t size;    // of a receive buffer
	uint64_t at[256]; // where the receive buffer of an id is
	unsigned next, sent;
};
static struct sb_socket sb_socket[VB_VMS];

// A packet that arrived.
static struct {
	struct virtio_vsock_header header;
	uint8_t bytes[SB_LARGEST];
} sb_got;

struct vm *vm_by_id(uint32_t id)
{
	return id - 1 < VB_VMS ? vb_vm[id - 1] : NULL;
}

// ---- the service ----

static struct {
	char line[512];
	size_t length;
	unsigned calls, aborts, caller;
	bool busy;        // it takes no line
	const char *text; // of the answer that was not taken yet
	bool endless;
} sb_service;

static bool sb_call(unsigned caller, const char *line, size_t length)
{
	if (sb_service.busy)
		return false;
	assert_true(length < sizeof sb_service.line);
	memcpy(sb_service.line, line, length);
	sb_service.line[length] = '\0';
	sb_service.length = length;
	sb_service.caller = caller;
	sb_service.text = NULL;
	sb_service.calls++;
	return true;
}
static uint32_t sb_answer(unsigned caller, uint8_t *bytes, uint32_t most)
{
	uint32_t n = 0;
	(void)caller;
	for (; n < most && sb_service.text != NULL && *sb_service.text != '\0'; n++)
		bytes[n] = (uint8_t)*sb_service.text++;
	return n;
}
static bool sb_complete(unsigned caller)
{
	(void)caller;
	return sb_service.text != NULL && !sb_service.endless;
}
static void sb_abort(unsigned caller)
{
	(void)caller;
	sb_service.aborts++;
	sb_service.text = NULL;
}
static const struct vsock_service sb_ops = {sb_call, sb_answer, sb_complete, sb_abort};

// ---- the VMs ----

// Both are in `group`; the first is trusted.
UNUSED static void sb_setup(uint32_t group)
{
	void *state = NULL;

	vb_setup(&state);
	memset(sb_socket, 0, sizeof sb_socket);
	memset(&sb_service, 0, sizeof sb_service);
	vvirtio_vsock_serve(&sb_ops);
	for (unsigned n = 0; n < VB_VMS; n++) {
		struct vm *v = vb_vm[n];
		v->socket.cid = SB_CID(n);
		v->socket.group = group;
		v->socket.manages = n == 0;
		assert_int_equal(vvirtio_vsock_create(v), 0);
		vvirtio_reset_all(v);
	}
}

UNUSED static int sb_teardown(void **state)
{
	for (unsigned n = 0; n < VB_VMS; n++) {
		assert_true(vvirtio_quiet(vb_vm[n]));
		vvirtio_vsock_destroy(vb_vm[n]);
	}
	return vb_teardown(state);
}

static struct sb_socket *sb_on(unsigned n)
{
	vm = vb_vm[n];
	cpu_this()->vcpu = vm->vcpu[0];
	return &sb_socket[n];
}

// Time goes on for both.
UNUSED static void sb_pass_us(uint64_t us)
{
	const uint64_t step = us / 50 > 500 ? us / 50 : 500;
	for (uint64_t done = 0; done < us; done += step) {
		uint64_t now = vb_now;
		for (unsigned n = 0; n < VB_VMS; n++) {
			sb_on(n);
			vb_now = now;
			vb_pass_us(step);
		}
	}
}

// ---- drivers ----

static void sb_give_buffer(struct sb_socket *s)
{
	const uint64_t at = VB_HEAP + (uint64_t)(s->next++ % SB_RING) * KIB(8);
	const struct vb_segment segment = {at, s->size, true};
	s->at[vb_add(&s->drv, 0, &segment, 1) % 256] = at;
}

// A driver begins, with `buffers` receive buffers of `size` bytes, at most 8 KiB each, and some for events.
static struct sb_socket *sb_start_with(unsigned n, uint64_t features, uint32_t size,
                                       unsigned buffers)
{
	struct sb_socket *s = sb_on(n);
	const struct vb_segment event = {VB_HEAP + MIB(3), 4, true};

	*s = (struct sb_socket){.size = size};
	vb_begin(&s->drv, 0, VIRTIO_VSOCK, features | VIRTIO_VSOCK_F_STREAM);
	for (unsigned i = 0; i < VIRTIO_VSOCK_QUEUES; i++)
		vb_queue(&s->drv, i, SB_RING, 0);
	for (unsigned i = 0; i < buffers; i++)
		sb_give_buffer(s);
	vb_put32(VB_HEAP + MIB(3), 0x55555555);
	vb_add(&s->drv, VIRTIO_VSOCK_EVENT, &event, 1);
	vb_go(&s->drv);
	vb_notify(&s->drv, 0);
	vb_notify(&s->drv, 2);
	return s;
}
UNUSED static struct sb_socket *sb_start(unsigned n, uint64_t features)
{
	return sb_start_with(n, features, 4096, SB_RING);
}

static struct virtio_vsock_header sb_header(unsigned n, uint32_t to, uint16_t op, uint32_t length)
{
	return (struct virtio_vsock_header){
	        .src_cid = SB_CID(n),
	        .dst_cid = to,
	        .src_port = 1000,
	        .dst_port = to == 2 ? VSOCK_SHELL_PORT : 2000,
	        .length = length,
	        .type = VIRTIO_VSOCK_TYPE_STREAM,
	        .op = op,
	        .buf_alloc = 262144,
	};
}

// Queues a packet whose data is cut in two.
static void sb_queue(unsigned n, const struct virtio_vsock_header *header, const void *bytes,
                     uint32_t size)
{
	struct sb_socket *s = sb_on(n);
	const uint64_t at = SB_TX + (s->sent++ % 8) * KIB(80);
	const struct vb_segment segments[] = {{at, 20, false},
	                                      {at + 20, 24 + size / 2, false},
	                                      {at + 44 + size / 2, size - size / 2, false}};

	vb_put(at, header, VIRTIO_VSOCK_HEADER);
	vb_put(at + VIRTIO_VSOCK_HEADER, bytes, size);
	vb_add(&s->drv, VIRTIO_VSOCK_TX, segments, 3);
}

// Whether a packet came back from the transmit queue.
static bool sb_sent(unsigned n)
{
	uint16_t id;
	uint32_t written;
	return vb_used(&sb_on(n)->drv, VIRTIO_VSOCK_TX, &id, &written);
}

UNUSED static void sb_send_as(unsigned n, const struct virtio_vsock_header *header,
                              const void *bytes, uint32_t size)
{
	sb_queue(n, header, bytes, size);
	vb_notify(&sb_on(n)->drv, VIRTIO_VSOCK_TX);
	for (unsigned i = 0; i < 100 && !sb_sent(n); i++)
		sb_pass_us(500);
	sb_on(n);
}
UNUSED static void sb_send(unsigned n, uint32_t to, uint16_t op, const void *bytes, uint32_t size)
{
	const struct virtio_vsock_header header = sb_header(n, to, op, size);
	sb_send_as(n, &header, bytes, size);
}

// Takes the next packet out of a driver's buffers, and gives the buffer back if `again`.
static bool sb_take(unsigned n, bool again)
{
	struct sb_socket *s = sb_on(n);
	uint16_t id;
	uint32_t written;

	if (!vb_used(&s->drv, VIRTIO_VSOCK_RX, &id, &written))
		return false;
	assert_true(written >= VIRTIO_VSOCK_HEADER && written <= s->size);
	vb_get(s->at[id % 256], &sb_got.header, VIRTIO_VSOCK_HEADER);
	assert_int_equal(sb_got.header.length, written - VIRTIO_VSOCK_HEADER);
	vb_get(s->at[id % 256] + VIRTIO_VSOCK_HEADER, sb_got.bytes, sb_got.header.length);
	if (again) {
		sb_give_buffer(s);
		vb_notify(&s->drv, VIRTIO_VSOCK_RX);
	}
	return true;
}
UNUSED static void sb_nothing(unsigned n)
{
	assert_false(sb_take(n, true));
}
// The next packet is this one, from port `from` of a context.
static void sb_expect(unsigned n, uint32_t cid, uint16_t op)
{
	assert_true(sb_take(n, true));
	assert_int_equal(sb_got.header.op, op);
	assert_int_equal(sb_got.header.src_cid, cid);
	assert_int_equal(sb_got.header.dst_cid, SB_CID(n));
	assert_int_equal(sb_got.header.type, VIRTIO_VSOCK_TYPE_STREAM);
}

// From port 1000 of the first VM to port 2000 of the second.
UNUSED static void sb_connect(void)
{
	sb_send(0, SB_CID(1), VIRTIO_VSOCK_OP_REQUEST, NULL, 0);
	sb_expect(1, SB_CID(0), VIRTIO_VSOCK_OP_REQUEST);
	struct virtio_vsock_header answer = sb_header(1, SB_CID(0), VIRTIO_VSOCK_OP_RESPONSE, 0);
	answer.src_port = 2000;
	answer.dst_port = 1000;
	sb_send_as(1, &answer, NULL, 0);
	sb_expect(0, SB_CID(1), VIRTIO_VSOCK_OP_RESPONSE);
}

#endif
