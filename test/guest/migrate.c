// SPDX-License-Identifier: Apache-2.0
/*
 * One vCPU that fills x0-x30, v0-v31, the EL1 and EL0 registers and the timers with patterns and finds them
 * again after WFI and after a busy time, for ever or `rounds=N` times. After each second `migrate: N rounds
 * ok`; else what differed, and it powers off. Meanwhile somebody moves it from CPU to CPU.
 */
#include "test.h"

#include "el1regs.h"
#include "exercise.h"
#include "gic.h"
#include "irq.h"

#define SLEEP_US   500ul
#define BUSY_US    500ul
#define SECOND_US  1000000ul
#define LATE_US    500000ul                      /* how late an emulated timer's interrupt may be */
#define FPCR_BITS  (BITS(26, 24) | BITS(23, 22)) /* AHP DN FZ RMode */
#define FPSR_BITS  (BIT(27) | BIT(7) | BITS(4, 0))
#define FAR_FUTURE BIT(62)

static struct regfile in, out;
static u64 differences;

static u64 pattern(u64 round, unsigned n)
{
	return 0x9e3779b97f4a7c15ul * ((round + 1) << 8 | (n + 1));
}

static void differs(const char *what, unsigned n, u64 got, u64 want)
{
	if (got == want)
		return;
	differences++;
	print("migrate: %s %u: got 0x%lx want 0x%lx\n", what, n, got, want);
}

static void fill(u64 round)
{
	for (unsigned i = 0; i < GPRS; i++)
		in.x[i] = pattern(round, i);
	for (unsigned i = 0; i < VECS; i++) {
		in.v[i][0] = pattern(round, 64 + i);
		in.v[i][1] = pattern(round, 128 + i);
	}
	in.fpcr = pattern(round, 200) & FPCR_BITS;
	in.fpsr = pattern(round, 201) & FPSR_BITS;
}

static void compare(unsigned from)
{
	for (unsigned i = from; i < GPRS; i++)
		differs("x", i, out.x[i], in.x[i]);
	for (unsigned i = 0; i < VECS; i++) {
		differs("low half of v", i, out.v[i][0], in.v[i][0]);
		differs("high half of v", i, out.v[i][1], in.v[i][1]);
	}
	differs("fpcr", 0, out.fpcr, in.fpcr);
	differs("fpsr", 0, out.fpsr, in.fpsr);
}

static void on_timer(u32 iar)
{
	(void)iar;
	write_sysreg(cntv_ctl_el0, 0);
	isb();
}

/* Sleeps, then works until the counter says so. Interrupts are masked. */
static void exercise(u64 round)
{
	u64 start = timer_count(), ring = start + timer_ticks(SLEEP_US);

	fill(round);
	write_sysreg(cntv_cval_el0, ring);
	write_sysreg(cntp_cval_el0, FAR_FUTURE | round);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	write_sysreg(cntp_ctl_el0, CNT_ENABLE | CNT_IMASK);
	isb();
	exercise_wfi(&in, &out);
	compare(0);
	in.x[1] = timer_count() + timer_ticks(BUSY_US);
	if (in.x[1] < ring)
		in.x[1] = ring;
	exercise_until(&in, &out);
	differs("counter", 0, out.x[0] >= in.x[1], true);
	compare(1);
	WAIT_FOR(gic_is_pending(INTID_VTIMER), LATE_US);
	differs("cntv_cval", 0, read_sysreg(cntv_cval_el0), ring);
	differs("cntv_ctl", 0, read_sysreg(cntv_ctl_el0), CNT_ENABLE | CNT_ISTATUS);
	differs("cntp_cval", 0, read_sysreg(cntp_cval_el0), FAR_FUTURE | round);
	differs("cntp_ctl", 0, read_sysreg(cntp_ctl_el0), CNT_ENABLE | CNT_IMASK);
	differs("timer's interrupt", 0, gic_is_pending(INTID_VTIMER), true);
}

static void round_of(u64 round, bool pauth)
{
	u64 before[64], after[64];
	unsigned n = 0, puts;

#define PUT(reg, v)           \
	write_sysreg(reg, v); \
	isb();                \
	before[n++] = read_sysreg(reg);
#define PUT_KEY(reg, name) PUT(reg, pattern(round, n))
#define SAVE(reg)          before[n++] = read_sysreg(reg);
#define CHECK(reg)         after[n++] = read_sysreg(reg);
#define CHECK2(reg, v)     CHECK(reg)
	EL1_REGISTERS(PUT)
	EL1_LIVE(SAVE)
	if (pauth) {
		PAUTH_KEYS(PUT_KEY)
	}
	puts = n;
	exercise(round);
	n = 0;
	EL1_REGISTERS(CHECK2)
	EL1_LIVE(CHECK)
	if (pauth) {
		PAUTH_KEYS(CHECK2)
	}
	for (unsigned i = 0; i < puts; i++)
		differs("EL1 register", i, after[i], before[i]);
	irq_enable();
	isb();
	irq_disable();
	differs("timer's interrupts", 0, irq_count(0, INTID_VTIMER), 1);
	irq_reset();
}

void tool_main(void)
{
	u64 rounds = platform_arg("rounds", 0), last = timer_count(), n = 0;
	bool pauth = has_pauth_keys();

	irq_disable();
	irq_set_handler(INTID_VTIMER, on_timer);
	gic_enable(INTID_VTIMER);
	while (differences == 0 && (rounds == 0 || n < rounds)) {
		round_of(n++, pauth);
		if (differences != 0 || timer_count() - last < timer_ticks(SECOND_US))
			continue;
		print("migrate: %lu rounds ok\n", n);
		last = timer_count();
	}
	print("migrate: end, %lu rounds, %lu differences\n", n, differences);
}
