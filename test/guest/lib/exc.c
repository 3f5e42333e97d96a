// SPDX-License-Identifier: Apache-2.0
/*
 * C side of the vectors: start.S saves a frame and calls exc_dispatch(). Records are per CPU and
 * written only by it.
 * Source: Arm ARM, "ESR_EL1, Exception Syndrome Register (EL1)".
 */
#include "exc.h"

#include "irq.h"
#include "print.h"
#include "psci.h"
#include "smp.h"
#include "sysreg.h"

u64 exc_el0_sp; /* start.S: where exc_run_el0 left its stack */

static struct {
	volatile bool armed;
	struct exc_record record;
} state[MAX_CPUS];

static bool (*exc_hook)(struct exc_frame *frame, unsigned vector);

void exc_arm(void)
{
	unsigned cpu = smp_cpu();

	state[cpu].record = (struct exc_record){0};
	state[cpu].armed = true;
	__asm__ volatile("" ::: "memory");
}

struct exc_record exc_disarm(void)
{
	unsigned cpu = smp_cpu();

	dsb(sy);
	isb();
	state[cpu].armed = false;
	return *(volatile struct exc_record *)&state[cpu].record;
}

bool exc_is_armed(void)
{
	return state[smp_cpu()].armed;
}

void exc_set_hook(bool (*hook)(struct exc_frame *frame, unsigned vector))
{
	exc_hook = hook;
	dsb(ish);
}

static void dump(const struct exc_frame *f, unsigned vector)
{
	print("not ok unexpected-exception: cpu %u vector %u esr 0x%lx elr 0x%lx (image + 0x%lx) "
	      "far 0x%lx spsr 0x%lx\n",
	      smp_cpu(), vector, f->esr, f->elr, f->elr - platform.image_base, f->far, f->spsr);
	for (unsigned i = 0; i + 3 < ARRAY_LEN(f->x); i += 4)
		print("# x%-2u %016lx %016lx %016lx %016lx\n", i, f->x[i], f->x[i + 1], f->x[i + 2],
		      f->x[i + 3]);
	print("# x28 %016lx x29 %016lx x30 %016lx sp %016lx\n", f->x[28], f->x[29], f->x[30],
	      f->sp);
}

static void record(struct exc_frame *f, unsigned vector)
{
	struct exc_record *r = &state[smp_cpu()].record;
	u64 class = FIELD_GET(ESR_EC, f->esr);

	r->count++;
	r->vector = vector;
	r->esr = f->esr;
	r->far = f->far;
	r->elr = f->elr;
	r->spsr = f->spsr;
	if (vector % 4 != VEC_SYNC)
		return;
	if (class == EC_IABT || class == EC_IABT_LOW || class == EC_PC_ALIGN)
		f->elr = f->x[30];
	else if (class != EC_SVC64 && class != EC_SVC32)
		f->elr += (f->esr & ESR_IL) != 0 ? 4 : 2;
}

void exc_dispatch(struct exc_frame *f, unsigned vector);
void exc_dispatch(struct exc_frame *f, unsigned vector)
{
	if (exc_hook != NULL && exc_hook(f, vector))
		return;
	if ((vector & VEC_KIND) == VEC_IRQ) {
		irq_dispatch();
		return;
	}
	if (state[smp_cpu()].armed && (vector & VEC_KIND) != VEC_FIQ) {
		record(f, vector);
		return;
	}
	dump(f, vector);
	print_raw("TEST-DONE 0 passed 1 failed\n");
	psci_system_off();
}
