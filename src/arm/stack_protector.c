// SPDX-License-Identifier: Apache-2.0
// The stack protector's word and its alarm. The compiler calls both by name.
#include "arm/stack_protector.h"

#include "base/panic.h"

uintptr_t __stack_chk_guard = 0x5bd1e995a7c3f00d; // mixed with what boot.S finds
NORETURN void __stack_chk_fail(void);

void stack_protector_mix(uint64_t word)
{
	__stack_chk_guard ^= word << 8; // the lowest byte stays 0
}

void __stack_chk_fail(void)
{
	panic("a function's stack frame was overwritten");
}
