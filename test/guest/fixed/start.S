/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel for one address, 0x40080000: no header, nothing in it moves. Entry, and the exceptions that it takes.
 * Source: Arm ARM, "Exception vectors".
 */
#define FRAME_BYTES 192

    .section .head, "ax"
    .global _start
_start:
    adrp    x0, stack_end
    mov     sp, x0
    ldr     x0, =bss_start
    ldr     x1, =bss_end
1:  cmp     x0, x1
    b.hs    2f
    stp     xzr, xzr, [x0], #16
    b       1b
2:  adr     x0, vectors
    msr     vbar_el1, x0
    isb
    b       kernel

    /* What C may change, and where the exception came from; `handler` gets the number of the vector. */
    .macro vector handler
    .balign 0x80
    sub     sp, sp, #FRAME_BYTES
    stp     x0, x1, [sp, #0]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x30, [sp, #144]
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    stp     x1, x2, [sp, #160]
    mov     x0, sp
    bl      \handler
    b       leave
    .endm

    .text
    .balign 0x800
vectors:
    .rept 4
    vector  unexpected
    .endr
    vector  unexpected
    vector  on_irq
    vector  unexpected
    vector  unexpected
    vector  on_call
    vector  on_irq
    vector  unexpected
    vector  unexpected
    .rept 4
    vector  unexpected
    .endr

leave:
    ldp     x1, x2, [sp, #160]
    msr     elr_el1, x1
    msr     spsr_el1, x2
    ldp     x0, x1, [sp, #0]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x30, [sp, #144]
    add     sp, sp, #FRAME_BYTES
    eret

    /* Runs `x0` at EL0, without a stack; its call number 0 leads back here. */
    .global user_enter
user_enter:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x2, sp
    ldr     x3, =user_return
    str     x2, [x3]
    msr     sp_el0, xzr
    msr     elr_el1, x0
    msr     spsr_el1, xzr               // EL0t, nothing masked
    eret

    .global user_leave
user_leave:
    ldr     x3, =user_return
    ldr     x2, [x3]
    mov     sp, x2
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

    /* At EL0, in a block of its own: counts until the timer has come ten times. */
    .section .user, "ax"
    .global user_program
user_program:
    add     x1, x1, #1
    tst     x1, #0xffff
    b.ne    user_program
    mov     x8, #1
    svc     #0
    cmp     x0, #10
    b.lo    user_program
    mov     x8, #0
    svc     #0

    .bss
    .balign 8
user_return:
    .quad   0
