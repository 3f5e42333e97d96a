// SPDX-License-Identifier: Apache-2.0
//
// The list of mistakes and the nearest word. Called by whatever looks at what the user wrote.
// Invariant: nothing is printed before everything has been looked at.
#include "diag.h"

#include "json.h"
#include "util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void diag_add(struct diags *diags, struct place at, const char *format, ...)
{
	struct diag *diag;
	va_list args;

	diags->list = util_grow(diags->list, diags->count + 1, sizeof(*diags->list));
	diag = &diags->list[diags->count++];
	diag->at = at;
	va_start(args, format);
	if (vasprintf(&diag->text, format, args) < 0)
		diag->text = util_format("out of memory");
	va_end(args);
}

// Insertion sort: stable, and the list is as short as a person's patience.
static void sort(struct diags *diags)
{
	for (size_t i = 1; i < diags->count; i++) {
		struct diag moving = diags->list[i];
		size_t j = i;

		for (; j > 0 && diags->list[j - 1].at.line > moving.at.line; j--)
			diags->list[j] = diags->list[j - 1];
		diags->list[j] = moving;
	}
}

void diag_print(struct diags *diags)
{
	const char *no_color = getenv("NO_COLOR");
	bool color = isatty(STDERR_FILENO) && (no_color == NULL || *no_color == '\0');
	const char *on = color ? "\033[1m" : "", *off = color ? "\033[0m" : "";

	sort(diags);
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *diag = &diags->list[i];

		if (diag->at.line > 0)
			fprintf(stderr, "%s%s:%d:%s %s\n", on, diag->at.file, diag->at.line, off,
			        diag->text);
		else
			fprintf(stderr, "%s%s:%s %s\n", on, diag->at.file, off, diag->text);
	}
}

void diag_print_json(struct diags *diags)
{
	sort(diags);
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *diag = &diags->list[i];

		json_open(NULL, '{');
		json_text("file", diag->at.file);
		if (diag->at.line > 0)
			json_number("line", (uint64_t)diag->at.line);
		json_text("message", diag->text);
		json_close('}');
	}
}

#define WORD_MAX 32 // longer words get no suggestion

// Edits (insert, delete, change, swap two neighbours) that make `b` of `a`, upper case like lower.
// Three rows of the usual table are enough: a swap looks back two.
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], na = strlen(a), nb = strlen(b);

	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t best = last[j - 1] + (strncasecmp(&a[i - 1], &b[j - 1], 1) != 0);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[na % 3][nb];
}

const char *diag_suggest(const char *word, const char *const *list)
{
	const char *nearest = NULL;
	size_t length = strlen(word), best = length / 3 + 1;

	if (length == 0 || length > WORD_MAX)
		return "";
	for (; *list != NULL; list++) {
		size_t distance = strlen(*list) <= WORD_MAX ? edit_distance(word, *list) : best + 1;

		if (distance <= best && (nearest == NULL || distance < best)) {
			best = distance;
			nearest = *list;
		}
	}
	return nearest != NULL ? util_format("; did you mean `%s`?", nearest) : "";
}
