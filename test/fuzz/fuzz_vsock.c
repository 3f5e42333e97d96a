// SPDX-License-Identifier: Apache-2.0
// Two drivers of sockets in one group, of which one is trusted: packets with any header, to each other and to the shell's
// service, rings with anything in them, resets in the middle. Whatever they do, nothing is reached but their own memory,
// what comes out of a receive buffer is a whole packet, and both can begin anew.
#include "unit_test.h"

#include "vsock_bench.h"

void fuzz_setup(void)
{
	void *state = NULL;
	fuzz_asserts_abort();
	vb_open(&state);
	sb_setup(1);
}

// A packet that is good but for some bytes of it.
static void send_packet(struct fuzz_in *in, unsigned n)
{
	static uint8_t bytes[SB_LARGEST];
	uint8_t kind = fuzz_u8(in), op = fuzz_u8(in);
	uint32_t size = (kind & 1) != 0 ? fuzz_below(in, 60000) : fuzz_below(in, 200);
	struct virtio_vsock_header header =
	        sb_header(n, (kind & 2) != 0 ? 2 : SB_CID(1 - n), op % VIRTIO_VSOCK_OPS, size);

	header.src_port = 1000 + fuzz_below(in, 8);
	if ((kind & 2) == 0)
		header.dst_port = 1000 + fuzz_below(in, 8);
	header.flags = op / VIRTIO_VSOCK_OPS;
	for (unsigned i = kind >> 6; i > 0; i--)
		((uint8_t *)&header)[fuzz_below(in, VIRTIO_VSOCK_HEADER)] = fuzz_u8(in);
	memset(bytes, (kind & 4) != 0 ? '\n' : 'a', size);
	sb_queue(n, &header, bytes, size);
	vb_notify(&sb_on(n)->drv, VIRTIO_VSOCK_TX);
}

// What is there, as long as its own rings are in order; it is no matter of this test what a driver reads in others.
static void receive(unsigned n, uint8_t what)
{
	struct sb_socket *s = sb_on(n);
	uint16_t id;
	uint32_t written;

	for (unsigned i = 0; i < 8 && vb_used(&s->drv, VIRTIO_VSOCK_RX, &id, &written); i++)
		if ((what & 0x40) == 0)
			sb_give_buffer(s);
	if (s->next < 1000)
		vb_notify(&s->drv, VIRTIO_VSOCK_RX);
	while (vb_used(&s->drv, VIRTIO_VSOCK_TX, &id, &written))
		;
}

static void step(struct fuzz_in *in)
{
	static const char *const answers[] = {NULL, "", "{}", "{\"long\": \"answer\"}"};
	uint8_t what = fuzz_u8(in);
	unsigned n = what >> 7;
	struct sb_socket *s = sb_on(n);

	switch (what % 8) {
	case 0:
	case 1: send_packet(in, n); break;
	case 2: // anything in a ring
		vb_put16(s->drv.ring[(what >> 3) % 3].desc + fuzz_below(in, 1024) * 2U,
		         fuzz_u16(in));
		break;
	case 3: receive(n, what); break;
	case 4:
		vb_access(0, fuzz_below(in, 0x110) & ~3U, 4, true, fuzz_u32(in));
		vm->vcpu[0]->repeat = false;
		break;
	case 5: // now and then longer than a receiver may take nothing
		sb_pass_us(what == 0x7d ? 2200000 : fuzz_u8(in) * 20U);
		break;
	case 6:
		if ((what & 0x40) != 0) {
			sb_start_with(n, fuzz_u64(in) & (VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX),
			              fuzz_below(in, 8192) + 1, fuzz_below(in, SB_RING));
			break;
		}
		sb_service.busy = (what & 8) != 0;
		sb_service.endless = (what & 16) != 0;
		sb_service.text = answers[fuzz_below(in, ARRAY_SIZE(answers))];
		vvirtio_vsock_answered(fuzz_below(in, VSOCK_SERVED));
		break;
	default: vb_notify(&s->drv, (what >> 3) % 4); break;
	}
	while (vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS) != 0)
		vb_write(0, VIRTIO_MMIO_INTERRUPT_ACK, vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};

	vb_now += 1000 * VB_HZ;
	memset(&sb_service, 0, sizeof sb_service);
	sb_start(0, 0);
	sb_start(1, fuzz_u64(&in) & (VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX));
	sb_connect();
	for (unsigned i = 0; i < 200 && fuzz_more(&in); i++)
		step(&in);
	// Nobody is stuck: both begin anew, and reach each other.
	sb_start(0, 0);
	sb_start(1, 0);
	sb_connect();
	for (unsigned n = 0; n < VB_VMS; n++) {
		assert_true(vvirtio_quiet(vb_vm[n]));
		assert_int_equal(vvirtio_vsock_connections(vb_vm[n]), 0);
	}
}
