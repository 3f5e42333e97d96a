// SPDX-License-Identifier: Apache-2.0
// The BCM2835's random-number generator. Owns nothing but the chip's state; called by main/boot.c.
// Invariant: no number is taken before the chip says that it has one, and the first of a generator that
// starts are thrown away by the chip itself, as many as WARM_UP says.
// Source: Linux, drivers/char/hw_random/bcm2835-rng.c, for the registers, which no manual describes.
#include "hw/rng_bcm2835.h"

#include "arm/io.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "hw/timer.h"

enum reg {
	CTRL = 0x0,
	STATUS = 0x4, // read: words that are ready; written: how many bits to throw away
	DATA = 0x8,
};

#define CTRL_ON      BIT_U32(0)
#define STATUS_READY GENMASK_U32(31, 24)
#define WARM_UP      BIT_U32(18)
#define PATIENCE_MS  2000

int rng_bcm2835_read(uintptr_t base, uint32_t *words, unsigned count)
{
	uint64_t start = timer_now(), limit = timer_from_ms(PATIENCE_MS);
	if ((io_read32(base + CTRL) & CTRL_ON) == 0) {
		io_write32(base + STATUS, WARM_UP);
		io_write32(base + CTRL, CTRL_ON);
	}
	for (unsigned i = 0; i < count; i++) {
		while (field_get(STATUS_READY, io_read32(base + STATUS)) == 0) {
			if (timer_now() - start > limit)
				return ERR_BUSY;
			spin_relax();
		}
		words[i] = io_read32(base + DATA);
	}
	return 0;
}
