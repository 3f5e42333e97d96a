// SPDX-License-Identifier: Apache-2.0
// Mezzo's own messages: formatted, kept in a ring, handed to the console.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

#include "base/types.h"

// One line without its end; the console adds prefix and newline. Lines longer than 255 bytes are cut.
// Any context, any CPU; takes LOCK_LOG for the copy alone. Never waits for the UART once the
// console is up.
void log_line(const char *format, ...) PRINTF_LIKE(1, 2);
void log_vline(const char *format, va_list args);

// Copies up to `size` of the newest kept bytes of the log, oldest first; returns how many.
size_t log_read(char *buffer, size_t size);

// For a reader with a position of its own, in bytes ever logged: copies up to `size` bytes from *from on and moves
// it behind them. What is not kept any more is left out, up to the next whole line.
size_t log_read_from(uint64_t *from, char *buffer, size_t size);
// Where the next line will begin. Any CPU; takes LOCK_LOG.
uint64_t log_end(void);

// At most `burst` events in each `period` ticks; the others are counted. Not locked: one writer.
struct ratelimit {
	uint64_t window_start; // ticks
	uint32_t used;         // events allowed in this window
	uint32_t suppressed;   // events refused since they were last reported
};
// Whether an event at time `now` may be reported. When it returns true and *suppressed is not 0,
// that many earlier events were refused and should be named in the report.
bool ratelimit_allow(struct ratelimit *limit, uint64_t now, uint64_t period, uint32_t burst,
                     uint32_t *suppressed);

#endif
