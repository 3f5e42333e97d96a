// SPDX-License-Identifier: Apache-2.0
// The word that stands between a function's arrays and its return address: a new one at each boot.
#ifndef ARM_STACK_PROTECTOR_H
#define ARM_STACK_PROTECTOR_H

#include "base/types.h"

// Adds to the word. No function that is being run may return after it: once, on the boot CPU, before it leaves its
// first stack for good, and before other CPUs run.
__attribute__((no_stack_protector)) void stack_protector_mix(uint64_t word);

#endif
