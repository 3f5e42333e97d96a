// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H1 and H3: registers that a hypervisor forgets to close, and ID registers that promise what is not
 * there. Every encoding is gone through twice, from EL1 and from EL0.
 * Source: Arm ARM, "AArch64 System register encoding"; "Feature identification".
 */
#include "hostile.h"

#define COLUMNS  16u
#define FIELDS   8u
#define RET      0xd65f03c0u
#define SVC      0xd4000001u
#define MOV_X0_0 0xd2800000u
#define MODE_2H  9u
#define EC_ILL   0x0eu
#define SPSR_IL  BIT(20)
#define EC_SME   0x1du
#define ID_CRMS  8u

static u32 buffer[COLUMNS * FIELDS * 3 + 1] __attribute__((aligned(4096)));
static volatile u32 undefined, others, elsewhere;
static volatile u64 last_other;
static u64 window_base, window_bytes;

/* Counts what the code in the window runs into, and steps over it. */
static bool count_hook(struct exc_frame *frame, unsigned vector)
{
	u64 class = FIELD_GET(ESR_EC, frame->esr);

	if (vector % 4 != VEC_SYNC)
		return false;
	if (frame->elr - window_base >= window_bytes) {
		elsewhere++;
		return false;
	}
	if (class == EC_SVC64)
		exc_leave_el0(0);
	if (class == EC_UNKNOWN || class == EC_SYSREG)
		undefined++;
	else if (class != EC_SVE && class != EC_SME && class != EC_FP) {
		others++;
		last_other = frame->esr;
	}
	frame->elr += 4;
	return true;
}

/* Its own value is written back, but what must not be: SPSel, SGIs, random numbers that may take their time. */
static bool is_left_out(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2)
{
	return op0 == 3 &&
	       ((op1 == 0 && crn == 4 && crm == 2 && op2 == 0) ||
	        (op1 == 0 && crn == 12 && crm == 11) || (op1 == 3 && crn == 2 && crm == 4));
}

static u32 write_row(u32 *at, u32 op0, u32 op1, u32 crn)
{
	u32 n = 0;

	for (u32 crm = 0; crm < COLUMNS; crm++) {
		for (u32 op2 = 0; op2 < FIELDS; op2++) {
			if (is_left_out(op0, op1, crn, crm, op2))
				continue;
			at[n++] = MOV_X0_0;
			at[n++] = code_mrs(op0, op1, crn, crm, op2);
			at[n++] = code_msr(op0, op1, crn, crm, op2);
		}
	}
	return n;
}

static void row_at_el1(u32 op0, u32 op1, u32 crn)
{
	u32 n = write_row(buffer, op0, op1, crn);

	buffer[n] = RET;
	cache_sync_code((u64)buffer, sizeof(buffer));
	__asm__ volatile("blr %0" ::"r"(buffer) : "x0", "x30", "cc", "memory");
}

static void row_at_el0(u32 op0, u32 op1, u32 crn)
{
	static const u64 none[15];
	u32 *at = (u32 *)window_base;
	u32 n = write_row(at, op0, op1, crn);

	at[n] = SVC;
	cache_sync_code((u64)at, (n + 1) * sizeof(u32));
	exc_run_el0((u64)at, SPSR_EL0T | SPSR_DAIF, none, el0_area() + PAGE_BYTES);
}

#define KEPT(X)      \
	X(sctlr_el1) \
	X(ttbr0_el1) \
	X(ttbr1_el1) \
	X(tcr_el1) X(mair_el1) X(vbar_el1) X(cpacr_el1) X(tpidr_el1) X(midr_el1) X(mpidr_el1)
#define COUNT(reg) +1
#define KEPT_COUNT (0 KEPT(COUNT))

static void snapshot(u64 values[KEPT_COUNT])
{
	u32 n = 0;

#define SAVE(reg) values[n++] = read_sysreg(reg);
	KEPT(SAVE)
}

static void sweep(u32 op0, bool el0)
{
	u64 before[KEPT_COUNT], after[KEPT_COUNT];

	undefined = 0;
	others = 0;
	elsewhere = 0;
	window_base = el0 ? platform.ram_base + 8 * MIB : (u64)buffer;
	window_bytes = sizeof(buffer) + sizeof(u32);
	if (el0)
		mmu_map_user(window_base);
	snapshot(before);
	case_hook(count_hook);
	for (u32 op1 = 0; op1 < FIELDS; op1++) {
		for (u32 crn = 0; crn < COLUMNS; crn++) {
			if (el0)
				row_at_el0(op0, op1, crn);
			else
				row_at_el1(op0, op1, crn);
		}
	}
	case_hook(NULL);
	snapshot(after);
	want_eq(others, 0, "exceptions of other classes, the last 0x%lx", last_other);
	want_eq(elsewhere, 0, "exceptions elsewhere");
	want_true(undefined > 1000, "most are undefined");
	for (u32 i = 0; i < KEPT_COUNT; i++)
		want_eq(after[i], before[i], "kept register %u", i);
}

static void sweep_el1_op3(void)
{
	sweep(3, false);
}

static void sweep_el1_op2(void)
{
	sweep(2, false);
}

static void sweep_el0_op3(void)
{
	sweep(3, true);
}

static void sweep_el0_op2(void)
{
	sweep(2, true);
}

/* --- H1: one by one ------------------------------------------------------------------------------ */

static void undefined_both(const u8 (*registers)[5], u32 count, const char *whose)
{
	for (u32 i = 0; i < count; i++) {
		const u8 *e = registers[i];
		u64 x0 = 0x55;
		struct exc_record r = code_run(code_mrs(e[0], e[1], e[2], e[3], e[4]), &x0);

		want_undefined(&r, "read of %s S%u_%u_C%u_C%u_%u", whose, e[0], e[1], e[2], e[3],
		               e[4]);
		want_eq(x0, 0x55, "what the read of %s left", whose);
		r = code_run(code_msr(e[0], e[1], e[2], e[3], e[4]), &x0);
		want_undefined(&r, "write of %s S%u_%u_C%u_C%u_%u", whose, e[0], e[1], e[2], e[3],
		               e[4]);
	}
}

static void el2_controls(void)
{
	static const u8 registers[][5] = {{3, 4, 1, 1, 0}, {3, 4, 1, 0, 0},  {3, 4, 2, 1, 0},
	                                  {3, 4, 2, 1, 2}, {3, 4, 12, 0, 0}, {3, 4, 1, 1, 2},
	                                  {3, 4, 1, 1, 1}, {3, 4, 2, 0, 0}};
	undefined_both(registers, ARRAY_LEN(registers), "a control of EL2");
}

static void el2_identity(void)
{
	static const u8 registers[][5] = {{3, 4, 0, 0, 0}, {3, 4, 0, 0, 5}};
	undefined_both(registers, ARRAY_LEN(registers), "a virtual identity");
}

static void el2_timers(void)
{
	static const u8 registers[][5] = {{3, 4, 14, 0, 3},
	                                  {3, 4, 14, 1, 0},
	                                  {3, 4, 14, 2, 1},
	                                  {3, 4, 14, 2, 2},
	                                  {3, 4, 14, 3, 1}};
	undefined_both(registers, ARRAY_LEN(registers), "a timer of EL2");
}

static void el2_gic(void)
{
	static const u8 registers[][5] = {{3, 4, 12, 11, 0},
	                                  {3, 4, 12, 11, 7},
	                                  {3, 4, 12, 12, 0},
	                                  {3, 4, 12, 9, 5},
	                                  {3, 6, 12, 12, 5}};
	undefined_both(registers, ARRAY_LEN(registers), "an interrupt control of EL2");
}

static void el12_aliases(void)
{
	static const u8 registers[][5] = {
	        {3, 5, 1, 0, 0}, {3, 5, 2, 0, 0}, {3, 5, 12, 0, 0}, {3, 5, 14, 3, 1}};
	undefined_both(registers, ARRAY_LEN(registers), "an alias for EL2");
}

static void el2_banked(void)
{
	static const u8 registers[][5] = {{3, 4, 4, 1, 0},
	                                  {3, 4, 4, 0, 0},
	                                  {3, 4, 4, 0, 1},
	                                  {3, 4, 5, 2, 0},
	                                  {3, 4, 6, 0, 0}};
	undefined_both(registers, ARRAY_LEN(registers), "a banked register of EL2");
}

static void el3_controls(void)
{
	static const u8 registers[][5] = {{3, 6, 1, 1, 0},
	                                  {3, 6, 1, 0, 0},
	                                  {3, 6, 12, 0, 0},
	                                  {3, 6, 1, 1, 2},
	                                  {3, 7, 14, 2, 1}};
	undefined_both(registers, ARRAY_LEN(registers), "a control of EL3");
}

/* Whatever the implementation keeps there, a write leaves no trace that this guest, or another, could see. */
static void implementation_defined(void)
{
	for (u32 op1 = 0; op1 < 4; op1++) {
		for (u32 crm = 0; crm < COLUMNS; crm++) {
			u64 first = 0, all = ~0ul, then = 0;
			struct exc_record r = code_run(code_mrs(3, op1, 15, crm, 0), &first);

			(void)code_run(code_msr(3, op1, 15, crm, 0), &all);
			(void)code_run(code_mrs(3, op1, 15, crm, 0), &then);
			want_eq(then, first, "S3_%u_C15_C%u_0 after a write", op1, crm);
			want_true(exc_class(&r) == NO_EXC || exc_class(&r) == EC_UNKNOWN,
			          "class of its read");
		}
	}
}

static void maintenance_of_el2(void)
{
	static const u8 operations[][4] = {
	        {4, 8, 7, 4} /* TLBI ALLE1 */, {4, 8, 7, 6} /* VMALLS12E1 */,
	        {4, 8, 4, 1} /* IPAS2E1 */,    {4, 8, 3, 0} /* ALLE2IS */,
	        {4, 8, 7, 1} /* VAE2 */,       {6, 8, 7, 0} /* ALLE3 */,
	};
	for (u32 i = 0; i < ARRAY_LEN(operations); i++) {
		const u8 *e = operations[i];
		u64 x0 = platform.ram_base >> 12;
		struct exc_record r = code_run(code_msr(1, e[0], e[1], e[2], e[3]), &x0);

		want_undefined(&r, "TLBI S1_%u_C%u_C%u_%u", e[0], e[1], e[2], e[3]);
	}
}

static void translation_by_el2(void)
{
	static const u8 operations[][4] = {{4, 7, 8, 4}, {4, 7, 8, 6}, {4, 7, 8, 0}, {6, 7, 8, 0}};

	for (u32 i = 0; i < ARRAY_LEN(operations); i++) {
		const u8 *e = operations[i];
		u64 x0 = platform.ram_base;
		struct exc_record r = code_run(code_msr(1, e[0], e[1], e[2], e[3]), &x0);

		want_undefined(&r, "AT S1_%u_C%u_C%u_%u", e[0], e[1], e[2], e[3]);
	}
}

static volatile u32 illegal;

/* IL stays in SPSR, so that one exception would follow another: it is taken out. */
static bool illegal_hook(struct exc_frame *frame, unsigned vector)
{
	if (vector % 4 != VEC_SYNC || FIELD_GET(ESR_EC, frame->esr) != EC_ILL)
		return false;
	illegal++;
	frame->spsr &= ~SPSR_IL;
	return true;
}

/* ERET to a level above: the state that SPSR names is illegal, and execution goes on here with IL set. */
static void eret_upwards(void)
{
	static const u64 modes[] = {MODE_2H, 8, 13, 12};

	case_hook(illegal_hook);
	for (u32 i = 0; i < ARRAY_LEN(modes); i++) {
		illegal = 0;
		__asm__ volatile("adr x1, 1f\n\tmsr elr_el1, x1\n\tmsr spsr_el1, "
		                 "%0\n\tisb\n\teret\n1:\tnop" ::"r"(modes[i] | SPSR_DAIF)
		                 : "x1", "memory");
		want_eq(illegal, 1, "exceptions for illegal state after an ERET to mode %lu",
		        modes[i]);
		want_eq(read_sysreg(currentel), 4, "level afterwards");
	}
}

static void debug_communication(void)
{
	static const u8 registers[][5] = {
	        {2, 3, 0, 1, 0}, {2, 3, 0, 4, 0}, {2, 3, 0, 5, 0}, {2, 0, 0, 2, 0}};

	for (u32 i = 0; i < ARRAY_LEN(registers); i++) {
		const u8 *e = registers[i];
		u64 x0 = ~0ul;
		struct exc_record r = code_run(code_mrs(e[0], e[1], e[2], e[3], e[4]), &x0);

		want_true(exc_class(&r) == EC_UNKNOWN || (exc_class(&r) == NO_EXC && x0 == 0),
		          "S%u_%u_C%u_C%u_%u is 0 or nothing", e[0], e[1], e[2], e[3], e[4]);
	}
}

static void power_of_debug(void)
{
	u64 all = ~0ul, prcr = ~0ul, osdlr = ~0ul;

	(void)code_run(code_msr(2, 0, 1, 4, 4), &all);
	(void)code_run(code_msr(2, 0, 1, 3, 4), &all);
	struct exc_record r = code_run(code_mrs(2, 0, 1, 4, 4), &prcr),
	                  s = code_run(code_mrs(2, 0, 1, 3, 4), &osdlr);
	want_true(exc_class(&r) == EC_UNKNOWN || (prcr & 1) == 0, "DBGPRCR_EL1 asks for no power");
	want_true(exc_class(&s) == EC_UNKNOWN || (osdlr & 1) == 0, "OSDLR_EL1 holds no lock");
	want_eq(read_sysreg(currentel), 4, "still here");
}

static void mdscr_reserved(void)
{
	write_sysreg(mdscr_el1, ~0ul & ~(BIT(0) | BIT(13) | BIT(15)));
	isb();
	u64 v = read_sysreg(mdscr_el1);
	write_sysreg(mdscr_el1, 0);
	isb();
	want_eq(v & ~BIT(12), 0, "bits of an external debugger in MDSCR_EL1");
}

static void actlr(void)
{
	u64 before = read_sysreg(actlr_el1);

	write_sysreg(actlr_el1, ~before);
	isb();
	want_eq(read_sysreg(actlr_el1), before, "ACTLR_EL1 after a write");
}

/* --- H3 ------------------------------------------------------------------------------------------- */

static void id_space(void)
{
	for (u32 crm = 1; crm < ID_CRMS; crm++) {
		for (u32 op2 = 0; op2 < FIELDS; op2++) {
			u64 v = 0;
			struct exc_record r = code_run(code_mrs(3, 0, 0, crm, op2), &v);

			want_none(&r, "read of S3_0_C0_C%u_%u", crm, op2);
		}
	}
}

static void id_reserved_zero(void)
{
	static const u8 reserved[][2] = {{3, 7}, {4, 3}, {4, 6}, {5, 6}, {5, 7},
	                                 {6, 5}, {6, 6}, {7, 5}, {7, 7}};

	for (u32 i = 0; i < ARRAY_LEN(reserved); i++) {
		u64 v = ~0ul;
		(void)code_run(code_mrs(3, 0, 0, reserved[i][0], reserved[i][1]), &v);
		want_eq(v, 0, "reserved S3_0_C0_C%u_%u", reserved[i][0], reserved[i][1]);
	}
}

static void id_write(void)
{
	u64 before = read_sysreg(id_aa64pfr0_el1), v = ~0ul;
	struct exc_record r = code_run(code_msr(3, 0, 0, 4, 0), &v);

	want_undefined(&r, "write of ID_AA64PFR0_EL1");
	want_eq(read_sysreg(id_aa64pfr0_el1), before, "its value");
}

static void midr_write(void)
{
	u64 midr = read_sysreg(midr_el1), mpidr = read_sysreg(mpidr_el1), v = 0x12345678;
	struct exc_record r = code_run(code_msr(3, 0, 0, 0, 0), &v),
	                  s = code_run(code_msr(3, 0, 0, 0, 5), &v);

	want_undefined(&r, "write of MIDR_EL1");
	want_undefined(&s, "write of MPIDR_EL1");
	want_eq(read_sysreg(midr_el1), midr, "MIDR_EL1");
	want_eq(read_sysreg(mpidr_el1), mpidr, "MPIDR_EL1");
}

static void id_stable(void)
{
	u64 pfr0 = read_sysreg(id_aa64pfr0_el1), isar1 = read_sysreg(id_aa64isar1_el1),
	    dfr0 = read_sysreg(id_aa64dfr0_el1);

	for (u32 i = 0; i < 500; i++) {
		want_eq(read_sysreg(id_aa64pfr0_el1), pfr0, "ID_AA64PFR0_EL1 at read %u", i);
		want_eq(read_sysreg(id_aa64isar1_el1), isar1, "ID_AA64ISAR1_EL1 at read %u", i);
		want_eq(read_sysreg(id_aa64dfr0_el1), dfr0, "ID_AA64DFR0_EL1 at read %u", i);
	}
}

static volatile u64 of_other[4];

static void read_other(u64 arg)
{
	(void)arg;
	of_other[0] = read_sysreg(id_aa64pfr0_el1);
	of_other[1] = read_sysreg(id_aa64mmfr0_el1);
	of_other[2] = read_sysreg(midr_el1);
	of_other[3] = read_sysreg(ctr_el0);
}

static void id_same_everywhere(void)
{
	u64 mine[4];

	for (u32 cpu = 1; cpu < platform.cpu_count; cpu++) {
		want_true(smp_call(cpu, read_other, 0), "CPU %u answers", cpu);
		for (u32 i = 0; i < 4; i++)
			mine[i] = of_other[i];
		read_other(0);
		for (u32 i = 0; i < 4; i++)
			want_eq(mine[i], of_other[i], "register %u on CPU %u", i, cpu);
	}
}

static void no_level_above(void)
{
	want_eq(FIELD_GET(BITS(11, 8), read_sysreg(id_aa64pfr0_el1)), 0, "ID_AA64PFR0_EL1.EL2");
	want_eq(FIELD_GET(BITS(15, 12), read_sysreg(id_aa64pfr0_el1)), 0, "ID_AA64PFR0_EL1.EL3");
}

static void no_nested(void)
{
	want_eq(FIELD_GET(BITS(27, 24), read_sysreg(SREG(3, 0, 0, 7, 2))), 0,
	        "ID_AA64MMFR2_EL1.NV");
	want_eq(FIELD_GET(BITS(11, 8), read_sysreg(id_aa64mmfr1_el1)), 0, "ID_AA64MMFR1_EL1.VH");
}

static void hidden_features(void)
{
	u64 pfr0 = read_sysreg(id_aa64pfr0_el1), pfr1 = read_sysreg(id_aa64pfr1_el1),
	    dfr0 = read_sysreg(id_aa64dfr0_el1);

	want_eq(pfr0 & (PFR0_SVE | PFR0_AMU | PFR0_MPAM | PFR0_RAS), 0, "SVE, AMU, MPAM, RAS");
	want_eq(pfr1 & (PFR1_MTE | PFR1_SME), 0, "MTE, SME");
	want_eq(dfr0 & (DFR0_SPE | DFR0_TRACE | DFR0_TRF), 0, "SPE, trace, trace filter");
	u64 pmu = FIELD_GET(DFR0_PMU, dfr0);
	want_true(pmu == 0 || pmu == 0xf, "PMU");
}

static void gic_v2_promise(void)
{
	u64 v = 0;
	struct exc_record r = code_run(code_mrs(3, 0, 12, 12, 0), &v);

	want_eq(read_sysreg(id_aa64pfr0_el1) & PFR0_GIC, 0, "ID_AA64PFR0_EL1.GIC");
	want_undefined(&r, "ICC_IAR1_EL1");
}

static void gic_v3_promise(void)
{
	u64 sre = read_sysreg(ICC_SRE_EL1), zero = 0;

	want_true((read_sysreg(id_aa64pfr0_el1) & PFR0_GIC) != 0, "ID_AA64PFR0_EL1.GIC");
	(void)code_run(code_msr(3, 0, 12, 12, 5), &zero);
	want_eq(read_sysreg(ICC_SRE_EL1) & 1, sre & 1, "ICC_SRE_EL1.SRE cannot be given up");
}

static void el0_reads_ids(void)
{
	u32 code[] = {code_mrs(3, 0, 0, 4, 0)};
	struct exc_record r = case_el0(code, 1, NULL);

	want_true(exc_class(&r) == EC_UNKNOWN || exc_class(&r) == EC_SYSREG, "class 0x%lx at EL0",
	          exc_class(&r));
	want_eq(r.vector, VEC_LOW64, "vector");
}

static void aarch32_promise(void)
{
	u64 el0 = FIELD_GET(PFR0_EL0, read_sysreg(id_aa64pfr0_el1));
	u64 el1 = FIELD_GET(BITS(7, 4), read_sysreg(id_aa64pfr0_el1));

	want_eq(el1, 1, "EL1 is AArch64 only, or says so");
	want_true(el0 == 1 || el0 == 2, "EL0 says what it can");
}

CASES(rows) = {
        {"H1.1", "Reads and writes back every encoding with op0 = 3 at EL1.",
         "Defined or undefined; what EL1 lives on is kept.", sweep_el1_op3, IS_SWEEP, 0},
        {"H1.2", "Reads and writes back every encoding with op0 = 2 at EL1.",
         "Defined or undefined.", sweep_el1_op2, IS_SWEEP, 0},
        {"H1.3", "Reads and writes every encoding with op0 = 3 at EL0.",
         "Defined or an exception to EL1; EL1's registers are kept.", sweep_el0_op3, IS_SWEEP, 0},
        {"H1.4", "Reads and writes every encoding with op0 = 2 at EL0.",
         "Defined or an exception to EL1.", sweep_el0_op2, IS_SWEEP, 0},
        {"H1.5", "HCR, VTTBR, VTCR and other controls of EL2.", "Undefined.", el2_controls, 0, 0},
        {"H1.6", "VPIDR_EL2 and VMPIDR_EL2: who the guest is.", "Undefined.", el2_identity, 0, 0},
        {"H1.7", "CNTVOFF, CNTHCTL and the timers of EL2.", "Undefined.", el2_timers, 0, 0},
        {"H1.8", "List registers and other interrupt controls of EL2 and EL3.", "Undefined.",
         el2_gic, 0, 0},
        {"H1.9", "The names by which EL2 reaches EL1's registers.", "Undefined.", el12_aliases, 0,
         0},
        {"H1.10", "SPSR, ELR, ESR, FAR of EL2, and SP_EL1.", "Undefined.", el2_banked, 0, 0},
        {"H1.11", "SCR_EL3 and other controls of EL3.", "Undefined.", el3_controls, 0, 0},
        {"H1.12", "Writes all ones to what the implementation defined.",
         "Undefined or without effect.", implementation_defined, NEEDS_MEZZO, 0},
        {"H1.13", "TLB maintenance of EL2, of stage 2 and of EL3.", "Undefined.",
         maintenance_of_el2, 0, 0},
        {"H1.14", "Address translation as EL2 or EL3 does it, stage 2 included.", "Undefined.",
         translation_by_el2, 0, 0},
        {"H1.15", "Returns from an exception to EL2 and EL3.", "Illegal state at EL1.",
         eret_upwards, 0, 0},
        {"H1.16", "Talks to an external debugger.", "Nothing there.", debug_communication,
         NEEDS_MEZZO, 0},
        {"H1.17", "Asks the debug logic to power cores up and to lock.", "Without effect.",
         power_of_debug, NEEDS_MEZZO, 0},
        {"H1.18", "Sets the bits of MDSCR_EL1 that an external debugger owns.", "They stay 0.",
         mdscr_reserved, NEEDS_MEZZO, 0},
        {"H1.19", "Inverts ACTLR_EL1.", "Without effect.", actlr, NEEDS_MEZZO, 0},
        {"H3.1", "Reads the whole space of ID registers.", "Every read is defined.", id_space, 0,
         0},
        {"H3.2", "Reads ID registers that nobody has named yet.", "Zero.", id_reserved_zero, 0, 0},
        {"H3.3", "Writes an ID register.", "Undefined, value kept.", id_write, 0, 0},
        {"H3.4", "Writes MIDR_EL1 and MPIDR_EL1.", "Undefined, values kept.", midr_write, 0, 0},
        {"H3.5", "Reads ID registers 500 times beside another machine.", "The same each time.",
         id_stable, 0, 0},
        {"H3.6", "Reads ID registers on every CPU.", "The same on each.", id_same_everywhere,
         NEEDS_SMP, 0},
        {"H3.7", "Asks whether there is an EL2 or EL3.", "There is none.", no_level_above,
         NEEDS_MEZZO, 0},
        {"H3.8", "Asks for nested virtualization and VHE.", "There is none.", no_nested,
         NEEDS_MEZZO, 0},
        {"H3.9", "Asks for SVE, SME, MTE, PMU, SPE, trace, AMU, MPAM, RAS.", "There is none.",
         hidden_features, NEEDS_MEZZO, 0},
        {"H3.10", "With a GICv2, uses the system registers of a GICv3.",
         "Not promised and undefined.", gic_v2_promise, NEEDS_GICV2 | NEEDS_MEZZO, 0},
        {"H3.11", "With a GICv3, turns its system registers off.", "They stay on.", gic_v3_promise,
         NEEDS_GICV3 | NEEDS_MEZZO, 0},
        {"H3.12", "Reads an ID register at EL0.", "An exception to EL1.", el0_reads_ids, 0, 0},
        {"H3.13", "Asks which levels have AArch32.", "EL1 none; EL0 says what is so.",
         aarch32_promise, NEEDS_MEZZO, 0},
};
