/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exception vectors of the benchmark: in each table the interrupt at the current level does one thing, all else goes on
 * to lib/start.S. The code that waits keeps nothing in x9 and x10.
 * Source: Arm ARM, "Exception vectors".
 */
#define PSTATE_I 0x80

    .macro  vectors_with handler, name
    .balign 2048
    .global \name
\name:
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .balign 128
    .if     \n == 5
    \handler
    .else
    b       vectors + 128 * \n
    .endif
    .endr
    .endm

/* The interrupt stays pending, and is masked where it came. */
    .macro  note_end
    mrs     x9, cntvct_el0
    hint    #101
    mrs     x10, spsr_el1
    orr     x10, x10, #PSTATE_I
    msr     spsr_el1, x10
    eret
    .endm

    .macro  note
    mrs     x9, cntvct_el0
    mrs     x10, spsr_el1
    orr     x10, x10, #PSTATE_I
    msr     spsr_el1, x10
    eret
    .endm

    .macro  whole_v3
    mrs     x10, S3_0_C12_C12_0         // ICC_IAR1_EL1
    msr     S3_0_C12_C12_1, x10         // ICC_EOIR1_EL1
    mov     x9, #1
    eret
    .endm

    .macro  whole_v2
    adrp    x10, bench_gicc
    ldr     x10, [x10, :lo12:bench_gicc]
    ldr     w9, [x10, #0xc]             // GICC_IAR
    str     w9, [x10, #0x10]            // GICC_EOIR
    mov     x9, #1
    eret
    .endm

    .text
    vectors_with note_end, bench_note_end
    vectors_with note, bench_note
    vectors_with whole_v3, bench_whole_v3
    vectors_with whole_v2, bench_whole_v2

/*
 * A CPU that PSCI CPU_ON started. In: x0 = its stack's top, MMU off. Goes on to pair_started() in C as soon as its MMU
 * is on.
 */
    .global bench_cpu_entry
bench_cpu_entry:
    mov     x19, x0
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    bl      mmu_enable
    mov     sp, x19
    b       pair_started

    .section .note.GNU-stack, "", %progbits
