// SPDX-License-Identifier: Apache-2.0
/*
 * Data and instruction aborts. Where nothing is, every access form ends in a synchronous external
 * abort with the right class, address and direction, and changes no register. Where a device is,
 * every form gives the right value, with a syndrome or without. A table walk into nowhere is an external abort on that level.
 * Source: Arm ARM, "ESR_EL1", "ISS encoding for an exception from a Data Abort".
 */
#include "test.h"

#include "gic.h"
#include "mmu.h"

#define NOWHERE       0x0b000000ul /* between the last virtio slot and the platform bus */
#define IBRD          0x024
#define SPI           40u
#define PRIORITIES    0xa0a0a0a0u
#define VALUE         0x8182u
#define OLD           0x1122334455667788ul
#define FSC_WALK_L2   0x16
#define BOUNDARY_STEP 0x1000ul

/* One load of `x0` from [x1]; x0 holds OLD before. */
#define LOAD_FORM(fn, insn)                                                    \
	static u64 fn(u64 addr)                                                \
	{                                                                      \
		register u64 x0_ __asm__("x0") = OLD;                          \
		register u64 x1_ __asm__("x1") = addr;                         \
		__asm__ volatile(insn : "+r"(x0_), "+r"(x1_)::"x2", "memory"); \
		return x0_;                                                    \
	}

LOAD_FORM(ld_b, "ldrb w0, [x1]")
LOAD_FORM(ld_h, "ldrh w0, [x1]")
LOAD_FORM(ld_w, "ldr w0, [x1]")
LOAD_FORM(ld_x, "ldr x0, [x1]")
LOAD_FORM(ld_sbw, "ldrsb w0, [x1]")
LOAD_FORM(ld_sbx, "ldrsb x0, [x1]")
LOAD_FORM(ld_shw, "ldrsh w0, [x1]")
LOAD_FORM(ld_shx, "ldrsh x0, [x1]")
LOAD_FORM(ld_sw, "ldrsw x0, [x1]")
LOAD_FORM(ld_aw, "ldar w0, [x1]")
LOAD_FORM(ld_ab, "ldarb w0, [x1]")
LOAD_FORM(ld_offset, "sub x1, x1, #16\n\tldr w0, [x1, #16]")
LOAD_FORM(ld_index, "mov x2, #8\n\tsub x1, x1, #8\n\tldr w0, [x1, x2]")
LOAD_FORM(st_b, "strb w0, [x1]")
LOAD_FORM(st_h, "strh w0, [x1]")
LOAD_FORM(st_w, "str w0, [x1]")
LOAD_FORM(st_x, "str x0, [x1]")
LOAD_FORM(st_lw, "stlr w0, [x1]")
LOAD_FORM(st_zero, "str wzr, [x1]")
LOAD_FORM(ld_zero, "ldr wzr, [x1]")
LOAD_FORM(ld_post, "ldr w0, [x1], #4")
LOAD_FORM(ld_pre, "sub x1, x1, #4\n\tldr w0, [x1, #4]!")
LOAD_FORM(ld_pair, "ldp w0, w2, [x1]")
LOAD_FORM(ld_excl, "ldxr w0, [x1]")
LOAD_FORM(st_post, "str w0, [x1], #4")
LOAD_FORM(st_pair, "stp w0, w0, [x1]")

struct form {
	const char *name;
	u64 (*run)(u64 addr);
	bool write;
};

static const struct form forms[] = {
        {"ldrb", ld_b, false},
        {"ldrh", ld_h, false},
        {"ldr w", ld_w, false},
        {"ldr x", ld_x, false},
        {"ldrsb w", ld_sbw, false},
        {"ldrsb x", ld_sbx, false},
        {"ldrsh w", ld_shw, false},
        {"ldrsh x", ld_shx, false},
        {"ldrsw", ld_sw, false},
        {"ldar w", ld_aw, false},
        {"ldarb", ld_ab, false},
        {"ldr w, offset", ld_offset, false},
        {"ldr w, register", ld_index, false},
        {"ldr wzr", ld_zero, false},
        {"strb", st_b, true},
        {"strh", st_h, true},
        {"str w", st_w, true},
        {"str x", st_x, true},
        {"stlr w", st_lw, true},
        {"str wzr", st_zero, true},
        {"ldr post-index", ld_post, false},
        {"ldr pre-index", ld_pre, false},
        {"ldp", ld_pair, false},
        {"ldxr", ld_excl, false},
        {"str post-index", st_post, true},
        {"stp", st_pair, true},
};

static void expect_sea(const struct exc_record *r, u64 addr, bool write, const char *what)
{
	group_eq(r->count, 1, "%s: one exception", what);
	group_eq(r->vector, 4, "%s: its vector", what);
	group_eq(exc_class(r), EC_DABT, "%s: class", what);
	group_eq(FIELD_GET(ESR_DFSC, r->esr), FSC_SEA, "%s: fault status", what);
	group_eq((r->esr & ESR_WNR) != 0, write, "%s: direction", what);
	group_eq(r->esr & (ESR_FNV | ESR_CM), 0, "%s: address valid, no cache operation", what);
	group_eq((r->esr & ESR_IL) != 0, true, "%s: length", what);
	group_eq(r->far, addr, "%s: address", what);
	group_eq(r->spsr & SPSR_M, SPSR_EL1H, "%s: mode", what);
}

static void test_nowhere(void)
{
	group_begin("aborts-nothing-there");
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		u64 got = OLD;
		struct exc_record r = EXC_OF(got = forms[i].run(NOWHERE + 8 * i));

		expect_sea(&r, NOWHERE + 8 * i, forms[i].write, forms[i].name);
		group_eq(got, OLD, "%s: register untouched", forms[i].name);
	}
	group_end();

	group_begin("aborts-edges");
	u64 end = platform.ram_base + platform.ram_bytes;
	for (u64 at = end; at < end + 4 * BOUNDARY_STEP; at += BOUNDARY_STEP) {
		struct exc_record r = EXC_OF(ld_w(at));

		expect_sea(&r, at, false, "above RAM");
	}
	/* Beyond what most machines can address; QEMU virt has nothing there either. */
	for (unsigned bit = 31; bit < 38; bit++) {
		struct exc_record r = EXC_OF(st_w(BIT(bit) + platform.ram_bytes));

		expect_sea(&r, BIT(bit) + platform.ram_bytes, true, "power of two");
	}
	group_end();
}

/*
 * Unaligned on device memory: an alignment fault on real CPUs; emulated ones may let it through
 * to the device. Whatever it is, the address in FAR is right and the machine lives on.
 */
static void test_unaligned(void)
{
	static const u64 offsets[] = {IBRD + 1, IBRD + 2, IBRD + 3, 0xffe, 0xfff};

	group_begin("aborts-unaligned");
	for (unsigned i = 0; i < ARRAY_LEN(offsets); i++) {
		u64 addr = platform.uart + offsets[i];
		struct exc_record r = EXC_OF(ld_w(addr));

		group_eq(r.count <= 1, true, "0x%lx: at most one exception", addr);
		if (r.count == 0)
			continue;
		group_eq(exc_class(&r), EC_DABT, "0x%lx: class", addr);
		group_eq(r.far >= addr && r.far < addr + sizeof(u32), true, "0x%lx: address", addr);
	}
	group_end();
}

static void test_values(void)
{
	u64 ibrd = platform.uart + IBRD, prio = platform.gicd + GICD_IPRIORITYR + SPI;

	group_begin("aborts-device-loads");
	write32(ibrd, VALUE);
	group_eq(ld_b(ibrd), 0x82, "ldrb");
	group_eq(ld_h(ibrd), 0x8182, "ldrh");
	group_eq(ld_w(ibrd), 0x8182, "ldr w clears the upper half");
	group_eq(ld_sbw(ibrd), 0xffffff82, "ldrsb w");
	group_eq(ld_sbx(ibrd), 0xffffffffffffff82, "ldrsb x");
	group_eq(ld_shw(ibrd), 0xffff8182, "ldrsh w");
	group_eq(ld_shx(ibrd), 0xffffffffffff8182, "ldrsh x");
	group_eq(ld_aw(ibrd), 0x8182, "ldar w");
	group_eq(ld_ab(ibrd), 0x82, "ldarb");
	group_eq(ld_offset(ibrd), 0x8182, "ldr w, offset");
	group_eq(ld_index(ibrd), 0x8182, "ldr w, register");
	group_eq(ld_zero(ibrd), OLD, "ldr wzr");
	write32(prio, PRIORITIES);
	group_eq(ld_w(prio), PRIORITIES, "ldr w, bit 31");
	group_eq(ld_sw(prio), 0xffffffff00000000ul | PRIORITIES, "ldrsw");
	group_end();

	group_begin("aborts-device-stores");
	st_w(ibrd);
	group_eq(read32(ibrd) & 0xffff, OLD & 0xffff, "str w");
	st_zero(ibrd);
	group_eq(read32(ibrd), 0, "str wzr");
	st_h(ibrd);
	group_eq(read32(ibrd) & 0xffff, OLD & 0xffff, "strh");
	st_zero(ibrd);
	st_b(ibrd);
	group_eq(read32(ibrd) & 0xff, OLD & 0xff, "strb");
	st_zero(ibrd);
	st_lw(ibrd);
	group_eq(read32(ibrd) & 0xffff, OLD & 0xffff, "stlr w");
	st_zero(ibrd);
	group_end();
}

/* Every register can be the target. */
static void test_targets(void)
{
#define TARGET(n)                                                                            \
	{                                                                                    \
		u64 got_, addr_ = platform.uart + IBRD;                                      \
		__asm__ volatile("mov x20, x" #n "\n\tmov x21, %1\n\tldr w" #n ", [x21]\n\t" \
		                 "mov %0, x" #n "\n\tmov x" #n ", x20"                       \
		                 : "=&r"(got_)                                               \
		                 : "r"(addr_)                                                \
		                 : "x20", "x21", "x" #n, "memory");                          \
		group_eq(got_, VALUE, "w" #n);                                               \
	}
	group_begin("aborts-targets");
	write32(platform.uart + IBRD, VALUE);
	TARGET(0)
	TARGET(1)
	TARGET(2)
	TARGET(7)
	TARGET(8)
	TARGET(15)
	TARGET(16)
	TARGET(17)
	TARGET(18)
	TARGET(19)
	TARGET(25)
	TARGET(28)
	TARGET(30)
	write32(platform.uart + IBRD, 0);
	group_end();
}

/* No syndrome: carried out all the same. forms.c has them all. */
static void test_no_syndrome(void)
{
	static const struct form loads[] = {
	        {"ldr post-index", ld_post, false},
	        {"ldr pre-index", ld_pre, false},
	        {"ldp", ld_pair, false},
	};
	u64 ibrd = platform.uart + IBRD;

	group_begin("aborts-no-syndrome");
	write32(ibrd, VALUE);
	for (unsigned i = 0; i < ARRAY_LEN(loads); i++) {
		u64 got = OLD;
		struct exc_record r = EXC_OF(got = loads[i].run(ibrd));

		group_eq(r.count, 0, "%s: exceptions", loads[i].name);
		group_eq(got, VALUE, "%s: value", loads[i].name);
	}
	write32(ibrd, 0);
	group_end();
}

static void expect_fetch_abort(const struct exc_record *r, u64 addr, const char *what)
{
	group_eq(r->count, 1, "%s: one exception", what);
	group_eq(exc_class(r), EC_IABT, "%s: class", what);
	group_eq(FIELD_GET(ESR_DFSC, r->esr), FSC_SEA, "%s: fault status", what);
	group_eq(r->far, addr, "%s: address", what);
	group_eq(r->elr, addr, "%s: return address", what);
}

static void test_fetch(void)
{
	struct exc_record low, high, device = {0};

	/* Without stage 1, nothing but the machine itself can object. */
	mmu_disable();
	low = EXC_OF(exc_call(NOWHERE));
	high = EXC_OF(exc_call(platform.ram_base + platform.ram_bytes + BOUNDARY_STEP));
	if (test_under_mezzo())
		device = EXC_OF(exc_call(platform.uart));
	mmu_enable();

	group_begin("aborts-fetch");
	expect_fetch_abort(&low, NOWHERE, "nothing there");
	expect_fetch_abort(&high, platform.ram_base + platform.ram_bytes + BOUNDARY_STEP,
	                   "above RAM");
	if (test_under_mezzo())
		expect_fetch_abort(&device, platform.uart, "a device");
	group_end();
}

static void test_walk(void)
{
	u64 addr = mmu_break_walk(NOWHERE);
	struct exc_record r = EXC_OF(ld_w(addr));

	mmu_mend_walk();
	group_begin("aborts-table-walk");
	group_eq(r.count, 1, "one exception");
	group_eq(exc_class(&r), EC_DABT, "class");
	group_eq(FIELD_GET(ESR_DFSC, r.esr), FSC_WALK_L2, "external abort on a level 2 walk");
	group_eq(r.far, addr, "address");
	group_end();
}

void test_main(void)
{
	test_nowhere();
	test_unaligned();
	test_values();
	test_targets();
	test_no_syndrome();
	test_fetch();
	test_walk();
}
