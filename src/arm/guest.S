// SPDX-License-Identifier: Apache-2.0
// Into the guest and out of it. guest_enter is a C function that returns when the guest leaves.
//
//   while C runs:           SP_EL2 -> this CPU's stack
//   while the guest runs:   SP_EL2 -> vcpu->frame, whose host_sp holds the stack
//
// The frame (arm/frame.h): x0..x30 | pc | pstate | host_sp.

#include "arm/asm.h"
#include "arm/frame.h"

    .section .text.hot.guest, "ax"

// enum guest_exit_reason guest_enter(struct vcpu *vcpu)
// In: x0 = vcpu, whose frame is its first member. EL1 state, stage 2 and interrupts are loaded.
// Keeps what the procedure call standard says a function keeps.
FUNCTION guest_enter
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    mov x1, sp
    ldp x2, x3, [x0, #FRAME_PC]
    str x1, [x0, #FRAME_HOST_SP]
    msr elr_el2, x2
    msr spsr_el2, x3
    mov sp, x0
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldr x30, [sp, #240]
    ldp x0, x1, [sp]
    ERET_BARRIER
END_FUNCTION guest_enter

// From the vectors: x0 and x1 are stored, x0 = reason, SP = frame. Returns to guest_enter's caller.
    .global guest_exit
    .hidden guest_exit
guest_exit:
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    mrs x2, elr_el2
    mrs x3, spsr_el2
    ldr x1, [sp, #FRAME_HOST_SP]
    stp x30, x2, [sp, #240]        // FRAME_PC follows x30
    str x3, [sp, #FRAME_PSTATE]
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    ret
