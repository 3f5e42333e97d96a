// SPDX-License-Identifier: Apache-2.0
// The maintenance instructions of TLBs and caches, one at a time and without any barrier: arm/tlb.h and
// arm/cache.c put them in order. Apart so that the unit tests can note them instead, and check the order.
// Source: Arm ARM, "TLB maintenance instructions", "A64 Cache maintenance system instructions".
#ifndef ARM_MAINTAIN_H
#define ARM_MAINTAIN_H

#include "base/types.h"

#define tlbi(op)              __asm__ volatile("tlbi " #op ::: "memory")
#define tlbi_arg(op, operand) __asm__ volatile("tlbi " #op ", %0" : : "r"(operand) : "memory")
#define ic(op)                __asm__ volatile("ic " #op ::: "memory")
#define dc(op, address)       __asm__ volatile("dc " #op ", %0" : : "r"(address) : "memory")

// Zeroes 16 bytes, 16-byte aligned.
static inline void store_zero16(uintptr_t address)
{
	__asm__ volatile("stp xzr, xzr, [%0]" : : "r"(address) : "memory");
}

// Copies of normal memory at any alignment. The compiler, told never to access memory unaligned, would do it byte
// by byte. 32 bytes at the offsets `low` and `low` + 16:
#define COPY32(low, high)                        \
	"ldp %[a], %[b], [%[r], #" #low "]\n\t"  \
	"ldp %[c], %[d], [%[r], #" #high "]\n\t" \
	"stp %[a], %[b], [%[w], #" #low "]\n\t"  \
	"stp %[c], %[d], [%[w], #" #high "]\n\t"
#define COPY64(o0, o1, o2, o3) COPY32(o0, o1) COPY32(o2, o3)

#define COPY(to, from, text)                                                              \
	do {                                                                              \
		uint64_t a, b, c, d;                                                      \
		__asm__ volatile(text                                                     \
		                 : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d) \
		                 : [w] "r"(to), [r] "r"(from)                             \
		                 : "memory");                                             \
	} while (0)

// Eight bytes at any alignment.
static inline uint64_t load64(const void *from)
{
	uint64_t value;
	__asm__("ldr %0, [%1]" : "=r"(value) : "r"(from), "m"(*(const uint8_t(*)[8])from));
	return value;
}
static inline void copy8(void *to, const void *from)
{
	__asm__ volatile("str %1, [%0]" : : "r"(to), "r"(load64(from)) : "memory");
}

static inline void copy64(void *to, const void *from)
{
	COPY(to, from, COPY64(0, 16, 32, 48));
}

static inline void copy256(void *to, const void *from)
{
	COPY(to, from,
	     COPY64(0, 16, 32, 48) COPY64(64, 80, 96, 112) COPY64(128, 144, 160, 176)
	             COPY64(192, 208, 224, 240));
}

#endif
