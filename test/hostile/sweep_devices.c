// SPDX-License-Identifier: Apache-2.0
/*
 * Class H21: every offset of every emulated device, at every width and alignment, with 0, all ones and random
 * data, written and read; and forms of loads and stores without a syndrome. With `full=1` all offsets, otherwise a
 * slice of them. An access ends in a value or in one abort; a form without a syndrome in a value or in an
 * abort that changes no register.
 * Source: Arm ARM, "ISS encoding for an exception from a Data Abort"; docs/interrupts.md.
 */
#include "hostile.h"

#define SLICE        13u
#define PVTIME       0x090a0000ul
#define VIRTIO       0x0a000000ul
#define SLOT         0x200u
#define SLOTS        32u
#define DEVICE_ID    0x008u /* of virtio */
#define STATUS       0x070u
#define CONFIG       0x100u
#define CONFIG_BYTES 0x40u
#define ID_CONSOLE   3u
#define WAIT_US      5000000ul
#define UART_DR      0x00u
#define UART_LCRH    0x2cu
#define UART_CR      0x30u
#define UART_IMSC    0x38u
#define KEPT         0x1122334455667788ul

static u64 load(u64 at, unsigned width)
{
	switch (width) {
	case 1: return read8(at);
	case 2: return read16(at);
	case 4: return read32(at);
	default: return read64(at);
	}
}

static void store(u64 at, unsigned width, u64 value)
{
	switch (width) {
	case 1: write8(at, (u8)value); break;
	case 2: write16(at, (u16)value); break;
	case 4: write32(at, (u32)value); break;
	default: write64(at, value); break;
	}
}

static void access(u64 at, unsigned width, bool may_write)
{
	const u64 values[] = {0, ~0ul, case_random()};
	struct exc_record r;

	for (unsigned i = 0; may_write && i < ARRAY_LEN(values); i++) {
		r = EXC_OF(store(at, width, values[i]));
		want_true(r.count == 0 || (r.count == 1 && exc_class(&r) == EC_DABT),
		          "store of %u at 0x%lx", width, at);
	}
	r = EXC_OF(load(at, width));
	want_true(r.count == 0 || (r.count == 1 && exc_class(&r) == EC_DABT), "load of %u at 0x%lx",
	          width, at);
}

static void sweep_by(u32 step, u64 base, u32 bytes, u32 silent)
{
	for (u32 offset = 0; offset < bytes; offset += step) {
		for (unsigned width = 1; width <= 8; width *= 2)
			access(base + offset, width, offset >= silent);
	}
}

static void sweep(u64 base, u32 bytes, u32 silent)
{
	sweep_by(platform_arg("full", 0) != 0 ? 1 : SLICE, base, bytes, silent);
}

static void sweep_distributor(void)
{
	sweep(platform.gicd, 0x1000, 0);
	if (platform.gic_version == 3)
		sweep(platform.gicd + 0x6000, 0x1000, 0);
	sweep(platform.gicd + 0xf000, 0x1000, 0);
}

static void sweep_cpu_interface(void)
{
	sweep(platform.gicc, 0x1010, 0);
}

static void sweep_redistributor(void)
{
	sweep(gic_redist(0), 0x1000, 0);
	sweep(gic_redist(0) + GICR_SGI_FRAME, 0x1000, 0);
	sweep(gic_redist(0) + 0xf000, 0x1000, 0);
}

/* Nothing is written where it would be printed. */
static void sweep_uart(void)
{
	sweep(platform.uart, 0x1000, UART_DR + 4);
	write32(platform.uart + UART_IMSC, 0);
	write32(platform.uart + UART_LCRH, 0x70);
	write32(platform.uart + UART_CR, 0x301);
}

static void sweep_rtc(void)
{
	sweep(platform.rtc, 0x1000, 0);
}

static void sweep_gpio(void)
{
	sweep(platform.gpio, 0x1000, 0);
}

static void sweep_virtio(void)
{
	for (u32 slot = 0; slot < SLOTS; slot += platform_arg("full", 0) != 0 ? 1 : 8)
		if (read32(VIRTIO + slot * SLOT + DEVICE_ID) == 0)
			sweep(VIRTIO + slot * SLOT, SLOT, 0);
}

/* What is written into a console's configuration would be printed. */
static void sweep_virtio_devices(void)
{
	for (u32 slot = 0; slot < SLOTS; slot++) {
		u64 base = VIRTIO + slot * SLOT;
		u32 id = read32(base + DEVICE_ID);

		if (id == 0)
			continue;
		sweep_by(1, base, CONFIG, 0);
		sweep_by(1, base + CONFIG, CONFIG_BYTES, id == ID_CONSOLE ? CONFIG_BYTES : 0);
		write32(base + STATUS, 0);
		want_true(WAIT_FOR(read32(base + STATUS) == 0, WAIT_US), "slot %u is reset", slot);
		want_eq(read32(base + DEVICE_ID), id, "device of slot %u", slot);
	}
}

static void sweep_stolen_time(void)
{
	sweep(PVTIME, 0x1000, 0);
}

#define FSC_NO_EXCLUSIVE 0x35

struct form {
	const char *name;
	u32 code;
	u64 status; /* of the fault, if a device can do nothing with it; 0: its value or an external abort */
};

/* Encodings, so that any assembler knows them; x1 is the base. */
static const struct form forms[] = {
        {"ldr w0, [x1], #4", 0xb8404420, 0},
        {"ldr w0, [x1, #4]!", 0xb8404c20, 0},
        {"ldr x0, [x1], #8", 0xf8408420, 0},
        {"ldrb w0, [x1], #1", 0x38401420, 0},
        {"str w0, [x1], #4", 0xb8004420, 0},
        {"str w0, [x1, #4]!", 0xb8004c20, 0},
        {"ldp w0, w2, [x1]", 0x29400820, 0},
        {"ldp x0, x2, [x1]", 0xa9400820, 0},
        {"ldp x0, x2, [x1], #16", 0xa8c10820, 0},
        {"stp w0, w2, [x1]", 0x29000820, 0},
        {"stp x0, x2, [x1]", 0xa9000820, 0},
        {"ldpsw x0, x2, [x1]", 0x69400820, 0},
        {"ldnp w0, w2, [x1]", 0x28400820, 0},
        {"ldxr w0, [x1]", 0x885f7c20, FSC_NO_EXCLUSIVE},
        {"ldaxr x0, [x1]", 0xc85ffc20, FSC_NO_EXCLUSIVE},
        {"ldxp x0, x2, [x1]", 0xc87f0820, FSC_NO_EXCLUSIVE},
        {"ldr q0, [x1]", 0x3dc00020, 0},
        {"str q0, [x1]", 0x3d800020, 0},
        {"ldr d0, [x1]", 0xfd400020, 0},
        {"ldp q0, q1, [x1]", 0xad400420, 0},
        {"ld1 {v0.16b}, [x1]", 0x4c407020, 0},
        {"st4 {v0-v3.16b}, [x1]", 0x4c000020, 0},
        {"ld1 {v0.b}[0], [x1]", 0x0d400020, 0},
        {"dc zva, x1", 0xd50b7421, FSC_ALIGN},
        {"prfm pldl1keep, [x1]", 0xf9800020, 0},
        {"dc cvac, x1", 0xd50b7a21, 0},
        {"dc ivac, x1", 0xd5087621, 0},
        {"dc civac, x1", 0xd50b7e21, 0},
        {"ic ivau, x1", 0xd50b7521, 0},
};

static u32 code[4] __attribute__((aligned(64)));

/* Runs what is there with x0 = x2 = KEPT and x1 = at; afterwards x0 and x1 are in out[]. */
static struct exc_record run_code(u64 at, u64 out[2])
{
	exc_arm();
	{
		register u64 a __asm__("x0") = KEPT;
		register u64 b __asm__("x1") = at;
		register u64 c __asm__("x2") = KEPT;

		__asm__ volatile("blr %3"
		                 : "+r"(a), "+r"(b), "+r"(c)
		                 : "r"(code)
		                 : "x30", "memory");
		out[0] = a;
		out[1] = b;
	}
	return exc_disarm();
}

static struct exc_record run_form(u32 instruction, u64 at, u64 out[2])
{
	code[0] = instruction;
	code[1] = 0xd65f03c0; /* ret */
	cache_sync_code((u64)code, sizeof(code));
	return run_code(at, out);
}

static void forms_at(u64 at, bool device)
{
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		u64 out[2];
		struct exc_record r = run_form(forms[i].code, at, out);

		want_true(r.count <= 1, "%s at 0x%lx: one exception", forms[i].name, at);
		if (device && forms[i].status != 0)
			want_eq(r.count, 1, "%s at 0x%lx: exceptions", forms[i].name, at);
		if (r.count == 0)
			continue;
		if (device)
			want_eq(FIELD_GET(ESR_DFSC, r.esr),
			        forms[i].status != 0 ? forms[i].status : FSC_SEA,
			        "%s at 0x%lx: fault status", forms[i].name, at);
		want_eq(exc_class(&r), EC_DABT, "%s at 0x%lx", forms[i].name, at);
		want_eq(out[0], KEPT, "%s at 0x%lx: register", forms[i].name, at);
		want_eq(out[1], at, "%s at 0x%lx: base", forms[i].name, at);
	}
}

static void forms_at_devices(void)
{
	forms_at(platform.uart + 0x40, true);
	forms_at(platform.rtc + 0x40, true);
	forms_at(platform.gpio + 0x40, true);
	forms_at(platform.gicd + 0x40, true);
	forms_at(VIRTIO + 0x40, true);
}

static void forms_nowhere(void)
{
	forms_at(0x0b000040, false);
	forms_at(ram_end(), false);
	forms_at(1ul << 37, false);
}

static void forms_at_window(void)
{
	forms_at(PVTIME + 0x40, false);
}

/* ---- an instruction that changes while Mezzo looks at it ---- */

#define REWRITE_ROUNDS 3000u
#define MEET_US        20000000ul /* where two CPUs share one core, they may long miss each other */
#define NOP            0xd503201fu

static volatile bool rewrite_stop;
static volatile u32 rewrites;

static void rewriter(u64 unused)
{
	(void)unused;
	for (u32 i = 0; !rewrite_stop; i++) {
		*(volatile u32 *)&code[0] = i % 8 == 0 ? NOP : forms[i % ARRAY_LEN(forms)].code;
		cache_sync_code((u64)code, sizeof(code));
		rewrites++;
	}
}

static void rewritten(void)
{
	u64 at = platform.gicd + GICD_IPRIORITYR + 64;
	u64 start = timer_count();
	u32 before, met = 0;

	code[1] = 0xd65f03c0; /* ret */
	rewrite_stop = false;
	rewrites = 0;
	smp_post(1, rewriter, 0);
	want_true(WAIT_FOR(rewrites > 0, WAIT_US), "the other CPU rewrites");
	for (u32 i = 0;
	     i < REWRITE_ROUNDS || (met == 0 && timer_count() - start < timer_ticks(MEET_US));
	     i++) {
		u64 out[2];

		before = rewrites;
		struct exc_record r = run_code(at, out);
		met += before != rewrites;
		want_true(r.count <= 1, "round %u: one exception", i);
		if (r.count == 0) {
			want_true(out[1] - at <= 16, "round %u: base 0x%lx", i, out[1]);
			continue;
		}
		u64 status = FIELD_GET(ESR_DFSC, r.esr);
		want_eq(exc_class(&r), EC_DABT, "round %u", i);
		want_true(status == FSC_SEA || status == FSC_ALIGN || status == FSC_NO_EXCLUSIVE,
		          "round %u: fault status 0x%lx", i, status);
		want_eq(out[0], KEPT, "round %u: register", i);
		want_eq(out[1], at, "round %u: base", i);
	}
	rewrite_stop = true;
	want_true(smp_wait(1, WAIT_US), "the other CPU ends");
	want_true(met > 0, "changes while an instruction was carried out");
}

#define SWEEP(id, what, run, needs)                                                \
	{                                                                          \
		id, what, "A value or one abort each.", run, (needs) | IS_SWEEP, 0 \
	}

CASES(rows) = {
        SWEEP("H21.20", "Every offset, width, alignment of the distributor.", sweep_distributor,
              NEEDS_MEZZO),
        SWEEP("H21.21", "Every offset, width, alignment of the CPU interface.", sweep_cpu_interface,
              NEEDS_MEZZO | NEEDS_GICV2),
        SWEEP("H21.22", "Every offset, width, alignment of its redistributor.", sweep_redistributor,
              NEEDS_MEZZO | NEEDS_GICV3),
        SWEEP("H21.23", "Every offset, width, alignment of the UART.", sweep_uart, NEEDS_MEZZO),
        SWEEP("H21.24", "Every offset, width, alignment of the clock.", sweep_rtc, NEEDS_MEZZO),
        SWEEP("H21.25", "Every offset, width, alignment of the power key's controller.", sweep_gpio,
              NEEDS_MEZZO),
        SWEEP("H21.26", "Every offset, width, alignment of the empty virtio slots.", sweep_virtio,
              NEEDS_MEZZO),
        SWEEP("H21.27", "Every offset, width, alignment of the page of stolen time.",
              sweep_stolen_time, NEEDS_MEZZO),
        SWEEP("H21.28", "Every offset, width, alignment of each virtio device.",
              sweep_virtio_devices, NEEDS_MEZZO),
        {"H21.1", "29 forms of access without a syndrome to five devices.",
         "What the form does, or one abort of the right kind with every register as it was.",
         forms_at_devices, NEEDS_MEZZO, 0},
        {"H21.2", "The same forms where nothing is.", "One abort with every register as it was.",
         forms_nowhere, NEEDS_MEZZO, 0},
        {"H21.3", "The same forms at the page that may only be read.", "A value, or one abort.",
         forms_at_window, NEEDS_MEZZO, 0},
        {"H21.4", "An instruction at a device that another CPU rewrites all the while.",
         "What one of the two does, or one abort with every register as it was.", rewritten,
         NEEDS_MEZZO | NEEDS_SMP, 0},
};
