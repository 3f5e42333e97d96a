// SPDX-License-Identifier: Apache-2.0
// Calls of a guest to its firmware and hypervisor: HVC and SMC, by the SMC Calling Convention. One
// table of ranges; what no row knows is NOT_SUPPORTED. Nothing is ever passed on to the board's
// firmware but Arm's own workaround calls. docs/hypercalls.md describes Mezzo's range.
// Source: Arm SMC Calling Convention (DEN 0028), "Arm Architecture Calls", "Vendor Specific Hypervisor
// Service Calls"; Arm True Random Number Generator Firmware Interface (DEN 0098); Arm Paravirtualized Time
// (DEN 0057).
#include "arm/smccc.h"
#include "arm/features.h"
#include "arm/random.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "hw/psci_client.h"
#include "trap/trap.h"
#include "vm/pvtime.h"
#include "vm/vm.h"

#define NOT_SUPPORTED ((uint64_t)-1)
#define NOT_REQUIRED  1

#define ARCH_VERSION      SMCCC_VERSION
#define ARCH_FEATURES     0x80000001
#define ARCH_WORKAROUND_1 0x80008000
#define ARCH_WORKAROUND_2 0x80007fff
#define ARCH_WORKAROUND_3 0x80003fff

#define TRNG_VERSION            0x84000050
#define TRNG_FEATURES           0x84000051
#define TRNG_GET_UUID           0x84000052
#define TRNG_RND32              0x84000053
#define TRNG_RND64              0xc4000053
#define TRNG_VERSION_1_0        0x10000
#define TRNG_INVALID_PARAMETERS ((uint64_t)-2)
#define TRNG_NO_ENTROPY         ((uint64_t)-3)

#define PV_TIME_FEATURES 0xc5000020
#define PV_TIME_ST       0xc5000021

#define HYP_UID      0x8600ff01
#define HYP_REVISION 0x8600ff03

// Mezzo's own calls (docs/hypercalls.md).
#define MEZZO_VERSION     0xc6000000
#define MEZZO_NULL        SMCCC_MEZZO_NULL
#define MEZZO_SELF        0xc6000002
#define MEZZO_LOG         0xc6000003
#define MEZZO_ABI_VERSION 1
#define MEZZO_FEATURES    0x7 // bit n: call 0xc6000001 + n exists
#define MEZZO_LOG_MAX     160 // bytes of one line
#define MEZZO_INVALID     ((uint64_t)-2)
#define MEZZO_FAULT       ((uint64_t)-3)

// Serves a call of its range; false: it has no such function.
typedef bool call(struct vcpu *vcpu, uint32_t function);

static void result(struct vcpu *vcpu, uint64_t x0)
{
	vcpu->frame.x[0] = x0;
}

// ---- Arm architecture calls ----

// Whether the firmware below Mezzo implements an Arm workaround call, in its own words.
static uint64_t firmware_says(uint32_t function)
{
	uint64_t in[8] = {ARCH_FEATURES, function}, out[4];
	return psci_client_call(in, out) == 0 ? (uint64_t)(int64_t)(int32_t)out[0] : NOT_SUPPORTED;
}

// CPUs that need no workaround 1, 2 or 3: in-order cores, by MIDR part number.
static bool is_in_order(void)
{
	static const uint16_t parts[] = {0xd03, 0xd04, 0xd05}; // Cortex-A53, A35, A55
	uint64_t part = field_get(GENMASK_U64(15, 4), read_sysreg(midr_el1));
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i] == part)
			return true;
	return false;
}

static uint64_t workaround_state(uint32_t function)
{
	bool csv2 = (read_sysreg(id_aa64pfr0_el1) & GENMASK_U64(59, 56)) != 0;
	if (is_in_order() || (function == ARCH_WORKAROUND_1 && csv2))
		return NOT_REQUIRED;
	return firmware_says(function);
}

static bool arch_call(struct vcpu *vcpu, uint32_t function)
{
	uint32_t asked = (uint32_t)vcpu->frame.x[1];
	uint64_t where;
	switch (function) {
	case ARCH_VERSION: result(vcpu, SMCCC_VERSION_1_2); break;
	case ARCH_FEATURES:
		if (asked == ARCH_VERSION || asked == ARCH_FEATURES)
			result(vcpu, 0);
		else if (asked == ARCH_WORKAROUND_1 || asked == ARCH_WORKAROUND_2 ||
		         asked == ARCH_WORKAROUND_3)
			result(vcpu, workaround_state(asked));
		else if (asked == PV_TIME_FEATURES)
			result(vcpu, pvtime_address(vcpu, &where) ? 0 : NOT_SUPPORTED);
		else
			result(vcpu, NOT_SUPPORTED);
		break;
	case ARCH_WORKAROUND_1:
	case ARCH_WORKAROUND_2:
	case ARCH_WORKAROUND_3:
		if (workaround_state(function) == 0) {
			uint64_t in[8] = {function, vcpu->frame.x[1]}, out[4];
			(void)psci_client_call(in, out);
		}
		result(vcpu, 0);
		break;
	default: return false;
	}
	return true;
}

// ---- PSCI and the random number service, which share a range ----

static void trng_random(struct vcpu *vcpu, unsigned word_bits)
{
	uint64_t bits = vcpu->frame.x[1], word[3] = {0};
	uint64_t mask = word_bits == 64 ? ~UINT64_C(0) : BIT_U64(word_bits) - 1;
	if (word_bits == 32)
		bits = (uint32_t)bits;
	if (bits == 0 || bits > 3 * word_bits) {
		result(vcpu, TRNG_INVALID_PARAMETERS);
		return;
	}
	for (unsigned i = 0; i < 3 && bits > 0; i++) {
		if (!random_word(&word[i])) {
			result(vcpu, TRNG_NO_ENTROPY);
			return;
		}
		word[i] &= mask;
		if (bits < word_bits)
			word[i] &= BIT_U64(bits) - 1;
		bits -= bits < word_bits ? bits : word_bits;
	}
	result(vcpu, 0);
	for (unsigned i = 0; i < 3; i++)
		vcpu->frame.x[3 - i] = word[i]; // the lowest bits come in x3
}

// A source is true or it is not offered: without FEAT_RNG there is none.
static bool trng_call(struct vcpu *vcpu, uint32_t function)
{
	uint32_t asked = (uint32_t)vcpu->frame.x[1];
	if (!feature_has(FEATURE_RNDR)) {
		result(vcpu, NOT_SUPPORTED);
		return true;
	}
	switch (function) {
	case TRNG_VERSION: result(vcpu, TRNG_VERSION_1_0); break;
	case TRNG_FEATURES:
		result(vcpu, (asked >= TRNG_VERSION && asked <= TRNG_RND32) || asked == TRNG_RND64
		                     ? 0
		                     : NOT_SUPPORTED);
		break;
	case TRNG_GET_UUID: // of this source: the CPU's own instruction, offered by Mezzo
		result(vcpu, 0x21c4d5a6);
		vcpu->frame.x[1] = 0x4f6be5d7;
		vcpu->frame.x[2] = 0x9a2f3c88;
		vcpu->frame.x[3] = 0x5e107b93;
		break;
	case TRNG_RND32: trng_random(vcpu, 32); break;
	case TRNG_RND64: trng_random(vcpu, 64); break;
	default: return false;
	}
	return true;
}

static bool standard_call(struct vcpu *vcpu, uint32_t function)
{
	uint64_t x0;
	if ((function >= TRNG_VERSION && function <= TRNG_RND32) || function == TRNG_RND64)
		return trng_call(vcpu, function);
	if (!psci_call(vcpu, function, &x0))
		return false;
	result(vcpu, x0);
	return true;
}

// ---- stolen time, the one standard call of hypervisors ----

static bool standard_hypervisor_call(struct vcpu *vcpu, uint32_t function)
{
	uint32_t asked = (uint32_t)vcpu->frame.x[1];
	uint64_t where;
	bool has = pvtime_address(vcpu, &where);
	switch (function) {
	case PV_TIME_FEATURES:
		result(vcpu, has && (asked == PV_TIME_FEATURES || asked == PV_TIME_ST)
		                     ? 0
		                     : NOT_SUPPORTED);
		break;
	case PV_TIME_ST: result(vcpu, has ? where : NOT_SUPPORTED); break;
	default: return false;
	}
	return true;
}

// ---- the hypervisor's own ----

static void log_call(struct vcpu *vcpu)
{
	char line[MEZZO_LOG_MAX + 1];
	uint64_t length = vcpu->frame.x[2];
	if (length > MEZZO_LOG_MAX) {
		result(vcpu, MEZZO_INVALID);
		return;
	}
	if (vm_read_memory(vcpu->vm, IPA(vcpu->frame.x[1]), line, length) != 0) {
		result(vcpu, MEZZO_FAULT);
		return;
	}
	for (uint64_t i = 0; i < length; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '.'; // a guest cannot move the cursor of whoever reads the log
	line[length] = 0;
	vm_log(vcpu->vm, "vCPU %u says: %s", vcpu->id, line);
	result(vcpu, 0);
}

static bool hypervisor_call(struct vcpu *vcpu, uint32_t function)
{
	switch (function) {
	case HYP_UID: // 6b1f3a52-9c0e-4d87-b5a4-2e70c1d8f963
		result(vcpu, 0x523a1f6b);
		vcpu->frame.x[1] = 0x874d0e9c;
		vcpu->frame.x[2] = 0x702ea4b5;
		vcpu->frame.x[3] = 0x63f9d8c1;
		break;
	case HYP_REVISION:
		result(vcpu, MEZZO_ABI_VERSION);
		vcpu->frame.x[1] = 0;
		break;
	case MEZZO_VERSION:
		result(vcpu, MEZZO_ABI_VERSION);
		vcpu->frame.x[1] = MEZZO_FEATURES;
		break;
	case MEZZO_NULL: result(vcpu, 0); break;
	case MEZZO_SELF:
		result(vcpu, vcpu->vm->id);
		vcpu->frame.x[1] = vcpu->id;
		break;
	case MEZZO_LOG: log_call(vcpu); break;
	default: return false;
	}
	return true;
}

static const struct {
	uint32_t owner; // bits 31 (fast), 29:24 (owner) of the function; bit 30 (64-bit) is any
	call *handle;
} owners[] = {
        {0x80000000, arch_call},
        {0x84000000, standard_call},
        {0x85000000, standard_hypervisor_call},
        {0x86000000, hypervisor_call},
};
#define OWNER_MASK 0xbf000000U

static void dispatch(struct vcpu *vcpu)
{
	uint32_t function = (uint32_t)vcpu->frame.x[0];
	for (unsigned i = 0; i < ARRAY_SIZE(owners); i++)
		if ((function & OWNER_MASK) == owners[i].owner && owners[i].handle(vcpu, function))
			return;
	vcpu->unknown_calls++;
	vm_log(vcpu->vm, "vCPU %u made a call that nothing answers: %#x", vcpu->id, function);
	result(vcpu, NOT_SUPPORTED);
}

void smccc_hvc(struct vcpu *vcpu, uint64_t esr)
{
	if ((esr & GENMASK_U64(15, 0)) == 0) // the convention has no other immediate
		dispatch(vcpu);
	else
		result(vcpu, NOT_SUPPORTED);
}

void smccc_smc(struct vcpu *vcpu, uint64_t esr)
{
	trap_advance(vcpu, esr); // a trapped SMC has not been executed
	if ((esr & GENMASK_U64(15, 0)) == 0)
		dispatch(vcpu);
	else
		result(vcpu, NOT_SUPPORTED);
}
