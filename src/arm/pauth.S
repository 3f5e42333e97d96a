// SPDX-License-Identifier: Apache-2.0
// Switches the signing of return addresses on. In assembly, because a C function may sign its own.

#include "arm/asm.h"
#include "arm/pauth.h"
#include "arm/regs.h"

    .text

// void pauth_start(const uint64_t key[2])
FUNCTION pauth_start
    ldp x1, x2, [x0]
    cbz x1, 2f
    msr APIAKEYLO_EL1, x1
    msr APIAKEYHI_EL1, x2
    mrs x3, sctlr_el2
    orr x3, x3, #(1 << SCTLR_EL2_ENIA_BIT)
    mrs x4, id_aa64pfr1_el1
    tst x4, #0xf                   // BT
    b.eq 1f
    orr x3, x3, #(1 << SCTLR_EL2_BT_BIT)
1:  msr sctlr_el2, x3
    isb
2:  ret
END_FUNCTION pauth_start
