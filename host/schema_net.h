// SPDX-License-Identifier: Apache-2.0
// Values of keys that have to do with networks.
#ifndef HOST_SCHEMA_NET_H
#define HOST_SCHEMA_NET_H

#include "system.h"

// Each sets *out, or reports at `at` what is wrong and leaves it as it was.
void schema_take_nics(struct nics_key *out, const char *const *text, size_t count, struct place at,
                      struct diags *diags);
void schema_take_uplink(struct text_key *out, const char *text, struct place at,
                        struct diags *diags);

// Checks a net's name; reports at `at`. False: it is none.
bool schema_check_net_name(const char *name, struct place at, struct diags *diags);

#endif
