// SPDX-License-Identifier: Apache-2.0
// Every reason for which a guest leaves (trap/): any syndrome with any address and any registers, and between them what a
// guest does to be trapped in an odd state: tables and vectors anywhere, 32-bit programs, other vCPUs.
#include "machine.h"

void fuzz_setup(void)
{
	machine_setup(MACHINE_GICV3);
}

static void trap(uint64_t esr, uint64_t far, uint64_t ipa)
{
	fake_set_sysreg("esr_el2", esr);
	fake_set_sysreg("far_el2", far);
	fake_set_sysreg("hpfar_el2", field_put(HPFAR_FIPA, ipa >> PAGE_SHIFT));
	uint64_t pc = vcpu->frame.pc;
	trap_handle(vcpu);
	// What EL2 returns to is EL1 or EL0, whatever happened.
	uint64_t mode = vcpu->frame.pstate & 0x1f;
	FUZZ_CHECK(mode == 0 || mode == 4 || mode == 5 || mode == 0x10);
	(void)pc;
}

static void registers(struct fuzz_in *in)
{
	for (unsigned n = 1 + fuzz_u8(in) % 4; n > 0; n--)
		vcpu->frame.x[fuzz_u8(in) % 31] = machine_value(in);
}

static uint64_t place(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);
	if (how < 128)
		return machine_register(in, 0, machine->mmio.count);
	return how < 200 ? machine_ram(in) : fuzz_number(in) & GENMASK_U64(47, 0);
}

// A load or store, mostly one that a device could answer.
static void data_abort(struct fuzz_in *in)
{
	uint64_t ipa = place(in);
	uint64_t far = fuzz_u8(in) < 200 ? ipa : fuzz_number(in);
	uint64_t iss = fuzz_u32(in) & GENMASK_U64(24, 0);
	if ((iss & 0x300) != 0) // three of four: of a kind that has a syndrome
		iss = (iss & ~(ISS_FSC | ISS_S1PTW)) | ISS_ISV | 0x4 | (iss & 3);
	trap(field_put(ESR_EC, EC_DABT_LOWER) | ESR_IL | iss, far, ipa);
}

static void any_class(struct fuzz_in *in)
{
	uint64_t ec = fuzz_u8(in) % 64;
	uint64_t iss = fuzz_u32(in) & GENMASK_U64(25, 0);
	uint64_t far = machine_value(in);
	trap(field_put(ESR_EC, ec) | iss, far, place(in));
}

static void system_register(struct fuzz_in *in)
{
	uint64_t iss = fuzz_u32(in) & GENMASK_U64(21, 0);
	trap(field_put(ESR_EC, fuzz_u8(in) < 240 ? EC_SYSREG : EC_CP15_32) | ESR_IL | iss, 0, 0);
}

static void call(struct fuzz_in *in)
{
	static const uint32_t ranges[] = {0x80000000, 0x84000000, 0xc4000000, 0xc5000020,
	                                  0x8600ff00, 0xc6000000, 0x86000000, 0};
	uint8_t how = fuzz_u8(in);
	vcpu->frame.x[0] = how < 192 ? ranges[how % 8] + fuzz_u8(in) % 36 : fuzz_number(in);
	trap(field_put(ESR_EC, how & 32 ? EC_SMC64 : EC_HVC64) | ESR_IL, 0, 0);
}

// Where its tables and vectors are, and how it runs.
static void odd_state(struct fuzz_in *in)
{
	static const char *const names[] = {"ttbr0_el1", "ttbr1_el1", "vbar_el1", "tcr_el1",
	                                    "sctlr_el1", "elr_el1",   "spsr_el1", "mair_el1"};
	static const uint8_t modes[] = {0, 4, 5, 0x10};
	uint8_t what = fuzz_u8(in);
	if (what < 128)
		fake_set_sysreg(names[what % 8], machine_value(in));
	else if (what < 192)
		vcpu->frame.pc = machine_value(in);
	else
		vcpu->frame.pstate = (fuzz_u32(in) & GENMASK_U64(31, 6)) | modes[what % 4];
}

static void machine_guest(struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	if (what < 60)
		data_abort(in);
	else if (what < 90)
		any_class(in);
	else if (what < 130)
		system_register(in);
	else if (what < 160)
		call(in);
	else if (what < 190)
		registers(in);
	else if (what < 215)
		odd_state(in);
	else if (what < 225)
		machine_store(in);
	else if (what < 235)
		machine_switch(fuzz_u8(in));
	else if (what < 245)
		machine_pass(fuzz_number(in) & UINT32_MAX);
	else if (what < 250)
		machine_type(in);
	else
		trap_serror(vcpu);
}
