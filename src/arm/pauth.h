// SPDX-License-Identifier: Apache-2.0
// EL2's own return addresses, signed (FEAT_PAuth): a function that stores x30 signs it before and checks it after, so
// that what was overwritten on a stack is no place to return to. docs/exits.md says with which key, and when.
#ifndef ARM_PAUTH_H
#define ARM_PAUTH_H

// By encoding, for assemblers that do not know the names.
#define APIAKEYLO_EL1 S3_0_C2_C1_0
#define APIAKEYHI_EL1 S3_0_C2_C1_1

#ifndef __ASSEMBLER__
#include "base/types.h"

// This CPU signs with `key` from here on; key[0] is 0: it does not, because features_present lacks FEATURE_PAUTH.
// No function that is being run may return after it, since what it has stored is not signed: once for each CPU, in a
// function that never returns. Source: Arm ARM, "SCTLR_EL2", EnIA and BT.
void pauth_start(const uint64_t key[2]);
#endif
#endif
