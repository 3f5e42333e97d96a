// SPDX-License-Identifier: Apache-2.0
// Shadows src/arm/maintain.h: every maintenance instruction is a line in the log. What changes memory
// does so, and is noted after.
#ifndef ARM_MAINTAIN_H
#define ARM_MAINTAIN_H

#include <string.h>

#include "../fake.h"

#define tlbi(op)              fake_note(FAKE_OTHER, "tlbi " #op, 0, 0, 0)
#define tlbi_arg(op, operand) fake_note(FAKE_OTHER, "tlbi " #op, (operand), 0, 0)
#define ic(op)                fake_note(FAKE_OTHER, "ic " #op, 0, 0, 0)
#define dc(op, address)       fake_dc("dc " #op, (address))

static inline void store_zero16(uintptr_t address)
{
	memset((void *)address, 0, 16);
	fake_note(FAKE_OTHER, "zero16", address, 0, 16);
}

static inline void copy64(void *to, const void *from)
{
	memcpy(to, from, 64);
	fake_note(FAKE_OTHER, "copy64", (uintptr_t)to, (uintptr_t)from, 64);
}

static inline void copy256(void *to, const void *from)
{
	memcpy(to, from, 256);
	fake_note(FAKE_OTHER, "copy256", (uintptr_t)to, (uintptr_t)from, 256);
}

static inline uint64_t load64(const void *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof value);
	return value;
}
static inline void copy8(void *to, const void *from)
{
	memcpy(to, from, 8);
}

#endif
