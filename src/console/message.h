// SPDX-License-Identifier: Apache-2.0
// Mezzo's own lines on their way to the console.
#ifndef CONSOLE_MESSAGE_H
#define CONSOLE_MESSAGE_H

#include "base/types.h"

#define MESSAGE_MAX 256 // bytes of a line with its line feed; longer ones are split

// Keeps text for the console: one or more lines, the end of the last one is added if it is missing.
// When there is no room the oldest lines go. Any CPU, any context but a panic.
void message_put(const char *text, size_t length);

// Whether there is a line, or word of lost ones. By the reader; one that comes now comes with a call.
bool message_waits(void);

// Takes the oldest line, without its end; returns its length, or -1 when there is none. `line` has
// room for MESSAGE_MAX bytes. One reader at a time.
int message_get(char *line);

// How many lines were lost since the last call. By the reader.
uint32_t message_lost(void);

// The panicking CPU's way to what nobody has shown yet: the next byte, without a lock. False: none.
bool message_steal(uint8_t *byte);

#endif
