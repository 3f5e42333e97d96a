// SPDX-License-Identifier: Apache-2.0
// The ring of Mezzo's own lines. Owns it; written by every CPU through console_write, read by the
// holder of LOCK_CONSOLE.
// Invariant: outside the lock the ring holds whole lines only.
#include "console/message.h"

#include "base/spinlock.h"
#include "console/ring.h"

#define MESSAGES_SIZE 16384 // bytes, a power of two

static uint8_t bytes[MESSAGES_SIZE];

// Under the lock. Its rank is the highest, so that a line can be said wherever one is.
static struct spinlock lock = SPINLOCK_INIT(LOCK_LOG);
static struct ring ring = {.bytes = bytes, .size = MESSAGES_SIZE};
static uint32_t lost; // lines, not told yet

static void drop_oldest_line(void)
{
	uint8_t byte;

	while (ring_get(&ring, &byte) && byte != '\n')
		;
	lost++;
}

// `length` is below MESSAGE_MAX; the text has no line feed.
static void put_line(const char *text, size_t length)
{
	spin_lock(&lock);
	while (ring_room(&ring) < length + 1)
		drop_oldest_line();
	for (size_t i = 0; i < length; i++)
		(void)ring_put(&ring, (uint8_t)text[i]);
	(void)ring_put(&ring, '\n');
	spin_unlock(&lock);
}

void message_put(const char *text, size_t length)
{
	size_t start = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n' || i - start == MESSAGE_MAX - 1) {
			put_line(text + start, i - start);
			start = text[i] == '\n' ? i + 1 : i;
		}
	}
	if (start < length)
		put_line(text + start, length - start);
}

bool message_waits(void)
{
	return ring_fill(&ring) != 0 || load_relaxed(&lost) != 0;
}

int message_get(char *line)
{
	int length = 0;
	uint8_t byte;

	if (ring_fill(&ring) == 0) // the usual case; a line that comes now comes with a call
		return -1;
	spin_lock(&lock);
	if (!ring_get(&ring, &byte))
		length = -1;
	else
		for (; byte != '\n' && length < MESSAGE_MAX; length++) {
			line[length] = (char)byte;
			if (!ring_get(&ring, &byte))
				byte = '\n';
		}
	spin_unlock(&lock);
	return length;
}

uint32_t message_lost(void)
{
	if (load_relaxed(&lost) == 0)
		return 0;
	spin_lock(&lock);
	uint32_t result = lost;
	lost = 0;
	spin_unlock(&lock);
	return result;
}

bool message_steal(uint8_t *byte)
{
	return ring_get(&ring, byte);
}
