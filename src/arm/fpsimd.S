// SPDX-License-Identifier: Apache-2.0
// The only FP/SIMD instructions of Mezzo: saving and loading a guest's registers.

#include "arm/asm.h"
#include "arm/frame.h"

    .arch armv8-a+fp+simd
    .text

// All 32 registers at [x0].
.macro Q0_Q31 instruction
    \instruction q0, q1, [x0, #0]
    \instruction q2, q3, [x0, #32]
    \instruction q4, q5, [x0, #64]
    \instruction q6, q7, [x0, #96]
    \instruction q8, q9, [x0, #128]
    \instruction q10, q11, [x0, #160]
    \instruction q12, q13, [x0, #192]
    \instruction q14, q15, [x0, #224]
    \instruction q16, q17, [x0, #256]
    \instruction q18, q19, [x0, #288]
    \instruction q20, q21, [x0, #320]
    \instruction q22, q23, [x0, #352]
    \instruction q24, q25, [x0, #384]
    \instruction q26, q27, [x0, #416]
    \instruction q28, q29, [x0, #448]
    \instruction q30, q31, [x0, #480]
.endm

// void fpsimd_save(struct fp_state *to): CPTR_EL2.TFP is clear.
FUNCTION fpsimd_save
    Q0_Q31 stp
    mrs x1, fpcr
    mrs x2, fpsr
    str x1, [x0, #FP_FPCR]
    str x2, [x0, #FP_FPSR]
    ret
END_FUNCTION fpsimd_save

// void fpsimd_restore(const struct fp_state *from): CPTR_EL2.TFP is clear.
FUNCTION fpsimd_restore
    Q0_Q31 ldp
    ldr x1, [x0, #FP_FPCR]
    ldr x2, [x0, #FP_FPSR]
    msr fpcr, x1
    msr fpsr, x2
    ret
END_FUNCTION fpsimd_restore
