// SPDX-License-Identifier: Apache-2.0
// CRC-32 as IEEE 802.3, gzip and zlib compute it. Freestanding: EL2 and the host command share it.
#ifndef BASE_CRC32_H
#define BASE_CRC32_H

#include "base/types.h"

// The CRC of what was hashed into `crc` so far followed by `size` bytes at `data`. A new sum
// starts from 0. Never fails; takes time in proportion to `size`, so callers at EL2 feed it in
// pieces.
uint32_t crc32_update(uint32_t crc, const void *data, size_t size);

#endif
