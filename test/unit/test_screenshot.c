// SPDX-License-Identifier: Apache-2.0
// `screenshot`, step by step: a screen of every depth becomes the right picture, and whatever happens to guest, host
// and wire in the middle ends it with a sentence. The wire is a ring that the test empties.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/print.h"
#include "console/console.h"
#include "console/link.h"
#include "console/shell.h"
#include "fake.h"
#include "hw/timer.h"
#include "png_read.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_fb.h"
#include "vdev/vbcm2835_scan.h"
#include "vm/vm.h"

#define BASE    0x3000000
#define CHANNEL 77

// ---- what the command calls ----

static uint8_t memory[1 << 20];
static bool shown, has_memory, opened;
static struct vbcm2835_fb_view screen;
static uint16_t channel; // of the file; 0: gone
static bool ended;
static const char *end_why, *no_file;
static uint8_t ring_bytes[4096];
static struct ring ring = {.bytes = ring_bytes, .size = sizeof ring_bytes};
static char file_name[64];

uint64_t timer_from_ms(uint64_t ms)
{
	return ms;
}
bool vbcm2835_fb_view(struct vm *vm, struct vbcm2835_fb_view *view)
{
	(void)vm;
	*view = screen;
	return shown;
}
int stage2_peek(struct stage2 *s2, ipa_t ipa, void *to, size_t size)
{
	(void)s2;
	assert_true(ipa.v >= BASE && size <= sizeof memory && ipa.v - BASE <= sizeof memory - size);
	memcpy(to, memory + (ipa.v - BASE), size);
	return has_memory ? 0 : ERR_FAULT;
}
uint16_t console_file_begin(const char *name, uint32_t id, const char **why)
{
	assert_int_equal(id, 3);
	snprintf(file_name, sizeof file_name, "%s", name);
	*why = no_file;
	if (no_file != NULL)
		return 0;
	assert_int_equal(channel, 0);
	ring.head = ring.tail = UINT32_MAX - 100; // and around
	ended = false;
	end_why = NULL;
	return channel = CHANNEL;
}
void console_file_end(uint16_t number, const char *why)
{
	assert_int_equal(number, CHANNEL);
	ended = true;
	end_why = why;
}
struct ring *link_file_ring(void)
{
	return &ring;
}
bool link_file_gone(uint16_t number)
{
	return channel != number;
}
bool link_file_opened(void)
{
	return opened;
}

// ---- a VM and a job ----

static struct vm vm = {.name = "pi", .id = 3};
static struct raspi3 chips;
static struct shell_job job;
static uint8_t text_bytes[4096];
static struct ring text_ring = {.bytes = text_bytes, .size = sizeof text_bytes};
static char text[4097];
static const struct shell_command *const command = &shell_screen_commands[0];

static uint8_t *file;
static size_t file_size;

static int setup(void **state)
{
	(void)state;
	vm.raspi3 = &chips;
	vm.state = VM_RUNNING;
	vm.start_time = 5;
	shown = has_memory = opened = true;
	no_file = NULL;
	channel = 0;
	fake_set_sysreg("cntpct_el0", 1000);
	memset(memory, 0, sizeof memory);
	return 0;
}

static void set_screen(uint32_t width, uint32_t height, uint32_t depth, uint32_t rgb)
{
	struct vbcm2835_fb_mode mode = {.width = width,
	                                .height = height,
	                                .virtual_width = width + 10,
	                                .virtual_height = 2 * height,
	                                .x = 7,
	                                .y = height / 2,
	                                .depth = depth,
	                                .rgb = rgb};
	screen = (struct vbcm2835_fb_view){.mode = mode};
	screen.pitch = ((width + 10) * depth / 8 + 31) & ~31u;
	screen.ipa = BASE + screen.pitch * mode.y + mode.x * depth / 8;
	for (unsigned i = 0; i < VBCM2835_FB_COLOURS; i++)
		screen.palette[i] = (uint32_t)rand() & 0xffffff;
}

static void begin(void)
{
	text_ring.head = text_ring.tail = 0;
	memset(&job, 0, sizeof job);
	job.argv[0] = (char *)(uintptr_t) "screenshot";
	job.argv[1] = (char *)(uintptr_t) "pi";
	job.argc = 2;
	answer_begin(&job.out, &text_ring, true);
	free(file);
	file = NULL;
	file_size = 0;
}

// The host takes all there is.
static void take(void)
{
	uint32_t n = ring_fill(&ring);

	assert_true(n <= ring.size);
	file = realloc(file, file_size + n + 1);
	file_size += ring_get_some(&ring, file + file_size, n);
	if (ended)
		channel = 0;
}

static bool step(void)
{
	job.vm = &vm;
	bool more = command->run(&job);
	job.step++;
	return more && !job.out.failed;
}

static const char *answer(void)
{
	command->end(&job);
	answer_end(&job.out);
	text[ring_get_some(&text_ring, (uint8_t *)text, sizeof text - 1)] = '\0';
	return text;
}

// To the end, however slowly the host takes it.
static const char *run(unsigned each)
{
	unsigned n = 0;

	begin();
	while (step())
		if (n++ % each == 0)
			take();
	return answer();
}

// ---- pictures ----

static uint8_t wide(uint32_t value, uint32_t most)
{
	return (uint8_t)((value * 255 + most / 2) / most);
}

// The pixel as the specification of the mode has it.
static void expect_pixel(uint32_t x, uint32_t y, uint8_t rgb[3])
{
	const uint8_t *p =
	        memory + (screen.ipa - BASE) + y * screen.pitch + x * screen.mode.depth / 8;
	uint32_t colour = 0;

	memcpy(&colour, p, screen.mode.depth / 8);
	if (screen.mode.depth == 8)
		colour = screen.palette[*p];
	rgb[0] = (uint8_t)colour;
	rgb[1] = (uint8_t)(colour >> 8);
	rgb[2] = (uint8_t)(colour >> 16);
	if (screen.mode.depth == 16) {
		rgb[0] = wide(colour >> 11, 31);
		rgb[1] = wide(colour >> 5 & 63, 63);
		rgb[2] = wide(colour & 31, 31);
	}
	if (!screen.mode.rgb) {
		uint8_t red = rgb[0];
		rgb[0] = rgb[2];
		rgb[2] = red;
	}
}

static void check_picture(void)
{
	uint32_t width = screen.mode.width, height = screen.mode.height;
	uint8_t *pixels = png_read(file, file_size, width, height), rgb[3];

	assert_non_null(pixels);
	for (uint32_t y = 0; y < height; y++) {
		for (uint32_t x = 0; x < width; x++) {
			expect_pixel(x, y, rgb);
			for (unsigned i = 0; i < 3; i++) // 5 bits spread may round the other way
				assert_in_range(pixels[3 * (y * width + x) + i] + 1, rgb[i],
				                rgb[i] + 2);
			if (screen.mode.depth != 16)
				assert_memory_equal(pixels + 3 * (y * width + x), rgb, 3);
		}
	}
	free(pixels);
}

static void test_every_depth(void **state)
{
	char expected[128];

	(void)state;
	srand(3);
	for (uint32_t depth = 8; depth <= 32; depth += 8) {
		for (uint32_t i = 0; i < 12; i++) {
			set_screen(1 + (uint32_t)rand() % 200, 1 + (uint32_t)rand() % 100, depth,
			           i % 2);
			for (size_t at = 0; at < sizeof memory; at++)
				memory[at] = (uint8_t)(i % 3 == 0 ? rand() : rand() % 100 == 0);
			const char *said = run(1 + i % 4);
			sprintf(expected,
			        "{\"channel\":77,\"width\":%u,\"height\":%u,\"bytes\":%zu}",
			        screen.mode.width, screen.mode.height, file_size);
			assert_string_equal(said, expected);
			assert_string_equal(file_name, "pi.png");
			assert_true(ended && end_why == NULL);
			check_picture();
		}
	}
}

static void test_colours(void **state)
{
	static const struct {
		uint32_t depth, rgb;
		uint8_t from[4], to[3];
	} rows[] = {
	        {32, 1, {1, 2, 3, 4}, {1, 2, 3}},       {32, 0, {1, 2, 3, 4}, {3, 2, 1}},
	        {24, 1, {1, 2, 3}, {1, 2, 3}},          {24, 0, {1, 2, 3}, {3, 2, 1}},
	        {16, 1, {0x00, 0xf8}, {255, 0, 0}},     {16, 1, {0xe0, 0x07}, {0, 255, 0}},
	        {16, 1, {0x1f, 0x00}, {0, 0, 255}},     {16, 0, {0x00, 0xf8}, {0, 0, 255}},
	        {16, 1, {0xff, 0xff}, {255, 255, 255}}, {16, 1, {0x00, 0x84}, {0x84, 0x82, 0}},
	        {8, 1, {9}, {0x33, 0x22, 0x11}},        {8, 0, {9}, {0x11, 0x22, 0x33}},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t rgb[3];
		set_screen(1, 1, rows[i].depth, rows[i].rgb);
		screen.palette[9] = 0x112233;
		vbcm2835_scan_convert(&screen, rows[i].from, 1, rgb);
		assert_memory_equal(rgb, rows[i].to, 3);
	}
}

static void test_largest(void **state)
{
	(void)state;
	set_screen(4096, 50, 32, 1);
	screen.mode.y = 0;
	screen.ipa = BASE;
	assert_non_null(strstr(run(1), "\"bytes\""));
	check_picture();
}

// ---- refusals ----

static void test_no_picture(void **state)
{
	(void)state;
	set_screen(10, 10, 32, 1);
	vm.raspi3 = NULL;
	assert_string_equal(run(1), "{\"error\":\"pi: it has no screen: only a VM with machine = "
	                            "raspi3 has one\"}");
	vm.raspi3 = &chips;
	vm.state = VM_OFF;
	assert_string_equal(run(1), "{\"error\":\"pi: it does not run, so it has no screen\"}");
	vm.state = VM_PAUSED;
	shown = false;
	assert_string_equal(run(1), "{\"error\":\"pi: it has no framebuffer: its guest has not "
	                            "asked for one\"}");
	shown = true;
	no_file = "the wire says no";
	assert_string_equal(run(1), "{\"error\":\"pi.png: the wire says no\"}");
	no_file = NULL;
	assert_null(strstr(run(1), "error"));
}

// ---- the middle ----

static void change_size(void)
{
	screen.mode.width--;
}
static void change_depth(void)
{
	screen.mode.depth = 8;
}
static void release(void)
{
	shown = false;
}
static void die(void)
{
	vm.state = VM_CRASHED;
}
static void restart(void)
{
	vm.start_time++;
}
static void lose_memory(void)
{
	has_memory = false;
}

static void test_changes_in_the_middle(void **state)
{
	static void (*const changes[])(void) = {change_size, change_depth, release,
	                                        die,         restart,      lose_memory};

	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		setup(state);
		set_screen(200, 100, 32, 1);
		begin();
		for (unsigned n = 0; n < 10; n++) {
			assert_true(step());
			take();
		}
		changes[i]();
		assert_false(step());
		assert_true(ended && strstr(end_why, "try again") != NULL);
		assert_non_null(
		        strstr(answer(), "\"error\":\"pi: its screen was changed or given up"));
	}
}

// Another page of the same framebuffer, or other colours: the picture is of what was there at the beginning.
static void test_a_page_is_turned(void **state)
{
	(void)state;
	set_screen(100, 50, 8, 1);
	for (size_t at = 0; at < sizeof memory; at++)
		memory[at] = (uint8_t)rand();
	struct vbcm2835_fb_view before = screen;
	begin();
	for (unsigned n = 0; step(); n++) {
		take();
		screen.mode.y = n % 2;
		screen.ipa = BASE + n % 2 * screen.pitch;
		screen.palette[n % 256] ^= 0xff;
	}
	screen = before;
	check_picture();
	answer();
}

static void test_host_goes(void **state)
{
	(void)state;
	set_screen(200, 100, 32, 1);
	begin();
	assert_true(step() && step());
	channel = 0; // CLOSE, BYE, a new greeting
	assert_false(step());
	assert_non_null(strstr(answer(), "the host does not want the picture any more"));
	assert_false(ended);
}

static void test_host_does_not_ask(void **state)
{
	(void)state;
	set_screen(200, 100, 32, 1);
	for (size_t at = 0; at < sizeof memory; at++)
		memory[at] = (uint8_t)rand();
	opened = false;
	begin();
	for (unsigned n = 0; n < 100; n++)
		assert_true(step());
	assert_false(command->ready()); // the ring is full
	assert_true(ring_fill(&ring) > 2000);
	fake_set_sysreg("cntpct_el0", 11000);
	assert_true(command->ready());
	assert_false(step());
	assert_true(ended && strstr(end_why, "10 s") != NULL);
	assert_non_null(strstr(answer(), "error"));
}

static void test_broken_off(void **state)
{
	(void)state;
	set_screen(200, 100, 32, 1);
	begin();
	assert_true(step() && step());
	answer();
	assert_true(ended);
	assert_string_equal(end_why, "the command was broken off");
}

// A step waits for the host, and one without room makes nothing.
static void test_waits_for_room(void **state)
{
	(void)state;
	set_screen(200, 100, 32, 1);
	for (size_t at = 0; at < sizeof memory; at++)
		memory[at] = (uint8_t)rand();
	begin();
	assert_true(step());
	while (command->ready())
		assert_true(step());
	uint32_t fill = ring_fill(&ring);
	assert_true(step());
	assert_int_equal(ring_fill(&ring), fill);
	take();
	assert_true(command->ready());
	while (step())
		take();
	check_picture();
	answer();
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_depth),
	        TEST(test_colours),
	        TEST(test_largest),
	        TEST(test_no_picture),
	        TEST(test_changes_in_the_middle),
	        TEST(test_a_page_is_turned),
	        TEST(test_host_goes),
	        TEST(test_host_does_not_ask),
	        TEST(test_broken_off),
	        TEST(test_waits_for_room),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(file);
	return failed;
}
