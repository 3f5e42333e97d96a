// SPDX-License-Identifier: Apache-2.0
// Fast exits: from the vectors to a C function and straight back to the guest (arm/exits.h; the rules are in
// docs/exits.md). ELR_EL2 and SPSR_EL2 stay in the CPU all the while. Who declines has changed nothing, and the
// exit goes on as if it had not been asked.
//
// Assembly beyond this is what the table in docs/exits.md defends: the null call (vectors.S), and the calls
// whose answer is a constant.

#include "arm/asm.h"
#include "arm/frame.h"
#include "arm/offsets.h"
#include "arm/smccc.h"

#define EC_SHIFT       26
#define EC_HVC64       0x16
#define EC_SYSREG      0x18
#define DABT_RT        16 // the instruction's register in ESR_EL2: its lowest bit
#define SYSREG_RT      5
#define RT_HIGH        4  // its bit that says: register 16 to 31
#define RT_30_31       0x1e

    .section .text.hot.exits, "ax"

// What C may clobber goes into the frame; x0 and x1 are there.
.macro STORE_REST
    FRAME_X2_X17 stp, FRAME_X
    str x30, [sp, #FRAME_X30]
.endm

// C has x0 = vcpu and this CPU's stack. Keeps w1.
.macro TO_C
    mov x0, sp
    ldr x2, [sp, #FRAME_HOST_SP]
    mov sp, x2
.endm

// An abort, or a class of that half which is none: exit_data tells. x0 and x1 are stored, SP = frame,
// w1 = the lower half of ESR_EL2.
    .global fast_abort
    .hidden fast_abort
fast_abort:
    STORE_REST
    tbnz w1, #(DABT_RT + RT_HIGH), 2f
1:  TO_C
    bl exit_data
    tbnz x0, #0, fast_leave

// x0 = frame.
fast_back:
    mov sp, x0
    FRAME_X2_X17 ldp, FRAME_X
    ldr x30, [sp, #FRAME_X30]
    ldp x0, x1, [sp, #FRAME_X]
    ERET_BARRIER

// The instruction may name a register that is not among those that are stored: then all are. XZR, the value of
// many stores, is none.
2:  mvn w0, w1
    tst w0, #(RT_30_31 << DABT_RT)
    b.eq 1b
    FRAME_X18_X29 stp, FRAME_X
    TO_C
    bl exit_data
fast_all:
    tbnz x0, #0, fast_leave_stored
    mov sp, x0
    FRAME_X18_X29 ldp, FRAME_X
    b fast_back

// Another synchronous exit. As above, and w0 of the guest in the upper half of x1.
    .global fast_sync
    .hidden fast_sync
fast_sync:
    lsr w0, w1, #EC_SHIFT
    cmp w0, #EC_SYSREG
    b.ne 5f
    STORE_REST
    tbnz w1, #(SYSREG_RT + RT_HIGH), 4f
3:  TO_C
    bl exit_sysreg
    tbz x0, #0, fast_back
    b fast_leave
4:  mvn w0, w1
    tst w0, #(RT_30_31 << SYSREG_RT)
    b.eq 3b
    FRAME_X18_X29 stp, FRAME_X
    TO_C
    bl exit_sysreg
    b fast_all

// Calls with a constant answer.
5:  cmp w0, #EC_HVC64
    b.ne 6f
    ldr x0, psci_version
    cmp x0, x1
    ldr w0, psci_answer
    b.eq 7f
    ldr x0, smccc_version
    cmp x0, x1
    ldr w0, smccc_answer
    b.eq 7f
6:  mov x0, #0                     // GUEST_EXIT_SYNC
    b guest_exit
7:  ldr x1, [sp, #FRAME_CALLS]
    add x1, x1, #1
    str x1, [sp, #FRAME_CALLS]
    ldr x1, [sp, #FRAME_X + 8]
    ERET_BARRIER

    .balign 8
psci_version:
    .quad SMCCC_HVC(PSCI_VERSION)
smccc_version:
    .quad SMCCC_HVC(SMCCC_VERSION)
psci_answer:
    .word PSCI_VERSION_1_1
smccc_answer:
    .word SMCCC_VERSION_1_2

// An interrupt. x0..x17 are stored, SP = frame.
    .global fast_irq
    .hidden fast_irq
fast_irq:
    str x30, [sp, #FRAME_X30]
    TO_C
    bl exit_irq
    tbz x0, #0, fast_back

// x0 = EXIT_LEAVE(reason).
.macro FRAME_AND_REASON
    mrs x1, tpidr_el2
    ldr x1, [x1, #CPU_VCPU]
    mov sp, x1
    lsr x0, x0, #1
.endm
fast_leave:
    FRAME_AND_REASON
    b guest_exit_rest
fast_leave_stored:
    FRAME_AND_REASON
    b guest_exit_stored
