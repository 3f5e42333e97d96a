/* SPDX-License-Identifier: Apache-2.0 */
/* Whole register files in, one instruction, whole register files out. */
#ifndef GUEST_EXERCISE_H
#define GUEST_EXERCISE_H

#include "bits.h"

#define GPRS 31
#define VECS 32

struct regfile {
	u64 x[GPRS];
	u64 fpcr, fpsr;
	u64 v[VECS][2]; /* the assembly needs no alignment */
} __attribute__((aligned(16)));

/*
 * Each loads everything from `in`, does what its name says, and stores everything to `out`: hvc,
 * smc; ldr w0, [x1]; str w0, [x1]; wfi; spin until the 64-bit word at x1 is not zero; spin until
 * CNTVCT_EL0, left in x0, is x1 or more; mrs x0, ID_AA64PFR0_EL1; dc isw, x1; msr ICC_SGI1R_EL1, x1 (GICv3 only).
 */
void exercise_hvc(const struct regfile *in, struct regfile *out);
void exercise_smc(const struct regfile *in, struct regfile *out);
void exercise_load(const struct regfile *in, struct regfile *out);
void exercise_store(const struct regfile *in, struct regfile *out);
void exercise_wfi(const struct regfile *in, struct regfile *out);
void exercise_spin(const struct regfile *in, struct regfile *out);
void exercise_until(const struct regfile *in, struct regfile *out);
void exercise_id(const struct regfile *in, struct regfile *out);
void exercise_set_way(const struct regfile *in, struct regfile *out);
void exercise_sgi(const struct regfile *in, struct regfile *out);
/* Only looks. */
void exercise_look(struct regfile *out);

#endif
