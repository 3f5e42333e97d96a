/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware: the first instructions of a machine, at address 0, in flash. Writes down what it finds at FOUND in RAM, copies
 * the test kernel behind it to RAM, and goes there with x0 = 0, as if nobody had said where the device tree is. flash.c
 * looks at what was found. Linked at 0; the kernel's Image follows at `payload`.
 */
#include "found.h"

    .section .text, "ax"
    .global _start
_start:
    /* Before anything is changed: all registers in one. */
    .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    orr     x0, x0, x\n
    .endr
    mov     x1, #FOUND
    adr     x2, _start
    stp     x0, x2, [x1]
    mrs     x3, CurrentEL
    mrs     x4, daif
    stp     x3, x4, [x1, #16]
    mrs     x5, sctlr_el1
    mrs     x6, spsel
    stp     x5, x6, [x1, #32]
    adr     x2, payload
    adr     x3, payload_end
    mov     x4, #KERNEL
1:  ldp     x5, x6, [x2], #16
    stp     x5, x6, [x4], #16
    cmp     x2, x3
    b.lo    1b
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    mov     x0, #0
    mov     x4, #KERNEL
    br      x4

    .balign 64
payload:
    .incbin PAYLOAD
    .balign 16
payload_end:
