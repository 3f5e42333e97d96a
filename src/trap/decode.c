// SPDX-License-Identifier: Apache-2.0
// The instruction decoder: one table, a row for each class of encodings, a function for each way to lay out
// fields. Pure: owns nothing, reads nothing but the word. Called by trap/emulate.c; `make test-decode` compares it with
// a disassembler for every word. Invariant: a word that no row takes, or whose row finds it unallocated, is
// DECODE_OTHER, which nobody carries out.
// Source: Arm ARM, "Loads and Stores" in "A64 instruction set encoding", and the page of each instruction.
#include "trap/decode.h"

#include "base/bits.h"

typedef bool fill_function(struct decoded *d, uint32_t word); // false: unallocated

// ---- fields ----

#define RT    GENMASK_U32(4, 0)
#define RN    GENMASK_U32(9, 5)
#define RT2   GENMASK_U32(14, 10)
#define RM    GENMASK_U32(20, 16)
#define RS    GENMASK_U32(20, 16)
#define SIZE  GENMASK_U32(31, 30)
#define OPC   GENMASK_U32(23, 22)
#define IMM12 GENMASK_U32(21, 10)
#define IMM9  GENMASK_U32(20, 12)
#define IMM7  GENMASK_U32(21, 15)
#define IMM19 GENMASK_U32(23, 5)

#define VECTOR BIT_U32(26) // SIMD&FP registers
#define LOAD   BIT_U32(22)

static unsigned get(uint32_t mask, uint32_t word)
{
	return (unsigned)field_get(mask, word);
}

static int64_t get_signed(uint32_t mask, uint32_t word)
{
	unsigned bits = (unsigned)__builtin_popcount(mask);
	int64_t value = (int64_t)field_get(mask, word);
	return value >> (bits - 1) != 0 ? value - (INT64_C(1) << bits) : value;
}

// ---- which register, how wide: the fields `size`, `V` and `opc` of most classes ----

#define OPC_SIGN64 2
#define OPC_SIGN32 3

static bool general(struct decoded *d, unsigned size, unsigned opc)
{
	d->size = (uint8_t)size;
	d->load = opc != 0;
	d->sign = opc >= OPC_SIGN64;
	d->wide = d->load && (opc == OPC_SIGN64 || (opc == 1 && size == 3));
	return opc < OPC_SIGN64 || size < (opc == OPC_SIGN64 ? 3u : 2u);
}

// 8 to 128 bits: the upper bit of opc and `size` make one number.
static bool vector(struct decoded *d, unsigned size, unsigned opc)
{
	d->fp = true;
	d->load = (opc & 1) != 0;
	d->size = (uint8_t)((opc & 2) * 2 + size);
	return d->size <= 4;
}

// Whether this word is a prefetch where a load with sign would have no use.
static bool is_prefetch(uint32_t word)
{
	return (word & VECTOR) == 0 && get(SIZE, word) == 3 && get(OPC, word) == OPC_SIGN64;
}

static bool single(struct decoded *d, uint32_t word)
{
	d->registers = 1;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	return ((word & VECTOR) != 0 ? vector : general)(d, get(SIZE, word), get(OPC, word));
}

static bool prefetch(struct decoded *d, uint32_t word)
{
	d->kind = DECODE_PREFETCH;
	d->rn = (uint8_t)get(RN, word);
	return true;
}

// ---- one register, immediate or register offset ----

static bool unsigned_offset(struct decoded *d, uint32_t word)
{
	if (is_prefetch(word))
		return prefetch(d, word);
	bool allocated = single(d, word);
	d->offset = (int64_t)get(IMM12, word) * (INT64_C(1) << d->size);
	return allocated;
}

static bool unscaled(struct decoded *d, uint32_t word)
{
	if (is_prefetch(word))
		return prefetch(d, word);
	d->offset = get_signed(IMM9, word);
	return single(d, word);
}

static bool pre_index(struct decoded *d, uint32_t word)
{
	d->index = DECODE_PRE;
	d->offset = get_signed(IMM9, word);
	return single(d, word);
}

static bool post_index(struct decoded *d, uint32_t word)
{
	bool allocated = pre_index(d, word);
	d->index = DECODE_POST;
	return allocated;
}

static bool unprivileged(struct decoded *d, uint32_t word)
{
	d->unprivileged = true;
	d->offset = get_signed(IMM9, word);
	return single(d, word);
}

static bool register_offset(struct decoded *d, uint32_t word)
{
	const uint32_t option = GENMASK_U32(15, 13), scaled = BIT_U32(12);
	if ((get(option, word) & 2) == 0)
		return false;
	if (is_prefetch(word))
		return prefetch(d, word);
	bool allocated = single(d, word);
	d->rm = (uint8_t)get(RM, word);
	d->extend = (uint8_t)get(option, word);
	d->shift = (word & scaled) != 0 ? d->size : 0;
	return allocated;
}

static bool literal(struct decoded *d, uint32_t word)
{
	enum { W, X, SW, PRFM };
	unsigned opc = get(SIZE, word);
	if ((word & VECTOR) == 0 && opc == PRFM) {
		d->kind = DECODE_PREFETCH;
		return true;
	}
	d->registers = 1;
	d->rt = (uint8_t)get(RT, word);
	d->literal = d->load = true;
	d->offset = get_signed(IMM19, word) * 4;
	d->fp = (word & VECTOR) != 0;
	d->size = (uint8_t)(d->fp ? opc + 2 : opc == X ? 3 : 2);
	d->wide = !d->fp && opc != W;
	d->sign = !d->fp && opc == SW;
	return d->size <= 4;
}

// LDAPUR, STLUR and what they have in common with LDUR.
static bool ordered_unscaled(struct decoded *d, uint32_t word)
{
	d->ordered = true;
	d->offset = get_signed(IMM9, word);
	return single(d, word);
}

// LDRAA, LDRAB: as far as fields go; what the key makes of the base only the CPU knows.
static bool authenticated(struct decoded *d, uint32_t word)
{
	const uint32_t sign = BIT_U32(22), write_back = BIT_U32(11);
	d->registers = 1;
	d->authenticated = d->load = d->wide = true;
	d->size = 3;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	d->index = (word & write_back) != 0 ? DECODE_PRE : DECODE_OFFSET;
	d->offset = ((int64_t)get(IMM9, word) - ((word & sign) != 0 ? 512 : 0)) * 8;
	return true;
}

// ---- pairs ----

static bool tag_pair(struct decoded *d)
{
	d->kind = DECODE_TAGS;
	d->size = 4; // an offset counts granules
	d->load = false;
	return true;
}

static bool pair(struct decoded *d, uint32_t word)
{
	enum { NO_ALLOCATE, POST, OFFSET, PRE };
	const uint32_t how = GENMASK_U32(24, 23);
	unsigned opc = get(SIZE, word), index = get(how, word);
	bool allocated = opc != 3;
	d->registers = 2;
	d->rt = (uint8_t)get(RT, word);
	d->rt2 = (uint8_t)get(RT2, word);
	d->rn = (uint8_t)get(RN, word);
	d->load = (word & LOAD) != 0;
	d->index = index == POST ? DECODE_POST : index == PRE ? DECODE_PRE : DECODE_OFFSET;
	d->fp = (word & VECTOR) != 0;
	d->size = (uint8_t)(d->fp ? opc + 2 : opc == 2 ? 3 : 2);
	d->wide = !d->fp && d->load && opc != 0;
	if (!d->fp && opc == 1) { // LDPSW or STGP
		d->sign = d->load;
		allocated = index != NO_ALLOCATE && (d->load || tag_pair(d));
	}
	d->offset = get_signed(IMM7, word) * (INT64_C(1) << d->size);
	return allocated;
}

// FEAT_LRCPC3: pairs and single registers whose offset is the size, up after loads and down before stores.
static bool ordered_step(struct decoded *d, uint32_t word)
{
	const uint32_t plain = BIT_U32(12);
	unsigned size = get(SIZE, word);
	d->ordered = true;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	if (!general(d, size, (word & LOAD) != 0))
		return false;
	if ((word & plain) != 0)
		return true;
	int64_t bytes = INT64_C(1) << (d->size + (d->registers == 2));
	d->index = d->load ? DECODE_POST : DECODE_PRE;
	d->offset = d->load ? bytes : -bytes;
	return true;
}

static bool ordered_step_pair(struct decoded *d, uint32_t word)
{
	d->registers = 2;
	d->rt2 = (uint8_t)get(RM, word);
	return ordered_step(d, word);
}

static bool ordered_step_single(struct decoded *d, uint32_t word)
{
	d->registers = 1;
	return ordered_step(d, word);
}

// ---- vector structures ----

#define STRUCTURE_Q    BIT_U32(30)
#define STRUCTURE_POST BIT_U32(23)

// Registers, and the offset that moves the base behind the access.
static void structure(struct decoded *d, uint32_t word, unsigned bytes)
{
	d->fp = true;
	d->load = (word & LOAD) != 0;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	if ((word & STRUCTURE_POST) == 0)
		return;
	d->index = DECODE_POST;
	if (get(RM, word) == 31)
		d->offset = bytes;
	else
		d->rm = (uint8_t)get(RM, word);
}

static bool structures(struct decoded *d, uint32_t word)
{
	static const struct {
		uint8_t registers;
		bool interleaved;
	} shapes[16] = {
	        [0] = {4, true},  // LD4
	        [2] = {4, false}, // LD1 of four registers
	        [4] = {3, true},  [6] = {3, false},  [7] = {1, false},
	        [8] = {2, true},  [10] = {2, false},
	};
	const uint32_t opcode = GENMASK_U32(15, 12), size = GENMASK_U32(11, 10);
	unsigned shape = get(opcode, word), bytes = (word & STRUCTURE_Q) != 0 ? 16 : 8;
	d->registers = shapes[shape].registers;
	d->interleaved = shapes[shape].interleaved;
	d->size = (uint8_t)get(size, word);
	d->lanes = (uint8_t)(bytes >> d->size);
	d->lane = DECODE_ALL;
	structure(d, word, bytes * d->registers);
	return d->registers != 0 && (d->lanes > 1 || !d->interleaved);
}

// One lane of up to four registers, or one element for all lanes.
static bool single_structure(struct decoded *d, uint32_t word)
{
	const uint32_t scale = GENMASK_U32(15, 14), odd = BIT_U32(13), even = BIT_U32(21),
	               s = BIT_U32(12), size = GENMASK_U32(11, 10);
	unsigned at = get(size, word), bits = get(STRUCTURE_Q, word) << 3 | get(s, word) << 2 | at;
	d->size = (uint8_t)get(scale, word);
	d->registers = (uint8_t)(get(odd, word) * 2 + get(even, word) + 1);
	d->interleaved = d->registers > 1;
	d->replicate = d->size == 3;
	bool allocated = true;
	if (d->replicate) {
		d->size = (uint8_t)at;
		allocated = (word & LOAD) != 0 && (word & s) == 0;
	} else if (d->size == 2 && (at & 1) != 0) { // 64 bits
		d->size = 3;
		allocated = at == 1 && (word & s) == 0;
	} else {
		allocated = (at & (BIT_U32(d->size) - 1)) == 0;
	}
	d->lanes = (uint8_t)(((word & STRUCTURE_Q) != 0 ? 16 : 8) >> d->size);
	d->lane = (uint8_t)(d->replicate ? DECODE_ALL : bits >> d->size);
	structure(d, word, (unsigned)d->registers << d->size);
	return allocated;
}

// LDAP1, STL1 (FEAT_LRCPC3).
static bool ordered_lane(struct decoded *d, uint32_t word)
{
	d->ordered = true;
	d->registers = 1;
	d->size = 3;
	d->lanes = 2;
	d->lane = (uint8_t)get(STRUCTURE_Q, word);
	structure(d, word, 0);
	return true;
}

// ---- exclusive, ordered, compare and swap: the class that LDXR is in ----

static bool exclusive(struct decoded *d, uint32_t word)
{
	const uint32_t o2 = BIT_U32(23), o1 = BIT_U32(21), o0 = BIT_U32(15);
	unsigned size = get(SIZE, word);
	bool two = (word & o1) != 0;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	d->ordered = (word & o0) != 0;
	d->registers = 1;
	(void)general(d, size, (word & LOAD) != 0);
	if ((word & o2) != 0 && !two) { // LDAR, STLR, LDLAR, STLLR
		d->ordered = true;
		return true;
	}
	d->rs = (uint8_t)get(RS, word);
	if ((word & o2) != 0 || (two && size < 2)) { // CAS, CASP
		d->kind = DECODE_CAS;
		d->ordered |= d->load;
		d->load = d->wide = false;
		if ((word & o2) == 0) {
			d->registers = 2;
			d->size = (uint8_t)(size + 2);
		}
		return get(RT2, word) == 31 && (d->registers == 1 || ((d->rs | d->rt) & 1) == 0);
	}
	d->kind = DECODE_EXCLUSIVE;
	if (d->load)
		d->rs = DECODE_NO_REG;
	if (two) {
		d->registers = 2;
		d->rt2 = (uint8_t)get(RT2, word);
	}
	return true;
}

// ---- read, modify, write ----

#define ACQUIRE BIT_U32(23)
#define RELEASE BIT_U32(22)

static bool atomic(struct decoded *d, uint32_t word)
{
	d->kind = DECODE_ATOMIC;
	d->registers = 1;
	d->size = (uint8_t)get(SIZE, word);
	d->ordered = (word & (ACQUIRE | RELEASE)) != 0;
	d->rs = (uint8_t)get(RS, word);
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	return true;
}

// FEAT_THE: always 64 bits.
static bool check_write(struct decoded *d, uint32_t word)
{
	(void)atomic(d, word);
	d->size = 3;
	return true;
}

static bool check_write_cas(struct decoded *d, uint32_t word)
{
	(void)check_write(d, word);
	d->kind = DECODE_CAS;
	return true;
}

static bool check_write_casp(struct decoded *d, uint32_t word)
{
	(void)check_write_cas(d, word);
	d->registers = 2;
	return ((d->rs | d->rt) & 1) == 0;
}

// FEAT_LSE128, FEAT_THE: the second register is where others have Rs.
static bool atomic128(struct decoded *d, uint32_t word)
{
	(void)check_write(d, word);
	d->kind = DECODE_ATOMIC128;
	d->registers = 2;
	d->rt2 = d->rs;
	d->rs = DECODE_NO_REG;
	return true;
}

static bool acquire_rcpc(struct decoded *d, uint32_t word) // LDAPR
{
	d->ordered = true;
	d->registers = 1;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	return general(d, get(SIZE, word), 1);
}

// ---- what only has a name here ----

static bool block64(struct decoded *d, uint32_t word)
{
	const uint32_t status = BIT_U32(13), load = BIT_U32(14);
	unsigned first = get(RT, word);
	d->kind = DECODE_BLOCK64;
	d->size = 3;
	d->registers = 8;
	d->load = (word & load) != 0;
	d->rt = (uint8_t)first;
	d->rn = (uint8_t)get(RN, word);
	if (!d->load && (word & status) != 0)
		d->rs = (uint8_t)get(RS, word);
	return (first & 1) == 0 && first <= 22; // eight registers from there
}

static bool tags(struct decoded *d, uint32_t word)
{
	enum { NONE, POST, OFFSET, PRE };
	const uint32_t index = GENMASK_U32(11, 10);
	d->kind = DECODE_TAGS;
	d->registers = 1;
	d->size = 4;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	d->offset = get_signed(IMM9, word) * 16;
	switch (get(index, word)) {
	case NONE: // LDG; STZGM, STGM, LDGM have no offset
		d->load = get(OPC, word) == 1 || get(OPC, word) == 3;
		return get(OPC, word) == 1 || d->offset == 0;
	case POST: d->index = DECODE_POST; break;
	case PRE: d->index = DECODE_PRE; break;
	default: break;
	}
	return true;
}

static bool copy(struct decoded *d, uint32_t word)
{
	const uint32_t set = GENMASK_U32(23, 22), stage = GENMASK_U32(15, 14);
	d->kind = DECODE_COPY;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	d->rs = (uint8_t)get(RS, word);
	return get(SIZE, word) == 0 && (get(set, word) != 3 || get(stage, word) != 3);
}

static bool control_stack(struct decoded *d, uint32_t word)
{
	d->kind = DECODE_GCS;
	d->size = 3;
	d->registers = 1;
	d->rt = (uint8_t)get(RT, word);
	d->rn = (uint8_t)get(RN, word);
	return true;
}

static bool zero(struct decoded *d, uint32_t word)
{
	d->kind = DECODE_ZERO;
	d->rt = DECODE_NO_REG;
	d->rn = (uint8_t)get(RT, word);
	return true;
}

// ---- the table ----

static const struct {
	uint32_t mask, bits;
	fill_function *fill;
} rows[] = {
        // One register: the most usual first.
        {0x3b200c00, 0x38000c00, pre_index},
        {0x3b200c00, 0x38000400, post_index},
        {0x3a000000, 0x28000000, pair},
        {0x3b000000, 0x39000000, unsigned_offset},
        {0x3b200c00, 0x38000000, unscaled},
        {0x3f200c00, 0x38000800, unprivileged},
        {0x3b200c00, 0x38200800, register_offset},
        {0x3b000000, 0x18000000, literal},
        {0xff200400, 0xf8200400, authenticated},
        // With an order: LDAPUR, STLUR, of general and of SIMD&FP registers; FEAT_LRCPC3's others; LDAPR.
        {0x3f200c00, 0x19000000, ordered_unscaled},
        {0x3f200c00, 0x1d000800, ordered_unscaled},
        {0xbfa0ec00, 0x99000800, ordered_step_pair},
        {0xbfbffc00, 0x99800800, ordered_step_single},
        {0x3ffffc00, 0x38bfc000, acquire_rcpc},
        // Vector structures: multiple and single, each without and with a change of the base; LDAP1, STL1.
        {0xbfbf0000, 0x0c000000, structures},
        {0xbfa00000, 0x0c800000, structures},
        {0xbf9f0000, 0x0d000000, single_structure},
        {0xbf800000, 0x0d800000, single_structure},
        {0xbfbffc00, 0x0d018400, ordered_lane},
        // LDXR, STXR, LDAR, STLR, CAS.
        {0x3f000000, 0x08000000, exclusive},
        // LDADD to LDUMIN; SWP.
        {0x3f208c00, 0x38200000, atomic},
        {0x3f20fc00, 0x38208000, atomic},
        // RCWCLR, RCWSWP, RCWSET; RCWCAS, RCWCASP; LDCLRP, LDSETP, SWPP; RCWCLRP, RCWSWPP, RCWSETP.
        {0xbf20fc00, 0x38209000, check_write},
        {0xbf20fc00, 0x3820a000, check_write},
        {0xbf20fc00, 0x3820b000, check_write},
        {0xbf20fc00, 0x19200800, check_write_cas},
        {0xbf20fc00, 0x19200c00, check_write_casp},
        {0xff20fc00, 0x19201000, atomic128},
        {0xff20fc00, 0x19203000, atomic128},
        {0xff20fc00, 0x19208000, atomic128},
        {0xbf20fc00, 0x19209000, atomic128},
        {0xbf20fc00, 0x1920a000, atomic128},
        {0xbf20fc00, 0x1920b000, atomic128},
        // ST64B, ST64BV, ST64BV0, LD64B.
        {0xfffffc00, 0xf83f9000, block64},
        {0xffe0fc00, 0xf820b000, block64},
        {0xffe0fc00, 0xf820a000, block64},
        {0xfffffc00, 0xf83fd000, block64},
        {0xff200000, 0xd9200000, tags},
        {0x3b200c00, 0x19000400, copy},
        {0xffffec00, 0xd91f0c00, control_stack}, // GCSSTR, GCSSTTR
        {0xffffffe0, 0xd50b7420, zero},
};

struct decoded decode(uint32_t word)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if ((word & rows[i].mask) != rows[i].bits)
			continue;
		struct decoded d = {
		        .kind = DECODE_ACCESS,
		        .rt = DECODE_NO_REG,
		        .rt2 = DECODE_NO_REG,
		        .rs = DECODE_NO_REG,
		        .rn = DECODE_NO_REG,
		        .rm = DECODE_NO_REG,
		};
		if (rows[i].fill(&d, word))
			return d;
	}
	return (struct decoded){.kind = DECODE_OTHER};
}
