// SPDX-License-Identifier: Apache-2.0
/*
 * Class H22: errors of the bus. What a guest provokes at places where nothing is comes back to itself, at once, at the
 * instruction that did it; no SError is left pending, neither at its own EL1 nor for who runs on the CPU next (the victim
 * would die of it). A board that reports an SError of its own cannot be had here: test_vcpu.c has what Mezzo does then.
 * Source: Arm ARM, "ISR_EL1", "ESB", "DISR_EL1"; XSA-201.
 */
#include "hostile.h"

#define EC_IABT_HERE 0x21
#define ISR_A        BIT(8)
#define NOWHERE      0x0b000000ul
#define ROUNDS       500u
#define FSC_WALK     0x14 /* to 0x17: external abort on a table walk */
#define DISR_EL1     SREG(3, 0, 12, 1, 1)
#define PFR0_RAS     BITS(31, 28)

/* Where no model has anything, below 64 GiB. */
static const u64 windows[] = {0x0b000000,  0x0b0ffff8,  0x08ff0000,  0x0c000000,  0x1ffffff8,
                              0x3ffffff8,  0xfffff000,  0x100000000, 0x1fffffff8, 0x4010000000,
                              0x800000000, 0xc00000000, 0xffffffff8};

static void unmask(void)
{
	__asm__ volatile("msr daifclr, #4" ::: "memory");
	isb();
}

/* Nothing is left: neither pending nor noted. */
static void quiet(const char *what)
{
	struct exc_record r = EXC_OF({
		dsb(sy);
		unmask();
		isb();
	});

	want_none(&r, "%s: an SError comes later", what);
	want_eq(read_sysreg(isr_el1) & ISR_A, 0, "%s: one is pending", what);
}

static void abort_windows(void)
{
	unmask();
	for (u32 i = 0; i < ARRAY_LEN(windows); i++) {
		struct exc_record r = EXC_OF(read64(windows[i]));

		want_abort(&r, windows[i], "load at %lx", windows[i]);
		r = EXC_OF(write64(windows[i], ~0ul));
		want_abort(&r, windows[i], "store at %lx", windows[i]);
		r = EXC_OF(write8(windows[i], 0xff));
		want_abort(&r, windows[i], "byte at %lx", windows[i]);
	}
	quiet("at EL1");
}

/* Its program's error is for its EL1, with the class of EL0. */
static void abort_el0(void)
{
	static const u32 forms[] = {0xf9400020, 0xf9000020, 0x39400020,
	                            0xa9400420}; /* ldr, str, ldrb, ldp */

	mmu_map_devices_user();
	for (u32 i = 0; i < ARRAY_LEN(forms); i++) {
		const u64 regs[15] = {0, NOWHERE};
		struct exc_record r = case_el0(&forms[i], 1, regs);

		want_eq(exc_class(&r), EC_DABT_LOW, "form %u: class", i);
		want_eq(FIELD_GET(ESR_DFSC, r.esr), FSC_SEA, "form %u: status", i);
		want_eq(r.far, NOWHERE, "form %u: where", i);
	}
	quiet("at EL0");
}

static void abort_walk(void)
{
	u64 at;

	unmask();
	at = mmu_break_walk(NOWHERE);
	for (u32 i = 0; i < ROUNDS; i++) {
		struct exc_record r = EXC_OF(read64(at + i * 8));

		want_class(&r, EC_DABT, "load %u", i);
		want_eq(FIELD_GET(ESR_DFSC, r.esr) & ~3ul, FSC_WALK, "its status");
		want_eq(r.far, at + i * 8, "where");
	}
	mmu_mend_walk();
	quiet("a walk");
}

static void abort_fetch(void)
{
	unmask();
	for (u32 i = 0; i < ARRAY_LEN(windows); i++) {
		u64 page = windows[i] & ~(PAGE_BYTES - 1), at = mmu_window(page);
		struct exc_record r = EXC_OF(exc_call(at));

		want_class(&r, EC_IABT_HERE, "at %lx", page);
		want_eq(FIELD_GET(ESR_DFSC, r.esr), FSC_SEA, "status at %lx", page);
		want_eq(r.far, at, "where");
	}
	quiet("a fetch");
}

/* ESB is a hint on every CPU. What it finds is a guest's own, also if nobody told the guest that there is DISR_EL1. */
static void barriers(void)
{
	struct exc_record r;

	unmask();
	r = EXC_OF(for (u32 i = 0; i < ROUNDS; i++) __asm__ volatile("hint #16" ::: "memory"));
	want_none(&r, "ESB");
	for (u32 i = 0; i < ROUNDS; i++) {
		r = EXC_OF({
			write64(NOWHERE, i);
			__asm__ volatile("hint #16" ::: "memory");
		});
		want_abort(&r, NOWHERE, "with an ESB behind it, %u", i);
	}
	quiet("ESB");
	if (FIELD_GET(PFR0_RAS, read_sysreg(id_aa64pfr0_el1)) != 0)
		want_eq(read_sysreg(DISR_EL1) & BIT(31), 0, "DISR_EL1 has noted one");
}

/* The next exit follows at once: there is one abort, and the exit is what it always is. */
static void abort_then_exit(void)
{
	unmask();
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 x0 = PSCI_VERSION, pfr = 0, regs[SMCCC_REGS] = {0};
		u32 flags = 0;
		struct exc_record r = EXC_OF({
			write64(NOWHERE, i);
			x0 = call4(platform.psci_smc, PSCI_VERSION, 0, 0, 0, regs);
			write64(NOWHERE + 8, i);
			flags = read32(platform.uart + 0x018);
			write64(NOWHERE + 16, i);
			pfr = read_sysreg(id_aa64pfr0_el1);
		});

		want_eq(r.count, 3, "round %u: aborts", i);
		want_eq(r.far, NOWHERE + 16, "round %u: the last one", i);
		want_true((s64)x0 > 0 && flags != ~0u && pfr != 0, "round %u: what the exits gave",
		          i);
	}
	quiet("exits");
}

/* Its own interrupt comes between any two: nothing is lost of either. */
static volatile u32 ticks;

static void on_tick(u32 iar)
{
	(void)iar;
	ticks++;
	write_sysreg(cntv_tval_el0, timer_ticks(20));
	isb();
}

static void abort_under_interrupts(void)
{
	u64 start = timer_count(), shortest = timer_ticks(200000), longest = timer_ticks(20000000);
	u32 rounds = 0;

	ticks = 0;
	irq_set_handler(INTID_VTIMER, on_tick);
	gic_enable(INTID_VTIMER);
	write_sysreg(cntv_tval_el0, timer_ticks(20));
	write_sysreg(cntv_ctl_el0, 1);
	unmask();
	irq_enable();
	/* On a busy host the CPU may not run for most of that time. */
	while (timer_count() - start < shortest || rounds < 100 ||
	       (ticks <= 10 && timer_count() - start < longest)) {
		struct exc_record r = EXC_OF(write64(NOWHERE, rounds));

		want_abort(&r, NOWHERE, "round %u", rounds);
		rounds++;
	}
	irq_disable();
	write_sysreg(cntv_ctl_el0, 0);
	want_true(ticks > 10, "%u interrupts came", ticks);
	quiet("interrupts");
}

static volatile u32 wrong_there, rounds_there;

static void abort_there(u64 at)
{
	wrong_there = 0;
	rounds_there = 0;
	unmask();
	for (u32 i = 0; i < ROUNDS; i++) {
		struct exc_record r = EXC_OF(write64(at + 8ul * i, i));

		wrong_there += r.count != 1 || r.far != at + 8ul * i || exc_class(&r) != EC_DABT;
		rounds_there++;
	}
	wrong_there += (read_sysreg(isr_el1) & ISR_A) != 0;
}

/* Each finds its own, at its own address. */
static void abort_on_two(void)
{
	unmask();
	smp_post(1, abort_there, NOWHERE + PAGE_BYTES);
	for (u32 i = 0; i < ROUNDS; i++) {
		struct exc_record r = EXC_OF(read64(NOWHERE + 8ul * i));

		want_abort(&r, NOWHERE + 8ul * i, "round %u", i);
	}
	want_true(smp_wait(1, 20000000), "CPU 1 ends");
	want_eq(rounds_there, ROUNDS, "CPU 1's rounds");
	want_eq(wrong_there, 0, "CPU 1's aborts");
	quiet("two CPUs");
}

/* A handler that runs into the same once more: its VM alone dies of it, because its vectors are there as well. */
static void abort_in_abort(void)
{
	mmu_disable();
	write_sysreg(vbar_el1, NOWHERE);
	isb();
	unmask();
	write64(NOWHERE, 1);
}

CASES(rows) = {
        {"H22.1", "Loads and stores where nothing is, SErrors unmasked.",
         "External abort at that address; no SError.", abort_windows, NEEDS_MEZZO, 0},
        {"H22.2", "The same at EL0.", "The same, from EL0.", abort_el0, NEEDS_MEZZO, 0},
        {"H22.3", "Tables where nothing is.", "External abort of the walk; no SError.", abort_walk,
         NEEDS_MEZZO, 0},
        {"H22.4", "Jumps to where nothing is.", "External abort of the fetch; no SError.",
         abort_fetch, NEEDS_MEZZO, 0},
        {"H22.5", "ESB, alone and behind aborts.", "Does nothing; no SError is noted.", barriers,
         NEEDS_MEZZO, 0},
        {"H22.6", "An abort, and at once an exit of another kind.", "Both are as always.",
         abort_then_exit, NEEDS_MEZZO, 0},
        {"H22.7", "Aborts under a storm of interrupts.", "Nothing is lost of either.",
         abort_under_interrupts, NEEDS_MEZZO, 0},
        {"H22.8", "Two CPUs abort at once, 500 times.", "Each finds its own.", abort_on_two,
         NEEDS_MEZZO | NEEDS_SMP, 0},
        {"H22.9", "An abort whose vectors are where nothing is.",
         "Its VM crashed, in words; no other.", abort_in_abort, NEEDS_MEZZO | OWN_VM, ENDS_CRASHED},
};
