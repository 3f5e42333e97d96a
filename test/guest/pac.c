// SPDX-License-Identifier: Apache-2.0
/*
 * Pointer authentication is the guest's own: five keys, filled with new patterns in each round, are there after an exit
 * of any kind, on all CPUs at once; what was signed before is right after it, and nothing else is. A CPU that starts
 * finds no key of another's (under Mezzo). Source: Arm ARM, "Pointer authentication"; docs/exits.md.
 */
#include "test.h"

#include "el1regs.h"
#include "exercise.h"
#include "gic.h"
#include "irq.h"

#define ROUNDS   20u
#define SOON_US  300ul
#define NR_KEYS  10u
#define EN_KEYS  (BIT(31) | BIT(30) | BIT(27) | BIT(13)) /* SCTLR_EL1: EnIA, EnIB, EnDA, EnDB */
#define FR       0x018
#define ADDRESS  0x40123450ul
#define MODIFIER 0x123456789abcdef0ul

/* x0 = x0 signed, or checked, with x1; by encoding, for assemblers that do not know them. */
#define PACIA ".inst 0xdac10020"
#define PACIB ".inst 0xdac10420"
#define PACDA ".inst 0xdac10820"
#define PACDB ".inst 0xdac10c20"
#define PACGA ".inst 0x9ac13000"
#define AUTIA ".inst 0xdac11020"
#define DO(op, value)                                    \
	({                                               \
		register u64 x0_ asm("x0") = (value);    \
		register u64 x1_ asm("x1") = MODIFIER;   \
		asm volatile(op : "+r"(x0_) : "r"(x1_)); \
		x0_;                                     \
	})

struct seen {
	u64 key[NR_KEYS];
	u64 made[5]; /* by each of the five keys */
};

static struct regfile ins[MAX_CPUS], outs[MAX_CPUS];
static struct seen before[MAX_CPUS], after[MAX_CPUS], starts[MAX_CPUS];
static volatile u64 ticks[MAX_CPUS];
static volatile u32 faults[MAX_CPUS], same[MAX_CPUS];
static u8 fresh[MAX_CPUS][ROUNDS][4096] __attribute__((aligned(4096)));

enum what {
	CALL,
	CALL_LONG,
	CALL_UNKNOWN,
	LOAD,
	LOAD_GICD,
	WFI,
	INTERRUPT,
	ID,
	SET_WAY,
	SGI,
	MEMORY,
	NR_WHAT
};

static const char *const names[NR_WHAT] = {"hvc",       "hvc-long", "hvc-unknown", "load",
                                           "load-gicd", "wfi",      "irq",         "id-register",
                                           "set-way",   "sgi",      "memory"};

static void keys_read(struct seen *s)
{
	unsigned n = 0;
#define READ(reg, name) s->key[n++] = read_sysreg(reg);
	PAUTH_KEYS(READ)
}

static void look(struct seen *s)
{
	keys_read(s);
	s->made[0] = DO(PACIA, ADDRESS);
	s->made[1] = DO(PACIB, ADDRESS);
	s->made[2] = DO(PACDA, ADDRESS);
	s->made[3] = DO(PACDB, ADDRESS);
	s->made[4] = DO(PACGA, ADDRESS);
}

static u64 pattern(unsigned cpu, unsigned round, unsigned n)
{
	return 0x9e3779b97f4a7c15ul * ((u64)(cpu + 1) << 20 | (u64)(round + 1) << 8 | (n + 1));
}

static void keys_fill(unsigned cpu, unsigned round)
{
	unsigned n = 0;
#define WRITE(reg, name) write_sysreg(reg, pattern(cpu, round, n++));
	PAUTH_KEYS(WRITE)
	isb();
}

static void on_tick(u32 iar)
{
	(void)iar;
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	ticks[smp_cpu()]++;
}

static void timer_soon(unsigned cpu)
{
	ticks[cpu] = 0;
	write_sysreg(cntv_tval_el0, timer_ticks(SOON_US));
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
}

static void leave(enum what what, unsigned cpu, unsigned round)
{
	struct regfile *in = &ins[cpu], *out = &outs[cpu];

	*in = (struct regfile){0};
	switch (what) {
	case CALL: in->x[0] = test_under_mezzo() ? MEZZO_NULL : PSCI_VERSION; break;
	case CALL_LONG:
		in->x[0] = PSCI_FEATURES;
		in->x[1] = PSCI_CPU_OFF;
		break;
	case CALL_UNKNOWN: in->x[0] = 0x84ffff00; break;
	case LOAD: in->x[1] = platform.uart + FR; break;
	case LOAD_GICD: in->x[1] = platform.gicd + 4; break; /* GICD_TYPER */
	case INTERRUPT: in->x[1] = (u64)&ticks[cpu]; break;
	default: break;
	}
	switch (what) {
	case LOAD:
	case LOAD_GICD: exercise_load(in, out); break;
	case WFI:
		timer_soon(cpu);
		exercise_wfi(in, out);
		break;
	case INTERRUPT:
		timer_soon(cpu);
		irq_enable();
		exercise_spin(in, out);
		irq_disable();
		break;
	case ID: exercise_id(in, out); break;
	case SET_WAY: exercise_set_way(in, out); break;
	case SGI: exercise_sgi(in, out); break;
	case MEMORY: fresh[cpu][round][0]++; break; /* Mezzo finds a page for it */
	default:
		platform.psci_smc && !test_under_mezzo() ? exercise_smc(in, out)
		                                         : exercise_hvc(in, out);
	}
	write_sysreg(cntv_ctl_el0, 0);
}

static void leave_cpu(u64 what)
{
	unsigned cpu = smp_cpu();
	struct seen *b = &before[cpu], *a = &after[cpu];
	u64 sctlr = read_sysreg(sctlr_el1);

	write_sysreg(sctlr_el1, sctlr | EN_KEYS);
	isb();
	gic_enable(INTID_VTIMER);
	for (unsigned round = 0; round < ROUNDS; round++) {
		keys_fill(cpu, round);
		look(b);
		leave((enum what)what, cpu, round);
		look(a);
		for (unsigned i = 0; i < NR_KEYS; i++)
			faults[cpu] +=
			        a->key[i] != b->key[i] || a->key[i] != pattern(cpu, round, i);
		for (unsigned i = 0; i < ARRAY_LEN(a->made); i++)
			faults[cpu] += a->made[i] != b->made[i];
		faults[cpu] += DO(AUTIA, b->made[0]) != ADDRESS;
		same[cpu] += b->made[0] == ADDRESS; /* 1 of 32,768 */
	}
	write_sysreg(sctlr_el1, sctlr);
	isb();
}

static void test_exits(unsigned cpus)
{
	for (u64 i = 0; i < NR_WHAT; i++) {
		if (i == SGI && platform.gic_version != 3)
			continue;
		for (unsigned cpu = 1; cpu < cpus; cpu++)
			smp_post(cpu, leave_cpu, i);
		leave_cpu(i);
		for (unsigned cpu = 1; cpu < cpus; cpu++)
			smp_wait(cpu, 5000000);
		for (unsigned cpu = 0; cpu < cpus; cpu++) {
			check_eq(faults[cpu], 0, "pac-%s-cpu%u", names[i], cpu);
			check_true(same[cpu] < 3, "pac-%s-signed-cpu%u", names[i], cpu);
			faults[cpu] = same[cpu] = 0;
		}
	}
}

static void look_at_start(u64 cpu)
{
	keys_read(&starts[cpu]);
}

static void test_start(unsigned cpus)
{
	group_begin("pac-no-key-at-start");
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		for (unsigned i = 0; i < NR_KEYS; i++)
			group_eq(starts[cpu].key[i], 0, "half key %u of CPU %u", i, cpu);
	group_end();
}

/* What no ID register shows is not there; a signature is a hint then, and does nothing. */
static void test_none(void)
{
	struct exc_record r = EXC_OF(read_sysreg(SREG(3, 0, 2, 1, 0)));
	u64 x30 = ADDRESS;

	check_eq(exc_class(&r), EC_UNKNOWN, "pac-no-key-register");
	asm volatile("mov x30, %0\n\thint #25\n\tmov %0, x30" : "+r"(x30) : : "x30");
	check_eq(x30, ADDRESS, "pac-hint-does-nothing");
}

void test_main(void)
{
	unsigned cpus;

	if (!has_pauth_keys()) {
		test_none();
		return;
	}
	look_at_start(0);
	cpus = smp_start_all();
	for (unsigned cpu = 1; cpu < cpus; cpu++)
		smp_call(cpu, look_at_start, cpu);
	if (test_under_mezzo())
		test_start(cpus);
	irq_set_handler(INTID_VTIMER, on_tick);
	test_exits(cpus);
}
