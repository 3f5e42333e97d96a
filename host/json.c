// SPDX-License-Identifier: Apache-2.0
//
// Writes JSON: commas, quotes and escapes in one place. Owns the nesting depth of the one document
// that a run of the command prints. Called by the verbs that know --json.
// Invariant: a comma stands before each value but the first of its bracket.
// Source: RFC 8259. Bytes that are not UTF-8 become U+FFFD, so that the document always parses.
#include "json.h"

#include <stdio.h>

static unsigned int depth;
static bool first = true;

#define SURROGATE_FIRST 0xd800 // UTF-16's helpers are no characters
#define SURROGATE_LAST  0xdfff
#define UNICODE_LAST    0x10ffff

// Length of the UTF-8 sequence at `s`, 0 if there is no well-formed one.
static size_t utf8_length(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least; // the first code point that needs this form
	} forms[] = {
	        {0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		uint32_t point = s[0] & (uint32_t)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t j = 1; j <= i; j++) {
			if ((s[j] & 0xc0) != 0x80)
				return 0;
			point = point << 6 | (s[j] & 0x3f);
		}
		if (point < forms[i].least || point > UNICODE_LAST ||
		    (point >= SURROGATE_FIRST && point <= SURROGATE_LAST))
			return 0;
		return i + 1;
	}
	return 0;
}

static void string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	putchar('"');
	while (*s != '\0') {
		size_t length = utf8_length(s);

		if (length == 0)
			fputs("\\ufffd", stdout);
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < ' ')
			printf("\\u%04x", *s);
		else
			fwrite(s, 1, length, stdout);
		s += length != 0 ? length : 1;
	}
	putchar('"');
}

static void start(const char *key)
{
	if (!first)
		putchar(',');
	if (depth > 0)
		printf("\n%*s", (int)(2 * depth), "");
	first = false;
	if (key != NULL) {
		string(key);
		fputs(": ", stdout);
	}
}

void json_open(const char *key, char bracket)
{
	start(key);
	putchar(bracket);
	depth++;
	first = true;
}

void json_close(char bracket)
{
	depth--;
	if (!first)
		printf("\n%*s", (int)(2 * depth), "");
	putchar(bracket);
	first = false;
	if (depth == 0)
		putchar('\n');
}

void json_text(const char *key, const char *value)
{
	start(key);
	string(value);
}

void json_number(const char *key, uint64_t value)
{
	start(key);
	printf("%llu", (unsigned long long)value);
}

void json_bool(const char *key, bool value)
{
	start(key);
	fputs(value ? "true" : "false", stdout);
}
