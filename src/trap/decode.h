// SPDX-License-Identifier: Apache-2.0
// What an A64 load or store does, read from its 32 bits. docs/decoder.md says which ones are then carried out.
#ifndef TRAP_DECODE_H
#define TRAP_DECODE_H

#include "base/types.h"

#define DECODE_NO_REG 0xff
#define DECODE_ALL    0xff // in `lane`: every lane

enum decode_kind {
	DECODE_OTHER,     // no load or store, or none that Mezzo knows
	DECODE_ACCESS,    // registers to memory, or the other way round
	DECODE_PREFETCH,  // a hint
	DECODE_ZERO,      // DC ZVA
	DECODE_EXCLUSIVE, // LDXR, STXR and their pairs
	DECODE_ATOMIC,    // one register: LDADD, SWP, ...; FEAT_THE's
	DECODE_ATOMIC128, // two registers: LDCLRP, SWPP, ...; FEAT_THE's
	DECODE_CAS,       // CAS, CASP, and FEAT_THE's
	DECODE_BLOCK64,   // LD64B, ST64B, ...
	DECODE_TAGS,      // MTE: STG, LDG, STGP, ...
	DECODE_COPY,      // MOPS: CPY*, SET*
	DECODE_GCS,       // stores to a guarded control stack
};

enum decode_index {
	DECODE_OFFSET, // the base stays as it is
	DECODE_PRE,    // the base becomes the address
	DECODE_POST,   // the address is the base, which is then moved by the offset
};

// Register numbers are those of the instruction; 31 is the zero register, of `rn` the stack pointer.
// DECODE_NO_REG: there is none.
struct decoded {
	uint8_t kind; // enum decode_kind; the rest is 0 where the kind has no use for it
	bool load;    // atomics: false
	bool fp;      // `rt` and `rt2` are SIMD&FP registers
	bool sign;    // what is loaded is extended with its sign
	bool wide;    // a general register is loaded to 64 bits
	bool unprivileged;
	bool ordered;       // any of the acquire and release semantics
	bool authenticated; // LDRAA, LDRAB: the base is signed
	uint8_t size;       // log2 of the bytes of one element, 0-4
	uint8_t registers;  // 1-4; DECODE_BLOCK64: 8
	// Vector structures: elements of one register, 0 elsewhere; which of them, or DECODE_ALL; whether one element
	// goes to all of them; whether elements of the registers take turns in memory.
	uint8_t lanes, lane;
	bool replicate, interleaved;
	uint8_t index; // enum decode_index
	uint8_t rt, rt2, rs, rn, rm;
	uint8_t extend, shift; // of rm: as the field `option` has it; how far to the left
	bool literal;          // the base is the PC
	int64_t offset;        // bytes; 0 if there is rm
};

// Pure. Every word has an answer. Words that an unpredictable choice of registers makes odd are described all
// the same.
struct decoded decode(uint32_t word);

#endif
