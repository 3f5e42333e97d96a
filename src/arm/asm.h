// SPDX-License-Identifier: Apache-2.0
// Macros for the assembly files of this folder.
#ifndef ARM_ASM_H
#define ARM_ASM_H

// A function that C may call or that calls C; `bti c` lets an indirect branch land on it.
.macro FUNCTION name
    .global \name
    .hidden \name
    .type \name, %function
    .balign 16
\name:
    hint #34 // bti c
.endm
.macro END_FUNCTION name
    .size \name, . - \name
.endm

// The address of a symbol of this image, wherever the image runs.
.macro LOAD_ADDRESS reg, symbol
    adrp \reg, \symbol
    add \reg, \reg, :lo12:\symbol
.endm

// eret, and nothing that speculation could run behind it.
.macro ERET_BARRIER
    eret
    dsb nsh
    isb
.endm

// Cleans and invalidates, to the point of coherency, the lines that hold [start, end).
// Clobbers start, tmp1, tmp2.
.macro DCACHE_CIVAC start, end, tmp1, tmp2
    mrs \tmp1, ctr_el0
    ubfx \tmp1, \tmp1, #16, #4 // DminLine: log2 of words
    mov \tmp2, #4
    lsl \tmp2, \tmp2, \tmp1
    sub \tmp1, \tmp2, #1
    bic \start, \start, \tmp1
8:  cmp \start, \end
    b.hs 9f
    dc civac, \start
    add \start, \start, \tmp2
    b 8b
9:  dsb sy
.endm

#endif
