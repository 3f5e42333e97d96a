// SPDX-License-Identifier: Apache-2.0
// Taking an exception to EL1 on behalf of the hardware. Owns nothing; called by trap/.
// Source: Arm ARM, pseudocode AArch64.TakeException and "Exception entry".
#include "vm/inject.h"

#include "arm/features.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "vm/vm.h"

#define VECTOR_SAME_SP0 0x000
#define VECTOR_SAME_SPX 0x200
#define VECTOR_LOWER_64 0x400
#define VECTOR_LOWER_32 0x600
#define VECTORS_SIZE    0x800

static bool from_el0(const struct vcpu *vcpu)
{
	return (vcpu->frame.pstate & (PSTATE_AARCH32 | PSTATE_MODE)) == MODE_EL0T ||
	       (vcpu->frame.pstate & PSTATE_AARCH32) != 0;
}

static uint64_t vector_for(const struct vcpu *vcpu)
{
	uint64_t pstate = vcpu->frame.pstate;
	if ((pstate & PSTATE_AARCH32) != 0)
		return VECTOR_LOWER_32;
	if (from_el0(vcpu))
		return VECTOR_LOWER_64;
	return (pstate & PSTATE_MODE) == MODE_EL1H ? VECTOR_SAME_SPX : VECTOR_SAME_SP0;
}

// PSTATE at the handler's first instruction.
static uint64_t entry_pstate(uint64_t old)
{
	uint64_t sctlr = read_sysreg(sctlr_el1);
	uint64_t pstate = MODE_EL1H | PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F;
	pstate |= old & (PSTATE_N | PSTATE_Z | PSTATE_C | PSTATE_V);
	pstate |= old & (PSTATE_DIT | PSTATE_PAN); // in the same places when AArch32 was left
	if ((sctlr & SCTLR_EL1_SPAN) == 0 && feature_has(FEATURE_PAN))
		pstate |= PSTATE_PAN;
	if ((sctlr & SCTLR_EL1_DSSBS) != 0)
		pstate |= PSTATE_SSBS;
	if (feature_has(FEATURE_MTE))
		pstate |= PSTATE_TCO;
	return pstate;
}

static void take(struct vcpu *vcpu, uint64_t esr)
{
	uint64_t vector = vector_for(vcpu);
	write_sysreg(vcpu->frame.pc, elr_el1);
	write_sysreg(vcpu->frame.pstate, spsr_el1);
	write_sysreg(esr, esr_el1);
	vcpu->frame.pc = read_sysreg(vbar_el1) + vector;
	vcpu->frame.pstate = entry_pstate(vcpu->frame.pstate);
}

// ESR_ELx.IL is 1 for all that is injected here: an exception of unknown class, or an abort without a
// valid syndrome ("ESR_EL1", IL).
void inject_undefined(struct vcpu *vcpu)
{
	take(vcpu, field_put(ESR_EC, EC_UNKNOWN) | ESR_IL);
}

static uint64_t abort_status(int walk_level)
{
	return walk_level >= 0 ? FSC_EXTERNAL_WALK | (uint64_t)(walk_level & 3) : FSC_EXTERNAL;
}

void inject_data_fault(struct vcpu *vcpu, uint64_t far, uint64_t iss, uint64_t status)
{
	uint64_t ec = from_el0(vcpu) ? EC_DABT_LOWER : EC_DABT_SAME;
	uint64_t esr = field_put(ESR_EC, ec) | ESR_IL | (iss & (ISS_WNR | ISS_CM));
	write_sysreg(far, far_el1);
	take(vcpu, esr | status);
}

void inject_data_abort(struct vcpu *vcpu, uint64_t far, uint64_t iss, int walk_level)
{
	inject_data_fault(vcpu, far, iss, abort_status(walk_level));
}

void inject_instruction_abort(struct vcpu *vcpu, uint64_t far, int walk_level)
{
	uint64_t ec = from_el0(vcpu) ? EC_IABT_LOWER : EC_IABT_SAME;
	write_sysreg(far, far_el1);
	take(vcpu, field_put(ESR_EC, ec) | ESR_IL | abort_status(walk_level));
}

bool inject_would_loop(const struct vcpu *vcpu)
{
	uint64_t vbar = read_sysreg(vbar_el1);
	return !from_el0(vcpu) && vcpu->frame.pc - vbar < VECTORS_SIZE;
}
