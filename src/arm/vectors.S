// SPDX-License-Identifier: Apache-2.0
// EL2's exception vectors: 16 entries of 128 bytes.
//
//   offset       taken from                      does
//   0x000-0x180  EL2 with SP_EL0                 never used: report and halt
//   0x200-0x380  EL2 with SP_EL2                 Mezzo's own fault: report and halt
//   0x400-0x580  EL1 or EL0, AArch64             guest_exit
//   0x600-0x780  EL1 or EL0, AArch32             guest_exit
//
// Within a group: synchronous, IRQ, FIQ, SError. While a guest runs SP_EL2 points at its frame
// (guest.S), so the first two registers are stored without asking anything.
// Source: Arm ARM, "Exception vectors".

#include "arm/asm.h"
#include "arm/frame.h"
#include "arm/offsets.h"

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
    stp x0, x1, [sp]
    mov x0, #\reason
    b guest_exit
.endm

    .section .text.hot.vectors, "ax"
    .balign 2048
    .global el2_vectors
    .hidden el2_vectors
el2_vectors:
    OWN_FAULT 0
    OWN_FAULT 1
    OWN_FAULT 2
    OWN_FAULT 3
    OWN_FAULT 4
    OWN_FAULT 5
    OWN_FAULT 6
    OWN_FAULT 7
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
    FRAME_X2_X29 stp
    mrs x2, sp_el0
    stp x2, x1, [sp]
    mrs x2, afsr0_el2              // the stack pointer at the fault
    stp x30, x2, [sp, #240]
    mov x1, x0
    mov x0, sp
    bl exception_own_fault
    b .
