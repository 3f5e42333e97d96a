// SPDX-License-Identifier: Apache-2.0
/*
 * Forms of loads and stores on a device, most of which give a hypervisor no syndrome: pairs, bases that move, SIMD&FP
 * registers, vector structures. Memory is the judge: each form runs once on memory that holds what the device holds, and
 * once on the device; registers and contents must be the same after it. The registers are those that keep what is
 * written: priorities for bytes and words, a divisor for halfwords, routes (GICv3) for doublewords.
 * Under Mezzo also what is refused: exclusives, atomics, DC ZVA, what is not aligned.
 * Source: Arm ARM, "Loads and Stores", and the page of each instruction.
 */
#include "test.h"

#include "gic.h"
#include "mmu.h"

#define IBRD        0x024
#define FIRST       64u /* interrupts from here on are nobody's */
#define MIDDLE      32u /* of a window: where the base points to */
#define WINDOW      128u
#define FSC_NO_EXCL 0x35
#define RET         0xd65f03c0u

/* What a form needs and where it goes. */
#define W      1u /* priorities: bytes and words */
#define H      2u /* a divisor of the UART */
#define D      3u /* routes */
#define KIND   3u
#define ST     4u /* a store */
#define SP     8u /* the base is the stack pointer */
/* Two words, or elements of one register: without a hypervisor QEMU may make one access of 64 bits of them, which is
   nothing to a GICv3's priorities. */
#define MERGED 16u

/* x0 (or SP) is the base, x1 = 16, w2 and w3 are data, v0 to v3 as well. */
#define FORMS(X)                                                \
	X("ldr w2, [x0]", W)                                    \
	X("ldur w2, [x0, #-8]", W)                              \
	X("ldr w2, [x0, x1]", W)                                \
	X("ldr w2, [x0, w1, sxtw #2]", W)                       \
	X("ldar w2, [x0]", W)                                   \
	X("str w2, [x0]", W | ST)                               \
	X("stlr w2, [x0]", W | ST)                              \
	X("str w2, [x0, w1, uxtw]", W | ST)                     \
	X("ldr w2, [x0], #4", W)                                \
	X("ldr w2, [x0], #-60", W)                              \
	X("ldr w2, [x0, #4]!", W)                               \
	X("ldr w2, [x0, #-4]!", W)                              \
	X("ldr wzr, [x0], #8", W)                               \
	X("ldrb w2, [x0], #1", W)                               \
	X("ldrb w2, [x0, #-1]!", W)                             \
	X("ldrsb w2, [x0], #3", W)                              \
	X("ldrsb x2, [x0, #7]!", W)                             \
	X("ldrsw x2, [x0], #-4", W)                             \
	X("ldrsw x2, [x0, #12]!", W)                            \
	X("str w2, [x0], #4", W | ST)                           \
	X("str w2, [x0, #-4]!", W | ST)                         \
	X("str wzr, [x0], #4", W | ST)                          \
	X("strb w2, [x0], #1", W | ST)                          \
	X("strb w2, [x0, #5]!", W | ST)                         \
	X("ldp w2, w3, [x0]", W | MERGED)                       \
	X("ldp w2, w3, [x0, #8]", W | MERGED)                   \
	X("ldp w2, w3, [x0], #-8", W | MERGED)                  \
	X("ldp w2, w3, [x0, #-8]!", W | MERGED)                 \
	X("ldp wzr, w3, [x0]", W | MERGED)                      \
	X("ldnp w2, w3, [x0, #4]", W | MERGED)                  \
	X("ldpsw x2, x3, [x0]", W | MERGED)                     \
	X("ldpsw x2, x3, [x0], #8", W | MERGED)                 \
	X("stp w2, w3, [x0]", W | MERGED | ST)                  \
	X("stp wzr, w3, [x0, #8]!", W | MERGED | ST)            \
	X("stp w2, w2, [x0], #16", W | MERGED | ST)             \
	X("stnp w3, w2, [x0, #-4]", W | MERGED | ST)            \
	X("ldp w2, w3, [sp]", W | MERGED | SP)                  \
	X("ldp w2, w3, [sp], #16", W | MERGED | SP)             \
	X("ldr w2, [sp, #16]!", W | SP)                         \
	X("stp w2, w3, [sp, #-16]!", W | MERGED | ST | SP)      \
	X("str w2, [sp], #32", W | ST | SP)                     \
	X("ldr b0, [x0]", W)                                    \
	X("ldr b0, [x0, #3]", W)                                \
	X("ldr b0, [x0], #1", W)                                \
	X("ldr s0, [x0]", W)                                    \
	X("ldr s0, [x0], #4", W)                                \
	X("ldr s0, [x0, #4]!", W)                               \
	X("ldr s0, [x0, x1]", W)                                \
	X("ldr s0, [x0, w1, uxtw #2]", W)                       \
	X("ldur s0, [x0, #-4]", W)                              \
	X("ldp s0, s1, [x0]", W | MERGED)                       \
	X("ldp s3, s1, [x0], #8", W | MERGED)                   \
	X("ldp s0, s1, [x0, #-8]!", W | MERGED)                 \
	X("ldnp s0, s1, [x0]", W | MERGED)                      \
	X("str b0, [x0]", W | ST)                               \
	X("str b3, [x0], #1", W | ST)                           \
	X("str s0, [x0]", W | ST)                               \
	X("str s1, [x0, #4]!", W | ST)                          \
	X("stp s0, s1, [x0], #8", W | MERGED | ST)              \
	X("stnp s0, s2, [x0]", W | MERGED | ST)                 \
	X("ldr s0, [sp], #16", W | SP)                          \
	X("ld1 {v0.s}[1], [x0]", W)                             \
	X("ld1 {v0.b}[7], [x0], #1", W)                         \
	X("ld1 {v0.b}[8], [x0]", W)                             \
	X("ld1 {v0.s}[3], [x0], x1", W)                         \
	X("ld1r {v0.4s}, [x0]", W)                              \
	X("ld1r {v0.2s}, [x0], #4", W)                          \
	X("ld1r {v0.8b}, [x0], #1", W)                          \
	X("ld1r {v0.16b}, [x0]", W)                             \
	X("ld2 {v0.s, v1.s}[2], [x0], #8", W)                   \
	X("ld2r {v0.2s, v1.2s}, [x0]", W)                       \
	X("ld3 {v0.b, v1.b, v2.b}[15], [x0]", W)                \
	X("ld3r {v0.16b, v1.16b, v2.16b}, [x0], #3", W)         \
	X("ld4 {v0.b, v1.b, v2.b, v3.b}[5], [x0], #4", W)       \
	X("ld4r {v0.4s, v1.4s, v2.4s, v3.4s}, [x0], x1", W)     \
	X("st1 {v0.s}[1], [x0]", W | ST)                        \
	X("st1 {v0.b}[9], [x0], #1", W | ST)                    \
	X("st2 {v0.s, v1.s}[3], [x0]", W | ST)                  \
	X("st3 {v0.b, v1.b, v2.b}[2], [x0], x1", W | ST)        \
	X("st4 {v0.s, v1.s, v2.s, v3.s}[0], [x0], #16", W | ST) \
	X("ld1 {v0.8b}, [x0]", W | MERGED)                      \
	X("ld1 {v0.16b}, [x0], #16", W | MERGED)                \
	X("ld1 {v0.4s, v1.4s}, [x0]", W | MERGED)               \
	X("ld1 {v0.2s, v1.2s, v2.2s}, [x0], #24", W | MERGED)   \
	X("ld1 {v0.16b-v3.16b}, [x0], x1", W | MERGED)          \
	X("ld2 {v0.4s, v1.4s}, [x0], #32", W)                   \
	X("ld3 {v0.8b, v1.8b, v2.8b}, [x0]", W)                 \
	X("ld4 {v0.16b-v3.16b}, [x0], x1", W)                   \
	X("ld4 {v0.2s-v3.2s}, [x0]", W)                         \
	X("st1 {v0.8b}, [x0], #8", W | ST | MERGED)             \
	X("st1 {v0.4s-v2.4s}, [x0]", W | ST | MERGED)           \
	X("st2 {v0.16b, v1.16b}, [x0], #32", W | ST)            \
	X("st3 {v0.4s-v2.4s}, [x0], x1", W | ST)                \
	X("st4 {v0.8b-v3.8b}, [x0]", W | ST)                    \
	X("ldrh w2, [x0], #2", H)                               \
	X("ldrh w2, [x0, #0]!", H)                              \
	X("ldrsh w2, [x0], #-2", H)                             \
	X("ldrsh x2, [x0], #100", H)                            \
	X("strh w2, [x0], #2", H | ST)                          \
	X("ldr h0, [x0]", H)                                    \
	X("ldr h0, [x0], #2", H)                                \
	X("str h0, [x0]", H | ST)                               \
	X("str h3, [x0, #0]!", H | ST)                          \
	X("ld1 {v0.h}[3], [x0]", H)                             \
	X("ld1r {v0.8h}, [x0], #2", H)                          \
	X("st1 {v0.h}[5], [x0]", H | ST)                        \
	X("ldr x2, [x0], #8", D)                                \
	X("ldr x2, [x0, #-8]!", D)                              \
	X("str x2, [x0], #8", D | ST)                           \
	X("ldp x2, x3, [x0]", D)                                \
	X("ldp x2, x3, [x0], #16", D)                           \
	X("ldp x3, x2, [x0, #-16]!", D)                         \
	X("ldnp x2, x3, [x0, #8]", D)                           \
	X("stp x2, x3, [x0]", D | ST)                           \
	X("stp x2, xzr, [x0, #-32]!", D | ST)                   \
	X("stnp x2, x3, [x0]", D | ST)                          \
	X("ldp x2, x3, [sp], #32", D | SP)                      \
	X("stp x2, x3, [sp, #-32]!", D | ST | SP)               \
	X("ldr d0, [x0]", D)                                    \
	X("ldr d0, [x0], #8", D)                                \
	X("str d0, [x0, #8]!", D | ST)                          \
	X("ldp d0, d1, [x0]", D)                                \
	X("stp d0, d1, [x0, #-16]!", D | ST)                    \
	X("ldr q0, [x0]", D)                                    \
	X("ldr q0, [x0], #16", D)                               \
	X("ldr q0, [x0, x1]", D)                                \
	X("ldur q0, [x0, #-16]", D)                             \
	X("str q0, [x0]", D | ST)                               \
	X("str q3, [x0, #16]!", D | ST)                         \
	X("ldp q0, q1, [x0]", D)                                \
	X("ldp q2, q1, [x0], #32", D)                           \
	X("ldnp q0, q1, [x0, #-32]", D)                         \
	X("stp q0, q1, [x0, #-32]!", D | ST)                    \
	X("stnp q0, q1, [x0]", D | ST)                          \
	X("ld1 {v0.d}[1], [x0]", D)                             \
	X("ld1r {v0.2d}, [x0]", D)                              \
	X("ld1r {v0.1d}, [x0], #8", D)                          \
	X("ld1 {v0.2d}, [x0], #16", D)                          \
	X("ld1 {v0.1d}, [x0]", D)                               \
	X("ld2 {v0.2d, v1.2d}, [x0]", D)                        \
	X("ld4 {v0.2d-v3.2d}, [x0], #64", D)                    \
	X("st1 {v0.d}[1], [x0], #8", D | ST)                    \
	X("st1 {v0.2d, v1.2d}, [x0]", D | ST)                   \
	X("st3 {v0.2d-v2.2d}, [x0], x1", D | ST)

#define NAME(text, flags)  {text, flags},
#define WORDS(text, flags) text "\n"

static const struct {
	const char *name;
	u32 flags;
} forms[] = {FORMS(NAME)};

extern const u32 form_words[] __attribute__((visibility("hidden")));
__asm__(".pushsection .rodata.form_words, \"a\"\n"
        ".arch_extension fp\n"
        ".arch_extension simd\n"
        ".balign 4\n"
        "form_words:\n" FORMS(WORDS) ".popsection\n");

/* ---- running one ---- */

struct registers {
	u64 x[4];
	u64 v[8];
};

static u32 code[16] __attribute__((aligned(64)));

#define MOV_X9_SP 0x910003e9u
#define MOV_SP_X0 0x9100001fu
#define MOV_X0_SP 0x910003e0u
#define MOV_SP_X9 0x9100013fu
#define SPSEL_0   0xd50040bfu
#define SPSEL_1   0xd50041bfu

/* With the stack pointer of EL0 if `sp0`: an exception meanwhile has one to stand on. */
static void make_code(u32 word, bool sp, bool sp0)
{
	u32 n = 0;

	if (sp && sp0)
		code[n++] = SPSEL_0;
	if (sp) {
		code[n++] = MOV_X9_SP;
		code[n++] = MOV_SP_X0;
	}
	code[n++] = word;
	if (sp) {
		code[n++] = MOV_X0_SP;
		code[n++] = MOV_SP_X9;
	}
	if (sp && sp0)
		code[n++] = SPSEL_1;
	code[n] = RET;
	cache_sync_code((u64)code, sizeof(code));
}

static struct exc_record run_code(struct registers *r)
{
	return EXC_OF(__asm__ volatile(".arch_extension simd\n\t"
	                               "mov x20, %0\n\t"
	                               "ldp x0, x1, [x20]\n\t"
	                               "ldp x2, x3, [x20, #16]\n\t"
	                               "ldp q0, q1, [x20, #32]\n\t"
	                               "ldp q2, q3, [x20, #64]\n\t"
	                               "blr %1\n\t"
	                               "stp x0, x1, [x20]\n\t"
	                               "stp x2, x3, [x20, #16]\n\t"
	                               "stp q0, q1, [x20, #32]\n\t"
	                               "stp q2, q3, [x20, #64]\n\t" ::"r"(r),
	                               "r"(code)
	                               : "x0", "x1", "x2", "x3", "x9", "x20", "x30", "memory"));
}

/* ---- windows: what a device keeps, and memory of the same shape ---- */

static u8 memory[WINDOW] __attribute__((aligned(WINDOW)));

static struct window {
	u64 at;    /* the device's first byte; the base is MIDDLE behind it, or this */
	u64 mask;  /* of eight bytes: what is kept */
	u32 bytes; /* WINDOW, or fewer */
} windows[4];

static u64 get(const struct window *w, u32 offset)
{
	if (w == &windows[D])
		return read64(w->at + offset);
	u64 low = read32(w->at + offset);
	return w->bytes < 8 ? low : low | (u64)read32(w->at + offset + 4) << 32;
}

static void put(const struct window *w, u32 offset, u64 value)
{
	if (w == &windows[D]) {
		write64(w->at + offset, value);
		return;
	}
	write32(w->at + offset, (u32)value);
	if (w->bytes >= 8)
		write32(w->at + offset + 4, (u32)(value >> 32));
}

/* Fills both with what the device makes of a pattern. */
static void fill(const struct window *w, u64 pattern)
{
	for (u32 i = 0; i < w->bytes; i += 8) {
		pattern = pattern * 6364136223846793005ul + 1442695040888963407ul;
		put(w, i, pattern & w->mask);
		*(volatile u64 *)&memory[i] = get(w, i);
	}
}

static void same_contents(const struct window *w, const char *name)
{
	for (u32 i = 0; i < w->bytes; i += 8)
		group_eq(get(w, i), *(volatile u64 *)&memory[i] & w->mask, "%s: byte %u", name, i);
}

static void learn(struct window *w, u64 at, u32 bytes)
{
	*w = (struct window){at, 0, bytes};
	put(w, 0, w == &windows[H] ? 0xffff : ~0ul);
	w->mask = get(w, 0);
}

/* ---- each form on both ---- */

static void start(struct registers *r, u64 base)
{
	*r = (struct registers){.x = {base, 16, 0x8182838485868788ul, 0x1112131495969798ul}};
	for (unsigned i = 0; i < ARRAY_LEN(r->v); i++)
		r->v[i] = 0xf1e2d3c4b5a69788ul + 0x1111111111111111ul * i;
}

static void compare(unsigned n, bool sp0)
{
	u32 flags = forms[n].flags;
	const struct window *w = &windows[flags & KIND];
	u32 middle = w->bytes == WINDOW ? MIDDLE : 0;
	u64 there = w->at + middle, here = (u64)memory + middle;
	struct registers want, got;
	struct exc_record r;

	make_code(form_words[n], (flags & SP) != 0, sp0);
	fill(w, n + 1);
	start(&want, here);
	start(&got, there);
	r = run_code(&want);
	group_eq(r.count, 0, "%s: memory", forms[n].name);
	r = run_code(&got);
	group_eq(r.count, 0, "%s: exceptions (0x%lx at 0x%lx)", forms[n].name, r.esr, r.far);
	group_eq(got.x[0] - there, want.x[0] - here, "%s: base", forms[n].name);
	for (unsigned i = 1; i < ARRAY_LEN(want.x); i++)
		group_eq(got.x[i], want.x[i], "%s: x%u", forms[n].name, i);
	for (unsigned i = 0; i < ARRAY_LEN(want.v); i++)
		group_eq(got.v[i], want.v[i], "%s: v%u, half %u", forms[n].name, i / 2, i % 2);
	same_contents(w, forms[n].name);
	group_eq(want.x[0] != here || got.x[0] == there, true, "%s", forms[n].name);
}

static void compare_all(u32 kind, const char *name)
{
	group_begin(name);
	for (unsigned n = 0; n < ARRAY_LEN(forms); n++) {
		u32 flags = forms[n].flags;

		if ((flags & KIND) != kind)
			continue;
		if ((flags & MERGED) != 0 && platform.gic_version == 3 && !test_under_mezzo())
			continue;
		compare(n, false);
		if ((flags & SP) != 0)
			compare(n, true);
	}
	group_end();
}

/* ---- at EL0 ---- */

static u64 el0_x[4], el0_sp, el0_faults;

static bool el0_hook(struct exc_frame *f, unsigned vector)
{
	if (vector < VEC_LOW64)
		return false;
	el0_faults += FIELD_GET(ESR_EC, f->esr) != EC_SVC64;
	for (unsigned i = 0; i < ARRAY_LEN(el0_x); i++)
		el0_x[i] = f->x[i];
	el0_sp = f->sp_el0;
	exc_leave_el0(0);
}

/* ldp of words or doublewords, x1 and x2, [sp], #16; ldtr w3, [x0]; svc #0. */
#define LDP_W 0x28c20be1
#define LDP_X 0xa8c10be1
#define LDTR  0xb8400803
#define SVC   0xd4000001

#define SCTLR_E0E BIT(24) /* data is big-endian at EL0 */

static u64 swapped(u64 value, unsigned bytes)
{
	return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

static void run_el0(u64 user, const struct window *w, bool big)
{
	u64 regs[15] = {windows[W].at}, at = w->at + MIDDLE, sctlr = read_sysreg(sctlr_el1);
	unsigned bytes = w == &windows[D] ? 8 : 4;
	u64 want[3] = {bytes == 8 ? read64(at) : read32(at),
	               bytes == 8 ? read64(at + 8) : read32(at + 4), read32(windows[W].at)};

	read32(platform.rtc); /* a fast exit looks at endianness when the page changes */
	el0_faults = 0;
	exc_set_hook(el0_hook);
	write_sysreg(sctlr_el1, big ? sctlr | SCTLR_E0E : sctlr);
	isb();
	exc_run_el0(user, SPSR_EL0T | SPSR_DAIF, regs, at);
	write_sysreg(sctlr_el1, sctlr);
	isb();
	exc_set_hook(NULL);
	group_begin(big ? "forms-at-el0-big-endian" : "forms-at-el0");
	group_eq(el0_faults, 0, "exceptions");
	group_eq(el0_x[1], big ? swapped(want[0], bytes) : want[0], "first of a pair");
	group_eq(el0_x[2], big ? swapped(want[1], bytes) : want[1], "second of a pair");
	group_eq(el0_x[3], big ? swapped(want[2], 4) : want[2], "one word");
	group_eq(el0_sp, at + 16, "its stack pointer");
	group_end();
}

static void test_el0(void)
{
	bool wide = platform.gic_version == 3;
	const struct window *w = &windows[wide ? D : W];
	const u32 program[] = {wide ? LDP_X : LDP_W, LDTR, SVC};
	u64 user = platform.ram_base + platform.ram_bytes - 4 * MMU_BLOCK_BYTES;

	fill(w, 99);
	mmu_map_user(user);
	mmu_map_devices_user();
	__builtin_memcpy((void *)user, program, sizeof(program));
	cache_sync_code(user, sizeof(program));
	run_el0(user, w, false);
	run_el0(user, w, true);
	mmu_unmap_devices_user();
}

/* ---- what is refused ---- */

static void refuse(u32 word, u64 status, bool write, const char *name)
{
	u64 at = windows[W].at + MIDDLE + (status == FSC_ALIGN && word != 0xd50b7420);
	struct registers before, after;

	make_code(word, false, false);
	fill(&windows[W], word);
	start(&before, at);
	start(&after, at);
	struct exc_record r = run_code(&after);

	group_eq(r.count, 1, "%s: one exception", name);
	group_eq(exc_class(&r), EC_DABT, "%s: class", name);
	group_eq(FIELD_GET(ESR_DFSC, r.esr), status, "%s: fault status", name);
	group_eq((r.esr & ESR_WNR) != 0, write, "%s: direction", name);
	group_eq(r.far, at, "%s: address", name);
	group_eq(__builtin_memcmp(&before, &after, sizeof(before)) == 0, true, "%s: registers",
	         name);
	same_contents(&windows[W], name);
}

#define ISAR0_ATOMIC BITS(23, 20)

static void test_refused(void)
{
	if (!test_under_mezzo()) {
		test_skip("QEMU's devices take them", "forms-refused");
		return;
	}
	group_begin("forms-refused");
	refuse(0x885f7c02, FSC_NO_EXCL, false, "ldxr w2, [x0]");
	refuse(0x887f0c02, FSC_NO_EXCL, false, "ldxp w2, w3, [x0]");
	if (FIELD_GET(ISAR0_ATOMIC, read_sysreg(id_aa64isar0_el1)) >= 2) {
		refuse(0xb8220003, FSC_NO_EXCL, false, "ldadd w2, w3, [x0]");
		refuse(0x88a27c03, FSC_NO_EXCL, false, "cas w2, w3, [x0]");
		refuse(0xb8228003, FSC_NO_EXCL, false, "swp w2, w3, [x0]");
	}
	refuse(0xd50b7420, FSC_ALIGN, true, "dc zva, x0");
	refuse(0xb8404402, FSC_ALIGN, false, "ldr w2, [x0], #4");
	refuse(0x29000c02, FSC_ALIGN, true, "stp w2, w3, [x0]");
	refuse(0x3dc00000, FSC_ALIGN, false, "ldr q0, [x0]");
	group_end();
}

/* Two pages of a device. */
static void test_pages(void)
{
	u64 last = platform.gicd + PAGE_BYTES - 4;
	struct registers r;

	group_begin("forms-two-pages");
	make_code(0x29400c02, false, false); /* ldp w2, w3, [x0] */
	start(&r, last);
	struct exc_record e = run_code(&r);
	group_eq(e.count, 0, "exceptions");
	group_eq(r.x[2], read32(last), "in the first");
	group_eq(r.x[3], read32(last + 4), "in the second");
	group_end();
}

void test_main(void)
{
	learn(&windows[W], platform.gicd + GICD_IPRIORITYR + FIRST, WINDOW);
	learn(&windows[H], platform.uart + IBRD, 4);
	compare_all(W, "forms-words");
	compare_all(H, "forms-halfwords");
	if (platform.gic_version == 3) {
		learn(&windows[D], platform.gicd + GICD_IROUTER + 8 * FIRST, WINDOW);
		compare_all(D, "forms-doublewords");
		test_pages();
	} else {
		test_skip("no register of 64 bits", "forms-doublewords");
	}
	test_el0();
	test_refused();
}
