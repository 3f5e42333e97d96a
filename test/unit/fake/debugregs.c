// SPDX-License-Identifier: Apache-2.0
// The fake CPU's breakpoints and watchpoints: six and four, as a Cortex-A53 has.
#include "arm/debugregs.h"

#include "fake.h"

unsigned debugregs_count(enum debug_kind kind)
{
	return kind == DEBUG_BVR || kind == DEBUG_BCR ? 6 : 4;
}

void debugregs_write(enum debug_kind kind UNUSED, unsigned number UNUSED, uint64_t value UNUSED)
{
}

void debugregs_load(const uint64_t value[DEBUG_KINDS][DEBUG_MAX])
{
	fake_note(FAKE_OTHER, "debug load", (uintptr_t)value, 0, 0);
}
