// SPDX-License-Identifier: Apache-2.0
// Calls of a guest (trap/smccc.c, psci.c): any function with any arguments from any vCPU, while others come and go. A
// call leaves alone what it may not touch, and a vCPU is only ever in a state that PSCI knows.
#include "machine.h"

void fuzz_setup(void)
{
	machine_setup(MACHINE_GICV3);
}

static uint64_t argument(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);
	if (how < 100)
		return how % 8; // a vCPU, a level
	return how < 180 ? machine_ram(in) & ~UINT64_C(3) : machine_value(in);
}

static void machine_guest(struct fuzz_in *in)
{
	static const uint32_t first[] = {0x84000000, 0xc4000000, 0x80000000, 0xc5000020,
	                                 0x8600ff00, 0xc6000000, 0x84000050, 0xc4000050};
	uint8_t what = fuzz_u8(in);
	if (what >= 240) {
		machine_switch(fuzz_u8(in));
		return;
	}
	uint64_t before[31];
	for (unsigned i = 1; i < 8; i++)
		vcpu->frame.x[i] = argument(in);
	vcpu->frame.x[0] = what < 200 ? first[what % 8] + fuzz_u8(in) % 24 : fuzz_number(in);
	memcpy(before, vcpu->frame.x, sizeof before);
	bool smc = (what & 8) != 0;
	struct vcpu *caller = vcpu;
	uint64_t pc = vcpu->frame.pc;
	uint64_t esr = field_put(ESR_EC, smc ? EC_SMC64 : EC_HVC64) | ESR_IL;
	fake_set_sysreg("esr_el2", esr);
	trap_handle(vcpu);
	FUZZ_CHECK(caller->frame.pc == pc + (smc ? 4 : 0) || (uint32_t)before[0] != before[0] ||
	           caller->request != 0 || machine->state != VM_RUNNING);
	for (unsigned i = 4; i < 31; i++) // SMCCC 1.1: these are kept
		FUZZ_CHECK(caller->frame.x[i] == before[i]);
	for (unsigned i = 0; i < MACHINE_VCPUS; i++)
		FUZZ_CHECK(machine->vcpu[i]->power <= VCPU_ON);
}
