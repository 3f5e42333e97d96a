// SPDX-License-Identifier: Apache-2.0
// The board's own devices (hw/virtio*.c, pci.c, block*.c, net.c): an input says what is on the board, what is wrong with
// it, what the devices answer and what is asked of them. Whatever a device does, only what is mapped is touched, each
// request is over once, and none is forgotten.
#include "fuzz.h"

#include "base/log.h"

// For their lists, which are made anew for each input.
#include "../../src/hw/block.c"  // NOLINT(bugprone-suspicious-include)
#include "../../src/hw/virtio.c" // NOLINT(bugprone-suspicious-include)
#define segment_bytes net_segment_bytes
#include "../../src/hw/net.c" // NOLINT(bugprone-suspicious-include)
#undef segment_bytes
#include "../../src/hw/virtio_console.c" // NOLINT(bugprone-suspicious-include)
#include "../../src/hw/virtio_rng.c"     // NOLINT(bugprone-suspicious-include)

#include "../unit/pci_fake.h"
#include "hw/pci.h"
#include "hw/virtio_mmio.h"

#define SLOTS     2
#define FUNCTIONS 3
#define DEVICES   (SLOTS + FUNCTIONS)
#define ARENA     MIB(4)
#define REQUESTS  24
#define MAX_OPS   150

static struct fuzz_in *in;
static struct board_bus bus;
static struct fake_virtio device[DEVICES];
static uint64_t arena_used;
static struct fake_chain chain;

// ---- memory: all of it anew for each input ----

pa_t pages_alloc(unsigned order, uint16_t owner UNUSED, enum page_state state UNUSED,
                 struct page_list *list UNUSED)
{
	uint64_t bytes = PAGE_SIZE << order, at = align_up(arena_used, bytes);
	if (at + bytes > ARENA)
		return PA(0);
	arena_used = at + bytes;
	return PA(RAM_ARENA_BASE + at);
}

void pages_free(pa_t chunk UNUSED, struct page_list *list UNUSED)
{
}

// ---- interrupts ----

const struct intc_ops *intc = &board_intc;

static struct {
	const struct intc_handler *handler;
	void *owner;
	uint32_t intid;
} claimed[DEVICES];
static unsigned nr_claimed;

int intc_claim(uint32_t intid, const struct intc_handler *by, void *owner)
{
	FUZZ_CHECK(nr_claimed < DEVICES);
	claimed[nr_claimed].handler = by;
	claimed[nr_claimed].owner = owner;
	claimed[nr_claimed++].intid = intid;
	return 0;
}

uint32_t intc_gic_number(const struct board_irq *irq)
{
	return irq->chip == BOARD_IRQ_GIC ? irq->number : INTC_NONE;
}

void intc_dispatch(uint32_t intid)
{
	for (unsigned i = 0; i < nr_claimed; i++)
		if (claimed[i].intid == intid)
			claimed[i].handler->handle(claimed[i].owner);
}

// ---- what devices do ----

static uint32_t written_by(const struct fake_chain *c)
{
	uint32_t bytes = 0;
	for (unsigned i = 0; i < c->nr_in; i++)
		bytes += c->in[i].length;
	return bytes;
}

static uint32_t serve_well(const struct fake_virtio *dev)
{
	if (dev->kind == VIRTIO_BLOCK && chain.nr_out >= 1 && chain.nr_in >= 1)
		return fake_blk_do(&chain);
	for (unsigned i = 0; i < chain.nr_in; i++)
		memset(fake_at(chain.in[i].address), 0x5a, chain.in[i].length);
	return written_by(&chain);
}

static void misbehave(struct fake_virtio *dev, unsigned queue, uint8_t how)
{
	struct fake_queue *q = &dev->queue[queue];
	if (q->size == 0 || q->ready == 0)
		return;
	struct virtio_used *used = fake_at(q->used);
	dev->spoilt = dev->spoilt || how % 5 == 3;
	switch (how % 5) {
	case 0: fake_answer(dev, queue, fuzz_u16(in), fuzz_u16(in)); break;
	case 1: used->index = (uint16_t)(used->index + fuzz_u8(in)); break;
	case 2: used->index = fuzz_u16(in); break;
	case 3: memset(fake_at(q->desc), fuzz_u8(in), sizeof(struct virtio_desc) * q->size); break;
	case 4:
		used->ring[fuzz_u16(in) % q->size] =
		        (struct virtio_used_entry){fuzz_u32(in), fuzz_u32(in)};
		break;
	}
}

static void serve(struct fake_virtio *dev, unsigned queue)
{
	uint8_t how = fuzz_u8(in);
	if (how >= 250)
		return; // it sleeps
	if (how >= 220) {
		misbehave(dev, queue, how);
		return;
	}
	for (unsigned n = how % 4; n < 4 && fake_next(dev, queue, &chain); n++)
		fake_answer(dev, queue, chain.head, serve_well(dev));
}

static void make_device(struct fake_virtio *dev, bool pci)
{
	uint8_t what = fuzz_u8(in), wrong = fuzz_u8(in);
	uint32_t version = pci || (what & 0x80) != 0 ? VIRTIO_MMIO_MODERN : VIRTIO_MMIO_LEGACY;
	*dev = (what & 7) < 4 ? fake_blk_new(version, fuzz_u16(in))
	                      : fake_virtio_new(version, (what & 7) - 3, fuzz_u32(in));
	dev->served = serve;
	dev->disagrees = wrong == 1;
	dev->never_resets = wrong == 2 || wrong == 3;
	dev->status = wrong == 3 ? 4 : 0;
	dev->always_changes = wrong == 4;
	if (wrong == 5)
		dev->version = fuzz_u8(in);
	if (wrong == 6)
		dev->magic++;
	if (wrong >= 7 && wrong < 32)
		dev->queue[wrong % FAKE_QUEUES].max = fuzz_u16(in) % 300;
	for (unsigned n = fuzz_u8(in) % 8; n > 0; n--)
		dev->config[fuzz_u8(in) % sizeof dev->config] = fuzz_u8(in);
}

static void make_function(unsigned n)
{
	static const uint32_t ids[] = {0, 0x1041, 0x1042, 0x1043, 0x1044};
	struct fake_virtio *dev = &device[SLOTS + n];
	make_device(dev, true);
	uint32_t id = dev->kind < ARRAY_SIZE(ids) ? ids[dev->kind] : 0x1042;
	struct fake_function *f = pci_plug(n, (n + 1) << 3, id, dev);
	for (unsigned left = fuzz_u8(in) % 8; left > 0; left--) {
		uint8_t at = fuzz_u8(in), value = fuzz_u8(in);
		if ((value & 1) != 0)
			f->writable[at] = fuzz_u8(in);
		else
			f->config[at] = fuzz_u8(in);
	}
	f->notify_off = fuzz_u8(in) < 16 ? fuzz_u16(in) : 0;
}

// ---- what is asked of them ----

static struct request {
	bool out;
	unsigned over;
	struct segment segments[3];
	struct block_request block;
	struct net_request net;
	struct virtio_rng_request noise;
	uint32_t room;
} requests[REQUESTS];

static void over(struct request *r, uint32_t bytes)
{
	FUZZ_CHECK(r >= requests && r < requests + REQUESTS);
	FUZZ_CHECK(r->out && bytes <= r->room);
	r->out = false;
}

static void block_over(struct block_request *request, int error)
{
	FUZZ_CHECK(error == 0 || error == ERR_IO || error == ERR_UNSUPPORTED);
	over(request->owner, 0);
}

static void net_over(struct net_request *request, int error, uint32_t bytes)
{
	FUZZ_CHECK((error == 0 || error == ERR_IO) && (error == 0 || bytes == 0));
	over(request->owner, bytes);
}

static void noise_over(struct virtio_rng_request *request, int error, uint32_t bytes)
{
	FUZZ_CHECK((error == 0 || error == ERR_IO) && (error == 0 || bytes == 0));
	over(request->owner, bytes);
}

static const struct block_request_ops block_ops = {.done = block_over};
static const struct net_request_ops net_ops = {.done = net_over};
static const struct virtio_rng_request_ops noise_ops = {.done = noise_over};

static unsigned fill_segments(struct request *r)
{
	unsigned count = 1 + fuzz_u8(in) % 3;
	r->room = 0;
	for (unsigned i = 0; i < count; i++) {
		uint32_t bytes = 512u * (fuzz_u8(in) % 8) + (fuzz_u8(in) < 16 ? fuzz_u8(in) : 0);
		r->segments[i] = (struct segment){
		        PA(RAM_ARENA_BASE + ARENA + ((uint64_t)(r - requests) * 3 + i) * 8192),
		        bytes};
		r->room += bytes;
	}
	return count;
}

static void ask_disk(struct request *r)
{
	struct block_dev *dev = block_get(fuzz_u8(in) % DEVICES);
	if (dev == NULL)
		return;
	struct block_range range = {dev, 0, dev->sectors};
	if (dev->nr_partitions != 0)
		range = (struct block_range){dev, dev->partition[0].first,
		                             dev->partition[0].sectors};
	r->block = (struct block_request){.op = (enum block_op)(fuzz_u8(in) % 5),
	                                  .sector = fuzz_number(in),
	                                  .sectors = fuzz_u8(in),
	                                  .segments = r->segments,
	                                  .nr_segments = fill_segments(r),
	                                  .unmap = true,
	                                  .ops = &block_ops,
	                                  .owner = r};
	r->out = block_submit(&range, &r->block) == 0;
}

static void ask_net(struct request *r)
{
	struct net_dev *dev = net_get(fuzz_u8(in) % DEVICES);
	if (dev == NULL)
		return;
	r->net = (struct net_request){.segments = r->segments,
	                              .nr_segments = fill_segments(r),
	                              .ops = &net_ops,
	                              .owner = r};
	r->out = ((fuzz_u8(in) & 1) != 0 ? net_send(dev, &r->net) : net_receive(dev, &r->net)) == 0;
	(void)net_is_up(dev);
}

static void ask_noise(struct request *r)
{
	(void)fill_segments(r);
	if (r->segments[0].bytes == 0)
		return;
	r->noise = (struct virtio_rng_request){
	        .segment = r->segments[0], .ops = &noise_ops, .owner = r};
	r->out = virtio_rng_submit(&r->noise) == 0;
}

static void ask_serial(void)
{
	static uint8_t bytes[2048];
	struct serial_dev *dev = serial_get(fuzz_u8(in) % DEVICES);
	size_t count = fuzz_u16(in) % sizeof bytes;
	if (dev == NULL)
		return;
	FUZZ_CHECK(serial_write(dev, bytes, count) <= count);
	FUZZ_CHECK(serial_read(dev, bytes, count) <= count);
}

static void interrupt_all(void)
{
	for (unsigned i = 0; i < nr_claimed; i++)
		intc_dispatch(claimed[i].intid);
}

static void one_operation(void)
{
	uint8_t what = fuzz_u8(in);
	struct fake_virtio *dev = &device[fuzz_u8(in) % DEVICES];
	struct request *r = &requests[fuzz_u8(in) % REQUESTS];
	switch (what % 10) {
	case 0:
	case 1:
		if (!r->out)
			ask_disk(r);
		break;
	case 2:
		if (!r->out)
			ask_net(r);
		break;
	case 3:
		if (!r->out)
			ask_noise(r);
		break;
	case 4: ask_serial(); break;
	case 5: serve(dev, what % FAKE_QUEUES); break;
	case 6: interrupt_all(); break;
	case 7: board_pass(what < 128 ? 20 : 5000); break;
	case 8:
		if (what > 200)
			dev->status |= VIRTIO_NEEDS_RESET, dev->isr |= VIRTIO_ISR_CONFIG;
		break;
	case 9:
		if (what > 240)
			misbehave(dev, fuzz_u8(in) % FAKE_QUEUES, fuzz_u8(in));
		break;
	}
}

// ---- one life of the board ----

void fuzz_setup(void)
{
	char node[1024];
	ram_arena_map(RAM_ARENA_BASE, ARENA + REQUESTS * 3 * 8192);
	snprintf(node, sizeof node, PCI_NODE, "dma-coherent;");
	board_make_tree(node);
	board_bus_read(board_tree.bytes, &bus);
	board_other_read = pci_read;
	board_other_write = pci_write;
}

static void forget(void)
{
	nr_devices = nr_disks = nr_nets = nr_lines = nr_claimed = nr_rngs = 0;
	first_rng = NULL;
	watching = false;
	arena_used = 0;
	board_nr_mapped = 0;
	board_now = 1000;
	memset(board_slots, 0, sizeof board_slots);
	memset(pci_functions, 0, sizeof pci_functions);
	memset(requests, 0, sizeof requests);
	board_ready();
}

static void end(void)
{
	board_spent = 1;
	for (unsigned i = 0; i < DEVICES; i++)
		device[i].served = NULL;
	for (unsigned i = 0; i < nr_devices; i++) {
		spin_lock(&devices[i].lock);
		virtio_stop(&devices[i], "the end");
		spin_unlock(&devices[i].lock);
	}
	board_pass(4000);
	for (unsigned i = 0; i < REQUESTS; i++)
		FUZZ_CHECK(!requests[i].out);
	for (unsigned i = 0; i < nr_devices; i++)
		FUZZ_CHECK(devices[i].state != VIRTIO_LIVE && !has_any(&devices[i]));
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in all = {data, size};
	in = &all;
	forget();
	for (unsigned i = 0; i < SLOTS; i++) {
		make_device(&device[i], false);
		board_slots[i] = &device[i];
	}
	for (unsigned n = 0; n < FUNCTIONS; n++)
		make_function(n);
	board_spent = BOARD_HZ / 20; // who waits for nothing does not wait long
	for (unsigned i = 0; i < SLOTS; i++)
		virtio_mmio_probe(board_tree.bytes, &test_board, &bus.slot[i]);
	pci_probe(board_tree.bytes, &test_board, &bus.pci);
	block_find_partitions();
	board_spent = 1;
	for (unsigned i = 0; i < MAX_OPS && fuzz_more(in); i++)
		one_operation();
	end();
}

const struct virtio_driver *const virtio_drivers[] = {&virtio_blk, &virtio_net, &virtio_rng,
                                                      &virtio_console, NULL};
