// SPDX-License-Identifier: Apache-2.0
// Shadows src/arm/barrier.h: each barrier is a line in the log.
#ifndef ARM_BARRIER_H
#define ARM_BARRIER_H

#include "../fake.h"

#define isb()       fake_note(FAKE_BARRIER, "isb", 0, 0, 0)
#define dsb(domain) fake_note(FAKE_BARRIER, "dsb " #domain, 0, 0, 0)
#define dmb(domain) fake_note(FAKE_BARRIER, "dmb " #domain, 0, 0, 0)
#define wfi()       fake_note(FAKE_OTHER, "wfi", 0, 0, 0)
#define wfe()       fake_note(FAKE_OTHER, "wfe", 0, 0, 0)
#define sev()       fake_note(FAKE_OTHER, "sev", 0, 0, 0)

#endif
