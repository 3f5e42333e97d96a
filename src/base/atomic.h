// SPDX-License-Identifier: Apache-2.0
// Atomic words shared between CPUs. Thin names over the compiler's builtins: the name tells the order.
#ifndef BASE_ATOMIC_H
#define BASE_ATOMIC_H

#include "base/types.h"

// On arm64 a relaxed access of an aligned word is one load or store, and a volatile one is the same: but GCC computes the
// address of an atomic one in an instruction of its own.
#if !__STDC_HOSTED__
#define load_relaxed(p)     (*(const volatile __typeof__(*(p)) *)(p))
#define store_relaxed(p, v) ((void)(*(volatile __typeof__(*(p)) *)(p) = (v)))
#else
#define load_relaxed(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
#define store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#endif
#define load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
// A load after a store of the same CPU is made after it, if both are these: two CPUs that each store, then
// look at the other's word, do not both miss it. As cheap as acquire and release on arm64.
#define load_ordered(p)     __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define store_ordered(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define fetch_or(p, v)      __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define fetch_and(p, v)     __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)
#define fetch_add(p, v)     __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define exchange(p, v)      __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
// Both operands and the result are of *p's type; true when *p was `old` and is now `new_value`.
#define compare_exchange(p, old, new_value)                                           \
	__atomic_compare_exchange_n((p), (old), (new_value), false, __ATOMIC_ACQ_REL, \
	                            __ATOMIC_ACQUIRE)

// One turn of a spin: lets other hardware threads, and an emulator's other CPUs, make progress.
static inline void spin_relax(void)
{
#ifdef __aarch64__
	__asm__ volatile("yield" ::: "memory");
#endif
}

#endif
