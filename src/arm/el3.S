// SPDX-License-Identifier: Apache-2.0
// EL3, on a board that starts Mezzo with no firmware below: reset, waiting for a start, vectors.
// Everything here runs with EL3's MMU and data cache off. C does the rest (el3.c).
//
//   reset, every CPU --- el3_boot ---- affinity 0 ---> el3_start_boot_cpu (C) ---.
//                            '--- others ---> el3_park                           v
//                 CPU_ON -------------------> el3_park ---> el3_start_cpu (C) -> eret to EL2
//   SMC --------------------> el3_lower ----> el3_handle (C) ------------------> eret back
//                                                  '--- CPU_OFF ---> el3_park
//
// SP_EL3 is always the top of this CPU's stack while EL2 or a guest runs; TPIDR_EL3 its struct el3_cpu.

#include "arm/asm.h"
#include "arm/el3.h"
#include "arm/regs.h"

// Moves what C may change to or from a struct el3_frame: the calling convention has x4..x17 kept.
.macro EACH_REGISTER pair, single
    \pair x0, x1, [sp]
    \pair x2, x3, [sp, #16]
    \pair x4, x5, [sp, #32]
    \pair x6, x7, [sp, #48]
    \pair x8, x9, [sp, #64]
    \pair x10, x11, [sp, #80]
    \pair x12, x13, [sp, #96]
    \pair x14, x15, [sp, #112]
    \pair x16, x17, [sp, #128]
    \pair x18, x29, [sp, #144]
    \single x30, [sp, #160]
.endm

    .section .text.el3, "ax"

// In: x0 = device tree or anything. Every register is unknown, every CPU comes at once.
    .global el3_boot
    .hidden el3_boot
el3_boot:
    ldr x1, =SCTLR_EL3_RES1        // MMU, caches, pointer authentication: off
    msr sctlr_el3, x1
    LOAD_ADDRESS x1, el3_vectors
    msr vbar_el3, x1
    isb
    mrs x1, mpidr_el1
    ldr x2, =MPIDR_AFFINITY_FIELDS
    tst x1, x2
    b.ne el3_park
    LOAD_ADDRESS x1, el3_cpus      // the boot CPU has the first entry
    add sp, x1, #EL3_CPU_SIZE
    msr tpidr_el3, x1
    mov x29, xzr
    bl el3_start_boot_cpu          // x0 = device tree
leave:
    mov x1, #1                     // tells boot_lower that there is EL3 below
    ERET_BARRIER

// void el3_park(void): no stack, nothing kept. A CPU that is not counted yet, or ever, waits too.
FUNCTION el3_park
    mrs x9, mpidr_el1
    ldr x10, =MPIDR_AFFINITY_FIELDS
    and x9, x9, x10
    LOAD_ADDRESS x10, el3_cpu_count
1:  ldar w11, [x10]
    LOAD_ADDRESS x0, el3_cpus
2:  cbz w11, 3f
    ldr x12, [x0, #EL3_CPU_MPIDR]
    cmp x12, x9
    b.eq 4f
    add x0, x0, #EL3_CPU_SIZE
    sub w11, w11, #1
    b 2b
4:  add x12, x0, #EL3_CPU_STATE
    ldar w12, [x12]
    cmp w12, #EL3_ON_PENDING
    b.eq 5f
3:  wfe                            // an event that came since the first look ends this at once
    b 1b
5:  add sp, x0, #EL3_CPU_SIZE
    msr tpidr_el3, x0
    mov x29, xzr
    bl el3_start_cpu               // x0 = its struct el3_cpu -> x0 at EL2
    b leave
END_FUNCTION el3_park

// An exception from below that is EL3's: an SMC, or a trap.
lower:
    sub sp, sp, #EL3_FRAME_SIZE
    EACH_REGISTER stp, str
    mov x0, sp
    mov x29, xzr
    bl el3_handle
    EACH_REGISTER ldp, ldr
    add sp, sp, #EL3_FRAME_SIZE
    ERET_BARRIER

// A fault of EL3's own, or an interrupt that is never routed here. Leaves a record for a debugger.
fault:
    mrs x0, esr_el3
    mrs x1, elr_el3
    mrs x2, far_el3
    mrs x3, mpidr_el1
    LOAD_ADDRESS x4, el3_fault
    stp x0, x1, [x4]
    stp x2, x3, [x4, #16]
1:  wfe
    b 1b

    .ltorg

// Current EL (8 entries), then AArch64 and AArch32 below: synchronous, IRQ, FIQ, SError each.
    .balign 2048
el3_vectors:
    .rept 8
    .balign 128
    b fault
    .endr
    .rept 2
    .balign 128
    b lower
    .rept 3
    .balign 128
    b fault
    .endr
    .endr
