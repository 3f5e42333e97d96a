// SPDX-License-Identifier: Apache-2.0
/*
 * Classes H8, H14, H15, H16: what calls do with memory that they are pointed at, what comes out that nobody put
 * in, and arguments as large, as small and as wrong as they can be.
 * Source: docs/hypercalls.md; SMC Calling Convention; Arm PSCI; threats H14 to H16 in kind.
 */
#include "hostile.h"

#define LOG_MOST        160u
#define OK              0ul
#define NOT_THERE       ((u64)-1)
#define TOO_LONG        ((u64)-2)
#define NO_MEMORY       ((u64)-3)
#define STOLEN          0x090a0000ul
#define STOLEN_EACH     64u
#define PV_TIME_ST_CALL 0xc5000021u
#define HYP_UID         0x8600ff01u
#define HVC0            0xd4000002u
#define SMC0            0xd4000003u
#define HVC_FFFF        0xd41fffe2u
#define SMC_1           0xd4000023u
#define EC_HVC          0x16
#define EC_SMC          0x17
#define LIFETIMES       3u

static const u64 extremes[] = {0,           1,       ~0ul,        ~0ul - 1, BIT(63),
                               BIT(63) - 1, BIT(32), BIT(32) - 1, BIT(31),  0xfffffffffffff000ul};

static u64 log_of(u64 address, u64 length)
{
	u64 regs[SMCCC_REGS];

	return call4(false, MEZZO_LOG, address, length, 0, regs);
}

/* --- H14: buffers --------------------------------------------------------------------------------- */

static void log_behind_memory(void)
{
	want_eq(log_of(ram_end(), 8), NO_MEMORY, "behind memory");
	want_eq(log_of(platform.ram_base - 8, 8), NO_MEMORY, "below memory");
}

static void log_across_end(void)
{
	want_eq(log_of(ram_end() - 8, 9), NO_MEMORY, "one byte too many");
	want_eq(log_of(platform.ram_base - 1, 2), NO_MEMORY, "one byte too early");
}

static void log_wraps(void)
{
	want_eq(log_of(~0ul, 2), NO_MEMORY, "the last byte and one more");
	want_eq(log_of(~0ul - 7, 160), NO_MEMORY, "through the top");
	want_eq(log_of(0ul - LOG_MOST, LOG_MOST), NO_MEMORY, "up to the top");
}

static void log_device(void)
{
	want_eq(log_of(platform.uart, 4), NO_MEMORY, "the UART");
	want_eq(log_of(platform.gicd, 160), NO_MEMORY, "the interrupt controller");
}

static void log_stolen(void)
{
	u64 v = log_of(STOLEN, 16);

	want_true(v == NO_MEMORY || v == OK, "the page of stolen time: 0x%lx", v);
	want_eq(read32(STOLEN), 0, "its revision");
}

static void log_too_long(void)
{
	static const u64 lengths[] = {LOG_MOST + 1, 4096,    BIT(31), BIT(32),
	                              BIT(32) + 8,  BIT(63), ~0ul,    ~0ul - 159};

	for (u32 i = 0; i < ARRAY_LEN(lengths); i++)
		want_eq(log_of((u64)case_memory, lengths[i]), TOO_LONG, "length 0x%lx", lengths[i]);
}

static void log_nothing(void)
{
	u64 in = log_of((u64)case_memory, 0), out = log_of(ram_end() + GIB, 0);

	want_eq(in, OK, "no byte of memory");
	want_true(out == OK || out == NO_MEMORY, "no byte of nothing: 0x%lx", out);
}

static void log_high_bits(void)
{
	static const u64 high[] = {BIT(40), BIT(48), BIT(52), BIT(56), BIT(63)};

	for (u32 i = 0; i < ARRAY_LEN(high); i++)
		want_eq(log_of((u64)case_memory | high[i], 8), NO_MEMORY, "address with 0x%lx",
		        high[i]);
}

static void log_keeps_buffer(void)
{
	for (u32 i = 0; i < LOG_MOST; i++)
		case_memory[i] =
		        (u8)(i * 7 + 1); /* with escapes, controls and bytes beyond 7 bits */
	want_eq(log_of((u64)case_memory, LOG_MOST), OK, "unprintable bytes");
	for (u32 i = 0; i < LOG_MOST; i++)
		want_eq(case_memory[i], (u8)(i * 7 + 1), "byte %u afterwards", i);
}

/* Stage 1 has no say: the address is physical, whatever this EL1 maps there. */
static void log_unmapped(void)
{
	u64 block = platform.ram_base + 12 * MIB;

	mmu_unmap(block);
	u64 v = log_of(block, 16);
	mmu_map_user(block);
	want_eq(v, OK, "a physical address that stage 1 does not map");
}

static void log_unaligned(void)
{
	for (u64 i = 0; i < 16; i++)
		want_eq(log_of((u64)case_memory + PAGE_BYTES - 8 + i, 16), OK,
		        "across a page, %lu bytes in", i);
}

static volatile bool racer_stop;

static void racer(u64 arg)
{
	(void)arg;
	for (u32 i = 0; !racer_stop; i++) {
		for (u32 at = 0; at < LOG_MOST; at++)
			*(volatile u8 *)&case_memory[at] = (u8)(i + at);
	}
}

/* Bytes that change under the reader's hands: each is looked at once. */
static void log_race(void)
{
	racer_stop = false;
	smp_post(1, racer, 0);
	for (u32 i = 0; i < 300; i++)
		want_eq(log_of((u64)case_memory, LOG_MOST), OK, "call %u", i);
	racer_stop = true;
	want_true(smp_wait(1, 1000000), "the writer ends");
}

static void calls_at_el0(void)
{
	static const u32 calls[] = {HVC0, SMC0};

	for (u32 i = 0; i < ARRAY_LEN(calls); i++) {
		u64 regs[15] = {PSCI_SYSTEM_OFF};
		struct exc_record r = case_el0(&calls[i], 1, regs);

		want_eq(exc_class(&r), EC_UNKNOWN, "0x%x at EL0", calls[i]);
		want_eq(r.vector, VEC_LOW64, "vector");
	}
}

/* --- H8: memory that is given away ------------------------------------------------------------------ */

/* Numbers by which others share, unshare and give back: Mezzo has none, and the page stays. */
static void share_calls(void)
{
	static const u32 calls[] = {
	        0xc6000004, 0xc6000005, 0xc6000006, 0xc6000007, /* KVM's share, unshare, guard */
	        0x8400006c, 0x84000071, 0x84000072, 0x84000074, /* FF-A's donate to reclaim */
	        0xc4000071, 0xc4000072, 0xc4000073,             /* the same with 64 bits */
	};
	u64 regs[SMCCC_REGS], page = (u64)case_memory;

	for (u32 i = 0; i < ARRAY_LEN(calls); i++) {
		write64(page, i + 77);
		want_eq((u64)(s64)(s32)call4(false, calls[i], page, 1, 0, regs), NOT_THERE,
		        "call 0x%x", calls[i]);
		want_eq(read64(page), i + 77, "the page after call 0x%x", calls[i]);
		write64(page, i);
		want_eq(read64(page), i, "a store to the page after call 0x%x", calls[i]);
	}
}

/* MEM_PROTECT and its range check are optional; without them nothing is promised. */
static void mem_protect(void)
{
	u64 regs[SMCCC_REGS];

	want_eq((u64)(s64)(s32)call4(false, 0x84000013, 1, 0, 0, regs), NOT_THERE, "MEM_PROTECT");
	want_eq((u64)(s64)(s32)call4(false, 0x84000014, platform.ram_base, 4096, 0, regs),
	        NOT_THERE, "its range check");
	want_eq((u64)(s64)(s32)call4(false, 0x8400000a, 0x84000013, 0, 0, regs), NOT_THERE,
	        "and PSCI_FEATURES agrees");
}

/* --- H15: what nobody put there ----------------------------------------------------------------------- */

/* All memory but what is known to be in use: image, tree, blocks of EL0. */
static void memory_is_zero(void)
{
	extern char _image_end[];
	u64 tree = ALIGN_DOWN(platform.tree, 2 * MIB), found = 0, where = 0;

	for (u64 at = ALIGN_UP((u64)_image_end, 2 * MIB); at < ram_end(); at += 8) {
		if (at - tree < 2 * MIB || at - (platform.ram_base + 8 * MIB) < 6 * MIB)
			continue;
		if (read64(at) != 0 && found++ == 0)
			where = at;
	}
	want_eq(found, 0, "words that are not zero, first at 0x%lx", where);
}

static void memory_below_image(void)
{
	u64 found = 0;

	for (u64 at = platform.ram_base; at < platform.image_base; at += 8)
		found += read64(at) != 0;
	want_eq(found, 0, "words that are not zero between memory's start and the image");
}

static void stolen_page(void)
{
	for (u64 at = 0; at < PAGE_BYTES; at += 8) {
		u64 v = read64(STOLEN + at);
		if (at % STOLEN_EACH != 8)
			want_eq(v, 0, "word at 0x%lx of the page of stolen time", at);
		else if (at / STOLEN_EACH >= platform.cpu_count)
			want_eq(v, 0, "stolen time of a CPU that does not exist");
	}
}

/* Registers that a call does not name come back as they went in. */
static void kept_by(u64 function, u64 a1, u32 results, const char *what)
{
	for (u32 smc = 0; smc < 2; smc++) {
		u64 regs[SMCCC_REGS];

		(void)call4(smc != 0, function, a1, 0x2222, 0x3333, regs);
		for (u32 i = 4; i < SMCCC_REGS; i++)
			want_eq(regs[i], 0xabcd0000 + i, "x%u after %s", i, what);
		if (results < 2)
			want_eq(regs[1], a1, "x1 after %s", what);
		if (results < 3)
			want_eq(regs[2], 0x2222, "x2 after %s", what);
		if (results < 4)
			want_eq(regs[3], 0x3333, "x3 after %s", what);
	}
}

static void replies_known(void)
{
	kept_by(PSCI_VERSION, 0x1111, 1, "PSCI_VERSION");
	kept_by(PSCI_FEATURES, PSCI_VERSION, 1, "PSCI_FEATURES");
	kept_by(SMCCC_VERSION, 0x1111, 1, "SMCCC_VERSION");
	kept_by(MEZZO_NULL, 0x1111, 1, "Mezzo's null call");
	kept_by(MEZZO_WHO, 0x1111, 2, "Mezzo's self call");
	kept_by(HYP_UID, 0x1111, 4, "CALL_UID");
	kept_by(PV_TIME_ST_CALL, 0x1111, 1, "PV_TIME_ST");
}

static void replies_unknown(void)
{
	static const u32 unknown[] = {0x80001234, 0x81000000, 0x82000001, 0x83000002,
	                              0xc60000ff, 0xb2000000, 0x00000000, 0x12345678};

	for (u32 i = 0; i < ARRAY_LEN(unknown); i++)
		kept_by(unknown[i], 0x1111, 1, "an unknown call");
}

/* A load narrower than its register clears what is above; Mezzo's own value must not show there. */
static void device_upper_bits(void)
{
	u64 v = ~0ul;

	__asm__ volatile("ldr %w0, [%1]" : "+r"(v) : "r"(platform.uart + 0x18) : "memory");
	want_eq(v >> 32, 0, "upper half after a 32-bit load");
	v = ~0ul;
	__asm__ volatile("ldrb %w0, [%1]" : "+r"(v) : "r"(platform.uart + 0x18) : "memory");
	want_eq(v >> 8, 0, "upper bits after an 8-bit load");
	v = ~0ul;
	__asm__ volatile("ldrsb %w0, [%1]" : "+r"(v) : "r"(platform.uart + 0xff8) : "memory");
	want_eq(v >> 32, 0, "upper half after a signed load to 32 bits");
	want_eq((u32)v, 5, "PCellID2, signed");
	v = ~0ul;
	__asm__ volatile("ldrsb %0, [%1]" : "+r"(v) : "r"(platform.uart + 0xffc) : "memory");
	want_eq(v, 0xffffffffffffffb1, "PCellID3, signed to 64 bits");
}

/* An abort leaves the register that it was for alone. */
static void aborted_load(void)
{
	u64 v = 0x1234567887654321;
	struct exc_record r = EXC_OF(__asm__ volatile("ldr %0, [%1]"
	                                              : "+r"(v)
	                                              : "r"(ram_end())
	                                              : "memory"));

	want_abort(&r, ram_end(), "load behind memory");
	want_eq(v, 0x1234567887654321, "its register");
	want_eq(r.esr & BITS(24, 14) & ~BIT(24), 0,
	        "syndrome of the abort: nothing of the access's own");
}

/* Reads and the ends of sleep leave PSTATE's flags alone. */
static void flags_kept(void)
{
	u64 flags, regs[SMCCC_REGS];

	__asm__ volatile("mov x9, #0xb0000000\n\tmsr nzcv, x9\n\tldr w9, [%1]\n\tmrs %0, nzcv"
	                 : "=r"(flags)
	                 : "r"(platform.uart + 0x18)
	                 : "x9", "cc", "memory");
	want_eq(flags, 0xb0000000, "flags after a device");
	__asm__ volatile("mov x0, #0x60000000\n\tmsr nzcv, x0\n\tmov x0, #0x84000000\n\thvc "
	                 "#0\n\tmrs %0, nzcv"
	                 : "=r"(flags)::"x0", "x1", "x2", "x3", "cc", "memory");
	want_eq(flags, 0x60000000, "flags after a call");
	want_eq(call4(false, MEZZO_NULL, 0, 0, 0, regs), 0, "a call afterwards");
}

/* --- H16: arguments ------------------------------------------------------------------------------------ */

static void mezzo_extremes(void)
{
	u64 regs[SMCCC_REGS];

	for (u32 call = 0; call < 3; call++) {
		for (u32 i = 0; i < ARRAY_LEN(extremes); i++) {
			u64 first = call4(false, MEZZO_VERSION + call, extremes[i], extremes[i],
			                  extremes[i], regs);
			want_eq(call4(true, MEZZO_VERSION + call, ~extremes[i], 0, extremes[i],
			              regs),
			        first, "call %u whatever the arguments are", call);
		}
	}
}

static void log_extremes(void)
{
	for (u32 a = 0; a < ARRAY_LEN(extremes); a++) {
		for (u32 b = 0; b < ARRAY_LEN(extremes); b++) {
			u64 v = log_of(extremes[a], extremes[b]);
			want_true(v == TOO_LONG || v == NO_MEMORY || (v == OK && extremes[b] == 0),
			          "0x%lx, 0x%lx: 0x%lx", extremes[a], extremes[b], v);
		}
	}
}

/* The upper half of the function number is not part of it. */
static void wide_function(void)
{
	u64 regs[SMCCC_REGS];

	u64 v = call4(false, PSCI_VERSION | BIT(32), 0, 0, 0, regs);
	want_true((u32)v == 0x10001 || (s32)v == -1, "PSCI_VERSION + 2^32: 0x%lx", v);
	v = call4(false, 0xffffffff00000000ul | MEZZO_NULL, 0, 0, 0, regs);
	want_true(v == 0 || v == NOT_THERE, "the null call with an upper half: 0x%lx", v);
}

static void psci_targets(void)
{
	u64 regs[SMCCC_REGS];
	static const u64 absent_cpus[] = {
	        8,       255,     256,     0x10000, BIT(32),           BIT(39),
	        BIT(24), BIT(31), BIT(63), ~0ul,    0x8000000080000000};

	for (u32 i = 0; i < ARRAY_LEN(absent_cpus); i++) {
		s64 v = (s64)call4(false, PSCI_CPU_ON64, absent_cpus[i], (u64)smp_entry, 0, regs);
		want_eq((u64)v, (u64)PSCI_INVALID, "CPU_ON of 0x%lx", absent_cpus[i]);
		v = (s64)call4(false, PSCI_AFFINITY_INFO64, absent_cpus[i], 0, 0, regs);
		want_eq((u64)v, (u64)PSCI_INVALID, "AFFINITY_INFO of 0x%lx", absent_cpus[i]);
	}
}

static void psci_self(void)
{
	u64 regs[SMCCC_REGS];

	want_eq(call4(false, PSCI_CPU_ON64, platform.mpidr[0], (u64)smp_entry, 0, regs),
	        (u64)PSCI_ALREADY_ON, "CPU_ON of itself");
	want_eq(call4(false, PSCI_AFFINITY_INFO64, platform.mpidr[0], 0, 0, regs), PSCI_AFFINITY_ON,
	        "AFFINITY_INFO of itself");
	for (u64 level = 4; level < 8; level++)
		want_eq(call4(false, PSCI_AFFINITY_INFO64, platform.mpidr[0], level, 0, regs),
		        (u64)PSCI_INVALID, "level %lu", level);
	want_eq(call4(false, PSCI_AFFINITY_INFO64, platform.mpidr[0], ~0ul, 0, regs),
	        (u64)PSCI_INVALID, "level -1");
}

static void psci_entries(void)
{
	u64 regs[SMCCC_REGS];
	const u64 entries[] = {0,
	                       ~0ul,
	                       platform.uart,
	                       ram_end(),
	                       platform.ram_base - 4,
	                       (u64)smp_entry + 1,
	                       (u64)smp_entry + 2,
	                       BIT(63)};

	want_eq(call4(false, PSCI_CPU_OFF | BIT(30), 0, 0, 0, regs), NOT_THERE,
	        "CPU_OFF has no 64-bit form");
	for (u32 i = 0; i < ARRAY_LEN(entries); i++) {
		s64 v = (s64)call4(false, PSCI_CPU_ON64, platform.mpidr[1], entries[i], 0, regs);
		want_true(v == PSCI_INVALID_ADDRESS || v == PSCI_ALREADY_ON, "entry 0x%lx: %ld",
		          entries[i], v);
	}
}

static void psci_reset_types(void)
{
	u64 regs[SMCCC_REGS];

	for (u32 i = 1; i < ARRAY_LEN(extremes); i++) {
		u64 type = extremes[i];
		if ((u32)type == 0)
			continue; /* that one is a reset */
		want_eq((u64)(s64)(s32)call4(false, PSCI_SYSTEM_RESET2_32, type, 0, 0, regs),
		        (u64)PSCI_INVALID, "SYSTEM_RESET2 of type 0x%lx", type);
	}
}

static void psci_suspend_states(void)
{
	u64 regs[SMCCC_REGS];
	static const u64 states[] = {BIT(31), BIT(26), BIT(17), BITS(31, 26), ~0ul};

	for (u32 i = 0; i < ARRAY_LEN(states); i++)
		want_eq(call4(false, PSCI_CPU_SUSPEND64, states[i], (u64)smp_entry, 0, regs),
		        (u64)PSCI_INVALID, "state 0x%lx", states[i]);
	want_eq(call4(false, PSCI_CPU_SUSPEND64, BIT(16), ram_end(), 0, regs),
	        (u64)PSCI_INVALID_ADDRESS, "power down to nowhere");
}

static void trng_sizes(void)
{
	u64 regs[SMCCC_REGS];
	static const u64 sizes[] = {0, 193, 256, BIT(31), BIT(32) + 200, ~0ul};

	if ((s32)call4(false, TRNG_VERSION, 0, 0, 0, regs) == -1)
		absent("no random numbers here");
	for (u32 i = 0; i < ARRAY_LEN(sizes); i++)
		want_eq(call4(false, TRNG_RND64, sizes[i], 0, 0, regs), (u64)-2, "%lu bits",
		        sizes[i]);
	want_eq(call4(false, TRNG_RND64, 1, 7, 7, regs), 0, "one bit");
	want_eq(regs[1] | regs[2] | (regs[3] & ~1ul), 0, "and no more than that");
	want_eq(call4(false, TRNG_RND32, 33, 7, 7, regs), 0, "33 bits in words of 32");
	want_eq(regs[1] | (regs[2] & ~1ul) | regs[3] >> 32, 0, "and no more than that");
}

static void feature_questions(void)
{
	u64 regs[SMCCC_REGS];

	for (u32 i = 0; i < ARRAY_LEN(extremes); i++) {
		if ((u32)extremes[i] != SMCCC_VERSION)
			want_eq((u64)(s64)(s32)call4(false, SMCCC_ARCH_FEATURES, extremes[i], 0, 0,
			                             regs),
			        NOT_THERE, "ARCH_FEATURES of 0x%lx", extremes[i]);
		if ((u32)extremes[i] != SMCCC_VERSION)
			want_eq((u64)(s64)(s32)call4(false, PSCI_FEATURES, extremes[i], 0, 0, regs),
			        NOT_THERE, "PSCI_FEATURES of 0x%lx", extremes[i]);
		want_eq((u64)(s64)(s32)call4(false, PV_TIME_FEATURES, extremes[i], 0, 0, regs),
		        NOT_THERE, "PV_TIME_FEATURES of 0x%lx", extremes[i]);
	}
}

/* Other immediates than 0 are nobody's. */
static void immediates(void)
{
	static const u32 calls[] = {HVC_FFFF, SMC_1, 0xd4000022 /* hvc #1 */,
	                            0xd41d54c2 /* hvc #0xeaa6 */};

	for (u32 i = 0; i < ARRAY_LEN(calls); i++) {
		u64 x0 = PSCI_SYSTEM_OFF;
		struct exc_record r = code_run(calls[i], &x0);

		want_true(exc_class(&r) == EC_UNKNOWN || x0 == NOT_THERE, "0x%x: x0 = 0x%lx",
		          calls[i], x0);
	}
}

/* Wrong, and wrong once more: no lock was left held by the first. */
static void twice(void)
{
	u64 regs[SMCCC_REGS];

	for (u32 i = 0; i < 50; i++) {
		want_eq(log_of(ram_end(), 1), NO_MEMORY, "round %u", i);
		want_eq(log_of((u64)case_memory, 161), TOO_LONG, "round %u", i);
		want_eq(call4(false, PSCI_CPU_ON64, 99, 0, 0, regs), (u64)PSCI_INVALID, "round %u",
		        i);
		want_eq(log_of((u64)case_memory, 0), OK, "round %u", i);
	}
}

static void call_storm(u64 arg)
{
	u64 regs[SMCCC_REGS];

	for (u32 i = 0; i < 500; i++) {
		(void)log_of(extremes[(i + arg) % ARRAY_LEN(extremes)],
		             extremes[i % ARRAY_LEN(extremes)]);
		(void)call4(i % 2 != 0, PSCI_AFFINITY_INFO64, extremes[i % ARRAY_LEN(extremes)], 0,
		            0, regs);
	}
}

static void everybody_at_once(void)
{
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		smp_post(cpu, call_storm, cpu);
	call_storm(0);
	for (unsigned cpu = 1; cpu < platform.cpu_count; cpu++)
		want_true(smp_wait(cpu, 5000000), "CPU %u is done", cpu);
	want_eq(log_of((u64)case_memory, 0), OK, "a right call afterwards");
}

CASES(rows) = {
        {"H8.1", "Tries the numbers by which other hypervisors take memory back.",
         "NOT_SUPPORTED; the page stays as it is.", share_calls, NEEDS_MEZZO, 0},
        {"H8.2", "Asks for memory protection over reset.", "NOT_SUPPORTED, as PSCI_FEATURES says.",
         mem_protect, NEEDS_MEZZO, 0},
        {"H14.1", "A call with a buffer outside its memory.", "-3.", log_behind_memory, NEEDS_MEZZO,
         0},
        {"H14.2", "A buffer that crosses an end of memory.", "-3.", log_across_end, NEEDS_MEZZO, 0},
        {"H14.3", "A buffer that wraps round the top of the address space.", "-3.", log_wraps,
         NEEDS_MEZZO, 0},
        {"H14.4", "A buffer in a device.", "-3, and the device sees nothing.", log_device,
         NEEDS_MEZZO, 0},
        {"H14.5", "A buffer in a page that is shared read-only.",
         "Its bytes or -3; the page stays.", log_stolen, NEEDS_MEZZO, 0},
        {"H14.6", "A buffer longer than a line may be, up to 2^64 - 1.", "-2.", log_too_long,
         NEEDS_MEZZO, 0},
        {"H14.7", "No bytes at all.", "0, or -3 where nothing is.", log_nothing, NEEDS_MEZZO, 0},
        {"H14.8", "An address with bits above the largest.", "-3.", log_high_bits, NEEDS_MEZZO, 0},
        {"H14.9", "Bytes that move cursors.", "0; the buffer is only read.", log_keeps_buffer,
         NEEDS_MEZZO, 0},
        {"H14.10", "A physical address that stage 1 does not map.", "0.", log_unmapped, NEEDS_MEZZO,
         0},
        {"H14.11", "Buffers across a page, at every alignment.", "0.", log_unaligned, NEEDS_MEZZO,
         0},
        {"H14.12", "Another CPU writes the buffer all the time.", "0 each time.", log_race,
         NEEDS_MEZZO | NEEDS_SMP, 0},
        {"H14.13", "HVC and SMC at EL0, with the number that switches off.", "Undefined at EL1.",
         calls_at_el0, 0, 0},
        {"H15.1", "Looks through all its memory.", "Zeroes.", memory_is_zero, NEEDS_MEZZO, 0},
        {"H15.2", "Looks between memory's start and its image.", "Zeroes.", memory_below_image,
         NEEDS_MEZZO, 0},
        {"H15.3", "Looks through the page of stolen time.", "Its own figures and zeroes.",
         stolen_page, NEEDS_MEZZO, 0},
        {"H15.4", "Looks at x1 to x17 after known calls, both conduits.",
         "Results, and what was there.", replies_known, NEEDS_MEZZO, 0},
        {"H15.5", "The same after unknown calls.", "What was there.", replies_unknown, NEEDS_MEZZO,
         0},
        {"H15.6", "Loads from a device into parts of a register.",
         "Extended as the instruction says.", device_upper_bits, NEEDS_MEZZO, 0},
        {"H15.7", "A load that aborts.", "Its register is kept; the syndrome says nothing else.",
         aborted_load, NEEDS_MEZZO, 0},
        {"H15.8", "Looks at flags after a device and a call.", "What was there.", flags_kept,
         NEEDS_MEZZO, 0},
        {"H16.1", "Mezzo's own calls with the largest, smallest and oddest arguments.",
         "The same answer.", mezzo_extremes, NEEDS_MEZZO, 0},
        {"H16.2", "The call with a buffer, every pair of such arguments.",
         "-2, -3, or 0 for no bytes.", log_extremes, NEEDS_MEZZO, 0},
        {"H16.3", "Function numbers with an upper half.",
         "The lower half counts, or NOT_SUPPORTED.", wide_function, NEEDS_MEZZO, 0},
        {"H16.4", "CPU_ON and AFFINITY_INFO of CPUs that cannot be.", "INVALID_PARAMETERS.",
         psci_targets, NEEDS_MEZZO, 0},
        {"H16.5", "CPU_ON and AFFINITY_INFO of itself, at every level.",
         "ALREADY_ON, ON, INVALID_PARAMETERS.", psci_self, NEEDS_MEZZO, 0},
        {"H16.6", "CPU_ON to addresses that are no entry.", "INVALID_ADDRESS or ALREADY_ON.",
         psci_entries, NEEDS_MEZZO | NEEDS_SMP, 0},
        {"H16.7", "SYSTEM_RESET2 of types that nobody has defined.", "INVALID_PARAMETERS.",
         psci_reset_types, NEEDS_MEZZO, 0},
        {"H16.8", "CPU_SUSPEND with reserved bits, and to nowhere.",
         "INVALID_PARAMETERS, INVALID_ADDRESS.", psci_suspend_states, NEEDS_MEZZO, 0},
        {"H16.9", "Random numbers of impossible sizes.",
         "INVALID; never a bit more than was asked for.", trng_sizes, NEEDS_MEZZO, 0},
        {"H16.10", "Asks for features by numbers that are none.", "NOT_SUPPORTED.",
         feature_questions, NEEDS_MEZZO, 0},
        {"H16.11", "HVC and SMC with immediates that no convention has.",
         "NOT_SUPPORTED or undefined.", immediates, NEEDS_MEZZO, 0},
        {"H16.12", "Wrong calls again and again, and a right one.", "The same answers each time.",
         twice, NEEDS_MEZZO, 0},
        {"H16.13", "Wrong calls of every CPU at once.", "They end, and a right one works.",
         everybody_at_once, NEEDS_MEZZO | NEEDS_SMP, 0},
};
