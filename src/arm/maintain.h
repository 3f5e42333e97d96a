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

// Copies 64 bytes of normal memory at any alignment. The compiler, told never to access memory
// unaligned, would do it byte by byte.
static inline void copy64(void *to, const void *from)
{
	uint64_t a, b, c, d;
	__asm__ volatile("ldp %[a], %[b], [%[r]]\n\tldp %[c], %[d], [%[r], #16]\n\t"
	                 "stp %[a], %[b], [%[w]]\n\tstp %[c], %[d], [%[w], #16]\n\t"
	                 "ldp %[a], %[b], [%[r], #32]\n\tldp %[c], %[d], [%[r], #48]\n\t"
	                 "stp %[a], %[b], [%[w], #32]\n\tstp %[c], %[d], [%[w], #48]"
	                 : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
	                 : [w] "r"(to), [r] "r"(from)
	                 : "memory");
}

#endif
