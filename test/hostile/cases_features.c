// SPDX-License-Identifier: Apache-2.0
/*
 * Class H2: registers and instructions of features that ID registers hide. Each row is one feature, with its own
 * trap bits at EL2; what is absent is undefined, and what is present does not end in EL2.
 * Source: Arm ARM, "Feature identification"; threat H2 in kind (the bit was RES0 when the code was written).
 */
#include "hostile.h"

#define CPACR_ALL BITS(29, 16) /* FP, SVE, SME: EL1's own traps are open */
#define X(op0, op1, crn, crm, op2) \
	((u32)(0xd5200000u | (op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5))
#define READ_BIT ((u32)BIT(21))

static u64 id(u32 crm, u32 op2)
{
	u64 v = 0;

	(void)code_run(code_mrs(3, 0, 0, crm, op2), &v);
	return v;
}

/* Reads and writes each; undefined if the feature is absent, otherwise anything but another class. */
static void registers(bool present, const u32 *mrs, u32 count)
{
	u64 cpacr = read_sysreg(cpacr_el1), pfr0 = read_sysreg(id_aa64pfr0_el1);

	write_sysreg(cpacr_el1, cpacr | CPACR_ALL);
	isb();
	for (u32 i = 0; i < count; i++) {
		u64 x0 = 0x55;
		struct exc_record r = code_run(mrs[i], &x0);

		if (!present) {
			want_undefined(&r, "read 0x%x", mrs[i]);
			want_eq(x0, 0x55, "what read 0x%x left", mrs[i]);
		} else {
			want_true(r.count <= 1, "read 0x%x ends", mrs[i]);
		}
		u64 back = present && r.count == 0 ? x0 : ~0ul;
		r = code_run(mrs[i] & ~READ_BIT, &back);
		if (!present)
			want_undefined(&r, "write 0x%x", mrs[i]);
	}
	want_eq(read_sysreg(id_aa64pfr0_el1), pfr0, "ID_AA64PFR0_EL1");
	write_sysreg(cpacr_el1, cpacr);
	isb();
}

/* Each instruction, with x0 pointing at memory that is the case's own. */
static void instructions(bool present, const u32 *words, u32 count)
{
	u64 cpacr = read_sysreg(cpacr_el1);

	if (present)
		absent("the CPU has it and the guest may use it");
	write_sysreg(cpacr_el1, cpacr | CPACR_ALL);
	isb();
	for (u32 i = 0; i < count; i++) {
		u64 x0 = (u64)case_memory;
		struct exc_record r = code_run(words[i], &x0);

		want_undefined(&r, "instruction 0x%x", words[i]);
	}
	write_sysreg(cpacr_el1, cpacr);
	isb();
}

#define FEATURE(name, present, ...)                          \
	static void name(void)                               \
	{                                                    \
		static const u32 list[] = {__VA_ARGS__};     \
		registers((present), list, ARRAY_LEN(list)); \
	}
#define INSTRUCTIONS(name, present, ...)                        \
	static void name(void)                                  \
	{                                                       \
		static const u32 list[] = {__VA_ARGS__};        \
		instructions((present), list, ARRAY_LEN(list)); \
	}
#define HAS(crm, op2, hi, lo) (FIELD_GET(BITS(hi, lo), id(crm, op2)) != 0)

FEATURE(sve, HAS(4, 0, 35, 32), X(3, 0, 1, 2, 0))
INSTRUCTIONS(sve_code, HAS(4, 0, 35, 32), 0x04bf5000 /* rdvl x0, #0 */, 0x2518e3e0 /* ptrue p0.b */,
             0x25b8c000 /* dup z0.s, #0 */)
FEATURE(sme, HAS(4, 1, 27, 24), X(3, 0, 1, 2, 6), X(3, 0, 1, 2, 4), X(3, 3, 4, 2, 2),
        X(3, 3, 13, 0, 5))
FEATURE(mte, FIELD_GET(PFR1_MTE, id(4, 1)) > 1, X(3, 0, 1, 0, 5), X(3, 0, 1, 0, 6),
        X(3, 0, 5, 6, 0), X(3, 0, 5, 6, 1))
/* Nothing can make these undefined (HCR_EL2 has no trap for them), but no tag may be kept for anybody. */
static void mte_code(void)
{
	u64 tagged = (u64)case_memory | FIELD(BITS(59, 56), 5), x0 = tagged;
	struct exc_record r = code_run(0xd9200800 /* stg x0, [x0] */, &x0);

	if (FIELD_GET(PFR1_MTE, id(4, 1)) > 1)
		absent("the guest may use it");
	if (r.count == 0) {
		x0 = (u64)case_memory;
		r = code_run(0xd9600000 /* ldg x0, [x0] */, &x0);
		want_none(&r, "LDG where STG ran");
		want_eq(x0, (u64)case_memory, "address with the tag of its memory");
	} else {
		want_true(exc_class(&r) == EC_UNKNOWN || exc_class(&r) == EC_DABT, "class 0x%lx",
		          exc_class(&r));
	}
}
static bool has_pmu(void)
{
	u64 pmu = FIELD_GET(DFR0_PMU, id(5, 0));
	return pmu != 0 && pmu != 0xf;
}
FEATURE(pmu, has_pmu(), X(3, 3, 9, 12, 0), X(3, 3, 9, 12, 1), X(3, 3, 9, 12, 2), X(3, 3, 9, 12, 3),
        X(3, 0, 9, 14, 1), X(3, 0, 9, 14, 2))
FEATURE(pmu_counters, has_pmu(), X(3, 3, 9, 13, 0), X(3, 3, 14, 8, 0), X(3, 3, 14, 12, 0),
        X(3, 3, 14, 15, 7), X(3, 3, 9, 14, 0))
FEATURE(spe, HAS(5, 0, 35, 32), X(3, 0, 9, 9, 0), X(3, 0, 9, 9, 2), X(3, 0, 9, 10, 0),
        X(3, 0, 9, 10, 1), X(3, 0, 9, 10, 3))
FEATURE(trace, HAS(5, 0, 7, 4), X(2, 1, 0, 1, 0), X(2, 1, 0, 4, 0), X(2, 1, 0, 0, 6))
FEATURE(trace_filter, HAS(5, 0, 43, 40), X(3, 0, 1, 2, 1))
FEATURE(trace_buffer, HAS(5, 0, 47, 44), X(3, 0, 9, 11, 0), X(3, 0, 9, 11, 2))
FEATURE(amu, HAS(4, 0, 47, 44), X(3, 3, 13, 2, 0), X(3, 3, 13, 2, 1), X(3, 3, 13, 4, 0),
        X(3, 3, 13, 2, 4))
FEATURE(ras, HAS(4, 0, 31, 28), X(3, 0, 5, 3, 0), X(3, 0, 5, 3, 1), X(3, 0, 5, 4, 0),
        X(3, 0, 5, 4, 1))
FEATURE(mpam, HAS(4, 0, 43, 40), X(3, 0, 10, 5, 0), X(3, 0, 10, 5, 1))
FEATURE(lor, HAS(7, 1, 19, 16), X(3, 0, 10, 4, 0), X(3, 0, 10, 4, 3))
FEATURE(brbe, HAS(5, 0, 55, 52), X(2, 1, 9, 0, 0), X(2, 1, 9, 0, 1))
FEATURE(gcs, HAS(4, 1, 47, 44), X(3, 0, 2, 5, 0), X(3, 0, 2, 5, 1), X(3, 3, 2, 5, 1))
FEATURE(tcr2, HAS(7, 3, 3, 0), X(3, 0, 2, 0, 3))
FEATURE(indirection, HAS(7, 3, 11, 8), X(3, 0, 10, 2, 2), X(3, 0, 10, 2, 3))
FEATURE(overlay, HAS(7, 3, 19, 16), X(3, 0, 10, 2, 4), X(3, 3, 10, 2, 4))
FEATURE(sctlr2, HAS(7, 3, 7, 4), X(3, 0, 1, 0, 3))
FEATURE(scxtnum, FIELD_GET(BITS(59, 56), id(4, 0)) > 1 || HAS(4, 1, 35, 32), X(3, 0, 13, 0, 7),
        X(3, 3, 13, 0, 7))
INSTRUCTIONS(ls64, HAS(6, 1, 63, 60), 0xf83fd000 /* ld64b x0, [x0] */,
             0xf83f9000 /* st64b x0, [x0] */)
INSTRUCTIONS(transactions, HAS(6, 0, 27, 24), 0xd5233060 /* tstart x0 */, 0xd503307f /* tcommit */)
INSTRUCTIONS(mops, HAS(6, 2, 19, 16), 0x19010440 /* cpyfp */, 0x19c20420 /* setp */)

/* Where the CPU has no pointer authentication, or it is hidden, its keys are not there either. */
FEATURE(pauth,
        (id(6, 1) & BITS(31, 24)) != 0 || (id(6, 1) & BITS(11, 4)) != 0 ||
                (id(6, 2) & BITS(15, 8)) != 0,
        X(3, 0, 2, 1, 0), X(3, 0, 2, 2, 2), X(3, 0, 2, 3, 1))

CASES(rows) = {
        {"H2.1", "The control register of SVE.", "Undefined where ID registers have no SVE.", sve,
         0, 0},
        {"H2.2", "SVE instructions.", "Undefined where ID registers have no SVE.", sve_code, 0, 0},
        {"H2.3", "The registers of SME, TPIDR2_EL0 among them.",
         "Undefined where ID registers have no SME.", sme, 0, 0},
        {"H2.4", "The registers of memory tagging.", "Undefined where ID registers have no MTE.",
         mte, 0, 0},
        {"H2.5", "Stores a tag and loads it.", "Undefined, or no tag is kept.", mte_code,
         NEEDS_MEZZO, 0},
        {"H2.6", "Controls of the performance monitors.",
         "Undefined where ID registers have no PMU.", pmu, 0, 0},
        {"H2.7", "Counters of the performance monitors.",
         "Undefined where ID registers have no PMU.", pmu_counters, 0, 0},
        {"H2.8", "Statistical profiling and its buffer pointer.",
         "Undefined where ID registers have no SPE.", spe, 0, 0},
        {"H2.9", "The trace unit's registers.", "Undefined where ID registers have no trace.",
         trace, 0, 0},
        {"H2.10", "The trace filter.", "Undefined where ID registers have none.", trace_filter, 0,
         0},
        {"H2.11", "The trace buffer.", "Undefined where ID registers have none.", trace_buffer, 0,
         0},
        {"H2.12", "Activity monitors.", "Undefined where ID registers have no AMU.", amu, 0, 0},
        {"H2.13", "Error records.", "Undefined where ID registers have no RAS.", ras, 0, 0},
        {"H2.14", "Memory partitions.", "Undefined where ID registers have no MPAM.", mpam, 0, 0},
        {"H2.15", "Limited ordering regions.", "Undefined where ID registers have no LOR.", lor, 0,
         0},
        {"H2.16", "Branch records.", "Undefined where ID registers have no BRBE.", brbe, 0, 0},
        {"H2.17", "Guarded control stacks.", "Undefined where ID registers have no GCS.", gcs, 0,
         0},
        {"H2.18", "TCR2_EL1.", "Undefined where ID registers do not have it.", tcr2, 0, 0},
        {"H2.19", "Permission indirection.", "Undefined where ID registers have none.", indirection,
         0, 0},
        {"H2.20", "Permission overlays.", "Undefined where ID registers have none.", overlay, 0, 0},
        {"H2.21", "SCTLR2_EL1.", "Undefined where ID registers do not have it.", sctlr2, 0, 0},
        {"H2.22", "Software context numbers.", "Undefined where ID registers have none.", scxtnum,
         0, 0},
        {"H2.23", "Loads and stores of 64 bytes.", "Undefined where ID registers have none.", ls64,
         0, 0},
        {"H2.24", "Transactions.", "Undefined where ID registers have none.", transactions, 0, 0},
        {"H2.25", "Memory copy and set instructions.", "Undefined where ID registers have none.",
         mops, 0, 0},
        {"H2.26", "The keys of pointer authentication.", "Undefined where ID registers have none.",
         pauth, 0, 0},
};
