/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First instructions of a Pi program, on every core, and of every exception.
 *
 * Entry: at EL3 (an ELF on the bare board: all cores at once), EL2 (firmware's start code: core 0) or EL1 (as a
 * guest); MMU off, x0 = device tree or 0. Everything after runs at EL1 with interrupts masked.
 * Source: Arm ARM, "Exception vectors", "HCR_EL2", "SCR_EL3", "SPSR_EL2"; Raspberry Pi firmware's armstub8 for
 * the release addresses.
 */
#include "start.h"

    .section .head, "ax"
    .global _start
_start:
    mov     x19, x0
    adr     x20, at_el1
    bl      drop
at_el1:
    mrs     x1, mpidr_el1
    ands    x1, x1, #CORE_MASK
    b.ne    park
    ldr     x2, =_start
    mov     sp, x2                      // grows down from the program's own address
    ldr     x2, =_bss_start
    ldr     x3, =_bss_end
1:  cmp     x2, x3
    b.hs    2f
    stp     xzr, xzr, [x2], #16
    b       1b
2:  ldr     x2, =vectors
    msr     vbar_el1, x2
    isb
    mov     x0, x19
    bl      pi_main
3:  wfe
    b       3b

/* A core that came with the others waits as firmware's start code does. In: x1 = core. */
park:
    mov     x2, #RELEASE
4:  wfe
    ldr     x3, [x2, x1, lsl #3]
    cbz     x3, 4b
    br      x3

/* Where a core is released to: at EL2 from the firmware, at EL1 as a guest or from `park`. */
    .global core_entry
core_entry:
    adr     x20, 5f
    bl      drop
5:  mrs     x0, mpidr_el1
    and     x0, x0, #CORE_MASK
    ldr     x2, =core_stacks
    mov     x3, #STACK_BYTES
    madd    x2, x0, x3, x2
    add     sp, x2, x3
    ldr     x2, =vectors
    msr     vbar_el1, x2
    isb
    bl      pi_core
6:  wfe
    b       6b

/* Goes on at x20 at EL1, whatever level this is. Changes x9. */
drop:
    mrs     x9, CurrentEL
    cmp     x9, #EL2
    b.eq    at_el2
    b.lo    at_1
    mov     x9, #SCR_NS_RES1_SMD_HCE_RW
    msr     scr_el3, x9
    msr     cptr_el3, xzr
    mov     x9, #SPSR_EL2H_MASKED
    msr     spsr_el3, x9
    adr     x9, at_el2
    msr     elr_el3, x9
    eret
at_el2:
    ldr     x9, =SCTLR_EL1_OFF
    msr     sctlr_el1, x9
    mov     x9, #HCR_RW
    msr     hcr_el2, x9
    mov     x9, #CNTHCTL_EL1PCEN_EL1PCTEN
    msr     cnthctl_el2, x9
    msr     cntvoff_el2, xzr
    ldr     x9, =CPTR_EL2_RES1
    msr     cptr_el2, x9
    msr     hstr_el2, xzr
    msr     vttbr_el2, xzr
    mrs     x9, midr_el1
    msr     vpidr_el2, x9
    mrs     x9, mpidr_el1
    msr     vmpidr_el2, x9
    mov     x9, #SPSR_EL1H_MASKED
    msr     spsr_el2, x9
    msr     elr_el2, x20
    eret
at_1:
    br      x20

/* In: nothing. Runs x0 at EL0 until it takes an SVC; the handler skips back by pi_el0_return. */
    .global pi_run_el0
pi_run_el0:
    stp     x29, x30, [sp, #-16]!
    mov     x9, sp
    ldr     x10, =el0_sp
    str     x9, [x10]
    msr     elr_el1, x0
    mov     x9, #SPSR_EL0T_MASKED
    msr     spsr_el1, x9
    msr     sp_el0, x1
    eret
    .global pi_el0_return
pi_el0_return:
    ldr     x10, =el0_sp
    ldr     x9, [x10]
    mov     sp, x9
    ldp     x29, x30, [sp], #16
    ret

/* Stores x0-x30, ELR, SPSR and calls pi_exception(vector, frame). */
    .macro vector number
    .balign 128
    sub     sp, sp, #FRAME_BYTES
    stp     x0, x1, [sp]
    mov     x0, #\number
    b       common
    .endm

    .text
    .balign 2048
vectors:
    .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector  \number
    .endr
common:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x29, x30, [sp, #160]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x2, x3, [sp, #FRAME_ELR]
    mov     x1, sp
    bl      pi_exception
    ldp     x2, x3, [sp, #FRAME_ELR]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x0, x1, [sp]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x29, x30, [sp, #160]
    add     sp, sp, #FRAME_BYTES
    eret

    .bss
    .balign 16
core_stacks:
    .space  STACK_BYTES * 4
el0_sp:
    .space  16
