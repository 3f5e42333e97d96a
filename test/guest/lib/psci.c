// SPDX-License-Identifier: Apache-2.0
/*
 * SMCCC calls and PSCI.
 * Source: Arm Power State Coordination Interface, "PSCI functions"; SMC Calling Convention,
 * "Function Identifiers".
 */
#include "psci.h"

#include "exc.h"
#include "platform.h"
#include "sysreg.h"

#define FUNCTION_64 BIT(30)

s64 psci_call(u64 function, u64 a1, u64 a2, u64 a3)
{
	u64 regs[SMCCC_REGS] = {function, a1, a2, a3};

	if (platform.psci_smc)
		smccc_smc(regs);
	else
		smccc_hvc(regs);
	return (function & FUNCTION_64) != 0 ? (s64)regs[0] : (s64)(s32)regs[0];
}

void psci_system_off(void)
{
	psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

bool mezzo_present(void)
{
	u64 regs[SMCCC_REGS] = {MEZZO_VERSION};
	struct exc_record r = EXC_OF(smccc_hvc(regs));

	return r.count == 0 && (s32)regs[0] != PSCI_NOT_SUPPORTED && regs[0] != MEZZO_VERSION;
}
