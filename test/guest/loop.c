// SPDX-License-Identifier: Apache-2.0
/*
 * Spins at its exception vector for ever, interrupts masked, without an exit. Under Mezzo it
 * costs nobody else anything.
 */
#include "test.h"

void loop_vectors(void);
__asm__(".pushsection .text\n"
        "	.balign	2048\n"
        "	.global	loop_vectors\n"
        "loop_vectors:\n"
        "	.rept	16\n"
        "	b	.\n"
        "	.balign	128\n"
        "	.endr\n"
        ".popsection\n");

void test_main(void)
{
	print_raw("# about to loop\n");
	write_sysreg(vbar_el1, (u64)loop_vectors);
	isb();
	__asm__ volatile("udf #0");
}
