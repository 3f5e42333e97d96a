/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmark's files share: a row of the table, the timed instruction, and marks for the plugin
 * (bench/plugin/lines.c), which are hints that no CPU has given a meaning to.
 */
#ifndef BENCH_H
#define BENCH_H

#include "bits.h"
#include "exc.h"
#include "gic.h"
#include "io.h"
#include "platform.h"
#include "print.h"
#include "psci.h"
#include "smp.h"
#include "sysreg.h"
#include "timer.h"

#define MARK_BEGIN "hint #100\n\t"
#define MARK_END   "hint #101\n\t"
/* Which row follows: 102 forgets the number, 103 and 104 append a bit to it. */
#define MARK_CLEAR "hint #102"
#define MARK_ZERO  "hint #103"
#define MARK_ONE   "hint #104"

/* What is underneath. */
enum machine { ON_BARE, ON_MEZZO, ON_XEN, ON_KVM };

struct row {
	const char *name;
	/* NULL: it can be done; else why not. May be NULL itself. */
	const char *(*prepare)(void);
	/* One sample, in ticks of the counter, its reading already taken off. */
	u64 (*once)(void);
	void (*finish)(void);
	unsigned most, warm; /* samples; 0: SAMPLES and WARM */
};

extern const struct row rows_trap[], rows_irq[], rows_pair[], rows_memory[];

#define SAMPLE_FAILED (~0ul) /* what was waited for did not come */

/* What two readings of the counter are apart with nothing between them. */
extern u64 bench_read_cost;
enum machine bench_machine(void);
/* Two VMs on one CPU: notes each time it lost the CPU, until it did so n times (turns.c). */
void turns_main(u64 n);

/* Rows of disks and networks, and the VM that their frames go to (virtio.c). */
extern const struct row rows_virtio[];
void sink_main(void);

/* Instructions between two readings of the counter, with the operands of an asm statement behind them. */
#define TIMED(instructions, ...)                                                              \
	({                                                                                    \
		u64 from_, to_;                                                               \
		__asm__ volatile(MARK_BEGIN "mrs %[from], cntvct_el0\n\t" instructions "\n\t" \
		                            "mrs %[to], cntvct_el0\n\t" MARK_END              \
		                 : [from] "=&r"(from_), [to] "=&r"(to_)                       \
		                 : __VA_ARGS__);                                              \
		to_ - from_ - bench_read_cost;                                                \
	})

/* Vectors (vectors.S) whose interrupt handler does one thing and returns; everything else goes to lib/'s. */
extern char bench_note_end[]; /* counter to x9, mark the end, leave masked */
extern char bench_note[];     /* counter to x9, leave masked */
extern char bench_whole_v2[]; /* acknowledge, end, x9 = 1 */
extern char bench_whole_v3[];

/* Interrupts go there from now on, masked until somebody unmasks; returns the vectors before. */
static inline u64 take_vectors(const char *mine)
{
	u64 before = read_sysreg(vbar_el1);

	irq_disable();
	write_sysreg(vbar_el1, (u64)mine);
	isb();
	return before;
}

static inline void give_vectors(u64 before)
{
	write_sysreg(vbar_el1, before);
	isb();
	irq_enable();
}

/* Ends the interrupt that is pending, if there is one; which it was. */
static inline u32 end_interrupt(void)
{
	u32 iar = gic_ack();

	if ((iar & GIC_INTID) < GIC_SPECIAL)
		gic_eoi(iar);
	return iar & GIC_INTID;
}

/* The value, and where, that sends SGI `intid` to one CPU: a register's value on GICv3, a word on GICv2. */
u64 sgi_value(u32 intid, unsigned cpu);
static inline void sgi_send(u64 value)
{
	if (platform.gic_version == 3)
		__asm__ volatile("msr " STR(ICC_SGI1R_EL1) ", %0\n\tisb" ::"r"(value) : "memory");
	else
		write32(platform.gicd + GICD_SGIR, (u32)value);
}

#endif
