// SPDX-License-Identifier: Apache-2.0
// Random seeds for guests, hashed from the board's.
#ifndef MAIN_SEED_H
#define MAIN_SEED_H

#include "base/types.h"
#include "fdt/board.h"

// Takes the board's rng-seed and kaslr-seed from its tree and wipes them there. Once.
void seed_init(const struct board *board, const void *fdt);

// Seeds for VM number `id`, different for each VM; false if the board gave none: no counter ever
// poses as entropy. rng_size up to 32 bytes.
bool seed_for_vm(uint32_t id, uint8_t *rng, size_t rng_size, uint64_t *kaslr);

#endif
