// SPDX-License-Identifier: Apache-2.0
// The board's UART as the console sees it: one const table of operations for each chip.
#ifndef HW_UART_H
#define HW_UART_H

#include "base/types.h"
#include "fdt/board.h"

struct uart;

// All of these are called with the UART's registers mapped as device memory. Who calls is the one
// owner of the chip: the boot CPU before the console is up, the holder of LOCK_CONSOLE after, the
// panicking CPU at the end. None of them waits, but for `start`.
struct uart_ops {
	const char *name;
	// Makes a chip that nobody has started able to send and receive, and corrects its speed if its
	// clock and the wanted speed are known; a started one is otherwise left alone. Waits, a bounded
	// time, for bytes on their way. NULL: there is nothing to start.
	void (*start)(const struct uart *uart);
	// Makes the chip ready for interrupts: FIFOs on, every interrupt off and cleared. Speed and
	// format stay as the firmware left them. Not needed for polled output.
	void (*init)(const struct uart *uart);
	uint32_t (*tx_room)(
	        const struct uart *uart); // bytes it takes without another look; 0: full
	void (*tx)(const struct uart *uart, uint8_t byte);  // only when tx_room said so
	bool (*tx_done)(const struct uart *uart);           // the last bit has left the chip
	bool (*rx)(const struct uart *uart, uint8_t *byte); // false: nothing was received
	void (*irq_enable_rx)(const struct uart *uart, bool on);
	void (*irq_enable_tx)(const struct uart *uart,
	                      bool on);           // interrupt when there is room again
	void (*irq_ack)(const struct uart *uart); // takes back what is latched; bytes stay
};

// Fixed once uart_open has filled it in.
struct uart {
	const struct uart_ops *ops; // NULL: no console on this board
	uintptr_t base;             // VA of the first register
	uint32_t reg_shift;         // 16550: register n is at n << reg_shift
	uint32_t io_width;          // 16550: bytes of one access: 1, 2 or 4
	uintptr_t aux;     // mini UART: VA of the auxiliary block it belongs to; 0: unknown
	uint32_t clock_hz; // PL011, mini UART: input clock; 0: unknown
	uint32_t baud;     // PL011, mini UART: wanted speed; 0: none in particular
	bool fixed_baud;   // PL011: SBSA's part of it, without LCR_H, CR and divisors
};

extern const struct uart_ops uart_pl011, uart_bcm_mini, uart_16550;

// Fills in *uart for the board's console, whose registers are mapped at `base`. Touches no register.
// ERR_NOT_FOUND: the board has none; ERR_UNSUPPORTED: Mezzo has no driver for it. Then uart->ops is
// NULL.
int uart_open(struct uart *uart, const struct board_console *console, uintptr_t base);

// Calls ops->start, if there is one. Once, on the boot CPU, before the first byte.
void uart_start(const struct uart *uart);

#endif
