/* SPDX-License-Identifier: Apache-2.0 */
/* EL1 and EL0 registers that a test may fill with patterns, as lists. */
#ifndef GUEST_EL1REGS_H
#define GUEST_EL1REGS_H

#include "sysreg.h"

#define ISA_API BITS(11, 4)  /* ID_AA64ISAR1: APA, API */
#define ISA_GPI BITS(31, 24) /* GPA, GPI */

/* Every register of EL1 that this program can do without: pattern in, exits, pattern out. */
#define EL1_REGISTERS(X)                   \
	X(ttbr1_el1, 0x00ab123456789000)   \
	X(afsr0_el1, 0x11)                 \
	X(afsr1_el1, 0x22)                 \
	X(esr_el1, 0x5600abcd)             \
	X(far_el1, 0x123456789abcdef0)     \
	X(elr_el1, 0x00007777deadbee0)     \
	X(spsr_el1, 0x60000345)            \
	X(par_el1, 0x0000123456789000)     \
	X(contextidr_el1, 0x13579bdf)      \
	X(csselr_el1, 0x2)                 \
	X(cntkctl_el1, 0x3)                \
	X(tpidr_el0, 0xa5a5000011112222)   \
	X(tpidrro_el0, 0x5a5a333344445555) \
	X(tpidr_el1, 0xc3c3666677778888)   \
	X(mdscr_el1, 0x1000)               \
	X(sp_el0, 0x0000fedcba987650)      \
	X(amair_el1, 0)                    \
	X(actlr_el1, 0)

#define EL1_TIMERS(X)                        \
	X(cntv_cval_el0, 0x7fffffff12345678) \
	X(cntp_cval_el0, 0x7ffffffe87654321)

/* Registers in use: only read. */
#define EL1_LIVE(X)  \
	X(sctlr_el1) \
	X(tcr_el1) X(ttbr0_el1) X(mair_el1) X(vbar_el1) X(cpacr_el1) X(mpidr_el1) X(midr_el1)

#define PAUTH_KEYS(X)                       \
	X(SREG(3, 0, 2, 1, 0), "APIAKeyLo") \
	X(SREG(3, 0, 2, 1, 1), "APIAKeyHi") \
	X(SREG(3, 0, 2, 1, 2), "APIBKeyLo") \
	X(SREG(3, 0, 2, 1, 3), "APIBKeyHi") \
	X(SREG(3, 0, 2, 2, 0), "APDAKeyLo") \
	X(SREG(3, 0, 2, 2, 1), "APDAKeyHi") \
	X(SREG(3, 0, 2, 2, 2), "APDBKeyLo") \
	X(SREG(3, 0, 2, 2, 3), "APDBKeyHi") \
	X(SREG(3, 0, 2, 3, 0), "APGAKeyLo") \
	X(SREG(3, 0, 2, 3, 1), "APGAKeyHi")

static inline bool has_pauth_keys(void)
{
	return FIELD_GET(ISA_API | ISA_GPI, read_sysreg(id_aa64isar1_el1)) != 0;
}

#endif
