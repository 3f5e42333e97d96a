/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that assembly and C share: the exception frame, the stacks. */
#ifndef GUEST_FRAME_H
#define GUEST_FRAME_H

#define FRAME_LR    240
#define FRAME_ELR   256
#define FRAME_ESR   272
#define FRAME_SP0   288
#define FRAME_BYTES 304

#define STACK_BYTES    16384
#define CPACR_FPEN_ALL 0x300000

/* What the procedure call standard says a function keeps, on the stack and back. */
#ifdef __ASSEMBLER__
.macro PUSH_KEPT
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
.endm
.macro POP_KEPT
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
.endm
#endif

#endif
