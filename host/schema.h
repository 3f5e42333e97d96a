// SPDX-License-Identifier: Apache-2.0
// Every key of a .conf file: its kind, its values, whether this version has built it.
#ifndef HOST_SCHEMA_H
#define HOST_SCHEMA_H

#include "system.h"

// The keys known at the top level (`in_vm` false) or in a vm section: a NULL-terminated list.
const char *const *schema_keys(bool in_vm);

// Gives key `name` of `vm` (NULL: of the system itself) the value written as `text[0..count)` at
// `at`. What is wrong with it goes to `diags`; then the key stays as it was.
void schema_set(struct system *system, struct vm *vm, const char *name, const char *const *text,
                size_t count, struct place at, struct diags *diags);

// Checks a VM's name; reports at `at`.
void schema_check_name(const struct system *system, const char *name, struct place at,
                       struct diags *diags);

// "512M" and the like into bytes; a number in C's notation. False if `text` is neither.
bool schema_parse_size(const char *text, uint64_t *out);
bool schema_parse_number(const char *text, uint64_t *out);

#endif
