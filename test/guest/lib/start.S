/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First instructions of a test kernel, of a started CPU, and of every exception.
 *
 * Entry state (arm64 boot protocol): x0 = device tree, MMU off, DAIF masked, EL1h, any load
 * address.
 * Source: Linux Documentation/arch/arm64/booting.rst, "Call the kernel image" (header layout and
 * entry state); Arm ARM, "Exception vectors".
 *
 * RAW_IMAGE leaves out the magic number, so that a loader takes the file for a raw binary.
 */
#include "frame.h"

#define R_AARCH64_RELATIVE 1027
#define FLAGS_4K_ANYWHERE  0xa

    .section .head, "ax"
    .global _start
_start:
    b       entry
    .long   0
    .quad   0                           // text_offset
    .long   _image_bytes, 0             // a 64-bit relocation would become a dynamic one
    .quad   FLAGS_4K_ANYWHERE           // little-endian, 4 KiB pages, any 2 MiB base
    .quad   0, 0, 0
#ifdef RAW_IMAGE
    .quad   0
#else
    .ascii  "ARM\x64"
    .long   0
#endif

    .text
/*
 * In: x0 = device tree. Relocates the image to where it is, clears .bss, calls rt_main(x0,
 * address of _start). The compiler's code starts only after relocation.
 */
entry:
    mov     x19, x0
    bl      cpu_mode_init
    adr     x20, _start
    adrp    x2, _rela_start
    add     x2, x2, :lo12:_rela_start
    adrp    x3, _rela_end
    add     x3, x3, :lo12:_rela_end
1:  cmp     x2, x3
    b.hs    2f
    ldp     x4, x5, [x2], #16           // r_offset, r_info
    ldr     x6, [x2], #8                // r_addend
    cmp     w5, #R_AARCH64_RELATIVE
    b.ne    1b
    add     x6, x6, x20                 // only the PIE has relocations, and it is linked at 0
    str     x6, [x4, x20]
    b       1b
2:  adrp    x2, _bss_start
    add     x2, x2, :lo12:_bss_start
    adrp    x3, _bss_end
    add     x3, x3, :lo12:_bss_end
3:  cmp     x2, x3
    b.hs    4f
    stp     xzr, xzr, [x2], #16
    b       3b
4:  adrp    x2, cpu_stacks
    add     x2, x2, :lo12:cpu_stacks
    add     sp, x2, #STACK_BYTES
    mov     x0, x19
    mov     x1, x20
    mov     x29, xzr
    bl      rt_main
5:  wfi
    b       5b

/*
 * A CPU started by PSCI CPU_ON. In: x0 = its index. The MMU goes on before the first load: the
 * CPU that started this one writes through its caches.
 */
    .global smp_entry
smp_entry:
    mov     x19, x0
    bl      cpu_mode_init
    bl      mmu_enable
    adrp    x2, cpu_stacks
    add     x2, x2, :lo12:cpu_stacks
    mov     x3, #STACK_BYTES
    add     x4, x19, #1
    madd    x2, x3, x4, x2
    mov     sp, x2
    mov     x0, x19
    mov     x29, xzr
    bl      smp_main
6:  wfi
    b       6b

/* Every CPU: vectors, FP/SIMD usable at EL0 and EL1 (but not touched here). Clobbers x1. */
cpu_mode_init:
    msr     spsel, #1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    mov     x1, #CPACR_FPEN_ALL
    msr     cpacr_el1, x1
    isb
    ret

/*
 * One to one map on: TTBR0, TCR, MAIR from mmu_boot_regs (written by mmu_init with the MMU off
 * and kept clean to memory), then SCTLR_EL1. Clobbers x1-x4. Called with the MMU off.
 */
    .global mmu_enable
mmu_enable:
    adrp    x1, mmu_boot_regs
    add     x1, x1, :lo12:mmu_boot_regs
    ldp     x2, x3, [x1]                // ttbr0, tcr
    msr     ttbr0_el1, x2
    msr     tcr_el1, x3
    ldp     x2, x3, [x1, #16]           // mair, sctlr
    msr     mair_el1, x2
    dsb     ish
    isb
    tlbi    vmalle1
    dsb     nsh
    ic      iallu
    dsb     nsh
    isb
    msr     sctlr_el1, x3
    isb
    ret

/*
 * 16 vectors, 128 bytes each:   0-3 current EL with SP_EL0    4-7  current EL with SP_EL1
 *                              8-11 lower EL, AArch64       12-15 lower EL, AArch32
 * Each: sync, IRQ, FIQ, SError. All save one struct exc_frame (frame.h) and call
 * exc_dispatch(frame, vector).
 */
    .macro  vector n
    .balign 128
    sub     sp, sp, #FRAME_BYTES
    stp     x0, x1, [sp]
    mov     x1, #\n
    b       exc_common
    .endm

    .balign 2048
    .global vectors
vectors:
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector  \n
    .endr

exc_common:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    add     x2, sp, #FRAME_BYTES
    stp     x30, x2, [sp, #FRAME_LR]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x2, x3, [sp, #FRAME_ELR]
    mrs     x2, esr_el1
    mrs     x3, far_el1
    stp     x2, x3, [sp, #FRAME_ESR]
    mrs     x2, sp_el0
    str     x2, [sp, #FRAME_SP0]
    mov     x0, sp
    bl      exc_dispatch
    .global exc_return
exc_return:
    ldr     x2, [sp, #FRAME_SP0]
    msr     sp_el0, x2
    ldp     x2, x3, [sp, #FRAME_ELR]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #FRAME_LR]
    ldp     x0, x1, [sp]
    add     sp, sp, #FRAME_BYTES
    eret

/*
 * u64 exc_run_el0(u64 pc, u64 spsr, u64 regs[15], u64 sp0): leaves for EL0 with x0-x14 from
 * regs[] and comes back when exc_dispatch() calls exc_leave_el0(). The callee-saved registers
 * wait on the stack; x0 of the return is what exc_leave_el0() was given.
 */
    .global exc_run_el0
exc_run_el0:
    PUSH_KEPT
    adrp    x4, exc_el0_sp
    add     x4, x4, :lo12:exc_el0_sp
    mov     x5, sp
    str     x5, [x4]
    msr     elr_el1, x0
    msr     spsr_el1, x1
    msr     sp_el0, x3
    mov     x30, x2
    ldp     x0, x1, [x30]
    ldp     x2, x3, [x30, #16]
    ldp     x4, x5, [x30, #32]
    ldp     x6, x7, [x30, #48]
    ldp     x8, x9, [x30, #64]
    ldp     x10, x11, [x30, #80]
    ldp     x12, x13, [x30, #96]
    ldr     x14, [x30, #112]
    eret

/*
 * void exc_leave_el0(u64 result): from the handler of an exception out of EL0, back to
 * exc_run_el0's caller.
 */
    .global exc_leave_el0
exc_leave_el0:
    adrp    x4, exc_el0_sp
    add     x4, x4, :lo12:exc_el0_sp
    ldr     x5, [x4]
    mov     sp, x5
    POP_KEPT
    ret

/*
 * SMCCC calls: void smccc_hvc(u64 regs[18]) / smccc_smc(...): x0-x17 in from regs[], out to
 * regs[].
 * Source: SMC Calling Convention, "SMC64/HVC64 argument passing".
 */
    .macro  smccc_call name, insn
    .global \name
\name:
    stp     x29, x30, [sp, #-32]!
    str     x0, [sp, #16]
    mov     x30, x0
    ldp     x0, x1, [x30]
    ldp     x2, x3, [x30, #16]
    ldp     x4, x5, [x30, #32]
    ldp     x6, x7, [x30, #48]
    ldp     x8, x9, [x30, #64]
    ldp     x10, x11, [x30, #80]
    ldp     x12, x13, [x30, #96]
    ldp     x14, x15, [x30, #112]
    ldp     x16, x17, [x30, #128]
    \insn   #0
    ldr     x30, [sp, #16]
    stp     x0, x1, [x30]
    stp     x2, x3, [x30, #16]
    stp     x4, x5, [x30, #32]
    stp     x6, x7, [x30, #48]
    stp     x8, x9, [x30, #64]
    stp     x10, x11, [x30, #80]
    stp     x12, x13, [x30, #96]
    stp     x14, x15, [x30, #112]
    stp     x16, x17, [x30, #128]
    ldp     x29, x30, [sp], #32
    ret
    .endm

    smccc_call smccc_hvc, hvc
    smccc_call smccc_smc, smc

    .section .note.GNU-stack, "", %progbits
