// SPDX-License-Identifier: Apache-2.0
/*
 * Several CPUs. A slot for each: CPU 0 writes fn, arg and raises `posted`; the CPU runs it and
 * raises `finished` to the same value. Both are release stores, read by acquire loads. An idle CPU
 * sleeps in WFI; an SGI, which no test sees, says that something is posted.
 */
#include "smp.h"

#include "frame.h"
#include "gic.h"
#include "psci.h"
#include "sysreg.h"
#include "timer.h"

#define START_US 1000000ul
#define CALL_US  5000000ul

static struct slot {
	u32 online;
	u32 doorbell; /* an SGI is on its way to say that something is posted */
	u32 posted, finished;
	void (*fn)(u64 arg);
	u64 arg;
} slots[MAX_CPUS];

/* start.S: the top of stack n is the bottom of stack n + 1. */
u8 cpu_stacks[MAX_CPUS][STACK_BYTES] __attribute__((aligned(STACK_BYTES)));

void spin_lock(struct spinlock *lock)
{
	while (__atomic_exchange_n(&lock->locked, 1, __ATOMIC_ACQUIRE) != 0)
		__asm__ volatile("yield");
}

void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->locked, 0, __ATOMIC_RELEASE);
}

unsigned smp_cpu(void)
{
	u64 mpidr = read_sysreg(mpidr_el1) & MPIDR_AFF;

	for (unsigned i = 0; i < platform.cpu_count; i++) {
		if (platform.mpidr[i] == mpidr)
			return i;
	}
	return 0;
}

bool smp_start(unsigned cpu)
{
	slots[cpu] = (struct slot){0};
	dsb(ish);
	if (psci_call(PSCI_CPU_ON64, platform.mpidr[cpu], (u64)smp_entry, cpu) != PSCI_SUCCESS)
		return false;
	return WAIT_FOR(__atomic_load_n(&slots[cpu].online, __ATOMIC_ACQUIRE) != 0, START_US);
}

unsigned smp_start_all(void)
{
	unsigned online = 1;

	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++) {
		if (__atomic_load_n(&slots[cpu].online, __ATOMIC_ACQUIRE) != 0 || smp_start(cpu))
			online++;
	}
	return online;
}

bool smp_answer_doorbell(void)
{
	return __atomic_exchange_n(&slots[smp_cpu()].doorbell, 0, __ATOMIC_ACQ_REL) != 0;
}

/* With interrupts masked nobody takes the doorbell: it is taken back before the next sleep. */
static void idle(struct slot *slot)
{
	u64 daif = read_sysreg(daif);

	if ((daif & DAIF_I) != 0 && __atomic_load_n(&slot->doorbell, __ATOMIC_ACQUIRE) != 0 &&
	    gic_is_pending(SMP_DOORBELL)) {
		gic_withdraw_sgi(SMP_DOORBELL);
		__atomic_store_n(&slot->doorbell, 0, __ATOMIC_RELEASE);
	}
	/* WFI ends for a masked interrupt as well, so none can slip in between look and sleep. */
	irq_disable();
	if (__atomic_load_n(&slot->posted, __ATOMIC_ACQUIRE) == slot->finished)
		wfi();
	write_sysreg(daif, daif);
}

void smp_main(u64 cpu);
void smp_main(u64 cpu)
{
	struct slot *slot = &slots[cpu];

	gic_init_cpu();
	gic_enable(SMP_DOORBELL);
	__atomic_store_n(&slot->online, 1, __ATOMIC_RELEASE);
	for (;;) {
		u32 posted = __atomic_load_n(&slot->posted, __ATOMIC_ACQUIRE);

		if (posted == slot->finished) {
			idle(slot);
			continue;
		}
		slot->fn(slot->arg);
		__atomic_store_n(&slot->finished, posted, __ATOMIC_RELEASE);
	}
}

void smp_post(unsigned cpu, void (*fn)(u64 arg), u64 arg)
{
	slots[cpu].fn = fn;
	slots[cpu].arg = arg;
	__atomic_store_n(&slots[cpu].doorbell, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&slots[cpu].posted, slots[cpu].posted + 1, __ATOMIC_RELEASE);
	dsb(ish);
	gic_send_sgi(SMP_DOORBELL, (u32)BIT(cpu));
}

bool smp_wait(unsigned cpu, u64 us)
{
	const struct slot *slot = &slots[cpu];

	return WAIT_FOR(__atomic_load_n(&slot->finished, __ATOMIC_ACQUIRE) == slot->posted &&
	                        __atomic_load_n(&slot->doorbell, __ATOMIC_ACQUIRE) == 0,
	                us);
}

bool smp_call(unsigned cpu, void (*fn)(u64 arg), u64 arg)
{
	if (cpu == smp_cpu()) {
		fn(arg);
		return true;
	}
	smp_post(cpu, fn, arg);
	return smp_wait(cpu, CALL_US);
}

void smp_mark_off(unsigned cpu)
{
	__atomic_store_n(&slots[cpu].online, 0, __ATOMIC_RELEASE);
}
