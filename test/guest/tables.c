// SPDX-License-Identifier: Apache-2.0
/*
 * Turns its MMU on with translation tables where nothing is: neither the next instruction nor the
 * exception vectors can be found. Under Mezzo this VM has crashed, and the message says why.
 */
#include "test.h"

#define NOWHERE 0x0b000000ul

void test_main(void)
{
	check_true(true, "tables-were-good");
	write_sysreg(ttbr0_el1, NOWHERE);
	isb();
	__asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
}
