// SPDX-License-Identifier: Apache-2.0
// Delivery of virtual interrupts through four list registers: what a guest sees in each situation,
// for both versions. The linked timer is in
// test_vgic_link.c, random sequences are in test_vgic_random.c, registers in test_vgic_regs.c.
#include "test_vgic_board.h"

// Runs `body` on a fresh VM of each version.
#define BOTH(version) for (unsigned version = 2; version <= 3; version++)

static void test_level(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 2);
		enable(0, 40, 0x50);
		line(40, true);
		assert_true(get_bit(0, ISPENDR, 40));
		assert_int_equal(ack(0), 40);
		assert_true(get_bit(0, ISACTIVER, 40));
		// Lowered before the end: nothing comes again, and no exit was needed.
		line(40, false);
		eoi(0, 40);
		assert_false(maintenance_wanted(&interfaces[0]));
		assert_int_equal(ack(0), SPURIOUS);
		// Still high at the end: one maintenance interrupt, then it comes again.
		line(40, true);
		assert_int_equal(ack(0), 40);
		eoi(0, 40);
		assert_true(maintenance_wanted(&interfaces[0]));
		settle();
		assert_int_equal(ack(0), 40);
		// Lowered before it is acknowledged: gone.
		line(40, false);
		eoi(0, 40);
		line(40, true);
		line(40, false);
		assert_int_equal(ack(0), SPURIOUS);
		assert_false(get_bit(0, ISPENDR, 40));
	}
}

static void test_edge(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 1);
		enable(0, 50, 0x50);
		set_edge(0, 50, true);
		line(50, true);
		line(50, false);
		line(50, true); // merges with the first
		line(50, false);
		assert_int_equal(ack(0), 50);
		line(50, true); // while active: once more
		line(50, false);
		assert_true(get_bit(0, ISPENDR, 50));
		assert_true(get_bit(0, ISACTIVER, 50));
		eoi(0, 50);
		settle();
		assert_int_equal(ack(0), 50);
		eoi(0, 50);
		settle();
		assert_int_equal(ack(0), SPURIOUS);
	}
}

static void test_written_pending(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 1);
		enable(0, 60, 0x50); // level, and its line stays low
		set_bit(0, ISPENDR, 60);
		assert_true(get_bit(0, ISPENDR, 60));
		assert_int_equal(ack(0), 60);
		assert_false(get_bit(0, ISPENDR, 60));
		set_bit(0, ISPENDR, 60);
		eoi(0, 60);
		settle();
		assert_int_equal(ack(0), 60);
		eoi(0, 60);
		assert_int_equal(ack(0), SPURIOUS);
		set_bit(0, ISPENDR, 60);
		set_bit(0, ICPENDR, 60);
		assert_int_equal(ack(0), SPURIOUS);
		// A high line cannot be cleared by a write.
		line(60, true);
		set_bit(0, ICPENDR, 60);
		assert_int_equal(ack(0), 60);
	}
}

static void test_disable_in_flight(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 2);
		set_edge(0, 70, true);
		enable(0, 70, 0x50);
		line(70, true);
		set_bit(1, ICENABLER, 70); // by another CPU, while it is in CPU 0's list register
		assert_int_equal(ack(0), SPURIOUS);
		set_bit(1, ISENABLER, 70);
		settle();
		assert_int_equal(ack(0), 70);
		set_bit(0, ICENABLER, 70); // active: stays so
		assert_true(get_bit(1, ISACTIVER, 70));
		settle();
		eoi(0, 70);
		settle();
		assert_false(get_bit(1, ISACTIVER, 70));
	}
}

static void test_retarget_in_flight(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 3);
		set_edge(0, 70, true);
		enable(0, 70, 0x50);
		line(70, true);
		set_target(2, 70, 1);
		settle();
		assert_int_equal(ack(0), SPURIOUS);
		assert_int_equal(ack(1), 70);
		set_target(2, 70, 0); // while active: the CPU that acknowledged ends it
		line(70, false);
		line(70, true);
		settle();
		assert_int_equal(ack(0), SPURIOUS);
		eoi(1, 70);
		settle();
		assert_int_equal(ack(1), SPURIOUS);
		assert_int_equal(ack(0), 70);
	}
}

static void test_priority_in_flight(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 1);
		enable(0, 40, 0x50);
		enable(0, 41, 0x60);
		line(40, true);
		line(41, true);
		set_priority(0, 41, 0x40);
		assert_int_equal(ack(0), 41);
		set_priority(0, 41,
		             0x80);      // active: ends with the priority it was acknowledged with
		set_bit(0, ISPENDR, 45); // forces a look at the list registers
		line(41, false);
		eoi(0, 41);
		settle();
		assert_false(get_bit(0, ISACTIVER, 41));
		assert_int_equal(ack(0), 40);
	}
}

static void test_more_than_list_registers(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 1);
		for (uint32_t i = 0; i < 32; i++) { // the least urgent first
			enable(0, 100 + i, 0xf8 - 8 * i);
			set_edge(0, 100 + i, true);
		}
		for (uint32_t i = 0; i < 32; i++) {
			line(100 + i, true);
			settle();
		}
		for (uint32_t i = 0; i < 32; i++) {
			assert_int_equal(ack(0), 131 - i);
			eoi(0, 131 - i);
			settle();
		}
		assert_int_equal(ack(0), SPURIOUS);
		assert_int_equal(interfaces[0].notify, 0);
	}
}

// More active interrupts than list registers: each preempts the one before.
static void test_deep_nesting(void **state)
{
	(void)state;
	for (unsigned split = 0; split < 2; split++) {
		start(3, 1);
		interfaces[0].split = split != 0;
		for (uint32_t i = 0; i < 20; i++) {
			enable(0, 64 + i, 0xf8 - 8 * i);
			set_edge(0, 64 + i, true);
			line(64 + i, true);
			settle();
			assert_int_equal(ack(0), 64 + i);
			settle();
		}
		for (uint32_t i = 20; i-- != 0;) {
			assert_true(get_bit(0, ISACTIVER, 64 + i));
			eoi(0, 64 + i);
			if (split)
				dir(0, 64 + i);
			settle();
			assert_false(get_bit(0, ISACTIVER, 64 + i));
			assert_int_equal(read_gic(0, GICD(ISACTIVER + 8), 4), (1u << i) - 1);
			settle();
		}
		assert_int_equal(interfaces[0].notify, 0);
		assert_int_equal(interfaces[0].apr, 0);
	}
}

// EOImode = 1: deactivation in the order of acknowledgement, which the list registers cannot know.
static void test_split_out_of_order(void **state)
{
	(void)state;
	start(3, 1);
	interfaces[0].split = true;
	for (uint32_t i = 0; i < 10; i++) {
		enable(0, 64 + i, 0xa0);
		set_edge(0, 64 + i, true);
		line(64 + i, true);
		settle();
		assert_int_equal(ack(0), 64 + i);
		eoi(0, 64 + i);
		settle();
	}
	for (uint32_t i = 0; i < 10; i++) {
		dir(0, 64 + i);
		settle();
		assert_int_equal(read_gic(0, GICD(ISACTIVER + 8), 4), 0x3ffu & ~((2u << i) - 1));
	}
	settle();
	assert_int_equal(interfaces[0].notify, 0);
}

// DIR traps while there is not enough room; it does nothing unless ends are split.
static void test_dir_by_hand(void **state)
{
	(void)state;
	start(3, 2);
	enable(0, 40, 0x50);
	line(40, true);
	assert_int_equal(ack(0), 40);
	run_on(0);
	vgicv3_dir(&vcpus[0], 40);
	assert_true(get_bit(0, ISACTIVER, 40));
	interfaces[0].split = true;
	for (uint32_t intid = 0; intid < 2048; intid++)
		if (intid != 40)
			vgicv3_dir(&vcpus[0], intid);
	vgicv3_dir(&vcpus[0], ~0ull);
	assert_true(get_bit(0, ISACTIVER, 40));
	run_on(0);
	vgicv3_dir(&vcpus[0], 40);
	assert_false(get_bit(0, ISACTIVER, 40));
}

static void test_sgi_v3(void **state)
{
	(void)state;
	start(3, 8);
	for (unsigned cpu = 0; cpu < 8; cpu++) {
		enable(cpu, 5, 0x20);
		write_gic(cpu, GICR(cpu, SGI_FRAME + IGROUPR), 4, ~0u);
	}
	uint64_t sgi5 = 5ull << 24;
	settle();
	nr_posts = 0;
	run_on(1);
	vgicv3_sgi(&vcpus[1], sgi5 | 0x2, VGICV3_SGI1R); // self
	assert_int_equal(ack(1), 5);
	vgicv3_sgi(&vcpus[1], sgi5 | 0x2, VGICV3_SGI1R); // again while active
	eoi(1, 5);
	assert_int_equal(ack(1), 5);
	eoi(1, 5);
	assert_int_equal(ack(1), SPURIOUS);
	assert_int_equal(nr_posts, 0);
	vgicv3_sgi(&vcpus[1], sgi5 | 0xffff, VGICV3_SGI1R); // all, and some that do not exist
	settle();
	for (unsigned cpu = 0; cpu < 8; cpu++) {
		assert_int_equal(ack(cpu), 5);
		eoi(cpu, 5);
	}
	run_on(3);
	vgicv3_sgi(&vcpus[3], sgi5 | BIT_U64(40), VGICV3_SGI1R); // all but self
	settle();
	for (unsigned cpu = 0; cpu < 8; cpu++) {
		assert_int_equal(ack(cpu), cpu == 3 ? SPURIOUS : 5);
		eoi(cpu, 5);
	}
	// Nobody there, or the wrong group.
	static const uint64_t nobody[] = {BIT_U64(16), BIT_U64(23), BIT_U64(32), BIT_U64(39),
	                                  BIT_U64(44), BIT_U64(48), BIT_U64(55)};
	run_on(0);
	for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++)
		vgicv3_sgi(&vcpus[0], sgi5 | 0xffff | nobody[i], VGICV3_SGI1R);
	vgicv3_sgi(&vcpus[0], sgi5 | 0xff00, VGICV3_SGI1R);
	vgicv3_sgi(&vcpus[0], sgi5 | 0xffff, VGICV3_SGI0R);
	vgicv3_sgi(&vcpus[0], sgi5 | 0xffff, VGICV3_ASGI1R);
	settle();
	for (unsigned cpu = 0; cpu < 8; cpu++)
		assert_int_equal(ack(cpu), SPURIOUS);
	write_gic(0, GICR(2, SGI_FRAME + IGROUPR), 4, 0); // another's: group 0
	run_on(0);
	vgicv3_sgi(&vcpus[0], sgi5 | 0xffff, VGICV3_ASGI1R);
	settle();
	for (unsigned cpu = 0; cpu < 8; cpu++)
		assert_int_equal(ack(cpu), cpu == 2 ? 5 : SPURIOUS);
}

static void test_sgi_v2(void **state)
{
	(void)state;
	start(2, 4);
	set_priority(2, 3, 0x20);
	send_sgi(1, 3, 1u << 2);
	send_sgi(0, 3, 1u << 2);
	send_sgi(3, 3, 1u << 2);
	send_sgi(1, 3, 1u << 2); // merges with the first
	settle();
	assert_int_equal(read_gic(2, GICD(SPENDSGIR), 4), 0x0b000000);
	// One for each source, in the order of the sources.
	static const uint32_t sources[] = {0, 1, 3};
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ack(2), 3 | sources[i] << 10);
		eoi(2, 3 | sources[i] << 10);
		settle();
	}
	assert_int_equal(ack(2), SPURIOUS);
	// Self, all but self, reserved.
	write_gic(2, GICD(SGIR), 4, 2u << 24 | 7);
	assert_int_equal(ack(2), 7 | 2u << 10);
	eoi(2, 7 | 2u << 10);
	write_gic(2, GICD(SGIR), 4, 1u << 24 | 0xff << 16 | 7);
	write_gic(2, GICD(SGIR), 4, 3u << 24 | 0xff << 16 | 8);
	settle();
	for (unsigned cpu = 0; cpu < 4; cpu++)
		assert_int_equal(ack(cpu), cpu == 2 ? SPURIOUS : (7 | 2u << 10));
	// Pending by source, by hand; the active one is still there.
	write_gic(1, GICD(SPENDSGIR + 7), 1, 0xff);
	assert_int_equal(read_gic(1, GICD(CPENDSGIR + 7), 1), 0x0f);
	write_gic(1, GICD(CPENDSGIR + 7), 1, 0x09);
	eoi(1, 7 | 2u << 10);
	settle();
	// The list register goes on with the source it had; the other one follows.
	assert_int_equal(ack(1), 7 | 2u << 10);
	eoi(1, 7 | 2u << 10);
	settle();
	assert_int_equal(ack(1), 7 | 1u << 10);
	eoi(1, 7 | 1u << 10);
	settle();
	assert_int_equal(ack(1), SPURIOUS);
}

static void test_any_of_several(void **state)
{
	(void)state;
	start(3, 4);
	set_edge(0, 80, true);
	enable(0, 80, 0x50);
	write_gic(0, GICD(IROUTER + 8 * 80), 8, BIT_U64(31));
	unload(0);
	run_on(2);
	cpu_this()->vcpu = &vcpus[2];
	line(80, true);
	settle();
	assert_int_equal(ack(2), 80); // the one that is there and running here
	for (unsigned cpu = 0; cpu < 4; cpu++)
		if (cpu != 2 && cpu != 0)
			assert_int_equal(ack(cpu), SPURIOUS);
	line(80, false);
	unload(3);
	unload(1);
	eoi(2, 80);
	unload(2);
	line(80, true); // nobody is there
	load(1);
	settle();
	assert_int_equal(ack(1), 80);
}

// What happens to SPIs while a vCPU is not loaded is there when it is, though nobody lets it look again: it was
// raised, written, held or active, while another vCPU came and found nothing.
static void test_spi_while_away(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 2);
		enable(0, 40, 0x50);
		unload(0);
		load(0); // finds that the word is empty
		unload(0);
		line(40, true);
		load(0);
		assert_int_equal(ack(0), 40);
		line(40, false);
		eoi(0, 40);
		settle();
		unload(0);
		load(0);
		unload(0);
		set_bit(1, ISPENDR, 40);
		load(0);
		assert_int_equal(ack(0), 40);
		unload(0);
		unload(1);
		load(1); // it is active in memory now
		load(0);
		eoi(0, 40);
		settle();
		assert_false(get_bit(1, ISACTIVER, 40));

		set_edge(0, 50, true);
		enable(0, 50, 0x50);
		line(50, true);
		line(50, false);
		unload(1);
		load(1); // it is in a list register of CPU 0 now
		unload(0);
		load(0);
		assert_int_equal(ack(0), 50);
		eoi(0, 50);
		assert_int_equal(ack(0), SPURIOUS);
	}
}

static void test_groups(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 2);
		set_edge(0, 90, true);
		set_edge(0, 91, true);
		enable(0, 90, 0x50);
		enable(0, 91, 0x50);
		write_gic(0, GICD(IGROUPR + 8), 4, BIT_U32(91 - 64));
		write_gic(1, GICD(CTLR), 4, 1); // group 1 off
		line(90, true);
		line(91, true);
		settle();
		assert_int_equal(ack(0), 90);
		eoi(0, 90);
		assert_int_equal(ack(0), SPURIOUS);
		write_gic(1, GICD(CTLR), 4, 3);
		settle();
		assert_true(interfaces[0].lr[0] & VGIC_LR_GROUP1);
		write_gic(1, GICD(CTLR), 4, 0); // taken back out of a list register
		settle();
		assert_int_equal(ack(0), SPURIOUS);
		write_gic(1, GICD(CTLR), 4, 2);
		settle();
		assert_int_equal(ack(0), 91);
	}
}

static void test_active_writes(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 2);
		set_edge(0, 40, true);
		enable(0, 40, 0x50);
		set_bit(1, ISACTIVER, 40);
		line(40, true);
		settle();
		assert_int_equal(ack(0), SPURIOUS); // active: not delivered
		assert_true(get_bit(0, ISPENDR, 40));
		assert_true(get_bit(0, ISACTIVER, 40));
		set_bit(1, ICACTIVER, 40);
		settle();
		assert_int_equal(ack(0), 40);
		set_bit(1, ICACTIVER, 40);
		line(40, false);
		line(40, true);
		settle();
		eoi(0, 40); // drops the priority only
		assert_int_equal(ack(0), 40);
	}
}

// Active by a write, more than there are list registers: what is delivered and ended is not confused
// with them.
static void test_forced_active(void **state)
{
	(void)state;
	start(3, 1);
	for (uint32_t i = 0; i < 10; i++)
		set_priority(0, 64 + i, 0);
	write_gic(0, GICD(ISACTIVER + 8), 4, 0x3ff);
	for (uint32_t i = 0; i < 8; i++) {
		set_edge(0, 100 + i, true);
		enable(0, 100 + i, 0x80 - 8 * i);
		line(100 + i, true);
		settle();
		assert_int_equal(ack(0), 100 + i);
		settle();
	}
	for (uint32_t i = 8; i-- != 0;) {
		eoi(0, 100 + i);
		settle();
		assert_int_equal(read_gic(0, GICD(ISACTIVER + 12), 4), ((1u << i) - 1) << 4);
		assert_int_equal(read_gic(0, GICD(ISACTIVER + 8), 4), 0x3ff);
		settle();
	}
}

static void test_reset(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 2);
		enable(0, 40, 0x50);
		enable(1, 41, 0x50);
		enable(0, VGIC_VTIMER, 0x50);
		line(40, true);
		line(41, true);
		timer_fires(0);
		send_sgi(0, 4, 2);
		unload(0);
		unload(1);
		assert_false(physical_active[0]);
		fake_set_sysreg("cntv_ctl_el0", 0);
		vgic_reset(&vm);
		load_all();
		for (unsigned i = 0; i < 9; i++)
			assert_int_equal(read_gic(0, GICD(ISPENDR + 4 * i), 4), 0);
		assert_int_equal(read_gic(0, GICD(CTLR), 4) & 3, 0);
		settle();
		assert_int_equal(ack(0) & ack(1), SPURIOUS);
		// The link has survived.
		write_gic(0, GICD(CTLR), 4, 3);
		enable(0, VGIC_VTIMER, 0x50);
		timer_fires(0);
		assert_int_equal(ack(0), VGIC_VTIMER);
		eoi(0, VGIC_VTIMER);
		assert_false(physical_active[0]);
	}
}

// Nothing is read or written on a flush that has nothing to do with a list register in use.
static void test_quiet(void **state)
{
	(void)state;
	start(3, 1);
	enable(0, 40, 0x50);
	line(40, true);
	unsigned writes = interfaces[0].lr_writes;
	line(40, true);
	set_bit(0, ISENABLER, 99); // not pending, not held
	vgic_flush(&vcpus[0]);
	assert_int_equal(interfaces[0].lr_writes, writes);
}

// Whether vCPU 0's access is done by a fast exit; made the long way else.
static bool is_fast(uint64_t at, bool write, uint64_t value)
{
	uint64_t count = nr_fast;
	fast = true;
	if (write)
		write_gic(0, at, 4, value);
	else
		(void)read_gic(0, at, 4);
	fast = false;
	return nr_fast != count;
}

// A fast exit declines what has to wait for another CPU, and nothing else.
static void test_fast_exits(void **state)
{
	(void)state;
	BOTH(version)
	{
		start(version, 3);
		set_edge(0, 70, true);
		enable(0, 70, 0x50);
		set_target(0, 70, 1);
		enable(0, 40, 0x50);
		line(70, true);
		settle(); // vCPU 1 has 70 in a list register
		nr_posts = 0;
		assert_true(is_fast(GICD(ISENABLER + 8), true, BIT_U32(6)));
		assert_true(is_fast(GICD(ICENABLER + 8), true, BIT_U32(7)));
		assert_true(is_fast(GICD(ISENABLER + 4), true, BIT_U32(9)));
		assert_true(is_fast(GICD(ISPENDR + 4), false, 0));
		assert_true(is_fast(GICD(IPRIORITYR + 44), true, 0x40404040));
		assert_true(is_fast(GICD(CTLR), true, 3));
		assert_int_equal(nr_posts, 0);
		assert_false(is_fast(GICD(ICENABLER + 8), true, BIT_U32(6)));
		assert_int_equal(nr_posts, 2); // to fold, and to go on
		assert_int_equal(ack(1), SPURIOUS);
		assert_true(is_fast(GICD(ISENABLER + 8), true, BIT_U32(6))); // it is in memory now
		settle();
		assert_false(is_fast(GICD(ISPENDR + 8), false, 0));
		settle();
		assert_int_equal(ack(1), 70);
		assert_false(is_fast(GICD(CTLR), true, 0));
		if (version == 2)
			continue;
		// Private ones: its own, or of one that is not in a CPU.
		assert_true(is_fast(GICR(0, SGI_FRAME + ISENABLER), true, 0xff));
		assert_true(is_fast(GICR(0, SGI_FRAME + ISPENDR), false, 0));
		assert_false(is_fast(GICR(1, SGI_FRAME + ISENABLER), true, 0xff));
		assert_true(is_fast(GICR(1, SGI_FRAME + ISENABLER), true, 0xff)); // as it was
		assert_false(is_fast(GICR(1, SGI_FRAME + ISPENDR), false, 0));
		unload(1);
		assert_true(is_fast(GICR(1, SGI_FRAME + ISENABLER), true, 0xff00));
		assert_int_equal(read_gic(1, GICR(1, SGI_FRAME + ISENABLER), 4), 0xffff);
	}
}

// Changes of own private interrupts that leave the list registers alone look at none of them.
static void test_quiet_private(void **state)
{
	(void)state;
	start(3, 2);
	enable(0, 40, 0x50);
	set_target(0, 40, 0);
	line(40, true);
	unsigned writes = interfaces[0].lr_writes, reads = interfaces[0].lr_reads;
	write_gic(0, GICR(0, SGI_FRAME + ISENABLER), 4, 0x1f);
	write_gic(0, GICR(0, SGI_FRAME + ICENABLER), 4, 0x10);
	write_gic(0, GICR(0, SGI_FRAME + IPRIORITYR), 4, 0x10101010);
	assert_int_equal(interfaces[0].lr_writes, writes);
	assert_int_equal(interfaces[0].lr_reads, reads);
	// What is ready follows: one is delivered at once, the other waits for its enable.
	send_sgi(0, 3, 1);
	assert_int_equal(ack(0), 3);
	eoi(0, 3);
	assert_int_equal(ack(0), 40);
	eoi(0, 40);
	send_sgi(0, 4, 1);
	assert_int_equal(ack(0), SPURIOUS);
	write_gic(0, GICR(0, SGI_FRAME + ISENABLER), 4, 0x10);
	assert_int_equal(ack(0), 4);
}

static void test_bad_lines(void **state)
{
	(void)state;
	start(3, 2);
	static const uint32_t spis[] = {0, 15, 16, 31, 288, 1019, 1023, UINT32_MAX};
	for (unsigned i = 0; i < ARRAY_SIZE(spis); i++) {
		virq_set(&vm, NULL, spis[i], true);
		if (spis[i] < 16 || spis[i] > 31)
			virq_set(&vm, &vcpus[0], spis[i], true);
	}
	settle();
	for (unsigned i = 1; i < 9; i++)
		assert_int_equal(read_gic(0, GICD(ISPENDR + 4 * i), 4), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_level),
	        cmocka_unit_test(test_edge),
	        cmocka_unit_test(test_written_pending),
	        cmocka_unit_test(test_disable_in_flight),
	        cmocka_unit_test(test_retarget_in_flight),
	        cmocka_unit_test(test_priority_in_flight),
	        cmocka_unit_test(test_more_than_list_registers),
	        cmocka_unit_test(test_deep_nesting),
	        cmocka_unit_test(test_split_out_of_order),
	        cmocka_unit_test(test_dir_by_hand),
	        cmocka_unit_test(test_sgi_v3),
	        cmocka_unit_test(test_sgi_v2),

	        cmocka_unit_test(test_any_of_several),
	        cmocka_unit_test(test_spi_while_away),
	        cmocka_unit_test(test_groups),
	        cmocka_unit_test(test_active_writes),
	        cmocka_unit_test(test_forced_active),
	        cmocka_unit_test(test_reset),
	        cmocka_unit_test(test_quiet),
	        cmocka_unit_test(test_quiet_private),
	        cmocka_unit_test(test_fast_exits),
	        cmocka_unit_test(test_bad_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
