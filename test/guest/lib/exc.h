/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions: expected ones are recorded and stepped over, unexpected ones end the kernel with a
 * dump.
 */
#ifndef GUEST_EXC_H
#define GUEST_EXC_H

#include "bits.h"
#include "frame.h"

struct exc_frame {
	u64 x[31];
	u64 sp; /* before the exception */
	u64 elr, spsr;
	u64 esr, far;
	u64 sp_el0, unused;
};

_Static_assert(sizeof(struct exc_frame) == FRAME_BYTES, "start.S knows the size");
_Static_assert(offsetof(struct exc_frame, esr) == FRAME_ESR, "start.S knows the layout");

/* What happened while armed: the last exception, and how many. */
struct exc_record {
	unsigned count;
	unsigned vector; /* 0-15, see start.S */
	u64 esr, far, elr, spsr;
};

#define VEC_KIND   3u
#define VEC_SYNC   0u
#define VEC_IRQ    1u
#define VEC_FIQ    2u
#define VEC_SERROR 3u
#define VEC_LOW64  8u
#define VEC_LOW32  12u

/*
 * Between arm and disarm a synchronous exception on this CPU is recorded and its instruction
 * skipped; after an instruction abort execution goes on at x30 (so jump with exc_call). Disarm
 * returns the record.
 */
void exc_arm(void);
struct exc_record exc_disarm(void);
bool exc_is_armed(void);

/* Runs `statement` armed, and evaluates to its struct exc_record. */
#define EXC_OF(statement)     \
	({                    \
		exc_arm();    \
		statement;    \
		exc_disarm(); \
	})

/* Branches with link to any address. */
static inline void exc_call(u64 addr)
{
	__asm__ volatile("blr %0" ::"r"(addr)
	                 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
	                   "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30", "cc", "memory");
}

/* Sees every exception first, on any CPU; true: dealt with. NULL takes it away. */
void exc_set_hook(bool (*hook)(struct exc_frame *frame, unsigned vector));

/* EL0 and back (start.S). */
u64 exc_run_el0(u64 pc, u64 spsr, const u64 regs[15], u64 sp_el0);
void exc_leave_el0(u64 result) __attribute__((noreturn));

#endif
