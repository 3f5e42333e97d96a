// SPDX-License-Identifier: Apache-2.0
// Random bytes from a true source of the board's: nothing computed ever poses as one.
#ifndef HW_ENTROPY_H
#define HW_ENTROPY_H

#include "base/types.h"
#include "hw/segment.h"

// Whether there is a source. After boot.
bool entropy_exists(void);

// Random bytes for `to`, up to `size` of them: how many there were at once. Each is given away once. Any CPU; takes
// LOCK_HW.
size_t entropy_read(uint8_t *to, size_t size);

// Asks the board's device, if there is one, for what the next entropy_read may want. Any CPU; takes LOCK_HW.
void entropy_refill(void);

// ---- for the driver of the board's source ----

struct entropy_source {
	// Begins to fill the segment with random bytes. 0: entropy_delivered will be called, once. Any CPU, no LOCK_HW held.
	int (*ask)(struct segment into);
};

// At boot.
void entropy_set_source(const struct entropy_source *of_board);
// The first `bytes` bytes are there, or none. Any CPU, no LOCK_HW held.
void entropy_delivered(uint32_t bytes);

#endif
