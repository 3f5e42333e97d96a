// SPDX-License-Identifier: Apache-2.0
// The virtio console: both ports, the messages about them, the console that it shares with the UART, waiting for room,
// and what a driver may do wrong.
#include "virtio_bench.h"

#include "base/bitset.h"
#include "hw/pl011_regs.h"
#include "vdev/vpl011.h"
#include "vdev/vvirtio_console.h"
#include "vm/vcons.h"
#include "vm/vuart.h"

enum { RX_TTY, TX_TTY, RX_CONTROL, TX_CONTROL, RX_LOG, TX_LOG };

static struct vb_driver drv;

static int setup(void **state)
{
	vb_setup(state);
	vb_other_lines = true; // the UART's
	assert_int_equal(vpl011_create(vm), 0);
	vm->wants_console = true;
	assert_int_equal(vvirtio_console_create(vm), 0);
	vvirtio_reset_all(vm);
	vpl011_reset(vm->uart);
	return 0;
}

static void start(uint64_t features)
{
	vb_begin(&drv, 0, VIRTIO_CONSOLE, features);
	for (unsigned n = 0; n < 6; n++)
		vb_queue(&drv, n, 8, 0);
	vb_go(&drv);
}

// All that the VM's console got since it was last asked.
static const char *output(void)
{
	static char text[VCONS_OUT_BYTES + 1];
	static uint64_t at;
	uint32_t n;
	if (at > vm->con.out.head)
		at = 0;
	n = vcons_out_read(&vm->con, &at, (uint8_t *)text, VCONS_OUT_BYTES);
	text[n] = '\0';
	return text;
}

static void send_text(unsigned queue, uint64_t ipa, const char *text)
{
	const uint32_t size = (uint32_t)strlen(text);
	const struct vb_segment segments[2] = {{ipa, size / 2, false},
	                                       {ipa + size / 2, size - size / 2, false}};
	vb_put(ipa, text, size);
	vb_add(&drv, queue, segments, 2);
	vb_notify(&drv, queue);
}

static void assert_given_back(unsigned queue, bool back, uint32_t wanted)
{
	uint16_t id;
	uint32_t bytes;
	assert_int_equal(vb_used(&drv, queue, &id, &bytes), back);
	if (back)
		assert_int_equal(bytes, wanted);
}

static void type(const char *text)
{
	for (; *text != '\0'; text++)
		assert_true(vcons_in_put(&vm->con, (uint8_t)*text));
	vuart_input(vm);
}

static void uart_sends(char c)
{
	struct access access = {IPA(VPL011_BASE + PL011_DR), 4, true, (uint64_t)c};
	assert_true(mmio_access(&vm->mmio, vm->vcpu[0], &access));
}

static void test_output(void **state)
{
	(void)state;
	start(0);
	(void)output();
	send_text(TX_TTY, VB_HEAP, "hello from hvc0\n");
	assert_given_back(TX_TTY, true, 0);
	assert_string_equal(output(), "hello from hvc0\n");
	uart_sends('u');
	send_text(TX_TTY, VB_HEAP + 4090, "across a page");
	uart_sends('v');
	assert_string_equal(output(), "uacross a pagev");
	vb_write(0, VIRTIO_MMIO_CONFIG + 8, '!'); // a last word
	assert_string_equal(output(), "!");
}

// Typed bytes go to whom the guest last sent something through.
static void test_input(void **state)
{
	(void)state;
	const struct vb_segment buffers[2] = {{VB_HEAP, 3, true}, {VB_HEAP + 16, 5, true}};
	char text[9] = "";
	start(0);
	vb_add(&drv, RX_TTY, buffers, 2);
	vb_notify(&drv, RX_TTY);
	type("x");
	assert_given_back(RX_TTY, false, 0); // the UART's
	send_text(TX_TTY, VB_HEAP + 64, ">");
	type("abcd");
	assert_given_back(RX_TTY, true, 4);
	vb_get(VB_HEAP, text, 3);
	vb_get(VB_HEAP + 16, text + 3, 1);
	assert_string_equal(text, "abcd");
	type("ef"); // no buffer: they wait
	assert_given_back(RX_TTY, false, 0);
	vb_add(&drv, RX_TTY, buffers, 2);
	vb_notify(&drv, RX_TTY);
	assert_given_back(RX_TTY, true, 2);
	uart_sends('u');
	vb_add(&drv, RX_TTY, buffers, 2);
	vb_notify(&drv, RX_TTY);
	type("g");
	assert_given_back(RX_TTY, false, 0);
}

// A buffer without room takes no typed byte, and does not keep the device busy for ever.
static void test_input_without_room(void **state)
{
	(void)state;
	const struct vb_segment none = {VB_HEAP, 0, true};
	start(0);
	send_text(TX_TTY, VB_HEAP + 64, ">");
	vb_add(&drv, RX_TTY, &none, 1);
	vb_notify(&drv, RX_TTY);
	type("a");
	assert_true(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET);
	assert_non_null(strstr(vb_log, "without room"));
}

// Nobody reads fast enough: the buffer comes back when all of it was taken, and nothing of it is lost.
static void test_waiting_for_room(void **state)
{
	(void)state;
	enum { SIZE = 40000 };
	static char text[SIZE + 1], got[SIZE + 1];
	size_t fill = 0;

	start(0);
	(void)output();
	vcons_watch = VCONS_WATCH_ALL;
	uint64_t at = vcons_out_attach(&vm->con, vm->con.out.head);
	for (unsigned i = 0; i < SIZE; i++)
		text[i] = (char)('a' + i % 23);
	vb_put(VB_HEAP, text, SIZE);
	const struct vb_segment segment = {VB_HEAP, SIZE, false};
	vb_add(&drv, TX_TTY, &segment, 1);
	vb_notify(&drv, TX_TTY);
	for (unsigned i = 0; i < 1000 && fill < SIZE; i++) {
		uint8_t bytes[1000];
		vb_pass_us(100);
		if (i == 0)
			assert_given_back(TX_TTY, false, 0);
		uint32_t n = vcons_out_read(&vm->con, &at, bytes, sizeof bytes);
		memcpy(got + fill, bytes, n);
		fill += n;
		store_relaxed(&vm->con.progress_time, vb_now);
		if (i % 7 == 0)
			vuart_output_drained(vm);
	}
	vb_pass_us(100);
	assert_int_equal(fill, SIZE);
	assert_string_equal(got, text);
	assert_given_back(TX_TTY, true, 0);
	vcons_watch = VCONS_WATCH_NONE;
}

static void say(uint32_t port, uint16_t event, uint16_t value)
{
	const struct vb_segment segment = {VB_HEAP + KIB(4), 8, false};
	vb_put32(VB_HEAP + KIB(4), port);
	vb_put16(VB_HEAP + KIB(4) + 4, event);
	vb_put16(VB_HEAP + KIB(4) + 6, value);
	vb_add(&drv, TX_CONTROL, &segment, 1);
	vb_notify(&drv, TX_CONTROL);
	assert_given_back(TX_CONTROL, true, 0);
}

static void offer(unsigned n)
{
	const struct vb_segment segment = {VB_HEAP + KIB(8) + n * 64, 64, true};
	vb_add(&drv, RX_CONTROL, &segment, 1);
	vb_notify(&drv, RX_CONTROL);
}

static void expect(unsigned n, uint32_t port, uint16_t event, uint32_t size)
{
	const uint64_t at = VB_HEAP + KIB(8) + n * 64;
	assert_given_back(RX_CONTROL, true, size);
	assert_int_equal(vb_get32(at), port);
	assert_int_equal(vb_get16(at + 4), event);
	assert_int_equal(vb_get16(at + 6), 1);
}

static void test_ports(void **state)
{
	(void)state;
	char name[10];
	start(VIRTIO_CONSOLE_F_MULTIPORT);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG + 4), 2);
	offer(0);
	say(0, 0, 1); // the driver is ready
	expect(0, 0, 1, 8);
	assert_given_back(RX_CONTROL, false, 0); // there was one buffer
	offer(1);
	expect(1, 1, 1, 8);
	for (unsigned n = 2; n < 6; n++)
		offer(n);
	say(0, 3, 1);
	expect(2, 0, 4, 8); // a console
	expect(3, 0, 6, 8); // open
	say(1, 3, 1);
	expect(4, 1, 6, 8);
	expect(5, 1, 7, 18);
	vb_get(VB_HEAP + KIB(8) + 5 * 64 + 8, name, sizeof name);
	assert_memory_equal(name, "mezzo.log", sizeof name);
	say(2, 3, 1); // there is none
	say(UINT32_MAX, 3, 1);
	say(0, 99, 1);
	assert_int_equal(vb_logs, 0);
}

static void test_log(void **state)
{
	(void)state;
	start(VIRTIO_CONSOLE_F_MULTIPORT);
	send_text(TX_LOG, VB_HEAP, "half a ");
	assert_int_equal(vb_logs, 0);
	send_text(TX_LOG, VB_HEAP, "line\nand\033[2J\r\nrest");
	assert_int_equal(vb_logs, 2);
	assert_string_equal(vb_log, "says: and.[2J");
	for (unsigned i = 0; i < 10; i++) // a line has an end
		send_text(TX_LOG, VB_HEAP, "0123456789012345678901234567890123456789");
	assert_int_equal(vb_logs, 4);
	assert_int_equal(strlen(vb_log), strlen("says: ") + 160);
}

static void test_random(void **state)
{
	(void)state;
	srand(9);
	for (unsigned round = 0; round < 200; round++) {
		start((unsigned)rand() % 4 & 2 ? VIRTIO_CONSOLE_F_MULTIPORT : 0);
		for (unsigned i = 0; i < 30; i++) {
			unsigned queue = (unsigned)rand() % 6;
			const struct vb_segment segments[2] = {
			        {VB_HEAP + (unsigned)rand() % 4096, (unsigned)rand() % 40,
			         rand() % 2 == 0},
			        {VB_HEAP + (unsigned)rand() % 4096, (unsigned)rand() % 40, true},
			};
			vb_put16(VB_HEAP + 2 * ((unsigned)rand() % 2048), (uint16_t)(rand() % 8));
			vb_add(&drv, queue, segments, 1 + (unsigned)rand() % 2);
			vb_notify(&drv, queue);
			(void)vcons_in_put(&vm->con, (uint8_t)rand());
			vuart_input(vm);
			if (rand() % 4 == 0)
				vb_pass_us(500);
		}
		vb_logs = 0;
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vb_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_output),           TEST(test_input), TEST(test_input_without_room),
	        TEST(test_waiting_for_room), TEST(test_ports), TEST(test_log),
	        TEST(test_random),
	};
	return cmocka_run_group_tests(tests, vb_open, NULL);
}
