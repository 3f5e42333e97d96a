// SPDX-License-Identifier: Apache-2.0
// GICv2's CPU interface in software: its registers one by one, and what they mean for the order of
// interrupts. What sequences of them do is test_vgic_random's.
#include "test_vgic_board.h"

#define GICC(offset) (VGIC_GICC_BASE + (uint64_t)(offset))
enum {
	PMR = 0x04,
	BPR = 0x08,
	IAR = 0x0c,
	EOIR = 0x10,
	RPR = 0x14,
	HPPIR = 0x18,
	ABPR = 0x1c,
	AIAR = 0x20,
	AEOIR = 0x24,
	AHPPIR = 0x28,
	APR = 0xd0,
	IIDR = 0xfc,
	DIR = 0x1000,
};
#define OTHER_GROUP 1022u

static uint32_t get(uint32_t offset)
{
	return (uint32_t)read_gic(0, GICC(offset), 4);
}

static void set(uint32_t offset, uint32_t value)
{
	write_gic(0, GICC(offset), 4, value);
}

static int setup(void **state)
{
	(void)state;
	soft = true;
	start(2, 2);
	run_on(0);
	set(CTLR, 3);
	set(PMR, 0xff);
	return 0;
}

static void test_reset(void **state)
{
	(void)state;
	unload(0);
	vgic_reset(&vm);
	load(0);
	assert_int_equal(get(CTLR), 0);
	assert_int_equal(get(PMR), 0);
	assert_int_equal(get(BPR), 2);
	assert_int_equal(get(ABPR), 3);
	assert_int_equal(get(IAR), SPURIOUS);
	assert_int_equal(get(RPR), 0xff);
	assert_int_equal(get(HPPIR), SPURIOUS);
	assert_int_equal(get(IIDR) & 0xf0fff, 0x2043b); // architecture 2, Arm
}

static void test_fields(void **state)
{
	(void)state;
	set(CTLR, ~0u);
	assert_int_equal(get(CTLR), 0x21f);
	set(CTLR, 3);
	set(PMR, 0xff);
	assert_int_equal(get(PMR), 0xf8); // five bits
	set(PMR, 0x57);
	assert_int_equal(get(PMR), 0x50);
	set(BPR, 0);
	assert_int_equal(get(BPR), 2);
	set(BPR, 7);
	assert_int_equal(get(BPR), 7);
	set(ABPR, 0);
	assert_int_equal(get(ABPR), 3);
	set(CTLR,
	    0x13); // one point for both groups: the other register follows, and cannot be written
	assert_int_equal(get(ABPR), 7);
	set(ABPR, 4);
	set(BPR, 3);
	assert_int_equal(get(ABPR), 4);
	set(CTLR, 3);
	assert_int_equal(get(ABPR), 3);
	set(APR, 0x80000001);
	assert_int_equal(get(APR), 0x80000001);
	assert_int_equal(get(RPR), 0);
	set(APR, 0x80000000);
	assert_int_equal(get(RPR), 0xf8);
	set(IIDR, 0);
	assert_int_not_equal(get(IIDR), 0);
	for (uint32_t offset = 0; offset < 0x10000; offset += 4)
		if (offset > DIR || (offset > AHPPIR && offset != APR && offset != IIDR)) {
			set(offset, ~0u);
			assert_int_equal(get(offset), 0);
		}
}

// Everything but words reads as zero, is ignored, and acknowledges nothing.
static void test_sizes(void **state)
{
	(void)state;
	static const unsigned sizes[] = {1, 2, 8};
	enable(0, 40, 0x40);
	line(40, true);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		for (uint32_t offset = 0; offset < 0x40; offset += sizes[i]) {
			write_gic(0, GICC(offset), sizes[i], ~0ull);
			assert_int_equal(read_gic(0, GICC(offset), sizes[i]), 0);
		}
	assert_int_equal(get(CTLR), 3);
	assert_int_equal(get(IAR), 40);
}

static void test_mask(void **state)
{
	(void)state;
	enable(0, 40, 0x50);
	set(PMR, 0x50);
	line(40, true);
	assert_false(irq_line[0]); // as urgent as the mask is not urgent enough
	assert_int_equal(get(IAR), SPURIOUS);
	assert_int_equal(get(HPPIR), 40); // whatever the mask
	set(PMR, 0x58);
	assert_true(irq_line[0]);
	set(CTLR, 2);
	assert_false(irq_line[0]);
	assert_int_equal(get(HPPIR), SPURIOUS);
	set(CTLR, 1);
	assert_true(irq_line[0]);
	assert_int_equal(get(IAR), 40);
	assert_false(irq_line[0]);
	assert_int_equal(get(RPR), 0x50);
}

static void test_preemption_and_its_point(void **state)
{
	(void)state;
	enable(0, 40, 0x50);
	enable(0, 41, 0x48);
	enable(0, 42, 0x20);
	line(40, true);
	assert_int_equal(get(IAR), 40);
	line(41, true);
	assert_true(irq_line[0]); // eight lower is enough
	line(41, false);
	line(40, false);
	set(EOIR, 40);
	set(BPR, 4); // groups of 32: 0x48 and 0x50 are one
	line(40, true);
	assert_int_equal(get(IAR), 40);
	assert_int_equal(get(RPR), 0x40);
	line(41, true);
	assert_false(irq_line[0]);
	assert_int_equal(get(IAR), SPURIOUS);
	line(42, true);
	assert_int_equal(get(IAR), 42);
	assert_int_equal(get(APR), 1 << (0x20 / 8) | 1 << (0x40 / 8));
	assert_int_equal(get(RPR), 0x20);
	line(42, false);
	set(EOIR, 42);
	assert_int_equal(get(RPR), 0x40);
	set(BPR, 7); // nothing preempts
	line(40, false);
	set(EOIR, 40);
	assert_int_equal(get(RPR), 0xff);
	assert_int_equal(get(IAR), 41);
	assert_int_equal(get(RPR), 0);
	line(42, true);
	assert_int_equal(get(IAR), SPURIOUS);
}

static void put_in_group1(uint32_t intid)
{
	uint64_t at = bit_register(IGROUPR, 0, intid);
	write_gic(0, at, 4, read_gic(0, at, 4) | 1u << (intid & 31));
}

static void test_groups(void **state)
{
	(void)state;
	enable(0, 40, 0x50);
	put_in_group1(40);
	line(40, true);
	assert_true(irq_line[0]);
	assert_int_equal(get(IAR), OTHER_GROUP);
	assert_int_equal(get(HPPIR), OTHER_GROUP);
	assert_int_equal(get(AHPPIR), 40);
	enable(0, 41, 0x40); // group 0
	line(41, true);
	assert_int_equal(get(AIAR), SPURIOUS);
	assert_int_equal(get(AHPPIR), SPURIOUS);
	assert_int_equal(get(IAR), 41);
	line(41, false);
	set(EOIR, 41);
	assert_int_equal(get(AIAR), 40);
	line(40, false);
	set(AEOIR, 40);
	assert_int_equal(get(RPR), 0xff);
	set(CTLR, 7); // AckCtl: one register for both
	line(40, true);
	assert_int_equal(get(HPPIR), 40);
	assert_int_equal(get(IAR), 40);
}

static void test_group1_has_its_own_point(void **state)
{
	(void)state;
	enable(0, 40, 0x50);
	enable(0, 41, 0x48);
	put_in_group1(40);
	put_in_group1(41);
	set(CTLR, 7);
	set(ABPR, 5); // groups of 32
	line(40, true);
	assert_int_equal(get(IAR), 40);
	assert_int_equal(get(RPR), 0x40);
	line(41, true);
	assert_false(irq_line[0]);
	set(ABPR, 3);
	assert_false(irq_line[0]); // 40 runs with the priority it was taken with
	line(40, false);
	set(EOIR, 40);
	assert_int_equal(get(IAR), 41);
}

static void test_two_steps(void **state)
{
	(void)state;
	enable(0, 40, 0x50);
	set(DIR, 40); // nothing to end, and one step is enough: ignored
	set(CTLR, 0x201);
	line(40, true);
	assert_int_equal(get(IAR), 40);
	set(EOIR, 40);
	assert_int_equal(get(RPR), 0xff);
	assert_int_equal(get(IAR), SPURIOUS); // still active, though its line is high
	assert_true(get_bit(0, ISACTIVER, 40));
	set(DIR, 40);
	assert_int_equal(get(IAR), 40);
}

static void test_ends_of_nothing(void **state)
{
	(void)state;
	enable(0, 40, 0x50);
	line(40, true);
	set(EOIR, 40); // not acknowledged
	assert_int_equal(get(IAR), 40);
	set(EOIR, SPURIOUS);
	assert_int_equal(get(RPR), 0x50);
	set(EOIR, 1000); // no such interrupt: the priority drops, 40 stays active
	assert_int_equal(get(RPR), 0xff);
	assert_true(get_bit(0, ISACTIVER, 40));
	for (unsigned i = 0; i < 10000; i++)
		set(i % 2 ? EOIR : DIR, i * 7919);
	assert_int_equal(get(RPR), 0xff);
}

// The timer's interrupt ends at the board's controller when the guest ends its own, and not before.
static void test_linked_timer(void **state)
{
	(void)state;
	enable(0, VGIC_VTIMER, 0x40);
	timer_fires(0);
	assert_true(irq_line[0]);
	assert_int_equal(get(IAR), VGIC_VTIMER);
	assert_true(physical_active[0]);
	set(EOIR, VGIC_VTIMER);
	assert_false(physical_active[0]);
	assert_int_equal(nr_deactivated, 1);
	timer_fires(0);
	assert_int_equal(get(IAR), VGIC_VTIMER);
}

static void test_sgi_has_its_sender(void **state)
{
	(void)state;
	set_bit(0, ISENABLER, 3);
	send_sgi(0, 3, 1);
	send_sgi(1, 3, 1);
	settle();
	run_on(0);
	uint32_t first = get(IAR);
	assert_int_equal(first & 0x3ff, 3);
	set(EOIR, first ^ 1u << 10); // the other sender's is not active
	assert_true(get_bit(0, ISACTIVER, 3));
	set(APR, 1); // as if that had not been written
	set(EOIR, first);
	assert_int_equal(get(IAR), first ^ 1u << 10);
}

// More than there are list registers.
static void test_many_at_once(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 31; i++) {
		enable(0, 40 + i, 0xf0 - 8 * i);
		line(40 + i, true);
		assert_int_equal(get(HPPIR), 40 + i);
	}
	for (uint32_t i = 31; i-- > 0;) {
		assert_int_equal(get(IAR), 40 + i);
		line(40 + i, false);
		set(EOIR, 40 + i);
	}
	assert_false(irq_line[0]);
	// And all of them active at once, each preempting the one before.
	for (uint32_t i = 0; i < 31; i++) {
		line(40 + i, true);
		assert_int_equal(get(IAR), 40 + i);
	}
	for (uint32_t i = 31; i-- > 0;) {
		line(40 + i, false);
		set(EOIR, 40 + i);
		assert_false(get_bit(0, ISACTIVER, 40 + i));
	}
	assert_int_equal(get(RPR), 0xff);
}

static void test_comes_and_goes(void **state)
{
	(void)state;
	enable(0, 40, 0x50);
	enable(0, 41, 0x40);
	line(40, true);
	assert_int_equal(get(IAR), 40);
	set(BPR, 4);
	unload(0);
	line(41, true);
	load(0);
	assert_int_equal(get(BPR), 4);
	assert_int_equal(get(RPR), 0x50);
	assert_true(irq_line[0]);
	assert_int_equal(get(IAR), 41);
	set(EOIR, 41);
	line(40, false);
	set(EOIR, 40);
	assert_int_equal(get(RPR), 0xff);
}

static void test_versions(void **state)
{
	(void)state;
	assert_int_equal(vgic_create(&vm, 3), ERR_UNSUPPORTED); // no such software
	assert_int_equal(vgic_create(&vm, 1), ERR_INVALID);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        TEST(test_reset),
	        TEST(test_fields),
	        TEST(test_sizes),
	        TEST(test_mask),
	        TEST(test_preemption_and_its_point),
	        TEST(test_groups),
	        TEST(test_group1_has_its_own_point),
	        TEST(test_two_steps),
	        TEST(test_ends_of_nothing),
	        TEST(test_linked_timer),
	        TEST(test_sgi_has_its_sender),
	        TEST(test_many_at_once),
	        TEST(test_comes_and_goes),
	        TEST(test_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
