// SPDX-License-Identifier: Apache-2.0
/* Exceptions taken to EL1 and decoded there: SVC, BRK, an undefined instruction, aborts, and SVC from EL0. */
#include "pi.h"

#define EC_OF(esr)   ((u32)((esr) >> 26) & 0x3fU)
#define ISS_OF(esr)  ((u32)(esr)&0x1ffffffU)
#define EC_UNKNOWN   0x00U
#define EC_SVC       0x15U
#define EC_PC        0x22U
#define EC_DABT      0x25U
#define EC_BRK       0x3cU
#define DFSC_OF(esr) ((u32)(esr)&0x3fU)
#define DFSC_ALIGN   0x21U
#define DFSC_SIZE_0  0x00U
#define SCTLR_A      (1UL << 1)
#define VECTOR_SPX   4U
#define VECTOR_LOWER 8U

static volatile u64 esr, far;
static volatile u32 taken, seen_vector;

static void handler(u32 vector, struct frame *frame)
{
	esr = sysreg_read(esr_el1);
	far = sysreg_read(far_el1);
	seen_vector = vector;
	taken++;
	if (vector == VECTOR_LOWER) {
		frame->elr = (u64)(uintptr_t)pi_el0_return;
		frame->spsr = 0x3c5;
	} else if (EC_OF(esr) == EC_PC) {
		frame->elr = frame->x30;
	} else if (EC_OF(esr) != EC_SVC) {
		frame->elr += 4; // an SVC's return address is already the next instruction
	}
}

static void at_el0(void)
{
	__asm__ volatile("svc #7");
}

/* Since the last one, one exception of this class has been taken. */
static void check_taken(u32 ec, u32 vector, const char *name)
{
	check(taken == 1 && EC_OF(esr) == ec && seen_vector == vector, name);
	taken = 0;
}

static void aborts(void)
{
	static u64 words[2];
	u64 value, far_away = 1UL << 54;
	sysreg_write(sctlr_el1,
	             sysreg_read(sctlr_el1) |
	                     SCTLR_A); // QEMU forgets that memory is Device behind stage 2
	__asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"((u8 *)words + 3) : "memory");
	check_taken(EC_DABT, VECTOR_SPX, "an unaligned load aborts");
	check(DFSC_OF(esr) == DFSC_ALIGN, "as an alignment fault");
	check(far == (u64)(uintptr_t)words + 3, "and FAR has its address");
	__asm__ volatile("str %0, [%1]" : : "r"(value), "r"(far_away) : "memory");
	check_taken(EC_DABT, VECTOR_SPX, "an address with too many bits aborts");
	check(DFSC_OF(esr) == DFSC_SIZE_0, "as an address size fault");
	check(far == far_away, "and FAR has its address");
	check(ISS_OF(esr) & (1U << 6), "and it was a write");
	__asm__ volatile("blr %0" : : "r"((u64)(uintptr_t)words + 2) : "x30", "memory");
	check_taken(EC_PC, VECTOR_SPX, "a branch to half an instruction is a PC alignment fault");
}

void program(u64 tree)
{
	static u64 el0_stack[64];
	(void)tree;
	pi_handler = handler;
	__asm__ volatile("svc #0x123" : : : "memory");
	check_taken(EC_SVC, VECTOR_SPX, "SVC is taken");
	check(seen_vector == VECTOR_SPX && ISS_OF(esr) == 0x123, "with its number");
	__asm__ volatile("brk #0x77" : : : "memory");
	check_taken(EC_BRK, VECTOR_SPX, "BRK is taken");
	__asm__ volatile(".inst 0" : : : "memory");
	check_taken(EC_UNKNOWN, VECTOR_SPX, "an undefined instruction is taken");
	aborts();
	pi_run_el0(at_el0, (u64)(uintptr_t)(el0_stack + 64));
	check_taken(EC_SVC, VECTOR_LOWER, "SVC from EL0 is taken");
	check(ISS_OF(esr) == 7, "with its number");
}
