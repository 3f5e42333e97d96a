// SPDX-License-Identifier: Apache-2.0
// The frame that every fuzz target has in common: how bytes of an input become numbers, memory that ends where
// the input ends, and what is done when something that must hold does not. docs/fuzzing.md says how to run them.
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- what a target is: test/fuzz/fuzz_NAME.c defines these two ----

// Once, before the first input.
void fuzz_setup(void);
// One input. What it leaves behind must not change what the next one does.
void fuzz_one(const uint8_t *data, size_t size);

// ---- numbers out of an input; zeros when it is used up ----

struct fuzz_in {
	const uint8_t *at;
	size_t left;
};

static inline bool fuzz_more(const struct fuzz_in *in)
{
	return in->left != 0;
}

static inline uint8_t fuzz_u8(struct fuzz_in *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t fuzz_u16(struct fuzz_in *in)
{
	unsigned low = fuzz_u8(in);
	return (uint16_t)(low | (unsigned)fuzz_u8(in) << 8);
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t low = fuzz_u16(in);
	return low | (uint32_t)fuzz_u16(in) << 16;
}

static inline uint64_t fuzz_u64(struct fuzz_in *in)
{
	uint64_t low = fuzz_u32(in);
	return low | (uint64_t)fuzz_u32(in) << 32;
}

// Below `limit`, which is not 0; takes no more bytes than it needs.
static inline uint32_t fuzz_below(struct fuzz_in *in, uint32_t limit)
{
	return (limit <= 256 ? fuzz_u8(in) : limit <= 65536 ? fuzz_u16(in) : fuzz_u32(in)) % limit;
}

// A number that is often one of those that programs trip over: its first byte chooses.
uint64_t fuzz_number(struct fuzz_in *in);

// What is left of it.
static inline struct fuzz_in fuzz_rest(struct fuzz_in *in, size_t most)
{
	struct fuzz_in rest = {in->at, in->left < most ? in->left : most};
	in->at += rest.left;
	in->left -= rest.left;
	return rest;
}

// ---- memory that ends where the input ends ----

#define FUZZ_GUARDED_MAX (4u << 20)

// A copy of the bytes at a multiple of `align` (a power of two), followed by fewer than `align` poisoned bytes and a
// page that nobody may touch: libraries that no sanitizer has seen are caught too. One at a time.
uint8_t *fuzz_guarded(const void *bytes, size_t size, size_t align);

// ---- what must hold ----

void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define FUZZ_CHECK(condition)                                      \
	do {                                                       \
		if (!(condition))                                  \
			fuzz_fail(__FILE__, __LINE__, #condition); \
	} while (0)

#endif
