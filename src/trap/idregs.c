// SPDX-License-Identifier: Apache-2.0
// The ID registers as guests see them: the CPU's own, less what Mezzo does not virtualise. A field is
// shown only if it stands here, so a feature of a later CPU is hidden until somebody has thought
// about it. Owns the view; fixed after boot. Called by trap/sysreg.c for accesses that HCR_EL2.TID3
// traps. Source: Arm ARM, "AArch64 System Register Descriptions" and "AArch32 ...", ID registers.
#include "trap/idregs.h"

#include "arm/sysreg.h"
#include "base/bits.h"
#include "vm/vm.h"

#define FIELD(shift) GENMASK_U64((shift) + 3, (shift))
#define ALL          GENMASK_U64(63, 0)
#define LOW32        GENMASK_U64(31, 0)

// CRm, op2, encoding, the fields that are shown.
#define ID_REGISTERS(ROW)                                                                      \
	/* AArch32, for programs at EL0. Hidden: RAS, AMU; PMU and trace; virtualization. */   \
	ROW(1, 0, S3_0_C0_C1_0, LOW32 & ~(FIELD(28) | FIELD(20))) /* ID_PFR0_EL1 */            \
	ROW(1, 1, S3_0_C0_C1_1, LOW32 & ~(FIELD(12) | FIELD(28))) /* ID_PFR1_EL1 */            \
	ROW(1, 2, S3_0_C0_C1_2, FIELD(0) | FIELD(4) | FIELD(8))   /* ID_DFR0_EL1 */            \
	ROW(1, 4, S3_0_C0_C1_4, LOW32)                            /* ID_MMFR0_EL1 */           \
	ROW(1, 5, S3_0_C0_C1_5, LOW32)                                                         \
	ROW(1, 6, S3_0_C0_C1_6, LOW32)                                                         \
	ROW(1, 7, S3_0_C0_C1_7, LOW32)                                                         \
	ROW(2, 0, S3_0_C0_C2_0, LOW32) /* ID_ISAR0_EL1 */                                      \
	ROW(2, 1, S3_0_C0_C2_1, LOW32)                                                         \
	ROW(2, 2, S3_0_C0_C2_2, LOW32)                                                         \
	ROW(2, 3, S3_0_C0_C2_3, LOW32)                                                         \
	ROW(2, 4, S3_0_C0_C2_4, LOW32)                                                         \
	ROW(2, 5, S3_0_C0_C2_5, LOW32)                                                         \
	ROW(2, 6, S3_0_C0_C2_6, LOW32 & ~FIELD(16)) /* ID_MMFR4_EL1, less LSM of EL2 tables */ \
	ROW(2, 7, S3_0_C0_C2_7, LOW32)              /* ID_ISAR6_EL1 */                         \
	ROW(3, 0, S3_0_C0_C3_0, LOW32)              /* MVFR0_EL1 */                            \
	ROW(3, 1, S3_0_C0_C3_1, LOW32)                                                         \
	ROW(3, 2, S3_0_C0_C3_2, LOW32)                                                         \
	ROW(3, 4, S3_0_C0_C3_4, FIELD(0) | FIELD(4)) /* ID_PFR2_EL1: CSV3, SSBS; not RAS */    \
	/* ID_AA64PFR0_EL1: FP, AdvSIMD, DIT, CSV2, CSV3. EL0, EL1 and GIC are set below. */   \
	ROW(4, 0, S3_0_C0_C4_0,                                                                \
	    FIELD(0) | FIELD(16) | FIELD(20) | FIELD(48) | FIELD(56) | FIELD(60))              \
	ROW(4, 1, S3_0_C0_C4_1, FIELD(0) | FIELD(4)) /* ID_AA64PFR1_EL1: BT, SSBS */           \
	/* ID_AA64DFR0_EL1: debug version, breakpoints, watchpoints, contexts, double lock */  \
	ROW(5, 0, S3_0_C0_C5_0, FIELD(0) | FIELD(12) | FIELD(20) | FIELD(28) | FIELD(36))      \
	ROW(6, 0, S3_0_C0_C6_0, ALL & ~FIELD(24)) /* ID_AA64ISAR0_EL1 without TME */           \
	/* ID_AA64ISAR1_EL1 without XS (HCRX_EL2) and LS64 (devices) */                        \
	ROW(6, 1, S3_0_C0_C6_1, ALL & ~(FIELD(56) | FIELD(60)))                                \
	/* ID_AA64ISAR2_EL1: RPRES, GPA3, APA3, BC, PAC_frac, CLRBHB. Not WFxT: QEMU */        \
	/* reports a trapped WFIT as a WFI, and nothing would wake the vCPU in time */         \
	ROW(6, 2, S3_0_C0_C6_2,                                                                \
	    FIELD(4) | FIELD(8) | FIELD(12) | FIELD(20) | FIELD(24) | FIELD(28))               \
	/* ID_AA64MMFR0_EL1: PARange, ASIDs, endianness, stage 1 granules */                   \
	ROW(7, 0, S3_0_C0_C7_0,                                                                \
	    FIELD(0) | FIELD(4) | FIELD(8) | FIELD(16) | FIELD(20) | FIELD(24) | FIELD(28))    \
	/* ID_AA64MMFR1_EL1: HAFDBS, HPDS, PAN, ETS, AFP, nTLBPA */                            \
	ROW(7, 1, S3_0_C0_C7_1,                                                                \
	    FIELD(0) | FIELD(12) | FIELD(20) | FIELD(36) | FIELD(44) | FIELD(48))              \
	/* ID_AA64MMFR2_EL1: CnP, UAO, LSM, VARange, CCIDX, ST, AT, IDS, TTL, BBM, E0PD */     \
	ROW(7, 2, S3_0_C0_C7_2,                                                                \
	    FIELD(0) | FIELD(4) | FIELD(8) | FIELD(16) | FIELD(20) | FIELD(28) | FIELD(32) |   \
	            FIELD(36) | FIELD(48) | FIELD(52) | FIELD(60))

#define PFR0_EL0      FIELD(0)
#define PFR0_EL1      FIELD(4)
#define PFR0_GIC      FIELD(24)
#define PFR0_CSV2     FIELD(56)
#define PFR1_AA32_GIC FIELD(28)
#define DFR0_DEBUGVER FIELD(0)
#define DEBUGVER_V8_0 6
#define MMFR0_PARANGE FIELD(0)
#define MMFR1_PAN     FIELD(20)
#define MMFR1_HAFDBS  FIELD(0)

static uint64_t view[8][8];

// Lowers a field to `most`.
static uint64_t clamp(uint64_t value, uint64_t field, uint64_t most)
{
	return field_get(field, value) > most ? (value & ~field) | field_put(field, most) : value;
}

void idregs_init(void)
{
#define READ(crm, op2, name, shown) view[crm][op2] = read_sysreg(name) & (shown);
	ID_REGISTERS(READ)
	view[4][0] |= field_put(PFR0_EL1, 1);         // AArch64 alone: a guest kernel is 64-bit
	view[4][0] = clamp(view[4][0], PFR0_CSV2, 1); // SCXTNUM_ELx stay hidden
	view[5][0] = (view[5][0] & ~DFR0_DEBUGVER) | field_put(DFR0_DEBUGVER, DEBUGVER_V8_0);
	view[7][0] = clamp(view[7][0], MMFR0_PARANGE, 5); // 48 bits
	view[7][1] = clamp(view[7][1], MMFR1_HAFDBS, 2);  // not the table access flag
	view[7][1] = clamp(view[7][1], MMFR1_PAN, 3);
}

uint64_t idregs_read(const struct vm *vm, unsigned crm, unsigned op2)
{
	uint64_t value = view[crm & 7][op2 & 7];
	if (vm->gic_version >= 3) {
		if (crm == 4 && op2 == 0)
			value |= field_put(PFR0_GIC, 1);
		if (crm == 1 && op2 == 1)
			value |= field_put(PFR1_AA32_GIC, 1);
	}
	return value;
}
