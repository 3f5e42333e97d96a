// SPDX-License-Identifier: Apache-2.0
// Mistakes: gathered first, so that one run names them all, then printed in the order of their
// lines.
#ifndef HOST_DIAG_H
#define HOST_DIAG_H

#include "base/types.h"

// Where something stands: a file and a line (0: the file as a whole), or an option of the command
// line.
struct place {
	const char *file;
	int line;
};

struct diag {
	struct place at;
	char *text; // "what is wrong; what to do about it"
};

struct diags {
	struct diag *list;
	size_t count;
};

void diag_add(struct diags *diags, struct place at, const char *format, ...) PRINTF_LIKE(3, 4);

// Sorts by line and writes one `file:line: text` each to stderr, in colour on a terminal unless
// the environment has NO_COLOR.
void diag_print(struct diags *diags);

// The same as the elements of a JSON array, to stdout.
void diag_print_json(struct diags *diags);

// "; did you mean `x`?" for the word of the NULL-terminated list that is closest to `word`; "" if
// none is close.
const char *diag_suggest(const char *word, const char *const *list);

#endif
