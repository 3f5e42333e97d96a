// SPDX-License-Identifier: Apache-2.0
// The drivers of the board's UARTs against small models of the chips.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/string.h"
#include "fake.h"
#include "hw/pl011_regs.h"
#include "hw/rtc_pl031.h"
#include "hw/uart.h"

#define BASE 0x9000000u

// A chip: the registers as last written, a receive queue, room to send.
static uint32_t regs[0x1000];
static uint32_t received[64]; // with error bits
static unsigned received_count, received_next;
static char sent[64];
static unsigned sent_count, room;
static unsigned access_size;
static uint64_t (*chip_read)(uint32_t offset);
static void (*chip_write)(uint32_t offset, uint32_t value);

static uint64_t io_read(uintptr_t address, unsigned size)
{
	assert_in_range(address, BASE, BASE + 0xfff);
	assert_int_equal(size, access_size);
	return chip_read((uint32_t)(address - BASE));
}

static void io_write(uintptr_t address, unsigned size, uint64_t value)
{
	assert_in_range(address, BASE, BASE + 0xfff);
	assert_int_equal(size, access_size);
	chip_write((uint32_t)(address - BASE), (uint32_t)value);
}

static void send(uint32_t value)
{
	assert_true(room > 0);
	room--;
	sent[sent_count++] = (char)value;
}

static bool has_received(void)
{
	return received_next < received_count;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	fake_io_read_hook = io_read;
	fake_io_write_hook = io_write;
	memset(regs, 0, sizeof regs);
	memset(sent, 0, sizeof sent);
	received_count = received_next = sent_count = 0;
	room = 16;
	access_size = 4;
	return 0;
}

static void check_transfer(const struct uart *uart)
{
	uint8_t byte;
	room = 2;
	assert_int_equal(uart->ops->tx_room(uart), 1);
	uart->ops->tx(uart, 'o');
	uart->ops->tx(uart, 'k');
	assert_int_equal(uart->ops->tx_room(uart), 0);
	assert_string_equal(sent, "ok");
	assert_false(uart->ops->rx(uart, &byte));
	received[0] = 'h';
	received[1] = 'i';
	received_count = 2;
	received_next = 0;
	assert_true(uart->ops->rx(uart, &byte));
	assert_int_equal(byte, 'h');
	assert_true(uart->ops->rx(uart, &byte));
	assert_int_equal(byte, 'i');
	assert_false(uart->ops->rx(uart, &byte));
	received_count = received_next = 0;
}

// ---- PL011 ----

static bool starved; // as QEMU's: nothing more comes after a change of LCR_H until DR is read

static uint64_t pl011_read(uint32_t offset)
{
	switch (offset) {
	case PL011_FR:
		return (has_received() ? 0 : PL011_FR_RXFE) | (room ? 0 : PL011_FR_TXFF) |
		       (room == 16 ? PL011_FR_TXFE : 0) | (regs[PL011_FR] & PL011_FR_BUSY);
	case PL011_DR:
		assert_true(has_received() || starved);
		starved = false;
		return has_received() ? received[received_next++] : 0;
	default: return regs[offset];
	}
}

static void pl011_write(uint32_t offset, uint32_t value)
{
	if (offset == PL011_LCR_H && value != regs[offset]) {
		assert_int_equal(regs[PL011_CR] & PL011_CR_UARTEN, 0);
		starved = true;
	}
	if (offset == PL011_DR)
		send(value);
	regs[offset] = value;
}

static struct uart open_uart(struct board_console console)
{
	struct uart uart;
	assert_int_equal(uart_open(&uart, &console, BASE), 0);
	assert_int_equal(fake_log_count, 0);
	return uart;
}

// An empty FIFO is filled after one look; one that is not gets a byte for each.
static void test_pl011_room(void **state)
{
	(void)state;
	chip_read = pl011_read;
	chip_write = pl011_write;
	struct uart uart = open_uart((struct board_console){.kind = BOARD_UART_PL011});
	assert_int_equal(uart.ops->tx_room(&uart), 16);
	for (unsigned left = 15;; left--) {
		uart.ops->tx(&uart, 'x');
		assert_int_equal(room, left);
		assert_int_equal(uart.ops->tx_room(&uart), left > 0 ? 1 : 0);
		if (left == 0)
			break;
	}
}

static void test_pl011(void **state)
{
	(void)state;
	chip_read = pl011_read;
	chip_write = pl011_write;
	struct uart uart = open_uart((struct board_console){.kind = BOARD_UART_PL011});
	regs[PL011_CR] = PL011_CR_UARTEN | PL011_CR_TXE | PL011_CR_RXE;
	regs[PL011_LCR_H] = PL011_LCR_8_BITS | PL011_LCR_FEN;
	regs[PL011_IBRD] = 13;
	regs[PL011_IMSC] = 0x7ff;
	uart.ops->init(&uart);
	assert_int_equal(regs[PL011_IMSC], 0);
	assert_int_equal(regs[PL011_ICR], 0x7ff);
	assert_int_equal(regs[PL011_IBRD], 13);
	assert_int_equal(regs[PL011_CR], PL011_CR_UARTEN | PL011_CR_TXE | PL011_CR_RXE);
	check_transfer(&uart);
	uart.ops->irq_enable_rx(&uart, true);
	uart.ops->irq_enable_tx(&uart, true);
	assert_int_equal(regs[PL011_IMSC], PL011_INT_RX | PL011_INT_RT | PL011_INT_TX);
	uart.ops->irq_enable_rx(&uart, false);
	assert_int_equal(regs[PL011_IMSC], PL011_INT_TX);
	uart.ops->irq_enable_tx(&uart, false);
	assert_int_equal(regs[PL011_IMSC], 0);
	assert_true(uart.ops->tx_done(&uart));
	regs[PL011_FR] = PL011_FR_BUSY;
	assert_false(uart.ops->tx_done(&uart));
}

static void test_pl011_drops_garbled_bytes(void **state)
{
	(void)state;
	uint8_t byte;
	chip_read = pl011_read;
	chip_write = pl011_write;
	struct uart uart = open_uart((struct board_console){.kind = BOARD_UART_PL011});
	received[0] = PL011_DR_BE;
	received[1] = PL011_DR_FE | 'x';
	received[2] = PL011_DR_OE | 'a'; // bytes before it are lost; this one is good
	received[3] = PL011_DR_PE | 'y';
	received_count = 4;
	assert_true(uart.ops->rx(&uart, &byte));
	assert_int_equal(byte, 'a');
	assert_false(uart.ops->rx(&uart, &byte));
	for (unsigned i = 0; i < 64; i++)
		received[i] = PL011_DR_BE;
	received_count = 64;
	received_next = 0;
	assert_false(uart.ops->rx(&uart, &byte)); // comes back, whatever the line does
	assert_true(received_next < 64);
}

static void test_pl011_that_nobody_started(void **state)
{
	(void)state;
	chip_read = pl011_read;
	chip_write = pl011_write;
	struct uart uart = open_uart((struct board_console){
	        .kind = BOARD_UART_PL011, .clock_hz = 24000000, .baud = 115200});
	regs[PL011_CR] = PL011_CR_TXE | PL011_CR_RXE;
	uart.ops->init(&uart);
	assert_int_equal(regs[PL011_IBRD], 13);
	assert_int_equal(regs[PL011_FBRD], 1);
	assert_int_equal(regs[PL011_LCR_H], PL011_LCR_8_BITS | PL011_LCR_FEN);
	assert_int_equal(regs[PL011_CR] & 0x301, 0x301);
	assert_false(starved);

	setup(state);
	uart = open_uart((struct board_console){.kind = BOARD_UART_PL011, .baud = 115200});
	regs[PL011_IBRD] = 7; // the clock is unknown: this is the best guess there is
	uart.ops->init(&uart);
	assert_int_equal(regs[PL011_IBRD], 7);
	assert_int_equal(regs[PL011_CR] & 0x301, 0x301);

	setup(state);
	uart = open_uart((struct board_console){
	        .kind = BOARD_UART_PL011, .clock_hz = 1, .baud = UINT32_MAX});
	uart.ops->init(&uart);
	assert_int_equal(regs[PL011_IBRD], 0);
}

static void test_pl011_without_fifo(void **state)
{
	(void)state;
	chip_read = pl011_read;
	chip_write = pl011_write;
	struct uart uart =
	        open_uart((struct board_console){.kind = BOARD_UART_PL011, .clock_hz = 24000000});
	regs[PL011_CR] = PL011_CR_UARTEN | PL011_CR_TXE | PL011_CR_RXE;
	regs[PL011_LCR_H] = PL011_LCR_8_BITS;
	regs[PL011_IBRD] = 5;
	uart.ops->init(&uart); // the FIFO is switched on, the speed stays
	assert_int_equal(regs[PL011_LCR_H], PL011_LCR_8_BITS | PL011_LCR_FEN);
	assert_int_equal(regs[PL011_IBRD], 5);
	assert_int_equal(regs[PL011_CR] & 0x301, 0x301);
}

static void sbsa_write(uint32_t offset, uint32_t value)
{
	assert_true(offset == PL011_DR || offset == PL011_IMSC || offset == PL011_ICR);
	pl011_write(offset, value);
}

static void test_sbsa(void **state)
{
	(void)state;
	chip_read = pl011_read;
	chip_write = sbsa_write;
	struct uart uart =
	        open_uart((struct board_console){.kind = BOARD_UART_PL011, .fixed_baud = true});
	uart.ops->init(&uart);
	check_transfer(&uart);
	uart.ops->irq_ack(&uart);
}

// ---- 16550 ----

static uint32_t shift;

static uint64_t ns_read(uint32_t offset)
{
	switch (offset >> shift) {
	case 0: assert_true(has_received()); return received[received_next++];
	case 5: {
		uint32_t errors = has_received() ? received[received_next] >> 8 : 0;
		return (has_received() ? 1u : 0) | errors | (room ? 0x60 : 0);
	}
	default: return regs[offset >> shift];
	}
}

static void ns_write(uint32_t offset, uint32_t value)
{
	uint32_t reg = offset >> shift;
	assert_true(reg == 0 || reg == 1 || reg == 2 || reg == 4); // speed and format stay
	if (reg == 0)
		send(value);
	regs[reg] = value;
}

static void test_16550(void **state)
{
	(void)state;
	for (shift = 0; shift <= 2; shift += 2) {
		setup(state);
		chip_read = ns_read;
		chip_write = ns_write;
		access_size = shift == 2 ? 4 : 1;
		struct uart uart = open_uart((struct board_console){
		        .kind = BOARD_UART_8250, .reg_shift = shift, .io_width = access_size});
		uart.ops->init(&uart);
		assert_int_equal(regs[1], 0);
		assert_int_equal(regs[2] & 1, 1);
		check_transfer(&uart);
		uart.ops->irq_enable_rx(&uart, true);
		uart.ops->irq_enable_tx(&uart, true);
		assert_int_equal(regs[1], 3);
		uart.ops->irq_enable_tx(&uart, false);
		assert_int_equal(regs[1], 1);
		received[0] = 1 << 12 | 'x'; // break
		received[1] = 'y';
		received_count = 2;
		uint8_t byte;
		assert_true(uart.ops->rx(&uart, &byte));
		assert_int_equal(byte, 'y');
		regs[2] = 7; // DesignWare: busy
		uart.ops->irq_ack(&uart);
		assert_int_equal(fake_log[fake_log_count - 1].address, BASE + (31u << shift));
		room = 1;
		assert_true(uart.ops->tx_done(&uart));
	}
}

// ---- mini UART ----

static uint64_t mini_read(uint32_t offset)
{
	switch (offset) {
	case 0x00: assert_true(has_received()); return received[received_next++];
	case 0x14: return (has_received() ? 1u : 0) | (room ? 0x60 : 0);
	default: return regs[offset];
	}
}

static void mini_write(uint32_t offset, uint32_t value)
{
	assert_true(offset % 4 == 0 && offset <= 0x28);
	if (offset == 0)
		send(value);
	if (offset == 0x28) // speed changes between two bytes only
		assert_true(room != 0 || (regs[0x20] & 3) != 3);
	regs[offset] = value;
}

static void test_mini(void **state)
{
	(void)state;
	chip_read = mini_read;
	chip_write = mini_write;
	struct uart uart = open_uart((struct board_console){.kind = BOARD_UART_BCM_MINI});
	uart.ops->init(&uart);
	check_transfer(&uart);
	uart.ops->irq_enable_rx(&uart, true);
	assert_int_equal(regs[4], 0xd);
	uart.ops->irq_enable_tx(&uart, true);
	assert_int_equal(regs[4], 0xf);
	uart.ops->irq_enable_rx(&uart, false);
	assert_int_equal(regs[4], 0xe);
	uart.ops->irq_ack(&uart);
	room = 1;
	assert_true(uart.ops->tx_done(&uart));
}

#define AUX (BASE - 0x40)

// The mini UART's registers answer only while its bit in the auxiliary block is set.
static uint32_t aux_enables;

static uint64_t aux_or_mini_read(uintptr_t address, unsigned size)
{
	assert_int_equal(size, 4);
	if (address == AUX + 4)
		return aux_enables;
	assert_int_equal(aux_enables & 1, 1);
	return mini_read((uint32_t)(address - BASE));
}

static void aux_or_mini_write(uintptr_t address, unsigned size, uint64_t value)
{
	assert_int_equal(size, 4);
	if (address == AUX + 4) {
		aux_enables = (uint32_t)value;
		return;
	}
	assert_int_equal(aux_enables & 1, 1);
	mini_write((uint32_t)(address - BASE), (uint32_t)value);
}

static struct uart open_mini(uint32_t clock_hz)
{
	struct uart uart = open_uart((struct board_console){
	        .kind = BOARD_UART_BCM_MINI, .clock_hz = clock_hz, .baud = 115200});
	uart.aux = AUX;
	fake_io_read_hook = aux_or_mini_read;
	fake_io_write_hook = aux_or_mini_write;
	room = 1;
	return uart;
}

static void test_mini_that_nobody_started(void **state)
{
	(void)state;
	struct uart uart = open_mini(250000000);
	aux_enables = 6; // both SPIs are in use
	uart_start(&uart);
	assert_int_equal(aux_enables, 7);
	assert_int_equal(regs[0x28], 270); // 250 MHz / (8 * 115200) - 1
	assert_int_equal(regs[0x0c] & 3, 3);
	assert_int_equal(regs[0x20] & 3, 3);
	assert_int_equal(regs[0x04], 0);
}

static void test_mini_that_runs(void **state)
{
	(void)state;
	struct uart uart = open_mini(400000000);
	aux_enables = 1;
	regs[0x0c] = regs[0x20] = 3;
	regs[0x28] = 270; // the core clock is another than the firmware's baud rate was made for
	uart_start(&uart);
	assert_int_equal(regs[0x28], 433);
	regs[0x28] = 434; // rounded otherwise
	uart_start(&uart);
	assert_int_equal(regs[0x28], 434);
	uart.clock_hz = 0; // nobody knows it
	regs[0x28] = 1234;
	uart_start(&uart);
	assert_int_equal(regs[0x28], 1234);
	uart.clock_hz = 800000; // cannot be
	uart_start(&uart);
	assert_int_equal(regs[0x28], 1234);
	assert_int_equal(regs[0x20], 3);
}

static void test_none(void **state)
{
	(void)state;
	struct uart uart;
	struct board_console console = {.kind = BOARD_UART_NONE};
	assert_int_equal(uart_open(&uart, &console, BASE), ERR_NOT_FOUND);
	assert_null(uart.ops);
	console.kind = BOARD_UART_UNKNOWN;
	assert_int_equal(uart_open(&uart, &console, BASE), ERR_UNSUPPORTED);
	assert_null(uart.ops);
	console.kind = BOARD_UART_8250;
	console.io_width = 2;
	assert_int_equal(uart_open(&uart, &console, BASE), ERR_UNSUPPORTED);
	assert_null(uart.ops);
}

static uint64_t rtc_read(uint32_t offset)
{
	return regs[offset];
}

static void test_rtc(void **state)
{
	(void)state;
	chip_read = rtc_read;
	regs[0x0] = 1700000000;
	assert_int_equal(rtc_pl031_read(BASE), 0); // stands still
	regs[0xc] = 1;
	assert_int_equal(rtc_pl031_read(BASE), 1700000000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	        TEST(test_pl011_room),
	        TEST(test_pl011),
	        TEST(test_pl011_drops_garbled_bytes),
	        TEST(test_pl011_that_nobody_started),
	        TEST(test_pl011_without_fifo),
	        TEST(test_sbsa),
	        TEST(test_16550),
	        TEST(test_mini),
	        TEST(test_mini_that_nobody_started),
	        TEST(test_mini_that_runs),
	        TEST(test_none),
	        TEST(test_rtc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
