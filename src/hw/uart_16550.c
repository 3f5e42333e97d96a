// SPDX-License-Identifier: Apache-2.0
// UARTs of the 8250 family as the board's console: the 16550A and its relatives. Owns no state but
// the chip's; called by console/ through the table at the end.
// Invariant: speed and format (LCR, divisors) are never touched: they are the firmware's.
// Source: PC16550D data sheet, "Registers".
#include "arm/io.h"
#include "base/bits.h"
#include "hw/uart.h"

enum reg {
	RBR_THR = 0,
	IER = 1,
	IIR_FCR = 2,
	MCR = 4,
	LSR = 5,
	DW_USR = 31, // DesignWare: must be read when it reports "busy"
};

#define IER_RX         BIT_U32(0)
#define IER_TX         BIT_U32(1)
#define IER_ALL        GENMASK_U32(3, 0)
#define IIR_ID         GENMASK_U32(3, 0)
#define IIR_ID_DW_BUSY 7
#define FCR_ENABLE     BIT_U32(0)
#define FCR_TRIGGER_8  BIT_U32(7)
#define MCR_DTR        BIT_U32(0)
#define MCR_RTS        BIT_U32(1)
#define MCR_OUT2       BIT_U32(3) // lets the interrupt line through on PC-like wiring
#define LSR_DR         BIT_U32(0)
#define LSR_ERRORS     GENMASK_U32(4, 2) // parity, framing, break
#define LSR_THRE       BIT_U32(5)        // FIFO empty
#define LSR_TEMT       BIT_U32(6)

#define FIFO_DEPTH 16

static uint32_t reg_read(const struct uart *uart, enum reg reg)
{
	uintptr_t address = uart->base + ((uintptr_t)reg << uart->reg_shift);
	return uart->io_width == 4 ? io_read32(address) : io_read8(address);
}

static void reg_write(const struct uart *uart, enum reg reg, uint32_t value)
{
	uintptr_t address = uart->base + ((uintptr_t)reg << uart->reg_shift);
	if (uart->io_width == 4)
		io_write32(address, value);
	else
		io_write8(address, (uint8_t)value);
}

static uint32_t tx_room(const struct uart *uart)
{
	return (reg_read(uart, LSR) & LSR_THRE) != 0 ? 1 : 0;
}

static void tx(const struct uart *uart, uint8_t byte)
{
	reg_write(uart, RBR_THR, byte);
}

static bool tx_done(const struct uart *uart)
{
	return (reg_read(uart, LSR) & LSR_TEMT) != 0;
}

static bool rx(const struct uart *uart, uint8_t *byte)
{
	for (unsigned i = 0; i < FIFO_DEPTH; i++) {
		uint32_t status = reg_read(uart, LSR);
		if ((status & LSR_DR) == 0)
			return false;
		uint32_t data = reg_read(uart, RBR_THR);
		if ((status & LSR_ERRORS) == 0) { // else a break or a garbled character
			*byte = (uint8_t)data;
			return true;
		}
	}
	return false;
}

static void irq_enable(const struct uart *uart, uint32_t which, bool on)
{
	uint32_t mask = reg_read(uart, IER) & IER_ALL;
	reg_write(uart, IER, on ? mask | which : mask & ~which);
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
	// Reading the identification takes back "transmitter empty"; the others end with their cause.
	if ((reg_read(uart, IIR_FCR) & IIR_ID) == IIR_ID_DW_BUSY)
		(void)reg_read(uart, DW_USR);
}

static void init_16550(const struct uart *uart)
{
	reg_write(uart, IER, 0);
	reg_write(uart, IIR_FCR, FCR_ENABLE | FCR_TRIGGER_8);
	reg_write(uart, MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	irq_ack(uart);
}

const struct uart_ops uart_16550 = {
        .name = "16550",
        .init = init_16550,
        .tx_room = tx_room,
        .tx = tx,
        .tx_done = tx_done,
        .rx = rx,
        .irq_enable_rx = irq_enable_rx,
        .irq_enable_tx = irq_enable_tx,
        .irq_ack = irq_ack,
};
