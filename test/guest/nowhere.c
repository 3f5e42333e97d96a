// SPDX-License-Identifier: Apache-2.0
/*
 * Jumps to where nothing is, with exception vectors where nothing is: the first abort cannot be
 * delivered. Under Mezzo this VM has crashed, and the message says why.
 */
#include "test.h"

#include "mmu.h"

#define NOWHERE 0x0b000000ul

void test_main(void)
{
	check_true(true, "nowhere-was-here");
	mmu_disable();
	write_sysreg(vbar_el1, NOWHERE);
	isb();
	exc_call(NOWHERE);
}
