// SPDX-License-Identifier: Apache-2.0
// The device tree of a guest of model `raspi3` that brings none along.
#ifndef FDT_GUEST_RASPI3_H
#define FDT_GUEST_RASPI3_H

#include "base/types.h"

#define GUEST_RASPI3_MAX_CPUS   4
#define GUEST_RASPI3_SPIN_TABLE UINT64_C(0xd8) // IPA of core 0's release address; 8 bytes each

// Writes a Raspberry Pi 3's tree, without memory and /chosen's contents: see guest_patch. `buffer` is 8-byte
// aligned. Its size in bytes, or ERR_NO_MEMORY.
int guest_raspi3_write(void *buffer, size_t size, uint32_t nr_cpus);

#endif
