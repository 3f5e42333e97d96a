// SPDX-License-Identifier: Apache-2.0
// See fuzz.h. libFuzzer calls the two functions at the end (LLVM documentation, "libFuzzer: a library for
// coverage-guided fuzz testing").
#include "fuzz.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

uint64_t fuzz_number(struct fuzz_in *in)
{
	static const uint64_t known[] = {
	        0,          1,          2,          3,          4,          7,
	        8,          16,         31,         32,         63,         64,
	        0x7f,       0x80,       0xff,       0x100,      0x1ff,      0x200,
	        0x3ff,      0xfff,      0x1000,     0xffff,     0x10000,    0x1fffff,
	        0x200000,   0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 39,
	        1ULL << 40, 1ULL << 47, 1ULL << 48, 1ULL << 52, 1ULL << 63, UINT64_MAX,
	};
	enum { KNOWN = sizeof known / sizeof known[0] };
	uint8_t how = fuzz_u8(in);
	if (how < KNOWN)
		return known[how];
	if (how < 2 * KNOWN)
		return 0 - known[how - KNOWN];
	if (how < 3 * KNOWN)
		return known[how - 2 * KNOWN] + fuzz_u8(in);
	switch (how % 4) {
	case 0: return fuzz_u8(in);
	case 1: return fuzz_u16(in);
	case 2: return fuzz_u32(in);
	default: return fuzz_u64(in);
	}
}

uint8_t *fuzz_guarded(const void *bytes, size_t size, size_t align)
{
	enum { PAGE = 4096 };
	static uint8_t *room;
	if (room == NULL) {
		room = mmap(NULL, FUZZ_GUARDED_MAX + PAGE, PROT_READ | PROT_WRITE,
		            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (room == MAP_FAILED || mprotect(room + FUZZ_GUARDED_MAX, PAGE, PROT_NONE) != 0)
			abort();
	}
	size_t taken = (size + align - 1) & ~(align - 1);
	if (taken > FUZZ_GUARDED_MAX)
		abort();
	uint8_t *at = room + FUZZ_GUARDED_MAX - taken;
	ASAN_UNPOISON_MEMORY_REGION(at, taken);
	if (size != 0)
		memcpy(at, bytes, size);
	ASAN_POISON_MEMORY_REGION(at + size, taken - size);
	return at;
}

void fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_setup();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_one(data, size);
	return 0;
}
