// SPDX-License-Identifier: Apache-2.0
// Saving and loading FP/SIMD registers; CPTR_EL2.TFP is clear on this CPU.
#ifndef ARM_FPSIMD_H
#define ARM_FPSIMD_H

#include "arm/frame.h"

void fpsimd_save(struct fp_state *to);
void fpsimd_restore(const struct fp_state *from);

#endif
