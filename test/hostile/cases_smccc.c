// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H23, H28, H29, H30, H36: calls with wrong, extreme and unknown numbers and arguments, by HVC and SMC.
 * Source: Arm SMC Calling Convention; Arm Power State Coordination Interface; docs/hypercalls.md.
 */
#include "hostile.h"

#define NOT_SUPPORTED   ((u64)-1)
#define INVALID         ((u64)-2)
#define LOG_FAULT       ((u64)-3)
#define INVALID_ADDRESS ((u64)-9)
#define ALREADY_ON      ((u64)-4)
#define LOG_MAX         160
#define NOWHERE         0x0b000000ul
#define TRNG_BITS64     192
#define OWNERS          64u
#define CALL_FAST       BIT(31)
#define CALL_64         BIT(30)
#define PSCI32(n)       (0x84000000u + (n))
#define PSCI64(n)       (0xc4000000u + (n))
#define PENDING         10u /* an SGI */

static u64 regs[SMCCC_REGS];

static u64 hvc(u64 x0, u64 x1, u64 x2, u64 x3)
{
	return call4(false, x0, x1, x2, x3, regs);
}

static s64 hvc32(u64 x0, u64 x1, u64 x2, u64 x3)
{
	return (s32)hvc(x0, x1, x2, x3);
}

static void want_kept(u64 id)
{
	for (unsigned i = 4; i < SMCCC_REGS; i++)
		want_eq(regs[i], 0xabcd0000 + i, "0x%lx: x%u", id, i);
}

/* --- H23 ---- */

static void fault_with_pending(void)
{
	irq_disable();
	gic_enable(PENDING);
	gic_send_sgi(PENDING, 1);
	for (unsigned i = 0; i < 1000; i++)
		want_eq(hvc(MEZZO_LOG, NOWHERE + i, 8, 0), LOG_FAULT, "call %u", i);
	want_eq(irq_count(0, PENDING), 0, "nothing came while masked");
	irq_enable();
	want_true(WAIT_FOR(irq_count(0, PENDING) == 1, 1000000), "it came once");
	irq_disable();
}

/* --- H28: the call that takes an address and a length ---- */

static void log_nothing(void)
{
	want_eq(hvc(MEZZO_LOG, platform.ram_base, 0, 0), 0, "length 0");
}

static void log_long(void)
{
	want_eq(hvc(MEZZO_LOG, platform.ram_base, LOG_MAX + 1, 0), INVALID, "161");
	want_eq(hvc(MEZZO_LOG, platform.ram_base, 1ul << 52, 0), INVALID, "2^52");
	want_eq(hvc(MEZZO_LOG, platform.ram_base, 1ul << 63, 0), INVALID, "2^63");
	want_eq(hvc(MEZZO_LOG, platform.ram_base, ~0ul, 0), INVALID, "2^64 - 1");
	want_eq(hvc(MEZZO_LOG, platform.ram_base, 0x100000001, 0), INVALID, "2^32 + 1");
}

static void log_wraps(void)
{
	for (u64 len = 1; len <= LOG_MAX; len += 53) {
		want_eq(hvc(MEZZO_LOG, 0 - len, len, 0), LOG_FAULT, "ends at 0, %lu", len);
		want_eq(hvc(MEZZO_LOG, 0 - len + 1, len, 0), LOG_FAULT, "wraps, %lu", len);
	}
}

static void log_crosses_end(void)
{
	want_eq(hvc(MEZZO_LOG, ram_end() - 1, 2, 0), LOG_FAULT, "over the end");
	want_eq(hvc(MEZZO_LOG, ram_end(), 1, 0), LOG_FAULT, "at the end");
	want_eq(hvc(MEZZO_LOG, platform.ram_base - 1, 2, 0), LOG_FAULT, "over the beginning");
	want_eq(hvc(MEZZO_LOG, ram_end() - 1, 1, 0), 0, "the last byte");
}

static void log_device(void)
{
	want_eq(hvc(MEZZO_LOG, platform.uart, 4, 0), LOG_FAULT, "the UART");
	want_eq(hvc(MEZZO_LOG, platform.gicd, 4, 0), LOG_FAULT, "the distributor");
	want_eq(hvc(MEZZO_LOG, NOWHERE, 4, 0), LOG_FAULT, "nothing");
	for (unsigned bit = 32; bit < 64; bit++)
		want_eq(hvc(MEZZO_LOG, BIT(bit) | platform.ram_base, 1, 0), LOG_FAULT, "bit %u",
		        bit);
}

static void trng_lengths(void)
{
	static const u64 bad[] = {0, TRNG_BITS64 + 1, 1ul << 32, ~0ul, 1ul << 63};
	u64 version = hvc(TRNG_VERSION, 0, 0, 0);

	if ((s32)version < 0) {
		want_eq((u64)hvc32(TRNG_RND32, 32, 0, 0), NOT_SUPPORTED, "no source, no numbers");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		want_eq(hvc(TRNG_RND64, bad[i], 0, 0), INVALID, "0x%lx bits", bad[i]);
}

/* --- H29 ---- */

static const u32 known[] = {
        SMCCC_VERSION, SMCCC_ARCH_FEATURES,  PSCI_VERSION,      PSCI_CPU_ON32,
        PSCI_CPU_ON64, PSCI_AFFINITY_INFO64, PSCI_FEATURES,     SMCCC_HYP_CALL_UID,
        PV_TIME_ST,    MEZZO_VERSION,        MEZZO_NULL,        MEZZO_WHO,
        MEZZO_LOG,     PSCI_SYSTEM_OFF,      PSCI_SYSTEM_RESET, PSCI_CPU_OFF};

static void yielding(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		want_eq(hvc(known[i] & ~CALL_FAST, 0, 0, 0), NOT_SUPPORTED, "0x%x", known[i]);
}

static void other_owner(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		for (u32 owner = 7; owner < OWNERS; owner++)
			want_eq(hvc((known[i] & ~BITS(29, 24)) | FIELD(BITS(29, 24), owner), 0, 0,
			            0),
			        NOT_SUPPORTED, "0x%x of owner %u", known[i], owner);
	}
}

static void reserved_bits(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
		for (unsigned bit = 16; bit < 24; bit++)
			want_eq(hvc(known[i] | BIT(bit), 0, 0, 0), NOT_SUPPORTED, "0x%x, bit %u",
			        known[i], bit);
	}
}

static void wide_of_narrow(void)
{
	static const u32 narrow[] = {PSCI_VERSION, PSCI_CPU_OFF, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET,
	                             PSCI_FEATURES};

	for (unsigned i = 0; i < ARRAY_LEN(narrow); i++)
		want_eq(hvc(narrow[i] | CALL_64, 0, 0, 0), NOT_SUPPORTED, "0x%x", narrow[i]);
	want_eq(hvc(PV_TIME_ST & ~CALL_64, 0, 0, 0), NOT_SUPPORTED, "stolen time");
}

static u64 run_immediate(u32 base, u32 imm)
{
	u64 x0 = PSCI_SYSTEM_OFF;
	struct exc_record r = code_run(base | imm << 5, &x0);

	return r.count != 0 ? NO_EXC : x0;
}

static void immediates(void)
{
	for (u32 imm = 1; imm != 0 && imm < 0x10000; imm = imm * 3 + 1) {
		want_eq(run_immediate(0xd4000002, imm), NOT_SUPPORTED, "hvc #%u", imm);
		want_eq(run_immediate(0xd4000003, imm), NOT_SUPPORTED, "smc #%u", imm);
	}
}

static void sweep_owners(void)
{
	u32 last = platform_arg("full", 0) != 0 ? 0x400 : 0x40;

	for (u32 owner = 0; owner < OWNERS; owner++) {
		for (u32 form = 0; form < 8; form++) {
			for (u32 n = 0; n < last; n++) {
				u32 number = n < last / 2 ? 0x100 + n
				                          : (u32)(case_random() & 0x7fff) | 0x8000;
				u64 id = FIELD(BITS(29, 24), owner) | number |
				         ((form & 1) != 0 ? CALL_FAST : 0) |
				         ((form & 2) != 0 ? CALL_64 : 0);

				if (owner == 0 && (number & 0xfff0) == 0x8000)
					continue;
				if (owner == 6 && (number & 0xff00) == 0xff00)
					continue;
				want_eq(call4((form & 4) != 0, id, ~0ul, case_random(), 0, regs),
				        NOT_SUPPORTED, "0x%lx", id);
			}
		}
	}
}

/* All 65,536 numbers of the ranges that hold something: only what is known may answer anything but -1. */
static void sweep_numbers(void)
{
	static const u32 ranges[] = {0x80000000, 0xc0000000, 0x84000000, 0xc4000000,
	                             0x86000000, 0xc6000000, 0x85000000, 0xc5000000};
	u32 step = platform_arg("full", 0) != 0 ? 1 : 61;

	for (unsigned i = 0; i < ARRAY_LEN(ranges); i++) {
		for (u32 n = 0x60; n < 0x10000; n += step) {
			u64 id = ranges[i] | n, got;

			if ((n & 0xfff0) == 0xff00 || (n & 0xf) == 0xf || (n & 0xfff) == 0)
				continue;
			got = call4((n & 1) != 0, id, 0, 0, 0, regs);
			want_eq(got, NOT_SUPPORTED, "0x%lx", id);
		}
	}
}

/* --- H30 ---- */

static u64 absent_mpidr(void)
{
	return platform.mpidr[platform.cpu_count - 1] + 1;
}

static void on_entry(void)
{
	static const u64 entries[] = {0, NOWHERE, 1ul << 40, ~0ul, ~0ul - 3, 1ul << 63};
	u64 self = platform.mpidr[0];

	for (unsigned i = 0; i < ARRAY_LEN(entries); i++)
		want_eq(hvc(PSCI_CPU_ON64, self, entries[i], 0), INVALID_ADDRESS, "entry 0x%lx",
		        entries[i]);
	want_eq(hvc(PSCI_CPU_ON64, self, ram_end(), 0), INVALID_ADDRESS, "end of memory");
	want_eq(hvc(PSCI_CPU_ON64, self, platform.ram_base - 4, 0), INVALID_ADDRESS,
	        "below memory");
	want_eq(hvc(PSCI_CPU_ON64, self, platform.ram_base + 2, 0), INVALID_ADDRESS,
	        "between instructions");
}

static void on_absent(void)
{
	want_eq(hvc(PSCI_CPU_ON64, absent_mpidr(), (u64)smp_entry, 0), INVALID, "the next one");
	for (unsigned bit = 8; bit < 64; bit++)
		want_eq(hvc(PSCI_CPU_ON64, BIT(bit), (u64)smp_entry, 0), INVALID, "bit %u", bit);
}

static void on_itself(void)
{
	for (unsigned i = 0; i < 1000; i++)
		want_eq(hvc(PSCI_CPU_ON64, platform.mpidr[0], (u64)smp_entry, i), ALREADY_ON,
		        "time %u", i);
}

static void on_narrow(void)
{
	want_eq((u64)hvc32(PSCI_CPU_ON32, platform.mpidr[0] | 0xdead00000000,
	                   (u64)smp_entry | 0xbeef00000000, 0),
	        ALREADY_ON, "upper halves do not count");
}

static void info(void)
{
	want_eq(hvc(PSCI_AFFINITY_INFO64, platform.mpidr[0], 4, 0), INVALID, "level 4");
	want_eq(hvc(PSCI_AFFINITY_INFO64, platform.mpidr[0], ~0ul, 0), INVALID, "level -1");
	want_eq(hvc(PSCI_AFFINITY_INFO64, absent_mpidr(), 0, 0), INVALID, "absent");
	want_eq(hvc(PSCI_AFFINITY_INFO64, 1ul << 63, 0, 0), INVALID, "bit 63");
	want_eq(hvc(PSCI_AFFINITY_INFO64, platform.mpidr[0], 0, 0), PSCI_AFFINITY_ON, "itself");
}

static void suspend(void)
{
	want_eq(hvc(PSCI_CPU_SUSPEND64, BIT(31), 0, 0), INVALID, "reserved bit");
	want_eq(hvc(PSCI_CPU_SUSPEND64, BIT(16), NOWHERE, 0), INVALID_ADDRESS, "wakes nowhere");
	want_eq(hvc(PSCI_CPU_SUSPEND64, BIT(16), ~0ul, 0), INVALID_ADDRESS, "wakes at -1");
}

static void reset2(void)
{
	want_eq(hvc(PSCI_SYSTEM_RESET2_64, 1, 0, 0), INVALID, "type 1");
	want_eq(hvc(PSCI_SYSTEM_RESET2_64, BIT(31), 0, 0), INVALID, "a vendor's type");
	want_eq(hvc(PSCI_SYSTEM_RESET2_64, ~0ul, 0, 0), INVALID, "type -1");
}

static void features(void)
{
	for (u32 n = 0; n < 0x40; n++) {
		static const u64 has = BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(6) |
		                       BIT(8) | BIT(9) | BIT(10) | BIT(18);
		bool there = (has & BIT(n)) != 0;

		want_eq((u64)hvc32(PSCI_FEATURES, PSCI32(n), 0, 0), there ? 0 : NOT_SUPPORTED,
		        "function %u", n);
	}
	want_eq((u64)hvc32(PSCI_FEATURES, 0, 0, 0), NOT_SUPPORTED, "function id 0");
	want_eq((u64)hvc32(PSCI_FEATURES, 0xffffffff, 0, 0), NOT_SUPPORTED, "function id -1");
}

static void unimplemented(void)
{
	static const u8 numbers[] = {5, 7, 0xb, 0xc, 0xd, 0xe, 0xf, 0x10, 0x11, 0x13, 0x14, 0x15};

	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
		want_eq(hvc(PSCI32(numbers[i]), 0, 0, 0), NOT_SUPPORTED, "32-bit 0x%x", numbers[i]);
		want_eq(hvc(PSCI64(numbers[i]), 0, 0, 0), NOT_SUPPORTED, "64-bit 0x%x", numbers[i]);
	}
}

static void firmware_ranges(void)
{
	static const u32 ids[] = {0x82000000, 0xc2000000, 0x83000000, 0xc3000000, 0xb2000000,
	                          0xbf000000, 0xbf00ff01, 0x84000060, 0x84000063, 0xc4000066,
	                          0x84000090, 0xc4000130, 0x81000000, 0x8200ff01, 0x95c1ba5e,
	                          0x95c1ba60, 0xc2000001, 0x8400002b, 0x84000110, 0xc400006f};

	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		want_eq(call4(true, ids[i], ~0ul, ~0ul, ~0ul, regs), NOT_SUPPORTED, "smc 0x%x",
		        ids[i]);
		want_kept(ids[i]);
	}
}

static void same_by_smc(void)
{
	want_eq(call4(true, PSCI_VERSION, 0, 0, 0, regs), hvc(PSCI_VERSION, 0, 0, 0), "version");
	want_eq(call4(true, PSCI_CPU_ON64, absent_mpidr(), 0, 0, regs), INVALID, "CPU_ON");
	want_kept(PSCI_CPU_ON64);
}

static void off(void)
{
	hvc(PSCI_SYSTEM_OFF, ~0ul, ~0ul, ~0ul);
	want_true(false, "it came back");
}

static void off_by_smc(void)
{
	call4(true, PSCI_SYSTEM_OFF | 0xffffffff00000000, 0, 0, 0, regs);
	want_true(false, "it came back");
}

static void off_masked(void)
{
	__asm__ volatile("msr daifset, #15" ::: "memory");
	write_sysreg(sctlr_el1, SCTLR_RES1);
	isb();
	hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
	want_true(false, "it came back");
}

static void reset_own(void)
{
	hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
	want_true(false, "it came back");
}

/* --- H36 ---- */

static void workarounds(void)
{
	static const u32 ids[] = {SMCCC_ARCH_WA1, SMCCC_ARCH_WA2, SMCCC_ARCH_WA3};

	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		s64 state = hvc32(SMCCC_ARCH_FEATURES, ids[i], 0, 0);

		want_true(state >= -2 && state <= 1, "0x%x", ids[i]);
		want_eq((u64)hvc32(SMCCC_ARCH_FEATURES, ids[i], 0, 0), (u64)state, "0x%x again",
		        ids[i]);
	}
}

static void workaround_calls(void)
{
	static const u32 ids[] = {SMCCC_ARCH_WA1, SMCCC_ARCH_WA2, SMCCC_ARCH_WA3};

	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		for (unsigned arg = 0; arg < 4; arg++) {
			hvc(ids[i], arg == 3 ? ~0ul : arg, ~0ul, ~0ul);
			want_kept(ids[i]);
		}
	}
}

static void architecture(void)
{
	want_eq(hvc(SMCCC_VERSION, ~0ul, ~0ul, ~0ul), 0x10002, "version");
	for (u32 n = 3; n < 0x40; n++)
		want_eq(hvc(SMCCC_VERSION + n, 0, 0, 0), NOT_SUPPORTED, "0x%x", SMCCC_VERSION + n);
	want_eq(hvc(SMCCC_ARCH_FEATURES, ~0ul, 0, 0), NOT_SUPPORTED, "features of -1");
}

CASES(rows) = {
        {"H23.1", "Makes a call with a bad address a thousand times while an interrupt is pending.",
         "Each is refused; the interrupt comes once it is unmasked, once.", fault_with_pending,
         NEEDS_MEZZO, 0},
        {"H28.1", "Logs 0 bytes.", "Success.", log_nothing, NEEDS_MEZZO, 0},
        {"H28.2", "Logs 161, 2^32 + 1, 2^52, 2^63, 2^64 - 1 bytes.", "Too long.", log_long,
         NEEDS_MEZZO, 0},
        {"H28.3", "Logs from addresses that wrap at 2^64.", "Not memory.", log_wraps, NEEDS_MEZZO,
         0},
        {"H28.4", "Logs over both ends of memory, and its last byte.", "Not memory; success.",
         log_crosses_end, NEEDS_MEZZO, 0},
        {"H28.5", "Logs from devices, and from memory with one high address bit set.",
         "Not memory.", log_device, NEEDS_MEZZO, 0},
        {"H28.6", "Asks for 0, too many, 2^32, 2^63 random bits.", "Invalid, or no such service.",
         trng_lengths, NEEDS_MEZZO, 0},
        {"H29.1", "Makes every known call as a yielding one.", "Not supported, nothing happens.",
         yielding, NEEDS_MEZZO, 0},
        {"H29.2", "Makes every known call with other owners.", "Not supported.", other_owner,
         NEEDS_MEZZO, 0},
        {"H29.3", "Sets each reserved bit of every known call.", "Not supported.", reserved_bits,
         NEEDS_MEZZO, 0},
        {"H29.4", "Makes 32-bit calls as 64-bit ones, and the reverse.", "Not supported.",
         wide_of_narrow, NEEDS_MEZZO, 0},
        {"H29.5", "HVC and SMC with immediates other than 0 while x0 says SYSTEM_OFF.",
         "Not supported.", immediates, NEEDS_MEZZO, 0},
        {"H29.6", "Sweeps all owners, fast and yielding, 32 and 64 bits, HVC and SMC.",
         "Not supported.", sweep_owners, NEEDS_MEZZO | IS_SWEEP, 0},
        {"H29.7", "Sweeps the numbers of the ranges that Mezzo serves.", "Not supported.",
         sweep_numbers, NEEDS_MEZZO | IS_SWEEP, 0},
        {"H30.1", "CPU_ON with entries outside memory and between instructions.",
         "INVALID_ADDRESS.", on_entry, NEEDS_MEZZO, 0},
        {"H30.2", "CPU_ON of CPUs that do not exist.", "INVALID_PARAMETERS.", on_absent,
         NEEDS_MEZZO, 0},
        {"H30.3", "CPU_ON of itself, a thousand times.", "ALREADY_ON.", on_itself, NEEDS_MEZZO, 0},
        {"H30.4", "The 32-bit CPU_ON with garbage in upper halves.", "They do not count.",
         on_narrow, NEEDS_MEZZO, 0},
        {"H30.5", "AFFINITY_INFO of levels and CPUs that do not exist.", "INVALID_PARAMETERS.",
         info, NEEDS_MEZZO, 0},
        {"H30.6", "CPU_SUSPEND with reserved bits, and to wake nowhere.",
         "INVALID_PARAMETERS, INVALID_ADDRESS.", suspend, NEEDS_MEZZO, 0},
        {"H30.7", "SYSTEM_RESET2 of types that do not exist.", "INVALID_PARAMETERS.", reset2,
         NEEDS_MEZZO, 0},
        {"H30.8", "PSCI_FEATURES of 64 functions and of nonsense.", "Those that exist, no others.",
         features, NEEDS_MEZZO, 0},
        {"H30.9", "Calls the PSCI functions that are not implemented.", "NOT_SUPPORTED.",
         unimplemented, NEEDS_MEZZO, 0},
        {"H30.10", "SMC to SiP, OEM, trusted OS, FF-A, SDEI, errata services.",
         "-1, x4-x17 kept; EL3 sees none.", firmware_ranges, NEEDS_MEZZO, 0},
        {"H30.11", "The same calls by SMC as by HVC.", "The same answers.", same_by_smc,
         NEEDS_MEZZO, 0},
        {"H30.12", "SYSTEM_OFF with garbage as arguments.", "Its own VM is off.", off,
         NEEDS_MEZZO | OWN_VM, ENDS_OFF},
        {"H30.13", "SYSTEM_OFF by SMC with garbage in the upper half of x0.", "Its own VM is off.",
         off_by_smc, NEEDS_MEZZO | OWN_VM, ENDS_OFF},
        {"H30.14", "SYSTEM_OFF with everything masked and the MMU off.", "Its own VM is off.",
         off_masked, NEEDS_MEZZO | OWN_VM, ENDS_OFF},
        {"H30.15", "SYSTEM_RESET.", "Its own VM starts again.", reset_own, NEEDS_MEZZO | OWN_VM,
         ENDS_RESET},
        {"H36.1", "Asks for the workarounds of speculation.",
         "A state that the convention knows, twice the same.", workarounds, NEEDS_MEZZO, 0},
        {"H36.2", "Calls the workarounds with all kinds of arguments.", "x4-x17 kept.",
         workaround_calls, NEEDS_MEZZO, 0},
        {"H36.3", "Architecture calls that do not exist.", "Not supported.", architecture,
         NEEDS_MEZZO, 0},
};
