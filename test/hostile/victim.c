// SPDX-License-Identifier: Apache-2.0
/*
 * The machine beside the attacker. It holds values that nobody else has in every register of EL1 and EL0, in
 * FP and SIMD registers and in memory, and looks at them for ever; it sleeps by its timer and says that it
 * lives. A line `victim: beat N` after each round, `victim: difference WHAT got .. want ..` when something
 * is not what it was. Its pages of CANARY begin with a text by which suite.py finds them in the board's memory.
 *
 * As a worker (work=SECONDS) it counts rounds of a fixed piece of work between two moments, as a measure of
 * the share of a CPU that it got.
 */
#include "hostile.h"

#include "alarm.h"
#include "el1regs.h"
#include "exercise.h"

#define CANARY_PAGES 64
#define CANARY_TEXT  "MEZZO-HOSTILE-CANARY"
#define WORDS        (PAGE_BYTES / sizeof(u64))
#define HOLD_US      2000ul
#define SLEEP_US     5000ul
#define LATE_US      1000000ul
#define PATTERN      0x0123456789abcdeful
#define FPCR_RZ      FIELD(BITS(23, 22), 3)
#define FPSR_QC      BIT(27)
#define WORK_ROUNDS  20000u

static u64 canary[CANARY_PAGES][WORDS] __attribute__((aligned(4096)));
static u64 scratch[16 * WORDS] __attribute__((aligned(4096)));
static struct regfile in, out;
static u64 differences;

static u64 mix(u64 v)
{
	v ^= v >> 31;
	v *= 0x9e3779b97f4a7c15ul;
	return v ^ (v >> 29);
}

static void same(u64 got, u64 want, const char *what, u64 index)
{
	if (got == want)
		return;
	differences++;
	print("victim: difference %s %lu: got 0x%lx want 0x%lx\n", what, index, got, want);
}

static u64 canary_word(u64 page, u64 word)
{
	return mix(PATTERN + page * WORDS + word);
}

static void fill_canary(void)
{
	for (u64 page = 0; page < CANARY_PAGES; page++) {
		for (u64 word = 0; word < WORDS; word++)
			canary[page][word] = canary_word(page, word);
		/* Not as one piece in the image, where it would be found as well. */
		char *text = (char *)canary[page];
		for (u64 i = 0; i < sizeof(CANARY_TEXT) - 1; i++)
			text[i] = CANARY_TEXT[i];
		text[sizeof(CANARY_TEXT) - 1] = (char)page;
		text[sizeof(CANARY_TEXT)] = ':';
	}
	cache_clean_invalidate((u64)canary, sizeof(canary));
}

static void check_memory(u64 round)
{
	u64 hash = 0, again = 0;

	for (u64 page = 0; page < CANARY_PAGES; page++) {
		for (u64 word = 4; word < WORDS; word++)
			same(canary[page][word], canary_word(page, word), "canary",
			     page * WORDS + word);
	}
	for (u64 i = 0; i < ARRAY_LEN(scratch); i++) {
		scratch[i] = mix(round + i);
		hash ^= mix(scratch[i] + i);
	}
	timer_delay(HOLD_US);
	for (u64 i = 0; i < ARRAY_LEN(scratch); i++)
		again ^= mix(scratch[i] + i);
	same(again, hash, "memory hash", round);
}

/* All of x0-x30 and v0-v31 in, time passes, all of it out. */
static void check_files(u64 round)
{
	u64 until = timer_count() + timer_ticks(HOLD_US);

	for (unsigned i = 0; i < GPRS; i++)
		in.x[i] = mix(round * GPRS + i);
	in.x[1] = until;
	for (unsigned i = 0; i < VECS; i++) {
		in.v[i][0] = mix(round + i);
		in.v[i][1] = ~mix(round - i);
	}
	in.fpcr = FPCR_RZ;
	in.fpsr = FPSR_QC;
	exercise_until(&in, &out);
	for (unsigned i = 1; i < GPRS; i++)
		same(out.x[i], in.x[i], "x", i);
	for (unsigned i = 0; i < VECS; i++) {
		same(out.v[i][0], in.v[i][0], "v low", i);
		same(out.v[i][1], in.v[i][1], "v high", i);
	}
	same(out.fpcr, in.fpcr, "fpcr", 0);
	same(out.fpsr, in.fpsr, "fpsr", 0);
}

#define WRITE(reg, value) write_sysreg(reg, value);
#define FIRST(reg, value) first_##reg = read_sysreg(reg);
#define SAME(reg, value)  same(read_sysreg(reg), first_##reg, #reg, 0);
#define HOLD(reg, value)  u64 first_##reg;

/* Nothing may come between write and read but time: an exception would write ELR, SPSR, ESR and FAR. */
static void check_el1(void)
{
	EL1_REGISTERS(HOLD)
	u64 mpidr = read_sysreg(mpidr_el1), midr = read_sysreg(midr_el1),
	    vbar = read_sysreg(vbar_el1);
	u64 sctlr = read_sysreg(sctlr_el1), tcr = read_sysreg(tcr_el1),
	    ttbr0 = read_sysreg(ttbr0_el1);
	u64 until = timer_count() + timer_ticks(HOLD_US);

	irq_disable();
	EL1_REGISTERS(WRITE)
	isb();
	EL1_REGISTERS(FIRST)
	while (timer_count() < until)
		__asm__ volatile("yield");
	EL1_REGISTERS(SAME)
	same(read_sysreg(mpidr_el1), mpidr, "mpidr", 0);
	same(read_sysreg(midr_el1), midr, "midr", 0);
	same(read_sysreg(vbar_el1), vbar, "vbar", 0);
	same(read_sysreg(sctlr_el1), sctlr, "sctlr", 0);
	same(read_sysreg(tcr_el1), tcr, "tcr", 0);
	same(read_sysreg(ttbr0_el1), ttbr0, "ttbr0", 0);
}

/* The timer wakes it, not before its time. How late is the board's affair, but for a second and more. */
static void check_sleep(u64 *worst)
{
	u64 when = timer_count() + timer_ticks(SLEEP_US), woke = alarm_wait(when);

	if (woke < when)
		same(woke, when, "wake-up too early", 0);
	else if (woke - when > *worst)
		*worst = woke - when;
}

/* What nobody has told the interrupt controller to send does not come. */
static void check_interrupts(void)
{
	for (u32 i = 0; i < GIC_SPECIAL; i++) {
		if (i != INTID_VTIMER)
			same(irq_count(0, i), 0, "interrupt", i);
	}
}

void victim_main(void)
{
	u64 worst = 0, last = timer_count();

	gic_init();
	alarm_init();
	fill_canary();
	print_raw("victim: up\n");
	for (u64 round = 1;; round++) {
		check_files(round);
		check_el1();
		check_memory(round);
		check_sleep(&worst);
		check_interrupts();
		u64 now = timer_count();
		if (now < last)
			same(now, last, "time goes back", round);
		last = now;
		print("victim: beat %lu, %lu differences, latest %lu us\n", round, differences,
		      worst * 1000000 / read_sysreg(cntfrq_el0));
	}
}

void work_main(u64 seconds)
{
	u64 until = timer_count() + seconds * read_sysreg(cntfrq_el0), rounds = 0, sum = 0;

	print_raw("victim: works\n");
	while (timer_count() < until) {
		for (u32 i = 0; i < WORK_ROUNDS; i++)
			__asm__ volatile("add %0, %0, #1" : "+r"(sum));
		rounds++;
	}
	print("victim: work %lu rounds in %lu s\n", rounds, seconds);
	psci_system_off();
}
