// SPDX-License-Identifier: Apache-2.0
// Breakpoint and watchpoint registers: the instruction set can only name them one by one, so here is
// the switch that turns a number into a name. Owns nothing; called when a vCPU is loaded and when it
// writes one. What a guest puts there can only ever raise an exception at EL1 and EL0: MDCR_EL2.TDE is
// 0, so EL2 itself takes no debug exception.
#include "arm/debugregs.h"

#include "arm/sysreg.h"
#include "base/bits.h"

#define DFR0_BRPS GENMASK_U64(15, 12) // breakpoints - 1
#define DFR0_WRPS GENMASK_U64(23, 20) // watchpoints - 1

#define FOR_EACH_NUMBER(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

unsigned debugregs_count(enum debug_kind kind)
{
	uint64_t dfr0 = read_sysreg(id_aa64dfr0_el1);
	bool breakpoints = kind == DEBUG_BVR || kind == DEBUG_BCR;
	return 1 + (unsigned)field_get(breakpoints ? DFR0_BRPS : DFR0_WRPS, dfr0);
}

void debugregs_write(enum debug_kind kind, unsigned number, uint64_t value)
{
	switch (kind << 4 | number) {
#define ROW(n)                                                                  \
	case DEBUG_BVR << 4 | (n): write_sysreg(value, dbgbvr##n##_el1); break; \
	case DEBUG_BCR << 4 | (n): write_sysreg(value, dbgbcr##n##_el1); break; \
	case DEBUG_WVR << 4 | (n): write_sysreg(value, dbgwvr##n##_el1); break; \
	case DEBUG_WCR << 4 | (n): write_sysreg(value, dbgwcr##n##_el1); break;
		FOR_EACH_NUMBER(ROW)
#undef ROW
	default: break;
	}
}

void debugregs_load(const uint64_t value[DEBUG_KINDS][DEBUG_MAX])
{
	for (unsigned kind = 0; kind < DEBUG_KINDS; kind++)
		for (unsigned n = 0; n < debugregs_count((enum debug_kind)kind); n++)
			debugregs_write((enum debug_kind)kind, n, value[kind][n]);
}
