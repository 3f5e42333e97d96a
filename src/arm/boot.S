// SPDX-License-Identifier: Apache-2.0
// From the loader's jump to C: the Image header, relocation, EL2's MMU, and the entry of the other
// CPUs. Runs at whatever 4 KiB aligned address it was loaded to.
//
// Contract with the loader (Linux: "Booting AArch64 Linux"): x0 = physical address of the device
// tree, MMU and data cache off, the image cleaned to the point of coherency. Nothing else is assumed:
// every register that matters is written before it is used.
//
//   boot --- EL3 ---> el3_boot ---> (EL2) ---.                      (el3.S)
//     |                                      v
//     '--- EL2, EL1 -----------------> boot_lower: relocate, clear bss, el2map_boot (C, MMU off),
//                                      MMU on, boot_main or boot_at_el1 (C)

#include "arm/asm.h"
#include "arm/offsets.h"
#include "arm/regs.h"

// Arm64 Image header, 64 bytes ("Booting AArch64 Linux", "Call the kernel image").
    .section .head, "ax"
    .global image_start
image_start:
    b boot                         // code0
    .long 0                        // code1
    .quad 0                        // text_offset
    .long image_end - . + 16, 0    // image_size: from image_start to the end of bss
    .quad 0xa                      // little endian, 4 KiB pages, anywhere in memory
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

    .section .text.boot, "ax"

// In: x0 = device tree. All registers but x0 are unknown.
boot:
    msr daifset, #0xf
    mrs x1, CurrentEL
    cmp x1, #CURRENTEL_EL3
    b.eq el3_boot
    mov x1, xzr

// In: x0 = device tree, x1 = 1 if el3_boot was there, else 0; EL2 or EL1, this is the only CPU that runs.
    .global boot_lower
    .hidden boot_lower
boot_lower:
    mov x19, x0
    mov x23, x1
    LOAD_ADDRESS x20, image_start
    LOAD_ADDRESS x21, image_end

    // Relocation: the image is linked at 0, so each entry of .rela.dyn adds the load address.
    LOAD_ADDRESS x0, rela_start
    LOAD_ADDRESS x1, rela_end
1:  cmp x0, x1
    b.hs 2f
    ldp x2, x3, [x0], #16          // where, type
    ldr x4, [x0], #8               // addend
    cmp w3, #1027                  // R_AARCH64_RELATIVE; the ELF gate proves there are no others
    b.ne 1b
    add x4, x4, x20
    str x4, [x20, x2]
    b 1b

2:  LOAD_ADDRESS x0, bss_start
    LOAD_ADDRESS x1, bss_end
3:  cmp x0, x1
    b.hs 4f
    stp xzr, xzr, [x0]             // both ends are multiples of a page
    stp xzr, xzr, [x0, #16]
    stp xzr, xzr, [x0, #32]
    stp xzr, xzr, [x0, #48]
    add x0, x0, #64
    b 3b

4:  LOAD_ADDRESS x0, el3_below
    str w23, [x0]

    // The stack protector's word: the constant that is there, the counter, and a true random number where the
    // CPU has one, which may be 0 when it has none just now. boot_main adds the board's seed. Its lowest
    // byte is 0, so that a string cannot run over it unseen.
    LOAD_ADDRESS x0, __stack_chk_guard
    ldr x1, [x0]
    mrs x2, cntvct_el0
    mrs x3, id_aa64isar0_el1
    ubfx x3, x3, #60, #4           // RNDR
    eor x1, x1, x2
    cbz x3, 5f
    mrs x2, S3_3_C2_C4_0
    eor x1, x1, x2
5:
    bic x1, x1, #0xff
    str x1, [x0]

    LOAD_ADDRESS x0, boot_stack_top
    mov sp, x0
    mov x29, xzr
    mrs x0, CurrentEL
    cmp x0, #CURRENTEL_EL2
    b.ne boot_el1

    // The controls of EL2 itself, from an unknown state: no stage 2, no traps of our own FP use.
    mov x0, #CPTR_EL2_BOOT
    msr cptr_el2, x0
    mov x0, #(1 << HCR_EL2_RW_BIT)
    msr hcr_el2, x0
    isb
    LOAD_ADDRESS x0, el2_vectors
    msr vbar_el2, x0
    LOAD_ADDRESS x0, boot_cpu
    msr tpidr_el2, x0
    mov x0, x19
    bl el2map_boot                 // x0 = the table for TTBR0
    mov x22, x0
    DCACHE_CIVAC x20, x21, x0, x1  // what was written with the cache off
    mov x0, x22
    bl el2_mmu_on
    mov x0, x19
    bl boot_main
    b .

// The firmware dropped to EL1: the same map serves EL1, long enough to say so on the UART.
boot_el1:
    LOAD_ADDRESS x0, el2_vectors
    msr vbar_el1, x0
    mov x0, x19
    bl el2map_boot
    mov x22, x0
    DCACHE_CIVAC x20, x21, x0, x1
    mov x1, #(MAIR_VALUE & 0xffff)
    msr mair_el1, x1
    ldr x1, =(TCR_EL2_BASE & ~TCR_EL2_RES1 | TCR_EL1_EPD1)
    mrs x2, id_aa64mmfr0_el1
    and x2, x2, #0x7
    cmp x2, #5                     // 48 bits
    mov x3, #5
    csel x2, x2, x3, lo
    orr x1, x1, x2, lsl #TCR_EL1_IPS_SHIFT
    msr tcr_el1, x1
    msr ttbr0_el1, x22
    isb
    tlbi vmalle1
    dsb nsh
    isb
    ldr x1, =(SCTLR_EL1_RES1 | SCTLR_EL2_M | SCTLR_EL2_C | SCTLR_EL2_I)
    msr sctlr_el1, x1
    isb
    mov x0, x19
    bl boot_at_el1
    b .

// Turns EL2's MMU on. In: x0 = table. Clobbers x1-x3. The code that runs is mapped at its own address.
el2_mmu_on:
    mov x1, #(MAIR_VALUE & 0xffff)
    msr mair_el2, x1
    mrs x2, id_aa64mmfr0_el1
    and x2, x2, #0xf
    cmp x2, #5                     // PARange: clamp to 48 bits
    mov x3, #5
    csel x2, x2, x3, lo
    ldr x1, =TCR_EL2_BASE
    orr x1, x1, x2, lsl #TCR_EL2_PS_SHIFT
    // A CPU whose HCR_EL2.E2H cannot be cleared reads TCR_EL2 as if it were TCR_EL1. It is refused, but
    // in words, and for those the MMU must be on.
    mrs x3, hcr_el2
    tbz x3, #HCR_EL2_E2H_BIT, 1f
    ldr x1, =(TCR_EL2_BASE & ~TCR_EL2_RES1 | TCR_EL1_EPD1)
    orr x1, x1, x2, lsl #TCR_EL1_IPS_SHIFT
1:
    msr tcr_el2, x1
    msr ttbr0_el2, x0
    isb
    tlbi alle2
    ic iallu
    dsb nsh
    isb
    ldr x1, =SCTLR_EL2_ON
    msr sctlr_el2, x1
    isb
    ret

// Entry from a spin table, which passes nothing. In: EL2, MMU off. Every CPU that polls the same place
// comes here at once; each waits until it is asked for by its affinity.
FUNCTION cpu_spin_entry
    msr daifset, #0xf
    mrs x2, mpidr_el1
    ldr x3, =MPIDR_AFFINITY_FIELDS
    and x2, x2, x3
    LOAD_ADDRESS x3, cpu_entry_spinning
1:  ldr x0, [x3]
    cbz x0, 2f
    ldr x4, [x0, #CPU_MPIDR]
    cmp x4, x2
    b.eq cpu_entry
2:  wfe
    b 1b
END_FUNCTION cpu_spin_entry

// Entry of every CPU but the first. In: x0 = its struct cpu (physical = virtual), EL2, MMU off.
// What is read before the MMU is on was cleaned to the point of coherency by the CPU that wrote it.
FUNCTION cpu_entry
    msr daifset, #0xf
    mov x19, x0
    mov x0, #CPTR_EL2_BOOT
    msr cptr_el2, x0
    mov x0, #(1 << HCR_EL2_RW_BIT)
    msr hcr_el2, x0
    isb
    LOAD_ADDRESS x0, el2_vectors
    msr vbar_el2, x0
    msr tpidr_el2, x19
    LOAD_ADDRESS x0, cpu_entry_table
    ldr x0, [x0]
    bl el2_mmu_on
    ldr x0, [x19, #CPU_STACK_TOP]
    mov sp, x0
    mov x29, xzr
    mov x0, x19
    bl boot_cpu_main
    b .
END_FUNCTION cpu_entry

// void stack_switch(uint64_t top, void (*function)(void *), void *argument)
FUNCTION stack_switch
    mov sp, x0
    mov x29, xzr
    mov x0, x2
    blr x1
    b .
END_FUNCTION stack_switch

    .ltorg

    .section .bss
    .balign 8
    .global cpu_entry_table        // TTBR0_EL2 for the other CPUs; written and cleaned before they start
    .hidden cpu_entry_table
cpu_entry_table:
    .quad 0
    .global cpu_entry_spinning     // the struct cpu of the CPU that is to leave its spin table
    .hidden cpu_entry_spinning
cpu_entry_spinning:
    .quad 0
    .global el3_below              // arm/el3.h
    .hidden el3_below
el3_below:
    .long 0

// The page below each boot stack stays unmapped: el2map_boot leaves it out.
    .balign 4096
    .global boot_stack_guard
    .hidden boot_stack_guard
boot_stack_guard:
    .skip 4096
    .skip 16384
    .global boot_stack_top
    .hidden boot_stack_top
boot_stack_top:
