// SPDX-License-Identifier: Apache-2.0
//
// Mezzo puts each line of a guest behind `[name] ` and its own behind `[mezzo] `, and no VM is
// called mezzo. So whoever reads lines can tell who said what, as long as nothing but \n starts a
// line: that is kept up here, for the exit status and for the eye.
//
// Called by qemu.c. Owns nothing; pure. Invariant: `ended` is true only while the last line that
// was not empty is exactly Mezzo's end line.
#include "report.h"

#include <stdio.h>
#include <string.h>

static const char prompt[] = "mezzo> "; // after a carriage return

#define DELETE 0x7f // the control character above the printable ones

// After one of these Mezzo does nothing more: its own failure, or a board that it cannot run on.
static const char *const last_words[] = {"[mezzo] panic", "[mezzo] stopped:"};

static void end_line(struct report *r)
{
	char expected[REPORT_LINE_MAX + 1];
	unsigned int off, crashed;

	if (r->length == 0)
		return;
	r->line[r->length <= REPORT_LINE_MAX ? r->length : REPORT_LINE_MAX] = '\0';
	r->ended = false;
	// sscanf takes more than it should: blanks, signs. What it read must make the same line
	// again.
	if (r->length <= REPORT_LINE_MAX &&
	    sscanf(r->line, "[mezzo] end: %9u off, %9u crashed", &off, &crashed) == 2) {
		snprintf(expected, sizeof(expected), "[mezzo] end: %u off, %u crashed", off,
		         crashed);
		r->ended = strcmp(r->line, expected) == 0;
	}
	if (r->ended) {
		r->off = off;
		r->crashed = crashed;
	}
	for (size_t i = 0; i < sizeof(last_words) / sizeof(last_words[0]); i++)
		if (strncmp(r->line, last_words[i], strlen(last_words[i])) == 0)
			r->panicked = true;
	r->length = 0;
}

static char *put(struct report *r, char *out, char c)
{
	if (r->length < REPORT_LINE_MAX)
		r->line[r->length] = c;
	r->length++;
	*out = c;
	return out + 1;
}

static char *put_hex(struct report *r, char *out, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	out = put(r, out, '\\');
	out = put(r, out, 'x');
	out = put(r, out, digits[byte / 16]);
	return put(r, out, digits[byte % 16]);
}

// Whether this byte goes on with a prompt that is to be hidden.
static bool is_prompt(struct report *r, uint8_t byte)
{
	if (!r->hide_prompts || r->returns != 1 || r->length != 0 ||
	    byte != (uint8_t)prompt[r->matched])
		return false;
	if (++r->matched == sizeof(prompt) - 1) {
		r->matched = r->returns = 0;
		r->prompted = r->hidden = true;
	}
	return true;
}

// Writes what waited to become a prompt, and did not.
static char *put_matched(struct report *r, char *out)
{
	size_t matched = r->matched;

	r->matched = 0;
	if (matched == 0)
		return out;
	r->returns = 0;
	out = put_hex(r, out, '\r');
	for (size_t i = 0; i < matched; i++)
		out = put(r, out, prompt[i]);
	return out;
}

// One byte of the wire. Returns where the output continues.
static char *take(struct report *r, char *out, uint8_t byte)
{
	if (is_prompt(r, byte))
		return out;
	out = put_matched(r, out);
	if (byte == '\r' && r->returns < REPORT_HELD) {
		r->returns++;
		return out;
	}
	for (; byte != '\n' && r->returns > 0; r->returns--)
		out = put_hex(r, out, '\r');
	r->returns = 0;
	if (byte == '\n') {
		bool nothing_else = r->hidden && r->length == 0;

		r->hidden = false;
		if (nothing_else)
			return out;
		end_line(r);
		*out = '\n';
		return out + 1;
	}
	if (byte == '\t' || (byte >= ' ' && byte != DELETE))
		return put(r, out, (char)byte);
	return put_hex(r, out, byte);
}

size_t report_take(struct report *report, const uint8_t *in, size_t size, char *out)
{
	char *start = out;

	for (size_t i = 0; i < size; i++)
		out = take(report, out, in[i]);
	return (size_t)(out - start);
}

void report_close(struct report *report)
{
	report->returns = report->matched = 0;
	end_line(report);
}
