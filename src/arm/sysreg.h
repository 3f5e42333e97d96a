// SPDX-License-Identifier: Apache-2.0
// Reading and writing system registers by name. A name the assembler does not know is given by its
// encoding: S3_4_C12_C11_0.
#ifndef ARM_SYSREG_H
#define ARM_SYSREG_H

#include "base/types.h"

#define SYSREG_STRING_(x) #x
#define SYSREG_STRING(x)  SYSREG_STRING_(x)

#define read_sysreg(reg)                                                              \
	({                                                                            \
		uint64_t sysreg_read_;                                                \
		__asm__ volatile("mrs %0, " SYSREG_STRING(reg) : "=r"(sysreg_read_)); \
		sysreg_read_;                                                         \
	})
#define write_sysreg(value, reg)                                   \
	do {                                                       \
		uint64_t sysreg_value_ = (value);                  \
		__asm__ volatile("msr " SYSREG_STRING(reg) ", %x0" \
		                 :                                 \
		                 : "rZ"(sysreg_value_)             \
		                 : "memory");                      \
	} while (0)

// The GICv3 CPU interface's EL2 registers, which older assemblers know only by encoding
// (Arm GIC Architecture Specification v3/v4, "AArch64 System register descriptions").
#define ICC_SRE_EL2     S3_4_C12_C9_5
#define ICH_HCR_EL2     S3_4_C12_C11_0
#define ICH_VTR_EL2     S3_4_C12_C11_1
#define ICH_MISR_EL2    S3_4_C12_C11_2
#define ICH_EISR_EL2    S3_4_C12_C11_3
#define ICH_ELRSR_EL2   S3_4_C12_C11_5
#define ICH_VMCR_EL2    S3_4_C12_C11_7
#define ICH_LR0_EL2     S3_4_C12_C12_0
#define ICH_LR1_EL2     S3_4_C12_C12_1
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_DIR_EL1     S3_0_C12_C11_1
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SGI1R_EL1   S3_0_C12_C11_5
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_SRE_EL1     S3_0_C12_C12_5

// Registers of optional features, by encoding for the same reason.
#define CPUACTLR_EL1    S3_1_C15_C2_0
#define CPUECTLR_EL1    S3_1_C15_C2_1
#define ZCR_EL3         S3_6_C1_C2_0
#define SMCR_EL3        S3_6_C1_C2_6
#define CNTPS_CTL_EL1   S3_7_C14_C2_1
#define HFGRTR_EL2      S3_4_C1_C1_4
#define HFGWTR_EL2      S3_4_C1_C1_5
#define HFGITR_EL2      S3_4_C1_C1_6
#define HDFGRTR_EL2     S3_4_C3_C1_4
#define HDFGWTR_EL2     S3_4_C3_C1_5
#define HCRX_EL2        S3_4_C1_C2_2
#define CNTPOFF_EL2     S3_4_C14_C0_6
#define VSESR_EL2       S3_4_C5_C2_3
#define VDISR_EL2       S3_4_C12_C1_1
#define ICC_SRE_EL3     S3_6_C12_C12_5
#define ICC_CTLR_EL3    S3_6_C12_C12_4
#define ICC_IGRPEN0_EL1 S3_0_C12_C12_6

#endif
