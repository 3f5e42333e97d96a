// SPDX-License-Identifier: Apache-2.0
// Two VMs that connect and send to each other and to the shell at once, each from a thread of its own, while their drivers
// reset their devices, break their rings, have no buffers, and acknowledge interrupts. Nobody waits for ever, nobody writes
// to a VM that has let go of its memory, and when all is over neither knows a connection any more.
//   test_vvirtio_vsock_threads [rounds]
#include "two_threads.h"

#include "vsock_bench.h"

static uint32_t arrived[VB_VMS];

static void one(unsigned n, uint64_t *seed)
{
	static uint8_t bytes[VB_VMS][5000];
	static const uint16_t ops[] = {VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RESPONSE,
	                               VIRTIO_VSOCK_OP_RST,     VIRTIO_VSOCK_OP_SHUTDOWN,
	                               VIRTIO_VSOCK_OP_RW,      VIRTIO_VSOCK_OP_RW};
	struct sb_socket *s = sb_on(n);
	uint16_t op = ops[any(seed, ARRAY_SIZE(ops))], id;
	uint32_t written, size = op == VIRTIO_VSOCK_OP_RW ? any(seed, 5000) : 0;
	struct virtio_vsock_header header =
	        sb_header(n, any(seed, 4) == 0 ? 2 : SB_CID(1 - n), op, size);

	if (header.dst_cid != 2) {
		header.src_port = 1 + any(seed, 30);
		header.dst_port = 1 + any(seed, 30);
	}
	sb_queue(n, &header, bytes[n], size);
	vb_notify(&s->drv, VIRTIO_VSOCK_TX);
	while (vb_used(&s->drv, VIRTIO_VSOCK_TX, &id, &written))
		;
	while (vb_used(&s->drv, VIRTIO_VSOCK_RX, &id, &written)) {
		if (written < VIRTIO_VSOCK_HEADER || written > s->size)
			abort();
		arrived[n]++;
		sb_give_buffer(s);
		vb_notify(&s->drv, VIRTIO_VSOCK_RX);
	}
	vb_write(0, VIRTIO_MMIO_INTERRUPT_ACK, vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS));
}

static void *play(void *argument)
{
	unsigned n = (unsigned)(uintptr_t)argument;
	uint64_t seed = n + 1;

	fake_run_on(n);
	sb_start(n, n == 0 ? VIRTIO_F_RING_PACKED : 0);
	for (unsigned round = 0; round < rounds; round++) {
		keep_step(n, round);
		switch (any(&seed, 200)) {
		case 0: sb_start(n, any(&seed, 2) == 0 ? 0 : VIRTIO_F_RING_PACKED); break;
		case 1: // its ring leads nowhere
			sb_on(n);
			vb_put16(sb_socket[n].drv.ring[0].driver + 4, 9999);
			break;
		case 2: // it ends: from here on nobody touches its memory
			if (!vvirtio_quiet(vb_vm[n]))
				abort();
			look_at_memory(VB_HEAP, KIB(512));
			sb_start(n, 0);
			break;
		case 3: sb_start_with(n, 0, 4096, 2); break;
		default: one(n, &seed);
		}
		sb_on(n);
		if (any(&seed, 8) == 0) // as time goes on
			vvirtio_wake(vm->virtio->slot[0], BIT_U32(VIRTIO_VSOCK_TX));
		alarm_expire(vm);
		if ((vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET) != 0)
			sb_start(n, 0);
	}
	keep_step(n, rounds);
	return NULL;
}

static void test_all_at_once(void **state)
{

	(void)state;
	play_both(play);
	print_message("%u and %u packets arrived\n", arrived[0], arrived[1]);
	assert_true(arrived[0] > rounds / 20 && arrived[1] > rounds / 20);
	for (unsigned n = 0; n < VB_VMS; n++) {
		assert_true(vvirtio_quiet(vb_vm[n]));
		assert_int_equal(vvirtio_vsock_connections(vb_vm[n]), 0);
		assert_false(vb_line[n][0]);
	}
	// What is left works.
	sb_start(0, 0);
	sb_start(1, 0);
	sb_connect();
}

static int setup(void **state)
{
	(void)state;
	sb_setup(1);
	return 0;
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? (unsigned)atoi(argv[1]) : rounds;
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_all_at_once, setup, sb_teardown),
	};
	return cmocka_run_group_tests(tests, vb_open, NULL);
}
