// SPDX-License-Identifier: Apache-2.0
/* A hog: counts in a register for ever, interrupts masked, without a memory access or an exit. */
#include "test.h"

void tool_main(void)
{
	u64 rounds = 0;

	irq_disable();
	for (;;)
		__asm__ volatile("add %0, %0, #1" : "+r"(rounds));
}
