// SPDX-License-Identifier: Apache-2.0
// The log: a ring of the newest bytes of Mezzo's own messages. Owns the ring; everyone writes.
// Invariant: log_used <= LOG_SIZE, the ring holds whole lines but for the oldest one.
#include "base/log.h"

#include "base/panic.h"
#include "base/print.h"
#include "base/spinlock.h"
#include "base/string.h"

#define LOG_SIZE 16384 // bytes, a power of two
#define LOG_LINE 256

static struct spinlock log_lock = SPINLOCK_INIT(LOCK_LOG);
static char log_ring[LOG_SIZE]; // under log_lock
static uint64_t log_head;       // bytes ever written; under log_lock

static void keep(const char *text, size_t length)
{
	spin_lock(&log_lock);
	for (size_t i = 0; i < length; i++)
		log_ring[(log_head + i) & (LOG_SIZE - 1)] = text[i];
	log_head += length;
	spin_unlock(&log_lock);
}

void log_vline(const char *format, va_list args)
{
	char line[LOG_LINE];
	size_t n = print_vbuffer(line, sizeof line - 1, format, args);
	line[n++] = '\n';
	keep(line, n);
	console_write(line, n);
}

void log_line(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log_vline(format, args);
	va_end(args);
}

size_t log_read(char *buffer, size_t size)
{
	spin_lock(&log_lock);
	uint64_t kept = log_head < LOG_SIZE ? log_head : LOG_SIZE;
	uint64_t n = kept < size ? kept : size;
	for (uint64_t i = 0; i < n; i++)
		buffer[i] = log_ring[(log_head - n + i) & (LOG_SIZE - 1)];
	spin_unlock(&log_lock);
	return n;
}

size_t log_read_from(uint64_t *from, char *buffer, size_t size)
{
	spin_lock(&log_lock);
	uint64_t oldest = log_head < LOG_SIZE ? 0 : log_head - LOG_SIZE;
	uint64_t at = *from;
	if (at < oldest) {
		at = oldest;
		while (at < log_head && log_ring[at++ & (LOG_SIZE - 1)] != '\n')
			;
	}
	if (at > log_head)
		at = log_head;
	uint64_t n = log_head - at < size ? log_head - at : size;
	for (uint64_t i = 0; i < n; i++)
		buffer[i] = log_ring[(at + i) & (LOG_SIZE - 1)];
	spin_unlock(&log_lock);
	*from = at + n;
	return n;
}

uint64_t log_end(void)
{
	spin_lock(&log_lock);
	uint64_t end = log_head;
	spin_unlock(&log_lock);
	return end;
}

bool ratelimit_allow(struct ratelimit *limit, uint64_t now, uint64_t period, uint32_t burst,
                     uint32_t *suppressed)
{
	*suppressed = 0;
	if (now - limit->window_start >= period) {
		limit->window_start = now;
		limit->used = 0;
	}
	if (limit->used >= burst) {
		limit->suppressed++;
		return false;
	}
	limit->used++;
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
