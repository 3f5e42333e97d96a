// SPDX-License-Identifier: Apache-2.0
// Types that every file uses. Freestanding; also compiled on the host by the unit tests.
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The three address spaces, as one-member structures so that mixing them does not compile.
typedef struct {
	uint64_t v;
} pa_t; // physical: what the board's bus sees
typedef struct {
	uint64_t v;
} ipa_t; // intermediate physical: what a guest takes for physical
typedef struct {
	uint64_t v;
} va_t; // virtual, in the translation regime the context names

#define PA(x)  ((pa_t){(x)})
#define IPA(x) ((ipa_t){(x)})

#define KIB(x) ((uint64_t)(x) << 10)
#define MIB(x) ((uint64_t)(x) << 20)
#define GIB(x) ((uint64_t)(x) << 30)

#define PAGE_SHIFT  12
#define PAGE_SIZE   ((uint64_t)1 << PAGE_SHIFT)
#define BLOCK_SHIFT 21 // a level 2 block with the 4 KiB granule
#define BLOCK_SIZE  ((uint64_t)1 << BLOCK_SHIFT)

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define STATIC_ASSERT(cond, text)       _Static_assert(cond, text)

#define NORETURN               __attribute__((noreturn))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NOINLINE               __attribute__((noinline)) // what a short path need not save registers for
#define UNUSED                 __attribute__((unused))
#define LIKELY(x)              __builtin_expect(!!(x), 1)
#define UNLIKELY(x)            __builtin_expect(!!(x), 0)

// An expected failure is a negative number from this list; 0 is success. Each caller that talks to a
// person turns it into a sentence.
enum error {
	ERR_INVALID = -1,     // an argument or input that breaks a rule
	ERR_NO_MEMORY = -2,   // nothing left to give
	ERR_NOT_FOUND = -3,   // no such thing
	ERR_BUSY = -4,        // taken by somebody else
	ERR_RANGE = -5,       // address or number outside what exists
	ERR_UNSUPPORTED = -6, // this board, CPU or version cannot do it
	ERR_FAULT = -7,       // a guest address that does not translate
	ERR_IO = -8,          // one of the board's devices failed
};

#endif
