// SPDX-License-Identifier: Apache-2.0
/*
 * What is in x0-x3 when an operation runs. Numbers are as wild as they can be without the fuzzer ending itself:
 * no address near its own image, no call that switches the machine off, no register value that leaves it
 * without instructions or vectors. Called before each pass.
 * Source: Arm ARM, "SCTLR_EL1", "TCR_EL1", "SPSR_EL1"; PSCI, "PSCI functions"; QEMU docs/system/arm/virt.rst.
 */
#include "fuzz.h"

#include "gic.h"
#include "psci.h"
#include "timer.h"

#define PVTIME       0x090a0000ul
#define HOLE         0x0b000000ul
#define PCI_WINDOW   0x10000000ul
#define FRAME_BYTES_ 0x10000u
#define SCTLR_KEPT   (SCTLR_M | BIT(25) | BIT(19) | BIT(61) | BIT(62)) /* EE, WXN, NMI */
#define SPSR_SAFE    (~(u64)(BIT(4) | BIT(24) | BIT(25)))              /* no AArch32 */
#define CALL_64      BIT(30)
#define SGI_TARGETS  4

static u64 any(struct random *r)
{
	static const u64 edges[] = {
	        0,          1,          2,          3,    ~0ul,   ~0ul >> 1,          1ul << 63,
	        0xffffffff, 0x80000000, 0x7fffffff, 0xff, 0xffff, 0x5555555555555555, 0xa5a5a5a5};

	switch (random_below(r, 5)) {
	case 0: return edges[random_below(r, ARRAY_LEN(edges))];
	case 1: return random_below(r, 4096);
	case 2: return BIT(random_below(r, 64)) - random_below(r, 2);
	case 3: return random_next(r) >> random_below(r, 64);
	default: return random_next(r);
	}
}

/* Registers sit at the beginning of most frames; the rest of a frame is looked at, too. */
static u64 offset_in(struct random *r, u64 bytes)
{
	u64 at = random_next(r) % (random_one_in(r, 2) ? bytes : bytes < 0x1000 ? bytes : 0x1000);

	return random_one_in(r, 4) ? at : at & ~7ul & ~(u64)(random_one_in(r, 2) ? 0 : 4);
}

static u64 uart(struct random *r)
{
	u64 at = offset_in(r, 0x1000);

	return platform.uart + (at < 8 && !random_one_in(r, 64) ? at + 0x18 : at);
}

/* A zero in GICD_SPENDSGIR ends QEMU 10.0's GICv2 by an assertion: only Mezzo's distributor is written to. */
static u64 gic(const struct fuzzer *f, struct random *r)
{
	u64 pages = platform.cpu_count * GICR_STRIDE;
	bool v2 = platform.gic_version == 2;

	if (random_one_in(r, 3) && !(v2 && f->bare))
		return platform.gicd + offset_in(r, FRAME_BYTES_);
	if (v2)
		return platform.gicc + offset_in(r, 0x2000);
	return platform.gicr + random_next(r) % (pages / FRAME_BYTES_ + 1) * FRAME_BYTES_ +
	       offset_in(r, FRAME_BYTES_);
}

static u64 hole(const struct fuzzer *f, struct random *r)
{
	u64 ram_end = platform.ram_base + platform.ram_bytes;

	switch (random_below(r, f->bare ? 3 : 6)) {
	case 0: return HOLE + offset_in(r, 0x1000);
	case 1: return ram_end + offset_in(r, MIB);
	case 2: return BIT(36 + random_below(r, 2)) + offset_in(r, MIB);
	case 3: return platform.ram_base - GUARD - random_below(r, 2 * PAGE_BYTES);
	case 4: return PCI_WINDOW + offset_in(r, 512 * MIB);
	default: return random_below(r, 0x08000000);
	}
}

static u64 nowhere(const struct fuzzer *f, struct random *r)
{
	/* A bare board's devices can be executed: what they read as would run. */
	if (f->bare)
		return HOLE + (random_below(r, 1024) & ~3u);
	switch (random_below(r, 6)) {
	case 0: return platform.uart + offset_in(r, 0x1000);
	case 1: return gic(f, r);
	case 2: return PVTIME + offset_in(r, 0x1000);
	default: return hole(f, r);
	}
}

static u64 address(const struct fuzzer *f, struct random *r)
{
	u64 ram_end = platform.ram_base + platform.ram_bytes;

	switch (random_below(r, 12)) {
	case 0:
	case 1:
	case 2: return gic(f, r);
	case 3: return uart(r);
	case 4: return platform.rtc + offset_in(r, 0x1000);
	case 5: return platform.gpio + offset_in(r, 0x1000);
	case 6: return 0x0a000000 + random_below(r, 33) * 0x200 + offset_in(r, 0x200);
	case 7: return f->bare ? HOLE : PVTIME + offset_in(r, 0x1000);
	case 8: return hole(f, r);
	case 9:
		return ram_end - 1 -
		       (random_one_in(r, 2) ? random_below(r, 64) : random_below(r, 8192));
	case 10: return nowhere(f, r);
	default: return (u64)fuzz_work + GUARD + random_below(r, WORK_BYTES - 2 * GUARD);
	}
}

/* What ends this machine or this CPU, or waits with nothing to wake it, is asked for elsewhere or never. */
static bool is_final(const struct fuzzer *f, u64 id)
{
	u32 low = (u32)id;

	if (low >= 0x95c1ba5e && low <= 0x95c1ba6f) /* PSCI 0.1 as QEMU numbers it */
		return true;
	switch (low & ~(u32)CALL_64) {
	case PSCI_CPU_OFF: return f->cpu == 0;
	case PSCI_CPU_SUSPEND32:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_SYSTEM_RESET2_32:
	case 0x8400000b: /* CPU_FREEZE */
	case 0x8400000c: /* CPU_DEFAULT_SUSPEND */
	case 0x8400000e: /* SYSTEM_SUSPEND */ return true;
	default: return false;
	}
}

static u64 call_id(struct random *r)
{
	static const u32 bases[] = {0x84000000, 0xc4000000, 0x80000000, 0xc0000000, 0x80007ff0,
	                            0x80003ff0, 0x84000050, 0xc4000050, 0xc5000020, 0x85000020,
	                            0x86000000, 0xc6000000, 0x8600ff00, 0xc600ff00, 0x82000000,
	                            0x84000060, 0xc4000060, 0xbf00ff00, 0x04000000, 0x06000000};

	if (random_one_in(r, 6))
		return any(r);
	return bases[random_below(r, ARRAY_LEN(bases))] +
	       (random_one_in(r, 4) ? random_below(r, 0x10000) : random_below(r, 24));
}

static void call(struct fuzzer *f, u64 v[VALUES])
{
	struct random *r = &f->random;

	do
		v[0] = call_id(r) | (random_one_in(r, 8) ? random_next(r) << 32 : 0);
	while (is_final(f, v[0]));
	for (unsigned i = 1; i < VALUES; i++)
		v[i] = any(r);
	switch ((u32)v[0] & ~(u32)CALL_64) {
	case PSCI_CPU_ON32:
		/* A CPU that begins where the fuzzer does not want it is lost to it. */
		if (!random_one_in(r, 8))
			v[1] = platform.mpidr[random_below(r, platform.cpu_count)];
		if (f->bare || !random_one_in(r, 4))
			v[2] = (u64)fuzz_entry;
		else
			v[2] = random_one_in(r, 2) ? nowhere(f, r) : (u64)fuzz_entry + 1;
		break;
	case PSCI_AFFINITY_INFO32:
		if (random_one_in(r, 2))
			v[1] = platform.mpidr[random_below(r, platform.cpu_count)];
		v[2] = random_one_in(r, 4) ? v[2] : random_below(r, 5);
		break;
	case MEZZO_LOG & ~(u32)CALL_64:
		v[1] = random_one_in(r, 4) ? v[1] : address(f, r);
		v[2] = random_one_in(r, 4) ? v[2] : random_below(r, 170);
		break;
	default: break;
	}
}

static u64 sgi(struct random *r)
{
	u64 id = random_below(r, 16);

	if (random_one_in(r, 4))
		return any(r);
	if (platform.gic_version == 2)
		return random_below(r, 4) << 24 | random_below(r, 256) << 16 | id;
	return id << 24 | random_below(r, 1u << SGI_TARGETS) |
	       (random_one_in(r, 8) ? random_next(r) & (BIT(40) | BITS(23, 16) | BITS(47, 44)) : 0);
}

static u64 value(struct fuzzer *f, enum value_kind kind)
{
	struct random *r = &f->random;

	switch (kind) {
	case VALUE_ADDRESS: return address(f, r);
	case VALUE_NOWHERE: return nowhere(f, r);
	case VALUE_HIGH: return ~0ul << (16 + random_below(r, 24)) | random_next(r) >> 24;
	case VALUE_SGI: return sgi(r);
	case VALUE_SCTLR: return (any(r) & ~SCTLR_KEPT) | SCTLR_RES1 | (f->mmu ? SCTLR_M : 0);
	case VALUE_TCR: return (any(r) & ~TCR_T0_HALF) | (read_sysreg(tcr_el1) & TCR_T0_HALF);
	case VALUE_TTBR0: return read_sysreg(ttbr0_el1) | random_next(r) << 48;
	case VALUE_RETURN:
		return random_one_in(r, 2)
		               ? (random_next(r) & SPSR_SAFE & ~SPSR_M) | (random_below(r, 4) << 2)
		               : random_next(r) & SPSR_SAFE;
	case VALUE_SMALL: return random_below(r, 8);
	case VALUE_SOON: return random_below(r, 2000);
	case VALUE_DEADLINE: return timer_count() + random_below(r, 50000);
	default: return any(r);
	}
}

void make_values(struct fuzzer *f, u64 v[VALUES], const u8 kind[VALUES])
{
	if (kind[0] == VALUE_CALL) {
		call(f, v);
		return;
	}
	for (unsigned i = 0; i < VALUES; i++) {
		if (kind[i] != VALUE_FIXED)
			v[i] = value(f, (enum value_kind)kind[i]);
	}
}
