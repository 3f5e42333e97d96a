/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole register files around one instruction (exercise.h). The caller's registers and the
 * pointer to `out` wait on the stack; x30 is the pointer to a file whenever it is not a pattern
 * itself.
 */
    .arch_extension fp
    .arch_extension simd

#define OFFSET_X30 240
#define OFFSET_FP  248
#define OFFSET_V   264
#define SAVED      176
#define SAVED_OUT  160
#define SAVED_X30  168

    .macro  vectors_all insn
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \insn   q\n, [x1], #16
    .endr
    .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \insn   q\n, [x1], #16
    .endr
    .endm

/* ldp or stp of x0-x29 at x30. */
    .macro  pairs insn
    \insn   x0, x1, [x30]
    \insn   x2, x3, [x30, #16]
    \insn   x4, x5, [x30, #32]
    \insn   x6, x7, [x30, #48]
    \insn   x8, x9, [x30, #64]
    \insn   x10, x11, [x30, #80]
    \insn   x12, x13, [x30, #96]
    \insn   x14, x15, [x30, #112]
    \insn   x16, x17, [x30, #128]
    \insn   x18, x19, [x30, #144]
    \insn   x20, x21, [x30, #160]
    \insn   x22, x23, [x30, #176]
    \insn   x24, x25, [x30, #192]
    \insn   x26, x27, [x30, #208]
    \insn   x28, x29, [x30, #224]
    .endm

    .macro  enter name
    .global exercise_\name
exercise_\name:
    stp     x29, x30, [sp, #-SAVED]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    .endm

    .macro  load_all
    str     x1, [sp, #SAVED_OUT]
    mov     x30, x0
    ldp     x1, x2, [x30, #OFFSET_FP]
    msr     fpcr, x1
    msr     fpsr, x2
    add     x1, x30, #OFFSET_V
    vectors_all ldr
    pairs   ldp
    ldr     x30, [x30, #OFFSET_X30]
    .endm

/* Ends the function. */
    .macro  store_all
    str     x30, [sp, #SAVED_X30]
    ldr     x30, [sp, #SAVED_OUT]
    pairs   stp
    ldr     x0, [sp, #SAVED_X30]
    str     x0, [x30, #OFFSET_X30]
    mrs     x1, fpcr
    mrs     x2, fpsr
    stp     x1, x2, [x30, #OFFSET_FP]
    add     x1, x30, #OFFSET_V
    vectors_all str
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    ldp     x29, x30, [sp], #SAVED
    ret
    .endm

    .macro  exercise name, insn:vararg
    enter   \name
    load_all
    \insn
    store_all
    .endm

    .text
    exercise hvc, hvc #0
    exercise smc, smc #0
    exercise load, ldr w0, [x1]
    exercise store, str w0, [x1]
    exercise wfi, wfi
    exercise id, mrs x0, id_aa64pfr0_el1
    exercise set_way, dc isw, x1
    exercise sgi, msr S3_0_C12_C11_5, x1

    enter   spin
    load_all
1:  ldr     x0, [x1]
    cbz     x0, 1b
    store_all

    enter   until
    load_all
1:  isb
    mrs     x0, cntvct_el0
    cmp     x0, x1
    b.lo    1b
    store_all

    enter   look
    str     x0, [sp, #SAVED_OUT]
    store_all

    .section .note.GNU-stack, "", %progbits
