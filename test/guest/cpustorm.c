// SPDX-License-Identifier: Apache-2.0
/*
 * CPU 0 switches the others on as fast as it can, and each of them switches itself off at once, for ever or for
 * `seconds=S`. After each second `cpustorm: N on`: how often a CPU was switched on so far.
 */
#include "test.h"

#define SECOND_US 1000000ul

/* Entry of the others: x0 = 0: HVC, else SMC. Nothing but registers. */
void storm_entry(void);
__asm__(".pushsection .text\n"
        "	.global	storm_entry\n"
        "storm_entry:\n"
        "	mov	x1, x0\n"
        "1:	movz	w0, #0x8400, lsl #16\n" /* CPU_OFF */
        "	movk	w0, #0x0002\n"
        "	cbnz	x1, 2f\n"
        "	hvc	#0\n"
        "	b	1b\n"
        "2:	smc	#0\n"
        "	b	1b\n"
        ".popsection\n");

void tool_main(void)
{
	u64 seconds = platform_arg("seconds", 0), start = timer_count(), last = start, on = 0;

	while (seconds == 0 || timer_count() - start < timer_ticks(seconds * SECOND_US)) {
		for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
			on += psci_call(PSCI_CPU_ON64, platform.mpidr[cpu], (u64)storm_entry,
			                platform.psci_smc) == PSCI_SUCCESS;
		if (timer_count() - last < timer_ticks(SECOND_US))
			continue;
		print("cpustorm: %lu on\n", on);
		last = timer_count();
	}
	print("cpustorm: end, %lu on\n", on);
}
