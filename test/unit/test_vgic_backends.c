// SPDX-License-Identifier: Apache-2.0
// The two back ends that talk to hardware, against fake registers: what is written where, in what
// order, and that a list register comes back as it went out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake.h"
#include "vdev/vgic_state.h"

#define GICH         0x8030000u
#define V3_HCR       "S3_4_C12_C11_0"
#define V3_VTR       "S3_4_C12_C11_1"
#define V3_VMCR      "S3_4_C12_C11_7"
#define V3_AP1R0     "S3_4_C12_C9_0"
#define V3_AP1R2     "S3_4_C12_C9_2"
#define V3_SRE_EL1   "S3_0_C12_C12_5"
#define V2_HCR       0x000
#define V2_VMCR      0x008
#define V2_APR       0x0f0
#define V2_LR        0x100
#define EOI_COUNT(n) ((uint64_t)(n) << 27)
#define TDIR         (1u << 14)
#define EOIM         (1u << 9)

static uint32_t gich[0x200 / 4];

static uint64_t read_gich(uintptr_t address, unsigned size)
{
	assert_int_equal(size, 4);
	assert_in_range(address, GICH, GICH + sizeof gich - 4);
	return gich[(address - GICH) / 4];
}

static void write_gich(uintptr_t address, unsigned size, uint64_t value)
{
	assert_int_equal(size, 4);
	assert_in_range(address, GICH, GICH + sizeof gich - 4);
	gich[(address - GICH) / 4] = (uint32_t)value;
}

static void start(void)
{
	fake_reset();
	memset(gich, 0, sizeof gich);
	fake_io_read_hook = read_gich;
	fake_io_write_hook = write_gich;
}

static uint64_t vtr_v3(unsigned lrs, unsigned preemption_bits, bool tds)
{
	return (lrs - 1) | (uint64_t)(preemption_bits - 1) << 26 | (uint64_t)tds << 19;
}

// The table of a back end is complete.
static void test_complete(void **state)
{
	(void)state;
	const struct vgic_backend *backends[] = {&vgic_lr_v3, &vgic_lr_v2};
	for (unsigned i = 0; i < ARRAY_SIZE(backends); i++) {
		void *const *words = (void *const *)(const void *)backends[i];
		for (unsigned j = 0; j < sizeof *backends[i] / sizeof *words; j++)
			assert_non_null(words[j]);
	}
}

static void test_v3_list_registers(void **state)
{
	(void)state;
	start();
	for (unsigned lrs = 1; lrs <= 16; lrs++) {
		fake_set_sysreg(V3_VTR, vtr_v3(lrs, 5, true));
		assert_int_equal(vgic_lr_v3.probe(0), lrs);
	}
	fake_set_sysreg(V3_VTR, vtr_v3(32, 5, true)); // more than there can be
	assert_int_equal(vgic_lr_v3.probe(0), 16);
	for (uint32_t i = 0; i < 16; i++) {
		char name[32];
		snprintf(name, sizeof name, "S3_4_C12_C%u_%u", i < 8 ? 12 : 13, i & 7);
		vgic_lr_v3.write_lr(i, 0xd0a0001b00000000u | i);
		assert_true(fake_get_sysreg(name) == (0xd0a0001b00000000u | i));
		assert_true(vgic_lr_v3.read_lr(i) == (0xd0a0001b00000000u | i));
	}
	size_t before = fake_log_count;
	vgic_lr_v3.write_lr(16, 1);
	assert_int_equal(vgic_lr_v3.read_lr(16), 0);
	assert_int_equal(fake_log_count, before);
	vgic_lr_v3.init_cpu();
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(vgic_lr_v3.read_lr(i), 0);
}

static void test_v3_interface(void **state)
{
	(void)state;
	struct vgic_interface in, out;
	for (unsigned bits = 5; bits <= 7; bits++) {
		start();
		fake_set_sysreg(V3_VTR, vtr_v3(4, bits, true));
		vgic_lr_v3.probe(0);
		vgic_lr_v3.reset(&in);
		in.vmcr = 0xf8100002;
		for (uint32_t i = 0; i < 4; i++) {
			in.apr0[i] = 0x100 + i;
			in.apr1[i] = 0x200 + i;
		}
		fake_log_count = 0;
		vgic_lr_v3.load(&in);
		// How VMCR is understood is said, and known, before it is written.
		long sre = fake_find(0, FAKE_WRITE_SYSREG, V3_SRE_EL1);
		long isb = fake_find(0, FAKE_BARRIER, "isb");
		long vmcr = fake_find(0, FAKE_WRITE_SYSREG, V3_VMCR);
		assert_true(sre >= 0 && sre < isb && isb < vmcr);
		assert_int_equal(fake_get_sysreg(V3_HCR), 1);
		assert_int_equal(fake_get_sysreg(V3_AP1R0), 0x200);
		// No register is touched that the board does not have.
		assert_int_equal(fake_find(0, FAKE_WRITE_SYSREG, V3_AP1R2) >= 0, bits == 7);
		memset(&out, 0, sizeof out);
		vgic_lr_v3.save(&out);
		assert_int_equal(fake_get_sysreg(V3_HCR), 0x1c00); // whose vCPU has none is trapped
		assert_true(out.vmcr == in.vmcr);
		unsigned aprs = bits == 7 ? 4 : bits == 6 ? 2 : 1;
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(out.apr0[i], i < aprs ? in.apr0[i] : 0);
			assert_int_equal(out.apr1[i], i < aprs ? in.apr1[i] : 0);
		}
	}
}

static void test_v3_control(void **state)
{
	(void)state;
	start();
	fake_set_sysreg(V3_VTR, vtr_v3(4, 5, true));
	vgic_lr_v3.probe(0);
	vgic_lr_v3.control(0);
	assert_int_equal(fake_get_sysreg(V3_HCR), 1);
	vgic_lr_v3.control(VGIC_NOTIFY_NO_PENDING);
	assert_int_equal(fake_get_sysreg(V3_HCR), 0x9);
	vgic_lr_v3.control(VGIC_NOTIFY_EOI);
	assert_int_equal(fake_get_sysreg(V3_HCR), 0x5 | TDIR);
	assert_int_equal(vgic_lr_v3.take_eois(), 0);
	fake_set_sysreg(V3_HCR, EOI_COUNT(3) | 0x5 | TDIR);
	assert_int_equal(vgic_lr_v3.take_eois(), 3);
	assert_int_equal(fake_get_sysreg(V3_HCR), 0x5 | TDIR);
	// EOImode = 1: they only dropped priorities, unless DIR does not trap here.
	assert_false(vgic_lr_v3.split());
	fake_set_sysreg(V3_VMCR, EOIM);
	assert_true(vgic_lr_v3.split());
	fake_set_sysreg(V3_HCR, EOI_COUNT(31) | 0x5 | TDIR);
	assert_int_equal(vgic_lr_v3.take_eois(), 0);
	assert_int_equal(fake_get_sysreg(V3_HCR), 0x5 | TDIR);
	fake_set_sysreg(V3_VTR, vtr_v3(4, 5, false));
	vgic_lr_v3.probe(0);
	vgic_lr_v3.control(VGIC_NOTIFY_EOI);
	assert_int_equal(fake_get_sysreg(V3_HCR), 0x5);
	fake_set_sysreg(V3_HCR, EOI_COUNT(2) | 0x5);
	assert_int_equal(vgic_lr_v3.take_eois(), 2);
}

static void test_v2_list_registers(void **state)
{
	(void)state;
	start();
	gich[1] = 3;
	assert_int_equal(vgic_lr_v2.probe(GICH), 4);
	static const struct {
		uint64_t lr;
		uint32_t v2;
	} cases[] = {
	        {VGIC_LR_PENDING | 1023, 1u << 28 | 0x3ff},
	        {VGIC_LR_ACTIVE | 33, 1u << 29 | 33},
	        {VGIC_LR_STATE | VGIC_LR_GROUP1 | 40, 7u << 28 | 40},
	        {VGIC_LR_PENDING | VGIC_LR_EOI | 40, 1u << 28 | 1u << 19 | 40},
	        {VGIC_LR_PENDING | 7ull << 10 | 5, 1u << 28 | 7u << 10 | 5},
	        {VGIC_LR_PENDING | 0xf8ull << 48 | 5, 1u << 28 | 0x1fu << 23 | 5},
	        {VGIC_LR_PENDING | 0x08ull << 48 | 5, 1u << 28 | 1u << 23 | 5},
	        {VGIC_LR_PENDING | VGIC_LR_HW | 27ull << 32 | 27, 9u << 28 | 27u << 10 | 27},
	        {VGIC_LR_ACTIVE | VGIC_LR_HW | 1019ull << 32 | 27, 0xau << 28 | 1019u << 10 | 27},
	        {0, 0},
	};
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t index = i & 3;
		vgic_lr_v2.write_lr(index, cases[i].lr);
		assert_int_equal(gich[(V2_LR + 4 * index) / 4], cases[i].v2);
		assert_true(vgic_lr_v2.read_lr(index) == cases[i].lr);
	}
}

static void test_v2_interface(void **state)
{
	(void)state;
	struct vgic_interface in, out;
	start();
	gich[1] = 63; // more than fit
	assert_int_equal(vgic_lr_v2.probe(GICH), 16);
	vgic_lr_v2.init_cpu();
	vgic_lr_v2.reset(&in);
	in.vmcr = 0xf8000001;
	in.apr0[0] = 0x80;
	vgic_lr_v2.load(&in);
	assert_int_equal(gich[V2_VMCR / 4], 0xf8000001);
	assert_int_equal(gich[V2_APR / 4], 0x80);
	assert_int_equal(gich[V2_HCR / 4], 1);
	vgic_lr_v2.control(VGIC_NOTIFY_NO_PENDING | VGIC_NOTIFY_EOI);
	assert_int_equal(gich[V2_HCR / 4], 0xd);
	gich[V2_HCR / 4] |= (uint32_t)EOI_COUNT(5);
	assert_int_equal(vgic_lr_v2.take_eois(), 5);
	assert_int_equal(gich[V2_HCR / 4], 0xd);
	assert_int_equal(vgic_lr_v2.take_eois(), 0);
	assert_false(vgic_lr_v2.split());
	gich[V2_VMCR / 4] |= EOIM;
	assert_true(vgic_lr_v2.split());
	memset(&out, 0, sizeof out);
	vgic_lr_v2.save(&out);
	assert_int_equal(out.vmcr, 0xf8000001 | EOIM);
	assert_int_equal(out.apr0[0], 0x80);
	assert_int_equal(gich[V2_HCR / 4], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_complete),          cmocka_unit_test(test_v3_list_registers),
	        cmocka_unit_test(test_v3_interface),      cmocka_unit_test(test_v3_control),
	        cmocka_unit_test(test_v2_list_registers), cmocka_unit_test(test_v2_interface),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
