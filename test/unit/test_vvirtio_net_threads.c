// SPDX-License-Identifier: Apache-2.0
// Two VMs that send to each other at once, each from a thread of its own, while their drivers reset their devices, break
// their rings, are told to be quiet, and acknowledge interrupts. Nobody waits for ever, nobody writes to a VM that has
// let go of its memory, and when all is over the line of each device is as its status says.
//   test_vvirtio_net_threads [rounds]
#include "two_threads.h"

#include "net_bench.h"

static void one(unsigned n, uint64_t *seed)
{
	static uint8_t frames[VB_VMS][2000];
	uint8_t *frame = frames[n];
	struct virtio_net_header header = {0};
	struct nb_nic *nic = nb_on(n);
	uint16_t id;
	uint32_t written, size = 60 + any(seed, 1400);

	nb_make(frame, NB_MAC(1 - n), NB_MAC(n), 0x88b5, size);
	nb_queue_frame(nic, &header, frame, size, size / 2);
	vb_notify(&nic->drv, 1);
	while (vb_used(&nic->drv, 1, &id, &written))
		;
	while (vb_used(&nic->drv, 0, &id, &written)) {
		if (written < VIRTIO_NET_HEADER + 60 || written > nic->size)
			abort();
		nb_give_buffer(nic);
	}
	vb_write(0, VIRTIO_MMIO_INTERRUPT_ACK, vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS));
}

static void *play(void *argument)
{
	unsigned n = (unsigned)(uintptr_t)argument;
	uint64_t seed = n + 1;

	fake_run_on(n);
	nb_start(n, n == 0 ? VIRTIO_F_RING_PACKED : VIRTIO_NET_F_MRG_RXBUF);
	for (unsigned round = 0; round < rounds; round++) {
		struct vm *self = vb_vm[n];
		keep_step(n, round);
		switch (any(&seed, 200)) {
		case 0: nb_start(n, any(&seed, 2) == 0 ? 0 : VIRTIO_F_RING_PACKED); break;
		case 1: // its ring leads nowhere
			nb_on(n);
			vb_put16(nb_nic[n].drv.ring[0].driver + 4, 9999);
			break;
		case 2: // it ends: from here on nobody touches its memory
			if (!vvirtio_quiet(self))
				abort();
			look_at_memory(nb_nic[n].memory + KIB(256), KIB(256));
			nb_start(n, VIRTIO_NET_F_MRG_RXBUF);
			break;
		default: one(n, &seed);
		}
		nb_on(n);
		alarm_expire(self);
		if ((vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET) != 0)
			nb_start(n, 0);
	}
	keep_step(n, rounds);
	return NULL;
}

static void test_all_at_once(void **state)
{
	uint64_t got = 0;

	(void)state;
	play_both(play);
	for (unsigned n = 0; n < VB_VMS; n++) {
		nb_on(n);
		assert_int_equal(vb_line[n][0], vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS) != 0);
		got += nb_count(n)->got;
	}
	print_message("%llu frames arrived\n", (unsigned long long)got);
	assert_true(got > rounds / 20);
}

static int setup(void **state)
{
	(void)state;
	nb_setup(NB_PLAIN, 1, 1);
	return 0;
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? (unsigned)atoi(argv[1]) : rounds;
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_all_at_once, setup, nb_teardown),
	};
	return cmocka_run_group_tests(tests, nb_open, NULL);
}
