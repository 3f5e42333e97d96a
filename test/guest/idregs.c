// SPDX-License-Identifier: Apache-2.0
/*
 * The ID registers: every one of their space can be read, all CPUs say the same, what is said
 * absent is undefined when touched, what is said present works. Under Mezzo the features that it
 * does not virtualise are absent.
 * Source: Arm ARM, "ID registers"; threats H2 and H3 in kind.
 */
#include "test.h"

#include "code.h"
#include "mmu.h"

#define CPACR_ALL (BITS(17, 16) | BITS(25, 24)) /* SVE and SME not trapped to EL1 */

#define CRMS 8u
#define OPS  8u

#define PFR0  4, 0
#define PFR1  4, 1
#define DFR0  5, 0
#define ISAR0 6, 0
#define ISAR1 6, 1
#define MMFR1 7, 1

static u64 views[MAX_CPUS][CRMS][OPS];
static u32 readers[CRMS][OPS][2] __attribute__((aligned(64)));

static u64 id(u32 crm, u32 op2)
{
	return views[0][crm][op2];
}

static void test_readable(void)
{
	group_begin("idregs-readable");
	for (u32 crm = 1; crm < CRMS; crm++) {
		for (u32 op2 = 0; op2 < OPS; op2++) {
			u64 v = 0xdead;
			struct exc_record r = code_run(code_mrs(3, 0, 0, crm, op2), &v);

			group_eq(exc_class(&r), NO_EXC, "S3_0_C0_C%u_%u", crm, op2);
			views[0][crm][op2] = v;
		}
	}
	group_end();
	group_begin("idregs-read-only");
	for (u32 crm = 1; crm < CRMS; crm++) {
		for (u32 op2 = 0; op2 < OPS; op2++) {
			u64 v = 0;
			struct exc_record r = code_run(code_msr(3, 0, 0, crm, op2), &v);

			group_eq(exc_class(&r), EC_UNKNOWN, "write of S3_0_C0_C%u_%u", crm, op2);
		}
	}
	group_end();
}

static void read_all(u64 cpu)
{
	for (u32 crm = 1; crm < CRMS; crm++) {
		for (u32 op2 = 0; op2 < OPS; op2++)
			views[cpu][crm][op2] = ((u64(*)(void))(u64)readers[crm][op2])();
	}
}

static void test_same_everywhere(unsigned cpus)
{
	for (u32 crm = 1; crm < CRMS; crm++) {
		for (u32 op2 = 0; op2 < OPS; op2++) {
			readers[crm][op2][0] = code_mrs(3, 0, 0, crm, op2);
			readers[crm][op2][1] = 0xd65f03c0; /* ret */
		}
	}
	cache_sync_code((u64)readers, sizeof(readers));
	group_begin("idregs-same-on-all-cpus");
	for (unsigned cpu = 1; cpu < cpus; cpu++) {
		group_eq(smp_call(cpu, read_all, cpu), true, "CPU %u", cpu);
		for (u32 crm = 1; crm < CRMS; crm++) {
			for (u32 op2 = 0; op2 < OPS; op2++)
				group_eq(views[cpu][crm][op2], id(crm, op2),
				         "S3_0_C0_C%u_%u on CPU %u", crm, op2, cpu);
		}
	}
	group_end();
}

/* A feature's field, and a register that exists only with it. */
static const struct feature {
	const char *name;
	u32 crm, op2, shift, from; /* present from this value on */
	u32 instruction;           /* mrs of the register */
	bool hidden;               /* by Mezzo */
} features[] = {
#define R(op0, op1, crn, crm, op2) \
	0xd5200000u | (op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5
        {"SVE", PFR0, 32, 1, R(3, 0, 1, 2, 0), true},
        {"SME", PFR1, 24, 1, R(3, 0, 1, 2, 6), true},
        {"SME at EL0", PFR1, 24, 1, R(3, 3, 4, 2, 2), true},
        {"MTE", PFR1, 8, 2, R(3, 0, 1, 0, 6), true},
        {"MTE faults", PFR1, 8, 2, R(3, 0, 5, 6, 0), true},
        {"AMU", PFR0, 44, 1, R(3, 3, 13, 2, 0), true},
        {"RAS", PFR0, 28, 1, R(3, 0, 5, 3, 0), true},

        {"MPAM", PFR0, 40, 1, R(3, 0, 10, 5, 0), true},
        {"SPE", DFR0, 32, 1, R(3, 0, 9, 9, 0), true},
        {"trace", DFR0, 4, 1, R(2, 1, 0, 1, 0), true},
        {"trace filter", DFR0, 40, 1, R(3, 0, 1, 2, 1), true},
        {"PMU", DFR0, 8, 1, R(3, 3, 9, 12, 0), false},
        {"LOR", MMFR1, 16, 1, R(3, 0, 10, 4, 7), true},
        {"RNDR", ISAR0, 60, 1, R(3, 3, 2, 4, 0), false},
        {"GIC registers", PFR0, 24, 1, R(3, 0, 12, 12, 5), false},
        {"virtualization", 0, 0, 0, 1, R(3, 4, 1, 1, 0), false},
        {"EL3", 0, 0, 0, 1, R(3, 6, 1, 1, 0), false},
};

static void test_promises(void)
{
	u64 cpacr = read_sysreg(cpacr_el1);

	/* EL1's own traps come first: open them. */
	write_sysreg(cpacr_el1, cpacr | CPACR_ALL);
	isb();
	group_strict("idregs-absent-is-undefined");
	for (u32 i = 0; i < ARRAY_LEN(features); i++) {
		const struct feature *f = &features[i];
		u64 field = f->crm == 0 ? 0 : id(f->crm, f->op2) >> f->shift & 0xf, x0 = 0;
		struct exc_record r = code_run(f->instruction, &x0);

		if (field == 0xf && f->crm == 5 && f->shift == 8)
			field = 0; /* a PMU that is not Arm's */
		if (field < f->from)
			group_eq(exc_class(&r), EC_UNKNOWN, "%s", f->name);
	}
	group_end();
	group_begin("idregs-present-works");
	for (u32 i = 0; i < ARRAY_LEN(features); i++) {
		const struct feature *f = &features[i];
		u64 field = f->crm == 0 ? 0 : id(f->crm, f->op2) >> f->shift & 0xf, x0 = 0;
		struct exc_record r = code_run(f->instruction, &x0);

		/* Not yet enabled at EL1 it may trap there, but it is not undefined. */
		if (field >= f->from && field != 0xf)
			group_eq(exc_class(&r) != EC_UNKNOWN, true, "%s", f->name);
	}
	group_end();
	write_sysreg(cpacr_el1, cpacr);
	isb();
	if (!test_under_mezzo())
		return;
	group_begin("idregs-hidden");
	for (u32 i = 0; i < ARRAY_LEN(features); i++) {
		const struct feature *f = &features[i];

		if (f->hidden)
			group_eq((id(f->crm, f->op2) >> f->shift & 0xf) < f->from, true, "%s",
			         f->name);
	}
	group_end();
}

static u64 word[2] __attribute__((aligned(64)));

/* Instructions that the registers promise. */
static void test_instructions(void)
{
	u64 atomic = id(ISAR0) >> 20 & 0xf, crc = id(ISAR0) >> 16 & 0xf, x0 = (u64)word;
	struct exc_record r;

	group_begin("idregs-instructions");
	r = code_run(0xb8200000, &x0); /* ldadd w0, w0, [x0] */
	if (atomic != 0)
		group_eq(exc_class(&r), NO_EXC, "atomics");
	else
		group_eq(exc_class(&r), EC_UNKNOWN, "no atomics");
	r = code_run(0x9ac04c00, &x0); /* crc32x w0, w0, x0 */
	group_eq(exc_class(&r), crc != 0 ? NO_EXC : EC_UNKNOWN, "CRC32");
	r = code_run(0xd503201f | 8 << 5, &x0); /* pacia1716, a hint */
	group_eq(exc_class(&r), NO_EXC, "hints are never undefined");
	r = code_run(0x00000000, &x0); /* udf */
	group_eq(exc_class(&r), EC_UNKNOWN, "udf");
	group_end();
}

void test_main(void)
{
	unsigned cpus = smp_start_all();

	test_readable();
	test_same_everywhere(cpus);
	test_promises();
	test_instructions();
	if (platform.gic_version == 3)
		check_eq(id(PFR0) >> 24 & 0xf, 1, "idregs-gicv3");
	if (test_under_mezzo())
		check_eq(id(PFR0) >> 4 & 0xf, 1, "idregs-el1-is-64-bit");
}
