// SPDX-License-Identifier: Apache-2.0
// System registers and set/way operations that trap (trap/sysreg.c, idregs.c, setway.c): every encoding, read and written,
// from EL1 and EL0, by programs of 64 and of 32 bits. Either the instruction is over, or it is undefined, or (set/way) it
// is repeated.
#include "machine.h"

void fuzz_setup(void)
{
	machine_setup(MACHINE_GICV3);
}

static void machine_guest(struct fuzz_in *in)
{
	static const uint8_t classes[] = {EC_SYSREG,  EC_SYSREG,  EC_SYSREG,  EC_CP15_32,
	                                  EC_CP15_64, EC_CP14_32, EC_CP14_64, EC_CP14_LS};
	uint8_t what = fuzz_u8(in);
	if (what >= 250) {
		machine_switch(fuzz_u8(in));
		return;
	}
	uint64_t ec = classes[what % 8], iss = fuzz_u32(in) & GENMASK_U64(24, 0);
	vcpu->frame.x[fuzz_u8(in) % 31] = fuzz_number(in);
	bool aarch32 = ec != EC_SYSREG;
	vcpu->frame.pstate = aarch32    ? 0x10 | (fuzz_u32(in) & GENMASK_U64(31, 28))
	                     : what & 8 ? 0
	                                : 5;
	vcpu->frame.pc = 0x40080000;
	fake_set_sysreg("vbar_el1", 0x40100000);
	fake_set_sysreg("esr_el2", field_put(ESR_EC, ec) | ESR_IL | iss);
	trap_handle(vcpu);
	uint64_t pc = vcpu->frame.pc;
	FUZZ_CHECK(pc == 0x40080000 || pc == 0x40080004 || (pc >= 0x40100000 && pc < 0x40100800));
}
