// SPDX-License-Identifier: Apache-2.0
// Reads a .conf file.
#ifndef HOST_CONF_H
#define HOST_CONF_H

#include "system.h"

// Fills `system` with what `path` says; each mistake goes to `diags`. False if the file could not
// be read to its end, so that `system` may lack what stands further down.
bool conf_read(const char *path, struct system *system, struct diags *diags);

#endif
