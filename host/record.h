// SPDX-License-Identifier: Apache-2.0
// What consoles said, in files of a directory: one for each source, added to at the end.
#ifndef HOST_RECORD_H
#define HOST_RECORD_H

#include "base/types.h"

// Makes the directory if it is not there. Returns NULL, or the reason why that failed.
const char *record_begin(const char *directory);

// Opens DIRECTORY/NAME.log; `name` may hold anything. -1 with errno if that failed.
int record_open(const char *directory, const char *name);

// Makes a file that is not there yet, in the directory or, if it is NULL, here: `name`, or with -2, -3 and so on before its ending. Returns its descriptor and
// in *path where it is; -1 with errno.
int record_new(const char *directory, const char *name, char **path);

#endif
