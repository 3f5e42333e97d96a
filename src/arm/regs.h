// SPDX-License-Identifier: Apache-2.0
// Fields of the system registers that Mezzo builds or reads. Only what is used.
// Source: Arm Architecture Reference Manual for A-profile, the page of each register.
#ifndef ARM_REGS_H
#define ARM_REGS_H

// ---- numbers that the assembler needs too ----
#define HCR_EL2_RW_BIT  31
#define HCR_EL2_E2H_BIT 34

// SCTLR_EL2: RES1 bits, then what Mezzo wants.
#define SCTLR_EL2_RES1     0x30c50830
#define SCTLR_EL2_M        0x1     // MMU on
#define SCTLR_EL2_A        0x2     // alignment checked: the compiler keeps to it too
#define SCTLR_EL2_C        0x4     // data cacheable
#define SCTLR_EL2_SA       0x8     // stack pointer aligned
#define SCTLR_EL2_I        0x1000  // instructions cacheable
#define SCTLR_EL2_WXN      0x80000 // what can be written is never executed
#define SCTLR_EL2_ENIA_BIT 31      // FEAT_PAuth: PACIASP and AUTIASP sign and check
#define SCTLR_EL2_BT_BIT   36      // FEAT_BTI: PACIASP is a landing pad for calls alone
#define SCTLR_EL2_ON \
	(SCTLR_EL2_RES1 | SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_SA | SCTLR_EL2_I | SCTLR_EL2_WXN)
#define SCTLR_EL1_RES1 0x30d00800
#define SCTLR_EL3_RES1 0x30c50830

// MAIR: the memory types that EL2's tables name by index.
#define MAIR_DEVICE_NGNRE 0x04
#define MAIR_NORMAL_WB    0xff
#define MAIR_INDEX_DEVICE 0
#define MAIR_INDEX_NORMAL 1
#define MAIR_VALUE        (MAIR_DEVICE_NGNRE | (MAIR_NORMAL_WB << 8))

// TCR_EL2: 48-bit addresses, 4 KiB granule, walks cacheable and inner shareable. PS is added at run
// time from ID_AA64MMFR0_EL1.PARange (clamped to 48 bits).
#define TCR_EL2_RES1      0x80800000
#define TCR_T0SZ_48       16
#define TCR_IRGN0_WB      0x100
#define TCR_ORGN0_WB      0x400
#define TCR_SH0_INNER     0x3000
#define TCR_EL2_BASE      (TCR_EL2_RES1 | TCR_T0SZ_48 | TCR_IRGN0_WB | TCR_ORGN0_WB | TCR_SH0_INNER)
#define TCR_EL2_PS_SHIFT  16
#define TCR_EL1_EPD1      0x800000 // no TTBR1 walks
#define TCR_EL1_IPS_SHIFT 32

#define CPTR_EL2_BOOT 0x33ff // RES1 bits: nothing trapped but SVE and SME; FP open

#define CURRENTEL_EL1 0x4
#define CURRENTEL_EL2 0x8
#define CURRENTEL_EL3 0xc

#define SPSR_EL2H_MASKED 0x3c9 // EL2h, DAIF masked
#define SPSR_EL1H_MASKED 0x3c5

#define MPIDR_AFFINITY_FIELDS 0xff00ffffff

#ifndef __ASSEMBLER__
#include "base/bits.h"

// HCR_EL2
#define HCR_VM       BIT_U64(0) // stage 2 on
#define HCR_SWIO     BIT_U64(1) // set/way invalidate also cleans
#define HCR_PTW      BIT_U64(2) // a stage 1 walk that hits stage 2 Device memory faults
#define HCR_FMO      BIT_U64(3) // physical FIQ to EL2, virtual FIQ on
#define HCR_IMO      BIT_U64(4) // physical IRQ to EL2, virtual IRQ on
#define HCR_AMO      BIT_U64(5) // physical SError to EL2, virtual SError on
#define HCR_VF       BIT_U64(6)
#define HCR_VI       BIT_U64(7)
#define HCR_VSE      BIT_U64(8)  // virtual SError pending
#define HCR_FB       BIT_U64(9)  // TLB and I-cache maintenance is broadcast within the inner domain
#define HCR_BSU_IS   BIT_U64(10) // barriers reach at least the inner domain
#define HCR_DC       BIT_U64(12)
#define HCR_TWI      BIT_U64(13)
#define HCR_TWE      BIT_U64(14)
#define HCR_TID0     BIT_U64(15)
#define HCR_TID1     BIT_U64(16)
#define HCR_TID2     BIT_U64(17) // cache identification registers
#define HCR_TID3     BIT_U64(18) // ID registers
#define HCR_TSC      BIT_U64(19) // SMC
#define HCR_TIDCP    BIT_U64(20) // implementation defined registers
#define HCR_TACR     BIT_U64(21) // ACTLR_EL1
#define HCR_TSW      BIT_U64(22) // set/way cache maintenance
#define HCR_TVM      BIT_U64(26) // writes of the memory control registers
#define HCR_TDZ      BIT_U64(28)
#define HCR_RW       BIT_U64(31) // EL1 is AArch64
#define HCR_TLOR     BIT_U64(35) // limited ordering regions
#define HCR_E2H      BIT_U64(34)
#define HCR_TERR     BIT_U64(36) // RAS error records
#define HCR_APK      BIT_U64(40) // pointer authentication keys not trapped
#define HCR_API      BIT_U64(41) // pointer authentication not trapped
#define HCR_FWB      BIT_U64(46) // stage 2 attributes override stage 1's
#define HCR_FIEN     BIT_U64(47)
#define HCR_AMVOFFEN BIT_U64(51)
#define HCR_ENSCXT   BIT_U64(53)
#define HCR_ATA      BIT_U64(56)
#define HCR_TWEDEN   BIT_U64(59) // the trap of WFE is delayed by TWEDEL (FEAT_TWED)
#define HCR_TWEDEL   GENMASK_U64(63, 60)

// ESR_ELx
#define ESR_EC              GENMASK_U64(31, 26)
#define ESR_IL              BIT_U64(25)
#define ESR_ISS             GENMASK_U64(24, 0)
#define EC_UNKNOWN          0x00
#define EC_WFX              0x01
#define EC_CP15_32          0x03
#define EC_CP15_64          0x04
#define EC_CP14_32          0x05
#define EC_CP14_LS          0x06
#define EC_FPSIMD           0x07
#define EC_CP10_ID          0x08
#define EC_PAUTH            0x09
#define EC_CP14_64          0x0c
#define EC_BTI              0x0d
#define EC_ILLEGAL_STATE    0x0e
#define EC_SVC32            0x11
#define EC_HVC32            0x12
#define EC_SMC32            0x13
#define EC_SVC64            0x15
#define EC_HVC64            0x16
#define EC_SMC64            0x17
#define EC_SYSREG           0x18
#define EC_SVE              0x19
#define EC_ERET             0x1a
#define EC_PAC_FAIL         0x1c
#define EC_SME              0x1d
#define EC_IABT_LOWER       0x20
#define EC_IABT_SAME        0x21
#define EC_PC_ALIGN         0x22
#define EC_DABT_LOWER       0x24
#define EC_DABT_SAME        0x25
#define EC_SP_ALIGN         0x26
#define EC_SERROR           0x2f
#define EC_BREAKPOINT_LOWER 0x30
#define EC_BRK64            0x3c

// ISS of data and instruction aborts
#define ISS_ISV           BIT_U64(24)
#define ISS_SAS           GENMASK_U64(23, 22)
#define ISS_SSE           BIT_U64(21)
#define ISS_SRT           GENMASK_U64(20, 16)
#define ISS_SF            BIT_U64(15)
#define ISS_FNV           BIT_U64(10)
#define ISS_EA            BIT_U64(9)
#define ISS_CM            BIT_U64(8)
#define ISS_S1PTW         BIT_U64(7)
#define ISS_WNR           BIT_U64(6)
#define ISS_FSC           GENMASK_U64(5, 0)
#define FSC_TYPE          GENMASK_U64(5, 2) // without the level
#define FSC_ADDRESS_SIZE  0x00
#define FSC_TRANSLATION   0x04
#define FSC_ACCESS_FLAG   0x08
#define FSC_PERMISSION    0x0c
#define FSC_EXTERNAL      0x10 // synchronous external abort, not on a walk
#define FSC_EXTERNAL_WALK 0x14 // on a walk, level in bits 1:0; 0x13 for level -1
#define FSC_TRANSLATION_1 0x2b // level -1
#define FSC_ALIGNMENT     0x21
#define FSC_EXCLUSIVE     0x35 // unsupported exclusive or atomic access

// ISS of a trapped MSR, MRS or system instruction
#define ISS_SYS_OP0  GENMASK_U64(21, 20)
#define ISS_SYS_OP2  GENMASK_U64(19, 17)
#define ISS_SYS_OP1  GENMASK_U64(16, 14)
#define ISS_SYS_CRN  GENMASK_U64(13, 10)
#define ISS_SYS_RT   GENMASK_U64(9, 5)
#define ISS_SYS_CRM  GENMASK_U64(4, 1)
#define ISS_SYS_READ BIT_U64(0)

// ISS of a trapped AArch32 instruction
// ISS of WFI, WFE and their forms with a timeout.
#define ISS_WFX_TI GENMASK_U64(1, 0) // enum wfx
#define ISS_WFX_RV BIT_U64(2)        // RN is valid
#define ISS_WFX_RN GENMASK_U64(9, 5) // holds the timeout

#define ISS_CV   BIT_U64(24)
#define ISS_COND GENMASK_U64(23, 20)

#define HPFAR_FIPA GENMASK_U64(43, 4)

// PSTATE as saved in SPSR_ELx
#define PSTATE_MODE    GENMASK_U64(3, 0)
#define PSTATE_AARCH32 BIT_U64(4)
#define PSTATE_F       BIT_U64(6)
#define PSTATE_I       BIT_U64(7)
#define PSTATE_A       BIT_U64(8)
#define PSTATE_D       BIT_U64(9)
#define PSTATE_T32     BIT_U64(5)
#define PSTATE_BTYPE   GENMASK_U64(11, 10)
#define PSTATE_IL      BIT_U64(20)
#define PSTATE_SS      BIT_U64(21)
#define PSTATE_IT_LOW  GENMASK_U64(26, 25) // IT[1:0], AArch32
#define PSTATE_IT_HIGH GENMASK_U64(15, 10) // IT[7:2], AArch32
#define PSTATE_E       BIT_U64(9)          // AArch32: data is big-endian
#define PSTATE_PAN     BIT_U64(22)
#define PSTATE_UAO     BIT_U64(23)
#define PSTATE_DIT     BIT_U64(24)
#define PSTATE_TCO     BIT_U64(25)
#define PSTATE_SSBS    BIT_U64(12)
#define PSTATE_ALLINT  BIT_U64(13)
#define PSTATE_N       BIT_U64(31)
#define PSTATE_Z       BIT_U64(30)
#define PSTATE_C       BIT_U64(29)
#define PSTATE_V       BIT_U64(28)
#define MODE_EL0T      0
#define MODE_EL1T      4
#define MODE_EL1H      5
#define MODE_EL2T      8
#define MODE_EL2H      9

// Exception vectors, from VBAR_ELx: where the exception came from
#define VECTOR_SP0       0x000 // the same level, with SP_EL0
#define VECTOR_SPX       0x200 // the same level, with its own SP
#define VECTOR_LOWER_A64 0x400
#define VECTOR_LOWER_A32 0x600

// SCTLR_EL1
#define SCTLR_M         BIT_U64(0)
#define SCTLR_C         BIT_U64(2)
#define SCTLR_I         BIT_U64(12)
#define SCTLR_EL1_SPAN  BIT_U64(23)
#define SCTLR_EL1_E0E   BIT_U64(24) // data is big-endian at EL0
#define SCTLR_EL1_EE    BIT_U64(25) // ... at EL1, and in its tables
#define SCTLR_EL1_DSSBS BIT_U64(44)

// CPACR_EL1
#define CPACR_FPEN GENMASK_U64(21, 20) // SIMD&FP registers, of whom:
#define FPEN_EL1   1
#define FPEN_ALL   3 // any other value: of nobody

// CPTR_EL2 (E2H = 0)
#define CPTR_RES1  0x33ff
#define CPTR_TZ    BIT_U64(8)
#define CPTR_TFP   BIT_U64(10)
#define CPTR_TSM   BIT_U64(12)
#define CPTR_TTA   BIT_U64(20)
#define CPTR_TAM   BIT_U64(30)
#define CPTR_TCPAC BIT_U64(31)

// MDCR_EL2
#define MDCR_HPMN  GENMASK_U64(4, 0)
#define MDCR_TPMCR BIT_U64(5)
#define MDCR_TPM   BIT_U64(6)
#define MDCR_TDE   BIT_U64(8)
#define MDCR_TDA   BIT_U64(9)
#define MDCR_TDOSA BIT_U64(10)
#define MDCR_TDRA  BIT_U64(11)
#define MDCR_TPMS  BIT_U64(14)
#define MDCR_TTRF  BIT_U64(19)
#define MDCR_TDCC  BIT_U64(27)

// SCR_EL3
#define SCR_NS     BIT_U64(0) // below EL3 the world is non-secure
#define SCR_RES1   GENMASK_U64(5, 4)
#define SCR_HCE    BIT_U64(8)  // HVC exists
#define SCR_RW     BIT_U64(10) // EL2 is AArch64
#define SCR_APK    BIT_U64(16) // pointer authentication keys not trapped
#define SCR_API    BIT_U64(17) // pointer authentication not trapped
#define SCR_ENSCXT BIT_U64(25) // SCXTNUM_ELx
#define SCR_ATA    BIT_U64(26) // allocation tags
#define SCR_FGTEN  BIT_U64(27) // fine-grained traps
#define SCR_ECVEN  BIT_U64(28) // CNTPOFF_EL2
#define SCR_HXEN   BIT_U64(38) // HCRX_EL2

// CPTR_EL3
#define CPTR_EL3_EZ  BIT_U64(8)  // SVE not trapped
#define CPTR_EL3_ESM BIT_U64(12) // SME not trapped

// MDCR_EL3
#define MDCR_EL3_NSPB GENMASK_U64(13, 12) // all ones: the profiling buffer is non-secure
#define MDCR_EL3_SDD  BIT_U64(16)         // no self-hosted debug in the secure world
#define MDCR_EL3_NSTB GENMASK_U64(25, 24) // all ones: the trace buffer is non-secure

// CNTHCTL_EL2 (E2H = 0)
#define CNTHCTL_EL1PCTEN BIT_U64(0) // CNTPCT_EL0 not trapped
#define CNTHCTL_EL1PCEN  BIT_U64(1) // CNTP_* not trapped

// ISR_EL1
#define ISR_IRQ BIT_U64(7)

// Generic timer control registers
#define CNT_CTL_ENABLE  BIT_U64(0)
#define CNT_CTL_IMASK   BIT_U64(1)
#define CNT_CTL_ISTATUS BIT_U64(2)

// VTCR_EL2
#define VTCR_RES1      BIT_U64(31)
#define VTCR_T0SZ      GENMASK_U64(5, 0)
#define VTCR_SL0       GENMASK_U64(7, 6)
#define VTCR_IRGN0_WB  field_put(GENMASK_U64(9, 8), 1)
#define VTCR_ORGN0_WB  field_put(GENMASK_U64(11, 10), 1)
#define VTCR_SH0_INNER field_put(GENMASK_U64(13, 12), 3)
#define VTCR_PS        GENMASK_U64(18, 16)
#define VTCR_VS        BIT_U64(19) // 16-bit VMIDs

#define VTTBR_VMID  GENMASK_U64(63, 48)
#define VTTBR_BADDR GENMASK_U64(47, 1)

// MPIDR_EL1
#define MPIDR_AFFINITY (GENMASK_U64(39, 32) | GENMASK_U64(23, 0))
#define MPIDR_RES1     BIT_U64(31)
#define MPIDR_U        BIT_U64(30)
#define MPIDR_AFF0     GENMASK_U64(7, 0)

// MIDR_EL1
#define MIDR_IMPLEMENTER     GENMASK_U64(31, 24)
#define MIDR_VARIANT         GENMASK_U64(23, 20)
#define MIDR_PART            GENMASK_U64(15, 4)
#define MIDR_REVISION        GENMASK_U64(3, 0)
#define MIDR_IMPLEMENTER_ARM 0x41
#define MIDR_CORTEX_A35      0xd04
#define MIDR_CORTEX_A53      0xd03
#define MIDR_CORTEX_A55      0xd05
#define MIDR_CORTEX_A57      0xd07
#define MIDR_CORTEX_A72      0xd08
#define MIDR_CORTEX_A73      0xd09
#define MIDR_CORTEX_A76      0xd0b
#define MIDR_NEOVERSE_N1     0xd0c
#define MIDR_CORTEX_A510     0xd46

#define PMCR_N GENMASK_U64(15, 11) // event counters

// CPUACTLR_EL1 of those cores: what it takes to avoid errata, by the names of their manuals
#define CPUACTLR_A53_DTAH        BIT_U64(24) // no transient or non-temporal hints: 836870
#define CPUACTLR_A53_ENDCCASCI   BIT_U64(44) // cleaning invalidates as well: 855873
#define CPUACTLR_A72_NO_PREFETCH BIT_U64(32) // of instructions: 859971
// CPUECTLR_EL1 of those cores
#define CPUECTLR_SMPEN           BIT_U64(6)

// ZCR_ELx, SMCR_ELx: the longest vectors there are
#define ZCR_LEN GENMASK_U64(3, 0)

#endif
#endif
