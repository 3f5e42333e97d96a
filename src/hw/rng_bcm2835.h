// SPDX-License-Identifier: Apache-2.0
// The random-number generator of a Raspberry Pi 3, asked once for a seed.
#ifndef HW_RNG_BCM2835_H
#define HW_RNG_BCM2835_H

#include "base/types.h"

// Starts the generator, whose registers are mapped at `base`, if nobody has, and reads `count` words. Waits up
// to 2 s, most of it for a generator that has just been started. Boot CPU. ERR_BUSY: it does not deliver.
int rng_bcm2835_read(uintptr_t base, uint32_t *words, unsigned count);

#endif
