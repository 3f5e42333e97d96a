// SPDX-License-Identifier: Apache-2.0
// The mini UART of the BCM283x as the board's console. Its registers are 32 bits wide, 4 bytes apart
// and nearly a 16550's, but its FIFO bits, and the clock it shares with the video core, are its own: it
// gets its own short driver. Owns no state but the chip's; called by console/ through the table.
// Invariant: its registers are not touched while the auxiliary block has it switched off: they do not
// answer then.
// Source: BCM2835 ARM Peripherals, "Auxiliaries: UART1 & SPI1, SPI2", with its errata: in IER, bit 0 is
// receive, and in LCR two bits make 8-bit characters.
#include "arm/io.h"
#include "base/bits.h"
#include "hw/uart.h"

enum reg {
	IO = 0x00,
	IER = 0x04,
	IIR = 0x08,
	LCR = 0x0c,
	MCR = 0x10,
	LSR = 0x14,
	CNTL = 0x20,
	BAUD = 0x28,
};

enum aux_reg {
	AUX_ENABLES = 0x04,
};

#define AUX_ENABLE_UART BIT_U32(0)
#define LCR_8_BITS      GENMASK_U32(1, 0)
#define IIR_CLEAR_FIFOS GENMASK_U32(2, 1)
#define CNTL_ON         GENMASK_U32(1, 0) // transmitter and receiver
#define BAUD_DIVISOR    GENMASK_U32(15, 0)
#define CLOCKS_A_BIT    8
#define DEFAULT_BAUD    115200
#define IDLE_POLLS      1000000 // bounds the wait for the last byte of the firmware

#define IER_RX       BIT_U32(0)
#define IER_TX       BIT_U32(1)
#define IER_REQUIRED GENMASK_U32(3, 2) // errata: without them no receive interrupt comes
#define IER_ALL      GENMASK_U32(3, 0)
#define LSR_DATA     BIT_U32(0)
#define LSR_TX_ROOM  BIT_U32(5)
#define LSR_TX_IDLE  BIT_U32(6)

static uint32_t reg_read(const struct uart *uart, enum reg reg)
{
	return io_read32(uart->base + reg);
}

static void reg_write(const struct uart *uart, enum reg reg, uint32_t value)
{
	io_write32(uart->base + reg, value);
}

static uint32_t tx_room(const struct uart *uart)
{
	return (reg_read(uart, LSR) & LSR_TX_ROOM) != 0 ? 1 : 0;
}

static void tx(const struct uart *uart, uint8_t byte)
{
	reg_write(uart, IO, byte);
}

static bool tx_done(const struct uart *uart)
{
	return (reg_read(uart, LSR) & LSR_TX_IDLE) != 0;
}

static bool rx(const struct uart *uart, uint8_t *byte)
{
	if ((reg_read(uart, LSR) & LSR_DATA) == 0)
		return false;
	*byte = (uint8_t)reg_read(uart, IO);
	return true;
}

static void irq_enable(const struct uart *uart, uint32_t which, bool on)
{
	uint32_t mask = reg_read(uart, IER) & IER_ALL;
	mask = on ? mask | which : mask & ~which;
	reg_write(uart, IER, mask | IER_REQUIRED);
}

static void irq_enable_rx(const struct uart *uart, bool on)
{
	irq_enable(uart, IER_RX, on);
}

static void irq_enable_tx(const struct uart *uart, bool on)
{
	irq_enable(uart, IER_TX, on);
}

static void irq_ack(const struct uart *uart)
{
	(void)reg_read(uart,
	               IIR); // both interrupts follow the state of the FIFOs; nothing is latched
}

static void init(const struct uart *uart)
{
	reg_write(uart, IER, 0);
}

// What BAUD has to be, rounded; 0: not known, or out of reach.
static uint32_t divisor(const struct uart *uart)
{
	uint32_t baud = uart->baud != 0 ? uart->baud : DEFAULT_BAUD;
	uint64_t clocks = (uint64_t)baud * CLOCKS_A_BIT;
	uint64_t bits = (uart->clock_hz + clocks / 2) / clocks;
	return bits > 1 && bits - 1 <= BAUD_DIVISOR ? (uint32_t)bits - 1 : 0;
}

// The core clock that the speed follows may not be what it was when the firmware set the speed. A running
// chip's is changed only if it is off by more than rounding, between two bytes.
static void set_speed(const struct uart *uart)
{
	uint32_t want = divisor(uart), now = reg_read(uart, BAUD) & BAUD_DIVISOR;
	if (want == 0 || (want <= now + 1 && now <= want + 1))
		return;
	for (uint32_t i = 0; i < IDLE_POLLS && !tx_done(uart); i++)
		;
	reg_write(uart, BAUD, want);
}

static void start(const struct uart *uart)
{
	if (uart->aux != 0) {
		uint32_t enables = io_read32(uart->aux + AUX_ENABLES);
		if ((enables & AUX_ENABLE_UART) == 0) // the two SPIs' bits are theirs
			io_write32(uart->aux + AUX_ENABLES, enables | AUX_ENABLE_UART);
	}
	if ((reg_read(uart, CNTL) & CNTL_ON) != CNTL_ON ||
	    (reg_read(uart, LCR) & LCR_8_BITS) != LCR_8_BITS) {
		reg_write(uart, CNTL, 0);
		reg_write(uart, IER, 0);
		reg_write(uart, LCR, LCR_8_BITS);
		reg_write(uart, MCR, 0);
		reg_write(uart, IIR, IIR_CLEAR_FIFOS);
		set_speed(uart);
		reg_write(uart, CNTL, CNTL_ON);
		return;
	}
	set_speed(uart);
}

const struct uart_ops uart_bcm_mini = {
        .name = "mini UART",
        .start = start,
        .init = init,
        .tx_room = tx_room,
        .tx = tx,
        .tx_done = tx_done,
        .rx = rx,
        .irq_enable_rx = irq_enable_rx,
        .irq_enable_tx = irq_enable_tx,
        .irq_ack = irq_ack,
};
