// SPDX-License-Identifier: Apache-2.0
/*
 * Overflows its stack in its own vectors: the first instruction of the handler stores to where
 * nothing is, again and again. A bare machine does that for ever. Under Mezzo it costs nobody
 * else anything.
 */
#include "test.h"

#define NOWHERE 0x0b000000ul

void test_main(void)
{
	print_raw("# about to overflow\n");
	__asm__ volatile("mov sp, %0\n\tstr x0, [sp, #-16]!" ::"r"(NOWHERE + 0x1000) : "memory");
}
