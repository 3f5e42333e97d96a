// SPDX-License-Identifier: Apache-2.0
// The imagined PL011: register by register, FIFO and interrupt scenarios, the order of accesses that
// Linux's driver makes, and random accesses.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "base/string.h"
#include "fake.h"
#include "hw/pl011_regs.h"
#include "hw/timer.h"
#include "vdev/vpl011.h"
#include "vm/vm.h"

#define HZ 1000000

static struct vm *vm;
static const struct mmio_ops *ops;
static void *dev;
static bool line;
static unsigned line_changes;
static uint64_t now;

// ---- what the device needs of a VM ----

void *vm_alloc(struct vm *v, size_t size)
{
	(void)v;
	return test_calloc(1, size);
}

int mmio_add(struct mmio_map *map, uint64_t base, uint64_t size, const struct mmio_ops *o, void *d)
{
	(void)map;
	assert_int_equal(base, VPL011_BASE);
	assert_int_equal(size, VPL011_SIZE);
	ops = o;
	dev = d;
	return 0;
}

void virq_set(struct vm *v, struct vcpu *vcpu, uint32_t intid, bool level)
{
	assert_ptr_equal(v, vm);
	assert_null(vcpu);
	assert_int_equal(intid, VPL011_INTID);
	assert_int_not_equal(level, line); // only changes are told
	line = level;
	line_changes++;
}

static bool counter(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntpct_el0") != 0)
		return false;
	*value = now;
	return true;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_sysreg_hook = counter;
	fake_set_sysreg("cntfrq_el0", HZ);
	now = HZ;
	line = false;
	line_changes = 0;
	assert_int_equal(timer_init(0), 0);
	vm = test_calloc(1, sizeof *vm);
	vm->id = 1;
	vcons_watch = VCONS_WATCH_ALL;
	assert_int_equal(vpl011_create(vm), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vcons_forget(&vm->con);
	test_free(vm->con.out_bytes);
	test_free(dev);
	test_free(vm);
	return 0;
}

// The console's part.
static bool take_output(uint8_t *byte)
{
	struct vcons *con = &vm->con;

	con->view.at = vcons_out_next(con, con->view.at);
	return vcons_out_read(con, &con->view.at, byte, 1) == 1;
}

// ---- accesses ----

// As the trap layer asks: the quick way first, in the tests' second round.
static bool quick;

static bool do_write(uint32_t offset, unsigned size, uint64_t value)
{
	return (quick && ops->quick_write(dev, NULL, offset, size, value)) ||
	       ops->write(dev, NULL, offset, size, value);
}

static uint32_t get(uint32_t offset)
{
	uint64_t value = ~0ull;
	assert_true(ops->read(dev, NULL, offset, 4, &value));
	assert_int_equal(value >> 32, 0);
	return (uint32_t)value;
}

static void set(uint32_t offset, uint32_t value)
{
	assert_true(do_write(offset, 4, value));
}

static void type_text(const char *text)
{
	for (; *text; text++)
		assert_true(vcons_in_put(&vm->con, (uint8_t)*text));
	vuart_input(vm);
}

static void type_bytes(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_true(vcons_in_put(&vm->con, (uint8_t)i));
	vuart_input(vm);
}

static void expect_output(const char *text)
{
	uint8_t byte;
	for (; *text; text++) {
		assert_true(take_output(&byte));
		assert_int_equal(byte, *text);
	}
	assert_false(take_output(&byte));
}

static bool console_told(void)
{
	uint32_t work = fake_cpu_this->work;
	fake_cpu_this->work = 0;
	return (work & CPU_WORK_CONSOLE) != 0;
}

// ---- registers ----

static void test_reset_values(void **state)
{
	(void)state;
	static const struct {
		uint32_t offset, value;
	} expected[] = {
	        {PL011_DR, 0},      {PL011_RSR, 0},   {PL011_FR, 0x90}, {PL011_ILPR, 0},
	        {PL011_IBRD, 0},    {PL011_FBRD, 0},  {PL011_LCR_H, 0}, {PL011_CR, 0x300},
	        {PL011_IFLS, 0x12}, {PL011_IMSC, 0},  {PL011_RIS, 0},   {PL011_MIS, 0},
	        {PL011_ICR, 0},     {PL011_DMACR, 0}, {0xfe0, 0x11},    {0xfe4, 0x10},
	        {0xfe8, 0x14},      {0xfec, 0x00},    {0xff0, 0x0d},    {0xff4, 0xf0},
	        {0xff8, 0x05},      {0xffc, 0xb1},    {0x008, 0},       {0x010, 0},
	        {0x014, 0},         {0x01c, 0},       {0x04c, 0},       {0x080, 0},
	        {0xfdc, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(get(expected[i].offset), expected[i].value);
	assert_int_equal(line_changes, 0);
}

static void test_writable_bits(void **state)
{
	(void)state;
	static const struct {
		uint32_t offset, mask;
	} rows[] = {
	        {PL011_ILPR, 0xff}, {PL011_IBRD, 0xffff}, {PL011_FBRD, 0x3f},  {PL011_LCR_H, 0xff},
	        {PL011_IFLS, 0x3f}, {PL011_IMSC, 0x7ff},  {PL011_DMACR, 0x07}, {PL011_CR, 0xff87},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		set(rows[i].offset, 0xffffffff);
		assert_int_equal(get(rows[i].offset), rows[i].mask);
		set(rows[i].offset, 0);
		assert_int_equal(get(rows[i].offset), 0);
	}
}

static void test_read_only(void **state)
{
	(void)state;
	static const uint32_t rows[] = {PL011_FR, PL011_RIS, PL011_MIS, 0xfe0, 0xffc, 0x008, 0x100};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t before = get(rows[i]);
		set(rows[i], ~before);
		assert_int_equal(get(rows[i]), before);
	}
}

static void test_widths(void **state)
{
	(void)state;
	uint64_t value;
	set(PL011_IBRD, 0x1234);
	assert_true(ops->read(dev, NULL, PL011_IBRD, 1, &value));
	assert_int_equal(value, 0x34);
	assert_true(ops->read(dev, NULL, PL011_IBRD + 1, 1, &value));
	assert_int_equal(value, 0x12);
	assert_true(ops->read(dev, NULL, PL011_IBRD + 2, 2, &value));
	assert_int_equal(value, 0);
	assert_true(do_write(PL011_IBRD, 1, 0xabcd)); // upper bytes are not on the bus
	assert_int_equal(get(PL011_IBRD), 0xcd);
	assert_true(do_write(PL011_IBRD + 1, 1, 0xff));
	assert_int_equal(get(PL011_IBRD), 0xcd);
	assert_false(ops->read(dev, NULL, PL011_DR, 8, &value));
	assert_false(do_write(PL011_DR, 8, 'x'));
	assert_false(ops->read(dev, NULL, PL011_DR + 1, 2, &value));
	assert_false(ops->read(dev, NULL, PL011_DR + 2, 4, &value));
	assert_true(ops->read(dev, NULL, PL011_FR, 2, &value));
	assert_int_equal(value, 0x90);
	assert_true(ops->read(dev, NULL, PL011_FR + 1, 1, &value));
	assert_int_equal(value, 0);
}

// ---- sending ----

static void test_prints_without_being_enabled(void **state)
{
	(void)state;
	set(PL011_CR, 0);
	assert_true(do_write(PL011_DR, 1, 'h'));
	assert_true(do_write(PL011_DR, 2, 'i'));
	set(PL011_DR, 0xffffff00 | '!');
	expect_output("hi!");
	assert_true(console_told());
}

static void test_tells_the_console_as_it_wishes(void **state)
{
	(void)state;
	vm->con.wish = VCONS_WISH_LINES;
	for (unsigned i = 0; i < VCONS_PIECE - 1; i++)
		set(PL011_DR, 'x');
	assert_false(console_told());
	set(PL011_DR, 'x');
	assert_true(console_told());
	set(PL011_DR, 'x');
	assert_false(console_told());
	set(PL011_DR, '\n');
	assert_true(console_told());
	vm->con.wish = VCONS_WISH_FEW;
	set(PL011_DR, '\n');
	assert_false(console_told());
	vm->con.wish = VCONS_WISH_ALL;
	set(PL011_DR, 'x');
	assert_true(console_told());
}

static void test_transmit_interrupt(void **state)
{
	(void)state;
	set(PL011_IMSC, PL011_INT_TX);
	assert_false(line); // nothing has gone through the FIFO yet
	set(PL011_DR, 'a');
	assert_true(line);
	assert_int_equal(get(PL011_MIS), PL011_INT_TX);
	set(PL011_ICR, PL011_INT_TX);
	assert_false(line);
	set(PL011_DR, 'b');
	assert_true(line);
	vm->con.wish = VCONS_WISH_FEW; // the console hears nothing, the guest does
	set(PL011_ICR, PL011_INT_TX);
	assert_false(line);
	set(PL011_DR, 'c');
	assert_true(line);
	set(PL011_IMSC, 0);
	assert_false(line);
	assert_int_equal(get(PL011_RIS), PL011_INT_TX);
	assert_int_equal(line_changes, 6);
}

static void fill_ring(void)
{
	for (unsigned i = 0; i < VCONS_OUT_SIZE; i++) {
		assert_int_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
		set(PL011_DR, 'a' + i % 26);
	}
}

static void test_full_ring_shows_full_fifo(void **state)
{
	(void)state;
	uint8_t byte;
	set(PL011_IMSC, PL011_INT_TX);
	fill_ring();
	assert_int_equal(get(PL011_FR), PL011_FR_TXFF | PL011_FR_BUSY | PL011_FR_RXFE);
	assert_false(line);
	assert_true(bitset_has(&vcons_waiting, 0));

	set(PL011_DR, '!'); // a driver that does not look loses it, and nobody else does
	assert_int_equal(vm->con.lost, 1);

	// One byte of room: FR says so at once, the interrupt waits for more.
	assert_true(take_output(&byte));
	assert_int_equal(byte, 'a');
	vm->con.progress_time = now;
	assert_int_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
	assert_false(line);
	for (unsigned i = 0; i < 20; i++)
		assert_true(take_output(&byte));
	vuart_output_drained(vm);
	assert_true(line);
	assert_int_equal(get(PL011_FR), 0x90);
}

static void test_stalled_output_is_given_up(void **state)
{
	(void)state;
	uint8_t byte;
	fill_ring();
	now += HZ / 10; // 100 ms: not yet too long
	assert_int_not_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
	now += 1;
	assert_int_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
	uint64_t lost = vm->con.lost;
	assert_in_range(lost, 1, VCONS_OUT_SIZE / 2);
	assert_true(take_output(&byte));
	assert_int_equal(byte, 'a' + lost % 26); // the oldest went

	// From then on nothing waits any more: 100 ms were enough.
	for (unsigned i = 0; i < 4 * VCONS_OUT_SIZE; i++) {
		assert_int_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
		set(PL011_DR, 'x');
	}
	// Once somebody reads again, the guest waits again.
	assert_true(take_output(&byte));
	vm->con.progress_time = now;
	while (vcons_out_room(&vm->con) > 0)
		set(PL011_DR, 'y');
	lost = vm->con.lost;
	assert_int_not_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
	now += HZ / 20;
	assert_int_not_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
	assert_int_equal(vm->con.lost, lost);
}

// Nobody looks: nothing waits, nothing is lost, the newest bytes are kept as the past.
static void test_unread_output_is_the_past(void **state)
{
	(void)state;
	uint8_t byte = 0;
	uint64_t at = 0;

	vcons_watch = 7; // another VM
	set(PL011_IMSC, PL011_INT_TX);
	for (unsigned i = 0; i < 3 * VCONS_OUT_BYTES; i++) {
		assert_int_equal(get(PL011_FR) & PL011_FR_TXFF, 0);
		set(PL011_DR, 'a' + i % 26);
		assert_true(line);
	}
	assert_int_equal(vm->con.lost, 0);
	assert_false(bitset_has(&vcons_waiting, 0));
	vcons_watch = VCONS_WATCH_ALL;
	at = vcons_out_attach(&vm->con, 0);
	assert_in_range(at, 2 * VCONS_OUT_BYTES + 1, 2 * VCONS_OUT_BYTES + 100);
	for (uint64_t i = at; i < 3 * VCONS_OUT_BYTES; i++) {
		assert_int_equal(vcons_out_read(&vm->con, &at, &byte, 1), 1);
		assert_int_equal(byte, 'a' + i % 26);
	}
	assert_int_equal(vcons_out_read(&vm->con, &at, &byte, 1), 0);
}

// Who begins to read from the oldest byte on is not overtaken.
static void test_a_reader_of_the_past_holds_the_guest(void **state)
{
	(void)state;
	uint8_t byte = 0;

	vcons_watch = VCONS_WATCH_NONE;
	for (unsigned i = 0; i < 2 * VCONS_OUT_BYTES; i++)
		set(PL011_DR, 'a' + i % 26);
	vcons_watch = 1;
	uint64_t at = vcons_out_attach(&vm->con, 0), first = at;
	unsigned room = 0;
	for (; (get(PL011_FR) & PL011_FR_TXFF) == 0; room++)
		set(PL011_DR, '!');
	assert_int_equal(room, VCONS_OUT_SIZE - VCONS_PAST_SIZE);
	for (uint64_t i = first; i < 2 * VCONS_OUT_BYTES; i++) {
		assert_int_equal(vcons_out_read(&vm->con, &at, &byte, 1), 1);
		assert_int_equal(byte, 'a' + i % 26);
	}
	assert_int_equal(vm->con.lost, 0);
}

static void test_console_hears_of_room_for_typed_bytes(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	type_bytes(VCONS_IN_SIZE);
	(void)console_told();
	assert_int_equal(get(PL011_DR), 0);
	assert_false(console_told()); // it did not ask
	assert_int_equal(vcons_in_room(&vm->con), 17);
	unsigned told = 0;
	for (unsigned i = 1; i < VCONS_IN_SIZE; i++) {
		(void)get(PL011_DR);
		if (console_told()) {
			told++;
			assert_true(bitset_has(&vcons_marked, 0));
		}
	}
	assert_in_range(told, VCONS_IN_SIZE / VCONS_IN_PIECE, 20);
	assert_int_equal(vcons_in_room(&vm->con), VCONS_IN_SIZE);
}

static void test_stall_ends_for_a_sleeping_driver(void **state)
{
	(void)state;
	set(PL011_IMSC, PL011_INT_TX);
	fill_ring();
	vuart_output_drained(vm); // looked in vain
	assert_false(line);
	now += HZ;
	vuart_output_drained(vm);
	assert_true(line);
}

// ---- receiving ----

static void test_one_byte_without_fifo(void **state)
{
	(void)state;
	set(PL011_IMSC, PL011_INT_RX | PL011_INT_RT);
	type_text("ab");
	assert_true(line);
	assert_int_equal(get(PL011_RIS), PL011_INT_RX);
	assert_int_equal(get(PL011_FR) & (PL011_FR_RXFE | PL011_FR_RXFF), PL011_FR_RXFF);
	assert_int_equal(get(PL011_DR), 'a');
	assert_true(line); // b moved up
	assert_int_equal(get(PL011_DR), 'b');
	assert_false(line);
	assert_int_equal(get(PL011_FR), 0x90);
	assert_int_equal(get(PL011_DR), 0);
}

static void test_trigger_levels(void **state)
{
	(void)state;
	static const unsigned levels[] = {2, 4, 8, 12, 14, 14, 14, 14};
	set(PL011_LCR_H, PL011_LCR_FEN);
	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++) {
		set(PL011_IFLS, i << 3);
		type_bytes(levels[i] - 1);
		assert_int_equal(get(PL011_RIS), PL011_INT_RT);
		type_bytes(1);
		assert_int_equal(get(PL011_RIS), PL011_INT_RT | PL011_INT_RX);
		(void)get(PL011_DR);
		assert_int_equal(get(PL011_RIS), PL011_INT_RT);
		for (unsigned n = 1; n < levels[i]; n++)
			(void)get(PL011_DR);
		assert_int_equal(get(PL011_RIS), 0);
		assert_int_equal(get(PL011_FR), 0x90);
	}
}

static void test_changing_the_trigger(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	type_bytes(5);
	assert_int_equal(get(PL011_RIS) & PL011_INT_RX, 0);
	set(PL011_IFLS, 1 << 3);
	assert_int_equal(get(PL011_RIS) & PL011_INT_RX, PL011_INT_RX);
	set(PL011_IFLS, 2 << 3);
	assert_int_equal(get(PL011_RIS) & PL011_INT_RX, 0);
}

static void test_cleared_timeout_comes_with_the_next_byte(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	set(PL011_IMSC, PL011_INT_RT);
	type_text("a");
	assert_true(line);
	set(PL011_ICR, PL011_INT_RT);
	assert_false(line);
	type_text("b");
	assert_true(line);
	assert_int_equal(get(PL011_DR), 'a');
	assert_true(line);
	assert_int_equal(get(PL011_DR), 'b');
	assert_false(line);
}

static void test_long_paste_arrives_whole(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	type_bytes(VCONS_IN_SIZE);
	assert_int_equal(get(PL011_FR) & PL011_FR_RXFF, PL011_FR_RXFF);
	type_bytes(16); // what moved up into the FIFO made room
	for (unsigned i = 0; i < VCONS_IN_SIZE + 16; i++) {
		assert_int_equal(get(PL011_FR) & PL011_FR_RXFE, 0);
		assert_int_equal(get(PL011_DR), i % VCONS_IN_SIZE);
	}
	assert_int_equal(get(PL011_FR), 0x90);
	assert_int_equal(get(PL011_RIS), 0);
}

static void test_overrun(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	set(PL011_IMSC, PL011_INT_OE);
	type_bytes(16);
	type_bytes(VCONS_IN_SIZE);
	assert_false(vcons_in_put(&vm->con, 'x'));
	vuart_overrun(vm);
	assert_true(line);
	assert_int_equal(get(PL011_RSR), PL011_RSR_OE);
	set(PL011_ICR, PL011_INT_OE);
	assert_false(line);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(get(PL011_DR), i);
	assert_int_equal(get(PL011_DR), PL011_DR_OE); // the first byte received after the loss
	assert_int_equal(get(PL011_DR), 1);
	assert_int_equal(get(PL011_RSR), PL011_RSR_OE);
	set(PL011_RSR, 0);
	assert_int_equal(get(PL011_RSR), 0);
}

static void test_switching_fifos_empties_them(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	set(PL011_IMSC, PL011_INT_RX | PL011_INT_RT);
	type_bytes(10);
	assert_true(line);
	set(PL011_LCR_H, PL011_LCR_FEN | PL011_LCR_8_BITS); // FEN stays: so do they
	assert_int_equal(get(PL011_FR) & PL011_FR_RXFE, 0);
	set(PL011_LCR_H, PL011_LCR_8_BITS);
	assert_false(line);
	assert_int_equal(get(PL011_FR), 0x90);
}

// ---- loop back ----

static void test_loop_back(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	set(PL011_CR, PL011_CR_LBE | PL011_CR_UARTEN | PL011_CR_TXE | PL011_CR_RXE);
	for (unsigned i = 0; i < 16; i++)
		set(PL011_DR, i);
	expect_output("");
	assert_int_equal(get(PL011_FR) & PL011_FR_RXFF, PL011_FR_RXFF);
	assert_int_equal(get(PL011_RIS), PL011_INT_TX | PL011_INT_RX | PL011_INT_RT);
	set(PL011_DR, 16);
	assert_int_equal(get(PL011_RIS) & PL011_INT_OE, PL011_INT_OE);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(get(PL011_DR), i);
	assert_int_equal(get(PL011_FR) & PL011_FR_RXFE, PL011_FR_RXFE);
	set(PL011_DR, 'x');
	assert_int_equal(get(PL011_DR), PL011_DR_OE | 'x');
}

static void test_looped_modem_lines(void **state)
{
	(void)state;
	set(PL011_CR, PL011_CR_RTS | PL011_CR_DTR);
	assert_int_equal(get(PL011_FR), 0x90);
	set(PL011_CR, PL011_CR_LBE | PL011_CR_RTS | PL011_CR_OUT2);
	assert_int_equal(get(PL011_FR), 0x90 | PL011_FR_CTS | PL011_FR_RI);
	assert_int_equal(get(PL011_RIS), PL011_INT_CTS | PL011_INT_RI);
	set(PL011_ICR, PL011_INT_ALL);
	set(PL011_CR, 0);
	assert_int_equal(get(PL011_FR), 0x90);
	assert_int_equal(get(PL011_RIS), PL011_INT_CTS | PL011_INT_RI);
}

// ---- as Linux's driver does it ----

static void linux_startup(void)
{
	set(PL011_ICR, PL011_INT_OE | PL011_INT_BE | PL011_INT_PE | PL011_INT_FE | PL011_INT_RT |
	                       PL011_INT_RX);
	uint32_t im = get(PL011_IMSC);
	set(PL011_IMSC, PL011_INT_RT | PL011_INT_RX);
	set(PL011_IMSC, im);
	set(PL011_IFLS, 0x12);
	set(PL011_CR, PL011_CR_UARTEN | PL011_CR_RXE | PL011_CR_TXE);
	set(PL011_IBRD, 13);
	set(PL011_FBRD, 1);
	set(PL011_LCR_H, PL011_LCR_FEN | PL011_LCR_8_BITS);
	set(PL011_ICR, PL011_INT_RT | PL011_INT_RX);
	for (unsigned i = 0; i < 32 && (get(PL011_FR) & PL011_FR_RXFE) == 0; i++)
		(void)get(PL011_DR);
	set(PL011_IMSC, PL011_INT_RT | PL011_INT_RX);
}

// The interrupt handler; appends to *received and sends from *text. Returns false when it was not the
// UART's interrupt.
static bool linux_interrupt(char **received, const char **text)
{
	uint32_t status = get(PL011_RIS) & get(PL011_IMSC);
	if (status == 0)
		return false;
	for (unsigned pass = 0; status != 0 && pass < 256; pass++) {
		set(PL011_ICR, status & ~(PL011_INT_TX | PL011_INT_RT | PL011_INT_RX));
		if ((status & (PL011_INT_RT | PL011_INT_RX)) != 0)
			while ((get(PL011_FR) & PL011_FR_RXFE) == 0)
				*(*received)++ = (char)get(PL011_DR);
		if ((status & PL011_INT_TX) != 0) {
			for (unsigned i = 0; i < 8 && **text; i++) // half a FIFO, unasked
				set(PL011_DR, (uint8_t) * (*text)++);
			if (!**text)
				set(PL011_IMSC, get(PL011_IMSC) & ~PL011_INT_TX);
		}
		status = get(PL011_RIS) & get(PL011_IMSC);
	}
	return true;
}

static void test_linux_driver(void **state)
{
	(void)state;
	char received[64] = "", *end = received;
	const char *text = "a line that is longer than any FIFO, sent by interrupts alone\n";
	const char *whole = text;

	type_text("early");
	linux_startup();
	assert_false(line);
	// start_tx: fill the FIFO while it is not full, then let interrupts go on.
	set(PL011_DR, (uint8_t)*text++);
	set(PL011_IMSC, get(PL011_IMSC) | PL011_INT_TX);
	assert_true(line);
	while (line) {
		assert_true(linux_interrupt(&end, &text));
	}
	expect_output(whole);
	type_text("root\r");
	assert_true(line);
	assert_true(linux_interrupt(&end, &text));
	assert_false(line);
	assert_string_equal(received, "root\r");
	assert_false(linux_interrupt(&end, &text));
}

static void test_linux_driver_with_a_slow_reader(void **state)
{
	(void)state;
	static char text[3 * VCONS_OUT_SIZE];
	char received[64], *end = received;
	const char *p = text;
	size_t seen = 0;
	uint8_t byte;

	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = (char)('a' + i % 26);
	linux_startup();
	set(PL011_DR, (uint8_t)*p++);
	set(PL011_IMSC, get(PL011_IMSC) | PL011_INT_TX);
	while (seen < sizeof text - 1) {
		while (line)
			assert_true(linux_interrupt(&end, &p));
		for (unsigned i = 0; i < 100 && take_output(&byte); i++)
			assert_int_equal(byte, 'a' + seen++ % 26);
		vm->con.progress_time = ++now;
		bool waits = bitset_has(&vcons_waiting, 0);
		bitset_remove(&vcons_waiting, 0);
		if (waits)
			vuart_output_drained(vm);
	}
	assert_int_equal(vm->con.lost, 0);
}

// ---- life ----

static void test_reset(void **state)
{
	(void)state;
	set(PL011_LCR_H, PL011_LCR_FEN);
	set(PL011_IMSC, PL011_INT_RX | PL011_INT_RT);
	set(PL011_CR, 0);
	type_bytes(100);
	assert_true(line);
	set(PL011_DR, 'x');
	vpl011_reset(vm->uart);
	assert_false(line);
	line_changes = 0;
	test_reset_values(state);
	vuart_input(vm);
	assert_int_equal(get(PL011_FR), 0x90); // typed for the life before
	expect_output("x");                    // said in the life before
}

static void test_state_table(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < vpl011_state.nr_fields; i++) {
		const struct vstate_field *f = &vpl011_state.fields[i];
		assert_true(f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8);
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(f->offset, vpl011_state.fields[j].offset);
	}
}

// What must hold after anything a guest and a terminal can do.
static void check_consistent(void)
{
	uint32_t fr = get(PL011_FR), ris = get(PL011_RIS), imsc = get(PL011_IMSC);
	assert_int_equal(line, (ris & imsc) != 0);
	assert_int_equal(get(PL011_MIS), ris & imsc);
	assert_false((fr & PL011_FR_RXFE) && (fr & PL011_FR_RXFF));
	assert_false((fr & PL011_FR_TXFE) && (fr & PL011_FR_TXFF));
	if (fr & PL011_FR_RXFE)
		assert_int_equal(ris & (PL011_INT_RX | PL011_INT_RT), 0);
	assert_true(vcons_fill(&vm->con.out) <= VCONS_OUT_SIZE);
	assert_true(vcons_fill(&vm->con.in) <= VCONS_IN_SIZE);
}

static void test_random_accesses(void **state)
{
	(void)state;
	static const uint8_t sizes[] = {1, 2, 4, 8};
	uint8_t byte;
	uint64_t value;

	srandom(1);
	for (unsigned i = 0; i < 300000; i++) {
		unsigned size = sizes[random() % 4];
		uint32_t offset = (uint32_t)random() % (random() % 2 ? 0x50 : 0x1000);
		if (offset + size > VPL011_SIZE)
			continue;
		uint64_t data = (uint64_t)random() >> (random() % 31);
		switch (random() % 8) {
		case 0:
		case 1:
		case 2: do_write(offset, size, data); break;
		case 3:
		case 4: ops->read(dev, NULL, offset, size, &value); break;
		case 5:
			if (!vcons_in_put(&vm->con, (uint8_t)data))
				vuart_overrun(vm);
			vuart_input(vm);
			break;
		case 6:
			for (unsigned n = 0; n < data % 64 && take_output(&byte); n++)
				;
			vm->con.progress_time = now;
			vuart_output_drained(vm);
			break;
		default: now += data % HZ;
		}
		if (i % 16 == 0)
			check_consistent();
		if (fake_log_count > FAKE_LOG_MAX / 2)
			fake_log_count = 0;
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_reset_values),
	        TEST(test_writable_bits),
	        TEST(test_read_only),
	        TEST(test_widths),
	        TEST(test_prints_without_being_enabled),
	        TEST(test_tells_the_console_as_it_wishes),
	        TEST(test_transmit_interrupt),
	        TEST(test_full_ring_shows_full_fifo),
	        TEST(test_stalled_output_is_given_up),
	        TEST(test_unread_output_is_the_past),
	        TEST(test_a_reader_of_the_past_holds_the_guest),
	        TEST(test_console_hears_of_room_for_typed_bytes),
	        TEST(test_stall_ends_for_a_sleeping_driver),
	        TEST(test_one_byte_without_fifo),
	        TEST(test_trigger_levels),
	        TEST(test_changing_the_trigger),
	        TEST(test_cleared_timeout_comes_with_the_next_byte),
	        TEST(test_long_paste_arrives_whole),
	        TEST(test_overrun),
	        TEST(test_switching_fifos_empties_them),
	        TEST(test_loop_back),
	        TEST(test_looped_modem_lines),
	        TEST(test_linux_driver),
	        TEST(test_linux_driver_with_a_slow_reader),
	        TEST(test_reset),
	        TEST(test_state_table),
	        TEST(test_random_accesses),
	};
	int failed = cmocka_run_group_tests_name("plain", tests, NULL, NULL);
	quick = true;
	return failed + cmocka_run_group_tests_name("quick", tests, NULL, NULL);
}
