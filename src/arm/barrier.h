// SPDX-License-Identifier: Apache-2.0
// Barriers and the event instructions.
#ifndef ARM_BARRIER_H
#define ARM_BARRIER_H

#define isb()       __asm__ volatile("isb" ::: "memory")
#define dsb(domain) __asm__ volatile("dsb " #domain ::: "memory")
#define dmb(domain) __asm__ volatile("dmb " #domain ::: "memory")
#define wfi()       __asm__ volatile("wfi" ::: "memory")
#define wfe()       __asm__ volatile("wfe" ::: "memory")
#define sev()       __asm__ volatile("sev" ::: "memory")

#endif
