// SPDX-License-Identifier: Apache-2.0
// Formatted print into a buffer. Knows %d %i %u %x %X %p %s %c %% with 0, -, width, precision for
// %s, `*` and l, ll, z, h, hh; nothing else.
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include <stdarg.h>

#include "base/types.h"

// Writes at most `size` bytes with the closing NUL; returns the bytes written without it.
size_t print_buffer(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t print_vbuffer(char *buffer, size_t size, const char *format, va_list args);

#endif
