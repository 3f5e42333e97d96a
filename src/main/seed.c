// SPDX-License-Identifier: Apache-2.0
// Seeds: what the firmware left in the board's tree for one kernel becomes one for each guest, by
// SHA-256 over the board's seed, the VM's number and a purpose. Owns the board's seed for the time of
// the boot. Called by main/config.c.
#include "main/seed.h"

#include "base/sha256.h"
#include "base/string.h"

static uint8_t root[SHA256_SIZE];
static bool has_root;

void seed_init(const struct board *board, const void *fdt)
{
	uint8_t *tree = (uint8_t *)(uintptr_t)fdt; // mapped read-write for this
	struct sha256 hash;
	if (board->rng_seed_size == 0)
		return;
	sha256_init(&hash);
	sha256_update(&hash, tree + board->rng_seed_offset, board->rng_seed_size);
	sha256_update(&hash, tree + board->kaslr_seed_offset, board->kaslr_seed_size);
	sha256_final(&hash, root);
	has_root = true;
	memset(tree + board->rng_seed_offset, 0, board->rng_seed_size);
	memset(tree + board->kaslr_seed_offset, 0, board->kaslr_seed_size);
}

static void derive(uint32_t id, const char *purpose, uint8_t out[SHA256_SIZE])
{
	struct sha256 hash;
	sha256_init(&hash);
	sha256_update(&hash, root, sizeof root);
	sha256_update(&hash, &id, sizeof id);
	sha256_update(&hash, purpose, strlen(purpose));
	sha256_final(&hash, out);
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
