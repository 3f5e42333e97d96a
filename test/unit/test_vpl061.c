// SPDX-License-Identifier: Apache-2.0
// The imagined PL061: every offset, masks by address, levels and edges, and the power key as an operating
// system sees it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/string.h"
#include "fake.h"
#include "hw/pl061_regs.h"
#include "vdev/vpl061.h"
#include "vm/vm.h"

#define KEY      0x08U
#define KEY_DATA (KEY * 4) // the address at which only line 3 is seen

static struct vm *vm;
static const struct mmio_ops *ops;
static void *dev;
static bool line;
static unsigned raised;

void *vm_alloc(struct vm *v, size_t size)
{
	(void)v;
	return test_calloc(1, size);
}

int mmio_add(struct mmio_map *map, uint64_t base, uint64_t size, const struct mmio_ops *o, void *d)
{
	(void)map;
	assert_int_equal(base, 0x09030000);
	assert_int_equal(size, 0x1000);
	ops = o;
	dev = d;
	return 0;
}

void virq_set(struct vm *v, struct vcpu *vcpu, uint32_t intid, bool level)
{
	assert_ptr_equal(v, vm);
	assert_null(vcpu);
	assert_int_equal(intid, 39);
	assert_int_not_equal(level, line);
	line = level;
	raised += level;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	line = false;
	raised = 0;
	vm = test_calloc(1, sizeof *vm);
	assert_int_equal(vpl061_create(vm), 0);
	assert_ptr_equal(vm->power_key, dev);
	vpl061_reset(vm->power_key);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_free(dev);
	test_free(vm);
	return 0;
}

static uint32_t get(uint32_t offset)
{
	uint64_t value = ~0ull;
	assert_true(ops->read(dev, NULL, offset, 4, &value));
	assert_int_equal(value >> 8, 0);
	return (uint32_t)value;
}

static void set(uint32_t offset, uint32_t value)
{
	assert_true(ops->write(dev, NULL, offset, 4, value));
}

static void press(void)
{
	vpl061_press(vm->power_key);
}

static bool is_stored(uint32_t offset)
{
	return (offset >= PL061_DIR && offset <= PL061_IE) || offset == PL061_AFSEL;
}

// What every word holds after power-on, and after all ones were written to all of them.
static void test_every_offset(void **state)
{
	(void)state;
	static const uint8_t id[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t offset = 0; offset < 0x1000; offset += 4) {
			uint32_t expected = 0;
			if (offset >= 0xfe0)
				expected = id[(offset - 0xfe0) / 4];
			else if (round == 1 && offset < 0x400)
				expected = offset / 4; // all lines are outputs
			else if (round == 1 && is_stored(offset))
				expected = 0xff;
			assert_int_equal(get(offset), expected);
		}
		for (uint32_t offset = 0; offset < 0x1000; offset += 4)
			set(offset, 0xffffffff);
	}
	assert_int_equal(raised, 0); // outputs interrupt nobody
}

static void test_registers_are_separate(void **state)
{
	(void)state;
	static const uint32_t stored[] = {PL061_DIR, PL061_IS, PL061_IBE,
	                                  PL061_IEV, PL061_IE, PL061_AFSEL};
	for (unsigned i = 0; i < ARRAY_SIZE(stored); i++)
		set(stored[i], 0x11 * i + 0x101);
	for (unsigned i = 0; i < ARRAY_SIZE(stored); i++)
		assert_int_equal(get(stored[i]), 0x11 * i + 1);
}

// Bits 9:2 of the address say which lines are read or written.
static void test_masked_data(void **state)
{
	(void)state;
	set(PL061_DIR, 0xff);
	for (uint32_t before = 0; before < 256; before += 51)
		for (uint32_t mask = 0; mask < 256; mask++)
			for (uint32_t value = 0; value < 256; value += 17) {
				set(0x3fc, before);
				set(mask * 4, value);
				assert_int_equal(get(0x3fc), (before & ~mask) | (value & mask));
				assert_int_equal(get(mask * 4), value & mask);
			}
	// An input shows what comes from outside; what was written is seen when it becomes an output.
	set(0x3fc, 0xa5);
	set(PL061_DIR, 0x0f);
	assert_int_equal(get(0x3fc), 0x05);
	set(0x3fc, 0x5a);
	set(PL061_DIR, 0xff);
	assert_int_equal(get(0x3fc), 0x5a);
}

static void test_widths(void **state)
{
	(void)state;
	uint64_t value;
	set(PL061_DIR, 0xff);
	assert_true(ops->write(dev, NULL, PL061_IEV, 1, 0x12));
	assert_true(ops->write(dev, NULL, PL061_IEV + 1, 1, 0x34)); // nothing is there
	assert_true(ops->write(dev, NULL, PL061_IEV + 2, 2, 0x5678));
	assert_int_equal(get(PL061_IEV), 0x12);
	assert_true(ops->write(dev, NULL, PL061_IEV, 2, 0xabcd));
	assert_int_equal(get(PL061_IEV), 0xcd);
	assert_true(ops->read(dev, NULL, PL061_IEV, 1, &value));
	assert_int_equal(value, 0xcd);
	assert_true(ops->read(dev, NULL, PL061_IEV, 2, &value));
	assert_int_equal(value, 0xcd);
	assert_true(ops->read(dev, NULL, PL061_IEV + 1, 1, &value));
	assert_int_equal(value, 0);
	assert_false(ops->read(dev, NULL, PL061_IEV + 1, 2, &value));
	assert_false(ops->read(dev, NULL, PL061_IEV + 2, 4, &value));
	assert_false(ops->read(dev, NULL, PL061_IEV - 4, 8, &value));
	assert_false(ops->write(dev, NULL, PL061_IEV - 4, 8, 0));
	assert_false(ops->write(dev, NULL, PL061_IEV + 2, 4, 0));
}

// Linux: both edges; acknowledges, waits for the contact to settle, looks, and does so again.
static void test_key_as_linux_sees_it(void **state)
{
	(void)state;
	set(PL061_DIR, 0);
	set(PL061_IBE, KEY);
	set(PL061_IE, KEY);
	for (unsigned i = 0; i < 3; i++) {
		press();
		assert_true(line);
		assert_int_equal(get(PL061_MIS), KEY);
		set(PL061_IC, KEY);
		assert_false(line);
		assert_int_equal(get(0x3fc & ~KEY_DATA), 0); // looking at others lets nothing go
		assert_false(line);
		assert_int_equal(get(KEY_DATA), KEY);
		assert_true(line); // it comes up
		set(PL061_IC, KEY);
		assert_int_equal(get(KEY_DATA), 0);
		assert_false(line);
	}
	assert_int_equal(raised, 6);
}

static void test_edges(void **state)
{
	(void)state;
	set(PL061_IE, KEY);
	press(); // falling edges are asked for
	assert_int_equal(get(PL061_RIS), 0);
	assert_int_equal(get(KEY_DATA), KEY);
	assert_int_equal(get(PL061_RIS), KEY);
	assert_true(line);
	set(PL061_IC, ~KEY);
	assert_true(line);
	set(PL061_IC, KEY);
	assert_false(line);
	set(PL061_IEV, KEY); // rising edges
	press();
	assert_true(line);
	set(PL061_IC, KEY);
	assert_int_equal(get(KEY_DATA), KEY);
	assert_int_equal(get(PL061_RIS), 0);
	assert_false(line);
}

static void test_masked_edge_is_remembered(void **state)
{
	(void)state;
	set(PL061_IEV, KEY);
	press();
	assert_int_equal(get(PL061_RIS), KEY);
	assert_int_equal(get(PL061_MIS), 0);
	assert_false(line);
	set(PL061_IE, 0xff);
	assert_int_equal(get(PL061_MIS), KEY);
	assert_true(line);
	set(PL061_IE, 0xff & ~KEY);
	assert_false(line);
}

// A level is not remembered, and cannot be cleared.
static void test_levels(void **state)
{
	(void)state;
	set(PL061_IEV, 0xff);
	set(PL061_IS, KEY);
	set(PL061_IE, KEY);
	press();
	assert_true(line);
	set(PL061_IC, 0xff);
	assert_true(line);
	assert_int_equal(get(KEY_DATA), KEY);
	assert_false(line);
	assert_int_equal(get(PL061_RIS), 0);
	set(PL061_IEV, 0); // low levels
	assert_true(line);
	assert_int_equal(get(PL061_RIS), KEY);
	press();
	assert_false(line);
	set(PL061_IBE, KEY); // says nothing about levels
	assert_false(line);
	set(PL061_DIR, KEY); // outputs interrupt nobody
	set(PL061_IEV, KEY);
	assert_false(line);
}

// A press is there until it was seen, however late the guest looks; a second one has an edge of its own.
static void test_early_and_double_press(void **state)
{
	(void)state;
	press();
	set(PL061_IBE, KEY);
	set(PL061_IE, KEY);
	assert_false(line); // the edge was before anybody asked for edges
	press();
	assert_true(line);
	set(PL061_IC, KEY);
	press();
	assert_true(line);
	set(PL061_IC, KEY);
	assert_int_equal(get(KEY_DATA), KEY);
	assert_true(line);
	set(PL061_IC, KEY);
	assert_int_equal(get(KEY_DATA), 0);
	assert_int_equal(raised, 3);
}

static void test_key_on_an_output(void **state)
{
	(void)state;
	set(PL061_DIR, KEY);
	set(PL061_IBE, 0xff);
	set(PL061_IE, 0xff);
	press();
	assert_false(line);
	assert_int_equal(get(KEY_DATA), 0);
	set(KEY_DATA, KEY);
	assert_int_equal(get(KEY_DATA), KEY);
	set(PL061_DIR, 0);
	assert_int_equal(get(KEY_DATA), KEY); // still down
	assert_int_equal(get(KEY_DATA), 0);
}

static void test_reset(void **state)
{
	(void)state;
	for (uint32_t offset = 0; offset < 0x1000; offset += 4)
		set(offset, 0xff);
	set(PL061_DIR, 0);
	press();
	assert_true(line);
	vpl061_reset(vm->power_key);
	assert_false(line);
	for (uint32_t offset = 0; offset < 0xfe0; offset += 4)
		assert_int_equal(get(offset), 0);
	set(PL061_DIR, 0xff);
	assert_int_equal(get(0x3fc), 0);
}

static void test_random(void **state)
{
	(void)state;
	static const uint8_t sizes[] = {1, 2, 4, 8};
	uint64_t value;
	srandom(7);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned size = sizes[random() % 4];
		uint32_t offset = (uint32_t)random() % (random() % 4 ? 0x428 : 0xff8);
		if (random() % 2)
			offset |= 0x400;
		if (random() % 2)
			ops->read(dev, NULL, offset, size, &value);
		else
			ops->write(dev, NULL, offset, size, (uint64_t)random() << (random() % 33));
		if (random() % 8 == 0)
			press();
		assert_int_equal(get(PL061_MIS), get(PL061_RIS) & get(PL061_IE));
		assert_int_equal(line, get(PL061_MIS) != 0);
		assert_int_equal(get(PL061_RIS) & get(PL061_IS) & get(PL061_DIR), 0);
	}
}

// Everything but the lock and what never changes is named, once.
static void test_state(void **state)
{
	(void)state;
	unsigned bytes = 0;
	for (unsigned i = 0; i < vpl061_state.nr_fields; i++) {
		const struct vstate_field *f = &vpl061_state.fields[i];
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(f->offset, vpl061_state.fields[k].offset);
		bytes += f->size * f->count;
	}
	assert_string_equal(vpl061_state.device, "vpl061");
	assert_int_equal(bytes, 10);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_every_offset),
	        TEST(test_registers_are_separate),
	        TEST(test_masked_data),
	        TEST(test_widths),
	        TEST(test_key_as_linux_sees_it),
	        TEST(test_edges),
	        TEST(test_masked_edge_is_remembered),
	        TEST(test_levels),
	        TEST(test_early_and_double_press),
	        TEST(test_key_on_an_output),
	        TEST(test_reset),
	        TEST(test_random),
	        TEST(test_state),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
