// SPDX-License-Identifier: Apache-2.0
// What the two halves of the board reader share. Internal to fdt/board.
#ifndef FDT_BOARD_READER_H
#define FDT_BOARD_READER_H

#include "fdt/board.h"
#include "fdt/board_ram.h"
#include "fdt/tree.h"

#define BOARD_NO_NODE (-1)

// One way to drive a UART, by the name a tree gives it.
struct board_uart_model {
	const char *compatible;
	enum board_uart kind;
	bool fixed_baud;
	uint8_t reg_shift, io_width; // 8250: when the tree does not say
};

// The offsets of nodes that one walk finds and that are read afterwards.
struct board_nodes {
	int gic, bcm_local, bcm_armctrl, timer;
	int bcm_mailbox, bcm_pm, bcm_aux, bcm_rng, bcm_clocks;
	int uart;       // the first that we can drive
	int other_uart; // the first that we cannot
	int stdout, serial0;
	int rtc;
	int gpio_off, gpio_reset;
	int other_chip; // an enabled interrupt controller without a driver, for the message
};

struct board_reader {
	const void *fdt;
	struct board *board;
	struct board_problem *problem;
	struct board_nodes nodes;
	uint32_t gic_version;
	uint32_t stdout_baud;
	uint32_t no_release; // CPUs that wait in a spin table nobody knows the place of
	struct board_ram ram;
};

// Notes a problem in words.
void board_problem_add(struct board_reader *reader, enum board_problem_kind kind, bool fatal,
                       const char *format, ...) PRINTF_LIKE(4, 5);

// The model that a node's compatible names, or NULL.
const struct board_uart_model *board_uart_find(const struct tree_walk *walk);

// Second half, board_chips.c: read the nodes that were found.
void board_read_console(struct board_reader *reader);
void board_read_console_irq(struct board_reader *reader); // after board_read_gic
void board_read_bcm(struct board_reader *reader);
void board_read_gic(struct board_reader *reader); // after board_read_bcm
void board_read_timer(struct board_reader *reader);
void board_read_rtc(struct board_reader *reader);
void board_read_poweroff(struct board_reader *reader);

// What a specifier says that has led to the GIC. False: no such interrupt.
struct tree_irq;
bool board_decode_gic(const struct tree_irq *from, struct board_irq *irq);

#endif
