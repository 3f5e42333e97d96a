// SPDX-License-Identifier: Apache-2.0
// What is shown when a guest dies.
#ifndef DEBUG_DUMP_H
#define DEBUG_DUMP_H

#include "base/types.h"

struct vm;

// The next lines of one screen in words about a VM that crashed: why, where, registers, last exits. Some
// 10 lines at most; false: all was said. Nothing of it runs, and its memory is still there.
bool dump_some(struct vm *vm);

// One line in the log: how many exits the VM's vCPUs made, by reason. Nothing of it runs.
void dump_exits(struct vm *vm);

#endif
