// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H4, H5, H6: what is left in a CPU for whoever runs there next, and what a new CPU begins with. The
 * victim runs beside these on the same CPU when there is one, and looks at its own registers meanwhile.
 */
#include "hostile.h"

#include "alarm.h"
#include "el1regs.h"
#include "exercise.h"

#define SPIN_US    15000ul
#define EXITS      1000u
#define BCR_ON     (BIT(0) | BIT(1) | BITS(8, 5))               /* EL1, a whole instruction */
#define WCR_ON     (BIT(0) | BIT(1) | BITS(4, 3) | BITS(12, 5)) /* EL1, loads and stores, eight bytes */
#define MDSCR_KDE  BIT(13)
#define MDSCR_MDE  BIT(15)
#define EC_WATCH   0x35
#define FPCR_RZ    FIELD(BITS(23, 22), 3)
#define FPSR_QC    BIT(27)
#define SLEEP_US   3000ul
#define TEXT_OF_IT 0x4d5a00ul

static struct regfile in, out;

static u64 mix(u64 v)
{
	v ^= v >> 31;
	v *= 0xd6e8feb86659fd93ul;
	return v ^ (v >> 27);
}

static void spin(u64 us)
{
	u64 until = timer_count() + timer_ticks(us);

	while (timer_count() < until)
		__asm__ volatile("yield");
}

#define WRITE(reg, value) write_sysreg(reg, value);
#define FIRST(reg, value) u64 first_##reg = read_sysreg(reg);
#define SAME(reg, value)  u64 then_##reg = read_sysreg(reg);
#define WANT(reg, value)  want_eq(then_##reg, first_##reg, #reg);

static void el1_kept(void)
{
	EL1_REGISTERS(WRITE)
	isb();
	EL1_REGISTERS(FIRST)
	spin(SPIN_US);
	EL1_REGISTERS(SAME)
	EL1_REGISTERS(WANT)
}

/* The same while this machine leaves for EL2 a thousand times. */
static void el1_kept_over_exits(void)
{
	u64 regs[SMCCC_REGS];

	EL1_REGISTERS(WRITE)
	isb();
	EL1_REGISTERS(FIRST)
	for (u32 i = 0; i < EXITS; i++) {
		(void)call4(false, MEZZO_NULL, 0, 0, 0, regs);
		(void)read32(platform.uart + 0x18);
	}
	EL1_REGISTERS(SAME)
	EL1_REGISTERS(WANT)
}

static void timers_kept(void)
{
	EL1_TIMERS(WRITE)
	write_sysreg(cntkctl_el1, 0x3f2);
	isb();
	spin(SPIN_US);
	EL1_TIMERS(SAME)
	want_eq(then_cntv_cval_el0, 0x7fffffff12345678, "CNTV_CVAL_EL0");
	want_eq(then_cntp_cval_el0, 0x7ffffffe87654321, "CNTP_CVAL_EL0");
	want_eq(read_sysreg(cntkctl_el1) & 0x3ff, 0x3f2, "CNTKCTL_EL1");
}

static void keys_kept(void)
{
	u64 isar1 = read_sysreg(id_aa64isar1_el1);

	if ((isar1 & (ISA_API | ISA_GPI)) == 0)
		absent("needs pointer authentication");
	write_sysreg(SREG(3, 0, 2, 1, 0), mix(1));
	write_sysreg(SREG(3, 0, 2, 1, 1), mix(2));
	write_sysreg(SREG(3, 0, 2, 2, 0), mix(3));
	write_sysreg(SREG(3, 0, 2, 2, 3), mix(4));
	write_sysreg(SREG(3, 0, 2, 3, 1), mix(5));
	isb();
	spin(SPIN_US);
	want_eq(read_sysreg(SREG(3, 0, 2, 1, 0)), mix(1), "APIAKeyLo_EL1");
	want_eq(read_sysreg(SREG(3, 0, 2, 1, 1)), mix(2), "APIAKeyHi_EL1");
	want_eq(read_sysreg(SREG(3, 0, 2, 2, 0)), mix(3), "APDAKeyLo_EL1");
	want_eq(read_sysreg(SREG(3, 0, 2, 2, 3)), mix(4), "APDBKeyHi_EL1");
	want_eq(read_sysreg(SREG(3, 0, 2, 3, 1)), mix(5), "APGAKeyHi_EL1");
}

static void par_kept(void)
{
	u64 regs[SMCCC_REGS];

	__asm__ volatile("at s1e1r, %0\n\tisb" ::"r"(case_memory) : "memory");
	u64 before = read_sysreg(par_el1);
	for (u32 i = 0; i < EXITS; i++)
		(void)call4(false, PSCI_VERSION, 0, 0, 0, regs);
	spin(SPIN_US);
	want_eq(read_sysreg(par_el1), before, "PAR_EL1");
	want_eq(before & BITS(47, 12), (u64)case_memory & BITS(47, 12), "the address in it");
}

/* Hidden RAS does not close it: with EL2's AMO set it is EL2's VDISR_EL2, one for each guest. */
static void disr_kept(void)
{
	u64 v = 0x80000011, then = 0;
	struct exc_record r = code_run(code_msr(3, 0, 12, 1, 1), &v);

	spin(SPIN_US);
	(void)code_run(code_mrs(3, 0, 12, 1, 1), &then);
	v = 0;
	(void)code_run(code_msr(3, 0, 12, 1, 1), &v);
	want_true(exc_class(&r) == EC_UNKNOWN || then == 0x80000011,
	          "DISR_EL1 is undefined or kept, not 0x%lx", then);
}

static volatile u64 of_cpu[MAX_CPUS][3];

static void write_own(u64 cpu)
{
	write_sysreg(tpidr_el1, mix(cpu));
	write_sysreg(tpidr_el0, mix(cpu + 100));
	write_sysreg(contextidr_el1, cpu + 7);
	isb();
	spin(SPIN_US);
	of_cpu[cpu][0] = read_sysreg(tpidr_el1);
	of_cpu[cpu][1] = read_sysreg(tpidr_el0);
	of_cpu[cpu][2] = read_sysreg(contextidr_el1);
}

static void each_its_own(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, write_own, cpu);
	write_own(0);
	for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++) {
		if (cpu != 0)
			want_true(smp_wait(cpu, 2000000), "CPU %u is done", cpu);
		want_eq(of_cpu[cpu][0], mix(cpu), "TPIDR_EL1 of CPU %u", cpu);
		want_eq(of_cpu[cpu][1], mix(cpu + 100), "TPIDR_EL0 of CPU %u", cpu);
		want_eq(of_cpu[cpu][2], cpu + 7, "CONTEXTIDR_EL1 of CPU %u", cpu);
	}
}

static void dirty(u64 arg)
{
	(void)arg;
	write_sysreg(tpidr_el1, TEXT_OF_IT);
	write_sysreg(tpidr_el0, TEXT_OF_IT);
	write_sysreg(tpidrro_el0, TEXT_OF_IT);
	write_sysreg(ttbr1_el1, TEXT_OF_IT << 12);
	write_sysreg(contextidr_el1, TEXT_OF_IT);
	write_sysreg(par_el1, TEXT_OF_IT << 12);
	write_sysreg(afsr0_el1, TEXT_OF_IT);
	write_sysreg(cntkctl_el1, 3);
	write_sysreg(mdscr_el1, MDSCR_KDE);
	isb();
}

static void new_cpu_registers(void)
{
	want_true(smp_call(1, dirty, 0), "CPU 1 answers");
	const struct fresh *f = fresh_cpu();

	want_eq(f->filled, 1, "it ran");
	want_eq(f->sctlr & (SCTLR_M | SCTLR_C), 0, "SCTLR_EL1: MMU and caches");
	want_eq(f->tpidr_el1, 0, "TPIDR_EL1");
	want_eq(f->tpidr_el0, 0, "TPIDR_EL0");
	want_eq(f->tpidrro, 0, "TPIDRRO_EL0");
	want_eq(f->ttbr1, 0, "TTBR1_EL1");
	want_eq(f->contextidr, 0, "CONTEXTIDR_EL1");
	want_eq(f->par, 0, "PAR_EL1");
	want_eq(f->afsr0, 0, "AFSR0_EL1");
	want_eq(f->esr | f->far | f->elr, 0, "ESR_EL1, FAR_EL1, ELR_EL1");
	want_eq(f->cntkctl, 0, "CNTKCTL_EL1");
	want_eq(f->mdscr, 0, "MDSCR_EL1");
	want_eq(f->cntv_ctl & CNT_ENABLE, 0, "CNTV_CTL_EL0");
	want_eq(f->currentel, 4, "level");
	want_eq(f->daif, BITS(9, 6), "masks");
}

static void new_cpu_general(void)
{
	const struct fresh *f = fresh_cpu();

	want_eq(f->filled, 1, "it ran");
	for (u32 i = 1; i < 31; i++)
		want_eq(f->x[i], 0, "x%u", i);
}

/* --- H5 --------------------------------------------------------------------------------------------- */

static void fill(u64 seed)
{
	for (unsigned i = 0; i < GPRS; i++)
		in.x[i] = mix(seed + i);
	for (unsigned i = 0; i < VECS; i++) {
		in.v[i][0] = mix(seed + 100 + i);
		in.v[i][1] = mix(seed + 200 + i);
	}
	in.fpcr = FPCR_RZ;
	in.fpsr = FPSR_QC;
}

static void same_file(const char *when)
{
	for (unsigned i = 0; i < VECS; i++) {
		want_eq(out.v[i][0], in.v[i][0], "v%u low %s", i, when);
		want_eq(out.v[i][1], in.v[i][1], "v%u high %s", i, when);
	}
	want_eq(out.fpcr, in.fpcr, "FPCR %s", when);
	want_eq(out.fpsr, in.fpsr, "FPSR %s", when);
}

static void fp_over_time(void)
{
	fill(1);
	in.x[1] = timer_count() + timer_ticks(SPIN_US);
	exercise_until(&in, &out);
	same_file("after a while");
}

static void fp_over_call(void)
{
	for (u32 i = 0; i < 50; i++) {
		fill(i);
		in.x[0] = PSCI_VERSION;
		exercise_hvc(&in, &out);
		same_file("after a call");
		for (u32 reg = 4; reg < GPRS; reg++)
			want_eq(out.x[reg], in.x[reg], "x%u after a call", reg);
	}
}

static void fp_over_device(void)
{
	for (u32 i = 0; i < 50; i++) {
		fill(i);
		in.x[1] = platform.uart + 0x18;
		exercise_load(&in, &out);
		same_file("after a device");
		for (u32 reg = 2; reg < GPRS; reg++)
			want_eq(out.x[reg], in.x[reg], "x%u after a device", reg);
	}
}

static void fp_over_sleep(void)
{
	gic_enable(INTID_VTIMER);
	fill(3);
	write_sysreg(cntv_cval_el0, timer_count() + timer_ticks(SLEEP_US));
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	irq_disable();
	exercise_wfi(&in, &out);
	write_sysreg(cntv_ctl_el0, 0);
	same_file("after sleep");
}

static void fp_new_cpu(void)
{
	const struct fresh *f = fresh_cpu();

	want_eq(f->filled, 1, "it ran");
	for (u32 i = 0; i < VECS; i++)
		want_eq(f->v[i][0] | f->v[i][1], 0, "v%u of a new CPU", i);
}

static struct regfile of_others[MAX_CPUS], to_others[MAX_CPUS];

static void hold_own(u64 cpu)
{
	struct regfile *file = &to_others[cpu];

	for (unsigned i = 0; i < VECS; i++) {
		file->v[i][0] = mix(cpu * 1000 + i);
		file->v[i][1] = mix(cpu * 2000 + i);
	}
	file->x[1] = timer_count() + timer_ticks(SPIN_US);
	exercise_until(file, &of_others[cpu]);
}

static void fp_each_its_own(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, hold_own, cpu);
	hold_own(0);
	for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++) {
		if (cpu != 0)
			want_true(smp_wait(cpu, 2000000), "CPU %u is done", cpu);
		for (unsigned i = 0; i < VECS; i++)
			want_eq(of_others[cpu].v[i][0] ^ of_others[cpu].v[i][1],
			        to_others[cpu].v[i][0] ^ to_others[cpu].v[i][1], "v%u of CPU %u", i,
			        cpu);
	}
}

/* With EL1's own trap closed, FP is EL1's affair and not EL2's, first use or not. */
static void fp_closed(void)
{
	u32 code[] = {0x9e670000 /* fmov d0, x0 */};

	write_sysreg(cpacr_el1, FIELD(CPACR_FPEN, 1));
	isb();
	struct exc_record r = case_el0(code, 1, NULL);
	write_sysreg(cpacr_el1, FIELD(CPACR_FPEN, 3));
	isb();
	want_class(&r, EC_FP, "FP at EL0");
	want_eq(r.vector, VEC_LOW64, "vector");
}

/* --- H6 --------------------------------------------------------------------------------------------- */

/* The victim runs the same image at the same address: what it executes and reads all the time is stopped at. */
static void breakpoint_for_victim(void)
{
	u64 regs[SMCCC_REGS];

	write_sysreg(oslar_el1, 0);
	write_sysreg(dbgbvr0_el1, (u64)exercise_until);
	write_sysreg(dbgbcr0_el1, BCR_ON | BIT(2)); /* EL0 as well */
	write_sysreg(mdscr_el1, MDSCR_MDE | MDSCR_KDE);
	isb();
	__asm__ volatile("msr daifclr, #8" ::: "memory");
	for (u32 i = 0; i < 20; i++) {
		(void)call4(false, PSCI_VERSION, 0, 0, 0, regs);
		spin(2000);
	}
	u64 held = read_sysreg(dbgbvr0_el1);
	write_sysreg(dbgbcr0_el1, 0);
	write_sysreg(mdscr_el1, 0);
	isb();
	want_eq(held, (u64)exercise_until, "DBGBVR0_EL1");
}

static void watchpoint_for_victim(void)
{
	static u64 watched __attribute__((aligned(8)));

	write_sysreg(oslar_el1, 0);
	write_sysreg(dbgwvr0_el1, (u64)&in);
	write_sysreg(dbgwcr0_el1, WCR_ON);
	write_sysreg(dbgwvr1_el1, (u64)&watched);
	write_sysreg(dbgwcr1_el1, WCR_ON);
	write_sysreg(mdscr_el1, MDSCR_MDE | MDSCR_KDE);
	isb();
	__asm__ volatile("msr daifclr, #8" ::: "memory");
	spin(SPIN_US);
	struct exc_record r = EXC_OF(*(volatile u64 *)&watched = 1);
	write_sysreg(dbgwcr0_el1, 0);
	write_sysreg(dbgwcr1_el1, 0);
	write_sysreg(mdscr_el1, 0);
	isb();
	want_class(&r, EC_WATCH, "its own watchpoint after a while");
	want_eq(r.far, (u64)&watched, "where");
}

/* Every breakpoint and watchpoint that there is, with values that match anywhere if they leak. */
static void debug_registers_kept(void)
{
	u64 dfr0 = read_sysreg(id_aa64dfr0_el1), x0;
	u32 breaks = (u32)FIELD_GET(BITS(15, 12), dfr0) + 1,
	    watches = (u32)FIELD_GET(BITS(23, 20), dfr0) + 1;

	for (u32 n = 0; n < breaks; n++) {
		x0 = mix(n) & BITS(47, 2);
		(void)code_run(code_msr(2, 0, 0, n, 4), &x0);
	}
	for (u32 n = 0; n < watches; n++) {
		x0 = mix(n + 50) & BITS(47, 3);
		(void)code_run(code_msr(2, 0, 0, n, 6), &x0);
	}
	spin(SPIN_US);
	for (u32 n = 0; n < breaks; n++) {
		(void)code_run(code_mrs(2, 0, 0, n, 4), &x0);
		want_eq(x0, mix(n) & BITS(47, 2), "DBGBVR%u_EL1", n);
	}
	for (u32 n = 0; n < watches; n++) {
		(void)code_run(code_mrs(2, 0, 0, n, 6), &x0);
		want_eq(x0, mix(n + 50) & BITS(47, 3), "DBGWVR%u_EL1", n);
	}
	for (u32 n = breaks; n < 16; n++) {
		struct exc_record r = code_run(code_mrs(2, 0, 0, n, 4), &x0);
		want_undefined(&r, "DBGBVR%u_EL1, which does not exist", n);
	}
}

/* A line that stays high, never acknowledged, while others run: it is nobody else's. */
static void timer_left_high(void)
{
	gic_enable(INTID_VTIMER);
	write_sysreg(cntv_cval_el0, 0);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	spin(SPIN_US);
	want_eq(read_sysreg(cntv_ctl_el0) & CNT_ISTATUS, CNT_ISTATUS, "its own timer is due");
	want_true(gic_is_pending(INTID_VTIMER), "and pending");
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	want_true(WAIT_FOR(!gic_is_pending(INTID_VTIMER), 100000), "and gone when it is off");
}

static void physical_timer_left_high(void)
{
	gic_enable(INTID_PTIMER);
	write_sysreg(cntp_cval_el0, 0);
	write_sysreg(cntp_ctl_el0, CNT_ENABLE);
	isb();
	spin(SPIN_US);
	want_eq(read_sysreg(cntp_ctl_el0) & CNT_ISTATUS, CNT_ISTATUS, "its own timer is due");
	write_sysreg(cntp_ctl_el0, 0);
	isb();
	want_true(WAIT_FOR(!gic_is_pending(INTID_PTIMER), 100000), "and gone when it is off");
}

CASES(rows) = {
        {"H4.1", "Fills EL1's and EL0's registers and waits beside another machine.",
         "They hold what was written.", el1_kept, 0, 0},
        {"H4.2", "Fills them and leaves for EL2 a thousand times.", "They hold what was written.",
         el1_kept_over_exits, NEEDS_MEZZO, 0},
        {"H4.3", "Sets both timers' compare values and CNTKCTL_EL1, and waits.",
         "They hold what was written.", timers_kept, 0, 0},
        {"H4.4", "Sets keys of pointer authentication and waits.", "They hold what was written.",
         keys_kept, 0, 0},
        {"H4.5", "Translates an address, leaves for EL2 a thousand times, reads PAR_EL1.",
         "The translation is still there.", par_kept, NEEDS_MEZZO, 0},
        {"H4.6", "Every CPU fills thread registers at once.", "Each finds its own.", each_its_own,
         NEEDS_SMP, 0},
        {"H4.7", "Fills a CPU's registers, switches it off and on.",
         "Reset values, EL1, all masked.", new_cpu_registers, NEEDS_SMP | NEEDS_MEZZO, 0},
        {"H4.8", "Looks at x1 to x30 of a CPU that was just started.", "Zero.", new_cpu_general,
         NEEDS_SMP | NEEDS_MEZZO, 0},
        {"H4.9", "Writes DISR_EL1 and waits beside another machine.", "Undefined, or its own.",
         disr_kept, 0, 0},
        {"H5.1", "Fills v0 to v31, FPCR, FPSR and waits beside another machine.",
         "They hold what was written.", fp_over_time, 0, 0},
        {"H5.2", "The same over calls to EL2.", "They and x4 to x30 hold what was written.",
         fp_over_call, NEEDS_MEZZO, 0},
        {"H5.3", "The same over accesses to a device.", "They and x2 to x30 hold what was written.",
         fp_over_device, 0, 0},
        {"H5.4", "The same over sleep.", "They hold what was written.", fp_over_sleep, 0, 0},
        {"H5.5", "Looks at v0 to v31 of a CPU that was just started.", "Zero.", fp_new_cpu,
         NEEDS_SMP | NEEDS_MEZZO, 0},
        {"H5.6", "Every CPU fills v0 to v31 at once.", "Each finds its own.", fp_each_its_own,
         NEEDS_SMP, 0},
        {"H5.7", "Closes FP at EL1 and uses it at EL0.", "EL1's trap.", fp_closed, 0, 0},
        {"H6.1", "Sets a breakpoint where the victim runs.", "It stops nobody.",
         breakpoint_for_victim, 0, 0},
        {"H6.2", "Sets a watchpoint where the victim reads and writes.",
         "Only its own access is stopped.", watchpoint_for_victim, 0, 0},
        {"H6.3", "Fills all debug registers and waits; asks for those beyond the last.",
         "They hold what was written; undefined.", debug_registers_kept, NEEDS_MEZZO, 0},
        {"H6.4", "Leaves its virtual timer due and masked.",
         "Its own line alone, and only while it is due.", timer_left_high, 0, 0},
        {"H6.5", "Leaves its physical timer due and masked.", "Its own line alone.",
         physical_timer_left_high, 0, 0},
};
