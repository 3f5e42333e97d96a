/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytecode guest fuzzer: what its parts share. A program is a row of operations, generated from
 * (seed, CPU, number) into a buffer of code and one of values, run several times with fresh values. Exceptions
 * are recovered from: whatever an instruction does, the next one runs.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "exc.h"
#include "platform.h"
#include "sysreg.h"

#define OPS        96 /* operations of one program */
#define CODE_WORDS (OPS * 20)
#define VALUES     4 /* registers x0-x3 of an operation */
#define PASSES     6 /* how often a program runs, each time with other values */
#define SVC_END    0xf00du
#define FUZZ_ERET  0xd69f03e0u /* the word of ERET */
#define WORK_BYTES \
	(512 *     \
	 KIB) /* memory that operations may write; nothing else is within GUARD of its middle */
#define GUARD (128 * KIB) /* no address of an operation comes this close to the rest of the image */

struct random {
	u64 state;
};

u64 random_next(struct random *r);
u32 random_below(struct random *r, u32 bound);
bool random_one_in(struct random *r, u32 n);

/* How x0-x3 of an operation are made anew for each pass. */
enum value_kind {
	VALUE_ANY,     /* any number, small and odd ones more often */
	VALUE_ADDRESS, /* of a device, a hole, an end of memory, memory to work in */
	VALUE_NOWHERE, /* of a device or a hole: to be executed */
	VALUE_HIGH,    /* in the upper half of the address space */
	VALUE_CALL,    /* x0-x3 together: a call */
	VALUE_SGI,     /* for ICC_SGI1R_EL1, or a store to GICD_SGIR */
	VALUE_SCTLR,   /* registers that the fuzzer itself lives by: what it survives */
	VALUE_TCR,
	VALUE_TTBR0,
	VALUE_RETURN,   /* for SPSR_EL1 */
	VALUE_SMALL,    /* 0 to 7 */
	VALUE_SOON,     /* ticks, at most some microseconds */
	VALUE_DEADLINE, /* what the counter will soon be */
	VALUE_FIXED,
};

/* One CPU's own; nobody else touches it but through `progress` and `parked`. */
struct fuzzer {
	unsigned cpu;
	u64 seed;
	bool mmu; /* of this program */
	bool bare;
	u32 number; /* of this program */
	u32 words;  /* of code so far */
	u32 ops;    /* of this program */
	struct random random;
	u64 irqs; /* of this program: masked when it is too many */
	u64 total_ops, exceptions, interrupts, hash, program_hash;
	volatile u64 progress; /* changes while it lives */
	volatile u64 asleep;   /* counter when it went to sleep, 0: awake */
	volatile bool parked;
	u8 kind[OPS][VALUES];
};

extern struct fuzzer fuzzers[MAX_CPUS];
extern u32 fuzz_code[MAX_CPUS][CODE_WORDS];
extern u64 fuzz_values[MAX_CPUS][OPS * VALUES];
extern u8 fuzz_work[WORK_BYTES];

/* generate.c: a program for f->number, and values for one pass. */
void generate_program(struct fuzzer *f);
void generate_values(struct fuzzer *f);
/* emit.c */
void emit(struct fuzzer *f, u32 instruction);
void emit_load(struct fuzzer *f, unsigned reg, enum value_kind kind);
u32 memory_instruction(struct random *r);
u32 system_register(struct random *r);
/* values.c */
void make_values(struct fuzzer *f, u64 value[VALUES], const u8 kind[VALUES]);
/* recover.c: the exception hook, and a CPU as it must be between programs. */
bool recover(struct exc_frame *frame, unsigned vector);
void recover_init(void);
void recover_cpu(void);
void recover_gic(void);
void recover_gic_of(unsigned cpu);
void recover_uart(void);
/* run.S */
void fuzz_enter(const u32 *code);
void fuzz_leave(void);
void fuzz_entry(void);

#define TCR_T0_HALF \
	(BITS(15, 0) | BITS(34, 32) | BIT(37) | BIT(39) | BIT(40) | BIT(41) | BIT(51) | BIT(59))

#endif
