// SPDX-License-Identifier: Apache-2.0
/*
 * Instructions made at run time, in a buffer of this file's own. Used by CPU 0.
 * Source: Arm ARM, "A64 instruction set encoding", "System register move", "System instructions".
 */
#include "code.h"

#include "mmu.h"

#define MSR_BASE 0xd5000000u
#define READ     BIT(21)
#define OP0      BITS(20, 19)
#define OP1      BITS(18, 16)
#define CRN      BITS(15, 12)
#define CRM      BITS(11, 8)
#define OP2      BITS(7, 5)
#define RET      0xd65f03c0u

static u32 buffer[2] __attribute__((aligned(64)));

u32 code_msr(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2)
{
	return (u32)(MSR_BASE | FIELD(OP0, op0) | FIELD(OP1, op1) | FIELD(CRN, crn) |
	             FIELD(CRM, crm) | FIELD(OP2, op2));
}

u32 code_mrs(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2)
{
	return code_msr(op0, op1, crn, crm, op2) | (u32)READ;
}

struct exc_record code_run(u32 instruction, u64 *x0)
{
	struct exc_record r;

	buffer[0] = instruction;
	buffer[1] = RET;
	cache_sync_code((u64)buffer, sizeof(buffer));
	exc_arm();
	{
		register u64 x0_ __asm__("x0") = *x0;
		__asm__ volatile("blr %1"
		                 : "+r"(x0_)
		                 : "r"(buffer)
		                 : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",
		                   "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x30",
		                   "cc", "memory");
		*x0 = x0_;
	}
	r = exc_disarm();
	return r;
}
