// SPDX-License-Identifier: Apache-2.0
// Network interfaces and the switch between them: frames of all kinds between all kinds of drivers, and what either side may
// do wrong.
#include "net_bench.h"

#include "vdev/vcapture.h"

#define OFFLOADS                                                                    \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_HOST_TSO4 |     \
	 VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_GUEST_TSO4 | \
	 VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN)
#define MERGE VIRTIO_NET_F_MRG_RXBUF
#define CONTROL                                                                     \
	(VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_RX_EXTRA | \
	 VIRTIO_NET_F_CTRL_VLAN | VIRTIO_NET_F_CTRL_MAC_ADDR)
#define SENDS                                                                  \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | \
	 VIRTIO_NET_F_HOST_ECN)
#define BROADCAST GENMASK_U64(47, 0)
#define STRANGER  UINT64_C(0x02aabbcc0000)

static uint8_t frame[NB_LARGEST];

static int one_each(void **state)
{
	(void)state;
	nb_setup(NB_PLAIN, 1, 1);
	return 0;
}
static int four_each(void **state)
{
	(void)state;
	nb_setup(NB_PLAIN, 4, 1);
	return 0;
}
static int strict(void **state)
{
	(void)state;
	nb_setup(NB_STRICT, 1, 1);
	return 0;
}
static int limited(void **state)
{
	(void)state;
	nb_setup(NB_LIMITED, 1, 1);
	return 0;
}
static int four_vcpus(void **state)
{
	(void)state;
	nb_setup(NB_PLAIN, 1, 4);
	return 0;
}

// ---- what works ----

static void test_configuration(void **state)
{
	(void)state;
	uint64_t offered;

	nb_on(0);
	offered = vb_offered(0);
	assert_int_equal(offered & (OFFLOADS | MERGE | CONTROL), OFFLOADS | MERGE | CONTROL);
	assert_int_equal(offered & VIRTIO_NET_F_MQ, 0);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG), 0x00005452);
	assert_int_equal(vb_access(0, VIRTIO_MMIO_CONFIG + 4, 2, false, 0), 0);
	assert_int_equal(vb_access(0, VIRTIO_MMIO_CONFIG + 6, 2, false, 0), 1); // the link is up
	assert_int_equal(vb_access(0, VIRTIO_MMIO_CONFIG + 8, 2, false, 0), 1);
	assert_int_equal(vb_access(0, VIRTIO_MMIO_CONFIG + 10, 2, false, 0), 1500);
}

// Frames of every length there and back, by every kind of ring.
static void test_frames(void **state)
{
	(void)state;
	static const uint64_t kinds[] = {0, VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_PACKED,
	                                 VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX | MERGE};
	for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		nb_start(0, kinds[kind]);
		nb_start(1, kinds[(kind + 1) % ARRAY_SIZE(kinds)]);
		for (uint32_t size = 14; size <= 1518; size += size < 70 ? 1 : 97) {
			unsigned from = size % 2, to = 1 - from;
			nb_make(frame, NB_MAC(to), NB_MAC(from), 0x88b5, size);
			nb_send(from, frame, size);
			if ((kinds[kind] & VIRTIO_F_EVENT_IDX) == 0 && to == 0)
				assert_true(vb_line[to][0]);
			nb_expect(to, frame, size);
			assert_int_equal(nb_got.header.flags, 0);
			assert_int_equal(nb_got.buffers, 1);
			nb_nothing(to);
			nb_nothing(from);
			vb_interrupted(&nb_on(to)->drv);
		}
		assert_int_equal(vb_logs, 0);
	}
	assert_int_equal(nb_count(0)->sent, nb_count(1)->got);
	assert_int_equal(nb_count(1)->sent_bytes, nb_count(0)->got_bytes);
}

// A driver from before version 1.0: ten bytes of header.
static void test_legacy(void **state)
{
	(void)state;
	struct nb_nic *nic = nb_on(0);
	struct vvirtio *dev = vb_vm[0]->virtio->slot[0];

	nb_start(1, 0);
	nb_on(0);
	dev->legacy = true;
	*nic = (struct nb_nic){
	        .memory = VB_HEAP, .size = 1536, .header = VIRTIO_NET_HEADER_LEGACY, .control = 2};
	nic->drv.vm = vm;
	vb_write(0, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	vb_write(0, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	for (unsigned n = 0; n < 2; n++) {
		const uint64_t base = VB_RAM + KIB(64) + n * KIB(16);
		vb_write(0, VIRTIO_MMIO_QUEUE_SEL, n);
		vb_write(0, VIRTIO_MMIO_QUEUE_NUM, NB_RING);
		vb_write(0, VIRTIO_MMIO_LEGACY_QUEUE_PFN, (uint32_t)(base / 4096));
		nic->drv.ring[n] = (struct vb_ring){
		        .size = NB_RING,
		        .desc = base,
		        .driver = base + NB_RING * 16,
		        .device = align_up(base + NB_RING * 18 + 6, 4096),
		};
		for (uint64_t at = base; at < base + KIB(8); at += 2)
			vb_put16(at, 0);
	}
	for (unsigned i = 0; i < NB_RING / 2; i++)
		nb_give_buffer(nic);
	vb_write(0, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 100);
	nb_send(0, frame, 100);
	nb_expect(1, frame, 100);
	nb_make(frame, NB_MAC(0), NB_MAC(1), 0x88b5, 200);
	nb_send(1, frame, 200);
	nb_expect(0, frame, 200);
}

// Everybody but the sender gets what is for all, and what is for nobody known. What was sent from somewhere goes there alone.
static void test_learning(void **state)
{
	(void)state;
	const uint64_t group = UINT64_C(0x333300000001);

	for (unsigned n = 0; n < NB_NICS; n++)
		nb_start(n, 0);
	const uint64_t all[] = {BROADCAST, group, STRANGER};
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		nb_make(frame, all[i], NB_MAC(3), 0x88b5, 60 + i);
		nb_send(3, frame, 60 + i);
		for (unsigned n = 0; n < NB_NICS; n++) {
			if (n != 3)
				nb_expect(n, frame, 60 + i);
			nb_nothing(n);
		}
	}
	// Somebody behind 5, as behind a bridge.
	nb_make(frame, NB_MAC(0), STRANGER, 0x88b5, 80);
	nb_send(5, frame, 80);
	nb_expect(0, frame, 80);
	nb_make(frame, STRANGER, NB_MAC(0), 0x88b5, 81);
	nb_send(0, frame, 81);
	nb_expect(5, frame, 81);
	// To itself: nobody.
	nb_make(frame, STRANGER, NB_MAC(5), 0x88b5, 82);
	nb_send(5, frame, 82);
	// It moves.
	nb_make(frame, NB_MAC(0), STRANGER, 0x88b5, 83);
	nb_send(6, frame, 83);
	nb_expect(0, frame, 83);
	nb_make(frame, STRANGER, NB_MAC(0), 0x88b5, 84);
	nb_send(0, frame, 84);
	nb_expect(6, frame, 84);
	for (unsigned n = 0; n < NB_NICS; n++)
		nb_nothing(n);
	// After five minutes of silence nobody knows.
	vb_now += 310 * VB_HZ;
	nb_send(0, frame, 84);
	for (unsigned n = 1; n < NB_NICS; n++)
		nb_expect(n, frame, 84);
}

static uint32_t learned(void)
{
	struct vswitch_info info;
	assert_true(vswitch_info(NB_PLAIN, &info));
	return info.learned;
}

// One that calls itself everything: its share of the table is bounded, and nobody else's address goes to it.
static void test_hostile_learning(void **state)
{
	(void)state;
	nb_start(0, 0);
	nb_start(1, 0);
	nb_start(2, 0);
	for (uint64_t i = 0; i < 2000; i++) {
		nb_make(frame, NB_MAC(2), STRANGER + i * 977, 0x88b5, 60);
		nb_send(1, frame, 60);
		nb_expect(2, frame, 60);
		assert_true(learned() <= 32);
	}
	assert_int_equal(learned(), 32);
	nb_make(frame, NB_MAC(2), NB_MAC(0), 0x88b5, 60); // as 0
	nb_send(1, frame, 60);
	nb_expect(2, frame, 60);
	nb_make(frame, NB_MAC(0), NB_MAC(2), 0x88b5, 61);
	nb_send(2, frame, 61);
	nb_expect(0, frame, 61);
	nb_nothing(1);
	// What was learned goes with the port.
	vvirtio_quiet(vb_vm[1]);
	vvirtio_net_destroy(vb_vm[1]);
	assert_int_equal(learned(), 0);
}

static void test_anti_spoof(void **state)
{
	(void)state;
	struct virtio_net_header header = {.flags = VIRTIO_NET_NEEDS_CSUM};

	nb_start(0, CONTROL | VIRTIO_NET_F_CSUM);
	nb_start(1, 0);
	nb_make(frame, NB_MAC(1), NB_MAC(1), 0x88b5, 60);
	nb_send(0, frame, 60);
	assert_int_equal(nb_count(0)->lost[VSWITCH_SPOOFED], 1);
	for (unsigned tags = 0; tags < 2; tags++) {
		uint8_t *arp = frame + 14 + tags * 4;
		nb_make(frame, BROADCAST, NB_MAC(0), tags != 0 ? 0x8100 : 0x0806, 64);
		nb_put16(frame + 12 + 4 * tags, 0x0806);
		nb_send(0, frame, 64); // who has sent it does not match
		nb_nothing(1);
		vframe_put_mac(arp + 8, NB_MAC(0));
		nb_send(0, frame, 64);
		nb_expect(1, frame, 64);
		nb_send(0, frame, 14 + tags * 4 + 27); // not all of it is there
		nb_nothing(1);
	}
	nb_make(frame, BROADCAST, NB_MAC(0), 0x8100, 64); // a tag behind a tag
	nb_put16(frame + 16, 0x8100);
	nb_send(0, frame, 64);
	nb_nothing(1);
	assert_int_equal(nb_count(0)->lost[VSWITCH_SPOOFED], 6);
	// A checksum that would be written over what was looked at: the sender in ARP, the type behind a tag.
	nb_make(frame, BROADCAST, NB_MAC(0), 0x0806, 64);
	vframe_put_mac(frame + 14 + 8, NB_MAC(0));
	header.checksum_start = 14;
	header.checksum_offset = 12;
	nb_send_as(0, &header, frame, 64);
	nb_nothing(1);
	assert_int_equal(nb_count(0)->lost[VSWITCH_SPOOFED], 7);
	nb_make(frame, BROADCAST, NB_MAC(0), 0x8100, 64);
	nb_put16(frame + 16, 0x88b5);
	header.checksum_offset = 2;
	nb_send_as(0, &header, frame, 64);
	nb_nothing(1);
	assert_int_equal(nb_count(0)->lost[VSWITCH_MALFORMED], 1);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 60);
	nb_send(0, frame, 60);
	nb_expect(1, frame, 60);
	// Its driver cannot choose another address.
	uint8_t set[8] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_MAC_ADDR_SET};
	vframe_put_mac(set + 2, NB_MAC(1));
	assert_int_equal(nb_control(0, set, sizeof set), VIRTIO_NET_ERR);
	vframe_put_mac(set + 2, NB_MAC(0));
	assert_int_equal(nb_control(0, set, sizeof set), VIRTIO_NET_OK);
}

// A million bytes a second: 65,536 at once, the rest as time goes on, and nothing is lost.
static void test_limit(void **state)
{
	(void)state;
	uint32_t got = 0;
	struct nb_nic *nic = nb_start(0, 0);

	nb_start(1, 0);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 1000);
	nic = nb_on(0);
	const uint64_t begin = vb_now;
	for (unsigned i = 0; i < 20; i++) // a ring full each: three segments a frame
		for (unsigned j = 0; j < 20; j++) {
			uint16_t id;
			uint32_t written;
			nb_on(0);
			const struct virtio_net_header header = {0};
			nb_queue_frame(nic, &header, frame, 1000, 10);
			vb_notify(&nic->drv, 1);
			while (!vb_used(&nic->drv, 1, &id, &written))
				vb_pass_us(100);
			got += nb_receive(1);
		}
	const uint64_t took = vb_now - begin; // microseconds
	assert_int_equal(got, 400);
	assert_true(took > 400000 - 70000 && took < 400000);
	assert_int_equal(nb_count(1)->lost[VSWITCH_NO_BUFFER], 0);
	// A reset forgets what is in hand, and the alarm with it.
	nb_on(0);
	const struct virtio_net_header header = {0};
	for (unsigned i = 0; i < 3; i++)
		nb_queue_frame(nic, &header, frame, 1000, 10);
	vb_notify(&nic->drv, 1);
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	vb_pass_us(100000);
	nb_start(0, 0);
}

// Frames of several buffers: none of it arrives, or all of it, whatever the buffers' size.
static void test_merged_buffers(void **state)
{
	(void)state;
	static const uint32_t sizes[] = {1, 7, 11, 12, 13, 100, 1536, 2048};
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (unsigned packed = 0; packed < 2; packed++) {
			nb_start(0, 0);
			nb_start_with(1, MERGE | (packed ? VIRTIO_F_RING_PACKED : 0), sizes[i], 60);
			for (uint32_t size = 14; size < 1518; size += 61) {
				uint32_t needs = (size + 12 + sizes[i] - 1) / sizes[i];
				uint64_t lost = nb_count(1)->lost[VSWITCH_TOO_SMALL];
				nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, size);
				nb_send(0, frame, size);
				if (needs <= 48) {
					nb_expect(1, frame, size);
					assert_int_equal(nb_got.buffers, needs);
				} else {
					assert_int_equal(nb_count(1)->lost[VSWITCH_TOO_SMALL],
					                 lost + 1);
				}
				nb_nothing(1);
			}
		}
	}
	assert_int_equal(vb_logs, 0);
}

static void test_no_room(void **state)
{
	(void)state;
	nb_start(0, 0);
	nb_start_with(1, 0, 512, 2);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 600);
	nb_send(0, frame, 600); // more than a buffer, and they are not merged
	nb_nothing(1);
	assert_int_equal(nb_count(1)->lost[VSWITCH_TOO_SMALL], 1);
	for (unsigned i = 0; i < 4; i++)
		nb_send(0, frame, 100);
	assert_int_equal(nb_count(1)->lost[VSWITCH_NO_BUFFER], 2);
	nb_expect(1, frame, 100);
	nb_expect(1, frame, 100);
	nb_nothing(1);
	// A buffer of more pieces than a frame is worth, and one without any.
	nb_start_with(1, MERGE, 512, 0);
	struct vb_segment many[60];
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct vb_segment){VB_HEAP + KIB(400) + i, i % 2, true};
	vb_add(&nb_nic[1].drv, 0, many, ARRAY_SIZE(many));
	nb_send(0, frame, 100);
	assert_int_equal(nb_count(1)->lost[VSWITCH_NO_BUFFER], 3);
	assert_int_equal(vb_logs, 0);
}

// ---- memory that nobody touched ----

#define FRESH   (VB_RAM + MIB(6)) // and what lies behind it
#define PIECE   KIB(64)
#define PIECES  60U
#define AN_EXIT 4U // pieces that may be filled in one

static unsigned filled(unsigned n)
{
	unsigned count = 0;
	uint64_t left;

	for (unsigned i = 0; i < PIECES; i++)
		count += stage2_span(&vb_vm[n]->stage2, IPA(FRESH + i * PIECE), false, &left) !=
		         NULL;
	return count;
}

// Notifies a queue of 0 and lets time go on until its buffer is back: no exit fills more than a little of what `n` has.
static void fill_in_exits(unsigned queue, unsigned n)
{
	uint16_t id;
	uint32_t written;
	unsigned before = filled(n), exits = 0;

	assert_int_equal(before, 0);
	nb_on(0);
	vb_notify(&nb_nic[0].drv, queue);
	while (!vb_used(&nb_nic[0].drv, queue, &id, &written)) {
		assert_in_range(filled(n), before, before + AN_EXIT);
		before = filled(n);
		uint64_t first = alarm_first(vm);
		assert_true(first != TIMER_NEVER && exits++ < 200);
		vb_now = first;
		alarm_expire(vm);
	}
	assert_in_range(filled(n), before, before + AN_EXIT);
	assert_in_range(exits, (before - 1) / AN_EXIT / 2, before);
}

static void test_fresh_receive_buffers(void **state)
{
	(void)state;
	const struct virtio_net_header header = {0};
	const uint32_t size = PIECES * 10 - 12;

	nb_start(0, 0);
	struct nb_nic *nic = nb_start_with(1, MERGE, 20, 0);
	for (unsigned i = 0; i < PIECES; i += 2) {
		const struct vb_segment both[] = {{FRESH + i * PIECE, 10, true},
		                                  {FRESH + (i + 1) * PIECE, 10, true}};
		vb_add(&nic->drv, 0, both, 2);
	}
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, size);
	nb_on(0);
	nb_queue_frame(&nb_nic[0], &header, frame, size, 100);
	fill_in_exits(1, 1);
	assert_int_equal(filled(1), PIECES);
	assert_int_equal(nb_count(1)->got, 1);
	nb_on(1);
	for (uint32_t i = 0; i < size; i++) {
		uint32_t at = i + 12;
		assert_int_equal(*(uint8_t *)vb_at(FRESH + at / 10 * PIECE + at % 10, 1), frame[i]);
	}
	assert_int_equal(vb_get16(nic->drv.ring[0].device + 2), PIECES / 2);
}

// Tables of descriptors that lie in memory that nobody touched, as they came with a kernel's image.
static void test_fresh_tables(void **state)
{
	(void)state;
	enum { TABLES = 18, ROOM = 64 };
	static uint64_t entry[TABLES][2];
	const struct virtio_net_header header = {0};
	const uint32_t size = TABLES * ROOM - 12;

	nb_start(0, 0);
	struct nb_nic *nic = nb_start_with(1, MERGE | VIRTIO_F_INDIRECT, 20, 0);
	for (unsigned i = 0; i < TABLES; i++) {
		entry[i][0] = VB_HEAP + i * ROOM;
		entry[i][1] = ROOM | UINT64_C(2) << 32; // the device writes
		assert_int_equal(stage2_add_source(&vm->stage2, FRESH + i * PIECE, entry[i], 16),
		                 0);
		const struct vb_segment table = {FRESH + i * PIECE, 16, false};
		vb_add_split(&nic->drv, &nic->drv.ring[0], &table, 1, 4);
	}
	(void)vb_at(VB_HEAP, 1);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, size);
	nb_on(0);
	nb_queue_frame(&nb_nic[0], &header, frame, size, 100);
	fill_in_exits(1, 1);
	assert_int_equal(filled(1), TABLES);
	assert_int_equal(nb_count(1)->got, 1);
}

// A frame of 60 KiB, for which a purse is not meant to last, is filled in no faster.
static void test_fresh_large_buffers(void **state)
{
	(void)state;
	struct virtio_net_header header;

	nb_start(0, OFFLOADS);
	struct nb_nic *nic = nb_start_with(1, OFFLOADS | MERGE, 2048, 0);
	for (unsigned i = 0; i < PIECES; i++) {
		const struct vb_segment segment = {FRESH + i * PIECE, 2048, true};
		vb_add(&nic->drv, 0, &segment, 1);
	}
	uint32_t start = nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), false, 60000, &header);
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	nb_on(0);
	nb_queue_frame(&nb_nic[0], &header, frame, start + 60000, 100);
	fill_in_exits(1, 1);
	assert_int_equal(nb_count(1)->got, 1);
	assert_int_equal(filled(1), (start + 60000 + 12 + 2047) / 2048);
}

static void test_fresh_transmit_buffer(void **state)
{
	(void)state;
	struct vb_segment segments[PIECES];

	nb_start(0, 0);
	nb_start(1, 0);
	for (unsigned i = 0; i < PIECES; i++)
		segments[i] = (struct vb_segment){FRESH + i * PIECE, 1, false};
	nb_on(0);
	vb_add(&nb_nic[0].drv, 1, segments, PIECES);
	fill_in_exits(1, 0);
	assert_int_equal(filled(0), PIECES);
	assert_int_equal(nb_count(0)->lost[VSWITCH_SPOOFED], 1); // from nobody: it is all zero
}

static void test_fresh_command(void **state)
{
	(void)state;
	static const uint8_t begin[6] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_MAC_TABLE_SET, 9},
	                     end[4] = {0};
	struct vb_segment segments[57];
	struct nb_nic *nic = nb_start(0, CONTROL);

	vb_put(nic->memory, begin, sizeof begin);
	vb_put(nic->memory + 6, end, sizeof end);
	segments[0] = (struct vb_segment){nic->memory, sizeof begin, false};
	for (unsigned i = 0; i < 54; i++)
		segments[1 + i] = (struct vb_segment){FRESH + i * PIECE, 1, false};
	segments[55] = (struct vb_segment){nic->memory + 6, sizeof end, false};
	segments[56] = (struct vb_segment){FRESH + 54 * PIECE, 1, true};
	vb_add(&nic->drv, nic->control, segments, ARRAY_SIZE(segments));
	fill_in_exits(nic->control, 0);
	assert_int_equal(filled(0), 55);
	assert_int_equal(*(uint8_t *)vb_at(FRESH + 54 * PIECE, 1), VIRTIO_NET_OK);
}

// ---- offloads ----

// A checksum that is not complete: for one who takes it, and for one who does not.
static void test_checksum(void **state)
{
	(void)state;
	struct virtio_net_header header;

	for (unsigned takes = 0; takes < 2; takes++)
		for (uint32_t payload = 1; payload < 1400; payload += payload < 200 ? 1 : 331) {
			nb_start(0, VIRTIO_NET_F_CSUM);
			nb_start(1, takes != 0 ? VIRTIO_NET_F_GUEST_CSUM : 0);
			uint32_t start = nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), payload % 2 != 0,
			                             payload, &header);
			nb_send_as(0, &header, frame, start + payload);
			assert_true(nb_receive(1));
			assert_int_equal(nb_got.size, start + payload);
			assert_int_equal(nb_got.header.gso_type, 0);
			assert_int_equal(nb_got.header.flags, takes);
			if (takes != 0) {
				assert_memory_equal(nb_got.bytes, frame, nb_got.size);
				assert_int_equal(nb_got.header.checksum_start,
				                 header.checksum_start);
				assert_int_equal(nb_got.header.checksum_offset, 16);
			} else {
				assert_int_equal(nb_check_tcp(nb_got.bytes, nb_got.size), start);
				assert_memory_equal(nb_got.bytes + start, frame + start, payload);
			}
		}
}

// 64 KiB at once: as it is.
static void test_large(void **state)
{
	(void)state;
	struct virtio_net_header header;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		const uint32_t payload = 65535 - 60 - NB_TCP;
		nb_start(0, OFFLOADS);
		nb_start_with(1, OFFLOADS | MERGE, 2048, NB_RING);
		uint32_t start =
		        nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), v6 != 0, payload, &header);
		header.gso_type =
		        (uint8_t)((v6 != 0 ? VIRTIO_NET_GSO_TCPV6 : VIRTIO_NET_GSO_TCPV4) |
		                  VIRTIO_NET_GSO_ECN);
		header.gso_size = 1440;
		header.header_length = 3; // it is not believed
		nb_send_as(0, &header, frame, start + payload);
		nb_expect(1, frame, start + payload);
		assert_int_equal(nb_got.header.gso_type, header.gso_type);
		assert_int_equal(nb_got.header.gso_size, 1440);
		assert_int_equal(nb_got.header.header_length, start);
		assert_int_equal(nb_got.header.flags, VIRTIO_NET_NEEDS_CSUM);
		assert_int_equal(nb_got.buffers, (start + payload + 12 + 2047) / 2048);
	}
}

// The same for those who cannot use it: in segments, each right in itself, in more than one piece of work.
static void test_cut(void **state)
{
	(void)state;
	static const uint64_t takers[] = {0, VIRTIO_NET_F_GUEST_CSUM,
	                                  VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6,
	                                  VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 |
	                                          VIRTIO_NET_F_GUEST_TSO6}; // no ECN
	struct virtio_net_header header;

	for (unsigned round = 0; round < 2 * ARRAY_SIZE(takers); round++) {
		const bool v6 = round % 2 != 0;
		const uint32_t payload = 60000 - round * 37, most = 1440 - round * 3;
		uint32_t done = 0, count = 0;
		nb_start(0, SENDS);
		nb_start(1, takers[round / 2] | MERGE);
		uint32_t start = nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), v6, payload, &header);
		header.gso_type = (uint8_t)((v6 ? VIRTIO_NET_GSO_TCPV6 : VIRTIO_NET_GSO_TCPV4) |
		                            VIRTIO_NET_GSO_ECN);
		header.gso_size = (uint16_t)most;
		nb_on(0);
		nb_queue_frame(&nb_nic[0], &header, frame, start + payload, 100);
		vb_notify(&nb_nic[0].drv, 1);
		assert_int_equal(nb_count(1)->got, round); // not all of it at once
		for (unsigned i = 0; i < 30; i++) {
			while (nb_receive(1)) {
				const uint8_t *tcp = nb_got.bytes + 14 + (v6 ? 40 : 20);
				const bool last = done + nb_got.size - start == payload;
				assert_int_equal(nb_got.header.flags, 0);
				assert_int_equal(nb_got.header.gso_type, 0);
				assert_int_equal(nb_check_tcp(nb_got.bytes, nb_got.size), start);
				assert_memory_equal(nb_got.bytes + start, frame + start + done,
				                    nb_got.size - start);
				assert_int_equal(nb_get32(tcp + 4), 0xffffff00U + done);
				assert_int_equal(tcp[13],
				                 (done == 0 ? 0x90 : 0x10) | (last ? 0x09 : 0));
				if (!v6)
					assert_int_equal(nb_get16(nb_got.bytes + 18),
					                 (0xfffe + count) & 0xffff);
				assert_true(last || nb_got.size - start == most);
				done += nb_got.size - start;
				count++;
			}
			nb_on(0);
			vb_pass_us(100);
		}
		assert_int_equal(done, payload);
		assert_int_equal(count, (payload + most - 1) / most);
	}
}

// What is said about a frame is checked: it goes nowhere, and nothing else happens.
static void test_malformed(void **state)
{
	(void)state;
	struct virtio_net_header good;
	uint64_t lost = 0;
	const uint32_t payload = 5000;

	nb_start(0, OFFLOADS);
	nb_start(1, OFFLOADS | MERGE);
	const uint32_t start = nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), false, payload, &good);
	const uint32_t size = start + payload;
	good.gso_type = VIRTIO_NET_GSO_TCPV4;
	good.gso_size = 1448;
	nb_send_as(0, &good, frame, size);
	nb_expect(1, frame, size);
#define BAD(set)                                                                 \
	do {                                                                     \
		struct virtio_net_header header = good;                          \
		nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), false, payload, &good); \
		good.gso_type = VIRTIO_NET_GSO_TCPV4;                            \
		good.gso_size = 1448;                                            \
		header = good;                                                   \
		set;                                                             \
		nb_send_as(0, &header, frame, size);                             \
		nb_nothing(1);                                                   \
		assert_int_equal(nb_count(0)->lost[VSWITCH_MALFORMED], ++lost);  \
	} while (0)
	BAD(header.flags = 0);
	BAD(header.gso_size = 0);
	BAD(header.gso_size = 47);
	BAD(header.gso_size = 1500);
	BAD(header.gso_size = 65535);
	BAD(header.gso_type = 3); // UDP
	BAD(header.gso_type = 2);
	BAD(header.gso_type = VIRTIO_NET_GSO_ECN);
	BAD(header.gso_type = VIRTIO_NET_GSO_TCPV6);
	BAD(header.checksum_start = 0);
	BAD(header.checksum_start = 13);
	BAD(header.checksum_start = 33);
	BAD(header.checksum_start = 35);
	BAD(header.checksum_start = 180);
	BAD(header.checksum_start = 65535);
	BAD(header.checksum_offset = 15);
	BAD(header.checksum_offset = 65535);
	BAD(frame[14] = 0x44); // a header of 16 bytes
	BAD(frame[14] = 0x4f); // of 60
	BAD(frame[14] = 0x65);
	BAD(frame[14 + 9] = 17);
	BAD(frame[34 + 12] = 0x40); // TCP's: 16 bytes
	BAD(frame[12] = 0x86);      // neither
	BAD(nb_put16(frame + 12, 0x86dd));
#undef BAD
	// No payload to be cut; a checksum outside of a small frame; what was not agreed on; too much; too little.
	nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), false, payload, &good);
	struct virtio_net_header header = good;
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	nb_send_as(0, &header, frame, start);
	header = good;
	header.checksum_start = 60;
	header.checksum_offset = 39;
	nb_send_as(0, &header, frame, 100);
	lost += 2;
	assert_int_equal(nb_count(0)->lost[VSWITCH_MALFORMED], lost);
	header = (struct virtio_net_header){0};
	nb_send_as(0, &header, frame, 1519);
	nb_send_as(0, &header, frame, NB_LARGEST);
	assert_int_equal(nb_count(0)->lost[VSWITCH_TOO_LONG], 2);
	nb_send_as(0, &header, frame, 13);
	lost++;
	vframe_put_mac(frame + 6, BROADCAST);
	nb_send_as(0, &header, frame, 60);
	vframe_put_mac(frame + 6, 0);
	nb_send_as(0, &header, frame, 60);
	assert_int_equal(nb_count(0)->lost[VSWITCH_SPOOFED], 2);
	nb_start(0, VIRTIO_NET_F_CSUM);
	header = good;
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	vframe_put_mac(frame + 6, NB_MAC(0));
	nb_send_as(0, &header, frame, size);
	nb_start(0, 0);
	nb_send_as(0, &good, frame, 1000);
	lost += 2;
	assert_int_equal(nb_count(0)->lost[VSWITCH_MALFORMED], lost);
	nb_nothing(1);
	assert_int_equal(vb_logs, 0);
}

// ---- the control queue ----

static uint8_t set_mode(unsigned n, uint8_t mode, uint8_t on)
{
	const uint8_t command[] = {VIRTIO_NET_CTRL_RX, mode, on};
	return nb_control(n, command, sizeof command);
}

// Whether what 0 sends to an address gets through to 1.
static bool passes(uint64_t to, uint32_t vlan)
{
	nb_make(frame, to, NB_MAC(0), vlan != 0 ? 0x8100 : 0x88b5, 64);
	nb_put16(frame + 14, vlan);
	nb_send(0, frame, 64);
	bool got = nb_receive(1);
	nb_nothing(1);
	return got;
}

static void test_filter(void **state)
{
	(void)state;
	const uint64_t group = UINT64_C(0x333300000001);
	uint8_t table[2 + 4 + 6 + 4 + 12] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_MAC_TABLE_SET, 1};

	nb_start(0, 0);
	nb_start(1, CONTROL);
	assert_true(passes(NB_MAC(1), 0) && passes(BROADCAST, 0) && passes(group, 0) &&
	            passes(STRANGER, 0) && passes(NB_MAC(1), 5));
	assert_int_equal(set_mode(1, VIRTIO_NET_RX_PROMISC, 0), VIRTIO_NET_OK);
	assert_true(passes(NB_MAC(1), 0) && passes(BROADCAST, 0));
	assert_false(passes(group, 0) || passes(STRANGER, 0) || passes(NB_MAC(1), 5));
	set_mode(1, VIRTIO_NET_RX_ALLMULTI, 1);
	assert_true(passes(group, 0));
	set_mode(1, VIRTIO_NET_RX_NOMULTI, 1);
	set_mode(1, VIRTIO_NET_RX_NOBCAST, 1);
	set_mode(1, VIRTIO_NET_RX_ALLUNI, 1);
	assert_true(passes(STRANGER, 0));
	assert_false(passes(group, 0) || passes(BROADCAST, 0));
	set_mode(1, VIRTIO_NET_RX_NOUNI, 1);
	assert_false(passes(NB_MAC(1), 0));
	for (uint8_t mode = VIRTIO_NET_RX_ALLMULTI; mode < VIRTIO_NET_RX_MODES; mode++)
		assert_int_equal(set_mode(1, mode, 0), VIRTIO_NET_OK);

	vframe_put_mac(table + 6, STRANGER);
	table[12] = 2;
	vframe_put_mac(table + 16, group + 1);
	vframe_put_mac(table + 22, group);
	assert_int_equal(nb_control(1, table, sizeof table), VIRTIO_NET_OK);
	assert_true(passes(group, 0) && passes(STRANGER, 0) && passes(NB_MAC(1), 0));
	assert_false(passes(group + 2, 0) || passes(STRANGER + 1, 0));

	const uint8_t add[] = {VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_VLAN_ADD, 5, 0};
	const uint8_t del[] = {VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_VLAN_DEL, 5, 0};
	assert_int_equal(nb_control(1, add, sizeof add), VIRTIO_NET_OK);
	assert_true(passes(NB_MAC(1), 5));
	assert_false(passes(NB_MAC(1), 6));
	assert_int_equal(nb_control(1, del, sizeof del), VIRTIO_NET_OK);
	assert_false(passes(NB_MAC(1), 5));

	uint8_t set[8] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_MAC_ADDR_SET};
	vframe_put_mac(set + 2, STRANGER + 9);
	assert_int_equal(nb_control(1, set, sizeof set), VIRTIO_NET_OK);
	assert_true(passes(STRANGER + 9, 0));
	assert_false(passes(NB_MAC(1), 0));
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG), 0xccbbaa02);
	// With a reset everything is as it was.
	nb_start(1, 0);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG), 0x00005452);
	assert_true(passes(NB_MAC(1), 0) && passes(group, 0) && passes(NB_MAC(1), 5));
}

// Copies what is named of the second VM's interface to `at`, or back.
static void copy_state(uint8_t *at, size_t room, bool back)
{
	uint8_t *net = (uint8_t *)vb_vm[1]->virtio->slot[0];

	for (unsigned i = 0; i < vvirtio_net_state.nr_fields; i++) {
		const struct vstate_field *field = &vvirtio_net_state.fields[i];
		size_t size = (size_t)field->size * field->count;
		assert_true(size <= room);
		memcpy(back ? net + field->offset : at, back ? at : net + field->offset, size);
		at += size;
		room -= size;
	}
}

// What a driver asked for is named: a fresh device that gets it passes what the other one passed.
static void test_state(void **state)
{
	(void)state;
	static uint8_t kept[KIB(4)];

	nb_start(0, 0);
	nb_start(1, CONTROL);
	set_mode(1, VIRTIO_NET_RX_PROMISC, 0);
	set_mode(1, VIRTIO_NET_RX_NOBCAST, 1);
	assert_true(passes(NB_MAC(1), 0));
	assert_false(passes(BROADCAST, 0) || passes(STRANGER, 0));
	copy_state(kept, sizeof kept, false);
	nb_start(1, CONTROL);
	assert_true(passes(BROADCAST, 0) && passes(STRANGER, 0));
	copy_state(kept, sizeof kept, true);
	assert_true(passes(NB_MAC(1), 0));
	assert_false(passes(BROADCAST, 0) || passes(STRANGER, 0));
}

static void test_hostile_commands(void **state)
{
	(void)state;
	static const struct {
		uint8_t size, bytes[16];
	} commands[] = {
	        {1, {0}},
	        {2, {0, 0}},
	        {3, {0, 6, 1}},
	        {3, {0, 255, 1}},
	        {2, {1, 0}},
	        {5, {1, 0, 0, 0, 0}},
	        {6, {1, 0, 0, 0, 0, 0}}, // one table of two
	        {10, {1, 0, 255, 255, 255, 255, 0, 0, 0, 0}},
	        {16, {1, 0, 2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4}},
	        {14, {1, 0, 0, 0, 0, 0x40, 0, 0, 0, 0}}, // 2^30 addresses are 6 * 2^30 bytes
	        {7, {1, 1, 2, 0, 0, 0, 0}},
	        {8, {1, 1, 0, 0, 0, 0, 0, 0}},
	        {8, {1, 1, 1, 0, 0, 0, 0, 1}},
	        {8, {1, 2, 2, 0, 0, 0, 0, 1}},
	        {3, {2, 0, 1}},
	        {4, {2, 0, 0, 16}}, // VLAN 4096
	        {4, {2, 2, 1, 0}},
	        {4, {3, 0, 1, 0}},
	        {4, {4, 0, 1, 0}}, // there is but one pair
	        {4, {255, 255, 255, 255}},
	};
	nb_start(0, 0);
	nb_start(1, CONTROL);
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		assert_int_equal(nb_control(1, commands[i].bytes, commands[i].size),
		                 VIRTIO_NET_ERR);
	// Nowhere to answer, nothing to read, more addresses than there is room for.
	struct nb_nic *nic = nb_on(1);
	const struct vb_segment no_answer = {VB_HEAP, 3, false}, no_command = {VB_HEAP, 3, true};
	vb_add(&nic->drv, 2, &no_answer, 1);
	vb_add(&nic->drv, 2, &no_command, 1);
	vb_notify(&nic->drv, 2);
	uint16_t id;
	uint32_t written;
	assert_true(vb_used(&nic->drv, 2, &id, &written) && written == 0);
	assert_true(vb_used(&nic->drv, 2, &id, &written) && written == 1);
	vb_interrupted(&nic->drv);
	static uint8_t many[2 + 4 + 100 * 6 + 4 + 100 * 6] = {1, 0, 100};
	many[606] = 100;
	assert_int_equal(nb_control(1, many, sizeof many), VIRTIO_NET_OK);
	assert_int_equal(set_mode(1, VIRTIO_NET_RX_PROMISC, 0), VIRTIO_NET_OK);
	assert_true(passes(STRANGER, 0) && passes(UINT64_C(0x333300000001), 0));
	assert_int_equal(vb_logs, 0);
	// What was not agreed on.
	nb_start(1, VIRTIO_NET_F_CTRL_VQ);
	assert_int_equal(set_mode(1, VIRTIO_NET_RX_PROMISC, 0), VIRTIO_NET_ERR);
	assert_int_equal(nb_control(1, many, sizeof many), VIRTIO_NET_ERR);
}

// Several pairs of queues: a connection stays in one of them.
static void test_pairs(void **state)
{
	(void)state;
	const uint8_t two[] = {VIRTIO_NET_CTRL_MQ, 0, 4, 0}, five[] = {VIRTIO_NET_CTRL_MQ, 0, 5, 0},
	              none[] = {VIRTIO_NET_CTRL_MQ, 0, 0, 0};
	struct virtio_net_header header;
	struct nb_nic *nic;
	unsigned got[4] = {0};

	nb_start(0, 0);
	nic = nb_on(1);
	assert_true(vb_offered(0) & VIRTIO_NET_F_MQ);
	assert_int_equal(vb_access(0, VIRTIO_MMIO_CONFIG + 8, 2, false, 0), 4);
	*nic = (struct nb_nic){.memory = VB_HEAP, .size = 1536, .header = 12, .control = 8};
	vb_begin(&nic->drv, 0, VIRTIO_NET, VIRTIO_NET_F_MQ | VIRTIO_NET_F_CTRL_VQ);
	for (unsigned i = 0; i < 9; i++)
		vb_queue(&nic->drv, i, 8, 0);
	vb_go(&nic->drv);
	assert_int_equal(nb_control(1, five, sizeof five), VIRTIO_NET_ERR);
	assert_int_equal(nb_control(1, none, sizeof none), VIRTIO_NET_ERR);
	assert_int_equal(nb_control(1, two, sizeof two), VIRTIO_NET_OK);
	for (unsigned round = 0; round < 64; round++) {
		uint16_t id;
		uint32_t written;
		unsigned found = 0;
		nb_on(1);
		for (unsigned i = 0; i < 4; i++) {
			const struct vb_segment segment = {VB_HEAP + KIB(256) + i * 2048, 2048,
			                                   true};
			if (round == 0 || got[i] != 0)
				vb_add(&nic->drv, 2 * i, &segment, 1);
			got[i] = 0;
		}
		nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), round % 2 != 0, 100, &header);
		nb_put16(frame + (round % 2 != 0 ? 54 : 34), 1000 + round / 2 * 13);
		nb_send(0, frame, 200);
		nb_on(1);
		for (unsigned i = 0; i < 4; i++)
			while (vb_used(&nic->drv, 2 * i, &id, &written)) {
				got[i]++;
				found++;
			}
		assert_int_equal(found, 1);
	}
	// All of them are used.
	const struct vswitch_count *count = nb_count(1);
	assert_int_equal(count->got, 64);
}

// ---- what a driver may do meanwhile ----

// A receiver that goes while a frame is on its way to it.
static void test_closed_in_flight(void **state)
{
	(void)state;
	struct virtio_net_header header;
	const uint32_t payload = 60000;

	for (unsigned how = 0; how < 3; how++) {
		nb_start(0, SENDS);
		nb_start(1, MERGE);
		uint32_t start = nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), false, payload, &header);
		header.gso_type = VIRTIO_NET_GSO_TCPV4;
		header.gso_size = 1448;
		nb_on(0);
		nb_queue_frame(&nb_nic[0], &header, frame, start + payload, 100);
		vb_notify(&nb_nic[0].drv, 1);
		nb_on(1);
		assert_true(nb_receive(1));
		uint16_t index = vb_get16(nb_nic[1].drv.ring[0].device + 2);
		assert_true(index < 40); // the rest is to come
		if (how == 0)
			vb_write(0, VIRTIO_MMIO_STATUS, 0);
		else if (how == 1)
			assert_true(vvirtio_quiet(vb_vm[1]));
		else { // one queue alone is stopped: no driver does that
			vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 0);
			vb_write(0, VIRTIO_MMIO_QUEUE_READY, 0);
		}
		nb_on(0);
		vb_pass_us(10000);
		nb_on(1);
		assert_int_equal(vb_get16(nb_nic[1].drv.ring[0].device + 2), index);
		nb_on(0);
		uint16_t id;
		uint32_t written;
		assert_true(vb_used(&nb_nic[0].drv, 1, &id, &written)); // the sender is done
	}
	// A transmit queue that is stopped in the middle and begins again: the rest of its frame is nobody's.
	nb_start(0, SENDS);
	nb_start(1, MERGE);
	nb_on(0);
	nb_queue_frame(&nb_nic[0], &header, frame, 60054, 100);
	vb_notify(&nb_nic[0].drv, 1);
	vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 1);
	vb_write(0, VIRTIO_MMIO_QUEUE_READY, 0);
	vb_queue(&nb_nic[0].drv, 1, NB_RING, 0);
	unsigned segments = 0;
	while (nb_receive(1))
		segments++;
	assert_in_range(segments, 1, 40);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 60);
	nb_send(0, frame, 60);
	nb_expect(1, frame, 60);
	nb_nothing(1);
	nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), false, payload, &header);
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	// A sender that goes in the middle.
	nb_start(0, SENDS);
	nb_start(1, MERGE);
	nb_on(0);
	nb_queue_frame(&nb_nic[0], &header, frame, 60054, 100);
	vb_notify(&nb_nic[0].drv, 1);
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	vb_pass_us(10000);
	nb_start(0, 0);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 60);
	while (nb_receive(1))
		;
	nb_send(0, frame, 60);
	nb_expect(1, frame, 60);
}

// A transmit queue that is stopped in the middle and begins again: the rest of its frame is nobody's.
static void test_transmit_queue_begins_again(void **state)
{
	(void)state;
	struct virtio_net_header header;
	unsigned segments = 0;

	nb_start(0, SENDS);
	nb_start(1, MERGE);
	nb_make_tcp(frame, NB_MAC(1), NB_MAC(0), false, 60000, &header);
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	nb_on(0);
	nb_queue_frame(&nb_nic[0], &header, frame, 60054, 100);
	vb_notify(&nb_nic[0].drv, 1);
	vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 1);
	vb_write(0, VIRTIO_MMIO_QUEUE_READY, 0);
	vb_queue(&nb_nic[0].drv, 1, NB_RING, 0);
	while (nb_receive(1))
		segments++;
	assert_in_range(segments, 1, 40);
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 60);
	nb_send(0, frame, 60);
	nb_expect(1, frame, 60);
	nb_nothing(1);
}

// A receiver whose ring is nonsense needs a reset; the sender does not notice.
static void test_broken_receiver(void **state)
{
	(void)state;
	nb_start(0, 0);
	nb_start_with(1, 0, 1536, 1);
	nb_on(1);
	vb_put16(nb_nic[1].drv.ring[0].driver + 4, 9999); // a descriptor that there is not
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 60);
	nb_send(0, frame, 60);
	assert_int_equal(nb_count(1)->lost[VSWITCH_NO_BUFFER], 1);
	nb_send(0, frame, 60);
	nb_on(1);
	assert_false(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET);
	vb_pass_us(100); // its own CPU says so
	assert_true(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET);
	assert_int_equal(vb_logs, 1);
	assert_non_null(strstr(vb_log, "virtio-net in slot 0: queue 0 "));
	nb_start(1, 0);
	nb_send(0, frame, 60);
	nb_expect(1, frame, 60);
	// The same of one that sends.
	nb_on(0);
	vb_put16(nb_nic[0].drv.ring[1].driver + 2, 999);
	vb_notify(&nb_nic[0].drv, 1);
	assert_true(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET);
	nb_send(1, frame, 60); // it hears nothing any more
	assert_int_equal(nb_count(0)->got, 0);
}

// One large frame for many, each of which wants it in segments: a purse at a time.
static void test_work_is_cut(void **state)
{
	(void)state;
	struct virtio_net_header header;
	unsigned pieces = 0;

	nb_start(0, SENDS);
	for (unsigned n = 1; n < NB_NICS; n++)
		nb_start(n, MERGE);
	nb_make_tcp(frame, BROADCAST, NB_MAC(0), false, 60000, &header);
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	nb_on(0);
	nb_queue_frame(&nb_nic[0], &header, frame, 60054, 100);
	vb_notify(&nb_nic[0].drv, 1);
	uint16_t id;
	uint32_t written;
	while (!vb_used(&nb_nic[0].drv, 1, &id, &written)) {
		uint64_t first = alarm_first(vm);
		assert_true(first != TIMER_NEVER && pieces < 1000);
		vb_now = first;
		alarm_expire(vm);
		pieces++;
	}
	assert_true(pieces > 7 * 2 && pieces < 7 * 8);
	for (unsigned n = 1; n < NB_NICS; n++) {
		unsigned got = 0;
		while (nb_receive(n))
			got++;
		assert_int_equal(got, 42);
	}
}

// A large frame behind small ones finds a purse with too little for it: it goes with the next, and needs no notification.
static void test_large_behind_small(void **state)
{
	(void)state;
	static uint8_t large[60100];
	const struct virtio_net_header none = {0};
	struct virtio_net_header header;
	uint16_t id;
	uint32_t written, done = 0, sent = 0;

	nb_start(0, OFFLOADS);
	nb_start_with(1, OFFLOADS | MERGE, 2048, NB_RING);
	uint32_t start = nb_make_tcp(large, NB_MAC(1), NB_MAC(0), false, 60000, &header);
	header.gso_type = VIRTIO_NET_GSO_TCPV4;
	header.gso_size = 1448;
	nb_make(frame, NB_MAC(1), NB_MAC(0), 0x88b5, 1514);
	for (unsigned small = 0; small < 20; small++) {
		struct nb_nic *nic = nb_on(0);
		for (unsigned i = 0; i < small; i++) {
			nic->sent = 0; // all have the same bytes
			nb_queue_frame(nic, &none, frame, 1514, 100);
		}
		nic->sent = 1;
		nb_queue_frame(nic, &header, large, start + 60000, 100);
		sent += small + 1;
		vb_notify(&nic->drv, 1);
		for (unsigned i = 0; i < 10; i++, vb_pass_us(1000))
			while (vb_used(&nic->drv, 1, &id, &written))
				done++;
		assert_int_equal(done, sent);
		while (nb_receive(1))
			;
	}
}

// What goes through a port either way is recorded, as far as there is room.
static void test_capture(void **state)
{
	uint8_t file[VCAPTURE_BEGIN], record[VCAPTURE_MOST];
	(void)state;

	nb_start(0, 0);
	nb_start(1, 0);
	const struct vswitch_port *port = vswitch_find_port("vm1.net0");
	assert_non_null(port);
	assert_null(vswitch_find_port("vm1.net1"));
	assert_int_equal(vcapture_begin(port), 0);
	assert_int_equal(vcapture_begin(port), ERR_BUSY);
	vcapture_file(file);
	assert_memory_equal(file, "\x4d\x3c\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\xc0\0\0\0\1\0\0\0", 24);
	assert_false(vcapture_waits());
	for (uint32_t size = 60; size <= 1000; size += 940) {
		for (unsigned from = 0; from < 2; from++) {
			uint32_t kept = size < 192 ? size : 192, words[4];
			nb_make(frame, NB_MAC(1 - from), NB_MAC(from), 0x88b5, size);
			nb_send(from, frame, size);
			nb_expect(1 - from, frame, size);
			assert_true(vcapture_waits());
			assert_int_equal(vcapture_take(record), 16 + kept);
			memcpy(words, record, sizeof words);
			assert_int_equal(words[0], vb_now / VB_HZ);
			assert_int_equal(words[2], kept);
			assert_int_equal(words[3], size);
			assert_memory_equal(record + 16, frame, kept);
			assert_int_equal(vcapture_take(record), 0);
		}
	}
	for (unsigned i = 0; i < 260; i++) {
		nb_send(1, frame, 60); // to itself: nowhere, but it was sent
		nb_receive(0);
	}
	assert_int_equal(vcapture_end(), 4);
	nb_send(1, frame, 60);
	assert_int_equal(vcapture_begin(port), 0);
	assert_false(vcapture_waits());
	// A port that is given back is recorded no more: its place may be another's.
	vvirtio_quiet(vb_vm[1]);
	vvirtio_net_destroy(vb_vm[1]);
	assert_int_equal(vcapture_begin(vb_vm[0]->nic.port[0]), 0);
	assert_int_equal(vcapture_end(), 0);
}

// Names that are taken.
static void test_attach(void **state)
{
	(void)state;
	struct vm *v = vb_vm[0];
	struct vswitch_port *port = v->nic.port[0];

	v->nic.count = 1;
	assert_string_equal(port->name, "vm0.net0");
	assert_int_equal(vvirtio_net_create(v), ERR_BUSY); // the address
	v->nic.net[0] = NB_NETS;
	assert_int_equal(vvirtio_net_create(v), ERR_BUSY);
	v->nic.net[0] = NB_PLAIN;
	v->nic.port[0] = port;
	// A port that was given back is another's.
	vvirtio_net_destroy(v);
	assert_null(v->nic.port[0]);
	vframe_put_mac(v->nic.mac[0], NB_MAC(77));
	assert_int_equal(vvirtio_net_create(v), 0);
	assert_ptr_equal(v->nic.port[0], port);
}

// Whatever is written wherever, only its own device suffers.
static void test_random(void **state)
{
	(void)state;
	struct virtio_net_header header;

	srand(7);
	for (unsigned round = 0; round < 150; round++) {
		nb_start(0, OFFLOADS | CONTROL | (round % 2 ? VIRTIO_F_RING_PACKED : 0));
		nb_start(1, (round % 3 ? OFFLOADS : 0) | MERGE | CONTROL);
		for (unsigned i = 0; i < 40; i++) {
			unsigned n = (unsigned)rand() % 2;
			struct nb_nic *nic = nb_on(n);
			uint64_t at = nic->drv.ring[rand() % 3].desc + (unsigned)rand() % 1800;
			if (rand() % 3 == 0) {
				uint32_t payload = (uint32_t)rand() % 3000;
				uint32_t start = nb_make_tcp(frame, NB_MAC(1 - n), NB_MAC(n),
				                             rand() % 2, payload, &header);
				header.gso_type = rand() % 2 ? VIRTIO_NET_GSO_TCPV4 : 0;
				header.gso_size = (uint16_t)(rand() % 1500);
				((uint8_t *)&header)[rand() % 10] = (uint8_t)rand();
				frame[rand() % 80] = (uint8_t)rand();
				nb_queue_frame(nic, &header, frame, start + payload,
				               (uint32_t)rand() % start);
				vb_notify(&nic->drv, 1);
			} else if (rand() % 4 != 0) {
				*(uint8_t *)vb_at(at, 1) =
				        (uint8_t)(rand() % 8 == 0 ? rand() : rand() % 10);
			} else if (rand() % 4 == 0) {
				vb_access(0, (uint32_t)rand() % 0x110, 1U << (rand() % 3), true,
				          (uint64_t)rand());
			} else {
				vb_notify(&nic->drv, (unsigned)rand() % 4);
			}
			if (rand() % 8 == 0)
				vb_pass_us(1000);
		}
		vb_vm[0]->vcpu[0]->repeat = vb_vm[1]->vcpu[0]->repeat = false;
	}
}

// Memory for records is taken once and kept.
static int open_all(void **state)
{
	nb_open(state);
	assert_int_equal(vcapture_begin((const struct vswitch_port *)nb_nic), 0);
	assert_int_equal(vcapture_end(), 0);
	return 0;
}

int main(void)
{
#define TEST(f, setup) cmocka_unit_test_setup_teardown(f, setup, nb_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_configuration, one_each),
	        TEST(test_frames, one_each),
	        TEST(test_legacy, one_each),
	        TEST(test_learning, four_each),
	        TEST(test_hostile_learning, four_each),
	        TEST(test_anti_spoof, strict),
	        TEST(test_limit, limited),
	        TEST(test_merged_buffers, one_each),
	        TEST(test_no_room, one_each),
	        TEST(test_fresh_receive_buffers, one_each),
	        TEST(test_fresh_tables, one_each),
	        TEST(test_fresh_large_buffers, one_each),
	        TEST(test_fresh_transmit_buffer, one_each),
	        TEST(test_fresh_command, one_each),
	        TEST(test_checksum, one_each),
	        TEST(test_large, one_each),
	        TEST(test_cut, one_each),
	        TEST(test_malformed, one_each),
	        TEST(test_filter, one_each),
	        TEST(test_state, one_each),
	        TEST(test_hostile_commands, one_each),
	        TEST(test_pairs, four_vcpus),
	        TEST(test_closed_in_flight, one_each),
	        TEST(test_transmit_queue_begins_again, one_each),
	        TEST(test_broken_receiver, one_each),
	        TEST(test_work_is_cut, four_each),
	        TEST(test_large_behind_small, one_each),
	        TEST(test_capture, one_each),
	        TEST(test_attach, one_each),
	        TEST(test_random, one_each),
	};
	return cmocka_run_group_tests(tests, open_all, NULL);
}
