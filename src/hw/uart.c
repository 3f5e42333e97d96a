// SPDX-License-Identifier: Apache-2.0
// Which driver serves which kind of console that a device tree can name. Owns the table alone.
#include "hw/uart.h"

static const struct uart_ops *const drivers[] = {
        [BOARD_UART_PL011] = &uart_pl011,
        [BOARD_UART_BCM_MINI] = &uart_bcm_mini,
        [BOARD_UART_8250] = &uart_16550,
};

int uart_open(struct uart *uart, const struct board_console *console, uintptr_t base)
{
	*uart = (struct uart){.base = base,
	                      .reg_shift = console->reg_shift,
	                      .io_width = console->io_width,
	                      .clock_hz = console->clock_hz,
	                      .baud = console->baud,
	                      .fixed_baud = console->fixed_baud};
	if (console->kind == BOARD_UART_NONE)
		return ERR_NOT_FOUND;
	if ((unsigned)console->kind >= ARRAY_SIZE(drivers) || drivers[console->kind] == NULL)
		return ERR_UNSUPPORTED;
	if (console->kind == BOARD_UART_8250 && console->io_width != 1 && console->io_width != 4)
		return ERR_UNSUPPORTED;
	uart->ops = drivers[console->kind];
	return 0;
}

void uart_start(const struct uart *uart)
{
	if (uart->ops != NULL && uart->ops->start != NULL)
		uart->ops->start(uart);
}
