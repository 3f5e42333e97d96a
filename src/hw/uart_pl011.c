// SPDX-License-Identifier: Apache-2.0
// The PL011 as the board's console. Owns no state but the chip's; called by console/ through the
// table at the end.
// Invariant: never changes LCR_H or CR while a byte is on its way, so no output of the firmware is
// garbled.
// Source: Arm PrimeCell UART (PL011) Technical Reference Manual r1p5, "Programmers Model"; Arm Server
// Base System Architecture, "SBSA Generic UART", for the part without line control.
#include "arm/io.h"
#include "hw/pl011_regs.h"
#include "hw/uart.h"

#define FIFO_DEPTH   32 // r1p5
#define FIFO_LEAST   16 // older ones
#define DEFAULT_BAUD 115200
#define IDLE_POLLS   1000000  // bounds the wait for the last byte of the firmware
#define DIVISOR_MAX  0x3fffff // 16 bits and 6 bits of fraction
#define FBRD_BITS    6

static uint32_t reg_read(const struct uart *uart, enum pl011_reg reg)
{
	return io_read32(uart->base + reg);
}

static void reg_write(const struct uart *uart, enum pl011_reg reg, uint32_t value)
{
	io_write32(uart->base + reg, value);
}

// An empty FIFO takes as many as the smallest has; start() has switched it on. Where there is no line control it is
// always on.
static uint32_t tx_room(const struct uart *uart)
{
	uint32_t fr = reg_read(uart, PL011_FR);
	if ((fr & PL011_FR_TXFE) != 0)
		return FIFO_LEAST;
	return (fr & PL011_FR_TXFF) == 0 ? 1 : 0;
}

static void tx(const struct uart *uart, uint8_t byte)
{
	reg_write(uart, PL011_DR, byte);
}

static bool tx_done(const struct uart *uart)
{
	return (reg_read(uart, PL011_FR) & PL011_FR_BUSY) == 0;
}

static bool rx(const struct uart *uart, uint8_t *byte)
{
	// A break or a garbled character is not a byte; the line may be full of them.
	for (unsigned i = 0; i < FIFO_DEPTH; i++) {
		if ((reg_read(uart, PL011_FR) & PL011_FR_RXFE) != 0)
			return false;
		uint32_t data = reg_read(uart, PL011_DR);
		if ((data & (PL011_DR_FE | PL011_DR_PE | PL011_DR_BE)) == 0) {
			*byte = (uint8_t)data;
			return true;
		}
	}
	return false;
}

static void irq_enable(const struct uart *uart, uint32_t which, bool on)
{
	uint32_t mask = reg_read(uart, PL011_IMSC);
	reg_write(uart, PL011_IMSC, on ? mask | which : mask & ~which);
}

static void irq_enable_rx(const struct uart *uart, bool on)
{
	irq_enable(uart, PL011_INT_RX | PL011_INT_RT, on);
}

static void irq_enable_tx(const struct uart *uart, bool on)
{
	irq_enable(uart, PL011_INT_TX, on);
}

static void irq_ack(const struct uart *uart)
{
	reg_write(uart, PL011_ICR, PL011_INT_ALL);
}

// The speed, only for a chip that nobody has started and whose clock is known. The divisor is
// clock / (16 * baud) with six bits of fraction, so clock * 4 / baud, rounded.
static void set_speed(const struct uart *uart)
{
	uint32_t baud = uart->baud != 0 ? uart->baud : DEFAULT_BAUD;
	uint64_t divisor = ((uint64_t)uart->clock_hz * 4 + baud / 2) / baud;
	if (uart->clock_hz == 0 || divisor >> FBRD_BITS == 0 || divisor > DIVISOR_MAX)
		return;
	reg_write(uart, PL011_IBRD, (uint32_t)(divisor >> FBRD_BITS));
	reg_write(uart, PL011_FBRD, (uint32_t)(divisor & GENMASK_U32(FBRD_BITS - 1, 0)));
}

// LCR_H and CR may only change while the chip is off and silent ("Control Register, UARTCR").
static void start(const struct uart *uart)
{
	if (uart->fixed_baud)
		return;
	const uint32_t on = PL011_CR_UARTEN | PL011_CR_TXE | PL011_CR_RXE;
	uint32_t cr = reg_read(uart, PL011_CR);
	uint32_t lcr = reg_read(uart, PL011_LCR_H);
	if ((cr & on) == on && (lcr & PL011_LCR_FEN) != 0)
		return;
	for (uint32_t i = 0; i < IDLE_POLLS && !tx_done(uart); i++)
		;
	reg_write(uart, PL011_CR, cr & ~PL011_CR_UARTEN);
	if ((cr & PL011_CR_UARTEN) == 0) {
		set_speed(uart);
		lcr = PL011_LCR_8_BITS;
	}
	reg_write(uart, PL011_LCR_H,
	          lcr | PL011_LCR_FEN); // this write also takes over the divisors
	reg_write(uart, PL011_CR, cr | on | PL011_CR_DTR | PL011_CR_RTS);
	// What was received before went with the FIFO's change. QEMU gives the chip nothing more until
	// somebody has read that byte, and nobody would: the FIFO is empty.
	if ((reg_read(uart, PL011_FR) & PL011_FR_RXFE) != 0)
		(void)reg_read(uart, PL011_DR);
}

static void init(const struct uart *uart)
{
	reg_write(uart, PL011_IMSC, 0);
	start(uart);
	if (!uart->fixed_baud) {
		// Interrupt when 1/8 is left to send, and when 1/4 is filled; what stays below is
		// reported by the receive timeout.
		reg_write(uart, PL011_IFLS, (uint32_t)field_put(PL011_IFLS_RX, 1));
	}
	reg_write(uart, PL011_ICR, PL011_INT_ALL);
}

const struct uart_ops uart_pl011 = {
        .name = "PL011",
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
