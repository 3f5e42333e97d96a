// SPDX-License-Identifier: Apache-2.0
// JSON on standard output, one value a call. `key` is NULL inside an array and at the top.
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include "base/types.h"

void json_open(const char *key, char bracket); // '{' or '['
void json_close(char bracket);                 // '}' or ']'; a newline follows the outermost
void json_text(const char *key, const char *value);
void json_number(const char *key, uint64_t value);
void json_bool(const char *key, bool value);

#endif
