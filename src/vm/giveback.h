// SPDX-License-Identifier: Apache-2.0
// Memory that a guest gives back while it runs: on its way from the guest to the free pages, and what was promised of it.
#ifndef VM_GIVEBACK_H
#define VM_GIVEBACK_H

#include "base/types.h"

struct vm;

// The guest gives [ipa, ipa + size) back: whole pages of RAM, all in one 2 MiB of addresses (stage2_give_up). With
// `unpromise` others may be promised the memory. A block that goes is counted in vm->nr_given. Under the lock of the one
// device through which it does so; on a CPU that runs the VM.
void giveback_take(struct vm *vm, uint64_t ipa, uint64_t size, bool unpromise);
// Zeroes 64 KiB of what was given up, and gives it back; true: there is more. Nothing leads there any more, pointers that
// EL2 took before included. Under that lock, or nothing of the VM runs.
bool giveback_some(struct vm *vm);
// Before it begins again: it is promised what it once was. ERR_NO_MEMORY.
int giveback_renew(struct vm *vm);

#endif
