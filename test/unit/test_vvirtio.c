// SPDX-License-Identifier: Apache-2.0
// Virtio devices: their registers, their life, and what drivers may do wrong. The device is one of the test's own, which
// gives back what it was given.
#include "virtio_bench.h"

#define ECHO_ID 42 // no real kind
#define ECHO_F  BIT_U64(3)

// Turns what it can read around into what it may write; 16 bytes at a time, so that it can be interrupted.
struct echo {
	struct vvirtio dev;
	struct vvirtio_queue queue[2];
	uint8_t config[16];
	unsigned began, resets, config_writes;
	uint32_t config_offset, config_size, config_value;
	bool busy, is_slow, is_lazy;
	unsigned calls;
};

static struct echo *echo;

static bool echo_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct echo *e = (struct echo *)dev;
	struct vvirtqueue_chain *chain;
	uint8_t bytes[64];

	e->calls++;
	if (e->is_lazy) // as if it had nothing for its buffers
		return true;
	while (vvirtio_may(work) && (chain = vvirtio_chain(dev, queue, work)) != NULL) {
		struct vvirtio_place from = vvirtio_readable(chain), to = vvirtio_writable(chain);
		uint32_t written = 0;
		for (size_t got; (got = vvirtio_from_guest(dev, chain, &from, bytes, sizeof bytes,
		                                           work)) != 0;) {
			for (size_t i = 0; i < got; i++)
				bytes[i] = (uint8_t)~bytes[i];
			written += (uint32_t)vvirtio_to_guest(dev, chain, &to, bytes, got, work);
		}
		vvirtio_give(dev, queue, written);
		if (e->is_slow)
			vvirtio_spend(work, VVIRTIO_WORK);
	}
	return vvirtio_may(work);
}

static void echo_begin(struct vvirtio *dev)
{
	((struct echo *)dev)->began++;
}
static void echo_reset(struct vvirtio *dev)
{
	((struct echo *)dev)->resets++;
}
static bool echo_busy(struct vvirtio *dev)
{
	return ((struct echo *)dev)->busy;
}
static void echo_config(struct vvirtio *dev, uint32_t offset, unsigned size, uint32_t value)
{
	struct echo *e = (struct echo *)dev;
	e->config_writes++;
	e->config_offset = offset;
	e->config_size = size;
	e->config_value = value;
}

static const struct vvirtio_ops echo_ops = {
        .name = "echo",
        .id = ECHO_ID,
        .features = ECHO_F,
        .queue_size = 16,
        .work = echo_work,
        .begin = echo_begin,
        .reset = echo_reset,
        .busy = echo_busy,
        .config_write = echo_config,
};

static int setup(void **state)
{
	vb_setup(state);
	echo = vm_alloc(vm, sizeof *echo);
	echo->dev.queue = echo->queue;
	echo->dev.nr_queues = 2;
	echo->dev.config = echo->config;
	echo->dev.config_size = sizeof echo->config;
	for (unsigned i = 0; i < sizeof echo->config; i++)
		echo->config[i] = (uint8_t)(0x10 + i);
	assert_int_equal(vvirtio_add(vm, &echo->dev, &echo_ops), 0);
	vvirtio_reset_all(vm);
	return 0;
}

static void start(struct vb_driver *drv, uint64_t features, unsigned size)
{
	vb_begin(drv, 0, ECHO_ID, features);
	vb_queue(drv, 0, size, 0);
	vb_queue(drv, 1, size, 4096 - 16 * size / 2); // across a page
	vb_go(drv);
}

static const uint64_t ring_kinds[] = {
        0,
        VIRTIO_F_EVENT_IDX,
        VIRTIO_F_RING_PACKED,
        VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
};

// ---- what works ----

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(vb_offered(0), ECHO_F | VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX |
	                                        VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED);
	vb_write(0, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_QUEUE_NUM_MAX), 16);
	vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 2);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG + 4), 0x17161514);
	assert_int_equal(vb_access(0, VIRTIO_MMIO_CONFIG + 2, 2, false, 0), 0x1312);
	assert_int_equal(vb_access(0, VIRTIO_MMIO_CONFIG + 8, 8, false, 0), 0x1f1e1d1c1b1a1918);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG + 16), 0);
	assert_int_equal(vb_access(0, VIRTIO_MMIO_STATUS, 1, false, 0), 0);
	vb_access(0, VIRTIO_MMIO_CONFIG + 5, 1, true, 0xab);
	assert_int_equal(echo->config_writes, 1);
	assert_int_equal(echo->config_offset, 5);
	assert_int_equal(echo->config_value, 0xab);
	vb_write(0, VIRTIO_MMIO_CONFIG + 16, 1);
	assert_int_equal(echo->config_writes, 1);
	struct access wide = {IPA(VVIRTIO_BASE), 8, false, 0};
	assert_false(mmio_access(&vm->mmio, vm->vcpu[0], &wide));
}

static void test_empty_slots(void **state)
{
	(void)state;
	for (unsigned slot = 1; slot < VVIRTIO_SLOTS; slot++)
		for (uint32_t offset = 0; offset < VVIRTIO_SLOT_SIZE; offset += 4) {
			uint32_t expected = offset == 0x00   ? 0x74726976
			                    : offset == 0x04 ? 1
			                    : offset == 0x0c ? 0x554d4551
			                                     : 0;
			vb_write(slot, offset, 0xffffffff);
			assert_int_equal(vb_read(slot, offset), expected);
			assert_int_equal(vb_access(slot, offset, 1, false, 0), 0);
		}
}

static void test_features(void **state)
{
	(void)state;
	const uint32_t before = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;
	const struct {
		uint64_t features;
		bool good;
	} cases[] = {
	        {VIRTIO_F_VERSION_1, true},
	        {0, false},
	        {VIRTIO_F_VERSION_1 | ECHO_F, true},
	        {VIRTIO_F_VERSION_1 | BIT_U64(4), false},
	        {VIRTIO_F_VERSION_1 | BIT_U64(63), false},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		vb_write(0, VIRTIO_MMIO_STATUS, 0);
		vb_write(0, VIRTIO_MMIO_STATUS, before);
		for (unsigned half = 0; half < 2; half++) {
			vb_write(0, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
			vb_write(0, VIRTIO_MMIO_DRIVER_FEATURES,
			         (uint32_t)(cases[i].features >> (32 * half)));
		}
		vb_write(0, VIRTIO_MMIO_STATUS, before | VIRTIO_FEATURES_OK);
		uint32_t ok = cases[i].good ? VIRTIO_FEATURES_OK : 0;
		assert_int_equal(vb_read(0, VIRTIO_MMIO_STATUS), before | ok);
		// What was agreed on stays, and without that nothing begins.
		vb_write(0, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
		vb_write(0, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
		vb_write(0, VIRTIO_MMIO_STATUS, before | ok | VIRTIO_DRIVER_OK);
		assert_int_equal(vb_read(0, VIRTIO_MMIO_STATUS),
		                 before | ok | (ok != 0 ? VIRTIO_DRIVER_OK : 0));
		if (cases[i].good)
			assert_int_equal(echo->dev.driver_features, cases[i].features);
	}
	assert_int_equal(echo->began, 2);
}

// Buffers of one and of many segments, in descriptors and in tables, until the ring has gone round several times.
static void test_buffers(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < ARRAY_SIZE(ring_kinds); kind++) {
		struct vb_driver drv;
		start(&drv, ring_kinds[kind] | VIRTIO_F_INDIRECT, 16);
		for (unsigned turn = 0; turn < 100; turn++) {
			const uint64_t in = VB_HEAP, out = VB_HEAP + KIB(64) - 3;
			const unsigned n = turn % 2, bytes = 1 + turn * 37 % 300;
			const struct vb_segment segments[] = {
			        {in, bytes / 2, false},
			        {in + bytes / 2, bytes - bytes / 2, false},
			        {out, bytes / 3, true},
			        {out + bytes / 3, 0, true}, // nothing
			        {out + bytes / 3, bytes + 5, true},
			};
			uint16_t id, got_id;
			uint32_t written;
			for (unsigned i = 0; i < bytes; i++)
				*(uint8_t *)vb_at(in + i, 1) = (uint8_t)(i + turn);
			if (turn % 3 == 0)
				id = vb_add_table(&drv, n, VB_HEAP + KIB(96) - 24, segments, 5);
			else
				id = vb_add(&drv, n, segments, 5);
			vb_notify(&drv, n);
			assert_true(vb_used(&drv, n, &got_id, &written));
			assert_int_equal(got_id, id);
			assert_int_equal(written, bytes);
			for (unsigned i = 0; i < bytes; i++)
				assert_int_equal(*(uint8_t *)vb_at(out + i, 1),
				                 (uint8_t) ~(i + turn));
			assert_false(vb_used(&drv, n, &got_id, &written));
			if (!(ring_kinds[kind] & VIRTIO_F_EVENT_IDX))
				assert_true(vb_interrupted(&drv));
		}
		assert_int_equal(vb_logs, 0);
		vb_interrupted(&drv);
	}
}

// The driver says of which buffer it wants to hear.
static void test_interrupts(void **state)
{
	(void)state;
	const struct vb_segment segment = {VB_HEAP, 4, false};
	for (unsigned kind = 0; kind < ARRAY_SIZE(ring_kinds); kind++) {
		struct vb_driver drv;
		const bool event = (ring_kinds[kind] & VIRTIO_F_EVENT_IDX) != 0;
		start(&drv, ring_kinds[kind], 8);
		struct vb_ring *ring = &drv.ring[0];
		for (unsigned turn = 0; turn < 60; turn++) {
			bool wanted;
			uint16_t id;
			uint32_t bytes;
			if (!event) {
				wanted = turn % 3 != 0;
				if (drv.packed)
					vb_put16(ring->driver + 2, wanted ? 0 : 1);
				else
					vb_put16(ring->driver, wanted ? 0 : 1);
			} else { // of the third one from here, every three
				wanted = turn % 3 == 2;
				uint16_t third = (uint16_t)(ring->used + 2);
				if (turn % 3 == 0 && drv.packed)
					vb_put32(ring->driver,
					         2U << 16 | third % ring->size |
					                 (ring->used_wrap == (third < ring->size)
					                          ? 0x8000U
					                          : 0));
				else if (turn % 3 == 0)
					vb_put16(ring->driver + 4 + 2 * ring->size, third);
			}
			vb_add(&drv, 0, &segment, 1);
			vb_notify(&drv, 0);
			assert_true(vb_used(&drv, 0, &id, &bytes));
			assert_int_equal(vb_interrupted(&drv), wanted);
		}
	}
}

// Whether the device wants to be notified now, as the driver reads it.
static bool wants_notify(const struct vb_driver *drv)
{
	const struct vb_ring *ring = &drv->ring[0];
	bool event = (drv->features & VIRTIO_F_EVENT_IDX) != 0;
	if (drv->packed && event) {
		uint32_t where = vb_get32(ring->device);
		return where == (2U << 16 | ring->avail | (ring->avail_wrap ? 0x8000U : 0));
	}
	if (drv->packed)
		return vb_get16(ring->device + 2) == 0;
	if (event)
		return vb_get16(ring->device + 4 + 8 * ring->size) == ring->avail;
	return vb_get16(ring->device) == 0;
}

// More than an exit has time for: the rest is done later, and the driver need not notify meanwhile.
static void test_long_work(void **state)
{
	(void)state;
	const struct vb_segment segment = {VB_HEAP, 4, false};
	for (unsigned kind = 0; kind < ARRAY_SIZE(ring_kinds); kind++) {
		struct vb_driver drv;
		uint16_t id;
		uint32_t bytes;
		start(&drv, ring_kinds[kind], 16);
		for (unsigned i = 0; i < 12; i++)
			vb_add(&drv, 0, &segment, 1);
		echo->is_slow = true;
		vb_notify(&drv, 0);
		assert_true(vb_used(&drv, 0, &id, &bytes));
		assert_false(vb_used(&drv, 0, &id, &bytes));
		assert_false(wants_notify(&drv));
		vb_pass_us(10000);
		for (unsigned i = 1; i < 12; i++)
			assert_true(vb_used(&drv, 0, &id, &bytes));
		assert_false(vb_used(&drv, 0, &id, &bytes));
		assert_true(wants_notify(&drv));
		echo->is_slow = false;
		vb_interrupted(&drv);
	}
}

// A device that leaves buffers where they are is not asked for ever.
static void test_lazy(void **state)
{
	(void)state;
	const struct vb_segment segment = {VB_HEAP, 4, true};
	for (unsigned deaf = 0; deaf < 2; deaf++) {
		struct vb_driver drv;
		start(&drv, 0, 8);
		echo->is_lazy = true;
		echo->calls = 0;
		vvirtio_deafen(&echo->dev, 0, deaf != 0);
		vb_add(&drv, 0, &segment, 1);
		vb_notify(&drv, 0);
		assert_in_range(echo->calls, 1, deaf ? 1 : VVIRTIO_WORK / 100);
		assert_int_equal(echo->dev.pending != 0, !deaf);
		if (deaf) { // neither are notifications wanted
			assert_false(wants_notify(&drv));
			vb_pass_us(1000);
			assert_int_equal(echo->calls, 1);
		}
		echo->is_lazy = false;
		vvirtio_deafen(&echo->dev, 0, false);
	}
}

// Tables of descriptors in memory that nobody touched, as those of a kernel's image: to fill it takes time as well.
static void test_untouched_tables(void **state)
{
	(void)state;
	static const uint64_t entry[2] = {VB_HEAP, 4};
	unsigned level, touched = 0;
	struct vb_driver drv;
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(
		        stage2_add_source(&vm->stage2, VB_HEAP + i * KIB(64), entry, sizeof entry),
		        0);
	start(&drv, VIRTIO_F_INDIRECT, 16);
	for (unsigned i = 0; i < 12; i++) {
		const struct vb_segment table = {VB_HEAP + i * KIB(64), 16, false};
		vb_add_split(&drv, &drv.ring[0], &table, 1, 4);
	}
	vb_notify(&drv, 0);
	for (unsigned i = 0; i < 12; i++)
		touched += (stage2_entry(&vm->stage2, IPA(VB_HEAP + i * KIB(64)), &level) &
		            PTE_VALID) != 0;
	assert_in_range(touched, 1, 4);
	vb_pass_us(10000);
	uint16_t id;
	uint32_t bytes;
	for (unsigned i = 0; i < 12; i++)
		assert_true(vb_used(&drv, 0, &id, &bytes));
}

// Who fills its exits with work does not keep the alarm from the devices behind it.
static void test_turns(void **state)
{
	(void)state;
	const struct vb_segment segment = {VB_HEAP, 4, false};
	struct echo *other = vm_alloc(vm, sizeof *other);
	struct vb_driver drv, late;
	uint16_t id;
	uint32_t bytes;
	other->dev.queue = other->queue;
	other->dev.nr_queues = 2;
	assert_int_equal(vvirtio_add(vm, &other->dev, &echo_ops), 0);
	vvirtio_reset_all(vm);
	start(&drv, 0, 16);
	vb_begin(&late, 1, ECHO_ID, 0);
	vb_queue(&late, 0, 16, 0);
	vb_go(&late);
	echo->is_slow = true;
	vb_add(&late, 0, &segment, 1);
	vvirtio_post(&other->dev, BIT_U32(0));
	for (unsigned i = 0; i < 3; i++) { // as fast as the first one's come back
		vb_add(&drv, 0, &segment, 1);
		vvirtio_post(&echo->dev, BIT_U32(0));
		vb_now += 1;
		alarm_expire(vm);
	}
	assert_true(vb_used(&late, 0, &id, &bytes));
}

static void test_legacy(void **state)
{
	(void)state;
	const struct vb_segment segments[] = {{VB_HEAP, 4, false}, {VB_HEAP + 64, 4, true}};
	const uint64_t base = VB_RAM + KIB(64);
	struct vb_driver drv = {.vm = vm};
	uint16_t id;
	uint32_t bytes;

	echo->dev.legacy = true;
	assert_int_equal(vb_read(0, VIRTIO_MMIO_VERSION), 1);
	assert_int_equal(vb_offered(0),
	                 ECHO_F | VIRTIO_F_INDIRECT | VIRTIO_F_EVENT_IDX | VIRTIO_F_ANY_LAYOUT);
	for (unsigned align = 64; align <= 4096; align *= 64) {
		vb_write(0, VIRTIO_MMIO_STATUS, 0);
		vb_write(0, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
		vb_write(0, VIRTIO_MMIO_DRIVER_FEATURES, 0);
		vb_write(0, VIRTIO_MMIO_LEGACY_PAGE_SIZE, 4096);
		vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 0);
		assert_int_equal(vb_read(0, VIRTIO_MMIO_LEGACY_QUEUE_PFN), 0);
		vb_write(0, VIRTIO_MMIO_QUEUE_NUM, 8);
		vb_write(0, VIRTIO_MMIO_LEGACY_QUEUE_ALIGN, align);
		vb_write(0, VIRTIO_MMIO_LEGACY_QUEUE_PFN, (uint32_t)(base / 4096));
		assert_int_equal(vb_read(0, VIRTIO_MMIO_LEGACY_QUEUE_PFN), base / 4096);
		assert_int_equal(vb_read(0, VIRTIO_MMIO_QUEUE_READY), 0);
		drv.ring[0] = (struct vb_ring){
		        .size = 8,
		        .desc = base,
		        .driver = base + 128,
		        .device = align_up(base + 128 + 22, align),
		};
		for (uint64_t at = base; at < base + KIB(8); at += 2)
			vb_put16(at, 0);
		vb_add(&drv, 0, segments, 2);
		vb_notify(&drv, 0); // before it said that it is ready: it is not forgotten
		assert_false(vb_used(&drv, 0, &id, &bytes));
		vb_write(0, VIRTIO_MMIO_STATUS,
		         VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
		assert_true(vb_used(&drv, 0, &id, &bytes));
		assert_int_equal(bytes, 4);
		assert_true(vb_interrupted(&drv));
	}
	vb_write(0, VIRTIO_MMIO_LEGACY_QUEUE_PFN, 0);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_LEGACY_QUEUE_PFN), 0);
}

static void test_config_change(void **state)
{
	(void)state;
	struct vb_driver drv;
	uint32_t before = vb_read(0, VIRTIO_MMIO_CONFIG_GENERATION);
	start(&drv, 0, 8);
	spin_lock(&echo->dev.lock);
	vvirtio_config_changed(&echo->dev);
	spin_unlock(&echo->dev.lock);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_ISR_CONFIG);
	assert_true(vb_line[0][0]);
	assert_int_not_equal(vb_read(0, VIRTIO_MMIO_CONFIG_GENERATION), before);
	vb_write(0, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_ISR_RING);
	assert_true(vb_line[0][0]);
	vb_write(0, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_ISR_CONFIG);
	assert_false(vb_line[0][0]);
}

// A device that something outside still works for is reset when that is over, not before.
static void test_reset_waits(void **state)
{
	(void)state;
	struct vb_driver drv;
	start(&drv, 0, 8);
	unsigned resets = echo->resets;
	echo->busy = true;
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	assert_true(vm->vcpu[0]->repeat);
	vm->vcpu[0]->repeat = false;
	assert_int_equal(echo->resets, resets);
	assert_false(vvirtio_quiet(vm));
	echo->busy = false;
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	assert_false(vm->vcpu[0]->repeat);
	assert_int_equal(echo->resets, resets + 1);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_STATUS), 0);
	assert_true(vvirtio_quiet(vm));
}

// ---- what does not ----

// The driver's mistake ends in a device that needs a reset, and says so once; after a reset all is well again.
static void expect_broken(struct vb_driver *drv, const char *why)
{
	unsigned n = drv->ring[1].size == 0 ? 0 : 1;
	vb_notify(drv, n);
	if ((vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET) == 0 ||
	    strstr(vb_log, why) == NULL)
		fail_msg("status %#x, log \"%s\", expected \"%s\"", vb_read(0, VIRTIO_MMIO_STATUS),
		         vb_log, why);
	assert_int_equal(vb_logs, 1);
	assert_true(vb_read(0, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_ISR_CONFIG);
	for (unsigned i = 0; i < 1000; i++)
		vb_notify(drv, i % 3);
	assert_int_equal(vb_logs, 1);
	vb_logs = 0;
	vb_log[0] = '\0';

	const struct vb_segment segment = {VB_HEAP, 4, false};
	uint16_t id;
	uint32_t bytes;
	start(drv, 0, 8);
	vb_add(drv, 1, &segment, 1);
	vb_notify(drv, 1);
	assert_true(vb_used(drv, 1, &id, &bytes));
	vb_interrupted(drv);
	assert_int_equal(vb_logs, 0);
}

static void test_bad_buffers(void **state)
{
	(void)state;
	const uint64_t end = VB_RAM + MIB(VB_RAM_MB);
	const struct {
		struct vb_segment segment[2];
		unsigned count;
		const char *why;
	} cases[] = {
	        {{{0, 4, false}}, 1, "not in RAM"},
	        {{{end - 1, 2, false}}, 1, "not in RAM"},
	        {{{end, 0, false}, {end - 1, UINT32_MAX, true}}, 2, "not in RAM"},
	        {{{UINT64_MAX, 2, true}}, 1, "not in RAM"},
	        {{{UINT64_MAX - 3, 4, true}}, 1, "not in RAM"},
	        {{{VB_RAM, UINT32_MAX, true}}, 1, "not in RAM"},
	        {{{VVIRTIO_BASE, 4, true}}, 1, "not in RAM"},
	        {{{VB_HEAP, 4, true}, {VB_HEAP, 4, false}}, 2, "behind one to be written"},
	};
	for (unsigned kind = 0; kind < ARRAY_SIZE(ring_kinds); kind++)
		for (unsigned i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
			struct vb_driver drv;
			unsigned n = i / 2;
			start(&drv, ring_kinds[kind] | VIRTIO_F_INDIRECT, 8);
			if (i % 2 == 0)
				vb_add(&drv, 1, cases[n].segment, cases[n].count);
			else
				vb_add_table(&drv, 1, VB_HEAP, cases[n].segment, cases[n].count);
			expect_broken(&drv, cases[n].why);
		}
}

static void test_bad_tables(void **state)
{
	(void)state;
	const struct {
		uint64_t features;
		struct vb_segment table;
		const char *why;
	} cases[] = {
	        {0, {VB_HEAP, 16, false}, "not agreed on"},
	        {VIRTIO_F_INDIRECT, {VB_HEAP, 0, false}, "no size that it may have"},
	        {VIRTIO_F_INDIRECT, {VB_HEAP, 17, false}, "no size that it may have"},
	        {VIRTIO_F_INDIRECT, {VB_HEAP, 257 * 16, false}, "no size that it may have"},
	        {VIRTIO_F_INDIRECT, {VB_HEAP, UINT32_MAX - 15, false}, "no size that it may have"},
	        {VIRTIO_F_INDIRECT, {VVIRTIO_BASE, 16, false}, "not in RAM"},
	};
	for (unsigned packed = 0; packed < 2; packed++)
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			struct vb_driver drv;
			start(&drv, cases[i].features | (packed ? VIRTIO_F_RING_PACKED : 0), 8);
			if (packed)
				vb_add_packed(&drv, &drv.ring[1], &cases[i].table, 1, 4);
			else
				vb_add_split(&drv, &drv.ring[1], &cases[i].table, 1, 4);
			expect_broken(&drv, cases[i].why);
		}
	for (unsigned packed = 0; packed < 2;
	     packed++) { // a table in a table, and one beside other descriptors
		const struct vb_segment plain[2] = {{VB_HEAP, 16, false}, {VB_HEAP, 16, false}};
		struct vb_driver drv;
		start(&drv, VIRTIO_F_INDIRECT | (packed ? VIRTIO_F_RING_PACKED : 0), 8);
		vb_add_table(&drv, 1, VB_HEAP, plain, 1);
		vb_put16(VB_HEAP + (packed ? 14 : 12), 4);
		expect_broken(&drv, "in a table");
		start(&drv, VIRTIO_F_INDIRECT | (packed ? VIRTIO_F_RING_PACKED : 0), 8);
		if (packed)
			vb_add_packed(&drv, &drv.ring[1], plain, 2, 4);
		else
			vb_add_split(&drv, &drv.ring[1], plain, 2, 4);
		expect_broken(&drv, "goes on be");
	}
}

static void test_bad_chains(void **state)
{
	(void)state;
	const struct vb_segment segment = {VB_HEAP, 4, false};
	const struct vb_segment two[2] = {{VB_HEAP, 4, false}, {VB_HEAP + 64, 4, false}};
	struct vb_driver drv;

	start(&drv, 0, 8); // a circle
	vb_add(&drv, 1, two, 2);
	vb_put16(drv.ring[1].desc + 16 + 12, 1);
	vb_put16(drv.ring[1].desc + 16 + 14, 0);
	expect_broken(&drv, "circle");
	start(&drv, 0, 8); // a descriptor that is not there
	vb_add(&drv, 1, two, 2);
	vb_put16(drv.ring[1].desc + 14, 8);
	expect_broken(&drv, "leaves its table");
	start(&drv, 0, 8); // the same for the first
	vb_add(&drv, 1, &segment, 1);
	vb_put16(drv.ring[1].driver + 4, 0xffff);
	expect_broken(&drv, "leaves its table");
	start(&drv, 0, 8); // an index that runs away
	vb_put16(drv.ring[1].driver + 2, 9);
	expect_broken(&drv, "more entries");
	start(&drv, VIRTIO_F_INDIRECT, 8); // a circle in a table
	vb_add_table(&drv, 1, VB_HEAP + KIB(8), two, 2);
	vb_put16(VB_HEAP + KIB(8) + 16 + 12, 1);
	vb_put16(VB_HEAP + KIB(8) + 16 + 14, 0);
	expect_broken(&drv, "circle");
	start(&drv, VIRTIO_F_INDIRECT, 8);
	vb_add_table(&drv, 1, VB_HEAP + KIB(8), two, 2);
	vb_put16(VB_HEAP + KIB(8) + 14, 2);
	expect_broken(&drv, "leaves its table");
	start(&drv, VIRTIO_F_RING_PACKED, 8); // all of a packed ring goes on
	for (unsigned i = 0; i < 8; i++)
		vb_desc(&drv, drv.ring[1].desc + i * 16, &segment, 0x81, 0);
	expect_broken(&drv, "circle");
}

static void test_bad_rings(void **state)
{
	(void)state;
	const uint64_t end = VB_RAM + MIB(VB_RAM_MB);
	const struct {
		uint32_t size;
		uint64_t desc, driver, device;
		const char *why;
	} cases[] = {
	        {0, VB_RAM, VB_RAM + 4096, VB_RAM + 8192, "no size that it may have"},
	        {3, VB_RAM, VB_RAM + 4096, VB_RAM + 8192, "no power of two"},
	        {32, VB_RAM, VB_RAM + 4096, VB_RAM + 8192, "no size that it may have"},
	        {65535, VB_RAM, VB_RAM + 4096, VB_RAM + 8192, "no size that it may have"},
	        {65536 + 8, VB_RAM, VB_RAM + 4096, VB_RAM + 8192, "no size that it may have"},
	        {8, VB_RAM + 8, VB_RAM + 4096, VB_RAM + 8192, "aligned"},
	        {8, VB_RAM, VB_RAM + 4097, VB_RAM + 8192, "aligned"},
	        {8, VB_RAM, VB_RAM + 4096, VB_RAM + 8194, "aligned"},
	        {8, end - 112, VB_RAM + 4096, VB_RAM + 8192, "not in RAM"},
	        {8, VB_RAM, end - 16, VB_RAM + 8192, "not in RAM"},
	        {8, VB_RAM, VB_RAM + 4096, end - 64, "not in RAM"},
	        {8, 0 - UINT64_C(64), VB_RAM + 4096, VB_RAM + 8192, "not in RAM"},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vb_driver drv;
		vb_begin(&drv, 0, ECHO_ID, 0);
		vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 0);
		vb_write(0, VIRTIO_MMIO_QUEUE_NUM, cases[i].size);
		vb_write64(0, VIRTIO_MMIO_QUEUE_DESC_LOW, cases[i].desc);
		vb_write64(0, VIRTIO_MMIO_QUEUE_DRIVER_LOW, cases[i].driver);
		vb_write64(0, VIRTIO_MMIO_QUEUE_DEVICE_LOW, cases[i].device);
		vb_write(0, VIRTIO_MMIO_QUEUE_READY, 1);
		assert_int_equal(vb_read(0, VIRTIO_MMIO_QUEUE_READY), 0);
		assert_true(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET);
		assert_non_null(strstr(vb_log, cases[i].why));
		vb_go(&drv);
		vb_notify(&drv, 0);
		assert_int_equal(echo->began, 0);
	}
}

// What a queue in use is like stays; one that was stopped may be another.
static void test_queue_in_use(void **state)
{
	(void)state;
	const struct vb_segment segment = {VB_HEAP, 4, false};
	struct vb_driver drv;
	uint16_t id;
	uint32_t bytes;

	start(&drv, 0, 8);
	vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 1);
	vb_write(0, VIRTIO_MMIO_QUEUE_NUM, 65535);
	vb_write64(0, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	vb_write64(0, VIRTIO_MMIO_QUEUE_DEVICE_LOW, 0);
	vb_write(0, VIRTIO_MMIO_QUEUE_READY, 1);
	vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 77);
	vb_write(0, VIRTIO_MMIO_QUEUE_READY, 0);
	vb_add(&drv, 1, &segment, 1);
	vb_notify(&drv, 77);
	vb_notify(&drv, 1);
	assert_true(vb_used(&drv, 1, &id, &bytes));
	vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 1);
	vb_write(0, VIRTIO_MMIO_QUEUE_READY, 0);
	vb_add(&drv, 1, &segment, 1);
	vb_notify(&drv, 1);
	assert_false(vb_used(&drv, 1, &id, &bytes));
	vb_queue(&drv, 1, 4, 0);
	vb_add(&drv, 1, &segment, 1);
	vb_notify(&drv, 1);
	assert_true(vb_used(&drv, 1, &id, &bytes));
	assert_int_equal(vb_logs, 0);
	vb_interrupted(&drv);
}

// Whatever is written wherever, only the device suffers.
static void test_random(void **state)
{
	(void)state;
	srand(6);
	for (unsigned round = 0; round < 300; round++) {
		struct vb_driver drv;
		start(&drv, ring_kinds[round % 4] | VIRTIO_F_INDIRECT, 8);
		for (unsigned i = 0; i < 40; i++) {
			uint64_t at = drv.ring[rand() % 2].desc + (unsigned)rand() % 260;
			if (rand() % 4 != 0)
				*(uint8_t *)vb_at(at, 1) =
				        (uint8_t)(rand() % 8 == 0 ? rand() : rand() % 10);
			else if (rand() % 4 == 0)
				vb_access(0, (uint32_t)rand() % 0x110, 1U << (rand() % 3), true,
				          (uint64_t)rand());
			else
				vb_notify(&drv, (unsigned)rand() % 3);
			if (rand() % 16 == 0)
				vb_pass_us(1000);
		}
		vm->vcpu[0]->repeat = false;
		vb_logs = 0;
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vb_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_registers),        TEST(test_empty_slots),   TEST(test_features),
	        TEST(test_buffers),          TEST(test_interrupts),    TEST(test_long_work),
	        TEST(test_untouched_tables), TEST(test_turns),         TEST(test_lazy),
	        TEST(test_legacy),           TEST(test_config_change), TEST(test_reset_waits),
	        TEST(test_bad_buffers),      TEST(test_bad_tables),    TEST(test_bad_chains),
	        TEST(test_bad_rings),        TEST(test_queue_in_use),  TEST(test_random),
	};
	return cmocka_run_group_tests(tests, vb_open, NULL);
}
