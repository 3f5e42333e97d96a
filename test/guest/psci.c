// SPDX-License-Identifier: Apache-2.0
/*
 * PSCI: versions and features, CPU_ON with every error and its race, the state of a CPU that
 * starts, CPU_OFF, AFFINITY_INFO, CPU_SUSPEND, 32- and 64-bit forms, unknown functions.
 * Source: Arm Power State Coordination Interface, "PSCI functions", "Return error codes".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"
#include "mmu.h"

#define ARRIVE_US      5000000ul
#define SETTLE_US      20000ul
#define SOON_US        2000ul
#define ROUNDS         20u
#define GARBAGE        0xfeedface00000000ul
#define CONTEXT        0x0123456789abcdeful
#define ABSENT_MPIDR   0x00fe0000ul
#define NOWHERE        0x00001000ul
#define LEVELS         4u
#define MAJOR          BITS(31, 16)
#define MINOR          BITS(15, 0)
#define NO_TRUSTED_OS  2
#define POWER_DOWN     BIT(16)
#define RESERVED_BITS  0x00fe0000ul
#define DAIF_MASKED    0x3c0ul
#define EL1            (1ul << 2)
#define RESET_TYPE_BAD 1ul

/* What a started CPU finds, written by first_look with its MMU off. */
struct first_look {
	u64 x0, sctlr, daif, spsel, currentel, mpidr, written;
	u64 pad;
};

struct first_look psci_looks __attribute__((aligned(256)));

/* Entry for CPU_ON: notes its state, then switches itself off. */
void first_look(void);
__asm__(".pushsection .text\n"
        ".global first_look\n"
        "first_look:\n"
        "	adrp	x1, psci_looks\n"
        "	add	x1, x1, :lo12:psci_looks\n"
        "	mrs	x2, sctlr_el1\n"
        "	stp	x0, x2, [x1]\n"
        "	mrs	x2, daif\n"
        "	mrs	x3, spsel\n"
        "	stp	x2, x3, [x1, #16]\n"
        "	mrs	x2, currentel\n"
        "	mrs	x3, mpidr_el1\n"
        "	stp	x2, x3, [x1, #32]\n"
        "	mov	x2, #1\n"
        "	str	x2, [x1, #48]\n"
        "	dsb	sy\n"
        "	movz	x0, #0x8400, lsl #16\n"
        "	movk	x0, #2\n"
        "	hvc	#0\n"
        "1:	wfi\n"
        "	b	1b\n"
        ".popsection\n");

static s64 affinity(u64 mpidr, u64 level)
{
	return psci_call(PSCI_AFFINITY_INFO64, mpidr, level, 0);
}

static bool wait_off(unsigned cpu)
{
	return WAIT_FOR(affinity(platform.mpidr[cpu], 0) == PSCI_AFFINITY_OFF, ARRIVE_US);
}

static void turn_off(u64 cpu)
{
	smp_mark_off((unsigned)cpu);
	psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

static bool stop_cpu(unsigned cpu)
{
	smp_post(cpu, turn_off, cpu);
	return wait_off(cpu);
}

static void test_versions(void)
{
	s64 version = psci_call(PSCI_VERSION, 0, 0, 0);
	s64 migrate = psci_call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0);

	print("# PSCI %lu.%lu\n", FIELD_GET(MAJOR, version), FIELD_GET(MINOR, version));
	check_eq(FIELD_GET(MAJOR, version), 1, "psci-version-major");
	check_strict(FIELD_GET(MINOR, version), 1, "psci-version-minor");
	check_true(migrate == NO_TRUSTED_OS || migrate == PSCI_NOT_SUPPORTED,
	           "psci-migrate-info-type");
	check_eq((u64)psci_call(PSCI_MIGRATE64, 0, 0, 0), (u64)PSCI_NOT_SUPPORTED, "psci-migrate");
}

static void test_features(void)
{
	static const u32 present[] = {
	        PSCI_VERSION,    PSCI_CPU_SUSPEND32, PSCI_CPU_SUSPEND64,   PSCI_CPU_OFF,
	        PSCI_CPU_ON32,   PSCI_CPU_ON64,      PSCI_AFFINITY_INFO32, PSCI_AFFINITY_INFO64,
	        PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET,  PSCI_FEATURES,
	};
	static const u32 newer[] = {PSCI_SYSTEM_RESET2_32, PSCI_SYSTEM_RESET2_64, SMCCC_VERSION};
	static const u32 absent[] = {PSCI_MIGRATE64, 0x8400003f, 0xc400003f,
	                             0x84000100,     0x12345678, 0};

	group_begin("psci-features");
	for (unsigned i = 0; i < ARRAY_LEN(present); i++)
		group_eq((u64)psci_call(PSCI_FEATURES, present[i], 0, 0), 0, "of 0x%x", present[i]);
	for (unsigned i = 0; i < ARRAY_LEN(absent); i++)
		group_eq((u64)psci_call(PSCI_FEATURES, absent[i], 0, 0), (u64)PSCI_NOT_SUPPORTED,
		         "of 0x%x", absent[i]);
	group_end();
	group_strict("psci-features-1.1");
	for (unsigned i = 0; i < ARRAY_LEN(newer); i++)
		group_eq((u64)psci_call(PSCI_FEATURES, newer[i], 0, 0), 0, "of 0x%x", newer[i]);
	group_eq((u64)psci_call(PSCI_FEATURES, GARBAGE | PSCI_CPU_OFF, 0, 0), 0,
	         "upper half of x1");
	group_end();
}

/*
 * A 32-bit function sees the low halves of its arguments, the function id always is a low half.
 */
static void test_widths(void)
{
	u64 mpidr = platform.mpidr[0] & BITS(31, 0);
	u64 regs[SMCCC_REGS] = {GARBAGE | PSCI_VERSION};
	struct exc_record r = EXC_OF(smccc_hvc(regs));

	group_strict("psci-low-halves");
	group_eq(exc_class(&r), NO_EXC, "function id with garbage above is no exception");
	group_eq(FIELD_GET(MAJOR, regs[0]), 1, "function id with garbage above");
	group_eq((u64)psci_call(PSCI_AFFINITY_INFO32, GARBAGE | mpidr, GARBAGE, 0),
	         PSCI_AFFINITY_ON, "32-bit AFFINITY_INFO");
	group_eq((u64)psci_call(PSCI_CPU_ON32, GARBAGE | mpidr, GARBAGE | (u64)smp_entry, 0),
	         (u64)PSCI_ALREADY_ON, "32-bit CPU_ON");
	group_end();
	check_eq((u64)psci_call(PSCI_AFFINITY_INFO64, GARBAGE | mpidr, 0, 0), (u64)PSCI_INVALID,
	         "psci-64-bit-takes-all");
}

static void test_affinity(void)
{
	group_begin("psci-affinity-info");
	group_eq((u64)affinity(platform.mpidr[0], 0), PSCI_AFFINITY_ON, "of oneself");
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		group_eq((u64)affinity(platform.mpidr[cpu], 0), PSCI_AFFINITY_OFF, "of CPU %u",
		         cpu);
	group_eq((u64)affinity(ABSENT_MPIDR, 0), (u64)PSCI_INVALID, "of a CPU that does not exist");
	group_eq((u64)affinity(platform.mpidr[platform.cpu_count - 1] + 1, 0), (u64)PSCI_INVALID,
	         "of the one after the last");
	for (u64 level = 1; level < LEVELS; level++) {
		s64 got = affinity(platform.mpidr[0], level);

		/* Since PSCI 1.0 levels above 0 need not be supported. */
		group_eq(got == PSCI_AFFINITY_ON || got == PSCI_INVALID, true, "level %lu", level);
	}
	group_end();
	check_strict((u64)affinity(platform.mpidr[0], LEVELS), (u64)PSCI_INVALID,
	             "psci-affinity-level-4");
	check_strict((u64)affinity(platform.mpidr[0], ~0ul), (u64)PSCI_INVALID,
	             "psci-affinity-level-huge");
}

static s64 cpu_on(u64 mpidr, u64 entry)
{
	return psci_call(PSCI_CPU_ON64, mpidr, entry, 0);
}

static void test_cpu_on_errors(void)
{
	u64 entry = (u64)smp_entry;

	group_begin("psci-cpu-on-errors");
	group_eq((u64)cpu_on(platform.mpidr[0], entry), (u64)PSCI_ALREADY_ON, "oneself");
	group_eq((u64)cpu_on(ABSENT_MPIDR, entry), (u64)PSCI_INVALID, "absent Aff2");
	group_eq((u64)cpu_on(platform.mpidr[0] | 0xff00000000, entry), (u64)PSCI_INVALID,
	         "absent Aff3");
	group_eq((u64)cpu_on(platform.mpidr[platform.cpu_count - 1] + 1, entry), (u64)PSCI_INVALID,
	         "the one after the last");
	group_eq((u64)cpu_on(platform.mpidr[0] | BIT(31), entry), (u64)PSCI_INVALID,
	         "reserved bit 31");
	group_eq((u64)cpu_on(platform.mpidr[0] | BIT(40), entry), (u64)PSCI_INVALID,
	         "reserved bit 40");
	group_eq((u64)cpu_on(~0ul, entry), (u64)PSCI_INVALID, "all ones");
	group_end();
	if (platform.cpu_count == 1)
		return;
	if (!test_under_mezzo()) {
		test_skip("QEMU starts the CPU there", "psci-cpu-on-bad-address");
		return;
	}
	group_begin("psci-cpu-on-bad-address");
	group_eq((u64)cpu_on(platform.mpidr[1], NOWHERE), (u64)PSCI_INVALID_ADDRESS,
	         "nothing there");
	group_eq((u64)cpu_on(platform.mpidr[1], platform.uart), (u64)PSCI_INVALID_ADDRESS,
	         "a device");
	group_eq((u64)cpu_on(platform.mpidr[1], platform.ram_base + platform.ram_bytes),
	         (u64)PSCI_INVALID_ADDRESS, "end of RAM");
	group_eq((u64)cpu_on(platform.mpidr[1], ~3ul), (u64)PSCI_INVALID_ADDRESS,
	         "top of addresses");
	group_eq((u64)affinity(platform.mpidr[1], 0), PSCI_AFFINITY_OFF,
	         "and the CPU is still off");
	group_end();
}

/* Waits until the CPU that was started has looked; its caches are off, ours are not. */
static bool wait_look(const volatile struct first_look *look)
{
	return WAIT_FOR((cache_clean_invalidate((u64)look, sizeof(*look)), look->written == 1),
	                ARRIVE_US);
}

static const volatile struct first_look *look_at(u64 function, unsigned cpu, u64 context)
{
	const volatile struct first_look *look = &psci_looks;

	psci_looks = (struct first_look){0};
	cache_clean_invalidate((u64)&psci_looks, sizeof(psci_looks));
	group_eq((u64)psci_call(function, platform.mpidr[cpu], (u64)first_look, context),
	         PSCI_SUCCESS, "CPU_ON of CPU %u", cpu);
	group_eq(wait_look(look), true, "CPU %u runs", cpu);
	group_eq(wait_off(cpu), true, "CPU %u switches itself off", cpu);
	return look;
}

static void test_first_look(void)
{
	group_begin("psci-cpu-on-state");
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++) {
		const volatile struct first_look *look = look_at(PSCI_CPU_ON64, cpu, CONTEXT);

		group_eq(look->x0, CONTEXT, "context id");
		group_eq(look->sctlr & (SCTLR_M | SCTLR_C | SCTLR_I), 0, "MMU and caches off");
		group_eq(look->daif, DAIF_MASKED, "DAIF masked");
		group_eq(look->spsel, 1, "its own stack pointer");
		group_eq(look->currentel, EL1, "EL1");
		group_eq(look->mpidr & MPIDR_AFF, platform.mpidr[cpu], "MPIDR as in the tree");
		group_eq(look->mpidr & (MPIDR_RES1 | MPIDR_U), MPIDR_RES1, "MPIDR's other bits");
		look = look_at(PSCI_CPU_ON32, cpu, GARBAGE | 0x89abcdef);
		group_eq(look->x0 & BITS(31, 0), 0x89abcdef, "context id of the 32-bit form");
	}
	group_end();
}

static void test_on_off(void)
{
	unsigned cpus = platform.cpu_count;

	group_begin("psci-on-off");
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned cpu = 1 + round % (cpus - 1);

		group_eq(smp_start(cpu), true, "start of CPU %u in round %u", cpu, round);
		group_eq((u64)affinity(platform.mpidr[cpu], 0), PSCI_AFFINITY_ON, "CPU %u is on",
		         cpu);
		group_eq((u64)cpu_on(platform.mpidr[cpu], (u64)smp_entry), (u64)PSCI_ALREADY_ON,
		         "once more CPU %u", cpu);
		group_eq(stop_cpu(cpu), true, "stop of CPU %u in round %u", cpu, round);
	}
	group_end();
}

static volatile s64 race_result;
static u32 race_flag;

static void race(u64 cpu)
{
	while (__atomic_load_n(&race_flag, __ATOMIC_ACQUIRE) == 0)
		__asm__ volatile("yield");
	race_result = cpu_on(platform.mpidr[cpu], (u64)first_look);
}

/*
 * Two CPUs start a third at once: one succeeds, the other hears why not. QEMU says success before
 * it starts the CPU and OFF until then, so OFF alone does not end a round: the CPU must have looked,
 * and when both won, a second start may still be under way.
 */
static void test_race(void)
{
	unsigned victim = platform.cpu_count - 1;
	u32 pending = 0;

	group_begin("psci-cpu-on-race");
	smp_start(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		s64 mine, theirs;
		unsigned won;

		psci_looks = (struct first_look){0};
		cache_clean_invalidate((u64)&psci_looks, sizeof(psci_looks));
		__atomic_store_n(&race_flag, 0, __ATOMIC_RELEASE);
		smp_post(1, race, victim);
		timer_delay(round * 5);
		__atomic_store_n(&race_flag, 1, __ATOMIC_RELEASE);
		mine = cpu_on(platform.mpidr[victim], (u64)first_look);
		group_eq(smp_wait(1, ARRIVE_US), true, "CPU 1 is back");
		theirs = race_result;
		/* Both win only if the CPU came, looked and switched itself off in between. */
		won = (mine == PSCI_SUCCESS ? 1u : 0u) + (theirs == PSCI_SUCCESS ? 1u : 0u);
		group_eq(won >= 1, true, "somebody wins round %u", round);
		group_eq(mine == PSCI_SUCCESS || mine == PSCI_ALREADY_ON || mine == PSCI_ON_PENDING,
		         true, "CPU 0 hears %d", (int)mine);
		group_eq(theirs == PSCI_SUCCESS || theirs == PSCI_ALREADY_ON ||
		                 theirs == PSCI_ON_PENDING,
		         true, "CPU 1 hears %d", (int)theirs);
		pending += mine == PSCI_ON_PENDING || theirs == PSCI_ON_PENDING;
		group_eq(wait_look(&psci_looks), true, "victim comes");
		if (won == 2)
			timer_delay(SETTLE_US);
		group_eq(wait_off(victim), true, "victim off again");
	}
	stop_cpu(1);
	group_end();
	print("# %u of %u races ended in ON_PENDING\n", pending, ROUNDS);
}

static volatile bool again;

static void arm_timer(void)
{
	write_sysreg(cntv_tval_el0, timer_ticks(SOON_US));
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
}

/* Taken before the CPU sleeps it must come once more, or nothing would wake it. */
static void on_timer(u32 iar)
{
	(void)iar;
	write_sysreg(cntv_ctl_el0, 0);
	if (again)
		arm_timer();
	isb();
}

static void test_suspend(void)
{
	static const u32 forms[] = {PSCI_CPU_SUSPEND32, PSCI_CPU_SUSPEND64};

	irq_set_handler(INTID_VTIMER, on_timer);
	gic_enable(INTID_VTIMER);
	group_begin("psci-cpu-suspend");
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		/* Standby returns like WFI: for an interrupt, masked or not. */
		irq_reset();
		irq_disable();
		arm_timer();
		group_eq((u64)psci_call(forms[i], 0, 0, 0), PSCI_SUCCESS, "standby 0x%x, masked",
		         forms[i]);
		irq_enable();
		group_eq(WAIT_FOR(irq_count(0, INTID_VTIMER) == 1, ARRIVE_US), true,
		         "its interrupt");
		again = true;
		arm_timer();
		group_eq((u64)psci_call(forms[i], 0, 0, 0), PSCI_SUCCESS, "standby 0x%x", forms[i]);
		group_eq(WAIT_FOR(irq_count(0, INTID_VTIMER) >= 2, ARRIVE_US), true,
		         "its interrupt");
		again = false;
		group_eq((u64)psci_call(forms[i], RESERVED_BITS, (u64)smp_entry, 0),
		         (u64)PSCI_INVALID, "reserved bits of power_state 0x%x", forms[i]);
	}
	write_sysreg(cntv_ctl_el0, 0);
	irq_disable();
	group_end();
}

static void test_unknown(void)
{
	group_strict("psci-unknown");
	for (u32 number = 0x20; number < 0x40; number++) {
		for (unsigned wide = 0; wide < 2; wide++) {
			u64 id = PSCI_VERSION | number | (wide != 0 ? BIT(30) : 0);
			s64 got = 0;
			struct exc_record r = EXC_OF(got = psci_call(id, 1, 2, 3));

			group_eq(exc_class(&r), NO_EXC, "0x%lx is no exception", id);
			group_eq((u64)got, (u64)PSCI_NOT_SUPPORTED, "0x%lx", id);
		}
	}
	group_end();
	if (test_under_mezzo()) {
		check_eq((u64)psci_call(PSCI_SYSTEM_RESET2_64, RESET_TYPE_BAD, 0, 0),
		         (u64)PSCI_INVALID, "psci-reset2-reserved-type");
	}
}

void test_main(void)
{
	test_versions();
	test_features();
	test_widths();
	test_affinity();
	test_cpu_on_errors();
	if (platform.cpu_count > 1) {
		test_first_look();
		test_on_off();
	}
	if (platform.cpu_count > 2)
		test_race();
	test_suspend();
	test_unknown();
	check_eq(smp_start_all(), platform.cpu_count, "psci-all-on-at-the-end");
}
