// SPDX-License-Identifier: Apache-2.0
// The mailboxes of a Raspberry Pi, the firmware behind them, and its framebuffer.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/string.h"
#include "fake.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_fb.h"
#include "vdev/vbcm2835_mbox.h"
#include "vdev/vbcm2835_property.h"
#include "vm/vm.h"

#define RAM_SIZE   MIB(64)
#define VIDEO_BASE MIB(48)
#define AT         0x1000u // where messages are

enum { READ = 0x00, PEEK = 0x10, STATUS = 0x18, CONFIG = 0x1c, WRITE = 0x20, WRITE_STATUS = 0x38 };
#define FULL   0x80000000u
#define EMPTY  0x40000000u
#define OK     0x80000000u
#define BAD    0x80000001u
#define SILENT 0xdeadbeefu

static struct vm *vm;
static struct raspi3 *chips;
static uint8_t *ram;
static bool line;

void *vm_alloc(struct vm *v, size_t size)
{
	(void)v;
	return test_calloc(1, size);
}

static bool in_ram(uint64_t ipa, size_t size)
{
	return ipa < RAM_SIZE && size <= RAM_SIZE - ipa;
}

int vm_dma_read(struct vm *v, ipa_t ipa, void *to, size_t size)
{
	(void)v;
	if (!in_ram(ipa.v, size))
		return ERR_FAULT;
	memcpy(to, ram + ipa.v, size);
	return 0;
}

int vm_dma_write(struct vm *v, ipa_t ipa, const void *from, size_t size)
{
	(void)v;
	if (!in_ram(ipa.v, size))
		return ERR_FAULT;
	memcpy(ram + ipa.v, from, size);
	return 0;
}

void virq_set(struct vm *v, struct vcpu *vcpu, uint32_t intid, bool level)
{
	(void)v;
	assert_null(vcpu);
	assert_int_equal(intid, VBCM2835_IRQ(65));
	assert_int_not_equal(level, line);
	line = level;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	line = false;
	vm = test_calloc(1, sizeof *vm);
	ram = test_calloc(1, RAM_SIZE);
	chips = test_calloc(1, sizeof *chips);
	vm->id = 5;
	vm->ram_size = RAM_SIZE;
	vm->video_base = VIDEO_BASE;
	vm->raspi3 = chips;
	assert_int_equal(vbcm2835_fb_create(vm), 0);
	assert_int_equal(vbcm2835_property_create(vm), 0);
	assert_int_equal(vbcm2835_mbox_create(vm), 0);
	vbcm2835_fb_reset(vm);
	vbcm2835_property_reset(vm);
	vbcm2835_mbox_reset(vm);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_free(chips->fb);
	test_free(chips->property);
	test_free(chips->mbox);
	test_free(chips);
	test_free(ram);
	test_free(vm);
	return 0;
}

static uint32_t get(uint32_t offset)
{
	struct access access = {.ipa = IPA(RASPI3_MAILBOX_BASE + offset), .size = 4};
	assert_true(mmio_access(&vm->mmio, NULL, &access));
	return (uint32_t)access.value;
}

static void set(uint32_t offset, uint32_t value)
{
	struct access access = {
	        .ipa = IPA(RASPI3_MAILBOX_BASE + offset), .size = 4, .write = true, .value = value};
	assert_true(mmio_access(&vm->mmio, NULL, &access));
}

// ---- messages ----

static uint32_t *word(uint32_t n)
{
	return (uint32_t *)(void *)(ram + AT) + n;
}

// What the firmware makes of the message at AT.
static uint32_t send(uint32_t alias)
{
	set(WRITE, AT | alias | 8);
	if (get(STATUS) & EMPTY)
		return SILENT;
	assert_int_equal(get(READ), AT | alias | 8);
	return *word(1);
}

// Sends one tag with its value; the answer's length, SILENT if the tag was not answered.
static uint32_t ask(uint32_t tag, uint32_t bytes, uint32_t a, uint32_t b)
{
	uint32_t words = (bytes + 3) / 4;
	memset(word(0), 0xee, 0x800);
	*word(0) = (6 + words) * 4;
	*word(1) = 0;
	*word(2) = tag;
	*word(3) = bytes;
	*word(4) = 0;
	*word(5) = a;
	if (words > 1)
		*word(6) = b;
	*word(5 + words) = 0;
	assert_int_equal(send(0xc0000000), OK);
	assert_int_equal(*word(6 + words), 0xeeeeeeee); // nothing beyond the message
	return *word(4) & OK ? *word(4) & ~OK : SILENT;
}

static void test_what_the_board_is(void **state)
{
	(void)state;
	assert_int_equal(ask(0x00010002, 4, 0, 0), 4);
	assert_int_equal(*word(5), 0xa02082);
	assert_int_equal(ask(0x00010004, 8, 0, 0), 8);
	assert_int_equal(*word(5), 5);
	assert_int_equal(ask(0x00010005, 8, 1, 1), 8);
	assert_int_equal(*word(5), 0);
	assert_int_equal(*word(6), VIDEO_BASE);
	assert_int_equal(ask(0x00010006, 8, 1, 1), 8);
	assert_int_equal(*word(5), VIDEO_BASE);
	assert_int_equal(*word(6), RAM_SIZE - VIDEO_BASE);
	assert_int_equal(ask(0x00010003, 6, 0, 0), 6);
	assert_int_equal(*word(5) & 2, 2); // locally administered
	assert_int_equal(ask(0x00060001, 4, 0, 0), 4);
	assert_int_equal(ask(0x00030006, 8, 0, 0), 8);
	assert_int_equal(*word(6), 45000);
}

static void test_clocks_and_power(void **state)
{
	(void)state;
	assert_int_equal(ask(0x00030002, 8, 2, 0), 8);
	assert_int_equal(*word(6), 48000000);
	assert_int_equal(ask(0x00038002, 12, 3, 2000000000), 8); // more than there is
	assert_int_equal(*word(6), 1200000000);
	assert_int_equal(ask(0x00030002, 8, 3, 0), 8);
	assert_int_equal(*word(6), 1200000000);
	assert_int_equal(ask(0x00030002, 8, 99, 1), 8); // no such clock
	assert_int_equal(*word(6), 0);
	assert_int_equal(ask(0x00030001, 8, 0xffffffff, 0), 8);
	assert_int_equal(*word(6), 2);
	ask(0x00038001, 8, 4, 0);
	ask(0x00030001, 8, 4, 7);
	assert_int_equal(*word(6), 0);
	assert_int_equal(ask(0x00028001, 8, 3, 3), 8);
	assert_int_equal(*word(6), 1);
	ask(0x00020001, 8, 40, 0);
	assert_int_equal(*word(6), 2);
	ask(0x00038030, 8, 12, 1);
	ask(0x00030030, 8, 12, 0);
	assert_int_equal(*word(6), 1);
	ask(0x00038041, 8, 130, 1);
	assert_int_equal(*word(5), 0);
	ask(0x00030041, 8, 130, 0);
	assert_int_equal(*word(6), 1);
	ask(0x00030041, 8, 200, 0);
	assert_int_equal(*word(5), 200); // an error
}

// Room for less than the answer: it is cut off, and its length says so.
static void test_little_room(void **state)
{
	(void)state;
	assert_int_equal(ask(0x00010005, 4, 1, 0), 8);
	assert_int_equal(*word(5), 0);
	assert_int_equal(ask(0x00010007, 8, 1, 1), 80);
	assert_int_equal(*word(5), 0);
	assert_int_equal(*word(6), 1);
	assert_int_equal(ask(0x00010002, 0, 0, 0), 4);
}

static void test_unknown_tag(void **state)
{
	(void)state;
	assert_int_equal(ask(0x12345678, 8, 7, 8), SILENT);
	assert_int_equal(*word(5), 7);
	assert_int_equal(ask(0x0004c003, 8, 7, 8), SILENT);
	assert_int_equal(ask(0x00040000, 8, 7, 8), SILENT);
}

static void test_several_tags(void **state)
{
	static const uint32_t message[] = {
	        4 * 15, 0, 0x00010002, 4, 0, 0, 0x99999999, 4, 0, 1, 0x00030002, 8, 0, 2, 0,
	};
	(void)state;
	memcpy(word(0), message, sizeof message);
	*word(0) = 4 * 16;
	*word(15) = 0;
	assert_int_equal(send(0), OK);
	assert_int_equal(*word(5), 0xa02082);
	assert_int_equal(*word(8), 0);
	assert_int_equal(*word(14), 48000000);
}

static void test_wrong_messages(void **state)
{
	(void)state;
	static const uint32_t sizes[] = {0, 4, 9, 0x1004, 0xfffffffc, 0xffffffff};
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		*word(0) = sizes[i];
		*word(1) = 0;
		assert_int_equal(send(0), BAD);
	}
	*word(0) = 32;
	*word(1) = 5; // no request
	assert_int_equal(send(0), BAD);
	// A value longer than the message.
	*word(0) = 32;
	*word(1) = 0;
	*word(2) = 0x00010002;
	*word(3) = 0xffffffff;
	*word(4) = 0;
	assert_int_equal(send(0), BAD);
	*word(1) = 0;
	*word(3) = 16;
	assert_int_equal(send(0), BAD);
	*word(1) = 0;
	*word(3) = 12; // just fits, and no end follows
	assert_int_equal(send(0), OK);
	// Outside of memory: silence.
	set(WRITE, RAM_SIZE | 8);
	set(WRITE, (uint32_t)(RAM_SIZE - 4) / 16 * 16 | 8);
	set(WRITE, 0x3f200000 | 8);
	set(WRITE, 0xfffffff0 | 8);
	*word(0) = 0;
	assert_true((get(STATUS) & EMPTY) == 0); // the second one had room for its size and code
	(void)get(READ);
	assert_true(get(STATUS) & EMPTY);
	// A channel nobody listens to.
	set(WRITE, AT | 5);
	assert_true(get(STATUS) & EMPTY);
	// Memory that ends within the message.
	uint32_t *last = (uint32_t *)(void *)(ram + RAM_SIZE - 16);
	last[0] = 64;
	last[1] = 0;
	set(WRITE, (uint32_t)(RAM_SIZE - 16) | 8);
	assert_int_equal(last[1], BAD);
	(void)get(READ);
}

static void test_many_tags_come_to_an_end(void **state)
{
	(void)state;
	*word(0) = 4096;
	*word(1) = 0;
	for (uint32_t at = 2; at + 3 <= 1024; at += 3) {
		*word(at) = 0x00010002;
		*word(at + 1) = 0;
		*word(at + 2) = 0;
	}
	assert_int_equal(send(0), OK);
	assert_true(*word(4) & OK);
	assert_false(*word(2 + 3 * 200 + 2) & OK);
}

static void test_answers_wait(void **state)
{
	(void)state;
	*word(0) = 12;
	assert_true(get(STATUS) & EMPTY);
	assert_int_equal(get(READ), 0);
	set(CONFIG, 0xffffffff);
	assert_int_equal(get(CONFIG), 1);
	for (unsigned n = 0; n < 8; n++) {
		assert_false(get(WRITE_STATUS) & FULL);
		*word(1) = 0;
		set(WRITE + 4 * (n % 4), AT | 8);
		assert_true(line);
	}
	assert_true(get(STATUS) & FULL);
	assert_true(get(WRITE_STATUS) & FULL);
	*word(1) = 0;
	set(WRITE, AT | 8); // is done, and not answered
	assert_int_equal(*word(1), OK);
	assert_int_equal(get(CONFIG), 0x11);
	for (unsigned n = 0; n < 8; n++) {
		assert_int_equal(get(PEEK), AT | 8);
		assert_int_equal(get(READ), AT | 8);
	}
	assert_false(line);
	assert_true(get(STATUS) & EMPTY);
	vbcm2835_mbox_reset(vm);
	assert_int_equal(get(CONFIG), 0);
}

// ---- framebuffer ----

static void test_framebuffer(void **state)
{
	(void)state;
	struct vbcm2835_fb_view view;
	assert_false(vbcm2835_fb_view(vm, &view));
	assert_int_equal(ask(0x00048003, 8, 800, 600), 8);
	assert_int_equal(*word(5), 800);
	assert_int_equal(ask(0x00048004, 8, 800, 1200), 8);
	assert_int_equal(ask(0x00048005, 4, 16, 0), 4);
	assert_int_equal(ask(0x00048006, 4, 0, 0), 4);
	assert_int_equal(ask(0x00048009, 8, 0, 600), 8);
	assert_int_equal(*word(6), 600);
	assert_int_equal(ask(0x00044005, 4, 13, 0), 4); // tried only
	assert_int_equal(*word(5), 32);
	assert_int_equal(ask(0x00040001, 8, 4096, 0), 8);
	assert_int_equal(*word(5), VIDEO_BASE | 0xc0000000);
	assert_int_equal(*word(6), 1600 * 1200);
	assert_int_equal(ask(0x00040008, 4, 0, 0), 4);
	assert_int_equal(*word(5), 1600);
	assert_true(vbcm2835_fb_view(vm, &view));
	assert_int_equal(view.ipa, VIDEO_BASE + 600 * 1600);
	assert_int_equal(view.mode.width, 800);
	assert_int_equal(view.mode.height, 600);
	assert_int_equal(view.mode.depth, 16);
	assert_int_equal(view.mode.rgb, 0);
	assert_int_equal(view.pitch, 1600);
	ask(0x00048001, 0, 0, 0);
	assert_false(vbcm2835_fb_view(vm, &view));
}

static void test_framebuffer_beyond_memory(void **state)
{
	(void)state;
	struct vbcm2835_fb_view view;
	ask(0x00048003, 8, 0xffffffff, 0xffffffff);
	assert_int_equal(*word(5), VBCM2835_FB_MAX_SIDE);
	ask(0x00040001, 8, 16, 0); // 64 MiB, of which there are 16
	assert_int_equal(*word(5), 0);
	assert_int_equal(*word(6), 0);
	assert_false(vbcm2835_fb_view(vm, &view));
	ask(0x00048003, 8, 0, 0);
	assert_int_equal(*word(5), 1);
	ask(0x00048004, 8, 0, 0);
	ask(0x00040001, 8, 16, 0);
	assert_true(vbcm2835_fb_view(vm, &view));
	ask(0x00048003, 8, 4096, 4096); // does not fit where it is shown: it goes dark
	assert_false(vbcm2835_fb_view(vm, &view));
}

static void test_palette(void **state)
{
	(void)state;
	ask(0x0004800b, 12, 254, 1);
	assert_int_equal(*word(5), 0);
	assert_int_equal(vbcm2835_fb_colour(vm, 254), 0xeeeeeeee & *word(7));
	ask(0x0004800b, 12, 255, 2); // more than there is room for in the message
	assert_int_equal(*word(5), 1);
	ask(0x0004800b, 12, 256, 1);
	assert_int_equal(*word(5), 1);
	assert_int_equal(ask(0x0004000b, 8, 0, 0), 1024);
}

static void test_old_framebuffer(void **state)
{
	(void)state;
	static const uint32_t wish[10] = {640, 480, 640, 480, 0, 24, 0, 0, 0, 0};
	struct vbcm2835_fb_view view;
	memcpy(word(0), wish, sizeof wish);
	set(WRITE, (AT | 0x40000000) + 1);
	assert_int_equal(get(READ), 1); // no error
	assert_int_equal(*word(4), 1920);
	assert_int_equal(*word(8), VIDEO_BASE | 0xc0000000);
	assert_int_equal(*word(9), 1920 * 480);
	assert_true(vbcm2835_fb_view(vm, &view));
	*word(0) = *word(1) = 4096;
	*word(5) = 32;
	set(WRITE, AT | 1);
	assert_int_not_equal(get(READ) & ~15u, 0);
	set(WRITE, (uint32_t)RAM_SIZE | 1);
	assert_int_not_equal(get(READ) & ~15u, 0);
}

static void test_random(void **state)
{
	(void)state;
	static const uint32_t known[] = {0x00010003, 0x00010007, 0x00038002, 0x00040001, 0x00048003,
	                                 0x00048004, 0x00048005, 0x00048009, 0x0004800b, 0x0004000b,
	                                 0x00038043, 0x0004400b, 0x00030043, 0x00028001};
	struct vbcm2835_fb_view view;
	srandom(5);
	for (unsigned i = 0; i < 50000; i++) {
		uint32_t words = (uint32_t)random() % 40;
		*word(0) = random() % 8 ? words * 4 : (uint32_t)random();
		*word(1) = random() % 16 == 0;
		for (uint32_t n = 2; n < 60; n++)
			*word(n) = random() % 3   ? known[random() % (long)ARRAY_SIZE(known)]
			           : random() % 2 ? (uint32_t)random() % 64
			                          : (uint32_t)random() << random() % 2;
		uint32_t at = random() % 4 ? AT : (uint32_t)random() << random() % 2;
		set(random() % 4 ? WRITE : (uint32_t)random() % 16 * 4,
		    (at & ~15u) | (random() % 2 ? 8 : (uint32_t)random() % 16));
		while (!(get(STATUS) & EMPTY))
			(void)get(READ);
		if (vbcm2835_fb_view(vm, &view)) {
			assert_true(view.ipa >= VIDEO_BASE);
			assert_true(view.ipa + (uint64_t)view.pitch * (view.mode.height - 1) +
			                    view.mode.width * (view.mode.depth / 8) <=
			            RAM_SIZE);
		}
		fake_log_count = 0;
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_what_the_board_is),
	        TEST(test_clocks_and_power),
	        TEST(test_little_room),
	        TEST(test_unknown_tag),
	        TEST(test_several_tags),
	        TEST(test_wrong_messages),
	        TEST(test_many_tags_come_to_an_end),
	        TEST(test_answers_wait),
	        TEST(test_framebuffer),
	        TEST(test_framebuffer_beyond_memory),
	        TEST(test_palette),
	        TEST(test_old_framebuffer),
	        TEST(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
