// SPDX-License-Identifier: Apache-2.0
/*
 * Programs: a weighted choice among kinds of operations, each some instructions long. The same seed, CPU and
 * number make the same program on the same machine.
 * Source: Arm ARM, "A64 instruction set encoding", "MSR (immediate)", "SYS", "HINT".
 */
#include "fuzz.h"

#include "mmu.h"

#define MSR(reg)  (0xd5000000u | (reg)) /* x0 */
#define MRS(reg)  (0xd5200000u | (reg))
#define ISB       0xd5033fdfu
#define DAIFSET   0xd5034fdfu              /* msr daifset, #15 */
#define SPSEL_1   0xd50041bfu              /* msr spsel, #1 */
#define ADR_X4(n) (0x10000004u | (n) << 5) /* adr x4, n instructions further */
#define BLR_X1    0xd63f0020u
#define SVC(imm)  (0xd4000001u | (imm) << 5)
#define HVC(imm)  (0xd4000002u | (imm) << 5)
#define SMC(imm)  (0xd4000003u | (imm) << 5)
#define IMM16     BITS(20, 5)

#define REG(op0, op1, crn, crm, op2) \
	((u32)(op0) << 19 | (u32)(op1) << 16 | (u32)(crn) << 12 | (u32)(crm) << 8 | (u32)(op2) << 5)
#define SCTLR    REG(3, 0, 1, 0, 0)
#define TTBR0    REG(3, 0, 2, 0, 0)
#define TTBR1    REG(3, 0, 2, 0, 1)
#define TCR      REG(3, 0, 2, 0, 2)
#define TCR2     REG(3, 0, 2, 0, 3)
#define SPSR     REG(3, 0, 4, 0, 0)
#define ELR      REG(3, 0, 4, 0, 1)
#define MAIR     REG(3, 0, 10, 2, 0)
#define VBAR     REG(3, 0, 12, 0, 0)
#define CNTV_T   REG(3, 3, 14, 3, 0)
#define CNTV_C   REG(3, 3, 14, 3, 1)
#define CNTP_T   REG(3, 3, 14, 2, 0)
#define CNTP_C   REG(3, 3, 14, 2, 1)
#define ICC_SGI1 REG(3, 0, 12, 11, 5)
#define ICC_BPR0 REG(3, 0, 12, 8, 3)
#define ICC_BPR1 REG(3, 0, 12, 12, 3)

struct fuzzer fuzzers[MAX_CPUS];
u32 fuzz_code[MAX_CPUS][CODE_WORDS] __attribute__((aligned(4096)));
u64 fuzz_values[MAX_CPUS][OPS * VALUES] __attribute__((aligned(4096)));

/* Vectors elsewhere, with everything masked, until the next instruction but one. */
static void write_vbar(struct fuzzer *f)
{
	emit_load(f, 0, VALUE_ANY);
	emit_load(f, 1, VALUE_FIXED);
	fuzz_values[f->cpu][f->ops * VALUES + 1] = read_sysreg(vbar_el1);
	emit(f, DAIFSET);
	emit(f, MSR(VBAR));
	emit(f, MSR(VBAR) | 1);
}

/* False: a write that the fuzzer would not survive while its tables are in use. */
static bool write_lethal(struct fuzzer *f, u32 reg)
{
	enum value_kind kind = VALUE_ANY;

	switch (reg) {
	case SCTLR: kind = VALUE_SCTLR; break;
	case VBAR: write_vbar(f); return true;
	case TTBR0: kind = f->mmu ? VALUE_TTBR0 : VALUE_ADDRESS; break;
	case TTBR1: kind = VALUE_ADDRESS; break;
	case TCR: kind = VALUE_TCR; break;
	case ICC_BPR0:
	case ICC_BPR1: kind = VALUE_SMALL; break; /* 8 ends QEMU 10.0 by an assertion */
	case MAIR:
	case TCR2:
	case REG(3, 0, 1, 0, 3):  /* SCTLR2 */
	case REG(3, 0, 10, 2, 1): /* MAIR2 */
	case REG(3, 0, 10, 2, 2): /* PIRE0 */
	case REG(3, 0, 10, 2, 3): /* PIR */
	case REG(3, 0, 10, 2, 4): /* POR */
	case REG(3, 3, 10, 2, 4):
		if (f->mmu)
			return false;
		break;
	default: break;
	}
	emit_load(f, 0, kind);
	emit(f, MSR(reg));
	return true;
}

static void op_register(struct fuzzer *f)
{
	struct random *r = &f->random;
	u32 reg = system_register(r);
	bool write = random_one_in(r, 2);

	if (random_one_in(r, 16)) {
		static const u32 lethal[] = {SCTLR, VBAR, TTBR0, TTBR1, TCR, MAIR};

		reg = lethal[random_below(r, ARRAY_LEN(lethal))];
		write = true;
	}
	if (!write || !write_lethal(f, reg))
		emit(f, MRS(reg) | random_below(r, 32));
}

static void op_memory(struct fuzzer *f)
{
	emit_load(f, 0, random_one_in(&f->random, 2) ? VALUE_ANY : VALUE_ADDRESS);
	emit_load(f, 1, VALUE_ADDRESS);
	emit_load(f, 2, VALUE_ANY);
	emit(f, memory_instruction(&f->random));
}

static void op_call(struct fuzzer *f)
{
	struct random *r = &f->random;
	u32 imm = random_one_in(r, 8) ? random_below(r, 0x10000) : 0;

	for (unsigned i = 0; i < VALUES; i++)
		emit_load(f, i, VALUE_CALL);
	emit(f, random_one_in(r, 2) ? HVC(imm) : SMC(imm));
}

/* TLBI, DC, IC, AT, and what else there is or is not with op0 = 1. Set and way take long: they are rare. */
static void op_system(struct fuzzer *f)
{
	static const u32 known[] = {REG(1, 0, 8, 7, 0), REG(1, 0, 8, 3, 0), REG(1, 0, 8, 7, 1),
	                            REG(1, 0, 8, 3, 1), REG(1, 0, 8, 7, 2), REG(1, 0, 8, 3, 3),
	                            REG(1, 0, 8, 1, 0), REG(1, 0, 8, 6, 1), REG(1, 0, 7, 5, 0),
	                            REG(1, 0, 7, 1, 0), REG(1, 4, 8, 7, 4), REG(1, 4, 8, 0, 1),
	                            REG(1, 4, 7, 8, 0), REG(1, 3, 7, 3, 4), REG(1, 4, 8, 7, 0)};
	struct random *r = &f->random;
	u32 reg = 1u << 19 | random_below(r, 1u << 14) << 5;

	if (random_one_in(r, 2))
		reg = known[random_below(r, ARRAY_LEN(known))];
	if ((reg & REG(3, 7, 15, 0, 7)) == REG(1, 0, 7, 0, 2) && !random_one_in(r, 64))
		reg = known[0];
	emit_load(f, 0, random_one_in(r, 2) ? VALUE_ADDRESS : VALUE_ANY);
	emit(f, (random_one_in(r, 16) ? MRS(reg) : MSR(reg)));
}

/* Hints, barriers, PSTATE fields. Not: WFI in its two forms, which sleep() has, and SMSTART. */
static void op_state(struct fuzzer *f)
{
	struct random *r = &f->random;
	u32 op1 = random_below(r, 8),
	    crn = random_one_in(r, 4) ? random_below(r, 16) : 2 + random_below(r, 3);
	u32 crm = random_below(r, 16), op2 = random_below(r, 8);

	if (crn == 2 && crm == 0 && op2 == 3)
		op2 = 2;
	if (crn == 1 || (crn == 4 && op1 == 3 && op2 == 3))
		crn = 3;
	emit(f, 0xd500001fu | REG(0, op1, crn, crm, op2));
}

static void op_sgi(struct fuzzer *f)
{
	static const u32 registers[] = {ICC_SGI1, REG(3, 0, 12, 11, 6), REG(3, 0, 12, 11, 7)};
	struct random *r = &f->random;

	emit_load(f, 0, VALUE_SGI);
	if (platform.gic_version == 3 && !random_one_in(r, 8)) {
		emit(f, MSR(registers[random_below(r, 8) < 6 ? 0 : 1 + random_below(r, 2)]));
		return;
	}
	emit_load(f, 1, VALUE_FIXED);
	fuzz_values[f->cpu][f->ops * VALUES + 1] = platform.gicd + 0xf00;
	emit(f, 0xb9000020); /* str w0, [x1] */
}

static void op_timer(struct fuzzer *f)
{
	struct random *r = &f->random;
	bool virtual = random_one_in(r, 2);

	emit_load(f, 0, random_one_in(r, 8) ? VALUE_ANY : VALUE_SOON);
	emit(f, MSR(virtual ? CNTV_T : CNTP_T));
	emit(f, 0xd2800000u | random_below(r, 4) << 5); /* mov x0, #n */
	emit(f, MSR(virtual ? CNTV_C : CNTP_C));
}

/* WFE, YIELD, and the waits with a limit that is near. */
static void op_wait(struct fuzzer *f)
{
	struct random *r = &f->random;

	if (random_one_in(r, 2)) {
		emit(f, random_one_in(r, 2) ? 0xd503205fu : 0xd503203fu);
		return;
	}
	emit_load(f, 0, VALUE_DEADLINE); /* at EL0 the counter may be out of reach */
	emit(f,
	     f->bare ? 0xd5031000u | random_below(r, 2) << 5 : 0xd5031000u); /* WFIT: see H31.6 */
}

/* Exception levels, illegal states; at EL0 whatever follows is tried there. */
static void op_return(struct fuzzer *f)
{
	emit_load(f, 0, VALUE_RETURN);
	emit(f, ADR_X4(4u));
	emit(f, MSR(ELR) | 4);
	emit(f, MSR(SPSR));
	emit(f, FUZZ_ERET);
}

static void op_exception(struct fuzzer *f)
{
	struct random *r = &f->random;
	u32 w;

	do
		w = (u32)(0xd4000000u | (random_next(r) & BITS(23, 0)));
	while (w == SVC(SVC_END) || (w & 0xffe0001f) == HVC(0u) || (w & 0xffe0001f) == SMC(0u));
	emit(f, w);
}

static void op_jump(struct fuzzer *f)
{
	emit_load(f, 1, VALUE_NOWHERE);
	emit(f, BLR_X1);
}

/* Tables in a device or in a hole, for the upper half of the addresses: read from, never written to. */
static void op_walk(struct fuzzer *f)
{
	static const u32 looks[] = {0xf9400023, 0xd5087801, 0xd5087841,
	                            0xf9800020, 0xd50b7521, 0xd50b7a21};
	struct random *r = &f->random;

	emit_load(f, 0, VALUE_ADDRESS);
	emit(f, MSR(TTBR1));
	emit_load(f, 2, VALUE_TCR);
	emit(f, MSR(TCR) | 2);
	emit(f, ISB);
	emit_load(f, 1, VALUE_HIGH);
	emit(f, looks[random_below(r, ARRAY_LEN(looks))]);
}

static const struct {
	void (*generate)(struct fuzzer *f);
	u32 weight;
} operations[] = {
        {op_register, 24}, {op_memory, 36}, {op_call, 10}, {op_system, 6},
        {op_state, 5},     {op_sgi, 5},     {op_timer, 4}, {op_wait, 2},
        {op_exception, 2}, {op_return, 2},  {op_jump, 2},  {op_walk, 2},
};
#define WEIGHTS 100

static void generate_operation(struct fuzzer *f)
{
	u32 pick = random_below(&f->random, WEIGHTS), i = 0;

	while (pick >= operations[i].weight)
		pick -= operations[i++].weight;
	for (unsigned n = 0; n < VALUES; n++)
		f->kind[f->ops][n] = VALUE_FIXED;
	operations[i].generate(f);
	f->ops++;
}

void generate_program(struct fuzzer *f)
{
	f->words = f->ops = 0;
	f->random.state = (f->seed + 1) * 0x9e3779b97f4a7c15ul ^ (u64)f->number << 8 ^ (f->cpu + 1);
	for (unsigned i = 0; i < 8; i++)
		random_next(&f->random);
	f->mmu = random_one_in(&f->random, 2);
	while (f->ops < OPS - 1)
		generate_operation(f);
	emit(f, SPSEL_1);
	emit(f, SVC(SVC_END));
	cache_sync_code((u64)fuzz_code[f->cpu], f->words * sizeof(u32));
}

void generate_values(struct fuzzer *f)
{
	for (u32 i = 0; i < f->ops; i++)
		make_values(f, &fuzz_values[f->cpu][i * VALUES], f->kind[i]);
}
