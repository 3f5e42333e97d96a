// SPDX-License-Identifier: Apache-2.0
/*
 * Every encoding of a system register and of a system instruction: reads, and writes of what was
 * read. Each is defined or undefined and nothing else; nothing that this program lives on has
 * changed afterwards; time, interrupts and memory still work.
 * Source: threat H1 in kind ("registers left untrapped").
 */
#include "test.h"

#include "code.h"
#include "gic.h"
#include "irq.h"
#include "mmu.h"

#define FIELDS     8u
#define COLUMNS    16u
#define BUFFER     (COLUMNS * FIELDS * 4 + 1)
#define MOV_X0_X1  0xaa0103e0u
#define RET        0xd65f03c0u
#define ARRIVE_US  1000000ul
#define EC_SME     0x1d
#define CALLER_EL2 4u /* op1 from here on belongs to EL2 and EL3, or to EL1 seen from EL2 */

static u32 buffer[BUFFER] __attribute__((aligned(4096)));
static u8 scratch[8192] __attribute__((aligned(4096)));

static volatile u32 undefined, other, outside, last_at;
static volatile u64 last_other;

/* Counts what the code in the buffer runs into, and steps over it. */
static bool count_hook(struct exc_frame *frame, unsigned vector)
{
	u64 class = FIELD_GET(ESR_EC, frame->esr);

	if (vector % 4 != VEC_SYNC)
		return false;
	if (frame->elr - (u64)buffer >= sizeof(buffer)) {
		outside++;
		return false;
	}
	/* With FEAT_IDST what is unallocated among the ID registers has the trap's class. */
	if (class == EC_UNKNOWN || class == EC_SYSREG)
		undefined++;
	else if (class != EC_SVE && class != EC_SME && class != EC_FP && class != EC_DABT) {
		other++;
		last_other = frame->esr;
		last_at = *(volatile u32 *)frame->elr;
	}
	frame->elr += 4;
	return true;
}

/* What must not be written, even with its own value, or not even be read. */
static bool is_dangerous(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2)
{
	if (op0 == 3 && op1 == 0 && crn == 4 && crm == 2 && op2 == 0)
		return true; /* SPSel: reads 1, fine, but the buffer has no stack of its own */
	if (op0 == 3 && crn == 12 && crm == 11 && op1 == 0)
		return true; /* ICC_*SGI*R: write-only, zero is SGI 0 to somebody */
	/* RNDR and RNDRRS may wait for entropy. */
	return op0 == 3 && op1 == 3 && crn == 2 && crm == 4;
}

/* One row: all CRm and op2 of an op0, op1, CRn. x1 = value for what cannot be read. */
static void run_row(u32 op0, u32 op1, u32 crn, u64 x1)
{
	u32 n = 0;

	for (u32 crm = 0; crm < COLUMNS; crm++) {
		for (u32 op2 = 0; op2 < FIELDS; op2++) {
			if (is_dangerous(op0, op1, crn, crm, op2))
				continue;
			buffer[n++] = MOV_X0_X1;
			if (op0 != 1)
				buffer[n++] = code_mrs(op0, op1, crn, crm, op2);
			buffer[n++] = code_msr(op0, op1, crn, crm, op2);
		}
	}
	buffer[n] = RET;
	cache_sync_code((u64)buffer, sizeof(buffer));
	__asm__ volatile("mov x1, %0\n\tblr %1" ::"r"(x1), "r"(buffer)
	                 : "x0", "x1", "x30", "cc", "memory");
}

#define KEPT(X)      \
	X(sctlr_el1) \
	X(ttbr0_el1) \
	X(ttbr1_el1) \
	X(tcr_el1)   \
	X(mair_el1)  \
	X(vbar_el1) X(cpacr_el1) X(tpidr_el1) X(tpidr_el0) X(midr_el1) X(mpidr_el1) X(cntkctl_el1)
#define COUNT(reg) +1
#define KEPT_COUNT (0 KEPT(COUNT))

static void snapshot(u64 values[KEPT_COUNT])
{
	u32 n = 0;

#define SAVE(reg) values[n++] = read_sysreg(reg);
	KEPT(SAVE)
}

static void sweep(const char *name, u32 op0, u32 op1_from, u32 op1_to, u64 x1)
{
	u64 before[KEPT_COUNT], after[KEPT_COUNT];

	snapshot(before);
	undefined = 0;
	other = 0;
	exc_set_hook(count_hook);
	for (u32 op1 = op1_from; op1 < op1_to; op1++) {
		for (u32 crn = 0; crn < COLUMNS; crn++)
			run_row(op0, op1, crn, x1);
	}
	exc_set_hook(NULL);
	write_sysreg(cntv_ctl_el0, 0);
	write_sysreg(cntp_ctl_el0, 0);
	snapshot(after);
	group_begin(name);
	group_eq(other, 0, "exceptions of other classes");
	group_eq(outside, 0, "exceptions elsewhere");
	group_eq(undefined != 0, true, "something is undefined");
	for (u32 i = 0; i < KEPT_COUNT; i++)
		group_eq(after[i], before[i], "kept register %u", i);
	group_end();
	if (other != 0)
		print("# syndrome 0x%lx at 0x%x\n", last_other, last_at);
	print("# %s: %u undefined\n", name, undefined);
}

static void test_higher_levels(void)
{
	group_begin("sysregs-of-el2-and-el3");
	for (u32 op1 = CALLER_EL2; op1 < FIELDS; op1++) {
		if (op1 == 7)
			continue; /* secure EL1 timer */
		for (u32 crn = 0; crn < COLUMNS; crn++) {
			for (u32 op2 = 0; op2 < FIELDS; op2++) {
				u64 x0 = 0;
				struct exc_record r = code_run(code_mrs(3, op1, crn, 0, op2), &x0);

				group_eq(exc_class(&r), EC_UNKNOWN, "S3_%u_C%u_C0_%u", op1, crn,
				         op2);
			}
		}
	}
	group_end();
}

/* Encodings that no version of the architecture has given away. */
static void test_unallocated(void)
{
	static const u8 encodings[][5] = {
	        {3, 0, 0, 8, 0},   {3, 0, 1, 15, 7}, {3, 0, 2, 9, 6}, {3, 0, 3, 3, 3},
	        {3, 0, 8, 0, 0},   {3, 1, 1, 0, 0},  {3, 2, 5, 5, 5}, {3, 3, 0, 9, 1},
	        {3, 3, 6, 6, 6},   {3, 3, 8, 8, 0},  {2, 2, 7, 7, 7}, {2, 5, 3, 2, 1},
	        {2, 7, 15, 15, 7}, {3, 0, 14, 9, 1}, {3, 3, 1, 1, 1},
	};

	group_begin("sysregs-unallocated");
	for (u32 i = 0; i < ARRAY_LEN(encodings); i++) {
		const u8 *e = encodings[i];
		u64 x0 = 0x55;
		struct exc_record r = code_run(code_mrs(e[0], e[1], e[2], e[3], e[4]), &x0);

		group_eq(exc_class(&r), EC_UNKNOWN, "mrs S%u_%u_C%u_C%u_%u", e[0], e[1], e[2], e[3],
		         e[4]);
		group_eq(x0, 0x55, "its register");
		r = code_run(code_msr(e[0], e[1], e[2], e[3], e[4]), &x0);
		group_eq(exc_class(&r), EC_UNKNOWN, "msr S%u_%u_C%u_C%u_%u", e[0], e[1], e[2], e[3],
		         e[4]);
	}
	group_end();
}

static void timer_off(u32 iar)
{
	(void)iar;
	write_sysreg(cntv_ctl_el0, 0);
}

static void test_alive(void)
{
	u64 before = timer_count();

	gic_init();
	irq_reset();
	gic_enable(1);
	gic_enable(INTID_VTIMER);
	irq_set_handler(INTID_VTIMER, timer_off);
	irq_enable();
	gic_send_sgi(1, BIT(0));
	check_true(WAIT_FOR(irq_count(0, 1) == 1, ARRIVE_US), "sysregs-sgi-after");
	write_sysreg(cntv_tval_el0, timer_ticks(100));
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	check_true(WAIT_FOR(irq_count(0, INTID_VTIMER) != 0, ARRIVE_US), "sysregs-timer-after");
	irq_disable();
	check_true(timer_count() > before, "sysregs-time-goes-on");
}

void test_main(void)
{
	test_unallocated();
	test_higher_levels();
	sweep("sysregs-op0-2", 2, 0, FIELDS, 0);
	sweep("sysregs-op0-3", 3, 0, FIELDS, 0);
	sweep("sysregs-op0-1", 1, 0, FIELDS, (u64)scratch + 4096);
	test_alive();
}
