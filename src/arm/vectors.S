// SPDX-License-Identifier: Apache-2.0
// EL2's exception vectors: 16 entries of 128 bytes, twice.
//
//   offset       taken from                      does
//   0x000-0x180  EL2 with SP_EL0                 never used: report and halt
//   0x200-0x380  EL2 with SP_EL2                 Mezzo's own fault: report and halt
//   0x400        EL1 or EL0, AArch64             synchronous: exits.S, which may go back at once
//   0x480        EL1 or EL0, AArch64             IRQ: the same
//   0x500-0x580  EL1 or EL0, AArch64             guest_exit
//   0x600-0x780  EL1 or EL0, AArch32             guest_exit, but for an IRQ
//
// Within a group: synchronous, IRQ, FIQ, SError. While a guest runs SP_EL2 points at its frame
// (guest.S), so the first two registers are stored without asking anything. In el2_vectors_plain every exit
// goes through guest_exit (`fast_exits = false`, arm/exits.h).
// Source: Arm ARM, "Exception vectors".

#include "arm/asm.h"
#include "arm/frame.h"
#include "arm/offsets.h"
#include "arm/smccc.h"

// An exception of EL2 itself. Moves to the CPU's panic stack, because the fault may be a stack that
// met its guard page; the guest's SP_EL0 is lost, nothing will be resumed.
.macro OWN_FAULT number
    .balign 128
    msr sp_el0, x0
    mov x0, sp
    msr afsr0_el2, x0
    mrs x0, tpidr_el2
    ldr x0, [x0, #CPU_PANIC_STACK_TOP]
    mov sp, x0
    mov x0, #\number
    b own_fault
.endm

// A guest left. x0 = why (enum guest_exit_reason).
.macro GUEST_EXIT reason
    .balign 128
    stp x0, x1, [sp, #FRAME_X]
    mov x0, #\reason
    b guest_exit
.endm

// 0x400: a synchronous exception. One whose class has its upper bit set, which aborts have, goes on at fast_abort,
// w1 = ESR_EL2's lower half. What else does not end here goes on at fast_sync with w0 above that. x0 and x1
// are stored.
//
// The null call (docs/hypercalls.md) is answered here, in 12 instructions with the guest's own: nothing can leave a guest for less.
.macro FAST_SYNC
    .balign 128
    stp x0, x1, [sp, #FRAME_X]
    mrs x1, esr_el2
    tbnz w1, #31, fast_abort
    bfi x1, x0, #32, #32
    ldr x0, 1f
    sub x0, x0, x1
    cbnz x0, fast_sync
    ldr x1, [sp, #FRAME_CALLS]
    add x1, x1, #1
    str x1, [sp, #FRAME_CALLS]
    ldr x1, [sp, #FRAME_X + 8]
    ERET_BARRIER                   // x0 = 0: the answer
    .balign 8
1:  .quad SMCCC_HVC(SMCCC_MEZZO_NULL)
.endm

// 0x480, 0x680: an interrupt.
.macro FAST_IRQ
    .balign 128
    stp x0, x1, [sp, #FRAME_X]
    FRAME_X2_X17 stp, FRAME_X
    b fast_irq
.endm

.macro OWN_FAULTS
    .balign 2048
    OWN_FAULT 0
    OWN_FAULT 1
    OWN_FAULT 2
    OWN_FAULT 3
    OWN_FAULT 4
    OWN_FAULT 5
    OWN_FAULT 6
    OWN_FAULT 7
.endm

    .section .text.hot.vectors, "ax"
    .balign 2048
    .global el2_vectors
    .hidden el2_vectors
el2_vectors:
    OWN_FAULTS
    FAST_SYNC
    FAST_IRQ
    GUEST_EXIT 2
    GUEST_EXIT 3
    GUEST_EXIT 0
    FAST_IRQ
    GUEST_EXIT 2
    GUEST_EXIT 3

    .global el2_vectors_plain
    .hidden el2_vectors_plain
    .balign 2048
el2_vectors_plain:
    OWN_FAULTS
    GUEST_EXIT 0
    GUEST_EXIT 1
    GUEST_EXIT 2
    GUEST_EXIT 3
    GUEST_EXIT 0
    GUEST_EXIT 1
    GUEST_EXIT 2
    GUEST_EXIT 3
    .balign 128

// Builds a struct own_fault_frame on the panic stack and calls C. x0 = vector number.
own_fault:
    sub sp, sp, #(34 * 8)
    FRAME_X2_X17 stp, 0
    FRAME_X18_X29 stp, 0
    mrs x2, sp_el0
    stp x2, x1, [sp]
    mrs x2, afsr0_el2              // the stack pointer at the fault
    stp x30, x2, [sp, #240]
    mov x1, x0
    mov x0, sp
    bl exception_own_fault
    b .
