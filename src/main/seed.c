// SPDX-License-Identifier: Apache-2.0
// Seeds: what the firmware left in the board's tree for one kernel, and what the board's own generator
// delivers, becomes one for each guest, by SHA-256 over the board's seed, the VM's number and a purpose. Owns the board's seed for the time of
// the boot. Called by main/config.c.
#include "main/seed.h"

#include "arm/features.h"
#include "arm/random.h"
#include "base/sha256.h"
#include "base/string.h"
#include "hw/timer.h"

static uint8_t root[SHA256_SIZE];
static bool has_root;
static uint8_t noise[SEED_NOISE_SIZE]; // until seed_init
static bool has_noise;

void seed_add(const uint8_t bytes[SEED_NOISE_SIZE])
{
	memcpy(noise, bytes, sizeof noise);
	has_noise = true;
}

uint64_t seed_stack_word(const struct board *board, const void *fdt)
{
	static const char purpose[] = "stack";
	const uint8_t *tree = fdt;
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;
	uint64_t word;
	if (board->rng_seed_size == 0)
		return 0;
	sha256_init(&hash);
	sha256_update(&hash, tree + board->rng_seed_offset, board->rng_seed_size);
	sha256_update(&hash, purpose, sizeof purpose);
	sha256_final(&hash, digest);
	memcpy(&word, digest, sizeof word);
	return word;
}

void seed_return_key(const struct board *board, const void *fdt, uint32_t cpu, uint64_t key[2])
{
	static const char purpose[] = "return addresses";
	const uint8_t *tree = fdt;
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;
	uint64_t own[4] = {cpu, timer_now()};
	if (feature_has(FEATURE_RNDR)) // none just now: 0
		(void)(random_word(&own[2]) && random_word(&own[3]));
	sha256_init(&hash);
	sha256_update(&hash, tree + board->rng_seed_offset, board->rng_seed_size);
	sha256_update(&hash, own, sizeof own);
	sha256_update(&hash, purpose, sizeof purpose);
	sha256_final(&hash, digest);
	memcpy(key, digest, 2 * sizeof key[0]);
	key[0] |= 1; // 0 stands for none
}

void seed_init(const struct board *board, const void *fdt)
{
	uint8_t *tree = (uint8_t *)(uintptr_t)fdt; // mapped read-write for this
	struct sha256 hash;
	if (board->rng_seed_size == 0 && !has_noise)
		return;
	sha256_init(&hash);
	sha256_update(&hash, tree + board->rng_seed_offset, board->rng_seed_size);
	sha256_update(&hash, tree + board->kaslr_seed_offset, board->kaslr_seed_size);
	sha256_update(&hash, noise, has_noise ? sizeof noise : 0);
	sha256_final(&hash, root);
	memset(noise, 0, sizeof noise);
	has_noise = false;
	has_root = true;
	memset(tree + board->rng_seed_offset, 0, board->rng_seed_size);
	memset(tree + board->kaslr_seed_offset, 0, board->kaslr_seed_size);
}

static void derive(uint64_t id, const char *purpose, uint8_t out[SHA256_SIZE])
{
	struct sha256 hash;
	sha256_init(&hash);
	sha256_update(&hash, root, sizeof root);
	sha256_update(&hash, &id, sizeof id);
	sha256_update(&hash, purpose, strlen(purpose));
	sha256_final(&hash, out);
}

bool seed_secret(uint64_t serial, uint8_t secret[SHA256_SIZE])
{
	if (has_root)
		derive(serial, "secret", secret);
	return has_root;
}

bool seed_for_vm(uint32_t id, uint8_t *rng, size_t rng_size, uint64_t *kaslr)
{
	uint8_t digest[SHA256_SIZE];
	if (!has_root)
		return false;
	derive(id, "rng", digest);
	memcpy(rng, digest, rng_size < sizeof digest ? rng_size : sizeof digest);
	derive(id, "kaslr", digest);
	memcpy(kaslr, digest, sizeof *kaslr);
	return true;
}
