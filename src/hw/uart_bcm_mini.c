// SPDX-License-Identifier: Apache-2.0
// The mini UART of the BCM283x as the board's console. Its registers are 32 bits wide, 4 bytes apart
// and nearly a 16550's, but its FIFO bits, and the clock it shares with the video core, are its own: it
// gets its own short driver. Owns no state but the chip's; called by console/ through the table.
// Invariant: speed and format are never touched: they are the firmware's, like the enable bit in the
// auxiliary block, which lies outside these registers.
// Source: BCM2835 ARM Peripherals, "Mini UART", with its errata: in IER, bit 0 is receive.
#include "arm/io.h"
#include "base/bits.h"
#include "hw/uart.h"

enum reg {
	IO = 0x00,
	IER = 0x04,
	IIR = 0x08,
	LSR = 0x14,
};

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

static bool tx_ready(const struct uart *uart)
{
	return (reg_read(uart, LSR) & LSR_TX_ROOM) != 0;
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

const struct uart_ops uart_bcm_mini = {
        .name = "mini UART",
        .init = init,
        .tx_ready = tx_ready,
        .tx = tx,
        .tx_done = tx_done,
        .rx = rx,
        .irq_enable_rx = irq_enable_rx,
        .irq_enable_tx = irq_enable_tx,
        .irq_ack = irq_ack,
};
