// SPDX-License-Identifier: Apache-2.0
// Random bytes from a true source of the board's: nothing computed ever poses as one.
#ifndef HW_ENTROPY_H
#define HW_ENTROPY_H

#include "base/types.h"

// Whether there is a source. After boot.
bool entropy_exists(void);

// Random bytes for `to`, up to `size` of them: how many there were at once. Each is given away once. Any CPU.
size_t entropy_read(uint8_t *to, size_t size);

#endif
