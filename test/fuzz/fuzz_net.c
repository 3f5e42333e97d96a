// SPDX-License-Identifier: Apache-2.0
// Two drivers of network interfaces at one net: frames with any header, commands of any kind, rings with anything in them,
// resets in the middle. Whatever they do, nothing is reached but their own memory, and both can begin anew.
#include "unit_test.h"

#include "net_bench.h"

#define FEATURES                                                                     \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_HOST_TSO4 |      \
	 VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_GUEST_TSO4 |  \
	 VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN | VIRTIO_NET_F_MRG_RXBUF | \
	 VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_RX_EXTRA |  \
	 VIRTIO_NET_F_CTRL_VLAN | VIRTIO_NET_F_CTRL_MAC_ADDR)

void fuzz_setup(void)
{
	void *state = NULL;
	fuzz_asserts_abort();
	nb_open(&state);
	nb_setup(NB_PLAIN, 1, 1);
}

// A frame that is good but for some bytes of it.
static void send_frame(struct fuzz_in *in, unsigned n)
{
	static uint8_t frame[NB_LARGEST];
	struct virtio_net_header header;
	struct nb_nic *nic = nb_on(n);
	uint8_t kind = fuzz_u8(in);
	uint32_t payload = fuzz_below(in, (kind & 1) != 0 ? 60000 : 1400);
	uint32_t start = nb_make_tcp(frame, (kind & 2) != 0 ? VFRAME_BROADCAST : NB_MAC(1 - n),
	                             NB_MAC(n), (kind & 4) != 0, payload, &header);

	if ((kind & 8) != 0) {
		header.gso_type = (kind & 4) != 0 ? VIRTIO_NET_GSO_TCPV6 : VIRTIO_NET_GSO_TCPV4;
		header.gso_size = 1400;
	}
	for (unsigned i = kind >> 6; i > 0; i--)
		((uint8_t *)&header)[fuzz_below(in, sizeof header)] = fuzz_u8(in);
	for (unsigned i = (kind >> 4) & 3; i > 0; i--)
		frame[fuzz_below(in, start)] = fuzz_u8(in);
	nb_queue_frame(nic, &header, frame, start + payload, fuzz_below(in, start));
	vb_notify(&nic->drv, 1);
}

static void send_command(struct fuzz_in *in, unsigned n)
{
	struct nb_nic *nic = nb_on(n);
	uint8_t command[64];
	uint32_t size = fuzz_below(in, sizeof command);
	const uint64_t at = nic->memory + KIB(240);
	const struct vb_segment segments[] = {{at, size / 2, false},
	                                      {at + size / 2, size - size / 2, false},
	                                      {at + KIB(8), 1, true}};

	for (uint32_t i = 0; i < size; i++)
		command[i] = fuzz_u8(in);
	vb_put(at, command, size);
	vb_add(&nic->drv, 2, segments, 3);
	vb_notify(&nic->drv, 2);
}

static void step(struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	unsigned n = what >> 7;
	struct nb_nic *nic = nb_on(n);

	switch (what % 8) {
	case 0: send_frame(in, n); break;
	case 1: send_command(in, n); break;
	case 2: // anything in a ring
		vb_put16(nic->drv.ring[(what >> 3) % 3].desc + fuzz_below(in, 1024) * 2U,
		         fuzz_u16(in));
		break;
	case 3: vb_notify(&nic->drv, (what >> 3) % 4); break;
	case 4:
		vb_access(0, fuzz_below(in, 0x110) & ~3U, 4, true, fuzz_u32(in));
		vm->vcpu[0]->repeat = false;
		break;
	case 5: vb_pass_us(fuzz_u8(in) * 8U); break;
	case 6:
		nb_start(n, fuzz_u64(in) & (FEATURES | VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX));
		break;
	default:
		while (vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS) != 0)
			vb_write(0, VIRTIO_MMIO_INTERRUPT_ACK,
			         vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS));
		if (nic->next < 1000)
			nb_give_buffer(nic);
		break;
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	vb_now += 1000 * VB_HZ; // what was learned before is forgotten
	nb_start(0, FEATURES);
	nb_start(1, fuzz_u64(&in) & FEATURES);
	for (unsigned i = 0; i < 200 && fuzz_more(&in); i++)
		step(&in);
	for (unsigned n = 0; n < VB_VMS; n++) {
		nb_start(n, 0);
		vvirtio_quiet(vb_vm[n]);
	}
}
