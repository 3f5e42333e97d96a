// SPDX-License-Identifier: Apache-2.0
// A piece of memory that one of the board's devices reads or writes by itself.
#ifndef HW_SEGMENT_H
#define HW_SEGMENT_H

#include "base/types.h"

// All of it is RAM at one stretch of physical addresses: as EL2 sees it, so does the device (docs/host-devices.md).
struct segment {
	pa_t pa;
	uint32_t bytes; // never 0
};

#endif
