// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H27 and H40: CPUs that come and go while others do, and dying in as many ways as there are. Those that
 * end have a VM of their own.
 * Source: Arm Power State Coordination Interface, "CPU_ON", "CPU_OFF"; Arm ARM, "Exception vectors".
 */
#include "hostile.h"

#define NOWHERE 0x0b000000ul
#define PVTIME  0x090a0000ul
#define ROUNDS  100u

static void goes_off(u64 cpu)
{
	smp_mark_off((unsigned)cpu);
	psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

static bool is_off(unsigned cpu)
{
	return psci_call(PSCI_AFFINITY_INFO64, platform.mpidr[cpu], 0, 0) == PSCI_AFFINITY_OFF;
}

static void off_and_on(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		smp_post(1, goes_off, 1);
		want_true(WAIT_FOR(is_off(1), 10000000), "off, round %u", i);
		want_true(smp_start(1), "on, round %u", i);
	}
}

static void on_while_on(void)
{
	smp_post(1, goes_off, 1);
	for (unsigned i = 0; i < 1000; i++) {
		s64 got = psci_call(PSCI_CPU_ON64, platform.mpidr[1], (u64)smp_entry, 1);

		want_true(got == PSCI_SUCCESS || got == PSCI_ALREADY_ON || got == PSCI_ON_PENDING,
		          "call %u", i);
	}
	/* One that comes back finds the same order, and goes off again. */
	want_true(WAIT_FOR(is_off(1), 10000000), "off in the end");
	want_true(smp_start(1), "it starts");
	for (unsigned i = 0; i < 1000; i++) {
		s64 got = psci_call(PSCI_CPU_ON64, platform.mpidr[1], (u64)smp_entry, 1);

		want_eq((u64)got, (u64)PSCI_ALREADY_ON, "while it is on, %u", i);
	}
}

static volatile u64 successes;
static volatile u32 gate, release;

/* A CPU that waits for the word that x0 points at, then goes off. */
void waits_then_off(void);
__asm__(".text\nwaits_then_off:\n1:	ldr w1, [x0]\n	cbz w1, 1b\n	mov w0, #0x0002\n	"
        "movk w0, #0x8400, lsl #16\n"
        "	hvc #0\n	b .\n");

static void race(u64 target)
{
	while (gate == 0)
		__asm__ volatile("yield");
	if (psci_call(PSCI_CPU_ON64, platform.mpidr[target], (u64)waits_then_off, (u64)&release) ==
	    PSCI_SUCCESS)
		__atomic_fetch_add(&successes, 1, __ATOMIC_SEQ_CST);
}

static void several_at_once(void)
{
	unsigned target = platform.cpu_count - 1;

	if (platform.cpu_count < 3)
		absent("needs three CPUs");
	smp_post(target, goes_off, target);
	for (unsigned i = 0; i < 30; i++) {
		want_true(WAIT_FOR(is_off(target), 10000000), "off, round %u", i);
		gate = 0;
		release = 0;
		successes = 0;
		for (unsigned cpu = 1; cpu < target; cpu++)
			smp_post(cpu, race, target);
		gate = 1;
		race(target);
		for (unsigned cpu = 1; cpu < target; cpu++)
			want_true(smp_wait(cpu, 20000000), "CPU %u", cpu);
		want_eq(successes, 1, "round %u: one starts it", i);
		release = 1;
	}
	want_true(WAIT_FOR(is_off(target), 10000000), "off in the end");
	want_true(smp_start(target), "it starts again");
}

static void call_at_once(u64 function)
{
	gate++;
	while (gate < platform.cpu_count)
		__asm__ volatile("yield");
	psci_call(function, 0, 0, 0);
}

static void all_at_once(u64 function)
{
	gate = 0;
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, call_at_once, function);
	timer_delay(1000);
	gate = platform.cpu_count;
	psci_call(function, 0, 0, 0);
	want_true(false, "it came back");
}

static void all_reset(void)
{
	all_at_once(PSCI_SYSTEM_RESET);
}

static void all_off(void)
{
	all_at_once(PSCI_SYSTEM_OFF);
}

static void storms(u64 unused)
{
	(void)unused;
	for (;;) {
		for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++) {
			psci_call(PSCI_CPU_ON64, platform.mpidr[cpu], (u64)smp_entry, cpu);
			gic_send_sgi(3, (u32)BIT(cpu));
		}
	}
}

static void off_in_storm(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, storms, 0);
	timer_delay(2000);
	psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	want_true(false, "it came back");
}

static void reset_in_storm(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, storms, 0);
	timer_delay(2000);
	psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
	want_true(false, "it came back");
}

static void other_ends(u64 unused)
{
	(void)unused;
	psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

static void ended_by_other(void)
{
	smp_post(1, other_ends, 0);
	storms(0);
}

/* --- H40 ---- */

static void with_vectors(u64 at)
{
	write_sysreg(vbar_el1, at);
	isb();
	__asm__ volatile("brk #0");
}

static void vectors_in_device(void)
{
	mmu_disable();
	with_vectors(platform.uart);
}

static void vectors_in_distributor(void)
{
	mmu_disable();
	with_vectors(platform.gicd);
}

static void vectors_in_stolen_time(void)
{
	mmu_disable();
	with_vectors(PVTIME);
}

static void vectors_far_away(void)
{
	mmu_disable();
	with_vectors(1ul << 38);
}

static void vectors_nowhere_no_mmu(void)
{
	mmu_disable();
	with_vectors(NOWHERE);
}

static void jumps_without_vectors(void)
{
	mmu_disable();
	write_sysreg(vbar_el1, NOWHERE);
	isb();
	exc_call(NOWHERE + 0x1000);
}

static void tables_nowhere(void)
{
	write_sysreg(ttbr0_el1, NOWHERE);
	isb();
	__asm__ volatile("tlbi vmalle1" ::: "memory");
	dsb(sy);
	isb();
}

static void tables_in_device(void)
{
	write_sysreg(ttbr0_el1, platform.gicd);
	isb();
	__asm__ volatile("tlbi vmalle1" ::: "memory");
	dsb(sy);
	isb();
}

static void tables_in_uart(void)
{
	write_sysreg(ttbr0_el1, platform.uart);
	isb();
	__asm__ volatile("tlbi vmalle1" ::: "memory");
	dsb(sy);
	isb();
}

static void interrupt_without_vectors(void)
{
	mmu_disable();
	gic_enable(5);
	write_sysreg(vbar_el1, NOWHERE);
	isb();
	gic_send_sgi(5, 1);
	irq_enable();
	isb();
	for (;;)
		wfi();
}

static void other_cpu_without_vectors(u64 unused)
{
	(void)unused;
	write_sysreg(vbar_el1, NOWHERE);
	isb();
	mmu_disable();
	__asm__ volatile("brk #0");
}

static void dies_on_other_cpu(void)
{
	smp_post(1, other_cpu_without_vectors, 0);
	for (;;)
		__asm__ volatile("yield");
}

static void all_die(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, other_cpu_without_vectors, 0);
	other_cpu_without_vectors(0);
}

static void stack_in_device(void)
{
	mmu_disable();
	write_sysreg(vbar_el1, NOWHERE + 0x800);
	isb();
	__asm__ volatile("mov sp, %0\n\tstp x0, x1, [sp, #-16]!" ::"r"(platform.uart + 0x1000)
	                 : "memory");
}

#define DIES(id, what, run)                                                                 \
	{                                                                                   \
		id, what, "Its VM crashed, in words; no other.", run, NEEDS_MEZZO | OWN_VM, \
		        ENDS_CRASHED                                                        \
	}
#define DIES_SMP(id, what, run)                                        \
	{                                                              \
		id, what, "Its VM crashed, in words; no other.", run,  \
		        NEEDS_MEZZO | OWN_VM | NEEDS_SMP, ENDS_CRASHED \
	}

CASES(rows) = {
        {"H27.1", "A CPU goes off and on a hundred times.", "Off, then on, each time.", off_and_on,
         NEEDS_SMP, 0},
        {"H27.2", "CPU_ON of a CPU that is about to go off, and of one that comes.",
         "ALREADY_ON, ON_PENDING or success.", on_while_on, NEEDS_SMP | NEEDS_MEZZO, 0},
        {"H27.3", "Several CPUs start the same one at once.", "One of them does.", several_at_once,
         NEEDS_SMP | NEEDS_MEZZO, 0},
        {"H27.4", "All CPUs reset the machine at once.", "It starts again.", all_reset,
         NEEDS_MEZZO | OWN_VM | NEEDS_SMP, ENDS_RESET},
        {"H27.5", "All CPUs power off at once.", "It is off.", all_off,
         NEEDS_MEZZO | OWN_VM | NEEDS_SMP, ENDS_OFF},
        {"H27.6", "Powers off in a storm of CPU_ON and SGIs.", "It is off.", off_in_storm,
         NEEDS_MEZZO | OWN_VM | NEEDS_SMP, ENDS_OFF},
        {"H27.7", "Resets in a storm of CPU_ON and SGIs.", "It starts again.", reset_in_storm,
         NEEDS_MEZZO | OWN_VM | NEEDS_SMP, ENDS_RESET},
        {"H27.8", "Another CPU powers off while this one storms.", "It is off.", ended_by_other,
         NEEDS_MEZZO | OWN_VM | NEEDS_SMP, ENDS_OFF},
        DIES("H40.1", "Vectors where nothing is, MMU off.", vectors_nowhere_no_mmu),
        DIES("H40.2", "Vectors in the UART.", vectors_in_device),
        DIES("H40.3", "Vectors in the distributor.", vectors_in_distributor),
        DIES("H40.4", "Vectors in the page of stolen time.", vectors_in_stolen_time),
        DIES("H40.5", "Vectors at 2^38.", vectors_far_away),
        DIES("H40.6", "A jump to nowhere without vectors.", jumps_without_vectors),
        DIES("H40.7", "An interrupt without vectors.", interrupt_without_vectors),
        DIES("H40.8", "Its tables where nothing is.", tables_nowhere),
        DIES("H40.9", "Its tables in the distributor.", tables_in_device),
        DIES("H40.10", "Its tables in the UART.", tables_in_uart),
        DIES_SMP("H40.11", "The same on another CPU.", dies_on_other_cpu),
        DIES_SMP("H40.12", "All CPUs die at once.", all_die),
        DIES("H40.13", "A stack in the UART, vectors nowhere.", stack_in_device),
};
