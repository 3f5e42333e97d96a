// SPDX-License-Identifier: Apache-2.0
// Mezzo's output without a terminal: made safe to look at, and read for its last word.
#ifndef HOST_REPORT_H
#define HOST_REPORT_H

#include "base/types.h"

#define REPORT_LINE_MAX 128 // characters of a line that are looked at; Mezzo's own are shorter
#define REPORT_GROWTH   4   // bytes that one byte can become
#define REPORT_HELD     4   // carriage returns that wait for what follows them

struct report {
	char line[REPORT_LINE_MAX + 1]; // the current line so far, as it was written out
	size_t length;                  // may be more than the line holds
	size_t returns;                 // carriage returns not yet written: none if \n follows
	bool ended;                     // the last line said `[mezzo] end: ...`
	unsigned int off, crashed;      // what it said
	bool panicked;                  // some line said that Mezzo cannot go on

	bool hide_prompts; // the prompts of Mezzo's shell are left out, and lines of nothing else
	bool prompted;     // there was one
	bool hidden;       // and it was left out of this line
	size_t matched;    // characters of one that wait behind a carriage return for the rest
};

// Takes `size` bytes of the wire, writes what the user gets to `out` and returns how many bytes
// that were: at most REPORT_GROWTH * (size + REPORT_HELD). A line ends at \n alone; any control
// character but tab is written as \xNN, so that nothing rewrites what stands already.
size_t report_take(struct report *report, const uint8_t *in, size_t size, char *out);

// The wire is closed: what was written since the last \n is a line too.
void report_close(struct report *report);

#endif
