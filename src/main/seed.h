// SPDX-License-Identifier: Apache-2.0
// Random seeds for guests, hashed from the board's.
#ifndef MAIN_SEED_H
#define MAIN_SEED_H

#include "base/types.h"
#include "fdt/board.h"

#define SEED_NOISE_SIZE 32

// Adds what the board's own generator has delivered. Before seed_init; once.
void seed_add(const uint8_t noise[SEED_NOISE_SIZE]);

// A word for the stack protector from the seed in the board's tree, before seed_init; 0: it has none. No guest's seed
// can be told from it.
uint64_t seed_stack_word(const struct board *board, const void *fdt);

// A key for CPU number `cpu` to sign its return addresses with, before seed_init: the board's seed, the CPU's random
// numbers if it has them, and the counter. Another one for each CPU and boot; key[0] is never 0. No guest's seed can be
// told from it.
void seed_return_key(const struct board *board, const void *fdt, uint32_t cpu, uint64_t key[2]);

// Takes the board's rng-seed and kaslr-seed from its tree and wipes them there. Once.
void seed_init(const struct board *board, const void *fdt);

// Seeds for VM number `id`, different for each VM; false if the board gave neither seed nor noise: no counter ever
// poses as entropy. rng_size up to 32 bytes.
bool seed_for_vm(uint32_t id, uint8_t *rng, size_t rng_size, uint64_t *kaslr);

// What no guest ever sees: the chips of a VM may make random numbers from it. `serial` is the VM's, since a
// number is used again. False as above.
bool seed_secret(uint64_t serial, uint8_t secret[32]);

#endif
