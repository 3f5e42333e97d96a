// SPDX-License-Identifier: Apache-2.0
/*
 * Class H20: 32-bit programs at EL0. Whatever they do ends at their own EL1, at the right place and width; what EL2
 * steps over for them is as long as it is, inside an IT block too; what fails its condition does nothing.
 * Source: Arm ARM, "ESR_EL1", "SPSR_EL1", "Illegal return events from AArch64 state"; XSA-102, XSA-103.
 */
#include "hostile.h"

#define EL0_CODE    (el0_area() - 64 * KIB) /* in the block of case_el0(), below its data */
#define VEC_SYNC32  (VEC_LOW32 + VEC_SYNC)
#define EC_WFX      0x01
#define EC_CP15_64  0x04
#define EC_CP14_LDC 0x06
#define EC_CP14_64  0x0c
#define EC_ILLEGAL  0x0e
#define SPSR_IT_HI  BITS(15, 10)
#define SPSR_IT_LO  BITS(26, 25)
#define SCTLR_NTWX  (BIT(16) | BIT(18)) /* WFI and WFE of EL0 are not EL1's business */
#define REGS        15u
#define UNTOUCHED   0x55555555u
#define T_LONG      0xe800u /* first halfword of the T32 instructions of four bytes */
#define SOON_US     5000ul
#define SWEEP       1024u
#define OPEN        64u /* registers that EL0 may have, at most */
#define NOWHERE     0x0b000000ul
#define IBRD        0x024
#define VALUE       0x8182u

#define A_SVC     0xef000007u
#define T_SVC     0xdf07
#define T_MOVS_R0 0x2000 /* movs r0, #0 */
#define T_CMP_R0  0x2800 /* cmp r0, #0: equal */

static struct {
	u32 count,
	        strange; /* exceptions before the SVC; those of a class or at a place that is wrong */
	u64 class, esr, far, elr, it; /* the last one */
	u64 bytes;
	u64 regs[REGS];
	u64 end; /* where the SVC is */
} seen;
static u64 args[REGS];

static bool is_expected(u64 class)
{
	return class == EC_UNKNOWN || class == EC_CP15 || class == EC_CP15_64 || class == EC_CP14 ||
	       class == EC_CP14_64 || class == EC_CP14_LDC || class == EC_WFX ||
	       class == EC_DABT_LOW;
}

static u64 it_state(u64 spsr)
{
	return FIELD_GET(SPSR_IT_HI, spsr) << 2 | FIELD_GET(SPSR_IT_LO, spsr);
}

static void step_over(struct exc_frame *f)
{
	bool is_short = (f->spsr & SPSR_T32) != 0 && *(volatile u16 *)f->elr < T_LONG;
	u64 it = it_state(f->spsr);

	it = (it & BITS(2, 0)) == 0 ? 0 : (it & BITS(7, 5)) | (it << 1 & BITS(4, 0));
	f->elr += is_short ? 2 : 4;
	f->spsr = (f->spsr & ~(SPSR_IT_HI | SPSR_IT_LO)) | FIELD(SPSR_IT_HI, it >> 2) |
	          FIELD(SPSR_IT_LO, it);
}

static bool take(struct exc_frame *f, unsigned vector)
{
	u64 class = FIELD_GET(ESR_EC, f->esr);

	if (vector < VEC_LOW32 || (vector & VEC_KIND) == VEC_IRQ)
		return false;
	if (class == EC_SVC32 || seen.count > 2 * SWEEP) {
		seen.end = f->elr;
		for (u32 i = 0; i < REGS; i++)
			seen.regs[i] = f->x[i];
		exc_leave_el0(0);
	}
	seen.strange += vector != VEC_SYNC32 || !is_expected(class) ||
	                f->elr - EL0_CODE >= seen.bytes || (seen.count != 0 && f->elr <= seen.elr);
	seen.count++;
	seen.class = class;
	seen.esr = f->esr;
	seen.far = f->far;
	seen.it = it_state(f->spsr);
	seen.elr = f->elr;
	step_over(f);
	return true;
}

/* Runs a program whose last instruction is SVC #7; r4 = a register of the UART, r5 = nothing is there. */
static void run(const void *code, u64 bytes, bool thumb)
{
	u64 at = EL0_CODE;

	if (FIELD_GET(PFR0_EL0, read_sysreg(id_aa64pfr0_el1)) != 2)
		absent("this CPU has no AArch32");
	mmu_map_user(at);
	mmu_map_devices_user();
	__builtin_memcpy((void *)at, code, bytes);
	cache_sync_code(at, bytes);
	for (u32 i = 0; i < REGS; i++)
		args[i] = UNTOUCHED;
	args[4] = platform.uart + IBRD;
	args[5] = NOWHERE;
	args[6] = el0_area();
	args[13] = el0_area() + PAGE_BYTES;
	__builtin_memset(&seen, 0, sizeof(seen));
	seen.bytes = bytes;
	case_hook(take);
	exc_run_el0(at, SPSR_A32USR | SPSR_DAIF32 | (thumb ? SPSR_T32 : 0), args, 0);
	case_hook(NULL);
}

static void ended_well(u64 bytes, const char *what)
{
	want_eq(seen.strange, 0, "%s: exceptions of another class or place", what);
	want_eq(seen.end, EL0_CODE + bytes, "%s: its end", what);
	for (u32 i = 0; i < REGS; i++)
		want_eq(seen.regs[i] >> 32, 0, "%s: upper half of x%u", what, i);
}

#define RUN_A32(what, ...)                                \
	do {                                              \
		static const u32 code_[] = {__VA_ARGS__}; \
		run(code_, sizeof(code_), false);         \
		ended_well(sizeof(code_), what);          \
	} while (0)
#define RUN_T32(what, ...)                                \
	do {                                              \
		static const u16 code_[] = {__VA_ARGS__}; \
		run(code_, sizeof(code_), true);          \
		ended_well(sizeof(code_), what);          \
	} while (0)

static u32 sweep_code[SWEEP + 1];

/* What did not trap, of SWEEP accesses to or from r0 (and r1). */
static u32 sweep_run(const char *what, u32 at)
{
	sweep_code[SWEEP] = A_SVC;
	run(sweep_code, sizeof(sweep_code), false);
	want_eq(seen.strange, 0, "%s %u: exceptions of another class or place", what, at);
	want_eq(seen.end, EL0_CODE + sizeof(sweep_code), "%s %u: its end", what, at);
	for (u32 i = 2; i < REGS; i++)
		want_eq(seen.regs[i], args[i], "%s %u: r%u", what, at, i);
	return SWEEP - seen.count;
}

/* MRC or MCR of p14 and p15, each encoding. */
static void sweep_single(bool read)
{
	u32 open = 0;

	for (u32 at = 0; at < 32; at++) { /* coprocessor and CRn */
		for (u32 i = 0; i < SWEEP; i++)
			sweep_code[i] = 0xee000010u | (i >> 7) << 21 | (read ? BIT(20) : 0) |
			                (at & 15) << 16 | (14 + (at >> 4)) << 8 | (i & 7) << 5 |
			                (i >> 3 & 15);
		open += sweep_run(read ? "MRC" : "MCR", at);
	}
	want_true(open <= OPEN, "%u did not trap", open);
}

static void sweep_reads(void)
{
	sweep_single(true);
}

static void sweep_writes(void)
{
	sweep_single(false);
}

/* MRRC and MCRR; the counters are closed to EL0. */
static void sweep_pairs(void)
{
	for (u32 i = 0; i < SWEEP; i++)
		sweep_code[i] = 0xec400000u | (i >> 9) << 20 | 1u << 16 | (14 + (i >> 8 & 1)) << 8 |
		                (i >> 4 & 15) << 4 | (i & 15);
	want_true(sweep_run("MRRC, MCRR", 0) <= 8, "%u did not trap", SWEEP - seen.count);
}

/* With r0 = SYSTEM_OFF. */
static void calls(void)
{
	RUN_A32("HVC", 0xe59f0004, 0xe1400070, 0xea000001, 0x84000008, A_SVC, A_SVC);
	want_eq(seen.count, 1, "HVC is undefined");
	want_eq(seen.class, EC_UNKNOWN, "HVC");
}

static void calls_smc(void)
{
	RUN_A32("SMC", 0xe59f0004, 0xe1600070, 0xea000001, 0x84000008, A_SVC, A_SVC);
	want_eq(seen.count, 1, "SMC is undefined");
	want_eq(seen.class, EC_UNKNOWN, "SMC");
	RUN_A32("ERET", 0xe160006e, A_SVC);
	want_eq(seen.count, 1, "ERET is undefined");
	RUN_T32("T32 HVC, SMC", 0xf7e0, 0x8000, 0xf7f0, 0x8000, T_SVC);
	want_eq(seen.count, 2, "T32 HVC and SMC are undefined");
}

/* Z is set: EQ passes, NE does not. */
static void conditions(void)
{
	write32(platform.uart + IBRD, VALUE);
	RUN_A32("conditions", 0xe3a00000, 0xe3500000, 0x1e192f1d, 0x1e102f10, 0x1e071f11,
	        0x11600070, 0x1320f003, 0x1f000001, 0x15942000, 0x15842000, 0x15952000, 0x05943000,
	        A_SVC);
	/* mrcne PMCCNTR; mrcne MIDR; mcrne; smcne; wfine; svcne; ldrne; strne; ldrne [r5]; ldreq r3 */
	want_eq(seen.count, 0, "no exception");
	want_eq(seen.regs[2], UNTOUCHED, "r2");
	want_eq(seen.regs[3], VALUE, "ldreq");
	want_eq(read32(platform.uart + IBRD), VALUE, "strne");
}

static void waits_open(void)
{
	u64 sctlr = read_sysreg(sctlr_el1);

	write_sysreg(sctlr_el1, sctlr | SCTLR_NTWX);
	gic_enable(INTID_VTIMER);
	write_sysreg(cntv_tval_el0, timer_ticks(SOON_US));
	write_sysreg(cntv_ctl_el0, 1);
	isb();
}

/* EL2 steps over them: two bytes or four, the interrupt pends and is masked. */
static void waits(void)
{
	waits_open();
	RUN_T32("T32", 0xbf30, 0x2101, 0xbf40, 0xbf20, 0x2201, 0xf3af, 0x8003, 0x2301, T_SVC);
	/* wfi; movs r1, #1; sev; wfe; movs r2, #1; wfi.w; movs r3, #1 */
	want_eq(seen.count, 0, "T32: nothing for EL1");
	want_true(seen.regs[1] == 1 && seen.regs[2] == 1 && seen.regs[3] == 1,
	          "T32: each movs runs");
	waits_open();
	RUN_A32("A32", 0xe320f003, 0xe3a01001, 0xe320f004, 0xe320f002, 0xe3a02001, A_SVC);
	want_eq(seen.count, 0, "A32: nothing for EL1");
	want_true(seen.regs[1] == 1 && seen.regs[2] == 1, "A32: each mov runs");
}

#define TRIES 20u

static const u16 wait_code[] = {T_MOVS_R0, T_CMP_R0, 0xbf06, 0xbf30, 0x2101, 0x2201, 0x2301, T_SVC};
/* itte eq; wfieq; moveq r1, #1; movne r2, #1; movs r3, #1 */

static void waits_in_block(void)
{
	u64 sctlr = read_sysreg(sctlr_el1);

	/* With an interrupt that pends, of EL2's own even, QEMU traps no WFI. */
	write_sysreg(cntv_ctl_el0, 0);
	write_sysreg(sctlr_el1, sctlr & ~SCTLR_NTWX);
	isb();
	run(wait_code, sizeof(wait_code), true);
	for (u32 i = 0; i < TRIES && seen.class != EC_WFX; i++)
		run(wait_code, sizeof(wait_code), true);
	if (seen.class == EC_WFX && seen.it != 0x06)
		absent("QEMU says a trapped WFI's IT state is that of the next instruction");
	waits_open();
	run(wait_code, sizeof(wait_code), true);
	ended_well(sizeof(wait_code), "T32");
	want_eq(seen.count, 0, "nothing for EL1");
	want_eq(seen.regs[1], 1, "moveq");
	want_eq(seen.regs[2], UNTOUCHED, "movne");
	want_eq(seen.regs[3], 1, "behind the block");
}

static void devices_in_block(void)
{
	write32(platform.uart + IBRD, VALUE);
	RUN_T32("T32", T_MOVS_R0, T_CMP_R0, 0xbf0b, 0x6821, 0xf8d4, 0x3000, 0x6823, 0x2201, T_SVC);
	/* itete eq: ldreq r1; ldrne.w r3; ldreq r3; movne r2, #1 */
	want_eq(seen.count, 0, "no exception");
	want_eq(seen.regs[1], VALUE, "ldreq r1");
	want_eq(seen.regs[3], VALUE, "ldreq r3");
	want_eq(seen.regs[2], UNTOUCHED, "movne");
	RUN_T32("aborts", T_MOVS_R0, T_CMP_R0, 0xbf06, 0x6829, 0x682b, 0x2201, T_SVC);
	want_eq(seen.count, 2, "two aborts in a block");
	want_eq(seen.class, EC_DABT_LOW, "their class");
	want_eq(seen.far, NOWHERE, "their address");
	want_eq(seen.regs[2], UNTOUCHED, "movne behind aborts");
}

/* Their syndrome says nothing: the access is an external abort, and has changed nothing. */
static void no_syndrome(void)
{
	static const u32 forms[] = {
	        0xe1c400d0, 0xe1c400f0, 0xe8940003, 0xe8840003, /* ldrd, strd, ldm, stm */
	        0xe4940004, 0xe4840004, 0xe5b40004, 0xe4d40001, /* post- and pre-index */
	        0xe1040090,                                     /* swp */
	};

	for (u32 i = 0; i < ARRAY_LEN(forms); i++) {
		const u32 code[] = {forms[i], 0xe3a03001, A_SVC};

		write32(platform.uart + IBRD, VALUE);
		run(code, sizeof(code), false);
		ended_well(sizeof(code), "form");
		want_eq(seen.count, 1, "form %u: one exception", i);
		want_true(seen.regs[0] == UNTOUCHED && seen.regs[1] == UNTOUCHED, "form %u: r0, r1",
		          i);
		want_eq(seen.regs[4], args[4], "form %u: r4", i);
		want_eq(seen.regs[3], 1, "form %u: goes on", i);
		want_eq(read32(platform.uart + IBRD), VALUE, "form %u: the register", i);
	}
}

static bool illegal(struct exc_frame *f, unsigned vector)
{
	if ((vector & VEC_KIND) != VEC_SYNC || vector >= VEC_LOW64)
		return false;
	seen.count++;
	seen.class = FIELD_GET(ESR_EC, f->esr);
	exc_leave_el0(0);
}

/* EL1 is AArch64 and stays it. */
static void returns(void)
{
	static const u64 modes[] = {0x11, 0x12, 0x13, 0x16, 0x17, 0x1a, 0x1b, 0x1f, 0x14, 0x18};
	u64 daif = read_sysreg(daif);

	for (u32 i = 0; i < ARRAY_LEN(modes); i++) {
		__builtin_memset(&seen, 0, sizeof(seen));
		case_hook(illegal);
		exc_run_el0((u64)returns, modes[i] | SPSR_DAIF32, args, 0);
		case_hook(NULL);
		write_sysreg(daif, daif);
		want_eq(seen.class, EC_ILLEGAL, "to mode %lx", modes[i]);
	}
}

CASES(rows) = {
        {"H20.1", "MRC of every encoding of p14 and p15 at a 32-bit EL0.",
         "EL1 has the exception, at that instruction; few are open.", sweep_reads, IS_SWEEP, 0},
        {"H20.2", "MCR of every encoding of p14 and p15.", "The same.", sweep_writes, IS_SWEEP, 0},
        {"H20.3", "MRRC and MCRR of every encoding.", "The same.", sweep_pairs, IS_SWEEP, 0},
        {"H20.4", "HVC at a 32-bit EL0, with SYSTEM_OFF.", "Undefined.", calls, 0, 0},
        {"H20.5", "SMC, ERET, and both calls in T32.", "Undefined.", calls_smc, 0, 0},
        {"H20.6", "Instructions that trap and fail their condition.", "Nothing happens.",
         conditions, 0, 0},
        {"H20.7", "WFI and WFE of two and of four bytes, left to EL2.", "It goes on behind them.",
         waits, 0, 0},
        {"H20.8", "WFI in an IT block, left to EL2.", "The block goes on where it was.",
         waits_in_block, 0, 0},
        {"H20.9", "Devices and aborts in an IT block.", "Right registers, the block goes on.",
         devices_in_block, 0, 0},
        {"H20.10", "Accesses to a device without a syndrome.", "External abort, nothing changed.",
         no_syndrome, NEEDS_MEZZO, 0},
        {"H20.11", "ERET to each 32-bit mode that EL1 is not.", "Illegal state, at its own EL1.",
         returns, 0, 0},
};
