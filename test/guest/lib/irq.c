// SPDX-License-Identifier: Apache-2.0
/*
 * The default interrupt path: acknowledge, count, handler, end. State is per CPU and written by
 * it alone; other CPUs poll the counts (volatile). Called by exc.c.
 */
#include "irq.h"

#include "gic.h"
#include "smp.h"

static struct {
	volatile u32 total, spurious;
	volatile u32 count[IRQ_INTIDS];
	volatile u32 log[IRQ_LOG];
} cpus[MAX_CPUS];

static void (*handlers[IRQ_INTIDS])(u32 iar);

void irq_set_handler(u32 intid, void (*handler)(u32 iar))
{
	handlers[intid] = handler;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

u32 irq_count(unsigned cpu, u32 intid)
{
	return cpus[cpu].count[intid];
}

u32 irq_logged(unsigned cpu, u32 n)
{
	return cpus[cpu].log[n];
}

u32 irq_total(unsigned cpu)
{
	return cpus[cpu].total;
}

u32 irq_spurious(unsigned cpu)
{
	return cpus[cpu].spurious;
}

void irq_reset(void)
{
	for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++) {
		cpus[cpu].total = 0;
		cpus[cpu].spurious = 0;
		for (u32 i = 0; i < IRQ_INTIDS; i++)
			cpus[cpu].count[i] = 0;
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void irq_dispatch(void)
{
	unsigned cpu = smp_cpu();
	u32 iar = gic_ack();
	u32 intid = iar & GIC_INTID;

	if (intid >= GIC_SPECIAL) {
		cpus[cpu].spurious++;
		return;
	}
	if (intid == SMP_DOORBELL && smp_answer_doorbell()) {
		gic_eoi(iar);
		return;
	}
	if (cpus[cpu].total < IRQ_LOG)
		cpus[cpu].log[cpus[cpu].total] = iar;
	cpus[cpu].total++;
	if (handlers[intid] != NULL)
		handlers[intid](iar);
	cpus[cpu].count[intid]++;
	gic_eoi(iar);
}
