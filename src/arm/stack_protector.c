// SPDX-License-Identifier: Apache-2.0
// The stack protector's word and its alarm. The compiler calls both by name.
#include "base/panic.h"

uintptr_t __stack_chk_guard = 0x5bd1e995a7c3f00d; // mixed with a random number by boot.S
NORETURN void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
	panic("a function's stack frame was overwritten");
}
