// SPDX-License-Identifier: Apache-2.0
// What was said in plain text before Mezzo was greeted. Mezzo tells it again, as the past of its
// channels; who has seen it need not see it twice.
#ifndef HOST_EARLY_H
#define HOST_EARLY_H

#include "buffer.h"

#define EARLY_MAX  256 // lines
#define EARLY_LINE 512 // bytes of a line that are looked at

struct early {
	char *lines[EARLY_MAX]; // that begin with a name in brackets, each until it is told again
	size_t count;
	struct buffer raw;        // all but Mezzo's own lines
	size_t matched;           // bytes of `raw` that were told again
	int64_t until;            // the past is told by then; 0: Mezzo has not been greeted
	uint8_t line[EARLY_LINE]; // the one that is coming in
	size_t size;
};

// Text has been seen.
void early_take(struct early *early, const uint8_t *bytes, size_t size);

// Mezzo has been greeted: from here on text is news.
void early_end(struct early *early, int64_t now);

// Whether the line of this source (without its end) was among the text; true once for each time it was.
bool early_had_line(struct early *early, const char *name, const uint8_t *line, size_t size,
                    int64_t now);

// How many of the next bytes of a source, which is seen raw from its first byte on, are those of the
// text. If it turns out that the source says something else, `again` gets what was wrongly taken for known
// before these.
size_t early_had_bytes(struct early *early, const uint8_t *bytes, size_t size,
                       struct buffer *again);

#endif
