// SPDX-License-Identifier: Apache-2.0
/*
 * Calls HVC and SMC numbers that nothing answers, a million times (`calls=N` for another count).
 * Each is NOT_SUPPORTED; the log is not flooded; time goes on.
 */
#include "test.h"

#define CALLS  1000000ul
#define NUMBER BITS(15, 0)
#define FIRST  0x1000ul /* of a range: functions below may exist */

void test_main(void)
{
	static const u64 ranges[] = {0x84000000, 0xc4000000, 0x86000000, 0xc6000000,
	                             0x82000000, 0xc3000000, 0x32000000, 0xbf000000};
	u64 calls = platform_arg("calls", CALLS), answered = 0, start = timer_count();

	for (u64 i = 0; i < calls; i++) {
		u64 regs[SMCCC_REGS] = {ranges[i % ARRAY_LEN(ranges)] | ((i + FIRST) & NUMBER) |
		                        FIRST};

		if (i % 2 == 0)
			smccc_hvc(regs);
		else
			smccc_smc(regs);
		answered += regs[0] != (u64)PSCI_NOT_SUPPORTED;
	}
	check_eq(answered, 0, "storm-nothing-answers");
	print("# %lu calls in %lu ms\n", calls, (timer_count() - start) / timer_ticks(1000));
}
