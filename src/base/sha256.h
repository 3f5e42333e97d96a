// SPDX-License-Identifier: Apache-2.0
// SHA-256, in pieces. Freestanding: EL2 and the host command share it.
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/types.h"

#define SHA256_SIZE       32 // bytes of a digest
#define SHA256_BLOCK_SIZE 64 // bytes that one step takes

struct sha256 {
	uint32_t state[8];
	uint64_t size;                    // bytes hashed so far, at most 2^61 - 1
	uint8_t block[SHA256_BLOCK_SIZE]; // the first size % 64 bytes wait for the rest of a block
};

// init, then update as often as there is data, then final once: it leaves the digest and an `s`
// that holds nothing of what was hashed. None of them fails; update takes time in proportion to
// `size`.
void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t size);
void sha256_final(struct sha256 *s, uint8_t digest[SHA256_SIZE]);

#endif
