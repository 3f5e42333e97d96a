// SPDX-License-Identifier: Apache-2.0
//
// SHA-256: tells whether a file of a bundle is the one that was packed, where the description asks
// for it (`verify = sha256`).
//
// Owns only const tables; all state is in the caller's struct. Called by the bundle reader at EL2
// and by `mezzo pack` and `ls`. Invariant: between calls `block` holds the size % 64 bytes that
// have not yet been through compress(). Plain integer code: no FP/SIMD register, no allocation.
// Source: FIPS 180-4, "SHA-256 Hash Computation" and "SHA-224 and SHA-256 Functions".
#include "base/sha256.h"

#include "base/string.h"

// First 32 bits of the fractional parts of the square roots of the first 8 primes.
static const uint32_t initial_state[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

// First 32 bits of the fractional parts of the cube roots of the first 64 primes.
static const uint32_t round_constant[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
};

#define LENGTH_SIZE 8 // the message's length in bits ends the last block, big-endian

static uint32_t rotate_right(uint32_t x, unsigned int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_be32(uint8_t *p, uint32_t x)
{
	p[0] = (uint8_t)(x >> 24);
	p[1] = (uint8_t)(x >> 16);
	p[2] = (uint8_t)(x >> 8);
	p[3] = (uint8_t)x;
}

// The message schedule in a ring of 16 words: word i replaces word i - 16, which is its first
// term.
static uint32_t next_word(uint32_t w[16], unsigned int i)
{
	uint32_t w15 = w[(i + 1) % 16], w2 = w[(i + 14) % 16];
	uint32_t s0 = rotate_right(w15, 7) ^ rotate_right(w15, 18) ^ w15 >> 3;
	uint32_t s1 = rotate_right(w2, 17) ^ rotate_right(w2, 19) ^ w2 >> 10;

	return w[i % 16] += s0 + w[(i + 9) % 16] + s1;
}

static void compress(uint32_t state[8], const uint8_t *block)
{
	uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

	for (unsigned int i = 0; i < 64; i++) {
		uint32_t word = i < 16 ? w[i] = load_be32(block + 4 * i) : next_word(w, i);
		uint32_t sum1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
		uint32_t choose = (e & f) ^ (~e & g);
		uint32_t t1 = h + sum1 + choose + round_constant[i] + word;
		uint32_t sum0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
		uint32_t majority = (a & b) ^ (a & c) ^ (b & c);

		h = g, g = f, f = e, e = d + t1;
		d = c, c = b, b = a, a = t1 + sum0 + majority;
	}
	state[0] += a, state[1] += b, state[2] += c, state[3] += d;
	state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

void sha256_init(struct sha256 *s)
{
	*s = (struct sha256){.size = 0};
	memcpy(s->state, initial_state, sizeof(s->state));
}

void sha256_update(struct sha256 *s, const void *data, size_t size)
{
	const uint8_t *p = data;
	size_t held = s->size % SHA256_BLOCK_SIZE;

	s->size += size;
	if (held != 0) {
		size_t take = SHA256_BLOCK_SIZE - held;

		if (take > size)
			take = size;
		memcpy(s->block + held, p, take);
		p += take, size -= take;
		if (held + take < SHA256_BLOCK_SIZE)
			return;
		compress(s->state, s->block);
	}
	for (; size >= SHA256_BLOCK_SIZE; p += SHA256_BLOCK_SIZE, size -= SHA256_BLOCK_SIZE)
		compress(s->state, p);
	if (size != 0)
		memcpy(s->block, p, size);
}

void sha256_final(struct sha256 *s, uint8_t digest[SHA256_SIZE])
{
	uint64_t bits = s->size * 8;
	size_t held = s->size % SHA256_BLOCK_SIZE;

	s->block[held++] = 1U << 7; // a one bit, then zeroes up to the length
	if (held > SHA256_BLOCK_SIZE - LENGTH_SIZE) {
		memset(s->block + held, 0, SHA256_BLOCK_SIZE - held);
		compress(s->state, s->block);
		held = 0;
	}
	memset(s->block + held, 0, SHA256_BLOCK_SIZE - LENGTH_SIZE - held);
	store_be32(s->block + SHA256_BLOCK_SIZE - 8, (uint32_t)(bits >> 32));
	store_be32(s->block + SHA256_BLOCK_SIZE - 4, (uint32_t)bits);
	compress(s->state, s->block);

	for (size_t i = 0; i < SHA256_SIZE / 4; i++)
		store_be32(digest + 4 * i, s->state[i]);
	*s = (struct sha256){.size = 0};
}
