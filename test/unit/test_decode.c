// SPDX-License-Identifier: Apache-2.0
// The instruction decoder: words whose meaning was looked up by hand, one or more for each row of its table, and words
// beside them that are unallocated. test_decode_llvm.c compares it with a disassembler.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "trap/decode.h"

#define NONE DECODE_NO_REG

struct row {
	uint32_t word;
	struct decoded d;
};

// Fields that are not named are 0; a register that is not named is none.
static void assert_row(const struct row *row)
{
	struct decoded got = decode(row->word), want = row->d;
	if (got.kind != want.kind)
		print_error("word %08x\n", row->word);
	assert_int_equal(got.kind, want.kind);
	if (memcmp(&got, &want, sizeof got) != 0)
		print_error("word %08x\n", row->word);
	assert_memory_equal(&got, &want, sizeof got);
}

static void assert_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_row(&rows[i]);
}

#define ACCESS(...)                                                                     \
	{                                                                               \
		.kind = DECODE_ACCESS, .rt = NONE, .rt2 = NONE, .rs = NONE, .rn = NONE, \
		.rm = NONE, __VA_ARGS__                                                 \
	}
#define X1(...) ACCESS(.registers = 1, .rt = 2, .rn = 1, __VA_ARGS__)
#define X2(...) ACCESS(.registers = 2, .rt = 2, .rt2 = 3, .rn = 1, __VA_ARGS__)
#define OTHER(...)                                                                    \
	{                                                                             \
		.rt = NONE, .rt2 = NONE, .rs = NONE, .rn = 1, .rm = NONE, __VA_ARGS__ \
	}

#pragma GCC diagnostic ignored "-Woverride-init"

static void test_one_register(void **state)
{
	static const struct row rows[] = {
	        // ldr w2, [x1], #4; ldr x2, [x1, #-8]!; ldrsb w2, [x1], #1; ldrsh x2, [x1, #2]!
	        {0xb8404422, X1(.load = true, .size = 2, .index = DECODE_POST, .offset = 4)},
	        {0xf85f8c22,
	         X1(.load = true, .wide = true, .size = 3, .index = DECODE_PRE, .offset = -8)},
	        {0x38c01422, X1(.load = true, .sign = true, .index = DECODE_POST, .offset = 1)},
	        {0x78802c22, X1(.load = true, .sign = true, .wide = true, .size = 1,
	                        .index = DECODE_PRE, .offset = 2)},
	        // ldrsw x2, [x1], #-4; str w2, [x1], #4; strb w2, [x1, #1]!; ldr w2, [x1, #16380]
	        {0xb89fc422, X1(.load = true, .sign = true, .wide = true, .size = 2,
	                        .index = DECODE_POST, .offset = -4)},
	        {0xb8004422, X1(.size = 2, .index = DECODE_POST, .offset = 4)},
	        {0x38001c22, X1(.index = DECODE_PRE, .offset = 1)},
	        {0xb97ffc22, X1(.load = true, .size = 2, .offset = 16380)},
	        // ldtr w2, [x1]; sttrb w2, [x1]; ldur x2, [x1, #-256]
	        {0xb8400822, X1(.load = true, .size = 2, .unprivileged = true)},
	        {0x38000822, X1(.unprivileged = true)},
	        {0xf8500022, X1(.load = true, .wide = true, .size = 3, .offset = -256)},
	        // ldr w2, [x1, w4, uxtw]; ldr s2, [x1, w4, sxtw #2]; ldr q2, [x1, x4, lsl #4]
	        {0xb8644822, X1(.load = true, .size = 2, .rm = 4, .extend = 2)},
	        {0xbc64d822,
	         X1(.load = true, .fp = true, .size = 2, .rm = 4, .extend = 6, .shift = 2)},
	        {0x3ce47822,
	         X1(.load = true, .fp = true, .size = 4, .rm = 4, .extend = 3, .shift = 4)},
	        // ldr x2, .+0x1000; ldr q2, .-16
	        {0x58008002, X1(.load = true, .wide = true, .size = 3, .rn = NONE, .literal = true,
	                        .offset = 0x1000)},
	        {0x9cffff82, X1(.load = true, .fp = true, .size = 4, .rn = NONE, .literal = true,
	                        .offset = -16)},
	        // ldraa x2, [x1]; ldraa x2, [x1, #8]!
	        {0xf8200422, X1(.load = true, .wide = true, .size = 3, .authenticated = true)},
	        {0xf8201c22, X1(.load = true, .wide = true, .size = 3, .authenticated = true,
	                        .index = DECODE_PRE, .offset = 8)},
	        // ldar w2, [x1]; ldapur w2, [x1, #4]; ldapr x2, [x1]; stlr x2, [x1, #-8]!
	        {0x88dffc22, X1(.load = true, .size = 2, .ordered = true)},
	        {0x99404022, X1(.load = true, .size = 2, .ordered = true, .offset = 4)},
	        {0xf8bfc022, X1(.load = true, .wide = true, .size = 3, .ordered = true)},
	        {0xd9800822, X1(.size = 3, .ordered = true, .index = DECODE_PRE, .offset = -8)},
	        // ldr b2, h2, d2, q2, [x1]; str q2, [x1], #16
	        {0x3d400022, X1(.load = true, .fp = true)},
	        {0x7d400022, X1(.load = true, .fp = true, .size = 1)},
	        {0xfd400022, X1(.load = true, .fp = true, .size = 3)},
	        {0x3dc00022, X1(.load = true, .fp = true, .size = 4)},
	        {0x3c810422, X1(.fp = true, .size = 4, .index = DECODE_POST, .offset = 16)},
	};
	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void test_two_registers(void **state)
{
	static const struct row rows[] = {
	        // ldp w2, w3, [x1]; ldp x2, x3, [x1], #16; ldp x2, x3, [x1, #-16]!; ldpsw x2, x3, [x1]
	        {0x29400c22, X2(.load = true, .size = 2)},
	        {0xa8c10c22,
	         X2(.load = true, .wide = true, .size = 3, .index = DECODE_POST, .offset = 16)},
	        {0xa9ff0c22,
	         X2(.load = true, .wide = true, .size = 3, .index = DECODE_PRE, .offset = -16)},
	        {0x69400c22, X2(.load = true, .sign = true, .wide = true, .size = 2)},
	        // stp w2, w3, [x1, #8]; ldnp x2, x3, [x1]; ldp x2, x3, [sp], #32
	        {0x29010c22, X2(.size = 2, .offset = 8)},
	        {0xa8400c22, X2(.load = true, .wide = true, .size = 3)},
	        {0xa8c20fe2, X2(.load = true, .wide = true, .size = 3, .rn = 31,
	                        .index = DECODE_POST, .offset = 32)},
	        // ldp q2, q3, [x1]; stp d2, d3, [x1]; ldiapp x2, x3, [x1], #16; stilp w2, w3, [x1, #-8]!
	        {0xad400c22, X2(.load = true, .fp = true, .size = 4)},
	        {0x6d000c22, X2(.fp = true, .size = 3)},
	        {0xd9430822, X2(.load = true, .wide = true, .size = 3, .ordered = true,
	                        .index = DECODE_POST, .offset = 16)},
	        {0x99030822, X2(.size = 2, .ordered = true, .index = DECODE_PRE, .offset = -8)},
	};
	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

#define V(...) X1(.fp = true, __VA_ARGS__)

static void test_structures(void **state)
{
	static const struct row rows[] = {
	        // ld1 {v2.16b}, [x1]; ld1 {v2.8b}, [x1], x4; ld1 {v2.2d, v3.2d}, [x1]
	        {0x4c407022, V(.load = true, .lanes = 16, .lane = DECODE_ALL)},
	        {0x0cc47022,
	         V(.load = true, .lanes = 8, .lane = DECODE_ALL, .index = DECODE_POST, .rm = 4)},
	        {0x4c40ac22,
	         V(.load = true, .registers = 2, .size = 3, .lanes = 2, .lane = DECODE_ALL)},
	        // st4 {v2.16b-v5.16b}, [x1]; ld2 {v2.4s, v3.4s}, [x1], #32
	        {0x4c000022,
	         V(.registers = 4, .lanes = 16, .lane = DECODE_ALL, .interleaved = true)},
	        {0x4cdf8822,
	         V(.load = true, .registers = 2, .size = 2, .lanes = 4, .lane = DECODE_ALL,
	           .interleaved = true, .index = DECODE_POST, .offset = 32)},
	        // ld1 {v2.s}[1], [x1], #4; ld1r {v2.4h}, [x1]; st2 {v2.h, v3.h}[7], [x1]; ld1 {v2.b}[15], [x1]
	        {0x0ddf9022, V(.load = true, .size = 2, .lanes = 2, .lane = 1, .index = DECODE_POST,
	                       .offset = 4)},
	        {0x0d40c422,
	         V(.load = true, .size = 1, .lanes = 4, .lane = DECODE_ALL, .replicate = true)},
	        {0x4d205822,
	         V(.registers = 2, .size = 1, .lanes = 8, .lane = 7, .interleaved = true)},
	        {0x4d401c22, V(.load = true, .lanes = 16, .lane = 15)},
	        // stl1 {v2.d}[1], [x1]
	        {0x4d018422, V(.size = 3, .lanes = 2, .lane = 1, .ordered = true)},
	};
	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

static void test_kinds(void **state)
{
	static const struct row rows[] = {
	        // prfm pldl1keep, [x1]; dc zva, x1
	        {0xf9800020, OTHER(.kind = DECODE_PREFETCH)},
	        {0xd50b7421, OTHER(.kind = DECODE_ZERO)},
	        // ldxr w2, [x1]; stxr w4, w2, [x1]; ldxp x2, x3, [x1]
	        {0x885f7c22,
	         OTHER(.kind = DECODE_EXCLUSIVE, .load = true, .size = 2, .registers = 1, .rt = 2)},
	        {0x88047c22,
	         OTHER(.kind = DECODE_EXCLUSIVE, .size = 2, .registers = 1, .rt = 2, .rs = 4)},
	        {0xc87f0c22, OTHER(.kind = DECODE_EXCLUSIVE, .load = true, .wide = true, .size = 3,
	                           .registers = 2, .rt = 2, .rt2 = 3)},
	        // ldadd w2, w3, [x1]; swp w2, w3, [x1]; cas x2, x3, [x1]; caspal x2, x3, x4, x5, [x1]
	        {0xb8220023,
	         OTHER(.kind = DECODE_ATOMIC, .size = 2, .registers = 1, .rt = 3, .rs = 2)},
	        {0xb8228023,
	         OTHER(.kind = DECODE_ATOMIC, .size = 2, .registers = 1, .rt = 3, .rs = 2)},
	        {0xc8a27c23,
	         OTHER(.kind = DECODE_CAS, .size = 3, .registers = 1, .rt = 3, .rs = 2)},
	        {0x4862fc24, OTHER(.kind = DECODE_CAS, .size = 3, .registers = 2, .ordered = true,
	                           .rt = 4, .rs = 2)},
	        // swpp x2, x3, [x1]; ld64b x2, [x1]; stg x2, [x1], #16; cpyfm [x4]!, [x1]!, x2!
	        {0x19238022,
	         OTHER(.kind = DECODE_ATOMIC128, .size = 3, .registers = 2, .rt = 2, .rt2 = 3)},
	        {0xf83fd022,
	         OTHER(.kind = DECODE_BLOCK64, .load = true, .size = 3, .registers = 8, .rt = 2)},
	        {0xd9201422, OTHER(.kind = DECODE_TAGS, .size = 4, .registers = 1, .rt = 2,
	                           .index = DECODE_POST, .offset = 16)},
	        {0x19440422, OTHER(.kind = DECODE_COPY, .rt = 2, .rs = 4)},
	        // gcsstr x2, [x1]
	        {0xd91f0c22, OTHER(.kind = DECODE_GCS, .size = 3, .registers = 1, .rt = 2)},
	};
	(void)state;
	assert_rows(rows, ARRAY_SIZE(rows));
}

// Neighbours of the words above that mean nothing, or something else.
static void test_nothing(void **state)
{
	static const uint32_t words[] = {
	        0,          0xffffffff, 0xd503201f, 0x8b000000, // udf, -, nop, add
	        0xb8c00c22,                         // a signed load of a word into a word
	        0xe9400c22, 0xe8400c22,             // no size of a pair
	        0x68400c22,                         // LDPSW without allocation
	        0xb8640822,                         // an option that there is none of
	        0xfc800c22,                         // 256 bits
	        0x0c408c22,                         // ld2 {v2.1d, ...}
	        0x4c401022,                         // an opcode without a shape
	        0x0d00c422,                         // a store of one lane to all
	        0x0d408c22, 0x0d409422,             // no such lane
	        0x48237c24,                         // casp of odd registers
	        0x4822fc23,                         // the same, the other one
	        0xf83fd023, 0xf83fd038,             // eight registers from x3, from x24
	        0x59440422,                         // a copy with a size
	        0xd5087621, 0xd50b7a21, 0xd50b7461, // dc ivac, cvac, gva
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		assert_row(&(struct row){words[i], {.kind = DECODE_OTHER}});
}

// Whatever the word, what comes out can be acted on without looking again.
static void test_every_answer_is_in_range(void **state)
{
	uint64_t x = 88172645463325252u;
	(void)state;
	for (unsigned i = 0; i < 2000000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		struct decoded d = decode((uint32_t)(x >> 20) & ~(i & 1 ? BIT_U32(25) : 0));
		const uint8_t regs[] = {d.rt, d.rt2, d.rs, d.rn, d.rm};
		for (unsigned r = 0; r < ARRAY_SIZE(regs); r++)
			assert_true(regs[r] < 32 || regs[r] == NONE);
		if (d.kind != DECODE_ACCESS)
			continue;
		assert_true(d.size <= 4 && d.registers >= 1 && d.registers <= 4 && d.shift <= 4);
		assert_true(d.rt < 32 && (d.rn < 32 || d.literal));
		if (d.lanes == 0)
			assert_true(d.registers == 1 || (d.registers == 2 && d.rt2 < 32));
		else
			assert_true(d.fp && d.size <= 3 && d.lanes << d.size <= 16 &&
			            (d.lane < d.lanes || d.lane == DECODE_ALL));
		assert_true(d.fp || d.size <= 3);
		assert_true(!d.replicate || (d.load && d.lane == DECODE_ALL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_one_register),
	        cmocka_unit_test(test_two_registers),
	        cmocka_unit_test(test_structures),
	        cmocka_unit_test(test_kinds),
	        cmocka_unit_test(test_nothing),
	        cmocka_unit_test(test_every_answer_is_in_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
