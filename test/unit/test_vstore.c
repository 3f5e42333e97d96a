// SPDX-License-Identifier: Apache-2.0
// What a disk or a card of the bundle holds: every mixture of reads, writes and erasures against a plain copy of the
// image, what a VM's new life finds, and memory that runs out.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/string.h"
#include "fake.h"
#include "ram_arena.h"
#include "vdev/vstore.h"
#include "vm/vm.h"

#define IMAGE (MIB(4) + KIB(64) + 512) // more than two leaves; the last page is not whole
#define SHOWN align_up(IMAGE, MIB(1))

static struct vm vm;
static struct vstore *store;
static uint8_t *image, *model;
static uint64_t pages_left, taken;
static struct page_list scratch, kept_pages;
static void *block[8];
static unsigned blocks;

void *vm_alloc(struct vm *v, size_t size)
{
	(void)v;
	assert_true(blocks < ARRAY_SIZE(block));
	return block[blocks++] = calloc(1, size);
}

pa_t vm_take_page(struct vm *v, bool kept)
{
	assert_ptr_equal(v, &vm);
	if (pages_left == 0)
		return PA(0);
	pages_left--;
	taken++;
	return pages_alloc(0, 1, PAGE_DATA, kept ? &kept_pages : &scratch);
}

static int open_program(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(MIB(32));
	image = malloc(IMAGE);
	model = malloc(SHOWN);
	for (size_t i = 0; i < IMAGE; i++)
		image[i] = (uint8_t)(i * 7 + (i >> 9) * 3 + (i >> 17) + 1);
	return 0;
}

static int close_program(void **state)
{
	(void)state;
	free(image);
	free(model);
	return 0;
}

static void as_image(void)
{
	memset(model, 0, SHOWN);
	memcpy(model, image, IMAGE);
}

static void begin(enum desc_image mode)
{
	const struct vm_image from = {image, IMAGE, mode};
	pages_left = 4096;
	taken = 0;
	assert_int_equal(vstore_create(&vm, &from, MIB(1), &store), 0);
	assert_int_equal(vstore_size(store), SHOWN);
	as_image();
}

static int teardown(void **state)
{
	(void)state;
	while (pages_scrub_some(&scratch) || pages_scrub_some(&kept_pages))
		;
	while (blocks > 0)
		free(block[--blocks]);
	return 0;
}

static void check(uint64_t at, size_t size)
{
	static uint8_t got[KIB(64)];
	uint64_t bytes;
	const uint8_t *from = vstore_find(store, at, size, &bytes);

	assert_true(bytes != 0 && bytes <= size);
	for (uint64_t i = 0; i < bytes; i++)
		if (model[at + i] != (from != NULL ? from[i] : 0))
			fail_msg("byte %#lx of a piece", (unsigned long)(at + i));
	vstore_read(store, at, got, size);
	assert_memory_equal(got, model + at, size);
}

static void check_all(void)
{
	for (uint64_t at = 0; at < SHOWN; at += KIB(64))
		check(at, KIB(64));
}

static void put(uint64_t at, size_t size)
{
	uint8_t bytes[PAGE_SIZE];
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)rand();
	assert_int_equal(vstore_write(store, at, bytes, size), 0);
	memcpy(model + at, bytes, size);
}

static void erase(uint64_t at, uint64_t end)
{
	uint64_t from = at;
	for (unsigned calls = 0; at < end; calls++) {
		uint64_t before = at;
		assert_int_equal(vstore_erase(store, &at, end), 0);
		assert_true(at > before && at <= end);
	}
	memset(model + from, 0, end - from);
}

static void random_step(void)
{
	uint64_t at = (uint64_t)rand() % SHOWN;
	size_t in_page = PAGE_SIZE - at % PAGE_SIZE;
	switch (rand() % 8) {
	case 0:
	case 1: put(align_down(at, PAGE_SIZE), PAGE_SIZE); break;
	case 2:
	case 3: put(at, (size_t)rand() % in_page + 1); break;
	case 4: {
		uint64_t end = align_down(at + (uint64_t)rand() % MIB(3), 512);
		at = align_down(at, 512);
		erase(at, end < SHOWN ? end : SHOWN);
		break;
	}
	default: {
		uint64_t left = SHOWN - at;
		size_t size = (size_t)rand() % KIB(64) + 1;
		check(at, size < left ? size : (size_t)left);
		break;
	}
	}
}

static void test_random(void **state)
{
	(void)state;
	srand(5);
	begin(DESC_IMAGE_COW);
	for (unsigned life = 0; life < 3; life++) {
		for (unsigned i = 0; i < 3000; i++)
			random_step();
		check_all();
		while (pages_scrub_some(&scratch))
			;
		vstore_reset(store);
		as_image();
		pages_left = 4096;
		check_all();
	}
}

static void test_kept(void **state)
{
	(void)state;
	begin(DESC_IMAGE_KEEP);
	put(5000, 100);
	erase(MIB(2), MIB(4));
	vstore_reset(store);
	check_all();
	assert_int_equal(scratch.first, 0);
}

static void test_read_only(void **state)
{
	uint64_t at = 0;
	(void)state;
	begin(DESC_IMAGE_RO);
	assert_true(vstore_read_only(store));
	assert_int_equal(vstore_write(store, 0, image + 1, 512), ERR_UNSUPPORTED);
	assert_int_equal(vstore_erase(store, &at, 512), ERR_UNSUPPORTED);
	check_all();
	assert_int_equal(taken, 0);
}

// A leaf and a page, whole pages and parts alike; where neither is to be had nothing changes.
static void test_no_memory(void **state)
{
	uint64_t at = 0;
	(void)state;
	begin(DESC_IMAGE_COW);
	for (unsigned n = 0; n < 2; n++) { // neither, then the leaf alone, which stays
		pages_left = n;
		assert_int_equal(vstore_write(store, 512, image, 512), ERR_NO_MEMORY);
		assert_int_equal(taken, n);
		check_all();
	}
	assert_int_equal(vstore_erase(store, &at, 512), ERR_NO_MEMORY);
	pages_left = 1;
	put(512, 512);
	assert_int_equal(taken, 2);
	check_all();
	at = MIB(2);
	assert_int_equal(vstore_erase(store, &at, MIB(4)), 0); // needs none
	assert_int_equal(at, MIB(4));
}

// Where nothing was written the image is found in one piece up to 2 MiB, and so are zeroes.
static void test_runs(void **state)
{
	uint64_t bytes;
	(void)state;
	begin(DESC_IMAGE_COW);
	assert_ptr_equal(vstore_find(store, KIB(4), GIB(1), &bytes), image + KIB(4));
	assert_int_equal(bytes, MIB(2) - KIB(4));
	put(KIB(64), KIB(4));
	assert_ptr_equal(vstore_find(store, KIB(4), GIB(1), &bytes), image + KIB(4));
	assert_int_equal(bytes, KIB(60));
	assert_ptr_not_equal(vstore_find(store, KIB(64), GIB(1), &bytes), image + KIB(64));
	assert_int_equal(bytes, KIB(4));
	erase(KIB(72), KIB(88));
	assert_null(vstore_find(store, KIB(76), GIB(1), &bytes));
	assert_int_equal(bytes, KIB(12));
	assert_ptr_equal(vstore_find(store, IMAGE - 512, GIB(1), &bytes), image + IMAGE - 512);
	assert_int_equal(bytes, 512);
	assert_null(vstore_find(store, IMAGE, 100, &bytes));
	assert_int_equal(bytes, 100);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_random),    TEST(test_kept), TEST(test_read_only),
	        TEST(test_no_memory), TEST(test_runs),
	};
	return cmocka_run_group_tests(tests, open_program, close_program);
}
