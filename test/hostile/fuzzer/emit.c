// SPDX-License-Identifier: Apache-2.0
/*
 * Random numbers, single instructions and their encodings. Pure but for the buffer that emit() fills.
 * Source: Arm ARM, "A64 instruction set encoding"; Vigna, "Further scramblings of Marsaglia's xorshift
 * generators" (xorshift64*).
 */
#include "fuzz.h"

#define LDR_LITERAL 0x58000000u
#define IMM19       BITS(23, 5)
#define RN          BITS(9, 5)
#define RT          BITS(4, 0)
#define BASE        1u /* x1 holds the address of every operation on memory */

u64 random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dul;
}

u32 random_below(struct random *r, u32 bound)
{
	return (u32)((random_next(r) >> 32) % bound);
}

bool random_one_in(struct random *r, u32 n)
{
	return random_below(r, n) == 0;
}

void emit(struct fuzzer *f, u32 instruction)
{
	fuzz_code[f->cpu][f->words++] = instruction;
	f->program_hash = (f->program_hash ^ instruction) * 0x100000001b3ul;
}

/* ldr x<reg>, the value of that number of this operation. */
void emit_load(struct fuzzer *f, unsigned reg, enum value_kind kind)
{
	u64 from = (u64)&fuzz_code[f->cpu][f->words];
	u64 to = (u64)&fuzz_values[f->cpu][f->ops * VALUES + reg];

	f->kind[f->ops][reg] = (u8)kind;
	emit(f, (u32)(LDR_LITERAL | FIELD(IMM19, (to - from) >> 2) | reg));
}

/* All with base x1; what they do to it and to x0-x7 does not matter. */
static const u32 forms[] = {
        0x39400020, /* ldrb w0, [x1] */
        0x79400020, /* ldrh w0, [x1] */
        0xb9400020, /* ldr w0, [x1] */
        0xf9400020, /* ldr x0, [x1] */
        0x39c00020, /* ldrsb w0, [x1] */
        0x39800020, /* ldrsb x0, [x1] */
        0x79c00020, /* ldrsh w0, [x1] */
        0xb9800020, /* ldrsw x0, [x1] */
        0x39000020, /* strb w0, [x1] */
        0x79000020, /* strh w0, [x1] */
        0xb9000020, /* str w0, [x1] */
        0xf9000020, /* str x0, [x1] */
        0xb900003f, /* str wzr, [x1] */
        0xb940003f, /* ldr wzr, [x1] */
        0xb8404420, /* ldr w0, [x1], #4 */
        0xb8404c20, /* ldr w0, [x1, #4]! */
        0xb8004420, /* str w0, [x1], #4 */
        0xb8400020, /* ldur w0, [x1] */
        0xb8401820, /* ldtr w0, [x1, #1] */
        0xb8000820, /* sttr w0, [x1] */
        0x29400820, /* ldp w0, w2, [x1] */
        0xa9400820, /* ldp x0, x2, [x1] */
        0x29000820, /* stp w0, w2, [x1] */
        0xa9000820, /* stp x0, x2, [x1] */
        0xa8c10820, /* ldp x0, x2, [x1], #16 */
        0x69400820, /* ldpsw x0, x2, [x1] */
        0x28400820, /* ldnp w0, w2, [x1] */
        0x885f7c20, /* ldxr w0, [x1] */
        0xc85f7c20, /* ldxr x0, [x1] */
        0x88027c20, /* stxr w2, w0, [x1] */
        0xc8027c20, /* stxr w2, x0, [x1] */
        0xc87f0820, /* ldxp x0, x2, [x1] */
        0x88dffc20, /* ldar w0, [x1] */
        0x889ffc20, /* stlr w0, [x1] */
        0xb8bfc020, /* ldapr w0, [x1] */
        0xb8220020, /* ldadd w2, w0, [x1] */
        0xf8228020, /* swp x2, x0, [x1] */
        0x88a27c20, /* cas w2, w0, [x1] */
        0x48207c22, /* casp x0, x1, x2, x3, [x1] */
        0x3dc00020, /* ldr q0, [x1] */
        0x3d800020, /* str q0, [x1] */
        0xfd400020, /* ldr d0, [x1] */
        0xad400420, /* ldp q0, q1, [x1] */
        0x4c407020, /* ld1 {v0.16b}, [x1] */
        0x4c000020, /* st4 {v0.16b-v3.16b}, [x1] */
        0x0d400020, /* ld1 {v0.b}[0], [x1] */
        0xf9800020, /* prfm pldl1keep, [x1] */
        0xd50b7421, /* dc zva, x1 */
        0xd50b7a21, /* dc cvac, x1 */
        0xd5087621, /* dc ivac, x1 */
        0xd50b7e21, /* dc civac, x1 */
        0xd50b7b21, /* dc cvau, x1 */
        0xd50b7521, /* ic ivau, x1 */
        0xd5087801, /* at s1e1r, x1 */
        0xd5087821, /* at s1e1w, x1 */
        0xd5087841, /* at s1e0r, x1 */
        0xf83fd020, /* ld64b x0, [x1] */
        0xd9200420, /* stg x0, [x1], #0 */
};

/*
 * Any encoding of the group "Loads and Stores" with base x1. Left out: register offsets, whose sum could be the
 * fuzzer's own memory, and the memory copies, whose base is elsewhere.
 */
static u32 any_memory_instruction(struct random *r)
{
	for (;;) {
		u32 w = (u32)random_next(r);

		w = (w & ~(u32)(BIT(27) | BIT(25))) | (u32)BIT(27);
		if ((w & 0x3b200c00) == 0x38200800)
			continue;
		if ((w & 0x3b200c00) == 0x19000400)
			continue;
		return (u32)((w & ~RN) | FIELD(RN, BASE));
	}
}

u32 memory_instruction(struct random *r)
{
	if (random_one_in(r, 3))
		return any_memory_instruction(r);
	return forms[random_below(r, ARRAY_LEN(forms))];
}

/* op0-op2 of system registers that exist somewhere, as bits 20:5 of MSR and MRS. */
#define REG(op0, op1, crn, crm, op2) \
	((op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
static const u32 known_registers[] = {
        REG(3, 0, 1, 0, 1),   REG(3, 0, 1, 0, 2),   REG(3, 0, 5, 1, 0),   REG(3, 0, 5, 1, 1),
        REG(3, 0, 5, 2, 0),   REG(3, 0, 6, 0, 0),   REG(3, 0, 7, 4, 0),   REG(3, 0, 4, 1, 0),
        REG(3, 0, 10, 3, 0),  REG(3, 0, 13, 0, 1),  REG(3, 0, 13, 0, 4),  REG(3, 0, 14, 1, 0),
        REG(3, 3, 13, 0, 2),  REG(3, 3, 13, 0, 3),  REG(3, 3, 14, 0, 0),  REG(3, 3, 14, 0, 1),
        REG(3, 3, 14, 0, 2),  REG(3, 3, 14, 2, 0),  REG(3, 3, 14, 2, 1),  REG(3, 3, 14, 2, 2),
        REG(3, 3, 14, 3, 0),  REG(3, 3, 14, 3, 1),  REG(3, 3, 14, 3, 2),  REG(3, 7, 14, 2, 1),
        REG(3, 3, 9, 12, 0),  REG(3, 3, 9, 12, 1),  REG(3, 3, 9, 12, 5),  REG(3, 3, 9, 13, 0),
        REG(3, 3, 9, 13, 1),  REG(3, 3, 9, 14, 0),  REG(3, 0, 9, 14, 1),  REG(3, 3, 14, 15, 7),
        REG(2, 0, 0, 2, 2),   REG(2, 0, 0, 0, 4),   REG(2, 0, 0, 0, 5),   REG(2, 0, 0, 0, 6),
        REG(2, 0, 0, 0, 7),   REG(2, 0, 1, 0, 4),   REG(2, 0, 1, 1, 4),   REG(2, 0, 1, 3, 4),
        REG(2, 0, 0, 2, 0),   REG(2, 3, 0, 1, 0),   REG(2, 3, 0, 4, 0),   REG(2, 3, 0, 5, 0),
        REG(3, 0, 12, 12, 0), REG(3, 0, 12, 12, 1), REG(3, 0, 12, 12, 2), REG(3, 0, 12, 12, 3),
        REG(3, 0, 12, 12, 4), REG(3, 0, 12, 12, 5), REG(3, 0, 12, 12, 6), REG(3, 0, 12, 12, 7),
        REG(3, 0, 12, 8, 0),  REG(3, 0, 12, 8, 1),  REG(3, 0, 12, 8, 2),  REG(3, 0, 12, 8, 3),
        REG(3, 0, 12, 8, 4),  REG(3, 0, 12, 9, 0),  REG(3, 0, 12, 11, 1), REG(3, 0, 12, 11, 3),
        REG(3, 0, 4, 6, 0),   REG(3, 0, 0, 0, 5),   REG(3, 0, 0, 4, 0),   REG(3, 0, 0, 4, 1),
        REG(3, 0, 0, 5, 0),   REG(3, 0, 0, 6, 0),   REG(3, 0, 0, 6, 1),   REG(3, 0, 0, 7, 0),
        REG(3, 0, 0, 7, 1),   REG(3, 0, 0, 7, 2),   REG(3, 1, 0, 0, 0),   REG(3, 1, 0, 0, 1),
        REG(3, 2, 0, 0, 0),   REG(3, 3, 0, 0, 1),   REG(3, 3, 0, 0, 7),   REG(3, 3, 2, 4, 0),
        REG(3, 0, 2, 1, 0),   REG(3, 0, 2, 1, 1),   REG(3, 0, 2, 3, 0),   REG(3, 0, 13, 0, 7),
        REG(3, 4, 1, 1, 0),   REG(3, 4, 2, 1, 0),   REG(3, 4, 5, 2, 0),   REG(3, 4, 12, 11, 0),
        REG(3, 5, 1, 0, 0),   REG(3, 6, 1, 1, 0),   REG(3, 0, 1, 2, 0),   REG(3, 0, 1, 0, 6),
        REG(3, 0, 10, 4, 4),  REG(3, 0, 10, 5, 1),  REG(3, 3, 13, 2, 0),  REG(3, 0, 9, 9, 0),
        REG(3, 0, 15, 0, 0),  REG(3, 1, 15, 2, 1),  REG(3, 3, 4, 2, 7),   REG(3, 3, 4, 5, 1),
};

u32 system_register(struct random *r)
{
	if (random_one_in(r, 2))
		return known_registers[random_below(r, ARRAY_LEN(known_registers))];
	return (2 + random_below(r, 2)) << 19 | (random_below(r, 1u << 14) << 5);
}
