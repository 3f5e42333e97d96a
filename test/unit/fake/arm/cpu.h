// SPDX-License-Identifier: Apache-2.0
// Shadows src/arm/cpu.h: the same structures; the running CPU is fake_cpu_this.
#ifndef FAKE_ARM_CPU_H
#define FAKE_ARM_CPU_H

#define ARM_CPU_FAKE
#include "../../../../src/arm/cpu.h"

#endif
