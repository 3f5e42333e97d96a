// SPDX-License-Identifier: Apache-2.0
// A bench for the network between VMs: interfaces of the two VMs of virtio_bench.h at switches, a driver's side for each,
// and frames, whose sums are computed here once more, byte by byte. Included once by a test.
#ifndef NET_BENCH_H
#define NET_BENCH_H

#include "virtio_bench.h"

#include "vdev/vswitch.h"
#include "vdev/vvirtio_net.h"

#define NB_NICS    8 // number n: interface n / 2 of VM n % 2
#define NB_RING    64
#define NB_BUFFERS 128
#define NB_LARGEST 70000
#define NB_MAC(n)  (UINT64_C(0x525400000000) + (n))

// The nets that there are.
enum nb_net { NB_PLAIN, NB_STRICT, NB_LIMITED, NB_NETS };
#define NB_LIMIT UINT64_C(1000000) // bytes a second

static const struct desc_net nb_nets[NB_NETS] = {
        [NB_PLAIN] = {.name = "lan0"},
        [NB_STRICT] = {.name = "lan1", .anti_spoof = true},
        [NB_LIMITED] = {.name = "lan2", .limit = NB_LIMIT},
};

struct nb_nic {
	struct vb_driver drv;
	uint64_t memory; // 512 KiB of its own
	uint32_t size;   // of a receive buffer
	uint32_t header; // bytes in front of each frame
	bool merges;
	uint64_t at[256]; // where the receive buffer of an id is
	unsigned next, sent;
	uint16_t control;
};
static struct nb_nic nb_nic[NB_NICS];

// A frame that arrived.
struct nb_frame {
	struct virtio_net_header header;
	uint32_t size, buffers;
	uint8_t bytes[NB_LARGEST];
};
static struct nb_frame nb_got;

static int nb_open(void **state)
{
	vb_open(state);
	for (unsigned i = 0; i < NB_NETS; i++)
		assert_int_equal(vswitch_create(i, &nb_nets[i]), 0);
	return 0;
}

// `per_vm` interfaces of each VM, all at one net.
static void nb_setup(enum nb_net net, unsigned per_vm, unsigned vcpus)
{
	void *state = NULL;

	vb_setup(&state);
	memset(nb_nic, 0, sizeof nb_nic);
	for (unsigned n = 0; n < VB_VMS; n++) {
		struct vm *v = vb_vm[n];
		v->nr_vcpus = vcpus;
		v->nic.count = per_vm;
		for (unsigned i = 0; i < per_vm; i++) {
			v->nic.net[i] = (uint8_t)net;
			vframe_put_mac(v->nic.mac[i], NB_MAC(i * VB_VMS + n));
		}
		assert_int_equal(vvirtio_net_create(v), 0);
		vvirtio_reset_all(v);
		v->nr_vcpus = 1; // the bench has no more
	}
}

UNUSED static int nb_teardown(void **state)
{
	for (unsigned n = 0; n < VB_VMS; n++) {
		assert_true(vvirtio_quiet(vb_vm[n]));
		vvirtio_net_destroy(vb_vm[n]);
	}
	return vb_teardown(state);
}

static struct nb_nic *nb_on(unsigned n)
{
	vm = vb_vm[n % VB_VMS];
	cpu_this()->vcpu = vm->vcpu[0];
	return &nb_nic[n];
}

UNUSED static const struct vswitch_count *nb_count(unsigned n)
{
	return &vb_vm[n % VB_VMS]->nic.port[n / VB_VMS]->count;
}

// ---- the driver ----

static void nb_give_buffer(struct nb_nic *nic)
{
	const uint64_t at = nic->memory + KIB(256) + (uint64_t)(nic->next++ % NB_BUFFERS) * KIB(2);
	const struct vb_segment segment = {at, nic->size, true};
	nic->at[vb_add(&nic->drv, 0, &segment, 1) % 256] = at;
}

// A driver begins: `buffers` receive buffers of `size` bytes, at most 2 KiB each.
static struct nb_nic *nb_start_with(unsigned n, uint64_t features, uint32_t size, unsigned buffers)
{
	struct nb_nic *nic = nb_on(n);
	unsigned slot = n / VB_VMS;

	*nic = (struct nb_nic){
	        .memory = VB_HEAP + slot * KIB(512),
	        .size = size,
	        .header = VIRTIO_NET_HEADER,
	        .merges = (features & VIRTIO_NET_F_MRG_RXBUF) != 0,
	        .control = 2,
	};
	vb_begin(&nic->drv, slot, VIRTIO_NET, features);
	for (unsigned i = 0; i < 3; i++)
		vb_queue(&nic->drv, i, NB_RING, 0);
	for (unsigned i = 0; i < buffers; i++)
		nb_give_buffer(nic);
	vb_go(&nic->drv);
	vb_notify(&nic->drv, 0);
	return nic;
}
UNUSED static struct nb_nic *nb_start(unsigned n, uint64_t features)
{
	return nb_start_with(n, features, 1536, NB_RING);
}

// Puts a frame into the transmit queue, in two pieces that are cut `at` bytes behind its beginning.
static void nb_queue_frame(struct nb_nic *nic, const struct virtio_net_header *header,
                           const uint8_t *bytes, uint32_t size, uint32_t at)
{
	const uint64_t to = nic->memory + (nic->sent++ % 3) * KIB(80);
	const struct vb_segment segments[] = {{to, nic->header, false},
	                                      {to + nic->header, at, false},
	                                      {to + nic->header + at, size - at, false}};

	vb_put(to, header, nic->header);
	vb_put(to + nic->header, bytes, size);
	vb_add(&nic->drv, 1, segments, 3);
}

static void nb_send_as(unsigned n, const struct virtio_net_header *header, const uint8_t *bytes,
                       uint32_t size)
{
	uint16_t id;
	uint32_t written;
	struct nb_nic *nic = nb_on(n);

	nb_queue_frame(nic, header, bytes, size, size / 3);
	vb_notify(&nic->drv, 1);
	for (unsigned i = 0; i < 100 && !vb_used(&nic->drv, 1, &id, &written); i++)
		vb_pass_us(1000);
	vb_interrupted(&nic->drv);
}
UNUSED static void nb_send(unsigned n, const uint8_t *bytes, uint32_t size)
{
	const struct virtio_net_header header = {0};
	nb_send_as(n, &header, bytes, size);
}

// Takes the next frame out of an interface's buffers, and gives them back: false, there is none.
static bool nb_receive(unsigned n)
{
	struct nb_nic *nic = nb_on(n);
	uint8_t bytes[2048];
	uint16_t id;
	uint32_t written, total = 0, want = 1;
	static uint8_t all[NB_LARGEST + VIRTIO_NET_HEADER];

	for (uint32_t i = 0; i < want; i++) {
		if (!vb_used(&nic->drv, 0, &id, &written)) {
			assert_int_equal(i, 0); // all of a frame's buffers come at once
			return false;
		}
		assert_true(written <= nic->size);
		vb_get(nic->at[id % 256], bytes, written);
		memcpy(all + total, bytes, written);
		total += written;
		if (nic->merges && total < nic->header)
			want = i + 2;
		else if (nic->merges)
			want = (uint32_t)(all[10] | all[11] << 8);
		nb_give_buffer(nic);
	}
	assert_true(total >= nic->header);
	memset(&nb_got.header, 0, sizeof nb_got.header);
	memcpy(&nb_got.header, all, nic->header);
	nb_got.buffers = want;
	nb_got.size = total - nic->header;
	memcpy(nb_got.bytes, all + nic->header, nb_got.size);
	return true;
}

UNUSED static void nb_nothing(unsigned n)
{
	assert_false(nb_receive(n));
}
// The next frame is this one.
UNUSED static void nb_expect(unsigned n, const uint8_t *bytes, uint32_t size)
{
	assert_true(nb_receive(n));
	assert_int_equal(nb_got.size, size);
	assert_memory_equal(nb_got.bytes, bytes, size);
}

// Sends a command; the answer.
UNUSED static uint8_t nb_control(unsigned n, const void *command, uint32_t size)
{
	struct nb_nic *nic = nb_on(n);
	const uint64_t at = nic->memory + KIB(240);
	const struct vb_segment segments[] = {
	        {at, 1, false}, {at + 1, size - 1, false}, {at + KIB(8), 1, true}};
	uint16_t id;
	uint32_t written;

	vb_put(at, command, size);
	*(uint8_t *)vb_at(at + KIB(8), 1) = 77;
	vb_add(&nic->drv, nic->control, segments, 3);
	vb_notify(&nic->drv, nic->control);
	assert_true(vb_used(&nic->drv, nic->control, &id, &written));
	assert_int_equal(written, 1);
	vb_interrupted(&nic->drv);
	return *(uint8_t *)vb_at(at + KIB(8), 1);
}

// ---- frames ----

static void nb_put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}
static uint32_t nb_get16(const uint8_t *at)
{
	return (uint32_t)(at[0] << 8 | at[1]);
}
UNUSED static uint32_t nb_get32(const uint8_t *at)
{
	return nb_get16(at) << 16 | nb_get16(at + 2);
}

// An Ethernet frame with a pattern behind the header.
static uint32_t nb_make(uint8_t *frame, uint64_t to, uint64_t from, uint32_t type, uint32_t size)
{
	vframe_put_mac(frame, to);
	vframe_put_mac(frame + 6, from);
	nb_put16(frame + 12, type);
	for (uint32_t i = 14; i < size; i++)
		frame[i] = (uint8_t)(i * 7 + i / 251);
	return size;
}

// The Internet checksum as the standard's text has it: 16 bits at a time, in network order.
static uint32_t nb_sum(uint32_t sum, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

#define NB_TCP 20 // bytes of its header, without options

// A TCP segment in IPv4 or IPv6, its checksum as a driver leaves it: of the pseudo header alone. Its payload begins where
// the result says.
UNUSED static uint32_t nb_make_tcp(uint8_t *frame, uint64_t to, uint64_t from, bool is_v6,
                                   uint32_t payload, struct virtio_net_header *header)
{
	const uint32_t ip = is_v6 ? 40 : 20, tcp = 14 + ip, start = tcp + NB_TCP;
	uint8_t *at = frame + 14, pseudo[4];

	nb_make(frame, to, from, is_v6 ? 0x86dd : 0x0800, start + payload);
	memset(at, 0, ip + NB_TCP);
	if (is_v6) {
		at[0] = 0x60;
		nb_put16(at + 4, NB_TCP + payload);
		at[6] = 6;
		at[7] = 64;
		for (unsigned i = 8; i < 40; i++)
			at[i] = (uint8_t)(i * 11);
	} else {
		at[0] = 0x45;
		nb_put16(at + 2, ip + NB_TCP + payload);
		nb_put16(at + 4, 0xfffe); // its number will wrap
		at[8] = 64;
		at[9] = 6;
		for (unsigned i = 12; i < 20; i++)
			at[i] = (uint8_t)(i * 13);
		nb_put16(at + 10, ~nb_sum(0, at, 20) & 0xffff);
	}
	nb_put16(frame + tcp, 5000);
	nb_put16(frame + tcp + 2, 80);
	nb_put16(frame + tcp + 4, 0xffff); // the sequence number wraps as well
	nb_put16(frame + tcp + 6, 0xff00);
	frame[tcp + 12] = NB_TCP / 4 << 4;
	frame[tcp + 13] = 0x99; // CWR, ACK, PSH, FIN
	nb_put16(pseudo, 6);
	nb_put16(pseudo + 2, NB_TCP + payload);
	nb_put16(frame + tcp + 16,
	         nb_sum(nb_sum(0, at + (is_v6 ? 8 : 12), is_v6 ? 32 : 8), pseudo, 4));
	*header = (struct virtio_net_header){
	        .flags = VIRTIO_NET_NEEDS_CSUM,
	        .header_length = (uint16_t)start,
	        .checksum_start = (uint16_t)tcp,
	        .checksum_offset = 16,
	};
	return start;
}

// A TCP segment whose checksum, and IPv4's, must be right. Where its payload begins.
UNUSED static uint32_t nb_check_tcp(const uint8_t *frame, uint32_t size)
{
	const bool is_v6 = nb_get16(frame + 12) == 0x86dd;
	const uint32_t ip = is_v6 ? 40 : 20, tcp = 14 + ip;
	const uint8_t *at = frame + 14;
	uint8_t pseudo[4];

	assert_int_equal(nb_get16(at + (is_v6 ? 4 : 2)), is_v6 ? size - 14 - 40 : size - 14);
	if (!is_v6)
		assert_int_equal(nb_sum(0, at, 20), 0xffff);
	nb_put16(pseudo, 6);
	nb_put16(pseudo + 2, size - tcp);
	uint32_t sum = nb_sum(nb_sum(0, at + (is_v6 ? 8 : 12), is_v6 ? 32 : 8), pseudo, 4);
	assert_int_equal(nb_sum(sum, frame + tcp, size - tcp), 0xffff);
	return tcp + NB_TCP;
}

#endif
