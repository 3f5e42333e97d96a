// SPDX-License-Identifier: Apache-2.0
// Shadows src/arm/io.h: device registers are what the test's hooks make of them.
#ifndef ARM_IO_H
#define ARM_IO_H

#include "../fake.h"

#define io_read8(a)      ((uint8_t)fake_io_read((a), 1))
#define io_read16(a)     ((uint16_t)fake_io_read((a), 2))
#define io_read32(a)     ((uint32_t)fake_io_read((a), 4))
#define io_read64(a)     fake_io_read((a), 8)
#define io_write8(a, v)  fake_io_write((a), 1, (v))
#define io_write16(a, v) fake_io_write((a), 2, (v))
#define io_write32(a, v) fake_io_write((a), 4, (v))
#define io_write64(a, v) fake_io_write((a), 8, (v))

#endif
