// SPDX-License-Identifier: Apache-2.0
// CRC-32 at the speed the CPU has for it.
#ifndef ARM_CRC32_H
#define ARM_CRC32_H

#include "base/types.h"

// As crc32_update of base/crc32.h, by the CRC32 instructions where the CPU has them (FEAT_CRC32).
// MMU on: the bytes may have any alignment.
uint32_t crc32_update_fast(uint32_t crc, const void *data, size_t size);

#endif
