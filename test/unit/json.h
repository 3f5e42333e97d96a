// SPDX-License-Identifier: Apache-2.0
// Is a text one JSON value? For tests of what programs are told. Strict: RFC 8259, printable ASCII only.
#ifndef UNIT_JSON_H
#define UNIT_JSON_H

#include <ctype.h>
#include <string.h>

#include "base/types.h"

static const char *json_value(const char *p, unsigned depth);

static const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if (*p < ' ' || *p > '~')
			return NULL;
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			for (unsigned i = 0; i < 4; i++)
				if (!isxdigit((unsigned char)*++p))
					return NULL;
		} else if (*p == '\0' || strchr("\"\\/bfnrt", *p) == NULL) {
			return NULL;
		}
	}
	return p + 1;
}

static const char *json_members(const char *p, char end, unsigned depth)
{
	if (*++p == end)
		return p + 1;
	for (;; p++) {
		if (end == '}') {
			p = json_string(p);
			if (p == NULL || *p++ != ':')
				return NULL;
		}
		p = json_value(p, depth + 1);
		if (p == NULL || *p == end)
			return p == NULL ? NULL : p + 1;
		if (*p != ',')
			return NULL;
	}
}

static const char *json_value(const char *p, unsigned depth)
{
	static const char *const words[] = {"true", "false", "null"};
	if (depth > 8)
		return NULL;
	if (*p == '{' || *p == '[')
		return json_members(p, *p == '{' ? '}' : ']', depth);
	if (*p == '"')
		return json_string(p);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (strncmp(p, words[i], strlen(words[i])) == 0)
			return p + strlen(words[i]);
	if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
		return NULL;
	while (isdigit((unsigned char)*p))
		p++;
	return p;
}

// One value and nothing else.
UNUSED static bool json_valid(const char *text)
{
	const char *end = json_value(text, 0);
	return end != NULL && *end == '\0';
}

#endif
