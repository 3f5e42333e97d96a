// SPDX-License-Identifier: Apache-2.0
// Entry at EL3, with no firmware below: for now every CPU sleeps.

#include "arm/asm.h"

    .section .text.boot, "ax"
    .global el3_boot
    .hidden el3_boot
el3_boot:
    wfe
    b el3_boot
