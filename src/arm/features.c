// SPDX-License-Identifier: Apache-2.0
// The CPU's features as one table: which field of which ID register, and from what value on.
// Owns the set of features; filled on the boot CPU before the other CPUs start, constant after.
// Source: Arm ARM, "AArch64 System Register Descriptions", ID_AA64*_EL1.
#include "arm/features.h"

#include "arm/sysreg.h"

enum id_register { PFR0, PFR1, DFR0, ISAR0, ISAR1, MMFR0, MMFR1, MMFR2, ID_REGISTERS };

static const struct row {
	const char *name;
	uint8_t reg;     // enum id_register
	uint8_t shift;   // lowest bit of the 4-bit field
	uint8_t minimum; // the feature is there from this value on
	uint8_t absent; // ... but not at this one (0: no such value; 0xf marks "not implemented" in DFR0)
} rows[FEATURE_COUNT] = {
        [FEATURE_PAUTH] = {"PAuth", ISAR1, 4, 1, 0}, // APA; API, GPA, GPI are added below
        [FEATURE_FWB] = {"S2FWB", MMFR2, 40, 1, 0},
        [FEATURE_VMID16] = {"VMID16", MMFR1, 4, 2, 0},
        [FEATURE_FGT] = {"FGT", MMFR0, 56, 1, 0},
        [FEATURE_HCX] = {"HCX", MMFR1, 40, 1, 0},
        [FEATURE_SVE] = {"SVE", PFR0, 32, 1, 0},
        [FEATURE_SME] = {"SME", PFR1, 24, 1, 0},
        [FEATURE_MTE] = {"MTE", PFR1, 8, 2, 0},
        [FEATURE_RAS] = {"RAS", PFR0, 28, 1, 0},
        [FEATURE_VHE] = {"VHE", MMFR1, 8, 1, 0},
        [FEATURE_GICV3] = {"GICv3", PFR0, 24, 1, 0},
        [FEATURE_AA32EL0] = {"AArch32 EL0", PFR0, 0, 2, 0},
        [FEATURE_RNDR] = {"RNG", ISAR0, 60, 1, 0},
        [FEATURE_ECV] = {"ECV", MMFR0, 60, 1, 0},
        [FEATURE_LOR] = {"LOR", MMFR1, 16, 1, 0},
        [FEATURE_SPE] = {"SPE", DFR0, 32, 1, 0},
        [FEATURE_TRACE] = {"trace", DFR0, 4, 1, 0},
        [FEATURE_TRF] = {"TRF", DFR0, 40, 1, 0},
        [FEATURE_PMU] = {"PMU", DFR0, 8, 1, 15},
        [FEATURE_XNX] = {"XNX", MMFR1, 28, 1, 0},
        [FEATURE_CRC32] = {"CRC32", ISAR0, 16, 1, 0},
        [FEATURE_PAN] = {"PAN", MMFR1, 20, 1, 0},
        [FEATURE_DIT] = {"DIT", PFR0, 48, 1, 0},
        [FEATURE_SSBS] = {"SSBS", PFR1, 4, 1, 0},
        [FEATURE_TWED] = {"TWED", MMFR1, 32, 1, 0},
};

uint64_t features_present;
static unsigned pa_bits = 32;

static void read_registers(uint64_t id[ID_REGISTERS])
{
	id[PFR0] = read_sysreg(id_aa64pfr0_el1);
	id[PFR1] = read_sysreg(id_aa64pfr1_el1);
	id[DFR0] = read_sysreg(id_aa64dfr0_el1);
	id[ISAR0] = read_sysreg(id_aa64isar0_el1);
	id[ISAR1] = read_sysreg(id_aa64isar1_el1);
	id[MMFR0] = read_sysreg(id_aa64mmfr0_el1);
	id[MMFR1] = read_sysreg(id_aa64mmfr1_el1);
	id[MMFR2] = read_sysreg(id_aa64mmfr2_el1);
}

unsigned features_pa_bits(void)
{
	return pa_bits;
}

const char *features_probe(bool boot)
{
	static const uint8_t bits[] = {32, 36, 40, 42, 44, 48}; // by PARange
	uint64_t id[ID_REGISTERS], found = 0;
	read_registers(id);
	for (unsigned i = 0; i < FEATURE_COUNT; i++) {
		uint64_t value = (id[rows[i].reg] >> rows[i].shift) & 0xf;
		if (value >= rows[i].minimum && (rows[i].absent == 0 || value != rows[i].absent))
			found |= BIT_U64(i);
	}
	if ((id[ISAR1] & (GENMASK_U64(11, 4) | GENMASK_U64(31, 24))) != 0 ||
	    (read_sysreg(S3_0_C0_C6_2) & GENMASK_U64(15, 8)) != 0) // ID_AA64ISAR2_EL1: GPA3, APA3
		found |= BIT_U64(FEATURE_PAUTH);
	unsigned range = (unsigned)(id[MMFR0] & 0xf);
	unsigned width = range < ARRAY_SIZE(bits) ? bits[range] : 48;
	if (boot) {
		features_present = found;
		pa_bits = width;
		return NULL;
	}
	if (width < pa_bits)
		return "physical address bits";
	for (unsigned i = 0; i < FEATURE_COUNT; i++)
		if ((features_present & ~found & BIT_U64(i)) != 0)
			return rows[i].name;
	return NULL;
}
