/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types, bit masks and field access for the EL1 test kernels. Independent of src/ on purpose: a
 * wrong mask there must not be wrong here as well.
 */
#ifndef GUEST_BITS_H
#define GUEST_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define BIT(n)             (1UL << (n))
#define BITS(hi, lo)       ((~0UL >> (63 - (hi))) & (~0UL << (lo)))
#define FIELD(mask, v)     (((u64)(v) << __builtin_ctzl(mask)) & (mask))
#define FIELD_GET(mask, v) (((u64)(v) & (mask)) >> __builtin_ctzl(mask))
#define ARRAY_LEN(a)       (sizeof(a) / sizeof((a)[0]))
#define KIB                1024UL
#define MIB                (1024 * KIB)
#define GIB                (1024 * MIB)
#define PAGE_BYTES         (4 * KIB)

#define ALIGN_UP(v, a)   (((u64)(v) + (a)-1) & ~((u64)(a)-1))
#define ALIGN_DOWN(v, a) ((u64)(v) & ~((u64)(a)-1))

#endif
