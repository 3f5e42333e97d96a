// SPDX-License-Identifier: Apache-2.0
// The imagined USB controller: what a driver asks of it while nothing is plugged in, and any access whatever.
#define PI_LINES
#include "pi_bench.h"

#include "vdev/vdwc2.h"

#define USB    RASPI3_USB_BASE
#define HC(n)  (USB + 0x500 + 0x20 * (n))
#define LINE   RASPI3_IRQ_USB
#define ENABLE 0x80000000u
#define STOP   0x40000000u

enum {
	GAHBCFG = 0x08,
	GUSBCFG = 0x0c,
	GRSTCTL = 0x10,
	GINTSTS = 0x14,
	GINTMSK = 0x18,
	GRXFSIZ = 0x24
};
enum {
	GNPTXFSIZ = 0x28,
	GNPTXSTS = 0x2c,
	HPTXFSIZ = 0x100,
	HCFG = 0x400,
	HFIR = 0x404,
	HFNUM = 0x408
};
enum { HPTXSTS = 0x410, HAINT = 0x414, HAINTMSK = 0x418, HPRT = 0x440, PCGCTL = 0xe00 };

static int setup(void **state)
{
	(void)state;
	pi_setup();
	assert_int_equal(vdwc2_create(vm), 0);
	vdwc2_reset(vm);
	return 0;
}

static void test_what_it_is(void **state)
{
	static const uint32_t values[][2] = {
	        {0x00, 0x001c0000}, {0x0c, 0x1400},      {0x10, 0x80000000}, {0x14, 0x04000021},
	        {0x24, 0x1000},     {0x28, 0x01001000},  {0x2c, 0x00080100}, {0x3c, 0x2708a000},
	        {0x40, 0x4f54280a}, {0x44, 0},           {0x48, 0x228ddd50}, {0x4c, 0x0ff000e8},
	        {0x50, 0x1ff00020}, {0x100, 0x02002000}, {0x404, 60000},     {0x410, 0x00080200},
	        {0x440, 0},
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++)
		assert_int_equal(get(USB + values[i][0]), values[i][1]);
	for (uint32_t at = 0x40; at < 0x54; at += 4) { // what it is cannot be written
		uint32_t before = get(USB + at);
		set(USB + at, ~before);
		assert_int_equal(get(USB + at), before);
	}
}

// A reset, or a flush of a queue, is over at once; what must outlive it does.
static void test_resets(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 6; bit++) {
		set(USB + GRSTCTL, 1u << bit | 3 << 6);
		assert_int_equal(get(USB + GRSTCTL), 0x80000000 | (bit == 0 ? 0 : 3 << 6));
	}
	set(USB + GUSBCFG, 0x20402700);
	set(USB + GAHBCFG, 0x31);
	set(USB + GRXFSIZ, 774);
	set(USB + GNPTXFSIZ, 256 << 16 | 774);
	set(USB + HCFG, 1);
	set(USB + HPRT, 0x1000);
	set(HC(3), ENABLE);
	set(USB + GRSTCTL, 1);
	assert_int_equal(get(USB + GUSBCFG), 0x20402700);
	assert_int_equal(get(USB + HCFG), 1);
	assert_int_equal(get(USB + GAHBCFG), 0);
	assert_int_equal(get(USB + GRXFSIZ), 0x1000);
	assert_int_equal(get(USB + GNPTXFSIZ), 0x01001000);
	assert_int_equal(get(USB + HPRT), 0);
	assert_int_equal(get(HC(3) + 8), 0);
	vdwc2_reset(vm);
	assert_int_equal(get(USB + GUSBCFG), 0x1400);
}

static void test_modes(void **state)
{
	(void)state;
	assert_true(get(USB + GINTSTS) & 1);
	set(USB + GUSBCFG, 0x20001400);
	assert_true(get(USB + GINTSTS) & 1);
	set(USB + GUSBCFG, 0x40001400);
	assert_false(get(USB + GINTSTS) & 1);
	set(USB + GUSBCFG, 0x1400);
	assert_true(get(USB + GINTSTS) & 1);
}

static void test_the_port_is_empty(void **state)
{
	(void)state;
	set(USB + HPRT, 0xffffffff);
	assert_int_equal(get(USB + HPRT), 0x1f100); // neither connected, nor enabled, nor changed
	set(USB + HPRT, 0x1000);
	assert_int_equal(get(USB + HPRT), 0x1000);
	set(USB + GINTMSK, 0xf300000e);
	set(USB + GAHBCFG, 1);
	pass_us(1000000);
	assert_false(pi_line[LINE]);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
}

static void test_frames_are_counted(void **state)
{
	(void)state;
	uint32_t at = get(USB + HFNUM);
	pass_us(5000);
	assert_int_equal((get(USB + HFNUM) & 0x3fff) - (at & 0x3fff), 5);
	pass_us(500);
	assert_in_range(get(USB + HFNUM) >> 16, 29000, 30000);
	set(USB + HFIR, 48000);
	assert_in_range(get(USB + HFNUM) >> 16, 23000, 24000);
	pass_us((UINT64_C(16384) - 5) * 1000);
	assert_int_equal(get(USB + HFNUM) & 0x3fff, 0);
}

// A channel that is started halts, since nobody answers, and says so as far as it is asked to.
static void test_channels(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 8; n++) {
		set(HC(n), 0x00100040 | ENABLE | STOP); // as drivers do at first
		assert_int_equal(get(HC(n)), 0x00100040);
		assert_int_equal(get(HC(n) + 8), 2);
		set(HC(n) + 8, 0x3fff);
		assert_int_equal(get(HC(n) + 8), 0);
	}
	set(USB + GAHBCFG, 1);
	set(USB + GINTMSK, 1 << 25);
	set(HC(5) + 0xc, 2);
	set(HC(5) + 0x10, 0x12345678);
	set(HC(5) + 0x14, 0xc0123456);
	set(HC(5), 0x00100040 | ENABLE);
	assert_int_equal(get(HC(5)), 0x00100040);
	assert_int_equal(get(HC(5) + 8), 0x82);
	assert_int_equal(get(HC(5) + 0x10), 0x12345678);
	assert_int_equal(get(HC(5) + 0x14), 0xc0123456);
	assert_int_equal(get(USB + HAINT), 1 << 5);
	assert_false(pi_line[LINE]);
	set(USB + HAINTMSK, 1 << 5);
	assert_true(pi_line[LINE]);
	assert_true(get(USB + GINTSTS) & 1 << 25);
	set(HC(5) + 8, 2);
	assert_false(pi_line[LINE]);
	assert_int_equal(get(HC(5) + 8), 0x80); // not asked for
	set(HC(5), ENABLE);
	assert_true(pi_line[LINE]);
	set(USB + GAHBCFG, 0);
	assert_false(pi_line[LINE]);
	set(USB + GAHBCFG, 1);
	set(USB + GRSTCTL, 1);
	assert_false(pi_line[LINE]);
}

static void test_empty_queues(void **state)
{
	(void)state;
	set(USB + GAHBCFG, 1);
	set(USB + GINTMSK, 1 << 5);
	assert_true(pi_line[LINE]);
	vdwc2_reset(vm);
	assert_false(pi_line[LINE]);
	set(USB + GNPTXFSIZ, 77 << 16);
	set(USB + HPTXFSIZ, 88 << 16);
	assert_int_equal(get(USB + GNPTXSTS), 0x80000 | 77);
	assert_int_equal(get(USB + HPTXSTS), 0x80000 | 88);
	set(USB + 0x1000, 5);
	assert_int_equal(get(USB + 0x1000), 0);
	assert_int_equal(get(USB + 0x800), 0); // the device's side
}

static void test_anything(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 30; seed++) {
		pi_random_accesses(seed, USB, 0x10000, 300);
		pi_random_accesses(seed, USB, 0x60, 1000);
		pi_random_accesses(seed, USB + 0x400, 0x240, 1000);
		assert_int_equal(get(USB + HPRT) & 0x2f, 0);
		assert_int_equal(alarm_first(vm), TIMER_NEVER);
	}
}

static void test_state_is_described(void **state)
{
	(void)state;
	assert_string_equal(vdwc2_state.device, "dwc2");
	assert_int_equal(vdwc2_state.nr_fields, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, pi_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_what_it_is),
	        TEST(test_resets),
	        TEST(test_modes),
	        TEST(test_the_port_is_empty),
	        TEST(test_frames_are_counted),
	        TEST(test_channels),
	        TEST(test_empty_queues),
	        TEST(test_anything),
	        TEST(test_state_is_described),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
