// SPDX-License-Identifier: Apache-2.0
// The device map: what may be added, that lookups are right at every border and whatever the hint says,
// and that an access reaches its device as the device expects it or not at all.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "vm/mmio.h"

static struct {
	void *dev;
	struct vcpu *vcpu;
	uint32_t offset;
	unsigned size, reads, writes;
	uint64_t value;
	bool answer;
} seen;

static bool device_read(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size,
                        uint64_t *value)
{
	seen.dev = dev;
	seen.vcpu = vcpu;
	seen.offset = offset;
	seen.size = size;
	seen.reads++;
	*value = seen.value;
	return seen.answer;
}

static bool device_write(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size,
                         uint64_t value)
{
	seen.dev = dev;
	seen.vcpu = vcpu;
	seen.offset = offset;
	seen.size = size;
	seen.writes++;
	seen.value = value;
	return seen.answer;
}

static const struct mmio_ops ops = {
        .name = "test",
        .read = device_read,
        .write = device_write,
};

static void test_what_may_be_added(void **state)
{
	struct mmio_map map = {0};
	(void)state;
	assert_int_equal(mmio_add(&map, 0x1000, 0, &ops, NULL), ERR_INVALID);
	assert_int_equal(mmio_add(&map, UINT64_MAX, 2, &ops, NULL), ERR_INVALID);
	assert_int_equal(mmio_add(&map, 1, UINT64_MAX, &ops, NULL), ERR_INVALID);
	assert_int_equal(map.count, 0);
	assert_int_equal(mmio_add(&map, 0x2000, 0x1000, &ops, NULL), 0);
	static const struct {
		uint64_t base, size;
	} overlaps[] = {{0x2000, 0x1000}, {0x2fff, 1}, {0x2000, 1},
	                {0x1fff, 2},      {0, 0x2001}, {0, UINT64_C(1) << 40}};
	for (unsigned i = 0; i < ARRAY_SIZE(overlaps); i++)
		assert_int_equal(mmio_add(&map, overlaps[i].base, overlaps[i].size, &ops, NULL),
		                 ERR_INVALID);
	assert_int_equal(mmio_add(&map, 0x1fff, 1, &ops, NULL), 0);
	assert_int_equal(mmio_add(&map, 0x3000, 1, &ops, NULL), 0);
	for (unsigned i = map.count; i < MMIO_MAX_REGIONS; i++)
		assert_int_equal(mmio_add(&map, 0x10000 - i * 0x100, 0x10, &ops, NULL), 0);
	assert_int_equal(mmio_add(&map, 0x20000, 0x10, &ops, NULL), ERR_NO_MEMORY);
	for (unsigned i = 1; i < map.count; i++)
		assert_true(map.region[i - 1].base + map.region[i - 1].size <= map.region[i].base);
}

static void test_the_end_of_the_address_space(void **state)
{
	struct mmio_map map = {0};
	(void)state;
	// The last byte cannot be part of a region: base + size would wrap.
	assert_int_equal(mmio_add(&map, UINT64_MAX - 0xfff, 0xfff, &ops, NULL), 0);
	assert_non_null(mmio_find(&map, IPA(UINT64_MAX - 1)));
	assert_null(mmio_find(&map, IPA(UINT64_MAX)));
	assert_null(mmio_find(&map, IPA(UINT64_MAX - 0x1000)));
}

static void test_lookup_at_every_border(void **state)
{
	(void)state;
	srand(3);
	for (unsigned round = 0; round < 100; round++) {
		struct mmio_map map = {0};
		unsigned nr = (unsigned)rand() % (MMIO_MAX_REGIONS + 1);
		uint64_t base[MMIO_MAX_REGIONS], size[MMIO_MAX_REGIONS];
		for (unsigned i = 0; i < nr;) {
			base[i] = (uint64_t)(rand() % 16384);
			size[i] = (uint64_t)(1 + rand() % 300);
			if (mmio_add(&map, base[i], size[i], &ops, &base[i]) == 0)
				i++;
		}
		for (uint64_t at = 0; at < 16800; at++) {
			const struct mmio_region *found;
			const void *expected = NULL;
			for (unsigned i = 0; i < nr; i++)
				if (at >= base[i] && at - base[i] < size[i])
					expected = &base[i];
			map.last = (uint32_t)rand() % 60; // any hint is only a hint
			found = mmio_find(&map, IPA(at));
			assert_ptr_equal(found == NULL ? NULL : found->dev, expected);
			assert_ptr_equal(mmio_find(&map, IPA(at)), found);
		}
	}
}

static void test_the_device_sees_what_was_meant(void **state)
{
	struct mmio_map map = {0};
	int one, other;
	struct vcpu *vcpu = (struct vcpu *)&one;
	(void)state;
	assert_int_equal(mmio_add(&map, 0x9000000, 0x1000, &ops, &one), 0);
	assert_int_equal(mmio_add(&map, 0x8000000, 0x1000, &ops, &other), 0);
	memset(&seen, 0, sizeof seen);
	seen.answer = true;
	struct access write = {.ipa = IPA(0x9000018), .size = 4, .write = true, .value = 0xabcd};
	assert_true(mmio_access(&map, vcpu, &write));
	assert_ptr_equal(seen.dev, &one);
	assert_ptr_equal(seen.vcpu, vcpu);
	assert_int_equal(seen.offset, 0x18);
	assert_int_equal(seen.size, 4);
	assert_int_equal(seen.value, 0xabcd);
	assert_true(seen.writes == 1 && seen.reads == 0);
	struct access read = {.ipa = IPA(0x8000ff8), .size = 8, .write = false};
	seen.value = UINT64_C(0x1122334455667788);
	assert_true(mmio_access(&map, vcpu, &read));
	assert_ptr_equal(seen.dev, &other);
	assert_int_equal(seen.offset, 0xff8);
	assert_int_equal(read.value, UINT64_C(0x1122334455667788));
	assert_true(seen.writes == 1 && seen.reads == 1);
	seen.answer = false; // the device refuses
	assert_false(mmio_access(&map, vcpu, &read));
	assert_false(mmio_access(&map, vcpu, &write));
}

static void test_no_access_leaves_its_region(void **state)
{
	struct mmio_map map = {0};
	(void)state;
	assert_int_equal(mmio_add(&map, 0x1000, 0x10, &ops, NULL), 0);
	assert_int_equal(mmio_add(&map, 0x1010, 0x10, &ops, NULL), 0);
	memset(&seen, 0, sizeof seen);
	seen.answer = true;
	for (uint64_t at = 0xff0; at < 0x1030; at++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			struct access a = {.ipa = IPA(at), .size = (uint8_t)size, .write = at & 1};
			bool inside = range_contains(0x1000, 0x10, at, size) ||
			              range_contains(0x1010, 0x10, at, size);
			assert_int_equal(mmio_access(&map, NULL, &a), inside);
		}
	}
	struct access top = {.ipa = IPA(UINT64_MAX - 3), .size = 8};
	assert_false(mmio_access(&map, NULL, &top));
}

// Where the machine answers although nothing is there.
static void test_the_background(void **state)
{
	struct mmio_map map = {.background_base = 0x3000, .background_size = 0x1000};
	(void)state;
	assert_int_equal(mmio_add(&map, 0x3800, 0x10, &ops, NULL), 0);
	memset(&seen, 0, sizeof seen);
	seen.answer = true;
	seen.value = 5;
	struct access read = {.ipa = IPA(0x3100), .size = 4, .value = 77};
	assert_true(mmio_access(&map, NULL, &read));
	assert_int_equal(read.value, 0);
	assert_int_equal(map.unanswered, 1);
	assert_int_equal(map.unanswered_last, 0x3100);
	struct access write = {.ipa = IPA(0x3ffc), .size = 4, .write = true, .value = 77};
	assert_true(mmio_access(&map, NULL, &write));
	assert_int_equal(map.unanswered, 2);
	assert_int_equal(map.unanswered_last, 0x3ffc);
	read.ipa = IPA(0x3808); // the device goes first
	assert_true(mmio_access(&map, NULL, &read));
	assert_int_equal(read.value, 5);
	assert_int_equal(map.unanswered, 2);
	seen.answer = false; // it refuses, or is left in the middle
	read.value = 77;
	assert_true(mmio_access(&map, NULL, &read));
	assert_int_equal(read.value, 0);
	struct access across = {.ipa = IPA(0x380c), .size = 8};
	assert_true(mmio_access(&map, NULL, &across));
	assert_int_equal(map.unanswered, 4);
	static const uint64_t outside[] = {0x2ffc, 0x2fff, 0x3ffd, 0x4000, UINT64_MAX};
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++) {
		struct access a = {.ipa = IPA(outside[i]), .size = 4};
		assert_false(mmio_access(&map, NULL, &a));
	}
	assert_int_equal(map.unanswered, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_what_may_be_added),
	        cmocka_unit_test(test_the_end_of_the_address_space),
	        cmocka_unit_test(test_lookup_at_every_border),
	        cmocka_unit_test(test_the_device_sees_what_was_meant),
	        cmocka_unit_test(test_no_access_leaves_its_region),
	        cmocka_unit_test(test_the_background),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
