// SPDX-License-Identifier: Apache-2.0
// Loads and stores of devices without a syndrome (trap/decode.c, trap/emulate.c): any word as the instruction, any registers,
// any place that the CPU reports, mostly one that goes with the instruction; and now and then another idea of endianness.
// An instruction that is not passed over has changed no register.
#include "machine.h"

#include "trap/decode.h"

void fuzz_setup(void)
{
	machine_setup(MACHINE_GICV3);
}

static uint32_t any_word(struct fuzz_in *in)
{
	static const uint32_t some[] = {0x29400c22, 0xa8c10c22, 0x4c000020, 0xad400c22,
	                                0x3dc00022, 0xb8404422, 0x0d40c422, 0xa9be0fe2};
	uint8_t how = fuzz_u8(in);
	if (how < 64)
		return some[how % ARRAY_SIZE(some)];
	uint32_t word = fuzz_u32(in);
	return how < 240 ? (word | BIT_U32(27)) & ~BIT_U32(25) : word; // loads and stores
}

// Makes the base such that the instruction goes to `at`, where one register is enough for that.
static void aim(const struct decoded *d, uint64_t at)
{
	uint64_t base = at - (d->index == DECODE_POST ? 0 : (uint64_t)d->offset);
	if (d->rn == 31) {
		fake_set_sysreg("sp_el1", base);
		fake_set_sysreg("sp_el0", base);
	} else if (d->rn < 31) {
		vcpu->frame.x[d->rn] = base;
	}
	if (d->rm < 31 && d->index != DECODE_POST && d->rm != d->rn)
		vcpu->frame.x[d->rm] = 0;
}

static void odd_state(struct fuzz_in *in)
{
	static const uint8_t modes[] = {MODE_EL0T, MODE_EL1T, MODE_EL1H, MODE_EL1H};
	uint8_t how = fuzz_u8(in);
	vcpu->frame.pstate = (fuzz_u32(in) & (PSTATE_PAN | PSTATE_SS)) | modes[how % 4];
	fake_set_sysreg("cpacr_el1", field_put(CPACR_FPEN, how >> 6));
	fake_set_sysreg("sctlr_el1", how & 16 ? SCTLR_EL1_EE | SCTLR_EL1_E0E : 0);
}

static void machine_guest(struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	if (what >= 230) {
		machine_switch(fuzz_u8(in));
		odd_state(in);
		return;
	}
	uint32_t word = any_word(in);
	struct decoded d = decode(word);
	uint64_t at = machine_register(in, 0, machine->mmio.count), far = at;
	if (what < 200)
		far = at & ~UINT64_C(15);
	vcpu->frame.pc = machine->ram_base + PAGE_SIZE + (what & 15) * 4u;
	FUZZ_CHECK(vm_dma_write(machine, IPA(vcpu->frame.pc), &word, sizeof word) == 0);
	vcpu->frame.x[fuzz_u8(in) % 31] = machine_value(in);
	aim(&d, far);
	if (what >= 190)
		far += fuzz_u8(in) % 80u;
	bool write = what < 220 ? !d.load : what & 1;
	struct vcpu before = *vcpu;
	uint64_t pc = vcpu->frame.pc;
	fake_set_sysreg("far_el2", far);
	fake_set_sysreg("hpfar_el2", field_put(HPFAR_FIPA, far >> PAGE_SHIFT));
	fake_set_sysreg("esr_el2", field_put(ESR_EC, EC_DABT_LOWER) | ESR_IL | FSC_TRANSLATION | 3 |
	                                   (write ? ISS_WNR : 0));
	struct vcpu *self = vcpu;
	trap_handle(self);
	uint64_t mode = self->frame.pstate & (PSTATE_AARCH32 | PSTATE_MODE);
	FUZZ_CHECK(mode == MODE_EL0T || mode == MODE_EL1T || mode == MODE_EL1H);
	if (self->frame.pc == pc + 4)
		return;
	for (unsigned i = 0; i < 31; i++)
		FUZZ_CHECK(self->frame.x[i] == before.frame.x[i]);
	FUZZ_CHECK(memcmp(&self->fp, &before.fp, sizeof before.fp) == 0);
}
