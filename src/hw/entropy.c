// SPDX-License-Identifier: Apache-2.0
// Random bytes for guests. Owns a pool of what the board's entropy device has delivered; called by the entropy devices of
// guests. The source is the CPU's (FEAT_RNG), and where it has none, or none just now, the pool.
// Invariant: a byte leaves the pool once, and is not in it any more.
// Source: Arm ARM, "RNDR, Random Number".
#include "hw/entropy.h"

#include "arm/features.h"
#include "arm/random.h"
#include "base/spinlock.h"
#include "base/string.h"

#define POOL_BYTES 256
#define POOL_LOW   128 // with less than this the device is asked for more

static struct {
	struct spinlock lock;
	uint32_t left; // bytes that nobody has had, from the beginning
	bool asked;    // `fresh` is the source's
	uint8_t bytes[POOL_BYTES];
	uint8_t fresh[POOL_BYTES];
} pool = {.lock = SPINLOCK_INIT(LOCK_HW)};

static const struct entropy_source *source; // fixed after boot; NULL: none

void entropy_set_source(const struct entropy_source *of_board)
{
	source = of_board;
}

void entropy_delivered(uint32_t bytes)
{
	spin_lock(&pool.lock);
	uint32_t room = POOL_BYTES - pool.left, some = bytes < room ? bytes : room;
	memcpy(pool.bytes + pool.left, pool.fresh, some);
	pool.left += some;
	memset(pool.fresh, 0, sizeof pool.fresh);
	pool.asked = false;
	spin_unlock(&pool.lock);
}

void entropy_refill(void)
{
	spin_lock(&pool.lock);
	bool ask = pool.left < POOL_LOW && !pool.asked && source != NULL;
	pool.asked = pool.asked || ask;
	spin_unlock(&pool.lock);
	if (ask && source->ask((struct segment){PA((uintptr_t)pool.fresh), sizeof pool.fresh}) != 0)
		entropy_delivered(0); // another time
}

static size_t from_pool(uint8_t *to, size_t size)
{
	spin_lock(&pool.lock);
	size_t some = size < pool.left ? size : pool.left;
	pool.left -= (uint32_t)some;
	memcpy(to, pool.bytes + pool.left, some);
	memset(pool.bytes + pool.left, 0, some);
	spin_unlock(&pool.lock);
	entropy_refill();
	return some;
}

bool entropy_exists(void)
{
	return feature_has(FEATURE_RNDR) || source != NULL;
}

size_t entropy_read(uint8_t *to, size_t size)
{
	uint64_t word;
	size_t done = 0;

	while (done < size && feature_has(FEATURE_RNDR) && random_word(&word)) {
		size_t some = size - done < sizeof word ? size - done : sizeof word;
		memcpy(to + done, &word, some);
		done += some;
	}
	return done < size && source != NULL ? done + from_pool(to + done, size - done) : done;
}
