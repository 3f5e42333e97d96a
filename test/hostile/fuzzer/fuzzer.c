// SPDX-License-Identifier: Apache-2.0
/*
 * The bytecode guest fuzzer, an EL1 kernel. On each CPU it generates programs from its seed, runs them and
 * goes on, whatever they do; between programs it sometimes sleeps with a timer set. It never ends its machine
 * unless it is asked to.
 *
 *   seed=N     of the programs (1)           first=N   begins with this program (0)
 *   ops=N      operations of each CPU        off=1     powers off at the end, instead of sleeping
 *   show=1     says the number of each program before it runs
 *
 * Says `fuzzer: cpu C N ops` now and then, and in the end
 *
 *   fuzzer: end, seed S, N ops, E exceptions, I interrupts, programs 0xH, state 0xH
 *
 * The first hash is of the instructions of CPU 0: equal for equal seeds on equal machines. The second is of
 * CPU 0's exceptions and registers: equal under icount with one CPU.
 */
#include "fuzz.h"

#include "gic.h"
#include "io.h"
#include "mmu.h"
#include "print.h"
#include "psci.h"
#include "smp.h"
#include "test.h"
#include "timer.h"

#define OPS_DEFAULT   100000ul
#define SAID_EVERY    262144ul
#define SLEEP_ONE_IN  8
#define SLEEP_US      20ul
#define STUCK_US      100000ul /* asleep for so long: CPU 0 mends what others broke */
#define LOST_US       20000000ul
#define END_US        60000000ul
#define EARLY_US      1000000ul
#define POWER_STANDBY 0

u8 fuzz_work[WORK_BYTES] __attribute__((aligned(65536)));

static u64 quota, seed, first;
static bool show;
static volatile bool stop;
static u64 mended;

void fuzz_cpu(void);

/* The timer's interrupt has reached this CPU, which has interrupts masked. */
static bool timer_arrives(void)
{
	write_sysreg(cntv_cval_el0, timer_count());
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	return WAIT_FOR((read_sysreg(SREG(3, 0, 12, 1, 0)) & SPSR_DAIF) != 0, EARLY_US);
}

/* WFI, or CPU_SUSPEND, out of which the virtual timer wakes: with interrupts masked, as it may be. */
static void sleep(struct fuzzer *f)
{
	recover_gic();
	if (!timer_arrives()) {
		write_sysreg(cntv_ctl_el0, 0);
		return; /* another CPU has just broken it again */
	}
	f->asleep = timer_count() | 1;
	write_sysreg(cntv_cval_el0,
	             timer_count() + timer_ticks(random_below(&f->random, SLEEP_US)));
	isb();
	if (random_one_in(&f->random, 2))
		wfi();
	else
		psci_call(PSCI_CPU_SUSPEND64, POWER_STANDBY, 0, 0);
	f->asleep = 0;
	write_sysreg(cntv_ctl_el0, 0);
	isb();
}

static void set_mmu(bool on)
{
	u64 sctlr = read_sysreg(sctlr_el1);

	write_sysreg(sctlr_el1, on ? sctlr | SCTLR_M : sctlr & ~SCTLR_M);
	isb();
}

static void run_program(struct fuzzer *f)
{
	generate_program(f);
	for (unsigned pass = 0; pass < PASSES; pass++) {
		generate_values(f);
		dsb(ish);
		set_mmu(f->mmu);
		fuzz_enter(fuzz_code[f->cpu]); /* the MMU is on again afterwards */
		f->total_ops += f->ops;
		f->progress++;
	}
}

/* CPU 0 looks after the others: wakes who sleeps too long, switches on who was switched off. */
static void look_after_others(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++) {
		u64 since = fuzzers[cpu].asleep;

		if (since != 0 && timer_count() - since > timer_ticks(STUCK_US)) {
			mended++;
			recover_gic_of(cpu);
			gic_send_sgi(15, (u32)BIT(cpu));
			if (timer_count() - since > timer_ticks(LOST_US)) {
				recover_uart();
				print("\nfuzzer: LOST, cpu %u does not wake up\n", cpu);
				fuzzers[cpu].asleep = timer_count() | 1;
			}
		}
		if (!stop &&
		    psci_call(PSCI_AFFINITY_INFO64, platform.mpidr[cpu], 0, 0) == PSCI_AFFINITY_OFF)
			psci_call(PSCI_CPU_ON64, platform.mpidr[cpu], (u64)fuzz_entry, 0);
	}
}

static void say(const struct fuzzer *f)
{
	recover_uart();
	print("\nfuzzer: cpu %u %lu ops\n", f->cpu, f->total_ops);
}

/* Every CPU, also one that comes back from being off: it goes on with its next program. */
void fuzz_cpu(void)
{
	struct fuzzer *f = &fuzzers[smp_cpu()];
	u64 said = f->total_ops;

	recover_gic();
	recover_cpu();
	f->asleep = 0;
	f->parked = false;
	while (!stop && (f->cpu != 0 || f->total_ops < quota)) {
		f->number++;
		if (show)
			print("\nfuzzer: cpu %u program %u\n", f->cpu, f->number);
		run_program(f);
		if (f->cpu == 0)
			look_after_others();
		if (random_one_in(&f->random, SLEEP_ONE_IN))
			sleep(f);
		if (f->total_ops - said >= SAID_EVERY) {
			said = f->total_ops;
			say(f);
		}
	}
	f->parked = true;
	if (f->cpu == 0)
		return;
	for (;;)
		psci_call(PSCI_CPU_OFF, 0, 0, 0);
}

static bool others_are_off(void)
{
	look_after_others();
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++) {
		if (psci_call(PSCI_AFFINITY_INFO64, platform.mpidr[cpu], 0, 0) != PSCI_AFFINITY_OFF)
			return false;
	}
	return true;
}

static void summary(void)
{
	u64 ops = 0, exceptions = 0, interrupts = 0;

	for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++) {
		ops += fuzzers[cpu].total_ops;
		exceptions += fuzzers[cpu].exceptions;
		interrupts += fuzzers[cpu].interrupts;
	}
	recover_uart();
	print("\nfuzzer: end, seed %lu, %lu ops, %lu exceptions, %lu interrupts, programs "
	      "0x%016lx, state 0x%016lx\n",
	      seed, ops, exceptions, interrupts, fuzzers[0].program_hash, fuzzers[0].hash);
}

void tool_main(void)
{
	bool off = platform_arg("off", 0) != 0;

	seed = platform_arg("seed", 1);
	quota = platform_arg("ops", OPS_DEFAULT);
	first = platform_arg("first", 0);
	show = platform_arg("show", 0) != 0;
	for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++)
		fuzzers[cpu] = (struct fuzzer){.cpu = cpu,
		                               .seed = seed,
		                               .bare = !test_under_mezzo(),
		                               .number = (u32)first};
	irq_disable();
	__asm__ volatile("msr daifset, #15" ::: "memory");
	recover_init();
	print("fuzzer: seed %lu, %lu ops, %u cpus\n", seed, quota, platform.cpu_count);
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		psci_call(PSCI_CPU_ON64, platform.mpidr[cpu], (u64)fuzz_entry, 0);
	fuzz_cpu();
	stop = true;
	dsb(ish);
	if (!WAIT_FOR(others_are_off(), END_US))
		print("\nfuzzer: not all CPUs came to their end\n");
	summary();
	while (!off)
		wfi();
}
