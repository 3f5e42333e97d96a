/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers, barriers and the fields that the test kernels look at.
 * Source: Arm Architecture Reference Manual for A-profile, "AArch64 System register
 * descriptions".
 */
#ifndef GUEST_SYSREG_H
#define GUEST_SYSREG_H

#include "bits.h"

#define STR1(x) #x
#define STR(x)  STR1(x)

/* By name, or by encoding with SREG(): op0, op1, CRn, CRm, op2. */
#define SREG(op0, op1, crn, crm, op2) S##op0##_##op1##_C##crn##_C##crm##_##op2

#define read_sysreg(name)                                                        \
	({                                                                       \
		u64 value_;                                                      \
		__asm__ volatile("mrs %0, " STR(name) : "=r"(value_)::"memory"); \
		value_;                                                          \
	})
#define write_sysreg(name, v)                                                         \
	do {                                                                          \
		u64 value_ = (v);                                                     \
		__asm__ volatile("msr " STR(name) ", %x0" ::"rZ"(value_) : "memory"); \
	} while (0)

#define isb()    __asm__ volatile("isb" ::: "memory")
#define dsb(how) __asm__ volatile("dsb " #how ::: "memory")
#define dmb(how) __asm__ volatile("dmb " #how ::: "memory")
#define wfi()    __asm__ volatile("wfi" ::: "memory")
#define wfe()    __asm__ volatile("wfe" ::: "memory")
#define sev()    __asm__ volatile("sev" ::: "memory")

static inline void irq_enable(void)
{
	__asm__ volatile("msr daifclr, #2" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("msr daifset, #2" ::: "memory");
}

/* ESR_EL1 */
#define ESR_EC      BITS(31, 26)
#define ESR_IL      BIT(25)
#define ESR_ISS     BITS(24, 0)
#define ESR_DFSC    BITS(5, 0)
#define ESR_WNR     BIT(6)
#define ESR_EA      BIT(9)
#define ESR_FNV     BIT(10)
#define ESR_CM      BIT(8)
#define ESR_IMM16   BITS(15, 0)
#define EC_UNKNOWN  0x00
#define EC_CP15     0x03
#define EC_CP14     0x05
#define EC_FP       0x07
#define EC_SVC32    0x11
#define EC_SVC64    0x15
#define EC_SYSREG   0x18
#define EC_SVE      0x19
#define EC_IABT_LOW 0x20
#define EC_IABT     0x21
#define EC_PC_ALIGN 0x22
#define EC_DABT_LOW 0x24
#define EC_DABT     0x25
#define EC_SP_ALIGN 0x26
#define EC_SERROR   0x2f
#define EC_BRK      0x3c
#define FSC_SEA     0x10 /* synchronous external abort, not on a table walk */
#define FSC_ALIGN   0x21
#define FSC_TYPE    BITS(5, 2)
#define FSC_TRANSL  0x1

/* SPSR_EL1 */
#define SPSR_M      BITS(4, 0)
#define SPSR_EL0T   0x0
#define SPSR_EL1T   0x4
#define SPSR_EL1H   0x5
#define SPSR_A32USR 0x10
#define SPSR_T32    BIT(5)
#define SPSR_DAIF   BITS(9, 6)
#define SPSR_DAIF32 BITS(8, 6) /* A, I, F as an AArch32 state has them */

/* SCTLR_EL1 */
#define SCTLR_M    BIT(0)
#define SCTLR_C    BIT(2)
#define SCTLR_I    BIT(12)
#define SCTLR_RES1 (BIT(29) | BIT(28) | BIT(23) | BIT(22) | BIT(20) | BIT(11) | BIT(8) | BIT(7))

/* The rest */
#define MPIDR_AFF   (BITS(39, 32) | BITS(23, 0))
#define MPIDR_U     BIT(30)
#define MPIDR_RES1  BIT(31)
#define CPACR_FPEN  BITS(21, 20)
#define PFR0_EL0    BITS(3, 0)
#define PFR0_GIC    BITS(27, 24)
#define PFR0_RAS    BITS(31, 28)
#define PFR0_SVE    BITS(35, 32)
#define PFR0_MPAM   BITS(43, 40)
#define PFR0_AMU    BITS(47, 44)
#define PFR1_MTE    BITS(11, 8)
#define PFR1_SME    BITS(27, 24)
#define DFR0_TRACE  BITS(7, 4)
#define DFR0_PMU    BITS(11, 8)
#define DFR0_SPE    BITS(35, 32)
#define DFR0_TRF    BITS(43, 40)
#define EL0_AARCH32 2
#define DAIF_I      BIT(7)
#define CNT_ENABLE  BIT(0)
#define CNT_IMASK   BIT(1)
#define CNT_ISTATUS BIT(2)

#endif
