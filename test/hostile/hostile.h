/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file of hostile cases needs. A case is one row of a table: who it is, what it does, what is right.
 * The runner (main.c) prints one line for each,
 *
 *     case H7.3 right
 *     case H7.3 wrong: load at 2^40: got 0x100 want 0x25
 *     case H7.3 absent: needs a GICv3
 *
 * behind a line `begin H7.3`, so that one that never returns is known by name. Whether Mezzo and other
 * machines took harm is not for a case to say: suite.py looks from outside.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "bits.h"
#include "code.h"
#include "exc.h"
#include "fdt.h"
#include "gic.h"
#include "io.h"
#include "irq.h"
#include "mmu.h"
#include "platform.h"
#include "print.h"
#include "psci.h"
#include "smp.h"
#include "sysreg.h"
#include "timer.h"

/* Where a case applies. Without one of the first two it runs on any hypervisor and on the bare board. */
#define NEEDS_MEZZO BIT(0) /* what is right is Mezzo's own choice */
#define NEEDS_GICV2 BIT(2)
#define NEEDS_GICV3 BIT(3)
#define NEEDS_SMP   BIT(4) /* two CPUs; all of them are started before the first case */
#define IS_SWEEP    BIT(5) /* goes through all values of something: counted apart */
#define OWN_VM      BIT(6) /* runs only when named: it leaves nothing behind that could go on */

/* How the VM of such a case has to end. */
enum hostile_end { ENDS_BY_ITSELF, ENDS_CRASHED, ENDS_OFF, ENDS_RESET };

struct hostile_case {
	const char *id;    /* class and number, "H7.3" */
	const char *what;  /* what it does, one sentence */
	const char *right; /* what has to come of it */
	void (*run)(void);
	u32 needs;
	enum hostile_end end;
} __attribute__((aligned(
        64))); /* whatever the compiler aligns tables to, no gap is left between two files' */

_Static_assert(sizeof(struct hostile_case) == 64, "the rows of all files make one array");

#define CASES(name) static const struct hostile_case name[] __attribute__((used, section(".cases")))

/* Expectations; a case without any is wrong. The first that does not hold is printed. CPU 0 alone. */
void want_eq(u64 got, u64 want, const char *what, ...) __attribute__((format(printf, 3, 4)));
void want_true(bool held, const char *what, ...) __attribute__((format(printf, 2, 3)));
/* One exception, taken to this EL1: of a class; undefined; an external abort of a load or store at `far`. */
void want_class(const struct exc_record *r, u64 class, const char *what, ...)
        __attribute__((format(printf, 3, 4)));
void want_undefined(const struct exc_record *r, const char *what, ...)
        __attribute__((format(printf, 2, 3)));
void want_abort(const struct exc_record *r, u64 far, const char *what, ...)
        __attribute__((format(printf, 3, 4)));
void want_none(const struct exc_record *r, const char *what, ...)
        __attribute__((format(printf, 2, 3)));
/* The rest of the case does not apply to this machine. */
void absent(const char *why) __attribute__((noreturn));
/* Under Mezzo. */
bool on_mezzo(void);

#define NO_EXC 0x100
static inline u64 exc_class(const struct exc_record *r)
{
	return r->count == 0 ? NO_EXC : FIELD_GET(ESR_EC, r->esr);
}

/* A case's own hook for exceptions, before all else; taken away at its end. */
void case_hook(bool (*hook)(struct exc_frame *frame, unsigned vector));
/* A pseudo-random number; the same ones in each run of a case. */
u64 case_random(void);
/* A page aligned piece of RAM that no case relies on between runs: CASE_BYTES of it, zeroed before each. */
#define CASE_BYTES (64 * KIB)
extern u8 case_memory[CASE_BYTES];
/* A GICv3 has its system registers on; the last byte of RAM + 1. */
u64 ram_end(void);
/* Sends x0-x3 by HVC or SMC; returns what came back in x0, and in regs all of it. */
u64 call4(bool smc, u64 x0, u64 x1, u64 x2, u64 x3, u64 regs[SMCCC_REGS]);

/* jump.S: saves where it is and calls fn; case_leave() comes back from anywhere below. */
void case_enter(void (*fn)(void));
void case_leave(void) __attribute__((noreturn));

/*
 * Runs up to EL0_WORDS instructions at EL0, with x0-x14 from regs (NULL: zeroes), and a `svc` behind them. Returns the exception
 * that ended it: EC_SVC64 if they all ran. CPU 0 alone; el0_area() is memory that EL0 may read and write.
 */
#define EL0_WORDS 1024u
struct exc_record case_el0(const u32 *code, u32 words, const u64 regs[15]);
u64 el0_area(void);

/* What a CPU finds when it starts (jump.S): fresh_cpu starts CPU 1 there and returns when it is off again. */
struct fresh {
	u64 x[31];
	u64 sctlr, ttbr0, ttbr1, contextidr, tpidr_el0, tpidr_el1, tpidrro, sp_el0, elr, esr, far,
	        par, afsr0;
	u64 cntv_ctl, cntkctl, mdscr, daif, currentel, filled;
	u64 v[32][2];
};
_Static_assert(offsetof(struct fresh, filled) == 392 && offsetof(struct fresh, v) == 400,
               "jump.S knows the layout");
const struct fresh *fresh_cpu(void);
void fresh_entry(void);

void victim_main(void) __attribute__((noreturn));
void work_main(u64 seconds) __attribute__((noreturn));

#endif
