/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case may be left from an exception handler, however deep: case_enter(fn) calls fn and returns when it
 * returns or when somebody below calls case_leave(), interrupts masked then. CPU 0 alone.
 */
#include "frame.h"

    .text
    .global case_enter
case_enter:
    PUSH_KEPT
    adrp    x1, case_sp
    add     x1, x1, :lo12:case_sp
    mov     x2, sp
    str     x2, [x1]
    blr     x0
back:
    POP_KEPT
    ret

    .global case_leave
case_leave:
    msr     daifset, #15
    msr     daifclr, #13                // as at the start: D, A and F open
    msr     spsel, #1
    adrp    x1, case_sp
    add     x1, x1, :lo12:case_sp
    ldr     x2, [x1]
    mov     sp, x2
    b       back

/*
 * The first instructions of a CPU that was started to be looked at: in x0 a struct fresh (hostile.h), filled
 * before anything is written; then it switches itself off. MMU off throughout.
 */
    .arch_extension fp
    .arch_extension simd
    .macro  keep name, at
    mrs     x1, \name
    str     x1, [x0, #\at]
    .endm

    .global fresh_entry
fresh_entry:
    stp     x0, x1, [x0]
    stp     x2, x3, [x0, #16]
    stp     x4, x5, [x0, #32]
    stp     x6, x7, [x0, #48]
    stp     x8, x9, [x0, #64]
    stp     x10, x11, [x0, #80]
    stp     x12, x13, [x0, #96]
    stp     x14, x15, [x0, #112]
    stp     x16, x17, [x0, #128]
    stp     x18, x19, [x0, #144]
    stp     x20, x21, [x0, #160]
    stp     x22, x23, [x0, #176]
    stp     x24, x25, [x0, #192]
    stp     x26, x27, [x0, #208]
    stp     x28, x29, [x0, #224]
    str     x30, [x0, #240]
    keep    sctlr_el1, 248
    keep    ttbr0_el1, 256
    keep    ttbr1_el1, 264
    keep    contextidr_el1, 272
    keep    tpidr_el0, 280
    keep    tpidr_el1, 288
    keep    tpidrro_el0, 296
    keep    sp_el0, 304
    keep    elr_el1, 312
    keep    esr_el1, 320
    keep    far_el1, 328
    keep    par_el1, 336
    keep    afsr0_el1, 344
    keep    cntv_ctl_el0, 352
    keep    cntkctl_el1, 360
    keep    mdscr_el1, 368
    keep    daif, 376
    keep    currentel, 384
    mov     x1, #0x300000               // CPACR_EL1.FPEN: FP and SIMD open
    msr     cpacr_el1, x1
    isb
    add     x2, x0, #400
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    str     q\n, [x2], #16
    .endr
    .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    str     q\n, [x2], #16
    .endr
    mov     x1, #1
    str     x1, [x0, #392]              // filled
    dsb     sy
    mov     x0, #0x84000000
    add     x0, x0, #2                  // PSCI CPU_OFF
    hvc     #0
1:  wfi
    b       1b

    .bss
    .balign 8
case_sp:
    .quad   0

    .section .note.GNU-stack, "", %progbits
