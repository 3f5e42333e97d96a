// SPDX-License-Identifier: Apache-2.0
// Every key of a .conf file: its kind, its values, whether this version has built it.
#ifndef HOST_SCHEMA_H
#define HOST_SCHEMA_H

#include "system.h"

// Where a key stands: at the top level, or in a section.
enum schema_scope { SCHEMA_TOP, SCHEMA_VM, SCHEMA_NET, SCHEMA_SCOPES };

// The keys known there: a NULL-terminated list.
const char *const *schema_keys(enum schema_scope scope);

// Gives key `name` of `vm` (NULL: of the system itself) the value written as `text[0..count)` at
// `at`. What is wrong with it goes to `diags`; then the key stays as it was.
void schema_set(struct system *system, struct vm *vm, const char *name, const char *const *text,
                size_t count, struct place at, struct diags *diags);

// The same for a key of a net's section.
void schema_set_net(struct system *system, struct net *net, const char *name,
                    const char *const *text, size_t count, struct place at, struct diags *diags);

// Checks a VM's name; reports at `at`.
void schema_check_name(const struct system *system, const char *name, struct place at,
                       struct diags *diags);

// "512M" and the like into bytes; a number in C's notation. False if `text` is neither.
bool schema_parse_size(const char *text, uint64_t *out);
bool schema_parse_number(const char *text, uint64_t *out);

#endif
