// SPDX-License-Identifier: Apache-2.0
// Into the guest and out of it. guest_enter is a C function that returns when the guest leaves.
//
//   while C runs:           SP_EL2 -> this CPU's stack
//   while the guest runs:   SP_EL2 -> vcpu->frame, whose host_sp holds the stack
//
// The same with APIAKey_EL1, of which a CPU has one for all exception levels: this CPU's own (arm/pauth.h) while C
// runs between an exit and the next entry, the guest's while the guest or a fast exit runs (docs/exits.md).
//
// The frame (arm/frame.h): host_sp | calls | x0..x30, XZR | pc | pstate | key.

#include "arm/asm.h"
#include "arm/frame.h"
#include "arm/offsets.h"
#include "arm/pauth.h"

    .section .text.hot.guest, "ax"

// enum guest_exit_reason guest_enter(struct vcpu *vcpu)
// In: x0 = vcpu, whose frame is its first member. EL1 state, stage 2 and interrupts are loaded.
// Keeps what the procedure call standard says a function keeps.
FUNCTION guest_enter
    SIGN_RETURN
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    mov x1, sp
    ldp x2, x3, [x0, #FRAME_PC]
    str x1, [x0, #FRAME_HOST_SP]
    mrs x4, tpidr_el2
    ldr x4, [x4, #CPU_KEY]
    msr elr_el2, x2
    msr spsr_el2, x3
    cbz x4, 1f
    ldp x2, x3, [x0, #FRAME_KEY]
    msr APIAKEYLO_EL1, x2          // in force from the eret on: nothing is signed until then
    msr APIAKEYHI_EL1, x3
1:
    mov sp, x0
    FRAME_X2_X17 ldp, FRAME_X
    FRAME_X18_X29 ldp, FRAME_X
    ldr x30, [sp, #FRAME_X30]
    ldp x0, x1, [sp, #FRAME_X]
    ERET_BARRIER
END_FUNCTION guest_enter

// From the vectors: x0 and x1 are stored, x0 = reason, SP = frame. Returns to guest_enter's caller.
    .global guest_exit
    .hidden guest_exit
guest_exit:
    FRAME_X2_X17 stp, FRAME_X
    str x30, [sp, #FRAME_X30]
// From exits.S: x2..x17 and x30 are stored as well.
    .global guest_exit_rest
    .hidden guest_exit_rest
guest_exit_rest:
    FRAME_X18_X29 stp, FRAME_X
// The same, when all of x0..x30 are.
    .global guest_exit_stored
    .hidden guest_exit_stored
guest_exit_stored:
    mrs x4, tpidr_el2
    ldp x4, x5, [x4, #CPU_KEY]
    mrs x2, elr_el2
    mrs x3, spsr_el2
    ldr x1, [sp, #FRAME_HOST_SP]
    stp x2, x3, [sp, #FRAME_PC]
    cbz x4, 1f
    mrs x2, APIAKEYLO_EL1
    mrs x3, APIAKEYHI_EL1
    stp x2, x3, [sp, #FRAME_KEY]
    msr APIAKEYLO_EL1, x4
    msr APIAKEYHI_EL1, x5
    isb
1:
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    CHECK_RETURN
    ret
