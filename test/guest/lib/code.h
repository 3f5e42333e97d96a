/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions made at run time: for encodings that are counted through rather than named. */
#ifndef GUEST_CODE_H
#define GUEST_CODE_H

#include "exc.h"

/* mrs x0, <encoding> and msr <encoding>, x0; op0 is 2 or 3. sys: op0 is 1. */
u32 code_mrs(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2);
u32 code_msr(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2);
/* Runs one instruction with x0 = *x0, and stores x0 back. CPU 0 only. Exceptions are recorded. */
struct exc_record code_run(u32 instruction, u64 *x0);

#endif
