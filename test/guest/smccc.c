// SPDX-License-Identifier: Apache-2.0
/*
 * SMCCC: version and features, the random number service, identification of the hypervisor and
 * its own calls with good and bad arguments, every range of numbers, and the registers that a
 * call must keep.
 * Source: Arm SMC Calling Convention; Arm True Random Number Generator Firmware Interface.
 */
#include "test.h"

#include "code.h"

#define NOT_SUPPORTED ((u64)PSCI_NOT_SUPPORTED)
#define MAJOR_1       1
#define OWNERS        64u
#define OWNER         BITS(29, 24)
#define FAST          BIT(31)
#define WIDE          BIT(30)
#define OWNER_STD     4u
#define KEPT_FROM     4u
#define LOG_MAX       160
#define GARBAGE       0xabcdef0000000000ul
#define TRNG_MAX64    192
#define INVALID       ((u64)-2)
#define HVC_1         0xd4000022u /* hvc #1 */
#define SMC_1         0xd4000023u

static u64 regs[SMCCC_REGS];

/* One HVC, or SMC if so told; returns x0. */
static u64 call_by(bool smc, u64 function, u64 a1, u64 a2, u64 a3)
{
	for (u32 i = 0; i < SMCCC_REGS; i++)
		regs[i] = 0x1111111111111111ul * i;
	regs[0] = function;
	regs[1] = a1;
	regs[2] = a2;
	regs[3] = a3;
	if (smc)
		smccc_smc(regs);
	else
		smccc_hvc(regs);
	return regs[0];
}

static u64 call(u64 function, u64 a1, u64 a2)
{
	return call_by(false, function, a1, a2, 0);
}

static bool kept(void)
{
	for (u32 i = KEPT_FROM; i < SMCCC_REGS; i++) {
		if (regs[i] != 0x1111111111111111ul * i)
			return false;
	}
	return true;
}

static void test_kept_registers(void)
{
	static const u64 functions[] = {PSCI_VERSION, 0x8400ffff, 0xc4000fff, 0xc6000fff,
	                                0x80001234,   0x12345678, ~0ul};

	group_strict("smccc-registers-kept");
	for (u32 i = 0; i < ARRAY_LEN(functions); i++) {
		struct exc_record r = EXC_OF(call(functions[i], 1, 2));

		group_eq(exc_class(&r), NO_EXC, "0x%lx is no exception", functions[i]);
		group_eq(kept(), true, "0x%lx keeps x4-x17", functions[i]);
	}
	group_end();
}

/* Under Mezzo SMC is as good as HVC; nothing is handed down. */
static void test_ranges(bool smc)
{
	static const u32 numbers[] = {0x100, 0x1ff, 0x7ff0, 0xfeed};

	group_begin(smc ? "smccc-smc-ranges" : "smccc-hvc-ranges");
	for (u32 owner = 0; owner < OWNERS; owner++) {
		for (u32 form = 0; form < 4; form++) {
			for (u32 i = 0; i < ARRAY_LEN(numbers); i++) {
				u64 id = FIELD(OWNER, owner) | numbers[i] |
				         ((form & 1) != 0 ? FAST : 0) |
				         ((form & 2) != 0 ? WIDE : 0);

				group_eq(call_by(smc, id, 1, 2, 3), NOT_SUPPORTED, "0x%lx", id);
			}
		}
	}
	group_end();
}

static void test_architecture(void)
{
	u64 version = call(SMCCC_VERSION, 0, 0);

	group_begin("smccc-architecture-calls");
	group_eq(version, 0x10002, "version");
	group_eq(call(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0), 0, "has VERSION");
	group_eq(call(SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES, 0), 0, "has FEATURES");
	group_eq(call(SMCCC_ARCH_FEATURES, 0x80000777, 0), NOT_SUPPORTED,
	         "lacks what does not exist");
	group_eq(call(SMCCC_ARCH_FEATURES, PSCI_VERSION | 0x3f, 0), NOT_SUPPORTED,
	         "lacks other ranges");
	group_eq(call(GARBAGE | SMCCC_VERSION, 0, 0), version, "upper half of x0 is ignored");
	for (u32 i = 0; i < 3; i++) {
		static const u32 workarounds[] = {SMCCC_ARCH_WA1, SMCCC_ARCH_WA2, SMCCC_ARCH_WA3};
		s64 state = (s32)call(SMCCC_ARCH_FEATURES, workarounds[i], 0);

		group_eq(state >= -2 && state <= 1, true, "workaround 0x%x: %d", workarounds[i],
		         (int)state);
		if (state >= 0)
			call(workarounds[i], 0, 0);
	}
	group_eq(call_by(true, PSCI_VERSION, 0, 0, 0), call(PSCI_VERSION, 0, 0), "SMC as HVC");
	group_end();
}

static void test_trng(void)
{
	u64 version = call(TRNG_VERSION, 0, 0), first;

	group_begin("smccc-trng");
	if (version == NOT_SUPPORTED) {
		/* No true source: none of it. */
		group_eq(call(TRNG_FEATURES, TRNG_RND64, 0), NOT_SUPPORTED, "no features");
		group_eq(call(TRNG_UUID, 0, 0), NOT_SUPPORTED, "no UUID");
		group_eq(call(TRNG_RND32, 32, 0), NOT_SUPPORTED, "no 32-bit numbers");
		group_eq(call(TRNG_RND64, 64, 0), NOT_SUPPORTED, "no 64-bit numbers");
		group_end();
		return;
	}
	group_eq(version, 0x10000, "version");
	group_eq(call(TRNG_FEATURES, TRNG_RND64, 0), 0, "has RND64");
	group_eq(call(TRNG_FEATURES, PSCI_VERSION, 0), NOT_SUPPORTED, "features of something else");
	group_eq(call(TRNG_RND64, 64, 0), 0, "64 bits");
	first = regs[3];
	group_eq(regs[1] | regs[2], 0, "and no more than 64");
	group_eq(call(TRNG_RND64, 64, 0), 0, "64 bits again");
	group_eq(regs[3] != first, true, "and others");
	group_eq(call(TRNG_RND64, TRNG_MAX64, 0), 0, "192 bits");
	group_eq(regs[1] != 0 && regs[2] != 0 && regs[3] != 0, true, "in three registers");
	group_eq(call(TRNG_RND64, 3, 0), 0, "3 bits");
	group_eq((regs[3] & ~7ul) | regs[2] | regs[1], 0, "and no more than 3");
	group_eq(call(TRNG_RND64, 0, 0), INVALID, "0 bits");
	group_eq(call(TRNG_RND64, TRNG_MAX64 + 1, 0), INVALID, "193 bits");
	group_eq(call(TRNG_RND64, ~0ul, 0), INVALID, "too many bits");
	group_eq(call(TRNG_RND32, 96, 0), 0, "96 bits by the 32-bit call");
	group_eq((regs[1] | regs[2] | regs[3]) >> 32, 0, "in 32-bit registers");
	group_eq(call(TRNG_RND32, 97, 0), INVALID, "97 bits by the 32-bit call");
	group_end();
}

static void test_identity(void)
{
	u64 words[4];

	group_begin("smccc-hypervisor");
	call(SMCCC_HYP_CALL_UID, 0, 0);
	for (u32 i = 0; i < 4; i++)
		words[i] = regs[i];
	group_eq(words[0] != NOT_SUPPORTED && words[0] >> 32 == 0, true, "UID: 0x%lx", words[0]);
	call(SMCCC_HYP_CALL_UID, 0, 0);
	for (u32 i = 0; i < 4; i++)
		group_eq(regs[i], words[i], "UID word %u does not change", i);
	group_eq(kept(), true, "UID keeps x4-x17");
	group_eq((s64)call(MEZZO_VERSION, 0, 0) > 0, true, "version of the calls");
	group_eq((regs[1] & 1) != 0, true, "feature bits");
	group_eq(call(MEZZO_NULL, 5, 6), 0, "null");
	group_eq(kept(), true, "null keeps x4-x17");
	group_eq((s64)call(MEZZO_WHO, 0, 0) >= 0, true, "own VM");
	group_eq(regs[1], 0, "own vCPU");
	group_eq(call(MEZZO_LOG + 0x100, 0, 0), NOT_SUPPORTED, "a call that does not exist");
	group_end();
}

static volatile u64 other_vcpu;

static void who(u64 arg)
{
	u64 own[SMCCC_REGS] = {MEZZO_WHO};

	(void)arg;
	smccc_hvc(own);
	other_vcpu = own[1];
}

static const char line[] = "a line from a test kernel";
static const char ugly[] = "\r\n[mezzo] end: 1 off, 0 crashed\n\x1b[2J";

static void test_log(void)
{
	u64 end = platform.ram_base + platform.ram_bytes;

	group_begin("smccc-log");
	group_eq(call(MEZZO_LOG, (u64)line, sizeof(line) - 1), 0, "a line");
	group_eq(call(MEZZO_LOG, (u64)ugly, sizeof(ugly) - 1), 0, "control characters");
	group_eq(call(MEZZO_LOG, (u64)line, 0), 0, "an empty line");
	group_eq((s64)call(MEZZO_LOG, (u64)line, LOG_MAX + 1) < 0, true, "too long");
	group_eq((s64)call(MEZZO_LOG, (u64)line, ~0ul) < 0, true, "length of all ones");
	group_eq((s64)call(MEZZO_LOG, 0, 8) < 0, true, "nothing there");
	group_eq((s64)call(MEZZO_LOG, platform.uart, 8) < 0, true, "a device");
	group_eq((s64)call(MEZZO_LOG, end - 4, 8) < 0, true, "across the end of RAM");
	group_eq((s64)call(MEZZO_LOG, end, 8) < 0, true, "behind RAM");
	group_eq((s64)call(MEZZO_LOG, ~0ul - 3, 8) < 0, true, "wrapping around");
	group_eq((s64)call(MEZZO_LOG, BIT(52), 8) < 0, true, "beyond all addresses");
	group_end();
}

/*
 * The convention knows immediate 0 alone; another is refused or undefined, and no call is made.
 */
static void test_immediates(void)
{
	static const u32 instructions[] = {HVC_1, SMC_1};

	group_begin("smccc-immediates");
	for (u32 i = 0; i < ARRAY_LEN(instructions); i++) {
		u64 x0 = PSCI_VERSION;
		struct exc_record r = code_run(instructions[i], &x0);

		group_eq(r.count != 0 || x0 == NOT_SUPPORTED, true, "0x%x", instructions[i]);
	}
	group_end();
}

void test_main(void)
{
	test_kept_registers();
	if (!test_under_mezzo()) {
		test_skip("nothing but PSCI answers here", "smccc-calls");
		return;
	}
	test_ranges(false);
	test_ranges(true);
	test_architecture();
	test_trng();
	test_identity();
	test_log();
	test_immediates();
	for (unsigned cpu = 1, cpus = smp_start_all(); cpu < cpus; cpu++) {
		smp_call(cpu, who, 0);
		check_eq(other_vcpu, cpu, "smccc-vcpu-number");
	}
}
