// SPDX-License-Identifier: Apache-2.0
// A line that is being typed: moving, erasing, recalling. For the shell.
#ifndef CONSOLE_EDIT_H
#define CONSOLE_EDIT_H

#include "console/shell.h"

#define EDIT_HISTORY 16

struct edit {
	struct ring *to; // the terminal
	char line[SHELL_LINE];
	uint32_t length, at; // at: of the cursor, 0 .. length; length < SHELL_LINE
	uint8_t escape;      // 1 after ESC, 2 after ESC [
	uint32_t parameter;  // the number in such a sequence
	char history[EDIT_HISTORY][SHELL_LINE];
	uint32_t history_next, history_back; // lines ever; steps back from there that are shown
};

enum edit_event { EDIT_NOTHING, EDIT_ENTER, EDIT_COMPLETE };

// A key. Writes at most 4 * SHELL_LINE bytes. EDIT_ENTER: e->line is a line, ended by NUL, and among
// those that are recalled; edit_next comes after it.
enum edit_event edit_key(struct edit *e, uint8_t key);
// An empty line; the prompt is not shown.
void edit_next(struct edit *e);
// The prompt and the line.
void edit_draw(struct edit *e);
// As if it were typed, as far as it fits.
void edit_insert(struct edit *e, const char *text, size_t n);
// Sends text to the terminal as it is.
void edit_put(struct edit *e, const char *text);

#endif
