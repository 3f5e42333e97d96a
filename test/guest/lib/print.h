/* SPDX-License-Identifier: Apache-2.0 */
/* Text to the PL011. */
#ifndef GUEST_PRINT_H
#define GUEST_PRINT_H

#include <stdarg.h>

#include "bits.h"

/* %s %c %d %u %x with l, width, `-` and `0`. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Formats into out (size bytes, always terminated); returns the length that was written. */
size_t print_format(char *out, size_t size, const char *format, va_list args);
/* One string as it is, whole under the console lock. */
void print_raw(const char *text);

#endif
