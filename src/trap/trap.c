// SPDX-License-Identifier: Apache-2.0
// The exception-class table: from ESR_EL2.EC to the function that knows what to do. Called by
// main/run.c after each synchronous exit. Source: Arm ARM, "ESR_EL2, Exception Syndrome Register".
#include "trap/trap.h"

#include "arm/features.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "hw/timer.h"
#include "vm/inject.h"
#include "vm/vm.h"

typedef void trap_function(struct vcpu *vcpu, uint64_t esr);

#define COND_ALWAYS 14

#define PARK_EAGER_MS 5000

// Whether an A32/T32 condition holds for these flags (Arm ARM, pseudocode ConditionHolds).
static bool condition_holds(unsigned cond, uint64_t pstate)
{
	bool n = (pstate & PSTATE_N) != 0, z = (pstate & PSTATE_Z) != 0;
	bool c = (pstate & PSTATE_C) != 0, v = (pstate & PSTATE_V) != 0;
	const bool base[8] = {z, c, n, v, c && !z, n == v, n == v && !z, true};
	bool holds = base[cond >> 1];
	return (cond & 1) != 0 && cond != 15 ? !holds : holds;
}

// The IT block's state after one instruction (pseudocode AArch32.ITAdvance).
static uint64_t advance_it(uint64_t pstate)
{
	uint64_t it = field_get(PSTATE_IT_HIGH, pstate) << 2 | field_get(PSTATE_IT_LOW, pstate);
	it = (it & 7) == 0 ? 0 : (it & 0xe0) | ((it << 1) & 0x1f);
	pstate &= ~(PSTATE_IT_HIGH | PSTATE_IT_LOW);
	return pstate | field_put(PSTATE_IT_HIGH, it >> 2) | field_put(PSTATE_IT_LOW, it & 3);
}

void trap_advance(struct vcpu *vcpu, uint64_t esr)
{
	vcpu->frame.pc += (esr & ESR_IL) != 0 ? 4 : 2;
	if ((vcpu->frame.pstate & PSTATE_AARCH32) != 0)
		vcpu->frame.pstate = advance_it(vcpu->frame.pstate) & ~PSTATE_SS;
	else
		vcpu->frame.pstate &= ~(PSTATE_BTYPE | PSTATE_SS);
}

// A trapped AArch32 instruction whose condition fails does nothing; the syndrome tells the condition.
static bool condition_failed(const struct vcpu *vcpu, uint64_t esr)
{
	uint64_t pstate = vcpu->frame.pstate;
	unsigned cond;
	if ((pstate & PSTATE_AARCH32) == 0)
		return false;
	if ((esr & ISS_CV) != 0) {
		cond = (unsigned)field_get(ISS_COND, esr);
	} else { // T32 without a valid syndrome: the IT state tells
		uint64_t it =
		        field_get(PSTATE_IT_HIGH, pstate) << 2 | field_get(PSTATE_IT_LOW, pstate);
		cond = it == 0 ? COND_ALWAYS : (unsigned)(it >> 4);
	}
	return !condition_holds(cond, pstate);
}

static void undefined(struct vcpu *vcpu, uint64_t esr UNUSED)
{
	inject_undefined(vcpu);
}

static void undefined32(struct vcpu *vcpu, uint64_t esr)
{
	if (condition_failed(vcpu, esr))
		trap_advance(vcpu, esr);
	else
		inject_undefined(vcpu);
}

static void cp15(struct vcpu *vcpu, uint64_t esr)
{
	if (condition_failed(vcpu, esr))
		trap_advance(vcpu, esr);
	else if (!sysreg_trap_cp15(vcpu, esr))
		inject_undefined(vcpu);
}

static void fpsimd(struct vcpu *vcpu, uint64_t esr)
{
	if (condition_failed(vcpu, esr))
		trap_advance(vcpu, esr);
	else
		vcpu_fp_take(vcpu); // and the instruction is repeated
}

// A core of a Raspberry Pi that waits in the firmware's start code, for a store that nobody tells Mezzo about: it
// looks every millisecond, and less often when nobody has wanted it for some seconds.
static bool is_parked(const struct vcpu *vcpu)
{
	return vcpu->frame.pc - vcpu->vm->park < vcpu->vm->park_size;
}

static void wait_parked(struct vcpu *vcpu)
{
	uint64_t now = timer_now() - vcpu->vm->cntvoff;
	vcpu->waiting = true;
	vcpu->wait_until = now + timer_from_ms(timer_to_ms(now) < PARK_EAGER_MS ? 1 : 10);
}

// Not trapped on a CPU that the vCPU owns alone.
static void wait(struct vcpu *vcpu, uint64_t esr)
{
	enum { WFI, WFE, WFIT, WFET };
	unsigned rn = (unsigned)field_get(ISS_WFX_RN, esr);
	if (condition_failed(vcpu, esr)) {
		trap_advance(vcpu, esr);
		return;
	}
	trap_advance(vcpu, esr);
	if (UNLIKELY(is_parked(vcpu))) {
		wait_parked(vcpu);
		return;
	}
	switch (field_get(ISS_WFX_TI, esr)) {
	case WFI: vcpu->waiting = true; break;
	case WFIT:
		vcpu->waiting = true;
		vcpu->wait_until = (esr & ISS_WFX_RV) != 0 ? vcpu_reg(vcpu, rn) : 0;
		break;
	case WFE:
	case WFET: (void)sched_yield_to_sibling(vcpu); break;
	}
}

static void unknown(struct vcpu *vcpu, uint64_t esr)
{
	vm_crash(vcpu, "an exit that Mezzo does not know: exception class %#lx, syndrome %#lx",
	         field_get(ESR_EC, esr), esr);
}

static trap_function *const table[64] = {
        [EC_UNKNOWN] = undefined,
        [EC_WFX] = wait,
        [EC_CP15_32] = cp15,
        [EC_CP15_64] = cp15,
        [EC_CP14_32] = undefined32,
        [EC_CP14_LS] = undefined32,
        [EC_FPSIMD] = fpsimd,
        [EC_CP10_ID] = undefined32,
        [EC_PAUTH] = undefined,
        [EC_CP14_64] = undefined32,
        [EC_ILLEGAL_STATE] = undefined,
        [EC_HVC64] = smccc_hvc,
        [EC_SMC32] = undefined32,
        [EC_SMC64] = smccc_smc,
        [EC_SYSREG] = sysreg_trap,
        [EC_SVE] = undefined,
        [EC_ERET] = undefined,
        [EC_SME] = undefined,
        [EC_IABT_LOWER] = abort_instruction,
        [EC_DABT_LOWER] = abort_data,
};

void trap_handle(struct vcpu *vcpu)
{
	uint64_t esr = read_sysreg(esr_el2);
	uint64_t ec = field_get(ESR_EC, esr);
	uint32_t at = vcpu->history_next++ % ARRAY_SIZE(vcpu->history);
	vcpu->history[at].pc = vcpu->frame.pc;
	vcpu->history[at].esr = esr;
	vcpu->history[at].far = read_sysreg(far_el2); // means something for aborts alone
	vcpu->last_trap = read_sysreg(cntpct_el0);
	vcpu->exits_by_class[ec]++;
	trap_function *handle = table[ec];
	if (handle != NULL)
		handle(vcpu, esr);
	else
		unknown(vcpu, esr);
}

void trap_serror(struct vcpu *vcpu)
{
	vm_log(vcpu->vm,
	       "the bus reported an error (SError, syndrome %#lx) while vCPU %u ran: passed on to "
	       "it",
	       read_sysreg(esr_el2), vcpu->id);
	vcpu->exits_by_class[EC_SERROR]++;
	write_sysreg(read_sysreg(hcr_el2) | HCR_VSE, hcr_el2);
	if (feature_has(FEATURE_RAS))
		write_sysreg(0, S3_4_C5_C2_3); // VSESR_EL2: nothing known about it
}
