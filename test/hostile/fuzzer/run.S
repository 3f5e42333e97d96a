/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Into generated code and out of it, and the first instructions of a CPU that some operation of another one
 * switched on.
 */
#include "frame.h"

    .text
/*
 * void fuzz_enter(const u32 *code): runs a program. It may change every register but the stack pointer; its
 * last instruction is `svc #SVC_END`, after which recover() continues at fuzz_leave, at EL1 with everything
 * masked.
 */
    .global fuzz_enter
fuzz_enter:
    PUSH_KEPT
    br      x0
    .global fuzz_leave
fuzz_leave:
    POP_KEPT
    ret

/*
 * Entry of CPU_ON: MMU off, everything masked. x0 is whatever the caller liked, so the stack is found by
 * MPIDR_EL1. Calls fuzz_cpu().
 */
    .global fuzz_entry
fuzz_entry:
    msr     spsel, #1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    mov     x1, #CPACR_FPEN_ALL
    msr     cpacr_el1, x1
    isb
    bl      mmu_enable
    mrs     x0, mpidr_el1
    and     x0, x0, #7
    adrp    x2, cpu_stacks
    add     x2, x2, :lo12:cpu_stacks
    mov     x3, #STACK_BYTES
    add     x4, x0, #1
    madd    x2, x3, x4, x2
    mov     sp, x2
    mov     x29, xzr
    bl      fuzz_cpu
1:  wfi
    b       1b

    .section .note.GNU-stack, "", %progbits
