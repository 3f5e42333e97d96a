// SPDX-License-Identifier: Apache-2.0
//
// Remembers plain text for as long as it may be told again. Called by view.c.
// Invariant: nothing is held back that was not seen, byte for byte.
#include "early.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>

#define RAW_MAX   16384 // bytes; of more nothing is known
#define PAST_TIME 2000  // ms

static const char own_prefix[] = "[mezzo] ";

static void end_line(struct early *early)
{
	size_t size = early->size, prefix = sizeof(own_prefix) - 1;
	bool is_own = size > prefix && memcmp(early->line, own_prefix, prefix) == 0;

	early->size = 0;
	if (!is_own)
		buffer_add(&early->raw, early->line, size);
	while (size > 0 && (early->line[size - 1] == '\n' || early->line[size - 1] == '\r'))
		size--;
	if (size > 0 && early->line[0] == '[' && early->count < EARLY_MAX)
		early->lines[early->count++] =
		        util_format("%.*s", (int)size, (const char *)early->line);
}

void early_take(struct early *early, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size && early->until == 0; i++) {
		early->line[early->size++] = bytes[i];
		if (bytes[i] == '\n' || early->size == sizeof(early->line))
			end_line(early);
		if (buffer_size(&early->raw) > RAW_MAX)
			buffer_drop(&early->raw, buffer_size(&early->raw));
	}
}

void early_end(struct early *early, int64_t now)
{
	if (early->until != 0)
		return;
	end_line(early);
	early->until = now + PAST_TIME;
}

bool early_had_line(struct early *early, const char *name, const uint8_t *line, size_t size,
                    int64_t now)
{
	size_t length = strlen(name);

	if (size > 0 && line[size - 1] == '\r')
		size--;
	for (size_t i = 0; i < early->count && now < early->until; i++) {
		char *seen = early->lines[i];

		if (strlen(seen) != length + 3 + size || memcmp(seen + 1, name, length) != 0 ||
		    memcmp(seen + 1 + length, "] ", 2) != 0 ||
		    memcmp(seen + 3 + length, line, size) != 0)
			continue;
		early->lines[i] = early->lines[--early->count];
		free(seen);
		return true;
	}
	return false;
}

size_t early_had_bytes(struct early *early, const uint8_t *bytes, size_t size, struct buffer *again)
{
	const uint8_t *raw = buffer_data(&early->raw);
	size_t left = buffer_size(&early->raw) - early->matched, n = 0;

	while (n < size && n < left && bytes[n] == raw[early->matched + n])
		n++;
	if (n == size || n == left) {
		early->matched += n;
		return n;
	}
	buffer_add(again, raw, early->matched);
	buffer_drop(&early->raw, buffer_size(&early->raw));
	early->matched = 0;
	return 0;
}
