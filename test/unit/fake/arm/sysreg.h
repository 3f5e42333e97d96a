// SPDX-License-Identifier: Apache-2.0
// Shadows src/arm/sysreg.h: the same names, but the registers are entries of a table.
#ifndef FAKE_ARM_SYSREG_H
#define FAKE_ARM_SYSREG_H

#include "../../../../src/arm/sysreg.h"
#include "../fake.h"

#undef read_sysreg
#undef write_sysreg
#define read_sysreg(reg)         fake_read_sysreg(SYSREG_STRING(reg))
#define write_sysreg(value, reg) fake_write_sysreg(SYSREG_STRING(reg), (value))

#endif
