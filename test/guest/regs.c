// SPDX-License-Identifier: Apache-2.0
/*
 * Nothing is lost or leaked across exits: x0-x30, sp, v0-v31, FPCR, FPSR and the EL1 registers
 * keep unique patterns through calls, device accesses, WFI, traps and interrupts, on all CPUs at
 * once. A CPU that starts finds its FP/SIMD registers zero (under Mezzo), not another's values.
 * Source: threats H4 and H5 in kind: "register missing from the switch list", "FP leak".
 */
#include "test.h"

#include "el1regs.h"
#include "exercise.h"
#include "gic.h"
#include "irq.h"

#define ROUNDS    20u
#define SOON_US   300ul
#define FPCR_BITS (BITS(26, 24) | BITS(23, 22)) /* AHP DN FZ RMode */
#define FPSR_BITS (BIT(27) | BIT(7) | BITS(4, 0))
#define VALUE_SGI 0ul /* to nobody: empty target list */
#define FR        0x018

/* Per CPU, so that all may exercise at once. */
static struct regfile ins[MAX_CPUS], outs[MAX_CPUS], starts[MAX_CPUS];
static volatile u64 ticks[MAX_CPUS];
static volatile u32 faults[MAX_CPUS];

struct exercise {
	const char *name;
	void (*run)(const struct regfile *in, struct regfile *out);
	u32 changed; /* registers that the instruction itself may change, a mask of x0-x30 */
	bool timer;  /* ends by an interrupt */
};

static const struct exercise exercises[] = {
        {"hvc", exercise_hvc, 0xf, false},       {"load", exercise_load, 1, false},
        {"store", exercise_store, 0, false},     {"wfi", exercise_wfi, 0, true},
        {"irq", exercise_spin, 1, true},         {"id-register", exercise_id, 1, false},
        {"set-way", exercise_set_way, 0, false}, {"sgi", exercise_sgi, 0, false},
};

static u64 pattern(unsigned cpu, unsigned round, unsigned n)
{
	return 0x9e3779b97f4a7c15ul * ((u64)(cpu + 1) << 20 | (u64)(round + 1) << 8 | (n + 1));
}

static void fill(struct regfile *f, unsigned cpu, unsigned round)
{
	for (unsigned i = 0; i < GPRS; i++)
		f->x[i] = pattern(cpu, round, i);
	for (unsigned i = 0; i < VECS; i++) {
		f->v[i][0] = pattern(cpu, round, 64 + i);
		f->v[i][1] = pattern(cpu, round, 128 + i);
	}
	f->fpcr = pattern(cpu, round, 200) & FPCR_BITS;
	f->fpsr = pattern(cpu, round, 201) & FPSR_BITS;
}

static void aim(struct regfile *f, const struct exercise *e, unsigned cpu)
{
	if (e->run == exercise_hvc || e->run == exercise_smc)
		f->x[0] = test_under_mezzo() ? MEZZO_NULL : PSCI_VERSION;
	else if (e->run == exercise_load)
		f->x[1] = platform.uart + FR;
	else if (e->run == exercise_store)
		f->x[1] = platform.uart + FR; /* read-only there: ignored */
	else if (e->run == exercise_spin)
		f->x[1] = (u64)&ticks[cpu];
	else if (e->run == exercise_set_way)
		f->x[1] = 0;
	else if (e->run == exercise_sgi)
		f->x[1] = VALUE_SGI;
}

static u32 compare(const struct regfile *in, const struct regfile *out, u32 changed)
{
	u32 bad = 0;

	for (unsigned i = 0; i < GPRS; i++)
		bad += (changed & BIT(i)) == 0 && in->x[i] != out->x[i];
	for (unsigned i = 0; i < VECS; i++)
		bad += in->v[i][0] != out->v[i][0] || in->v[i][1] != out->v[i][1];
	return bad + (in->fpcr != out->fpcr) + (in->fpsr != out->fpsr);
}

static void on_tick(u32 iar)
{
	(void)iar;
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	ticks[smp_cpu()]++;
}

/* One exercise, many rounds, on the CPU that runs this. */
static void exercise_cpu(u64 arg)
{
	const struct exercise *e = &exercises[arg];
	unsigned cpu = smp_cpu();

	gic_enable(INTID_VTIMER);
	for (unsigned round = 0; round < ROUNDS; round++) {
		fill(&ins[cpu], cpu, round);
		aim(&ins[cpu], e, cpu);
		ticks[cpu] = 0;
		if (e->timer) {
			write_sysreg(cntv_tval_el0, timer_ticks(SOON_US));
			write_sysreg(cntv_ctl_el0, CNT_ENABLE);
			/*
			 * WFI ends for a masked interrupt too; one taken before it would be
			 * missed.
			 */
			if (e->run != exercise_wfi)
				irq_enable();
		}
		e->run(&ins[cpu], &outs[cpu]);
		irq_disable();
		write_sysreg(cntv_ctl_el0, 0);
		faults[cpu] += compare(&ins[cpu], &outs[cpu], e->changed);
	}
}

static void test_exercises(unsigned cpus)
{
	for (u64 i = 0; i < ARRAY_LEN(exercises); i++) {
		if (exercises[i].run == exercise_sgi && platform.gic_version != 3)
			continue;
		if (exercises[i].run == exercise_smc && !test_under_mezzo())
			continue;
		for (unsigned cpu = 1; cpu < cpus; cpu++)
			smp_post(cpu, exercise_cpu, i);
		exercise_cpu(i);
		for (unsigned cpu = 1; cpu < cpus; cpu++)
			smp_wait(cpu, 5000000);
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			check_eq(faults[cpu], 0, "regs-%s-cpu%u", exercises[i].name, cpu);
			faults[cpu] = 0;
		}
	}
}

/* Exits of several kinds, none of which is an exception at EL1. */
static void exits(unsigned cpu)
{
	for (unsigned i = 0; i < 5; i++) {
		ins[cpu] = (struct regfile){0};
		ins[cpu].x[0] = PSCI_VERSION;
		exercise_hvc(&ins[cpu], &outs[cpu]);
		read32(platform.uart + FR);
		read_sysreg(id_aa64pfr0_el1);
		timer_delay(SOON_US);
	}
}

struct el1_seen {
	u64 before[64], after[64];
	unsigned count;
};

static struct el1_seen seen[MAX_CPUS];

static void el1_cpu(u64 arg)
{
	unsigned cpu = smp_cpu();
	struct el1_seen *s = &seen[cpu];
	bool pauth = has_pauth_keys();
	unsigned n = 0;

	(void)arg;
#define PUT(reg, v)           \
	write_sysreg(reg, v); \
	isb();                \
	s->before[n++] = read_sysreg(reg);
#define SAVE(reg)      s->before[n++] = read_sysreg(reg);
#define CHECK(reg)     s->after[n++] = read_sysreg(reg);
#define CHECK2(reg, v) CHECK(reg)
	EL1_REGISTERS(PUT)
	EL1_TIMERS(PUT)
	EL1_LIVE(SAVE)
	if (pauth) {
#define PUT_KEY(reg, name) PUT(reg, pattern(cpu, 77, n))
		PAUTH_KEYS(PUT_KEY)
	}
	exits(cpu);
	n = 0;
	EL1_REGISTERS(CHECK2)
	EL1_TIMERS(CHECK2)
	EL1_LIVE(CHECK)
	if (pauth) {
		PAUTH_KEYS(CHECK2)
	}
	s->count = n;
	write_sysreg(mdscr_el1, 0);
	write_sysreg(ttbr1_el1, 0);
}

static void test_el1(unsigned cpus)
{
	static const char *const names[] = {
#define NAME2(reg, v)     #reg,
#define NAME(reg)         #reg,
#define NAME_KEY(reg, nm) nm,
	        EL1_REGISTERS(NAME2) EL1_TIMERS(NAME2) EL1_LIVE(NAME) PAUTH_KEYS(NAME_KEY)};

	for (unsigned cpu = 1; cpu < cpus; cpu++)
		smp_post(cpu, el1_cpu, 0);
	el1_cpu(0);
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		smp_wait(cpu, 5000000);
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		group_begin("regs-el1");
		group_eq(seen[cpu].count != 0, true, "CPU %u ran", cpu);
		for (unsigned i = 0; i < seen[cpu].count; i++)
			group_eq(seen[cpu].after[i], seen[cpu].before[i], "%s on CPU %u", names[i],
			         cpu);
		group_end();
	}
}

static void look(u64 cpu)
{
	exercise_look(&starts[cpu]);
}

static void test_start(unsigned cpus)
{
	group_begin("regs-fp-zero-at-start");
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		for (unsigned i = 0; i < VECS; i++)
			group_eq(starts[cpu].v[i][0] | starts[cpu].v[i][1], 0, "v%u of CPU %u", i,
			         cpu);
		group_eq(starts[cpu].fpcr, 0, "FPCR of CPU %u", cpu);
		group_eq(starts[cpu].fpsr, 0, "FPSR of CPU %u", cpu);
	}
	group_end();
}

void test_main(void)
{
	unsigned cpus;

	look(0);
	cpus = smp_start_all();
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		smp_call(cpu, look, cpu);
	test_start(cpus);
	irq_set_handler(INTID_VTIMER, on_tick);
	test_exercises(cpus);
	test_el1(cpus);
}
