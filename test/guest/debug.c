// SPDX-License-Identifier: Apache-2.0
/*
 * Self-hosted debug: a breakpoint stops at its instruction, a watchpoint at its access, neither before
 * MDSCR_EL1 enables them; the registers keep what is written. What the OS lock does to them is not
 * asked, because QEMU's CPUs ignore it there.
 * Source: Arm ARM, "AArch64 Self-hosted Debug", "Breakpoint exceptions", "Watchpoint exceptions".
 */
#include "test.h"

#define MDSCR_KDE BIT(13)
#define MDSCR_MDE BIT(15)

#define BCR_E       BIT(0)
#define BCR_PMC_EL1 BIT(1)
#define BCR_BAS     BITS(8, 5)
#define WCR_E       BIT(0)
#define WCR_PAC_EL1 BIT(1)
#define WCR_LOAD    BIT(3)
#define WCR_STORE   BIT(4)
#define WCR_BAS     BITS(12, 5)

#define EC_BREAKPOINT 0x31 /* from the same level */
#define EC_WATCHPOINT 0x35

#define OSLSR_OSLK BIT(1)

#define DFR0_BRPS BITS(15, 12)
#define DFR0_WRPS BITS(23, 20)

static volatile u64 watched;

__attribute__((noinline)) static void stop_here(void)
{
	__asm__ volatile("nop" ::: "memory");
}

/* Debug exceptions at EL1, with PSTATE.D clear; `mdscr` says how. */
static void set_mdscr(u64 mdscr)
{
	write_sysreg(mdscr_el1, mdscr);
	isb();
	if (mdscr != 0)
		__asm__ volatile("msr daifclr, #8" ::: "memory");
	else
		__asm__ volatile("msr daifset, #8" ::: "memory");
}

static void test_breakpoint(void)
{
	u64 here = (u64)&stop_here;
	write_sysreg(dbgbvr0_el1, here);
	write_sysreg(dbgbcr0_el1, BCR_E | BCR_PMC_EL1 | BCR_BAS);
	isb();
	struct exc_record off = EXC_OF(stop_here());
	set_mdscr(MDSCR_MDE | MDSCR_KDE);
	struct exc_record on = EXC_OF(stop_here());
	write_sysreg(oslar_el1, 1);
	isb();
	u64 locked = read_sysreg(oslsr_el1);
	write_sysreg(oslar_el1, 0);
	isb();
	u64 released = read_sysreg(oslsr_el1);
	set_mdscr(0);
	write_sysreg(dbgbcr0_el1, 0);
	isb();
	group_begin("debug-breakpoint");
	group_eq(off.count, 0, "MDE clear");
	group_eq(exc_class(&on), EC_BREAKPOINT, "class");
	group_eq(on.elr, here, "address");
	group_eq(locked & OSLSR_OSLK, OSLSR_OSLK, "OS lock held");
	group_eq(released & OSLSR_OSLK, 0, "OS lock released");
	group_end();
}

static void test_watchpoint(void)
{
	u64 value;
	write_sysreg(dbgwvr0_el1, (u64)&watched);
	write_sysreg(dbgwcr0_el1, WCR_E | WCR_PAC_EL1 | WCR_STORE | WCR_BAS);
	isb();
	set_mdscr(MDSCR_MDE | MDSCR_KDE);
	struct exc_record load = EXC_OF(value = watched);
	struct exc_record store = EXC_OF(watched = 1);
	write_sysreg(dbgwcr0_el1, WCR_E | WCR_PAC_EL1 | WCR_LOAD | WCR_BAS);
	isb();
	struct exc_record now = EXC_OF(value = watched);
	set_mdscr(0);
	write_sysreg(dbgwcr0_el1, 0);
	isb();
	(void)value;
	group_begin("debug-watchpoint");
	group_eq(load.count, 0, "a load while stores are watched");
	group_eq(exc_class(&store), EC_WATCHPOINT, "class of a store");
	group_eq(store.far, (u64)&watched, "its address");
	group_eq(FIELD_GET(ESR_WNR, store.esr), 1, "its direction");
	group_eq(exc_class(&now), EC_WATCHPOINT, "class of a load");
	group_eq(FIELD_GET(ESR_WNR, now.esr), 0, "its direction");
	group_end();
}

static void test_registers(void)
{
	u64 dfr0 = read_sysreg(id_aa64dfr0_el1);
	group_begin("debug-registers");
	group_eq(FIELD_GET(DFR0_BRPS, dfr0) >= 1, true, "two breakpoints at least");
	group_eq(FIELD_GET(DFR0_WRPS, dfr0) >= 1, true, "two watchpoints at least");
	write_sysreg(dbgbvr1_el1, 0xffff000012345678ul);
	write_sysreg(dbgwvr1_el1, 0xffff00008765fff8ul);
	isb();
	group_eq(read_sysreg(dbgbvr1_el1), 0xffff000012345678ul, "DBGBVR1_EL1");
	group_eq(read_sysreg(dbgwvr1_el1), 0xffff00008765fff8ul, "DBGWVR1_EL1");
	group_eq(read_sysreg(dbgbcr1_el1) & BCR_E, 0, "DBGBCR1_EL1 disabled");
	group_end();
}

void test_main(void)
{
	write_sysreg(oslar_el1, 0);
	isb();
	test_registers();
	test_breakpoint();
	test_watchpoint();
}
