// SPDX-License-Identifier: Apache-2.0
/* The first kernel of every course: a line through the mini UART, and where the program is. */
#include "pi.h"

#define EL_OF(current_el) ((current_el) >> 2)

void program(u64 tree)
{
	(void)tree;
	print("Hello from the mini UART, number %u, %x\n", 12345U, 0xbeefU);
	check(EL_OF(sysreg_read(CurrentEL)) == 1, "at EL1");
	check(core() == 0, "on core 0");
	check(read32(AUX_ENABLES) & 1U, "mini UART enabled");
	check(wait_set(AUX_MU_LSR, AUX_MU_LSR_IDLE, 100000), "transmitter becomes idle");
	check(!(read32(AUX_MU_LSR) & 1U), "nothing received");
	check(sysreg_read(cntfrq_el0) != 0, "counter frequency");
}
