// SPDX-License-Identifier: Apache-2.0
// Mezzo's own bugs, and only these: nothing that a guest, a bundle, a device tree or a user sends
// may lead here.
#ifndef BASE_PANIC_H
#define BASE_PANIC_H

#include "base/types.h"

// Prints the text, dumps what is known and halts the board. Uses no lock, no heap, no IPI.
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

// Set once a panic has begun: the console then writes straight to the UART.
extern bool panicking;

// The two holes of this folder, filled by console/ and arm/.
void console_write(const char *text, size_t length);
NORETURN void cpu_halt(void);

#define CHECK(cond)                                                                    \
	do {                                                                           \
		if (UNLIKELY(!(cond)))                                                 \
			panic("CHECK failed at %s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

#endif
