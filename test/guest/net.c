// SPDX-License-Identifier: Apache-2.0
/*
 * Two virtio network interfaces of this machine at one net: frames go out of one and come in by the other. With n=COUNT on
 * the command line it measures instead: the time that the device takes for COUNT frames of each kind, in ticks of the
 * counter.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Network Device".
 */
#include "test.h"
#include "virtio.h"

#define RX        0
#define TX        1
#define HEADER    12u
#define BUFFER    2048u
#define F_CSUM    (1ul << 0)
#define F_GCSUM   (1ul << 1)
#define F_MAC     (1ul << 5)
#define F_GTSO4   (1ul << 7)
#define F_HTSO4   (1ul << 11)
#define F_MERGE   (1ul << 15)
#define ETHERTYPE 0x88b5u /* for local experiments */
#define LARGE     65000u
#define LONGEST   1514u
#define SECOND_US 1000000ul

struct nic {
	struct virtio dev;
	u8 mac[6];
	u8 buffer[VIRTIO_RING_MAX][BUFFER];
};
static struct nic nic[2];
static u8 frame[HEADER + 65536], got[HEADER + 65536];

static void give(struct nic *n, u32 id)
{
	const struct virtio_segment part = {n->buffer[id], BUFFER, true};

	virtio_put(&n->dev, RX, &part, 1);
}

static bool begin(struct nic *n, u64 features)
{
	if (!virtio_begin(&n->dev, features))
		return false;
	for (unsigned queue = RX; queue <= TX; queue++) {
		if (!virtio_add_queue(&n->dev, queue))
			return false;
		virtio_be_quiet(&n->dev, queue);
	}
	for (u32 i = 0; i < VIRTIO_RING_MAX; i++)
		give(n, i);
	virtio_go(&n->dev);
	virtio_notify(&n->dev, RX);
	for (unsigned i = 0; i < 6; i++)
		n->mac[i] = (u8)virtio_config(&n->dev, i, 1);
	return true;
}

/* A frame from one to the other, with a pattern that depends on `seed`. */
static void make(unsigned from, u32 bytes, u32 seed)
{
	u8 *at = frame + HEADER;

	for (unsigned i = 0; i < HEADER; i++)
		frame[i] = 0;
	for (unsigned i = 0; i < 6; i++) {
		at[i] = nic[1 - from].mac[i];
		at[6 + i] = nic[from].mac[i];
	}
	at[12] = ETHERTYPE >> 8;
	at[13] = ETHERTYPE & 0xff;
	for (u32 i = 14; i < bytes; i++)
		at[i] = (u8)(i * 3 + seed);
}

static void queue_frame(unsigned from, u32 bytes)
{
	const struct virtio_segment part = {frame, HEADER + bytes, false};

	virtio_put(&nic[from].dev, TX, &part, 1);
}

static bool sent(unsigned from)
{
	u16 id;
	u32 bytes;

	return virtio_wait(&nic[from].dev, TX, &id, &bytes, SECOND_US);
}

static bool send(unsigned from, u32 bytes)
{
	queue_frame(from, bytes);
	virtio_notify(&nic[from].dev, TX);
	return sent(from);
}

/* The next frame, of one buffer or many, into `got`: its bytes; 0: none came. */
static u32 receive(unsigned to, u64 us)
{
	struct nic *n = &nic[to];
	u32 total = 0, bytes, buffers = 1;
	u16 id;

	for (u32 i = 0; i < buffers; i++) {
		if (!virtio_wait(&n->dev, RX, &id, &bytes, us))
			return 0;
		for (u32 j = 0; j < bytes && total < sizeof got; j++)
			got[total++] = n->buffer[id % VIRTIO_RING_MAX][j];
		if (i == 0)
			buffers = got[10] | (u32)got[11] << 8;
		give(n, id % VIRTIO_RING_MAX);
	}
	return total > HEADER ? total - HEADER : 0;
}

static bool same(u32 bytes)
{
	for (u32 i = 0; i < bytes; i++)
		if (got[HEADER + i] != frame[HEADER + i])
			return false;
	return true;
}

static bool drained(unsigned to)
{
	return receive(to, SECOND_US / 50) == 0;
}

static void test_frames(void)
{
	group_begin("net-frames");
	for (u32 bytes = 60; bytes <= LONGEST; bytes += 47) {
		unsigned from = bytes % 2;

		make(from, bytes, bytes);
		group_eq(send(from, bytes), true, "%u bytes sent", bytes);
		group_eq(receive(1 - from, SECOND_US), bytes, "%u bytes received", bytes);
		group_eq(same(bytes), true, "the same %u bytes", bytes);
	}
	group_end();
	/* Many at once arrive in order. */
	group_begin("net-order");
	make(0, 600, 1);
	for (u32 i = 0; i < 16; i++)
		queue_frame(0, 100 + i * 10);
	virtio_notify(&nic[0].dev, TX);
	for (u32 i = 0; i < 16; i++)
		group_eq(receive(1, SECOND_US), 100 + i * 10, "frame %u", i);
	for (u32 i = 0; i < 16; i++)
		group_eq(sent(0), true, "frame %u came back", i);
	group_end();
	check_true(drained(0) && drained(1), "net-nothing-else");
	make(1, 100, 5);
	for (unsigned i = 0; i < 6; i++)
		frame[HEADER + i] = 0xff;
	check_true(send(1, 100) && receive(0, SECOND_US) == 100 && same(100), "net-broadcast");
}

/* What is wrong with a frame is its own affair. */
static void test_nonsense(void)
{
	static const u8 headers[][10] = {
	        {1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, /* a checksum nowhere */
	        {1, 1, 0, 0, 0, 0, 34, 0, 16, 0},           /* segments of no bytes */
	        {1, 0x55, 0, 0, 100, 0, 34, 0, 16, 0},      /* of no kind */
	        {1, 1, 0, 0, 100, 0, 34, 0, 16, 0},         /* of TCP, which it is not */
	        {0, 4, 0, 0, 100, 0, 0, 0, 0, 0},           /* without a checksum to be made */
	};

	for (u32 i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		make(0, 1000, i);
		for (u32 j = 0; j < 10; j++)
			frame[j] = headers[i][j];
		check_true(send(0, 1000) && drained(1), "net-nonsense-%u", i);
	}
	make(0, 13, 0);
	check_true(send(0, 13) && drained(1), "net-too-short");
	make(0, 9000, 0);
	check_true(send(0, 9000) && drained(1), "net-too-long");
	make(0, 100, 0);
	check_true(send(0, 100) && receive(1, SECOND_US) == 100 && same(100), "net-after-nonsense");
}

/* One whose receive ring leads nowhere needs a reset; the sender does not notice. */
static void test_broken_receiver(void)
{
	u64 end = read_sysreg(cntvct_el0) + read_sysreg(cntfrq_el0);

	virtio_spoil(&nic[1].dev, RX);
	make(0, 100, 0);
	check_true(send(0, 100), "net-sent-to-broken");
	while ((virtio_status(&nic[1].dev) & 0x40) == 0 && read_sysreg(cntvct_el0) < end)
		;
	check_eq(virtio_status(&nic[1].dev) & 0x40, 0x40, "net-broken-needs-reset");
	check_true(begin(&nic[1], F_MERGE | F_MAC), "net-reset");
	check_true(send(0, 100) && receive(1, SECOND_US) == 100 && same(100), "net-after-reset");
}

/* ---- how long it takes ---- */

/* A TCP segment of nearly 64 KiB, to be cut into 1,448 bytes. */
static void make_large(void)
{
	static const u8 offloads[10] = {1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0};
	u8 *ip = frame + HEADER + 14;

	make(0, LARGE, 0);
	for (unsigned i = 0; i < 10; i++)
		frame[i] = offloads[i];
	frame[HEADER + 12] = 8;
	frame[HEADER + 13] = 0;
	ip[0] = 0x45;
	ip[9] = 6;
	ip[20 + 12] = 0x50;
}

/* Ticks of a notification for `batch` frames, `rounds` times, and for how many of them the device wanted one. */
static void measure(const char *what, u32 bytes, u32 batch, u64 rounds)
{
	u64 ticks = 0, notified = 0, arrived = 0, begin_at = read_sysreg(cntvct_el0);

	for (u64 round = 0; round < rounds; round++) {
		for (u32 i = 0; i < batch; i++)
			queue_frame(0, bytes);
		u64 before = read_sysreg(cntvct_el0);
		if (virtio_wants(&nic[0].dev, TX)) {
			virtio_notify(&nic[0].dev, TX);
			notified++;
		}
		ticks += read_sysreg(cntvct_el0) - before;
		for (u32 i = 0; i < batch; i++)
			sent(0);
		u16 id;
		for (u32 written; virtio_take(&nic[1].dev, RX, &id, &written);) {
			give(&nic[1], id % VIRTIO_RING_MAX);
			arrived++;
		}
	}
	print("net: %s %u bytes by %u: %lu ticks a notification, %lu of them for %lu frames, %lu "
	      "buffers, %lu "
	      "ticks in all\n",
	      what, bytes, batch, notified != 0 ? ticks / notified : 0, notified, rounds * batch,
	      arrived, (read_sysreg(cntvct_el0) - begin_at) / (rounds * batch));
}

/* Frames as fast as the guest makes them, `spent` ticks of its own for each, never waiting. */
static void stream(u32 bytes, u64 frames, u64 spent)
{
	u64 notified = 0, queued = 0, done = 0, arrived = 0;
	u16 id;
	u32 written;

	while (done < frames) {
		while (virtio_take(&nic[0].dev, TX, &id, &written))
			done++;
		while (virtio_take(&nic[1].dev, RX, &id, &written)) {
			give(&nic[1], id % VIRTIO_RING_MAX);
			arrived++;
		}
		if (queued == frames || queued - done == VIRTIO_RING_MAX)
			continue;
		u64 until = read_sysreg(cntvct_el0) + spent;
		while (read_sysreg(cntvct_el0) < until)
			;
		queue_frame(0, bytes);
		queued++;
		if (virtio_wants(&nic[0].dev, TX)) {
			virtio_notify(&nic[0].dev, TX);
			notified++;
		}
	}
	print("net: stream of %lu frames of %u bytes, %lu ticks each: %lu notifications, %lu "
	      "buffers arrived\n",
	      frames, bytes, spent, notified, arrived);
}

static void measure_all(u64 rounds)
{
	make(0, LONGEST, 0);
	measure("ordinary", LONGEST, 1, rounds);
	measure("ordinary", LONGEST, 8, rounds);
	make(0, 64, 0);
	measure("small", 64, 8, rounds);
	make_large();
	measure("large", LARGE, 1, rounds);
	make(0, LONGEST, 0);
	stream(LONGEST, rounds * 10, 2000);
	stream(LONGEST, rounds * 10, 10000);
}

void test_main(void)
{
	const u64 offloads = F_CSUM | F_GCSUM | F_GTSO4 | F_HTSO4, rounds = platform_arg("n", 0);

	if (!virtio_find(VIRTIO_ID_NET, 0, &nic[0].dev) ||
	    !virtio_find(VIRTIO_ID_NET, 1, &nic[1].dev)) {
		test_skip("this machine has not two network interfaces", "net");
		check_true(true, "net-none");
		return;
	}
	u64 both = virtio_offered(&nic[0].dev) & virtio_offered(&nic[1].dev);
	check_eq(both & (F_MAC | F_MERGE), F_MAC | F_MERGE, "net-features");
	if (test_under_mezzo())
		check_eq(both & offloads, offloads, "net-offloads");
	for (unsigned i = 0; i < 2; i++)
		check_true(begin(&nic[i], F_MAC | F_MERGE | (rounds != 0 ? both & offloads : 0)),
		           "net-begin-%u", i);
	if (rounds != 0) {
		measure_all(rounds);
		return;
	}
	test_frames();
	if (test_under_mezzo()) { /* QEMU's hub passes on what it is given */
		test_nonsense();
		test_broken_receiver();
	}
}
