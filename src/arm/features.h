// SPDX-License-Identifier: Apache-2.0
// What this board's CPUs can do, read from their ID registers before any register that depends on it
// is touched.
#ifndef ARM_FEATURES_H
#define ARM_FEATURES_H

#include "base/bits.h"
#include "base/types.h"

enum feature {
	FEATURE_PAUTH,   // pointer authentication keys exist
	FEATURE_FWB,     // stage 2 can force write-back
	FEATURE_VMID16,  // 16-bit VMIDs
	FEATURE_FGT,     // fine-grained traps
	FEATURE_HCX,     // HCRX_EL2
	FEATURE_SVE,     // ZCR_EL2
	FEATURE_SME,     // SMCR_EL2
	FEATURE_MTE,     // tag registers
	FEATURE_RAS,     // VSESR_EL2, DISR
	FEATURE_VHE,     // E2H
	FEATURE_GICV3,   // GIC system registers
	FEATURE_AA32EL0, // AArch32 at EL0
	FEATURE_RNDR,    // true random numbers by RNDR
	FEATURE_ECV,     // enhanced counter virtualization
	FEATURE_LOR,     // limited ordering regions
	FEATURE_SPE,     // statistical profiling
	FEATURE_TRACE,   // trace registers by system register access
	FEATURE_TRF,     // self-hosted trace
	FEATURE_PMU,
	FEATURE_XNX, // stage 2 XN distinguishes EL0 and EL1
	FEATURE_CRC32,
	FEATURE_PAN,
	FEATURE_DIT,
	FEATURE_SSBS,
	FEATURE_TWED, // the trap of WFE can be delayed
	FEATURE_COUNT
};

// A bit for each enum feature that every CPU has. Fixed once the boot CPU has probed; a CPU that lacks
// what the boot CPU has is not taken into service.
extern uint64_t features_present;

static inline bool feature_has(enum feature feature)
{
	return (features_present & BIT_U64(feature)) != 0;
}

// Reads this CPU's ID registers. On the boot CPU it sets the answers; on another it returns the name
// of a feature the boot CPU has and this one lacks, or NULL.
const char *features_probe(bool boot);

// Physical address bits that EL2 and stage 2 may use: 32..48.
unsigned features_pa_bits(void);

#endif
