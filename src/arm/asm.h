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

// Signs x30 with key A and SP as the modifier, and checks it: what a compiler puts around each function that stores its
// return address. Hints: nothing where the CPU has no FEAT_PAuth, or before pauth_start().
.macro SIGN_RETURN
    hint #25 // paciasp
.endm
.macro CHECK_RETURN
    hint #29 // autiasp
.endm

// The address of a symbol of this image, wherever the image runs.
.macro LOAD_ADDRESS reg, symbol
    adrp \reg, \symbol
    add \reg, \reg, :lo12:\symbol
.endm

// Stores or loads registers at their places in a frame whose x0 is at [sp, #base].
.macro FRAME_X2_X17 instruction, base
    \instruction x2, x3, [sp, #\base + 16]
    \instruction x4, x5, [sp, #\base + 32]
    \instruction x6, x7, [sp, #\base + 48]
    \instruction x8, x9, [sp, #\base + 64]
    \instruction x10, x11, [sp, #\base + 80]
    \instruction x12, x13, [sp, #\base + 96]
    \instruction x14, x15, [sp, #\base + 112]
    \instruction x16, x17, [sp, #\base + 128]
.endm
.macro FRAME_X18_X29 instruction, base
    \instruction x18, x19, [sp, #\base + 144]
    \instruction x20, x21, [sp, #\base + 160]
    \instruction x22, x23, [sp, #\base + 176]
    \instruction x24, x25, [sp, #\base + 192]
    \instruction x26, x27, [sp, #\base + 208]
    \instruction x28, x29, [sp, #\base + 224]
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
