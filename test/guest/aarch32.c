// SPDX-License-Identifier: Apache-2.0
/*
 * 32-bit programs at EL0, A32 and T32: system calls, device accesses, coprocessor accesses that
 * trap or are undefined, aborts, interrupts, FP. After each the program goes on at the right
 * instruction, with the right registers, and inside an IT block with the right IT state; what
 * fails its condition does nothing.
 * Source: Arm ARM, "ESR_EL1", "SPSR_EL1 when exception taken from AArch32 state", "IT"; threat
 * H20.
 */
#include "test.h"

#include "gic.h"
#include "irq.h"
#include "mmu.h"

#define NOWHERE      0x0b000000ul
#define IBRD         0x024
#define VALUE        0x8182u
#define DATA         0x1000u /* offset of data in the user's block */
#define STACK        0x4000u
#define MAX_EVENTS   8u
#define UNTOUCHED    0x55555555u
#define SPSR_IT_HI   BITS(15, 10)
#define SPSR_IT_LO   BITS(26, 25)
#define SPSR_Z       BIT(30)
#define EC_WFX       0x01
#define EC_CP15_64   0x04
#define EC_CP14_LDC  0x06
#define CNT_EL0      3ul /* CNTKCTL_EL1: both counters readable at EL0 */
#define SOON_US      500ul
#define REGS         15u
#define T_FIRST_LONG 0xe800 /* first halfword of the T32 instructions of four bytes */

struct event {
	u32 vector;
	u64 class, esr, far, elr, spsr;
};

static struct event events[MAX_EVENTS];
static u32 event_count;
static u64 finals[REGS]; /* r0-r14 at the final SVC */
static struct event final;
static u64 user;
static u64 args[REGS];

static u64 it_state(u64 spsr)
{
	return FIELD_GET(SPSR_IT_HI, spsr) << 2 | FIELD_GET(SPSR_IT_LO, spsr);
}

static u64 advance_it(u64 spsr)
{
	u64 it = it_state(spsr);

	it = (it & BITS(2, 0)) == 0 ? 0 : (it & BITS(7, 5)) | (it << 1 & BITS(4, 0));
	return (spsr & ~(SPSR_IT_HI | SPSR_IT_LO)) | FIELD(SPSR_IT_HI, it >> 2) |
	       FIELD(SPSR_IT_LO, it);
}

/* ESR.IL does not tell: it is 1 for undefined instructions and for aborts at EL1. */
static u64 length_at(u64 pc, u64 spsr)
{
	return (spsr & SPSR_T32) == 0 || *(volatile u16 *)pc >= T_FIRST_LONG ? 4 : 2;
}

/* Ends at SVC; steps over everything else, in the way a kernel that emulates would. */
static bool user_hook(struct exc_frame *f, unsigned vector)
{
	struct event e = {vector, FIELD_GET(ESR_EC, f->esr), f->esr, f->far, f->elr, f->spsr};

	if (vector < VEC_LOW32)
		return false;
	if ((vector & VEC_KIND) == VEC_IRQ) {
		irq_dispatch();
		return true;
	}
	if (e.class == EC_SVC32 || event_count >= MAX_EVENTS) {
		final = e;
		for (u32 i = 0; i < REGS; i++)
			finals[i] = f->x[i];
		exc_leave_el0(0);
	}
	events[event_count++] = e;
	f->elr += length_at(f->elr, f->spsr);
	f->spsr = advance_it(f->spsr);
	return true;
}

static void run(const void *code, size_t bytes, bool thumb)
{
	__builtin_memcpy((void *)user, code, bytes);
	cache_sync_code(user, bytes);
	event_count = 0;
	exc_run_el0(user, SPSR_A32USR | SPSR_DAIF32 | (thumb ? SPSR_T32 : 0), args, 0);
}

static void run_irq(const void *code, size_t bytes)
{
	__builtin_memcpy((void *)user, code, bytes);
	cache_sync_code(user, bytes);
	event_count = 0;
	exc_run_el0(user, SPSR_A32USR, args, 0);
}

static void set_args(void)
{
	for (u32 i = 0; i < REGS; i++)
		args[i] = UNTOUCHED;
	args[4] = platform.uart + IBRD;
	args[5] = NOWHERE;
	args[6] = user + DATA;
	args[13] = user + STACK;
	write32(platform.uart + IBRD, VALUE);
}

#define RUN_A32(...)                                      \
	do {                                              \
		static const u32 code_[] = {__VA_ARGS__}; \
		set_args();                               \
		run(code_, sizeof(code_), false);         \
	} while (0)
#define RUN_T32(...)                                      \
	do {                                              \
		static const u16 code_[] = {__VA_ARGS__}; \
		set_args();                               \
		run(code_, sizeof(code_), true);          \
	} while (0)

#define A_SVC     0xef000007 /* svc #7 */
#define T_SVC     0xdf07
#define T_MOVS_R0 0x2000 /* movs r0, #0 */
#define T_CMP_R0  0x2800 /* cmp r0, #0: equal */
#define T_ITTE_EQ 0xbf06

static void test_svc(void)
{
	group_begin("aarch32-svc");
	RUN_A32(0xe3a00028, 0xe2800002, A_SVC); /* mov r0, #40; add r0, r0, #2 */
	group_eq(finals[0], 42, "A32: sum");
	group_eq(final.vector, VEC_LOW32, "A32: vector");
	group_eq(final.class, EC_SVC32, "A32: class");
	group_eq(final.esr & ESR_IMM16, 7, "A32: number");
	group_eq(final.esr & ESR_IL, ESR_IL, "A32: long");
	group_eq(final.elr, user + 12, "A32: goes on behind it");
	group_eq(final.spsr & (SPSR_M | SPSR_T32), SPSR_A32USR, "A32: mode");
	group_eq(finals[14], UNTOUCHED, "A32: r14");
	group_eq(finals[13], user + STACK, "A32: r13");
	RUN_T32(0x2028, 0x3002, T_SVC); /* movs r0, #40; adds r0, #2 */
	group_eq(finals[0], 42, "T32: sum");
	group_eq(final.esr & ESR_IL, 0, "T32: short");
	group_eq(final.elr, user + 6, "T32: goes on behind it");
	group_eq(final.spsr & (SPSR_M | SPSR_T32), SPSR_A32USR | SPSR_T32, "T32: mode");
	group_end();
}

static void expect_one(u64 class, u64 at, const char *what)
{
	group_eq(event_count, 1, "%s: one exception", what);
	group_eq(events[0].class, class, "%s: class", what);
	group_eq(events[0].elr, user + at, "%s: address", what);
	group_eq(events[0].vector, VEC_LOW32, "%s: vector", what);
}

static void test_undefined(void)
{
	group_begin("aarch32-undefined");
	RUN_A32(0xee100f10, 0xe3a01001, A_SVC); /* mrc p15, 0, r0, c0, c0, 0; mov r1, #1 */
	expect_one(EC_UNKNOWN, 0, "MIDR");
	group_eq(finals[0], UNTOUCHED, "MIDR: register");
	group_eq(finals[1], 1, "MIDR: goes on");
	RUN_A32(0xe7f000f0, 0xe3a01001, A_SVC); /* udf #0 */
	expect_one(EC_UNKNOWN, 0, "UDF");
	RUN_T32(0xde00, 0x2101, T_SVC);
	expect_one(EC_UNKNOWN, 0, "T32 UDF");
	group_eq(events[0].esr & ESR_IL, ESR_IL, "T32 UDF: length bit is 1 for the unknown");
	group_eq(finals[1], 1, "T32 UDF: goes on");
	RUN_A32(0xe1400070, 0xe3a01001, A_SVC); /* hvc #0 */
	expect_one(EC_UNKNOWN, 0, "HVC");
	RUN_A32(0xe1600070, 0xe3a01001, A_SVC); /* smc #0 */
	expect_one(EC_UNKNOWN, 0, "SMC");
	RUN_A32(0xee071f11, 0xe3a01001, A_SVC); /* mcr p15, 0, r1, c7, c1, 0 */
	expect_one(EC_UNKNOWN, 0, "ICIALLUIS");
	RUN_A32(0xee1f0f10, 0xe3a01001, A_SVC); /* mrc p15, 0, r0, c15, c0, 0 */
	group_eq(event_count, 1, "c15: one exception");
	RUN_A32(0xee300f11, 0xe3a01001, A_SVC); /* mrc p15, 1, r0, c0, c1, 0 */
	expect_one(EC_UNKNOWN, 0, "unallocated");
	group_end();
}

/* May be undefined, trapped to EL1, or work: but the program goes on. */
static void test_trapped(void)
{
	group_begin("aarch32-trapped");
	write_sysreg(tpidrro_el0, 0x12345678);
	RUN_A32(0xee1d0f70, A_SVC); /* mrc p15, 0, r0, c13, c0, 3 */
	group_eq(event_count, 0, "TPIDRURO is readable");
	group_eq(finals[0], 0x12345678, "TPIDRURO");
	RUN_A32(0xee190f1d, 0xe3a01001, A_SVC); /* mrc p15, 0, r0, c9, c13, 0 */
	group_eq(event_count, 1, "PMCCNTR");
	group_eq(events[0].class == EC_CP15 || events[0].class == EC_UNKNOWN, true,
	         "PMCCNTR: class");
	group_eq(finals[1], 1, "PMCCNTR: goes on");
	RUN_A32(0xee100e11, 0xe3a01001, A_SVC); /* mrc p14, 0, r0, c0, c1, 0 */
	group_eq(event_count <= 1, true, "DBGDSCRint");
	group_eq(finals[1], 1, "DBGDSCRint: goes on");
	RUN_A32(0xed845e00, 0xe3a01001, A_SVC); /* stc p14, c5, [r4] */
	group_eq(event_count <= 1, true, "STC p14");
	group_eq(finals[1], 1, "STC p14: goes on");
	RUN_A32(0xe320f003, 0xe3a01001, A_SVC); /* wfi */
	expect_one(EC_WFX, 0, "WFI");
	group_eq(finals[1], 1, "WFI: goes on");
	RUN_T32(0xbf30, 0x2101, T_SVC);
	expect_one(EC_WFX, 0, "T32 WFI");
	group_eq(finals[1], 1, "T32 WFI: goes on");
	group_end();
}

static void test_counters(void)
{
	u64 before, after;

	write_sysreg(cntkctl_el1, CNT_EL0);
	isb();
	group_begin("aarch32-counters");
	before = timer_count();
	RUN_A32(0xec510f1e, A_SVC); /* mrrc p15, 1, r0, r1, c14: CNTVCT */
	after = timer_count();
	group_eq(event_count, 0, "virtual counter");
	group_eq((finals[1] << 32 | finals[0]) >= before && (finals[1] << 32 | finals[0]) <= after,
	         true, "its value");
	RUN_A32(0xec510f0e, A_SVC); /* mrrc p15, 0, r0, r1, c14: CNTPCT */
	group_eq(event_count, 0, "physical counter");
	before = read_sysreg(cntpct_el0);
	group_eq((finals[1] << 32 | finals[0]) <= before &&
	                 before - (finals[1] << 32 | finals[0]) < timer_ticks(1000000),
	         true, "its value");
	RUN_A32(0xe3a00001, 0xe3500002, 0x0c510f0e, A_SVC); /* mov r0, #1; cmp r0, #2; mrrceq */
	group_eq(event_count, 0, "conditional");
	group_eq(finals[0] == 1 && finals[1] == UNTOUCHED, true, "conditional: nothing happens");
	group_end();
	write_sysreg(cntkctl_el1, 0);
	isb();
}

/* Z is set: EQ passes, NE fails. */
static void test_conditions(void)
{
	group_begin("aarch32-conditions");
	RUN_A32(0xe3a00000, 0xe3500000, 0x13a01001, 0x1e192f1d, 0x1e102f10, 0x1f000001, 0x03a03001,
	        A_SVC); /* mov r0; cmp; movne r1; mrcne PMCCNTR; mrcne MIDR; svcne; moveq r3 */
	group_eq(event_count, 0, "A32: what fails its condition does nothing");
	group_eq(finals[1], UNTOUCHED, "A32: movne");
	group_eq(finals[2], UNTOUCHED, "A32: mrcne");
	group_eq(finals[3], 1, "A32: moveq");
	group_eq(final.esr & ESR_IMM16, 7, "A32: the last SVC");
	RUN_A32(0xe3a00000, 0xe3500000, 0x15942000, 0x05943000, 0x15842000, A_SVC);
	/* ldrne r2,[r4]; ldreq r3,[r4]; strne r2,[r4] */
	group_eq(event_count, 0, "A32: device, conditional");
	group_eq(finals[2], UNTOUCHED, "A32: ldrne");
	group_eq(finals[3], VALUE, "A32: ldreq");
	group_eq(read32(platform.uart + IBRD), VALUE, "A32: strne");
	group_end();
}

static void test_it(void)
{
	group_begin("aarch32-it");
	RUN_T32(T_MOVS_R0, T_CMP_R0, T_ITTE_EQ, 0x2101, 0xee19, 0x3f1d, 0x2201, T_SVC);
	/* moveq r1, #1; mrceq PMCCNTR to r3; movne r2, #1 */
	group_eq(event_count, 1, "coprocessor in a block");
	group_eq(events[0].elr, user + 8, "its address");
	group_eq(it_state(events[0].spsr), 0x0c, "its IT state");
	group_eq(finals[1], 1, "moveq before");
	group_eq(finals[2], UNTOUCHED, "movne after");
	group_eq(it_state(final.spsr), 0, "no IT state at the end");
	RUN_T32(T_MOVS_R0, T_CMP_R0, T_ITTE_EQ, 0x6821, 0x6823, 0x2201, T_SVC);
	/* ldreq r1, [r4]; ldreq r3, [r4]; movne r2, #1 */
	group_eq(event_count, 0, "device in a block");
	group_eq(finals[1], VALUE, "first load");
	group_eq(finals[3], VALUE, "second load");
	group_eq(finals[2], UNTOUCHED, "movne after");
	RUN_T32(T_MOVS_R0, T_CMP_R0, 0xbf0b, 0x6821, 0xf8d4, 0x3000, 0x6022, 0x2201, T_SVC);
	/* itete eq: ldreq r1; ldrne.w r3 (4 bytes); streq r2, [r4]; movne r2, #1 */
	group_eq(event_count, 0, "two widths in a block");
	group_eq(finals[1], VALUE, "ldreq");
	group_eq(finals[3], UNTOUCHED, "ldrne.w");
	group_eq(read32(platform.uart + IBRD) & 0xffff, UNTOUCHED & 0xffff, "streq");
	group_eq(finals[2], UNTOUCHED, "movne at the end");
	RUN_T32(T_MOVS_R0, T_CMP_R0, T_ITTE_EQ, 0x6829, 0x682b, 0x2201, T_SVC);
	/* ldreq r1, [r5]; ldreq r3, [r5]; movne r2: two aborts */
	group_eq(event_count, 2, "aborts in a block");
	group_eq(it_state(events[0].spsr), 0x06, "IT state of the first");
	group_eq(it_state(events[1].spsr), 0x0c, "IT state of the second");
	group_eq(finals[2], UNTOUCHED, "movne after aborts");
	group_end();
}

static void test_device(void)
{
	group_begin("aarch32-device");
	RUN_A32(0xe5940000, 0xe5d41000, 0xe1d420b0, 0xe1d430d0, 0xe1d470f0, 0xe594e000, A_SVC);
	/* ldr r0; ldrb r1; ldrh r2; ldrsb r3; ldrsh r7; ldr r14, all [r4] */
	group_eq(event_count, 0, "loads");
	group_eq(finals[0], VALUE, "ldr");
	group_eq(finals[1], VALUE & 0xff, "ldrb");
	group_eq(finals[2], VALUE, "ldrh");
	group_eq(finals[3], 0xffffff82, "ldrsb fills 32 bits");
	group_eq(finals[7], 0xffff8182, "ldrsh fills 32 bits");
	group_eq(finals[14], VALUE, "ldr into r14");
	RUN_A32(0xe3a08c12, 0xe5848000, A_SVC); /* mov r8, #0x1200; str r8, [r4] */
	group_eq(read32(platform.uart + IBRD), 0x1200, "str");
	RUN_A32(0xe3a0e034, 0xe5c4e000, A_SVC); /* mov r14, #0x34; strb r14, [r4] */
	group_eq(read32(platform.uart + IBRD) & 0xff, 0x34, "strb");
	RUN_T32(0x6820, 0xf8d4, 0xe000, T_SVC); /* ldr r0, [r4]; ldr.w r14, [r4] */
	group_eq(finals[0] == VALUE && finals[14] == VALUE, true, "T32 loads of both lengths");
	group_end();
}

static void test_aborts(void)
{
	group_begin("aarch32-aborts");
	RUN_A32(0xe5951000, 0xe3a02001, A_SVC); /* ldr r1, [r5]; mov r2, #1 */
	expect_one(EC_DABT_LOW, 0, "data abort");
	group_eq(FIELD_GET(ESR_DFSC, events[0].esr), FSC_SEA, "its status");
	group_eq(events[0].far, NOWHERE, "its address");
	group_eq(events[0].esr & ESR_WNR, 0, "a read");
	group_eq(finals[1], UNTOUCHED, "register untouched");
	group_eq(finals[2], 1, "goes on");
	RUN_T32(0x6029, 0x2201, T_SVC); /* str r1, [r5] */
	expect_one(EC_DABT_LOW, 0, "T32 store");
	group_eq(events[0].esr & ESR_WNR, ESR_WNR, "a write");
	group_eq(events[0].esr & ESR_IL, ESR_IL, "length bit is 1 without a syndrome");
	group_eq(finals[2], 1, "T32 goes on");
	group_end();
}

static void on_tick(u32 iar)
{
	(void)iar;
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	*(volatile u32 *)(user + DATA) = 1;
}

/* Spins in A32 until an interrupt has changed memory; registers, flags and FP survive it. */
static void test_interrupt(void)
{
	static const u32 code[] = {
	        0xe3a00000, 0xe3500000,             /* mov r0, #0; cmp r0, #0 */
	        0xee004a10,                         /* vmov s0, r4 */
	        0xe5961000, 0xe3510000, 0x0afffffc, /* 1: ldr r1, [r6]; cmp r1, #0; beq 1b */
	        0xee107a10,                         /* vmov r7, s0 */
	        A_SVC,
	};

	set_args();
	*(volatile u32 *)(user + DATA) = 0;
	irq_reset();
	irq_set_handler(INTID_VTIMER, on_tick);
	gic_enable(INTID_VTIMER);
	write_sysreg(cntv_tval_el0, timer_ticks(SOON_US));
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	run_irq(code, sizeof(code));
	irq_disable();
	group_begin("aarch32-interrupt");
	group_eq(irq_count(0, INTID_VTIMER), 1, "taken");
	group_eq(event_count, 0, "nothing else");
	group_eq(finals[1], 1, "seen");
	group_eq(finals[7], args[4] & 0xffffffff, "FP register kept");
	group_eq(finals[8], UNTOUCHED, "r8 kept");
	group_end();
}

void test_main(void)
{
	if (FIELD_GET(PFR0_EL0, read_sysreg(id_aa64pfr0_el1)) != EL0_AARCH32) {
		test_skip("this CPU has no AArch32", "aarch32");
		check_true(true, "aarch32-absent");
		return;
	}
	user = ALIGN_DOWN(platform.ram_base + platform.ram_bytes - 1, MMU_BLOCK_BYTES);
	while (platform.tree >= user && platform.tree < user + MMU_BLOCK_BYTES)
		user -= MMU_BLOCK_BYTES;
	mmu_map_user(user);
	mmu_map_devices_user();
	exc_set_hook(user_hook);
	test_svc();
	test_undefined();
	test_trapped();
	test_counters();
	test_conditions();
	test_it();
	test_device();
	test_aborts();
	test_interrupt();
	exc_set_hook(NULL);
}
